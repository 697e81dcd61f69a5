"""T15 with poles: from a spectrum far above the task to a network of a few dozen units.

Where the start is much stronger than the task, polynomials of R_0 = W1(0)'W1(0) would need as many
steps as conjugate gradients do. Its resolvents need about as many as the rates have factors of
two: V_k spans beta, (R_0 + p_1)^-1 beta, (R_0 + p_2)^-1 (R_0 + p_1)^-1 beta, ...

    R_0 (R_0 + p)^-1 x = x - p (R_0 + p)^-1 x,

so that R_0 leads out of V_k along one direction only, v_{k+1}, and with U_k the range of W1(0) V_k
the small network U_k' W1(0) V_{k+1} knows all that `krylov.Reduced` asks for.
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
    """Rational Krylov spaces of a diagonal W1(0), one for each task vector, grown on demand.

    Poles -p lie evenly in the logarithm between the squares of the least and the largest singular
    value, however many there are: the next one halves the widest gap. What has grown is replaced
    and never changed, so that a shallow copy grows by itself.

    Parameters
    ----------
    values
        Diagonal of W1(0), zeros allowed.
    tasks
        Task vectors, (n, d).
    moments
        tr R_0 and tr R_0^2.
    inputs
        d of the large network, when the diagonal stands for merged directions.
    """

    left_out = 0.0

    def __init__(self, values: Array, tasks: Array, moments: Moments, inputs: int) -> None:
        self.values, self.moments, self.inputs = values, moments, inputs
        self.lengths = np.linalg.norm(tasks, axis=1)
        self.scale = np.full(len(tasks), float(values.max()))
        self._squares = values**2
        self._right = (tasks / self.lengths[:, None])[..., None]  # V_k, (n, d, k)

    @property
    def order(self) -> int:
        """k, the number of hidden units of the small network."""
        return int(self._right.shape[-1])

    @property
    def complete(self) -> bool:
        """Whether V_{k+1} is the whole space, so that the reduction is exact."""
        return self.order >= self.values.size - 1

    def grow(self, order: int) -> None:
        """Extend the spaces to `order`, or to their end if that comes first."""
        while self.order < order and not self.complete:
            last = self._right[..., -1]
            vector, _ = _apart(last / (self._squares + self._pole(self.order)), self._right)
            self._right = np.concatenate([self._right, vector[..., None]], axis=-1)

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
        v = self._right[..., : self.order if order is None else min(order, self.order)]
        n, _, k = v.shape
        w0 = self.values[:, None]
        u, triangle = np.linalg.qr(w0 * v)
        new = np.abs(np.diagonal(triangle, axis1=1, axis2=2))
        # no unit of its own where W1(0) is zero
        u = u * (new > _ROUNDING * new.max(axis=1, keepdims=True))[:, None]
        back = w0 * u  # W1(0)'U, of which V_k misses one direction
        beyond = back - v @ (np.swapaxes(v, 1, 2) @ back)
        longest = np.argmax(np.sum(beyond**2, axis=1), axis=1)
        following, size = _apart(beyond[np.arange(n), :, longest], v)
        ends = size <= STRUCTURE * self.scale
        following[ends] = 0.0
        right = np.concatenate([v, following[..., None]], axis=-1)
        first = np.swapaxes(back, 1, 2) @ right
        image = self.values * following
        left_over = image - _within(u, image)
        task = np.zeros((n, 1, k + 1))
        task[:, 0, 0] = self.lengths
        return Reduced(
            problem=Problem(first, np.zeros((n, 1, k)), task, None),
            inputs=self.inputs,
            trace=self.moments.trace.value,
            trace_square=self.moments.trace_square.value,
            coupling=np.sum(left_over**2, axis=1),
            left=None,
            right=None,
            complete=k >= self.values.size - 1,
        )


def _apart(step: Array, basis: Array) -> tuple[Array, Array]:
    """What a step (n, d) adds to a basis (n, d, k), of length 1 or 0, and how long it was.

    A step of which all but rounding is there already adds nothing.
    """
    begun = np.linalg.norm(step, axis=1)
    for _ in range(2):
        step = step - _within(basis, step)
    size = np.linalg.norm(step, axis=1)
    new = size > _ROUNDING * begun
    return np.where(new[:, None], step / np.where(new, size, 1.0)[:, None], 0.0), size


def _within(basis: Array, x: Array) -> Array:
    """The part of x (n, d) in the span of the columns of a basis (n, d, k)."""
    return np.asarray((basis @ (np.swapaxes(basis, 1, 2) @ x[..., None]))[..., 0])
