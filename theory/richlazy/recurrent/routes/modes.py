"""T19: aligned modes, where a recurrent network and its task share their singular vectors.

W = Q diag(w) Q', U = Q diag(u) L', V = O diag(v) Q' and S_k = O diag(s_k) L' decouple into scalars,
with f_k = v w^k u:

    du/dt = v sum_k (s_k - f_k) w^k,  dv/dt = u sum_k (s_k - f_k) w^k,
    dw/dt = u v sum_k k (s_k - f_k) w^(k-1),

u^2 - v^2 constant; normal W with complex pairs in the same way, in 2 x 2 rotation-scaling blocks
(Proca, Domine, Shanahan, Mediano 2025, eqs 5-8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, ConvergenceError, positive, real_array
from richlazy.integration.shared import distinct

__all__ = ["Mode", "geometric"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-11
_DOUBLINGS = 60


@dataclass(frozen=True, eq=False)
class Mode:
    """One real mode at times t: input u, recurrent w, readout v, and its excess loss."""

    inputs: Array
    recurrent: Array
    readout: Array
    loss: Array


def geometric(
    inputs: float,
    recurrent: float,
    readout: float,
    *,
    strength: float,
    decay: float,
    t: ArrayLike,
) -> Mode:
    """One mode that learns s_k = strength * decay^k over infinitely many steps (T19).

    With p = u v the excess loss is [s^2/(1 - d^2) - 2 s p/(1 - d w) + p^2/(1 - w^2)] / 2, and the
    flow its gradient, in closed sums. It rests at p = s, w = d.

    Parameters
    ----------
    inputs, recurrent, readout
        u, w, v at time 0; |w| < 1.
    strength, decay
        s > 0, and d with |d| < 1.
    t
        Times, learning rate x steps of training; infinity allowed.

    Raises
    ------
    AssumptionError
        If |w| or |d| is not below 1: infinitely many responses have no finite norm.

    Examples
    --------
    >>> end = geometric(0.1, 0.2, 0.1, strength=1.0, decay=0.8, t=np.inf)
    >>> float(end.recurrent.round(6)), float((end.inputs * end.readout).round(6))
    (0.8, 1.0)
    """
    start = np.array([float(real_array(x, name, ndim=0)) for x, name in (
        (inputs, "inputs"), (recurrent, "recurrent"), (readout, "readout"))])  # fmt: skip
    s, d = float(positive(strength, "strength", ndim=0)), float(real_array(decay, "decay", ndim=0))
    for name, value in (("recurrent", start[1]), ("decay", d)):
        if not abs(value) < 1.0:
            raise AssumptionError(
                f"{name} must be between -1 and 1 for infinitely many steps; it is {value:g}"
            )
    at, place = distinct(t)
    found = _geometric_flow(start, s, d, at)[:, place]
    return Mode(found[0], found[1], found[2], _geometric_loss(found, s, d))


def _geometric_loss(state: Array, s: float, d: float) -> Array:
    """Half the squared error, written as its parts: the form above cancels where it is learned."""
    u, w, v = state
    p = u * v
    # s d^k - p w^k = (s - p) d^k + p (d^k - w^k), whose squares sum without cancellation of s and p
    gap = (d - w) ** 2 * (1.0 + d * w) / ((1 - d * d) * (1 - w * w) * (1 - d * w))
    cross = (d - w) * d / ((1 - d * d) * (1 - d * w))
    square = (s - p) ** 2 / (1 - d * d) + 2.0 * (s - p) * p * cross + p * p * gap
    return np.asarray(0.5 * np.maximum(square, 0.0))


def _geometric_flow(start: Array, s: float, d: float, at: Array) -> Array:
    """(u, w, v) at ascending times; t = infinity once a doubling of time changes nothing."""
    from scipy.integrate import solve_ivp

    def velocity(_: float, y: Array) -> Array:
        u, w, v = y
        p = u * v
        push = s / (1 - d * w) - p / (1 - w * w)
        turn = s * d / (1 - d * w) ** 2 - p * w / (1 - w * w) ** 2
        return np.array([v * push, p * turn, u * push])

    # while they are small, u and v keep their digits only against themselves
    size = float(np.abs(start[[0, 2]]).max()) or 1.0
    small = 1e-14 * np.array([min(size, 1.0), 1.0, min(size, 1.0)])

    def ahead(y: Array, t: float, until: float) -> Array:
        run = solve_ivp(velocity, (t, until), y, "LSODA", rtol=_TOLERANCE, atol=small)
        if not run.success:
            raise ConvergenceError(f"the mode could not be followed to t = {until:g}")
        return np.asarray(run.y[:, -1])

    found, y, t = np.empty((3, at.size)), start, 0.0
    for index, until in enumerate(at):
        if np.isfinite(until):
            y, t = (ahead(y, t, until) if until > t else y), float(until)
        else:
            y = _settled(ahead, y, t, 1.0 / s)
        found[:, index] = y
    return found


def _settled(
    ahead: Callable[[Array, float, float], Array], y: Array, t: float, scale: float
) -> Array:
    until = t + scale
    for _ in range(_DOUBLINGS):
        y, before, t, until = ahead(y, t, until), y, until, 2.0 * until
        if np.max(np.abs(y - before)) <= 1e-13 * np.max(np.abs(y)) and t > 100.0 * scale:
            return y
    raise ConvergenceError(f"the mode did not settle by t = {t:.3g}; ask for an earlier time")
