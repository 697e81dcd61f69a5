"""What a table is: an explicit list of decisions, each said or settled by an option.

A table of text or of typed columns (Parquet, Feather) may be a weight matrix, a spectrum or an
edge list, with or without names of its columns and rows. In this order:

1. *Header.* `--header` decides. Otherwise line 1 names the columns if every cell of it is a name
   (if one cell only is, it must be a name of ids or empty, over a first column of names or ids,
   and the others whole numbers), if it has one cell less than the rows below (R), or if it is
   quoted and they are not. Numbers alone are refused if they look like ids; otherwise they are
   numbers, and that is said.
2. *Edge list.* `--format` decides. Otherwise it is one if the header names a pair of columns
   (pre and post, source and target, from and to, with or without "id", in any case), or if
   there are three columns, two of names and one of numbers. Three columns of which the first
   two are whole numbers are refused, and two of them with three rows or more.
3. *Index.* `--index` decides. Otherwise the first column names the rows if its header is empty, a
   name of ids over whole numbers or names, or missing (R), or if it holds names. A column of
   whole numbers that looks like ids is refused.
4. *Spectrum or matrix.* `--format` decides. Otherwise one row or column is a spectrum. Columns of
   which one is named as a spectrum or its squares are, and a column of squares alone, are refused.

Whole numbers look like ids (a run of labels does) if all differ and they count up one by one,
exceed everything else in the table, or are the only ones written without decimals. Wherever they
stand, a row or column of whole numbers from 1000 on that is a hundred times everything else is
refused too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import Content, Options, ReadError, afford, short
from richlazy.sources.tables import edges
from richlazy.sources.tables.cells import Rows
from richlazy.sources.tables.columns import Column, Table, check_held, is_id_name
from richlazy.sources.tables.numbers import is_missing, is_whole, number

__all__ = ["from_array", "from_rows", "read"]

_ID, _ABOVE = 1000, 100.0  # what whole numbers must reach to be taken for ids
_NONE = "column names and no numbers"
_SPECTRA = frozenset(("singular value", "singular values", "singularvalue", "singularvalues"))
_SQUARES = re.compile(r"ev|eigen ?val(ue)?s?|(.* )?variance( .*)?")


def from_rows(rows: Rows, notes: list[str], options: Options) -> Content:
    """Decide on the header of a text, then on the rest."""
    header = _has_header(rows, options)
    if header and not (rows.columns and rows.columns[0]):
        edge_list = edges.pair(rows.first) is not None
        raise ReadError(f"holds {'a header and no edges' if edge_list else _NONE}")
    names = rows.first if header else None
    if header and edges.pair(rows.first) is None:
        notes = [*notes, f"line {rows.line(0)} read as column names"]
    if not header:
        whole = options.header is None and options.format != "edges"
        whole = whole and all(map(is_whole, rows.first))
        if whole and any(rows.columns) and 1 < len(rows.first) == len(set(rows.first)):
            notes = [*notes, f"line {rows.line(0)} read as numbers (--header yes: as names)"]
        for column, cell in zip(rows.columns, rows.first, strict=True):
            column.insert(0, cell)
    if rows.short:
        names = ["", *rows.first]
    table = Table(
        [Column(cells) for cells in rows.columns],
        names,
        lambda row: rows.line(row + header),
        hint=rows.hint,
        notes=notes,
        short=rows.short,
    )
    return read(table, options)


def read(table: Table, options: Options) -> Content:
    """Decide what a table with a known header is, and read it as that."""
    if _is_edge_list(table, options):
        return edges.read(table, options)
    _take_index(table, options)
    columns = table.columns
    count = len(columns) * len(columns[0])
    afford(8 * count, options.limit, f"a table of {count} numbers")
    values = np.column_stack([table.known(column, options) for column in columns])
    if options.format is None:
        _check_outliers(values)
    flat = 1 in values.shape and options.format != "matrix"
    if options.format == "spectrum" and not flat:
        raise ReadError(f"a spectrum must be one row or column; the table is {_by(values.shape)}")
    if flat and table.names and _SQUARES.fullmatch(_words(table.names[0])):
        raise ReadError(
            f"the column {short(table.names[0])} holds squares of singular values, it seems; save "
            "their roots, or rename the column if it does not"
        )
    if not flat and options.format is None:
        for name in table.names or []:
            if _words(name) in _SPECTRA or _SQUARES.fullmatch(_words(name)):
                raise ReadError(
                    f"the column {short(name)} may be a spectrum beside other columns; save the "
                    "singular values alone, or say --format matrix"
                )
    return Content(
        values,
        table.stored(columns, values),
        table.labels,
        None if table.names is None else tuple(table.names),
        "spectrum" if flat else "matrix",
        table.remarks(),
    )


def from_array(content: Content, options: Options) -> Content:
    """Read a stored array: as edges if the user says so, refused if it holds ids beside weights."""
    array = content.values
    assert isinstance(array, np.ndarray)
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "biuf":
        return content
    width = array.shape[1]
    if options.format == "edges":
        check_held(array[:, :2])
        columns = [Column(_whole(column)) for column in array.T]
        return read(Table(columns, None, lambda row: None), options)
    if options.format is None and min(array.shape) > 1:
        columns = [Column(_whole(column)) for column in array.T[:2]]
        rest = [Column(_whole(column)) for column in array.T[2:]]
        if width == 3 and columns[0].whole and columns[1].whole and _above(columns, rest):
            raise ReadError(_ask_format("columns 1 and 2 hold whole numbers above all others"))
        if columns[0].whole and _like_ids(columns[0].names(), [*columns[1:], *rest], False):
            raise ReadError("column 1 looks like ids; remove it, or say --format matrix")
        with np.errstate(over="ignore"):
            _check_outliers(array.astype(np.float64))
    return content


def _check_outliers(values: NDArray[Any]) -> None:
    """Refuse rows or columns of large whole numbers far above all the rest: ids, it seems."""
    large = (values >= _ID) & (values < 2.0**63) & (values == np.floor(values))
    for axis, line in ((0, "column"), (1, "row")):
        ids = large.all(axis=axis) & (values.min(axis=axis) < values.max(axis=axis))
        if not ids.any() or ids.all():
            continue
        turned = values.T if axis == 0 else values
        if turned[ids].min() > _ABOVE * np.nanmax(np.abs(turned[~ids])):
            place = int(np.flatnonzero(ids)[0]) + 1
            raise ReadError(
                f"{line} {place} of the numbers holds whole ones far above all others, as ids are; "
                "remove it, or say --format matrix if they are weights"
            )


def _whole(column: NDArray[Any]) -> NDArray[Any]:
    """A column of whole numbers as integers, so that they can be ids; any other as it is."""
    if column.dtype.kind != "f":
        return column
    with np.errstate(over="ignore"):  # what is beyond float64 is no whole number
        wide = column.astype(np.float64)
    whole = np.all(np.abs(wide) <= 2.0**53) and np.all(wide == np.floor(wide))
    return wide.astype(np.int64) if whole else wide


def _has_header(rows: Rows, options: Options) -> bool:
    first, body = rows.first, rows.columns
    if options.header is not None or rows.short:
        return options.header is not False
    if edges.pair(first) is not None:
        return True
    named = [number(cell) is None for cell in first]
    if not any(body):  # one row: values, or names without any
        return all(named)
    names = [cell for cell, name in zip(first, named, strict=True) if name]
    if any(name.lstrip("+-.")[:1].isdigit() and not name.isalnum() for name in names):
        return False  # a mistyped first number, such as 1.0x, is a mistake and no column name
    if all(named[1:]) and (named[0] or (first[0] == "" and len(first) > 1)):
        if len(first) > 1 and all(Column(cells).text for cells in body):
            raise ReadError(_ask("header", "holds names only, and line 1 may be a header"))
        return True
    if (named[0] or first[0] == "") and all(map(is_whole, first[1:])) and len(first) > 1:
        below = Column(body[0])
        if first[0] == "" or (is_id_name(first[0]) and (below.text or below.whole)):
            if len(set(first[1:])) < len(first) - 1:
                raise ReadError(
                    _ask("header", "line 1 may hold column names, but some are the same")
                )
            return True
        if below.values is not None:
            raise ReadError(
                f"{short(first[0])} is not a real number{rows.hint} (if line 1 holds column "
                "names: --header yes)",
                rows.line(0),
            )
        if below.text and _like_ids(first[1:], body[1:]):
            raise ReadError(
                _ask("header", "the numbers look like names of the columns"), rows.line(0)
            )
        return False
    if rows.quoted and all(map(str.isdecimal, first)):
        return True
    if any(named) or not all(map(is_whole, first)):
        return False
    if len(first) == 1:
        column = Column(body[0])
        alone = first[0] == "0" or int(first[0]) >= 1000
        odd = alone and column.values is not None and all("." in cell for cell in body[0])
    else:
        odd = _like_ids(first, body)
    if odd:
        raise ReadError(
            f"{','.join(first[:3])}{', ...' if len(first) > 3 else ''} "
            + _ask("header", "looks like names of columns saved as a header"),
            rows.line(0),
        )
    return False


def _is_edge_list(table: Table, options: Options) -> bool:
    if options.format is not None or options.index:
        return options.format == "edges"
    columns, width = table.columns, len(table.columns)
    if table.names is not None and edges.pair(table.names) is not None:
        return True
    if table.labels is not None or width not in (2, 3) or len(columns[0]) < 2:
        return False
    if table.names is not None and (is_id_name(table.names[0]) or table.names[0] == ""):
        return False  # the first column names the rows
    last = columns[-1]
    if columns[0].text and columns[1].text:
        if width == 3 and last.values is not None:
            return True
        raise ReadError(_ask_format("two columns of names may be the ends of edges"))
    if not (columns[0].whole and columns[1].whole):
        return False
    if (width == 3 and last.values is not None) or (width == 2 and len(last) > 2):
        raise ReadError(
            _ask_format(f"two of its {width} columns hold whole numbers, which may be neurons")
        )
    return False


def _take_index(table: Table, options: Options) -> None:
    """Move the first column into the labels of the rows if it holds their names."""
    columns, names = table.columns, table.names
    if table.labels is None and _has_index(table, options):
        if len(columns) < 2:
            raise ReadError("holds an index and no numbers")
        table.labels = tuple(columns[0].names())
        repeated = len(set(table.labels)) < len(table.labels)
        if repeated and (table.short or columns[0].whole):
            raise ReadError("column 1 names the rows, it seems, and some names are the same")
        for row, label in enumerate(table.labels):
            if is_missing(label):
                raise ReadError("column 1 names the rows, and one has no name", table.line(row))
        called = f", {short(names[0])}," if names and names[0] else ""
        table.notes.append(f"column 1{called} read as row names")
        table.columns = columns[1:]
        table.names = None if names is None else names[1:]
    for place, name in enumerate(table.names or [], 1 + (table.labels is not None)):
        if name == "":
            raise ReadError(f"column {place} has no name; name every column", table.line(-1))
        if is_id_name(name) and place > 1 and len(table.columns) > 1 and options.index is None:
            column = table.columns[place - 1 - (table.labels is not None)]
            if column.whole:
                raise ReadError(
                    f"column {place}, {short(name)}, looks like ids; remove it, put it first, or "
                    "say --index no if it holds weights"
                )


def _has_index(table: Table, options: Options) -> bool:
    if options.index is not None:
        return options.index
    columns, names = table.columns, table.names
    first, rest = columns[0], columns[1:]
    if not rest:
        return False
    if names is not None:
        if names[0] == "":
            return True
        if is_id_name(names[0]):
            if first.text or (first.whole and len(set(first.names())) == len(first)):
                return True
            if first.values is None:
                return False  # a number that is none: said where it is read
            raise ReadError(
                _ask("index", f"column 1, {short(names[0])}, may name the rows or hold weights")
            )
    if first.text:
        return True
    if first.whole and len(first) > 1 and _like_ids(first.names(), rest):
        raise ReadError(_ask("index", "column 1 looks like names of the rows"))
    if len(first) < 2 or len(columns) < 4 or not (first.whole and columns[1].whole):
        return False
    if _above(columns[:2], columns[2:]):
        raise ReadError(_ask_format("columns 1 and 2 hold whole numbers above all others"))
    return False


def _like_ids(labels: Sequence[str], rest: Sequence[list[str] | Column], text: bool = True) -> bool:
    """Whether whole numbers along one side of a table look like names rather than numbers.

    Without `text`, how the others are written tells nothing.
    """
    if not all(map(is_whole, labels)) or len(set(labels)) < len(labels):
        return False
    others = [column if isinstance(column, Column) else Column(column) for column in rest]
    if len(labels) < 3:
        return len(labels) == 2 and _above([Column(list(labels))], others)
    counted = all(int(b) - int(a) == 1 for a, b in pairwise(labels))
    return (
        counted
        or (text and any(column.written_with_decimals for column in others))
        or _above([Column(list(labels))], others)
    )


def _above(labels: Sequence[Column], rest: Sequence[Column]) -> bool:
    """Whether every label exceeds everything else."""
    sizes = [column.values for column in rest]
    known = [np.abs(size) for size in sizes if size is not None and not np.isnan(size).all()]
    if not known or len(known) < len(sizes):
        return False
    least = min(float(np.nanmin(c.values)) for c in labels if c.values is not None)
    return least > max(float(np.nanmax(size)) for size in known)


def _words(name: str) -> str:
    """A column's name in small letters, its words parted by single spaces."""
    return " ".join(re.findall(r"[^\W_]+", name.lower()))


def _ask(option: str, why: str) -> str:
    return f"{why}; say --{option} yes or --{option} no"


def _ask_format(why: str) -> str:
    return f"{why}; say --format edges or --format matrix"


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
