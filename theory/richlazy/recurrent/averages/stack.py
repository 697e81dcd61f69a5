"""Flows of many recurrent networks at once, whose measures are averaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.integration.shared import distinct
from richlazy.recurrent.flow import Problem, integrate
from richlazy.recurrent.measures import Measures, gap_difference, loss_scale, measured

__all__ = ["SAMPLING", "first", "flow", "followed"]

Array = NDArray[np.float64]

#: Tolerance of the flow of tasks whose spread is orders above it.
SAMPLING = 1e-5
_ORDER = 6  # of a step, enough for these digits
_PATIENCE = 400  # steps; flows that have a mean take a tenth of it
_STACK = 600_000  # numbers in the recurrent weights of a stack


def followed(stack: Problem, t: ArrayLike, pilot: int) -> tuple[Measures, float]:
    """Measures of a stack, and how far those of the first are at 100 times the tolerance.

    Of the shape of t, then the stack.
    """
    found, few = flow(stack, t, SAMPLING), part(stack, slice(pilot))
    loose = flow(few, t, 100.0 * SAMPLING)
    return found, gap_difference(first(found, pilot), loose, loss_scale(few))


def first(found: Measures, count: int) -> Measures:
    """Measures of the first of a stack."""
    return Measures(*(v[..., :count] for v in found))


def part(stack: Problem, some: slice) -> Problem:
    """Some networks of a stack."""
    return stack._replace(**{x: getattr(stack, x)[some] for x in Problem._fields[:4]})


def flow(stack: Problem, t: ArrayLike, rtol: float) -> Measures:
    """Measures of a stack at all times from one march, as much of it at once as caches hold."""
    at, place = distinct(t)
    size, parts = max(1, _STACK // (8 * stack.recurrent[0].size)), []
    for done in range(0, len(stack.target), size):
        some = part(stack, slice(done, done + size))
        changes = [change for _, change in integrate(some, at, rtol, _PATIENCE, _ORDER)]
        parts.append(measured(some, changes, 1.0))
    each = (np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True))
    return Measures(*(v[place] for v in each))
