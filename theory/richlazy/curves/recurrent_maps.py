"""Maps of recurrent starts (T16 to T20): every cell is `richlazy.recurrent.expect`, by itself.

Where an axis is time, a case is a line of it: one flow answers for all of its times. All cells have
the same random numbers, as the points of `richlazy.recurrent_curves` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.curves import values
from richlazy.curves.axes import VALUES
from richlazy.curves.cases import Found
from richlazy.curves.points import TYPICAL, Start, cells, kind, question, seed
from richlazy.curves.question import Question, Separate
from richlazy.curves.record import provenance
from richlazy.curves.setting import DEFAULTS
from richlazy.errors import integer, positive
from richlazy.recurrent.averages.expect import expect_over
from richlazy.threads import alone

__all__ = ["Case", "find", "recurrent"]

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
    given["rng"] = seed(given["rng"])
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
    cases = tuple(Case(start, place, given) for place in _places(axes, x, y))
    said = {**start.said(), **{k: v for k, v in given.items() if k != "method"}}

    def source(records: Sequence[Found]) -> dict[str, Any]:
        return provenance("T20", f"{kind(records[0]['said']['method'][0])} {TYPICAL}", said)

    about = provenance("T20", TYPICAL, said)["parameters"]
    return Question(axes, x, y, Separate(find, cases, about, source, turned=axes[1] == "time"))


def _places(axes: tuple[str, str], x: Array, y: Array) -> Iterator[dict[str, Any]]:
    """The values of the axes, case by case: all times at once."""
    if "time" in axes:
        other, along, ts = (axes[1], y, x) if axes[0] == "time" else (axes[0], x, y)
        return ({other: float(value), "time": ts} for value in along)
    return ({axes[0]: float(u), axes[1]: float(v)} for v in y for u in x)


class Case(NamedTuple):
    """The start, the values of the axes there, and what `expect` takes besides."""

    start: Start
    place: dict[str, Any]
    given: dict[str, Any]


def find(case: Case) -> Found:
    """What `expect` says of a case, in plain values, on one BLAS thread wherever it runs."""
    with alone():
        found = expect_over(**{**case.given, **case.start.at(case.place)})
    return cells([record.to_dict() for record in found])
