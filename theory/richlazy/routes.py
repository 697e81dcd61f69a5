"""How `solve` answers: the routes of T6, T15 and T11, and what certifies the integrated ones."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy import flow, laziness, neuron
from richlazy.errors import AssumptionError
from richlazy.flow import Change
from richlazy.krylov import Reduced
from richlazy.laziness import Measures

__all__ = [
    "ByFlow",
    "ByKrylov",
    "ByNeuron",
    "Chain",
    "certified",
    "first_order",
    "integrated",
    "left_unlearned",
    "spread_over_orders",
]

Array = NDArray[np.float64]

_TOLERANCE = 1e-10
_LOOSER = 100.0  # times the tolerance: the second run of the certificate
_FIRST_ORDER = 6
_LAST_ORDER = 400
_LEARNED = 1e-12  # of the loss of zero weights


class Chain(Protocol):
    """A reduction that can be grown: `krylov.Bidiagonal` or `block_krylov.BlockChain`."""

    scale: Array
    lengths: Array

    @property
    def order(self) -> int:
        """How far it has grown."""

    @property
    def complete(self) -> bool:
        """Whether it is exact."""

    def grow(self, order: int) -> None:
        """Extend it to `order`, or to its end."""

    def reduced(self, order: int | None = None) -> Reduced:
        """The small network of an order, the last one if not given."""


class ByNeuron:
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
        """Weight changes of the small network at ascending times."""
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
        """Measures of the large network at ascending times."""
        return _single(_measures(self.reduced, self.changes(at)))


class ByKrylov:
    """T15: chains grown until two orders agree at the times asked for."""

    def __init__(self, chain: Chain, assumptions: tuple[str, ...]) -> None:
        self.chain = chain
        chain.grow(_FIRST_ORDER)
        self.reduced = chain.reduced()
        self._assumptions = assumptions
        self._rest: tuple[str, ...] = ()
        self._worst = 0.0

    @property
    def method(self) -> str:
        """Name, with the hidden units of the largest small network needed so far."""
        return f"krylov (T15), k={self.reduced.problem.first.shape[1]}"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What it needed, and how the reduction ended."""
        state = "complete" if self.reduced.complete else "cut where two orders agree"
        return (*self._assumptions, f"Krylov space {state}", *self._rest)

    @property
    def accuracy(self) -> str:
        """Agreement of the runs made so far."""
        orders = "" if self.reduced.complete else "two Krylov orders and "
        return f"{orders}two tolerances agree to {self._worst:.1e} relative"

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""
        self.measures(at)  # grows the chain as far as these times need
        return integrated(self.reduced, at)

    def measures(self, at: Array) -> Measures:
        """Measures of the large network at ascending times."""
        found, self.reduced, gap = spread_over_orders(self.chain, at)
        self._worst = max(self._worst, gap)
        if np.isinf(at[-1]):
            self._rest = self._rest or left_unlearned(self.reduced, float(found.loss[-1, 0]))
        return _single(found)


class ByFlow:
    """T11: integrated on the directions that can move."""

    method = "flow (T11)"

    def __init__(self, reduced: Reduced) -> None:
        self.reduced = reduced
        self._rest: tuple[str, ...] = ()
        self._worst = 0.0

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What it needed, and how the reduction ended."""
        _, h, d = self.reduced.problem.first.shape
        space = f"integrated on the invariant subspace: {h} hidden, {d} input directions"
        return (space, *self._rest)

    @property
    def accuracy(self) -> str:
        """Agreement of the runs made so far."""
        return f"two tolerances agree to {self._worst:.1e} relative"

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""
        return integrated(self.reduced, at)

    def measures(self, at: Array) -> Measures:
        """Measures of the large network at ascending times."""
        found, gap = certified(self.reduced, at)
        self._worst = max(self._worst, gap)
        if np.isinf(at[-1]):
            self._rest = self._rest or left_unlearned(self.reduced, float(found.loss[-1, 0]))
        return _single(found)


def left_unlearned(reduced: Reduced, loss: float) -> tuple[str, ...]:
    """What to say of a flow that comes to rest with this excess loss."""
    # beside the loss of zero weights: a start may have learned all but rounding
    cov_yx, root = reduced.problem.cov_yx, reduced.problem.root
    seen = cov_yx if root is None else cov_yx @ flow.inverse_root(root)
    if loss <= _LEARNED * (0.5 * float(np.sum(seen**2)) + reduced.out_of_reach):
        return ()
    return (
        f"the flow comes to rest with excess loss {loss:.3g}: at a saddle, or at the least that "
        "these hidden units allow",
    )


def spread_over_orders(
    chain: Chain, at: Array, rtol: float = _TOLERANCE
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
        gap = laziness.difference(after, before)
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
    return found, laziness.difference(found, loose)


def integrated(reduced: Reduced, at: Array, rtol: float = _TOLERANCE) -> list[Change]:
    """Changes of a stack of small networks at ascending times."""
    return [change for _, change in flow.integrate(reduced.problem, at, rtol)]


def _measures(reduced: Reduced, changes: list[Change]) -> Measures:
    """Measures over (times, stack)."""
    each = [reduced.measures(change) for change in changes]
    return Measures(*(np.stack(columns) for columns in zip(*each, strict=True)))


def _single(measures: Measures) -> Measures:
    return Measures(*(v[:, 0] for v in measures))
