"""How `recurrent.solve` answers, and what certifies it: two tolerances that agree, and the leak."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.recurrent.flow import Change, Problem, integrate, resting_place
from richlazy.recurrent.measures import Measures, difference, loss_scale, measured
from richlazy.recurrent.network import Network
from richlazy.recurrent.reduction import Reduced, Training, enriched, telling_times
from richlazy.recurrent.routes.beside import growth
from richlazy.recurrent.routes.blocks import Block, along_blocks
from richlazy.recurrent.solution import Found
from richlazy.recurrent.task import Task
from richlazy.start.precision import EPS

__all__ = ["ByFlow", "ByModes", "ByReduction", "certified", "left_over"]

Array = NDArray[np.float64]

_TOLERANCE = 2e-11
_LOOSER = 100.0  # times the tolerance: the second run of the certificate
_LEARNED = 1e-12  # of the loss of zero weights or of the start


def certified(
    reduced: Reduced, at: Array, leak: float, rtol: float = _TOLERANCE
) -> tuple[list[Change], Measures, float]:
    """Changes and measures (times, stack), and how far a run at 100 times the tolerance is."""
    problem = reduced.problem
    changes = [change for _, change in integrate(problem, at, rtol)]
    loose = [change for _, change in integrate(problem, at, _LOOSER * rtol)]
    found = measured(problem, changes, leak)
    again = measured(problem, loose, leak)
    return changes, found, difference(found, again, loss_scale(problem))


def _single(measures: Measures) -> Measures:
    return Measures(*(v[:, 0] for v in measures))


def _agree(gap: float) -> str:
    return (
        f"two tolerances agree to {gap:.1e} relative, the loss to that share of its start or of "
        "the loss of zero weights"
    )


def _left(reduced: Reduced, at: Array, changes: list[Change], found: Measures) -> tuple[str, ...]:
    return left_over(reduced, changes[-1], float(found.loss[-1, 0])) if np.isinf(at[-1]) else ()


def left_over(reduced: Reduced, change: Change, loss: float) -> tuple[str, ...]:
    """What to say of a flow that comes to rest with loss left."""
    if loss <= _LEARNED * float(loss_scale(reduced.problem)[0]):
        return ()
    return (
        f"the flow comes to rest with excess loss {loss:.3g}: "
        f"{resting_place(reduced.problem, change)}",
    )


class ByFlow:
    """T16 on a network that is small, or that a reduction makes small exactly (T18)."""

    def __init__(self, net: Network, reduced: Reduced, said: tuple[str, ...]) -> None:
        self.leak, self.reduced, self.said = net.leak, reduced, said

    @property
    def method(self) -> str:
        """Name of the solver."""
        units = self.reduced.units
        return "flow (T16)" if self.reduced.basis is None else f"reduced (T18), {units} directions"

    def found(self, at: Array) -> Found:
        """The flow at ascending times."""
        changes, measures, gap = certified(self.reduced, at, self.leak)
        said = (*self.said, *_left(self.reduced, at, changes, measures))
        return Found(self.reduced, changes, _single(measures), said, gap, _agree(gap))


class ByModes:
    """T19: every mode, and every complex pair, by itself."""

    def __init__(
        self, net: Network, reduced: Reduced, blocks: list[Block], said: tuple[str, ...]
    ) -> None:
        self.net, self.reduced, self.blocks, self.said = net, reduced, blocks, said
        self.basis = np.eye(net.units) if reduced.basis is None else reduced.basis

    @property
    def method(self) -> str:
        """Name of the solver, with how many modes there are."""
        pairs = sum(b.outputs.shape[1] == 2 for b in self.blocks)
        real = len(self.blocks) - pairs
        return f"modes (T19), {real} real" + (f", {pairs} complex pairs" if pairs else "")

    def _resting(self, problem: Problem) -> tuple[str, ...]:
        """What to say of modes that the task has and that nothing drives or reads."""
        lags = problem.target[0].reshape(len(problem.readout[0]), problem.steps, -1)
        wanted = [np.linalg.norm(np.tensordot(b.outputs.T, lags, 1) @ b.channels)
                  for b in self.blocks if not b.units.shape[1]]  # fmt: skip
        silent = int(np.sum(np.array(wanted) > _LEARNED * np.linalg.norm(lags)))
        return (f"{silent} modes of the task start at zero, and stay there",) if silent else ()

    def found(self, at: Array) -> Found:
        """The flow at ascending times."""
        problem, leak = self.reduced.problem, self.net.leak
        changes = along_blocks(problem, self.blocks, at, _TOLERANCE)
        # between these times too, for what happens beside the modes meanwhile
        grid = np.union1d(at, telling_times(problem, at[-1]))
        loose = along_blocks(problem, self.blocks, grid, _LOOSER * _TOLERANCE)
        found = measured(problem, changes, leak)
        again = measured(problem, [loose[i] for i in np.searchsorted(grid, at)], leak)
        gap = difference(found, again, loss_scale(problem))
        said = (
            *self.said,
            "network and task share their modes to rounding",
            *_beside(*growth(self.net, problem, self.basis, grid, loose), gap),
            *self._resting(problem),
            *_left(self.reduced, at, changes, found),
        )
        return Found(self.reduced, changes, _single(found), said, gap, _agree(gap))


def _beside(grown: float, rate: float, gap: float) -> tuple[str, ...]:
    """What to say of rounding that grows beside the modes until it is more than `gap`."""
    if np.log(EPS) + grown <= np.log(max(gap, _TOLERANCE)):
        return ()
    so_far = f"about e^{grown:.0f}-fold by the last time" if np.isfinite(grown) else "without end"
    return (
        f"the modes are followed as if shared exactly: beside them rounding grows {so_far} (at "
        f"the rate {rate:.2g} there), so that a start that shares them less exactly leaves them",
    )


class ByReduction:
    """T18: the space that holds the flow, grown by what leaks from it."""

    def __init__(
        self, net: Network, task: Task, trained: Training, tolerance: float, said: tuple[str, ...]
    ) -> None:
        self.net, self.task, self.trained = net, task, trained
        self.tolerance, self.said = tolerance, said
        self._grown: dict[float, Reduced] = {}

    @property
    def method(self) -> str:
        """Name of the solver, with the directions of the largest space needed so far."""
        sizes = [r.units for r in list(self._grown.values())]  # other threads may add to it
        return f"reduced (T18), {max(sizes)} directions" if sizes else "reduced (T18)"

    def found(self, at: Array) -> Found:
        """The flow at ascending times, the space grown for the last of them."""
        end = float(at[-1])
        reduced = self._grown.get(end)
        if reduced is None:
            reduced = enriched(self.net, [self.task], self.trained, end, self.tolerance)
            self._grown[end] = reduced
        changes, measures, gap = certified(
            reduced, at, self.net.leak, max(_TOLERANCE, 1e-2 * self.tolerance)
        )
        error = reduced.error
        said = (
            *self.said,
            f"held in {reduced.units} of {self.net.units} directions, grown where the flow leaks",
            *_left(reduced, at, changes, measures),
        )
        words = (
            f"{error:.1e} by what leaks and comes back (weights themselves: {reduced.leak:.1e}, "
            f"what leaks); {_agree(gap)}"
        )
        return Found(reduced, changes, _single(measures), said, max(error, gap), words)
