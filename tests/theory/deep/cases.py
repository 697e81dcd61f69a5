"""Deep linear networks as anybody would write them: what `richlazy.deep` is held against."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp

from richlazy.start.task import Task


def layers(y, weights):
    ends = np.cumsum([w.size for w in weights])[:-1]
    return [p.reshape(w.shape) for p, w in zip(np.split(y, ends), weights, strict=True)]


def velocity(weights, task):
    """T11 as it stands."""
    cov = np.eye(task.inputs) if task.white else task.cov_xx
    before = [np.eye(task.inputs)]
    for w in weights:
        before.append(w @ before[-1])
    pulled, moves = task.cov_yx - before[-1] @ cov, []
    for w, a in zip(weights[::-1], before[-2::-1], strict=True):
        moves.insert(0, pulled @ a.T)
        pulled = w.T @ pulled
    return moves


def reference(weights, task, times, method="DOP853", rtol=1e-12):
    """Weights at times by SciPy; the changes are integrated."""

    def right(_, y):
        now = [w + c for w, c in zip(weights, layers(y, weights), strict=True)]
        return np.concatenate([x.ravel() for x in velocity(now, task)])

    zero = np.zeros(sum(w.size for w in weights))
    found = solve_ivp(
        right, (0.0, times[-1]), zero, method, times, rtol=rtol, atol=0.01 * rtol, first_step=1e-9
    )
    assert found.success
    return [[w + c for w, c in zip(weights, layers(y, weights), strict=True)] for y in found.y.T]


def jacobian(weights, root):
    """Of the function on whitened inputs, (m d) x weights, by moving one weight at a time."""

    def product(ws):
        f = root
        for w in ws:
            f = w @ f
        return f.ravel()

    columns = []
    for i, w in enumerate(weights):
        for place in np.ndindex(w.shape):
            unit = np.zeros(w.shape)
            unit[place] = 1.0  # the function is linear in each layer
            columns.append(product([*weights[:i], unit, *weights[i + 1 :]]))
    return np.array(columns).T


def dense_measures(weights, task, later):
    """Weight change, RA, KA, target alignment and loss from the dense kernel."""
    root = np.eye(task.inputs) if task.white else task.root
    grams, kernels = [], []
    for ws in (weights, later):
        seen = ws[0] @ root
        grams.append(seen.T @ seen)
        j = jacobian(ws, root)
        kernels.append(j @ j.T)

    def cosine(a, b):
        return np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)

    function = root
    for w in later:
        function = w @ function
    change = np.sqrt(sum(np.sum((b - a) ** 2) for a, b in zip(weights, later, strict=True)))
    # in the order of `jacobian`
    goal = task.whitened.ravel()
    return (
        change,
        cosine(*grams),
        cosine(*kernels),
        cosine(kernels[1], np.outer(goal, goal)),
        0.5 * np.sum((task.whitened - function) ** 2),
    )


def case(sizes, scale, seed, white=True):
    """Random layers of norm `scale` and a random task."""
    rng = np.random.default_rng(seed)
    weights = []
    for a, b in pairwise(sizes):
        w = rng.standard_normal((b, a))
        weights.append(w * scale / np.linalg.norm(w))
    d, m = sizes[0], sizes[-1]
    x = rng.standard_normal((3 * d, d))
    cov = None if white else x.T @ x / len(x)
    return weights, Task.teacher(rng.standard_normal((m, d)) / np.sqrt(m * d), cov)


def gap(found, wanted, start):
    """Distance of two sets of weights over the weight change."""
    off = sum(np.sum((a - b) ** 2) for a, b in zip(found, wanted, strict=True))
    return np.sqrt(off / sum(np.sum((b - c) ** 2) for b, c in zip(wanted, start, strict=True)))


def function(weights):
    product = weights[0]
    for w in weights[1:]:
        product = w @ product
    return product


SHAPES = [[5, 2], [5, 4, 3], [4, 6, 3, 2], [4, 2, 7, 3, 1], [3, 4, 2, 5, 3, 2]]
