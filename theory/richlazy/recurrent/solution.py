"""A trajectory of a recurrent network and the questions it answers, whichever route found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness
from richlazy.errors import times
from richlazy.integration.shared import distinct
from richlazy.recurrent.flow import Change
from richlazy.recurrent.measures import Measures
from richlazy.recurrent.network import Network, as_network
from richlazy.recurrent.record import Laziness
from richlazy.recurrent.reduction import Reduced
from richlazy.recurrent.responses import controls
from richlazy.recurrent.task import Task, as_task
from richlazy.start import matrices
from richlazy.summary import summary

__all__ = ["ChangeRank", "Found", "Route", "Solution", "State"]

Array = NDArray[np.float64]

_DENSE_SIZE = 5000
_NOTHING = "nothing has been computed yet"


@dataclass(frozen=True, eq=False)
class Found:
    """What a route found at ascending times: the small network, its changes and the measures.

    error is the largest that accuracy, in words, speaks of.
    """

    reduced: Reduced
    changes: Sequence[Change]
    measures: Measures
    assumptions: tuple[str, ...]
    error: float
    accuracy: str


class Route(Protocol):
    """How one solver answers."""

    @property
    def method(self) -> str:
        """Name of the solver, with its T-id."""

    def found(self, at: Array) -> Found:
        """The flow at ascending times."""


class ChangeRank(NamedTuple):
    """Participation ratios of the changes of U, W and V (T21)."""

    inputs: Array
    recurrent: Array
    readout: Array


@dataclass(frozen=True, eq=False)
class State:
    """Weights at one time: W(t) = start.recurrent + left @ right.T, U(t) and V(t) as they are.

    left and right (units, p) are thin, so that a large start is never copied.
    """

    start: Network
    time: float
    inputs: Array
    left: Array
    right: Array
    readout: Array

    def recurrent(self) -> Array:
        """W(t) as a dense array, for the sizes where that is sensible."""
        if self.start.units > _DENSE_SIZE:
            raise ValueError(
                f"a dense {self.start.units} x {self.start.units} result is refused (over "
                f"{_DENSE_SIZE}); use the thin factors left and right"
            )
        whole = matrices.forward(self.start.recurrent, np.eye(self.start.units))
        return np.asarray(whole + self.left @ self.right.T)

    def network(self) -> Network:
        """The network with these weights, dense."""
        return Network(self.inputs, self.recurrent(), self.readout, self.start.leak)

    def __repr__(self) -> str:
        moved = float(np.linalg.norm(np.linalg.qr(self.left)[1] @ np.linalg.qr(self.right)[1].T))
        return summary(self, time=self.time, start=self.start, weight_change_recurrent=moved)


class Solution:
    """The trajectory of one recurrent network on one task, from `recurrent.solve`.

    Every measure takes t, a number or an array, infinity allowed, and has the shape of t
    (time = learning rate x steps of training).
    """

    def __init__(self, start: Network, task: Task, route: Route) -> None:
        self.start, self.task = as_network(start), as_task(task)
        self._route = route
        # one tuple, swapped at once: other threads may ask for other times
        self._latest: tuple[bytes, Found] | None = None

    @property
    def method(self) -> str:
        """Which solver answers, with its T-id."""
        return self._route.method

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the numbers given last needed, and what else a reader should know."""
        return () if self._latest is None else self._latest[1].assumptions

    @property
    def accuracy(self) -> str:
        """How far the numbers given last can be trusted."""
        return _NOTHING if self._latest is None else self._latest[1].accuracy

    @property
    def error(self) -> float | None:
        """The largest error that `accuracy` speaks of; None where nothing has been computed."""
        return None if self._latest is None else self._latest[1].error

    def _found(self, at: Array) -> Found:
        key = at.tobytes()
        latest = self._latest
        if latest is None or latest[0] != key:
            latest = (key, self._route.found(at))
            self._latest = latest
        return latest[1]

    def measures(self, t: ArrayLike = np.inf) -> Measures:
        """Every measure at t; an undefined alignment is NaN here, an error from its own method."""
        at, place = distinct(t)
        return Measures(*(v[place] for v in self._found(at).measures))

    def loss(self, t: ArrayLike = np.inf) -> Array:
        """Excess loss 1/2 tr (S - F) cov (S - F)', lags weighted."""
        return self.measures(t).loss

    def weight_change(self, t: ArrayLike = np.inf) -> Array:
        """||dW||_F of all three matrices together."""
        return self.measures(t).weight_change

    def weight_change_inputs(self, t: ArrayLike = np.inf) -> Array:
        """||dU||_F."""
        return self.measures(t).weight_change_inputs

    def weight_change_recurrent(self, t: ArrayLike = np.inf) -> Array:
        """||dW||_F of the recurrent weights."""
        return self.measures(t).weight_change_recurrent

    def weight_change_readout(self, t: ArrayLike = np.inf) -> Array:
        """||dV||_F."""
        return self.measures(t).weight_change_readout

    def representation_alignment(self, t: ArrayLike = np.inf) -> Array:
        """RA of the last state's Gram matrix over the inputs (T17); UndefinedError where it is 0/0.

        Over (lag, channel), C_k'C_l at lags k, l, seen as the loss sees it: times sqrt(w_k w_l)
        where lags are weighted, so that one of weight 0 is left out, and with the root of `cov`
        on both sides.
        """
        return laziness.defined(
            self.measures(t).representation_alignment, "representation alignment"
        )

    def kernel_alignment(self, t: ArrayLike = np.inf) -> Array:
        """KA (T17) between 0 and t of the kernel of what is trained; UndefinedError where 0/0."""
        return laziness.defined(self.measures(t).kernel_alignment, "kernel alignment")

    def target_alignment(self, t: ArrayLike = np.inf) -> Array:
        """<S, K_t S> / (||K_t|| ||S||^2); UndefinedError where it is 0/0."""
        return laziness.defined(self.measures(t).target_alignment, "target alignment")

    def response(self, t: ArrayLike = np.inf) -> Array:
        """F_k(t) = V W^k U: the shape of t, then (steps, outputs, channels)."""
        at, place = distinct(t)
        found = self._found(at)
        problem = found.reduced.problem
        each = []
        for change in found.changes:
            u, w, v = (x + dx for x, dx in zip(problem[:3], change[:3], strict=True))
            each.append(v @ controls(w, u, problem.steps)[0])
        return np.stack(each)[place]

    def change_rank(self, t: ArrayLike = np.inf) -> ChangeRank:
        """Participation ratio of the change of U, W and V between 0 and t, shape of t.

        (||dX||^2)^2 / ||dX dX'||^2: over how many directions a change is spread (T21).

        Raises
        ------
        UndefinedError
            Where one of them has not moved, as at t = 0 or where it is not trained.
        """
        at, place = distinct(t)
        # bases are orthonormal: the changes of the small network have the singular values
        changes = zip(*(change[:3] for change in self._found(at).changes), strict=True)
        return ChangeRank(*(laziness.change_rank(np.concatenate(x))[place] for x in changes))

    def at(self, t: float) -> State:
        """Weights at one time, the change of W as thin factors."""
        time = times(t, ndim=0)
        found = self._found(time[None])
        change, leak = found.changes[0], self.start.leak
        du, dw, dv = change.inputs[0] / leak, change.recurrent[0] / leak, change.readout[0]
        basis = found.reduced.basis
        if basis is None:
            right = np.eye(len(dw))
            return State(
                self.start, float(time), self.start.inputs + du, dw, right, self.start.readout + dv
            )
        return State(
            self.start,
            float(time),
            self.start.inputs + basis @ du,
            basis @ dw,
            basis.copy(),  # what a caller does to it reaches no one else
            self.start.readout + dv @ basis.T,
        )

    def laziness(self, t: float = np.inf) -> Laziness:
        """All measures at t in one record, None where one is 0/0."""
        at = times(t, ndim=0)
        found = self._found(at[None])
        m = Measures(*(v[0] for v in found.measures))
        size_w = matrices.second_moments_trace(self.start.recurrent)
        size = size_w + float(np.sum(self.start.inputs**2) + np.sum(self.start.readout**2))
        total, change = float(m.weight_change), float(m.weight_change_recurrent)
        return Laziness(
            weight_change=total,
            weight_change_inputs=float(m.weight_change_inputs),
            weight_change_recurrent=change,
            weight_change_readout=float(m.weight_change_readout),
            relative_weight_change=total / np.sqrt(size) if size > 0 else None,
            relative_weight_change_recurrent=change / np.sqrt(size_w) if size_w > 0 else None,
            representation_alignment=laziness.or_none(m.representation_alignment),
            kernel_alignment=laziness.or_none(m.kernel_alignment),
            target_alignment=laziness.or_none(m.target_alignment),
            loss=float(m.loss),
            time=float(at),
            method=self.method,
            assumptions=found.assumptions,
            accuracy=found.accuracy,
        )

    def drift(self, t: float = np.inf) -> float:
        """Change of D = UU' + WW' - W'W - V'V relative to ||W||^2 (T16); all three trained.

        A necessary sign of accuracy only: any error of the wanted responses conserves D as well.
        """
        found = self._found(times(t, ndim=0)[None])
        p, change, leak = found.reduced.problem, found.changes[0], self.start.leak
        eye = (1.0 - leak) * np.eye(p.recurrent.shape[-1])
        before = p.inputs[0] / leak, (p.recurrent[0] - eye) / leak, p.readout[0]
        moved = change.inputs[0] / leak, change.recurrent[0] / leak, change.readout[0]
        after = tuple(x + dx for x, dx in zip(before, moved, strict=True))
        gap = np.linalg.norm(_conserved(*after) - _conserved(*before))
        return float(gap / sum(np.sum(x**2) for x in after))

    def __repr__(self) -> str:
        return summary(self, method=self.method, start=self.start, task=self.task)


def _conserved(u: Array, w: Array, v: Array) -> Array:
    return u @ u.T + w @ w.T - w.T @ w - v.T @ v
