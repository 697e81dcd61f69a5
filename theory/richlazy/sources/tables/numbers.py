"""Numbers in text: read exactly as written, with what their digits tell of their rounding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import EXACT, ReadError, short

__all__ = ["MISSING", "Digits", "all_whole", "is_missing", "is_whole", "number", "numbers"]

Array = NDArray[np.float64]

#: How tables write "unknown"; compared without regard to case.
MISSING = frozenset({"", "nan", "-nan", "+nan", "na", "n/a", "null", "none", "<na>", "#n/a"})

_LONGEST = 1200  # characters: any float64 in all its digits, with room
_BEYOND = 2.0**53  # the first integer whose neighbour float64 does not hold
_WRITTEN = re.compile(r"[+-]?(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?")


def is_missing(cell: str) -> bool:
    """Whether the cell says that its value is unknown."""
    return cell.lower() in MISSING


def is_whole(cell: str) -> bool:
    """Whether the cell is a whole number as ids are written: digits, no leading zero."""
    return cell.isdecimal() and cell.isascii() and (cell[0] != "0" or cell == "0")


def all_whole(cells: Iterable[str]) -> bool:
    """Whether every cell `is_whole`; ids come back in many edges, and are asked once each."""
    return all(map(is_whole, set(cells)))


def number(cell: str) -> float | None:
    """Return the value of a cell, NaN if it is missing, None if it is no number."""
    if is_missing(cell):
        return float("nan")
    try:
        # float() takes the underscores of Python's own literals and the digits of every
        # script; data files have neither.
        odd = "_" in cell or len(cell) > _LONGEST or not cell.isascii()
        return None if odd else float(cell)
    except ValueError:
        return None


def numbers(cells: Sequence[str], line: Callable[[int], int], hint: str = "") -> Array:
    """Return the values of `cells`, NaN where one is missing.

    Raises a ReadError with the line of the first that is no finite number; `hint` ends it.
    """
    try:
        if max(map(len, cells), default=0) > _LONGEST:
            raise ValueError
        values = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        if np.all(np.isfinite(values)):
            joined = "".join(cells)
            if "_" not in joined and joined.isascii():
                return values
    except ValueError:
        pass
    found = [number(cell) for cell in cells]
    for k, value in enumerate(found):
        if value is None:
            raise ReadError(f"{short(cells[k])} is not a real number{hint}", line(k))
        if np.isinf(value):
            raise ReadError(f"{short(cells[k])} is not a finite number", line(k))
    return np.array(found, dtype=np.float64)


class Digits:
    """What the writing of many numbers tells, collected part by part.

    A number written 0.123 was rounded by up to half a unit of its last digit, 0.0005. Of a
    table that counts for, relative to the largest entry L, is the finest last digit among the
    entries between L/10 and L: smaller ones may be written more finely, and trailing zeros may
    be gone. If all of those are whole numbers it is the finest anywhere, and integers
    throughout are exact, unless they are written with an exponent.
    """

    def __init__(self) -> None:
        self._finest: dict[int, int] = {}  # decade of the value -> finest decimal written there
        self._rounded = 0

    def see(self, cells: Sequence[str], values: Array) -> None:
        """Take note of the cells and their values, of the same length."""
        big = np.flatnonzero(np.abs(values) >= _BEYOND).tolist()
        self._rounded += sum(_differs(cells[k], float(values[k])) for k in big)
        size = np.abs(values)
        # A whole number is exact, but 1.2e+02 has two digits only.
        telling = values != np.floor(values)
        text = "".join(cells)
        if "e" in text or "E" in text:
            telling |= np.array(["e" in cell or "E" in cell for cell in cells])
        odd = np.flatnonzero(np.isfinite(size) & (size > 0) & telling)
        if odd.size == 0:
            return
        decades = np.floor(np.log10(size[odd])).astype(int)
        for decade in np.unique(decades).tolist():
            written = max(_decimals(cells[k]) for k in odd[decades == decade])
            self._finest[decade] = max(self._finest.get(decade, written), written)

    def unit(self, values: Array) -> float:
        """Half a unit of the last digit over the largest of `values`; at least 2^-53."""
        largest = float(np.nanmax(np.abs(values), initial=0.0))
        if not self._finest or not largest > 0:
            return EXACT
        top = int(np.floor(np.log10(largest)))
        near = [self._finest[d] for d in (top, top - 1) if d in self._finest]
        # A logarithm first: 10^-decimals may underflow where the quotient does not.
        exponent = -max(near or self._finest.values()) - np.log10(2 * largest)
        return max(EXACT, float(10.0 ** min(exponent, 0.0)))

    def notes(self) -> list[str]:
        """Say how many integers float64 could not hold."""
        if not self._rounded:
            return []
        return [f"integers beyond 2^53 rounded to float64: {self._rounded}"]


def _decimals(cell: str) -> int:
    """Return d where 10^-d is the last digit written, such as 3 for 0.123 and 5 for 1.2e-4."""
    match = _WRITTEN.fullmatch(cell)
    if match is None:  # a missing value
        return -400
    return len(match[2]) - int(match[3] or 0)


def _differs(cell: str, value: float) -> bool:
    """Whether a cell is an integer that float64 rounds."""
    return cell.lstrip("+-").isdecimal() and int(cell[:400]) != int(value)
