"""When a flow rests, for every architecture: nothing left to learn, or nowhere to go.

A point knows its error in the modes of its tangent kernel. What the kernel reaches at a rate is
within reach, and linearly mended by the Gauss-Newton step; the rest of the error is out of reach.
A network rests where that step is below what is asked for and no error, or a minimum to second
order, is left; or where dW/dt is rounding noise, a saddle that only rounding would leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLOSE", "LEARNED", "NOISE", "ROUNDING", "Flags", "Reach", "at_rest", "reach"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Of a sum: what rounding leaves of it.
ROUNDING = 1e-15
#: Of dW/dt: what rounding leaves of terms that cancel.
NOISE = 1e-14
#: Times the tolerance: how near a minimum with error left in it steps are shortened.
CLOSE = 1e4
#: Of the change: what is left to go where all within reach is as good as learned.
LEARNED = 1e-4
_FAR = 100.0  # times the weights


class Reach(NamedTuple):
    """What a stack of n networks can still learn.

    far (n, ...), the modes of the error out of reach; left (n,), the Gauss-Newton step that
    mends all others; drift (n,), how far the modes out of reach still pull, at least.
    """

    far: Flags
    left: Array
    drift: Array

    @property
    def stuck(self) -> Flags:
        """Whether error is out of reach (n,)."""
        return np.asarray(np.any(self.far, axis=tuple(range(1, self.far.ndim))))

    def waiting(self, size: Array) -> Flags:
        """Whether error is left and all within reach learned, the weights changed by `size`."""
        return np.asarray(self.stuck & (self.left <= LEARNED * size))


def reach(modes: Array, rates: Array, rounding: Array, weights: Array) -> Reach:
    """What is within reach of a stack of n networks.

    Parameters
    ----------
    modes, rates
        Squared error along the eigenvectors of the tangent kernel, and its eigenvalues (n, ...).
    rounding, weights
        What rounding makes of the error, and the norm of all weights (n,).
    """
    axes = tuple(range(1, modes.ndim))
    wide = (slice(None), *(None for _ in axes))
    there = modes > (rounding**2)[wide]
    # out of reach: its rate is rounding, or mending it linearly takes far more than the weights
    none = ROUNDING**2 * 100.0 * rates.max(axis=axes, keepdims=True, initial=0.0)
    far = there & ((rates <= none) | (modes > ((_FAR * weights) ** 2)[wide] * rates))
    wrong = np.where(there & ~far, modes, 0.0)
    left = np.sqrt(np.sum(wrong / np.where(wrong > 0, rates, 1.0), axis=axes))
    # force over the largest curvature there can be; what is slow and never ends has it too
    most = np.maximum(rates.max(axis=axes, initial=0.0), np.sqrt(np.sum(modes, axis=axes)))
    known = np.where(far, np.maximum(np.sqrt(modes) - rounding[wide], 0.0) ** 2 * rates, 0.0)
    drift = np.sqrt(np.sum(known, axis=axes)) / np.where(most > 0, most, 1.0)
    return Reach(far, left, drift)


def at_rest(
    found: Reach, still: Flags, size: Array, rtol: Array, minimum: Callable[[Flags], Flags]
) -> tuple[Flags, Flags]:
    """Whether each network, its weights changed by `size`, is at rest, or about to be (n,).

    Parameters
    ----------
    found
        What it can still learn.
    still
        Whether dW/dt is rounding noise.
    size, rtol
        Weight change, and the share of it that is asked for.
    minimum
        Whether the loss curves upwards, as far as is known, for the networks asked of.
    """
    stuck = found.stuck
    rest = still | (~stuck & (found.left <= rtol * size))
    close = ~rest & stuck & (found.left <= CLOSE * rtol * size)
    if np.any(close):
        close &= minimum(close)
    return rest | (close & (np.maximum(found.left, found.drift) <= rtol * size)), close
