"""Values along an axis: those given, or the defaults."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import integer, positive, real_array, times

__all__ = [
    "alignments",
    "default_ranks",
    "few_norms",
    "few_strengths",
    "few_ts",
    "gains",
    "layer_norms",
    "layers",
    "lengths",
    "norms",
    "ranks",
    "sampled_ranks",
    "strengths",
    "ts",
]

Array = NDArray[np.float64]
_POINTS = 81  # of closed forms
_FEW = 13  # where every point is an average of its own


def default_ranks(most: int) -> Array:
    """1 ... most; above 1000, 81 of them evenly spaced in the logarithm."""
    most = integer(most, "most")
    if most <= 1000:
        return np.arange(1.0, most + 1)
    return np.unique(np.rint(np.geomspace(1, most, _POINTS)))


def ranks(given: ArrayLike | None, inputs: int, *, whole: bool) -> Array:
    """Ranks of a first layer; unless `whole`, tasks reach outside and leave out the full one."""
    if given is not None:
        return _vector(given, "ranks")
    x = default_ranks(inputs)
    return x if whole or inputs == 1 else x[x < inputs]


def alignments(given: ArrayLike | None, *, full: bool, few: bool = False) -> Array:
    """Just above 0, where nothing is learned, to 1; at full rank 1 alone."""
    if given is not None:
        return _vector(given, "alignments")
    return np.ones(1) if full else np.r_[1e-3, np.linspace(0.0, 1.0, _FEW if few else _POINTS)[1:]]


def norms(given: ArrayLike | None, strength: float) -> Array:
    """0.01 to 100 times the root of the strength."""
    return _wide(np.sqrt(strength)) if given is None else _vector(given, "norms")


def strengths(given: ArrayLike | None, norm: float, *, few: bool = False) -> Array:
    """0.01 to 100 times the squared norm."""
    points = _FEW if few else _POINTS
    return _vector(_wide(norm * norm, points) if given is None else given, "strengths")


def ts(given: ArrayLike | None, strength: float) -> Array:
    """0.01 to 100 over the strength."""
    return np.geomspace(1e-2, 1e2, _POINTS) / strength if given is None else times(given, "ts")


def layers(given: ArrayLike | None) -> Array:
    """1 to 100."""
    return np.geomspace(1.0, 1e2, _POINTS) if given is None else _vector(given, "layers")


def layer_norms(given: ArrayLike | None) -> Array:
    """Norms of every layer of a deep network: 1/4 to 4, whose 100th powers float64 still holds."""
    return np.geomspace(0.25, 4.0, _POINTS) if given is None else _vector(given, "norms")


def sampled_ranks(given: ArrayLike | None, units: int) -> Array:
    """About 12 ranks of a recurrent start, from 1 to N, evenly spaced in the logarithm."""
    if given is None:
        return np.unique(np.rint(np.geomspace(1, units, 12)))
    return _vector(given, "ranks")


def gains(given: ArrayLike | None) -> Array:
    """0.1, 0.2, ... 1.2."""
    if given is None:
        return np.arange(1, 13) / 10.0
    return positive(_vector(given, "gains"), "gains")


def lengths(given: ArrayLike | None) -> Array:
    """Numbers of steps: 1, 2, ... 8."""
    return np.arange(1.0, 9.0) if given is None else _vector(given, "lengths")


def few_strengths(given: ArrayLike | None) -> Array:
    """0.1 to 10."""
    return np.geomspace(0.1, 10.0, _FEW) if given is None else _vector(given, "strengths")


def few_norms(given: ArrayLike | None, strength: float) -> Array:
    """0.1 to 10 times the root of the strength."""
    if given is None:
        return np.asarray(np.geomspace(0.1, 10.0, _FEW) * np.sqrt(strength))
    return _vector(given, "norms")


def few_ts(given: ArrayLike | None, strength: float) -> Array:
    """0.01 to 100 over the strength."""
    if given is None:
        return np.geomspace(1e-2, 1e2, _FEW) / strength
    return np.atleast_1d(times(given, "ts"))


def _wide(centre: float, points: int = _POINTS) -> Array:
    return np.asarray(np.geomspace(1e-2, 1e2, points) * centre)


def _vector(values: ArrayLike, name: str) -> Array:
    return real_array(values, name, ndim=1)
