"""The curvature of the loss of a recurrent network: all of it, or its least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.curvature import Curvature, EulerSteps
from richlazy.integration.march import total_norm

__all__ = ["Point", "curvature", "least_curvature", "whole_steps"]

Array = NDArray[np.float64]

_DENSE = 600  # weights up to which the Hessian is made


class Point(Protocol):
    """What is looked at: weights (s, ...), error, its modes and their rates."""

    u: Array
    w: Array
    v: Array
    c: Array
    error: Array
    rates: Array

    @property
    def parts_rates(self) -> tuple[float, float, float]:
        """How fast U, W and V move."""

    def seen(self, response: Array) -> Array:
        """Responses as the loss sees them."""


def curvature(point: Point, k: int) -> Curvature:
    """The whole curvature of the loss of network k, in weights over the roots of their rates."""
    bent, total = _hessian(point, k, point.error[k])
    here = [np.zeros_like(x[:, None]) for x in (point.u, point.w, point.v)]
    each = zip(_roots(point), _velocity(point, here), strict=True)
    force = np.concatenate([(root * x[k]).ravel() for root, x in each])
    weights = float(total_norm([point.u[k][None], point.w[k][None], point.v[k][None]])[0])
    return Curvature(bent(np.eye(total)), force, weights)


def whole_steps(
    point: Point, curvatures: Sequence[Curvature], lengths: Array, order: int
) -> EulerSteps:
    """Steps of these lengths that know the whole curvature of every network."""
    roots = _roots(point)

    def velocity(k: Array, changes: list[Array]) -> list[Array]:
        forces = [r * x for r, x in zip(roots, _velocity(point, changes), strict=True)]
        damped = [c.damped(k, [x[i] for x in forces]) for i, c in enumerate(curvatures)]
        return [
            r * np.stack(parts) for r, parts in zip(roots, zip(*damped, strict=True), strict=True)
        ]

    return EulerSteps([x.shape for x in (point.u, point.w, point.v)], lengths, velocity, order)


def _roots(point: Point) -> Array:
    return np.sqrt(point.parts_rates)


def _velocity(point: Point, changes: list[Array]) -> list[Array]:
    """Minus the gradient of the loss, the weights changed by lanes (s, l, rows, columns)."""
    du, dw, dv = changes
    c, t, n = point.c[:, None], point.c.shape[1], point.u.shape[2]
    w, v = point.w[:, None] + dw, point.v[:, None] + dv
    moved, now = [du], [c[:, :, 0] + du]  # C_k - C_k(start of the step), and C_k
    for k in range(1, t):
        moved.append(w @ moved[-1] + dw @ c[:, :, k - 1])
        now.append(c[:, :, k] + moved[-1])
    response = np.concatenate([v @ x + dv @ c[:, :, k] for k, x in enumerate(moved)], axis=-1)
    z = point.seen(point.error[:, None] - point.seen(response))
    back = np.swapaxes(v, -1, -2) @ z[..., -n:]
    gw = np.zeros_like(w)
    for k in range(t - 1, 0, -1):
        gw = gw + back @ np.swapaxes(now[k - 1], -1, -2)
        back = np.swapaxes(w, -1, -2) @ back + np.swapaxes(v, -1, -2) @ z[..., (k - 1) * n : k * n]
    gv = z @ np.swapaxes(np.concatenate(now, axis=-1), -1, -2)
    return [back, gw, gv]


def least_curvature(point: Point, k: int, error: Array) -> float:
    """Least eigenvalue of the Hessian of the loss of network k with this error (m, T n) left.

    In weights over the roots of their rates; those that are not trained have none.
    """
    bent, total = _hessian(point, k, error)
    if total <= _DENSE:
        matrix = bent(np.eye(total))
        return float(np.linalg.eigvalsh(0.5 * (matrix + matrix.T))[0])
    return _by_lanczos(bent, total, float(point.rates[k].max()))


def _hessian(point: Point, k: int, error: Array) -> tuple[Callable[[Array], Array], int]:
    """The Hessian of the loss of network k times moves (lanes, weights), and its size."""
    shapes = [x[k].shape for x in (point.u, point.w, point.v)]
    roots = _roots(point)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def bent(moves: Array) -> Array:
        """The Hessian times moves (lanes, weights)."""
        split = np.split(moves, ends[:-1], axis=1)
        each = [
            root * x.reshape(-1, *shape)
            for root, x, shape in zip(roots, split, shapes, strict=True)
        ]
        curved = _curvature(point, k, error, each)
        return np.concatenate(
            [(r * x).reshape(len(x), -1) for r, x in zip(roots, curved, strict=True)], axis=1
        )

    return bent, int(ends[-1])


def _by_lanczos(bent: Callable[[Array], Array], total: int, largest: float) -> float:
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    operator = LinearOperator(
        (total, total), matvec=lambda x: bent(x.ravel()[None])[0], dtype=np.float64
    )
    start = np.random.default_rng(0).standard_normal(total)
    try:
        found = eigsh(
            operator, 1, which="SA", v0=start, tol=1e-3, maxiter=300, return_eigenvectors=False
        )
    except ArpackNoConvergence:  # a cluster at zero and nothing clearly below it
        return 0.0
    # what stands out against the cluster of flat directions at zero is a way down
    return float(found[0]) if found[0] < -1e-3 * largest else 0.0


def _curvature(point: Point, k: int, error: Array, moves: list[Array]) -> list[Array]:
    """Minus the derivative of dU/dt, dW/dt, dV/dt along moves (lanes, rows, columns) of each."""
    u, w, v, c = point.u[k], point.w[k], point.v[k], point.c[k]
    t, n = len(c), u.shape[1]
    du, dw, dv = moves
    z = point.seen(error).reshape(len(v), t, n).transpose(1, 0, 2)
    dc = [du]
    for i in range(1, t):
        dc.append(w @ dc[-1] + dw @ c[i - 1])
    moved = np.concatenate([v @ dc[i] + dv @ c[i] for i in range(t)], axis=-1)
    dz = -point.seen(point.seen(moved))
    back, turned = v.T @ z[-1], np.swapaxes(dv, 1, 2) @ z[-1] + v.T @ dz[..., -n:]
    gw = np.zeros_like(dw)
    gv = z[-1] @ np.swapaxes(dc[-1], 1, 2) + dz[..., -n:] @ c[-1].T
    for i in range(t - 2, -1, -1):
        gw += back @ np.swapaxes(dc[i], 1, 2) + turned @ c[i].T
        here = dz[..., i * n : (i + 1) * n]
        gv += z[i] @ np.swapaxes(dc[i], 1, 2) + here @ c[i].T
        turned = (
            np.swapaxes(dw, 1, 2) @ back + w.T @ turned + np.swapaxes(dv, 1, 2) @ z[i] + v.T @ here
        )
        back = w.T @ back + v.T @ z[i]
    return [-turned, -gw, -gv]
