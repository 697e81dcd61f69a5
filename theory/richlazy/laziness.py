"""The laziness measures: one set of definitions for theory, simulations and your own runs.

Lazy learning keeps the weights, the representation and the tangent kernel where they
were: small weight change, alignments near 1. Rich learning moves them.

With R = W1'W1 (d x d), B = W2 W2' (m x m) and K = R (x) I_m + I_d (x) B, index order
(input, output), for whitened inputs:

- weight change ||dW||_F, all layers together;
- representation alignment RA = tr(R_0 R_t) / (||R_0|| ||R_t||);
- kernel alignment KA = tr(K_0 K_t) / (||K_0|| ||K_t||);
- target alignment TA = <S, K_t S> / (||K_t|| ||S||^2), S = cov_yx: between the kernel at one time
  and the task (T21), at most 1.

A measure that is 0/0 is None in a record and an UndefinedError from a direct call.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import UndefinedError, real_array
from richlazy.summary import summary

__all__ = [
    "ORTHOGONAL",
    "Alignments",
    "ChangeRank",
    "Laziness",
    "Measures",
    "Traces",
    "alignment",
    "along_task",
    "as_kernel",
    "change_rank",
    "defined",
    "defined_alignment",
    "difference",
    "from_traces",
    "gap",
    "kernel_alignment",
    "kernels",
    "or_none",
    "over_largest",
    "plain",
    "relative_weight_change",
    "representation_alignment",
    "sign_similarity",
    "unit_of",
    "weight_change",
]

Array = NDArray[np.float64]

_SINGLE_PRECISION = 1e-6  # of the largest entry: how far a kernel in float32 is from symmetric
_LOW_PRECISION = 1e-2  # the same in TF32 and bfloat16
#: Target alignments are known relative to themselves down to this, and below it relative to it.
ORTHOGONAL = 1e-12


Weights = ArrayLike | Sequence[ArrayLike]


class Measures(NamedTuple):
    """Arrays of every measure, over any axes."""

    weight_change: Array
    weight_change_input: Array
    weight_change_readout: Array
    representation_alignment: Array
    kernel_alignment: Array
    target_alignment: Array
    loss: Array

    @property
    def alignments(self) -> Alignments:
        """Those that the representation, readout and function give."""
        return Alignments(*(getattr(self, name) for name in Alignments._fields))


class Alignments(NamedTuple):
    """Arrays of the measures that the representation, readout and function give."""

    representation_alignment: Array
    kernel_alignment: Array
    target_alignment: Array
    loss: Array

    @property
    def alignments(self) -> Alignments:
        """These."""
        return self


class ChangeRank(NamedTuple):
    """Participation ratios of the change of each layer (T21)."""

    input: Array
    readout: Array


@dataclass(frozen=True)
class Laziness:
    """The measures of one start between time 0 and `time`, and how they were found.

    None marks what is undefined (0/0) or was not measured. Of a stack of starts each measure is
    an array of its shape, NaN where it is undefined.
    """

    weight_change: float
    weight_change_input: float
    weight_change_readout: float
    relative_weight_change: float | None
    relative_weight_change_input: float | None
    representation_alignment: float | None
    kernel_alignment: float | None
    target_alignment: float | None
    loss: float
    time: float
    method: str
    assumptions: tuple[str, ...]
    accuracy: str
    sign_similarity: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON (an infinite time is the string "inf")."""
        values = {name: plain(value) for name, value in asdict(self).items()}
        values["assumptions"] = list(self.assumptions)
        values["time"] = "inf" if np.isinf(self.time) else self.time
        return values

    def __repr__(self) -> str:
        measured = {name: getattr(self, name) for name in Measures._fields}
        if self.sign_similarity is not None:
            measured["sign_similarity"] = self.sign_similarity
        return summary(self, method=self.method, time=self.time, **measured)


def plain(value: Any) -> Any:
    """A value of a record ready for JSON: arrays as lists, None for the NaN of what is undefined.

    >>> plain(np.array([0.5, np.nan]))
    [0.5, None]
    """
    if isinstance(value, np.ndarray):
        return np.where(np.isnan(value), None, value).tolist()  # type: ignore[call-overload]
    return value


class Traces(NamedTuple):
    """What the alignments need of two representations, two readouts and a task."""

    r0_rt: Array  #: tr R_0 R_t
    r0_r0: Array  #: tr R_0^2
    rt_rt: Array  #: tr R_t^2
    r0: Array  #: tr R_0
    rt: Array  #: tr R_t
    b0_bt: Array
    b0_b0: Array
    bt_bt: Array
    b0: Array
    bt: Array
    along: Array  #: <S, K_t S> / ||S||^2, `along_task`


def from_traces(v: Traces, inputs: float, outputs: int) -> tuple[Array, Array, Array]:
    """RA, KA and target alignment from traces.

    tr K_0 K_t = m tr R_0 R_t + tr R_0 tr B_t + tr B_0 tr R_t + d tr B_0 B_t.

    With inputs that are not white, R stands for cov_xx^(1/2) R cov_xx^(1/2); then r0 and rt
    are tr(R cov_xx), and `inputs` is tr cov_xx^2. NaN marks 0/0.
    """
    ra = alignment(v.r0_rt, v.r0_r0, v.rt_rt)
    cross = outputs * v.r0_rt + v.r0 * v.bt + v.b0 * v.rt + inputs * v.b0_bt
    square0 = outputs * v.r0_r0 + 2 * v.r0 * v.b0 + inputs * v.b0_b0
    square_t = outputs * v.rt_rt + 2 * v.rt * v.bt + inputs * v.bt_bt
    ka = alignment(cross, square0, square_t)
    return ra, ka, alignment(v.along, np.ones_like(square_t), square_t)


def along_task(moved: Array, size: ArrayLike) -> Array:
    """<S, K S> / ||S||^2 of a task, NaN of none.

    `moved` is <S, K S> = ||W1 cov_yx'||^2 + ||W2' cov_yx||^2 (T21): with inputs that are not white
    S is cov_yx cov_xx^(-1/2), K that of `from_traces`, and the roots cancel. `size` is ||S||^2.
    """
    known = np.asarray(size) > 0
    return np.asarray(np.where(known, moved / np.where(known, size, 1.0), np.nan))


def alignment(inner: ArrayLike, square0: ArrayLike, square_t: ArrayLike) -> Array:
    """inner / sqrt(square0 * square_t), at most 1; NaN where 0/0 (callers turn that away)."""
    product = np.sqrt(np.asarray(square0)) * np.sqrt(np.asarray(square_t))
    defined = product > 0
    ratio = np.asarray(inner) / np.where(defined, product, 1.0)
    return np.where(defined, np.minimum(ratio, 1.0), np.nan)


def change_rank(change: Array) -> Array:
    """Participation ratio (||X||^2)^2 / ||X X'||^2 of matrices (..., rows, columns).

    Between 1 and the rank (T21).

    Raises
    ------
    UndefinedError
        If one is zero.

    Examples
    --------
    >>> change_rank(np.array([np.eye(3), np.ones((3, 3))])).round(12)
    array([3., 1.])
    """
    largest = np.abs(change).max(axis=(-2, -1), keepdims=True, initial=0.0)
    if np.any(largest == 0):
        raise UndefinedError("rank of the weight change is 0/0: a layer has not moved at some time")
    x = change / largest
    x = x if x.shape[-2] <= x.shape[-1] else np.swapaxes(x, -1, -2)
    gram = x @ np.swapaxes(x, -1, -2)
    trace = np.trace(gram, axis1=-2, axis2=-1)
    return np.asarray(trace**2 / np.sum(gram * gram, axis=(-2, -1)))


def difference(a: Measures, b: Measures) -> float:
    """Largest `gap` of weight change and alignments between two runs."""
    names = ("weight_change", "representation_alignment", "kernel_alignment", "target_alignment")
    return max(gap(name, getattr(a, name), getattr(b, name)) for name in names)


def gap(name: str, a: Array, b: Array) -> float:
    """Largest relative difference of one measure, found in two ways.

    A target alignment below `ORTHOGONAL` is rounding of a start orthogonal to its task, and known
    relative to that.
    """
    least = ORTHOGONAL if name == "target_alignment" else 0.0
    known = np.isfinite(a) & np.isfinite(b) & (a != b)
    size = np.maximum(np.maximum(np.abs(a), np.abs(b))[known], least)
    return float(np.max(np.abs(a - b)[known] / size, initial=0.0))


def defined(values: Array, what: str) -> Array:
    """The values, if none is NaN, the mark of 0/0.

    Raises
    ------
    UndefinedError
        If one is.
    """
    if np.any(np.isnan(values)):
        raise UndefinedError(f"{what} is 0/0: the representation or kernel is zero at some time")
    return values


def or_none(value: ArrayLike) -> float | None:
    """One value as a record holds it: None where it is NaN, the mark of 0/0."""
    return None if np.isnan(value) else float(np.asarray(value))


def _layers(weights: Any, name: str) -> list[Array]:
    if _is_list_of_layers(weights):
        return [real_array(layer, f"{name}[{i}]") for i, layer in enumerate(weights)]
    return [real_array(weights, name)]


def _is_list_of_layers(weights: Any) -> bool:
    """Whether a list holds arrays of their own, kernels or biases first, and not rows of one."""
    if not isinstance(weights, (list, tuple)):
        return False
    try:
        shapes = [np.shape(layer) for layer in weights]
    except ValueError:  # rows that differ
        return False
    arrays = any(hasattr(layer, "shape") for layer in weights)
    return any(len(shape) > 1 for shape in shapes) or (arrays and len(set(shapes)) > 1)


def _size(layers: Sequence[Array], unit: float) -> float:
    """Frobenius norm of all layers together, in units of `unit`, which is 1 if it is 0."""
    return float(np.sqrt(sum(np.sum((w / (unit or 1.0)) ** 2) for w in layers)))


def unit_of(layers: Sequence[Array]) -> float:
    """The power of two at or below the largest entry, which divides without rounding; 0 of 0."""
    largest = max(float(np.abs(w).max()) for w in layers)
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest > 0 else 0.0


def _change(initial: Weights, final: Weights) -> tuple[float, float]:
    """||W_t - W_0||_F as two factors, the second at most a few digits: squares may overflow."""
    before, after = _layers(initial, "initial"), _layers(final, "final")
    shapes0, shapes1 = [w.shape for w in before], [w.shape for w in after]
    if shapes0 != shapes1:
        raise ValueError(f"initial and final must have the same shapes: {shapes0} and {shapes1}")
    unit = max(unit_of(before), unit_of(after)) or 1.0
    moved = [b / unit - a / unit for a, b in zip(before, after, strict=True)]
    scale = unit_of(moved)
    return unit, scale * _size(moved, scale)


def _in_range(value: float, what: str) -> float:
    if np.isinf(value):
        raise ValueError(f"{what} leaves the range of float64; rescale the weights")
    return value


def weight_change(initial: Weights, final: Weights) -> float:
    """||W_t - W_0||_F over one weight array or over a list of layers together.

    Parameters
    ----------
    initial, final
        One array, or a list of arrays of any shapes: kernels and biases in any order.

    Raises
    ------
    ValueError
        If the shapes differ, or the change leaves the range of float64.

    Examples
    --------
    >>> weight_change([[0.0, 0.0]], [[3.0, 4.0]])
    5.0
    >>> bias, kernel = np.zeros(3), np.zeros((3, 2))
    >>> weight_change([bias, kernel], [bias + 1.0, kernel + 1.0])
    3.0
    """
    unit, moved = _change(initial, final)
    return _in_range(unit * moved, "weight change")


def relative_weight_change(initial: Weights, final: Weights) -> float:
    """||W_t - W_0||_F / ||W_0||_F, of arrays as in `weight_change`.

    Raises
    ------
    UndefinedError
        If the initial weights are all zero.

    Examples
    --------
    >>> relative_weight_change([[1e200]], [[2e200]])
    1.0
    """
    unit, moved = _change(initial, final)
    before = _layers(initial, "initial")
    largest = unit_of(before)
    if largest == 0:
        raise UndefinedError("relative weight change is 0/0: the initial weights are all zero")
    with np.errstate(over="ignore"):  # told below
        ratio = np.float64(moved / _size(before, largest)) * np.float64(unit / largest)
    return _in_range(float(ratio), "relative weight change")


def representation_alignment(initial: ArrayLike, final: ArrayLike) -> float:
    """RA = ||H_0' H_t||_F^2 / (||H_0' H_0||_F ||H_t' H_t||_F) from hidden activations.

    Parameters
    ----------
    initial, final
        Activations H of the same samples, (samples, hidden), before and after training. The
        Gram matrix H H' is not centred. For weights on whitened inputs pass W1.T.

    Raises
    ------
    UndefinedError
        If either is all zero.

    Examples
    --------
    >>> round(representation_alignment([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 0.0]]), 6)
    0.707107
    """
    h0, ht = real_array(initial, "initial", ndim=2), real_array(final, "final", ndim=2)
    if h0.shape[0] != ht.shape[0]:
        raise ValueError(
            f"initial and final must have one row per sample each; their shapes are {h0.shape} "
            f"and {ht.shape}"
        )
    h0, ht = over_largest(h0), over_largest(ht)
    if h0.shape[0] < max(h0.shape[1], ht.shape[1]):  # the smaller of two equal products
        g0, gt = h0 @ h0.T, ht @ ht.T
        return defined_alignment(
            np.sum(g0 * gt), np.sum(g0 * g0), np.sum(gt * gt), "representation"
        )
    cross, own0, own_t = h0.T @ ht, h0.T @ h0, ht.T @ ht
    return defined_alignment(np.sum(cross**2), np.sum(own0**2), np.sum(own_t**2), "representation")


def kernel_alignment(initial: ArrayLike, final: ArrayLike) -> float:
    """KA = tr(K_0 K_t) / (||K_0||_F ||K_t||_F) of two kernels, (n, n) symmetric.

    A kernel computed at low precision (TF32, bfloat16) is symmetric to a few digits only: what is
    off by up to 1 % of its largest entry is made symmetric, (K + K')/2, with a UserWarning.

    Raises
    ------
    ValueError
        If a kernel is not symmetric, as activations are not.
    UndefinedError
        If either is all zero.

    Examples
    --------
    >>> round(kernel_alignment([[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]), 6)
    0.707107
    """
    k0, kt = kernels(initial, final)
    return defined_alignment(np.sum(k0 * kt), np.sum(k0 * k0), np.sum(kt * kt), "kernel")


def sign_similarity(initial: ArrayLike, final: ArrayLike) -> float:
    """Share of hidden units x samples whose activation keeps its sign (nonlinear networks).

    Parameters
    ----------
    initial, final
        Activations of the same samples before the nonlinearity (preactivations), (samples,
        hidden), before and after training. Values after it serve as well only where it keeps the
        sign, as tanh does. After ReLU 0 counts as a sign of its own, which is the same but for
        preactivations of exactly 0; after a sigmoid or softplus all signs are + and the share is 1.

    Examples
    --------
    >>> sign_similarity([[1.0, -2.0], [3.0, 0.5]], [[2.0, 1.0], [1.0, 0.1]])
    0.75
    """
    h0, ht = real_array(initial, "initial", ndim=2), real_array(final, "final", ndim=2)
    if h0.shape != ht.shape:
        raise ValueError(f"initial and final must have one shape: {h0.shape} and {ht.shape}")
    return float(np.mean(np.sign(h0) == np.sign(ht)))


def kernels(initial: ArrayLike, final: ArrayLike) -> tuple[Array, Array]:
    """Two kernels, checked to be symmetric and of one size, each over its largest entry."""
    k0, kt = real_array(initial, "initial", ndim=2), real_array(final, "final", ndim=2)
    if k0.shape != kt.shape or k0.shape[0] != k0.shape[1]:
        raise ValueError(
            f"initial and final must be square and of one size; they are {k0.shape} and {kt.shape}"
        )
    return (
        _symmetric(over_largest(k0), "initial"),
        _symmetric(over_largest(kt), "final"),
    )


def as_kernel(value: ArrayLike, name: str) -> Array:
    """One kernel, checked to be square and symmetric, over its largest entry."""
    kernel = real_array(value, name, ndim=2)
    if kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"{name} must be a square kernel; its shape is {kernel.shape}")
    return _symmetric(over_largest(kernel), name)


def over_largest(array: Array) -> Array:
    """The array over its largest entry, so that products of its entries stay in range."""
    size = np.abs(array).max()
    return array / size if size > 0 else array


def _symmetric(kernel: Array, name: str) -> Array:
    """The symmetric part of a kernel whose largest entry is 1."""
    off = float(np.abs(kernel - kernel.T).max())
    if off > _LOW_PRECISION:
        raise ValueError(
            f"{name} must be a symmetric kernel: it differs from its transpose by {off:.1e} of its "
            "largest entry; pass H @ H.T, not activations"
        )
    if off > _SINGLE_PRECISION:
        warnings.warn(
            f"{name} differs from its transpose by {off:.1e} of its largest entry, as kernels "
            "computed at low precision do: its symmetric part is used",
            UserWarning,
            stacklevel=4,
        )
    return 0.5 * (kernel + kernel.T)


def defined_alignment(inner: float, square0: float, square_t: float, what: str) -> float:
    """One `alignment`.

    Raises
    ------
    UndefinedError
        If it is 0/0.
    """
    value = float(alignment(inner, square0, square_t))
    if np.isnan(value):
        raise UndefinedError(f"{what} alignment is 0/0: one of the two is all zero")
    return value
