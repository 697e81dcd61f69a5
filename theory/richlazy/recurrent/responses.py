"""What a recurrent network can be driven to, what its output reads, and how it responds (T16)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["controls", "driven", "reads"]

Array = NDArray[np.float64]


def controls(recurrent: Array, inputs: Array, steps: int) -> Array:
    """C_k = W^k U for k < steps, (..., steps, p, n)."""
    found = [inputs]
    for _ in range(steps - 1):
        found.append(recurrent @ found[-1])
    return np.stack(found, axis=-3)


def reads(recurrent: Array, readout: Array, steps: int) -> Array:
    """O_j = V W^j for j < steps, (..., steps, m, p)."""
    found = [readout]
    for _ in range(steps - 1):
        found.append(found[-1] @ recurrent)
    return np.stack(found, axis=-3)


def driven(readout: Array, c: Array) -> Array:
    """V C_k over (lag, channel), (..., m, T n)."""
    each = readout[..., None, :, :] @ c
    return np.swapaxes(each, -3, -2).reshape(*each.shape[:-3], each.shape[-2], -1)
