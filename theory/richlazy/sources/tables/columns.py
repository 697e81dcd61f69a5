"""A table before it is known what it is: columns of text or of stored numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import EXACT, Options, ReadError, short, unit_roundoff
from richlazy.sources.tables.numbers import Digits, all_whole, is_missing, is_whole, number, numbers

__all__ = ["Column", "Table", "check_held", "check_names", "is_id_name"]

Array = NDArray[np.float64]

#: Names of columns that hold names of rows, beside those whose last word is "id".
_ID_NAMES: frozenset[str] = frozenset().union(
    ("cell", "component", "idx", "index", "key", "label", "mode", "name", "names", "neuron"),
    ("neurons", "node", "number", "order", "pc", "rank", "row", "rownames", "skid", "unit"),
    ("unnamed0",),
)
_LOST = re.compile(r"\d(?:\.\d*)?[eE]\+?\d+")  # an id that went through a float or a spreadsheet


class Column:
    """One column: cells of text, or numbers as a typed file stores them."""

    def __init__(self, cells: list[str] | NDArray[Any]) -> None:
        self.cells = cells

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def values(self) -> Array | None:
        """The values, NaN where missing; None if some are no real numbers."""
        if isinstance(self.cells, np.ndarray):
            return self.cells.astype(np.float64) if self.cells.dtype.kind in "biuf" else None
        found = []
        for start in range(0, len(self.cells), 50_000):
            part = self.cells[start : start + 50_000]
            try:
                found.append(numbers(part, lambda k: k))
            except ReadError:
                if any(number(cell) is None for cell in part):
                    return None
                found.append(np.array([number(cell) for cell in part], dtype=np.float64))
        return np.concatenate(found) if found else np.zeros(0)

    @cached_property
    def whole(self) -> bool:
        """Whether every cell could be a numeric id: a whole number, not negative."""
        if isinstance(self.cells, np.ndarray):
            kind = self.cells.dtype.kind
            return kind == "u" or (kind == "i" and bool(np.all(self.cells >= 0)))
        return all_whole(self.cells)

    @cached_property
    def text(self) -> bool:
        """Whether no cell is a number and none is missing."""
        if isinstance(self.cells, np.ndarray):
            return False
        return all(number(cell) is None for cell in self.cells)

    @cached_property
    def written_with_decimals(self) -> bool:
        """Whether some value is written with a decimal point or an exponent."""
        if isinstance(self.cells, np.ndarray):
            return self.cells.dtype.kind == "f"
        return self.values is not None and not all(
            is_whole(cell.lstrip("+-")) or is_missing(cell) for cell in set(self.cells)
        )

    def names(self) -> list[str]:
        """The cells as names of neurons."""
        if not isinstance(self.cells, np.ndarray):
            return self.cells
        if self.cells.dtype.kind != "f":
            return [str(cell) for cell in self.cells.tolist()]
        check_held(self.cells)
        return [str(int(x)) if x.is_integer() else str(x) for x in self.cells.tolist()]


def check_held(ids: NDArray[Any]) -> None:
    """Refuse ids stored as floats, of whatever width, that these may have rounded."""
    with np.errstate(over="ignore"):
        size = np.abs(ids.astype(np.float64))
    if ids.dtype.kind == "f" and not np.all(size < 1.0 / unit_roundoff(ids.dtype)):
        raise ReadError("stores ids as floats, which cannot hold them; save them as integers")


def check_names(names: list[str], line: Callable[[int], int | None]) -> None:
    """Refuse names that are missing, and ids that have lost digits in a spreadsheet."""
    for name in set(names):
        if is_missing(name):
            why = "an edge must name two neurons; one is missing"
        elif name[:1].isdigit() and _LOST.fullmatch(name):
            why = f"{name!r} is an id that has lost its digits; save ids as integers or text"
        elif (value := number(name)) is not None and not value.is_integer():
            why = f"{short(name)} is a number and names no neuron"
        else:
            continue
        raise ReadError(why, line(names.index(name)))


@dataclass(eq=False)
class Table:
    """Columns with their names, if they are known; `line` tells where a row stands in a text.

    `short` says that the first column has no name because R gives it none.
    """

    columns: list[Column]
    names: list[str] | None
    line: Callable[[int], int | None]
    labels: tuple[str, ...] | None = None
    hint: str = ""
    notes: list[str] = field(default_factory=list)
    digits: Digits = field(default_factory=Digits)
    missing: int = 0
    short: bool = False

    def known(self, column: Column, options: Options) -> Array:
        """The finite values of a column; missing ones are zero if the user says so."""
        if isinstance(column.cells, np.ndarray):
            if column.cells.dtype.kind not in "biuf":
                raise ReadError(f"must hold real numbers; one column is {column.cells.dtype}")
            values = column.cells.astype(np.float64)
        else:
            values = numbers(column.cells, lambda k: self.line(k) or 0, self.hint)
            self.digits.see(column.cells, values)
        if not np.all(np.isfinite(values)):
            gap = int(np.flatnonzero(~np.isfinite(values))[0])
            if np.isinf(values).any():
                gap = int(np.flatnonzero(np.isinf(values))[0])
                raise ReadError(f"row {gap} holds {values[gap]}; it must be finite", self.line(gap))
            if options.missing != "zero":
                cell = "nan" if isinstance(column.cells, np.ndarray) else column.cells[gap]
                found = (
                    f"{cell!r} is not a finite number"
                    if cell
                    else ("an empty cell is not a real number")
                )
                raise ReadError(f"{found} (--missing zero reads the unknown as 0)", self.line(gap))
            self.missing += int(np.isnan(values).sum())
            values = np.nan_to_num(values, nan=0.0)
        return values

    def stored(self, columns: list[Column], values: Array) -> float:
        """The rounding of the values, by their digits or by the type they are stored in."""
        typed = [unit_roundoff(c.cells.dtype) for c in columns if isinstance(c.cells, np.ndarray)]
        return max([EXACT, *typed]) if typed else self.digits.unit(values)

    def remarks(self) -> list[str]:
        """Everything that was done on the way."""
        filled = [f"missing values read as zero: {self.missing}"] if self.missing else []
        return [*self.notes, *filled, *self.digits.notes()]


def is_id_name(name: str) -> bool:
    """Whether a column of this name holds ids or row names: bodyId, root_id, index, ..."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    return bool(words) and (
        words[-1].lower() in ("id", "ids") or "".join(words).lower() in _ID_NAMES
    )
