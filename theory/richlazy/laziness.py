"""The laziness measures: one set of definitions for theory, simulations and your own runs.

Lazy learning keeps the weights, the representation and the tangent kernel where they
were: small weight change, alignments near 1. Rich learning moves them.

With R = W1'W1 (d x d), B = W2 W2' (m x m) and K = R (x) I_m + I_d (x) B, index order
(input, output), for whitened inputs:

- weight change ||dW||_F, all layers together;
- representation alignment RA = tr(R_0 R_t) / (||R_0|| ||R_t||);
- kernel alignment KA = tr(K_0 K_t) / (||K_0|| ||K_t||).

A measure that is 0/0 is None in a record and an UndefinedError from a direct call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import UndefinedError, real_array
from richlazy.summary import summary

__all__ = [
    "Alignments",
    "Laziness",
    "Measures",
    "Traces",
    "alignment",
    "defined",
    "difference",
    "from_traces",
    "kernel_alignment",
    "relative_weight_change",
    "representation_alignment",
    "sign_similarity",
    "weight_change",
]

Array = NDArray[np.float64]


class Measures(NamedTuple):
    """Arrays of every measure, over any axes."""

    weight_change: Array
    weight_change_input: Array
    weight_change_readout: Array
    representation_alignment: Array
    kernel_alignment: Array
    loss: Array


class Alignments(NamedTuple):
    """Arrays of the measures that the representation, readout and function give."""

    representation_alignment: Array
    kernel_alignment: Array
    loss: Array


@dataclass(frozen=True)
class Laziness:
    """The measures of one start between time 0 and `time`, and how they were found.

    None marks what is undefined (0/0) or was not measured.
    """

    weight_change: float
    weight_change_input: float
    weight_change_readout: float
    relative_weight_change: float | None
    relative_weight_change_input: float | None
    representation_alignment: float | None
    kernel_alignment: float | None
    loss: float
    time: float
    method: str
    assumptions: tuple[str, ...]
    accuracy: str
    sign_similarity: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON (an infinite time is the string "inf")."""
        values = asdict(self)
        values["assumptions"] = list(self.assumptions)
        values["time"] = "inf" if np.isinf(self.time) else self.time
        return values

    def __repr__(self) -> str:
        measured = {name: getattr(self, name) for name in Measures._fields}
        if self.sign_similarity is not None:
            measured["sign_similarity"] = self.sign_similarity
        return summary(self, method=self.method, time=self.time, **measured)


class Traces(NamedTuple):
    """What the alignments need of two representations and two readouts."""

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


def from_traces(v: Traces, inputs: float, outputs: int) -> tuple[Array, Array]:
    """RA and KA from traces.

    tr K_0 K_t = m tr R_0 R_t + tr R_0 tr B_t + tr B_0 tr R_t + d tr B_0 B_t.

    With inputs that are not white, R stands for cov_xx^(1/2) R cov_xx^(1/2); then r0 and rt
    are tr(R cov_xx), and `inputs` is tr cov_xx^2. NaN marks 0/0.
    """
    ra = alignment(v.r0_rt, v.r0_r0, v.rt_rt)
    cross = outputs * v.r0_rt + v.r0 * v.bt + v.b0 * v.rt + inputs * v.b0_bt
    square0 = outputs * v.r0_r0 + 2 * v.r0 * v.b0 + inputs * v.b0_b0
    square_t = outputs * v.rt_rt + 2 * v.rt * v.bt + inputs * v.bt_bt
    return ra, alignment(cross, square0, square_t)


def alignment(inner: ArrayLike, square0: ArrayLike, square_t: ArrayLike) -> Array:
    """inner / sqrt(square0 * square_t), at most 1; NaN where 0/0 (callers turn that away)."""
    product = np.sqrt(np.asarray(square0)) * np.sqrt(np.asarray(square_t))
    defined = product > 0
    ratio = np.asarray(inner) / np.where(defined, product, 1.0)
    return np.where(defined, np.minimum(ratio, 1.0), np.nan)


def difference(a: Measures, b: Measures) -> float:
    """Largest relative difference of weight change and alignments between two runs."""
    worst = 0.0
    for name in ("weight_change", "representation_alignment", "kernel_alignment"):
        x, y = getattr(a, name), getattr(b, name)
        known = np.isfinite(x) & np.isfinite(y) & (x != y)
        gap = np.abs(x - y)[known] / np.maximum(np.abs(x), np.abs(y))[known]
        worst = max(worst, float(np.max(gap, initial=0.0)))
    return worst


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


Weights = ArrayLike | Sequence[ArrayLike]


def _layers(weights: Any, name: str) -> list[Array]:
    if isinstance(weights, (list, tuple)) and weights and np.ndim(weights[0]) == 2:
        return [real_array(layer, f"{name}[{i}]") for i, layer in enumerate(weights)]
    return [real_array(weights, name)]


def weight_change(initial: Weights, final: Weights) -> float:
    """||W_t - W_0||_F over one weight array or over a list of layers together.

    Examples
    --------
    >>> weight_change([[0.0, 0.0]], [[3.0, 4.0]])
    5.0
    """
    before, after = _layers(initial, "initial"), _layers(final, "final")
    shapes0, shapes1 = [w.shape for w in before], [w.shape for w in after]
    if shapes0 != shapes1:
        raise ValueError(f"initial and final must have the same shapes: {shapes0} and {shapes1}")
    return float(np.sqrt(sum(np.sum((b - a) ** 2) for a, b in zip(before, after, strict=True))))


def relative_weight_change(initial: Weights, final: Weights) -> float:
    """||W_t - W_0||_F / ||W_0||_F.

    Raises
    ------
    UndefinedError
        If the initial weights are all zero.
    """
    size = float(np.sqrt(sum(np.sum(w**2) for w in _layers(initial, "initial"))))
    if size == 0:
        raise UndefinedError("relative weight change is 0/0: the initial weights are all zero")
    return weight_change(initial, final) / size


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
    h0, ht = _unit(h0), _unit(ht)
    if h0.shape[0] < min(h0.shape[1], ht.shape[1]):  # the smaller of two equal products
        g0, gt = h0 @ h0.T, ht @ ht.T
        return _defined(np.sum(g0 * gt), np.sum(g0 * g0), np.sum(gt * gt), "representation")
    cross, own0, own_t = h0.T @ ht, h0.T @ h0, ht.T @ ht
    return _defined(np.sum(cross**2), np.sum(own0**2), np.sum(own_t**2), "representation")


def kernel_alignment(initial: ArrayLike, final: ArrayLike) -> float:
    """KA = tr(K_0 K_t) / (||K_0||_F ||K_t||_F) of two kernels, (n, n) symmetric.

    Raises
    ------
    UndefinedError
        If either is all zero.

    Examples
    --------
    >>> round(kernel_alignment([[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]), 6)
    0.707107
    """
    k0, kt = real_array(initial, "initial", ndim=2), real_array(final, "final", ndim=2)
    if k0.shape != kt.shape or k0.shape[0] != k0.shape[1]:
        raise ValueError(
            f"initial and final must be square and of one size; they are {k0.shape} and {kt.shape}"
        )
    for name, kernel in (("initial", k0), ("final", kt)):
        if np.abs(kernel - kernel.T).max() > 1e-6 * np.abs(kernel).max():
            raise ValueError(f"{name} must be a symmetric kernel; pass H @ H.T, not activations")
    k0, kt = _unit(k0), _unit(kt)
    return _defined(np.sum(k0 * kt), np.sum(k0 * k0), np.sum(kt * kt), "kernel")


def sign_similarity(initial: ArrayLike, final: ArrayLike) -> float:
    """Share of hidden units x samples whose activation keeps its sign (nonlinear networks)."""
    h0, ht = real_array(initial, "initial", ndim=2), real_array(final, "final", ndim=2)
    if h0.shape != ht.shape:
        raise ValueError(f"initial and final must have one shape: {h0.shape} and {ht.shape}")
    return float(np.mean(np.sign(h0) == np.sign(ht)))


def _unit(array: Array) -> Array:
    """The array over its largest entry, so that products of its entries stay in range."""
    size = np.abs(array).max()
    return array / size if size > 0 else array


def _defined(inner: float, square0: float, square_t: float, what: str) -> float:
    value = float(alignment(inner, square0, square_t))
    if np.isnan(value):
        raise UndefinedError(f"{what} alignment is 0/0: one of the two is all zero")
    return value
