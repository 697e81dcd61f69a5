"""Maps by closed forms: flat starts (T6, T7) and one balanced mode of a deep network (T4).

One call over the whole grid, but for means over random tasks at finite times, which T7 integrates
cell by cell: these go line by line, so that they can be followed, ended and gone on with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.curves import values
from richlazy.curves.cases import Found
from richlazy.curves.flat import BALANCED, FLAT, PARAMETERS, balanced_mode, flat_starts
from richlazy.curves.question import Answer, Closed, Question, Separate
from richlazy.curves.record import provenance
from richlazy.errors import AssumptionError, afford, integer, positive, times

__all__ = ["deep_mode", "find", "first_layers"]

Array = NDArray[np.float64]

_CELL = 400.0  # bytes that a closed form takes for each
_SPAN = 70.0  # decades of the strength of a mode, either way (`formulas.depth`)


def first_layers(axes: tuple[str, str], at: dict[str, Any], fixed: dict[str, Any]) -> Question:
    """The map of flat first layers: values along its axes, or None, and what is held fixed."""
    defaults = {"norm": 1.0, "strength": 1.0, "t": np.inf, "alignment": None}
    own = {PARAMETERS[axis] for axis in axes}
    given = {"inputs": integer(fixed["inputs"], "inputs"), **defaults, **fixed}
    given = {name: value for name, value in given.items() if name not in own}
    # an axis that waits for another one's values is centred on 1
    norm, strength = (
        float(positive(given.get(name, 1.0), name, ndim=0)) for name in ("norm", "strength")
    )
    c = given.get("alignment")
    whole = c is None or not c < 1
    make: dict[str, Callable[[Any], Array]] = {
        "rank": partial(
            values.ranks, inputs=given["inputs"], whole=whole and "alignment" not in axes
        ),
        "alignment": partial(values.alignments, full=given.get("rank") == given["inputs"]),
        "scale": partial(values.norms, strength=strength),
        "strength": partial(values.strengths, norm=norm),
        "time": partial(values.ts, strength=strength),
    }
    x, y = (make[axis](at[axis]) for axis in axes)
    point = _grid(axes, x, y)
    random = c is None and "alignment" not in axes

    def source(_: object = None) -> dict[str, Any]:
        if random:
            said = f"{FLAT}, uniformly random task directions"
            return _exact(provenance("T7", FLAT, given), said)
        return _exact(provenance("T6", FLAT, given), FLAT)

    if random and np.any(np.isfinite(point.get("t", given.get("t", np.inf)))):
        # along the axis that is no rank: the law of the alignment is that of the rank alone
        turned = axes[0] == "rank"
        (across, several), (along, line) = ((axes[0], x), (axes[1], y))[:: 1 if turned else -1]
        names = PARAMETERS[across], PARAMETERS[along]
        lines = tuple({**given, names[0]: value, names[1]: line} for value in several.tolist())
        return Question(axes, x, y, Separate(find, lines, source()["parameters"], source, turned))
    return Question(axes, x, y, Closed(lambda: (flat_starts(**given, **point)[1], source())))


def find(line: dict[str, Any]) -> Found:
    """Means over random tasks along one line, in plain values."""
    _, found = flat_starts(**line)
    return {"columns": {name: values.tolist() for name, values in found.items()}}


def deep_mode(axes: tuple[str, str], at: dict[str, Any], fixed: dict[str, Any]) -> Question:
    """The map of one balanced mode: values along its axes, or None, and what is held fixed."""
    own = {PARAMETERS[axis] for axis in axes}
    given = {"start": None, "strength": 1.0, "t": np.inf, **fixed}
    if "scale" in axes:
        del given["start"]
    given = {name: value for name, value in given.items() if name not in own}
    strength = float(positive(given.get("strength", 1.0), "strength", ndim=0))
    times(given.get("t", 0.0), ndim=0)
    make: dict[str, Callable[[Any], Array]] = {
        "depth": values.layers,
        "scale": values.layer_norms,
        "strength": partial(values.strengths, norm=1.0),
        "time": partial(values.ts, strength=strength),
    }
    x, y = (make[axis](at[axis]) for axis in axes)
    point = _grid(axes, x, y)
    if "scale" in axes:
        norm = positive(point.pop("norm"), "norms")
        decades = np.max(np.abs(point["layers"] * np.log10(norm)))
        if decades > _SPAN:
            raise AssumptionError(
                f"norms**layers must lie in [1e-{_SPAN:g}, 1e{_SPAN:g}], the range in which "
                f"float64 holds its powers; it is {decades:.0f} decades from 1: give norms nearer "
                "to 1, or fewer layers"
            )
        point["start"] = norm ** point["layers"]

    def closed() -> Answer:
        source = _exact(provenance("T4", BALANCED, given), BALANCED)
        return balanced_mode(**given, **point), source

    return Question(axes, x, y, Closed(closed))


def _exact(source: dict[str, Any], assumed: str) -> dict[str, Any]:
    method = f"closed form ({source['formula']})"
    return {**source, "method": method, "accuracy": "exact", "assumptions": assumed.split(", ")}


def _grid(axes: tuple[str, str], x: Array, y: Array) -> dict[str, Array]:
    """The parameters that the axes say, to broadcast to (y.size, x.size)."""
    afford(_CELL * x.size * y.size, f"a map of {x.size} x {y.size}", "give fewer values")
    return {PARAMETERS[axes[0]]: x[None, :], PARAMETERS[axes[1]]: y[:, None]}
