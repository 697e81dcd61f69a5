"""Curves of recurrent starts over random tasks, inputs and readouts (T16 to T20).

Every point is `richlazy.recurrent.expect`, with the same random numbers at every point, so that
what differs between two points is what the axis changes (tasks of another number of steps are
other tasks). Beside each measure stand `<measure>_sd` over the draws and
`<measure>_standard_error` of the mean; `provenance` holds the method and accuracy of every point.

Every function takes what `expect` takes, by the same names and with its defaults: `channels`,
`outputs`, `strength`, `input_norm`, `readout_norm`, `t`, `method`, `rng`, and `tasks` (50).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.curves.axes import Axis
from richlazy.curves.curve import Curve, made
from richlazy.errors import Rng, generator, integer, positive, real_array, times
from richlazy.recurrent.averages.expect import Average, expect
from richlazy.recurrent.measures import Measures
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import MatrixLike

__all__ = ["MAKERS", "gain", "rank", "steps", "strength", "time"]

Array = NDArray[np.float64]

_TASKS = 50


class Setting(TypedDict, total=False):
    """What `expect` takes besides the start and the number of steps."""

    channels: int
    outputs: int
    strength: float
    input_norm: float
    readout_norm: float
    t: float
    method: Average | None
    tasks: int
    rng: Rng | None


_DEFAULTS: Setting = {
    "channels": 1, "outputs": 1, "strength": 1.0, "input_norm": 1.0, "readout_norm": 1.0,
    "t": np.inf, "method": None, "tasks": _TASKS, "rng": 0,
}  # fmt: skip


def rank(
    units: int,
    steps: int,
    *,
    gain: float = 0.6,
    ranks: ArrayLike | None = None,
    **setting: Unpack[Setting],
) -> Curve:
    """Laziness against the rank of a flat recurrent start, its gain ||W||_F / sqrt(N) held fixed.

    A rank of a few is no typical start: `method` defaults to "sample", exact for every rank.
    `ranks` defaults to about 12 from 1 to N, evenly spaced in the logarithm.

    Examples
    --------
    >>> curve = rank(40, 3, ranks=[1, 4, 40], tasks=20)
    >>> bool(np.all(np.diff(curve.columns["kernel_alignment"]) > 0))
    True
    """
    n, g = integer(units, "units"), float(positive(gain, "gain", ndim=0))
    x = np.unique(np.rint(np.geomspace(1, n, 12))) if ranks is None else _vector(ranks, "ranks")
    norm = g * np.sqrt(n)
    points = [{"start": spectrum.flat(integer(r, "ranks"), norm), "steps": steps} for r in x]
    given = {"units": n, "steps": steps, "gain": g}
    return _along("rank", x, points, given, {"method": "sample", **setting})


def gain(
    start: MatrixLike,
    steps: int,
    *,
    units: int | None = None,
    gains: ArrayLike | None = None,
    **setting: Unpack[Setting],
) -> Curve:
    """Laziness against the gain g = ||W||_F / sqrt(N); `start` says the shape of the spectrum.

    Parameters
    ----------
    start, units
        As in `expect`: singular values and N, or a matrix.
    steps
        T.
    gains
        Default: 0.1, 0.2, ... 1.2.
    **setting
        See the top of this page.

    Examples
    --------
    >>> curve = gain(np.ones(30), 3, units=30, gains=[0.3, 0.9], tasks=20)
    >>> a, b = curve.columns["weight_change"]
    >>> bool(a > b)  # more memory, less to change
    True
    """
    x = np.arange(1, 13) / 10.0 if gains is None else positive(_vector(gains, "gains"), "gains")
    matrix, n = _checked(start, units)
    points = [{"start": _scaled(matrix, g * np.sqrt(n)), "steps": steps} for g in x]
    return _along("gain", x, points, {**_said(matrix, n), "steps": steps}, setting)


def steps(
    start: MatrixLike,
    *,
    units: int | None = None,
    lengths: ArrayLike | None = None,
    **setting: Unpack[Setting],
) -> Curve:
    """Laziness against the number of steps T that the task remembers.

    Tasks of every length have the same norm, spread over their lags. `lengths` defaults to
    1, 2, ... 8; `start` and `units` as in `gain`.

    Examples
    --------
    >>> curve = steps(0.6 * np.ones(30), units=30, lengths=[1, 4], tasks=20)
    >>> a, b = curve.columns["weight_change_recurrent"]
    >>> bool(a == 0.0 < b)  # one step does not use W
    True
    """
    x = np.arange(1.0, 9.0) if lengths is None else _vector(lengths, "lengths")
    matrix, n = _checked(start, units)
    points = [{"start": matrix, "steps": integer(k, "lengths")} for k in x]
    return _along("steps", x, points, _said(matrix, n), setting)


def strength(
    start: MatrixLike,
    steps: int,
    *,
    units: int | None = None,
    strengths: ArrayLike | None = None,
    **setting: Unpack[Setting],
) -> Curve:
    """Laziness against the norm ||S|| of the task; stronger tasks are learned more richly.

    `strengths` defaults to 13 values from 0.1 to 10; `start` and `units` as in `gain`.
    """
    x = np.geomspace(0.1, 10.0, 13) if strengths is None else _vector(strengths, "strengths")
    matrix, n = _checked(start, units)
    points = [{"start": matrix, "steps": steps, "strength": value} for value in x]
    return _along("strength", x, points, {**_said(matrix, n), "steps": steps}, setting)


def time(
    start: MatrixLike,
    steps: int,
    *,
    units: int | None = None,
    ts: ArrayLike | None = None,
    **setting: Unpack[Setting],
) -> Curve:
    """Laziness against time, learning rate x steps of training.

    `ts` defaults to 13 values from 0.01 to 100 over the strength; `start` and `units` as in `gain`.
    """
    if ts is None:
        most = positive(setting.get("strength", 1.0), "strength", ndim=0)
        x = np.geomspace(1e-2, 1e2, 13) / float(most)
    else:
        x = np.atleast_1d(times(ts, "ts"))
    matrix, n = _checked(start, units)
    points = [{"start": matrix, "steps": steps, "t": value} for value in x]
    return _along("time", x, points, {**_said(matrix, n), "steps": steps}, setting)


def _vector(values: ArrayLike, name: str) -> Array:
    return real_array(values, name, ndim=1)


def _checked(start: MatrixLike, units: int | None) -> tuple[MatrixLike, int]:
    """The start, and N."""
    if spectrum.is_spectrum(start):
        if units is None:
            raise ValueError("units is needed with singular values: the number of units, N")
        return spectrum.check(start), integer(units, "units")
    matrix = matrices.as_matrix(start, "start")
    return matrix, int(matrix.shape[0])


def _scaled(start: MatrixLike, norm: float) -> MatrixLike:
    if spectrum.is_spectrum(start):
        return start * (norm / np.linalg.norm(start))
    return matrices.rescaled(start, norm)


def _said(start: MatrixLike, units: int) -> dict[str, Any]:
    if spectrum.is_spectrum(start):
        return {"singular_values": start, "units": units}
    return {"start": f"{units} x {units} matrix"}


def _along(
    axis: Axis,
    x: Array,
    points: Sequence[dict[str, Any]],
    fixed: dict[str, Any],
    setting: Setting,
) -> Curve:
    """`expect` at every point, with the same random numbers."""
    own = "t" if axis == "time" else axis
    for name in setting:
        if name == own:
            raise TypeError(f"{name} is the axis of this curve; leave it out")
        if name not in _DEFAULTS:
            raise TypeError(f"{name} is no setting; they are {', '.join(_DEFAULTS)}")
    given: dict[str, Any] = {**_DEFAULTS, **setting}
    given.pop(own, None)
    seed = given.pop("rng")
    rng = generator(0 if seed is None else seed)
    begin, found = copy.deepcopy(rng), []
    units = fixed.get("units")
    for point in points:
        rng.bit_generator.state = begin.bit_generator.state
        found.append(expect(**{"units": units, **given, **point, "rng": rng}))
    columns = {}
    for name in Measures._fields:
        each = [getattr(record, name) for record in found]
        for suffix, part in (("", "mean"), ("_sd", "sd"), ("_standard_error", "standard_error")):
            columns[name + suffix] = np.array([getattr(value, part) for value in each])
    given.pop("method")  # said point by point
    stated = {**fixed, **given, "rng": seed if isinstance(seed, Integral) else "a Generator"}
    what = "sampled" if found[0].method.startswith("sample") else "typical"
    curve = made(axis, x, columns, "T20", f"{what} recurrent start, white inputs", **stated)
    curve.provenance["method"] = [record.method for record in found]
    curve.provenance["accuracy"] = [record.accuracy for record in found]
    return curve


#: The curve along each axis.
MAKERS: dict[str, Callable[..., Curve]] = {
    make.__name__: make for make in (rank, gain, steps, strength, time)
}
