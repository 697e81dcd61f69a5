"""Curves of a given start, a spectrum or a first layer, over random tasks: `expect` at every point.

Every point has the same random numbers, so that what differs between two points is what the axis
changes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from numbers import Integral
from typing import Any, Literal, NamedTuple, TypedDict, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.averages.expect import Average, expect_over
from richlazy.averages.question import asked
from richlazy.averages.record import Expected
from richlazy.curves import values as defaults
from richlazy.curves.curve import Curve, made
from richlazy.curves.flat import PARAMETERS
from richlazy.curves.points import columns, distinct_words
from richlazy.errors import Rng, generator, positive
from richlazy.laziness import Measures
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import MatrixLike
from richlazy.start.precision import PrecisionLike

__all__ = [
    "SETTING",
    "Along",
    "Begun",
    "Setting",
    "along",
    "formulas",
    "of",
    "points",
    "records",
    "stated",
    "understood",
]

Array = NDArray[np.float64]
Along = Literal["time", "scale", "strength", "alignment"]
#: The setting of curves and maps of a given start.
SETTING = "given start, silent readout, white inputs"


class Begun(NamedTuple):
    """What every point starts from, and what provenance says of it.

    Of a matrix its singular values, found once, their rank and whether they are one value, where
    they can be had.
    """

    start: MatrixLike
    inputs: int
    rank: int | None
    norm: float | None
    flat: bool
    said: dict[str, Any]
    precision: float


class Setting(TypedDict, total=False):
    """What `expect` takes besides the start and its inputs."""

    outputs: int
    strength: float
    alignment: float | None
    norm: float | None
    t: float
    method: Average | None
    tasks: int | None
    rng: Rng | None
    precision: PrecisionLike


def of(
    start: MatrixLike,
    axis: Along,
    values: ArrayLike | None = None,
    *,
    inputs: int | None = None,
    **setting: Unpack[Setting],
) -> Curve:
    """Laziness of a start of your own along one axis, over random tasks on white inputs.

    Every point is `richlazy.expect`, with the same random numbers; beside each measure stand its
    standard deviation from task to task, `<measure>_sd`, and the standard error of the mean,
    `<measure>_standard_error` (0 where exact, NaN for an approximation, whose `accuracy` in the
    provenance says how far it goes).

    Parameters
    ----------
    start, inputs
        As in `expect`: singular values and d, or a first layer W1 (hidden x inputs).
    axis
        "time" (learning rate x steps), "scale" (the Frobenius norm that the start is brought to),
        "strength" (||cov_yx||_F) or "alignment" (c, tasks of one output).
    values
        Along the axis, (n,). By default 13: times 0.01 to 100 over the strength, norms 0.1 to 10
        times its root, strengths 0.01 to 100 times the squared norm, alignments just above 0 to 1.
    **setting
        `outputs`, `strength`, `alignment`, `norm`, `t`, `method`, `tasks`, `rng` and `precision` of
        `expect`, with its defaults, but for the one that the axis says.

    Returns
    -------
    Curve
        Whose provenance says what the start was, and the method and accuracy of every point.

    Raises
    ------
    ValueError
        For another axis, and whatever `expect` refuses at one of the values.
    TypeError
        For a setting that the axis says, or that is none.

    Examples
    --------
    >>> from richlazy import spectrum
    >>> curve = of(spectrum.power_law(64, exponent=0.5), "scale", [0.1, 1.0, 10.0], inputs=64)
    >>> curve["kernel_alignment"].round(2), "kernel_alignment_standard_error" in curve
    (array([0.46, 0.48, 0.99]), True)
    """
    if axis not in get_args(Along):
        raise ValueError(f"axis must be one of {', '.join(get_args(Along))}; it is {axis!r}")
    own = PARAMETERS[axis]
    for name in setting:
        if name == own:
            raise TypeError(f"{name} is the axis of this curve; leave it out")
        if name not in Setting.__annotations__:
            known = ", ".join(Setting.__annotations__)
            raise TypeError(f"{name} is no setting; they are {known}")
    seed = setting.get("rng")
    rng = generator(0 if seed is None else seed)
    given: dict[str, Any] = {name: v for name, v in setting.items() if name != "rng"}
    begun = understood(start, inputs, {"norm": 1.0, **given} if own == "norm" else given)
    x = along(axis, values, begun, float(positive(given.get("strength", 1.0), "strength", ndim=0)))
    found = points(begun, [{own: value} for value in x.tolist()], given, rng)
    told = int(seed or 0) if seed is None or isinstance(seed, Integral) else "a Generator"
    return _made(axis, x, found, {**begun.said, **stated({own}, given), "rng": told})


def points(
    begun: Begun,
    places: Sequence[dict[str, float]],
    given: dict[str, Any],
    rng: np.random.Generator,
) -> list[Expected]:
    """`expect` at every place, with the same random numbers; all times of a place at once."""
    begin, found = rng.bit_generator.state, []
    for place, at in groupby(places, lambda place: {k: v for k, v in place.items() if k != "t"}):
        rng.bit_generator.state = begin
        point = {**given, **place, "precision": begun.precision, "rng": rng}
        point["t"] = [one.get("t", given.get("t", np.inf)) for one in at]
        found += expect_over(begun.start, begun.inputs, **point)
    return found


def understood(start: MatrixLike, inputs: int | None, given: dict[str, Any]) -> Begun:
    """The start as every point takes it, checked with what else is given."""
    usual: dict[str, Any] = {"outputs": 1, "strength": 1.0, "alignment": None, "t": np.inf}
    usual |= dict.fromkeys(("norm", "method", "tasks", "rng", "precision"))
    said: dict[str, Any]
    case = asked(start, inputs, **{**usual, **given})
    found = case.spectrum
    matrix = None if case.network is None else case.network.first
    if found is None:
        assert matrix is not None
        norm, d = None, int(matrix.shape[1])
        if matrices.has_entries(matrix):
            norm = float(np.sqrt(matrices.second_moments_trace(matrix)))
        said = {"matrix": f"{matrix.shape[0]} x {d}", "inputs": d}
        return Begun(matrix, d, None, norm, False, said, case.precision)
    s, d = np.repeat(found.values, found.counts.astype(int)), found.inputs
    if matrix is None:
        said = {"singular_values": spectrum.check(start)}
    else:
        said = {"matrix": f"{matrix.shape[0]} x {d}"}
    norm = float(s[0] * np.linalg.norm(s / s[0]))
    return Begun(s, d, found.rank, norm, found.flat, {**said, "inputs": d}, case.precision)


def along(axis: Along, values: ArrayLike | None, begun: Begun, strength: float) -> Array:
    """The values along an axis, by default those that suit the start and the strength."""
    if axis == "time":
        return defaults.few_ts(values, strength)
    if axis == "scale":
        return defaults.few_norms(values, strength)
    if axis == "strength":
        if values is None and begun.norm is None:
            raise ValueError("values are needed along strength: a LinearOperator tells no norm")
        return defaults.strengths(values, begun.norm or 1.0, few=True)
    return defaults.alignments(values, full=begun.rank == begun.inputs, few=True)


def stated(own: Collection[str], given: dict[str, Any]) -> dict[str, Any]:
    """The setting but what the axes say, as in provenance; methods are said point by point."""
    every = {"outputs": 1, "strength": 1.0, "alignment": None, "t": np.inf, **given}
    return {
        name: value
        for name, value in every.items()
        if name not in (*own, "method", "precision") and (value is not None or name == "alignment")
    }


def formulas(methods: Iterable[str]) -> str:
    """The statements that some methods name, each once."""
    return ", ".join(dict.fromkeys(one for words in methods for one in re.findall(r"T\d+", words)))


def records(found: Sequence[Expected], axes: Collection[str]) -> list[dict[str, Any]]:
    """Records in plain values, without what each point of an axis says of itself."""
    every = [record.to_dict() for record in found]
    if "alignment" in axes:
        for record in every:
            record["assumptions"] = [w for w in record["assumptions"] if "alignment" not in w]
    return every


def _made(axis: Along, x: Array, found: Sequence[Expected], said: dict[str, Any]) -> Curve:
    every = records(found, [axis])
    methods = [record["method"] for record in every]
    shown = columns(every, Measures._fields)
    curve = made(axis, x, shown, formulas(methods), SETTING, **said)
    curve.provenance["method"] = methods
    curve.provenance["accuracy"] = [record["accuracy"] for record in every]
    curve.provenance["assumptions"] = distinct_words(every)
    return curve
