"""`richlazy predict`: the laziness of one start, read as recurrent network, first layer or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import click

from richlazy import names
from richlazy.cli.source import Start, reading_options, recurrent_options, source_given
from richlazy.cli.tables import print_line

if TYPE_CHECKING:
    from richlazy.sources.source import Source

__all__ = ["predict"]


class Answer(Protocol):
    """What one reading answers."""

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints of it."""

    def show(self) -> None:
        """Print it."""


@dataclass(frozen=True)
class Refused:
    """A reading that has no answer, beside one that has."""

    reading: str
    why: str

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        return {self.reading.replace("-", "_"): {"refused": self.why}}

    def show(self) -> None:
        """Print it."""
        print_line(f"not read as {self.reading.replace('-', ' ')}: {self.why}")


#: Options that only one reading knows.
_FIRST_LAYER = ("inputs", "hidden", "task_file", "data", "alignment")
_RECURRENT = ("units", "steps", "channels", "gain")


@click.command()
@click.argument("start", metavar="SPECTRUM-OR-WEIGHTS", type=Start())
@recurrent_options
@click.option("--units", type=int, help="Neurons N of a spectrum read as recurrent weights.")
@click.option("--inputs", type=int, help="Number of inputs d (needed with a spectrum).")
@click.option("--hidden", type=int, help="Number of hidden units (at least the rank).")
@click.option(
    "--norm",
    metavar="NUMBER|keep",
    help="||W||_F; 'keep' leaves it.  [of a file, first layer: 1; --data: keep]",
)
@click.option("--task", "task_file", help="File with cov_yx (outputs x inputs), or one vector.")
@click.option(
    "--data", nargs=2, metavar="X Y", help="Files of inputs and targets, a sample a row: the task."
)
@click.option("--alignment", type=float, help="Share of the squared task in the row space.")
@click.option("--strength", type=float, help="Length of the task vector.  [1.0]")
@click.option("--outputs", type=int, help="Number of outputs.  [1]")
@click.option("--time", "t", type=float, default=float("inf"), help="Learning rate x steps.  [inf]")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def predict(
    start: str,
    reading_as: str | None,
    as_json: bool,
    signs: str,
    reading: dict[str, Any],
    **given: Any,
) -> None:
    """Predicted laziness of a start: of a recurrent network, of a first layer with silent readout.

    SPECTRUM-OR-WEIGHTS is a file (.npy .npz .csv .tsv .txt .mtx .mat .graphml .parquet
    .safetensors ..., or - for standard input: one row or column is a spectrum, a table is hidden x
    inputs, a header pre,post,weight makes an edge list; FILE:NAME is one array), a connectome
    (celegans, mushroom_body_left, mushroom_body_right, celegans_brain_1 ... celegans_brain_8) or a
    family: flat:rank=5,norm=1, power_law:count=100,exponent=1, exponential:count=50,rate=0.1,
    gaussian:hidden=50,inputs=80. A square matrix is read both ways; a reading whose flow does not
    settle says so, and leaves the other its answer.

    With --data the task is that of your data, whatever the covariance of its inputs, and the
    weights keep their norm.
    """
    from rich.console import Console

    from richlazy.cli import first_layer, recurrent
    from richlazy.errors import times

    answer_as: dict[str, Callable[[Source, str, dict[str, Any]], Answer]] = {
        "recurrent": recurrent.answer,
        "first-layer": first_layer.answer,
    }

    times(given["t"], "--time", ndim=0)
    source = source_given(start, signs, reading)
    readings = _readings(source, reading_as, given)
    with Console(stderr=True).status("computing"):  # seen on a terminal only
        answers = _answers(
            {name: partial(answer_as[name], source, start, given) for name in readings}
        )
    if as_json:
        import json

        about: dict[str, Any] = {"start": names.plain(source.name)}
        if source.read is not None:
            about["read"] = source.read.to_dict()
        for answer in answers:
            about |= answer.to_dict()
        click.echo(json.dumps(about, indent=1, allow_nan=False))
    else:
        for number, answer in enumerate(answers):
            if number:
                print_line("")
            answer.show()


def _answers(questions: dict[str, Callable[[], Answer]]) -> list[Answer]:
    """What every reading answers; one whose flow does not end leaves the other its answer."""
    from richlazy.errors import ConvergenceError

    answers: list[Answer] = []
    for reading, question in questions.items():
        try:
            answers.append(question())
        except ConvergenceError as error:
            answers.append(Refused(reading, str(error)))
            if all(isinstance(one, Refused) for one in answers) and len(answers) == len(questions):
                raise
    return answers


def _readings(source: Source, asked: str | None, given: dict[str, Any]) -> tuple[str, ...]:
    """How the start is read, the recurrent network first."""
    square = not source.is_spectrum and source.values.shape[0] == source.values.shape[1]
    first, recurrent = (
        [name for name in own if given[name] is not None] for own in (_FIRST_LAYER, _RECURRENT)
    )
    if asked is None:
        # what is asked in the words of one reading is a question to it
        both = "both" if square else "first-layer"
        asked = (
            "recurrent" if recurrent and (first or not square) else "first-layer" if first else both
        )
    if asked == "first-layer":
        if recurrent:
            raise ValueError(
                f"--{recurrent[0]} is for recurrent networks; leave it out or use --as recurrent"
            )
        return ("first-layer",)
    if asked == "recurrent" and first:
        option = first[0].removesuffix("_file")
        raise ValueError(f"--{option} is for a first layer; leave it out or use --as first-layer")
    if not source.is_spectrum and not square:
        hidden, inputs = source.values.shape
        raise ValueError(
            f"{source.name} is {hidden} x {inputs} weights, and recurrent weights are a square "
            "matrix; use --as first-layer"
        )
    return ("recurrent",) if asked == "recurrent" else ("recurrent", "first-layer")
