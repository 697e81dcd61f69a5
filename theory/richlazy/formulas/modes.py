"""T2, T3: one mode of a two-layer linear network, any imbalance, elementwise over arrays.

    da/dt = b (s - q a b),   db/dt = a (s - q a b)

a and b are the strengths of the mode in W1 and W2, s >= 0 that of the task in cov_yx, q > 0
the input variance along the mode (Saxe et al. 2014). The imbalance lambda = b^2 - a^2 is
conserved. With a, b -> sqrt(q) a, sqrt(q) b the mode is one of q = 1, which is what the
private functions solve.

Numerics. The flow is the linear one, (a, b) -> exp(F t) (a, b), divided by sqrt(D). The growing
direction is (1, r) with r = (kappa + lambda/2)/s, and with w = kappa/s, c = a0 + r b0 and one
transcendental function, G = e^(2 kappa t) - 1, the linear flow scaled by exp(kappa t) and D are

    a0 + v/r,   b0 + v,   v = G c/(2 w),   D (1 + G) = 1 + G + (a0^2 + b0^2 + v c/r) G/(2 kappa).

Only c can cancel, and by no more than the problem's own condition number: starts of one sign
make every sum one of terms of one sign. The modes for which a number of this leaves float64, or
loses digits there, are set apart and take a longer way, with exp(-kappa t) and the larger layer y
beside the smaller x: `_lift`.

Differences from the start come from s - p(t) = (s - p(0))/D, without subtraction; s - p(0)
itself is formed with an exact product.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, nonnegative, positive, real_range, times
from richlazy.formulas.elementwise import blocked

__all__ = ["Mode", "state", "trajectory"]

Array = NDArray[np.float64]

_RANGE = 1e50  # with weights below it no product of the formulas leaves float64
_ORDINARY = 1e-30, 1e30  # s and a0^2 + b0^2 for which `_grow` neither overflows nor underflows
_MOMENT = 1e-200  # and the shortest time; at none at all it stands still
# 2 kappa t past which (a, b) of ordinary modes move no more, unless c is 0: G = 1e115 outgrows
# the rest even where c is rounding, 1e-16 of its terms, and G^2 of the largest stays in float64
_LATE = 265.0
_END = 1e200  # a time as good as infinity
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
    (a, *edges_a), (b, *edges_b) = real_range(a0, "a0"), real_range(b0, "b0")
    strength, least, greatest = real_range(s, "s")
    if least < 0:
        nonnegative(s, "s")  # says so
    root = np.sqrt(positive(q, "q"))
    spread = float(root.max())
    weight = max(abs(edge) for edge in (*edges_a, *edges_b))
    largest = max(spread, 1.0 / float(root.min()), math.sqrt(greatest))
    if max(largest, weight, weight * min(spread, _RANGE)) > _RANGE:
        raise AssumptionError(
            f"sqrt(q) a0, sqrt(q) b0, sqrt(s), sqrt(q) and 1/sqrt(q) must be at most {_RANGE:g}, "
            f"or their powers leave the range of float64; a0 and b0 reach {weight:g}, the roots "
            f"{largest:g}; rescale"
        )
    return a, b, strength, times(t), root


def _pair(a0: Array, b0: Array, s: Array, t: Array, root: Array) -> tuple[Array, ...]:
    imbalance = _imbalance(a0, b0)
    if (root == 1.0).all():
        return _sorted(_grown_pair, _lifted_pair, a0, b0, s, t, imbalance)
    x, y = root * a0, root * b0
    a, b = _sorted(_grown_pair, _lifted_pair, x, y, s, t, root * root * imbalance)
    return a / root, b / root


def _state(a0: Array, b0: Array, s: Array, t: Array, root: Array) -> tuple[Array, ...]:
    imbalance = _imbalance(a0, b0)
    if (root == 1.0).all():
        start = _error(s, a0, b0)
        a, b, da, db, product, error, kernel = _sorted(
            _grown_changes, _lifted_changes, a0, b0, s, t, imbalance, start
        )
        loss = error * error
        loss *= 0.5
        return a, b, da, db, product, error, loss, kernel
    q = root * root
    start = _scaled_error(s, a0, b0, q)
    *layers, product, error, kernel = _sorted(
        _grown_changes, _lifted_changes, root * a0, root * b0, s, t, q * imbalance, start
    )
    a, b, da, db = (layer / root for layer in layers)
    return a, b, da, db, product / q, error, 0.5 * (error / root) ** 2, kernel


def _imbalance(a0: Array, b0: Array) -> Array:
    """lambda, from the weights as given: those times a root carry rounding that is none."""
    difference = b0 - a0
    difference *= b0 + a0
    return difference


def _sorted(
    short: Callable[..., tuple[Array, ...]],
    long: Callable[..., tuple[Array, ...]],
    a0: Array,
    b0: Array,
    s: Array,
    t: Array,
    *more: Array,
) -> tuple[Array, ...]:
    """Each mode by the way that is right for it; `short` is also handed a0^2 + b0^2.

    Each alone decides, so that no result depends on what else is in its block.
    """
    square = a0 * a0 + b0 * b0
    least, most = _ORDINARY
    if (
        min(square.min(), s.min()) >= least
        and max(square.max(), s.max()) <= most
        and t.min() >= _MOMENT
    ):
        return short(a0, b0, s, t, *more, square)
    ordinary = (square >= least) & (square <= most) & (s >= least) & (s <= most)
    ordinary = ordinary & ((t >= _MOMENT) | (t == 0.0))
    arrays = np.broadcast_arrays(ordinary, a0, b0, s, t, *more, square)
    ordinary = arrays[0]
    if np.all(ordinary):
        return short(*arrays[1:])
    if not np.any(ordinary):
        return long(*arrays[1:-1])
    one = short(*(array[ordinary] for array in arrays[1:]))
    other = long(*(array[~ordinary] for array in arrays[1:-1]))
    results = tuple(np.empty(ordinary.shape) for _ in one)
    for result, part, rest in zip(results, one, other, strict=True):
        result[ordinary], result[~ordinary] = part, rest
    return results


def _grown_pair(*mode: Array) -> tuple[Array, Array]:
    """(a, b) at q = 1 by the short way."""
    a, b, *_ = _grow(*mode)
    return a, b


def _lifted_pair(*mode: Array) -> tuple[Array, Array]:
    """(a, b) at q = 1 by the long way."""
    swap, _, _, x, y, *_ = _lift(*mode)
    return np.where(swap, y, x), np.where(swap, x, y)


def _grown_changes(
    a0: Array, b0: Array, s: Array, t: Array, imbalance: Array, start: Array, square: Array
) -> tuple[Array, ...]:
    """(a, b), their changes, p = a b, s - p and a^2 + b^2 at q = 1; start is s - p(0)."""
    a, b, whole, grown, rest, x, saddle = _grow(a0, b0, s, t, imbalance, square)
    start = start / whole
    grown *= start
    if x.max() > _LATE:
        over = np.minimum(_LATE - x, 0.0)
        over = np.where(saddle, 0.0, over) if saddle.any() else over
        over = np.maximum(0.5 * over, -700.0)  # its square is 0, and exp slows at what underflows
        fade = np.exp(over, out=over)
        grown *= fade
        grown *= fade
    product, first = a * b, a0 * b0
    kernel = a * a
    kernel += b * b
    rest *= start
    rest *= 2.0
    rest /= kernel + square  # times p + p(0), what a^2 and b^2 gain
    both = first + product
    one_sign = first.min() > 0.0
    steps = (_step(x, x0, rest, both, one_sign) for x, x0 in ((a, a0), (b, b0)))
    return a, b, *steps, product, grown, kernel


def _step(x: Array, x0: Array, gain: Array, both: Array, one_sign: bool) -> Array:
    """x - x0 = (x^2 - x0^2)/(x + x0), unless x has turned its sign or begins at none."""
    total = x + x0
    if one_sign:
        np.divide(both, total, out=total)
        total *= gain
        return total
    turned = ((x > 0.0) != (x0 > 0.0)) | (x0 == 0.0)
    return np.where(turned, x - x0, gain * (both / np.where(turned, 1.0, total)))


def _lifted_changes(
    a0: Array, b0: Array, s: Array, t: Array, imbalance: Array, start: Array
) -> tuple[Array, ...]:
    """The same by the long way."""
    swap, x0, y0, x, y, left, gone = _lift(a0, b0, s, t, imbalance)
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


def _grow(
    a0: Array, b0: Array, s: Array, t: Array, imbalance: Array, square: Array
) -> tuple[Array, ...]:
    """(a, b), D (1 + G), its parts 1 + G and the rest, 2 kappa t, and which have c = 0.

    For ordinary modes, as the module's docstring has it; square is a0^2 + b0^2. G stops at
    `_LATE`. Every line is a pass over the block, so what is no longer needed is written over.
    """
    ratio = imbalance / s
    rate = ratio * ratio
    rate += 4.0
    np.sqrt(rate, out=rate)
    rise = np.abs(ratio)
    rise += rate
    np.divide(2.0, rise, out=rise)  # the smaller of r and 1/r, whose difference is the ratio
    rise += np.maximum(ratio, 0.0, out=ratio)
    growing = rise * b0
    growing += a0
    rate *= s  # 2 kappa
    x = rate * np.minimum(t, _END)
    grown = np.minimum(x, _LATE)
    np.expm1(grown, out=grown)
    share = grown / rate
    b = share * growing
    b *= s
    a = b / rise
    rest = a * growing
    rest += square
    rest *= share
    grown += 1.0
    whole = np.add(rest, grown, out=share)
    root = np.sqrt(whole)
    a += a0
    a /= root
    b += b0
    b /= root
    saddle = growing == 0.0
    if saddle.any():  # nothing outgrows the decay, which does not end at `_LATE`
        fade = np.where(saddle, np.exp(-0.5 * np.maximum(x - _LATE, 0.0)), 1.0)
        a *= fade
        b *= fade
    return a, b, whole, grown, rest, x, saddle


def _lift(
    a0: Array, b0: Array, s: Array, t: Array, imbalance: Array
) -> tuple[NDArray[np.bool_], Array, Array, Array, Array, Array, Array]:
    """(swapped, x0, y0, x, y, sqrt(1/D), sqrt(1 - 1/D)) for any start, |y0| >= |x0|.

    s and lambda may vanish, and anything may be as small as float64 goes.
    """
    swap = np.abs(b0) < np.abs(a0)
    x0, y0 = np.where(swap, b0, a0), np.where(swap, a0, b0)
    half = 0.5 * np.abs(imbalance)
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
