"""One start, one task, or stacks of them: the exact route where there is one, and a Solution."""

from __future__ import annotations

import numpy as np

from richlazy.laziness import Laziness
from richlazy.start.matrices import MatrixLike
from richlazy.start.network import Network, as_networks
from richlazy.start.task import Task, as_tasks
from richlazy.two_layer.choice import Case, Method, checked, route
from richlazy.two_layer.solution import Solution
from richlazy.two_layer.stacked import Solutions

__all__ = ["Method", "predict", "solve"]


def solve(start: Network | MatrixLike, task: Task, method: Method | None = None) -> Solution:
    """Gradient flow of `start` on `task`.

    Parameters
    ----------
    start, task
        Must have the same number of inputs, and of outputs unless the readout is silent. A
        matrix for `start` is a first layer with a silent readout, as in `expect`; an array for
        `task` is refused, since it may be cov_yx, weights or data. Stacks (leading axes) are
        broadcast against each other, and answered for at once: every measure then has the shape
        of the stack, then that of t.
    method
        Force "modes", "closed form", "riccati", "krylov" or "flow"; AssumptionError, saying
        which number stands against it, if it does not apply. None takes the first that does.

    Examples
    --------
    >>> from richlazy.start import spectrum
    >>> rng = np.random.default_rng(0)
    >>> task = Task.random(100, 1, rng=rng)
    >>> start = Network.from_spectrum(
    ...     spectrum.flat(rank=5), task=task, hidden=50, alignment=0.3, rng=rng)
    >>> sol = solve(start, task)
    >>> sol.method, round(float(sol.kernel_alignment(np.inf)), 6)
    ('closed form (T6)', 0.271628)
    >>> stack = Network(np.stack([0.1 * np.eye(2), np.eye(2)]))
    >>> solve(stack, Task.teacher([1.0, 0.0])).kernel_alignment(np.inf).round(4)
    array([0.9493, 0.9874])
    """
    start, task = as_networks(start), as_tasks(task)
    if start.inputs != task.inputs:
        raise ValueError(f"the network has {start.inputs} inputs, the task {task.inputs}")
    if start.readout is not None and start.readout.shape[-2] != task.outputs:
        raise ValueError(
            f"W2 has {start.readout.shape[-2]} outputs, the task {task.outputs}: they must agree"
        )
    method = checked(method)
    if start.shape or task.shape:
        return Solutions(start, task, method)
    return Solution(start, task, route(Case(start, task), method))


def predict(
    start: Network | MatrixLike, task: Task, t: float = np.inf, *, method: Method | None = None
) -> Laziness:
    """Laziness of one start on one task between time 0 and t (learning rate x steps).

    By the first route of `richlazy.solve` that holds, from what `solve` takes; the record's
    `method`, `assumptions` and `accuracy` say which and how good. Of stacks every measure is an
    array of their shape, NaN where it is 0/0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> task = Task.random(50, 1, rng=rng)
    >>> predict(Network(rng.standard_normal((30, 50)) / 40), task).method
    'krylov (T15), k=6'
    """
    return solve(start, task, method).laziness(t)
