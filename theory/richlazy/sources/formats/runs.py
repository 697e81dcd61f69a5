"""Compressed sparse rows or columns, checked before compiled code uses their indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import Entries, ReadError

__all__ = ["from_runs"]


def from_runs(
    data: NDArray[Any],
    indices: NDArray[Any],
    starts: NDArray[Any],
    shape: tuple[int, int],
    *,
    by_rows: bool,
) -> Entries:
    """Return the entries of CSR or CSC: starts[k] : starts[k + 1] are those of row (column) k."""
    fits = starts.ndim == 1 and starts.dtype.kind in "iu" and data.ndim == 1
    if fits and starts.size == shape[0 if by_rows else 1] + 1:
        ends = starts.astype(np.int64)
        lengths = ends[1:] - ends[:-1]
        if starts[0] == 0 and starts[-1] == data.size and np.all(lengths >= 0):
            major = np.repeat(np.arange(lengths.size), lengths)
            i, j = (major, indices) if by_rows else (indices, major)
            return Entries(i, j, data, shape)
    raise ReadError("is damaged; its indptr does not fit its data and shape")
