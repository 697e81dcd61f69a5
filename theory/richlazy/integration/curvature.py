"""The whole curvature of the loss at one point of a small network, and steps that know of it.

Where error is left, the Gauss-Newton part of the Jacobian leaves out what sets the length of a
step: the curvature that the error makes. A network of few weights can afford all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import MAGNIFIED, sequences

__all__ = ["LARGEST", "SOMEWHERE", "Curvature", "EulerSteps"]

Array = NDArray[np.float64]

#: Largest number of weights whose curvature is the implicit part.
LARGEST = 200
#: What is said of a rest whose curvature tells neither.
SOMEWHERE = "at a saddle, or at the least that these weights allow"
_FLAT = 1e-13  # of the largest curvature: below it there is none
_NEAR = 1e-6  # of the largest curvature: what the way still to go may account for
_FAR = 100.0
_LOST = 1e-6  # of the force: what turning it leaves in directions that are flat


class Curvature:
    """The loss to second order: its Hessian over all weights, and the force, minus its gradient.

    Examples
    --------
    >>> bowl = Curvature(np.diag([2.0, 4.0]), np.array([2e-9, 0.0]), 1.0)
    >>> bowl.to_go(0.0), Curvature(np.diag([2.0, -1.0]), np.zeros(2), 1.0).to_go(0.0)
    (1e-09, inf)
    >>> bowl.to_go(1e-8)
    0.0
    """

    def __init__(self, hessian: Array, force: Array, weights: float) -> None:
        # what does not move at all, rounding of the rest must not move
        self._moving = np.any(hessian != 0.0, axis=0) | (force != 0.0)
        whole = hessian[np.ix_(self._moving, self._moving)]
        self._values, self._vectors = np.linalg.eigh(0.5 * (whole + whole.T))
        self._rates = np.maximum(self._values, 0.0)
        self._force, self._weights = force[self._moving] @ self._vectors, weights

    def damped(self, k: Array, forces: Sequence[Array]) -> list[Array]:
        """(1 + k H)^-1 forces, H the positive part of the curvature; k (lanes, 1, 1)."""
        flat = np.concatenate([f.reshape(len(f), -1) for f in forces], axis=1)
        modes = flat[:, self._moving] @ self._vectors / (1.0 + k[:, :, 0] * self._rates)
        flat[:, self._moving] = modes @ self._vectors.T
        parts = np.split(flat, np.cumsum([f[0].size for f in forces])[:-1], axis=1)
        return [p.reshape(f.shape) for p, f in zip(parts, forces, strict=True)]

    def where(self, noise: float) -> str:
        """What kind of point a flow rests at, in words."""
        if np.isfinite(self.to_go(noise)):
            return "at a minimum, to second order"
        if self._values.size and self._values[0] < -_NEAR * self._values[-1]:
            return "at a saddle, which nothing but rounding would leave"
        return SOMEWHERE

    def to_go(self, noise: float) -> float:
        """Length of Newton's step to the minimum that is near; infinity where none is known to be.

        `noise` is what rounding makes of the force; where that is all of it, as steps magnify it,
        the minimum is here, and further steps would only gather it. Directions without curvature,
        such as those that change no product of weights, must have no force.
        """
        largest, force = float(self._values.max(initial=0.0)), float(np.linalg.norm(self._force))
        slope = _FAR * force / self._weights if self._weights > 0 else 0.0
        if largest <= 0.0 or slope > _NEAR * largest:
            return np.inf
        flat = np.abs(self._values) <= _FLAT * largest + slope
        driven = np.linalg.norm(self._force[flat]) > noise + _LOST * force
        if driven or np.any(self._values[~flat] < 0.0):
            return np.inf
        if force <= MAGNIFIED * noise:
            return 0.0
        return float(np.linalg.norm(self._force[~flat] / self._values[~flat]))


class EulerSteps:
    """All Euler sequences from one point over one or several lengths, before extrapolation.

    Parameters
    ----------
    shapes
        (n, rows, columns) of every layer of a stack of n networks.
    lengths
        Of the steps.
    velocity
        Takes substeps k (lanes, 1, 1) and the change of every layer (n, lanes, rows, columns);
        gives the dW/dt, damped by the implicit part, that a substep goes along.
    order
        Number of sequences.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        lengths: Array,
        velocity: Callable[[Array, list[Array]], Sequence[Array]],
        order: int,
    ) -> None:
        self.lanes, self.order = lengths.size, order
        total = order * lengths.size  # lane = sequence * lanes + length
        step = np.tile(lengths, order) / np.repeat(sequences(order), self.lanes)
        self.change = [np.zeros((n, total, *layer)) for n, *layer in shapes]
        for i in range(order):
            on = slice(i * self.lanes, total)  # sequences with more than i substeps
            k = step[on][:, None, None]
            changes = [c[:, on] for c in self.change]
            for c, move in zip(changes, velocity(k, changes), strict=True):
                c += k * move

    def extrapolate(self, weights: Array) -> list[Array]:
        """Weighted sum over sequences, layers of (n, lanes, rows, columns)."""
        return [
            np.tensordot(
                weights,
                c.reshape(len(c), self.order, self.lanes, *c.shape[2:]),
                axes=(0, 1),
            )
            for c in self.change
        ]
