"""T19: how fast rounding grows beside the modes that a network and its task share.

The modes use some of the units; the others are at rest, exactly. A little that is driven on them
(of U, and of W from the modes' units) and read from them (of V, and of W to the modes' units) moves
by dx/dt = P'y, dy/dt = P x, with P = sum_k M_k (x) W^k of these units and M_k what the lags beyond
k have left to learn. It grows at the rate sigma_1(P): at a saddle for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from richlazy.recurrent.flow import Change, Problem
from richlazy.recurrent.network import Network
from richlazy.recurrent.responses import controls, driven, reads
from richlazy.start import matrices

__all__ = ["growth"]

Array = NDArray[np.float64]

_PRODUCTS = 10  # of P'P at every time: the logarithm of a rounding needs no more
_NONE = 1e-9  # of the rate at the start


def growth(
    net: Network, problem: Problem, basis: Array, at: Array, changes: Sequence[Change]
) -> tuple[float, float]:
    """Logarithm of how much rounding has grown by the last of these times, and its rate there.

    `problem` is the network on the units of the modes, `basis` (N, p).
    """
    if basis.shape[1] >= net.units:
        return 0.0, 0.0
    width = net.channels + basis.shape[1]
    beside = np.random.default_rng(0).standard_normal((net.units, width))
    rates = []
    for change in changes:
        rate, beside = _leading(net, _left(problem, change), basis, beside)
        rates.append(rate)
    if rates[-1] <= _NONE * rates[0]:
        rates[-1] = 0.0
    if np.isinf(at[-1]):
        if rates[-1] > 0.0:
            return np.inf, rates[-1]
        at, rates = at[:-1], rates[:-1]  # by the one before nearly all is learned
    times, speed = np.r_[0.0, at], np.array([*rates[:1], *rates])
    return float(np.sum(0.5 * (speed[1:] + speed[:-1]) * np.diff(times))), float(speed[-1])


def _left(problem: Problem, change: Change) -> Array:
    """M_k, (T, m + p, n + p): over V and W on one side, U and W on the other, roots of rates in."""
    u, w, v = (x[0] + dx[0] for x, dx in zip(problem[:3], change[:3], strict=True))
    t, m, n = problem.steps, len(v), u.shape[1]
    c, o = controls(w, u, t), reads(w, v, t)
    response, root = driven(v, c), problem.root
    if root is None:
        missed = problem.target[0] - response
    else:
        missed = (problem.target[0] - response @ root) @ root
    error = np.stack(np.split(missed, t, axis=1))
    found = np.zeros((t, m + len(w), n + len(w)))
    found[:, :m, :n] = error
    for k in range(t):
        for i in range(t - 1 - k):
            found[k, :m, n:] += error[k + 1 + i] @ c[i].T
            found[k, m:, :n] += o[i].T @ error[k + 1 + i]
            for j in range(t - 2 - k - i):
                found[k, m:, n:] += o[j].T @ error[k + 2 + i + j] @ c[i].T
    rate_u, rate_w, rate_v = np.sqrt(problem.rates)
    found[:, :m] *= rate_v
    found[:, m:] *= rate_w
    found[..., :n] *= rate_u
    found[..., n:] *= rate_w
    return found


def _leading(net: Network, lags: Array, basis: Array, x: Array) -> tuple[float, Array]:
    """sigma_1(P) by powers of P'P on x, and where they have led."""
    a, size = net.leak, 0.0
    for _ in range(_PRODUCTS):
        x = x - basis @ (basis.T @ x)
        x = x / (float(np.linalg.norm(x)) or 1.0)
        x = x - basis @ (basis.T @ x)
        y = np.zeros((net.units, lags.shape[1]))
        for lag in lags[::-1]:
            y = a * matrices.forward(net.recurrent, y) + (1.0 - a) * y + x @ lag.T
        size = float(np.linalg.norm(y))
        after = np.zeros_like(x)
        for lag in lags[::-1]:
            after = a * matrices.adjoint(net.recurrent, after) + (1.0 - a) * after + y @ lag
        if not np.any(after):
            break
        x = after
    return size, x
