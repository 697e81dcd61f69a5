"""T9, beyond the papers: where a low rank is lazier than the full one, and where rank makes richer.

One output, silent readout, white inputs, flat starts, t = infinity. With s^2 = sigma^2/r and
mu^2 = (s^2 + sqrt(s^4 + 4 |beta|^2))/2, everything is rational in u = alpha^2/mu^2 up to square
roots: u is 0 in the lazy limit and 1 in the rich one, and 1 - u = s^2/mu^2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import low_rank
from richlazy.errors import positive, real_array

__all__ = ["Boundary", "Slope", "alignment", "slope"]

Array = NDArray[np.float64]


class Boundary(NamedTuple):
    """Task alignments c from which a start is lazier than one of full rank and the same norm."""

    representation_alignment: Array
    kernel_alignment: Array
    weight_change: Array


class Slope(NamedTuple):
    """d log E/dr of the mean alignments over random tasks."""

    representation_alignment: Array
    kernel_alignment: Array


def alignment(
    rank: ArrayLike, inputs: ArrayLike, *, norm: ArrayLike = 1.0, strength: ArrayLike = 1.0
) -> Boundary:
    """Alignment at which a flat start of this rank is as lazy as one of full rank (T9).

    Above it RA and KA are larger, and the weight change smaller, than those of the full rank:
    the exact boundary of the exception to the rule that low rank learns richly. A value above 1
    says that no alignment is enough, one below 0 that any is.

    Parameters
    ----------
    rank, inputs, norm, strength
        As in `low_rank.measures`; they broadcast. 1 <= rank <= inputs.

    Raises
    ------
    ValueError
        For values outside their range.

    Examples
    --------
    >>> found = alignment(5, 100, norm=3.0)
    >>> [round(float(c), 3) for c in found]
    [-0.152, 2.547, 0.561]
    """
    r, d, squared_norm = _checked(rank, inputs, norm, strength)
    (u, v), (f, g) = _shares(squared_norm / r), _shares(squared_norm / d)
    representation = np.sqrt(r / d) * (g * (d - 1) + 1) * np.sqrt(v * v * (r - 1) + 1)
    representation = representation / np.sqrt(g * g * (d - 1) + 1) - v * (r - 1)
    size = np.sqrt(_kernel_square(r, d, u, v))
    kernel = np.sqrt(r / d) * (d + f) * size / np.sqrt(d + f * f + 2 * f)
    cosine = (1 - np.sqrt(u * f) / (1 + np.sqrt(g))) / np.sqrt(v)
    return Boundary(representation, kernel - r + v, cosine * np.abs(cosine))


def slope(
    rank: ArrayLike, inputs: ArrayLike, *, norm: ArrayLike = 1.0, strength: ArrayLike = 1.0
) -> Slope:
    """d log E RA/dr and d log E KA/dr over random tasks, at fixed norm and any real rank (T9).

    Negative where a higher rank makes learning richer. For many inputs E KA has such a stretch
    exactly where norm^2/strength is above 3.0469; E RA peaks where its slope turns negative.

    Parameters
    ----------
    rank, inputs, norm, strength
        As in `low_rank.expected`; they broadcast. 1 <= rank <= inputs.

    Raises
    ------
    ValueError
        For values outside their range.

    Examples
    --------
    >>> falling = slope([2, 5, 10, 100], 300, norm=3.0).kernel_alignment < 0
    >>> falling.tolist()
    [False, True, True, False]
    """
    r, d, squared_norm = _checked(rank, inputs, norm, strength)
    u, v = _shares(squared_norm / r)
    turn = (
        d * u * v * (3 - u) * (u + 2)
        + 4 * r**2 * u * v**2
        + r * (d * v * (u**3 - u**2 - 4 * u + 2) - u * (5 * u**2 - 9 * u + 2))
    )
    scale = 2 * d * r * (u + 1) * (v * (r - 1) + r / d) * (v**2 * (r - 1) + 1)
    kernel_turn = (
        d * u * v * (d * u * (u + 5) + u**2 + 11 * u + 6)
        + 4 * r**2 * u**2 * v * (d + 1)
        + r * d**2 * u**2 * (5 * u - 3)
        + 2 * r * d * (u**4 + 7 * u**3 - 6 * u**2 + u + 1)
        + r * u * (5 * u**2 + 3 * u - 2)
    )
    kernel_scale = 2 * d * r * (u + 1) * (r * (1 + 1 / d) - v) * _kernel_square(r, d, u, v)
    return Slope(turn / scale, kernel_turn / kernel_scale)


def _checked(
    rank: ArrayLike, inputs: ArrayLike, norm: ArrayLike, strength: ArrayLike
) -> tuple[Array, Array, Array]:
    """(r, d, sigma^2/|beta|)."""
    r, d = real_array(rank, "rank"), real_array(inputs, "inputs")
    sigma, g = positive(norm, "norm"), positive(strength, "strength")
    if np.any(r < 1) or np.any(r > d):
        raise ValueError(
            f"rank must lie between 1 and inputs; it goes from {r.min():g} to {r.max():g} of "
            f"{d.min():g}"
        )
    for directions in (r, d):
        low_rank.check_scale(sigma, g, directions)
    return r, d, sigma**2 / g


def _shares(start: Array) -> tuple[Array, Array]:
    """u and 1 - u from s^2/|beta|."""
    mu_squared = 0.5 * (start + np.hypot(start, 2.0))
    return 1.0 / mu_squared**2, start / mu_squared


def _kernel_square(r: Array, d: Array, u: Array, v: Array) -> Array:
    """||K||^2/mu^4 of the end."""
    return r * v * (1 + u) + u * u * (d + 1) + 2 * u
