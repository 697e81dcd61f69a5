"""Gradient descent at halved steps, and what is left when its steps go to none (T13).

A run f is made with the steps eta, eta/2 and eta/4 and extrapolated twice (Richardson):
f1 = 2 f(eta/2) - f(eta) is wrong by O(eta^2), f2 = (4 f1(eta/2) - f1(eta))/3 by O(eta^3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Measures
from richlazy.two_layer.descent import descend, stable_step

__all__ = [
    "FINER",
    "LEFT",
    "SETTLED",
    "extrapolated",
    "halved",
    "halved_alike",
    "orders",
    "place",
    "steps_per_unit",
]

Array = NDArray[np.float64]

FINER = (1, 2, 4)  # times as many steps
LEFT = 1e-6  # what steps may leave of a distance after extrapolation
SETTLED = 1e-12  # a loss; what is left of the way is about its root


def place(measure: str) -> int:
    """Index of a measure among those that `halved` stacks."""
    return Measures._fields.index(measure)


def steps_per_unit(
    first: Array, readout: Array, cov_yx: Array, fineness: float, **data: Array
) -> int:
    """Steps to a unit of time such that the step is at most 2/sharpness over `fineness`."""
    return int(np.ceil(fineness / stable_step(first, readout, cov_yx, **data)))


def halved(
    first: Array,
    readout: Array,
    cov_yx: Array,
    times: Sequence[int],
    per_unit: int,
    cov_xx: Array | None = None,
) -> Array:
    """Measures at `times` with the steps 1/per_unit and its halves, (3, measures, runs, times)."""
    values = []
    for factor in FINER:
        frequency = per_unit * factor
        run = descend(
            first,
            readout,
            cov_yx,
            step=1.0 / frequency,
            steps=times[-1] * frequency,
            record=[time * frequency for time in times],
            cov_xx=cov_xx,
        )
        values.append(np.stack(run.measures))
    return np.stack(values)


def halved_alike(
    first: Array, readout: Array, cov_yx: Array, times: Sequence[int], fineness: float
) -> tuple[Array, Array]:
    """What `halved` measures of runs that are equally sharp, and the largest step.

    So are runs whose starts have one spectrum, and tasks of one strength.
    """
    per_unit = steps_per_unit(first[:1], readout[:1], cov_yx[:1], fineness)
    return halved(first, readout, cov_yx, times, per_unit), np.array(1.0 / per_unit)


def extrapolated(plain: Array) -> tuple[Array, Array]:
    """f1, (2, ...), and f2, (...), of runs with halved steps along the first axis."""
    once = 2.0 * plain[1:] - plain[:-1]
    return once, (4.0 * once[1] - once[0]) / 3.0


def orders(off: Array, axes: int | tuple[int, ...]) -> Array:
    """Order in the step, halved along the first axis, of the rms of `off` over other axes.

    The least-squares slope of three points, and of two, is that through the ends.
    """
    rms = np.sqrt(np.mean(off**2, axis=axes))
    return np.asarray(np.log2(rms[0] / rms[-1]) / (len(rms) - 1))
