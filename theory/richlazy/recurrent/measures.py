"""T17: the measures of a recurrent network, from its weights at times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import alignment
from richlazy.recurrent.flow import Change, Problem, controls, driven, reads
from richlazy.recurrent.kernel import Kernel, tangent_kernel

__all__ = ["Measures", "alignments", "difference", "gap_difference", "loss_scale", "measured"]

Array = NDArray[np.float64]

_ROUNDED = 1e-12  # of 1 - an alignment


class Measures(NamedTuple):
    """Arrays of every measure, over any axes; NaN marks 0/0."""

    weight_change: Array
    weight_change_inputs: Array
    weight_change_recurrent: Array
    weight_change_readout: Array
    representation_alignment: Array
    kernel_alignment: Array
    target_alignment: Array
    loss: Array


def measured(problem: Problem, changes: Sequence[Change], leak: float) -> Measures:
    """Measures (times, stack) of a stack of small networks that share the kernel of large ones."""
    before = _kernel(problem, problem.inputs, problem.recurrent, problem.readout)
    each = [_at(problem, before, change, leak) for change in changes]
    return Measures(*(np.stack(columns) for columns in zip(*each, strict=True)))


def _kernel(problem: Problem, u: Array, w: Array, v: Array) -> Kernel:
    return tangent_kernel(controls(w, u, problem.steps), reads(w, v, problem.steps), problem.root)


def _at(problem: Problem, before: Kernel, change: Change, leak: float) -> Measures:
    u, w, v = (x + dx for x, dx in zip(problem[:3], change[:3], strict=True))
    after = _kernel(problem, u, w, v)
    response = driven(v, controls(w, u, problem.steps))
    seen = response if problem.root is None else response @ problem.root
    # the leak scales U and W inside the flow; the changes are those of the weights themselves
    du, dw = _norm(change.inputs) / leak, _norm(change.recurrent) / leak
    dv = _norm(change.readout)
    ra, ka, ta = alignments(before, after, problem.rates, problem.target.reshape(len(v), 1, -1))
    return Measures(
        weight_change=np.sqrt(du**2 + dw**2 + dv**2),
        weight_change_inputs=du,
        weight_change_recurrent=dw,
        weight_change_readout=dv,
        representation_alignment=ra,
        kernel_alignment=ka,
        target_alignment=ta,
        loss=0.5 * _square(problem.target - seen),
    )


def alignments(
    before: Kernel, after: Kernel, rates: tuple[float, float, float], wanted: Array
) -> tuple[Array, Array, Array]:
    """RA, KA and target alignment between two kernels; `wanted` (..., 1, T m n) as rows."""
    k0, kt = before.total(rates), after.total(rates)
    goal, size = _of_size_one(wanted), _of_size_one(kt)
    along = np.sum((goal @ size) * goal, axis=(-2, -1))
    return (
        _cosine(before.gram, after.gram),
        _cosine(k0, kt),
        alignment(along, _square(size), _square(goal) ** 2),
    )


def difference(a: Measures, b: Measures, scale: Array) -> float:
    """Largest difference of two runs: relative, of the loss against `scale`."""
    worst = 0.0
    for name, x, y in zip(Measures._fields, a, b, strict=True):
        known = np.isfinite(x) & np.isfinite(y) & (x != y)
        size = (
            np.maximum(np.abs(x), np.abs(y)) if name != "loss" else np.broadcast_to(scale, x.shape)
        )
        worst = max(worst, float(np.max(np.abs(x - y)[known] / size[known], initial=0.0)))
    return worst


def gap_difference(a: Measures, b: Measures, scale: Array) -> float:
    """The same, of RA and KA relative to how far they are below 1, which a weak task moves little.

    Below `_ROUNDED` that is rounding.
    """
    return difference(_as_gaps(a), _as_gaps(b), scale)


def _as_gaps(x: Measures) -> Measures:
    return x._replace(
        representation_alignment=np.maximum(1.0 - x.representation_alignment, _ROUNDED),
        kernel_alignment=np.maximum(1.0 - x.kernel_alignment, _ROUNDED),
    )


def loss_scale(problem: Problem) -> Array:
    """What a loss is small against: the larger of that of zero weights and that of the start."""
    response = driven(problem.readout, controls(problem.recurrent, problem.inputs, problem.steps))
    seen = response if problem.root is None else response @ problem.root
    return 0.5 * np.maximum(_square(problem.target), _square(problem.target - seen))


def _square(x: Array) -> Array:
    return np.asarray(np.sum(x * x, axis=(-2, -1)))


def _norm(x: Array) -> Array:
    return np.sqrt(_square(x))


def _cosine(a: Array, b: Array) -> Array:
    a, b = _of_size_one(a), _of_size_one(b)
    return alignment(np.sum(a * b, axis=(-2, -1)), _square(a), _square(b))


def _of_size_one(x: Array) -> Array:
    """With a largest entry of 1: fourth powers of weights can leave the range of float64."""
    largest = np.abs(x).max(axis=(-2, -1), keepdims=True)
    return np.asarray(x / np.where(largest > 0, largest, 1.0))
