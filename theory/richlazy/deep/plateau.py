"""Points of the flow where error is left that the network reaches slowly or not at all.

Weak directions beside learned ones grow at rates of their own, however small. There the weights
are turned so that strong and weak directions are coordinates, in which products keep the digits
of the weak ones; the implicit part of a step is the whole curvature of the loss where that is
positive, so that steps grow until the weak directions set their length; and rest is judged entry
by entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from richlazy.deep.flow import Point, Products, Small, steps
from richlazy.integration.curvature import EulerSteps
from richlazy.integration.march import total_norm

__all__ = ["Plateau"]

Array = NDArray[np.float64]

_ROUNDING = 1e-14  # of a weight or an error: below it nothing is known of it
_LEAST = 1e-4  # of the weights: a tolerance of 1e-10 of less is rounding of the others


class Plateau:
    """One such point: the same network in turned coordinates (a `march` Point)."""

    def __init__(self, point: Point) -> None:
        small, weights = point.small, point.at.weights
        white = bool(np.all(small.gains == small.gains[0]))
        found = [np.linalg.svd(np.concatenate(sides, axis=1))[:2] for sides in _sides(weights)]
        self.bases = [
            np.eye(small.gains.size) if i == 0 and not white else basis
            for i, (basis, _) in enumerate(found)
        ]
        turned = [
            after.T @ w @ before
            for w, before, after in zip(weights, self.bases, self.bases[1:], strict=False)
        ]
        target = self.bases[-1].T @ small.target @ self.bases[0]
        self.small = small._replace(weights=turned, target=target)
        self.point = Point(self.small, [np.zeros((1, *w.shape)) for w in turned])
        self._scales = self._least([sizes for _, sizes in found], white)
        self._force = self.point.at.pulled(self.point.at.error)
        self._known = _uncertain(self.small, self.point.at)

    @property
    def fastest(self) -> float:
        """As `march` needs it."""
        return self.point.fastest

    @property
    def precision(self) -> Array:
        """As `march` needs it."""
        return self.point.precision

    @property
    def haze(self) -> Array:
        """Rounding of dW/dt, in the units of `size`."""
        return 0.1 * self._weighed(
            # what is nothing but rounding is stiff, and taken away by the implicit part
            [k * (np.abs(f) > k) for f, k in zip(self._force, self._known, strict=True)]
        )

    def size(self, missed: Sequence[Array]) -> Array:
        """An error relative to the directions that it is found in."""
        return self._weighed(
            [
                after.T @ x[0] @ before
                for x, before, after in zip(missed, self.bases, self.bases[1:], strict=False)
            ]
        )

    def _weighed(self, layers: Sequence[Array]) -> Array:
        shares = [x / scale for x, scale in zip(layers, self._scales, strict=True)]
        return self.point.length * total_norm([share[None] for share in shares])

    def _least(self, sizes: list[Array], white: bool) -> list[Array]:
        """Size of the weaker of the two directions that every weight joins."""
        least = _LEAST * self.point.length
        padded = [
            np.maximum(np.pad(s, (0, len(b) - s.size)), least)
            for s, b in zip(sizes, self.bases, strict=True)
        ]
        if not white:
            padded[0] = np.full(padded[0].size, self.point.length)
        return [np.minimum(a[:, None], b) for b, a in pairwise(padded)]

    def resting(self, size: Array, rtol: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether rounding leaves nothing of dW/dt, entry by entry."""
        rest = all(
            bool(np.all(np.abs(f) <= known))
            for f, known in zip(self._force, self._known, strict=True)
        )
        return np.array([rest]), np.array([False])

    def step(self, lengths: Array, order: int) -> _Turned:
        """Steps of these lengths, turned back."""
        return _Turned(steps(self.point, lengths, order, self.point.curvature.damped), self.bases)


class _Turned:
    def __init__(self, step: EulerSteps, bases: Sequence[Array]) -> None:
        self.step, self.bases = step, bases

    def extrapolate(self, weights: Array) -> list[Array]:
        """As of the step, in the coordinates of the network."""
        return [
            after @ c @ before.T
            for c, before, after in zip(
                self.step.extrapolate(weights), self.bases, self.bases[1:], strict=False
            )
        ]


def _sides(weights: Sequence[Array]) -> list[list[Array]]:
    """The layers on both sides of every space, inputs first, as matrices from elsewhere to it."""
    return [
        [*([weights[i - 1]] if i > 0 else []), *([weights[i].T] if i < len(weights) else [])]
        for i in range(len(weights) + 1)
    ]


def _uncertain(small: Small, at: Products) -> list[Array]:
    """What rounding of weights and error makes of every entry of dW/dt, at most."""
    size = max(float(np.linalg.norm(w)) for w in at.weights)
    weights = [np.abs(w) for w in at.weights]
    exact = Products(small, weights)
    blurred = Products(small, [w + _ROUNDING * size for w in weights])
    error = np.abs(at.error)
    more = error + _ROUNDING * (np.abs(small.target) + exact.function)
    return [
        high - (1.0 - _ROUNDING) * low
        for high, low in zip(blurred.pulled(more), exact.pulled(error), strict=True)
    ]
