"""When the flow of a recurrent network rests: nothing left to learn, or nowhere to go."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import CLOSE

__all__ = ["at_rest"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_ROUNDING = 1e-15
_NOISE = 1e-14
_FAR = 100.0  # times the weights


class Point(Protocol):
    """What is looked at: the error, its modes and their rates, and the weights."""

    u: Array
    w: Array
    v: Array
    c: Array
    o: Array
    error: Array
    rates: Array
    rounding: Array

    def modes(self, z: Array) -> Array:
        """Components along the eigenvectors of the tangent kernel."""

    def forces(self, error: Array) -> tuple[Array, Array, Array]:
        """dU/dt, the factor of dW/dt and dV/dt."""


def at_rest(point: Point, size: Array, rtol: Array) -> tuple[Flags, Flags]:
    """Whether each network, its weights changed by `size`, is at rest, or about to be.

    At rest: the Gauss-Newton step still to go is below rtol * size, and the error left is
    rounding or out of reach. About to be: such an end is within `CLOSE` rtol * size.
    """
    modes = point.modes(point.error) ** 2
    there = modes > (point.rounding**2)[:, None]
    weights = np.sqrt(sum(np.sum(x * x, axis=(-2, -1)) for x in (point.u, point.w, point.v)))
    none = _ROUNDING**2 * 100.0 * point.rates.max(axis=-1, keepdims=True)
    far = there & ((point.rates <= none) | (modes > (_FAR * weights[:, None]) ** 2 * point.rates))
    wrong = np.where(there & ~far, modes, 0.0)
    left = np.sqrt(np.sum(wrong / np.where(wrong > 0, point.rates, 1.0), axis=-1))
    stuck = np.any(far, axis=-1)
    rest = ~stuck & (left <= rtol * size)
    reach = np.sqrt(np.sum(point.rates, axis=-1))
    speed = np.sqrt(np.sum(modes * point.rates, axis=-1))
    error = np.sqrt(np.sum(modes, axis=-1))
    rest |= speed <= _NOISE * error * reach
    close = ~rest & stuck & (left <= CLOSE * rtol * size)
    return rest | (close & (left <= rtol * size)), close
