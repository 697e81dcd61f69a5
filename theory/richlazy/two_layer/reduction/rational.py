"""T15 with poles: from a spectrum far above the task to a network of a few dozen units.

Where the start is much stronger than the task, polynomials of R_0 = W1(0)'W1(0) would need as many
steps as conjugate gradients do. Of its resolvents a few dozen do: V_k spans

    beta, (R_0 + p_1)^-1 beta, (R_0 + p_2)^-1 (R_0 + p_1)^-1 beta, ...

and because

    R_0 (R_0 + p)^-1 x = x - p (R_0 + p)^-1 x,

R_0 leads out of V_k along one direction only, v_{k+1} (m of them for m outputs, which start from a
block), and with U_k the range of W1(0) V_k the small network U_k' W1(0) V_{k+1} knows all
that `krylov.Reduced` asks for. Near the task powers of R_0, poles at infinity, do as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.start.matrices import Moments
from richlazy.start.precision import EPS
from richlazy.two_layer.flow import Problem
from richlazy.two_layer.reduction.krylov import STRUCTURE, Reduced

__all__ = ["Rational"]

Array = NDArray[np.float64]

_WEAKEST = 1e-14  # pole, of the largest: what is slower learns by the readout alone
_ROUNDING = 64.0 * EPS


class Rational:
    """Rational Krylov spaces of a diagonal W1(0), one for each task, grown on demand.

    Poles -p lie evenly in the logarithm between the squares of the least and the largest singular
    value, however many there are: the next one halves the widest gap. Several outputs grow a block
    of as many directions at once. What has grown is replaced and never changed, so that a shallow
    copy grows by itself.

    Parameters
    ----------
    values
        Diagonal of W1(0), zeros allowed.
    tasks
        cov_yx of each task, (n, m, d).
    moments
        tr R_0 and tr R_0^2.
    inputs
        d of the large network, when the diagonal stands for merged directions.
    poles
        Whether there are finite ones; powers of R_0 if not.
    """

    left_out = 0.0

    def __init__(
        self, values: Array, tasks: Array, moments: Moments, inputs: int, poles: bool = True
    ) -> None:
        self.values, self.moments, self.inputs = values, moments, inputs
        self.lengths = np.linalg.norm(tasks, axis=(1, 2))
        self.scale = np.full(len(tasks), float(values.max()))
        self._squares, self._poles = values**2, poles
        # V_k, (n, d, m k)
        self._right, self._task = np.linalg.qr(_t(tasks))

    @property
    def outputs(self) -> int:
        """m, how many directions a step adds."""
        return int(self._task.shape[-1])

    @property
    def order(self) -> int:
        """k: the small network has m k hidden units."""
        return int(self._right.shape[-1]) // self.outputs

    @property
    def complete(self) -> bool:
        """Whether V_{k+1} is the whole space, so that the reduction is exact."""
        return self._whole(self.order)

    def _whole(self, order: int) -> bool:
        return (order + 1) * self.outputs >= self.values.size

    def grow(self, order: int) -> None:
        """Extend the spaces to `order`, or to their end if that comes first."""
        while self.order < order and not self.complete:
            last = self._right[..., -self.outputs :]
            weights = self._squares
            if self._poles:
                weights = 1.0 / (self._squares + self._pole(self.order))
            block = _apart(weights[:, None] * last, self._right)
            self._right = np.concatenate([self._right, block], axis=-1)

    def _pole(self, number: int) -> float:
        """p of the step with this number, from 1: at 1/2, 1/4, 3/4, 1/8, ... of the way."""
        share, part = 0.0, 0.5
        while number:
            share, number, part = share + part * (number & 1), number >> 1, part / 2.0
        most = float(self._squares.max())
        least = max(float(self._squares[self._squares > 0].min()), _WEAKEST * most)
        return float(most * (least / most) ** (1.0 - share))

    def reduced(self, order: int | None = None) -> Reduced:
        """The small networks of the first `order` (default: all) steps."""
        steps = self.order if order is None else min(order, self.order)
        v, w0 = self._right[..., : steps * self.outputs], self.values[:, None]
        u, triangle = np.linalg.qr(w0 * v)
        new = np.abs(np.diagonal(triangle, axis1=1, axis2=2))
        # no unit of its own where W1(0) is zero
        u = u * (new > _ROUNDING * new.max(axis=1, keepdims=True))[:, None]
        back = w0 * u  # W1(0)'U, of which V_k misses m directions
        right = np.concatenate([v, self._following(v, back - _within(v, back))], axis=-1)
        image = w0 * right[..., v.shape[-1] :]
        image = image - _within(u, image)
        n, m, units = len(v), self.outputs, v.shape[-1]
        task = np.zeros((n, m, units + m))
        task[..., :m] = _t(self._task)
        return Reduced(
            problem=Problem(_t(back) @ right, np.zeros((n, m, units)), task, None),
            inputs=self.inputs,
            trace=self.moments.trace.value,
            trace_square=self.moments.trace_square.value,
            coupling=_t(image) @ image,
            units=None,
            directions=None,
            complete=self._whole(steps),
        )

    def _following(self, v: Array, beyond: Array) -> Array:
        """The m directions in which W1(0)'U leads out of V_k, zero where there are fewer."""
        everyone, basis = np.arange(len(v)), v
        for _ in range(self.outputs):
            longest = np.argmax(np.sum(beyond**2, axis=1), axis=1)
            step = beyond[everyone, :, longest][..., None]
            found = _apart(step, basis)
            ends = np.linalg.norm(step, axis=1) <= STRUCTURE * self.scale[:, None]
            basis = np.concatenate([basis, np.where(ends[:, None], 0.0, found)], axis=-1)
            beyond = beyond - _within(basis[..., -1:], beyond)
        return basis[..., v.shape[-1] :]


def _apart(block: Array, basis: Array) -> Array:
    """What a block (n, d, m) adds to a basis (n, d, k): orthonormal columns, or zeros.

    A column of which all but rounding is there already adds nothing.
    """
    begun = np.linalg.norm(block, axis=1)
    for _ in range(2):
        block = block - _within(basis, block)
    found, triangle = np.linalg.qr(block)
    new = np.abs(np.diagonal(triangle, axis1=1, axis2=2)) > _ROUNDING * begun
    return np.asarray(found * new[:, None])


def _within(basis: Array, x: Array) -> Array:
    """The part of x (n, d, m) in the span of the columns of a basis (n, d, k)."""
    return np.asarray(basis @ (_t(basis) @ x))


def _t(x: Array) -> Array:
    return np.swapaxes(x, 1, 2)
