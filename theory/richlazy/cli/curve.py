"""`richlazy curve`: one theory curve, printed or written as table, record or picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from richlazy.cli.given import first_layer, name_start, recurrent_network, with_number
from richlazy.cli.options import with_reading, with_starts
from richlazy.cli.source import Start, reading_options
from richlazy.cli.tables import MEASURES, number, print_line, print_table

if TYPE_CHECKING:
    from richlazy.curves.curve import Curve
    from richlazy.curves.given import Along
    from richlazy.sources.source import Source

__all__ = ["curve"]

_KINDS = ("rank", "alignment", "scale", "strength", "depth", "time")
_BEYOND = ("boundary", "slopes", "peak")
#: Of recurrent networks; the axes that no first layer has say so themselves.
_RECURRENT = ("rank", "gain", "steps", "strength", "time")

#: The option a curve cannot do without, and those that mean nothing to it.
_WANTED = {
    "depth": ("start", ("inputs", "rank", "norm", "alignment")),
    "boundary": ("inputs", ("start", "rank", "alignment", "t")),
    "slopes": ("inputs", ("start", "rank", "alignment", "t")),
    "peak": ("inputs", ("start", "rank", "norm", "alignment", "t")),
}
#: Options of recurrent curves by the names that they have in `recurrent_curves`.
_OF_RECURRENT = ("units", "rank", "gain", "steps", "channels", "outputs", "strength", "t")
_SHOWN = {  # of a curve, as far as it has them
    "mode_strength": "mode strength u",
    "kernel_alignment": MEASURES["kernel_alignment"],
    "target_alignment": MEASURES["target_alignment"],
    "representation_alignment": MEASURES["representation_alignment"],
    "weight_change": MEASURES["weight_change"],
    "weight_change_recurrent": MEASURES["weight_change_recurrent"].strip(),
    "relative_kernel_change": "relative NTK change",
    "loss": MEASURES["loss"],
}


@click.command()
@click.argument("kind", type=click.Choice((*_KINDS, "gain", "steps", *_BEYOND)))
@click.argument("source", metavar="[SPECTRUM-OR-WEIGHTS]", type=Start(), required=False)
@with_reading
@with_starts
@click.option("--norm", metavar="NUMBER|keep", help="||W1(0)||_F; 'keep' leaves a file's.  [1.0]")
@reading_options
@click.option("--out", help="File to write: .png .svg .pdf .csv .json; default: print a table.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_context
def curve(
    context: click.Context,
    /,
    kind: str,
    source: str | None,
    reading_as: str | None,
    reading: dict[str, Any],
    out: str | None,
    force: bool,
    **given: Any,
) -> None:
    """Theory curve along rank, alignment, scale, strength, depth or time.

    Of a flat start; along depth, of one balanced mode of a deep network. Or over random tasks:
    boundary (alignment as lazy as full rank), slopes (in the rank), peak (ranks where they turn).
    Of recurrent networks: rank, gain, steps, strength and time.

    Of a start of yours, SPECTRUM-OR-WEIGHTS as `richlazy predict` takes it: alignment, scale,
    strength and time; as recurrent network gain, steps, strength and time.
    """
    from pathlib import Path

    from richlazy import writing

    options = {name: value for name, value in given.items() if value is not None}
    recurrent = reading_as == "recurrent" or (reading_as is None and kind in ("gain", "steps"))
    if source is not None:
        make = _given(recurrent, kind, source, reading, options)
    else:
        chosen = _recurrent if recurrent else _first_layer
        make = chosen(context, kind, with_number(reading, options))
    suffix = "" if out is None else Path(out).suffix.lower()
    if out is not None and suffix not in (".png", ".svg", ".pdf", ".csv", ".json"):
        raise ValueError(f"--out must end in .png, .svg, .pdf, .csv or .json; it is {out!r}")
    path = None if out is None else writing.output_file(out, force)
    made = make()
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
        print_line(f"wrote {path}")


def _first_layer(
    context: click.Context, kind: str, options: dict[str, float]
) -> Callable[[], Curve]:
    """The curve of first layers, once its options have been checked."""
    from richlazy.curves import boundaries as boundary_curves
    from richlazy.curves import flat as curves
    from richlazy.errors import times

    for name in ("units", "gain", "steps", "channels", "outputs"):
        if name in options:
            raise ValueError(f"--{name} is for recurrent networks; leave it out")
    if kind in ("gain", "steps"):
        raise ValueError(f"a curve along {kind} is for recurrent networks; leave --as out")
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
    return partial({**curves.MAKERS, **boundary_curves.MAKERS}[kind], **options)


def _recurrent(context: click.Context, kind: str, options: dict[str, float]) -> Callable[[], Curve]:
    """The curve of recurrent networks with flat singular values, its options checked."""
    from richlazy.curves import recurrent as curves
    from richlazy.errors import integer, positive, times
    from richlazy.report.recurrent import GAIN, Setting
    from richlazy.start import spectrum

    if kind not in _RECURRENT:
        raise ValueError(f"a curve of recurrent networks goes along {', '.join(_RECURRENT)}")
    own = "t" if kind == "time" else kind
    if own in options:
        option = "time" if own == "t" else own
        raise ValueError(f"--{option} is the axis of this curve; leave it out")
    for name in options:
        if name not in _OF_RECURRENT:
            raise ValueError(f"--{name} has no meaning for recurrent networks; leave it out")
    for name in ("units", *(() if kind == "rank" else ("rank",))):
        if name not in options:
            hint = f"'--{name}'"
            raise click.MissingParameter(ctx=context, param_hint=hint, param_type="option")
    times(options.get("t", 0.0), "--time", ndim=0)
    units = integer(options.pop("units"), "--units")
    gain = float(positive(options.pop("gain", GAIN), "--gain", ndim=0))
    steps = integer(options.pop("steps", Setting().steps), "--steps")
    given: dict[str, Any] = dict(options)
    if kind != "steps":
        given["steps"] = steps
    if kind == "rank":
        return partial(curves.rank, units, gain=gain, **given)
    rank = integer(given.pop("rank"), "--rank")
    if rank > units:
        raise ValueError(f"--rank must be at most --units {units}; it is {rank}")
    start = spectrum.flat(rank, gain * units**0.5)
    return partial(curves.MAKERS[kind], start, units=units, **given)


def _given(
    recurrent: bool, kind: str, text: str, reading: dict[str, Any], options: dict[str, Any]
) -> Callable[[], Curve]:
    """The curve of a start of the caller's own, its options checked."""
    if recurrent:
        from richlazy.curves import recurrent as curves

        source, rest = recurrent_network([kind], "curve", text, reading, options)
        return partial(_named, source, partial(curves.MAKERS[kind], source.values, **rest))
    from richlazy.curves.given import of

    source, rest = first_layer([kind], "curve", text, reading, options)
    return partial(_named, source, partial(of, source.values, cast("Along", kind), **rest))


def _named(source: Source, make: Callable[[], Curve]) -> Curve:
    made = make()
    name_start(source, made.provenance)
    return made


def _print_curve(made: Curve) -> None:
    shown = [name for name in _SHOWN if name in made.columns] or list(made.columns)
    labels = [_SHOWN.get(name, name.replace("_", " ")) for name in shown]
    rows = (
        [number(x), *(number(made.columns[name][index], name) for name in shown)]
        for index, x in enumerate(made.x)
    )
    print_table((made.axis, *labels), rows, words=())
    print_line(made.title)
