"""One face for the first layers people have: dense, sparse, thin factors, LinearOperator.

Only products with the matrix and its transpose are asked of it, so that a connectome of a
million neurons is never made dense.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import (
    ConvergenceError,
    Rng,
    generator,
    positive,
    real_array,
    stacked_array,
)
from richlazy.start import precision
from richlazy.summary import summary

__all__ = [
    "DENSE_LIMIT",
    "Estimate",
    "MatrixLike",
    "Moments",
    "Thin",
    "adjoint",
    "as_matrix",
    "forward",
    "has_entries",
    "has_factors",
    "is_matrix",
    "kept_values",
    "rescaled",
    "second_moments",
    "seen_moments",
    "singular_values",
    "sizes",
    "svd",
]

Array = NDArray[np.float64]
#: ndarray, scipy.sparse array or matrix, `Thin`, or scipy.sparse.linalg.LinearOperator.
MatrixLike: TypeAlias = Any

#: The smaller dimension above which sparse matrices and operators are not made dense.
DENSE_LIMIT = 4096

_EXACT_PRODUCT_LIMIT = 4e9  # multiplications for ||W'W||_F, about a minute and a half
_PROBES = 64
_COLUMNS = 256  # of cov_xx at a time


@dataclass(frozen=True)
class Estimate:
    """A number and the standard error it is known to (0 where it is exact)."""

    value: float
    standard_error: float = 0.0

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True)
class Moments:
    """tr R and tr R^2 of R = W'W, each an `Estimate`."""

    trace: Estimate
    trace_square: Estimate

    @property
    def exact(self) -> bool:
        """Whether neither was sampled."""
        return self.trace.standard_error == 0.0 and self.trace_square.standard_error == 0.0


@dataclass(frozen=True, eq=False)
class Thin:
    """W = left diag(values) right', with orthonormal columns: a thin singular value decomposition.

    Make one with `Thin.from_factors`; `richlazy.Network.from_spectrum` hands them out too.
    """

    left: Array
    values: Array
    right: Array

    @classmethod
    def from_factors(cls, left: ArrayLike, right: ArrayLike) -> Thin:
        """W = left @ right.T from factors of shape (h, r) and (d, r), at a cost of O((h + d) r^2).

        Examples
        --------
        >>> import numpy as np
        >>> Thin.from_factors(np.eye(4, 2), 3 * np.eye(5, 2)).values
        array([3., 3.])
        """
        a, b = real_array(left, "left", ndim=2), real_array(right, "right", ndim=2)
        if a.shape[1] != b.shape[1]:
            raise ValueError(
                f"left (h, r) and right (d, r) must share r; they are {a.shape} and {b.shape}"
            )
        _check_scale(a, "left")
        _check_scale(b, "right")
        (qa, ra), (qb, rb) = np.linalg.qr(a), np.linalg.qr(b)
        u, values, vt = np.linalg.svd(ra @ rb.T, full_matrices=False)
        _check_scale(values, "left @ right.T")
        keep = values > precision.cutoff(np.asarray(values, dtype=float), (len(a), len(b)))
        return cls(qa @ u[:, keep], values[keep], qb @ vt[keep].T)

    @property
    def shape(self) -> tuple[int, int]:
        """(hidden, inputs)."""
        return self.left.shape[0], self.right.shape[0]

    @property
    def parts(self) -> tuple[Array, Array, Array]:
        """left, values, right."""
        return self.left, self.values, self.right

    def toarray(self) -> Array:
        """The dense matrix."""
        return (self.left * self.values) @ self.right.T

    def __repr__(self) -> str:
        hidden, inputs = self.shape
        norm = float(np.linalg.norm(self.values))
        return summary(self, hidden=hidden, inputs=inputs, rank=self.values.size, norm=norm)


def _is_sparse(matrix: MatrixLike) -> bool:
    return hasattr(matrix, "tocsr")


def _is_operator(matrix: MatrixLike) -> bool:
    return hasattr(matrix, "rmatvec") and not isinstance(matrix, np.ndarray)


def is_matrix(value: Any) -> bool:
    """Whether a value is a matrix by its kind: a 2-D array, sparse, `Thin` or a LinearOperator."""
    if isinstance(value, np.ndarray) or _is_sparse(value):
        return bool(value.ndim == 2)
    return isinstance(value, Thin) or _is_operator(value)


def as_matrix(matrix: MatrixLike, name: str, *, leading: bool = False) -> MatrixLike:
    """Check a first layer (hidden x inputs) and return it in float64, its kind unchanged.

    `leading` lets an array have leading axes: a stack of them.
    """
    if isinstance(matrix, Thin):
        return matrix
    if _is_sparse(matrix):
        csr = matrix.tocsr()
        if csr.ndim != 2 or 0 in csr.shape:
            raise ValueError(f"{name} must be a non-empty matrix; its shape is {csr.shape}")
        if csr.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold real numbers; its dtype is {csr.dtype}")
        csr = csr.astype(np.float64, copy=csr is matrix)  # what is changed later is not this start
        if not csr.has_canonical_format:  # entries stored in parts would be squared in parts
            csr = csr.copy()
            csr.sum_duplicates()
        if csr.nnz:
            _check_scale(real_array(csr.data, name), name)
        return csr
    if _is_operator(matrix):
        if np.dtype(matrix.dtype or np.float64).kind not in "biuf":
            raise ValueError(f"{name} must be real; its dtype is {matrix.dtype}")
        try:
            matrix.rmatvec(np.zeros(matrix.shape[0]))
        except (NotImplementedError, TypeError):  # as SciPy has it where none was given
            raise ValueError(
                f"{name} has no product with its transpose; give the LinearOperator a rmatvec"
            ) from None
        return matrix
    dense = stacked_array(matrix, name) if leading else real_array(matrix, name, ndim=2)
    for one in dense.reshape(-1, *dense.shape[-2:]):
        _check_scale(one, name)
    return dense


def _check_scale(values: Array, name: str) -> None:
    largest = float(max(values.max(), -values.min()))
    if largest > 0 and not 1e-75 < largest < 1e75:
        raise ValueError(
            f"{name} has entries up to {largest:g}, whose fourth powers leave the range of "
            "float64; rescale it"
        )


def forward(matrix: MatrixLike, x: Array) -> Array:
    """W @ x for x of shape (d, n)."""
    if isinstance(matrix, Thin):
        return matrix.left @ (matrix.values[:, None] * (matrix.right.T @ x))
    return np.asarray(matrix @ x)


def adjoint(matrix: MatrixLike, x: Array) -> Array:
    """W' @ x for x of shape (h, n)."""
    if isinstance(matrix, Thin):
        return matrix.right @ (matrix.values[:, None] * (matrix.left.T @ x))
    if _is_operator(matrix):
        return np.asarray(matrix.rmatmat(x))
    return np.asarray(matrix.T @ x)


def sizes(matrix: MatrixLike, x: Array) -> Array:
    """Norms (n,) of the columns of |W| |x|, x (d, n): what W x would be if nothing cancelled.

    Rounding leaves `precision.noise` of it. Of an operator, whose entries are not known, infinity.
    """
    if isinstance(matrix, Thin):
        inside = np.abs(matrix.values)[:, None] * (np.abs(matrix.right).T @ np.abs(x))
        return np.asarray(np.linalg.norm(np.abs(matrix.left) @ inside, axis=0))
    if _is_operator(matrix) and not _is_sparse(matrix):
        return np.full(x.shape[1], np.inf)
    return np.asarray(np.linalg.norm(abs(matrix) @ np.abs(x), axis=0))


def _dense(matrix: MatrixLike, name: str = "the matrix") -> Array:
    if isinstance(matrix, np.ndarray):
        return matrix
    if min(matrix.shape) > DENSE_LIMIT:
        raise ValueError(
            f"{name} of shape {matrix.shape} is too large to make dense (smaller dimension over "
            f"{DENSE_LIMIT}); use the participation ratio or the stable rank, which need products "
            "only"
        )
    if _is_sparse(matrix):
        return np.asarray(matrix.toarray(), dtype=np.float64)
    if matrix.shape[0] < matrix.shape[1]:
        return adjoint(matrix, np.eye(matrix.shape[0])).T
    return forward(matrix, np.eye(matrix.shape[1]))


def has_entries(matrix: MatrixLike) -> bool:
    """Whether the norm is at hand: not behind the products of a LinearOperator."""
    return isinstance(matrix, Thin) or not _is_operator(matrix)


def has_factors(matrix: MatrixLike) -> bool:
    """Whether `svd` is worth trying: thin factors, or small enough to be made dense."""
    return isinstance(matrix, Thin) or min(matrix.shape) <= DENSE_LIMIT


def svd(matrix: MatrixLike, unit: float = precision.EPS) -> Thin:
    """Thin singular value decomposition, without what numbers known to `unit` leave of rounding."""
    if isinstance(matrix, Thin):
        return matrix
    dense = _dense(matrix)
    if precision.graded(dense):
        return _graded_svd(dense, unit)
    u, values, vt = np.linalg.svd(dense, full_matrices=False)
    keep = values > precision.cutoff(values, dense.shape, unit)
    return Thin(u[:, keep], values[keep], vt[keep].T)


def _graded_svd(dense: Array, unit: float) -> Thin:
    """Small singular values to their own digits (one-sided Jacobi, Drmac & Veselic 2008).

    They are as many as the matrix has once its rows and columns are of one size.
    """
    from scipy.linalg.lapack import dgejsv

    if dense.shape[0] < dense.shape[1]:
        turned = _graded_svd(dense.T, unit)
        return Thin(turned.right, turned.values, turned.left)
    scaled = singular_values(precision.equilibrated(dense))
    rank = int(np.sum(scaled > precision.cutoff(scaled, dense.shape, unit)))
    values, u, v, work, _, failed = dgejsv(dense, joba=2)
    if failed:
        raise ConvergenceError("the singular values of a graded matrix did not converge")
    return Thin(u[:, :rank], values[:rank] * (work[0] / work[1]), v[:, :rank])


def kept_values(matrix: MatrixLike, unit: float = precision.EPS) -> Array:
    """Singular values of `svd`, without the vectors, which take twice the time."""
    if isinstance(matrix, Thin):
        return matrix.values
    dense = _dense(matrix)
    if precision.graded(dense):
        return _graded_svd(dense, unit).values
    values = singular_values(dense)
    return np.asarray(values[values > precision.cutoff(values, dense.shape, unit)])


def singular_values(matrix: MatrixLike) -> Array:
    """All min(h, d) singular values, descending; makes the matrix dense up to `DENSE_LIMIT`."""
    if isinstance(matrix, Thin):
        return np.concatenate([matrix.values, np.zeros(min(matrix.shape) - matrix.values.size)])
    return np.asarray(np.linalg.svd(_dense(matrix), compute_uv=False), dtype=np.float64)


def second_moments(matrix: MatrixLike, rng: Rng | None = None) -> Moments:
    """tr R and tr R^2 of R = W'W: exact for dense, thin and all but the densest sparse matrices.

    Sparse: ||W'W||_F^2 block by block, so that the product never sits in memory whole.
    Otherwise Rademacher probes z give E ||W z||^2 = tr R and E ||W'W z||^2 = tr R^2, with
    the standard error of `_PROBES` probes, drawn from `rng`, a seed or a Generator (default: a
    fixed seed).
    """
    rng = generator(0 if rng is None else rng)
    if isinstance(matrix, Thin):
        squares = matrix.values**2
        return Moments(Estimate(float(squares.sum())), Estimate(float((squares**2).sum())))
    if isinstance(matrix, np.ndarray):
        gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
        return Moments(Estimate(float(np.trace(gram))), Estimate(float(np.vdot(gram, gram))))
    if _is_sparse(matrix):
        by_rows = float(np.sum(np.diff(matrix.indptr).astype(np.float64) ** 2))
        by_columns = float(np.sum(np.bincount(matrix.indices).astype(np.float64) ** 2))
        trace = Estimate(second_moments_trace(matrix))
        if min(by_rows, by_columns) <= _EXACT_PRODUCT_LIMIT:
            a = _compact(matrix.T.tocsr() if by_rows < by_columns else matrix)
            return Moments(trace, Estimate(_gram_norm_squared(a, min(by_rows, by_columns))))
        return Moments(trace, _probe(matrix, rng).trace_square)
    if min(matrix.shape) <= DENSE_LIMIT // 4:
        return second_moments(_dense(matrix))
    return _probe(matrix, rng)


def seen_moments(matrix: MatrixLike, cov_xx: Array) -> Moments:
    """tr R cov_xx^2 and tr (R cov_xx)^2, exactly: the second moments of inputs that are not white.

    cov_xx is dense, so a product with each of its columns is no more than its own square.
    """
    if isinstance(matrix, Thin):
        middle = matrix.values[:, None] * (matrix.right.T @ cov_xx)
        gram = middle @ (matrix.right * matrix.values)
        return Moments(Estimate(float(np.sum(middle**2))), Estimate(float(np.sum(gram**2))))
    size = len(cov_xx)
    trace, product = 0.0, np.empty((size, size))
    for block in np.array_split(np.arange(size), -(-size // _COLUMNS)):
        image = forward(matrix, cov_xx[:, block])
        trace += float(np.sum(image**2))
        product[:, block] = adjoint(matrix, image)
    return Moments(Estimate(trace), Estimate(float(np.sum(product * product.T))))


def _compact(matrix: MatrixLike) -> MatrixLike:
    """The same entries under indices of 32 bits, where they fit: half the memory to run through."""
    if max(matrix.nnz, *matrix.shape) > np.iinfo(np.int32).max:
        return matrix
    indices = (part.astype(np.int32, copy=False) for part in (matrix.indices, matrix.indptr))
    return type(matrix)((matrix.data, *indices), shape=matrix.shape)


def _gram_norm_squared(a: MatrixLike, work: float) -> float:
    """||a a'||_F^2 by blocks of rows, each block's product under about 1e7 entries.

    The product is symmetric: of each block only what is on and to the right of the diagonal.
    """
    blocks = int(np.clip(np.ceil(work / 1e7), 1, a.shape[0]))
    edges = np.linspace(0, a.shape[0], blocks + 1).astype(int)
    total = 0.0
    for start, stop in pairwise(edges):
        product = a[start:stop] @ a[start:].T
        once = product.data[product.indices < stop - start]
        total += 2.0 * float(np.vdot(product.data, product.data)) - float(np.vdot(once, once))
    return total


def _probe(matrix: MatrixLike, rng: np.random.Generator) -> Moments:
    first, second = np.empty(_PROBES), np.empty(_PROBES)
    for i in range(_PROBES):
        z = rng.choice([-1.0, 1.0], size=(matrix.shape[1], 1))
        wz = forward(matrix, z)
        first[i], second[i] = np.sum(wz**2), np.sum(adjoint(matrix, wz) ** 2)

    def estimate(samples: Array) -> Estimate:
        return Estimate(float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(_PROBES)))

    return Moments(estimate(first), estimate(second))


def rescaled(matrix: MatrixLike, norm: float, rng: Rng | None = None) -> MatrixLike:
    """The matrix times the factor that makes its Frobenius norm `norm`."""
    wanted = float(positive(norm, "norm", ndim=0))
    current = np.sqrt(second_moments_trace(matrix, rng))
    if not current > 0:
        raise ValueError("a zero matrix cannot be rescaled to a norm; give it a non-zero entry")
    factor = wanted / current
    if isinstance(matrix, Thin):
        return Thin(matrix.left, matrix.values * factor, matrix.right)
    return matrix * factor


def second_moments_trace(matrix: MatrixLike, rng: Rng | None = None) -> float:
    """||W||_F^2, without the cost of ||W'W||_F where the entries are at hand."""
    rng = None if rng is None else generator(rng)
    if isinstance(matrix, np.ndarray):
        return float(np.vdot(matrix, matrix))
    if _is_sparse(matrix):
        return float(np.vdot(matrix.data, matrix.data))
    if isinstance(matrix, Thin):
        return float(np.vdot(matrix.values, matrix.values))
    return second_moments(matrix, rng).trace.value
