"""Blocks of two layers and a task that never meet: each is integrated at its own scale.

A weak block beside a strong one then keeps all its digits, however long its plateau lasts, and
rests when it has itself learned what it can.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import ConvergenceError
from richlazy.integration.parts import components
from richlazy.two_layer.flow import Change, Problem, integrate

__all__ = ["changes"]

Array = NDArray[np.float64]

_PATIENCE = 120  # steps in common, of which most stacks need fewer
_SOME = 32  # networks: so few may go on alone


def changes(problem: Problem, at: Array, rtol: float) -> list[Change]:
    """Changes of a stack of networks at ascending times; a single one block by block.

    Steps are common to a stack, and one slow plateau would hold up all of it: where they are many,
    each network takes its own, with the whole curvature where that is cheap.
    """
    first, readout, cov_yx, root = problem
    if 1 < len(first) <= _SOME:
        try:
            return [change for _, change in integrate(problem, at, rtol, _PATIENCE)]
        except ConvergenceError:
            each = [changes(_one(problem, i), at, rtol) for i in range(len(first))]
            return [_stacked(some) for some in zip(*each, strict=True)]
    # in a stack the steps are common
    apart = components([first[0], readout[0]], cov_yx[0], root) if len(first) == 1 else None
    if apart is None:
        return [change for _, change in integrate(problem, at, rtol)]
    whole = [
        Change(np.zeros_like(first), np.zeros_like(readout), np.ones(1, dtype=bool)) for _ in at
    ]
    one = np.ones(1, dtype=bool)
    for inputs, units, outputs in apart:
        into, out = np.ix_(one, units, inputs), np.ix_(one, outputs, units)
        block = Problem(
            first[into],
            readout[out],
            cov_yx[np.ix_(one, outputs, inputs)],
            None if root is None else root[np.ix_(inputs, inputs)],
        )
        for index, change in integrate(block, at, rtol):
            whole[index].first[into] = change.first
            whole[index].readout[out] = change.readout
            whole[index].stationary[:] &= change.stationary
    return whole


def _one(problem: Problem, i: int) -> Problem:
    first, readout, cov_yx, root = problem
    return Problem(first[i : i + 1], readout[i : i + 1], cov_yx[i : i + 1], root)


def _stacked(some: Iterable[Change]) -> Change:
    first, readout, stationary = (np.concatenate(x) for x in zip(*some, strict=True))
    return Change(first, readout, stationary)
