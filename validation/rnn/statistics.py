"""What a sample of seeds says, where every seed was run at every level: all tests are paired.

Values are (seeds, levels); the seeds are the independent sample, levels of one seed are not.
Seeds with a NaN (a run that diverged) are left out, and counted by whoever calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from validation.statistics import correlation

__all__ = [
    "Interval",
    "bootstrap",
    "complete",
    "difference",
    "mean",
    "rank_correlation",
    "rank_correlations",
]

Floats = NDArray[np.float64]

_LEVEL = 0.95
_RESAMPLED = 10_000


class Interval(NamedTuple):
    """An estimate, its 95 % confidence interval, the p-value of 0 (NaN if not tested), seeds."""

    estimate: float
    low: float
    high: float
    p: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def complete(values: ArrayLike) -> Floats:
    """The seeds that have a number at every level."""
    found = np.asarray(values, dtype=float)
    return found[np.all(np.isfinite(found), axis=1)]


def mean(values: ArrayLike) -> Interval:
    """Mean over seeds (seeds,) and Student's interval."""
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    n = found.size
    if n < 2:
        return Interval(float(np.mean(found)) if n else np.nan, np.nan, np.nan, np.nan, n)
    centre, error = float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(n))
    if error == 0.0:
        return Interval(centre, centre, centre, float(centre == 0.0), n)
    half, p = (
        float(stdtrit(n - 1, 0.5 + _LEVEL / 2)) * error,
        2 * stdtr(n - 1, -abs(centre) / error),
    )
    return Interval(centre, centre - half, centre + half, float(p), n)


def difference(first: ArrayLike, second: ArrayLike) -> Interval:
    """Mean of first - second, seed by seed: the paired t-test, and Student's interval."""
    return mean(np.asarray(first, dtype=float) - np.asarray(second, dtype=float))


def rank_correlations(levels: ArrayLike, values: ArrayLike) -> Floats:
    """Spearman's rho between levels and values of every seed; 0 where all values are equal."""
    return correlation(levels, complete(values))


def rank_correlation(levels: ArrayLike, values: ArrayLike, seed: int = 0) -> Interval:
    """Mean over seeds of Spearman's rho; the interval is a bootstrap over seeds."""
    found = rank_correlations(levels, values)
    if found.size < 2:
        return Interval(np.nan, np.nan, np.nan, np.nan, found.size)
    return bootstrap(found, seed)


def bootstrap(found: Floats, seed: int = 0) -> Interval:
    """Mean over seeds (seeds,), and its interval by resampling them."""
    picked = np.random.default_rng(seed).integers(0, found.size, (_RESAMPLED, found.size))
    low, high = np.quantile(np.mean(found[picked], axis=1), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(np.mean(found)), float(low), float(high), np.nan, found.size)
