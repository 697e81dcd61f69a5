"""T8 and the participation-ratio law of T15: any spectrum, through two moments.

A start of any spectrum learns one random task, to leading order, like a flat start whose
rank is its participation ratio PR = (tr R_0)^2 / tr R_0^2. In the rich limit (t to
infinity, then norm to 0) that is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import low_rank
from richlazy.errors import nonnegative, positive, real_array, unit_interval

__all__ = ["law", "rich_limit", "rich_limit_mean"]

Array = NDArray[np.float64]


def rich_limit(participation_ratio: ArrayLike, share: ArrayLike, inputs: ArrayLike) -> Array:
    """T8, one output and one task: KA = (beta' R_0 beta / tr R_0 + 1) sqrt(PR) / sqrt(d + 3).

    Parameters
    ----------
    participation_ratio
        PR of the start.
    share
        beta' R_0 beta / tr R_0 for the unit task vector beta, in [0, 1].
    inputs
        d.

    Examples
    --------
    >>> float(rich_limit(1.0, 1.0, 1))
    1.0
    """
    pr, d = _ratios(participation_ratio, inputs)
    return np.asarray((unit_interval(share, "share") + 1.0) * np.sqrt(pr) / np.sqrt(d + 3.0))


def rich_limit_mean(
    participation_ratio: ArrayLike, inputs: ArrayLike, strengths: ArrayLike = 1.0
) -> Array:
    """T8, mean over random tasks, m outputs.

    E KA = sqrt(PR) (1 + m/d) sum s / sqrt(m ((m + d) sum s^2 + 2 (sum s)^2)).

    Needs rank W1(0) >= number of modes. `strengths` are the m mode strengths; for one
    output E KA = (1 + 1/d) sqrt(PR) / sqrt(d + 3), whatever the strength. By
    Cauchy-Schwarz it is largest exactly for a flat full-rank spectrum.

    Examples
    --------
    >>> float(rich_limit_mean(1.0, 1.0))
    1.0
    """
    pr, d = _ratios(participation_ratio, inputs)
    s = np.atleast_1d(nonnegative(strengths, "strengths"))
    if s.ndim != 1 or not np.any(s):
        raise ValueError("strengths must be a vector with a non-zero entry")
    s = s / s.max()
    m, total, squares = s.size, float(np.sum(s)), float(np.sum(s**2))
    bottom = np.sqrt(m * ((m + d) * squares + 2.0 * total**2))
    return np.asarray(np.sqrt(pr) * (1.0 + m / d) * total / bottom)


def law(
    participation_ratio: ArrayLike,
    inputs: ArrayLike,
    *,
    norm: ArrayLike = 1.0,
    strength: ArrayLike = 1.0,
    t: ArrayLike = np.inf,
) -> low_rank.Expectation:
    """Participation-ratio law (T15, k = 1): `low_rank.expected` with r -> PR, not an integer.

    Exact for flat spectra. For others KA holds to 1 % for norms up to about the square
    root of the strength at PR above 10, to a few % at three times that; it fails where
    small singular values make a large-scale start lazier than PR says. `richlazy.expect`
    with method "law" compares it with the second Krylov order and says so.

    Examples
    --------
    >>> round(float(law(29.1, 279).mean.kernel_alignment), 3)
    0.332
    """
    pr, d = _ratios(participation_ratio, inputs)
    return low_rank.expected(pr, d, norm=positive(norm, "norm"), strength=strength, t=t)


def _ratios(participation_ratio: ArrayLike, inputs: ArrayLike) -> tuple[Array, Array]:
    pr, d = real_array(participation_ratio, "participation_ratio"), real_array(inputs, "inputs")
    if np.any(d != np.floor(d)):
        raise ValueError(f"inputs must be whole numbers; one is {d[d != np.floor(d)].flat[0]:g}")
    pr = np.where((pr > d) & (pr < d * (1 + 1e-12)), d, pr)  # rounding of a flat spectrum
    pr = np.where((pr < 1) & (pr > 1 - 1e-12), 1.0, pr)
    outside = (pr < 1) | (pr > d)
    if np.any(outside):
        bad = np.broadcast_to(pr, outside.shape)[outside].flat[0]
        raise ValueError(f"participation_ratio must lie in [1, inputs]; it is {bad:g}")
    return pr, d
