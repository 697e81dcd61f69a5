"""Arrays of any library, and nests of them, as NumPy arrays by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import not_masked

__all__ = ["as_numpy", "named"]

Floats = NDArray[np.floating[Any]]


def as_numpy(value: Any, name: str) -> Floats:
    """One array of NumPy, JAX, PyTorch, CuPy or another library, copied, its precision kept.

    Parameters that need gradients are detached, arrays of other devices fetched; bfloat16, which
    NumPy has not, becomes float32. Integers become float64.

    Raises
    ------
    ValueError
        If it is no array of finite real numbers, naming it.

    Examples
    --------
    >>> as_numpy([[1, 2], [3, 4]], "w")
    array([[1., 2.],
           [3., 4.]])
    """
    not_masked(value, name)
    array = _fetched(value, name)
    if array.dtype.kind in "bui":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        raise ValueError(f"{name} must hold real numbers; its dtype is {array.dtype}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; its shape is {array.shape}")
    wrong = int(np.count_nonzero(~np.isfinite(array)))
    if wrong:
        raise ValueError(f"{name} must be finite; it has {wrong} of {array.size} NaN or infinite")
    return np.array(array)  # what training does to it later is not this snapshot


def _fetched(value: Any, name: str) -> NDArray[Any]:
    for method in ("detach", "cpu", "resolve_neg"):  # PyTorch
        step = getattr(value, method, None)
        value = step() if callable(step) else value
    if "bfloat16" in str(getattr(value, "dtype", "")):
        wider = getattr(value, "float", None)  # PyTorch's name of it
        value = wider() if callable(wider) else value.astype("float32")
    if hasattr(value, "__array__") or np.isscalar(value) or isinstance(value, (list, tuple)):
        try:
            return np.asarray(value)
        except (TypeError, ValueError) as error:
            if not hasattr(value, "__dlpack__"):
                raise ValueError(f"{name} must be an array of numbers: {error}") from None
    fetch = getattr(value, "get", None)  # CuPy
    if callable(fetch) and hasattr(value, "__cuda_array_interface__"):
        return np.asarray(fetch())
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    raise ValueError(f"{name} must be an array; it is {type(value).__name__}")


def named(value: Any, name: str) -> dict[str, Floats]:
    """Arrays of a nest of dicts, lists and tuples by where they are, in its order.

    A `state_dict` of PyTorch and a pytree of JAX are such nests. One array alone is named `name`.

    Examples
    --------
    >>> list(named({"layer": {"w": [[1.0]], "b": np.ones(1)}, "out": [np.ones(2)]}, "weights"))
    ['layer.w', 'layer.b', 'out.0']
    """
    found = {path: as_numpy(leaf, path) for path, leaf in _leaves(value, "", name)}
    if not found:
        raise ValueError(f"{name} must hold an array; it is empty")
    return found


def _leaves(value: Any, path: str, name: str) -> Iterator[tuple[str, Any]]:
    inside = f"{path}." if path else ""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{inside}{key}", name)
    elif isinstance(value, (list, tuple)) and not _numbers(value):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{inside}{number}", name)
    elif value is not None:
        yield path or name, value


def _numbers(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list is itself an array, and not a nest of arrays."""
    if any(hasattr(part, "shape") or isinstance(part, Mapping) for part in values):
        return False
    return all(
        np.isscalar(part) or (isinstance(part, (list, tuple)) and _numbers(part)) for part in values
    ) and bool(values)
