"""Singular spectra of many shapes, but for their norm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from richlazy.recurrent.averages.question import Question, asked
from richlazy.start import spectrum
from validation.study import Case

__all__ = ["SHAPES", "question"]

Array = NDArray[np.float64]

#: By the number of units: flat, half of it, that of Gaussian weights, decaying, and with outliers.
SHAPES: dict[str, Callable[[int], Array]] = {
    "flat": np.ones,
    "half rank": lambda n: np.ones(n // 2),
    "Gaussian": lambda n: spectrum.gaussian(n, n, 1.0),
    "uniform": lambda n: np.arange(n, 0.0, -1.0),
    "exponential": lambda n: np.exp(-8.0 * np.arange(n) / n),
    "steep": lambda n: np.exp(-20.0 * np.arange(n) / n),
    "power law": lambda n: np.arange(1.0, n + 1.0) ** -0.5,
    "soft power law": lambda n: np.arange(1.0, n + 1.0) ** -0.3,
    "two values": lambda n: np.where(np.arange(n) < n // 10, 3.0, 1.0),
    "few large": lambda n: np.where(np.arange(n) < max(n // 40, 1), 6.0, 1.0),
}


def question(
    case: Case, units: int, strength: float, tasks: int, time: float, seed: list[int]
) -> Question:
    """What is asked of a case's spectrum, gain and steps, with the same tasks at every time."""
    values = SHAPES[case["spectrum"]](units)
    values = values * case["gain"] * np.sqrt(units) / np.linalg.norm(values)
    place = [list(SHAPES).index(case["spectrum"]), round(1000 * case["gain"]), case["steps"]]
    rng = np.random.default_rng([case["seed"], *seed, *place])
    return asked(values, case["steps"], 1, 1, units, strength, 1.0, 1.0, time, tasks, rng)
