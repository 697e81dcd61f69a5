"""T6: one hidden neuron with a silent readout, in closed form and without cancellation.

The neuron starts at weights w(0) = s v, v a unit vector whose cosine with the task
direction is sqrt(c), and readout a(0) = 0. It is the whole of what moves when a flat
low-rank start learns one output (T6), and the first Krylov order of any start (T15).

Units: the task vector has length 1. With a task of length g, pass s**2 / g and g * t;
weights then come out in units of sqrt(g).

With k = sqrt(1 + s^4/4), N = cosh kt + (s^2/2) sinh(kt)/k, S = sinh(kt)/k,
E = exp(s^2 t/2), the state is w_par = s sqrt(c) N/sqrt(D), w_perp = s sqrt(1-c) E/sqrt(D),
a = s sqrt(c) S/sqrt(D) and D = c (N^2 - S^2) + (1 - c) E^2. Everything below is that,
scaled by exp(-kt) and rearranged into sums of positive terms (see derivations, T6).
"""

from __future__ import annotations

from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCALE_RANGE", "Neuron", "trajectory"]

Array = NDArray[np.float64]

#: s^2/g must lie here, so that no square of a square leaves the range of float64.
SCALE_RANGE = (1e-140, 1e140)

# exp(-SETTLED) squared is zero in float64: later times are t = infinity to the last bit.
_SETTLED = 800.0
_SERIES_BELOW = 2.0  # 2**28/28! is under 1e-21 of the leading term 2**3/3!


class Neuron(NamedTuple):
    """State of the neuron and its exact differences from the start, weights in units of s."""

    parallel: Array  #: w_par / s
    orthogonal: Array  #: w_perp / s
    readout: Array  #: a / s
    change_parallel: Array  #: (w_par(t) - w_par(0)) / s
    change_orthogonal: Array  #: (w_perp(t) - w_perp(0)) / s
    norm_squared: Array  #: |w|^2 / s^2
    overlap: Array  #: w . w(0) / s^2
    residual_parallel: Array  #: 1 - a w_par, in units of g
    residual_orthogonal: Array  #: a w_perp, in units of g


def trajectory(scale_squared: Array, alignment: Array, t: Array) -> Neuron:
    """Evaluate T6's neuron elementwise over broadcast arrays.

    Parameters
    ----------
    scale_squared
        s^2 / g, within `SCALE_RANGE`.
    alignment
        c in [0, 1]. At c = 0 the neuron is orthogonal to the task and rests for ever.
    t
        g * time >= 0; infinity gives the limit.
    """
    half = 0.5 * scale_squared
    kappa = np.hypot(1.0, half)
    rho = kappa + half
    delta = 1.0 / rho  # kappa - s^2/2 without the cancellation: delta * rho = 1
    theta = half / kappa
    epsilon = delta / kappa  # 1 - theta

    t = np.where(alignment > 0, np.minimum(t, _SETTLED / delta), 0.0)
    slow = delta * t
    x = 2.0 * kappa * t
    decay = np.exp(-x)
    n = 0.5 * (1.0 + theta) + 0.5 * epsilon * decay
    s = -np.expm1(-x) / (2.0 * kappa)
    e = np.exp(-slow)
    n_minus_e = (rho * _chi(slow) + e * delta * _omega(rho * t)) / (2.0 * kappa)
    v = _v_scaled(theta, epsilon, x, decay)

    d1 = decay + 0.5 * theta * -np.expm1(-2.0 * x) + 0.5 * (theta * np.expm1(-x)) ** 2
    rest = 1.0 - alignment
    cos, sin = np.sqrt(alignment), np.sqrt(rest)
    root = np.hypot(cos * np.sqrt(d1), sin * e)  # sqrt(D): D itself leaves the range of float64
    inside, outside = cos / root, sin * e / root

    change_n = rest * n_minus_e * (n + e) + alignment * s * s
    return Neuron(
        parallel=inside * n,
        orthogonal=outside,
        readout=inside * s,
        change_parallel=inside * change_n / (n + root),
        change_orthogonal=-sin * inside * (cos * v) / (e + root),
        norm_squared=(inside * n) ** 2 + outside**2,
        overlap=cos * inside * n + sin * outside,
        residual_parallel=inside**2 * decay + outside**2,
        residual_orthogonal=scale_squared * inside * s * outside,
    )


def _series(x: Array, coefficients: list[float]) -> Array:
    total = np.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def _chi(x: Array) -> Array:
    """1 - exp(-x) (1 + x), which cancels to x^2/2 at small x."""
    small = np.minimum(x, _SERIES_BELOW)
    terms = [1.0 / factorial(n) for n in range(2, 30)]
    return np.where(
        x < _SERIES_BELOW,
        np.exp(-small) * small**2 * _series(small, terms),
        1.0 - np.exp(-x) * (1.0 + x),
    )


def _omega(x: Array) -> Array:
    """Return x - 1 + exp(-x), which cancels to x^2/2 at small x."""
    small = np.minimum(x, _SERIES_BELOW)
    terms = [(-1.0) ** n / factorial(n) for n in range(2, 30)]
    return np.where(x < _SERIES_BELOW, small**2 * _series(small, terms), x + np.expm1(-x))


def _v_scaled(theta: Array, epsilon: Array, x: Array, decay: Array) -> Array:
    """V exp(-x), V = 1 - theta^2 + theta (1+theta)/2 e^x - theta (1-theta)/2 e^-x - e^(theta x).

    V vanishes at theta = 0, at theta = 1 and like x^3 at x = 0; each neighbourhood has
    its own form. The series is sum over odd n of (theta - theta^n) x^n/n! and over even
    n of (theta^2 - theta^n) x^n/n!, n >= 3, all positive.
    """
    small = np.minimum(x, _SERIES_BELOW)
    series = np.zeros_like(small * theta)
    square = theta * theta
    gap = epsilon * (1.0 + theta)  # 1 - theta^2
    # theta - theta^n = theta (1 - theta^2) (1 + theta^2 + ... ) keeps its digits at theta -> 1
    geometric = np.ones_like(series)
    power = np.ones_like(series)
    term = small * small / 2.0
    for n in range(3, 30):
        term = term * small / n
        if n % 2:
            if n > 3:
                power = power * square
                geometric = geometric + power
            series = series + theta * gap * geometric * term
        else:
            series = series + square * gap * geometric * term
    near_zero = (
        np.exp(-epsilon * x) * np.expm1(-theta * x)
        - square * decay
        + 0.5 * theta * (1.0 + theta)
        - 0.5 * theta * epsilon * decay * decay
    )
    near_one = (
        -np.expm1(-epsilon * x)
        - 0.5 * epsilon * (3.0 - epsilon)
        + epsilon * (2.0 - epsilon) * decay
        - 0.5 * theta * epsilon * decay * decay
    )
    return np.where(x < _SERIES_BELOW, series * decay, np.where(theta <= 0.5, near_zero, near_one))
