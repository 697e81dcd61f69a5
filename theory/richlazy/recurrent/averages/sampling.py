"""Averages of recurrent starts over networks and tasks that are drawn and followed (T16, T18)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import afford, generator
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
from richlazy.start.matrices import MatrixLike, Thin

__all__ = ["drawn", "learned", "sample"]

_NETWORKS = 20
_PILOT = 4  # tasks whose flow is certified
_TOLERANCE = 1e-5  # of a reduction, relative: far below the spread over draws
_SMALL = 400  # units up to which samples are integrated whole, together


def sample(case: Question) -> list[Expected]:
    """Networks and tasks drawn, and followed one by one or together."""
    tasks = case.draw_tasks(_NETWORKS)
    found, how, error = learned((drawn(case) for _ in tasks), tasks, case.time)
    what = "networks" if case.matrix is None else "inputs, readouts and tasks"
    return recorded(case, found, f"sample of {len(tasks)} {what} by {how}", (), error)


def learned(
    nets: Iterable[Network], tasks: Sequence[Task], t: ArrayLike
) -> tuple[Measures, str, str]:
    """Measures of networks of one size, one a task; how they were found, worst accuracy.

    Of the shape of t, then the tasks: every network is followed once, for all times.
    """
    rest = iter(nets)
    first = next(rest)
    pairs, held = zip(chain((first,), rest), tasks, strict=True), _directions(first)
    if held <= _SMALL:
        found, gap = followed(stacked([_small(*pair) for pair in pairs]), t, _PILOT)
        how = f"reduced (T18), {held} directions" if held < first.units else "flow (T16)"
        return found, how, f"numerical error {gap:.1e}"
    each, worst, error, how = [], -1.0, "", ""
    for net, task in pairs:
        solution = solve(net, task, tolerance=_TOLERANCE)
        each.append(solution.measures(t))
        how = solution.method
        if solution.error is not None and solution.error > worst:
            worst, error = solution.error, f"the worst: {solution.accuracy}"
    found = Measures(*(np.stack(columns, axis=-1) for columns in zip(*each, strict=True)))
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


def _directions(net: Network) -> int:
    """How many hold the flow exactly."""
    if not isinstance(net.recurrent, Thin):
        return net.units
    return min(net.units, net.channels + net.outputs + 2 * int(net.recurrent.values.size))


def _small(net: Network, task: Task) -> Problem:
    training = Training(True, True, True)
    if _directions(net) < net.units:
        return exact(net, task, training, net.recurrent).problem
    return whole(net, task, training).problem


def _matrix(case: Question, seeds: NDArray[np.int64]) -> MatrixLike:
    """A matrix with the given singular values and uniform singular vectors.

    The same seeds give the first vectors of a higher rank to a lower one.
    """
    assert case.values is not None
    what = f"a draw of {case.units:g} units and rank {case.values.size}"
    afford(48.0 * case.units * case.values.size, what, "use method='typical' or 'law'")
    sides = []
    for seed in seeds:
        shape = case.values.size, case.units
        q, r = np.linalg.qr(generator(int(seed)).standard_normal(shape).T)
        sides.append(q * np.where(np.diag(r) < 0, -1.0, 1.0))
    return Thin(sides[0], case.values, sides[1])
