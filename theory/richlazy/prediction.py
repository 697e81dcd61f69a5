"""One call: a start and a task to its laziness; a spectrum to its laziness over random tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from richlazy import limits, low_rank, matrices, principal_angles, spectrum
from richlazy.averages import UNIFORM, Expected, Statistic, record, sampled
from richlazy.errors import AssumptionError, integer, positive, times, unit_interval
from richlazy.krylov import Bidiagonal
from richlazy.laziness import Laziness
from richlazy.matrices import MatrixLike, Moments
from richlazy.network import Network
from richlazy.random_tasks import (
    GroupedSpectrum,
    block_tasks,
    direction_chain,
    grouped,
    typical_chain,
)
from richlazy.routes import certified, first_order, spread_over_orders
from richlazy.solvers import Method, solve
from richlazy.task import Task

__all__ = ["Average", "Expected", "Statistic", "expect", "predict"]

Array = NDArray[np.float64]
Average: TypeAlias = Literal["closed form", "law", "typical", "sample"]

_LAW_DOMAIN = 0.02
_TASKS, _FEWER, _COSTLY = 200, 20, 100
_SAMPLING = 1e-8  # tolerance of sampled tasks, whose spread is orders above it
_STACK = 400_000  # numbers in one vector of a stack of tasks


def predict(
    start: Network, task: Task, t: float = np.inf, *, method: Method | None = None
) -> Laziness:
    """Laziness of one start on one task between time 0 and t (learning rate x steps).

    By the first route of `richlazy.solve` that holds; the record's `method`, `assumptions` and
    `accuracy` say which and how good.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> task = Task.random(50, 1, rng=rng)
    >>> predict(Network(rng.standard_normal((30, 50)) / 40), task).method
    'krylov (T15), k=6'
    """
    return solve(start, task, method).laziness(t)


def expect(
    start: MatrixLike,
    inputs: int | None = None,
    *,
    outputs: int = 1,
    strength: float = 1.0,
    alignment: float | None = None,
    t: float = np.inf,
    method: Average | None = None,
    tasks: int | None = None,
    rng: np.random.Generator | None = None,
) -> Expected:
    """Laziness of a start with a silent readout over random tasks on white inputs.

    Parameters
    ----------
    start
        Singular values (1-D, descending) or a first layer W1 (hidden x inputs: dense,
        sparse, `Thin` or LinearOperator).
    inputs
        d; needed with singular values, optional with a matrix (its columns).
    outputs
        m. A task has m equal modes in uniformly random orthonormal directions.
    strength
        ||cov_yx||_F.
    alignment
        c: only tasks whose squared share inside the row space of W1 is c, their direction in
        it uniform (one output). None: tasks uniform on the sphere.
    t
        Time, learning rate x steps; infinity allowed.
    method
        None takes "closed form" for a flat spectrum with one output, or with several at
        t = infinity, else "sample". "closed form" (T7) is exact but for the weight change
        and the quantiles of several outputs, which average T6 over sampled principal
        angles. "law" is the participation-ratio law (T15), "typical" the typical task
        (T14): both approximations of O(1/PR) for one output, whose accuracy is stated.
    tasks
        Number of sampled tasks, by default 200 (20 where one costs the full flow: over 100
        distinct singular values with several outputs or a stiff start; up to 10 000 where
        one is a set of principal angles).
    rng
        Source of sampled tasks; by default a fixed seed, so that numbers repeat.

    Examples
    --------
    >>> found = expect(spectrum.flat(rank=5), inputs=100)
    >>> found.method, round(found.kernel_alignment.mean, 4)
    ('closed form (T7)', 0.2584)
    >>> found = expect(spectrum.power_law(64, exponent=0.5), inputs=64)
    >>> found.method
    'sample of 200 tasks by krylov (T15), k=6'
    """
    g, m = float(positive(strength, "strength", ndim=0)), integer(outputs, "outputs")
    time = float(times(t, ndim=0))
    count = None if tasks is None else integer(tasks, "tasks", least=2)
    rng = np.random.default_rng(0) if rng is None else rng
    if method not in (None, "closed form", "law", "typical", "sample"):
        raise ValueError(
            f"method must be 'closed form', 'law', 'typical' or 'sample'; it is {method!r}"
        )
    found, matrix = _understood(start, inputs)
    if found is None:
        if m > 1 or alignment is not None or method not in (None, "law", "sample"):
            raise AssumptionError(
                "this matrix is too large for its singular values: only one output, tasks of any "
                "alignment and the methods 'law' and 'sample' need products alone"
            )
        if method == "law":
            ratio = spectrum.participation_ratio(matrix)
            return _law(
                matrices.second_moments(matrix), ratio.value, matrix.shape[1], g, time, None
            )
        return _sampled_by_products(matrix, g, time, count or _TASKS, rng)
    largest = found.values[:1]
    low_rank.check_scale(largest * np.sqrt(found.rank), np.array([g]), np.array([found.rank]))
    if count is None:
        costly = found.values.size > _COSTLY and (m > 1 or _stiff(found, g))
        count = _FEWER if costly else _TASKS
    if m > found.inputs:
        raise ValueError(f"outputs must be at most inputs; they are {m} and {found.inputs}")
    if method in ("law", "typical") and m > 1:
        raise AssumptionError(f"method {method!r} needs one output; it was asked for {m}")
    if method == "closed form" and m > 1 and np.isfinite(time) and alignment is None:
        raise AssumptionError(
            f"method 'closed form' needs t = infinity for several outputs; it is {time:g}: use "
            "'sample'"
        )
    if alignment is not None:
        return _aligned(found, alignment, m, g, time, method, count, rng)
    if method == "closed form" and not found.flat:
        raise AssumptionError("method 'closed form' needs a flat spectrum; use 'sample'")
    if found.flat and m == 1 and method in (None, "closed form"):
        return _closed_form(found, g, time)
    if found.flat and np.isinf(time) and method in (None, "closed form"):
        return principal_angles.expected(found, m, g, count if tasks else None, rng)
    if method == "law":
        chain = typical_chain(found, g)
        return _law(found.moments, found.participation_ratio, found.inputs, g, time, chain)
    if method == "typical":
        return _typical(found, g, time)
    return _sampled(found, m, g, time, count, rng)


def _understood(start: MatrixLike, inputs: int | None) -> tuple[GroupedSpectrum | None, MatrixLike]:
    """The spectrum with multiplicities, or None where a matrix is too large for it."""
    if isinstance(start, Network):
        if not start.silent:
            size = np.linalg.norm(np.asarray(start.readout))
            raise AssumptionError(f"expect needs a silent readout; ||W2(0)|| = {size:g}")
        start = start.first
    if spectrum.is_spectrum(start):
        s = spectrum.check(start)
        if inputs is None:
            raise ValueError(
                "inputs is needed with singular values: the number of input directions"
            )
        d = integer(inputs, "inputs")
        if np.count_nonzero(s) > d:
            raise ValueError(
                f"inputs must be at least the rank {np.count_nonzero(s)} of the spectrum; it is {d}"
            )
        return grouped(s[s > 0], d), None
    matrix = matrices.as_matrix(start, "start")
    if inputs is not None and integer(inputs, "inputs") != matrix.shape[1]:
        raise ValueError(f"inputs is {inputs}, but the matrix has {matrix.shape[1]} columns")
    large = min(matrix.shape) > matrices.DENSE_LIMIT
    if large and not isinstance(matrix, (np.ndarray, matrices.Thin)):
        return None, matrix
    s = matrices.svd(matrix).values
    if s.size == 0 or s[0] == 0:
        raise ValueError("the matrix is zero: it has no spectrum to predict from")
    return grouped(s, int(matrix.shape[1])), matrix


def _closed_form(s: GroupedSpectrum, g: float, t: float) -> Expected:
    rank, norm = s.counts[0], float(s.values[0] * np.sqrt(s.counts[0]))
    moments = low_rank.expected(rank, s.inputs, norm=norm, strength=g, t=t)
    columns = _by_law(moments, 0.0, rank, s.inputs, norm, g, t)
    return record(
        columns, t, "closed form (T7)", ("one output", f"flat spectrum of rank {rank:.0f}"), "exact"
    )


def _aligned(
    s: GroupedSpectrum,
    alignment: float,
    outputs: int,
    g: float,
    t: float,
    method: Average | None,
    count: int,
    rng: np.random.Generator,
) -> Expected:
    """Tasks of one alignment: T6 where the spectrum is flat, else sampled directions."""
    c = float(unit_interval(alignment, "alignment", ndim=0))
    if outputs > 1 or method not in (None, "closed form", "sample"):
        raise AssumptionError("alignment needs one output and method 'closed form' or 'sample'")
    if c < 1 and s.rank == s.inputs:
        raise ValueError("alignment must be 1 where rank = inputs: no direction lies outside")
    if s.flat and method != "sample":
        norm = float(np.sqrt(s.moments.trace.value))
        found = low_rank.measures(s.rank, s.inputs, alignment=c, norm=norm, strength=g, t=t)
        columns = [Statistic.exactly(float(v)) for v in found]
        return record(
            columns,
            t,
            "closed form (T6)",
            ("one output", f"flat spectrum of rank {s.rank}"),
            "exact",
            task=f"alignment {c:g}",
        )
    if method == "closed form":
        raise AssumptionError("method 'closed form' needs a flat spectrum; use 'sample'")
    some = _sample(lambda n: direction_chain(s, g, n, rng, c), s.values.size, t, count)
    return replace(
        some,
        assumptions=tuple(
            f"task directions of alignment {c:g}, else uniform" if a == UNIFORM else a
            for a in some.assumptions
        ),
    )


def _by_law(
    moments: low_rank.Expectation,
    standard_error: float | None,
    rank: float,
    inputs: int,
    norm: float,
    g: float,
    t: float,
) -> list[Statistic]:
    def quantile(k: int) -> Callable[[Array], Array]:
        return lambda q: low_rank.quantile(q, rank, inputs, norm=norm, strength=g, t=t)[k]

    return [
        Statistic(float(mean), float(sd), standard_error, quantile(k))
        for k, (mean, sd) in enumerate(zip(moments.mean, moments.sd, strict=True))
    ]


def _law(
    moments: Moments, ratio: float, inputs: int, g: float, t: float, chain: Bidiagonal | None
) -> Expected:
    """T15, k = 1, checked against k = 2 of the typical task where the spectrum is known."""
    norm = float(np.sqrt(moments.trace.value))
    law = limits.law(ratio, inputs, norm=norm, strength=g, t=t)
    columns = _by_law(law, None, ratio, inputs, norm, g, t)
    if chain is None:
        accuracy = "O(1/PR); not checked against the second Krylov order (no spectrum)"
    else:
        at = np.array([t])
        chain.grow(2)
        one, two = (certified(chain.reduced(k), at)[0] for k in (1, 2))
        ka, ra, dw = (
            float(np.abs(getattr(one, name) - getattr(two, name))[0, 0])
            for name in ("kernel_alignment", "representation_alignment", "weight_change")
        )
        ka, dw = ka / float(two.kernel_alignment[0, 0]), dw / float(two.weight_change[0, 0])
        inside = "inside" if max(ka, ra, dw) < _LAW_DOMAIN else "OUTSIDE"
        accuracy = (
            f"O(1/PR); orders k = 1 and k = 2 differ by {ka:.1%} in KA, {ra:.3f} in RA and "
            f"{dw:.1%} in ||dW||: {inside} the law's domain"
        )
    return record(
        columns,
        t,
        "participation-ratio law (T15)",
        ("one output", f"the start learns like a flat one of rank PR = {ratio:.4g}"),
        accuracy,
    )


def _typical(s: GroupedSpectrum, g: float, t: float) -> Expected:
    chain = typical_chain(s, g)
    found, reduced, gap = spread_over_orders(chain, np.array([t]))
    columns = [Statistic(float(v[0, 0]), None, None) for v in found]
    return record(
        columns,
        t,
        f"typical task (T14) by krylov (T15), k={reduced.problem.first.shape[1]}",
        ("one output", "every right singular vector carries the same share of the task"),
        f"O(1/PR) with PR = {s.participation_ratio:.4g}; numerical error {gap:.1e}",
    )


def _sampled(
    s: GroupedSpectrum, outputs: int, g: float, t: float, count: int, rng: np.random.Generator
) -> Expected:
    if outputs == 1 and not _stiff(s, g):
        return _sample(lambda n: direction_chain(s, g, n, rng), s.values.size, t, count)
    stack = max(1, min(count, 2_000_000 // (s.values.size * outputs) ** 2))
    parts, worst = [], 0.0
    for done in range(0, count, stack):
        reduced = block_tasks(s, outputs, g, min(stack, count - done), rng)
        fine, gap = certified(reduced, np.array([t]), _SAMPLING)
        parts.append(fine)
        worst = max(worst, gap)
    return sampled(parts, t, count, "flow (T11)", worst, outputs)


def _stiff(s: GroupedSpectrum, g: float) -> bool:
    """Whether Krylov chains would need to go on nearly to their end."""
    return 3 * first_order(float(s.values[0]), g) > max(s.values.size, 30)


def _sampled_by_products(
    matrix: MatrixLike, g: float, t: float, count: int, rng: np.random.Generator
) -> Expected:
    moments = matrices.second_moments(matrix)
    if moments.trace.value == 0:
        raise ValueError("the matrix is zero: it has no spectrum to predict from")

    def chain(n: int) -> Bidiagonal:
        direction = rng.standard_normal((n, matrix.shape[1]))
        task = g * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        return Bidiagonal(matrix, task, moments)

    return _sample(chain, max(matrix.shape), t, count)


def _sample(make: Callable[[int], Bidiagonal], size: int, t: float, count: int) -> Expected:
    stack = max(1, min(count, _STACK // size))
    parts, worst, order = [], 0.0, 0
    for done in range(0, count, stack):
        chain = make(min(stack, count - done))
        found, reduced, gap = spread_over_orders(chain, np.array([t]), _SAMPLING)
        parts.append(found)
        worst, order = max(worst, gap), max(order, reduced.problem.first.shape[1])
    return sampled(parts, t, count, f"krylov (T15), k={order}", worst, 1)
