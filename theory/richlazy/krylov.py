"""T15 and T11: from a large start and a task to a small network with the same flow.

`Bidiagonal` runs Golub-Kahan bidiagonalisation of W1(0) from the task direction, one
output, silent readout, white inputs: the small network has k hidden units and k + 1
inputs, and its error falls faster than exponentially in k. A stack of tasks shares the
products with W1. `invariant_subspace` serves every other start: it keeps the directions
that can move at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from richlazy import laziness, matrices
from richlazy.flow import Change, Problem, inverse_root
from richlazy.laziness import Measures, Traces
from richlazy.matrices import MatrixLike, Moments
from richlazy.network import Network
from richlazy.task import Task

__all__ = ["Bidiagonal", "Reduced", "invariant_subspace"]

Array = NDArray[np.float64]

_BREAKDOWN = 1e-13  # relative to the norm of the small matrix


@dataclass(frozen=True)
class Reduced:
    """A stack of n small networks, and what the measures need of the directions left out.

    Attributes
    ----------
    problem
        The small networks: first layer (n, h', d'), readout (n, m, h'), task (n, m, d').
    inputs
        d of the large network; tr cov_xx^2 for inputs that are not white.
    trace, trace_square
        tr R_0 and tr R_0^2 of the large network, per task or common.
    coupling
        rho (n,): weight of the last chain direction on what lies beyond it (0 if complete).
    left, right
        Bases (h, h') and (d, d') of the first network of the stack, None if not kept.
    complete
        Whether the reduction is exact.
    out_of_reach
        Excess loss of task modes that the start is orthogonal to, left out of cov_yx.
    """

    problem: Problem
    inputs: float
    trace: float
    trace_square: float
    coupling: Array
    left: Array | None
    right: Array | None
    complete: bool
    out_of_reach: float = 0.0

    def measures(self, change: Change) -> Measures:
        """Every measure at one change, arrays (n,)."""
        first, readout, cov_yx, root = self.problem
        w1, w2 = first + change.first, readout + change.readout
        seen0, seen = (first, w1) if root is None else (first @ root, w1 @ root)
        outside = self.trace - _square(seen0), self.trace_square - _gram(seen0, seen0)
        grown = self.coupling * (_last(seen) - _last(seen0))
        r0, rt = _square(seen0), _square(seen)
        if root is not None:
            r0, rt = _square(seen0 @ root), _square(seen @ root)
        traces = Traces(
            r0_rt=outside[1] + _gram(seen0, seen) + grown,
            r0_r0=outside[1] + _gram(seen0, seen0),
            rt_rt=outside[1] + _gram(seen, seen) + 2.0 * grown,
            r0=outside[0] + r0 if root is None else r0,
            rt=outside[0] + rt if root is None else rt,
            b0_bt=np.sum((readout @ _t(readout)) * (w2 @ _t(w2)), axis=(-2, -1)),
            b0_b0=_square(readout @ _t(readout)),
            bt_bt=_square(w2 @ _t(w2)),
            b0=_square(readout),
            bt=_square(w2),
        )
        ra, ka = laziness.from_traces(traces, self.inputs, readout.shape[1])
        target = cov_yx if root is None else cov_yx @ inverse_root(root)
        change1, change2 = np.sqrt(_square(change.first)), np.sqrt(_square(change.readout))
        loss = 0.5 * _square(target - w2 @ seen) + self.out_of_reach
        return Measures(np.hypot(change1, change2), change1, change2, ra, ka, loss)


def _t(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _square(x: Array) -> Array:
    return np.asarray(np.sum(x * x, axis=(-2, -1)))


def _last(x: Array) -> Array:
    return np.asarray(np.sum(x[..., -1] ** 2, axis=-1))


def _gram(x: Array, y: Array) -> Array:
    """tr X'X Y'Y = ||X Y'||^2."""
    return _square(x @ _t(y))


class Bidiagonal:
    """Golub-Kahan chains of W1(0), one for each task vector, grown on demand.

    U_k' W1(0) = B V_{k+1}', B upper bidiagonal; v_1 is the task direction. Every new
    vector is orthogonalised twice against its chain. A vanishing coefficient ends a chain:
    the small network is then exact.

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
    """

    def __init__(
        self, first: MatrixLike, tasks: Array, moments: Moments, inputs: int | None = None
    ) -> None:
        self.first = first
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
            step = self._adjoint(self.left[-1]) - self.alpha[-1][:, None] * self.right[-1]
            self._append(step, self.right, self.beta)
            self._next_left()

    def _next_left(self) -> None:
        step = self._forward(self.right[-1])
        if self.left:
            step -= self.beta[-1][:, None] * self.left[-1]
        self._append(step, self.left, self.alpha)

    def _append(self, step: Array, basis: list[Array], coefficients: list[Array]) -> None:
        for _ in range(2):
            for vector in basis:
                step -= np.sum(step * vector, axis=1, keepdims=True) * vector
        size = np.linalg.norm(step, axis=1)
        self.scale = np.maximum(self.scale, size)
        self.alive = self.alive & (size > _BREAKDOWN * self.scale)
        size = np.where(self.alive, size, 0.0)
        basis.append(
            np.where(self.alive[:, None], step / np.where(size > 0, size, 1.0)[:, None], 0.0)
        )
        coefficients.append(size)

    def _forward(self, x: Array) -> Array:
        if isinstance(self.first, np.ndarray) and self.first.ndim == 1:
            return self.first * x
        return matrices.forward(self.first, x.T).T.copy()

    def _adjoint(self, x: Array) -> Array:
        if isinstance(self.first, np.ndarray) and self.first.ndim == 1:
            return self.first * x
        return matrices.adjoint(self.first, x.T).T.copy()

    def reduced(self, order: int | None = None) -> Reduced:
        """The small networks of the first `order` (default: all) steps."""
        k = self.order if order is None else min(order, self.order)
        n = self.lengths.size
        small = np.zeros((n, k, k + 1))
        index = np.arange(k)
        small[:, index, index] = np.stack(self.alpha[:k], axis=1)
        small[:, index, index + 1] = np.stack(self.beta[:k], axis=1)
        small, turn = _without_rounding(small, max(self.left[0].shape[1], self.right[0].shape[1]))
        task = np.zeros((n, 1, k + 1))
        task[:, 0, 0] = self.lengths
        return Reduced(
            problem=Problem(small, np.zeros((n, 1, k)), task, None),
            inputs=self.inputs,
            trace=self.moments.trace.value,
            trace_square=self.moments.trace_square.value,
            coupling=self.alpha[k] ** 2,
            left=np.stack([v[0] for v in self.left[:k]], axis=1) @ turn[0] if n == 1 else None,
            right=np.stack([v[0] for v in self.right[: k + 1]], axis=1) if n == 1 else None,
            complete=self.complete and k == self.order,
        )


def _without_rounding(small: Array, size: int) -> tuple[Array, Array]:
    """Small first layers with hidden units of rounding size set to zero, and the rotation to them.

    Past the rank of W1 a chain may go on for a step on rounding. The unit it finds has a weight
    of 1e-16 where exact arithmetic has none, and would grow exponentially while error is left.
    """
    u, s, vt = np.linalg.svd(small, full_matrices=False)
    keep = s > s[:, :1] * size * np.finfo(float).eps
    turned = ~np.all(keep, axis=1, keepdims=True)[..., None]
    rows = np.where(keep, s, 0.0)[..., None] * vt
    return np.where(turned, rows, small), np.where(turned, u, np.eye(small.shape[1]))


def invariant_subspace(start: Network, task: Task) -> Reduced:
    """T11: the same flow on the directions that can move.

    Hidden units: range of W1 plus row space of W2. Inputs, when white: row space of W1
    plus row space of cov_yx; otherwise all of them. When white, task modes that the start is
    orthogonal to are left out: they stay as they are, and rounding must not wake them.
    """
    thin = start.factors
    cov_yx = _reachable(start, task) if task.white else task.cov_yx
    rows = thin.left if start.silent else _span(thin.left, _rows(start.readout))
    columns = _span(thin.right, task.modes.right) if task.white else np.eye(task.inputs)
    first = (rows.T @ thin.left * thin.values) @ (thin.right.T @ columns)
    m = task.outputs
    readout = np.zeros((m, rows.shape[1])) if start.readout is None else start.readout @ rows
    root = task.root
    seen = first if root is None else first @ root
    return Reduced(
        problem=Problem(first[None], readout[None], (cov_yx @ columns)[None], root),
        inputs=float(task.inputs) if root is None else float(np.sum((root @ root) ** 2)),
        trace=float(_square(seen)),
        trace_square=float(_gram(seen, seen)),
        coupling=np.zeros(1),
        left=rows,
        right=columns,
        complete=True,
        out_of_reach=0.5 * float(np.sum((task.cov_yx - cov_yx) ** 2)),
    )


def _reachable(start: Network, task: Task) -> Array:
    """cov_yx without the modes u s v' that have W1 v = 0 and W2'u = 0, and so keep it.

    Among modes of equal strength any combination may be one.
    """
    left, strengths, right = task.modes
    touched = start.factors.values[:, None] * (start.factors.right.T @ right)
    touched = touched / max(1e-300, float(np.max(start.factors.values, initial=0.0)))
    if start.readout is not None:
        touched = np.concatenate(
            [touched, start.readout.T @ left / np.linalg.norm(start.readout, 2)]
        )
    kept = np.zeros_like(task.cov_yx)
    equal = np.cumsum(np.r_[False, -np.diff(strengths) > 1e-12 * strengths[0]])
    for group in range(int(equal[-1]) + 1):
        among = equal == group
        _, size, mix = np.linalg.svd(touched[:, among], full_matrices=False)
        mix = mix[size > _BREAKDOWN]
        kept += (left[:, among] * strengths[among]) @ mix.T @ mix @ right[:, among].T
    # untouched where nothing falls away, to the last bit
    lost = np.linalg.norm(task.cov_yx - kept)
    return kept if lost > _BREAKDOWN * task.strength else task.cov_yx


def _rows(readout: Array | None) -> Array:
    assert readout is not None
    return readout.T


def _span(basis: Array, more: Array) -> Array:
    """Orthonormal basis of span(basis, more), basis orthonormal and kept as it is."""
    rest = more
    for _ in range(2):
        rest = rest - basis @ (basis.T @ rest)
    u, s, _ = np.linalg.svd(rest, full_matrices=False)
    size = np.linalg.norm(more, 2)
    return np.concatenate([basis, u[:, s > 1e-13 * size]], axis=1)
