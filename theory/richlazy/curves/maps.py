"""Theory maps: laziness over any two axes at once, with its provenance.

Closed forms (flat starts and one balanced mode of a deep network) are one call over the whole grid;
what has to be averaged numerically (other first layers, recurrent starts, flat ones over random
tasks at finite times) is found in independent cases, lines or cells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np

from richlazy.curves.axes import AXES, VALUES, Axis
from richlazy.curves.closed_maps import deep_mode, first_layers
from richlazy.curves.flat import PARAMETERS
from richlazy.curves.grid import Map
from richlazy.curves.question import Question
from richlazy.curves.setting import DEFAULTS, KEYWORDS

__all__ = ["Reading", "asked", "map", "reading"]


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
_GIVEN = Reading(
    "a given start",
    ("alignment", "scale", "strength", "time"),
    (
        *("start", "inputs", "outputs", "strength", "alignment", "norm", "t"),
        *("method", "tasks", "rng", "precision"),
    ),
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
_OWN = ("units", "steps", "gain")


def map(
    x_axis: Axis,
    y_axis: Axis,
    *,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    **given: Any,
) -> Map:
    """Laziness over two axes at once.

    By the statements of the curves along these axes: T4, T6, T7 and T20, and `richlazy.expect` of a
    start of your own.

    Parameters
    ----------
    x_axis, y_axis
        Any two of rank, alignment, scale, strength and time: flat first layers, as the curves of
        `richlazy.curves`; but for rank, with `start`, a first layer of your own, as
        `richlazy.curves.of`. Depth with scale, strength or time: one balanced mode, whose strength
        at time 0 along scale is that of layers of this norm, norm**L. Any two of rank, gain, steps,
        strength and time: recurrent starts, as `richlazy.recurrent_curves`; without gain or steps
        among the axes `units` or `steps` says so. Along time one flow answers for a whole line.
    executor
        Where cells or lines of them are computed, of recurrent starts, of a start of your own that
        is not flat, and of flat ones over random tasks at finite times; None is this process. The
        numbers are the same. Closed forms are one call, here.
    folder
        Where these are kept as they finish: the same call again goes on from them.
    **given
        The values of each axis, by the names that they have in the curves (`ranks`, `alignments`,
        `norms`, `strengths`, `ts`, `layers`, `gains`, `lengths`; defaults as there, where nothing
        else is said), and what is held fixed. First layers: `inputs`, and `rank`, `norm`,
        `strength`, `alignment` (default: the mean over random tasks) and `t`. A first layer of your
        own: `start`, `inputs` and the settings of `richlazy.curves.of`; a Generator as `rng` gives
        one seed to every cell. Depth: `start`,
        `strength`, `t`. Recurrent: `start` and `units`, along rank `units` and `gain`; `steps`; and
        the settings of `richlazy.recurrent_curves`, of which a Generator as `rng` gives one seed to
        every cell.

    Returns
    -------
    Map
        Columns of shape (values along y, values along x); of a start of your own that is flat they
        are those of flat starts.

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
    >>> own = curves.map("scale", "time", start=[2.0, 1.0], inputs=9, norms=[1, 2], ts=[0.5, 5])
    >>> own.columns["kernel_alignment"].shape, own.columns["loss_standard_error"].shape
    ((2, 2), (2, 2))
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
    if found is _FIRST and "start" in given and axes <= set(_GIVEN.axes):
        found = _GIVEN
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
        if name not in ("start", "precision") and np.ndim(value):
            raise ValueError(f"{spelled(name)} must be one number; its shape is {np.shape(value)}")
    at = {axis: given.get(VALUES[axis]) for axis in axes}
    if what is _RECURRENT:
        from richlazy.curves.recurrent_maps import recurrent  # the solvers of another room

        return recurrent(axes, at, fixed)
    if what is _GIVEN:
        from richlazy.curves.given_maps import given_start

        return given_start(axes, at, fixed)
    return (deep_mode if what is _DEPTH else first_layers)(axes, at, fixed)


def _needed(what: Reading, axes: Collection[str], fixed: Mapping[str, Any]) -> tuple[str, ...]:
    if what is _FIRST:
        return ("inputs", "rank")
    if what in (_DEPTH, _GIVEN):
        return ("start",)
    return ("units" if "rank" in axes else "start", "steps")
