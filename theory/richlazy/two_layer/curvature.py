"""The curvature of the loss of a small two-layer network, and steps that know all of it (T11)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.curvature import Curvature, EulerSteps

__all__ = ["Point", "whole_steps"]

Array = NDArray[np.float64]


class Point(Protocol):
    """What is looked at, of one network: W1 (1, h, d), W2 (1, m, h), and the error (1, m, d)."""

    w1: Array
    w2: Array
    error: Array

    def by_covariance(self, x: Array) -> Array:
        """x cov_xx."""


def whole_steps(point: Point, lengths: Array, order: int) -> EulerSteps:
    """Steps of these lengths whose implicit part is the whole curvature of the loss."""
    bowl, (w1, w2) = _curvature(point), (point.w1[0], point.w2[0])

    def velocity(k: Array, changes: list[Array]) -> list[Array]:
        first, readout = changes[0][0], changes[1][0]  # (lanes, rows, columns)
        moved = w2 @ first + readout @ (w1 + first)
        error = point.error[0] - point.by_covariance(moved)
        forces = [
            np.swapaxes(w2 + readout, -1, -2) @ error,
            error @ np.swapaxes(w1 + first, -1, -2),
        ]
        return [force[None] for force in bowl.damped(k, forces)]

    return EulerSteps([point.w1.shape, point.w2.shape], lengths, velocity, order)


def _curvature(point: Point) -> Curvature:
    """The Hessian over all weights, W1 before W2, and minus the gradient."""
    w1, w2, error = point.w1[0], point.w2[0], point.error[0]
    total = w1.size + w2.size
    first, readout = np.split(np.eye(total), [w1.size], axis=1)
    first, readout = first.reshape(total, *w1.shape), readout.reshape(total, *w2.shape)
    less = point.by_covariance(w2 @ first + readout @ w1)
    bent1 = w2.T @ less - np.swapaxes(readout, 1, 2) @ error
    bent2 = less @ w1.T - error @ np.swapaxes(first, 1, 2)
    hessian = np.concatenate([bent1.reshape(total, -1), bent2.reshape(total, -1)], axis=1)
    force = np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])
    return Curvature(hessian, force, float(np.hypot(np.linalg.norm(w1), np.linalg.norm(w2))))
