"""T5: the hidden rotation that the matrix Riccati solution leaves open, from its factors alone.

Gradient flow of a lambda-balanced network is dQ/dt = Z Q with Z = F - Q Q'/2 symmetric, so
that Q'dQ/dt is symmetric: Q is the horizontal lift of G = Q Q' in the Bures-Wasserstein
geometry. Any factor X of G(t) = X X' differs from Q by a rotation, Q = X O, and of two factors
at neighbouring times the lift takes the rotations that bring them closest (Procrustes):

    O(t + h) = polar(X(t + h)'X(t)) O(t) + O(h^3).

The error is even in h, since the step back undoes the step, so Romberg's extrapolation turns
1, 2, 4, 8 steps into order 8. Nothing is stiff: a step is a polar factor of an r x r matrix,
however fast the weights move.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import ConvergenceError

__all__ = ["transported"]

Array = NDArray[np.float64]

_LEVELS = 4
_STEPS = 2 ** (_LEVELS - 1)
_MAX_SEGMENTS = 20_000
_TOLERANCE = 1e-12
_ROUNDING = 1e-15


def transported(factor: Callable[[Array], Array], times: Array, rate: float) -> tuple[Array, float]:
    """Weights Q (n, rows, r) at ascending times, and an estimate of their error relative to Q.

    Parameters
    ----------
    factor
        Gives X (n, rows, r) with X X' = Q Q' at n times; at time 0 it is Q itself.
    times
        Ascending, infinity allowed.
    rate
        The fastest rate of the flow; sets where the first segments lie, not the result.

    Raises
    ------
    ConvergenceError
        If the rotation is not resolved within the budget of segments.
    """
    ends = _places(np.concatenate([[0.0], times]), rate)
    todo = np.stack([ends[:-1], ends[1:]], axis=1)
    todo = todo[todo[:, 1] > todo[:, 0]]
    done: list[tuple[Array, Array, Array]] = []  # segments, last factors, rotations
    count, worst = 0, 0.0
    while len(todo):
        count += len(todo)
        if count > _MAX_SEGMENTS:
            raise ConvergenceError(
                "the rotation of the hidden units is not resolved; ask for fewer times, or solve "
                "with method='flow'"
            )
        last, turn, error, moved = _romberg(factor, todo, rate)
        small = error <= _TOLERANCE * moved + _ROUNDING
        # a segment that float64 cannot split further is taken as it is, and its error told
        middle = 0.5 * (todo[:, 0] + todo[:, 1])
        good = (
            small
            | ~((todo[:, 0] < middle) & (middle < todo[:, 1]))
            | (todo[:, 1] - todo[:, 0] < 1e-10)
        )
        worst += float(np.sum(error[good]))
        done.append((todo[good], last[good], turn[good]))
        left, cut = todo[~good], middle[~good]
        todo = np.concatenate(
            [np.stack([left[:, 0], cut], axis=1), np.stack([cut, left[:, 1]], axis=1)]
        )
    first = factor(np.zeros(1))[0]
    found = np.empty((times.size, *first.shape))
    segments = np.concatenate([part[0] for part in done]) if done else np.empty((0, 2))
    order = np.argsort(segments[:, 0])
    lasts = np.concatenate([part[1] for part in done]) if done else np.empty((0, *first.shape))
    turns = np.concatenate([part[2] for part in done]) if done else np.empty((0, 0, 0))
    now, rotation, index = first, np.eye(first.shape[1]), 0
    for k in order:
        while index < times.size and ends[index + 1] <= segments[k, 0]:
            found[index] = now
            index += 1
        rotation = turns[k] @ rotation
        now = lasts[k] @ rotation
    found[index:] = now
    return found, worst


def _romberg(
    factor: Callable[[Array], Array], segments: Array, rate: float
) -> tuple[Array, Array, Array, Array]:
    """Last factor, rotation, its error and the change over each segment, relative to Q."""
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
        polar = _polar(np.swapaxes(nodes[:, 1:], -1, -2) @ nodes[:, :-1])
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
    return x[:, -1], table[0], error / size, moved / size


def _polar(matrix: Array) -> Array:
    """Nearest rotation of each of a stack of square matrices."""
    u, _, vt = np.linalg.svd(matrix)
    return np.asarray(u @ vt)


def _places(times: Array, rate: float) -> Array:
    """[0, infinity] onto [0, 1], evenly in log time: u/(1 + u), u = log(1 + rate t)."""
    u = np.log1p(np.minimum(rate * np.where(np.isinf(times), 0.0, times), 1e300))
    return np.where(np.isinf(times), 1.0, u / (1.0 + u))


def _times(places: Array, rate: float) -> Array:
    final = places >= 1.0
    u = np.where(final, 0.0, places / np.where(final, 1.0, 1.0 - places))
    return np.where(final, np.inf, np.expm1(np.minimum(u, 600.0)) / rate)
