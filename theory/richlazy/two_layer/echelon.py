"""T5: hidden units rotated so that each begins at the fastest direction the ones before leave."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Found", "echelon"]

Array = NDArray[np.float64]


class Found(NamedTuple):
    """Sizes that decided the echelon form."""

    least: float  #: of the pivots
    dropped: float  #: largest that was no pivot, though not zero


def echelon(
    rows: Array, growing: int, noise: float
) -> tuple[Array, Array, NDArray[np.intp], Found]:
    """(turned rows, rotation, pivots): columns rotated so that column j begins at row pivots[j].

    Only the first `growing` rows can be pivots. What the earlier pivots leave of a row is taken
    for zero below `noise`, and what the least pivot before it has magnified that to.
    """
    r = rows.shape[1]
    top = rows[:growing]
    count = min(r, growing)
    turn, lower = np.linalg.qr(top.T, mode="complete")
    left = np.abs(lower.diagonal())
    # what is left of each row, over the rounding that the least pivot before it magnifies
    lengths = np.sqrt(np.einsum("ij,ij->i", top[:count], top[:count]))
    least = np.minimum.accumulate(left)[:-1]
    if (left > noise).all() and (left[1:] > noise * (1.0 + lengths[1:] / least)).all():
        turned = rows @ turn
        turned[:growing] = lower.T
        return turned, turn, np.arange(count), Found(float(left.min(initial=np.inf)), 0.0)
    return _by_row(rows, growing, noise)


def _by_row(
    rows: Array, growing: int, noise: float
) -> tuple[Array, Array, NDArray[np.intp], Found]:
    """`echelon` where some rows are no pivots: one Householder reflection for each that is."""
    r = rows.shape[1]
    basis: Array = np.eye(r)
    pivots: list[int] = []
    least, dropped = np.inf, 0.0
    reach = np.full(growing, r)
    for j, row in enumerate(rows[:growing]):
        free = basis[:, len(pivots) :]
        rest = row @ free
        size = float(np.linalg.norm(rest))
        if size > noise * (1.0 + float(np.linalg.norm(row)) / least):
            least = min(least, size)
            rest[0] += np.copysign(size, rest[0])  # rest becomes (+-size, 0, ..., 0)
            free -= np.outer(free @ rest, rest / (size * abs(rest[0])))
            pivots.append(j)
        else:
            dropped = max(dropped, size)
        reach[j] = len(pivots)
        if len(pivots) == r:
            break
    turned = rows @ basis
    turned[:growing][np.arange(r) >= reach[:, None]] = 0.0
    return turned, basis, np.array(pivots, dtype=np.intp), Found(least, dropped)
