"""Parquet and Feather, through pyarrow: typed columns with names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import Content, Opened, Options, ReadError, afford, short, whole
from richlazy.sources.formats import require
from richlazy.sources.tables import decide as tables
from richlazy.sources.tables.columns import Column, Table

__all__ = ["read"]

_CELL = 80  # bytes that a cell of text takes in memory


def read(opened: Opened, options: Options) -> Content:
    """Read a table of columns; an index that pandas stored names the rows."""
    whole(opened)
    source = require("pyarrow", "tables").BufferReader(opened.data)
    load = _parquet if opened.suffix == ".parquet" else _feather
    table = load(source, options.limit)
    table.validate(full=True)
    pandas = table.schema.pandas_metadata or {}
    indices = [name for name in pandas.get("index_columns", []) if isinstance(name, str)]
    if len(indices) > 1 or table.num_rows == 0:
        raise ReadError("must have one index at most" if indices else "holds no rows")
    notes = []
    labels = None
    if options.index is None and indices and indices[0] in table.column_names:
        labels = tuple(Column(_cells(table[indices[0]], indices[0])).names())
        table = table.drop_columns(indices)
        notes.append("the stored index read as row names")
    names = list(table.column_names)
    if not names:
        raise ReadError("holds no columns")
    columns = [
        Column(_cells(column, name)) for name, column in zip(names, table.columns, strict=True)
    ]
    if options.header is not None:
        raise ReadError("--header has no meaning for named columns; leave it out")
    return tables.read(Table(columns, names, lambda row: None, labels, notes=notes), options)


def _parquet(source: Any, limit: float) -> Any:
    file = require("pyarrow.parquet", "tables").ParquetFile(source)
    about = file.metadata
    _check(about.num_rows, about.num_columns, limit)
    unpacked = sum(about.row_group(k).total_byte_size for k in range(about.num_row_groups))
    afford(unpacked, limit, "its table")
    return file.read(use_threads=False)


def _feather(source: Any, limit: float) -> Any:
    file = require("pyarrow", "tables").ipc.open_file(source)
    pyarrow = require("pyarrow", "tables")
    rows, batches = 0, []
    for k in range(file.num_record_batches):
        batch = file.get_batch(k)
        rows += batch.num_rows
        _check(rows, len(file.schema), limit)
        batches.append(batch)
    return pyarrow.Table.from_batches(batches, schema=file.schema)


def _check(rows: int, columns: int, limit: float) -> None:
    afford(_CELL * rows * columns, limit, f"a table of {rows} rows and {columns} columns")


def _cells(column: Any, name: str) -> list[str] | NDArray[Any]:
    """A column as numbers of its own type, or as text; missing ones are NaN or empty."""
    types = require("pyarrow", "tables").types
    kind = column.type
    if types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        return ["" if cell is None else cell.strip() for cell in column.to_pylist()]
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        if column.null_count and types.is_integer(kind):
            whole = np.array([cell or 0 for cell in column.to_pylist()])
            if np.any(np.abs(whole.astype(np.float64)) >= 2.0**53):
                raise ReadError(f"the column {short(name)} has missing values among large integers")
            return np.array([np.nan if c is None else c for c in column.to_pylist()], dtype=float)
        return np.asarray(column.to_numpy())
    raise ReadError(f"the column {short(name)} must hold numbers or text; it holds {kind}")
