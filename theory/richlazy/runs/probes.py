"""Inputs on which a run has the measures of the theory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy import recurrent
from richlazy.errors import KindError
from richlazy.start.task import Task, as_task

__all__ = ["probes"]

Array = NDArray[np.float64]


def probes(task: Task | recurrent.Task) -> Array:
    """Inputs on which representation and tangent kernel are those of the theory.

    The theory's RA and KA are over the distribution of inputs: R = cov_xx^(1/2) W1'W1
    cov_xx^(1/2). Over probes X that is X W1'W1 X', the same for the rows of cov_xx^(1/2), unit
    vectors where inputs are white; the kernel then is that over (sample, output),
    `outputs="full"`. Of a recurrent network they are pulses, one for each (lag, channel), or
    the rows of the root of its covariance.

    Parameters
    ----------
    task
        Of either kind.

    Returns
    -------
    ndarray
        (inputs, inputs), or (steps x channels, steps, channels) in the order of time.

    Examples
    --------
    >>> probes(Task.teacher([1.0, 0.5])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    >>> probes(recurrent.Task([1.0, 0.0, 0.5]))[0].ravel().tolist()  # lag 0 is the last step
    [0.0, 0.0, 1.0]
    """
    if isinstance(task, recurrent.Task):
        size = task.steps * task.channels
        root = np.eye(size) if task.root is None else task.root
        return root.reshape(size, task.steps, task.channels)[:, ::-1].copy()
    if not isinstance(task, Task):
        raise KindError(f"task must be a Task; it is {type(task).__name__}")
    seen = as_task(task).root
    return np.eye(task.inputs) if seen is None else seen.copy()
