"""One recurrent start and one task, or stacks of them: the exact route where there is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from richlazy.errors import positive
from richlazy.recurrent.choice import PARTS, Case, Method, checked, route, training
from richlazy.recurrent.network import Network, as_networks
from richlazy.recurrent.record import Laziness
from richlazy.recurrent.solution import Solution
from richlazy.recurrent.stacked import Solutions
from richlazy.recurrent.task import Task, as_tasks

__all__ = ["Method", "predict", "solve"]


def solve(
    net: Network,
    task: Task,
    method: Method | None = None,
    *,
    trained: Sequence[str] = PARTS,
    tolerance: float = 1e-6,
) -> Solution:
    """Gradient flow of a linear recurrent network (T16).

    Parameters
    ----------
    net, task
        Must have the same channels and outputs. Stacks (leading axes) are broadcast against each
        other; every measure then has the shape of the stack, then that of t.
    method
        Force "modes" (T19: network and task share their modes), "reduced" (T18: a small network
        with the same flow) or "flow" (T16 as it is); AssumptionError, saying what stands against
        it, if it does not apply. None takes the first that is exact, or "reduced" for networks of
        more than 400 units.
    trained
        Which of "inputs", "recurrent" and "readout" move.
    tolerance
        Of "reduced" where it is not exact: the space grows until what leaks from it makes an
        error of the measures below this, relative.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> w = 0.6 * rng.standard_normal((30, 30)) / np.sqrt(30)
    >>> sol = solve(Network.random(w, rng=rng), Task.random(4, rng=rng))
    >>> sol.method, bool(sol.loss(np.inf) < 1e-12)
    ('flow (T16)', True)
    """
    net, task, method = as_networks(net), as_tasks(task), checked(method)
    parts, within = training(trained), float(positive(tolerance, "tolerance", ndim=0))
    if net.shape or task.shape:
        return Solutions(net, task, method, parts, within)
    return Solution(net, task, route(Case(net, task, parts, within), method))


def predict(
    net: Network,
    task: Task,
    t: float = np.inf,
    *,
    method: Method | None = None,
    trained: Sequence[str] = PARTS,
) -> Laziness:
    """Laziness of one recurrent start on one task between time 0 and t, by `recurrent.solve`.

    Of stacks every measure is an array of their shape, NaN where it is 0/0.
    """
    return solve(net, task, method, trained=trained).laziness(t)
