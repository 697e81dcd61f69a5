"""T19: aligned modes, where a recurrent network and its task share their singular vectors.

W = Q diag(w) Q', U = Q diag(u) L', V = O diag(v) Q' and S_k = O diag(s_k) L' decouple into scalars,
with f_k = v w^k u:

    du/dt = v sum_k (s_k - f_k) w^k,  dv/dt = u sum_k (s_k - f_k) w^k,
    dw/dt = u v sum_k k (s_k - f_k) w^(k-1),

u^2 - v^2 constant; normal W with complex pairs in the same way, in 2 x 2 rotation-scaling blocks
(Proca, Domine, Shanahan, Mediano 2025, eqs 5-8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, ConvergenceError, positive, real_array
from richlazy.integration.shared import distinct
from richlazy.recurrent.flow import Change, Problem, controls, integrate

__all__ = ["Block", "Mode", "aligned_blocks", "along_blocks", "geometric"]

Array = NDArray[np.float64]

_ROUNDING = 1e-13  # relative
_NOTHING = 3e-15  # relative
_TOLERANCE = 1e-11
_DOUBLINGS = 60


class Block(NamedTuple):
    """Orthonormal directions of one mode, one each, or of one complex pair, two each."""

    units: Array
    outputs: Array
    channels: Array


def aligned_blocks(problem: Problem) -> list[Block] | str:
    """The modes of a small network and its task, or what stands against there being any.

    The singular vectors of one random combination of all responses, wanted and at the start, are
    those of each, if they are shared at all; equal singular values are a pair.
    """
    u, w, v = problem.inputs[0], problem.recurrent[0], problem.readout[0]
    if problem.root is not None and not _weighs_lags(problem.root, u.shape[1]):
        return "it needs inputs white over channels and steps, but for the weight of each lag"
    m, n, t = len(v), u.shape[1], problem.steps
    wanted = problem.target[0].reshape(m, t, n).transpose(1, 0, 2)
    own = v @ controls(w, u, t)
    size = float(np.linalg.norm(wanted))
    scale = size / (float(np.linalg.norm(own)) or 1.0)
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 1.5, (2, t)) * rng.choice([-1.0, 1.0], (2, t))
    mixed = np.tensordot(weights[0], wanted, 1) + scale * np.tensordot(weights[1], own, 1)
    left, values, right = np.linalg.svd(mixed)
    count = min(m, n)
    blocks, start = [], 0
    while start < count:
        stop = start + 1
        while stop < count and values[start] - values[stop] <= 1e-9 * values[0]:
            stop += 1
        blocks.append((left[:, start:stop], right[start:stop].T))
        start = stop
    found = []
    for outputs, channels in blocks:
        driven = np.concatenate([_held(u @ channels, u), _held(v.T @ outputs, v)], axis=1)
        directions, strength, _ = np.linalg.svd(driven, full_matrices=False)
        rank = int(np.count_nonzero(strength > _ROUNDING * strength[0]))
        found.append(Block(directions[:, :rank], outputs, channels))
    return _refused(problem, wanted, found) or found


def _weighs_lags(root: Array, channels: int) -> bool:
    """Whether a metric over (lag, channel) is a weight of each lag, the same for every channel."""
    each = np.diag(root).reshape(-1, channels)
    return not (np.any(root != np.diag(np.diag(root))) or np.any(each != each[:, :1]))


def _held(columns: Array, whole: Array) -> Array:
    """Columns without those that are rounding of the whole: such a mode is at rest."""
    return np.where(
        np.linalg.norm(columns, axis=0) > _NOTHING * np.linalg.norm(whole), columns, 0.0
    )


def _refused(problem: Problem, wanted: Array, blocks: Sequence[Block]) -> str:
    """What of the network or the task lies outside the blocks, or is no mode and no pair."""
    u, w, v = problem.inputs[0], problem.recurrent[0], problem.readout[0]
    for name, whole, parts in (
        ("U", u, [b.units @ (b.units.T @ u @ b.channels) @ b.channels.T for b in blocks]),
        ("V", v, [b.outputs @ (b.outputs.T @ v @ b.units) @ b.units.T for b in blocks]),
        ("W", w, [b.units @ (b.units.T @ w @ b.units) @ b.units.T for b in blocks]),
        ("S", wanted, [b.outputs @ (b.outputs.T @ wanted @ b.channels) @ b.channels.T
                       for b in blocks]),
    ):  # fmt: skip
        beyond = whole - sum(parts)
        if name == "W":  # of directions that nothing drives or reads it does not matter
            held = np.concatenate([b.units for b in blocks], axis=1)
            beyond = np.concatenate([beyond @ held, beyond.T @ held], axis=1)
        gap = float(np.linalg.norm(beyond))
        if gap > 10.0 * _ROUNDING * (float(np.linalg.norm(whole)) or 1.0):
            return f"{name} does not share the modes of the task; {gap:.1e} of it lies outside them"
    held = np.concatenate([b.units for b in blocks], axis=1)
    overlap = float(np.abs(held.T @ held - np.eye(held.shape[1])).max(initial=0.0))
    if overlap > 1e-12:
        return f"modes share units: their directions overlap by {overlap:.1e}"
    for b in blocks:
        size = b.outputs.shape[1]
        if b.units.shape[1] > size:
            return "a mode is driven and read by different directions of the units"
        if size == 2 and not _is_pair(problem, wanted, b):
            return "two modes cannot be told apart, and are no complex pair"
        if size > 2:
            return f"{size} modes cannot be told apart"
    return ""


def _is_pair(problem: Problem, wanted: Array, b: Block) -> bool:
    """Whether a block is a complex pair: products of its maps are rotations times a number."""
    u = b.units.T @ problem.inputs[0] @ b.channels
    v = b.outputs.T @ problem.readout[0] @ b.units
    w = b.units.T @ problem.recurrent[0] @ b.units
    if b.units.shape[1] < 2:
        return False
    turned = [*(b.outputs.T @ wanted @ b.channels), *(v @ x for x in controls(w, u, problem.steps))]
    first = max(turned, key=lambda x: float(np.linalg.norm(x)))
    frame = np.linalg.svd(first)
    rotation = frame[0] @ frame[2]
    spins = [x @ rotation.T for x in turned] + [w]
    size = [float(np.linalg.norm(x)) for x in spins]
    skew = [abs(x[0, 0] - x[1, 1]) + abs(x[0, 1] + x[1, 0]) for x in spins]
    return all(a <= 1e-12 * b for a, b in zip(skew, size, strict=True))


def along_blocks(problem: Problem, blocks: Sequence[Block], at: Array, rtol: float) -> list[Change]:
    """Changes of the network at ascending times, every block followed by itself."""
    u, w, v = problem.inputs[0], problem.recurrent[0], problem.readout[0]
    m, n, t = len(v), u.shape[1], problem.steps
    lags = problem.target[0].reshape(m, t, n).transpose(1, 0, 2)
    du, dw, dv = (np.zeros((at.size, *x.shape)) for x in (u, w, v))
    rest = np.ones(at.size, dtype=bool)
    for size in {b.units.shape[1] for b in blocks if b.units.shape[1]}:
        same = [b for b in blocks if b.units.shape[1] == size]
        root: Array | None = None
        if problem.root is not None:  # weights of the lags, the same for every channel
            lag_root = np.diag(np.diag(problem.root)[::n])
            root = np.asarray(np.kron(lag_root, np.eye(same[0].channels.shape[1])))
        small = Problem(
            np.stack([b.units.T @ u @ b.channels for b in same]),
            np.stack([b.units.T @ w @ b.units for b in same]),
            np.stack([b.outputs.T @ v @ b.units for b in same]),
            np.stack([_wide(b.outputs.T @ lags @ b.channels) for b in same]),
            root,
            problem.rates,
        )
        for index, change in integrate(small, at, rtol):
            for k, b in enumerate(same):
                du[index] += b.units @ change.inputs[k] @ b.channels.T
                dw[index] += b.units @ change.recurrent[k] @ b.units.T
                dv[index] += b.outputs @ change.readout[k] @ b.units.T
            rest[index] &= bool(np.all(change.stationary))
    return [Change(du[i][None], dw[i][None], dv[i][None], rest[i : i + 1]) for i in range(at.size)]


def _wide(lags: Array) -> Array:
    """(steps, m, n) side by side over (lag, channel)."""
    steps, m, n = lags.shape
    return np.asarray(lags.transpose(1, 0, 2).reshape(m, steps * n))


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
