"""T1 in ninety digits: Taylor series in fixed-point integers, for small networks.

Python integers neither round nor underflow here, so that weights of 1e-16 beside weights of 1 keep
all their digits. Step and order leave an error below 1e-25, unit by unit and input by input.
"""

from fractions import Fraction

import mpmath as mp
import numpy as np

from richlazy.laziness import Measures

BITS = 320
ORDER = 32
STEP = 0.4  # over the fastest rate
DIGITS = 60


def fixed(values):
    """A float array as integers times 2^-BITS, exactly."""
    flat = [round(Fraction(float(v)) * 2**BITS) for v in np.ravel(values)]
    return np.array(flat, dtype=object).reshape(np.shape(values))


def product(a, b):
    return (a @ b) >> BITS


def size(a):
    return float(sum(v * v for v in a.ravel()) >> BITS) / 2.0**BITS


def trajectory(first, readout, cov_yx, times, cov_xx=None, most=4000):
    """[(W1, W2), ...] as integers at ascending finite times; None where it takes `most` steps."""
    w1, w2, task = fixed(first), fixed(readout), fixed(cov_yx)
    cov = None if cov_xx is None else fixed(cov_xx)
    spread = 1.0 if cov_xx is None else float(np.linalg.norm(cov_xx, 2))
    t, found = Fraction(0), []
    for end in map(Fraction, times):
        while t < end:
            most -= 1
            if most < 0:
                return None
            error = task - (product(w2, w1) if cov is None else product(product(w2, w1), cov))
            rate = spread * (size(w1) + size(w2)) + np.sqrt(size(error))
            step = min(end - t, Fraction(STEP / rate) if rate else end - t)
            w1, w2 = _step(w1, w2, task, cov, step)
            t += step
        found.append((w1, w2))
    return found


def _step(w1, w2, task, cov, step):
    length = round(step * 2**BITS)
    a, b, e = [w1], [w2], []
    for k in range(ORDER):
        moved = sum(b[i] @ a[k - i] for i in range(k + 1)) >> BITS
        e.append((task if k == 0 else 0) - (moved if cov is None else product(moved, cov)))
        gain1 = sum(b[i].T @ e[k - i] for i in range(k + 1)) >> BITS
        gain2 = sum(e[k - i] @ a[i].T for i in range(k + 1)) >> BITS
        a.append(((gain1 * length) >> BITS) // (k + 1))
        b.append(((gain2 * length) >> BITS) // (k + 1))
    return sum(a), sum(b)


def _number(values):
    scale = mp.mpf(2) ** -BITS
    return mp.matrix([[mp.mpf(int(v)) * scale for v in row] for row in values])


def _inner(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def _norm(a):
    return mp.sqrt(_inner(a, a))


def measures(start, end, cov_yx, cov_xx=None):
    """Every measure between two pairs of integer weights, from their definitions."""
    with mp.workdps(DIGITS):
        (a0, b0), (a, b) = (tuple(map(_number, pair)) for pair in (start, end))
        task = _number(fixed(cov_yx))
        d, m = task.cols, task.rows
        cov = mp.eye(d) if cov_xx is None else _number(fixed(cov_xx))
        target = task if cov_xx is None else task * mp.inverse(cov)

        def kernel(w, v):
            return (w.T * w) * cov, v * v.T, w.T * w

        def overlap(x, y):  # tr K K'
            (r, p, raw), (s, q, other) = x, y

            def trace(z):
                return mp.fsum(z[i, i] for i in range(z.rows))

            cross = trace(raw * cov * cov) * trace(q) + trace(other * cov * cov) * trace(p)
            return m * trace(r * s) + cross + trace(cov * cov) * _inner(p, q)

        def seen(x, y):
            z = x[0] * y[0]
            return mp.fsum(z[i, i] for i in range(d))

        k0, k = kernel(a0, b0), kernel(a, b)

        def cosine(inner):
            squares = inner(k0, k0) * inner(k, k)
            return float(inner(k0, k) / mp.sqrt(squares)) if squares > 0 else np.nan

        # <S, K S> of S = cov_yx cov^(-1/2): the roots cancel
        moved = _inner(a * task.T, a * task.T) + _inner(b.T * task, b.T * task)
        size = mp.sqrt(overlap(k, k)) * _inner(target * cov, target)
        rest = target - b * a
        changes = _norm(a - a0), _norm(b - b0)
        return Measures(
            float(mp.hypot(*changes)),
            float(changes[0]),
            float(changes[1]),
            cosine(seen),
            cosine(overlap),
            float(moved / size) if size > 0 else np.nan,
            float(_inner(rest * cov, rest) / 2),
        )


def exact(first, readout, cov_yx, times, cov_xx=None):
    """`Measures` over ascending finite times, or None where the flow is too stiff for it."""
    found = trajectory(first, readout, cov_yx, times, cov_xx)
    if found is None:
        return None
    start = fixed(first), fixed(readout)
    each = [measures(start, end, cov_yx, cov_xx) for end in found]
    return Measures(*(np.array(column) for column in zip(*each, strict=True)))
