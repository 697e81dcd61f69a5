"""The start that a command is given: found, brought to the norm wanted, and told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from richlazy.cli.tables import print_line

if TYPE_CHECKING:
    from richlazy.sources.source import Source

__all__ = [
    "Start",
    "differs",
    "gain_wanted",
    "norm_wanted",
    "print_source",
    "reading_options",
    "recurrent_options",
    "source_given",
]


class Start(click.types.StringParamType):
    """A file, a connectome that comes along, or a family; the shell completes the first two."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The connectomes that begin so, and word that the shell looks among files itself."""
        from richlazy.sources import connectomes

        known = (name for name in connectomes.names() if name.startswith(incomplete))
        return [*map(CompletionItem, known), CompletionItem(incomplete, type="file")]


_READING = (
    click.option(
        "--format",
        type=click.Choice(("edges", "matrix", "spectrum")),
        help="What a table in a file is, where that can be doubted.",
    ),
    click.option("--header", type=bool, metavar="yes|no", help="Line 1 names the columns."),
    click.option("--index", type=bool, metavar="yes|no", help="Column 1 names the rows."),
    click.option("--missing", type=click.Choice(("zero",)), help="Read unknown entries as 0."),
    click.option("--transpose", is_flag=True, help="The file is inputs x hidden, W1[pre, post]."),
    click.option("--limit", type=float, metavar="GB", help="Memory a start may take.  [4]"),
)


_RECURRENT = (
    click.option(
        "--as",
        "reading_as",
        type=click.Choice(("recurrent", "first-layer", "both")),
        help="What the weights are.  [square: both; else first-layer]",
    ),
    click.option("--steps", type=int, help="Steps T that a recurrent task spans.  [5]"),
    click.option("--channels", type=int, help="Input channels of a recurrent network.  [1]"),
    click.option("--gain", type=float, help="||W||_F / sqrt(N) of recurrent weights.  [0.625]"),
    click.option(
        "--signs",
        default="as-is",
        metavar="as-is|random|FILE",
        help="Which neurons inhibit; FILE lists them (celegans_gaba is one that comes along).",
    ),
)


def recurrent_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of the recurrent reading."""
    for option in reversed(_RECURRENT):
        command = option(command)
    return command


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say how a file is read, as one argument `reading`."""

    @wraps(command)
    def wrapped(**given: Any) -> None:
        names = ("format", "header", "index", "missing", "transpose", "limit")
        reading = {name: given.pop(name) for name in names}
        if reading["limit"] is None:
            del reading["limit"]
        command(**given, reading=reading)

    for option in reversed(_READING):
        wrapped = option(wrapped)
    return wrapped


def source_given(text: str, signs: str, reading: dict[str, Any]) -> Source:
    """The start as it was given, its neurons with signs."""
    from richlazy.sources import signs as of_neurons
    from richlazy.sources import source as sources

    return of_neurons.given(sources.find(text, **reading), signs)


def norm_wanted(source: Source, text: str, norm: str | None) -> float | None:
    """The norm of the first layer; None is that given."""
    if norm is None:
        return None if source.family else 1.0
    if norm == "keep":
        return None
    try:
        wanted = float(norm)
    except ValueError:
        raise ValueError(f"--norm must be a number > 0 or 'keep'; it is {norm!r}") from None
    if source.family and "norm=" in text:
        raise ValueError("--norm and norm= exclude each other: give one of them")
    return wanted


def gain_wanted(
    source: Source, text: str, norm: str | None, gain: float | None, units: int
) -> float:
    """Gain ||W||_F / sqrt(N) of recurrent weights: asked for, that of the norm, or the usual."""
    from richlazy.errors import positive
    from richlazy.report.recurrent import GAIN

    if gain is not None:
        return float(positive(gain, "--gain", ndim=0))
    own = source.family and "norm=" in text
    if norm is None and not own:
        return GAIN
    wanted = norm_wanted(source, text, norm)
    return float((source.norm if wanted is None else wanted) / units**0.5)


def differs(norm: float, given: float) -> bool:
    """Whether a norm is another than the one given, as far as it is shown."""
    return f"{norm:.6g}" != f"{given:.6g}"


def print_source(source: Source, given: float, notes: Iterable[str]) -> None:
    """Print what was read, the norm, the norm given where it is another, and a line a note."""
    if source.read is not None:
        print_line(f"read: {source.read.description}")
    told = f" (as given {given:.6g}; --norm keep leaves it)"
    before = told if differs(source.norm, given) else ""
    print_line(f"norm: {source.norm:.6g}{before}")
    for note in notes:
        print_line(f"note: {note}")
