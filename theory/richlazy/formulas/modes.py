"""T2, T3: one mode of a two-layer linear network, any imbalance, elementwise over arrays.

    da/dt = b (s - q a b),   db/dt = a (s - q a b)

a and b are the strengths of the mode in W1 and W2, s >= 0 that of the task in cov_yx, q > 0
the input variance along the mode (Saxe et al. 2014). The imbalance lambda = b^2 - a^2 is
conserved. With a, b -> sqrt(q) a, sqrt(q) b the mode is one of q = 1, which is what the
private functions solve.

Numerics. The flow is the linear one, (a, b) -> exp(F t) (a, b), divided by sqrt(D). Call the
larger layer y and the other x, so that lambda >= 0; then kappa = sqrt(s^2 + lambda^2/4),
P = kappa + lambda/2, M = s^2/P = kappa - lambda/2, and with E = exp(-2 kappa t) the linear
flow scaled by exp(-kappa t) is a sum of terms of one sign whenever x and y have one sign:

    x (M + P E)/(2 kappa) + s y (1 - E)/(2 kappa),   y (P + M E)/(2 kappa) + s x (1 - E)/(2 kappa).

Differences from the start come from s - p(t) = (s - p(0))/D, without subtraction; s - p(0)
itself is formed with an exact product.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, nonnegative, positive, real_array, times
from richlazy.formulas.elementwise import blocked

__all__ = ["Mode", "state", "trajectory"]

Array = NDArray[np.float64]

_RANGE = 1e50  # with weights below it no product of the formulas leaves float64
_TINY = 1e-60  # with a0 b0, s and t above it none of `_grow` loses digits to underflow
_LIFT = 2.0**240  # 2e72: raises the smallest start so far that its products keep their digits


class Mode(NamedTuple):
    """One mode at time t; arrays of the broadcast shape."""

    first: Array  #: a(t)
    readout: Array  #: b(t)
    change_first: Array  #: a(t) - a(0)
    change_readout: Array  #: b(t) - b(0)
    product: Array  #: p = a b, the mode of W2 W1
    error: Array  #: s - q a b, the mode of cov_yx - W2 W1 cov_xx
    loss: Array  #: (s - q a b)^2 / (2 q)
    kernel: Array  #: q (a^2 + b^2), the tangent kernel over the data: d(error)/dt = -kernel error


def trajectory(
    a0: ArrayLike, b0: ArrayLike, s: ArrayLike, t: ArrayLike, q: ArrayLike = 1.0
) -> tuple[Array, Array]:
    """(a, b)(t) = (c+ e^(kappa t) v+ + c- e^(-kappa t) v-)/sqrt(D), T3, at any imbalance.

    D = 1 + c+^2 (e^(2 kappa t) - 1)/(2 kappa) + c-^2 (1 - e^(-2 kappa t))/(2 kappa), with
    v+ and v- the eigenvectors of F = [[-lambda/2, s], [s, lambda/2]] to kappa and -kappa and
    c+ and c- the components of (a0, b0) on them. Balanced modes (a0 = b0) are the logistic
    ones of Saxe et al. (2014). At t = infinity a b = s/q, except for a mode that starts at
    a0 = -b0 exactly: it decays to (0, 0).

    Parameters
    ----------
    a0, b0
        Initial strengths of the mode in the first layer and the readout, any sign.
    s
        Task strength, >= 0.
    t
        Learning rate x steps, >= 0; infinity gives the limit.
    q
        Input variance along the mode, > 0. All arguments broadcast together.

    Returns
    -------
    a, b
        Starts of one sign: a and b each to 1e-14 relative. Opposite signs: to 1e-14 of
        ||(a, b)|| times max(1, ||(a0, b0)||/|c+|), the problem's own condition number.

    Raises
    ------
    ValueError
        For values outside these ranges.
    AssumptionError
        If sqrt(q) a0, sqrt(q) b0, sqrt(s), sqrt(q) or 1/sqrt(q) exceeds 1e50.

    Examples
    --------
    >>> a, b = trajectory(0.1, 0.1, 2.0, [0.0, 1.0, np.inf])
    >>> (a * b).round(6)
    array([0.01    , 0.430588, 2.      ])
    """
    a, b = blocked(_pair, *_checked(a0, b0, s, t, q))
    return a, b


def state(a0: ArrayLike, b0: ArrayLike, s: ArrayLike, t: ArrayLike, q: ArrayLike = 1.0) -> Mode:
    """Everything about the mode at time t (T3); arguments and errors as `trajectory`.

    With p = a b, G = a^2 + b^2 (q = 1): s - p = (s - p0)/D, (G - G0)(G + G0) = 4 (p - p0)(p + p0)
    and a - a0 = (G - G0)/(2 (a + a0)), so that error and changes keep their digits where the
    weights hardly change: relative to themselves they are as accurate as the weights, the
    error to 1e-14 (1 + kappa t).

    Examples
    --------
    >>> lazy = state(1e6, 1e6, 1e12 - 1.0, np.inf)  # a change that a(t) - a(0) would round
    >>> float(lazy.change_first.round(12)), float(abs(lazy.error))
    (-5e-07, 0.0)
    """
    return Mode(*blocked(_state, *_checked(a0, b0, s, t, q)))


def _checked(
    a0: ArrayLike, b0: ArrayLike, s: ArrayLike, t: ArrayLike, q: ArrayLike
) -> tuple[Array, ...]:
    """The arguments as arrays, the root of q in place of q."""
    a, b = real_array(a0, "a0"), real_array(b0, "b0")
    strength, variance = nonnegative(s, "s"), positive(q, "q")
    root = np.sqrt(variance)
    spread = float(root.max())
    weight = max(abs(float(v)) for w in (a, b) for v in (w.min(), w.max()))
    largest = max(spread, 1.0 / float(root.min()), float(np.sqrt(strength.max())))
    if max(largest, weight, weight * min(spread, _RANGE)) > _RANGE:
        raise AssumptionError(
            f"sqrt(q) a0, sqrt(q) b0, sqrt(s), sqrt(q) and 1/sqrt(q) must be at most {_RANGE:g}, "
            f"or their powers leave the range of float64; a0 and b0 reach {weight:g}, the roots "
            f"{largest:g}; rescale"
        )
    return a, b, strength, times(t), root


def _pair(a0: Array, b0: Array, s: Array, t: Array, root: Array) -> tuple[Array, ...]:
    half = _imbalance(a0, b0)
    if np.all(root == 1.0):
        return _weights(a0, b0, s, t, half)
    a, b = _weights(root * a0, root * b0, s, t, root * root * half)
    return a / root, b / root


def _state(a0: Array, b0: Array, s: Array, t: Array, root: Array) -> tuple[Array, ...]:
    half = _imbalance(a0, b0)
    if np.all(root == 1.0):
        start = _error(s, a0, b0)
        a, b, da, db, product, error, kernel = _changes(a0, b0, s, t, half, start)
        return a, b, da, db, product, error, 0.5 * error * error, kernel
    q = root * root
    start = _scaled_error(s, a0, b0, q)
    *layers, product, error, kernel = _changes(root * a0, root * b0, s, t, q * half, start)
    a, b, da, db = (layer / root for layer in layers)
    return a, b, da, db, product / q, error, 0.5 * (error / root) ** 2, kernel


def _imbalance(a0: Array, b0: Array) -> Array:
    """lambda/2, from the weights as given: those times a root carry rounding that is none."""
    return 0.5 * ((b0 - a0) * (b0 + a0))


def _weights(a0: Array, b0: Array, s: Array, t: Array, half: Array) -> tuple[Array, Array]:
    """(a, b) at q = 1."""
    if _plain(a0, b0, s, t):
        a, b, *_ = _grow(a0, b0, s, t, half)
        return a, b
    swap, _, _, x, y, *_ = _lift(a0, b0, s, t, half)
    return np.where(swap, y, x), np.where(swap, x, y)


def _changes(
    a0: Array, b0: Array, s: Array, t: Array, half: Array, start: Array
) -> tuple[Array, ...]:
    """(a, b), their changes, p = a b, s - p and a^2 + b^2 at q = 1; start is s - p(0)."""
    if _plain(a0, b0, s, t):
        a, b, left, grown, whole = _grow(a0, b0, s, t, half)
        start = start / whole
        product, square = a * b, a * a + b * b
        total = square + (a0 * a0 + b0 * b0)
        gain = 2.0 * start * grown * (product + a0 * b0) / total  # of a^2 and of b^2
        return a, b, gain / (a + a0), gain / (b + b0), product, start * left, square
    swap, x0, y0, x, y, left, gone = _lift(a0, b0, s, t, half)
    size = np.hypot(np.hypot(x, y), np.hypot(x0, y0))
    size = np.where(size == 0.0, 1.0, size)
    half_step = 2.0 * (start * gone / size) * gone  # (p(t) - p(0)) 2/size
    dx = _change(x, x0, y / size, y0 / size, half_step)
    dy = _change(y, y0, x / size, x0 / size, half_step)
    return (
        np.where(swap, y, x),
        np.where(swap, x, y),
        np.where(swap, dy, dx),
        np.where(swap, dx, dy),
        x * y,
        start * left * left,
        x * x + y * y,
    )


def _change(x: Array, x0: Array, y: Array, y0: Array, half_step: Array) -> Array:
    """x - x0 = 2 (p - p0) (x y + x0 y0)/((x + x0) size^2), unless x has turned its sign."""
    kept = ((x > 0.0) & (x0 > 0.0)) | ((x < 0.0) & (x0 < 0.0))
    both = np.where(kept, x + x0, 1.0)
    return np.where(kept, half_step * (y * (x / both) + y0 * (x0 / both)), x - x0)


def _plain(a0: Array, b0: Array, s: Array, t: Array) -> bool:
    """Whether a whole block is of one sign and far from every limit, so that `_grow` will do."""
    return bool(np.min(a0 * b0) > _TINY and np.min(s) > _TINY and np.min(t) > _TINY)


def _grow(a0: Array, b0: Array, s: Array, t: Array, half: Array) -> tuple[Array, ...]:
    """(a, b, left, grown, whole) for starts of one sign: left = whole/D, grown = whole - left.

    With (A, B) the scaled linear flow of the module's docstring, without its 1/(2 kappa),
    c+^2 + c-^2 E = (a0 A + b0 B)/(2 kappa): D needs no further products.
    """
    square = s * s
    kappa = np.sqrt(square + half * half)
    two = kappa + kappa
    p = kappa + np.abs(half)
    fast = np.where(half >= 0.0, p, square / p)
    slow = square / fast
    x = -two * np.minimum(t, 1e160)  # as good as infinity
    decay, lost = np.exp(x), -np.expm1(x)
    gain = s * lost
    a, b = a0 * (slow + fast * decay) + b0 * gain, b0 * (fast + slow * decay) + a0 * gain
    left = two * two * decay
    grown = (a0 * a + b0 * b) * lost
    whole = left + grown
    root = np.sqrt(whole)
    return a / root, b / root, left, grown, whole


def _lift(
    a0: Array, b0: Array, s: Array, t: Array, half: Array
) -> tuple[NDArray[np.bool_], Array, Array, Array, Array, Array, Array]:
    """(swapped, x0, y0, x, y, sqrt(1/D), sqrt(1 - 1/D)) for any start, |y0| >= |x0|.

    s and lambda may vanish, and anything may be as small as float64 goes.
    """
    swap = np.abs(b0) < np.abs(a0)
    x0, y0 = np.where(swap, b0, a0), np.where(swap, a0, b0)
    half = np.abs(half)
    kappa = np.hypot(s, half)
    rest = kappa == 0.0  # s = lambda = 0: algebraic decay, as far as t is finite
    ended = rest & np.isinf(t)
    # past kappa t = 5e8 nothing changes; at smaller kappa, kappa t stays in float64
    time = np.where(ended, 0.0, np.where(kappa > 0.5, np.minimum(t, 1e9), t))
    two = np.where(rest, 1.0, 2.0 * kappa)
    p = kappa + half
    ratio = s / np.where(rest, 1.0, p)
    m = s * ratio
    x = 2.0 * kappa * time
    fade, decay = np.exp(-0.5 * x), np.exp(-x)
    # the root of (1 - E)/(2 kappa), which is t where 2 kappa t leaves no digits
    span = np.where(x < 1e-290, np.sqrt(time), np.sqrt(-np.expm1(-x)) / np.sqrt(two))

    v = 1.0 / np.hypot(1.0, ratio)  # the growing direction is (u, v) in (x, y)
    u = ratio * v
    bx, by = _LIFT * x0, _LIFT * y0
    up, down = v * (by + ratio * bx), v * (bx - ratio * by)
    # on the decaying direction alone (up = 0) weights and sqrt(D) vanish alike
    saddle = up == 0.0
    lead = np.where(saddle, 1.0, fade)
    grown = np.hypot(up * span, lead * (down * span))
    root = np.hypot(up * span, lead * np.hypot(_LIFT, down * span))

    push = s * span * span
    early = x < 0.1  # 1 - P (1 - E)/(2 kappa), exact where kappa has few digits or none
    one_sign = (x0 == 0.0) | ((x0 > 0.0) == (y0 > 0.0))
    keep_x = np.where(early, 1.0 - p * span * span, (m + p * decay) / two)
    keep_y = np.where(early, 1.0 - m * span * span, (p + m * decay) / two)
    sums = early | one_sign
    new_x = np.where(sums, bx * keep_x + by * push, up * u + decay * (down * v))
    new_y = np.where(sums, by * keep_y + bx * push, up * v - decay * (down * u))
    new_x = np.where(saddle, fade * (down * v), new_x) / root
    new_y = np.where(saddle, -fade * (down * u), new_y) / root
    return (
        swap,
        x0,
        y0,
        np.where(ended, 0.0, new_x),
        np.where(ended, 0.0, new_y),
        np.where(ended, 0.0, (_LIFT * lead) / root),
        np.where(ended, 1.0, grown / root),
    )


def _error(s: Array, x: Array, y: Array) -> Array:
    """s - x y to one rounding of itself (Dekker's exact product)."""
    product, low = _product(x, y)
    return (s - product) - low


def _scaled_error(s: Array, x: Array, y: Array, q: Array) -> Array:
    """s - q x y to a rounding or two of itself."""
    product, low = _product(x, y)
    high, rest = _product(q, product)
    return (s - high) - (rest + q * low)


def _product(x: Array, y: Array) -> tuple[Array, Array]:
    """x y as two numbers whose sum is exact."""
    product = x * y
    xh, yh = _head(x), _head(y)
    xl, yl = x - xh, y - yh
    return product, ((xh * yh - product) + xh * yl + xl * yh) + xl * yl


def _head(x: Array) -> Array:
    """Upper half of the digits (Veltkamp)."""
    big = 134217729.0 * x
    return big - (big - x)
