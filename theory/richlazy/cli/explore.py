"""`richlazy explore`: a page to play with, one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from richlazy import names
from richlazy.cli.source import Start, reading_options, source_given
from richlazy.cli.tables import print_line

if TYPE_CHECKING:
    from richlazy.explore.presets import Preset
    from richlazy.sources.source import Source

__all__ = ["explore"]


@click.command()
@click.argument("start", metavar="[INPUT]", type=Start(), required=False)
@click.option("--inputs", type=int, help="Number of inputs d (of a spectrum as first layer).")
@click.option("--units", type=int, help="Neurons N (of a spectrum as recurrent weights).")
@click.option("--out", default="richlazy-explore.html", show_default=True, help="File to write.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@reading_options
def explore(
    start: str | None,
    inputs: int | None,
    units: int | None,
    out: str,
    force: bool,
    reading: dict[str, Any],
) -> None:
    """Write a page with sliders: laziness against rank, alignment, scale, strength and time.

    INPUT is what `predict` takes: a start of yours, beside the connectomes that come along. The
    page is one file that asks nothing of any server. A square matrix, or a spectrum with --units,
    is read as a recurrent network too, which takes about a minute.
    """
    from richlazy import writing
    from richlazy.explore import page, presets

    if not out.lower().endswith((".html", ".htm")):
        raise ValueError(f"--out must end in .html; it is {out!r}")
    if start is None:
        for name in presets.given({"inputs": inputs, "units": units} | reading):
            raise ValueError(f"--{name} is for an INPUT; leave it out")
    page.check()
    path = writing.output_file(out, force)
    own = own_table = None
    if start is not None:
        source = source_given(start, "as-is", reading)
        own = presets.of(source, start, inputs, units, reading)
        own_table = _recurrent(source, own)
    writing.write_text(path, page.html(own, own_table))
    print_line(f"wrote {path}")


def _recurrent(source: Source, own: Preset) -> dict[str, Any] | None:
    """The recurrent table of an input, with a bar on a terminal; None where it has none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from richlazy.errors import AssumptionError
    from richlazy.explore import table
    from richlazy.start import matrices

    if own.units is None:
        return None
    if not source.is_spectrum and not matrices.has_factors(source.values):
        print_line("note: too large for its singular values; no recurrent table of its own")
        return None
    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    quiet = not console.is_terminal  # or an empty line would be left in a log
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        bar = progress.add_task(names.plain("recurrent table"), total=table.CELLS)
        values = source.values if source.is_spectrum else source.singular_values
        try:
            return table.of(values, own.units, lambda: progress.advance(bar))
        except AssumptionError as error:
            print_line(f"note: no recurrent table of its own: {error}")
            return None
