"""T9, beyond the papers: where a low rank is lazier than the full one, and where rank makes richer.

One output, silent readout, white inputs, flat starts, t = infinity. With s^2 = sigma^2/r and
mu^2 = (s^2 + sqrt(s^4 + 4 |beta|^2))/2, everything is rational in u = alpha^2/mu^2 up to square
roots: u is 0 in the lazy limit and 1 in the rich one, and 1 - u = s^2/mu^2.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import counts, integer, positive, real_array
from richlazy.formulas import low_rank

__all__ = [
    "Boundary",
    "Slope",
    "Turns",
    "Window",
    "alignment",
    "kernel_window",
    "peak_rank",
    "slope",
    "turning_ranks",
]

Array = NDArray[np.float64]
#: Coefficients of a turn in r^2, r and 1, for (d, u, 1 - u); see `_representation_turn`.
Turn = Callable[[Any, Any, Any], tuple[Any, Any, Any]]


class Boundary(NamedTuple):
    """Task alignments c from which a start is lazier than one of full rank and the same norm."""

    representation_alignment: Array
    kernel_alignment: Array
    weight_change: Array


class Slope(NamedTuple):
    """d log E/dr of the mean alignments over random tasks."""

    representation_alignment: Array
    kernel_alignment: Array


class Turns(NamedTuple):
    """Real ranks at which the mean alignments over random tasks turn, ascending.

    A mean grows with the rank up to the first, falls up to the second, then grows again; with
    one it falls from there to the full rank, with none it grows throughout.
    """

    representation_alignment: tuple[float, ...]
    kernel_alignment: tuple[float, ...]


class Window(NamedTuple):
    """The values of norm^2/strength between which E KA is not monotone in the rank."""

    lowest: float
    highest: float


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
    rate = 2 * d * r * (u + 1)
    scale = rate * (v * (r - 1) + r / d) * (v**2 * (r - 1) + 1)
    kernel_scale = rate * (r * (1 + 1 / d) - v) * _kernel_square(r, d, u, v)
    return Slope(
        _value(_representation_turn, r, d, u, v) / scale,
        _value(_kernel_turn, r, d, u, v) / kernel_scale,
    )


def turning_ranks(inputs: int, *, norm: float = 1.0, strength: float = 1.0) -> Turns:
    """Ranks between 1 and d at which E RA and E KA turn from growing to falling and back (T9).

    The zeros of `slope`, as real numbers. E KA has two inside `kernel_window` and none outside;
    E RA has none, one or two.

    Parameters
    ----------
    inputs, norm, strength
        d, sigma = ||W1(0)||_F and the length of the task vector.

    Raises
    ------
    ValueError
        For values outside their range.

    Examples
    --------
    >>> found = turning_ranks(300, norm=3.0)
    >>> [round(r, 2) for r in found.kernel_alignment]
    [2.96, 14.48]
    >>> turning_ranks(300, norm=1.0).kernel_alignment
    ()
    """
    d, squared_norm = _one_case(inputs, norm, strength)
    return Turns(
        _zeros(_representation_turn, d, squared_norm), _zeros(_kernel_turn, d, squared_norm)
    )


def peak_rank(inputs: int, *, norm: float = 1.0, strength: float = 1.0) -> float:
    """Rank at which E RA over random tasks is largest, as a real number (T9).

    It lies between two whole ranks, one of which has the largest E RA of all whole ones; a small
    or a large scale puts it at the full rank d. (E KA is largest at d at every scale tried.)

    Parameters
    ----------
    inputs, norm, strength
        As in `turning_ranks`.

    Raises
    ------
    ValueError
        For values outside their range.

    Examples
    --------
    >>> round(peak_rank(100), 3)
    4.129
    """
    turns = turning_ranks(inputs, norm=norm, strength=strength).representation_alignment
    ranks = np.array([*turns[:1], float(inputs)])
    mean = low_rank.expected(ranks, inputs, norm=norm, strength=strength).mean
    return float(ranks[np.argmax(mean.representation_alignment)])


def kernel_window(inputs: int) -> Window | None:
    """The scales norm^2/strength at which E KA falls with the rank somewhere (T9).

    None where there are no such scales: for fewer than 46 inputs. As d grows the window tends
    to (3.0469, 2 (3d/10)^(5/4)); outside it E KA grows with the rank throughout.

    Parameters
    ----------
    inputs
        d.

    Raises
    ------
    ValueError
        If inputs is no whole number >= 1.

    Examples
    --------
    >>> [round(edge, 3) for edge in kernel_window(300)]
    [3.305, 418.302]
    >>> kernel_window(20) is None
    True
    """
    from scipy.optimize import brentq, minimize_scalar

    d = float(integer(inputs, "inputs"))  # whose powers would leave the range of int64

    def lowest(log_scale: float) -> float:
        """The lowest slope, up to a positive factor: negative exactly inside the window."""
        scale = float(np.exp(log_scale))
        return float(_at_stationary(_kernel_turn, d, scale)[1].min())

    # The window opens near 11 and grows with d: whenever there is one, it holds such a scale.
    inside = minimize_scalar(lowest, bounds=(np.log(8.0), np.log(14.0)), method="bounded")
    if inside.fun >= 0:
        return None
    ends = (0.0, np.log(8.0) + 1.25 * np.log(d))
    return Window(*(float(np.exp(brentq(lowest, end, inside.x))) for end in ends))


def _representation_turn(d: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
    """(A, B, C) of the polynomial v A r^2 + B r + v C, whose sign is that of d E RA/dr."""
    middle = d * v * (u**3 - u**2 - 4 * u + 2) - u * (5 * u**2 - 9 * u + 2)
    return 4 * u * v, middle, d * u * (3 - u) * (u + 2)


def _kernel_turn(d: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
    """The same of d E KA/dr."""
    middle = (
        d**2 * u**2 * (5 * u - 3)
        + 2 * d * (u**4 + 7 * u**3 - 6 * u**2 + u + 1)
        + u * (5 * u**2 + 3 * u - 2)
    )
    return 4 * u**2 * (d + 1), middle, d * u * (d * u * (u + 5) + u**2 + 11 * u + 6)


def _value(turn: Turn, r: Array, d: Array, u: Array, v: Array) -> Array:
    a, b, c = turn(d, u, v)
    return np.asarray(v * a * r**2 + b * r + v * c)


def _zeros(turn: Turn, d: float, squared_norm: float) -> tuple[float, ...]:
    from scipy.optimize import brentq

    def value(rank: float) -> float:
        return float(_at(turn, np.array(rank), d, squared_norm))

    ranks, values = _at_stationary(turn, d, squared_norm)
    between = zip(pairwise(ranks), pairwise(values), strict=True)
    return tuple(brentq(value, *ends) for ends, (low, high) in between if low * high < 0)


def _at_stationary(turn: Turn, d: float, squared_norm: float) -> tuple[Array, Array]:
    """Ranks from 1 to d between which a turn has at most one zero, and its values there.

    With z^2 = u the rank is sigma^2/|beta| z/(1 - z^2), and the turn times 1 - z^2 a polynomial
    in z: between its stationary points it is monotone.
    """
    z = Polynomial([0.0, 1.0])
    u, v = z * z, 1 - z * z
    a, b, c = turn(d, u, v)
    line = squared_norm * z
    stationary = (a * line**2 + b * line + v**2 * c).deriv().roots().real
    stationary = stationary[(stationary > 0) & (stationary < 1)]
    ranks = squared_norm * stationary / (1 - stationary**2)
    inside = ranks[(ranks > 1) & (ranks < d)]
    ranks = np.concatenate([[1.0], np.sort(inside), [d]])
    return ranks, _at(turn, ranks, d, squared_norm)


def _at(turn: Turn, ranks: Array, d: float, squared_norm: float) -> Array:
    return _value(turn, ranks, np.asarray(d), *_shares(squared_norm / ranks))


def _one_case(inputs: int, norm: float, strength: float) -> tuple[float, float]:
    """(d, sigma^2/|beta|)."""
    d = float(integer(inputs, "inputs"))  # whose powers would leave the range of int64
    sigma, g = positive(norm, "norm", ndim=0), positive(strength, "strength", ndim=0)
    _, _, squared_norm = _checked([1.0, d], d, sigma, g)
    return d, float(squared_norm)


def _checked(
    rank: ArrayLike, inputs: ArrayLike, norm: ArrayLike, strength: ArrayLike
) -> tuple[Array, Array, Array]:
    """(r, d, sigma^2/|beta|)."""
    r, d = real_array(rank, "rank"), counts(inputs, "inputs")
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
