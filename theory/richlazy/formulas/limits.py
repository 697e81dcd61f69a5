"""T8 and the participation-ratio law of T15: any spectrum, through two moments.

A start of any spectrum learns one random task, to leading order, like a flat start whose
rank is its participation ratio PR = (tr R_0)^2 / tr R_0^2. In the rich limit (t to
infinity, then norm to 0) that is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import counts, integer, nonnegative, positive, real_array, unit_interval
from richlazy.formulas import low_rank

__all__ = [
    "Correction",
    "law",
    "representation_rich_limit",
    "rich_correction",
    "rich_limit",
    "rich_limit_mean",
]

Array = NDArray[np.float64]


class Correction(NamedTuple):
    """Relative corrections of RA and KA to their rich limits, first order in sigma^2."""

    representation_alignment: float
    kernel_alignment: float


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


def representation_rich_limit(participation_ratio: ArrayLike, share: ArrayLike) -> Array:
    """T8, one output and one task: RA = (beta' R_0 beta / tr R_0) sqrt(PR), whatever d.

    At share = 1/d it is the mean over random tasks, E RA = sqrt(PR)/d.

    Parameters
    ----------
    participation_ratio, share
        As in `rich_limit`.

    Examples
    --------
    >>> float(representation_rich_limit(4.0, 0.25))
    0.5
    """
    pr = real_array(participation_ratio, "participation_ratio")
    if np.any(pr < 1 - 1e-12):
        raise ValueError(f"participation_ratio must be >= 1; its smallest value is {pr.min():g}")
    return np.asarray(unit_interval(share, "share") * np.sqrt(pr))


def rich_correction(
    singular_values: ArrayLike, shares: ArrayLike, inputs: int, *, strength: float = 1.0
) -> Correction:
    """T8, one output and one task: how RA and KA leave their rich limits, to first order.

    KA = rich_limit (1 + kernel_alignment + O(sigma^3)), and RA alike, at t = infinity; for flat
    starts the rest is O(sigma^4). With mu_k = v'R_0^k v of the unit task vector v, T = tr R_0,
    Q = tr R_0^2 and g the strength, the corrections are

        RA: (Q - mu_3/mu_1) / (g mu_1)
        KA: (mu_2/2 + Q - mu_3/mu_1 - T mu_2/(2 mu_1)) / (g (mu_1 + T)) + ((d + 1) mu_2/mu_1
        - 2T) / (2 g (d + 3))

    Asymptotic: of use while they are small beside 1, so at a norm far below the root of the
    strength, and a task that has not much less than its fair share of the start.

    Parameters
    ----------
    singular_values
        Of W1(0), in any order, (n,).
    shares
        Squared components of v along the right singular vectors of W1(0), (n,), in the same
        order; their sum is the alignment of the task, at most 1.
    inputs
        d, at least n.
    strength
        Length of the task vector.

    Raises
    ------
    ValueError
        For values outside their range, and if no share belongs to a singular value above 0:
        then nothing is ever learned.

    Examples
    --------
    >>> found = rich_correction([0.1, 0.05], [0.1, 0.2], 10)
    >>> [round(x, 5) for x in found]
    [0.025, 0.00194]
    """
    s = nonnegative(singular_values, "singular_values")
    c = unit_interval(shares, "shares")
    d, g = integer(inputs, "inputs"), float(positive(strength, "strength", ndim=0))
    if s.ndim != 1 or s.shape != c.shape or s.size > d:
        raise ValueError(
            "singular_values and shares must be vectors of one length, at most inputs; they are "
            f"{s.shape} and {c.shape}, and inputs is {d}"
        )
    if c.sum() > 1 + 1e-12:
        raise ValueError(f"shares must have a sum of at most 1; it is {c.sum():.15g}")
    if s.size == d and c.sum() < 1 - 1e-12:
        raise ValueError(
            "shares must have the sum 1 where there are as many singular values as inputs; it is "
            f"{c.sum():.15g}"
        )
    if not np.any(s * c):
        raise ValueError("shares must be above 0 for some singular value above 0; none is")
    largest = float(s.max())
    eigenvalues = (s / largest) ** 2  # of R_0, in units of the largest
    total, square = float(eigenvalues.sum()), float(np.sum(eigenvalues**2))
    mu_1, mu_2, mu_3 = (float(c @ eigenvalues**k) for k in (1, 2, 3))
    slope, across = mu_2 / mu_1, square - mu_3 / mu_1
    kernel = (mu_2 / 2 + across - total * slope / 2) / (mu_1 + total)
    kernel += ((d + 1) * slope - 2 * total) / (2 * (d + 3))
    unit = largest**2 / g
    return Correction(unit * across / mu_1, unit * kernel)


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
    root of the strength at PR above 10, to a few % (||dW|| to 12 %) at three times; it fails where
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
    pr, d = real_array(participation_ratio, "participation_ratio"), counts(inputs, "inputs")
    if np.any(d != np.floor(d)):
        raise ValueError(f"inputs must be whole numbers; one is {d[d != np.floor(d)].flat[0]:g}")
    pr = np.where((pr > d) & (pr < d * (1 + 1e-12)), d, pr)  # rounding of a flat spectrum
    pr = np.where((pr < 1) & (pr > 1 - 1e-12), 1.0, pr)
    outside = (pr < 1) | (pr > d)
    if np.any(outside):
        bad = np.broadcast_to(pr, outside.shape)[outside].flat[0]
        raise ValueError(f"participation_ratio must lie in [1, inputs]; it is {bad:g}")
    return pr, d
