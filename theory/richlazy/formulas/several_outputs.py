"""T6, T7 at the end of training, several outputs: a flat start of rank r, silent readout.

W1(0) = (sigma/sqrt(r)) U_r V_r', W2(0) = 0, white inputs, cov_yx = U diag(s_i) V' with m
modes along the last axis, c_i = ||V_r' v_i||^2 their alignments. At t = infinity the start
has learned the modes it reaches: all of them where r is enough, else the r strongest.

With s^2 = sigma^2/r, alpha_i^2 = 2 s_i^2/(s^2 + sqrt(s^4 + 4 s_i^2)), mu_i^2 = s^2 + alpha_i^2:
R = sum mu_i^2 v_i v_i' + s^2 P, P the projector on what V_r holds beside the learned modes,
and W2 W2' = sum alpha_i^2 u_i u_i'. Everything is vectorised over leading axes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import (
    AssumptionError,
    counts,
    nonnegative,
    positive,
    unit_interval,
)
from richlazy.formulas.low_rank import check_scale
from richlazy.laziness import Measures

__all__ = ["Converged", "Expectation", "alignments", "expected", "measures"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ROUNDING = 1e-9  # of the sum of alignments, which come as sums of squares


class Converged(NamedTuple):
    """What the alignments c_i alone decide at the end of training."""

    representation_alignment: Array
    kernel_alignment: Array
    target_alignment: Array
    weight_change_readout: Array
    loss: Array


class Expectation(NamedTuple):
    """Mean and standard deviation over uniformly random task directions (T7)."""

    mean: Converged
    sd: Converged


class _Final(NamedTuple):
    """The end state in units of s^2, modes along the last axis."""

    mu: Array  #: mu_i^2/s^2 of the learned modes, 0 for others
    alpha: Array  #: alpha_i^2/s^2 of the learned modes, 0 for others
    weight: Array  #: mu_i^2/s^2 wherever c_i enters the overlap with the start
    frozen: Array  #: directions of the start that keep s^2
    norm_ra: Array  #: ||R_0|| ||R||
    norm_ka: Array  #: ||K_0|| ||K||
    target: Array  #: TA
    loss: Array


def alignments(
    rank: ArrayLike,
    inputs: ArrayLike,
    *,
    alignment: ArrayLike,
    strengths: ArrayLike = 1.0,
    norm: ArrayLike = 1.0,
) -> Converged:
    """Alignments, ||dW2|| and loss at t = infinity (T6, m outputs), any row space of these c_i.

    With k modes learned, tr R_0 R = s^2 [sum mu_i^2 c_i + s^2 (r-k)] and
    ||R||^2 = sum mu_i^4 + s^4 (r-k); KA follows from tr K_0 K = m tr R_0 R + tr R_0 tr B and
    ||K||^2 = m ||R||^2 + 2 tr R tr B + d ||B||^2. Target alignment is sum s_i^2 (mu_i^2 +
    alpha_i^2) over ||K|| sum s_i^2, whatever the c_i (T21). Needs V_r' of the learned modes to have
    full column rank, which random directions have.

    Parameters
    ----------
    rank, inputs, norm
        r, d and sigma, broadcast over the leading axes of the other two.
    alignment
        c_i along the last axis, m of them, one for each output. A mode at exactly 0 is
        never learned.
    strengths
        Singular values s_i of cov_yx, as alignment; 0 for an output with no mode.

    Raises
    ------
    ValueError
        For values no row space can have.
    AssumptionError
        If r cuts through modes of equal strength: which of their combinations are learned
        is then not a matter of c_i, unless all are equal.

    Examples
    --------
    >>> found = alignments(6, 20, alignment=[0.3, 0.3], strengths=[1.0, 0.5])
    >>> [round(float(v), 6) for v in found[:2]]
    [0.372841, 0.547302]
    """
    r, d, c, g, sigma = _checked(rank, inputs, alignment, strengths, norm)
    return _alignments(_final(r, d, g, sigma, c > 0), c, r, g.shape[-1], sigma)


def measures(
    rank: ArrayLike,
    inputs: ArrayLike,
    *,
    alignment: ArrayLike,
    strengths: ArrayLike = 1.0,
    norm: ArrayLike = 1.0,
) -> Measures:
    """Every measure at t = infinity (T6, m outputs) where the columns of V_r'V are orthogonal.

    ||dW||^2 = sum 2 mu_i (mu_i - s sqrt(c_i)) over the learned modes. For modes of equal
    strength that is no restriction: any combinations of them are modes, so give the squared
    cosines of the principal angles between row space and task (singular values of V_r'V) as
    `alignment`. Otherwise ||dW|| has no closed form; see `alignments` for the rest.

    Parameters
    ----------
    rank, inputs, alignment, strengths, norm
        As for `alignments`. Of orthogonal columns at most r are not zero.

    Examples
    --------
    >>> m = measures(6, 20, alignment=[0.3, 0.3], strengths=[1.0, 0.5])
    >>> round(float(m.weight_change), 6)
    1.595074
    """
    r, d, c, g, sigma = _checked(rank, inputs, alignment, strengths, norm)
    reached = (c > 0) & (g > 0)
    count = np.sum(reached, axis=-1)
    if np.any(count > r):
        raise ValueError(
            "alignment must be the squared lengths of orthogonal columns of V_r'V, of which at "
            f"most rank are not zero; {count[count > r].flat[0]} are: see `alignments`"
        )
    final = _final(r, d, g, sigma, c > 0)
    s = sigma / np.sqrt(r)
    mu, root = np.sqrt(final.mu), np.sqrt(c)
    gap = final.alpha / (mu + 1.0)  # mu - s without cancellation
    away = (1.0 - c) / (1.0 + root)  # 1 - sqrt(c)
    change1 = s * np.sqrt(np.sum(gap**2 + 2.0 * mu * away, axis=-1))
    total = s * np.sqrt(np.sum(2.0 * mu * (gap + away), axis=-1))
    ra, ka, ta, change2, loss = _alignments(final, c, r, g.shape[-1], sigma)
    return Measures(total, change1, change2, ra, ka, ta, loss)


def expected(
    rank: ArrayLike, inputs: ArrayLike, *, strengths: ArrayLike = 1.0, norm: ArrayLike = 1.0
) -> Expectation:
    """Exact means and standard deviations over uniformly random modes v_i, t = infinity (T7).

    RA and KA are linear in the c_i, each of mean r/d and Var c = 2 r (d-r)/(d^2 (d+2)). The
    c_i of a whole basis sum to r, so Cov(c_i, c_j) = -Var c/(d-1).

    Parameters
    ----------
    rank, inputs, strengths, norm
        As for `alignments`, strengths along the last axis, m at most d.

    Examples
    --------
    Two outputs of unequal strength are lazier from a start of low rank than of full rank
    (T9):

    >>> found = expected([28, 150], 150, strengths=[1.0, 0.05], norm=56.2**0.5)
    >>> found.mean.kernel_alignment.round(3)
    array([0.905, 0.886])
    """
    r, d, g, sigma = _broadcast(rank, inputs, strengths, norm)
    share = np.broadcast_to((r / d)[..., None], g.shape)
    final = _final(r, d, g, sigma, np.ones(g.shape, dtype=bool))
    m = g.shape[-1]
    mean = _alignments(final, share, r, m, sigma)
    # sum w^2 - (sum w)^2/d as sums of squares; a whole basis of equal modes has no spread
    counted = np.maximum(np.sum(final.weight > 0, axis=-1), 1)
    middle = np.sum(final.weight, axis=-1) / counted
    off = np.where(final.weight > 0, final.weight - middle[..., None], 0.0)
    spread = np.sum(off**2, axis=-1) + counted * middle**2 * (1.0 - counted / d)
    variance = 2.0 * r * (d - r) / (d * (d + 2.0) * np.where(d > 1, d - 1.0, 1.0))
    deviation = np.sqrt(variance * spread)
    zero = np.zeros(deviation.shape)
    sd = Converged(deviation / final.norm_ra, m * deviation / final.norm_ka, zero, zero, zero)
    return Expectation(mean, sd)


def _final(r: Array, d: Array, g: Array, sigma: Array, reached: Mask) -> _Final:
    m = g.shape[-1]
    active = reached & (g > 0)
    # place of each mode among those reached, strongest first
    size = np.where(active, g, 0.0)
    place = np.argsort(np.argsort(-size, axis=-1, kind="stable"), axis=-1)
    learned = active & (place < r[..., None])
    dropped = active & ~learned
    cut = np.any(dropped, axis=-1)
    weakest = np.min(np.where(learned, g, np.inf), axis=-1)
    strongest = np.max(np.where(dropped, g, 0.0), axis=-1)
    top = np.max(size, axis=-1)
    alike = cut & (np.min(np.where(active, g, np.inf), axis=-1) == top)
    tie = cut & (weakest == strongest) & ~alike
    if np.any(tie):
        raise AssumptionError(
            f"rank {r[tie].flat[0]:g} cuts through modes of equal strength "
            f"{weakest[tie].flat[0]:g}: which combinations are learned depends on more than the "
            "alignments; use richlazy.solve, or make the strengths differ"
        )
    x = g / (sigma**2 / r)[..., None]
    alpha = x * (2.0 * x / (1.0 + np.hypot(1.0, 2.0 * x)))
    mu = np.where(learned, 1.0 + alpha, 0.0)
    # of modes all alike, rotations among them are free: the learned ones take all the overlap
    weight = np.where(np.where(alike[..., None], active, learned), 1.0 + alpha, 0.0)
    alpha = np.where(learned, alpha, 0.0)
    frozen = r - np.sum(learned, axis=-1)
    r_square = np.sum(mu**2, axis=-1) + frozen
    trace, b = np.sum(mu, axis=-1) + frozen, np.sum(alpha, axis=-1)
    k_square = m * r_square + 2.0 * trace * b + d * np.sum(alpha**2, axis=-1)
    left = np.where(learned, 0.0, g)
    share = (g / np.max(g, axis=-1, keepdims=True)) ** 2
    along = np.sum(share * (mu + alpha), axis=-1) / np.sum(share, axis=-1)
    return _Final(
        mu=mu,
        alpha=alpha,
        weight=weight,
        frozen=frozen,
        norm_ra=np.sqrt(r) * np.sqrt(r_square),
        norm_ka=np.sqrt(m * r) * np.sqrt(k_square),
        target=np.minimum(along / np.sqrt(k_square), 1.0),
        loss=0.5 * np.sum(left**2, axis=-1),
    )


def _alignments(final: _Final, c: Array, r: Array, m: int, sigma: Array) -> Converged:
    overlap = np.sum(final.weight * c, axis=-1) + final.frozen
    b = np.sum(final.alpha, axis=-1)
    return Converged(
        np.minimum(overlap / final.norm_ra, 1.0),
        np.minimum((m * overlap + r * b) / final.norm_ka, 1.0),
        final.target,
        sigma / np.sqrt(r) * np.sqrt(b),
        final.loss,
    )


def _checked(
    rank: ArrayLike, inputs: ArrayLike, alignment: ArrayLike, strengths: ArrayLike, norm: ArrayLike
) -> tuple[Array, ...]:
    c = np.atleast_1d(unit_interval(alignment, "alignment"))
    g = np.atleast_1d(nonnegative(strengths, "strengths"))
    try:
        c, g = np.broadcast_arrays(c, g)
    except ValueError:
        raise ValueError(
            f"alignment and strengths must have one entry for each of m modes along the last axis; "
            f"their shapes are {c.shape} and {g.shape}"
        ) from None
    r, d, g, sigma = _broadcast(rank, inputs, g, norm)
    c = np.broadcast_to(c, g.shape)
    total, n = np.sum(np.where(g > 0, c, 0.0), axis=-1), np.sum(g > 0, axis=-1)
    low, high = np.maximum(0, r + n - d), np.minimum(r, n)
    bad = (total < low * (1.0 - _ROUNDING)) | (total > high * (1.0 + _ROUNDING))
    if np.any(bad):
        raise ValueError(
            "alignment is impossible: with rank "
            f"{r[bad].flat[0]:g}, {n[bad].flat[0]} task modes and {d[bad].flat[0]:g} inputs its "
            f"sum must lie in [{low[bad].flat[0]:g}, {high[bad].flat[0]:g}]; "
            f"it is {total[bad].flat[0]:g}"
        )
    return r, d, c, g, sigma


def _broadcast(
    rank: ArrayLike, inputs: ArrayLike, strengths: ArrayLike, norm: ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """(r, d, strengths, sigma), strengths with one more axis than the others."""
    r, d = _whole(rank, "rank"), _whole(inputs, "inputs")
    g, sigma = np.atleast_1d(nonnegative(strengths, "strengths")), positive(norm, "norm")
    if not np.all(np.any(g > 0, axis=-1)):
        raise ValueError("strengths must have a non-zero entry: there is nothing to learn")
    if np.any(r > d):
        raise ValueError(f"rank must be at most inputs; it is up to {r.max():g} of {d.min():g}")
    most = np.sum(g > 0, axis=-1)
    if np.any(most > d):
        raise ValueError(
            f"strengths must have at most inputs non-zero entries; {most.max()} of {d.min():g}"
        )
    check_scale(sigma, np.max(g, axis=-1), r)
    r, d, sigma, _ = np.broadcast_arrays(r, d, sigma, g[..., 0])
    return r, d, np.broadcast_to(g, (*r.shape, g.shape[-1])), sigma


def _whole(value: ArrayLike, name: str) -> Array:
    array = positive(counts(value, name), name)
    if np.any(array != np.floor(array)):
        raise ValueError(
            f"{name} must be whole numbers; one is {array[array != np.floor(array)].flat[0]:g}"
        )
    return array
