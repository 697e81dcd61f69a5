"""Maps of a given start over random tasks: every cell is `richlazy.expect`, found line by line.

All cells have the same random numbers, as the points of `richlazy.curves.of` do. A flat start is
its rank and its norm, and has the closed forms of flat starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.curves.cases import Found
from richlazy.curves.closed_maps import first_layers
from richlazy.curves.flat import PARAMETERS
from richlazy.curves.given import (
    SETTING,
    Begun,
    along,
    formulas,
    points,
    records,
    stated,
    understood,
)
from richlazy.curves.points import cells, seed
from richlazy.curves.question import Question, Separate
from richlazy.curves.record import provenance
from richlazy.errors import generator, positive
from richlazy.laziness import Measures
from richlazy.threads import alone

__all__ = ["Line", "find", "given_start"]

Array = NDArray[np.float64]


def given_start(axes: tuple[Any, Any], at: dict[str, Any], fixed: dict[str, Any]) -> Question:
    """The map of these axes, their values given or None, of a start and of what is held fixed."""
    own = {PARAMETERS[axis] for axis in axes}
    given = {name: v for name, v in fixed.items() if name not in ("start", "inputs", "rng")}
    asked = {"norm": 1.0, **given} if "norm" in own else given
    begun = understood(fixed["start"], fixed.get("inputs"), asked)
    if _closed(begun, given):
        return first_layers(axes, at, _as_flat(begun, own, given))
    strength = float(positive(given.get("strength", 1.0), "strength", ndim=0))
    x, y = (along(axis, at[axis], begun, strength) for axis in axes)
    chance = seed(fixed.get("rng"))
    said = {**begun.said, **stated(own, given), "rng": chance}
    turned = axes[1] == "time"  # a line of times is one flow
    ends = ((axes[1], y), (axes[0], x)) if turned else ((axes[0], x), (axes[1], y))
    (across, line), (up, several) = ((PARAMETERS[axis], along) for axis, along in ends)
    lines = tuple(
        Line(begun, across, line, {up: value}, given, chance) for value in several.tolist()
    )

    def source(found: Sequence[Found]) -> dict[str, Any]:
        every = (words for record in found for words in record["said"]["method"])
        return provenance(formulas(every), SETTING, said)

    about = provenance("T15", SETTING, said)["parameters"]
    return Question(axes, x, y, Separate(find, lines, about, source, turned))


def _closed(begun: Begun, given: dict[str, Any]) -> bool:
    """Whether `expect` has T6 or T7 for every cell."""
    usual = given.get("method") in (None, "closed form")
    return begun.flat and usual and given.get("outputs", 1) == 1


def _as_flat(begun: Begun, own: set[str], given: dict[str, Any]) -> dict[str, Any]:
    flat = {"inputs": begun.inputs, "rank": begun.rank, "norm": given.get("norm") or begun.norm}
    flat |= {name: given[name] for name in ("strength", "alignment", "t") if name in given}
    return {name: value for name, value in flat.items() if name not in own}


class Line(NamedTuple):
    """One case: a start, a parameter and its values, the other one's, and what `expect` takes."""

    begun: Begun
    across: str
    values: Array
    up: dict[str, float]
    given: dict[str, Any]
    seed: int


def find(line: Line) -> Found:
    """What `expect` says along a line, in plain values, on one BLAS thread wherever it runs."""
    places = [{line.across: value, **line.up} for value in line.values.tolist()]
    own = {line.across, *line.up}
    with alone():
        found = points(line.begun, places, line.given, generator(line.seed))
    return cells(records(found, own), Measures._fields)
