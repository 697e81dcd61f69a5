"""Flows of many recurrent networks at once, whose measures are averaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.recurrent.flow import Problem, integrate
from richlazy.recurrent.measures import Measures, gap_difference, loss_scale, measured

__all__ = ["SAMPLING", "along", "at", "first", "flow", "followed"]

Array = NDArray[np.float64]

#: Tolerance of the flow of tasks whose spread is orders above it.
SAMPLING = 1e-5
_ORDER = 6  # of a step, enough for these digits
_PATIENCE = 400  # steps; flows that have a mean take a tenth of it
_STACK = 600_000  # numbers in the recurrent weights of a stack


def followed(stack: Problem, t: float, pilot: int) -> tuple[Measures, float]:
    """Measures of a stack, and how far those of the first are at 100 times the tolerance."""
    found, gap = along(stack, np.array([t]), pilot)
    return at(found, 0), gap


def along(stack: Problem, times: Array, pilot: int) -> tuple[Measures, float]:
    """Measures (times, tasks) of a stack at ascending times, and `followed`'s gap at the last."""
    found, few = flow(stack, times, SAMPLING), part(stack, slice(pilot))
    loose = at(flow(few, times[-1:], 100.0 * SAMPLING), 0)
    return found, gap_difference(first(at(found, -1), pilot), loose, loss_scale(few))


def at(found: Measures, index: int) -> Measures:
    """Measures at one of several times."""
    return Measures(*(v[index] for v in found))


def first(found: Measures, count: int) -> Measures:
    """Measures of the first of a stack."""
    return Measures(*(v[:count] for v in found))


def part(stack: Problem, some: slice) -> Problem:
    """Some networks of a stack."""
    return stack._replace(**{x: getattr(stack, x)[some] for x in Problem._fields[:4]})


def flow(stack: Problem, times: Array, rtol: float) -> Measures:
    """Measures (times, tasks) of a stack, as much of it at once as caches hold."""
    size, parts = max(1, _STACK // (8 * stack.recurrent[0].size)), []
    for done in range(0, len(stack.target), size):
        some = part(stack, slice(done, done + size))
        changes = [change for _, change in integrate(some, times, rtol, _PATIENCE, _ORDER)]
        parts.append(measured(some, changes, 1.0))
    return Measures(*(np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True)))
