"""Benchmarks of `richlazy.deep` and `richlazy.sequences` against SciPy's DOP853."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np

__all__ = ["deep_networks", "sequences"]

Row = tuple[str, float, float | None, str]

_PLAIN, _PLATEAU, _STIFF = (1.0, 10.0), (0.1, 3000.0), (30.0, 0.3)  # norm of a layer, time


def _case(sizes, norm, seed):
    from richlazy import Task

    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal((b, a)) for a, b in pairwise(sizes)]
    weights = [w * norm / np.linalg.norm(w) for w in weights]
    task = Task.teacher(rng.standard_normal((sizes[-1], sizes[0])) / np.sqrt(sizes[0] * sizes[-1]))
    return weights, task


def _dop853(weights, task, end, rtol):
    """Final weight changes, integrated as they stand."""
    from scipy.integrate import solve_ivp

    ends = np.cumsum([w.size for w in weights])[:-1]

    def changes(y):
        return [p.reshape(w.shape) for p, w in zip(np.split(y, ends), weights, strict=True)]

    def velocity(_, y):
        now = [w + c for w, c in zip(weights, changes(y), strict=True)]
        before = [np.eye(task.inputs)]
        for w in now:
            before.append(w @ before[-1])
        pulled, moves = task.cov_yx - before[-1], []
        for w, a in zip(now[::-1], before[-2::-1], strict=True):
            moves.append((pulled @ a.T).ravel())
            pulled = w.T @ pulled
        return np.concatenate(moves[::-1])

    zero = np.zeros(sum(w.size for w in weights))
    found = solve_ivp(
        velocity, (0.0, end), zero, "DOP853", rtol=rtol, atol=0.01 * rtol, first_step=1e-8
    )
    return found.y[:, -1]


def deep_networks() -> list[Row]:
    """Weights of networks of three layers at one time, both to the same measured accuracy."""
    from richlazy import deep

    rows: list[Row] = []
    for name, (norm, end) in (("plain", _PLAIN), ("plateau", _PLATEAU), ("stiff", _STIFF)):
        weights, task = _case((8, 8, 8, 4), norm, 0)
        exact = _dop853(weights, task, end, 1e-13)
        begin = time.perf_counter()
        found = deep.solve(weights, task).weights(end)
        ours = time.perf_counter() - begin
        moved = np.concatenate([(f - w).ravel() for f, w in zip(found, weights, strict=True)])
        error = float(np.linalg.norm(moved - exact) / np.linalg.norm(exact))
        for rtol in 10.0 ** -np.arange(6.0, 13.0):
            begin = time.perf_counter()
            other = _dop853(weights, task, end, rtol)
            theirs = time.perf_counter() - begin
            if np.linalg.norm(other - exact) <= error * np.linalg.norm(exact):
                break
        rows += [
            (f"three layers, {name} (norm {norm:g}, t = {end:g})", ours, None, "s"),
            (f"three layers, {name}, error", error, 1e-8, "relative"),
            (f"three layers, {name}, DOP853 as accurate / ours", theirs / ours, None, "x"),
        ]
    weights, task = _case((8, 8, 8, 4), 30.0, 0)
    begin = time.perf_counter()
    loss = float(deep.solve(weights, task).loss())
    rows += [
        ("three layers, stiff, t = inf with certificate", time.perf_counter() - begin, None, "s"),
        ("three layers, stiff, t = inf, loss", loss, 1e-15, ""),
    ]
    return rows


def sequences() -> list[Row]:
    """Five tasks on one flat start, to their ends, with path lengths."""
    from richlazy import Network, Task, spectrum
    from richlazy.two_layer.sequences import sequence

    rng = np.random.default_rng(0)
    tasks = [Task.random(50, 3, rng=rng) for _ in range(5)]
    start = Network.from_spectrum(spectrum.flat(10), task=tasks[0], hidden=40, rng=rng)
    begin = time.perf_counter()
    run = sequence(start, tasks)
    spent = time.perf_counter() - begin
    lengths = run.path_length
    whole = time.perf_counter() - begin
    return [
        ("five tasks, 50 inputs, 3 outputs", spent, None, "s"),
        ("five tasks, with path lengths", whole, None, "s"),
        ("shortest path / weight change", float(np.min(lengths / run.weight_change)), None, ""),
    ]
