"""The command `richlazy`: predict, curve and report. It knows no mathematics.

Imports are inside the commands, so that `richlazy --help` costs click alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from richlazy.averages import Expected
    from richlazy.curves import Curve
    from richlazy.laziness import Laziness
    from richlazy.sources import Source

__all__ = ["main"]

_KINDS = ("rank", "alignment", "scale", "strength", "time")
_MEASURES = {
    "weight_change": "weight change ||dW||",
    "weight_change_input": "  first layer ||dW1||",
    "weight_change_readout": "  readout ||dW2||",
    "relative_weight_change": "relative weight change",
    "representation_alignment": "representation alignment RA",
    "kernel_alignment": "kernel alignment KA",
    "loss": "excess loss",
}


def _plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what the caller got wrong into one line and exit status 2."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except (ValueError, OSError) as error:
            click.echo(f"richlazy: {' '.join(str(error).split())}", err=True)
            sys.exit(2)
        except MemoryError:
            click.echo("richlazy: out of memory; use a sparse file or a smaller start", err=True)
            sys.exit(2)

    return run


class _Norm(click.ParamType[Any]):
    name = "NUMBER|keep"

    def convert(self, value: Any, param: Any, ctx: Any) -> float | str:
        if value == "keep" or isinstance(value, float):
            return value  # type: ignore[no-any-return]
        try:
            return float(value)
        except ValueError:
            self.fail(f"norm must be a number > 0 or 'keep'; it is {value!r}", param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="richlazy", prog_name="richlazy")
def main() -> None:
    """Theory of rich and lazy learning: how the initial weights decide."""


@main.command()
@click.argument("start", metavar="SPECTRUM-OR-WEIGHTS")
@click.option("--inputs", type=int, help="Number of inputs d (needed with a spectrum).")
@click.option("--hidden", type=int, help="Number of hidden units (at least the rank).")
@click.option("--norm", type=_Norm(), help="Frobenius norm of a file; 'keep' leaves it.  [1.0]")
@click.option("--task", "task_file", help="File with cov_yx (outputs x inputs), or one vector.")
@click.option("--alignment", type=float, help="Share of the squared task in the row space.")
@click.option("--strength", type=float, help="Length of the task vector.  [1.0]")
@click.option("--outputs", type=int, help="Number of outputs.  [1]")
@click.option("--time", "t", type=float, default=float("inf"), help="Learning rate x steps.  [inf]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_plainly
def predict(
    start: str,
    inputs: int | None,
    hidden: int | None,
    norm: float | str | None,
    task_file: str | None,
    alignment: float | None,
    strength: float | None,
    outputs: int | None,
    t: float,
    as_json: bool,
) -> None:
    """Predicted laziness of a start with a silent readout.

    SPECTRUM-OR-WEIGHTS is a file (.npy .npz .csv .tsv .mtx: one row or column is a spectrum, a
    table is hidden x inputs, a header pre,post,weight makes an edge list), a shipped connectome
    (celegans, mushroom_body_left, mushroom_body_right) or a family: flat:rank=5,norm=1,
    power_law:count=100,exponent=1, exponential:count=50,rate=0.1, gaussian:hidden=50,inputs=80.
    """
    from richlazy.prediction import expect

    source = _source(start, norm, quiet=as_json)
    _check_sizes(source, inputs, hidden, task_file)
    if task_file is not None:
        for name, value in (("alignment", alignment), ("strength", strength), ("outputs", outputs)):
            if value is not None:
                raise ValueError(f"--{name} and --task exclude each other: the file is the task")
        _show(_on_task(source, task_file, hidden, t), as_json)
        return
    found = expect(
        source.values,
        inputs,
        outputs=1 if outputs is None else outputs,
        strength=1.0 if strength is None else strength,
        alignment=alignment,
        t=t,
    )
    _show(found, as_json)


def _source(text: str, norm: float | str | None, *, quiet: bool = False) -> Source:
    from richlazy import sources

    source = sources.find(text)
    family = ":" in text and source.name == text
    wanted = (None if family else 1.0) if norm is None else (None if norm == "keep" else norm)
    if family and "norm=" in text and norm is not None:
        raise ValueError("--norm and norm= exclude each other: give one of them")
    given = source.norm
    source = sources.rescaled(source, wanted if wanted is None else float(wanted))
    if not quiet:
        for note in source.notes:
            click.echo(f"note: {note}")
        if wanted is not None and not family:
            click.echo(f"norm: rescaled from {given:.6g} to {wanted:g} (--norm keep leaves it)")
    return source


def _check_sizes(
    source: Source, inputs: int | None, hidden: int | None, task_file: str | None
) -> None:
    import numpy as np

    if source.is_spectrum:
        if inputs is None and task_file is None:
            raise ValueError("--inputs is needed with a spectrum: the number of input directions")
        rank = int(np.count_nonzero(source.values))
        if hidden is not None and hidden < rank:
            raise ValueError(f"--hidden must be at least the rank {rank}; it is {hidden}")
    elif hidden is not None and hidden != source.values.shape[0]:
        raise ValueError(
            f"--hidden is {hidden}, but the weights have {source.values.shape[0]} rows"
        )


def _on_task(source: Source, task_file: str, hidden: int | None, t: float) -> Laziness:
    import numpy as np

    from richlazy.files import read_vector_or_matrix
    from richlazy.network import Network
    from richlazy.prediction import predict as predict_one
    from richlazy.task import Task

    task = Task(read_vector_or_matrix(task_file, "task"))
    if source.is_spectrum:
        size = int(np.count_nonzero(source.values)) if hidden is None else hidden
        rng = np.random.default_rng(0)
        start = Network.from_spectrum(source.values, task=task, hidden=size, rng=rng)
        click.echo("note: singular vectors drawn at random, seed 0", err=True)
    else:
        start = Network(source.values)
    return predict_one(start, task, t)


def _show(found: Expected | Laziness, as_json: bool) -> None:
    record = found.to_dict()
    if as_json:
        import json

        click.echo(json.dumps(record, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    averaged = any(isinstance(v, dict) for v in record.values())
    table.add_column("measure")
    table.add_column("mean" if averaged else "value", justify="right")
    if averaged:
        table.add_column("sd over tasks", justify="right")
        table.add_column("standard error", justify="right")
    for name, label in _MEASURES.items():
        value = record.get(name)
        if isinstance(value, dict):
            table.add_row(label, *(_number(value[k]) for k in ("mean", "sd", "standard_error")))
        elif name in record:
            table.add_row(label, _number(value))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"method: {found.method}", markup=False)
    console.print(f"accuracy: {found.accuracy}", markup=False)
    console.print(f"assumptions: {'; '.join(found.assumptions)}", markup=False)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return "0" if value == 0 else f"{value:.6g}"


@main.command()
@click.argument("kind", type=click.Choice(_KINDS))
@click.option("--inputs", type=int, required=True, help="Number of inputs d.")
@click.option("--rank", type=float, help="Rank of the flat start (all curves but rank).")
@click.option("--norm", type=float, help="Frobenius norm of W1(0).  [1.0]")
@click.option("--strength", type=float, help="Length of the task vector.  [1.0]")
@click.option("--alignment", type=float, help="Fixed task alignment; default: random tasks.")
@click.option("--time", "t", type=float, help="Learning rate x steps.  [inf]")
@click.option("--out", help="File to write: .png .svg .pdf .csv .json; default: print a table.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@_plainly
def curve(kind: str, inputs: int, out: str | None, force: bool, **given: float | None) -> None:
    """Theory curve of a flat start along rank, alignment, scale, strength or time."""
    from pathlib import Path

    from richlazy import curves, files

    own = {"rank": "rank", "alignment": "alignment", "scale": "norm", "strength": "strength"}
    own["time"] = "t"
    spelled = {"t": "time"}
    options = {name: value for name, value in given.items() if value is not None}
    if own[kind] in options:
        raise ValueError(
            f"--{spelled.get(own[kind], own[kind])} is the axis of this curve; leave it out"
        )
    if kind != "rank" and "rank" not in options:
        raise ValueError(f"--rank is needed for a curve along {kind}")
    suffix = Path(out).suffix.lower() if out else ""
    if out and suffix not in (".png", ".svg", ".pdf", ".csv", ".json"):
        raise ValueError(f"--out must end in .png, .svg, .pdf, .csv or .json; it is {out!r}")
    path = files.output_file(out, force) if out else None
    made = curves.MAKERS[kind](inputs=inputs, **options)
    if path is None:
        _print_curve(made)
    elif suffix == ".csv":
        files.write_text(path, made.to_csv())
    elif suffix == ".json":
        files.write_text(path, made.to_json())
    else:
        from richlazy.figures import draw_curve, render

        files.write_bytes(path, render(draw_curve(made), suffix))
    if path is not None:
        click.echo(f"wrote {path}")


def _print_curve(made: Curve) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(made.axis, justify="right")
    shown = ("kernel_alignment", "representation_alignment", "weight_change", "loss")
    for name in shown:
        table.add_column(_MEASURES[name], justify="right")
    for index, x in enumerate(made.x):
        table.add_row(_number(x), *(_number(made.columns[name][index]) for name in shown))
    Console(highlight=False).print(table)


@main.command()
@click.argument("start", metavar="[INPUT]", default="celegans")
@click.option("--norm", type=_Norm(), help="Frobenius norm; 'keep' leaves it.  [1.0]")
@click.option("--out", default="richlazy-report", show_default=True, help="Folder to write.")
@click.option("--force", is_flag=True, help="Write into an existing folder.")
@_plainly
def report(start: str, norm: float | str | None, out: str, force: bool) -> None:
    """Expected laziness of INPUT beside its controls, with curves and a figure.

    INPUT is what `predict` takes; the default is the shipped C. elegans connectome.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from richlazy import files, sources
    from richlazy import report as report_module

    given = sources.find(start).norm
    source = _source(start, norm)
    folder = files.output_folder(out, force)
    console = Console(highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description:24}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("start", total=report_module.STEPS)
        made = report_module.make(
            source, given, lambda name: progress.update(bar, advance=1, description=name)
        )
    from richlazy import report_output

    written = report_output.write(made, folder)
    _print_report(made, console)
    console.print("wrote " + ", ".join(str(path) for path in written), markup=False)


def _print_report(made: Any, console: Any) -> None:
    import numpy as np
    from rich.table import Table

    from richlazy.report import shown, spread

    mine = made.entries[0]
    known = [f"{kind} {rank:.4g}" for kind, rank in mine.ranks.items() if rank is not None]
    console.print(f"{made.source.name}: {made.hidden} x {made.inputs}, norm {made.norm:.6g}")
    console.print("effective ranks: " + ", ".join(known))
    table = Table(
        box=None, pad_edge=False, title="expected over random tasks", title_justify="left"
    )
    table.add_column("start", no_wrap=True)
    table.add_column("PR", justify="right")
    for label in ("KA", "RA", "||dW||"):
        table.add_column(label, justify="right", no_wrap=True)
    for name in made.starts:
        group = made.group(name)
        ratio = np.mean([entry.ranks["participation"] for entry in group])
        cells = []
        for measure in ("kernel_alignment", "representation_alignment", "weight_change"):
            mean, sd = spread(group, measure)
            cells.append(shown(mean, sd))
        table.add_row(name, f"{ratio:.1f}", *cells)
    console.print(table)
    console.print(f"method: {mine.expected.method}; {mine.expected.accuracy}", markup=False)
    for note in made.notes:
        console.print(f"note: {note}", markup=False)
