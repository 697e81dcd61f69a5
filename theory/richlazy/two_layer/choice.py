"""Which route answers for one start and one task.

Order of preference: closed modes (T2, T3: the start shares its modes with the task), the closed
form of T6 (one output and a Krylov chain complete at k = 1: every flat start), the matrix
Riccati solution (T5: lambda-balanced, white inputs), the Krylov reduction (T15: white inputs)
and the flow (T11: everything).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError
from richlazy.start import matrices
from richlazy.start.network import Network
from richlazy.start.task import Modes, Task
from richlazy.two_layer.reduction.block_krylov import BlockChain
from richlazy.two_layer.reduction.krylov import Bidiagonal, Reduced
from richlazy.two_layer.reduction.subspace import invariant_subspace
from richlazy.two_layer.routes.doubt import Doubt
from richlazy.two_layer.routes.flow import ByFlow
from richlazy.two_layer.routes.krylov import ByKrylov, beyond
from richlazy.two_layer.routes.modes import closed_modes
from richlazy.two_layer.routes.neuron import ByNeuron
from richlazy.two_layer.routes.riccati import ByRiccati, seems_balanced
from richlazy.two_layer.solution import Route

__all__ = ["Answer", "Case", "Method", "checked", "closed_route", "route"]

Array = NDArray[np.float64]
_SMALL = 128**2  # entries of W1 up to which the flow needs no reduction
_FAR = 1e-6  # of the largest: Krylov steps that no rounding makes

Method: TypeAlias = Literal["modes", "closed form", "riccati", "krylov", "flow"]


class Answer(Route, Protocol):
    """A route, and how far its numbers can be trusted as numbers."""

    @property
    def doubt(self) -> Doubt:
        """The largest errors of what was handed out so far."""


class Case:
    """A start and a task, and what several routes need of them."""

    def __init__(self, start: Network, task: Task) -> None:
        self.start, self.task = start, task

    @cached_property
    def invariant(self) -> Reduced:
        """The small network of the directions that can move (T11)."""
        return invariant_subspace(self.start, self.task)

    @property
    def known_modes(self) -> Modes | None:
        """Those of the task, where the small network has it as it is."""
        task = self.task.cov_yx
        return self.task.modes if np.array_equal(self.invariant.problem.cov_yx[0], task) else None

    @cached_property
    def colour(self) -> str | None:
        """What stands against white inputs."""
        if self.task.cov_xx is None:
            return None
        gap = np.abs(self.task.cov_xx - np.eye(self.task.inputs)).max()
        return f"it needs white inputs; cov_xx differs from the identity by {gap:g}"

    @cached_property
    def single(self) -> str | None:
        """What stands against one output learned through a silent readout."""
        if self.task.outputs != 1:
            return f"it needs one output; the task has {self.task.outputs}"
        if self.start.readout is not None:
            size = np.linalg.norm(self.start.readout)
            return f"it needs a silent readout; ||W2(0)|| = {size:g}"
        return self.colour

    @cached_property
    def chain(self) -> Bidiagonal:
        """Krylov chain of one output, one step long."""
        start = self.start
        chain = Bidiagonal(start.first, self.task.cov_yx, start.moments, unit=start.precision)
        chain.grow(1)
        return chain

    @cached_property
    def mixes(self) -> bool:
        """Whether two Krylov steps show by far that the task is no mode of W1, and W1 not flat.

        They are taken anyway, and save the products by which the other routes would find out.
        """
        if self.single is not None:
            return False
        chain, far = self.chain, max(_FAR, 100.0 * self.start.precision)
        return bool(min(chain.beta[0][0], chain.alpha[1][0]) > far * chain.scale[0])

    @cached_property
    def chain_words(self) -> tuple[str, ...]:
        """What the single chain needed."""
        words: tuple[str, ...] = ("one output", "silent readout", "white inputs")
        words += _estimated(self.chain.moments)
        if self.chain.alpha[0][0] == 0.0:
            lost = self.chain.left_out
            known = f" to rounding ({lost:.0e} of W1)" if lost else ""
            rests = "it rests at a saddle and never learns"
            words += (f"the start is orthogonal to the task{known}: {rests}",)
        return words


def _estimated(moments: matrices.Moments) -> tuple[str, ...]:
    if moments.exact:
        return ()
    return tuple(
        f"{name} is a stochastic estimate, standard error "
        f"{moment.standard_error / moment.value:.1e} relative"
        for name, moment in (("tr R_0", moments.trace), ("tr R_0^2", moments.trace_square))
        if moment.standard_error > 0
    )


def _by_neuron(case: Case) -> Answer | str:
    if case.single is not None:
        return case.single
    if not case.chain.complete:
        return "the Krylov chain goes on past k = 1: the start is not flat as the task sees it"
    try:
        words = (
            *case.chain_words,
            "the Krylov space of W1(0) and the task is one neuron",
            *beyond(case.chain),
        )
        return ByNeuron(case.chain.reduced(), words, case.chain.blur)
    except AssumptionError as refusal:
        return str(refusal)


def _by_riccati(case: Case) -> Answer | str:
    if case.colour is not None:
        return case.colour
    if not matrices.has_factors(case.start.first):
        return f"W1 of shape {case.start.first.shape} is too large for its singular vectors"
    if not seems_balanced(case.start):
        return "the start is not lambda-balanced: W2'W2 - W1 W1' is no multiple of the identity"
    try:
        return ByRiccati(case.invariant, case.start.precision, case.known_modes)
    except AssumptionError as refusal:
        return str(refusal)


def _by_krylov(case: Case) -> Answer | str:
    if case.single is None:
        return ByKrylov(case.chain, case.chain_words, case.start.graded)
    chain = BlockChain(case.start, case.task)
    white = ("white inputs",) if case.task.white else ()
    return ByKrylov(chain, (*white, *_estimated(chain.moments)), case.start.graded)


def _by_krylov_where_it_pays(case: Case) -> Answer | str:
    """With inputs that are not white the chain is soon all there is (see `block_krylov`).

    The flow on units and inputs as they are keeps those that a rotation would lose.
    """
    first = case.start.first
    if case.colour is not None and matrices.has_factors(first):
        return case.colour
    if case.start.graded and first.shape[0] * first.shape[1] <= _SMALL:
        return "weak units or inputs of W1 would drown in rounding of the strong ones"
    return _by_krylov(case)


_MIXES = "W1 mixes the task with other directions"


def _by_modes(case: Case) -> Answer | str:
    return closed_modes(case.start, case.task)


def _by_modes_unless_mixed(case: Case) -> Answer | str:
    return _MIXES if case.mixes else _by_modes(case)


def _by_riccati_unless_mixed(case: Case) -> Answer | str:
    return _MIXES if case.mixes else _by_riccati(case)


def _by_flow(case: Case) -> Answer | str:
    return ByFlow(case.invariant)


_ROUTES: dict[str, Callable[[Case], Answer | str]] = {
    "modes": _by_modes,
    "closed form": _by_neuron,
    "riccati": _by_riccati,
    "krylov": _by_krylov,
    "flow": _by_flow,
}
_CLOSED = (_by_modes_unless_mixed, _by_neuron, _by_riccati_unless_mixed)
_INTEGRATED = (_by_krylov_where_it_pays, _by_flow)


def checked(method: Method | None) -> Method | None:
    """The method, if there is one of that name."""
    if method not in (None, *get_args(Method)):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}; it is {method!r}")
    return method


def route(case: Case, method: Method | None) -> Answer:
    """The first route that applies, or the one asked for.

    Raises
    ------
    AssumptionError
        If the one asked for does not apply, with what stands against it.
    """
    if method is None:
        found = (attempt(case) for attempt in (*_CLOSED, *_INTEGRATED))
        return next(route for route in found if not isinstance(route, str))
    answer = _ROUTES[method](case)
    if isinstance(answer, str):
        raise AssumptionError(f"{method} does not apply: {answer}")
    return answer


def closed_route(case: Case) -> Answer | None:
    """The first closed form that applies, if one does."""
    found = (attempt(case) for attempt in _CLOSED)
    return next((route for route in found if not isinstance(route, str)), None)
