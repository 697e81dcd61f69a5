"""To how many digits stored numbers are known, and what of a matrix is rounding then.

Numbers of float16, float32 or a text of few digits became float64 without becoming better known.
`of` tells the rounding unit u of an array, the spacing of numbers beside 1 as it was stored, and
`cutoff` the singular value below which a matrix of such numbers has none that is not rounding:

    max(n eps s_1, u ||W||_F),   n the larger dimension, eps of float64.

Rounding each entry to u/2 of itself moves no singular value by more than u ||W||_F / 2; the first
term is what a decomposition in float64 leaves, and the rule of `numpy.linalg.matrix_rank`.

Every entry is known to u of *itself*, so a small unit or input beside large ones is no rounding.
Rank is therefore judged after rows and columns have been brought to one size (`equilibrated`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = [
    "EPS",
    "GRADED",
    "PrecisionLike",
    "cutoff",
    "equilibrated",
    "graded",
    "noise",
    "of",
    "words",
]

Array = NDArray[np.float64]
#: A dtype, such as ``"float32"``, or a relative number, such as 1e-3.
PrecisionLike: TypeAlias = float | DTypeLike | None

EPS = float(np.finfo(float).eps)
#: Ratio of row or column norms from which a decomposition that knows of it is worth its time.
GRADED = 1e-6


def of(value: Any, given: PrecisionLike = None) -> float:
    """Rounding unit of an array: `given` where it is, else what its dtype tells.

    Integers, booleans and lists of Python numbers are float64, whose unit is the least there is.

    Examples
    --------
    >>> of(np.ones(3, dtype=np.float32)), of([1.0], "float16"), of([1.0, 2.0], 1e-3)
    (1.1920928955078125e-07, 0.0009765625, 0.001)
    """
    if given is None:
        kind = getattr(value, "dtype", None)
        known = isinstance(kind, np.dtype) and kind.kind == "f"
        return max(float(np.finfo(kind).eps), EPS) if known else EPS
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        if not 0.0 <= given < 1.0:
            raise ValueError(
                f"precision must be a dtype or a relative number in [0, 1); it is {given!r}"
            )
        return max(float(given), EPS)
    try:
        wanted: np.dtype[Any] = np.dtype(given)  # type: ignore[arg-type]
        return max(float(np.finfo(wanted).eps), EPS)
    except (TypeError, ValueError):
        raise ValueError(
            "precision must be a floating dtype such as 'float32', or a relative number in [0, 1);"
            f" it is {given!r}"
        ) from None


def words(unit: float, rank: int | None = None) -> tuple[str, ...]:
    """What to say of weights known to `unit`, and of the rank they have then, if it is not full."""
    if unit <= EPS:
        return ()
    found = "" if rank is None else f"; W1 has rank {rank} then"
    return (
        f"weights known to {unit:.1e} of themselves: rank, row space and balance are judged at "
        f"that{found}",
    )


def cutoff(values: Array, shape: tuple[int, ...], unit: float = EPS) -> float:
    """Singular value up to which those of a matrix, `values`, are rounding.

    Examples
    --------
    >>> cutoff(np.array([1.0, 1e-9]), (2, 2)) < 1e-15 < 1e-7 < cutoff(np.ones(2), (2, 2), 1e-7)
    True
    """
    largest = float(np.max(values, initial=0.0))
    if largest == 0.0:
        return 0.0
    norm = largest * float(np.linalg.norm(values / largest))
    return max(max(shape) * EPS * largest, unit * norm)


def noise(size: int, unit: float = EPS) -> float:
    """What rounding leaves of sums of `size` products that cancel, over the sum of their sizes.

    Roundings of float64 are independent and grow with the root; those of coarser numbers were
    made before, and an exact cancellation that they spoil is off by at most unit/2 of the sizes.
    """
    least = (8.0 + 4.0 * float(np.sqrt(size))) * EPS
    return max(least, 2.0 * unit) if unit > EPS else least


def graded(matrix: Array) -> bool:
    """Whether rows, or columns, that are not zero differ in size by more than `GRADED`."""
    for axis in (0, 1):
        above, below = matrix.max(axis=axis, initial=0.0), matrix.min(axis=axis, initial=0.0)
        sizes = np.maximum(above, -below)
        sizes = sizes[sizes > 0]
        if sizes.size and sizes.min() < GRADED * sizes.max():
            return True
    return False


def equilibrated(matrix: Array) -> Array:
    """The matrix with rows and columns scaled, by powers of two, to sizes of about one."""
    scaled = np.array(matrix)
    for _ in range(3):
        for axis in (1, 0):
            size = np.abs(scaled).max(axis=axis, keepdims=True, initial=0.0)
            scaled = np.ldexp(scaled, np.where(size > 0, -np.frexp(size)[1], 0))
    return scaled
