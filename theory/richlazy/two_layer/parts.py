"""Blocks of two layers and a task that never meet: each is integrated at its own scale.

A weak block beside a strong one then keeps all its digits, however long its plateau lasts, and
rests when it has itself learned what it can.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.parts import components
from richlazy.two_layer.flow import Change, Problem, integrate

__all__ = ["changes"]

Array = NDArray[np.float64]


def changes(problem: Problem, at: Array, rtol: float) -> list[Change]:
    """Changes of a stack of networks at ascending times; a single one block by block."""
    first, readout, cov_yx, root = problem
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
