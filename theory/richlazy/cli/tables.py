"""Tables and numbers as every command prints them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from richlazy import names

__all__ = ["MEASURES", "number", "print_line", "print_table"]

_WIDEST = 500  # characters

#: What the measures of a record are called in a table.
MEASURES = {
    "weight_change": "weight change ||dW||",
    "weight_change_input": "  first layer ||dW1||",
    "weight_change_readout": "  readout ||dW2||",
    "relative_weight_change": "relative weight change",
    "representation_alignment": "representation alignment RA",
    "kernel_alignment": "kernel alignment KA",
    "loss": "excess loss",
}


def print_line(text: str) -> None:
    """Print one line, in which no name has power over the terminal."""
    click.echo(names.plain(text))


def print_table(
    header: Sequence[str], rows: Iterable[Iterable[str]], *, labelled: bool = True
) -> None:
    """Print a table of numbers, its first column words if `labelled`, as wide as it is.

    A terminal wraps what it cannot show; nothing is cut.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(header):
        table.add_column(title, justify="left" if labelled and index == 0 else "right")
    for row in rows:
        table.add_row(*map(names.plain, row))
    Console(width=_WIDEST, highlight=False, markup=False, emoji=False).print(table)


def number(value: float | None, measure: str = "") -> str:
    """Six digits; of an alignment close to 1 they are those of its distance from 1."""
    if value is None or value != value:  # NaN: a curve that is not there
        return "-"
    if measure.endswith("alignment") and 0 < 1 - value < 1e-3:
        return f"1 - {1 - value:.3g}"
    return "0" if value == 0 else f"{value:.6g}"
