"""Curves of a given start, a spectrum or a first layer, over random tasks: `expect` at every point.

Every point has the same random numbers, so that what differs between two points is what the axis
changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal, NamedTuple, TypedDict, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.averages.expect import Average, expect
from richlazy.averages.question import asked
from richlazy.averages.record import Expected
from richlazy.curves import values as defaults
from richlazy.curves.curve import Curve, made
from richlazy.curves.flat import PARAMETERS
from richlazy.curves.points import columns
from richlazy.errors import Rng, generator, positive
from richlazy.laziness import Measures
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import MatrixLike
from richlazy.start.precision import PrecisionLike

__all__ = ["Along", "Setting", "of"]

Array = NDArray[np.float64]
Along = Literal["time", "scale", "strength", "alignment"]
_SETTING = "given start, silent readout, white inputs"


class _Begun(NamedTuple):
    """What every point starts from, and what provenance says of it.

    Of a matrix its singular values, found once, and their rank, where they can be had.
    """

    start: MatrixLike
    inputs: int
    rank: int | None
    norm: float | None
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
    begun = _understood(start, inputs, {"norm": 1.0, **given} if own == "norm" else given)
    given["precision"] = begun.precision
    x = _along(axis, values, begun, float(positive(given.get("strength", 1.0), "strength", ndim=0)))
    begin, found = rng.bit_generator.state, []
    for value in x.tolist():
        rng.bit_generator.state = begin
        found.append(expect(begun.start, begun.inputs, **{**given, own: value, "rng": rng}))
    return _made(axis, x, found, {**begun.said, **_stated(own, given, seed)})


def _understood(start: MatrixLike, inputs: int | None, given: dict[str, Any]) -> _Begun:
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
        return _Begun(matrix, d, None, norm, said, case.precision)
    s, d = np.repeat(found.values, found.counts.astype(int)), found.inputs
    if matrix is None:
        said = {"singular_values": spectrum.check(start)}
    else:
        said = {"matrix": f"{matrix.shape[0]} x {d}"}
    norm = float(s[0] * np.linalg.norm(s / s[0]))
    return _Begun(s, d, found.rank, norm, {**said, "inputs": d}, case.precision)


def _along(axis: Along, values: ArrayLike | None, begun: _Begun, strength: float) -> Array:
    if axis == "time":
        return defaults.few_ts(values, strength)
    if axis == "scale":
        return defaults.few_norms(values, strength)
    if axis == "strength":
        if values is None and begun.norm is None:
            raise ValueError("values are needed along strength: a LinearOperator tells no norm")
        return defaults.strengths(values, begun.norm or 1.0, few=True)
    return defaults.alignments(values, full=begun.rank == begun.inputs, few=True)


def _stated(own: str, given: dict[str, Any], seed: Any) -> dict[str, Any]:
    """The setting, as provenance says it; methods are said point by point."""
    stated = {"outputs": 1, "strength": 1.0, "alignment": None, "t": np.inf, **given}
    stated = {
        name: value
        for name, value in stated.items()
        if name not in (own, "method", "precision") and (value is not None or name == "alignment")
    }
    seed = 0 if seed is None else seed
    return {**stated, "rng": int(seed) if isinstance(seed, Integral) else "a Generator"}


def _made(axis: Along, x: Array, found: Sequence[Expected], stated: dict[str, Any]) -> Curve:
    ids = dict.fromkeys(one for record in found for one in re.findall(r"T\d+", record.method))
    shown = columns([record.to_dict() for record in found], Measures._fields)
    curve = made(axis, x, shown, ", ".join(ids), _SETTING, **stated)
    curve.provenance["method"] = [record.method for record in found]
    curve.provenance["accuracy"] = [record.accuracy for record in found]
    every = (words for record in found for words in record.assumptions)
    own = "alignment" if axis == "alignment" else "\n"  # which every point says of itself
    curve.provenance["assumptions"] = [words for words in dict.fromkeys(every) if own not in words]
    return curve
