"""Runs of the study `depth` beside what the theory says of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy import curves, deep, depth
from richlazy.laziness import Measures
from richlazy.start.task import Task
from validation.comparison import Comparison, beside
from validation.steps import extrapolated, place
from validation.study import Arrays, Case

__all__ = [
    "ALIGNED",
    "INFINITE",
    "POWERS",
    "compared_aligned",
    "compared_infinite",
    "compared_powers",
    "compared_random",
]

Array = NDArray[np.float64]

ALIGNED = ("mode_strength", "relative_kernel_change", *Measures._fields[:3], "loss")
INFINITE = ("mode_strength", "weight_change_times_root_depth", "relative_kernel")
POWERS = ("mode_strength", "weight_change", "relative_kernel_change", "loss")


def compared_aligned(case: Case, found: Arrays) -> Comparison:
    """(quantities, frames, times, modes); what is of the whole network at every mode alike."""
    start, strengths = case["starts"][case["index"]], np.array(case["strengths"])
    state = depth.state(start, strengths, found["times"][:, None], case["layers"])
    u = depth.strength(start, strengths, found["times"][:, None], case["layers"])
    whole = np.sqrt(np.sum(state.weight_change**2, axis=1))[:, None]
    each = whole / np.sqrt(case["layers"])  # of every layer, as it is balanced
    loss = np.sum(state.loss, axis=1)[:, None]
    shape = found["strength"].shape[1:]
    theory = np.stack(
        [
            np.broadcast_to(x, shape)
            for x in (u, state.relative_kernel_change, whole, each, each, loss)
        ]
    )
    network = found["measures"][..., None]
    ratio = found["kernel"] / (case["layers"] * start ** (2.0 - 2.0 / case["layers"]))
    values = [found["strength"], np.abs(ratio - 1.0)]
    values += [np.broadcast_to(network[:, place(name)], ratio.shape) for name in ALIGNED[2:]]
    scale = theory.copy()
    scale[1] += 1.0
    scale[-1] = 0.5 * np.sum((strengths - start) ** 2)
    return Comparison(np.stack(values, axis=1), theory, scale)


def compared_powers(case: Case, found: Arrays) -> Comparison:
    """(quantities, starts, layers, times)."""
    tables = [
        [
            curves.depth(start, layers=case["real_depths"], t=time).columns
            for time in case["real_times"]
        ]
        for start in case["starts"]
    ]
    theory = np.array([[[t[name] for t in row] for row in tables] for name in POWERS])
    theory = np.moveaxis(theory, 2, 3)
    values = found["values"].copy()
    values[:, 2] = np.abs(values[:, 2] - 1.0)
    scale = theory.copy()
    scale[2] += 1.0
    scale[3] = 0.5 * (1.0 - np.reshape(case["starts"], (-1, 1, 1))) ** 2
    return Comparison(values, theory, scale)


def compared_infinite(case: Case, found: Arrays) -> Comparison:
    """(quantities, starts, times), 1/L halved along the first axis and no steps left.

    The product u, sqrt(L) ||dW|| and the kernel over that of the start.
    """
    start = np.reshape(case["starts"], (-1, 1))
    u = depth.infinite(start, 1.0, case["great_times"])
    theory = np.stack([u, np.abs(np.log(u / start)), (u / start) ** 2])
    values = np.moveaxis(extrapolated(found["values"])[1][:3], 2, 0)
    values[:, 1] *= np.sqrt(np.reshape(case["great_depths"], (-1, 1, 1)))
    return Comparison(values, theory, theory)


def compared_random(case: Case, found: Arrays) -> tuple[Comparison, Array]:
    """(measures, runs, times), and the drift of the theory at the last time (runs,)."""
    solutions = []
    for run, cov_yx in enumerate(found["cov_yx"]):
        start = [found[f"start_{l}"][run] for l in range(case["layers"])]
        solutions.append(deep.solve(start, Task(cov_yx, found.get("cov_xx"))))
    return beside(found["measures"], solutions, case["random_times"])
