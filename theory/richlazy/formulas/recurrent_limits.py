"""T20: the lazy limit of a typical recurrent start, to the order where rank enters.

A start of gain g whose singular vectors, inputs and readout are random; N to infinity. It enters
by two numbers, g and nu = N/PR: 1 for an orthogonal start, 2 for a Gaussian one, N/r for a flat
one of rank r. Words of two runs, W^a W'^b, know g alone; a word of four has the moment

    M(a, b, c, d) = g^(a+b+c+d) (1 + min(a, b, c, d) (nu - 1))   if a + c = b + d, and else 0.

The first order of the flow in the task needs words of two runs, the second of four. So at first
order rank is without effect, and to second order the participation-ratio law is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import integer, positive, real_array

__all__ = [
    "Changes",
    "Second",
    "lags",
    "lazy",
    "lazy_mean",
    "scatter",
    "second",
    "second_mean",
    "turn_strength",
]

Array = NDArray[np.float64]
Runs = NDArray[np.signedinteger]

_STEPS = 16  # the second order has tables of steps^4 numbers


class Changes(NamedTuple):
    """Squared weight changes: ||dU||^2, ||dW||^2, ||dV||^2, and their sum."""

    inputs: float
    recurrent: float
    readout: float
    total: float


class Second(NamedTuple):
    """Terms of fourth power in the task: of the squared weight changes, of 1 - RA and of 1 - KA.

    RA and KA have no term of lower power.
    """

    inputs: float
    recurrent: float
    readout: float
    total: float
    representation_gap: float
    kernel_gap: float


def lags(rank: int) -> int:
    """How many lags 0, 1, ... a start of rank r can learn lazily, one channel and output: 2 r + 2.

    Beyond, K_0 is singular, whatever the units: F_k moves to first order, from k = 2 on, by
    sequences that obey the recurrence of the squared characteristic polynomial of the r x r core
    s Y'X; lags 0 and 1 are free. More lags have to be built by large changes of W.

    Examples
    --------
    >>> lags(1)
    4
    """
    return 2 * integer(rank, "rank") + 2


def lazy(
    response: ArrayLike, *, gain: float, input_norm: float = 1.0, readout_norm: float = 1.0
) -> Changes:
    """Squared weight changes at t = infinity to first order in the task, whatever the spectrum.

    With the kernel K_k = (u^2 + v^2) g^2k + k g^(2k-2) u^2 v^2 they are sum_k |S_k|^2 / K_k^2
    times v^2 g^2k, k g^(2k-2) u^2 v^2 and u^2 g^2k (T20).

    Parameters
    ----------
    response
        S: (steps,), or (steps, outputs, channels).
    gain
        g = ||W||_F / sqrt(N).
    input_norm, readout_norm
        u and v, the norm of each column of U and each row of V.

    Examples
    --------
    >>> round(lazy([0.0, 0.01], gain=0.6).recurrent ** 0.5, 6)  # 0.01 / (2 g^2 + 1)
    0.005814
    """
    s = real_array(response, "response", ndim=(1, 3))
    start = _Start(len(s), gain, 2.0, input_norm, readout_norm)
    return _changes(np.sum(s.reshape(len(s), -1) ** 2, axis=1), start)


def lazy_mean(
    steps: int,
    *,
    strength: float = 1.0,
    gain: float,
    input_norm: float = 1.0,
    readout_norm: float = 1.0,
) -> Changes:
    """Mean of `lazy` over random tasks of norm `strength`: E |S_k|^2 = strength^2 / steps.

    Any number of channels and outputs.

    Examples
    --------
    >>> tasks = 0.01 * np.eye(4)  # mean over tasks at one lag each
    >>> single = np.mean([lazy(s, gain=0.6).recurrent for s in tasks])
    >>> bool(np.isclose(lazy_mean(4, strength=0.01, gain=0.6).recurrent, single))
    True
    """
    start = _Start(integer(steps, "steps"), gain, 2.0, input_norm, readout_norm)
    square = float(positive(strength, "strength", ndim=0)) ** 2
    return _changes(np.full(start.steps, square / start.steps), start)


def second(
    response: ArrayLike,
    *,
    gain: float,
    concentration: float,
    input_norm: float = 1.0,
    readout_norm: float = 1.0,
) -> Second:
    """The next order of the lazy limit, of fourth power in the task; one channel and output.

    ||dW||^2 = lazy(...).recurrent + second(...).recurrent + O(||S||^6), 1 - KA =
    second(...).kernel_gap + O(||S||^6), and so on. The changes are linear in nu - 1, the gaps
    quadratic.

    Parameters
    ----------
    response
        S, (steps,).
    concentration
        nu = N / PR, at least 1.
    gain, input_norm, readout_norm
        As in `lazy`.

    Examples
    --------
    At one lag ||dW||^2 has the slope -4 u^2 v^2 (u^2 + v^2) g^4 / (3 K^5) in nu:

    >>> low, high = (second([0.0, 1.0], gain=0.6, concentration=nu) for nu in (3.0, 2.0))
    >>> bool(np.isclose(low.recurrent - high.recurrent, -8 * 0.6**4 / (3 * 1.72**5)))
    True
    """
    s = real_array(response, "response", ndim=1)
    start = _Start(s.size, gain, concentration, input_norm, readout_norm)
    return Second(*(float(x[0]) for x in _second(s[None], start)))


def second_mean(
    steps: int,
    *,
    strength: float = 1.0,
    gain: float,
    concentration: float,
    input_norm: float = 1.0,
    readout_norm: float = 1.0,
) -> Second:
    """Exact mean of `second` over random tasks of norm `strength`.

    Quartic forms need E s_a^2 s_b^2 = strength^4 / (T (T + 2)), three times that for a = b.

    Examples
    --------
    >>> found = [second_mean(3, gain=0.6, concentration=nu).kernel_gap for nu in (1.0, 2.0, 8.0)]
    >>> found == sorted(found)  # full rank is the laziest
    True
    """
    t = integer(steps, "steps")
    start = _Start(t, gain, concentration, input_norm, readout_norm)
    one = np.eye(t)
    a, b = np.triu_indices(t, 1)
    single = np.array(_second(one, start))
    pairs = np.array(_second(np.concatenate([one[a] + one[b], one[a] - one[b]]), start))
    # f(a + b) + f(a - b) = 2 f(a) + 2 f(b) + 12 f_aabb
    both = pairs.reshape(len(pairs), 2, a.size).sum(axis=1)
    mixed = (both - 2.0 * single[:, a] - 2.0 * single[:, b]) / 12.0
    weight = float(positive(strength, "strength", ndim=0)) ** 4 / (t * (t + 2))
    return Second(*(weight * (3.0 * single.sum(axis=1) + 6.0 * mixed.sum(axis=1))).tolist())


def turn_strength(
    units: int, *, gain: float, input_norm: float = 1.0, readout_norm: float = 1.0
) -> float:
    """Strength from which E ||dW|| rises with rank, two steps and a task at lag 1, N large.

    s^2 = 3 ((u^2 + v^2) K_1 - g^2 u^2 v^2) / N. Of weaker tasks the scatter of finite starts, of
    relative order 1/r, makes the change fall with rank, as in two layers; of stronger ones
    learning, of relative order s^2 N/r, makes it rise. To leading order in 1/N and s^2.

    Examples
    --------
    >>> round(turn_strength(200, gain=0.6), 4)
    0.2149
    """
    start = _Start(2, gain, 2.0, input_norm, readout_norm)
    scattered = (start.x + start.y) * start.kernel[1] - start.g**2 * start.x * start.y
    return float(np.sqrt(3.0 * scattered / integer(units, "units")))


def scatter(rank: ArrayLike, *, steps: int, gain: float) -> Array:
    """How much more W moves, on average, at rank r than a typical start of the same N/r says.

    E ||dW||(N, r) = (typical start of nu = N/r) (1 + a/r + b/r^2), a = 0.54 (T - 1)^0.65 g^1.35,
    b = 0.0107 (T - 1)^3.5 g^2.16. The form is that of an expansion in the fluctuations of the
    r x r core s Y'X, its two numbers a fit: to sampled starts of T = 2 ... 6, g = 0.4 ... 0.9,
    N = 10 r ... 100 r, ||S|| = 1 and 3, |U| = |V| = 1, one channel and output. It leaves 4 % at
    r = 2, 3 % at 3, 2 % above (as much as the sampling does), 7 % at rank 1 up to T = 5, and says
    nothing where T is above `lags`. Weak tasks scatter up to twice as much.

    Examples
    --------
    >>> scatter([2, 10], steps=5, gain=0.625).round(2)
    array([1.48, 1.08])
    """
    r = positive(rank, "rank")
    g, lag = float(positive(gain, "gain", ndim=0)), integer(steps, "steps") - 1
    a, b = 0.54 * lag**0.65 * g**1.35, 0.0107 * lag**3.5 * g**2.16
    return np.asarray(1.0 + (a + b / r) / r)


class _Start:
    """A typical start: moments of its words, and its diagonal kernel."""

    def __init__(
        self, steps: int, gain: float, concentration: float, input_norm: float, readout_norm: float
    ) -> None:
        self.g = float(positive(gain, "gain", ndim=0))
        self.nu = float(positive(concentration, "concentration", ndim=0))
        if self.nu < 1.0:
            raise ValueError(
                f"concentration is N / PR and at least 1, as PR is at most N; it is {self.nu:g}"
            )
        self.x = float(positive(input_norm, "input_norm", ndim=0)) ** 2
        self.y = float(positive(readout_norm, "readout_norm", ndim=0)) ** 2
        self.steps, k = steps, np.arange(steps)
        self.powers = self.g ** (2.0 * k)
        by_w = k * self.g ** (2.0 * np.maximum(k - 1, 0)) * self.x * self.y
        self.parts = self.y * self.powers, by_w, self.x * self.powers  # of U, W and V
        self.kernel = self.parts[0] + by_w + self.parts[2]

    def word(self, a: Runs, b: Runs, c: Runs, d: Runs) -> Array:
        """M(a, b, c, d), 0 where a run has a negative length."""
        least = np.minimum(np.minimum(a, b), np.minimum(c, d))
        value = self.g ** (0.0 + a + b + c + d) * (1.0 + least * (self.nu - 1.0))
        return np.where((a + c == b + d) & (least >= 0), value, 0.0)

    def bend(self, own: float, other: float) -> tuple[Array, Array]:
        """How the Gram matrix of the C_k bends, tables (k, l, a, b); with x, y swapped the O_k.

        C_k = W^k U moves by sum q_a Y_ka, Y_ka = Z_ka + x sum_c g^(2c-2) Z_(k-c)(a-c) with
        Z_ka = W^k W'^a V'. First, <Y_ka, Y_lb>; second, the part of the second order of C_l along
        C_k that goes with the gradient of F_a moved along that of F_b.
        """
        t = self.steps
        k, l, a, b = np.ix_(*(np.arange(t),) * 4)
        tail = np.r_[1.0, own * self.powers[: t - 1]]
        moved, along = np.zeros((t,) * 4), np.zeros((t,) * 4)
        for i in range(t):
            for j in range(t):
                factor = tail[i] * tail[j] * other
                moved += factor * self.word(a - i, k - i, l - j, b - j)
        for n in range(t):  # the last n steps by U and n = 0, or by W
            for c in range(t):
                factor = tail[n] * own * (1.0 if c == 0 else other * self.powers[c - 1])
                along += factor * self.word(k, l - n, a - n - c, b - c)
        return moved, along

    def through_w(self, gc: Array, go: Array) -> Array:
        """What changes of the Gram matrices (k, l, ...) do to the kernel's part of W (T17)."""
        t = self.steps
        found = np.zeros_like(gc)
        for j in range(t - 1):
            here, there = slice(j + 1, None), slice(0, t - 1 - j)
            found[here, here] += self.powers[j] * (
                self.y * gc[there, there] + self.x * go[there, there]
            )
        return found


def _changes(squares: Array, start: _Start) -> Changes:
    u, w, v = (float(squares @ (part / start.kernel**2)) for part in start.parts)
    return Changes(u, w, v, u + w + v)


def _second(s: Array, start: _Start) -> tuple[Array, ...]:
    """Fourth powers of tasks (z, T): the columns of `Second`, (z,) each."""
    if start.steps > _STEPS:
        raise ValueError(
            f"steps must be at most {_STEPS} for the second order; it is {start.steps}"
        )
    rate = start.kernel
    moved_c, along_c = start.bend(start.x, start.y)
    moved_o, along_o = start.bend(start.y, start.x)
    moved = moved_o, start.through_w(moved_c, moved_o), moved_c
    along = along_o, start.through_w(along_c, along_o), along_c
    # first order: e_a = K_a q_a exp(-K_a t), and q_a its integral; p_ab is that of e_a q_b(t)
    q = s / rate
    share = rate / (rate[:, None] + rate)
    p = q[:, :, None] * q[:, None] * share
    b, c, d = np.ix_(rate, rate, rate)
    cubes = 1.0 - b / (b + c) - b / (b + d) + b / (b + c + d)
    three = q[:, :, None, None] * q[:, None, :, None] * q[:, None, None, :]
    both = three * cubes  # integral of e_b q_c(t) q_d(t)
    after = q[:, :, None, None] * p[:, None] - np.swapaxes(both, 1, 2)  # that of e_b p_cd(t)
    whole_moved, whole_along = np.sum(moved, axis=0), np.sum(along, axis=0)
    turned = whole_along + np.swapaxes(whole_along, 0, 1)
    # third order of the error's integral: e_3' = -K e_3 - K_2(t) e_1
    late = -(
        np.einsum("abcd,zbcd->za", whole_moved, both)
        + np.einsum("abcd,zbcd->za", turned, after)
    ) / rate  # fmt: skip
    changes = [
        np.einsum("acbd,zab,zcd->z", m, p, p)
        + 2.0 * (q * late) @ part
        + 2.0 * np.einsum("cabd,zc,zabd->z", w, q, after)
        for m, w, part in zip(moved, along, start.parts, strict=True)
    ]
    bends = [
        np.einsum("klab,za,zb->zkl", m, q, q) + np.einsum("klab,zab->zkl", w, p)
        for m, w in ((moved_c, along_c + np.swapaxes(along_c, 0, 1)), (whole_moved, turned))
    ]
    gaps = [_gap(*pair) for pair in zip((start.parts[2], rate), bends, strict=True)]
    return (*changes, np.sum(changes, axis=0), *gaps)


def _gap(diagonal: Array, bend: Array) -> Array:
    """1 - cosine of a diagonal matrix with itself plus a small bend (z, T, T), to second order."""
    square = diagonal @ diagonal
    along = np.einsum("k,zkk->z", diagonal, bend)
    return np.asarray(0.5 * (np.sum(bend**2, axis=(1, 2)) - along**2 / square) / square)
