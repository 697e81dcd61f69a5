"""T4: one balanced, aligned mode of a linear network of any depth, elementwise over arrays.

    du/dt = L u^(2 - 2/L) (s - u)

u is the strength of the mode in the product of the L layers, each of which carries u^(1/L);
s > 0 is that of the task, inputs are white (Saxe et al. 2014). L = 1 is exponential, L = 2
logistic; the rest is implicit. L may be any real number >= 1.

Numerics. With y = u/s, gamma = 2/L - 1 and T = L s^(1 - gamma) t it is dy/dT =
y^(1 - gamma) (1 - y), and w = 1/y obeys the same with gamma -> 1 - gamma: a mode above its
target is one below it, of another gamma. In z = log(y/(1 - y))

    T = integral of (1 + e^-z)^-gamma dz,

whose integrand is smooth, 1 to the right and e^(gamma z) to the left. It is integrated by
series on both sides and by Gauss-Legendre between, and inverted by Newton's method in a
variable in which its slope lies between 1 and 2^-gamma. What is found is the step z - z0:
u, s - u and u - u0 follow from it without cancellation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, nonnegative, positive, real_array, times
from richlazy.formulas.elementwise import blocked

__all__ = ["DeepMode", "infinite", "state", "strength", "time"]

Array = NDArray[np.float64]

_RANGE = 1e70  # of layers, s, u0 and their inverses: fourth powers stay in float64
_EDGE = 2.0  # |z| beyond which the series are used
_TERMS = 24  # (k + 1) e^(-2 k), the largest terms (gamma = 2), are below 1e-19
_NODES, _WEIGHTS = (np.asarray(a) for a in np.polynomial.legendre.leggauss(20))


class DeepMode(NamedTuple):
    """One mode at time t; arrays of the broadcast shape."""

    strength: Array  #: u(t)
    change: Array  #: u(t) - u(0)
    error: Array  #: s - u(t)
    weight_change: Array  #: sqrt(L) |u(t)^(1/L) - u(0)^(1/L)|, over all layers
    kernel: Array  #: L u^(2 - 2/L), the tangent kernel: d(error)/dt = -kernel error
    relative_kernel_change: Array  #: |kernel(t)/kernel(0) - 1|
    loss: Array  #: (s - u)^2/2


def strength(u0: ArrayLike, s: ArrayLike, t: ArrayLike, layers: ArrayLike) -> Array:
    """u(t) of du/dt = L u^(2 - 2/L) (s - u), u(0) = u0 (T4; Saxe et al. 2014).

    Parameters
    ----------
    u0
        Initial strength, >= 0: each layer starts at u0^(1/L). For L >= 2 a mode at 0 rests.
    s
        Task strength, > 0.
    t
        Learning rate x steps, >= 0; infinity gives the limit.
    layers
        L >= 1, any real number. All arguments broadcast together.

    Returns
    -------
    u
        To 1e-12 relative, times t |du/dt|/u where that exceeds 1: the problem's own
        condition number, large where a deep mode leaves a long plateau.

    Raises
    ------
    ValueError
        For values outside these ranges, and for u0 = 0 at 1 < L < 2, where the flow from 0
        is not unique.
    AssumptionError
        If s, u0 or layers leave [1e-70, 1e70].

    Examples
    --------
    >>> strength(0.01, 1.0, 3.0, [1, 2, 3]).round(6)
    array([0.950711, 0.802957, 0.175185])
    """
    return state(u0, s, t, layers).strength


def state(u0: ArrayLike, s: ArrayLike, t: ArrayLike, layers: ArrayLike) -> DeepMode:
    """Everything about the mode at time t (T4); arguments and errors as `strength`.

    Changes and the error are relative to themselves, also where they are small. Over several
    modes the weight changes add in squares.

    Examples
    --------
    >>> deep = state(1e-3, 1.0, np.inf, [1, 2, 10])
    >>> deep.weight_change.round(6)
    array([0.999   , 1.369492, 1.577384])
    """
    u, goal, depth = _checked(u0, s, layers)
    if np.any((u == 0.0) & (depth > 1.0) & (depth < 2.0)):
        raise ValueError("u0 must be > 0 where 1 < layers < 2: from 0 the flow is not unique")
    return DeepMode(*blocked(_state, u, goal, times(t), depth))


def time(u0: ArrayLike, u: ArrayLike, s: ArrayLike, layers: ArrayLike) -> Array:
    """t at which the mode has gone from u0 to u (T4), the inverse of `strength`.

    t = s^(gamma - 1) (g(u/s) - g(u0/s))/L, g(y) = (y^gamma/gamma) 2F1(gamma, 1; gamma + 1; y),
    gamma = 2/L - 1; to 1e-12 relative, infinite at u = s.

    Parameters
    ----------
    u0, u, s, layers
        As for `strength`; u on the way from u0 to s, both included.

    Raises
    ------
    ValueError
        For u that is not on that way, and as `strength`.

    Examples
    --------
    >>> t = time(0.01, [0.01, 0.5, 1.0], 1.0, 3)
    >>> t.round(6)
    array([0.      , 3.768037,      inf])
    """
    start, goal, depth = _checked(u0, s, layers)
    end = nonnegative(u, "u")
    if np.any((end < np.minimum(start, goal)) | (end > np.maximum(start, goal))):
        raise ValueError("u must lie between u0 and s: the mode never gets elsewhere")
    if np.any((start == 0.0) & (end > 0.0) & (depth > 1.0)):
        raise ValueError("u0 must be > 0 where layers > 1: a mode at 0 rests, or need not leave")
    return blocked(_time, start, end, goal, depth)[0]


def infinite(u0: ArrayLike, s: ArrayLike, layers_times_t: ArrayLike) -> Array:
    """u as L -> infinity at fixed L t (T4): du/d(Lt) = u^2 (s - u).

    Then sqrt(L) ||dW|| -> |log(u/u0)|, and the kernel over L -> u^2.

    Parameters
    ----------
    u0, s
        As for `strength`.
    layers_times_t
        Number of layers x learning rate x steps, >= 0; infinity gives the limit.

    Examples
    --------
    >>> float(infinite(0.1, 1.0, 10.0).round(4)), float(strength(0.1, 1.0, 10 / 1e6, 1e6).round(4))
    (0.476, 0.476)
    """
    u, goal, _ = _checked(u0, s, 1.0)
    return blocked(_infinite, u, goal, times(layers_times_t, "layers_times_t"))[0]


def _checked(u0: ArrayLike, s: ArrayLike, layers: ArrayLike) -> tuple[Array, Array, Array]:
    u, goal, depth = nonnegative(u0, "u0"), positive(s, "s"), real_array(layers, "layers")
    if np.any(depth < 1.0):
        raise ValueError(f"layers must be >= 1; its smallest value is {depth.min():g}")
    for name, value in (("u0", u), ("s", goal), ("layers", depth)):
        outside = (value > _RANGE) | ((value < 1.0 / _RANGE) & (value > 0.0))
        if np.any(outside):
            raise AssumptionError(
                f"{name} must lie in [{1 / _RANGE:g}, {_RANGE:g}], the range in which float64 "
                f"holds its powers; it is {value[outside].flat[0]:g}; rescale"
            )
    return u, goal, depth


def _state(u0: Array, s: Array, t: Array, layers: Array) -> tuple[Array, ...]:
    rise = 2.0 * (layers - 1.0) / layers
    rate = layers * s**rise
    u, change, error = _flow(u0, s, rate, t, (2.0 - layers) / layers)
    moves = (u0 > 0.0) & (change != 0.0)
    safe = np.where(moves, u0, 1.0)
    step = np.where(moves, change / safe, 0.0)
    near = np.abs(step) < 0.5
    log = np.where(
        near, np.log1p(np.where(near, step, 0.0)), np.log(np.where(moves, u, 1.0) / safe)
    )
    weight = np.where(u0 > 0.0, u0 ** (1.0 / layers) * np.abs(np.expm1(log / layers)), u)
    return (
        u,
        change,
        error,
        np.sqrt(layers) * weight,
        layers * u**rise,
        np.abs(np.expm1(rise * log)),
        0.5 * error * error,
    )


def _infinite(u0: Array, s: Array, t: Array) -> tuple[Array, ...]:
    return _flow(u0, s, s * s, t, np.full(np.shape(s), -1.0))


def _time(u0: Array, u: Array, s: Array, layers: Array) -> tuple[Array, ...]:
    gamma = (2.0 - layers) / layers
    rate = layers * s ** (2.0 * (layers - 1.0) / layers)
    arrived = (u == s) & (u0 != s)
    still = (u == u0) | arrived
    ratio, above, power = _start(u0, s, gamma)
    plain = above | (layers == 1.0)
    moved = np.divide(u - u0, s - u, out=np.zeros(still.shape), where=~still)
    stretch = np.where(plain, 1.0, s / np.where((u0 > 0.0) & ~plain, u0, s))
    span = _duration(ratio, power, np.log1p(moved * stretch))
    span = np.where(layers == 1.0, np.log1p(moved), span)
    return (np.where(arrived, np.inf, span / rate),)


def _start(u0: Array, s: Array, gamma: Array) -> tuple[Array, NDArray[np.bool_], Array]:
    """(w/(1 - w), whether u0 > s, the power of w) at the start; w = u/s, or s/u above s."""
    above = u0 > s
    rests = (u0 == 0.0) | (u0 == s)
    ratio = np.where(above, s, u0) / np.where(rests, 1.0, np.abs(s - u0))
    return np.where(rests, 1.0, ratio), above, np.where(above, 1.0 - gamma, gamma)


def _flow(u0: Array, s: Array, rate: Array, t: Array, gamma: Array) -> tuple[Array, Array, Array]:
    """(u, u - u0, s - u) after T = rate t."""
    ratio, above, power = _start(u0, s, gamma)
    rests = ((u0 == 0.0) & (gamma < 1.0)) | (u0 == s) | (t == 0.0)
    plain = above | (gamma == 1.0)  # s - u = (s - u0) e^(z0 - z)
    # a finite span stays finite: where it would not, the mode arrived long before
    finite = np.where(np.isinf(t), 1.0, np.minimum(t, 1e306 / np.maximum(rate, 1.0)))
    span = np.where(rests, 0.0, rate * finite)
    step = np.where(gamma == 1.0, span, _step(ratio, power, span))
    step = np.where(np.isinf(t) & ~rests, np.inf, step)
    half = np.exp(-0.5 * step)  # its square may underflow where s - u does not
    lost = -np.expm1(-step)
    gap = s - u0
    odds = np.where(plain, 0.0, gap / np.where(u0 > 0.0, u0, s)) * half * half  # (1 - y)/y
    u = np.where(plain, u0 * half * half + s * lost, s / (1.0 + odds))
    u = np.where(rests, u0, np.clip(u, np.minimum(u0, s), np.maximum(u0, s)))
    change = gap * lost * np.where(plain, 1.0, u / s)
    error = np.where(plain, gap * half * half, s * (odds / (1.0 + odds)))
    return u, change, np.where(rests, gap, error)


def _step(ratio: Array, gamma: Array, span: Array) -> Array:
    """z - z0 after T = span: Newton's method on `_duration` in the variable chi.

    chi = z to the right of 0 and (e^(gamma z) - 1)/gamma to the left, where it grows by
    `left` between z0 and 0; dT/dchi = (1 + e^-|z|)^-gamma.
    """
    z0 = np.log(ratio)
    power = ratio**gamma
    zero = gamma == 0.0
    safe = np.where(zero, 1.0, gamma)
    left = np.where(ratio < 1.0, np.where(zero, -z0, -np.expm1(gamma * z0) / safe), 0.0)
    span = np.minimum(span, 4.0 * left + 4000.0)  # beyond it e^-z is 0

    def step(x: Array) -> Array:
        inside = np.minimum(x, left)
        share = gamma * inside / power  # of e^(gamma z0)
        near = share > -0.5
        later = np.log(np.maximum(power + gamma * inside, 1.0)) - gamma * z0
        grown = np.where(near, np.log1p(np.where(near, share, 0.0)), later) / safe
        grown = np.where(zero, inside, grown)
        return np.where(x < left, grown, np.where(left > 0.0, -z0, 0.0) + (x - left))

    # a step of that size leaves one of its square behind, or is rounding
    settled = np.maximum(1e-8 * np.minimum(np.sqrt(span), span), 4e-15 * span)
    x = span
    for _ in range(60):
        found = step(x)
        slope = np.exp(-gamma * np.log1p(np.exp(-np.abs(z0 + found))))
        move = (span - _duration(ratio, gamma, found)) / slope
        x = np.clip(x + move, 0.25 * span, 4.0 * span)
        if np.all(np.abs(move) <= settled):
            break
    return step(x)


def _duration(ratio: Array, gamma: Array, step: Array) -> Array:
    """Integral of (1 + e^-z)^-gamma from z0 = log(ratio) to z0 + step, in three parts."""
    z0 = np.log(ratio)
    first = np.clip(-_EDGE - z0, 0.0, step)
    second = np.clip(_EDGE - z0, first, step)
    middle, half = z0 + 0.5 * (first + second), 0.5 * (second - first)
    # left: sum of binom(-gamma, k) e^((gamma + k) z), each integrated from its larger end
    end = np.minimum(ratio * np.exp(first), np.exp(-_EDGE))
    far = np.minimum(np.exp(-second) / ratio, np.exp(-_EDGE))
    total = np.where(gamma < 0.0, np.minimum(ratio, end), end) ** gamma * _fading(
        np.abs(gamma), first
    )
    total = total + (step - second)
    coefficient, rise, fall = np.ones_like(total), end**gamma, np.ones_like(total)
    for k in range(1, _TERMS):
        coefficient = -coefficient * (gamma + (k - 1.0)) / k
        rise, fall = rise * end, fall * far
        outside = rise * _fading(gamma + k, first) + fall * _fading(float(k), step - second)
        total = total + coefficient * outside
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total = total + half * weight * np.exp(-gamma * np.log1p(np.exp(-(middle + half * node))))
    return total


def _fading(rate: Array | float, length: Array) -> Array:
    """(1 - e^(-rate length))/rate, at rate 0 the length."""
    zero = np.equal(rate, 0.0)
    return np.where(zero, length, -np.expm1(-rate * length) / np.where(zero, 1.0, rate))
