"""Random directions, and flat starts made of them, many runs at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["directions", "flat", "flat_on_axes", "orthonormal"]

Array = NDArray[np.float64]


def orthonormal(rng: np.random.Generator, runs: int, size: int, count: int) -> Array:
    """Orthonormal columns in random directions, (runs, size, count)."""
    return np.asarray(np.linalg.qr(rng.standard_normal((runs, size, count)))[0])


def directions(rng: np.random.Generator, runs: int, size: int, count: int) -> Array:
    """The same with fair signs, so that they are uniformly distributed."""
    q, r = np.linalg.qr(rng.standard_normal((runs, size, count)))
    return np.asarray(q * np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None])


def flat(left: Array, right: Array, norm: float) -> Array:
    """W1 = norm/sqrt(rank) U V' of every run, (runs, hidden, inputs)."""
    return np.asarray(norm / np.sqrt(left.shape[-1]) * left @ right.mT)


def flat_on_axes(
    rng: np.random.Generator, runs: int, shape: tuple[int, int], rank: int, norm: float
) -> Array:
    """W1 (runs, *shape) whose row space is that of the first axes; spare hidden units are silent.

    What lies outside is outside to the last bit.
    """
    first = np.zeros((runs, *shape))
    first[:, :rank, :rank] = norm / np.sqrt(rank) * directions(rng, runs, rank, rank)
    return first
