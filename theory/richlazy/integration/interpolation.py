"""Many times from few: piecewise Chebyshev interpolation in log time, of measured error.

The measures of a flow are analytic in time and vary over decades of it, so that a few dozen
nodes in u = log(1 + rate t) stand for any number of times.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_log_time"]

Array = NDArray[np.float64]

_LEVELS = (40, 80, 160)  # intervals; every level keeps the nodes of the one before
_TOLERANCE = 2e-12  # of the last coefficients, whose sum is the error
_SEEN = 1e-4
_HIT = 1e-200


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
    if times.size <= 2 * _LEVELS[0] or times[0] == times[-1]:
        return function(times)[0]
    u = np.log1p(rate * times)
    values, noise = function(np.expm1(_nodes(u[0], u[-1], _LEVELS[0])) / rate)
    for fine in _LEVELS[1:]:
        new = _nodes(u[0], u[-1], fine)[1::2]
        more, unsure = function(np.expm1(new) / rate)
        guess = _interpolated(values, u[0], u[-1], new)
        values, noise = _interleaved(values, more), _interleaved(noise, unsure)
        if not np.all(np.isfinite(noise)):
            break
        # what is lost to rounding at some times must not be at the others
        allowed = noise.min(axis=0)
        # coefficients of an analytic function fall geometrically: the last are the error, if
        # the nodes of the level before had seen all of it
        tail = np.abs(_coefficients(values)[-4:]).max(axis=0)
        seen = np.abs(guess - more).max(axis=0) <= _SEEN + allowed
        converged = np.all(seen & (tail <= _TOLERANCE + allowed))
        if converged:
            return _interpolated(values, u[0], u[-1], u)
        if times.size <= 2 * fine:
            return function(times)[0]
    half = int(np.searchsorted(u, 0.5 * (u[0] + u[-1])))
    half = min(max(half, 1), times.size - 1)
    parts = [in_log_time(function, part, rate) for part in (times[:half], times[half:])]
    return np.concatenate(parts)


def _nodes(low: float, high: float, intervals: int) -> Array:
    """Chebyshev points of the second kind, ascending."""
    x = -np.cos(np.linspace(0.0, np.pi, intervals + 1))
    return np.clip(0.5 * (low + high) + 0.5 * (high - low) * x, low, high)


def _coefficients(values: Array) -> Array:
    """Chebyshev coefficients of the interpolant, by the discrete cosine transform."""
    n = len(values) - 1
    cosines = np.cos(np.pi / n * np.outer(np.arange(n + 1), np.arange(n, -1, -1)))
    cosines[:, [0, -1]] *= 0.5
    return np.asarray((2.0 / n) * cosines @ values)


def _interleaved(old: Array, new: Array) -> Array:
    both = np.empty((len(old) + len(new), *old.shape[1:]))
    both[::2], both[1::2] = old, new
    return both


def _interpolated(values: Array, low: float, high: float, at: Array) -> Array:
    """Barycentric formula of the second kind (Berrut and Trefethen 2004, eq. 4.2)."""
    nodes = _nodes(low, high, len(values) - 1)
    weight = (-1.0) ** np.arange(len(nodes))
    weight[[0, -1]] *= 0.5
    gap = at[:, None] - nodes
    gap[gap == 0.0] = _HIT  # the node's own value then outweighs all others
    weighed = (weight / gap) @ np.column_stack([values, np.ones(len(values))])
    return np.asarray(weighed[:, :-1] / weighed[:, -1:])
