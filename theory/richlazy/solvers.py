"""One start, one task: the exact route where there is one, and a Solution that says which.

Order of preference: the closed form of T6 (Krylov chain complete at k = 1: every flat
start), the Krylov reduction of T15 (any W1, one output, silent readout, white inputs), the
flow of T11 (everything else).
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from richlazy import flow, matrices, neuron
from richlazy.errors import AssumptionError
from richlazy.flow import Change
from richlazy.krylov import Bidiagonal, Reduced, invariant_subspace
from richlazy.laziness import Measures
from richlazy.network import Network
from richlazy.riccati_route import ByRiccati
from richlazy.solution import Solution
from richlazy.task import Task

__all__ = ["Method", "certified", "first_order", "integrated", "solve", "spread_over_orders"]

Array = NDArray[np.float64]
Method: TypeAlias = Literal["closed form", "riccati", "krylov", "flow"]

_TOLERANCE = 1e-10
_LOOSER = 100.0  # times the tolerance: the second run of the certificate
_FIRST_ORDER = 6
_LAST_ORDER = 400


def solve(start: Network, task: Task, method: Method | None = None) -> Solution:
    """Gradient flow of `start` on `task`.

    Parameters
    ----------
    start, task
        Must have the same number of inputs, and of outputs unless the readout is silent.
    method
        Force "closed form", "krylov" or "flow"; AssumptionError if it does not apply.

    Examples
    --------
    >>> from richlazy import spectrum
    >>> rng = np.random.default_rng(0)
    >>> task = Task.random(100, 1, rng=rng)
    >>> start = Network.from_spectrum(
    ...     spectrum.flat(rank=5), task=task, hidden=50, alignment=0.3, rng=rng)
    >>> sol = solve(start, task)
    >>> sol.method, round(float(sol.kernel_alignment(np.inf)), 6)
    ('closed form (T6)', 0.271628)
    """
    if start.inputs != task.inputs:
        raise ValueError(f"the network has {start.inputs} inputs, the task {task.inputs}")
    if start.readout is not None and start.readout.shape[0] != task.outputs:
        raise ValueError(
            f"W2 has {start.readout.shape[0]} outputs, the task {task.outputs}: they must agree"
        )
    if method not in (None, *get_args(Method)):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}; it is {method!r}")
    reducible = _krylov_refusal(start, task)
    if method not in ("riccati", "flow") and reducible is None:
        solution = _by_krylov(start, task, method)
        if solution is not None:
            return solution
    if method in ("closed form", "krylov"):
        raise AssumptionError(
            f"{method} does not apply: {reducible or 'the Krylov chain goes on past k = 1'}"
        )
    if method == "riccati" and not task.white:
        raise AssumptionError("riccati needs white inputs; cov_xx differs from the identity")
    reduced = invariant_subspace(start, task)
    if method != "flow" and task.white:
        try:
            return Solution(start, task, ByRiccati(reduced))
        except AssumptionError:
            if method == "riccati":
                raise
    return Solution(start, task, _Flow(reduced))


def _krylov_refusal(start: Network, task: Task) -> str | None:
    if task.outputs != 1:
        return f"it needs one output; the task has {task.outputs}"
    if not start.silent:
        assert start.readout is not None
        return f"it needs a silent readout; ||W2(0)|| = {np.linalg.norm(start.readout):g}"
    if not task.white:
        assert task.cov_xx is not None
        gap = np.abs(task.cov_xx - np.eye(task.inputs)).max()
        return f"it needs white inputs; cov_xx differs from the identity by {gap:g}"
    return None


class _Neuron:
    """T6: the Krylov space of W1(0) and the task is one neuron."""

    method = "closed form (T6)"
    accuracy = "closed form, relative error below 1e-12"

    def __init__(self, reduced: Reduced, assumptions: tuple[str, ...]) -> None:
        self.reduced = reduced
        self.assumptions = (*assumptions, "the Krylov space of W1(0) and the task is one neuron")
        (first,) = reduced.problem.first[0]
        self.size = float(np.hypot(first[0], first[1]))
        self.strength = float(reduced.problem.cov_yx[0, 0, 0])
        self.alignment = float(first[0] / self.size) ** 2 if self.size > 0 else 0.0
        self.scale = self.size * self.size / self.strength if self.size > 0 else 1.0
        low, high = neuron.SCALE_RANGE
        if not low < self.scale < high:
            raise AssumptionError(
                f"||W1||^2/||cov_yx|| must lie in [{low:g}, {high:g}]; it is {self.scale:g}"
            )

    def changes(self, at: Array) -> list[Change]:
        state = neuron.trajectory(
            np.full(at.shape, self.scale), np.full(at.shape, self.alignment), self.strength * at
        )
        rest = np.ones(1, dtype=bool)
        return [
            Change(self.size * np.array([[[p, q]]]), self.size * np.array([[[a]]]), rest)
            for p, q, a in zip(
                state.change_parallel, state.change_orthogonal, state.readout, strict=True
            )
        ]

    def measures(self, at: Array) -> Measures:
        return _single(_measures(self.reduced, self.changes(at)))


class _Krylov:
    """T15: chains grown until two orders agree at the times asked for."""

    def __init__(self, chain: Bidiagonal, assumptions: tuple[str, ...]) -> None:
        self.chain = chain
        chain.grow(_FIRST_ORDER)
        self.reduced = chain.reduced()
        self._assumptions = assumptions
        self._worst = 0.0

    @property
    def method(self) -> str:
        return f"krylov (T15), k={self.reduced.problem.first.shape[1]}"

    @property
    def assumptions(self) -> tuple[str, ...]:
        state = "complete" if self.reduced.complete else "cut where two orders agree"
        return (*self._assumptions, f"Krylov space {state}")

    @property
    def accuracy(self) -> str:
        orders = "" if self.reduced.complete else "two Krylov orders and "
        return f"{orders}two tolerances agree to {self._worst:.1e} relative"

    def changes(self, at: Array) -> list[Change]:
        self.measures(at)  # grows the chain as far as these times need
        return integrated(self.reduced, at)

    def measures(self, at: Array) -> Measures:
        found, self.reduced, gap = spread_over_orders(self.chain, at)
        self._worst = max(self._worst, gap)
        return _single(found)


class _Flow:
    """T11: integrated on the directions that can move."""

    method = "flow (T11)"

    def __init__(self, reduced: Reduced) -> None:
        self.reduced = reduced
        _, h, d = reduced.problem.first.shape
        self.assumptions: tuple[str, ...] = (
            f"integrated on the invariant subspace: {h} hidden, {d} input directions",
        )
        self._worst = 0.0

    @property
    def accuracy(self) -> str:
        return f"two tolerances agree to {self._worst:.1e} relative"

    def changes(self, at: Array) -> list[Change]:
        return integrated(self.reduced, at)

    def measures(self, at: Array) -> Measures:
        found, gap = certified(self.reduced, at)
        self._worst = max(self._worst, gap)
        first = float(self.reduced.measures(_no_change(self.reduced)).loss[0])
        if np.isinf(at[-1]) and found.loss[-1, 0] > 1e-12 * first and len(self.assumptions) == 1:
            self.assumptions += (
                f"the flow comes to rest with excess loss {found.loss[-1, 0]:.3g}: at a saddle, or "
                "at the least that these hidden units allow",
            )
        return _single(found)


def _by_krylov(start: Network, task: Task, method: Method | None) -> Solution | None:
    moments = matrices.second_moments(start.first)
    chain = Bidiagonal(start.first, task.cov_yx, moments)
    chain.grow(1)
    shared: tuple[str, ...] = ("one output", "silent readout", "white inputs")
    if not moments.exact:
        relative = moments.trace_square.standard_error / moments.trace_square.value
        shared += (f"tr R_0^2 is a stochastic estimate, standard error {relative:.1e} relative",)
    if chain.alpha[0][0] == 0.0:
        shared += ("the start is orthogonal to the task: it rests at a saddle and never learns",)
    if chain.complete and method != "krylov":
        return Solution(start, task, _Neuron(chain.reduced(), shared))
    return None if method == "closed form" else Solution(start, task, _Krylov(chain, shared))


def spread_over_orders(
    chain: Bidiagonal, at: Array, rtol: float = _TOLERANCE
) -> tuple[Measures, Reduced, float]:
    """Measures (times, stack) at a Krylov order that agrees with a lower one, and their gap.

    The lower order is also integrated to the looser tolerance, so that the gap bounds both
    errors of the lower one; the higher one, whose measures are returned, is far better.
    """
    largest = float(np.max(chain.scale / np.sqrt(chain.lengths)))
    chain.grow(min(first_order(largest, 1.0), _LAST_ORDER))
    coarse, goal, last = chain.reduced(max(1, (2 * chain.order) // 3)), _LOOSER * rtol, np.inf
    while True:
        fine = chain.reduced()
        after = _measures(fine, integrated(fine, at, rtol))
        lower = fine if fine.complete else coarse  # exact in the order: the tolerance remains
        before = _measures(lower, integrated(lower, at, goal))
        gap = _difference(after, before)
        tolerance = 0.5 * last < gap < 20.0 * goal  # what no further order will take away
        if gap < goal or tolerance or fine.complete or chain.order >= _LAST_ORDER:
            return after, fine, gap
        coarse, last = fine, gap
        chain.grow(min(chain.order + max(3, chain.order // 2), _LAST_ORDER))


def first_order(largest: float, strength: float) -> int:
    """Krylov order to begin with: a stiff start needs about what conjugate gradients would."""
    return _FIRST_ORDER + int(min(3.0 * largest / float(np.sqrt(strength)), 1e6))


def certified(reduced: Reduced, at: Array, rtol: float = _TOLERANCE) -> tuple[Measures, float]:
    """Measures (times, stack), and how far a run at 100 times the tolerance is from them."""
    found = _measures(reduced, integrated(reduced, at, rtol))
    loose = _measures(reduced, integrated(reduced, at, _LOOSER * rtol))
    return found, _difference(found, loose)


def integrated(reduced: Reduced, at: Array, rtol: float = _TOLERANCE) -> list[Change]:
    """Changes of a stack of small networks at ascending times."""
    return [change for _, change in flow.integrate(reduced.problem, at, rtol)]


def _no_change(reduced: Reduced) -> Change:
    first, readout = reduced.problem[:2]
    return Change(0.0 * first, 0.0 * readout, np.zeros(len(first), dtype=bool))


def _measures(reduced: Reduced, changes: list[Change]) -> Measures:
    """Measures over (times, stack)."""
    each = [reduced.measures(change) for change in changes]
    return Measures(*(np.stack(columns) for columns in zip(*each, strict=True)))


def _single(measures: Measures) -> Measures:
    return Measures(*(v[:, 0] for v in measures))


def _difference(a: Measures, b: Measures) -> float:
    """Largest relative difference of weight change and alignments between two runs."""
    worst = 0.0
    for name in ("weight_change", "representation_alignment", "kernel_alignment"):
        x, y = getattr(a, name), getattr(b, name)
        known = np.isfinite(x) & np.isfinite(y) & (x != y)
        gap = np.abs(x - y)[known] / np.maximum(np.abs(x), np.abs(y))[known]
        worst = max(worst, float(np.max(gap, initial=0.0)))
    return worst
