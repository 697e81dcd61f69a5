"""Averages of recurrent starts over networks and tasks that are drawn and followed (T16, T18)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import generator
from richlazy.recurrent.averages.question import Question
from richlazy.recurrent.averages.record import recorded
from richlazy.recurrent.averages.stack import followed
from richlazy.recurrent.flow import Problem
from richlazy.recurrent.measures import Measures
from richlazy.recurrent.network import Network
from richlazy.recurrent.record import Expected
from richlazy.recurrent.reduction import Training, exact, stacked, whole
from richlazy.recurrent.solve import solve
from richlazy.recurrent.task import Task
from richlazy.start import matrices
from richlazy.start.matrices import MatrixLike

__all__ = ["drawn", "learned", "sample"]

_NETWORKS = 20
_PILOT = 4  # tasks whose flow is certified
_TOLERANCE = 1e-5  # of a reduction, relative: far below the spread over draws
_SMALL = 400  # units up to which samples are integrated whole, together


def sample(case: Question) -> Expected:
    """Networks and tasks drawn, and followed one by one or together."""
    tasks = case.draw_tasks(_NETWORKS)
    found, how, error = learned(case, tasks)
    what = "networks" if case.matrix is None else "inputs, readouts and tasks"
    return recorded(case, found, f"sample of {len(tasks)} {what} by {how}", (), error)


def learned(case: Question, tasks: Sequence[Task]) -> tuple[Measures, str, str]:
    """Measures (tasks,) of a network drawn for each task, how they were found, their accuracy."""
    held = case.channels + case.outputs + 2 * (0 if case.values is None else case.values.size)
    if case.values is not None and min(case.units, held) <= _SMALL:
        stack = stacked([_small(drawn(case), task) for task in tasks])
        found, gap = followed(stack, case.time, _PILOT)
        how = f"reduced (T18), {held} directions" if held < case.units else "flow (T16)"
        return found, how, f"numerical error {gap:.1e}"
    each, worst, error, how = [], -1.0, "", ""
    for task in tasks:
        solution = solve(drawn(case), task, tolerance=_TOLERANCE)
        each.append(solution.measures(case.time))
        how = solution.method
        if solution.error is not None and solution.error > worst:
            worst, error = solution.error, f"the worst: {solution.accuracy}"
    found = Measures(*(np.array(columns) for columns in zip(*each, strict=True)))
    return found, how, error


def drawn(case: Question) -> Network:
    """A network: W last, so that U and V are the same for every spectrum."""
    seeds = case.rng.integers(2**63, size=2)
    return Network.random(
        _matrix(case, seeds) if case.matrix is None else case.matrix,
        channels=case.channels,
        outputs=case.outputs,
        input_norm=case.input_norm,
        readout_norm=case.readout_norm,
        rng=case.rng,
    )


def _small(net: Network, task: Task) -> Problem:
    training, w = Training(True, True, True), net.recurrent
    if net.channels + net.outputs + 2 * w.values.size < net.units:
        return exact(net, task, training, w).problem
    return whole(net, task, training).problem


def _matrix(case: Question, seeds: NDArray[np.int64]) -> MatrixLike:
    """A matrix with the given singular values and uniform singular vectors.

    The same seeds give the first vectors of a higher rank to a lower one.
    """
    assert case.values is not None
    sides = []
    for seed in seeds:
        shape = case.values.size, case.units
        q, r = np.linalg.qr(generator(int(seed)).standard_normal(shape).T)
        sides.append(q * np.where(np.diag(r) < 0, -1.0, 1.0))
    return matrices.Thin(sides[0], case.values, sides[1])
