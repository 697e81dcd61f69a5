"""Curves of the results beyond the papers: where rank and laziness part (T9), the rich limit (T8).

Silent readout, white inputs, t = infinity; one output, but for `laziest`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.curves.curve import Curve, made
from richlazy.errors import integer, nonnegative, positive, real_array
from richlazy.formulas import boundaries, limits
from richlazy.formulas import laziest as laziest_ranks
from richlazy.start import spectrum
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve

__all__ = ["MAKERS", "boundary", "laziest", "peak", "rich_correction", "slopes"]

Array = NDArray[np.float64]
_FLAT = "flat start, silent readout, white inputs, one output"
_SEVERAL = "flat start, silent readout, white inputs, several outputs"
_ANY = "start of a given spectrum, silent readout, white inputs, one output"


def boundary(
    inputs: int, *, norm: float = 1.0, strength: float = 1.0, ranks: ArrayLike | None = None
) -> Curve:
    """Task alignment at which a rank is as lazy as the full one (T9), `boundaries.alignment`.

    Columns representation_boundary, kernel_boundary and weight_change_boundary: above 1 no
    alignment is enough, below 0 any is. `ranks` defaults to 161 real ones from 1 to d.

    Examples
    --------
    >>> curve = boundary(100, norm=3.0, ranks=[5, 99])
    >>> curve.columns["kernel_boundary"].round(3).tolist()
    [2.547, 1.412]
    """
    return _against_rank(
        boundaries.alignment, "boundary", ranks, inputs, norm=norm, strength=strength
    )


def slopes(
    inputs: int, *, norm: float = 1.0, strength: float = 1.0, ranks: ArrayLike | None = None
) -> Curve:
    """d log E RA/dr and d log E KA/dr over random tasks against the rank (T9), `boundaries.slope`.

    Columns representation_slope and kernel_slope: negative where a higher rank makes learning
    richer. `ranks` defaults to 161 real ones from 1 to d.

    Examples
    --------
    >>> curve = slopes(300, norm=3.0, ranks=[2, 3, 14, 15])
    >>> (curve.columns["kernel_slope"] < 0).tolist()
    [False, True, True, False]
    """
    return _against_rank(boundaries.slope, "slope", ranks, inputs, norm=norm, strength=strength)


def peak(inputs: int, *, strength: float = 1.0, norms: ArrayLike | None = None) -> Curve:
    """Ranks at which E RA is largest and E KA turns, against scale (T9).

    Columns representation_peak (`boundaries.peak_rank`), kernel_peak and kernel_trough
    (`boundaries.turning_ranks`). Outside `boundaries.kernel_window` E KA has no turns, and the
    last two hold NaN. `norms` defaults to 121 values that reach beyond everything there is to see.

    Examples
    --------
    >>> curve = peak(300, norms=[1.0, 3.0])
    >>> curve.columns["representation_peak"].round(2).tolist()
    [3.96, 14.31]
    >>> curve.columns["kernel_trough"].round(2).tolist()
    [nan, 14.48]
    """
    d, g = integer(inputs, "inputs"), float(positive(strength, "strength", ndim=0))
    x = _norms(norms, 0.1 + 1.0 / np.sqrt(d), 2.0 * d**0.625, g)
    turns = [boundaries.turning_ranks(d, norm=n, strength=g).kernel_alignment for n in x]
    kernel = np.array([pair or (np.nan, np.nan) for pair in turns])
    columns = {
        "representation_peak": np.array([boundaries.peak_rank(d, norm=n, strength=g) for n in x]),
        "kernel_peak": kernel[:, 0],
        "kernel_trough": kernel[:, 1],
    }
    return made("scale", x, columns, "T9", _FLAT, inputs=d, strength=g)


def laziest(inputs: int, *, strengths: ArrayLike, norms: ArrayLike | None = None) -> Curve:
    """Rank with the largest E KA, and that E KA beside the full rank's, against scale (T9).

    Columns laziest_rank, kernel_alignment and kernel_alignment_full, of `laziest.rank` for outputs
    of these strengths. `norms` defaults to 121 values that reach beyond the window.

    Examples
    --------
    >>> curve = laziest(150, strengths=[1.0, 0.05], norms=[5.0, 7.5, 13.0])
    >>> curve.columns["laziest_rank"]
    array([150.,  28., 150.])
    """
    d = integer(inputs, "inputs")
    g = nonnegative(strengths, "strengths", ndim=1)
    x = _norms(norms, 0.3, 3.0 * d**0.625, float(g.max(initial=0.0)))
    found = laziest_ranks.rank(d, strengths=g, norm=x)
    columns = {
        "laziest_rank": found.rank.astype(np.float64),
        "kernel_alignment": found.kernel_alignment,
        "kernel_alignment_full": found.kernel_alignment_full,
    }
    return made("scale", x, columns, "T9", _SEVERAL, inputs=d, strengths=g)


def rich_correction(
    singular_values: ArrayLike,
    shares: ArrayLike,
    inputs: int,
    *,
    strength: float = 1.0,
    norms: ArrayLike | None = None,
) -> Curve:
    """RA and KA of one task against scale, with their rich limit and its first correction (T8).

    Columns representation_alignment and kernel_alignment of `solve`; <measure>_limit beside each
    is `limits.representation_rich_limit` or `limits.rich_limit`, and <measure>_corrected that
    limit times 1 + `limits.rich_correction`.

    Parameters
    ----------
    singular_values
        Of W1(0) up to a factor, in any order, (n,): every norm rescales them.
    shares, inputs, strength
        As in `limits.rich_correction`.
    norms
        Default: 41 values from 0.02 to 2 times the root of the strength.

    Examples
    --------
    >>> curve = rich_correction([1.0, 0.5], [0.1, 0.2], 10, norms=[0.1, 0.2])
    >>> gap = curve.columns["kernel_alignment"] - curve.columns["kernel_alignment_corrected"]
    >>> bool(np.all(np.abs(gap) < 1e-3))
    True
    """
    d, g = integer(inputs, "inputs"), float(positive(strength, "strength", ndim=0))
    x = positive(_norms(norms, 0.02, 2.0, g, points=41), "norms")
    s, c = nonnegative(singular_values, "singular_values"), real_array(shares, "shares")
    limits.rich_correction(s, c, d, strength=g)  # refuses what cannot be drawn
    s = s / np.linalg.norm(s)
    per_square = limits.rich_correction(s, c, d, strength=g)
    ratio, share = spectrum.effective_rank(np.sort(s)[::-1]), min(float(c @ s**2), 1.0)
    limit = {
        "representation_alignment": limits.representation_rich_limit(ratio, share),
        "kernel_alignment": limits.rich_limit(ratio, share, d),
    }
    shape, task = _built(s, c, d, g)
    exact = [solve(Network(norm * shape), task) for norm in x]
    columns: dict[str, Array] = {}
    for name, value in limit.items():
        columns[name] = np.array([float(getattr(sol, name)()) for sol in exact])
        columns[f"{name}_limit"] = value
        columns[f"{name}_corrected"] = value * (1.0 + x**2 * getattr(per_square, name))
    given = {"singular_values": s, "shares": c, "inputs": d, "strength": g}
    return made("scale", x, columns, "T8", _ANY, **given)


def _built(s: Array, shares: Array, d: int, g: float) -> tuple[Array, Task]:
    """W1 of norm 1, diagonal, and the task; what lies outside the row space is one direction."""
    first = np.zeros((s.size, d))
    np.fill_diagonal(first, s)
    beta = np.zeros(d)
    beta[: s.size] = np.sqrt(shares)
    if s.size < d:
        beta[s.size] = np.sqrt(max(1.0 - shares.sum(), 0.0))
    return first, Task.teacher(g * beta / np.linalg.norm(beta))


def _norms(
    norms: ArrayLike | None, least: float, most: float, strength: float, *, points: int = 121
) -> Array:
    """The norms given, or those from `least` to `most` times the root of the strength."""
    if norms is None:
        return np.asarray(np.geomspace(least, most, points) * np.sqrt(strength))
    return real_array(norms, "norms", ndim=1)


def _against_rank(
    law: Callable[..., NamedTuple],
    what: str,
    ranks: ArrayLike | None,
    inputs: int,
    *,
    norm: float,
    strength: float,
) -> Curve:
    """One of `boundaries` against the rank, its columns called <measure>_<what>."""
    given = _flat(inputs, norm, strength)
    x = _ranks(ranks, inputs)
    columns = law(x, **given)._asdict()
    named = {f"{name.removesuffix('_alignment')}_{what}": v for name, v in columns.items()}
    return made("rank", x, named, "T9", _FLAT, **given)


def _flat(inputs: int, norm: float, strength: float) -> dict[str, float]:
    return {
        "inputs": integer(inputs, "inputs"),
        "norm": float(positive(norm, "norm", ndim=0)),
        "strength": float(positive(strength, "strength", ndim=0)),
    }


def _ranks(ranks: ArrayLike | None, inputs: int) -> Array:
    if ranks is None:
        return np.unique(np.geomspace(1, inputs, 161))
    return real_array(ranks, "ranks", ndim=1)


#: The curves of flat starts.
MAKERS: dict[str, Callable[..., Curve]] = {make.__name__: make for make in (boundary, slopes, peak)}
