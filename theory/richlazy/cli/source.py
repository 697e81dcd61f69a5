"""The start that a command is given: found, brought to the norm wanted, and told of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from richlazy.cli.tables import print_line

if TYPE_CHECKING:
    from richlazy.sources.source import Source

__all__ = ["print_source", "source_at_norm"]


def source_at_norm(text: str, norm: str | None) -> tuple[Source, float]:
    """The start at the norm wanted, and the norm it was given with."""
    from richlazy.sources import source as sources

    source = sources.find(text)
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


def print_source(source: Source, given: float, notes: Iterable[str]) -> None:
    """Print the norm, the norm given where it is another, and a line a note."""
    rescaled = f"{source.norm:.6g}" != f"{given:.6g}"
    before = f" (as given {given:.6g}; --norm keep leaves it)" if rescaled else ""
    print_line(f"norm: {source.norm:.6g}{before}")
    for note in notes:
        print_line(f"note: {note}")
