"""The flow of a deep network: a closed form, explicit steps or `march`, by its stiffness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from richlazy.deep.flow import Point, Products, Small
from richlazy.deep.plateau import Plateau
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.integration.march import march, total_norm

__all__ = ["KERNEL", "integrate"]

Array = NDArray[np.float64]

#: Largest side of the tangent kernel that is factorised.
KERNEL = 1500
_NOT_STIFF = 300.0  # rate times time, up to which explicit steps are cheaper


def integrate(small: Small, at: Array, rtol: float) -> list[list[Array]]:
    """Weight changes of every layer at ascending times, infinity allowed.

    Raises
    ------
    AssumptionError
        If the tangent kernel is too large to be factorised and a time is infinite.
    ConvergenceError
        If the flow does not settle.
    """
    if len(small.weights) == 1:
        return [[change] for change in _one_layer(small, at)]
    side, last = small.target.size, float(at[-1])
    if side > KERNEL and np.isinf(last):
        raise AssumptionError(
            f"the tangent kernel has {side} rows, over {KERNEL}: whether the flow has come to "
            "rest is too costly to tell; ask for finite times"
        )
    if side > KERNEL or _rate(small) * last < _NOT_STIFF:
        return _explicit(small, at, rtol)
    zero = [np.zeros((1, *w.shape)) for w in small.weights]
    found = march(lambda change: _point(small, change), zero, at, rtol)
    return [[layer[0] for layer in change] for _, change, _ in found]


def _point(small: Small, change: Sequence[Array]) -> Point | Plateau:
    point = Point(small, change)
    return Plateau(point) if point.few and point.waiting(total_norm(change)) else point


def _one_layer(small: Small, at: Array) -> list[Array]:
    """dW = (W* - W)(1 - exp(-cov_xx t))."""
    (w,) = small.weights
    distance = small.target / small.gains - w
    return [-np.expm1(-small.gains * small.gains * t) * distance for t in at]


def _rate(small: Small) -> float:
    """About the fastest rate of the way, from its start and, were it balanced, its end."""
    start, depth = Products(small, small.weights), len(small.weights)
    sizes = [
        np.linalg.norm(a, 2) * np.linalg.norm(b, 2)
        for a, b in zip(start.inner, start.outer, strict=True)
    ]
    end = np.linalg.norm(small.target, 2) ** (2.0 - 2.0 / depth)
    return float(np.sum(np.square(sizes)) + depth * end * np.max(small.gains) ** (2.0 / depth))


def _explicit(small: Small, at: Array, rtol: float) -> list[list[Array]]:
    """SciPy's DOP853, for finite times."""
    from scipy.integrate import solve_ivp

    ends = np.cumsum([w.size for w in small.weights])[:-1]
    shapes = [w.shape for w in small.weights]

    def layers(y: Array) -> list[Array]:
        return [part.reshape(s) for part, s in zip(np.split(y, ends), shapes, strict=True)]

    def velocity(_: float, y: Array) -> Array:
        now = Products(small, [w + c for w, c in zip(small.weights, layers(y), strict=True)])
        return np.concatenate([x.ravel() for x in now.pulled(now.error)])

    zero = np.zeros(sum(w.size for w in small.weights))
    speed = float(np.max(np.abs(velocity(0.0, zero)), initial=0.0))
    if speed == 0.0 or at[-1] == 0.0:
        return [layers(zero) for _ in at]
    # relative to the change, down to the rounding of the weights
    largest = max(float(np.max(np.abs(w), initial=0.0)) for w in small.weights)
    floor = 1e-3 * rtol * min(speed, 1.0) + np.finfo(float).eps * largest
    last = float(at[-1])
    first = min(last, 0.1 / _rate(small))  # SciPy's own guess may overflow
    found = solve_ivp(
        velocity, (0.0, last), zero, "DOP853", at, rtol=rtol, atol=floor, first_step=first
    )
    if not found.success:
        raise ConvergenceError(
            f"the flow could not be integrated to t = {at[-1]:g}: {found.message}"
        )
    return [layers(y) for y in found.y.T]
