"""Tables and numbers as every command prints them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, Protocol

import click

from richlazy import names

__all__ = ["MEASURES", "number", "print_line", "print_measures", "print_table"]


class Record(Protocol):
    """Measures of a start, of whatever architecture."""

    @property
    def method(self) -> str:
        """How they were found."""

    @property
    def accuracy(self) -> str:
        """How far they can be trusted."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What they need."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""


_WIDEST = 500  # characters

#: What the measures of a record are called in a table.
MEASURES = {
    "weight_change": "weight change ||dW||",
    "weight_change_input": "  first layer ||dW1||",
    "weight_change_inputs": "  inputs ||dU||",
    "weight_change_recurrent": "  recurrent ||dW_h||",
    "weight_change_readout": "  readout ||dW2||",
    "relative_weight_change": "relative weight change",
    "representation_alignment": "representation alignment RA",
    "kernel_alignment": "kernel alignment KA",
    "target_alignment": "target alignment",
    "loss": "excess loss",
}


def print_line(text: str) -> None:
    """Print one line, in which no name has power over the terminal."""
    click.echo(names.plain(text))


def print_table(
    header: Sequence[str], rows: Iterable[Iterable[str]], *, words: Container[int] = (0,)
) -> None:
    """Print a table as wide as it is, its columns numbers but for those of `words`.

    A terminal wraps what it cannot show; nothing is cut.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(header):
        table.add_column(title, justify="left" if index in words else "right")
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


def print_measures(found: Record) -> None:
    """Print every measure of a record, how it was found and how far it can be trusted."""
    record = found.to_dict()
    averaged = any(isinstance(v, dict) for v in record.values())
    rows = []
    for name, label in MEASURES.items():
        value = record.get(name)
        if isinstance(value, dict):
            spread = [number(value[key]) for key in ("sd", "standard_error")]
            rows.append([label, number(value["mean"], name), *spread])
        elif name in record:
            rows.append([label, number(value, name)])
    columns = ("mean", "sd over tasks", "standard error") if averaged else ("value",)
    print_table(("measure", *columns), rows)
    print_line(f"method: {found.method}")
    print_line(f"accuracy: {found.accuracy}")
    print_line(f"assumptions: {'; '.join(found.assumptions)}")
