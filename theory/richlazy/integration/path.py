"""T12: length of the path of the weights, int ||dW/dt|| dt, from where they are at times.

Only positions W(t) are asked for. The speed from the gradient, sqrt(||W2'E||^2 + ||E W1'||^2)
in two layers, would multiply the error of a large start's weights by ||W||^2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["length"]

Array = NDArray[np.float64]

_PANELS = 12  # to begin with
_NODES = 15  # in each
_TOLERANCE = 1e-10  # of the length, each panel
_NOISE = 1e-7  # of the length, at most
_TAIL = 1e-9  # of the weight change


def length(positions: Callable[[Array], Array], end: float, scale: float) -> float:
    """Length of a path from time 0 to `end`, infinity allowed, to about 1e-9 relative.

    On panels in asinh(t / scale), which has a place for every time scale, the position is
    interpolated through Gauss nodes and the speed of the interpolant integrated. Panels are
    split until leaving out a node makes no difference and the chords are no longer than the
    path; the last 1e-9 of the way is taken as straight.

    Parameters
    ----------
    positions
        From ascending times to positions relative to the start, (times, coordinates).
    end
        Last time.
    scale
        A time in which little changes at first.

    Examples
    --------
    >>> circle = lambda t: np.stack([np.cos(t) - 1.0, np.sin(t)], axis=1)
    >>> round(length(circle, 2.0, 0.1), 9)
    2.0
    """
    until, tail = _nearly_there(positions, end, scale)
    edges = np.linspace(0.0, np.arcsinh(until / scale), _PANELS + 1)
    panels, parent = np.stack([edges[:-1], edges[1:]], axis=1), np.full(_PANELS, np.inf)
    total = tail
    while True:
        each, missed = _lengths(positions, panels, scale)
        whole = total + float(np.sum(each))
        # what splitting does not lessen is the noise of the positions
        noise = (missed > 0.5 * parent) & (missed < _NOISE * whole)
        split = (missed > _TOLERANCE * whole) & ~noise
        total += float(np.sum(each[~split]))
        if not np.any(split):
            return total
        low, high = panels[split].T
        middle = 0.5 * (low + high)
        panels = np.stack([low, middle, middle, high], axis=1).reshape(-1, 2)  # ascending
        parent = np.repeat(missed[split], 2)


def _nearly_there(
    positions: Callable[[Array], Array], end: float, scale: float
) -> tuple[float, float]:
    """A time after which less than `_TAIL` of the way remains, and that remainder."""
    at = scale * 4.0 ** np.arange(-2.0, 45.0)
    at = np.r_[0.0, at[at < end], end]
    path = positions(at)
    left = np.linalg.norm(path - path[-1], axis=1)
    here = int(np.argmax(left <= _TAIL * left[0]))
    if np.isinf(at[here]):  # still on its way at the last finite time
        here -= 1
    return float(at[here]), float(left[here])


def _rules() -> tuple[Array, tuple[Array, Array], tuple[Array, Array]]:
    """Gauss nodes on [-1, 1]; matrix of derivatives and weights of all, and with one left out.

    Not the middle one: its share in the derivative is even, and would not show in the length.
    """
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    kept = np.delete(np.arange(_NODES), _NODES // 3)
    fewer = np.zeros((_NODES, _NODES)), np.zeros(_NODES)
    fewer[0][np.ix_(kept, kept)] = _derivative(x[kept])
    moments = np.eye(1, kept.size)[0] * 2.0
    powers = np.polynomial.legendre.legvander(x[kept], kept.size - 1)
    fewer[1][kept] = np.linalg.solve(powers.T, moments)
    return x, (_derivative(x), weights), fewer


def _derivative(x: Array) -> Array:
    """Matrix from values at nodes to derivatives of their interpolant there (barycentric)."""
    gaps = x[:, None] - x + np.eye(x.size)
    size = np.prod(gaps, axis=1)
    matrix: Array = size[:, None] / size / gaps
    np.fill_diagonal(matrix, 0.0)
    return matrix - np.diag(matrix.sum(axis=1))


def _lengths(
    positions: Callable[[Array], Array], panels: Array, scale: float
) -> tuple[Array, Array]:
    """Length over panels (low, high) of asinh(t / scale), and what it may be wrong by."""
    x, full, fewer = _rules()
    half = 0.5 * (panels[:, 1] - panels[:, 0])
    nodes = panels.mean(axis=1)[:, None] + half[:, None] * x
    path = positions(scale * np.sinh(nodes.ravel())).reshape(*nodes.shape, -1)
    fine, coarse = (
        np.linalg.norm(derivative @ path, axis=2) @ weights for derivative, weights in (full, fewer)
    )
    chords = np.linalg.norm(np.diff(path, axis=1), axis=2).sum(axis=1)
    return fine, np.maximum(np.abs(fine - coarse), chords - fine)
