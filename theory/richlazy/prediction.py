"""One call: a start and a task to its laziness; a spectrum to its laziness over random tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import limits, low_rank, matrices, spectrum
from richlazy.errors import AssumptionError, integer, positive, times, unit_interval
from richlazy.krylov import Bidiagonal
from richlazy.laziness import Laziness, Measures
from richlazy.matrices import MatrixLike, Moments
from richlazy.network import Network
from richlazy.random_tasks import (
    GroupedSpectrum,
    block_tasks,
    direction_chain,
    grouped,
    typical_chain,
)
from richlazy.solvers import Method, certified, solve, spread_over_orders
from richlazy.task import Task

__all__ = ["Average", "Expected", "Statistic", "expect", "predict"]

Array = NDArray[np.float64]
Average: TypeAlias = Literal["closed form", "law", "typical", "sample"]

_LAW_DOMAIN = 0.02
_STACK = 400_000  # numbers in one vector of a stack of tasks


def predict(
    start: Network, task: Task, t: float = np.inf, *, method: Method | None = None
) -> Laziness:
    """Laziness of one start on one task between time 0 and t (learning rate x steps).

    Takes the closed form where there is one, else Krylov, else the flow; the record's
    `method`, `assumptions` and `accuracy` say which and how good. See `richlazy.solve`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> task = Task.random(50, 1, rng=rng)
    >>> predict(Network(rng.standard_normal((30, 50)) / 40), task).method
    'krylov (T15), k=6'
    """
    return solve(start, task, method).laziness(t)


@dataclass(frozen=True)
class Statistic:
    """One measure over random tasks.

    Attributes
    ----------
    mean
        Expected value.
    sd
        Standard deviation from task to task; None where the method gives means only.
    standard_error
        Of the mean: 0 where exact, None for an approximation (see `Expected.accuracy`).
    """

    mean: float
    sd: float | None
    standard_error: float | None
    _quantile: Callable[[Array], Array] | None = None

    def quantile(self, q: ArrayLike) -> Array:
        """Values below which a share q of tasks falls, shape of q.

        Raises
        ------
        AssumptionError
            If the method gives means only.
        """
        p = unit_interval(q, "q")
        if self._quantile is None:
            raise AssumptionError("this method gives means only; use method='sample' for quantiles")
        return self._quantile(p)


@dataclass(frozen=True)
class Expected:
    """Every measure over uniformly random tasks, and how it was found.

    `tasks` is the number of sampled tasks, None where none were sampled.
    """

    weight_change: Statistic
    weight_change_input: Statistic
    weight_change_readout: Statistic
    representation_alignment: Statistic
    kernel_alignment: Statistic
    loss: Statistic
    time: float
    method: str
    assumptions: tuple[str, ...]
    accuracy: str
    tasks: int | None = None


def expect(
    start: MatrixLike,
    inputs: int | None = None,
    *,
    outputs: int = 1,
    strength: float = 1.0,
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
    t
        Time, learning rate x steps; infinity allowed.
    method
        None takes "closed form" for a flat spectrum and one output (T7, exact), else
        "sample". "law" is the participation-ratio law (T15), "typical" the typical task
        (T14): both approximations of O(1/PR) for one output, whose accuracy is stated.
    tasks
        Number of sampled tasks, by default 200 (20 for several outputs).
    rng
        Source of sampled tasks; by default a fixed seed, so that numbers repeat.

    Examples
    --------
    >>> found = expect(spectrum.flat(rank=5), inputs=100)
    >>> found.method, round(found.kernel_alignment.mean, 4)
    ('closed form (T7)', 0.2363)
    >>> found = expect(spectrum.power_law(64, exponent=0.5), inputs=64)
    >>> found.method
    'sample of 200 tasks by krylov (T15), k=6'
    """
    g, m = float(positive(strength, "strength")), integer(outputs, "outputs")
    time = float(times(t))
    count = integer(tasks, "tasks", least=2) if tasks is not None else (200 if m == 1 else 20)
    rng = np.random.default_rng(0) if rng is None else rng
    if method not in (None, "closed form", "law", "typical", "sample"):
        raise ValueError(
            f"method must be 'closed form', 'law', 'typical' or 'sample'; it is {method!r}"
        )
    found, matrix = _understood(start, inputs)
    if found is None:
        if m > 1 or method not in (None, "law", "sample"):
            raise AssumptionError(
                "this matrix is too large for its singular values: only one output and the "
                "methods 'law' and 'sample' need products alone"
            )
        if method == "law":
            ratio = spectrum.participation_ratio(matrix)
            return _law(
                matrices.second_moments(matrix), ratio.value, matrix.shape[1], g, time, None
            )
        return _sampled_by_products(matrix, g, time, count, rng)
    if m > found.inputs:
        raise ValueError(f"outputs must be at most inputs; they are {m} and {found.inputs}")
    if method in ("closed form", "law", "typical") and m > 1:
        raise AssumptionError(f"method {method!r} needs one output; it was asked for {m}")
    if method == "closed form" and not found.flat:
        raise AssumptionError("method 'closed form' needs a flat spectrum; use 'sample'")
    if found.flat and m == 1 and method in (None, "closed form"):
        return _closed_form(found, g, time)
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


def _record(
    columns: list[Statistic],
    time: float,
    method: str,
    assumptions: tuple[str, ...],
    accuracy: str,
    tasks: int | None = None,
) -> Expected:
    shared = ("silent readout", "white inputs", "task directions uniform on the sphere")
    return Expected(
        **dict(zip(Measures._fields, columns, strict=True)),
        time=time,
        method=method,
        assumptions=(*shared, *assumptions),
        accuracy=accuracy,
        tasks=tasks,
    )


def _closed_form(s: GroupedSpectrum, g: float, t: float) -> Expected:
    rank, norm = s.counts[0], float(s.values[0] * np.sqrt(s.counts[0]))
    moments = low_rank.expected(rank, s.inputs, norm=norm, strength=g, t=t)
    columns = _by_law(moments, 0.0, rank, s.inputs, norm, g, t)
    return _record(
        columns, t, "closed form (T7)", ("one output", f"flat spectrum of rank {rank:.0f}"), "exact"
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
        one, two = (certified(chain.reduced(k), at)[0].kernel_alignment[0, 0] for k in (1, 2))
        gap = abs(one - two) / two
        inside = "inside" if gap < _LAW_DOMAIN else "OUTSIDE"
        accuracy = (
            f"O(1/PR); orders k = 1 and k = 2 differ by {gap:.1%} in KA: {inside} the law's domain"
        )
    return _record(
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
    return _record(
        columns,
        t,
        f"typical task (T14) by krylov (T15), k={reduced.problem.first.shape[1]}",
        ("one output", "every right singular vector carries the same share of the task"),
        f"O(1/PR) with PR = {s.participation_ratio:.4g}; numerical error {gap:.1e}",
    )


def _sampled(
    s: GroupedSpectrum, outputs: int, g: float, t: float, count: int, rng: np.random.Generator
) -> Expected:
    if outputs == 1:
        return _sample(lambda n: direction_chain(s, g, n, rng), s.values.size, t, count)
    stack = max(1, min(count, 2_000_000 // (s.values.size * outputs) ** 2))
    parts, worst = [], 0.0
    for done in range(0, count, stack):
        reduced = block_tasks(s, outputs, g, min(stack, count - done), rng)
        fine, gap = certified(reduced, np.array([t]))
        parts.append(fine)
        worst = max(worst, gap)
    return _statistics(parts, t, count, "flow (T11)", worst, outputs)


def _sampled_by_products(
    matrix: MatrixLike, g: float, t: float, count: int, rng: np.random.Generator
) -> Expected:
    moments = matrices.second_moments(matrix)

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
        found, reduced, gap = spread_over_orders(chain, np.array([t]))
        parts.append(found)
        worst, order = max(worst, gap), max(order, reduced.problem.first.shape[1])
    return _statistics(parts, t, count, f"krylov (T15), k={order}", worst, 1)


def _statistics(
    parts: list[Measures], t: float, count: int, route: str, worst: float, outputs: int
) -> Expected:
    def statistic(values: Array) -> Statistic:
        sd = float(np.std(values, ddof=1))
        return Statistic(
            float(np.mean(values)), sd, sd / float(np.sqrt(count)), lambda q: np.quantile(values, q)
        )

    columns = [
        statistic(np.concatenate([part[k][0] for part in parts]))
        for k in range(len(Measures._fields))
    ]
    return _record(
        columns,
        t,
        f"sample of {count} tasks by {route}",
        (f"{outputs} output{'s of equal strength' if outputs > 1 else ''}",),
        f"standard errors from {count} tasks; numerical error {worst:.1e}",
        count,
    )
