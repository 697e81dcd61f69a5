"""Evaluating elementwise functions on large broadcast arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BLOCK", "blocked"]

Array = NDArray[np.float64]

#: Elements in a block: ten arrays of them are a megabyte, which second-level caches hold, and one
#: is less than the 128 KiB from which on allocators turn to the system for fresh pages.
BLOCK = 12_288


def blocked(function: Callable[..., tuple[Array, ...]], *arguments: ArrayLike) -> tuple[Array, ...]:
    """Evaluate an elementwise function on broadcast arguments in blocks that stay in cache.

    It is handed arrays of one dimension at least, so that it may use ``out=``.
    """
    arrays = np.broadcast_arrays(*arguments)
    size, shape = arrays[0].size, arrays[0].shape
    if size <= BLOCK:
        found = function(*map(np.atleast_1d, arrays))
        return tuple(result.reshape(shape)[()] for result in found)
    # a single number stays one: it broadcasts in every block, and so do results of it alone
    whole = [
        np.reshape(given, 1) if np.size(given) == 1 else np.ravel(array)
        for given, array in zip(arguments, arrays, strict=True)
    ]
    results: list[Array] = []
    for begin in range(0, size, BLOCK):
        block = slice(begin, begin + BLOCK)
        found = function(*(a if a.size == 1 else a[block] for a in whole))
        results = results or [np.empty(size) for _ in found]
        for result, part in zip(results, found, strict=True):
            result[block] = part
    return tuple(result.reshape(shape) for result in results)
