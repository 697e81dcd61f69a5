"""What certifies the routes that integrate: two tolerances, and two Krylov orders, that agree."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy import laziness
from richlazy.laziness import Measures
from richlazy.two_layer import flow
from richlazy.start.covariance import inverse_root
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Reduced

__all__ = [
    "FIRST_ORDER",
    "Chain",
    "certified",
    "first_order",
    "integrated",
    "left_unlearned",
    "measured",
    "single",
    "spread_over_orders",
]

Array = NDArray[np.float64]

_TOLERANCE = 1e-10
_LOOSER = 100.0  # times the tolerance: the second run of the certificate
#: Krylov order that chains begin with.
FIRST_ORDER = 6
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


def left_unlearned(reduced: Reduced, loss: float) -> tuple[str, ...]:
    """What to say of a flow that comes to rest with this excess loss."""
    # beside the loss of zero weights: a start may have learned all but rounding
    cov_yx, root = reduced.problem.cov_yx, reduced.problem.root
    seen = cov_yx if root is None else cov_yx @ inverse_root(root)
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
        after = measured(fine, integrated(fine, at, rtol))
        lower = fine if fine.complete else coarse  # exact in the order: the tolerance remains
        before = measured(lower, integrated(lower, at, goal))
        gap = laziness.difference(after, before)
        tolerance = 0.5 * last < gap < 20.0 * goal  # what no further order will take away
        if gap < goal or tolerance or fine.complete or chain.order >= _LAST_ORDER:
            return after, fine, gap
        coarse, last = fine, gap
        chain.grow(min(chain.order + max(3, chain.order // 2), _LAST_ORDER))


def first_order(largest: float, strength: float) -> int:
    """Krylov order to begin with: a stiff start needs about what conjugate gradients would."""
    return FIRST_ORDER + int(min(3.0 * largest / float(np.sqrt(strength)), 1e6))


def certified(reduced: Reduced, at: Array, rtol: float = _TOLERANCE) -> tuple[Measures, float]:
    """Measures (times, stack), and how far a run at 100 times the tolerance is from them."""
    found = measured(reduced, integrated(reduced, at, rtol))
    loose = measured(reduced, integrated(reduced, at, _LOOSER * rtol))
    return found, laziness.difference(found, loose)


def integrated(reduced: Reduced, at: Array, rtol: float = _TOLERANCE) -> list[Change]:
    """Changes of a stack of small networks at ascending times."""
    return [change for _, change in flow.integrate(reduced.problem, at, rtol)]


def measured(reduced: Reduced, changes: list[Change]) -> Measures:
    """Measures over (times, stack)."""
    each = [reduced.measures(change) for change in changes]
    return Measures(*(np.stack(columns) for columns in zip(*each, strict=True)))


def single(measures: Measures) -> Measures:
    """The measures of a stack of one network, over times."""
    return Measures(*(v[:, 0] for v in measures))
