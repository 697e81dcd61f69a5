"""Parse the text formats: tables and edge lists (.csv, .tsv) and Matrix Market (.mtx).

Every number is a finite float, every mistake a `FileError` with the file and the line.
Column names, blank lines and repeated edges are treated as `richlazy.files.read` says.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import FileError

__all__ = ["Entries", "Parsed", "parse_delimited", "parse_matrix_market"]

Array = NDArray[np.float64]

Row = tuple[int, list[str]]  # a line's number and its cells

SEPARATORS = {",": "commas", "\t": "tabs"}

# Matrix Market: cells of an entry by layout and field; sign of the mirrored entries.
MTX_CELLS = {
    ("array", "real"): 1,
    ("array", "integer"): 1,
    ("array", "unsigned-integer"): 1,
    ("coordinate", "real"): 3,
    ("coordinate", "integer"): 3,
    ("coordinate", "unsigned-integer"): 3,
    ("coordinate", "pattern"): 2,
}
MTX_SIGNS = {"general": 0, "symmetric": 1, "skew-symmetric": -1}
LARGEST = 2**31 - 1  # rows or columns: what SciPy's 32-bit indices can name


class Entries(NamedTuple):
    """The stored entries of a sparse matrix; a place listed twice holds the sum."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: NDArray[np.generic]
    shape: tuple[int, int]


class Parsed(NamedTuple):
    """The numbers of a text file, what was done on the way, and an edge list's neurons."""

    values: Array | Entries
    notes: list[str]
    neurons: tuple[str, ...] | None = None


def parse_delimited(path: Path, data: bytes, delimiter: str) -> Parsed:
    """Parse a table of numbers, or an edge list if the header names pre and post."""
    rows = _rows(path, data, delimiter)
    first = next(rows, None)
    if first is None:
        raise FileError(f"{path}: is empty")
    if {"pre", "post"} <= {cell.lower() for cell in first[1]}:
        return _edges(path, first, rows)
    return _table(path, first, rows, f" (cells are separated by {SEPARATORS[delimiter]})")


def parse_matrix_market(path: Path, data: bytes) -> Parsed:
    """Parse the Matrix Market format (Boisvert, Pozo and Remington 1996, NIST report 5935)."""
    # Not scipy.io.mmread: it ends the process on a file of zero rows, on a symmetric matrix
    # that is not square and on some damaged lines, and it skips junk behind a number.
    lines = _decode(path, data).splitlines() or [""]
    layout, width, sign = _mtx_banner(path, lines[0])
    entries = (
        (line, text.split())
        for line, text in enumerate(lines[1:], 2)
        if text.strip() and not text.startswith("%")
    )
    size_line, size = next(entries, (2, []))
    if len(size) != (2 if layout == "array" else 3):
        raise FileError(f"{path}, line {size_line}: must be the size; it is {_short(size)}")
    shape = (_whole(path, size_line, size[0]), _whole(path, size_line, size[1]))
    if sign and shape[0] != shape[1]:
        raise FileError(f"{path}, line {size_line}: a symmetric matrix must be square")
    if layout == "array":
        announced = shape[0] * (shape[0] + sign) // 2 if sign else shape[0] * shape[1]
    else:
        announced = _whole(path, size_line, size[2], least=0)
    i, j, values = _mtx_entries(path, entries, width, shape)
    if values.size != announced:
        raise FileError(
            f"{path}: must have {announced} entries, by its line {size_line}; it has {values.size}"
        )
    if layout == "array":  # column by column; if symmetric, only from the diagonal down
        if sign:
            j, i = np.triu_indices(shape[0], k=0 if sign == 1 else 1)
        else:
            j, i = np.divmod(np.arange(announced), shape[0])
    if sign:
        off = i != j
        i, j = np.concatenate([i, j[off]]), np.concatenate([j, i[off]])
        values = np.concatenate([values, sign * values[off]])
    if layout == "coordinate":
        return Parsed(Entries(i, j, values, shape), [])
    dense = np.zeros(shape)
    dense[i, j] = values
    return Parsed(dense, [])


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(f"{path}, line {line}: is not UTF-8 text; save it as such") from None


def _rows(path: Path, data: bytes, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's line number and its stripped cells; blank lines only at the end."""
    blank = 0
    reader = csv.reader(
        io.StringIO(_decode(path, data), newline=""), delimiter=delimiter, strict=True
    )
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if cells in ([], [""]):
                blank = blank or reader.line_num
                continue
            if blank:
                raise FileError(f"{path}, line {blank}: is blank; remove it or fill it in")
            yield reader.line_num, cells
    except csv.Error as error:
        raise FileError(f"{path}, line {reader.line_num}: {error}") from None


def _table(path: Path, first: Row, rows: Iterator[Row], hint: str) -> Parsed:
    line, cells = first
    notes, table = [], []
    if all(_is_name(cell) for cell in cells):
        if "" in cells:
            raise FileError(
                f"{path}, line {line}: column {cells.index('') + 1} has no name; name every "
                "column, and save no row names beside the numbers"
            )
        notes.append(f"line {line} read as column names")
    else:
        table.append([_value(path, line, cell, hint) for cell in cells])
    for here, row in rows:
        if len(row) != len(cells):
            raise FileError(
                f"{path}, line {here}: must have {len(cells)} cells like line {line}; "
                f"it has {len(row)}"
            )
        table.append([_value(path, here, cell, hint) for cell in row])
    if not table:
        raise FileError(f"{path}: holds column names and no numbers")
    if len(cells) > 2 and len(table) > 1 and cells == [str(k) for k in range(len(cells))]:
        raise FileError(
            f"{path}, line {line}: 0, 1, 2, ... looks like column numbers saved as a header; "
            "delete the line, or write 0.0 for its 0 if these are values"
        )
    return Parsed(np.array(table), notes)


def _edges(path: Path, first: Row, rows: Iterator[Row]) -> Parsed:
    line, header = first
    named = [cell.lower() for cell in header[:2]] == ["pre", "post"]
    if not named or len(header) != 3 or not header[2] or not _is_name(header[2]):
        raise FileError(
            f"{path}, line {line}: the header of an edge list must be pre,post,<weight>; "
            f"it is {_short(header)}"
        )
    pre: list[str] = []
    post: list[str] = []
    weights: list[float] = []
    for here, row in rows:
        if len(row) != 3:
            raise FileError(f"{path}, line {here}: an edge must have 3 cells; it has {len(row)}")
        if "" in row[:2]:
            raise FileError(f"{path}, line {here}: an edge must name two neurons; one is missing")
        pre.append(row[0])
        post.append(row[1])
        weights.append(_value(path, here, row[2]))
    if not weights:
        raise FileError(f"{path}: holds a header and no edges")

    neurons = tuple(sorted({*pre, *post}))
    place = {neuron: index for index, neuron in enumerate(neurons)}
    i = np.array([place[neuron] for neuron in post])
    j = np.array([place[neuron] for neuron in pre])
    w = np.array(weights)
    notes = []
    if own := np.count_nonzero(np.bincount(i[i == j], w[i == j])):
        notes.append(f"self-edges kept on the diagonal: {own}")
    if silent := weights.count(0.0):
        notes.append(f"edges of weight zero, kept only as neurons: {silent}")
    shape = (len(neurons), len(neurons))
    return Parsed(Entries(i, j, w, shape), notes, neurons)


def _mtx_entries(
    path: Path, entries: Iterator[Row], width: int, shape: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Return places (none for an array, which lists all) and values (1 for a pattern)."""
    i, j, values = [], [], []
    for line, cells in entries:
        if len(cells) != width:
            raise FileError(f"{path}, line {line}: must have {width} cells; it has {len(cells)}")
        if width > 1:
            i.append(_whole(path, line, cells[0], most=shape[0]) - 1)
            j.append(_whole(path, line, cells[1], most=shape[1]) - 1)
        values.append(1.0 if width == 2 else _value(path, line, cells[-1]))
    return np.array(i, dtype=np.intp), np.array(j, dtype=np.intp), np.array(values)


def _mtx_banner(path: Path, banner: str) -> tuple[str, int, int]:
    """Return the layout, the cells of an entry, and the sign of the mirrored entries."""
    words = banner.lower().split()
    if len(words) == 5 and words[:2] == ["%%matrixmarket", "matrix"]:
        width, sign = MTX_CELLS.get((words[2], words[3])), MTX_SIGNS.get(words[4])
        if width is not None and sign is not None:
            return words[2], width, sign
    raise FileError(
        f"{path}, line 1: must be %%MatrixMarket matrix, array or coordinate, real, integer or "
        f"(coordinate) pattern, general, symmetric or skew-symmetric; it is {_short(banner)}"
    )


def _whole(path: Path, line: int, cell: str, *, most: int = LARGEST, least: int = 1) -> int:
    # The length first: int() refuses thousands of digits with an error of its own.
    if cell.isdecimal() and len(cell) < 20 and least <= int(cell) <= most:
        return int(cell)
    raise FileError(
        f"{path}, line {line}: must be an integer from {least} to {most}; it is {_short(cell)}"
    )


def _is_name(cell: str) -> bool:
    # A mistyped first number, such as 1.0x, is a mistake and no column name.
    return _number(cell) is None and not cell.lstrip("+-.")[:1].isdigit()


def _number(cell: str) -> float | None:
    try:
        # float() takes the underscores of Python's own literals; data files have none.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _value(path: Path, line: int, cell: str, hint: str = "") -> float:
    number = _number(cell)
    if number is None:
        found = _short(cell) if cell else "an empty cell"
        raise FileError(f"{path}, line {line}: {found} is not a real number{hint}")
    if not math.isfinite(number):
        raise FileError(f"{path}, line {line}: {_short(cell)} is not a finite number")
    return number


def _short(found: str | list[str]) -> str:
    text = found if isinstance(found, str) else ",".join(found)
    return repr(text if len(text) <= 40 else text[:37] + "...")
