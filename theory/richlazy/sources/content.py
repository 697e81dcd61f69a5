"""What readers hand on, and what they are asked: numbers as stored, options, limits.

A reader raises a `ReadError`, which knows the line but not the file; `richlazy.sources.files`
makes one `FileError` of it. Memory is asked for only after `afford` has agreed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from richlazy import errors
from richlazy.errors import LIMIT

__all__ = [
    "EXACT",
    "LARGEST",
    "LIMIT",
    "Content",
    "Entries",
    "Form",
    "Opened",
    "Options",
    "ReadError",
    "afford",
    "choose",
    "one_of",
    "quiet",
    "short",
    "unit_roundoff",
    "whole",
]

Form: TypeAlias = Literal["edges", "matrix", "spectrum"]

EXACT = 2.0**-53  # float64's own unit roundoff: nothing is known better
LARGEST = 2**31 - 1  # rows or columns: what SciPy's 32-bit indices can name


class ReadError(ValueError):
    """What is wrong with a file, in words that follow its name (and the line, if there is one)."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.line = line


@dataclass(frozen=True)
class Options:
    """What the user said of a file; None leaves it to the decision list of `tables`."""

    format: Form | None = None
    header: bool | None = None
    index: bool | None = None
    missing: Literal["zero"] | None = None
    transpose: bool = False
    limit: float = LIMIT


class Opened(NamedTuple):
    """A file's bytes, the ending that says their kind, and the array asked for by name."""

    data: bytes
    suffix: str
    array: str | None = None


class Entries(NamedTuple):
    """The stored entries of a sparse matrix; a place listed twice holds the sum."""

    rows: NDArray[Any]
    columns: NDArray[Any]
    values: NDArray[Any]
    shape: tuple[int, int]


@dataclass(eq=False)
class Content:
    """The numbers of a file as stored, not yet checked to be finite real ones.

    `form` is what the file itself says it is, None where only the shape tells. `stored` is the
    rounding the numbers have been through, relative to the largest.
    """

    values: NDArray[Any] | Entries
    stored: float = EXACT
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    form: Form | None = None
    notes: list[str] = field(default_factory=list)


def afford(needed: float, limit: float, what: str) -> None:
    """Refuse what would take more memory than `limit` GB, before any is asked for."""
    try:
        errors.afford(needed, what, "--limit GB raises it", limit)
    except ValueError as error:
        raise ReadError(str(error)) from None


def choose(names: list[str], asked: str | None) -> str:
    """Return the one array of a file, or the one asked for by name."""
    if asked is not None:
        if asked in names:
            return asked
        raise ReadError(f"holds no array named {short(asked)}; it holds {_listed(names)}")
    if len(names) != 1:
        raise ReadError(
            f"must hold one array, or have one named as FILE:NAME; it holds {_listed(names)}"
        )
    return names[0]


@contextmanager
def one_of(name: str) -> Iterator[None]:
    """Name the array, of several, that a reader finds something wrong with."""
    try:
        yield
    except ReadError as error:
        raise ReadError(f"{short(name)}: {error}") from None


def _listed(names: list[str]) -> str:
    more = ", ..." if len(names) > 5 else ""
    return f"{len(names)}, named [{', '.join(map(short, names[:5]))}{more}]" if names else "none"


def whole(opened: Opened) -> None:
    """Refuse FILE:NAME for a kind of file that holds one array only."""
    if opened.array is not None:
        raise ReadError(f"holds no arrays by name; leave out :{short(opened.array)[1:-1]}")


def unit_roundoff(dtype: np.dtype[Any]) -> float:
    """2^-11 for float16, 2^-24 for float32; 2^-53 for all that float64 holds as well or better."""
    return max(float(np.finfo(dtype).eps) / 2, EXACT) if dtype.kind == "f" else EXACT


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings of other packages from the user: what is wrong here is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def short(found: str | list[str]) -> str:
    """Quote what was found, in at most 40 characters."""
    text = found if isinstance(found, str) else ",".join(found)
    return repr(text if len(text) <= 40 else text[:37] + "...")
