"""`richlazy map`: one theory map, printed or written as table, record or picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from richlazy.cli.given import first_layer, name_start, recurrent_network, with_number
from richlazy.cli.options import with_reading, with_starts
from richlazy.cli.source import Start, reading_options
from richlazy.cli.tables import number, print_line, print_table

if TYPE_CHECKING:
    from richlazy.curves.cases import Kept
    from richlazy.curves.grid import Map
    from richlazy.curves.question import Question
    from richlazy.sources.source import Source

__all__ = ["map_"]

_AXES = ("rank", "alignment", "scale", "strength", "depth", "gain", "steps", "time")
#: Options of recurrent maps alone, and of first layers alone.
_RECURRENT = ("units", "gain", "steps", "channels", "outputs", "tasks", "rng")
_FIRST = ("inputs", "norm", "start", "alignment")
_SHOWN = (12, 24)  # columns and lines of a printed map


@click.command("map")
@click.argument("x_axis", metavar="AXIS", type=click.Choice(_AXES))
@click.argument("y_axis", metavar="AXIS", type=click.Choice(_AXES))
@click.argument("source", metavar="[SPECTRUM-OR-WEIGHTS]", type=Start(), required=False)
@with_reading
@click.option("--x", "x_values", metavar="VALUES", help="Values along the first AXIS.")
@click.option("--y", "y_values", metavar="VALUES", help="Values along the second AXIS.")
@with_starts
@click.option("--norm", metavar="NUMBER|keep", help="||W1(0)||_F; 'keep' leaves a file's.  [1.0]")
@reading_options
@click.option("--tasks", type=int, help="Random tasks, where they are drawn.  [recurrent: 50]")
@click.option("--seed", "rng", type=int, help="Of their draws.  [0]")
@click.option("--measure", multiple=True, help="Column to draw or print; may be repeated.")
@click.option(
    "--point", "points", metavar="NAME=X,Y", multiple=True, help="A start of yours, drawn."
)
@click.option("--out", help="File to write: .png .svg .pdf .csv .json; default: print a table.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [1]")
@click.option("--resume", is_flag=True, help="Go on from the cells that an ended run kept.")
def map_(
    x_axis: str,
    y_axis: str,
    source: str | None,
    reading_as: str | None,
    reading: dict[str, Any],
    x_values: str | None,
    y_values: str | None,
    measure: tuple[str, ...],
    points: tuple[str, ...],
    out: str | None,
    as_json: bool,
    as_csv: bool,
    force: bool,
    jobs: int | None,
    resume: bool,
    **given: Any,
) -> None:
    """Theory map over two of rank, alignment, scale, strength, depth and time.

    Of a flat start; depth goes with scale, strength or time. Of recurrent networks: two of rank,
    gain, steps, strength and time.

    Of a start of yours, SPECTRUM-OR-WEIGHTS as `richlazy predict` takes it: two of alignment,
    scale, strength and time; as recurrent network two of gain, steps, strength and time.

    What is no closed form is found cell by cell or line by line: with --out it is kept as it
    finishes, in FILE.cases, and whatever ends the command, the same one with --resume goes on.

    VALUES are 1,2,5 or LOW:HIGH:COUNT, evenly spaced as the axis is drawn.
    """
    from pathlib import Path

    from richlazy import writing

    options = {name: value for name, value in given.items() if value is not None}
    if as_json and as_csv:
        raise ValueError("--json and --csv exclude each other: give one of them")
    if out is not None and (as_json or as_csv):
        raise ValueError("--out writes by its ending (.json, .csv); leave --json and --csv out")
    suffix = "" if out is None else Path(out).suffix.lower()
    if out is not None and suffix not in (".png", ".svg", ".pdf", ".csv", ".json"):
        raise ValueError(f"--out must end in .png, .svg, .pdf, .csv or .json; it is {out!r}")
    drawn = suffix in (".png", ".svg", ".pdf")
    if points and not drawn:
        raise ValueError("--point is for pictures; add --out FILE.png or leave it out")
    if measure and (as_json or as_csv or suffix in (".csv", ".json")):
        raise ValueError("--measure is for pictures and tables; leave it out")
    places = dict(map(_place, points))
    axes, ends = (x_axis, y_axis), (x_values, y_values)
    question, start = _asked(axes, source, reading_as, ends, reading, options)
    for name, used in (("--jobs", jobs is not None), ("--resume", resume)):
        if used and not question.cases:
            raise ValueError(f"{name} has no meaning for a closed form, which is one call")
    if resume and out is None:
        raise ValueError("--resume needs --out: cells are kept in a folder beside that file")
    path = None if out is None else writing.output_file(out, force)
    kept = None if path is None else _kept(question, f"{path}.cases", resume, force)
    made = _made(question, kept, jobs or 1)
    if start is not None:
        name_start(start, made.provenance)
    if as_json or as_csv:
        click.echo(made.to_json() if as_json else made.to_csv(), nl=False)
    elif path is None:
        _print_map(made, measure)
    else:
        _write(made, path, suffix, measure, places)
        if kept is not None:
            kept.clear()
        print_line(f"wrote {path}")


def _asked(
    axes: tuple[str, str],
    text: str | None,
    reading_as: str | None,
    ends: tuple[str | None, str | None],
    reading: dict[str, Any],
    options: dict[str, Any],
) -> tuple[Question, Source | None]:
    """The map that is asked for, once the options have been checked, and the start it is of."""
    from richlazy.curves import maps
    from richlazy.curves.axes import VALUES
    from richlazy.errors import times

    times(options.get("t", 0.0), "--time", ndim=0)
    maps.reading(*axes, ())  # two axes that go together at all
    recurrent = reading_as == "recurrent" or bool({"gain", "steps"} & {*axes})
    if recurrent and reading_as == "first-layer":
        raise ValueError("a map along gain or steps is for recurrent networks; leave --as out")
    values = {
        VALUES[axis]: _values(text, axis, option)
        for axis, text, option in zip(axes, ends, ("--x", "--y"), strict=True)
        if text is not None
    }
    if text is not None:
        start = recurrent_network if recurrent else first_layer
        source, rest = start(axes, "map", text, reading, options)
        return maps.asked(*axes, {"start": source.values, **rest, **values}, _spelled), source
    options = with_number(reading, options)
    foreign = _FIRST if recurrent else _RECURRENT
    for name in foreign:
        if name in options:
            whose = "a first layer" if recurrent else "recurrent networks"
            raise ValueError(f"{_spelled(name)} is for {whose}; leave it out")
    given = _recurrent(axes, options) if recurrent else options
    return maps.asked(*axes, {**given, **values}, _spelled), None


def _spelled(name: str) -> str:
    return "--" + {"t": "time", "rng": "seed"}.get(name, name)


def _recurrent(axes: tuple[str, str], options: dict[str, Any]) -> dict[str, Any]:
    """What the library takes of recurrent networks with flat singular values."""
    from richlazy.errors import integer, positive
    from richlazy.report.recurrent import GAIN, Setting
    from richlazy.start import spectrum

    for name in ("rank", "gain", "steps", "strength", "time"):
        option = "t" if name == "time" else name
        if name in axes and option in options:
            raise ValueError(f"--{name} is said by an axis of this map; leave it out")
    for name in ("units", *(() if "rank" in axes else ("rank",))):
        if name not in options:
            raise ValueError(f"--{name} is needed for a map of {' and '.join(axes)}")
    given = dict(options)
    units = given["units"] = integer(given["units"], "--units")
    if "steps" not in axes:
        given["steps"] = integer(given.get("steps", Setting().steps), "--steps")
    gain = float(positive(given.pop("gain", GAIN), "--gain", ndim=0))
    if "rank" in axes:
        return given if "gain" in axes else {**given, "gain": gain}
    rank = integer(given.pop("rank"), "--rank")
    if rank > units:
        raise ValueError(f"--rank must be at most --units {units}; it is {rank}")
    return {**given, "start": spectrum.flat(rank, gain * units**0.5)}


def _values(text: str, axis: str, option: str) -> Any:
    """The values along an axis: a list of numbers, or a range."""
    import numpy as np

    from richlazy.curves.axes import LOGARITHMIC
    from richlazy.errors import integer

    try:
        if ":" not in text:
            return np.array([float(word) for word in text.split(",")])
        low, high, count = map(float, text.split(":"))
    except ValueError:
        raise ValueError(f"{option} must be 1,2,5 or LOW:HIGH:COUNT; it is {text!r}") from None
    points = integer(count, f"COUNT of {option}")
    even = np.geomspace if axis in LOGARITHMIC and low > 0 and high > 0 else np.linspace
    along = even(low, high, points)
    return np.unique(np.rint(along)) if axis == "steps" else along


def _place(text: str) -> tuple[str, tuple[float, float]]:
    name, found, place = text.rpartition("=")
    try:
        x, y = map(float, place.split(","))
    except ValueError:
        found = ""
    if not (found and name):
        raise ValueError(f"--point must be NAME=X,Y; it is {text!r}")
    return name, (x, y)


def _kept(question: Question, folder: str, resume: bool, force: bool) -> Kept | None:
    """Where the cells are kept, emptied where a run begins anew."""
    import os

    from richlazy.errors import FileError

    if question.cases and os.path.isdir(folder) and os.listdir(folder) and not (resume or force):
        raise FileError(
            f"{folder}: holds cells of an ended run; --resume goes on, --force begins anew"
        )
    if force and not resume and os.path.isdir(folder):
        from richlazy.curves.cases import forget

        forget(folder)
    return question.keep(folder)


def _made(question: Question, kept: Kept | None, jobs: int) -> Map:
    """The map, with a bar on a terminal where it takes long."""
    from concurrent.futures.process import BrokenProcessPool

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from richlazy.cli.jobs import processes

    console = Console(stderr=True)
    columns = TextColumn("cells"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    quiet = not (question.cases and console.is_terminal)  # or a line would be left in a log
    told = "" if kept is None else f"; finished cells are kept in {kept.folder}, --resume goes on"
    try:
        with (
            processes(jobs) as executor,
            Progress(*columns, console=console, transient=True, disable=quiet) as progress,
        ):
            bar = progress.add_task("", total=question.cells)
            step = question.cells // max(question.cases, 1)  # a case is a cell or a line of them
            return question.make(executor, kept, lambda: progress.advance(bar, step))
    except BrokenProcessPool:
        raise ValueError(f"a process died (killed, or out of memory){told}") from None
    except KeyboardInterrupt:
        raise click.Abort(f"interrupted{told}") from None


def _write(
    made: Map,
    path: Any,
    suffix: str,
    measure: tuple[str, ...],
    places: dict[str, tuple[float, float]],
) -> None:
    from richlazy import writing

    if suffix == ".csv":
        writing.write_text(path, made.to_csv())
    elif suffix == ".json":
        writing.write_text(path, made.to_json())
    else:
        from richlazy.curves.figure import render

        writing.write_bytes(path, render(made.plot(measure or None, points=places), suffix))


def _print_map(made: Map, measure: tuple[str, ...]) -> None:
    """A table of each measure, y upwards as it is drawn, thinned where it would not be read."""
    import numpy as np

    for name in measure:
        if name not in made.columns:
            raise ValueError(f"--measure must be one of {', '.join(made.columns)}; it is {name!r}")
    usual = "kernel_alignment" if "kernel_alignment" in made.columns else "weight_change"
    across, down = (
        np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))
        for size, most in zip((made.x.size, made.y.size), _SHOWN, strict=True)
    )
    for name in measure or (usual,):
        values = made.columns[name]
        rows = (
            [number(made.y[j]), *(number(values[j, i], name) for i in across)] for j in down[::-1]
        )
        print_line(f"{name.replace('_', ' ')}, {made.x_axis} across, {made.y_axis} down")
        print_table(("", *(number(made.x[i]) for i in across)), rows, words=())
    if (across.size, down.size) != (made.x.size, made.y.size):
        print_line(f"{across.size} x {down.size} of {made.x.size} x {made.y.size}; --csv has all")
    print_line(made.title)
