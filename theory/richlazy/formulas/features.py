"""T10: targets that depend on the inputs through features, y = w'F x.

The task vector is beta = F'w. A start whose row space holds the top right singular
directions of F (the truncated F) has task alignment c, the share of beta in them: the more
anisotropic F, the more aligned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import integer, positive, real_array, unit_interval
from richlazy.start import precision
from richlazy.start.task import Task

__all__ = ["alignment", "mean_step_alignment", "step_alignment", "task"]

Array = NDArray[np.float64]


def task(features: ArrayLike, weights: ArrayLike) -> Task:
    """Targets y = w'F x on white inputs: features F (k, d), weights w (k,), or (m, k).

    Examples
    --------
    >>> task([[3.0, 0.0], [0.0, 1.0]], [1.0, 1.0]).cov_yx
    array([[3., 1.]])
    """
    f, w = _checked(features, weights)
    return Task.teacher(w @ f)


def alignment(features: ArrayLike, weights: ArrayLike, rank: int) -> Array:
    """Alignment c of each task mode with the top `rank` right singular directions of F.

    One output: c = sum_{i <= r} f_i^2 w_i^2 / sum_i f_i^2 w_i^2, f_i the singular values of F and
    w_i the components of w on its left singular vectors.

    Raises
    ------
    ValueError
        If `rank` exceeds the rank of F, or cuts through equal singular values, where the
        truncated F is not defined.

    Examples
    --------
    >>> alignment([[3.0, 0.0], [0.0, 1.0]], [1.0, 1.0], rank=1)
    array([0.9])
    """
    f, w = _checked(features, weights)
    r = integer(rank, "rank")
    size, rows = np.linalg.svd(f, full_matrices=False)[1:]
    cut = precision.cutoff(size, f.shape, precision.of(features))
    known = np.count_nonzero(size > cut)
    if r > known:
        raise ValueError(f"rank must be at most that of the features, {known}; it is {r}")
    if r < size.size and size[r - 1] - size[r] <= cut:
        raise ValueError(
            f"rank {r} cuts through equal singular values {size[r]:g} of the features; choose one "
            "where they drop"
        )
    return Task.teacher(w @ f).alignment(rows[:r].T)


def step_alignment(anisotropy: ArrayLike, share: ArrayLike) -> Array:
    """Return c where the upper half of F's singular values is kappa and the rest 1.

    c = kappa^2 x / (kappa^2 x + 1 - x), x = |w_top|^2/|w|^2 the share of w in the upper half.

    Parameters
    ----------
    anisotropy
        kappa > 0.
    share
        x in [0, 1]; at kappa = 1 that is c.

    Examples
    --------
    >>> step_alignment(3.0, [0.0, 0.5, 1.0])
    array([0. , 0.9, 1. ])
    """
    k, x = positive(anisotropy, "anisotropy"), unit_interval(share, "share")
    top = k * np.sqrt(x)
    return np.asarray((top / np.hypot(top, np.sqrt(1.0 - x))) ** 2)


def mean_step_alignment(anisotropy: ArrayLike, size: ArrayLike) -> Array:
    """Mean of `step_alignment` over uniformly random directions of w: near kappa^2/(1 + kappa^2).

    x ~ Beta(n/4, n/4), so E c = 2F1(1, n/4; n/2 + 1; 1 - 1/kappa^2)/2. It is summed by the
    trapezoidal rule in log(x/(1 - x)), where everything is analytic, to 3e-14 relative
    (`scipy.special.hyp2f1` gives nan from n = 1000 on).

    Parameters
    ----------
    anisotropy
        kappa > 0.
    size
        n, the number of singular values of F, even.

    Examples
    --------
    >>> mean_step_alignment([1.0, 3.0, 1e9], 1000).round(4)
    array([0.5   , 0.8997, 1.    ])
    """
    k, n = positive(anisotropy, "anisotropy"), real_array(size, "size")
    if np.any((n < 2) | (n % 2 != 0)):
        raise ValueError(
            "size must be an even number of singular values, at least 2; one is "
            f"{n[(n < 2) | (n % 2 != 0)].flat[0]:g}"
        )
    k, n = np.broadcast_arrays(k, n)
    a, shift = 0.25 * n, 2.0 * np.log(k)
    high = 2.0 * np.arccosh(np.exp(20.0 / a))  # where the density is e^-40 of its middle
    step = np.minimum(0.3, 0.6 * np.sqrt(2.0 / a))  # of the nearest poles, and of a Gaussian
    low, high = -high, high + np.maximum(-shift, 0.0)
    u = np.linspace(low, high, int(np.max((high - low) / step)) + 2, axis=-1)
    weight = np.exp(a[..., None] * (-np.logaddexp(0.0, u) - np.logaddexp(0.0, -u) + np.log(4.0)))
    c = np.exp(-np.logaddexp(0.0, -u - shift[..., None]))
    return np.asarray(np.sum(weight * c, axis=-1) / np.sum(weight, axis=-1))


def _checked(features: ArrayLike, weights: ArrayLike) -> tuple[Array, Array]:
    f, w = real_array(features, "features", ndim=2), real_array(weights, "weights", ndim=(1, 2))
    if w.shape[-1] != len(f):
        raise ValueError(
            f"weights must have one entry for each of {len(f)} features along the last axis; "
            f"their shape is {w.shape}"
        )
    return f, w
