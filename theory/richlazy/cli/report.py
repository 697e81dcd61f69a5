"""`richlazy report`: starts beside their controls, printed and written to a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from richlazy import names
from richlazy.cli.source import (
    Start,
    gain_wanted,
    norm_wanted,
    print_source,
    reading_options,
    recurrent_options,
    source_given,
)
from richlazy.cli.tables import print_line, print_table

if TYPE_CHECKING:
    from richlazy.report.contents import Report
    from richlazy.report.first_layer import FirstLayer
    from richlazy.report.recurrent import Recurrent

__all__ = ["report"]


@click.command()
@click.argument("starts", metavar="[INPUT]...", type=Start(), nargs=-1)
@recurrent_options
@click.option("--outputs", type=int, help="Outputs of a recurrent network.  [1]")
@click.option(
    "--norm", metavar="NUMBER|keep", help="||W||_F; 'keep' leaves it.  [first layer: 1.0]"
)
@click.option("--out", default="richlazy-report", show_default=True, help="Folder to write.")
@click.option("--force", is_flag=True, help="Replace a report, all of its folder.")
@reading_options
def report(
    starts: tuple[str, ...],
    reading_as: Any,
    steps: int | None,
    channels: int | None,
    outputs: int | None,
    gain: float | None,
    norm: str | None,
    signs: str,
    out: str,
    force: bool,
    reading: dict[str, Any],
) -> None:
    """Expected laziness of each INPUT beside its controls, with curves and a figure.

    INPUT is what `predict` takes; the default is the shipped C. elegans connectome. A square
    matrix is read as W of a recurrent network and as a first layer. Several inputs stand side by
    side.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from richlazy import writing
    from richlazy.errors import integer
    from richlazy.report import contents, output, words
    from richlazy.report.recurrent import Setting

    wanted = {"steps": steps, "channels": channels, "outputs": outputs}
    setting = Setting()._replace(
        **{k: integer(v, f"--{k}") for k, v in wanted.items() if v is not None}
    )
    every = []
    for text in starts or ("celegans",):
        source = source_given(text, signs, reading)
        every.append(
            contents.asked(
                source,
                reading_as,
                norm=norm_wanted(source, text, norm),
                gain=gain_wanted(source, text, norm, gain, source.values.shape[0]),
                setting=setting,
            )
        )
    folder = writing.output_folder(out, force, output.names_in(out, len(every)))
    name = TextColumn("{task.description:24}", markup=False)
    columns = (name, BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    quiet = not console.is_terminal  # or an empty line would be left in a log
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        bar = progress.add_task("start", total=sum(one.steps for one in every))

        def advance(step: str) -> None:
            progress.update(bar, advance=1, description=names.plain(step))

        made = [contents.make(one, advance) for one in every]
    written = output.write(made, folder)
    if len(made) > 1:
        header, rows = words.side_by_side(made)
        print_table(header, rows)
    for one in made:
        _print_report(one)
    print_line("wrote " + ", ".join(map(str, written)))


def _print_report(made: Report) -> None:
    if made.recurrent is not None:
        _print_recurrent(made.recurrent)
    if made.first_layer is not None:
        _print_first_layer(made.first_layer)
    for note in made.notes:
        print_line(f"note: {note}")


def _print_recurrent(made: Recurrent) -> None:
    from richlazy.report.words import starts

    steps, channels, outputs = made.setting
    mine = made.starts[0]
    print_line(
        f"{made.source.name}: {made.units} neurons as recurrent network, {steps} steps, "
        f"{channels} in, {outputs} out"
    )
    print_line(f"over {made.draws} draws of directions and random task (*: KA differs):")
    header, rows = starts(made)
    for row, start in zip(rows[1:], made.starts[1:], strict=True):
        row[0] += " *" if made.of(start.name, "kernel_alignment").differs else ""
    print_table(header, rows)
    print_line(f"method: {mine.method}; {mine.accuracy}")
    told = f" (as given {made.given_gain:.4g})" if made.given_gain != made.gain else ""
    print_line(f"gain: {made.gain:.4g}{told}")
    for note in made.notes:
        print_line(f"note: {note}")


def _print_first_layer(made: FirstLayer) -> None:
    from richlazy.report.first_layer import MEASURES

    mine = made.entries[0]
    known = [f"{kind} {rank:.4g}" for kind, rank in mine.ranks.items() if rank is not None]
    print_line(f"{made.source.name}: {made.hidden} x {made.inputs}")
    print_line("effective ranks: " + ", ".join(known))
    print_line(f"verdict: {made.verdict.sentence}")
    print_line("expected over random tasks:")
    print_table(("start", "PR", *MEASURES.values()), made.table())
    print_line(f"method: {mine.expected.method}; {mine.expected.accuracy}")
    print_source(made.source, made.given_norm, made.notes)
