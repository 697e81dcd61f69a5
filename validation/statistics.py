"""What a sample says of the law that it was drawn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

__all__ = ["correlation", "interval"]

Array = NDArray[np.float64]


def interval(values: Array, confidence: float) -> tuple[float, float]:
    """Mean and half the width of Student's confidence interval of it."""
    quantile = student.ppf(0.5 + 0.5 * confidence, values.size - 1)
    half = quantile * np.std(values, ddof=1) / np.sqrt(values.size)
    return float(np.mean(values)), float(half)


def correlation(x: ArrayLike, values: Array) -> Array:
    """Spearman's rank correlation of `values` with x along the last axis; 0 where all are alike."""
    a, b = (rankdata(v, axis=-1) for v in (np.asarray(x, dtype=float), values))
    a, b = a - np.mean(a), b - np.mean(b, axis=-1, keepdims=True)
    size = np.sqrt(np.sum(a * a) * np.sum(b * b, axis=-1))
    return np.asarray(np.where(size > 0, b @ a / np.where(size > 0, size, 1.0), 0.0))
