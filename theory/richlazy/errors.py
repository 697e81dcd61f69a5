"""The named errors and the argument checks that every other module uses.

Messages say which argument was wrong, what it was, what it must be and, where one
exists, the remedy. Every class here is a ``ValueError``: catch that one.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LARGEST_COUNT",
    "LIMIT",
    "AssumptionError",
    "ConvergenceError",
    "FileError",
    "KindError",
    "Rng",
    "UndefinedError",
    "afford",
    "counts",
    "generator",
    "instance",
    "integer",
    "nonnegative",
    "not_masked",
    "positive",
    "real_array",
    "real_range",
    "several",
    "times",
    "unit_interval",
]

Array = NDArray[np.float64]
#: A seed, or a generator that goes on from where it is.
Rng: TypeAlias = int | np.random.Generator
_Kind = TypeVar("_Kind")

#: Beyond it float64 no longer holds every whole number.
LARGEST_COUNT = 2**53

#: GB that what is made or read may take, unless another limit is given.
LIMIT = 4.0


class AssumptionError(ValueError):
    """A solver was asked for something outside its assumptions; the message gives the number."""


class ConvergenceError(ValueError):
    """An integration or an expansion did not reach its tolerance within its budget."""


class FileError(ValueError):
    """A file could not be read as what it was said to be, or may not be written."""


class KindError(TypeError, ValueError):
    """An argument is another kind of object than meant, such as an array in a Task's place."""


class UndefinedError(ValueError):
    """A measure is 0/0 at the given state, such as the alignment of a zero representation."""


def real_array(value: ArrayLike, name: str, *, ndim: int | tuple[int, ...] | None = None) -> Array:
    """Return `value` as a finite float64 array; integers and booleans are converted.

    Raises ValueError for complex, object, text, ragged or non-finite values, and for a
    number of dimensions not in `ndim`.
    """
    array = _numeric(value, name)
    if not np.all(np.isfinite(array)):
        raise _not_finite(array, name)
    if ndim is not None:
        allowed = (ndim,) if isinstance(ndim, int) else ndim
        if array.ndim not in allowed:
            if allowed == (0,):
                raise ValueError(f"{name} must be one number; its shape is {array.shape}")
            wanted = " or ".join(str(n) for n in allowed)
            raise ValueError(f"{name} must have {wanted} dimensions; its shape is {array.shape}")
    return array


def stacked_array(value: ArrayLike, name: str) -> Array:
    """A finite float64 array of matrices: two dimensions or more, none of them empty."""
    array = real_array(value, name)
    if array.ndim < 2:
        raise ValueError(f"{name} must have 2 dimensions or more; its shape is {array.shape}")
    return array


def common_shape(**arrays: tuple[Array, int]) -> tuple[int, ...]:
    """Leading axes that arrays share by broadcasting, each given with its number of own axes."""
    leads = {name: x.shape[: x.ndim - own] for name, (x, own) in arrays.items()}
    try:
        return np.broadcast_shapes(*leads.values())
    except ValueError:
        said = " and ".join(f"{name} {lead}" for name, lead in leads.items())
        raise ValueError(f"leading axes must agree: {said}") from None


def times(value: ArrayLike, name: str = "t", *, ndim: int | None = None) -> Array:
    """Return times (learning rate x steps) as float64; infinity is allowed, negative is not."""
    array = _numeric(value, name)
    if ndim == 0 and array.ndim:
        raise ValueError(f"{name} must be one number; its shape is {array.shape}")
    if np.any(np.isnan(array)) or np.any(array < 0):
        raise ValueError(f"{name} must be >= 0 and not NaN (infinity is allowed)")
    return array


def positive(value: ArrayLike, name: str, *, ndim: int | None = None) -> Array:
    """Return `value` as a finite, strictly positive float64 array; ndim=0 asks for one number."""
    array = real_array(value, name, ndim=ndim)
    if np.any(array <= 0):
        raise ValueError(f"{name} must be > 0; its smallest value is {array.min():g}")
    return array


def nonnegative(value: ArrayLike, name: str, *, ndim: int | None = None) -> Array:
    """Return `value` as a finite float64 array without negative entries; ndim as in `positive`."""
    array = real_array(value, name, ndim=ndim)
    if np.any(array < 0):
        raise ValueError(f"{name} must be >= 0; its smallest value is {array.min():g}")
    return array


def real_range(value: ArrayLike, name: str) -> tuple[Array, float, float]:
    """Return `value` as `real_array` does, its smallest and its largest number: two passes in all.

    What is a float64 array already is not copied: it is to be read, never to be written to.
    """
    array = _numeric(value, name, copy=False)
    least, greatest = float(array.min()), float(array.max())  # NaN where there is one
    if not (np.isfinite(least) and np.isfinite(greatest)):
        raise _not_finite(array, name)
    return array, least, greatest


def unit_interval(value: ArrayLike, name: str, *, ndim: int | None = None) -> Array:
    """Return `value` as a float64 array with every entry in [0, 1]; ndim as in `positive`."""
    array = real_array(value, name, ndim=ndim)
    if np.any((array < 0) | (array > 1)):
        bad = array[(array < 0) | (array > 1)].flat[0]
        raise ValueError(f"{name} must lie in [0, 1]; it is {bad:g}")
    return array


def counts(value: ArrayLike, name: str) -> Array:
    """Return sizes as a finite float64 array of at most `LARGEST_COUNT`."""
    array = real_array(value, name)
    if np.any(array > LARGEST_COUNT):
        raise ValueError(f"{name} must be at most 2**53; its largest value is {array.max():g}")
    return array


def integer(value: Any, name: str, *, least: int = 1, most: int = LARGEST_COUNT) -> int:
    """Return `value` as an int from `least` to `most`; 3.0 is welcome, 3.5 and True are not."""
    if isinstance(value, int) and value > most:  # NumPy may not hold it
        raise ValueError(f"{name} must be at most {most}; it is about 1e{len(str(value)) - 1}")
    number = np.asarray(None if isinstance(value, (list, tuple)) else value)
    whole = number.ndim == 0 and number.dtype.kind in "iuf" and np.isfinite(number)
    if not whole or number != np.floor(number):
        raise ValueError(f"{name} must be an integer; it is {value!r}")
    if number < least:
        raise ValueError(f"{name} must be at least {least}; it is {value!r}")
    if number > most:
        raise ValueError(f"{name} must be at most {most}; it is {value!r}")
    return int(number)


def afford(needed: float, what: str, remedy: str, limit: float = LIMIT) -> None:
    """Refuse what would take more than `limit` GB, before any memory is asked for.

    `needed` is in bytes; `remedy` says what to do instead.
    """
    if not needed <= limit * 1e9:
        raise ValueError(
            f"{what} needs {needed / 1e9:.3g} GB, more than the limit of {limit:g} GB ({remedy})"
        )


def generator(value: Rng, name: str = "rng") -> np.random.Generator:
    """The source of chance: a Generator as it is, a seed as ``numpy.random.default_rng(seed)``.

    The same seed gives the same numbers, in two calls too: what is drawn by both then depends on
    each other. Hand one Generator to both where chance must be independent.

    Raises
    ------
    KindError
        If it is neither.
    ValueError
        If the seed is negative.
    """
    if isinstance(value, np.random.Generator):
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise KindError(
            f"{name} must be a seed (an integer) or a numpy.random.Generator; it is "
            f"{_called(value)}: write {name}=0 or {name}=np.random.default_rng(0)"
        )
    if value < 0:
        raise ValueError(f"{name} must be a seed >= 0; it is {value}")
    return np.random.default_rng(value)


def instance(value: Any, kind: type[_Kind], name: str, remedy: str) -> _Kind:
    """Return `value` if it is a `kind`; a KindError that says what to write if not."""
    if not isinstance(value, kind):
        raise KindError(f"{name} must be a {kind.__name__}; it is {_called(value)}: {remedy}")
    return value


def several(values: Any, name: str, remedy: str) -> tuple[Any, ...]:
    """Return what can be gone through as a tuple; a KindError that says what to write if not."""
    try:
        items = iter(values)
    except TypeError:
        raise KindError(f"{name} must be a list; it is {_called(values)}: {remedy}") from None
    return tuple(items)


def _called(value: Any) -> str:
    """Words for an object of the wrong kind."""
    if value is None or isinstance(value, (bool, np.bool_, int, float, str)):
        text = repr(value)
        return text if len(text) <= 40 else text[:37] + "..."
    shape = getattr(value, "shape", None)
    given = isinstance(shape, tuple) and (shape != () or isinstance(value, np.ndarray))
    return type(value).__name__ + (f" of shape {shape}" if given else "")


def not_masked(value: Any, name: str) -> None:
    """Refuse a NumPy masked array whose mask hides something: nobody said what is there."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        count = int(np.count_nonzero(np.ma.getmaskarray(value)))
        raise ValueError(
            f"{name} has {count} masked entries, whose values are unknown; if "
            f"they are zero, pass {name}.filled(0)"
        )


def _numeric(value: ArrayLike, name: str, copy: bool = True) -> Array:
    not_masked(value, name)
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name} must be a rectangular array of numbers; its rows differ"
        ) from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers; its dtype is {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; its shape is {array.shape}")
    return array.astype(np.float64, copy=copy)


def _not_finite(array: Array, name: str) -> ValueError:
    return ValueError(f"{name} must be finite; it has {_count_nonfinite(array)} NaN or infinite")


def _count_nonfinite(array: Array) -> str:
    count = int(np.count_nonzero(~np.isfinite(array)))
    return f"{count} of {array.size} values"
