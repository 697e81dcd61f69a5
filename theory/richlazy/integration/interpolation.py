"""Many times from few: piecewise Chebyshev interpolation in log time, of measured error.

The measures of a flow are analytic in time and vary over decades of it, so that a few dozen
nodes in u = asinh(rate t) stand for any number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEW", "in_log_time"]

Array = NDArray[np.float64]

FEW = 100  #: times up to which the function itself is asked
_LEVELS = (72, 144)  # intervals; each keeps the nodes of the one before
_TOLERANCE = 2e-12  # of the last coefficients, whose sum is the error
_SEEN = 1e-4
_HIT = 1e-200
_LATEST = 1e300  # of rate times time, beyond which nothing moves in float64


def in_log_time(
    function: Callable[[Array], tuple[Array, Array]], times: Array, rate: float
) -> Array:
    """Values (n, k) of a smooth function at ascending finite times, to 1e-11 plus its own noise.

    Parameters
    ----------
    function
        Takes n times, gives values (n, k) and what rounding may have done to each (n, k); a
        noise of infinity says that the value there is not to be interpolated.
    times
        Ascending, (n,).
    rate
        The fastest rate of the flow: log time begins at its inverse.
    """
    u = np.arcsinh(rate * np.minimum(times, _LATEST / rate))
    if times.size <= FEW or u[0] == u[-1]:
        return function(times)[0]
    middle, half = 0.5 * (u[0] + u[-1]), 0.5 * (u[-1] - u[0])
    values = noise = np.empty((0, 0))
    for fine in _LEVELS:
        nodes = _chebyshev(fine)
        new = nodes.points[1::2] if values.size else nodes.points
        more, unsure = function(np.sinh(np.clip(middle + half * new, u[0], u[-1])) / rate)
        values, noise = _interleaved(values, more), _interleaved(noise, unsure)
        if not np.isfinite(noise).all():
            break
        # what is lost to rounding at some times must not be at the others
        allowed = noise.min(axis=0)
        # coefficients of an analytic function fall geometrically: the last are the error, if
        # every other node had seen all of it
        tail = np.abs(nodes.last @ values).max(axis=0)
        missed = np.abs(nodes.between @ values[::2] - values[1::2]).max(axis=0)
        if ((missed <= _SEEN + allowed) & (tail <= _TOLERANCE + allowed)).all():
            return _interpolated(values, nodes.points, (u - middle) / half)
        if times.size <= 2 * fine:
            return function(times)[0]
    split = int(np.searchsorted(u, middle))
    split = min(max(split, 1), times.size - 1)
    parts = [in_log_time(function, part, rate) for part in (times[:split], times[split:])]
    return np.concatenate(parts)


class _Chebyshev(NamedTuple):
    """Chebyshev points of the second kind, ascending, and matrices that take values at them."""

    points: Array
    last: Array  #: to the last four coefficients
    between: Array  #: from every other one to those between


@cache
def _chebyshev(intervals: int) -> _Chebyshev:
    n = intervals
    points = -np.cos(np.linspace(0.0, np.pi, n + 1))
    # the discrete cosine transform
    last = (2.0 / n) * np.cos(np.pi / n * np.outer(np.arange(n - 3, n + 1), np.arange(n, -1, -1)))
    last[:, [0, -1]] *= 0.5
    between = _interpolated(np.eye(n // 2 + 1), points[::2], points[1::2])
    return _Chebyshev(points, last, between)


def _interleaved(old: Array, new: Array) -> Array:
    if not old.size:
        return new
    both = np.empty((len(old) + len(new), *old.shape[1:]))
    both[::2], both[1::2] = old, new
    return both


def _interpolated(values: Array, nodes: Array, at: Array) -> Array:
    """Barycentric formula of the second kind (Berrut and Trefethen 2004, eq. 4.2)."""
    weight = (-1.0) ** np.arange(len(nodes))
    weight[[0, -1]] *= 0.5
    gap = np.subtract.outer(nodes, at)  # in this order products run along memory
    gap += _HIT  # at a node its own value outweighs all others
    np.divide(weight[:, None], gap, out=gap)
    weighed = np.stack([*values.T, np.ones(len(nodes))]) @ gap
    return np.asarray((weighed[:-1] / weighed[-1]).T)
