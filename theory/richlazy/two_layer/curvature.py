"""The curvature of the loss of a two-layer network, and steps that know all of it (T11).

Of all moves of W1 only those of units that the readout sees, and those along inputs in which error
is left, change the loss to second order: m rows and m columns in turned coordinates. All others
have neither curvature nor force, so that the curvature of a network of many weights is that of
few.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.curvature import Curvature, EulerSteps

__all__ = ["Point", "curved", "whole_steps"]

Array = NDArray[np.float64]


class Point(Protocol):
    """What is looked at, of one network: W1 (1, h, d), W2 (1, m, h), and the error (1, m, d)."""

    w1: Array
    w2: Array
    error: Array
    cov: Array | None


def curved(hidden: int, inputs: int, outputs: int) -> int:
    """Number of directions of all weights along which the loss may curve.

    Examples
    --------
    >>> curved(2, 3, 3), curved(12, 24, 1), curved(70, 70, 1)
    (12, 47, 209)
    """
    rows, columns = min(outputs, hidden), min(outputs, inputs)
    return rows * inputs + (hidden - rows) * columns + outputs * hidden


class _Curved:
    """Coordinates of the directions that `curved` counts, and the curvature in them."""

    def __init__(self, point: Point) -> None:
        w1, w2, error = point.w1[0], point.w2[0], point.error[0]
        (h, d), m = w1.shape, len(w2)
        rows, columns = min(m, h), min(m, d)
        self._units: Array = np.linalg.qr(w2.T, mode="complete")[0]
        self._inputs: Array = np.linalg.svd(error)[2].T
        self._where = np.zeros((h, d), dtype=bool)
        self._where[:rows] = self._where[:, :columns] = True
        first, readout = self._turned(w1, w2)
        readout[:, rows:] = 0.0
        left = error @ self._inputs
        left[:, columns:] = 0.0
        cov = None if point.cov is None else self._inputs.T @ point.cov @ self._inputs
        self.bowl = self._curvature(first, readout, left, cov)

    def damped(self, k: Array, first: Array, readout: Array) -> list[Array]:
        """(1 + k H)^-1 of forces (lanes, rows, columns), H the positive part; k (lanes, 1, 1)."""
        first, readout = self._turned(first, readout)
        seen = first[:, self._where][:, None]
        seen, readout = self.bowl.damped(k, [seen, readout])
        first[:, self._where] = seen[:, 0]
        return [self._units @ first @ self._inputs.T, readout @ self._units.T]

    def _turned(self, first: Array, readout: Array) -> tuple[Array, Array]:
        return self._units.T @ first @ self._inputs, readout @ self._units

    def _curvature(self, w1: Array, w2: Array, error: Array, cov: Array | None) -> Curvature:
        """The Hessian, W1 before W2, and minus the gradient."""
        count = int(np.count_nonzero(self._where))
        total = count + w2.size
        moved, readout = np.split(np.eye(total), [count], axis=1)
        first = np.zeros((total, *w1.shape))
        first[:, self._where] = moved
        readout = readout.reshape(total, *w2.shape)
        less = w2 @ first + readout @ w1
        less = less if cov is None else less @ cov
        bent1 = w2.T @ less - np.swapaxes(readout, 1, 2) @ error
        bent2 = less @ w1.T - error @ np.swapaxes(first, 1, 2)
        hessian = np.concatenate([bent1[:, self._where], bent2.reshape(total, -1)], axis=1)
        force = np.concatenate([(w2.T @ error)[self._where], (error @ w1.T).ravel()])
        return Curvature(hessian, force, float(np.hypot(np.linalg.norm(w1), np.linalg.norm(w2))))


def whole_steps(point: Point, lengths: Array, order: int) -> EulerSteps:
    """Steps of these lengths whose implicit part is the whole curvature of the loss."""
    near, (w1, w2) = _Curved(point), (point.w1[0], point.w2[0])

    def velocity(k: Array, changes: list[Array]) -> list[Array]:
        first, readout = changes[0][0], changes[1][0]  # (lanes, rows, columns)
        moved = w2 @ first + readout @ (w1 + first)
        error = point.error[0] - (moved if point.cov is None else moved @ point.cov)
        forces = (
            np.swapaxes(w2 + readout, -1, -2) @ error,
            error @ np.swapaxes(w1 + first, -1, -2),
        )
        return [force[None] for force in near.damped(k, *forces)]

    return EulerSteps([point.w1.shape, point.w2.shape], lengths, velocity, order)
