"""Linearly implicit Euler steps of a recurrent network, with the Gauss-Newton part implicit (T16).

Within a step W moves by thin factors, B_k C_(k-1)' with B the errors carried back, so that no
substep costs more than products with the W it began from.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import sequences
from richlazy.recurrent.responses import driven

__all__ = ["Point", "Step"]

Array = NDArray[np.float64]

_BEYOND = 1e70  # of a step


class Point(Protocol):
    """Where a step begins: weights (s, ...), C_k, the error, and the tangent kernel."""

    w: Array
    v: Array
    c: Array
    error: Array
    steps: int
    channels: int

    @property
    def wide_controls(self) -> Array:
        """[C_0, C_1, ...], (s, p, T n)."""

    @property
    def parts_rates(self) -> tuple[float, float, float]:
        """How fast U, W and V move."""

    def seen(self, response: Array) -> Array:
        """Responses as the loss sees them."""

    def carried_back(self, z: Array) -> Array:
        """B_k for lanes of errors z as the loss sees them, (s, l, p, T n)."""

    def implicit(self, x: Array, h: Array) -> Array:
        """(1 + h K)^-1 x for lanes x (s, l, m, T n), h (l,)."""

    def forces(self, error: Array) -> tuple[Array, Array, Array]:
        """dU/dt, the B_k of dW/dt = sum B_k C_(k-1)' and dV/dt, for lanes of seen errors."""

    def gain(self, force_u: Array, back: Array, past: Array, force_v: Array) -> Array:
        """J times a move of U, of W by back past' and of V, as the loss sees it."""


class Step:
    """All Euler sequences from one point over one or several lengths, before extrapolation.

    W has moved by left right': (T - 1) n columns for the first substep and the implicit part, which
    share the C_0 ... C_(T-2) that the step began from, and as many for each later substep.
    """

    def __init__(self, point: Point, lengths: Array, order: int) -> None:
        self.point, self.lanes, self.order = point, lengths.size, order
        s, m, p = point.v.shape
        n, t = point.channels, point.steps
        wide = (t - 1) * n
        total = order * self.lanes  # lane = sequence * lanes + length
        step = np.tile(lengths, order) / np.repeat(sequences(order), self.lanes)
        self.change_u = np.zeros((s, total, p, n))
        self.change_v = np.zeros((s, total, m, p))
        self.left = np.zeros((s, total, p, order * wide))
        self.right = np.zeros((s, total, p, order * wide))
        self.right[..., :wide] = point.wide_controls[:, None, :, :wide]
        self._turned = np.ascontiguousarray(np.swapaxes(point.w, -1, -2))
        with np.errstate(over="ignore", invalid="ignore"):  # of steps that are far too long
            self._take(step)
        self._mark()

    def _take(self, step: Array) -> None:
        point, total = self.point, step.size
        p, n, t = point.v.shape[-1], point.channels, point.steps
        wide = (t - 1) * n
        rate_u, rate_w, rate_v = point.parts_rates
        for i in range(self.order):
            on = slice(i * self.lanes, total)  # sequences with more than i substeps
            k = step[on][:, None, None]
            du, dv = self.change_u[:, on], self.change_v[:, on]
            done, here = slice(i * wide), slice(i * wide, (i + 1) * wide)
            if i == 0:  # every sequence begins at the point itself: one lane is all of them
                z = point.seen(point.error)[:, None]
                carried, wide_c = point.carried_back(z), point.wide_controls[:, None]
            else:
                factors = self.left[:, on, :, done], self.right[:, on, :, done]
                moved = _Moved(point, self._turned, *factors)
                c, dc = moved.forward(du)  # C_k now, and by how much each has moved
                now_v = point.v[:, None] + dv
                response = _lagged(now_v, dc) + _lagged(dv, point.c[:, None])
                z = point.seen(point.error[:, None] - point.seen(response))
                carried = moved.backward(now_v, z)  # B_0 ... B_(T-1), (s, l, p, T n)
                wide_c = np.swapaxes(c, -3, -2).reshape(*c.shape[:2], p, t * n)
            force_u, force_b = rate_u * carried[..., :n], rate_w * carried[..., n:]
            force_v = rate_v * (z @ np.swapaxes(wide_c, -1, -2))
            gain = point.gain(force_u, force_b, wide_c[..., :wide], force_v)
            pull_u, pull_b, pull_v = point.forces(point.implicit(k * gain, step[on]))
            self.change_u[:, on] = du + k * (force_u - pull_u)
            self.change_v[:, on] = dv + k * (force_v - pull_v)
            if wide:
                self.left[:, on, :, here] = k * force_b
                self.right[:, on, :, here] = wide_c[..., :wide]
                self.left[:, on, :, :wide] -= k * pull_b

    def _mark(self) -> None:
        """NaN for the lengths over which a sequence left all bounds: `march` takes shorter ones."""
        moved = (self.change_u, self.change_v, self.left, self.right)
        size = [
            np.maximum(x.max((0, 2, 3), initial=0.0), -x.min((0, 2, 3), initial=0.0)) for x in moved
        ]
        lost = ~(np.max(size, axis=0) < _BEYOND)
        if np.any(lost):
            for x in moved:
                x[:, lost] = np.nan

    def extrapolate(self, weights: Array) -> tuple[Array, Array, Array]:
        """Weighted sum over sequences: changes of U, W and V, (s, lanes, rows, columns)."""
        wide = (self.point.steps - 1) * self.point.channels
        each = weights[:, None, None, None]

        def summed(x: Array) -> Array:
            split = x.reshape(len(x), self.order, self.lanes, *x.shape[2:])
            return np.asarray(np.sum(split * each, axis=1))

        left, right = self._factors
        later = np.repeat(weights, (sequences(self.order) - 1) * wide)
        w = (left * later) @ np.swapaxes(right, -1, -2)
        began = np.swapaxes(self.point.wide_controls[..., :wide], -1, -2)
        w += summed(self.left[..., :wide]) @ began[:, None]
        return summed(self.change_u), w, summed(self.change_v)

    @cached_property
    def _factors(self) -> tuple[Array, Array]:
        """What all substeps but the first moved W by, side by side."""
        wide = (self.point.steps - 1) * self.point.channels
        found = []
        for x in (self.left, self.right):
            split = x.reshape(len(x), self.order, self.lanes, *x.shape[2:])
            taken = [split[:, q, ..., wide : (q + 1) * wide] for q in range(self.order)]
            found.append(np.concatenate(taken, axis=-1))
        return found[0], found[1]


class _Moved:
    """Products with W as it has moved within a step, W + left right'."""

    def __init__(self, point: Point, turned_w: Array, left: Array, right: Array) -> None:
        self.point, self.turned_w, self.left, self.right = point, turned_w, left, right

    def forward(self, change_u: Array) -> tuple[Array, Array]:
        """C_k now and C_k - C_k(start of the step), (s, l, T, p, n)."""
        point = self.point
        dc = [change_u]
        c = [point.c[:, None, 0] + change_u]
        turned = np.swapaxes(self.right, -1, -2)
        for k in range(1, point.steps):
            moved = _shared(self.turned_w, dc[-1]) + self.left @ (turned @ c[-1])
            dc.append(moved)
            c.append(point.c[:, None, k] + moved)
        return np.stack(c, axis=-3), np.stack(dc, axis=-3)

    def backward(self, readout: Array, z: Array) -> Array:
        """B_k = V' z_k + W' B_(k+1), side by side: (s, l, p, T n)."""
        point = self.point
        n, turned = point.channels, np.swapaxes(self.left, -1, -2)
        pulled = np.swapaxes(readout, -1, -2) @ z
        found = [pulled[..., -n:]]
        for k in range(point.steps - 2, -1, -1):
            last = found[0]
            carried = _shared(point.w, last) + self.right @ (turned @ last)
            found.insert(0, pulled[..., k * n : (k + 1) * n] + carried)
        return np.concatenate(found, axis=-1)


def _lagged(readout: Array, c: Array) -> Array:
    """V C_k side by side over (lag, channel): (s, l, m, T n)."""
    return driven(readout, c)


def _shared(w: Array, x: Array) -> Array:
    """w' (s, p, p) times x (s, l, p, n), as one product per network.

    With few rows on the left, BLAS takes a third of the time if w lies as it is multiplied.
    """
    s, lanes, p, n = x.shape
    rows = np.swapaxes(x, -1, -2).reshape(s, lanes * n, p) @ w
    return np.swapaxes(rows.reshape(s, lanes, n, p), -1, -2)
