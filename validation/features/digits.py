"""The handwritten digits that come with scikit-learn, as a linear task (T11), and starts for it.

64 pixels, of which some never change, and 10 classes as one-hot targets. A network without a bias
learns what is centred, so both are; pixels are scaled to a mean variance of 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from validation.comparison import measured
from validation.simulation.starts import flat, orthonormal
from validation.steps import halved, steps_per_unit

__all__ = ["data", "flow", "simulate", "starts"]

Array = NDArray[np.float64]


def data() -> tuple[Array, Array]:
    """Pixels (1797, 64) and classes (1797, 10), centred, the pixels scaled.

    Raises
    ------
    ModuleNotFoundError
        Without scikit-learn, saying how to get it.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the digits need {error.name}: python -m pip install -e '.[studies]'", name=error.name
        ) from None
    found = load_digits()
    x = found.data - np.mean(found.data, axis=0)
    y = np.eye(10)[found.target]
    return x / np.sqrt(np.mean(x**2)), y - np.mean(y, axis=0)


def starts(task: Task, case: Mapping[str, Any]) -> Array:
    """W1 of every run (runs, hidden, inputs): flat, of one rank, random or aligned.

    Aligned: the row space of W1 holds the input directions of the task's modes, the strongest
    first, and beyond their number random ones.
    """
    n, h, d, r = case["runs"], case["hidden"], task.inputs, case["rank"]
    rng = np.random.default_rng([case["seed"], 1, r, case["aligned"], case["norm_index"]])
    left = orthonormal(rng, n, h, r)
    columns = rng.standard_normal((n, d, d))
    if case["aligned"]:
        modes = task.modes.right
        columns[:, :, : modes.shape[1]] = modes
    right = np.linalg.qr(columns)[0][:, :, :r]
    return flat(left, right, case["norm"])


def simulate(case: Mapping[str, Any]) -> dict[str, Array]:
    """Runs from starts of one kind, with a silent readout, their flow, the task and the starts."""
    task = Task.from_data(*data())
    assert task.cov_xx is not None
    first = starts(task, case)
    readout = np.zeros((len(first), task.outputs, first.shape[1]))
    cov_yx = np.broadcast_to(task.cov_yx, (len(first), *task.cov_yx.shape))
    per_unit = steps_per_unit(first, readout, cov_yx, case["fineness"], cov_xx=task.cov_xx)
    values = halved(first, readout, cov_yx, case["times"], per_unit, cov_xx=task.cov_xx)
    return {
        "values": values,
        "flow": flow(first, task, case["times"]),
        "first": first,
        "cov_yx": task.cov_yx,
        "cov_xx": task.cov_xx,
        "eta": np.array(1.0 / per_unit),
    }


def flow(first: Array, task: Task, times: Sequence[float]) -> Array:
    """The flow (T11) of every run at time 0 and at all times, (measures, runs, times)."""
    return measured([solve(Network(w1), task, method="flow") for w1 in first], [0.0, *times])
