"""How far numbers can be trusted, found by asking twice: once more from numbers a rounding away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from richlazy import laziness
from richlazy.laziness import Measures
from richlazy.start.precision import EPS
from richlazy.two_layer.flow import Problem
from richlazy.two_layer.reduction.krylov import Columns, Reduced

__all__ = ["Doubt", "moved", "norm_error", "with_other_traces"]

Array = NDArray[np.float64]

_MOVED = 64.0  # times EPS: what rounding does to a step of the flow, magnified by extrapolation
_LEAST = 1e-15
_DIFFERENCE = 16.0 * EPS
_SMALLEST = 1e-300
_LOST = 0.01  # of itself: a loss known no better is told by its absolute error


class Doubt:
    """The largest error of the measures seen so far, each on its own scale.

    Attributes
    ----------
    relative
        Of weight changes and alignments, relative to themselves; of a target alignment at most
        `laziness.ORTHOGONAL`, relative to that.
    loss
        Of losses, relative to themselves, where that is small.
    floor
        Of the other losses, absolute.
    """

    def __init__(self, floor: float = 0.0) -> None:
        self.relative, self.loss, self.floor = _LEAST, _LEAST, floor

    def add(self, one: Measures, other: Measures) -> Doubt:
        """Take in that two ways to the same measures disagree as these do."""
        for name, a, b in zip(Measures._fields, one, other, strict=True):
            if name != "loss":
                self.relative = max(self.relative, laziness.gap(name, a, b))
        a, b = one.loss, other.loss
        known = np.isfinite(a) & np.isfinite(b) & (a != b)
        gap, size = np.abs(a - b)[known], np.maximum(np.abs(a), np.abs(b))[known]
        self.take_loss(size, gap / size)
        return self

    def take_loss(self, loss: Array, relative: Array) -> None:
        """Take in losses and their relative errors."""
        lost = relative > _LOST
        self.floor = max(self.floor, float((loss * relative)[lost].max(initial=0.0)))
        self.loss = max(self.loss, float(relative[~lost].max(initial=0.0)))

    def round_loss(self, loss: Array, size: float) -> None:
        """Take in that an error left of a map of this size, ||E||^2 = 2 loss, is a difference."""
        left = np.sqrt(2.0 * np.maximum(loss, _SMALLEST))
        self.take_loss(loss, _DIFFERENCE * size / left)

    def include(self, other: Doubt) -> Doubt:
        """Take in all that another has seen."""
        self.relative = max(self.relative, other.relative)
        self.loss, self.floor = max(self.loss, other.loss), max(self.floor, other.floor)
        return self

    def __str__(self) -> str:
        floor = f" or {self.floor:.1e}" if self.floor else ""
        return f"{self.relative:.1e} relative, the loss to {self.loss:.1e} of itself{floor}"


def moved(reduced: Reduced) -> Reduced:
    """The small networks with every number moved by what rounding leaves unknown of it.

    Units, or inputs, that the reduction did not mix with others are known to their own rounding.
    Factors are moved, not sums: what is zero stays zero, and a rank stays what it is.
    """
    first, readout, cov_yx, root = reduced.problem
    rng = np.random.default_rng(0)
    units, inputs = (_unmixed(basis) for basis in (reduced.units, reduced.directions))

    def other(size: int, apart: bool) -> Array:
        signs = rng.choice([-1.0, 1.0], (size, size))
        return np.eye(size) + _MOVED * EPS * (np.eye(size) * signs if apart else signs)

    def rounded(x: Array) -> Array:
        return x * (1.0 + _MOVED * EPS * rng.choice([-1.0, 1.0], x.shape))

    h, d = first.shape[1:]
    return replace(
        reduced,
        problem=Problem(
            # against the readout, and against the task: moved as well, these might make up for it
            other(h, units) @ rounded(first),
            rounded(readout),
            rounded(cov_yx) @ other(d, inputs),
            root,
        ),
    )


def _unmixed(basis: Array | Columns | None) -> bool:
    if isinstance(basis, Columns):
        return basis.unmixed
    return basis is not None and bool(np.all(np.count_nonzero(basis, axis=0) <= 1))


def norm_error(trace: float | Array, standard_error: float) -> float:
    """Relative error of ||W1||, and of changes relative to it, from that of tr R_0."""
    least = float(np.min(trace))
    return 0.5 * standard_error / least if least > 0 else 0.0


def with_other_traces(reduced: Reduced) -> Reduced | None:
    """The same with sampled traces of W1(0) a standard error away; None where they are exact."""
    trace, square = reduced.trace_error, reduced.trace_square_error
    if trace == 0.0 and square == 0.0:
        return None
    # apart, since together they might make up for each other
    return replace(
        reduced, trace=reduced.trace + trace, trace_square=max(reduced.trace_square - square, 0.0)
    )
