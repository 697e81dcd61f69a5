"""Options that curves and maps have in common: what learns, and from which start."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeVar

import click

__all__ = ["with_reading", "with_starts"]

F = TypeVar("F", bound=Callable[..., Any])

with_reading = click.option(
    "--as",
    "reading_as",
    type=click.Choice(("recurrent", "first-layer")),
    help="What learns.  [gain, steps: recurrent; else first-layer]",
)
_STARTS = (
    click.option("--inputs", type=int, help="Number of inputs d (all but depth)."),
    click.option("--rank", type=float, help="Rank of the start."),
    click.option("--start", type=float, help="Strength of the mode at time 0 (depth only)."),
    click.option("--strength", type=float, help="Length of the task vector, or task mode.  [1.0]"),
    click.option("--alignment", type=float, help="Fixed task alignment; default: random tasks."),
    click.option("--time", "t", type=float, help="Learning rate x steps.  [inf]"),
    click.option("--units", type=int, help="Neurons N of recurrent networks."),
    click.option("--gain", type=float, help="||W||_F / sqrt(N) of recurrent weights.  [0.625]"),
    click.option("--steps", type=int, help="Steps T that a recurrent task spans.  [5]"),
    click.option("--channels", type=int, help="Input channels of recurrent networks.  [1]"),
    click.option("--outputs", type=int, help="Outputs of recurrent networks.  [1]"),
)


def with_starts(command: F) -> F:
    """Add the options of first layers, of one deep mode and of recurrent networks."""
    return reduce(lambda found, option: option(found), reversed(_STARTS), command)
