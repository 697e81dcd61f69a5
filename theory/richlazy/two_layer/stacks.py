"""T5 for stacks: alignments and loss of many lambda-balanced networks of one shape at once.

What `riccati.Balanced` does for one network, where nothing needs a decision of its own: every task
mode is there and apart from the others, every hidden unit has weights above rounding, and the
fastest directions are those the hidden units begin at. The others are solved one by one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness
from richlazy.errors import AssumptionError, real_array, times
from richlazy.laziness import Traces
from richlazy.start import precision
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.subspace import invariant_subspace
from richlazy.two_layer.routes.riccati import ByRiccati

__all__ = ["Stacked", "alignments", "balanced"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_EPS = float(np.finfo(float).eps)
_BALANCE = 10.0  # times the rounding of a sum, as in `riccati`
_BLURRED = 1e-6
_WEAK = 1e-5  # of the strongest hidden direction: weaker ones are looked at one by one
_CLOSE = 1e-12  # of the largest strength: modes as close as that, likewise
_SMALL = 1e-150  # weights and times whose squares leave the range
_TINY = 1e-290
_MODERATE = 300.0
_CHUNK = 300_000  # entries of a part of the stack: its factors stay in cache


class Stacked(NamedTuple):
    """Arrays over a stack of networks."""

    representation_alignment: Array
    kernel_alignment: Array
    target_alignment: Array
    loss: Array  #: excess loss
    error: Array  #: estimated, relative; of the loss, as a share of that of zero weights


def alignments(
    first: ArrayLike, readout: ArrayLike | None, cov_yx: ArrayLike, t: ArrayLike = np.inf
) -> Stacked:
    """Alignments and excess loss of a stack of lambda-balanced networks on white inputs.

    Gradient flow keeps W2'W2 - W1 W1' = lambda I, and its Q Q' is closed: T5, `richlazy.riccati`
    (Fukumizu 1998; Braun et al. 2022; Domine et al. 2025).

    Parameters
    ----------
    first
        W1, (..., h, d).
    readout
        W2, (..., m, h); None is a silent one.
    cov_yx
        Input-output covariances, (..., m, d).
    t
        Time (learning rate x steps) of each network, (...) or one number; infinity is allowed.
        Leading axes of all four are broadcast.

    Returns
    -------
    Stacked
        Arrays of the leading shape; NaN where an alignment is 0/0.

    Raises
    ------
    AssumptionError
        If a network is not lambda-balanced, naming its place in the stack.

    Examples
    --------
    >>> tasks = np.array([[[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.5]]])
    >>> alignments(np.eye(2), None, tasks).kernel_alignment.round(4)
    array([0.9787, 0.9876])
    """
    w1, cov = real_array(first, "first"), real_array(cov_yx, "cov_yx")
    if w1.ndim < 2 or cov.ndim < 2 or cov.shape[-1] != w1.shape[-1]:
        raise ValueError(
            "first (..., hidden, inputs) and cov_yx (..., outputs, inputs) must have the same "
            f"number of inputs; their shapes are {w1.shape} and {cov.shape}"
        )
    h, m = w1.shape[-2], cov.shape[-2]
    w2 = np.zeros((m, h)) if readout is None else real_array(readout, "readout")
    if w2.ndim < 2 or w2.shape[-2:] != (m, h):
        raise ValueError(f"readout must be (..., {m}, {h}); its shape is {w2.shape}")
    at = times(t)
    try:
        shape = np.broadcast_shapes(w1.shape[:-2], w2.shape[:-2], cov.shape[:-2], at.shape)
    except ValueError:
        raise ValueError(
            "the leading axes of first, readout, cov_yx and t must agree; they are "
            f"{w1.shape[:-2]}, {w2.shape[:-2]}, {cov.shape[:-2]} and {at.shape}"
        ) from None
    layers = [
        np.broadcast_to(x, (*shape, *x.shape[-2:])).reshape(-1, *x.shape[-2:])
        for x in (w1, w2, cov)
    ]
    at = np.broadcast_to(at, shape).ravel()
    found = np.full((len(Stacked._fields), at.size), np.nan)
    lanes = max(1, _CHUNK // (max(w1.shape[-2:]) + m) ** 2)
    for i in range(0, at.size, lanes):
        part = slice(i, i + lanes)
        found[:, part] = _some([x[part] for x in layers], at[part], i, shape)
    return Stacked(*(x.reshape(shape) for x in found))


def balanced(first: Array, readout: Array | None, cov_yx: Array) -> Flags:
    """Which networks of a stack (n, h, d) are lambda-balanced, clearly, with all modes apart."""
    w2 = np.zeros((len(first), cov_yx.shape[1], first.shape[1])) if readout is None else readout
    return _understood(first, w2, cov_yx).plain


def _some(layers: list[Array], at: Array, begun: int, shape: tuple[int, ...]) -> Array:
    """Of a part of the stack that begins at a place."""
    stack = _understood(*layers)
    found = np.full((len(Stacked._fields), at.size), np.nan)
    done = np.zeros(at.size, dtype=bool)
    for sign in (-1, 0, 1):
        mine = np.flatnonzero(stack.plain & (np.sign(stack.level) == sign))
        if mine.size:
            part = _Same(stack.of(mine), sign)
            found[:, mine] = part.alignments(at[mine])
            done[mine] = part.plain
    for k in np.flatnonzero(~done):
        first, readout, cov = (x[k] for x in layers)
        try:
            start, task = Network(first, readout), Task(cov)
            route = ByRiccati(invariant_subspace(start, task), start.precision)
        except AssumptionError as refusal:
            place = np.unravel_index(begun + k, shape) if shape else ()
            where = f"network {tuple(int(i) for i in place)} of the stack: " if shape else ""
            raise AssumptionError(f"{where}{refusal}") from None
        found[:-1, k] = np.ravel(route.alignments(at[k : k + 1]))
        found[-1, k] = route.error
    return found


class _Stack(NamedTuple):
    """Networks, what they conserve, and which are plain so far."""

    first: Array
    readout: Array
    cov_yx: Array
    size: Array  #: ||W1||^2 + ||W2||^2 (n,)
    level: Array  #: lambda (n,), 0 where it is rounding
    plain: Flags
    blur: Array  #: of the weakest hidden direction, relative to itself (n,)

    def of(self, which: NDArray[np.intp]) -> _Stack:
        """Some of the networks."""
        first, readout, cov_yx, size, level = (x[which] for x in self[:5])
        return _Stack(first, readout, cov_yx, size, level, self.plain[which], self.blur[which])


def _understood(first: Array, readout: Array, cov_yx: Array) -> _Stack:
    turned = np.swapaxes(first, 1, 2)
    both = np.concatenate([turned, readout], axis=1)
    units = np.einsum("nij,nij->nj", both, both)
    size, hidden = units.sum(axis=1), first.shape[1]
    conserved = np.swapaxes(readout, 1, 2) @ readout - first @ turned
    level = np.trace(conserved, axis1=1, axis2=2) / hidden
    conserved[:, range(hidden), range(hidden)] -= level[:, None]
    gap, least, most = np.sqrt(_square(conserved)), units.min(axis=1), units.max(axis=1)
    tolerance = _BALANCE * precision.noise(max(both.shape[1:]), precision.EPS)
    strong = (least > _SMALL) & (most < 1.0 / _SMALL)
    least = np.where(strong, least, 1.0)
    weakest = np.sqrt(np.abs(level) / np.where(strong, most, 1.0))
    # |W2 x|^2 - |W1'x|^2 = lambda: then no direction is weaker than that; else it is measured
    small = strong & (weakest < _WEAK**0.5)
    if np.any(small):
        values = np.linalg.svd(both[small], compute_uv=False)
        full = values.shape[1] == hidden
        weakest[small] = values[:, -1] / values[:, 0] if full else 0.0
    missed = gap / least
    balanced = missed <= np.minimum(tolerance, _BLURRED * weakest)
    level = np.where(np.abs(level) > 16.0 * _EPS * size, level, 0.0)
    plain = strong & balanced & (weakest > _WEAK)
    return _Stack(first, readout, cov_yx, size, level, plain, missed / np.maximum(weakest, _EPS))


class _Same:
    """Networks whose lambda has one sign: they have as many growing directions."""

    def __init__(self, stack: _Stack, sign: int) -> None:
        first, readout = stack.first, stack.readout
        self.inputs, self.outputs = first.shape[2], readout.shape[1]
        u, s, vt = np.linalg.svd(stack.cov_yx, full_matrices=False)
        half = 0.5 * stack.level[:, None]
        kappa = np.hypot(s, half)
        # of the eigenvector of +kappa, in the form that does not cancel
        large = np.maximum(kappa + np.abs(half), _TINY)
        length = np.hypot(s, large)
        minor, major = s / length, large / length
        self.a, self.b = (minor, major) if sign >= 0 else (major, minor)
        turned = np.swapaxes(first, 1, 2)
        a, b = vt @ turned, np.swapaxes(u, 1, 2) @ readout
        rest_in = _beyond(turned, np.swapaxes(vt, 1, 2), a)
        rest_out = _beyond(readout, u, b)
        self.start = np.concatenate([a, rest_in], axis=1), np.concatenate([b, rest_out], axis=1)
        mine, other = self.a[..., None], self.b[..., None]
        grow, fade = mine * a + other * b, other * a - mine * b
        p, wide = s.shape[1], (rest_in.shape[1], rest_out.shape[1])
        # by descending x: a mode's faded side mirrors it, the rest are at -+lambda/2 between them
        self.turned = sign > 0
        rests = (rest_out, rest_in) if self.turned else (rest_in, rest_out)
        rows = np.concatenate([grow, *rests, fade[:, ::-1]], axis=1)
        self.rest = slice(p, p + sum(wide)), rests[0].shape[1]
        level = np.repeat([1.0, -1.0], [x.shape[1] for x in rests]) * np.abs(half)
        self.x = np.concatenate([kappa, level, -kappa[:, ::-1]], axis=1)
        # x = +-|half| + beyond: exponents of a large lambda differ in the second term alone
        growth = s * (s / large)
        self.beyond = np.concatenate([growth, np.zeros_like(level), -growth[:, ::-1]], axis=1)
        growing = p + (rests[0].shape[1] if sign else 0)
        self.strengths = s
        self.count = min(rows.shape[2], growing)
        turn, lower = np.linalg.qr(np.swapaxes(rows[:, :growing], 1, 2), mode="complete")
        self.rows = rows @ turn
        self.rows[:, :growing] = np.swapaxes(lower, 1, 2)
        self.start = self.start[0] @ turn, self.start[1] @ turn
        noise = 8.0 * _EPS * np.sqrt(stack.size)[:, None]
        left = np.abs(np.diagonal(lower, axis1=1, axis2=2))
        self.plain = _apart(s, max(stack.cov_yx.shape[1:]))
        self.plain &= _pivots(left, rows[:, : self.count], noise)
        blur = noise[:, 0] / np.maximum(left.min(axis=1), _TINY)
        self.error = 4.0 * np.maximum(stack.blur, blur) + _EPS

    def alignments(self, at: Array) -> tuple[Array, ...]:
        """Alignments and loss at a time of each network, and the error."""
        moved, p = self._at(at), self.strengths.shape[1]
        grow, fade = moved[:, :p], moved[:, : -p - 1 : -1]
        between, split = self.rest
        rests = np.split(moved[:, between], [split], axis=1)
        rest_in, rest_out = rests[::-1] if self.turned else rests
        mine, other = self.a[..., None], self.b[..., None]
        a = np.concatenate([mine * grow + other * fade, rest_in], axis=1)
        b = np.concatenate([other * grow - mine * fade, rest_out], axis=1)
        (a0, b0), s = self.start, self.strengths[..., None]
        grams = [np.swapaxes(x, 1, 2) @ y for x, y in ((a0, a0), (a0, a), (a, a))]
        others = [np.swapaxes(x, 1, 2) @ y for x, y in ((b0, b0), (b0, b), (b, b))]
        traces = Traces(
            r0_rt=_square(grams[1]),
            r0_r0=_square(grams[0]),
            rt_rt=_square(grams[2]),
            r0=np.einsum("nij,nij->n", a0, a0),
            rt=np.einsum("nij,nij->n", a, a),
            b0_bt=_square(others[1]),
            b0_b0=_square(others[0]),
            bt_bt=_square(others[2]),
            b0=np.einsum("nij,nij->n", b0, b0),
            bt=np.einsum("nij,nij->n", b, b),
            along=laziness.along_task(_square(s * a[:, :p]) + _square(s * b[:, :p]), _square(s)),
        )
        error = -(b @ np.swapaxes(a, 1, 2))
        error[:, range(p), range(p)] += self.strengths
        found = laziness.from_traces(traces, self.inputs, self.outputs)
        return (*found, 0.5 * _square(error), self.error)

    def _at(self, at: Array) -> Array:
        """P'Q in sorted rows: k Q_y as in `riccati`, the start itself at t = 0."""
        found = self.rows.copy()
        moving, final = np.flatnonzero((at > _TINY) & np.isfinite(at)), np.isinf(at)
        if moving.size:
            found[moving] = self._moved(moving, at[moving, None])
        if np.any(final):
            same = self.beyond[final][..., None] == self.beyond[final][:, None, : self.count]
            x = self.x[final][..., None]
            begun = np.where(same & (x > 0), self.rows[final][..., : self.count], 0.0)
            found[final] = 0.0
            frame = np.sqrt(2.0 * np.maximum(x, 0.0)) * np.linalg.qr(begun)[0]
            found[final, :, : self.count] = frame
        return np.asarray(found)

    def _moved(self, which: NDArray[np.intp], t: Array) -> Array:
        rows, x, count = self.rows[which], self.x[which], self.count
        t = np.minimum(t, 1e300 / np.maximum(1.0, 2.0 * np.abs(x).max(axis=1, keepdims=True)))
        z = 2.0 * t * x
        away = np.abs(z)
        span = t * np.where(away > 0, -np.expm1(-away) / np.where(away > 0, away, 1.0), 1.0)
        k = np.exp(0.5 * np.minimum(z, 0.0)) / np.sqrt(span)
        root, exponent = np.sqrt(span[:, :count]), t * x[:, :count]
        n, _, r = rows.shape
        shrink, relative = np.ones((2, n, r))
        shrink[:, :count] = np.minimum(1.0, np.exp(-exponent) / root)
        relative[:, :count] = np.minimum(1.0 / root, np.exp(np.minimum(exponent, 700.0)))
        y = np.sqrt(span)[..., None] * rows
        if float(np.max(np.maximum(x, 0.0) * t, initial=0.0)) < _MODERATE:
            relative[:, :count] *= np.exp(-exponent)
            y *= np.exp(t * np.maximum(x, 0.0))[..., None]
        else:
            beyond, lead = self.beyond[which], np.zeros_like(rows)
            ahead = beyond[..., None] - beyond[:, None, :count]
            lead[..., :count] = np.where(x[..., None] > 0, ahead, -x[:, None, :count])
            y *= np.exp(t[..., None] * np.where(rows != 0.0, lead, 0.0))
        tall = np.concatenate([y * relative[:, None], np.zeros((n, r, r))], axis=1)
        tall[:, range(rows.shape[1], rows.shape[1] + r), range(r)] = shrink
        # rows by size: Householder's method is then accurate row by row
        order = np.argsort(-np.einsum("nij,nij->ni", tall, tall), axis=1)[..., None]
        sorted_q = np.linalg.qr(np.take_along_axis(tall, order, axis=1))[0]
        np.put_along_axis(tall, order, sorted_q, axis=1)
        return np.asarray(k[..., None] * tall[:, : rows.shape[1]])


def _apart(strengths: Array, largest: int) -> Flags:
    """Whether all modes are there, and no two as strong as each other."""
    top = strengths[:, :1]
    gaps = np.all(strengths[:, :-1] - strengths[:, 1:] > _CLOSE * top, axis=1)
    return np.asarray(gaps & (strengths[:, -1] > largest * _EPS * strengths[:, 0]))


def _pivots(left: Array, top: Array, noise: Array) -> Flags:
    """Whether hidden units begin at the fastest directions, clearly (see `echelon`)."""
    lengths = np.sqrt(np.einsum("nij,nij->ni", top, top))
    least = np.minimum.accumulate(np.maximum(left, _TINY), axis=1)[:, :-1]
    clear = left[:, 1:] > noise * (1.0 + lengths[:, 1:] / least)
    return np.asarray(np.all(left > noise, axis=1) & np.all(clear, axis=1))


def _beyond(weights: Array, modes: Array, inside: Array) -> Array:
    """Coordinates of the columns of weights (n, d, h) beyond the modes (n, d, p)."""
    if modes.shape[1] == modes.shape[2]:
        return np.zeros((len(weights), 0, weights.shape[2]))
    rest = weights - modes @ inside
    rest -= modes @ (np.swapaxes(modes, 1, 2) @ rest)
    return np.asarray(np.linalg.qr(rest, mode="r"))


def _square(x: Array) -> Array:
    return np.asarray(np.einsum("nij,nij->n", x, x))
