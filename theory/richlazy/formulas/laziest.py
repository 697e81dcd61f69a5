"""T9: the laziest rank for several outputs, and the norms at which it is not the full one.

Flat starts, silent readout, white inputs, t = infinity and random tasks, as in
`several_outputs.expected`. With s^2 = sigma^2/r, b_i = alpha_i^2/s^2 of the n strengths that are
not zero, b and b2 the sums of b_i and b_i^2, V = n b2 - b^2 and e = 1 - r/d, at every rank r >= n:

    1 - (E KA)^2 = [m n e (2 - n e/r) + 2 e b (m + n + n m/d + b) + (d + m) V/n
    + b^2 (d/n - r/m + m/n - m r/d^2)] / [m (r + 2 b + b2) + 2 b (r + b) + d b2].

No term is negative, so that nothing cancels: ranks that differ by less than the rounding of E KA
are still told apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import integer, nonnegative, positive
from richlazy.formulas import several_outputs

__all__ = ["Laziest", "Window", "rank", "window"]

Array = NDArray[np.float64]

_PER_E_FOLD = 40  # ranks tried per factor e, before the best of them is refined
_BLOCK = 64  # norms at a time
_STEPS = 16  # of a refinement
_CLOSER = 6  # grids of norms, each around the best norm of the last
_MOST = 10**12  # inputs: beyond, rounding cannot tell the ranks d - 1 and d apart
_CLOSE = 4.0 * float(np.finfo(np.float64).eps)


class Laziest(NamedTuple):
    """The rank with the largest mean kernel alignment, and that alignment."""

    rank: NDArray[np.int64]
    kernel_alignment: Array
    kernel_alignment_full: Array  #: of the full rank


class Window(NamedTuple):
    """Norms of the start between which a rank below the full one is the laziest."""

    lowest_norm: float
    highest_norm: float


def rank(inputs: int, *, strengths: ArrayLike = 1.0, norm: ArrayLike = 1.0) -> Laziest:
    """Rank with the largest mean KA over random tasks, of flat starts of the same norm (T9).

    Exact: every whole rank from the number of non-zero strengths, below which not all is learned,
    to d counts. Of equal ranks it is the full one, else the smallest.

    Parameters
    ----------
    inputs
        d.
    strengths
        Singular values of cov_yx, one for each output; 0 for an output with nothing to learn.
    norm
        sigma, of any shape, which is that of the results.

    Raises
    ------
    ValueError
        For values outside their range, or more non-zero strengths than inputs.

    Examples
    --------
    >>> found = rank(150, strengths=[1.0, 0.05], norm=[1.0, 56.2**0.5, 100.0])
    >>> found.rank
    array([150,  28, 150])
    >>> found.kernel_alignment.round(3), found.kernel_alignment_full.round(3)
    (array([0.743, 0.905, 1.   ]), array([0.743, 0.886, 1.   ]))
    """
    d, g = _task(inputs, strengths)
    sigma = positive(norm, "norm")
    full_alignment = _alignment(d, d, g, sigma)  # refuses norms out of range
    best = np.full(sigma.shape, d)
    if np.count_nonzero(g) < d:
        squared_norm = np.ravel(sigma) ** 2
        lower, least = _best_below_full(d, g, squared_norm)
        full = _deficit(np.asarray(float(d)), d, g, squared_norm)
        best = np.where(least < full, lower, d).reshape(sigma.shape)
    return Laziest(best, _alignment(best, d, g, sigma), full_alignment)


def window(inputs: int, *, strengths: ArrayLike) -> Window | None:
    """Smallest and largest norm at which a rank below the full one ties with it in mean KA (T9).

    Outside, the full rank is the laziest; between, a lower one is. For many inputs the two norms
    grow like d^(1/8) and d^(5/8). Equal strengths leave no window, nor do nearly equal ones: their
    relative standard deviation must exceed about 3.06 (m/d)^(3/8). As ranks are whole, the window
    can have gaps just before it closes. The lower end is exact to rounding, the upper one, often a
    tie of the ranks d - 1 and d, to d times that.

    Parameters
    ----------
    inputs, strengths
        As for `rank`.

    Returns
    -------
    Window or None
        None where the full rank is the laziest at every norm.

    Raises
    ------
    ValueError
        For values outside their range, or more non-zero strengths than inputs.

    Examples
    --------
    >>> found = window(150, strengths=[1.0, 0.05])
    >>> round(found.lowest_norm, 3), round(found.highest_norm, 3)
    (5.796, 12.838)
    >>> print(window(150, strengths=[1.0, 1.0]))
    None
    """
    from scipy.optimize import brentq

    d, g = _task(inputs, strengths)
    if np.count_nonzero(g) == d:
        return None
    strongest = float(np.max(g))
    g = g / strongest

    def lead(log_squared_norm: float) -> float:
        return float(_lead(d, g, np.asarray([log_squared_norm]))[0])

    ends = [brentq(lead, *pair, xtol=1e-300, rtol=_CLOSE) for pair in _brackets(d, g)]
    if not ends:
        return None
    low, high = (float(np.sqrt(strongest) * np.exp(0.5 * end)) for end in ends)
    return Window(low, high)


def _brackets(d: int, g: Array) -> list[tuple[float, float]]:
    """Intervals of log sigma^2 with the two ends of the window; none where there is no window.

    As sigma -> 0 E KA grows like sqrt(r), and beyond sigma^2 = (3/2)^(1/4) d^(5/4) the full rank
    has won again (T9), to leading order: the interval searched is wider. A window too narrow for
    the first grid is looked for around the grid's best norm.
    """
    low, high = np.log(0.01 / g.size), np.log(20.0) + 1.25 * np.log(d)
    grid = np.linspace(low, high, int(_PER_E_FOLD * (high - low) / 4))
    for _ in range(_CLOSER):
        lead = _lead(d, g, grid)
        (ahead,) = np.nonzero(lead > 0.0)
        if ahead.size:
            first, last = ahead[[0, -1]]
            pairs = (grid[first - 1 : first + 1], grid[last : last + 2])
            return [(float(x), float(y)) for x, y in pairs]
        k = int(np.argmax(lead))
        around = grid[max(k - 1, 0)], grid[min(k + 1, grid.size - 1)]
        grid = np.linspace(*around, 4 * _STEPS + 1)
    return []


def _lead(d: int, g: Array, log_squared_norm: Array) -> Array:
    """log of the deficit at full rank over the least below it; strengths of order 1."""
    squared_norm = np.exp(log_squared_norm)
    least = _best_below_full(d, g, squared_norm)[1]
    return np.log(_deficit(np.asarray(float(d)), d, g, squared_norm) / least)


def _best_below_full(d: int, g: Array, squared_norm: Array) -> tuple[NDArray[np.int64], Array]:
    """Rank of the least deficit from n to d - 1 for each norm, and the deficit.

    Ranks in geometric steps, then each local minimum among them refined: in log r the curve has
    no features narrower than order 1.
    """
    least = np.count_nonzero(g)
    steps = 2 + int(_PER_E_FOLD * np.log((d - 1) / least))
    grid = np.unique(np.rint(np.geomspace(least, d - 1, steps)))
    blocks = range(0, squared_norm.size, _BLOCK)
    values = np.concatenate(
        [_deficit(grid, d, g, squared_norm[k : k + _BLOCK, None]) for k in blocks]
    )
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=np.inf)
    dips = (values <= padded[:, :-2]) & (values <= padded[:, 2:])
    case, place = np.nonzero(dips)
    low = grid[np.maximum(place - 1, 0)]
    high = grid[np.minimum(place + 1, grid.size - 1)]
    found, deficit = _refined(low, high, d, g, squared_norm[case])
    order = np.lexsort((found, deficit, case))
    first = order[np.unique(case[order], return_index=True)[1]]
    return found[first].astype(np.int64), deficit[first]


def _refined(low: Array, high: Array, d: int, g: Array, squared_norm: Array) -> tuple[Array, Array]:
    """The whole rank of the least deficit between low and high, where it has one minimum."""
    pick = np.arange(low.size)
    while True:
        ranks = np.rint(np.linspace(low, high, _STEPS + 1, axis=1))
        values = _deficit(ranks, d, g, squared_norm[:, None])
        k = np.argmin(values, axis=1)
        if np.all(high - low <= _STEPS):
            return ranks[pick, k], values[pick, k]
        low, high = ranks[pick, np.maximum(k - 1, 0)], ranks[pick, np.minimum(k + 1, _STEPS)]


def _deficit(r: Array, d: int, g: Array, squared_norm: Array) -> Array:
    """1 - (E KA)^2 by the formula above."""
    x = g[g > 0] * (r / squared_norm)[..., None]
    learned = x * (2.0 * x / (1.0 + np.hypot(1.0, 2.0 * x)))
    m, n = g.size, x.shape[-1]
    b, b2 = np.sum(learned, axis=-1), np.sum(learned**2, axis=-1)
    spread = np.sum((learned - b[..., None] / n) ** 2, axis=-1)  # V/n
    e = (d - r) / d
    aligned = (m * d - n * r) / (n * m) + m * ((d * d - n * r) / (n * d * d))
    gap = m * n * e * (2.0 - n * e / r) + 2.0 * e * b * (m + n + n * m / d + b)
    gap = gap + (d + m) * spread + b**2 * aligned
    deficit: Array = gap / (m * (r + 2.0 * b + b2) + 2.0 * b * (r + b) + d * b2)
    return deficit


def _alignment(r: ArrayLike, d: int, g: Array, sigma: Array) -> Array:
    return several_outputs.expected(r, d, strengths=g, norm=sigma).mean.kernel_alignment


def _task(inputs: int, strengths: ArrayLike) -> tuple[int, Array]:
    d = integer(inputs, "inputs", most=_MOST)
    g = np.atleast_1d(nonnegative(strengths, "strengths"))
    if g.ndim > 1:
        raise ValueError(f"strengths must be one list of numbers; their shape is {g.shape}")
    count = np.count_nonzero(g)
    if not 0 < count <= d:
        raise ValueError(
            f"strengths must have at least one and at most inputs = {d} non-zero entries; "
            f"they have {count}"
        )
    return d, g
