"""`richlazy report`: one start beside its controls, printed and written to a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from richlazy import names
from richlazy.cli.source import print_source, reading_options, source_at_norm
from richlazy.cli.tables import print_line, print_table

if TYPE_CHECKING:
    from richlazy.report.contents import Report

__all__ = ["report"]


@click.command()
@click.argument("start", metavar="[INPUT]", default="celegans")
@click.option("--norm", metavar="NUMBER|keep", help="Frobenius norm; 'keep' leaves it.  [1.0]")
@click.option("--out", default="richlazy-report", show_default=True, help="Folder to write.")
@click.option("--force", is_flag=True, help="Replace a report, all of its folder.")
@reading_options
def report(start: str, norm: str | None, out: str, force: bool, reading: dict[str, Any]) -> None:
    """Expected laziness of INPUT beside its controls, with curves and a figure.

    INPUT is what `predict` takes; the default is the shipped C. elegans connectome.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from richlazy import writing
    from richlazy.report import contents as report_module
    from richlazy.report import output as report_output

    source, given = source_at_norm(start, norm, reading)
    folder = writing.output_folder(out, force, report_output.FILES)
    name = TextColumn("{task.description:24}", markup=False)
    columns = (name, BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    quiet = not console.is_terminal  # or an empty line would be left in a log
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        bar = progress.add_task("start", total=report_module.STEPS)
        made = report_module.make(
            source,
            given,
            lambda step: progress.update(bar, advance=1, description=names.plain(step)),
        )
    written = report_output.write(made, folder)
    _print_report(made)
    print_line("wrote " + ", ".join(map(str, written)))


def _print_report(made: Report) -> None:
    from richlazy.report.contents import MEASURES

    mine = made.entries[0]
    known = [f"{kind} {rank:.4g}" for kind, rank in mine.ranks.items() if rank is not None]
    print_line(f"{made.source.name}: {made.hidden} x {made.inputs}")
    print_line("effective ranks: " + ", ".join(known))
    print_line(f"verdict: {made.verdict.sentence}")
    print_line("expected over random tasks:")
    print_table(("start", "PR", *MEASURES.values()), made.table())
    print_line(f"method: {mine.expected.method}; {mine.expected.accuracy}")
    print_source(made.source, made.given_norm, made.notes)
