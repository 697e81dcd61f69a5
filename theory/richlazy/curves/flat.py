"""Theory curves: laziness along one named axis, with its provenance.

`depth` follows one balanced mode of a deep linear network (T4). Every other function
evaluates the closed forms of a flat low-rank start (T6 and T7: one output, silent readout,
white inputs): with `alignment` the task is fixed and the curve is T6; without, it is the mean
over random tasks and its standard deviation, T7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.curves import values
from richlazy.curves.axes import Axis
from richlazy.curves.curve import Curve, made
from richlazy.curves.values import default_ranks
from richlazy.errors import integer, positive, times
from richlazy.formulas import low_rank
from richlazy.formulas.depth import state as deep_mode
from richlazy.laziness import Measures

__all__ = [
    "BALANCED",
    "FLAT",
    "MAKERS",
    "PARAMETERS",
    "alignment",
    "balanced_mode",
    "default_ranks",
    "depth",
    "flat_starts",
    "rank",
    "scale",
    "strength",
    "time",
]

Array = NDArray[np.float64]
#: What the two closed forms need.
FLAT = "flat start, silent readout, white inputs, one output"
BALANCED = "balanced mode, every layer aligned, white inputs"
#: What the axis is called among the parameters of `low_rank` or `depth`.
PARAMETERS = {
    "rank": "rank",
    "alignment": "alignment",
    "scale": "norm",
    "strength": "strength",
    "depth": "layers",
    "time": "t",
}


def rank(
    inputs: int,
    *,
    norm: float = 1.0,
    strength: float = 1.0,
    ranks: ArrayLike | None = None,
    alignment: float | None = None,
    t: float = np.inf,
) -> Curve:
    """Laziness against the rank of a flat start, norm held fixed (T6, T7, T9).

    `ranks` defaults to `default_ranks` of the inputs. With an alignment below 1 the full
    rank is left out: no direction lies outside its row space.

    Examples
    --------
    >>> curve = rank(inputs=100, norm=1.0)
    >>> curve.x.size, float(curve.columns["kernel_alignment"][4].round(4))
    (100, 0.2584)
    """
    d = integer(inputs, "inputs")
    x = values.ranks(ranks, d, whole=alignment is None or not alignment < 1)
    given = {"inputs": d, "norm": norm, "strength": strength, "alignment": alignment, "t": t}
    return _along("rank", x, **given)


def alignment(
    rank: float,
    inputs: int,
    *,
    norm: float = 1.0,
    strength: float = 1.0,
    alignments: ArrayLike | None = None,
    t: float = np.inf,
) -> Curve:
    """Laziness against the share of the task inside the row space of the start (T6).

    At alignment 0 nothing is ever learned: the default starts just above it. At rank =
    inputs it is alignment 1 alone: no direction lies outside the row space.

    Examples
    --------
    >>> curve = alignment(rank=5, inputs=100)
    >>> bool(np.all(np.diff(curve.columns["kernel_alignment"]) > 0))
    True
    """
    d = integer(inputs, "inputs")
    x = values.alignments(alignments, full=rank == d)
    return _along("alignment", x, rank=rank, inputs=d, norm=norm, strength=strength, t=t)


def scale(
    rank: float,
    inputs: int,
    *,
    norms: ArrayLike | None = None,
    strength: float = 1.0,
    alignment: float | None = None,
    t: float = np.inf,
) -> Curve:
    """Laziness against the norm of the start, from the rich limit (T8) to the lazy one (T9).

    `norms` defaults to 81 values from 0.01 to 100 times the root of the strength.
    """
    d, g = integer(inputs, "inputs"), float(positive(strength, "strength", ndim=0))
    x = values.norms(norms, g)
    return _along("scale", x, rank=rank, inputs=d, strength=g, alignment=alignment, t=t)


def strength(
    rank: float,
    inputs: int,
    *,
    strengths: ArrayLike | None = None,
    norm: float = 1.0,
    alignment: float | None = None,
    t: float = np.inf,
) -> Curve:
    """Laziness against the length of the task vector; stronger tasks are learned more richly.

    `strengths` defaults to 81 values from 0.01 to 100 times the squared norm.
    """
    d, sigma = integer(inputs, "inputs"), float(positive(norm, "norm", ndim=0))
    x = values.strengths(strengths, sigma)
    return _along("strength", x, rank=rank, inputs=d, norm=sigma, alignment=alignment, t=t)


def time(
    rank: float,
    inputs: int,
    *,
    norm: float = 1.0,
    strength: float = 1.0,
    ts: ArrayLike | None = None,
    alignment: float | None = None,
) -> Curve:
    """Laziness against time, learning rate x steps (T6 at finite t).

    `ts` defaults to 81 values from 0.01 to 100 over the strength.
    """
    d, g = integer(inputs, "inputs"), float(positive(strength, "strength", ndim=0))
    x = values.ts(ts, g)
    return _along("time", x, rank=rank, inputs=d, norm=norm, strength=g, alignment=alignment)


def depth(
    start: float, *, strength: float = 1.0, layers: ArrayLike | None = None, t: float = np.inf
) -> Curve:
    """Laziness of one balanced, aligned mode against the number of layers (T4).

    `start` is the strength of the mode in the product of the layers at time 0, the same at
    every depth; `layers` (real, >= 1) defaults to 81 values from 1 to 100. The tangent kernel
    of one mode keeps its direction, so its change is that of its size.

    Examples
    --------
    >>> curve = depth(start=0.01, layers=[1, 2, 4])
    >>> curve.columns["relative_kernel_change"].round(6)
    array([  0.,  99., 999.])
    """
    x = values.layers(layers)
    given = {"start": start, "strength": strength, "t": t}
    for name, value in given.items():
        _one_number(name, value)
    return made("depth", x, balanced_mode(**given, layers=x), "T4", BALANCED, **given)


def flat_starts(
    *, alignment: ArrayLike | None = None, **point: ArrayLike
) -> tuple[str, dict[str, Array]]:
    """Formula and columns of flat starts; parameters of `low_rank.measures` that broadcast."""
    if alignment is not None:
        return "T6", low_rank.measures(**point, alignment=alignment)._asdict()
    found = low_rank.expected(**point)
    columns = {}
    for name, mean, sd in zip(Measures._fields, found.mean, found.sd, strict=True):
        columns[name], columns[f"{name}_sd"] = mean, sd
    return "T7", columns


def balanced_mode(
    start: ArrayLike, strength: ArrayLike, t: ArrayLike, layers: ArrayLike
) -> dict[str, Array]:
    """Columns of balanced modes (T4); the parameters broadcast."""
    found = deep_mode(positive(start, "start"), positive(strength, "strength"), times(t), layers)
    columns = {"mode_strength": found.strength}
    for name in ("weight_change", "relative_kernel_change", "loss"):
        columns[name] = getattr(found, name)
    return columns


def _along(axis: Axis, x: Array, **given: Any) -> Curve:
    """The flat start whose parameter of that axis is x and whose others are those given."""
    for name, value in given.items():
        _one_number(name, value)
    if x.ndim != 1:
        raise ValueError(f"{axis} must be a vector; its shape is {x.shape}")
    formula, columns = flat_starts(**{**given, PARAMETERS[axis]: x})
    return made(axis, x, columns, formula, FLAT, **given)


def _one_number(name: str, value: Any) -> None:
    if np.ndim(value):
        raise ValueError(f"{name} must be one number; its shape is {np.shape(value)}")


#: The curve along each axis.
MAKERS: dict[str, Callable[..., Curve]] = {
    make.__name__: make for make in (rank, alignment, scale, strength, depth, time)
}
