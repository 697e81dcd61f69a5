"""NumPy's .npy: its header is believed only after the bytes behind it have been counted."""

from __future__ import annotations

import io
from math import prod
from typing import IO, Any

import numpy as np
from numpy.lib import format as layout
from numpy.typing import NDArray

from richlazy.sources.content import (
    Content,
    Opened,
    Options,
    ReadError,
    afford,
    quiet,
    unit_roundoff,
    whole,
)

__all__ = ["array", "read"]

_HEADERS = {(1, 0): layout.read_array_header_1_0, (2, 0): layout.read_array_header_2_0}


def read(opened: Opened, options: Options) -> Content:
    """Read the one array of a .npy file."""
    whole(opened)
    values = array(io.BytesIO(opened.data), options.limit)
    return Content(values, unit_roundoff(values.dtype))


def array(stream: IO[bytes], limit: float, kinds: str = "biuf") -> NDArray[Any]:
    """Read an array in the .npy layout, neither pickled nor larger than `limit` GB."""
    with quiet():  # Python-2 headers are read as well as any
        version = layout.read_magic(stream)
        # Version 3 differs from 2 in names of fields alone, and such arrays are refused.
        shape, by_columns, dtype = _HEADERS.get(version, layout.read_array_header_2_0)(stream)
    if dtype.hasobject:
        raise ReadError("holds pickled objects, which are never loaded; save an array of numbers")
    if dtype.kind not in kinds or dtype.itemsize == 0:
        raise ReadError(f"the array must hold real numbers; its dtype is {dtype}")
    if any(size < 0 for size in shape):
        raise ReadError(f"is damaged; its shape is {shape}")
    need = prod(shape) * dtype.itemsize
    afford(prod(shape) * max(dtype.itemsize, 8), limit, f"an array of shape {shape}")
    data = stream.read(need + 1)
    if len(data) < need:
        raise ReadError(f"is cut short: {need} bytes of numbers must follow, {len(data)} do")
    if len(data) > need:
        raise ReadError(f"is damaged: bytes trail behind its {need} bytes of numbers")
    flat = np.frombuffer(data, dtype=dtype, count=prod(shape))
    return flat.reshape(shape, order="F" if by_columns else "C")
