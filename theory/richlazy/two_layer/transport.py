"""T5: the hidden rotation that the matrix Riccati solution leaves open, from its factors alone.

Gradient flow of a lambda-balanced network is dQ/dt = Z Q with Z = F - Q Q'/2 symmetric, so
that Q'dQ/dt is symmetric: Q is the horizontal lift of G = Q Q' in the Bures-Wasserstein
geometry. Any factor X of G(t) = X X' differs from Q by a rotation, Q = X O, and of two factors
at neighbouring times the lift takes the rotations that bring them closest (Procrustes):

    O(t + h) = polar(X(t + h)'X(t)) O(t) + O(h^3).

The error is even in h, since the step back undoes the step, so Romberg's extrapolation turns
1, 2, 4, 8 steps into order 8. Nothing is stiff: a step is a polar factor of an r x r matrix,
however fast the weights move.

A factor asked for twice need not come out twice the same: where columns tie, rounding decides
how a QR turns them. So segments are joined by the same rotation, at a step of no length.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import ConvergenceError

__all__ = ["transported"]

Array = NDArray[np.float64]

_LEVELS = 4
_STEPS = 2 ** (_LEVELS - 1)
_MAX_SEGMENTS = 1000  # besides one for each time asked for
_SHORTEST = 1e-10
_TOLERANCE = 1e-12
_ROUNDING = 1e-15
_TINY = 1e-200
_NEARLY = 1e-6
_LOST = 1e-9  # error of the weights from which the rotation counts as lost


def transported(factor: Callable[[Array], Array], times: Array, rate: float) -> tuple[Array, float]:
    """Weights Q (n, rows, r) at ascending times, and an estimate of their error.

    The error is relative to the largest Q up to then.

    Parameters
    ----------
    factor
        Gives X (n, rows, r) with X X' = Q Q' at n times; at time 0 it is Q itself. At the same
        time two calls may differ by a rotation.
    times
        Ascending, infinity allowed.
    rate
        The fastest rate of the flow; sets where the first segments lie, not the result.

    Raises
    ------
    ConvergenceError
        If the rotation is not resolved within the budget of segments, or weights have been so
        small beside others that rounding has taken their direction.
    """
    ends = _places(np.concatenate([[0.0], times]), rate)
    todo = np.stack([ends[:-1], ends[1:]], axis=1)
    todo = todo[todo[:, 1] > todo[:, 0]]
    done: list[_Segments] = []
    budget, worst = _MAX_SEGMENTS + len(todo), 0.0
    while len(todo):
        budget -= len(todo)
        if budget < 0:
            raise ConvergenceError(
                "the rotation of the hidden units is not resolved within "
                f"{_MAX_SEGMENTS} segments: {len(todo)} are left"
            )
        found = _romberg(factor, todo, rate)
        middle = 0.5 * (todo[:, 0] + todo[:, 1])
        good = found.error <= _TOLERANCE * found.moved + _ROUNDING
        # where halving no longer helps, the error is what it is, and is told
        good |= todo[:, 1] - todo[:, 0] < _SHORTEST
        worst += float(np.sum(found.error[good]))
        done.append(_Segments(*(x[good] for x in found)))
        left, cut = todo[~good], middle[~good]
        todo = np.concatenate(
            [np.stack([left[:, 0], cut], axis=1), np.stack([cut, left[:, 1]], axis=1)]
        )
    first = factor(np.zeros(1))[0]
    if not done:
        return np.tile(first, (times.size, 1, 1)), 0.0
    parts = _Segments(*(np.concatenate(columns) for columns in zip(*done, strict=True)))
    parts, missed = _joined(_Segments(*(x[np.argsort(parts.start)] for x in parts)))
    worst += missed + _lost(parts)
    if worst > _LOST:
        raise ConvergenceError(
            f"the weights are known to {worst:.1e} of the largest alone, at most {_LOST:g} is "
            "borne: rounding has taken the direction of small ones"
        )
    weights = np.empty((len(parts.start) + 1, *first.shape))
    weights[0], rotation = first, np.eye(first.shape[1])
    for k, (last, turn) in enumerate(zip(parts.last, parts.turn, strict=True)):
        rotation = _orthonormal(turn @ rotation)
        weights[k + 1] = last @ rotation
    return weights[np.searchsorted(parts.start, ends[1:], side="left")], worst


class _Segments(NamedTuple):
    """Along the first axis: where each begins, the factors at its ends, its rotation, its error."""

    start: Array
    first: Array
    last: Array
    turn: Array
    error: Array
    moved: Array
    spread: Array  #: squared size of the largest weights over that of the j-th largest, at worst
    end: Array  #: squared size of the j-th largest at its end


def _joined(parts: _Segments) -> tuple[_Segments, float]:
    """Ascending segments, each turned to begin where the one before ends, and what that misses."""
    before, after = parts.last[:-1], parts.first[1:]
    join, values = _polar(np.swapaxes(after, 1, 2) @ before)
    turn, spread = parts.turn.copy(), parts.spread.copy()
    turn[1:] = turn[1:] @ join
    spread[1:] = np.maximum(spread[1:], _spread(values))
    gap, size = (np.linalg.norm(x, axis=(1, 2)) for x in (after @ join - before, before))
    # beside the largest weights so far: those that all decay end at 0/0
    size = np.maximum.accumulate(size)
    missed = float(np.sum(gap / np.where(size > 0, size, 1.0)))
    return parts._replace(turn=turn, spread=spread), missed


def _spread(values: Array) -> Array:
    """Descending singular values of overlaps: the first over each, very large where all are 0."""
    largest = values[..., :1]
    share = np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
    return np.asarray(1.0 / np.maximum(share, _TINY))


def _lost(parts: _Segments) -> float:
    """What rounding has made of weights that were small beside others and grew again.

    A polar factor knows their direction to rounding times the spread, and they matter by how
    large they are in the end, beside the largest so far.
    """
    angle = np.minimum(_ROUNDING * np.maximum.accumulate(parts.spread), 1.0)
    largest = np.maximum.accumulate(parts.end[:, :1])
    share = parts.end / np.where(largest > 0, largest, 1.0)
    return float(np.max(angle * np.sqrt(share), initial=0.0))


def _romberg(factor: Callable[[Array], Array], segments: Array, rate: float) -> _Segments:
    """Rotation over each segment; its error and the change relative to Q."""
    n = len(segments)
    weight = np.linspace(0.0, 1.0, _STEPS + 1)
    places = segments[:, :1] * (1.0 - weight) + segments[:, 1:] * weight
    x = factor(_times(places.ravel(), rate))
    x = x.reshape(n, _STEPS + 1, *x.shape[1:])
    r = x.shape[-1]
    levels = []
    for level in range(_LEVELS):
        nodes = x[:, :: _STEPS >> level]
        turn = np.broadcast_to(np.eye(r), (n, r, r))
        polar, values = _polar(np.swapaxes(nodes[:, 1:], -1, -2) @ nodes[:, :-1])
        for k in range(polar.shape[1]):
            turn = polar[:, k] @ turn
        levels.append(turn)
    table = levels
    for power in range(1, _LEVELS):
        before = table
        table = [b + (b - a) / (4.0**power - 1.0) for a, b in pairwise(before)]
    size = np.sqrt(np.sum(np.maximum(x[:, 0] ** 2, x[:, -1] ** 2), axis=(-2, -1)))
    size = np.where(size > 0, size, 1.0)
    error = np.sqrt(np.sum((x[:, -1] @ (table[0] - before[-1])) ** 2, axis=(-2, -1)))
    moved = np.sqrt(np.sum((x[:, -1] @ table[0] - x[:, 0]) ** 2, axis=(-2, -1)))
    return _Segments(
        segments[:, 0],
        x[:, 0],
        x[:, -1],
        table[0],
        error / size,
        moved / size,
        _spread(values).max(axis=1),
        values[:, -1],
    )


def _orthonormal(rotation: Array) -> Array:
    """A rotation known to small errors, made one to rounding by a Newton-Schulz step.

    So the weights stay lambda-balanced. Where weights have vanished for good it is no rotation,
    and need not be.
    """
    missed = rotation.T @ rotation - np.eye(len(rotation))
    if np.abs(missed).max(initial=0.0) > _NEARLY:
        return rotation
    return rotation - 0.5 * (rotation @ missed)


def _polar(matrix: Array) -> tuple[Array, Array]:
    """Nearest rotation of each of a stack of square matrices, and their singular values."""
    u, values, vt = np.linalg.svd(matrix)
    return np.asarray(u @ vt), values


def _places(times: Array, rate: float) -> Array:
    """[0, infinity] onto [0, 1], evenly in log time: u/(1 + u), u = log(1 + rate t)."""
    u = np.log1p(np.minimum(rate * np.where(np.isinf(times), 0.0, times), 1e300))
    return np.where(np.isinf(times), 1.0, u / (1.0 + u))


def _times(places: Array, rate: float) -> Array:
    final = places >= 1.0
    u = np.where(final, 0.0, places / np.where(final, 1.0, 1.0 - places))
    return np.where(final, np.inf, np.expm1(np.minimum(u, 600.0)) / rate)
