"""The integrator of `richlazy.deep`: extrapolated steps with the tangent kernel as implicit part.

Inputs are coordinates in which cov_xx is diagonal, its roots `gains` folded into A_1 = diag(gains);
then every layer moves by dW_l/dt = B_l' E A_l', E = target - B_l W_l A_l.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import CLOSE, STEPS, total_norm

__all__ = ["Point", "Products", "Small", "Stepper", "total_length"]

Array = NDArray[np.float64]
Damping: TypeAlias = Callable[[Array, Sequence[Array]], list[Array]]

_HESSIAN = 800  # largest number of weights whose curvature is looked at
_ROUNDING = 1e-15
_NOISE = 1e-14
_SLOW = 1e-6  # of the fastest rate
_FAR = 100.0  # times the weights
_LEARNED = 1e-4  # of the change: what is left of errors within reach
_FLAT = 1e-6  # of the fastest rate: curvature that the way still to go may account for


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
        self.rounding = _ROUNDING * (
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

    def step(self, lengths: Array) -> Stepper:
        """Steps of these lengths from here."""
        return Stepper(self, lengths, self.damped)

    def resting(self, size: Array, rtol: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """As in `richlazy.flow`: the Gauss-Newton step to go, curvature, or rounding noise."""
        error = self.at.error
        modes, far, within = self._reach()
        left = np.sqrt(np.sum(modes[within] / self.rates[within]))
        stuck = bool(np.any(far))
        noise = _NOISE * float(np.linalg.norm(error))
        rest = not stuck and left <= rtol[0] * size[0]
        rest = rest or all(
            np.linalg.norm(force) <= noise * np.linalg.norm(b) * np.linalg.norm(a)
            for force, a, b in zip(self.at.pulled(error), self.at.inner, self.at.outer, strict=True)
        )
        near = not rest and stuck and left <= CLOSE * rtol[0] * size[0]
        close = bool(near) and self._minimum(far)
        rest = rest or (close and left <= rtol[0] * size[0])
        return np.array([rest]), np.array([close])

    def waiting(self, size: float) -> bool:
        """Whether error is left, all within reach being learned; weights changed by `size`."""
        modes, far, within = self._reach()
        left = float(np.sqrt(np.sum(modes[within] / self.rates[within])))
        return bool(np.any(far)) and left <= _LEARNED * size

    def _reach(self) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
        """Squared error in every mode of the kernel, and which are out of reach or within."""
        modes = (self.at.error.ravel() @ self.basis) ** 2
        there = modes > self.rounding**2
        # out of reach: its rate is rounding, or mending it linearly takes far more than the weights
        none = _ROUNDING**2 * 100.0 * self.rates.max(initial=0.0)
        far = there & ((self.rates <= none) | (modes > (_FAR * self.length) ** 2 * self.rates))
        return modes, far, there & ~far

    def _minimum(self, far: NDArray[np.bool_]) -> bool:
        """Whether the loss curves upwards in every direction, as far as that is looked at.

        With the error out of reach alone: at a minimum that is at rest, where the whole error
        would bend the loss along the directions that change no product of layers.
        """
        modes = self.at.error.ravel() @ self.basis
        error = (self.basis @ np.where(far, modes, 0.0)).reshape(self.at.error.shape)
        force = self.at.pulled(self.at.error)
        slope = total_length(self.at.pulled(error)) / self.length if self.length > 0 else 0.0
        total = sum(w.size for w in self.at.weights)
        if _FAR * slope > _FLAT * float(self.rates.max()) or total > _HESSIAN:
            return False
        ahead = self._curvature([f[None] for f in force], error)
        along = sum(float(np.sum(c * f)) for c, f in zip(ahead, force, strict=True))
        if (
            along < -_FAR * slope * total_length(force) ** 2
        ):  # speeding up: no need of the whole Hessian
            return False
        hessian = self.hessian(error)
        values = np.linalg.eigvalsh(hessian)
        return bool(values[0] >= -100.0 * _ROUNDING * values[-1] - _FAR * slope)

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


class Stepper:
    """All Euler sequences from one point over one or several lengths, before extrapolation."""

    def __init__(self, point: Point, lengths: Array, damped: Damping) -> None:
        self.lanes = lengths.size
        at, total = point.at, STEPS.size * lengths.size  # lane = sequence * lanes + length
        step = np.tile(lengths, STEPS.size) / np.repeat(STEPS, self.lanes)
        self.change = [np.zeros((total, *w.shape)) for w in at.weights]
        for i in range(STEPS.size):
            on = slice(i * self.lanes, total)  # sequences with more than i substeps
            k = step[on][:, None, None]
            changes = [c[on] for c in self.change]
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
            for c, move in zip(changes, damped(k, forces), strict=True):
                c += k * move

    def extrapolate(self, weights: Array) -> list[Array]:
        """Weighted sum over sequences, layers of (1, lanes, rows, columns)."""
        return [
            np.tensordot(weights, c.reshape(STEPS.size, self.lanes, *c.shape[1:]), axes=1)[None]
            for c in self.change
        ]
