"""The start that a command is given: found, brought to the norm wanted, and told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from richlazy.cli.tables import print_line

if TYPE_CHECKING:
    from richlazy.sources.source import Source

__all__ = ["differs", "print_source", "reading_options", "source_at_norm"]


_READING = (
    click.option(
        "--format",
        type=click.Choice(("edges", "matrix", "spectrum")),
        help="What a table in a file is, where that can be doubted.",
    ),
    click.option("--header", type=bool, metavar="yes|no", help="Line 1 names the columns."),
    click.option("--index", type=bool, metavar="yes|no", help="Column 1 names the rows."),
    click.option("--missing", type=click.Choice(("zero",)), help="Read unknown entries as 0."),
    click.option("--transpose", is_flag=True, help="The file is inputs x hidden, W1[pre, post]."),
    click.option("--limit", type=float, metavar="GB", help="Memory a start may take.  [4]"),
)


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say how a file is read, as one argument `reading`."""

    @wraps(command)
    def wrapped(**given: Any) -> None:
        names = ("format", "header", "index", "missing", "transpose", "limit")
        reading = {name: given.pop(name) for name in names}
        if reading["limit"] is None:
            del reading["limit"]
        command(**given, reading=reading)

    for option in reversed(_READING):
        wrapped = option(wrapped)
    return wrapped


def source_at_norm(text: str, norm: str | None, reading: dict[str, Any]) -> tuple[Source, float]:
    """The start at the norm wanted, and the norm it was given with."""
    from richlazy.sources import source as sources

    source = sources.find(text, **reading)
    if norm is None:
        wanted = None if source.family else 1.0
    elif norm == "keep":
        wanted = None
    else:
        try:
            wanted = float(norm)
        except ValueError:
            raise ValueError(f"--norm must be a number > 0 or 'keep'; it is {norm!r}") from None
        if source.family and "norm=" in text:
            raise ValueError("--norm and norm= exclude each other: give one of them")
    return sources.rescaled(source, wanted), source.norm


def differs(norm: float, given: float) -> bool:
    """Whether a norm is another than the one given, as far as it is shown."""
    return f"{norm:.6g}" != f"{given:.6g}"


def print_source(source: Source, given: float, notes: Iterable[str]) -> None:
    """Print what was read, the norm, the norm given where it is another, and a line a note."""
    if source.read is not None:
        print_line(f"read: {source.read.description}")
    told = f" (as given {given:.6g}; --norm keep leaves it)"
    before = told if differs(source.norm, given) else ""
    print_line(f"norm: {source.norm:.6g}{before}")
    for note in notes:
        print_line(f"note: {note}")
