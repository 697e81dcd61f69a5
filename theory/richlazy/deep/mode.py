"""A part of one unit a layer, all layers of one size: T4 in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.deep.flow import Small
from richlazy.formulas import depth

__all__ = ["accuracy", "balanced", "changes"]

Array = NDArray[np.float64]

_RANGE = 1e60  # of u, s and their inverses, within what `depth.state` takes
_PRECISION = 1e-12  # of `depth.state`, times the condition of the mode


def balanced(small: Small) -> bool:
    """Whether T4 holds: one unit a layer, equal weights, the task of the sign of their product."""
    if any(w.size != 1 for w in small.weights) or small.target.size != 1:
        return False
    sizes = np.abs([w.item() for w in small.weights])
    goal = _goal(small)
    if np.any(sizes != sizes[0]) or not 1.0 / _RANGE < abs(goal) < _RANGE:
        return False
    u = float(sizes[0]) ** len(sizes)
    signs = np.prod([np.sign(w.item()) for w in small.weights])
    return 1.0 / _RANGE < u < _RANGE and bool(signs == np.sign(goal))


def changes(small: Small, at: Array) -> list[list[Array]]:
    """Weight change of every layer at times: each layer has u^(1/L)."""
    layers, u0, s, gain = _mode(small)
    moved = depth.state(u0, s, gain * at, layers).weight_change / np.sqrt(layers)
    steps = np.copysign(moved, s - u0)
    return [[np.sign(w) * step for w in small.weights] for step in steps]


def accuracy(small: Small, at: Array) -> float:
    """What `changes` is good for, relative: the condition of a mode is t |du/dt| / u."""
    layers, u0, s, gain = _mode(small)
    finite = np.where(np.isinf(at), 0.0, gain * at)
    found = depth.state(u0, s, finite, layers)
    condition = finite * found.kernel * np.abs(found.error) / found.strength
    return _PRECISION * float(np.max(condition, initial=1.0))


def _goal(small: Small) -> float:
    return float(small.target.item() / small.gains.item())


def _mode(small: Small) -> tuple[int, float, float, float]:
    """Layers, strength now, strength of the task, and time of T4 over time."""
    layers = len(small.weights)
    u0 = abs(small.weights[0].item()) ** layers
    return layers, float(u0), abs(_goal(small)), float(small.gains.item() ** 2)
