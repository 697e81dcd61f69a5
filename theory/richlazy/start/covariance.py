"""Eigenvalues and roots of covariances whose inputs may be in very different units.

A clock beside a feature of order 1 makes a matrix D C D, D diagonal and huge in places, C of unit
diagonal. What has no variance is told from C; the eigenvalues are those of (D C^(1/2))(D C^(1/2))',
each to its own digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.start import matrices, precision

__all__ = ["eigen", "inverse_root", "root"]

Array = NDArray[np.float64]

_NO_VARIANCE = 1e-15  # times the inputs: eigenvalues of C that are rounding
_NO_ROOT = 1e-8  # of the largest: the root of rounding


def eigen(cov: Array, rounding: float | None = None) -> tuple[Array, Array]:
    """Eigenvalues, ascending, and vectors of a covariance; exactly 0 where there is no variance.

    Examples
    --------
    >>> values, _ = eigen(np.array([[1e16, 1e8], [1e8, 2.0]]))  # determinant 1e16
    >>> bool(abs(values[0] - 1.0) < 1e-12)
    True
    """
    rounding = len(cov) * _NO_VARIANCE if rounding is None else rounding
    sizes = np.sqrt(np.maximum(np.diagonal(cov), 0.0))
    if sizes.min() >= np.sqrt(precision.GRADED) * sizes.max():
        values, vectors = np.linalg.eigh(cov)
        return np.where(values > values[-1] * rounding, values, 0.0), vectors
    scale = np.ldexp(1.0, np.frexp(sizes)[1])  # a power of two: nothing is rounded
    values, vectors = np.linalg.eigh(cov / scale / scale[:, None])
    known = values > values[-1] * rounding
    half = scale[:, None] * vectors[:, known] * np.sqrt(values[known])
    thin = matrices.svd(half)
    rest = np.linalg.qr(thin.left, mode="complete")[0][:, thin.values.size :]
    zero = np.zeros(rest.shape[1])
    order = slice(None, None, -1)
    return (
        np.concatenate([zero, thin.values[order] ** 2]),
        np.concatenate([rest, thin.left[:, order]], axis=1),
    )


def root(cov: Array) -> Array:
    """Symmetric square root.

    Examples
    --------
    >>> found = root(np.array([[4e16, 2e8], [2e8, 2.0]]))
    >>> bool(abs((found @ found)[0, 1] / 2e8 - 1.0) < 1e-14)
    True
    """
    values, vectors = eigen(cov)
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)


def inverse_root(root: Array) -> Array:
    """Pseudoinverse of a root, whose least eigenvalues are the root of rounding noise."""
    values, vectors = eigen(0.5 * (root + root.T), _NO_ROOT)
    known = values > 0
    if known.all() and precision.graded(root):
        scale = np.ldexp(1.0, np.frexp(np.sqrt(np.diagonal(root)))[1])
        return np.asarray(np.linalg.inv(root / scale / scale[:, None]) / scale / scale[:, None])
    return np.asarray((vectors[:, known] / values[known]) @ vectors[:, known].T)
