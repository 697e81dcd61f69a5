"""What is predicted of each of many networks, here or by other processes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import repeat

import numpy as np

from richlazy.errors import times
from richlazy.laziness import Laziness
from richlazy.start.matrices import MatrixLike
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import predict

__all__ = ["predict_each"]

_PARTS = 50  # of a list: one network may take less than its way to a worker


def predict_each(
    starts: Sequence[Network | MatrixLike],
    tasks: Sequence[Task] | Task,
    t: float = np.inf,
    *,
    executor: Executor | None = None,
) -> list[Laziness]:
    """What `richlazy.predict` says of each start on its task, at one time.

    Parameters
    ----------
    starts
        Networks, or first layers, of any sizes.
    tasks
        One for each start, or one for all.
    t
        Time (learning rate x steps).
    executor
        Of `concurrent.futures`, or of a dask cluster (`Client(...).get_executor()`); None is this
        process. The numbers are the same.

    Raises
    ------
    ValueError
        Of the first start that has no answer, naming its place; AssumptionError and
        ConvergenceError are raised as such.

    Examples
    --------
    >>> tasks = [Task.teacher([1.0, 0.0]), Task.teacher([0.0, 1.0])]
    >>> predict_each([np.eye(2), [[1.0, 0.0]]], tasks)
    Traceback (most recent call last):
    richlazy.errors.KindError: start 1: ...
    >>> [round(x.kernel_alignment, 4) for x in predict_each([np.eye(2)] * 2, tasks)]
    [0.9874, 0.9874]
    """
    every: Sequence[Task] = [tasks] * len(starts) if isinstance(tasks, Task) else tasks
    if len(every) != len(starts):
        raise ValueError(
            f"tasks must be one, or one for each of {len(starts)} starts; there are {len(every)}"
        )
    cases = range(len(starts)), starts, every, repeat(float(times(t, ndim=0)))
    if executor is None:
        return [_alone(*case) for case in zip(*cases, strict=False)]
    return list(executor.map(_alone, *cases, chunksize=max(1, len(starts) // _PARTS)))


def _alone(place: int, start: Network | MatrixLike, task: Task, t: float) -> Laziness:
    try:
        return predict(start, task, t)
    except ValueError as error:
        raise type(error)(f"start {place}: {error}") from None
