"""How well predictions of starts agree with what networks do, and what seeds can tell at all.

All arrays are (seeds, starts); the order is Spearman's rho.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from validation.rnn.statistics import Interval, bootstrap, mean
from validation.statistics import correlation

__all__ = ["Score", "agreement", "ceiling", "told_apart"]

Array = NDArray[np.float64]

_SPLITS = 200
_DIGITS = 9  # of what is said: starts that differ beyond them are as good as equal


class Score(NamedTuple):
    """Rho of the means over seeds, rho seed by seed, mean absolute error of the means."""

    means: float
    seeds: Interval
    error: float


def agreement(said: Array, values: Array) -> Score:
    """Of the seeds that were asked, and the starts of which every one has an answer."""
    asked = np.any(np.isfinite(said), axis=1)
    said, values = said[asked], values[asked]
    good = np.all(np.isfinite(said), axis=0) & np.any(np.isfinite(values), axis=0)
    if not np.any(asked) or np.sum(good) < 3:
        return Score(np.nan, mean([]), np.nan)
    said, values = told_apart(said[:, good]), values[:, good]
    centre, wanted = np.mean(said, axis=0), np.nanmean(values, axis=0)
    each = [
        float(correlation(x[there], y[there]))
        for x, y in zip(said, values, strict=True)
        if np.sum(there := np.isfinite(y)) > 2
    ]
    error = float(np.mean(np.abs(centre - wanted)))
    return Score(float(correlation(centre, wanted)), bootstrap(np.array(each)), error)


def told_apart(said: Array) -> Array:
    """Without the digits that are rounding: what is one for all starts has no order."""
    scale = float(np.abs(said).max(initial=0.0)) or 1.0
    return np.asarray(np.round(said / scale, _DIGITS) * scale)


def ceiling(values: Array) -> Score:
    """What half of the seeds say of the other half, and all others of one."""
    good = values[:, np.all(np.isfinite(values), axis=0)]
    seeds, rng = len(good), np.random.default_rng(0)
    if seeds < 2 or good.shape[1] < 3:
        return Score(np.nan, mean([]), np.nan)
    halves = []
    for _ in range(_SPLITS):
        order = rng.permutation(seeds)
        one, other = order[: seeds // 2], order[seeds // 2 :]
        halves.append(correlation(np.mean(good[one], axis=0), np.mean(good[other], axis=0)))
    each = [
        float(correlation(np.mean(np.delete(good, k, axis=0), axis=0), good[k]))
        for k in range(seeds)
    ]
    return Score(float(np.mean(halves)), bootstrap(np.array(each)), np.nan)
