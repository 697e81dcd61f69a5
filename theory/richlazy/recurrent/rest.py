"""When the flow of a recurrent network rests: nothing left to learn, or nowhere to go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import CLOSE, total_norm

__all__ = ["Point", "at_rest", "least_curvature"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_ROUNDING = 1e-15
_NOISE = 1e-14
_FAR = 100.0  # times the weights
_DENSE = 600  # weights up to which the Hessian is made
_UPWARDS = 1e-9  # of the fastest rate: what counts as no curvature


class Point(Protocol):
    """What is looked at: weights (s, ...), error, its modes and their rates."""

    u: Array
    w: Array
    v: Array
    c: Array
    error: Array
    rates: Array
    rounding: Array

    @property
    def weights_rates(self) -> tuple[float, float, float]:
        """How fast U, W and V move."""

    def seen(self, response: Array) -> Array:
        """Responses as the loss sees them."""

    def modes(self, z: Array) -> Array:
        """Components along the eigenvectors of the tangent kernel."""

    def unmode(self, components: Array) -> Array:
        """The error with these components."""


def at_rest(point: Point, size: Array, rtol: Array) -> tuple[Flags, Flags]:
    """Whether each network, its weights changed by `size`, is at rest, or about to be.

    At rest: the Gauss-Newton step still to go is below rtol * size, and the error left is
    rounding, or out of reach at a minimum to second order. Or dW/dt is rounding noise (a saddle).
    About to be: such a minimum is within `CLOSE` rtol * size.
    """
    parts = point.modes(point.error)
    modes = parts**2
    there = modes > (point.rounding**2)[:, None]
    weights = total_norm([point.u, point.w, point.v])[:, None]
    # out of reach: its rate is rounding, or mending it linearly takes far more than the weights
    none = _ROUNDING**2 * 100.0 * point.rates.max(axis=-1, keepdims=True)
    far = there & ((point.rates <= none) | (modes > (_FAR * weights) ** 2 * point.rates))
    wrong = np.where(there & ~far, modes, 0.0)
    left = np.sqrt(np.sum(wrong / np.where(wrong > 0, point.rates, 1.0), axis=-1))
    stuck = np.any(far, axis=-1)
    rest = ~stuck & (left <= rtol * size)
    reach = np.sqrt(np.sum(point.rates, axis=-1))
    speed = np.sqrt(np.sum(modes * point.rates, axis=-1))
    rest |= speed <= _NOISE * np.sqrt(np.sum(modes, axis=-1)) * reach
    close = ~rest & stuck & (left <= CLOSE * rtol * size)
    if np.any(close):
        beyond = point.unmode(np.where(far, parts, 0.0))
        for k in np.flatnonzero(close):
            close[k] = least_curvature(point, int(k), beyond[k]) >= -_UPWARDS * point.rates[k].max()
    return rest | (close & (left <= rtol * size)), close


def least_curvature(point: Point, k: int, error: Array) -> float:
    """Least eigenvalue of the Hessian of the loss of network k with this error (m, T n) left.

    In weights over the roots of their rates; those that are not trained have none.
    """
    shapes = [x[k].shape for x in (point.u, point.w, point.v)]
    roots = np.sqrt(point.weights_rates)
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

    total = int(ends[-1])
    if total <= _DENSE:
        matrix = bent(np.eye(total))
        return float(np.linalg.eigvalsh(0.5 * (matrix + matrix.T))[0])
    return _by_lanczos(bent, total, float(point.rates[k].max()))


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
