"""Maps of recurrent starts (T16 to T20): every cell is `richlazy.recurrent.expect`, by itself.

All cells have the same random numbers, as the points of `richlazy.recurrent_curves` do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.curves import values
from richlazy.curves.axes import VALUES
from richlazy.curves.cases import Found
from richlazy.curves.points import TYPICAL, Start, columns, kind, question
from richlazy.curves.question import Answer, Question, Separate
from richlazy.curves.record import provenance
from richlazy.curves.setting import DEFAULTS
from richlazy.errors import generator, integer, positive
from richlazy.recurrent.averages.expect import expect
from richlazy.threads import alone

__all__ = ["Cell", "find", "recurrent"]

Array = NDArray[np.float64]

_GAIN = 0.6


def recurrent(axes: tuple[str, str], at: dict[str, Any], fixed: dict[str, Any]) -> Question:
    """The map of these axes, their values given or None, and of what is held fixed."""
    steps = None if "steps" in axes else integer(fixed["steps"], "steps")
    if "rank" in axes:
        if "start" in fixed:
            raise ValueError("start has no meaning along rank, where starts are flat; leave it out")
        gain = None if "gain" in axes else fixed.get("gain", _GAIN)
        gain = None if gain is None else float(positive(gain, "gain", ndim=0))
        start = Start(None, integer(fixed["units"], "units"), gain=gain, steps=steps)
        fixed = {"method": "sample", **fixed}
    elif "gain" in fixed:
        raise ValueError("gain is that of start; leave it out")
    else:
        start = Start.given(fixed["start"], fixed.get("units"), steps)
    setting = {name: v for name, v in fixed.items() if name in DEFAULTS}
    given = question(axes, setting)
    given["rng"] = _seed(given["rng"])
    strength = float(positive(given.get("strength", 1.0), "strength", ndim=0))
    make: dict[str, Callable[[Any], Array]] = {
        "rank": partial(values.sampled_ranks, units=start.units),
        "gain": values.gains,
        "steps": values.lengths,
        "strength": values.few_strengths,
        "time": partial(values.few_ts, strength=strength),
    }
    x, y = (make[axis](at[axis]) for axis in axes)
    for axis, along in zip(axes, (x, y), strict=True):
        if axis in ("rank", "steps"):
            for value in along:
                integer(value, VALUES[axis])
    places = ({axes[0]: float(u), axes[1]: float(v)} for v in y for u in x)
    cases = tuple(Cell(start, place, given) for place in places)
    said = {**start.said(), **{k: v for k, v in given.items() if k != "method"}}

    def gather(records: Sequence[Found]) -> Answer:
        return columns(records), provenance("T20", f"{kind(records)} {TYPICAL}", said)

    about = provenance("T20", TYPICAL, said)["parameters"]
    return Question(axes, x, y, Separate(find, cases, about, gather))


class Cell(NamedTuple):
    """One case: the start, the values of the axes there, and what `expect` takes besides."""

    start: Start
    place: dict[str, float]
    given: dict[str, Any]


def find(cell: Cell) -> Found:
    """What `expect` says of a cell, in plain values, on one BLAS thread wherever it runs."""
    with alone():
        return expect(**{**cell.given, **cell.start.at(cell.place)}).to_dict()


def _seed(rng: Any) -> int:
    """A seed as it is; of a Generator, the same one for every cell, and it moves on."""
    if rng is None:
        return 0
    source = generator(rng)
    return int(rng) if isinstance(rng, Integral) else int(source.integers(2**63))
