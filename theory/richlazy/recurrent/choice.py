"""Which route answers for one recurrent start and one task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np

from richlazy.errors import AssumptionError, several
from richlazy.recurrent.network import Network, as_network
from richlazy.recurrent.reduction import Training, closed, exact, whole
from richlazy.recurrent.routes.blocks import aligned_blocks
from richlazy.recurrent.routes.route import ByFlow, ByModes, ByReduction
from richlazy.recurrent.solution import Route
from richlazy.recurrent.task import Task, as_task
from richlazy.start import matrices
from richlazy.start.matrices import Thin

__all__ = ["PARTS", "Case", "Method", "check_fit", "checked", "exact_route", "route", "training"]

Method: TypeAlias = Literal["modes", "reduced", "flow"]

#: What may be trained.
PARTS = ("inputs", "recurrent", "readout")
_DENSE = 400  # units up to which the flow of a network that cannot be reduced is integrated whole
_KERNEL = 2000  # largest side of the tangent kernel
_JACOBIAN = 4e7  # entries, a third of a gigabyte


def training(trained: Sequence[str]) -> Training:
    """Which matrices are trained, from their names."""
    parts = several(
        (trained,) if isinstance(trained, str) else trained, "trained", "write trained=['inputs']"
    )
    unknown = [part for part in parts if not isinstance(part, str) or part not in PARTS]
    if unknown or not parts:
        raise ValueError(f"trained must name one or more of {', '.join(PARTS)}; it is {trained!r}")
    return Training(*(part in parts for part in PARTS))


def check_fit(net: Network, task: Task) -> None:
    """ValueError unless network and task have the same ends and a kernel of sensible size."""
    as_network(net)
    as_task(task)
    for name, mine, theirs in (
        ("channels", net.channels, task.channels),
        ("outputs", net.outputs, task.outputs),
    ):
        if mine != theirs:
            raise ValueError(f"the network has {mine} {name}, the task {theirs}")
    reads, states = (task.steps * k for k in (task.outputs, task.channels))
    size = task.outputs * states
    jacobian = size * min(net.units, reads) * min(net.units, states)
    if size > _KERNEL or jacobian > _JACOBIAN:
        raise ValueError(
            f"steps x outputs x channels is {size}: the Jacobian of so many responses by the "
            f"weights that count has {jacobian:.1e} entries, more than {_JACOBIAN:.0e}, or "
            f"they are more than {_KERNEL}; take fewer steps"
        )


class Case:
    """A network and a task, and what several routes need of them."""

    def __init__(self, net: Network, task: Task, trained: Training, tolerance: float) -> None:
        check_fit(net, task)
        self.net, self.task, self.trained, self.tolerance = net, task, trained, tolerance

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What holds whatever the route."""
        parts = [name for name, on in zip(PARTS, self.trained, strict=True) if on]
        white = () if self.task.cov is not None else ("inputs white over steps and channels",)
        return (*white, f"trained: {', '.join(parts)}", "read at the last step")

    @cached_property
    def factors(self) -> Thin | None:
        """Thin factors of W where its rank makes them worth having."""
        net, found = self.net, self.net.recurrent
        if not isinstance(found, Thin):
            least = 2 * (net.channels + net.outputs)
            if not isinstance(found, np.ndarray) or net.units <= least:
                return None
            found = matrices.svd(found)
        held = net.channels + net.outputs + 2 * found.values.size
        return found if held < net.units else None


def _by_modes(case: Case) -> Route | str:
    reduced = closed(case.net, case.task, case.trained)
    if reduced is None:
        return "W takes the directions of U and V' to others: they hold no modes of it"
    blocks = aligned_blocks(reduced.problem)
    if isinstance(blocks, str):
        return blocks
    return ByModes(case.net, reduced, blocks, case.words)


def _by_thin_factors(case: Case) -> Route | str:
    if case.factors is None:
        return "W has no low rank"
    reduced = exact(case.net, case.task, case.trained, case.factors)
    rank = case.factors.values.size
    said = (f"W of rank {rank}: n + m + 2 r directions hold the flow exactly",)
    return ByFlow(case.net, reduced, (*case.words, *said))


def _by_small(case: Case) -> Route | str:
    if case.net.units > _DENSE:
        return f"{case.net.units} units are more than {_DENSE}"
    return _by_flow(case)


def _by_reduction(case: Case) -> Route | str:
    found = _by_thin_factors(case)
    if not isinstance(found, str):
        return found
    return ByReduction(case.net, case.task, case.trained, case.tolerance, case.words)


def _by_flow(case: Case) -> Route | str:
    if case.net.units > matrices.DENSE_LIMIT:
        return f"{case.net.units} units are too many for a dense flow; use 'reduced'"
    return ByFlow(case.net, whole(case.net, case.task, case.trained), case.words)


_ROUTES: dict[str, Callable[[Case], Route | str]] = {
    "modes": _by_modes,
    "reduced": _by_reduction,
    "flow": _by_flow,
}
_EXACT = (_by_modes, _by_thin_factors)
_PREFERRED = (*_EXACT, _by_small, _by_reduction)


def checked(method: Method | None) -> Method | None:
    """The method, if there is one of that name."""
    if method is not None and (not isinstance(method, str) or method not in get_args(Method)):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}; it is {method!r}")
    return method


def route(case: Case, method: Method | None) -> Route:
    """The first route that applies, or the one asked for.

    Raises
    ------
    AssumptionError
        If the one asked for does not apply, with what stands against it.
    """
    for attempt in _PREFERRED if method is None else (_ROUTES[method],):
        found = attempt(case)
        if not isinstance(found, str):
            return found
    raise AssumptionError(f"{method} does not apply: {found}")


def exact_route(case: Case) -> Route | None:
    """The first that makes the network small exactly, if one does."""
    tried = (attempt(case) for attempt in _EXACT)
    return next((found for found in tried if not isinstance(found, str)), None)
