"""Evaluating elementwise functions on large broadcast arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BLOCK", "blocked"]

Array = NDArray[np.float64]

#: Elements in a block: two dozen arrays of them stay in the second-level cache.
BLOCK = 8192


def blocked(function: Callable[..., tuple[Array, ...]], *arguments: ArrayLike) -> tuple[Array, ...]:
    """Evaluate an elementwise function on broadcast arguments in blocks that stay in cache."""
    arrays = np.broadcast_arrays(*arguments)
    size, shape = arrays[0].size, arrays[0].shape
    if size <= BLOCK:
        return function(*arrays)
    # a single number stays one: it broadcasts in every block, and so do results of it alone
    whole = [
        np.reshape(given, ()) if np.size(given) == 1 else np.ravel(array)
        for given, array in zip(arguments, arrays, strict=True)
    ]
    results: list[Array] = []
    for begin in range(0, size, BLOCK):
        block = slice(begin, begin + BLOCK)
        found = function(*(a[block] if a.ndim else a for a in whole))
        results = results or [np.empty(size) for _ in found]
        for result, part in zip(results, found, strict=True):
            result[block] = part
    return tuple(result.reshape(shape) for result in results)
