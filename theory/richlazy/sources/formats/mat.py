"""MATLAB's .mat: version 5 to 7 by its published layout, version 4 through SciPy.

Layout: MathWorks, "MAT-File Format". Version 7.3 is HDF5 and refused with the way to convert it.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_TYPES |= {13: "u8"}
#: Classes of arrays that hold numbers, and the type each holds.
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8"}
_CLASSES |= {15: "u8"}
_SPARSE, _MATRIX, _COMPRESSED = 5, 14, 15
_HEAD = 4096  # bytes that hold an array's class, dimensions and name
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"IM": "little", b"MI": "big"}
_OLD = {"double", "single", "int32", "int16", "uint16", "uint8", "sparse"}


class _Array(NamedTuple):
    name: str
    kind: int
    complex: bool
    shape: tuple[int, ...]
    data: bytes
    packed: bool


def read(opened: Opened, options: Options) -> Content:
    """Read the one numeric array of a file, or the one named."""
    data = opened.data
    if (data[:4] == b"MATL" and b"MATLAB 7.3" in data[:20]) or data[:4] == b"\x89HDF":
        raise ReadError("is of MATLAB's version 7.3; save it there as save('w.mat', 'W', '-v7')")
    if data[126:128] not in _ORDERS:
        return _version_4(opened, options)
    # Not scipy.io.loadmat: it ends the process on a data type that there is not.
    order = _ORDERS[data[126:128]]
    arrays = {array.name: array for array in _arrays(data, order)}
    array = arrays[choose(list(arrays), opened.array)]
    if array.complex:
        raise ReadError("the array must hold real numbers; it is complex")
    body = _unpacked(array.data, options.limit) if array.packed else array.data
    _, parts = _parts(body, order)
    next(parts), next(parts), next(parts)  # flags, dimensions, name
    if array.kind == _SPARSE:
        indices, starts, values = (next(parts) for _ in range(3))
        size = array.shape[0], array.shape[1]
        return Content(from_runs(values, indices, starts, size, by_rows=False))
    afford(8 * prod(array.shape), options.limit, f"an array of shape {array.shape}")
    kind = np.dtype(_CLASSES[array.kind])
    values = next(parts).astype(kind).reshape(array.shape, order="F")
    return Content(values, unit_roundoff(kind))


def _version_4(opened: Opened, options: Options) -> Content:
    from scipy import io as scipy_io

    stream: Any = io.BytesIO(opened.data)  # SciPy takes one, its stubs do not
    with quiet():
        if scipy_io.matlab.matfile_version(stream)[0] != 0:
            raise ReadError("is damaged; its header is no MATLAB file's")
        found = {name: shape for name, shape, kind in scipy_io.whosmat(stream) if kind in _OLD}
        name = choose(list(found), opened.array)
        afford(8 * prod(found[name]), options.limit, f"an array of shape {found[name]}")
        values: Any = scipy_io.loadmat(stream, variable_names=[name])[name]
    if hasattr(values, "tocsc"):
        raise ReadError("holds a sparse array of version 4; save it as version 7")
    array = np.asarray(values)
    return Content(array, unit_roundoff(array.dtype))


def _arrays(data: bytes, order: Literal["little", "big"]) -> Iterator[_Array]:
    """Yield the numeric arrays of a file, their numbers still packed."""
    at = 128
    while at + 8 <= len(data):
        kind = int.from_bytes(data[at : at + 4], order)
        size = int.from_bytes(data[at + 4 : at + 8], order)
        element = data[at : at + 8 + size]
        if len(element) < 8 + size:
            raise ReadError("is cut short")
        head = element
        if kind == _COMPRESSED:
            head = zlib.decompressobj().decompress(element[8:], _HEAD)
        if kind not in (_COMPRESSED, _MATRIX):
            raise ReadError(f"is damaged; it has an element of type {kind}")
        inside, parts = _parts(head[:_HEAD] if kind == _MATRIX else head, order)
        flags, shape, name = next(parts), next(parts), next(parts)
        if inside == _MATRIX and flags.size == 2 and shape.size >= 2 and np.all(shape >= 0):
            number = int(flags[0])
            if number & 0xFF in {*_CLASSES, _SPARSE}:
                called = name.astype("u1").tobytes().decode("latin-1")
                sizes = tuple(int(x) for x in shape)
                body = element[8:] if kind == _COMPRESSED else element
                yield _Array(
                    called, number & 0xFF, bool(number & 0x800), sizes, body, kind == _COMPRESSED
                )
        else:
            raise ReadError("is damaged; an array has no class or dimensions")
        at += 8 + size


def _parts(element: bytes, order: Literal["little", "big"]) -> tuple[int, Iterator[NDArray[Any]]]:
    """Return the type of an element and the numeric elements inside it, one by one."""

    def inside() -> Iterator[NDArray[Any]]:
        at, mark = 8, "<" if order == "little" else ">"
        while at + 8 <= len(element):
            kind = int.from_bytes(element[at : at + 4], order)
            size = int.from_bytes(element[at + 4 : at + 8], order)
            start = at + 8
            if kind >> 16:  # a small element: its size and type in 4 bytes, its data in 4
                kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            at = start + size
            at += -at % 8
            if kind not in _TYPES or start + size > len(element):
                raise ReadError(f"is damaged; an array has data of type {kind} and {size} bytes")
            kind_ = np.dtype(mark + _TYPES[kind])
            if size % kind_.itemsize:
                raise ReadError(f"is damaged; an array has data of {size} bytes")
            yield np.frombuffer(element[start : start + size], dtype=kind_)
        raise ReadError("is cut short")

    return int.from_bytes(element[:4], order), inside()


def _unpacked(data: bytes, limit: float) -> bytes:
    unpack, pieces, size = zlib.decompressobj(), [], 0
    while data and not unpack.eof:
        pieces.append(unpack.decompress(data, 1 << 22))
        size += len(pieces[-1])
        afford(size, limit, "its array, unpacked,")
        data = unpack.unconsumed_tail
    if not unpack.eof:
        raise ReadError("is cut short")
    return b"".join(pieces)
