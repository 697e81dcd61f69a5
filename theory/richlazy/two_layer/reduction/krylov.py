"""T15 and T11: from a large start and a task to a small network with the same flow.

`Bidiagonal` runs Golub-Kahan bidiagonalisation of W1(0) from the task direction, one
output, silent readout, white inputs: the small network has k hidden units and k + 1
inputs, and its error falls faster than exponentially in k. A stack of tasks shares the
products with W1. (`richlazy.block_krylov` has the chains of every other start, and
`richlazy.subspace` all that can move at all.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness
from richlazy.laziness import Measures, Traces
from richlazy.start import matrices, precision
from richlazy.start.covariance import inverse_root
from richlazy.start.matrices import MatrixLike, Moments
from richlazy.two_layer.flow import Change, Problem

__all__ = ["STRUCTURE", "Bidiagonal", "Columns", "Reduced", "without_rounding"]

Array = NDArray[np.float64]

#: Coupling of inputs that is none, relative to the norm: singular values that were meant to be
#: equal are so to this. It moves nothing by more.
STRUCTURE = 1e-13
_LEAST = 1e-290
_NEAR = 1e-10  # of the largest: steps so short are asked whether they are rounding
_KEPT = 0.7  # of a vector: where one sweep of Gram-Schmidt leaves that much, one is enough


class Columns(NamedTuple):
    """An orthonormal basis kept vector by vector, and a rotation of it.

    Measures need no basis, and a million numbers a vector are not copied before one is asked for.
    """

    vectors: tuple[Array, ...]
    turn: Array | None = None

    def stacked(self) -> Array:
        """The basis as a matrix, a column each."""
        columns = np.stack(self.vectors, axis=1)
        return columns if self.turn is None else columns @ self.turn

    @property
    def unmixed(self) -> bool:
        """Whether each has one entry at most that is not zero."""
        turned = self.turn is not None and np.any(np.count_nonzero(self.turn, axis=0) > 1)
        return not turned and all(np.count_nonzero(v) <= 1 for v in self.vectors)


@dataclass(frozen=True, eq=False)
class Reduced:
    """A stack of n small networks, and what the measures need of the directions left out.

    U (h, h') and V (d, d') are the bases of the small networks. What is asked of them is that
    W1(0)'U lies in V: then R_t = R_0 + V (G_t - G_0) V' with G = W'W of the small network,
    and with S = cov_xx, r = tr R_0 S R_0 S and N the Gram matrix of (1 - UU') W1(0) S V,

        tr R_0 S R_t S = r - tr (G_0 T)^2 + tr G_0 T G_t T + <N, G_t - G_0>,
        tr R_t S R_t S = r - tr (G_0 T)^2 + tr (G_t T)^2 + 2 <N, G_t - G_0>,
        tr R_t S^2 = tr R_0 S^2 + tr (G_t - G_0) V'S^2 V,   T = V'SV.

    Attributes
    ----------
    problem
        The small networks: first layer (n, h', d'), readout (n, m, h'), task (n, m, d').
    inputs
        d of the large network; tr cov_xx^2 for inputs that are not white.
    trace, trace_square
        tr R_0 S^2 and tr R_0 S R_0 S of the large network, per task or common.
    coupling
        N (n, l, l) over the last l input directions, the only ones it touches; (n,) for l = 1.
        Zero if the reduction is complete.
    units, directions
        Bases (h, h') and (d, d') of the first network of the stack, None if not kept: `left` and
        `right` are those of a network that has them.
    complete
        Whether the reduction is exact.
    out_of_reach
        Excess loss of what cov_yx leaves out: task modes that the start is orthogonal to, or
        that no map on the inputs kept can learn.
    square
        V'S^2 V (d', d') where V is not closed under S; None where it is T^2.
    said
        What rounding decided.
    trace_error, trace_square_error
        Standard errors of the two traces.
    """

    problem: Problem
    inputs: float
    trace: float | Array
    trace_square: float | Array
    coupling: Array
    units: Array | Columns | None
    directions: Array | Columns | None
    complete: bool
    out_of_reach: float | Array = 0.0
    square: Array | None = None
    said: tuple[str, ...] = ()
    trace_error: float = 0.0
    trace_square_error: float = 0.0

    @cached_property
    def left(self) -> Array:
        """U (h, h')."""
        return _columns(self.units)

    @cached_property
    def right(self) -> Array:
        """V (d, d')."""
        return _columns(self.directions)

    def measures(self, change: Change) -> Measures:
        """Every measure at one change, arrays (n,)."""
        first, readout, cov_yx, root = self.problem
        w1, w2 = first + change.first, readout + change.readout
        seen0, seen = (first, w1) if root is None else (first @ root, w1 @ root)
        r0, rt = (self._trace(x, y) for x, y in ((first, seen0), (w1, seen)))
        square0 = _gram(seen0, seen0)
        outside = _beyond(self.trace, r0), _beyond(self.trace_square, square0)
        grown = self._grown(first, w1)
        target = cov_yx if root is None else cov_yx @ inverse_root(root)
        traces = Traces(
            r0_rt=outside[1] + _gram(seen0, seen) + grown,
            r0_r0=outside[1] + square0,
            rt_rt=outside[1] + _gram(seen, seen) + 2.0 * grown,
            r0=outside[0] + r0,
            rt=outside[0] + rt,
            b0_bt=np.sum((readout @ _t(readout)) * (w2 @ _t(w2)), axis=(-2, -1)),
            b0_b0=_square(readout @ _t(readout)),
            bt_bt=_square(w2 @ _t(w2)),
            b0=_square(readout),
            bt=_square(w2),
            # what is out of reach is orthogonal to both layers, but part of the task
            along=laziness.along_task(
                _square(w1 @ _t(cov_yx)) + _square(_t(w2) @ cov_yx),
                _square(target) + 2.0 * self.out_of_reach,
            ),
        )
        ra, ka, ta = laziness.from_traces(traces, self.inputs, readout.shape[1])
        change1, change2 = np.sqrt(_square(change.first)), np.sqrt(_square(change.readout))
        loss = 0.5 * _square(target - w2 @ seen) + self.out_of_reach
        return Measures(np.hypot(change1, change2), change1, change2, ra, ka, ta, loss)

    def _trace(self, w: Array, seen: Array) -> Array:
        """tr G V'S^2 V, G = w'w."""
        if self.square is not None:
            return np.asarray(np.sum((w @ self.square) * w, axis=(-2, -1)))
        return _square(seen if self.problem.root is None else seen @ self.problem.root)

    def _grown(self, first: Array, w1: Array) -> Array:
        """<N, G_t - G_0>."""
        size = 1 if self.coupling.ndim == 1 else self.coupling.shape[-1]
        before, after = (w[..., w.shape[-1] - size :] for w in (first, w1))
        coupling = self.coupling.reshape(len(self.coupling), size, size)
        grown = _t(after) @ after - _t(before) @ before
        return np.asarray(np.sum(coupling * grown, axis=(-2, -1)))


def _columns(basis: Array | Columns | None) -> Array:
    assert basis is not None
    return basis.stacked() if isinstance(basis, Columns) else basis


def _beyond(whole: float | Array, inside: Array) -> Array:
    """What the whole has beyond the inside: nothing, if the difference is rounding."""
    rest = whole - inside
    return np.where(rest > 1e-14 * whole, rest, 0.0)


def _t(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _square(x: Array) -> Array:
    return np.asarray(np.sum(x * x, axis=(-2, -1)))


def _gram(x: Array, y: Array) -> Array:
    """tr X'X Y'Y = ||X Y'||^2."""
    return _square(x @ _t(y))


def _length(x: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", x, x)))


def _less(x: Array, factors: Array, y: Array) -> Array:
    """x - factors y, row by row, as an array of its own: operators may hand out what they keep."""
    taken = factors[:, None] * y
    return np.subtract(x, taken, out=taken)


class Bidiagonal:
    """Golub-Kahan chains of W1(0), one for each task vector, grown on demand.

    U_k' W1(0) = B V_{k+1}', B upper bidiagonal; v_1 is the task direction. Every new
    vector is orthogonalised against its chain, twice where that takes a good part of it away.
    A vanishing coefficient ends a chain: the small network is then exact. What has grown is
    replaced and never changed, so that a shallow copy grows by itself.

    Parameters
    ----------
    first
        W1(0), any `MatrixLike`, or a 1-D array: the diagonal of a diagonal first layer.
    tasks
        Task vectors, (n, d).
    moments
        tr R_0 and tr R_0^2.
    inputs
        d, when the diagonal stands for merged directions; default: columns of `first`.
    unit
        Rounding unit of W1(0) as it was stored.

    Attributes
    ----------
    left_out
        Size of the largest step that was taken for rounding, over that of W1(0).
    """

    def __init__(
        self,
        first: MatrixLike,
        tasks: Array,
        moments: Moments,
        inputs: int | None = None,
        unit: float = precision.EPS,
    ) -> None:
        self.first, self.unit = first, unit
        self.left_out = 0.0
        self.moments = moments
        self.inputs = tasks.shape[1] if inputs is None else inputs
        self.lengths = np.linalg.norm(tasks, axis=1)
        n = tasks.shape[0]
        self.right = [tasks / self.lengths[:, None]]
        self.left: list[Array] = []
        self.alpha: list[Array] = []  # diagonal of B
        self.beta: list[Array] = []  # superdiagonal
        self.alive = np.ones(n, dtype=bool)
        # at most the largest singular value; the chain of a task outside the row space must end
        size = np.sqrt(moments.trace_square.value / max(moments.trace.value, 1e-300))
        self.scale = np.full(n, size)
        columns = tasks.shape[1]
        self._size = first.shape[0], columns
        self._shaky = np.zeros(n)
        self._next_left()

    @property
    def order(self) -> int:
        """k, the number of hidden units of the small network."""
        return len(self.beta)

    @property
    def complete(self) -> bool:
        """Whether every chain has ended, so that the reduction is exact."""
        return not np.any(self.alive)

    def grow(self, order: int) -> None:
        """Extend the chains to `order`, or to their end if that comes first."""
        while self.order < max(order, 1):
            if self.complete and self.order:
                return
            step = _less(self._adjoint(self.left[-1]), self.alpha[-1], self.right[-1])
            vector, size = self._next(step, self.right, max(STRUCTURE, 2.0 * self.unit))
            self.right, self.beta = [*self.right, vector], [*self.beta, size]
            self._next_left()

    def _next_left(self) -> None:
        last = self.right[-1]
        step = self._forward(last)
        if self.left:
            step = _less(step, self.beta[-1], self.left[-1])
        terms: Array | float = 1.0
        near = self.scale * max(_NEAR, 100.0 * self._noise)
        if np.any(self.alive & (np.linalg.norm(step, axis=1) < near)):
            # a weak unit is no rounding beside the strong ones, if its own terms are as small
            terms = np.minimum(self._sizes(last) / np.maximum(self.scale, _LEAST), 1.0)
        vector, size = self._next(step, self.left, self._noise * terms + self._shaky)
        self.left, self.alpha = [*self.left, vector], [*self.alpha, size]
        # a vector known by a small part of its terms has an image that is known as little
        weight = np.maximum(self.alpha[-1] / np.maximum(self.scale, _LEAST), _LEAST)
        self._shaky = np.minimum(self._noise * terms / weight, max(STRUCTURE, 2.0 * self.unit))

    @property
    def blur(self) -> float:
        """What rounding leaves unknown, relative to itself, of the overlap with the task."""
        size, known = self.alpha[0], self.alpha[0] > 0
        terms = np.minimum(self._sizes(self.right[0]), self.scale)
        return self._noise * float(np.max(terms[known] / size[known], initial=0.0))

    @property
    def _noise(self) -> float:
        return precision.noise(max(self._size), self.unit)

    def _next(self, step: Array, basis: list[Array], noise: ArrayLike) -> tuple[Array, Array]:
        """The direction that a step adds to a basis, and its coefficient.

        A step of no more than `noise`, relative to W1(0), ends its chain.
        """
        size = _length(step)
        spare = np.empty_like(step) if basis else step
        for _ in range(2):
            before = size
            for vector in basis:
                np.multiply(vector, np.einsum("ij,ij->i", step, vector)[:, None], out=spare)
                step -= spare
            size = _length(step)
            if np.all(size >= _KEPT * before):  # and no rounding has grown beside what is left
                break
        self.scale = np.maximum(self.scale, size)
        ends = self.alive & (size <= np.asarray(noise) * self.scale)
        if np.any(ends):
            self.alive = self.alive & ~ends
            lost = size[ends] / np.where(self.scale[ends] > 0, self.scale[ends], 1.0)
            self.left_out = max(self.left_out, float(lost.max()))
        size = np.where(self.alive, size, 0.0)
        unit = step / np.where(size > 0, size, 1.0)[:, None]
        unit[~self.alive] = 0.0
        return unit, size

    def _forward(self, x: Array) -> Array:
        if isinstance(self.first, np.ndarray) and self.first.ndim == 1:
            return self.first * x
        return np.ascontiguousarray(matrices.forward(self.first, x.T).T)

    def _adjoint(self, x: Array) -> Array:
        if isinstance(self.first, np.ndarray) and self.first.ndim == 1:
            return self.first * x
        return np.ascontiguousarray(matrices.adjoint(self.first, x.T).T)

    def _sizes(self, x: Array) -> Array:
        if isinstance(self.first, np.ndarray) and self.first.ndim == 1:
            return np.asarray(np.linalg.norm(self.first * x, axis=1))
        return matrices.sizes(self.first, x.T)

    def reduced(self, order: int | None = None) -> Reduced:
        """The small networks of the first `order` (default: all) steps."""
        k = self.order if order is None else min(order, self.order)
        n = self.lengths.size
        small = np.zeros((n, k, k + 1))
        index = np.arange(k)
        small[:, index, index] = np.stack(self.alpha[:k], axis=1)
        small[:, index, index + 1] = np.stack(self.beta[:k], axis=1)
        small, turn, lost = without_rounding(small, self._size, self.unit)
        self.left_out = max(self.left_out, lost)
        task = np.zeros((n, 1, k + 1))
        task[:, 0, 0] = self.lengths
        return Reduced(
            problem=Problem(small, np.zeros((n, 1, k)), task, None),
            inputs=self.inputs,
            trace=self.moments.trace.value,
            trace_square=self.moments.trace_square.value,
            coupling=self.alpha[k] ** 2,
            units=Columns(tuple(v[0] for v in self.left[:k]), turn[0]) if n == 1 else None,
            directions=Columns(tuple(v[0] for v in self.right[: k + 1])) if n == 1 else None,
            complete=self.complete and k == self.order,
            trace_error=self.moments.trace.standard_error,
            trace_square_error=self.moments.trace_square.standard_error,
        )


def without_rounding(
    small: Array, shape: tuple[int, ...], unit: float
) -> tuple[Array, Array, float]:
    """Small first layers with hidden units of rounding size set to zero, and the rotation to them.

    The largest that was, over the largest of all, comes with them.

    Past the rank of W1 a chain may go on for a step on rounding. The unit it finds has a weight
    of 1e-16 where exact arithmetic has none, and would grow exponentially while error is left.
    """
    u, s, _ = np.linalg.svd(small)
    least = np.array([precision.cutoff(values, shape, unit) for values in s])
    keep = s > least[:, None]
    turned = ~np.all(keep, axis=1, keepdims=True)[..., None]
    # U'W and not S V': of a column far below the others the right vectors hold few digits
    rows = np.swapaxes(u, -1, -2) @ small
    rows[:, : s.shape[1]] *= keep[..., None]
    rows[:, s.shape[1] :] = 0.0
    largest = s.max(axis=1, initial=0.0)
    dropped = np.where(keep, 0.0, s).max(axis=1, initial=0.0) / np.where(largest > 0, largest, 1.0)
    whole = np.where(turned, rows, small), np.where(turned, u, np.eye(small.shape[1]))
    return *whole, float(dropped.max(initial=0.0))
