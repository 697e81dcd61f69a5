"""The flow, and what steps of descent add to it in first order (T13), by SciPy.

W' = G(W) is the flow of T1, J its derivative. Descent of step eta is at W + eta delta + O(eta^2),
delta' = J (delta - G/2) from 0, and D = W2'W2 - W1 W1' at D(0) + eta D1 + O(eta^2), D1 the integral
of G2'G2 - G1 G1'. A function of the weights moves by eta times its slope along delta.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from richlazy.two_layer.descent import Gauge

__all__ = ["Corrected", "corrected_flow", "slopes"]

Array = NDArray[np.float64]


class Corrected(NamedTuple):
    """At every time, of every run: arrays (times, n, ...)."""

    first: Array
    readout: Array
    delta_first: Array
    delta_readout: Array
    conserved: Array  #: D1


def corrected_flow(
    first: Array, readout: Array, cov_yx: Array, cov_xx: Array | None, times: Sequence[int]
) -> Corrected:
    """Flow and correction of n runs at once; arguments as in `richlazy.descent.descend`."""
    units = (len(first), first.shape[1], first.shape[1])
    shapes = (first.shape, readout.shape, first.shape, readout.shape, units)
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

    def parts(state: Array) -> list[Array]:
        return [state[a:b].reshape(s) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]

    def seen(product: Array) -> Array:
        return product if cov_xx is None else product @ cov_xx

    def rate(_: float, state: Array) -> Array:
        w1, w2, delta1, delta2, _d = parts(state)
        error = cov_yx - seen(w2 @ w1)
        g1, g2 = w2.mT @ error, error @ w1.mT
        v1, v2 = delta1 - g1 / 2.0, delta2 - g2 / 2.0
        moved = -seen(v2 @ w1 + w2 @ v1)
        rates = (
            g1,
            g2,
            v2.mT @ error + w2.mT @ moved,
            moved @ w1.mT + error @ v1.mT,
            g2.mT @ g2 - g1 @ g1.mT,
        )
        return np.concatenate([part.ravel() for part in rates])

    start = np.zeros(ends[-1])
    start[: ends[2]] = np.concatenate([first.ravel(), readout.ravel()])
    found = solve_ivp(
        rate, (0.0, times[-1]), start, method="DOP853", t_eval=times, rtol=1e-10, atol=1e-12
    )
    states = [parts(state) for state in found.y.T]
    return Corrected(*(np.stack(part) for part in zip(*states, strict=True)))


def slopes(gauge: Gauge, flow: Corrected) -> Array:
    """Of every measure along delta, (measures, n, times), by central differences."""
    found = []
    for w1, w2, delta1, delta2, _ in zip(*flow, strict=True):
        # to 1e-8 of curvature and 1e-12 of rounding
        small = 1e-4 / np.sqrt(np.mean(delta1**2) + np.mean(delta2**2))
        ahead, back = (
            np.stack(gauge.measures(w1 + s * delta1, w2 + s * delta2)) for s in (small, -small)
        )
        found.append((ahead - back) / (2.0 * small))
    return np.stack(found, axis=2)
