"""MATLAB's .mat up to version 7, through SciPy, which is told only what to read."""

from __future__ import annotations

import io
import zlib
from math import prod
from typing import Any, Literal

import numpy as np

from richlazy.sources.content import (
    Content,
    Opened,
    Options,
    ReadError,
    afford,
    choose,
    quiet,
    unit_roundoff,
)
from richlazy.sources.formats.runs import from_runs

__all__ = ["read"]

_NUMERIC = {"double", "single", "logical", "sparse"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_COMPRESSED = 15  # the type of an element that zlib has packed


def read(opened: Opened, options: Options) -> Content:
    """Read the one numeric array of a file, or the one named."""
    data = opened.data
    if (data[:4] == b"MATL" and b"MATLAB 7.3" in data[:20]) or data[:4] == b"\x89HDF":
        raise ReadError(
            "is of MATLAB's version 7.3; save it as version 7: save('w.mat', 'W', '-v7')"
        )
    if data[124:128] in (b"\x00\x01IM", b"\x01\x00MI"):
        _check_unpacked(data, options.limit)
    from scipy import io as scipy_io

    stream: Any = io.BytesIO(data)  # SciPy takes one, its stubs do not

    with quiet():
        found = scipy_io.whosmat(stream)
        shapes = {name: shape for name, shape, kind in found if kind in _NUMERIC}
        name = choose(list(shapes), opened.array)
        kinds = {each: kind for each, _, kind in found}
        if kinds[name] != "sparse":
            afford(8 * prod(shapes[name]), options.limit, f"an array of shape {shapes[name]}")
        values: Any = scipy_io.loadmat(stream, variable_names=[name])[name]
    if hasattr(values, "indptr"):
        entries = from_runs(values.data, values.indices, values.indptr, values.shape, by_rows=False)
        return Content(entries, unit_roundoff(values.data.dtype))
    array = np.asarray(values)
    return Content(array, unit_roundoff(array.dtype))


def _check_unpacked(data: bytes, limit: float) -> None:
    """Count what the compressed elements unpack to, a piece at a time."""
    order: Literal["little", "big"] = "little" if data[126:128] == b"IM" else "big"
    at, total = 128, 0
    while at + 8 <= len(data):
        kind = int.from_bytes(data[at : at + 4], order)
        size = int.from_bytes(data[at + 4 : at + 8], order)
        if kind == _COMPRESSED:
            unpack, rest = zlib.decompressobj(), data[at + 8 : at + 8 + size]
            while rest and not unpack.eof:
                total += len(unpack.decompress(rest, 1 << 20))
                rest = unpack.unconsumed_tail
                afford(total, limit, "what its compressed arrays hold")
        at += 8 + size
