"""A trajectory and the questions it answers, whichever solver found it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness
from richlazy.errors import times
from richlazy.integration.shared import Shared, distinct
from richlazy.laziness import Alignments, ChangeRank, Laziness, Measures
from richlazy.start import matrices
from richlazy.start.network import Network, as_network
from richlazy.start.task import Task, as_task
from richlazy.summary import summary
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Reduced

__all__ = ["Route", "Solution", "State", "UnrotatedRoute"]

Array = NDArray[np.float64]

_DENSE_SIZE = 5000


class Route(Protocol):
    """How one solver answers: what it is called, and the weight change or measures at times."""

    @property
    def method(self) -> str:
        """Name of the solver, with its T-id."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What it needed."""

    @property
    def accuracy(self) -> str:
        """How far its numbers can be trusted."""

    @property
    def reduced(self) -> Reduced:
        """The small network whose flow the latest answer follows."""

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""

    def measures(self, at: Array) -> Measures:
        """Measures of the large network at ascending times."""


class UnrotatedRoute(Route, Protocol):
    """A route for which the hidden units are known up to a rotation before the weights are."""

    def weights(self, at: Array) -> tuple[Array, Array]:
        """W1 (n, r, d) and W2 (n, m, r) at n times, up to a rotation of the r hidden units."""

    def alignments(self, at: Array) -> Alignments:
        """Alignments and loss of the large network at ascending times."""


def _unrotated(route: Route) -> TypeGuard[UnrotatedRoute]:
    # asked of the class: isinstance of a protocol would evaluate what an instance has yet to find
    return hasattr(type(route), "alignments")


@dataclass(frozen=True, eq=False)
class State:
    """Weights at one time: W1(t) = start.first + left @ right.T, W2(t) = readout.

    left (h, k) and right (d, k) are thin, so that a large start is never copied.
    """

    start: Network
    time: float
    left: Array
    right: Array
    readout: Array

    def first(self) -> Array:
        """W1(t) as a dense array (hidden, inputs), for the sizes where that is sensible."""
        _check_dense(self.start.hidden, self.start.inputs)
        return matrices.forward(self.start.first, np.eye(self.start.inputs)) + (
            self.left @ self.right.T
        )

    def function(self) -> Array:
        """W2(t) W1(t), (outputs, inputs)."""
        product = matrices.adjoint(self.start.first, self.readout.T).T
        return product + (self.readout @ self.left) @ self.right.T

    def __repr__(self) -> str:
        moved = float(np.linalg.norm(np.linalg.qr(self.left)[1] @ np.linalg.qr(self.right)[1].T))
        readout = f"{len(self.readout)} outputs of norm {np.linalg.norm(self.readout):.4g}"
        return summary(
            self, time=self.time, start=self.start, weight_change_input=moved, readout=readout
        )


class _Turned(NamedTuple):
    """Weights at one time up to a rotation of the hidden units."""

    weights: Array
    readout: Array

    def first(self) -> Array:
        return self.weights

    def function(self) -> Array:
        return self.readout @ self.weights


class Solution(Shared):
    """The trajectory of one network on one task, from `solve`.

    Every measure takes t, a number or an array, infinity allowed, and has the shape of t
    (time = learning rate x steps). It may be shared between threads, which get what each would
    get alone; `method`, `assumptions` and `accuracy` then speak of the answers to all of them. It
    can be pickled and copied, and goes on answering, if its start can: a LinearOperator made of
    local functions cannot be pickled.
    """

    def __init__(self, start: Network, task: Task, route: Route) -> None:
        super().__init__()
        self.start, self.task = as_network(start), as_task(task)
        self._route = route

    def __repr__(self) -> str:
        return summary(self, method=self.method, start=self.start, task=self.task)

    @property
    def method(self) -> str:
        """Which solver answered, with its T-id; a Krylov order is the largest needed so far."""
        with self._lock:
            return self._route.method

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the method needed, and what else a reader should know."""
        with self._lock:
            return (*self.start.said, *self._route.assumptions)

    @property
    def accuracy(self) -> str:
        """How far the numbers given so far can be trusted."""
        with self._lock:
            return self._route.accuracy

    def measures(self, t: ArrayLike = np.inf) -> Measures:
        """Every measure at t; an undefined alignment is NaN here, an error from its own method."""
        return Measures(*self._answers(t, self._route.measures))

    def loss(self, t: ArrayLike = np.inf) -> Array:
        """Excess loss 1/2 E ||(W* - W2 W1) x||^2."""
        return self._alignments(t).loss

    def weight_change(self, t: ArrayLike = np.inf) -> Array:
        """||dW||_F of both layers together."""
        return self.measures(t).weight_change

    def representation_alignment(self, t: ArrayLike = np.inf) -> Array:
        """RA between 0 and t; UndefinedError where it is 0/0."""
        return laziness.defined(
            self._alignments(t).representation_alignment, "representation alignment"
        )

    def kernel_alignment(self, t: ArrayLike = np.inf) -> Array:
        """KA between 0 and t; UndefinedError where it is 0/0."""
        return laziness.defined(self._alignments(t).kernel_alignment, "kernel alignment")

    def target_alignment(self, t: ArrayLike = np.inf) -> Array:
        """Alignment of the tangent kernel at t with the task; UndefinedError where it is 0/0.

        <S, K S> / (||K|| ||S||^2) with S = cov_yx (T21), at most 1:
        <S, K S> = ||W1 S'||^2 + ||W2' S||^2. Inputs that are not white are seen whitened.
        """
        return laziness.defined(self._alignments(t).target_alignment, "target alignment")

    def change_rank(self, t: ArrayLike = np.inf) -> ChangeRank:
        """Participation ratio of the change of each layer between 0 and t, shape of t.

        (||dW||^2)^2 / ||dW dW'||^2: over how many directions a change is spread (T21), 1 for one of
        rank one. Known to a few times what `accuracy` says of the weights.

        Raises
        ------
        UndefinedError
            Where a layer has not moved, as at t = 0.

        Examples
        --------
        >>> from richlazy.two_layer.solve import solve
        >>> found = solve(Network(0.1 * np.eye(3)), Task(np.diag([2.0, 2.0, 1e-3])))
        >>> [round(float(x), 3) for x in found.change_rank()]
        [2.0, 2.0]
        """
        return ChangeRank(*self._answers(t, self._change_ranks))

    def _change_ranks(self, at: Array) -> tuple[Array, ...]:
        # the bases of the small network are orthonormal: its changes have the singular values
        changes = self._route.changes(at)
        layers = ([c.first for c in changes], [c.readout for c in changes])
        return tuple(laziness.change_rank(np.concatenate(layer)) for layer in layers)

    def _alignments(self, t: ArrayLike) -> Alignments:
        route = self._route
        if _unrotated(route):
            return Alignments(*self._answers(t, route.alignments))
        return Measures(*self._answers(t, route.measures)).alignments

    def at(self, t: float) -> State:
        """Weights at one time, as thin factors."""
        time = times(t)
        if time.ndim:
            raise ValueError("at takes one time; call it once for each")
        return self._states(time)[0]

    def representation(self, t: ArrayLike) -> Array:
        """R(t) = W1'W1, dense: the shape of t, then (d, d)."""
        layers = (state.first() for state in self._up_to_rotation(t))
        return self._stacked((w1.T @ w1 for w1 in layers), t)

    def readout(self, t: ArrayLike) -> Array:
        """B(t) = W2 W2': the shape of t, then (m, m)."""
        layers = (state.readout for state in self._up_to_rotation(t))
        return self._stacked((w2 @ w2.T for w2 in layers), t)

    def function(self, t: ArrayLike) -> Array:
        """W2(t) W1(t): the shape of t, then (m, d)."""
        return self._stacked((state.function() for state in self._up_to_rotation(t)), t)

    def _up_to_rotation(self, t: ArrayLike) -> list[State] | list[_Turned]:
        """Weights at distinct ascending times, whichever way the hidden units are turned."""
        at, _ = distinct(t)
        if _unrotated(self._route):
            return [_Turned(*pair) for pair in zip(*self._route.weights(at), strict=True)]
        return self._states(at)

    def _stacked(self, values: Iterable[Array], t: ArrayLike) -> Array:
        """One value for each distinct time, in the shape of t."""
        return np.stack(list(values))[distinct(t)[1]]

    def _states(self, time: Array) -> list[State]:
        """Weights at distinct ascending times."""
        at = np.unique(time)
        with self._lock:  # another question has another small network
            changes, reduced = self._route.changes(at), self._route.reduced
        left, right = reduced.left, reduced.right
        return [
            State(
                self.start,
                float(t),
                left @ change.first[0],
                right.copy(),  # what a caller does to it reaches no one else
                (reduced.problem.readout + change.readout)[0] @ left.T,
            )
            for t, change in zip(at, changes, strict=True)
        ]

    def drift(self, t: float = np.inf) -> float:
        """Change of D = W2'W2 - W1 W1' relative to ||W||^2 (T1).

        A necessary sign of accuracy only: any error of W* conserves D as well.
        """
        with self._lock:
            (change,) = self._route.changes(times(t, ndim=0)[None])
            first, readout = (x[0] for x in self._route.reduced.problem[:2])
        w1, w2 = first + change.first[0], readout + change.readout[0]
        moved = (w2.T @ w2 - w1 @ w1.T) - (readout.T @ readout - first @ first.T)
        return float(np.linalg.norm(moved) / (np.sum(w1**2) + np.sum(w2**2)))

    def laziness(self, t: float = np.inf) -> Laziness:
        """All measures at t in one record, None where one is 0/0."""
        m = self.measures(times(t, ndim=0))
        size1 = self.start.square
        size = size1 + (0.0 if self.start.readout is None else float(np.sum(self.start.readout**2)))
        total, change1 = float(m.weight_change), float(m.weight_change_input)
        return Laziness(
            weight_change=total,
            weight_change_input=change1,
            weight_change_readout=float(m.weight_change_readout),
            relative_weight_change=total / np.sqrt(size) if size > 0 else None,
            relative_weight_change_input=change1 / np.sqrt(size1) if size1 > 0 else None,
            representation_alignment=laziness.or_none(m.representation_alignment),
            kernel_alignment=laziness.or_none(m.kernel_alignment),
            target_alignment=laziness.or_none(m.target_alignment),
            loss=float(m.loss),
            time=float(t),
            method=self.method,
            assumptions=self.assumptions,
            accuracy=self.accuracy,
        )


def _check_dense(hidden: int, inputs: int) -> None:
    if max(hidden, inputs) > _DENSE_SIZE:
        raise ValueError(
            f"a dense {hidden} x {inputs} result is refused (over {_DENSE_SIZE}); "
            "use the thin factors of sol.at(t)"
        )
