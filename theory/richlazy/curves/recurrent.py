"""Curves of recurrent starts over random tasks, inputs and readouts (T16 to T20).

Every point is `richlazy.recurrent.expect`, along time all of them from one flow, with the same
random numbers at every point, so that what differs between two points is what the axis changes
(tasks of another number of steps are other tasks). Beside each measure stand `<measure>_sd` over
the draws and `<measure>_standard_error` of the mean; `provenance` holds the method and accuracy of
every point.

Every function takes what `expect` takes, by the same names and with its defaults: `channels`,
`outputs`, `strength`, `input_norm`, `readout_norm`, `t`, `method`, `rng`, and `tasks` (50).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from numbers import Integral
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.curves import values
from richlazy.curves.axes import Axis
from richlazy.curves.curve import Curve, made
from richlazy.curves.points import TYPICAL, Start, columns, kind, question
from richlazy.curves.setting import Setting
from richlazy.errors import generator, integer, positive
from richlazy.recurrent.averages.expect import expect_over
from richlazy.start.matrices import MatrixLike

__all__ = ["MAKERS", "gain", "rank", "steps", "strength", "time"]

Array = NDArray[np.float64]


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
    start = Start(None, n, gain=g, steps=steps)
    return _along("rank", values.sampled_ranks(ranks, n), start, {"method": "sample", **setting})


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
    return _along("gain", values.gains(gains), Start.given(start, units, steps), setting)


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
    return _along("steps", values.lengths(lengths), Start.given(start, units), setting)


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
    x = values.few_strengths(strengths)
    return _along("strength", x, Start.given(start, units, steps), setting)


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
    most = positive(setting.get("strength", 1.0), "strength", ndim=0)
    x = values.few_ts(ts, float(most))
    return _along("time", x, Start.given(start, units, steps), setting)


def _along(axis: Axis, x: Array, start: Start, setting: Setting) -> Curve:
    """`expect` at every point, with the same random numbers."""
    given = question([axis], setting)
    seed = given.pop("rng")
    rng = generator(0 if seed is None else seed)
    begin = copy.deepcopy(rng)
    found: list[dict[str, Any]] = []
    # along time one flow answers for every point
    for point in [start.at({axis: value}) for value in ([x] if axis == "time" else x)]:
        rng.bit_generator.state = begin.bit_generator.state
        records = expect_over(**{**given, **point, "rng": rng})
        found += [record.to_dict() for record in records]
    given.pop("method")  # said point by point
    stated = {**start.said(), **given, "rng": seed if isinstance(seed, Integral) else "a Generator"}
    curve = made(axis, x, columns(found), "T20", f"{kind(found[0]['method'])} {TYPICAL}", **stated)
    curve.provenance["method"] = [record["method"] for record in found]
    curve.provenance["accuracy"] = [record["accuracy"] for record in found]
    return curve


#: The curve along each axis.
MAKERS: dict[str, Callable[..., Curve]] = {
    make.__name__: make for make in (rank, gain, steps, strength, time)
}
