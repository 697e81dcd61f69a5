"""The Matrix Market format (Boisvert, Pozo and Remington 1996, NIST report 5935)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import (
    LARGEST,
    Content,
    Entries,
    Opened,
    Options,
    ReadError,
    afford,
    short,
    whole,
)
from richlazy.sources.tables.cells import decode
from richlazy.sources.tables.numbers import Digits, numbers

__all__ = ["read"]

Array = NDArray[np.float64]

_CHUNK = 50_000  # lines at a time
_CELL = 80  # bytes that a cell of text takes on its way

# Cells of an entry by layout and field; sign of the mirrored entries.
_CELLS = {
    ("array", "real"): 1,
    ("array", "integer"): 1,
    ("array", "unsigned-integer"): 1,
    ("coordinate", "real"): 3,
    ("coordinate", "integer"): 3,
    ("coordinate", "unsigned-integer"): 3,
    ("coordinate", "pattern"): 2,
}
_SIGNS = {"general": 0, "symmetric": 1, "skew-symmetric": -1}


class _Banner(NamedTuple):
    layout: str
    width: int
    sign: int


def read(opened: Opened, options: Options) -> Content:
    """Read a matrix, dense if its layout is array, sparse if it is coordinate."""
    # Not scipy.io.mmread: it ends the process on a file of zero rows, on a symmetric matrix
    # that is not square and on some damaged lines, and it skips junk behind a number.
    whole(opened)
    afford(4 * len(opened.data), options.limit, "its text")
    text = decode(opened.data)
    afford(_CELL * text.count("\n"), options.limit, "reading its entries")
    lines = io.StringIO(text)
    banner = _banner(next(lines, ""))
    number, size = _size(lines)
    if len(size) != (2 if banner.layout == "array" else 3):
        raise ReadError(f"must be the size; it is {short(size)}", number)
    shape = _whole(number, size[0]), _whole(number, size[1])
    if banner.sign and shape[0] != shape[1]:
        raise ReadError("a symmetric matrix must be square", number)
    if banner.layout == "coordinate":
        announced = _whole(number, size[2], least=0)
    elif banner.sign:
        announced = shape[0] * (shape[0] + banner.sign) // 2
    else:
        announced = shape[0] * shape[1]
    i, j, values, digits = _entries(lines, number, banner, shape)
    if values.size != announced:
        raise ReadError(
            f"must have {announced} entries, by its line {number}; it has {values.size}"
        )
    stored = digits.unit(values)
    if banner.layout == "array":  # column by column; if symmetric, only from the diagonal down
        afford(8 * shape[0] * shape[1], options.limit, f"an array of shape {shape}")
        if banner.sign:
            j, i = np.triu_indices(shape[0], k=0 if banner.sign == 1 else 1)
        else:
            j, i = np.divmod(np.arange(announced), shape[0])
    if banner.sign:
        off = i != j
        i, j = np.concatenate([i, j[off]]), np.concatenate([j, i[off]])
        values = np.concatenate([values, banner.sign * values[off]])
    notes = digits.notes()
    if banner.layout == "coordinate":
        return Content(Entries(i, j, values, shape), stored, notes=notes)
    dense = np.zeros(shape)
    dense[i, j] = values
    return Content(dense, stored, notes=notes)


def _banner(line: str) -> _Banner:
    """Return the layout, the cells of an entry, and the sign of the mirrored entries."""
    words = line.lower().split()
    if len(words) == 5 and words[:2] == ["%%matrixmarket", "matrix"]:
        width, sign = _CELLS.get((words[2], words[3])), _SIGNS.get(words[4])
        if width is not None and sign is not None:
            return _Banner(words[2], width, sign)
    raise ReadError(
        "must be %%MatrixMarket matrix, array or coordinate, real, integer or (coordinate) "
        f"pattern, general, symmetric or skew-symmetric; it is {short(line.strip())}",
        1,
    )


def _size(lines: Iterator[str]) -> tuple[int, list[str]]:
    for number, line in enumerate(lines, 2):
        if line.strip() and not line.startswith("%"):
            return number, line.split()
    return 2, []


def _entries(
    lines: Iterator[str], last: int, banner: _Banner, shape: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array, Digits]:
    """Return places (none for an array, which lists all), values (1 for a pattern), digits."""
    digits = Digits()
    i: list[NDArray[np.intp]] = []
    j: list[NDArray[np.intp]] = []
    values: list[Array] = []
    while chunk := list(islice(lines, _CHUNK)):
        numbered = [
            (number, line.split())
            for number, line in enumerate(chunk, last + 1)
            if not line.startswith("%") and not line.isspace()
        ]
        last += len(chunk)
        for number, cells in numbered:
            if len(cells) != banner.width:
                raise ReadError(f"must have {banner.width} cells; it has {len(cells)}", number)
        where = [number for number, _ in numbered]
        columns = list(zip(*(cells for _, cells in numbered), strict=True))
        if columns and banner.width > 1:
            i.append(_places(where, columns[0], shape[0]))
            j.append(_places(where, columns[1], shape[1]))
        if columns and banner.width == 2:
            values.append(np.ones(len(where)))
        elif columns:
            values.append(numbers(columns[-1], where.__getitem__))
            digits.see(columns[-1], values[-1])
    none = np.zeros(0, dtype=np.intp)
    return (
        np.concatenate([none, *i]),
        np.concatenate([none, *j]),
        np.concatenate([np.zeros(0), *values]),
        digits,
    )


def _places(lines: list[int], cells: tuple[str, ...], most: int) -> NDArray[np.intp]:
    text = "".join(cells)
    if text.isdecimal() and text.isascii() and len(max(cells, key=len)) < 19:
        places = np.fromiter(map(int, cells), dtype=np.intp, count=len(cells)) - 1
        if places.min() >= 0 and places.max() < most:
            return places
    for number, cell in zip(lines, cells, strict=True):
        _whole(number, cell, most=most)
    raise AssertionError("unreachable: one of the cells is no place")


def _whole(line: int, cell: str, *, most: int = LARGEST, least: int = 1) -> int:
    # The length first: int() refuses thousands of digits with an error of its own.
    if cell.isdecimal() and cell.isascii() and len(cell) < 19 and least <= int(cell) <= most:
        return int(cell)
    raise ReadError(f"must be an integer from {least} to {most}; it is {short(cell)}", line)
