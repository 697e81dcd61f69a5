"""The integrator of `richlazy.deep`: extrapolated steps with the tangent kernel as implicit part.

Inputs are coordinates in which cov_xx is diagonal, its roots `gains` folded into A_1 = diag(gains);
then every layer moves by dW_l/dt = B_l' E A_l', E = target - B_l W_l A_l.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.curvature import LARGEST, Curvature, EulerSteps
from richlazy.integration.march import total_norm
from richlazy.integration.rest import NOISE, ROUNDING, Flags, Reach, at_rest, reach

__all__ = ["Point", "Products", "Small", "steps", "total_length"]

Array = NDArray[np.float64]
Damping: TypeAlias = Callable[[Array, Sequence[Array]], list[Array]]

_HESSIAN = 800  # largest number of weights whose curvature is looked at
_SLOW = 1e-6  # of the fastest rate


class Small(NamedTuple):
    """A reduced network.

    weights [W_1, ..., W_L]; gains (d,), root of the variance of each input coordinate; target
    (m, d), the least-squares map times gains; variance and outputs, tr cov_xx^2 and m of the
    large network.
    """

    weights: list[Array]
    gains: Array
    target: Array
    variance: float
    outputs: float


class Products:
    """A_1 ... A_L (inner), B_1 ... B_L (outer), the function and its error at given weights."""

    def __init__(self, small: Small, weights: Sequence[Array]) -> None:
        self.weights = weights
        self.inner: list[Array] = [np.diag(small.gains)]
        for w in weights[:-1]:
            self.inner.append(w @ self.inner[-1])
        self.outer: list[Array] = [np.eye(len(weights[-1]))]
        for w in weights[:0:-1]:
            self.outer.insert(0, self.outer[0] @ w)
        self.function: Array = weights[-1] @ self.inner[-1]
        self.error: Array = small.target - self.function

    @property
    def seen(self) -> Array:
        """W_1 cov_xx^(1/2)."""
        return self.weights[0] @ self.inner[0]

    def pulled(self, x: Array) -> list[Array]:
        """B_l' x A_l' for every layer, x (..., m, d)."""
        return [b.T @ x @ a.T for a, b in zip(self.inner, self.outer, strict=True)]


def total_length(layers: Sequence[Array]) -> float:
    """Frobenius norm of all layers together."""
    return float(np.sqrt(sum(float(np.sum(x * x)) for x in layers)))


class Point:
    """One point of the flow, with the eigenvectors of its tangent kernel."""

    def __init__(self, small: Small, change: Sequence[Array]) -> None:
        weights = [w + c[0] for w, c in zip(small.weights, change, strict=True)]
        self.small, self.at = small, Products(small, weights)
        self.length = total_length(weights)
        m, d = small.target.shape
        self.rounding = ROUNDING * (
            float(np.linalg.norm(small.target)) + float(np.linalg.norm(self.at.function))
        )
        # as many rows as columns at most, B_l B_l' = outer'outer and A_l'A_l = inner'inner
        outer: list[Array] = [np.linalg.qr(b.T)[1] for b in self.at.outer]
        inner: list[Array] = [np.linalg.qr(a)[1] for a in self.at.inner]
        kernel = sum(
            np.einsum("ij,kl->ikjl", b.T @ b, a.T @ a) for a, b in zip(inner, outer, strict=True)
        )
        self.basis = np.linalg.eigh(np.reshape(kernel, (m * d, m * d)))[1]
        pulls = self._pulls(outer, inner)
        rates = np.sum(pulls**2, axis=1)
        slow = rates < _SLOW * rates.max(initial=0.0)
        if np.any(slow):  # eigh mixes them by eps * ||K|| over their rates
            triangle = np.linalg.qr(pulls[slow].T)[1]
            self.basis[:, slow] = self.basis[:, slow] @ np.linalg.svd(triangle.T)[0]
            rates = np.sum(self._pulls(outer, inner) ** 2, axis=1)
        self.rates = rates

    def _pulls(self, outer: list[Array], inner: list[Array]) -> Array:
        """B_l' x A_l' of all layers for every vector x of the basis, up to rotations.

        Their squared lengths are the rates; eigh's values leave eps * ||K|| of a zero one.
        """
        modes = self.basis.T.reshape(-1, *self.at.error.shape)
        parts = [b @ modes @ a.T for a, b in zip(inner, outer, strict=True)]
        return np.concatenate([x.reshape(len(modes), -1) for x in parts], axis=1)

    @property
    def fastest(self) -> float:
        """A rate nothing exceeds by much."""
        return max(float(self.rates.max(initial=0.0)), float(np.linalg.norm(self.at.error)))

    @property
    def precision(self) -> Array:
        """What rounding leaves uncertain of the error, relative to it."""
        error = float(np.linalg.norm(self.at.error))
        return np.array([self.rounding / error if error > 0 else 0.0])

    @property
    def haze(self) -> Array:
        """What rounding makes of dW/dt."""
        return np.array([self.rounding * _total_reach(self.at)])

    def implicit(self, x: Array, h: Array) -> Array:
        """(1 + h K)^-1 x for lanes x (l, m, d), h (l,)."""
        modes = x.reshape(len(x), -1) @ self.basis / (1.0 + h[:, None] * self.rates)
        return np.asarray((modes @ self.basis.T).reshape(x.shape))

    def damped(self, k: Array, forces: Sequence[Array]) -> list[Array]:
        """(1 + k J'J)^-1 forces, J'J the Gauss-Newton part of the curvature; k (lanes, 1, 1)."""
        gain: Array = np.zeros((1, *self.at.inner[0].shape))
        for w, force, a in zip(self.at.weights, forces, self.at.inner, strict=True):
            gain = w @ gain + force @ a
        back = self.at.pulled(self.implicit(k * gain, k[:, 0, 0]))
        return [force - b for force, b in zip(forces, back, strict=True)]

    def size(self, missed: Sequence[Array]) -> Array:
        """Norm of an error of all layers."""
        return total_norm(missed)

    def step(self, lengths: Array, order: int) -> EulerSteps:
        """Steps of these lengths from here."""
        return steps(self, lengths, order, self.damped)

    def resting(self, size: Array, rtol: Array) -> tuple[Flags, Flags]:
        """As in `integration.rest`."""
        error = self.at.error
        noise = NOISE * float(np.linalg.norm(error))
        still = all(
            np.linalg.norm(force) <= noise * np.linalg.norm(b) * np.linalg.norm(a)
            for force, a, b in zip(self.at.pulled(error), self.at.inner, self.at.outer, strict=True)
        )

        def minimum(asked: Flags) -> Flags:
            known = sum(w.size for w in self.at.weights) <= _HESSIAN
            near = known and self.curvature.to_go(float(self.haze[0])) < np.inf
            return np.array([near]) & asked

        return at_rest(self._reach, np.array([still]), size, rtol, minimum)

    def waiting(self, size: Array) -> bool:
        """Whether error is left, all within reach being learned; weights changed by `size`."""
        return bool(self._reach.waiting(size)[0])

    @property
    def _reach(self) -> Reach:
        modes = ((self.at.error.ravel() @ self.basis) ** 2)[None]
        return reach(modes, self.rates[None], np.array([self.rounding]), np.array([self.length]))

    @property
    def few(self) -> bool:
        """Whether the whole curvature of the loss is cheap."""
        sizes = [w.size for w in self.at.weights]
        return min(sizes) > 0 and sum(sizes) <= LARGEST

    @cached_property
    def curvature(self) -> Curvature:
        """The whole curvature of the loss."""
        force = np.concatenate([f.ravel() for f in self.at.pulled(self.at.error)])
        return Curvature(self.hessian(self.at.error), force, self.length)

    def hessian(self, error: Array) -> Array:
        """Hessian of the loss, at this error, over all weights."""
        total = sum(w.size for w in self.at.weights)
        ends = np.cumsum([w.size for w in self.at.weights])[:-1]
        moves = [
            part.reshape(-1, *w.shape)
            for part, w in zip(np.split(np.eye(total), ends, axis=1), self.at.weights, strict=True)
        ]
        curved = self._curvature(moves, error)
        return np.concatenate([c.reshape(total, -1) for c in curved], axis=1)

    def _curvature(self, moves: list[Array], error: Array) -> list[Array]:
        """Hessian of the loss, at this error, times moves of every layer (lanes, rows, columns)."""
        weights, inner = self.at.weights, self.at.inner
        lanes = len(moves[0])
        turned = [np.zeros((lanes, *inner[0].shape))]  # dA_l
        for w, a, v in zip(weights, inner, moves, strict=True):
            turned.append(w @ turned[-1] + v @ a)
        bent: Array = -turned[-1]  # what the moves make of B_l' E
        found: list[Array] = []
        for i in range(len(weights) - 1, -1, -1):
            found.insert(0, -(bent @ inner[i].T + error @ np.swapaxes(turned[i], 1, 2)))
            bent = weights[i].T @ bent + np.swapaxes(moves[i], 1, 2) @ error
            error = weights[i].T @ error
        return found


def _total_reach(at: Products) -> float:
    """Norm of dW/dt over that of the error, at most."""
    pairs = zip(at.inner, at.outer, strict=True)
    return float(np.sqrt(sum(np.sum(a * a) * np.sum(b * b) for a, b in pairs)))


def steps(point: Point, lengths: Array, order: int, damped: Damping) -> EulerSteps:
    """Steps of these lengths from a point, forces damped by an implicit part."""
    at = point.at

    def velocity(k: Array, moves: list[Array]) -> list[Array]:
        changes = [c[0] for c in moves]
        now = [w + c for w, c in zip(at.weights, changes, strict=True)]
        inner = [at.inner[0]]  # A_l now, and by how much A_l has moved
        moved: Array = np.zeros((1, *at.inner[0].shape))
        for w, c, new in zip(at.weights, changes, now, strict=True):
            moved = w @ moved + c @ inner[-1]
            inner.append(new @ inner[-1])
        passed = at.error - moved
        forces: list[Array] = []
        for new, a in zip(now[::-1], inner[-2::-1], strict=True):
            forces.insert(0, passed @ np.swapaxes(a, -1, -2))
            passed = np.swapaxes(new, 1, 2) @ passed
        return [f[None] for f in damped(k, forces)]

    return EulerSteps([(1, *w.shape) for w in at.weights], lengths, velocity, order)
