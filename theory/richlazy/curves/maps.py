"""Theory maps: laziness over any two axes at once, with its provenance.

Flat starts (T6, T7) and one balanced mode of a deep network (T4) are evaluated in one call over
the whole grid; recurrent starts (T16 to T20) cell by cell, as independent cases.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.curves import values
from richlazy.curves.axes import AXES, VALUES, Axis
from richlazy.curves.flat import BALANCED, FLAT, PARAMETERS, balanced_mode, flat_starts
from richlazy.curves.grid import Map
from richlazy.curves.question import Answer, Closed, Question
from richlazy.curves.record import provenance
from richlazy.curves.setting import DEFAULTS, KEYWORDS
from richlazy.errors import AssumptionError, afford, integer, positive, times

__all__ = ["Reading", "asked", "map", "reading"]

Array = NDArray[np.float64]

_CELL = 400.0  # bytes that a closed form takes for each
_SPAN = 70.0  # decades of the strength of a mode, either way (`formulas.depth`)


class Reading(NamedTuple):
    """What learns, the axes that its theory has, and what else it takes."""

    what: str
    axes: tuple[str, ...]
    parameters: tuple[str, ...]


_FIRST = Reading(
    "flat first layers",
    ("rank", "alignment", "scale", "strength", "time"),
    ("inputs", "rank", "norm", "strength", "alignment", "t"),
)
_DEPTH = Reading(
    "one balanced mode of a deep network",
    ("depth", "scale", "strength", "time"),
    ("start", "strength", "t"),
)
_RECURRENT = Reading(
    "recurrent starts",
    ("rank", "gain", "steps", "strength", "time"),
    ("start", "units", "gain", *("steps", *DEFAULTS)),
)
#: Parameters that say that a start is recurrent, where its axes do not.
_OWN = ("units", "start", "steps", "gain")


def map(
    x_axis: Axis,
    y_axis: Axis,
    *,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    **given: Any,
) -> Map:
    """Laziness over two axes at once.

    By the statements of the curves along these axes, T4, T6, T7 and T20.

    Parameters
    ----------
    x_axis, y_axis
        Any two of rank, alignment, scale, strength and time: flat first layers, as the curves of
        `richlazy.curves`. Depth with scale, strength or time: one balanced mode, whose strength at
        time 0 along scale is that of layers of this norm, norm**L. Any two of rank, gain, steps,
        strength and time: recurrent starts, as `richlazy.recurrent_curves`; without gain or steps
        among the axes `units` or `start` says so.
    executor
        Where the cells of recurrent starts are computed; None is this process. The numbers are
        the same. Closed forms are one call, here.
    folder
        Where these cells are kept as they finish: the same call again goes on from them.
    **given
        The values of each axis, by the names that they have in the curves (`ranks`, `alignments`,
        `norms`, `strengths`, `ts`, `layers`, `gains`, `lengths`; defaults as there, where nothing
        else is said), and what is held fixed. First layers: `inputs`, and `rank`, `norm`,
        `strength`, `alignment` (default: the mean over random tasks) and `t`. Depth: `start`,
        `strength`, `t`. Recurrent: `start` and `units`, along rank `units` and `gain`; `steps`; and
        the settings of `richlazy.recurrent_curves`, of which a Generator as `rng` gives one seed to
        every cell.

    Returns
    -------
    Map
        Columns of shape (values along y, values along x).

    Raises
    ------
    ValueError
        For two axes that no theory has together, and for what is missing, out of its range or has
        no meaning for these axes.

    Examples
    --------
    >>> from richlazy import curves
    >>> found = curves.map("rank", "scale", inputs=100, norms=[0.1, 1.0, 10.0])
    >>> found.columns["kernel_alignment"].shape
    (3, 100)
    >>> round(float(found.columns["kernel_alignment"][1, 4]), 4)
    0.2584
    """
    question = asked(x_axis, y_axis, given)
    return question.make(executor, None if folder is None else question.keep(folder))


def reading(x_axis: str, y_axis: str, given: Collection[str]) -> Reading:
    """What learns on a map of these axes, and of these parameters where the axes leave it open.

    Raises
    ------
    ValueError
        If no theory has both axes.
    """
    for name, axis in (("x_axis", x_axis), ("y_axis", y_axis)):
        if not isinstance(axis, str) or axis not in AXES:
            raise ValueError(f"{name} must be one of {', '.join(AXES)}; it is {axis!r}")
    if x_axis == y_axis:
        raise ValueError(f"y_axis must be another axis than x_axis; both are {x_axis}")
    axes = {x_axis, y_axis}
    asked_for = any(name in given for name in _OWN)
    found = _DEPTH if "depth" in axes else _FIRST
    if axes & {"gain", "steps"} or (asked_for and axes <= set(_RECURRENT.axes)):
        found = _RECURRENT
    if not axes <= set(found.axes):
        first, deep, recurrent = (", ".join(r.axes) for r in (_FIRST, _DEPTH, _RECURRENT))
        raise ValueError(
            f"no theory has {x_axis} and {y_axis} together; the axes must be any two of {first} "
            f"({_FIRST.what}), depth with another of {deep.removeprefix('depth, ')} "
            f"({_DEPTH.what}), or any two of {recurrent} ({_RECURRENT.what})"
        )
    return found


def asked(
    x_axis: str,
    y_axis: str,
    given: Mapping[str, Any],
    spelled: Callable[[str], str] = str,
) -> Question:
    """The map that is asked for, once all that was given has been checked.

    `spelled` is how the caller writes the name of a parameter.
    """
    what = reading(x_axis, y_axis, given)
    axes = (x_axis, y_axis)
    names = PARAMETERS if what is not _RECURRENT else KEYWORDS
    own = {names[axis] for axis in axes}
    if what is _DEPTH and "scale" in axes:
        own.add("start")
    known = {VALUES[axis] for axis in axes}
    for name in given:
        if name in own - known:
            raise ValueError(f"{spelled(name)} is said by an axis of this map; leave it out")
        if name not in (*what.parameters, *known):
            raise ValueError(
                f"{spelled(name)} has no meaning for a map of {x_axis} and {y_axis} of "
                f"{what.what}; leave it out"
            )
    fixed = {name: value for name, value in given.items() if name not in known}
    for name in _needed(what, axes, fixed):
        if name not in own and fixed.get(name) is None:
            raise ValueError(f"{spelled(name)} is needed for a map of {x_axis} and {y_axis}")
    for name, value in fixed.items():
        if name != "start" and np.ndim(value):
            raise ValueError(f"{spelled(name)} must be one number; its shape is {np.shape(value)}")
    at = {axis: given.get(VALUES[axis]) for axis in axes}
    if what is _RECURRENT:
        from richlazy.curves.recurrent_maps import recurrent  # the solvers of another room

        return recurrent(axes, at, fixed)
    return (_deep_mode if what is _DEPTH else _first_layers)(axes, at, fixed)


def _needed(what: Reading, axes: Collection[str], fixed: Mapping[str, Any]) -> tuple[str, ...]:
    if what is _FIRST:
        return ("inputs", "rank")
    if what is _DEPTH:
        return ("start",)
    return ("units" if "rank" in axes else "start", "steps")


def _first_layers(axes: tuple[str, str], at: dict[str, Any], fixed: dict[str, Any]) -> Question:
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

    def closed() -> Answer:
        formula, found = flat_starts(**given, **point)
        said = FLAT if formula == "T6" else f"{FLAT}, uniformly random task directions"
        return found, _exact(provenance(formula, FLAT, given), said)

    return Question(axes, x, y, Closed(closed))


def _deep_mode(axes: tuple[str, str], at: dict[str, Any], fixed: dict[str, Any]) -> Question:
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
