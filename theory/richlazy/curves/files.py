"""Curves and maps as files: tables of CSV that every program reads, and texts or paths read back.

A table has its column names in line 1 and one number a cell. Its last column, `provenance`, holds
in its first row what the numbers are, as JSON, and nothing below: a program that knows nothing of
it (`pandas.read_csv`, a spreadsheet) has every other column as numbers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from richlazy import writing
from richlazy.errors import FileError, KindError
from richlazy.names import plain

__all__ = ["PROVENANCE", "csv_table", "csv_text", "read_csv", "read_json", "written"]

Array = NDArray[np.float64]
Made = TypeVar("Made")
Table = tuple[dict[str, Any], list[str], Array]

#: The column that says what the others are.
PROVENANCE = "provenance"
#: What a text that is neither curve nor map may raise on the way to one.
_UNREADABLE = (ArithmeticError, AttributeError, IndexError, TypeError, ValueError)


def written(text: str, path: str | os.PathLike[str] | None, force: bool) -> str:
    """The text, in a file too where one is named."""
    if path is not None:
        writing.write_text(writing.output_file(path, force), text)
    return text


def csv_text(names: Sequence[str], columns: Iterable[Array], about: dict[str, Any]) -> str:
    """Columns of one length as CSV, every number so that it reads back exactly."""
    rows = zip(*(column.tolist() for column in columns), strict=True)
    lines = [",".join(map(repr, row)) + "," for row in rows]
    if lines:
        lines[0] += '"' + json.dumps(about).replace('"', '""') + '"'
    return "\n".join([",".join([*names, PROVENANCE]), *lines]) + "\n"


def csv_table(text: str, what: str) -> Table:
    """Provenance, column names and table of what `csv_text` wrote.

    Earlier versions wrote the provenance in a comment before the names; their files are read too.
    """
    lines, mark = text.splitlines() or [""], f"# richlazy {what} "
    if lines[0].startswith(mark):
        about, lines = lines[0].removeprefix(mark), lines[1:]
        names, rows = lines[0].split(",") if lines else [], lines[1:]
    else:
        *names, last = (name.strip('"') for name in lines[0].split(","))
        if last != PROVENANCE:
            raise FileError(f"line 1 must name the columns, the last one {PROVENANCE!r}")
        # not by the csv module, which refuses a cell as long as the methods of a large map
        *first, cell = (lines[1] if len(lines) > 1 else "").split(",", len(names))
        about = cell.removeprefix('"').removesuffix('"').replace('""', '"')
        rows = [",".join(first), *(line.removesuffix(",") for line in lines[2:])] if first else []
    if not rows:
        raise FileError("it holds no values")
    table = np.array([[float(value) for value in row.split(",")] for row in rows])
    return json.loads(about), names, table


def read_csv(source: str | os.PathLike[str], what: str, make: Callable[[Table], Made]) -> Made:
    """What `make` makes of a table, given as text or by its path.

    Raises
    ------
    FileError
        If there is no such file, or it is not one.
    """
    text, name = _content(source, "# richlazy ")
    return _made(lambda: make(csv_table(text, what)), f"{name}not a {what} in CSV")


def read_json(source: str | os.PathLike[str], what: str, make: Callable[[Any], Made]) -> Made:
    """What `make` makes of JSON, as `read_csv`."""
    text, name = _content(source, "{")
    return _made(lambda: make(json.loads(text)), f"{name}not a {what} in JSON")


def _content(source: str | os.PathLike[str], begin: str) -> tuple[str, str]:
    """A text, or what the file holds that is named, and how a message on it begins.

    A text begins like one, or is empty or of several lines, as no path is.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise KindError(f"source must be a path, or text; it is of type {type(source).__name__}")
    if isinstance(source, str) and (
        not source or "\n" in source or source.lstrip().startswith(begin)
    ):
        return source, ""
    name = plain(os.fspath(source))
    try:
        return Path(source).read_text(encoding="utf-8"), f"{name}: "
    except UnicodeDecodeError:
        raise FileError(f"{name}: is no text in UTF-8") from None
    except OSError as error:
        raise FileError(f"{name}: cannot be read ({error.strerror})") from None
    except ValueError:  # a NUL, which no path has
        raise FileError(f"{name}: is neither a path nor the text of a file") from None


def _made(make: Callable[[], Made], unlike: str) -> Made:
    try:
        return make()
    except KeyError as error:
        raise FileError(f"{unlike}: {error.args[0]} is missing") from None
    except _UNREADABLE as error:
        raise FileError(f"{unlike}: {error}") from None
