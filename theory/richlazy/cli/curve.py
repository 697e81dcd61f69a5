"""`richlazy curve`: one theory curve, printed or written as table, record or picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from richlazy.cli.tables import MEASURES, number, print_line, print_table

if TYPE_CHECKING:
    from richlazy.curves.curve import Curve

__all__ = ["curve"]

_KINDS = ("rank", "alignment", "scale", "strength", "depth", "time")
_BEYOND = ("boundary", "slopes", "peak")

#: The option a curve cannot do without, and those that mean nothing to it.
_WANTED = {
    "depth": ("start", ("inputs", "rank", "norm", "alignment")),
    "boundary": ("inputs", ("start", "rank", "alignment", "t")),
    "slopes": ("inputs", ("start", "rank", "alignment", "t")),
    "peak": ("inputs", ("start", "rank", "norm", "alignment", "t")),
}
_SHOWN = {  # of a curve, as far as it has them
    "mode_strength": "mode strength u",
    "kernel_alignment": MEASURES["kernel_alignment"],
    "representation_alignment": MEASURES["representation_alignment"],
    "weight_change": MEASURES["weight_change"],
    "relative_kernel_change": "relative NTK change",
    "loss": MEASURES["loss"],
}


@click.command()
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
        print_line(f"wrote {path}")


def _print_curve(made: Curve) -> None:
    shown = [name for name in _SHOWN if name in made.columns] or list(made.columns)
    labels = [_SHOWN.get(name, name.replace("_", " ")) for name in shown]
    rows = (
        [number(x), *(number(made.columns[name][index], name) for name in shown)]
        for index, x in enumerate(made.x)
    )
    print_table((made.axis, *labels), rows, labelled=False)
    print_line(made.title)
