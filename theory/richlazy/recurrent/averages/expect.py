"""Laziness of a recurrent start over random tasks, inputs and readouts (T20)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from richlazy.averages.record import Statistic
from richlazy.errors import (
    AssumptionError,
    Rng,
    afford,
    generator,
    integer,
    nonnegative,
    positive,
    times,
)
from richlazy.recurrent.averages import typical
from richlazy.recurrent.flow import Problem, integrate
from richlazy.recurrent.measures import Measures, difference, loss_scale, measured
from richlazy.recurrent.network import Network
from richlazy.recurrent.record import Expected
from richlazy.recurrent.reduction import Training, enriched, exact, stacked, whole
from richlazy.recurrent.solve import solve
from richlazy.recurrent.task import Task
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import MatrixLike

__all__ = ["Average", "expect"]

Array = NDArray[np.float64]
Average: TypeAlias = Literal["typical", "law", "sample"]

_TASKS, _NETWORKS = 200, 20
_PILOT = 4  # tasks whose leaks the tree is grown by, and whose flow is certified
_LEAK = 1e-3  # error by what leaks: far below the spread over tasks
_SAMPLING = 1e-5  # tolerance of the flow of tasks whose spread is orders above it
_NODES = 4000  # of a tree before it is reduced
_BEYOND = 2  # letters of a word beyond those that the responses at the start need
_TYPICAL_FROM = 30  # participation ratio
_DOMAIN = 0.015  # relative, by which law and typical start may differ inside the law's domain
_SMALL = 400  # units up to which samples are integrated whole, together
_STACK = 600_000  # numbers in the recurrent weights of a stack


def expect(
    start: MatrixLike,
    steps: int,
    channels: int = 1,
    outputs: int = 1,
    *,
    units: int | None = None,
    strength: float = 1.0,
    input_norm: float = 1.0,
    readout_norm: float = 1.0,
    t: float = np.inf,
    method: Average | None = None,
    tasks: int | None = None,
    rng: Rng | None = None,
) -> Expected:
    """Laziness of a recurrent start over random tasks, inputs and readouts.

    Parameters
    ----------
    start
        W (N x N: dense, sparse, `Thin` or LinearOperator), or singular values (1-D, descending)
        of a W whose singular vectors are uniform and independent.
    steps, channels, outputs
        T, n and m. A task has independent normal responses at every lag.
    units
        N; needed with singular values, optional with a matrix.
    strength
        ||S||.
    input_norm, readout_norm
        Norm of each column of U and each row of V, in uniformly random directions.
    t
        Time, learning rate x steps of training; infinity allowed.
    method
        "typical": the one deterministic network that every large start of these singular values
        learns like (T20), with `tasks` random tasks; of a matrix it sees the singular values
        alone. "law": the same of the two-valued spectrum with the same norm and participation
        ratio. "sample": U, V and the task drawn anew each time, and of singular values W too.
        None is "typical" for singular values of a participation ratio of at least 30, below which
        draws learn unlike the typical start, and "sample" for others and for a matrix.
    tasks
        Number of draws, by default 200, and 20 for "sample".
    rng
        Source of chance, a seed or a generator; by default a fixed seed, so that numbers repeat.

    Examples
    --------
    >>> found = expect(spectrum.flat(rank=100, norm=6.0), steps=4, units=100, tasks=20)
    >>> found.method
    'typical start (T20) with 20 tasks'
    >>> bool(0.5 < found.kernel_alignment.mean < 0.9)
    True
    """
    case = _asked(
        start, steps, channels, outputs, units, strength, input_norm, readout_norm, t, tasks, rng
    )
    if method is not None and (not isinstance(method, str) or method not in get_args(Average)):
        raise ValueError(f"method must be 'typical', 'law' or 'sample'; it is {method!r}")
    if method is None:
        low = case.matrix is not None or case.participation_ratio < _TYPICAL_FROM
        method = "sample" if low else "typical"
    if method == "sample":
        return _sample(case)
    return _law(case) if method == "law" else _typical(case)


@dataclass(frozen=True, eq=False)
class _Case:
    """What is asked, checked: singular values with their shares of the units, or a matrix."""

    matrix: MatrixLike | None
    values: Array | None
    units: int
    steps: int
    channels: int
    outputs: int
    strength: float
    input_norm: float
    readout_norm: float
    time: float
    tasks: int | None
    rng: np.random.Generator

    @property
    def spectrum(self) -> tuple[Array, Array]:
        """Distinct singular values and the share of the units that each stands for."""
        s = self.values
        if s is None:
            assert self.matrix is not None
            if not matrices.has_factors(self.matrix):
                raise AssumptionError(
                    f"a matrix of shape {self.matrix.shape} is too large for its singular values; "
                    "use method 'law' or 'sample'"
                )
            s = matrices.singular_values(self.matrix)
        return _with_shares(s, self.units)

    @property
    def participation_ratio(self) -> float:
        """PR of the singular values; 0 where all are zero."""
        values, shares = self.spectrum
        squares = float(shares @ values**2)
        return self.units * squares**2 / float(shares @ values**4) if squares > 0 else 0.0

    def task(self) -> Task:
        """A random task."""
        return Task.random(self.steps, self.channels, self.outputs, self.strength, rng=self.rng)


def _with_shares(s: Array, units: int) -> tuple[Array, Array]:
    values, counts = np.unique(s, return_counts=True)
    shares = counts / units
    if s.size < units:
        zero = 1.0 - s.size / units
        if values[0] == 0.0:
            shares[0] += zero
        else:
            values, shares = np.r_[0.0, values], np.r_[zero, shares]
    return values, shares


def _asked(
    start: MatrixLike,
    steps: int,
    channels: int,
    outputs: int,
    units: int | None,
    strength: float,
    input_norm: float,
    readout_norm: float,
    t: float,
    tasks: int | None,
    rng: Rng | None,
) -> _Case:
    n, m = integer(channels, "channels"), integer(outputs, "outputs")
    matrix, values = None, None
    if spectrum.is_spectrum(start):
        values = spectrum.check(start)
        values = values[values > 0]
        if units is None:
            raise ValueError("units is needed with singular values: the number of units, N")
        count = integer(units, "units")
        if values.size > count:
            raise ValueError(
                f"units must be at least the rank {values.size} of the spectrum; it is {count}"
            )
    else:
        matrix = matrices.as_matrix(start, "start")
        count = int(matrix.shape[0])
        if matrix.shape[1] != count:
            raise ValueError(f"start must be square (units x units); its shape is {matrix.shape}")
        if units is not None and integer(units, "units") != count:
            raise ValueError(f"units is {units}, but the matrix has {count}")
    if n + m > count:
        raise ValueError(f"channels + outputs must be at most the units {count}; they are {n + m}")
    return _Case(
        matrix,
        values,
        count,
        integer(steps, "steps"),
        n,
        m,
        float(positive(strength, "strength", ndim=0)),
        float(nonnegative(input_norm, "input_norm", ndim=0)),
        float(nonnegative(readout_norm, "readout_norm", ndim=0)),
        float(times(t, ndim=0)),
        None if tasks is None else integer(tasks, "tasks", least=2),
        generator(0 if rng is None else rng),
    )


def _typical(case: _Case) -> Expected:
    values, shares = case.spectrum
    tasks = [case.task() for _ in range(case.tasks or _TASKS)]
    tree, found, gap = _on_tree(case, values, shares, tasks)
    ratio = case.participation_ratio
    far = (
        "" if ratio >= _TYPICAL_FROM else f", below {_TYPICAL_FROM}: draws learn UNLIKE it, sample"
    )
    words = (
        f"error of the tree {tree:.1e}; the start stands for {case.units} units up to "
        f"O(1/sqrt(PR)) a draw and O(1/PR) on average, PR = {ratio:.4g}{far}; numerical error "
        f"{gap:.1e}"
    )
    return _record(case, found, f"typical start (T20) with {len(tasks)} tasks", (), words)


def _law(case: _Case) -> Expected:
    if case.values is None and not matrices.has_factors(case.matrix):
        moments = matrices.second_moments(case.matrix)
        trace, square = moments.trace.value, moments.trace_square.value
        known = None
    else:
        known = case.spectrum
        values, shares = known
        trace = case.units * float(shares @ values**2)
        square = case.units * float(shares @ values**4)
    if trace == 0.0:
        raise AssumptionError("method 'law' needs a non-zero start: it has no participation ratio")
    ratio = trace * trace / square
    share = min(ratio / case.units, 1.0)  # rounding may take a flat spectrum past its units
    law = np.array([0.0, np.sqrt(trace / ratio)]), np.array([1.0 - share, share])
    tasks = [case.task() for _ in range(case.tasks or _TASKS)]
    tree, found, gap = _on_tree(case, *law, tasks)
    if known is None:
        inside = "not checked against the spectrum, which is too large to be known"
    else:
        few = tasks[: 5 * _PILOT]
        _, full, _ = _on_tree(case, *known, few)
        part = Measures(*(v[: len(few)] for v in found))
        ka, dw = (
            abs(float(np.mean(getattr(part, name)) / np.mean(getattr(full, name))) - 1.0)
            for name in ("kernel_alignment", "weight_change")
        )
        where = "inside" if max(ka, dw) < _DOMAIN else "OUTSIDE"
        inside = (
            f"on {len(few)} tasks it differs from the typical start by {ka:.1%} in KA and {dw:.1%} "
            f"in ||dW||: {where} the law's domain"
        )
    return _record(
        case,
        found,
        f"participation-ratio law (T20) with {len(tasks)} tasks",
        (f"the start learns like a two-valued one of rank PR = {ratio:.4g}",),
        f"{inside}; error of the tree {tree:.1e}; numerical error {gap:.1e}",
    )


def _on_tree(
    case: _Case, values: Array, shares: Array, tasks: list[Task]
) -> tuple[float, Measures, float]:
    """Error of the tree, measures (tasks,) of the typical start of a law, numerical error.

    The tree is wrong by less than what its longest words change on the first tasks.
    """
    roots = case.channels + case.outputs
    most = int(np.log2(_NODES / roots + 1.0)) - 1
    words = max(1, min(case.steps - 1 + _BEYOND, most))
    pilot = tasks[:_PILOT]
    net, shorter = (_tree(case, values, shares, length) for length in (words, words - 1))
    training = Training(True, True, True)
    reduced = enriched(net, pilot, training, case.time, _LEAK)
    found, gap = _followed(case, _repeated(reduced.problem, tasks))
    cut = 0.0
    if shorter.units < net.units:  # the chains have not come to their end
        less = enriched(shorter, pilot, training, case.time, _LEAK)
        first = Measures(*(v[: len(pilot)] for v in found))
        shortened = _flow(_repeated(less.problem, pilot), case.time, _SAMPLING)
        cut = difference(first, shortened, loss_scale(reduced.problem)[: len(pilot)])
    return max(cut, reduced.error), found, gap


def _tree(case: _Case, values: Array, shares: Array, words: int) -> Network:
    return typical.network(
        values,
        shares,
        channels=case.channels,
        outputs=case.outputs,
        input_norm=case.input_norm,
        readout_norm=case.readout_norm,
        words=words,
    )


def _repeated(problem: Problem, tasks: list[Task]) -> Problem:
    """One small start on several tasks, as a stack."""
    n = len(tasks)
    return problem._replace(
        inputs=np.repeat(problem.inputs[:1], n, axis=0),
        recurrent=np.repeat(problem.recurrent[:1], n, axis=0),
        readout=np.repeat(problem.readout[:1], n, axis=0),
        target=np.stack([task.seen for task in tasks]),
    )


def _followed(case: _Case, stack: Problem) -> tuple[Measures, float]:
    """Measures of a stack, and how far the first of it are at 100 times the tolerance."""
    found = _flow(stack, case.time, _SAMPLING)
    loose = _flow(_part(stack, slice(_PILOT)), case.time, 100.0 * _SAMPLING)
    first = Measures(*(v[:_PILOT] for v in found))
    return found, difference(first, loose, loss_scale(_part(stack, slice(_PILOT))))


def _part(stack: Problem, part: slice) -> Problem:
    return stack._replace(**{x: getattr(stack, x)[part] for x in Problem._fields[:4]})


def _flow(stack: Problem, t: float, rtol: float) -> Measures:
    """Measures of a stack, as much of it at once as memory allows."""
    size, at, parts = max(1, _STACK // (8 * stack.recurrent[0].size)), np.array([t]), []
    for done in range(0, len(stack.target), size):
        some = _part(stack, slice(done, done + size))
        changes = [change for _, change in integrate(some, at, rtol)]
        parts.append(Measures(*(v[0] for v in measured(some, changes, 1.0))))
    return Measures(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _sample(case: _Case) -> Expected:
    count = case.tasks or _NETWORKS
    draws = [_draw(case) for _ in range(count)]
    what = "networks" if case.matrix is None else "inputs, readouts and tasks"
    held = case.channels + case.outputs + 2 * (0 if case.values is None else case.values.size)
    if case.values is not None and min(case.units, held) <= _SMALL:
        found, gap = _followed(case, stacked([_small(net, task) for net, task in draws]))
        how, error = "flow (T16)", f"numerical error {gap:.1e}"
        if held < case.units:
            how = f"reduced (T18), {held} directions"
    else:
        each, worst, error = [], -1.0, ""
        for net, task in draws:
            solution = solve(net, task, tolerance=1e-5)
            each.append(solution.measures(case.time))
            how = solution.method
            if solution.error is not None and solution.error > worst:
                worst, error = solution.error, f"the worst: {solution.accuracy}"
        found = Measures(*(np.array(columns) for columns in zip(*each, strict=True)))
    return _record(case, found, f"sample of {count} {what} by {how}", (), error)


def _draw(case: _Case) -> tuple[Network, Task]:
    """A task and a network: W last, so that U, V and task are the same for every spectrum."""
    task, seeds = case.task(), case.rng.integers(2**63, size=2)
    net = Network.random(
        _drawn(case, seeds) if case.matrix is None else case.matrix,
        channels=case.channels,
        outputs=case.outputs,
        input_norm=case.input_norm,
        readout_norm=case.readout_norm,
        rng=case.rng,
    )
    return net, task


def _small(net: Network, task: Task) -> Problem:
    training, w = Training(True, True, True), net.recurrent
    if net.channels + net.outputs + 2 * w.values.size < net.units:
        return exact(net, task, training, w).problem
    return whole(net, task, training).problem


def _drawn(case: _Case, seeds: NDArray[np.int64]) -> MatrixLike:
    """A matrix with the given singular values and uniform singular vectors.

    The same seeds give the first vectors of a higher rank to a lower one.
    """
    assert case.values is not None
    what = f"a draw of {case.units:g} units and rank {case.values.size}"
    afford(48.0 * case.units * case.values.size, what, "use method='typical' or 'law'")
    sides = []
    for seed in seeds:
        shape = case.values.size, case.units
        q, r = np.linalg.qr(generator(int(seed)).standard_normal(shape).T)
        sides.append(q * np.where(np.diag(r) < 0, -1.0, 1.0))
    return matrices.Thin(sides[0], case.values, sides[1])


def _record(
    case: _Case, found: Measures, method: str, said: tuple[str, ...], accuracy: str
) -> Expected:
    count = len(found.loss)

    def statistic(values: Array) -> Statistic | None:
        if np.any(np.isnan(values)):
            return None
        sd = float(np.std(values, ddof=1))
        return Statistic(
            float(np.mean(values)), sd, sd / float(np.sqrt(count)), partial(np.quantile, values)
        )

    columns: dict[str, Any] = {
        name: statistic(v) for name, v in zip(Measures._fields, found, strict=True)
    }
    return Expected(
        **columns,
        time=case.time,
        method=method,
        assumptions=(
            "random tasks: independent normal responses at every lag",
            "inputs and readout in random directions",
            "inputs white over steps and channels",
            "read at the last step",
            *said,
        ),
        accuracy=f"standard errors from {count} draws; {accuracy}",
        tasks=count,
    )
