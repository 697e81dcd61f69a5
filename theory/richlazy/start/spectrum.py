"""Families of singular values, their effective ranks, and the spectrum of a matrix.

A spectrum is a 1-D array of singular values, descending, zeros allowed. Effective ranks
are scale-free and lie in [1, rank]; with s_1 >= s_2 >= ... they are

- ``numerical``: how many exceed rounding, s_i > max(n eps s_1, u ||s||), u the precision the
  numbers were stored in (`richlazy.start.precision`);
- ``stable``: sum s^2 / s_1^2;
- ``participation``: PR = (sum s^2)^2 / sum s^4, which rules laziness (T8, T15);
- ``entropy``: exp(H(s / sum s)) (Roy & Vetterli 2007).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import (
    LIMIT,
    Rng,
    afford,
    generator,
    integer,
    nonnegative,
    positive,
    real_array,
)
from richlazy.start import matrices
from richlazy.start import precision as rounding
from richlazy.start.matrices import Estimate, MatrixLike, Moments
from richlazy.start.precision import PrecisionLike

__all__ = [
    "Kind",
    "check",
    "effective_rank",
    "exponential",
    "flat",
    "gaussian",
    "is_spectrum",
    "of",
    "participation_ratio",
    "power_law",
    "rescaled",
]

Array = NDArray[np.float64]
Kind: TypeAlias = Literal["participation", "stable", "entropy", "numerical"]

_VALUE = 40  # bytes of memory that a singular value takes on its way
_DENSE = 32  # and an entry of a bidiagonal matrix, made dense for its singular values
_RAISED = "limit=GB or --limit GB raises it"
_ZERO = "matrix is zero: it has no effective rank"


def check(spectrum: ArrayLike, name: str = "spectrum") -> Array:
    """Return a spectrum as float64: 1-D, finite, nonnegative, descending and not all zero."""
    s = nonnegative(real_array(spectrum, name, ndim=1), name)
    rises = np.flatnonzero(np.diff(s) > 0)
    if rises.size:
        raise ValueError(
            f"{name} must be in descending order; it rises at index {rises[0] + 1}. "
            "Sort it: np.sort(s)[::-1]"
        )
    if s[0] == 0:
        raise ValueError(f"{name} must have a non-zero singular value; all are zero")
    return s


def rescaled(spectrum: ArrayLike, norm: float) -> Array:
    """The spectrum times the factor that makes its Euclidean norm (the matrix's Frobenius) `norm`.

    Examples
    --------
    >>> rescaled([3.0, 4.0][::-1], norm=1.0)
    array([0.8, 0.6])
    """
    s = check(spectrum)
    unit = s / s[0]  # first, so that the squares stay in range
    return np.asarray(unit * (float(positive(norm, "norm", ndim=0)) / np.linalg.norm(unit)))


def flat(rank: int, norm: float = 1.0, *, limit: float = LIMIT) -> Array:
    """`rank` equal singular values of Euclidean norm `norm`.

    No spectrum is made that needs more than `limit` GB on its way.

    Examples
    --------
    >>> flat(rank=4, norm=1.0)
    array([0.5, 0.5, 0.5, 0.5])
    """
    return rescaled(np.ones(_count(rank, "rank", limit)), norm)


def power_law(count: int, exponent: float, norm: float = 1.0, *, limit: float = LIMIT) -> Array:
    """s_i proportional to i^-exponent, i = 1 ... count, exponent >= 0; `limit` as for `flat`.

    Examples
    --------
    >>> float(round(effective_rank(power_law(100, exponent=1.0)), 2))
    2.47
    """
    exponent = float(nonnegative(exponent, "exponent", ndim=0))
    index = np.arange(1.0, _count(count, "count", limit) + 1.0)
    return rescaled(index**-exponent, norm)


def exponential(count: int, rate: float, norm: float = 1.0, *, limit: float = LIMIT) -> Array:
    """s_i proportional to exp(-rate (i - 1)), i = 1 ... count, rate >= 0; `limit` as for `flat`."""
    rate = float(nonnegative(rate, "rate", ndim=0))
    return rescaled(np.exp(-rate * np.arange(float(_count(count, "count", limit)))), norm)


def gaussian(
    hidden: int, inputs: int, norm: float = 1.0, rng: Rng | None = None, *, limit: float = LIMIT
) -> Array:
    """Singular values of a hidden x inputs matrix of independent Gaussian entries.

    Without `rng`, the quantiles (i - 1/2)/n of the Marchenko-Pastur law, n = min(hidden,
    inputs): what a large matrix has, without chance. With `rng`, a seed or a
    numpy.random.Generator, those of one sampled matrix, drawn through its bidiagonal form
    (Dumitriu & Edelman 2002). `limit` as for `flat`.

    Examples
    --------
    >>> s = gaussian(300, 300)
    >>> float(round(effective_rank(s) / 300, 2))
    0.5
    """
    small, large = sorted((integer(hidden, "hidden"), integer(inputs, "inputs")))
    if rng is None:
        _count(small, "min(hidden, inputs)", limit)
        values = _marchenko_pastur(small, small / large)
    else:
        rng, needed = generator(rng), _DENSE * float(small) ** 2
        afford(needed, f"a bidiagonal matrix of {small:g} rows", _RAISED, limit)
        diagonal = np.sqrt(rng.chisquare(large - np.arange(small)))
        below = np.sqrt(rng.chisquare(np.arange(small - 1, 0, -1))) if small > 1 else np.empty(0)
        bidiagonal = np.diag(diagonal) + np.diag(below, -1)
        values = np.linalg.svd(bidiagonal, compute_uv=False)
    return rescaled(values, norm)


def _count(value: int, name: str, limit: float) -> int:
    """A number of singular values, checked before memory is asked for."""
    count, limit = integer(value, name), float(positive(limit, "limit", ndim=0))
    afford(_VALUE * count, f"a spectrum of {count:g} values", _RAISED, limit)
    return count


def _marchenko_pastur(count: int, ratio: float) -> Array:
    """Quantiles of the singular values, by bisection on the law's own distribution function.

    With s^2 = 1 + ratio - 2 sqrt(ratio) cos(phi) the density is (2/pi) sin^2(phi)/s^2 in
    phi, whose integral is elementary.
    """
    root = np.sqrt(ratio)
    a, b = 1.0 + ratio, 2.0 * root

    def mass(phi: Array) -> Array:
        if ratio < 1e-7:  # the closed form cancels; expand about the semicircle
            return np.asarray(
                (phi - np.sin(phi) * np.cos(phi)) / np.pi
                + (2 * b / np.pi) * (np.sin(phi) ** 3 / 3) / a
            )
        inner = np.arctan2((1 + root) * np.sin(phi / 2), (1 - root) * np.cos(phi / 2))
        part: Array = a * phi / b**2 + np.sin(phi) / b - 2 * (1 - ratio) / b**2 * inner
        return np.asarray(2 / np.pi * part)

    target = (np.arange(count) + 0.5) / count
    low, high = np.zeros(count), np.full(count, np.pi)
    for _ in range(54):
        middle = 0.5 * (low + high)
        under = mass(middle) < target
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.asarray(np.sqrt(a - b * np.cos(low))[::-1])


def of(matrix: MatrixLike) -> Array:
    """All singular values of a matrix, descending.

    Sparse matrices and LinearOperators are made dense up to a smaller dimension of
    `matrices.DENSE_LIMIT`; above it this says no (the participation ratio does not need them).

    Examples
    --------
    >>> of([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    array([4., 3.])
    """
    return matrices.singular_values(matrices.as_matrix(matrix, "matrix"))


def participation_ratio(matrix: MatrixLike | Moments, rng: Rng | None = None) -> Estimate:
    """PR = (tr R)^2 / tr R^2, R = W'W, of any matrix from products alone (T8).

    Exact for dense, thin and sparse matrices; for a large LinearOperator a stochastic
    estimate, whose standard error comes with it; `rng`, a seed or a numpy.random.Generator,
    draws its probes (default: a fixed seed). Moments that are known, as `Network.moments` are, take
    the place of the matrix.

    Examples
    --------
    >>> participation_ratio([[1.0, 0.0], [0.0, 1.0]])
    Estimate(value=2.0, standard_error=0.0)
    """
    known = isinstance(matrix, Moments)
    moments = (
        matrix if known else matrices.second_moments(matrices.as_matrix(matrix, "matrix"), rng)
    )
    trace, square = moments.trace, moments.trace_square
    if not square.value > 0:
        raise ValueError(_ZERO)
    value = trace.value**2 / square.value
    relative = np.hypot(
        2 * trace.standard_error / trace.value, square.standard_error / square.value
    )
    return Estimate(value, float(value * relative))


def effective_rank(
    spectrum_or_matrix: MatrixLike,
    kind: Kind = "participation",
    *,
    precision: PrecisionLike = None,
) -> float:
    """Effective rank of a spectrum (1-D) or of a matrix (2-D, sparse or LinearOperator).

    Parameters
    ----------
    spectrum_or_matrix
        Singular values, descending, or a weight matrix.
    kind
        "participation", "stable", "entropy" or "numerical" (definitions above). For sparse
        matrices and operators the first two use products only.
    precision
        What the numbers are known to, for kind "numerical"; by default as their dtype says.

    Examples
    --------
    >>> effective_rank(flat(rank=5)), effective_rank([1.0, 0.0], kind="entropy")
    (5.0, 1.0)
    """
    if kind not in ("participation", "stable", "entropy", "numerical"):
        raise ValueError(
            f"kind must be participation, stable, entropy or numerical; it is {kind!r}"
        )
    unit = rounding.of(spectrum_or_matrix, precision)
    if is_spectrum(spectrum_or_matrix):
        return _effective_rank(check(spectrum_or_matrix), kind, unit)
    matrix = matrices.as_matrix(spectrum_or_matrix, "matrix")
    if kind == "participation":
        return participation_ratio(matrix).value
    if kind == "stable" and not isinstance(matrix, (np.ndarray, matrices.Thin)):
        trace = matrices.second_moments_trace(matrix)
        if not trace > 0:
            raise ValueError(_ZERO)
        return trace / _largest_singular_value(matrix) ** 2
    if kind == "numerical":
        rank = matrices.kept_values(matrix, unit).size
        if rank == 0:
            raise ValueError(_ZERO)
        return float(rank)
    return _effective_rank(check(of(matrix)), kind, unit)


def is_spectrum(value: MatrixLike) -> bool:
    """Whether a value is a vector of singular values rather than a matrix."""
    if isinstance(value, (list, tuple)):
        return all(np.ndim(entry) == 0 for entry in value)
    return bool(getattr(value, "ndim", 2) == 1)


def _effective_rank(s: Array, kind: Kind, unit: float) -> float:
    scaled = s / s[0]
    if kind == "stable":
        return float(np.sum(scaled**2))
    if kind == "participation":
        squares = scaled**2
        return float(np.sum(squares) ** 2 / np.sum(squares**2))
    if kind == "numerical":
        return float(np.count_nonzero(scaled > rounding.cutoff(scaled, s.shape, unit)))
    share = scaled[scaled > 0] / np.sum(scaled)
    return float(np.exp(-np.sum(share * np.log(share))))


def _largest_singular_value(matrix: MatrixLike) -> float:
    if min(matrix.shape) <= 3:
        return float(of(matrix)[0])
    from scipy.sparse.linalg import svds

    return float(svds(matrix, k=1, return_singular_vectors=False, random_state=0)[0])
