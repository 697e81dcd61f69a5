"""What certifies the routes that integrate: two tolerances, and two Krylov orders, that agree."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import total_norm
from richlazy.laziness import Measures
from richlazy.start.covariance import inverse_root
from richlazy.two_layer import parts
from richlazy.two_layer.flow import Change, Problem
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.routes.doubt import Doubt, moved, norm_error, with_other_traces

__all__ = [
    "FIRST_ORDER",
    "Chain",
    "certified",
    "first_guess",
    "first_order",
    "integrated",
    "left_unlearned",
    "measured",
    "single",
    "spread_over_orders",
]

Array = NDArray[np.float64]

_TOLERANCE = 5e-11
_LOOSER = 100.0  # times the tolerance: the second run of the certificate
#: Krylov order that chains begin with.
FIRST_ORDER = 6
_LAST_ORDER = 400
_LEARNED = 1e-12  # of the loss of zero weights
_LUCKY = 0.1
_ROUNDING = 2e-15  # of ||W*||
_LEAST = 1e-300
_MAP = 1e-30  # of ||W*||^2: what rounding of the map leaves of the loss


class Chain(Protocol):
    """A reduction that can be grown: `krylov.Bidiagonal` or `block_krylov.BlockChain`."""

    scale: Array
    lengths: Array
    left_out: float

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
    zero = 0.5 * float(np.sum(_losses(reduced.problem))) + reduced.out_of_reach
    if loss <= _LEARNED * zero:
        return ()
    return (
        f"the flow comes to rest with excess loss {loss:.3g}: at a saddle, or at the least that "
        "these hidden units allow",
    )


def spread_over_orders(
    chain: Chain,
    at: Array,
    rtol: float = _TOLERANCE,
    begin: int | None = None,
    finely: bool = False,
) -> tuple[Measures, Reduced, Doubt]:
    """Measures (times, stack) at a Krylov order that agrees with a lower one, and their doubt.

    The lower order is also integrated to the looser tolerance, from numbers a rounding away, so
    that the gap bounds all errors of the lower one; the higher one, whose measures are returned,
    is far better. Orders go up from `begin`, or `first_guess`, however far the chain has grown
    already: by a half, or `finely` by a quarter, for many more tasks to begin with what is found.
    """
    order = _grown(chain, first_guess(chain) if begin is None else begin)
    coarse, goal, last = chain.reduced(max(1, (2 * order) // 3)), _LOOSER * rtol, np.inf
    while True:
        fine = chain.reduced(order)
        changes = integrated(fine, at, rtol)
        after = measured(fine, changes)
        lower = moved(fine if fine.complete else coarse)  # exact in the order: the rest remains
        before = measured(lower, integrated(lower, at, goal))
        doubt = _doubt(fine, changes, after, rtol).add(after, before)
        gap = doubt.relative
        tolerance = 0.5 * last < gap < 20.0 * goal  # what no further order will take away
        if gap < goal or tolerance or fine.complete or order >= _LAST_ORDER:
            return after, fine, _with_traces(doubt, fine, changes, after)
        coarse, last = fine, gap
        order = _grown(chain, order + max(3, order // (4 if finely else 2)))
        if finely:
            coarse = chain.reduced((2 * order) // 3)


def _grown(chain: Chain, order: int) -> int:
    """The order, after growing the chain so far, or what it ends at."""
    chain.grow(min(order, _LAST_ORDER))
    return min(order, chain.order)


def first_guess(chain: Chain) -> int:
    """Krylov order to begin with, from how stiff the chain knows the start to be by now."""
    return first_order(float(np.max(chain.scale / np.sqrt(chain.lengths))), 1.0)


def first_order(largest: float, strength: float) -> int:
    """Krylov order to begin with: a stiff start needs about what conjugate gradients would."""
    return FIRST_ORDER + int(min(3.0 * largest / float(np.sqrt(strength)), 1e6))


def certified(
    reduced: Reduced, at: Array, rtol: float = _TOLERANCE
) -> tuple[Measures, Doubt, list[Change]]:
    """Measures (times, stack), how far others are from these, and the changes of weights.

    The others come from numbers a rounding away, integrated to 100 times the tolerance.
    """
    changes = integrated(reduced, at, rtol)
    found, other = measured(reduced, changes), moved(reduced)
    doubt = _doubt(reduced, changes, found, rtol)
    doubt.add(found, measured(other, integrated(other, at, _LOOSER * rtol)))
    return found, _with_traces(doubt, reduced, changes, found), changes


def _doubt(reduced: Reduced, changes: list[Change], found: Measures, rtol: float) -> Doubt:
    """What the loss has at least: rounding of the map to be learned, and what a rest leaves."""
    first, readout, _, root = reduced.problem
    size = _losses(reduced.problem)
    doubt = Doubt(0.5 * _MAP * float(np.max(size, initial=0.0)))
    doubt.relative = doubt.loss = _LUCKY * rtol  # two runs may agree by chance
    rounding = _ROUNDING * np.sqrt(size)
    spread = 1.0 if root is None else float(np.linalg.norm(root, 2))
    for k, change in enumerate(changes):
        missed, loss = rtol * found.weight_change[k], found.loss[k]
        # an error of the weights is one of the map
        mistaken = missed * spread * total_norm([first + change.first, readout + change.readout])
        error = np.sqrt(2.0 * np.maximum(loss, _LEAST))
        doubt.take_loss(loss, 2.0 * (_LUCKY * mistaken + rounding) / error)
        # and of what is left of the representation along that of the start
        size = np.maximum(total_norm([first + change.first]), _LEAST)
        ra = found.representation_alignment[k]
        turned = np.where(ra > 0, missed / size / np.sqrt(np.where(ra > 0, ra, 1.0)), 0.0)
        doubt.relative = max(doubt.relative, float(np.max(2.0 * _LUCKY * turned, initial=0.0)))
        rest = change.stationary
        doubt.floor = max(doubt.floor, float(np.max(0.5 * mistaken[rest] ** 2, initial=0.0)))
    return doubt


def _losses(problem: Problem) -> Array:
    """||W*||^2 of each task, on white inputs."""
    cov_yx, root = problem.cov_yx, problem.root
    seen = cov_yx if root is None else cov_yx @ inverse_root(root)
    return np.asarray(np.sum(seen**2, axis=(-2, -1)))


def _with_traces(doubt: Doubt, reduced: Reduced, changes: list[Change], found: Measures) -> Doubt:
    other = with_other_traces(reduced)
    if other is None:
        return doubt
    doubt.relative = max(doubt.relative, norm_error(reduced.trace, reduced.trace_error))
    return doubt.add(found, measured(other, changes))


def integrated(reduced: Reduced, at: Array, rtol: float = _TOLERANCE) -> list[Change]:
    """Changes of a stack of small networks at ascending times."""
    return parts.changes(reduced.problem, at, rtol)


def measured(reduced: Reduced, changes: list[Change]) -> Measures:
    """Measures over (times, stack)."""
    each = [reduced.measures(change) for change in changes]
    return Measures(*(np.stack(columns) for columns in zip(*each, strict=True)))


def single(measures: Measures) -> Measures:
    """The measures of a stack of one network, over times."""
    return Measures(*(v[:, 0] for v in measures))
