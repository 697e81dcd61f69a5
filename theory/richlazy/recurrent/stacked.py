"""The trajectories of a stack of recurrent networks, from `recurrent.solve`.

Small networks whose flow has to be integrated share steps with others of their scale and
stiffness; every other is answered for by the route that it would get alone.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, times
from richlazy.integration.groups import (
    Group,
    Groups,
    alike,
    in_front,
    over_root,
    squares,
)
from richlazy.integration.shared import distinct
from richlazy.recurrent.choice import Case, Method, exact_route, route
from richlazy.recurrent.flow import Change, Problem, start_rates
from richlazy.recurrent.measures import Measures
from richlazy.recurrent.network import Network
from richlazy.recurrent.record import Laziness
from richlazy.recurrent.reduction import Reduced, Training, whole
from richlazy.recurrent.routes.route import certified, left_over
from richlazy.recurrent.solution import ChangeRank, Solution, State
from richlazy.recurrent.task import Task
from richlazy.start.stack import places, together
from richlazy.summary import summary

__all__ = ["Solutions"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_SMALL = 24  # units: larger networks gain nothing from steps in common


class Solutions(Solution):
    """The trajectories of a stack: a `Solution` whose answers have its shape first.

    For t of shape s every measure has the shape of the stack, then s; responses have their own
    axes after that. `solutions[place]` is the Solution of one network.

    Examples
    --------
    >>> from richlazy.recurrent.solve import solve
    >>> rng = np.random.default_rng(0)
    >>> nets = Network(np.eye(6)[:, :1], 0.3 * rng.standard_normal((20, 6, 6)), np.eye(6)[1:2])
    >>> found = solve(nets, Task(rng.standard_normal((20, 4, 1, 1))))
    >>> found.loss([0.0, 1.0, np.inf]).shape, found.method
    ((20, 3), 'flow (T16)')
    """

    def __init__(
        self, net: Network, task: Task, method: Method | None, trained: Training, tolerance: float
    ) -> None:
        self.start, self.task = together(net, task)
        self.shape = self.start.shape
        self._asked = method, trained, tolerance
        self._groups = Groups(self.shape, self._grouped())
        self._last: tuple[bytes, tuple[Array, ...]] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: int | tuple[int, ...]) -> Solution:
        """What `solve` says of one network, or of a stack of what further axes hold."""
        net, task, (method, trained, tolerance) = self.start[place], self.task[place], self._asked
        if net.shape:
            return Solutions(net, task, method, trained, tolerance)
        return Solution(net, task, route(Case(net, task, trained, tolerance), method))

    def __repr__(self) -> str:
        net = self.start
        return summary(
            self, shape=self.shape, method=self.method, units=net.units, channels=net.channels,
            outputs=net.outputs, steps=self.task.steps,
        )  # fmt: skip

    @property
    def method(self) -> str:
        """Which solvers answer, and where there are several how often."""
        return self._groups.method

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the numbers given last needed, each with how many networks it is said of."""
        return self._groups.assumptions if self._last else ()

    @property
    def error(self) -> float | None:
        """The largest error that `accuracy` speaks of; None where nothing has been computed."""
        return max(group.error for group in self._groups) if self._last else None

    @property
    def accuracy(self) -> str:
        """How far the numbers given last can be trusted, at worst."""
        if self.error is None:
            return "nothing has been computed yet"
        return (
            f"every network to {self.error:.1e} relative or better, the loss to that share of its "
            "start or of the loss of zero weights"
        )

    def _grouped(self) -> list[_Group]:
        """Which networks are answered for together."""
        method, trained, tolerance = self._asked
        groups: list[_Group] = []
        flows: list[tuple[int, Reduced]] = []
        words: tuple[str, ...] = ()
        for k in range(int(np.prod(self.shape))):
            at = places(self.shape, k)
            net, task = self.start[at], self.task[at]
            case = Case(net, task, trained, tolerance)
            found = exact_route(case) if method is None else None
            if found is None and method in (None, "flow") and net.units <= _SMALL:
                flows.append((k, whole(net, task, trained)))
                words = case.words
                continue
            try:
                groups.append(
                    _Alone(np.array([k]), Solution(net, task, found or route(case, method)))
                )
            except AssumptionError as refusal:
                raise AssumptionError(f"network {at} of the stack: {refusal}") from None
        return groups + _integrated(flows, self.start.leak, words)

    def _values(self, at: Array) -> tuple[Array, ...]:
        last = self._last
        if last is None or last[0] != at.tobytes():
            last = at.tobytes(), self._groups.answers(lambda group: group.measures(at))
            self._last = last
        return last[1]

    def measures(self, t: ArrayLike = np.inf) -> Measures:
        """Every measure at t; an undefined alignment is NaN here, an error from its own method."""
        at, place = distinct(t)
        return Measures(*in_front([v[place] for v in self._values(at)], self.shape))

    def response(self, t: ArrayLike = np.inf) -> Array:
        """F_k(t) = V W^k U: the shape of the stack, that of t, then (steps, outputs, channels)."""
        found = np.stack([self[place].response(t) for place in np.ndindex(self.shape)])
        return found.reshape(self.shape + found.shape[1:])

    def change_rank(self, t: ArrayLike = np.inf) -> ChangeRank:
        """Participation ratios of the changes: see `Solution.change_rank`."""
        each = [self[place].change_rank(t) for place in np.ndindex(self.shape)]
        columns = (np.stack(column) for column in zip(*each, strict=True))
        return ChangeRank(*(x.reshape(self.shape + x.shape[1:]) for x in columns))

    def at(self, t: float) -> State:
        """Refused of a stack: ask one network, `solutions[place].at(t)`."""
        place = ", ".join("0" * len(self.shape))
        raise ValueError(f"weights are those of one network: ask solutions[{place}].at(t)")

    def drift(self, t: float = np.inf) -> float:
        """The largest of all networks: see `Solution.drift`."""
        return max(self[place].drift(t) for place in np.ndindex(self.shape))

    def laziness(self, t: float = np.inf) -> Laziness:
        """All measures at t in one record of arrays, NaN where one is 0/0."""
        m = self.measures(times(t, ndim=0))
        net = self.start
        assert isinstance(net.recurrent, np.ndarray)
        size_w = squares(net.recurrent)
        size = size_w + squares(net.inputs) + squares(net.readout)
        fields: dict[str, Any] = m._asdict()
        fields["relative_weight_change"] = over_root(m.weight_change, size)
        fields["relative_weight_change_recurrent"] = over_root(m.weight_change_recurrent, size_w)
        return Laziness(
            **fields,
            time=float(t),
            method=self.method,
            assumptions=self.assumptions,
            accuracy=self.accuracy,
        )


class _Group(Group, Protocol):
    """How some networks of a stack are answered for."""

    @property
    def error(self) -> float:
        """The largest of what was handed out last."""

    def measures(self, at: Array) -> Measures:
        """Every measure at ascending times, (times, networks)."""


class _Alone:
    """One network by its own route."""

    def __init__(self, where: Places, solution: Solution) -> None:
        self.where, self._solution = where, solution

    @property
    def methods(self) -> list[str]:
        return [self._solution.method]

    @property
    def assumptions(self) -> list[tuple[str, ...]]:
        return [self._solution.assumptions]

    @property
    def error(self) -> float:
        return self._solution.error or 0.0

    def measures(self, at: Array) -> Measures:
        return Measures(*(v[:, None] for v in self._solution.measures(at)))


class _Integrated:
    """T16: small networks whose flow takes its steps together."""

    def __init__(
        self, where: Places, reduced: list[Reduced], leak: float, words: tuple[str, ...]
    ) -> None:
        self.where, self._each, self._leak, self._words = where, reduced, leak, words
        self.error = 0.0
        self._said: list[tuple[str, ...]] = [()] * where.size

    @property
    def methods(self) -> list[str]:
        return ["flow (T16)"] * self.where.size

    @property
    def assumptions(self) -> list[tuple[str, ...]]:
        return self._said

    def measures(self, at: Array) -> Measures:
        parts = [one.problem for one in self._each]
        u, w, v, target = (np.concatenate(x) for x in list(zip(*parts, strict=True))[:4])
        stack = Problem(u, w, v, target, parts[0].root, parts[0].rates)
        changes, found, self.error = certified(Reduced(stack, None, 0.0), at, self._leak)
        self._said = [self._words] * self.where.size
        if np.isinf(at[-1]):
            for i, one in enumerate(self._each):
                du, dw, dv, rest = changes[-1]
                own = slice(i, i + 1)
                change = Change(du[own], dw[own], dv[own], rest[own])
                self._said[i] += left_over(one, change, float(found.loss[-1, i]))
        return found


def _integrated(
    flows: list[tuple[int, Reduced]], leak: float, words: tuple[str, ...]
) -> list[_Group]:
    """Flows in groups of one scale and stiffness."""
    scales = [float(np.linalg.norm(one.problem.target)) for _, one in flows]
    rates = [float(start_rates(one.problem).max()) for _, one in flows]
    stiffness = [rate / scale for rate, scale in zip(rates, scales, strict=True)]
    return [
        _Integrated(np.array([flows[i][0] for i in some]), [flows[i][1] for i in some], leak, words)
        for some in alike(scales, stiffness)
    ]
