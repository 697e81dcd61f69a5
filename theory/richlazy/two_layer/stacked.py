"""The trajectories of a stack of networks, from `solve`, each by the route that it would get alone.

Closed forms answer one by one, alignments of lambda-balanced networks all at once (`stacks`);
small networks whose flow has to be integrated share steps with others of their scale and
stiffness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
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
from richlazy.integration.parts import components
from richlazy.integration.shared import Shared
from richlazy.laziness import Alignments, ChangeRank, Laziness, Measures
from richlazy.start import precision
from richlazy.start.network import Network
from richlazy.start.stack import places, together
from richlazy.start.task import Task
from richlazy.summary import summary
from richlazy.two_layer import stacks
from richlazy.two_layer.choice import Answer, Case, Method, closed_route, route
from richlazy.two_layer.flow import Problem
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.routes.certificate import certified, left_unlearned
from richlazy.two_layer.routes.doubt import Doubt
from richlazy.two_layer.solution import Solution, State

__all__ = ["Solutions"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_SMALL = 24**2  # entries of W1: larger networks gain nothing from steps in common
_AT_ONCE = 4  # times that lambda-balanced networks are asked for together; of more, one by one
_METHODS = (None, "flow", "krylov")  # that end at the flow, of which a small one is exact
_ACCURATE = 1e-15


class Solutions(Solution):
    """The trajectories of a stack, from `solve`: a `Solution` whose answers have its shape first.

    For t of shape s every measure, and every representation, readout and function, has the shape
    of the stack, then s, then its own. `solutions[place]` is the Solution of one network.

    Examples
    --------
    >>> from richlazy.two_layer.solve import solve
    >>> rng = np.random.default_rng(0)
    >>> found = solve(
    ...     Network(0.3 * rng.standard_normal((20, 4, 3))),
    ...     Task(rng.standard_normal((20, 2, 3))))
    >>> found.loss([0.0, 1.0, np.inf]).shape, found.method
    ((20, 3), 'flow (T11)')
    """

    def __init__(self, start: Network, task: Task, method: Method | None = None) -> None:
        Shared.__init__(self)
        self.start, self.task = together(start, task)
        self.shape, self._asked = self.start.shape, method
        self._groups = Groups(self.shape, self._grouped())

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: int | tuple[int, ...]) -> Solution:
        """What `solve` says of one network, or of a stack of what further axes hold."""
        start, task = self.start[place], self.task[place]
        if start.shape:
            return Solutions(start, task, self._asked)
        return Solution(start, task, route(Case(start, task), self._asked))

    def __repr__(self) -> str:
        return summary(
            self,
            shape=self.shape,
            method=self.method,
            inputs=self.start.inputs,
            hidden=self.start.hidden,
            outputs=self.task.outputs,
        )

    @property
    def method(self) -> str:
        """Which solvers answered, and where there are several how often."""
        with self._lock:
            return self._groups.method

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the methods needed, each with how many networks of the stack it is said of."""
        with self._lock:
            return self._groups.assumptions

    @property
    def accuracy(self) -> str:
        """How far the numbers given so far can be trusted, at worst."""
        with self._lock:
            worst = Doubt()
            for group in self._groups:
                worst.include(group.doubt)
        return f"every network to {worst}, or better"

    def _grouped(self) -> list[_Group]:
        """Which networks are answered for together."""
        count = int(np.prod(self.shape))
        first = self.start.first
        assert isinstance(first, np.ndarray)
        balanced = np.zeros(count, dtype=bool)
        groups: list[_Group] = []
        if self._asked in (None, "riccati") and self.task.white:
            w1, cov_yx = _flat(first), _flat(self.task.cov_yx)
            w2 = None if self.start.readout is None else _flat(self.start.readout)
            balanced = stacks.balanced(w1, w2, cov_yx)
            where = np.flatnonzero(balanced)
            if where.size:
                w2 = None if w2 is None else w2[where]
                groups.append(_Balanced(where, self._case, w1[where], w2, cov_yx[where]))
        flows: list[tuple[int, Reduced]] = []
        for k in np.flatnonzero(~balanced).tolist():
            case = self._case(k)
            found = None if self._asked else closed_route(case)
            if found is None and self._asked in _METHODS and _sharing(case):
                flows.append((k, case.invariant))
            else:
                groups.append(_Alone(np.array([k]), found or self._chosen(k, case)))
        return groups + _integrated(flows)

    def _case(self, k: int) -> Case:
        at = places(self.shape, k)
        return Case(self.start[at], self.task[at])

    def _chosen(self, k: int, case: Case) -> Answer:
        try:
            return route(case, self._asked)
        except AssumptionError as refusal:
            where = places(self.shape, k)
            raise AssumptionError(f"network {where} of the stack: {refusal}") from None

    def _every_measure(self, at: Array) -> tuple[Array, ...]:
        return self._groups.answers(lambda group: group.measures(at))

    def _every_alignment(self, at: Array) -> tuple[Array, ...]:
        return self._groups.answers(lambda group: group.alignments(at))

    def measures(self, t: ArrayLike = np.inf) -> Measures:
        """Every measure at t; an undefined alignment is NaN here, an error from its own method."""
        return Measures(*in_front(self._answers(t, self._every_measure), self.shape))

    def _alignments(self, t: ArrayLike) -> Alignments:
        return Alignments(*in_front(self._answers(t, self._every_alignment), self.shape))

    def at(self, t: float) -> State:
        """Refused of a stack: ask one network, `solutions[place].at(t)`."""
        place = ", ".join("0" * len(self.shape))
        raise ValueError(f"weights are those of one network: ask solutions[{place}].at(t)")

    def drift(self, t: float = np.inf) -> float:
        """The largest of all networks: see `Solution.drift`."""
        return max(self[place].drift(t) for place in np.ndindex(self.shape))

    def change_rank(self, t: ArrayLike = np.inf) -> ChangeRank:
        """Participation ratio of the change of each layer: see `Solution.change_rank`."""
        found = self._each(lambda one: np.stack(one.change_rank(t)))
        return ChangeRank(*np.moveaxis(found, len(self.shape), 0))

    def representation(self, t: ArrayLike) -> Array:
        """R(t) = W1'W1, dense: the shape of the stack, that of t, then (d, d)."""
        return self._each(lambda one: one.representation(t))

    def readout(self, t: ArrayLike) -> Array:
        """B(t) = W2 W2': the shape of the stack, that of t, then (m, m)."""
        return self._each(lambda one: one.readout(t))

    def function(self, t: ArrayLike) -> Array:
        """W2(t) W1(t): the shape of the stack, that of t, then (m, d)."""
        return self._each(lambda one: one.function(t))

    def _each(self, question: Callable[[Solution], Array]) -> Array:
        found = np.stack([question(self[place]) for place in np.ndindex(self.shape)])
        return found.reshape(self.shape + found.shape[1:])

    def laziness(self, t: float = np.inf) -> Laziness:
        """All measures at t in one record of arrays, NaN where one is 0/0."""
        m = self.measures(times(t, ndim=0))
        size1 = squares(self.start.first)
        size = size1 + (0.0 if self.start.readout is None else squares(self.start.readout))
        fields: dict[str, Any] = m._asdict()
        fields["relative_weight_change"] = over_root(m.weight_change, size)
        fields["relative_weight_change_input"] = over_root(m.weight_change_input, size1)
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
    def doubt(self) -> Doubt:
        """The largest errors of what was handed out so far."""

    def measures(self, at: Array) -> Measures:
        """Every measure at ascending times, (times, networks)."""

    def alignments(self, at: Array) -> Alignments:
        """Alignments and loss, likewise."""


class _Alone:
    """One network by its own route."""

    def __init__(self, where: Places, answer: Answer) -> None:
        self.where, self.route = where, answer

    @property
    def methods(self) -> list[str]:
        return [self.route.method]

    @property
    def assumptions(self) -> list[tuple[str, ...]]:
        return [self.route.assumptions]

    @property
    def doubt(self) -> Doubt:
        return self.route.doubt

    def measures(self, at: Array) -> Measures:
        return Measures(*(v[:, None] for v in self.route.measures(at)))

    def alignments(self, at: Array) -> Alignments:
        answer = getattr(self.route, "alignments", self.route.measures)(at)
        return Alignments(*(v[:, None] for v in answer.alignments))


class _Balanced:
    """Lambda-balanced networks: alignments at few times at once, all else one by one."""

    def __init__(
        self,
        where: Places,
        case: Callable[[int], Case],
        first: Array,
        readout: Array | None,
        cov_yx: Array,
    ) -> None:
        self.where, self._case = where, case
        self._layers = first, readout, cov_yx
        self._doubt = Doubt()
        self._alone = False

    @cached_property
    def _routes(self) -> list[Answer]:
        """Of each network: rounding may leave the closed form to another route."""
        return [route(self._case(int(k)), None) for k in self.where]

    @property
    def methods(self) -> list[str]:
        if self._alone:
            return [answer.method for answer in self._routes]
        return ["riccati (T5)"] * self.where.size

    @property
    def assumptions(self) -> list[tuple[str, ...]]:
        if self._alone:
            return [answer.assumptions for answer in self._routes]
        return [("white inputs", "lambda-balanced to rounding")] * self.where.size

    @property
    def doubt(self) -> Doubt:
        found = Doubt(self._doubt.floor).include(self._doubt)
        for answer in self._routes if self._alone else ():
            found.include(answer.doubt)
        return found

    def measures(self, at: Array) -> Measures:
        self._alone = True
        each = [answer.measures(at) for answer in self._routes]
        return Measures(*(np.stack(columns, axis=1) for columns in zip(*each, strict=True)))

    def alignments(self, at: Array) -> Alignments:
        if at.size <= _AT_ONCE and not self._alone:
            try:
                return self._at_once(at)
            except AssumptionError:
                pass
        self._alone = True
        each = [
            getattr(answer, "alignments", answer.measures)(at).alignments for answer in self._routes
        ]
        return Alignments(*(np.stack(columns, axis=1) for columns in zip(*each, strict=True)))

    def _at_once(self, at: Array) -> Alignments:
        found = stacks.alignments(*self._layers, at[:, None])
        self._doubt.relative = max(self._doubt.relative, float(found.error.max()))
        share = found.loss / (0.5 * squares(self._layers[2]))
        known = np.maximum(found.error, _ACCURATE) / np.sqrt(np.maximum(share, _ACCURATE**2))
        self._doubt.take_loss(found.loss, 4.0 * known)
        return Alignments(*(getattr(found, name) for name in Alignments._fields))


class _Integrated:
    """T11: small networks whose flow takes its steps together."""

    def __init__(self, where: Places, reduced: list[Reduced]) -> None:
        self.where, self._each = where, reduced
        self.doubt = Doubt()
        self._said: list[tuple[str, ...]] = [()] * where.size

    @property
    def methods(self) -> list[str]:
        return ["flow (T11)"] * self.where.size

    @property
    def assumptions(self) -> list[tuple[str, ...]]:
        every = ("white inputs", "integrated on the invariant subspace")
        return [
            (*every, *one.said, *said) for one, said in zip(self._each, self._said, strict=True)
        ]

    @cached_property
    def _reduced(self) -> Reduced:
        parts = [one.problem for one in self._each]
        first, readout, cov_yx = (np.concatenate(x) for x in list(zip(*parts, strict=True))[:3])
        trace, square, beyond = (
            np.array([getattr(one, name) for one in self._each])
            for name in ("trace", "trace_square", "out_of_reach")
        )
        return replace(
            self._each[0],
            problem=Problem(first, readout, cov_yx, None),
            trace=trace,
            trace_square=square,
            coupling=np.zeros(len(first)),
            out_of_reach=beyond,
        )

    def measures(self, at: Array) -> Measures:
        found, doubt, _ = certified(self._reduced, at)
        self.doubt.include(doubt)
        if np.isinf(at[-1]):
            rest = zip(self._each, found.loss[-1], strict=True)
            self._said = [left_unlearned(one, float(loss)) for one, loss in rest]
        return found

    def alignments(self, at: Array) -> Alignments:
        return self.measures(at).alignments


def _sharing(case: Case) -> bool:
    """Whether a flow may share its steps: none of its weights or blocks has a scale of its own."""
    if (
        case.start.hidden * case.start.inputs > _SMALL
        or case.colour is not None
        or case.start.graded
    ):
        return False
    first, readout, cov_yx, _ = case.invariant.problem
    both = np.concatenate([first[0], readout[0].T], axis=1)
    uneven = precision.graded(both) or precision.graded(cov_yx[0])
    return not uneven and components([first[0], readout[0]], cov_yx[0]) is None


def _integrated(flows: list[tuple[int, Reduced]]) -> list[_Group]:
    """Flows in groups of one shape, scale and stiffness."""
    groups: list[_Group] = []
    shapes: dict[tuple[int, ...], list[tuple[int, Reduced]]] = {}
    for k, reduced in flows:
        first, readout = reduced.problem[:2]
        shapes.setdefault(first.shape[1:] + readout.shape[1:2], []).append((k, reduced))
    for same in shapes.values():
        scales = [float(np.linalg.norm(one.problem.cov_yx)) or 1.0 for _, one in same]
        rates = [
            float(np.linalg.norm(one.problem.first[0], 2) ** 2
                  + np.linalg.norm(one.problem.readout[0], 2) ** 2) / scale
            for (_, one), scale in zip(same, scales, strict=True)
        ]  # fmt: skip
        for some in alike(scales, rates):
            where = np.array([same[i][0] for i in some])
            groups.append(_Integrated(where, [same[i][1] for i in some]))
    return groups


def _flat(x: Array) -> Array:
    return x.reshape(-1, *x.shape[-2:])
