"""Boundaries of flat starts (T9) that hold for the axes of a map, measure by measure.

All at t = infinity. Over random tasks, against scale or strength, the ranks where the mean RA is
largest and the mean KA turns (`curves.boundaries.peak`). Of tasks of one alignment, where a start
is as lazy as one of full rank (`formulas.boundaries.alignment`): over any two axes but time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.curves import boundaries as boundary_curves
from richlazy.curves.flat import PARAMETERS
from richlazy.formulas import boundaries

__all__ = ["Line", "Shown", "lines"]

Array = NDArray[np.float64]

_POINTS = 41
_TURNS = {
    "representation_peak": ("representation_alignment", "rank of the largest mean RA"),
    "kernel_peak": ("kernel_alignment", "peak of the mean KA"),
    "kernel_trough": ("kernel_alignment", "trough of the mean KA"),
}


class Shown(NamedTuple):
    """What of a map is drawn; names as in `Map`."""

    x_axis: str
    y_axis: str
    x: Array
    y: Array
    columns: dict[str, Array]
    provenance: dict[str, Any]


class Line(NamedTuple):
    """Where `level` is zero on a grid; without one, the line itself."""

    label: str
    x: Array
    y: Array
    level: Array | None = None


def lines(made: Shown, measures: Collection[str]) -> dict[str, list[Line]]:
    """Boundaries by the measure that they are of, as far as there are any."""
    about = made.provenance
    formula, fixed = about.get("formula"), about.get("parameters", {})
    axes = {made.x_axis, made.y_axis}
    if formula not in ("T6", "T7") or "time" in axes or float(fixed.get("t", 0.0)) != np.inf:
        return {}
    if formula == "T6":
        return _as_lazy_as_full(made, fixed)
    turning = {measure for measure, _ in _TURNS.values()} & set(measures)
    if turning and axes in ({"rank", "scale"}, {"rank", "strength"}):
        return _turns(made, fixed)
    return {}


def _turns(made: Shown, fixed: Mapping[str, Any]) -> dict[str, list[Line]]:
    """Turning ranks hang on norm / sqrt(strength) alone."""
    across = made.x_axis == "rank"
    axis, at = (made.y_axis, made.y) if across else (made.x_axis, made.x)
    at = _finer(at, _POINTS)
    strength = at if axis == "strength" else float(fixed["strength"])
    norm = at if axis == "scale" else float(fixed["norm"])
    curve = boundary_curves.peak(int(fixed["inputs"]), norms=norm / np.sqrt(strength))
    found: dict[str, list[Line]] = {}
    for name, (measure, label) in _TURNS.items():
        ranks = curve.columns[name]
        if np.any(np.isfinite(ranks)):
            line = Line(label, ranks, at) if across else Line(label, at, ranks)
            found.setdefault(measure, []).append(line)
    return found


def _as_lazy_as_full(made: Shown, fixed: Mapping[str, Any]) -> dict[str, list[Line]]:
    x, y = _finer(made.x, 3 * _POINTS), _finer(made.y, 3 * _POINTS)
    at = {**fixed, PARAMETERS[made.x_axis]: x[None, :], PARAMETERS[made.y_axis]: y[:, None]}
    start = {name: at[name] for name in ("rank", "inputs", "norm", "strength")}
    needed = boundaries.alignment(**start)
    found = {}
    for measure, needs in needed._asdict().items():
        level = np.broadcast_to(at["alignment"] - needs, (y.size, x.size))
        found[measure] = [Line("as lazy as full rank", x, y, level)]
    return found


def _finer(values: Array, points: int) -> Array:
    """So many values over the same range, evenly spaced as those given are."""
    low, high = values.min(), values.max()
    if low > 0 and high > 10.0 * low:
        inner = np.geomspace(low, high, points)[1:-1]
    else:
        inner = np.linspace(low, high, points)[1:-1]
    return np.concatenate([[low], inner, [high]])
