"""The command `richlazy`: predict, curve and report. It knows no mathematics.

Imports are inside the commands, so that `richlazy --help` costs click alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from rich.table import Table

    from richlazy.averages.record import Expected
    from richlazy.curves.curve import Curve
    from richlazy.laziness import Laziness
    from richlazy.report.contents import Report
    from richlazy.sources.source import Source

__all__ = ["main"]

_WIDEST = 500  # characters
_KINDS = ("rank", "alignment", "scale", "strength", "depth", "time")
_BEYOND = ("boundary", "slopes", "peak")
_MEASURES = {
    "weight_change": "weight change ||dW||",
    "weight_change_input": "  first layer ||dW1||",
    "weight_change_readout": "  readout ||dW2||",
    "relative_weight_change": "relative weight change",
    "representation_alignment": "representation alignment RA",
    "kernel_alignment": "kernel alignment KA",
    "loss": "excess loss",
}
_SHOWN = {  # of a curve, as far as it has them
    "mode_strength": "mode strength u",
    "kernel_alignment": _MEASURES["kernel_alignment"],
    "representation_alignment": _MEASURES["representation_alignment"],
    "weight_change": _MEASURES["weight_change"],
    "relative_kernel_change": "relative NTK change",
    "loss": _MEASURES["loss"],
}


class _Plain(click.Group):
    """Whatever the caller got wrong is one line on stderr and exit status 2."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            sys.exit(super().main(*arguments, **{**options, "standalone_mode": False}))
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            remedy = "" if context is None else f" (see {context.command_path} --help)"
            _fail(error.format_message().rstrip(".") + remedy)
        except click.Abort:
            click.echo("richlazy: interrupted", err=True)
            sys.exit(130)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output has gone: click ends quietly
            raise
        except (ValueError, OSError) as error:
            _fail(str(error))
        except MemoryError:
            _fail("out of memory; use a sparse file or a smaller start")


def _fail(message: str) -> NoReturn:
    click.echo(f"richlazy: {' '.join(message.split())}", err=True)
    sys.exit(2)


@click.group(
    cls=_Plain,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="richlazy", prog_name="richlazy")
@click.pass_context
def main(context: click.Context) -> None:
    """Theory of rich and lazy learning: how the initial weights decide."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@main.command()
@click.argument("start", metavar="SPECTRUM-OR-WEIGHTS")
@click.option("--inputs", type=int, help="Number of inputs d (needed with a spectrum).")
@click.option("--hidden", type=int, help="Number of hidden units (at least the rank).")
@click.option(
    "--norm", metavar="NUMBER|keep", help="Frobenius norm of a file; 'keep' leaves it.  [1.0]"
)
@click.option("--task", "task_file", help="File with cov_yx (outputs x inputs), or one vector.")
@click.option("--alignment", type=float, help="Share of the squared task in the row space.")
@click.option("--strength", type=float, help="Length of the task vector.  [1.0]")
@click.option("--outputs", type=int, help="Number of outputs.  [1]")
@click.option("--time", "t", type=float, default=float("inf"), help="Learning rate x steps.  [inf]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def predict(
    start: str,
    inputs: int | None,
    hidden: int | None,
    norm: str | None,
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
    from rich.console import Console

    from richlazy.averages.expect import expect
    from richlazy.errors import times

    times(t, "--time", ndim=0)
    if task_file is not None:
        for name, value in (("alignment", alignment), ("strength", strength), ("outputs", outputs)):
            if value is not None:
                raise ValueError(f"--{name} and --task exclude each other: the file is the task")
    source, given = _source(start, norm)
    _check_sizes(source, inputs, hidden, task_file)
    found: Expected | Laziness
    notes = list(source.notes)
    with Console(stderr=True).status("computing"):  # seen on a terminal only
        if task_file is None:
            found = expect(
                source.values,
                inputs,
                outputs=1 if outputs is None else outputs,
                strength=1.0 if strength is None else strength,
                alignment=alignment,
                t=t,
            )
        else:
            found = _on_task(source, task_file, inputs, hidden, t)
            if source.is_spectrum:
                notes.append("singular vectors drawn at random, seed 0")
    if as_json:
        import json

        about = {"start": source.name, "norm": source.norm, "given_norm": given, "notes": notes}
        click.echo(json.dumps({**about, **found.to_dict()}, indent=1, allow_nan=False))
    else:
        _show(found)
        _print_source(source, given, notes)


def _source(text: str, norm: str | None) -> tuple[Source, float]:
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


def _print_source(source: Source, given: float, notes: Iterable[str]) -> None:
    rescaled = f"{source.norm:.6g}" != f"{given:.6g}"
    before = f" (as given {given:.6g}; --norm keep leaves it)" if rescaled else ""
    click.echo(f"norm: {source.norm:.6g}{before}")
    for note in notes:
        click.echo(f"note: {note}")


def _check_sizes(
    source: Source, inputs: int | None, hidden: int | None, task_file: str | None
) -> None:
    if source.is_spectrum:
        if inputs is None and task_file is None:
            raise ValueError("--inputs is needed with a spectrum: the number of input directions")
        rank = int((source.values > 0).sum())
        if hidden is not None and hidden < rank:
            raise ValueError(f"--hidden must be at least the rank {rank}; it is {hidden}")
        return
    for name, wanted, size, what in (
        ("hidden", hidden, source.values.shape[0], "rows"),
        ("inputs", inputs, source.values.shape[1], "columns"),
    ):
        if wanted is not None and wanted != size:
            raise ValueError(f"--{name} is {wanted}, but the weights have {size} {what}")


def _on_task(
    source: Source, task_file: str, inputs: int | None, hidden: int | None, t: float
) -> Laziness:
    import numpy as np

    from richlazy.sources.files import read_vector_or_matrix
    from richlazy.start.network import Network
    from richlazy.start.task import Task
    from richlazy.two_layer.solve import predict as predict_one

    task = Task(read_vector_or_matrix(task_file, "--task"))
    if inputs is not None and inputs != task.inputs:
        raise ValueError(f"--inputs is {inputs}, but the task has {task.inputs}")
    if not source.is_spectrum:
        return predict_one(Network(source.values), task, t)
    size = np.count_nonzero(source.values) if hidden is None else hidden
    rng = np.random.default_rng(0)
    start = Network.from_spectrum(source.values, task=task, hidden=int(size), rng=rng)
    return predict_one(start, task, t)


def _show(found: Expected | Laziness) -> None:
    from rich.table import Table

    record = found.to_dict()
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
            spread = [_number(value[key]) for key in ("sd", "standard_error")]
            table.add_row(label, _number(value["mean"], name), *spread)
        elif name in record:
            table.add_row(label, _number(value, name))
    _print(table)
    click.echo(f"method: {found.method}")
    click.echo(f"accuracy: {found.accuracy}")
    click.echo(f"assumptions: {'; '.join(found.assumptions)}")


def _print(table: Table) -> None:
    """Print a table as wide as it is: a terminal wraps what it cannot show, nothing is cut."""
    from rich.console import Console

    Console(width=_WIDEST, highlight=False, markup=False, emoji=False).print(table)


def _number(value: float | None, measure: str = "") -> str:
    """Six digits; of an alignment close to 1 they are those of its distance from 1."""
    if value is None or value != value:  # NaN: a curve that is not there
        return "-"
    if measure.endswith("alignment") and 0 < 1 - value < 1e-3:
        return f"1 - {1 - value:.3g}"
    return "0" if value == 0 else f"{value:.6g}"


#: The option a curve cannot do without, and those that mean nothing to it.
_WANTED = {
    "depth": ("start", ("inputs", "rank", "norm", "alignment")),
    "boundary": ("inputs", ("start", "rank", "alignment", "t")),
    "slopes": ("inputs", ("start", "rank", "alignment", "t")),
    "peak": ("inputs", ("start", "rank", "norm", "alignment", "t")),
}


@main.command()
@click.argument("kind", type=click.Choice(_KINDS + _BEYOND))
@click.option("--inputs", type=int, help="Number of inputs d (all curves but depth).")
@click.option("--rank", type=float, help="Rank of the start (alignment, scale, strength, time).")
@click.option("--norm", type=float, help="Frobenius norm of W1(0).  [1.0]")
@click.option("--start", type=float, help="Strength of the mode at time 0 (depth only).")
@click.option("--strength", type=float, help="Length of the task vector, or task mode.  [1.0]")
@click.option("--alignment", type=float, help="Fixed task alignment; default: random tasks.")
@click.option("--time", "t", type=float, help="Learning rate x steps.  [inf]")
@click.option("--out", help="File to write: .png .svg .pdf .csv .json; default: print a table.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_context
def curve(
    context: click.Context, /, kind: str, out: str | None, force: bool, **given: float | None
) -> None:
    """Theory curve along rank, alignment, scale, strength, depth or time.

    Of a flat start; along depth, of one balanced mode of a deep network. Or over random tasks:
    boundary (alignment as lazy as full rank), slopes (in the rank), peak (ranks where they turn).
    """
    from pathlib import Path

    from richlazy import writing
    from richlazy.curves import boundaries as boundary_curves
    from richlazy.curves import flat as curves
    from richlazy.errors import times

    options = {name: value for name, value in given.items() if value is not None}
    own = curves.PARAMETERS.get(kind)
    if own in options:
        option = "time" if own == "t" else own
        raise ValueError(f"--{option} is the axis of this curve; leave it out")
    needed, foreign = _WANTED.get(kind, ("inputs", ("start",)))
    what = f"a curve along {kind}" if kind in _KINDS else f"the curve {kind}"
    if needed not in options:
        raise click.MissingParameter(ctx=context, param_hint=f"'--{needed}'", param_type="option")
    for name in foreign:
        if name in options:
            raise ValueError(f"--{name} has no meaning for {what}; leave it out")
    if kind in ("alignment", "scale", "strength", "time") and "rank" not in options:
        raise ValueError(f"--rank is needed for a curve along {kind}")
    times(options.get("t", 0.0), "--time", ndim=0)
    suffix = "" if out is None else Path(out).suffix.lower()
    if out is not None and suffix not in (".png", ".svg", ".pdf", ".csv", ".json"):
        raise ValueError(f"--out must end in .png, .svg, .pdf, .csv or .json; it is {out!r}")
    path = None if out is None else writing.output_file(out, force)
    made = {**curves.MAKERS, **boundary_curves.MAKERS}[kind](**options)
    if path is None:
        _print_curve(made)
    elif suffix == ".csv":
        writing.write_text(path, made.to_csv())
    elif suffix == ".json":
        writing.write_text(path, made.to_json())
    else:
        from richlazy.curves.figure import draw_curve, render

        writing.write_bytes(path, render(draw_curve(made), suffix))
    if path is not None:
        click.echo(f"wrote {path}")


def _print_curve(made: Curve) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(made.axis, justify="right")
    shown = [name for name in _SHOWN if name in made.columns] or list(made.columns)
    for name in shown:
        table.add_column(_SHOWN.get(name, name.replace("_", " ")), justify="right")
    for index, x in enumerate(made.x):
        row = [_number(made.columns[name][index], name) for name in shown]
        table.add_row(_number(x), *row)
    _print(table)
    click.echo(made.title)


@main.command()
@click.argument("start", metavar="[INPUT]", default="celegans")
@click.option("--norm", metavar="NUMBER|keep", help="Frobenius norm; 'keep' leaves it.  [1.0]")
@click.option("--out", default="richlazy-report", show_default=True, help="Folder to write.")
@click.option("--force", is_flag=True, help="Write into an existing folder.")
def report(start: str, norm: str | None, out: str, force: bool) -> None:
    """Expected laziness of INPUT beside its controls, with curves and a figure.

    INPUT is what `predict` takes; the default is the shipped C. elegans connectome.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from richlazy import writing
    from richlazy.report import contents as report_module
    from richlazy.report import output as report_output

    source, given = _source(start, norm)
    folder = writing.output_folder(out, force)
    name = TextColumn("{task.description:24}", markup=False)
    columns = (name, BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    quiet = not console.is_terminal  # or an empty line would be left in a log
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        bar = progress.add_task("start", total=report_module.STEPS)
        made = report_module.make(
            source, given, lambda step: progress.update(bar, advance=1, description=step)
        )
    written = report_output.write(made, folder)
    _print_report(made)
    click.echo("wrote " + ", ".join(map(str, written)))


def _print_report(made: Report) -> None:
    from rich.table import Table

    from richlazy.report.contents import MEASURES

    mine = made.entries[0]
    known = [f"{kind} {rank:.4g}" for kind, rank in mine.ranks.items() if rank is not None]
    click.echo(f"{made.source.name}: {made.hidden} x {made.inputs}")
    click.echo("effective ranks: " + ", ".join(known))
    click.echo("expected over random tasks:")
    table = Table(box=None, pad_edge=False)
    table.add_column("start")
    for label in ("PR", *MEASURES.values()):
        table.add_column(label, justify="right")
    for row in made.table():
        table.add_row(*row)
    _print(table)
    click.echo(f"method: {mine.expected.method}; {mine.expected.accuracy}")
    _print_source(made.source, made.given_norm, made.notes)
