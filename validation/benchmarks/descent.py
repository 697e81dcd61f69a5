"""Benchmarks of `richlazy.descent`: many runs at once against one after another."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

__all__ = ["batched", "looped"]

Array = NDArray[np.float64]
Row = tuple[str, float, float | None, str]

RUNS, SIZE, STEP = 100, 20, 0.01


def looped(
    first: Array, readout: Array, cov_yx: Array, step: float, steps: int, record: list[int]
) -> Array:
    """Gradient descent with a loop over runs, measured (runs, records, 6) as `descend` does."""
    found = []
    for start1, start2, yx in zip(first, readout, cov_yx, strict=True):
        w1, w2 = start1.copy(), start2.copy()
        for index in range(steps + 1):
            error = yx - w2 @ w1
            if index in record:
                found.append(_measured(start1, start2, w1, w2, error))
            if index < steps:
                change1, change2 = w2.T @ error, error @ w1.T
                w1 += step * change1
                w2 += step * change2
    return np.reshape(found, (len(first), len(record), -1))


def _measured(start1: Array, start2: Array, w1: Array, w2: Array, error: Array) -> list[float]:
    r0, r, b0, b = start1.T @ start1, w1.T @ w1, start2 @ start2.T, w2 @ w2.T
    change1, change2 = np.linalg.norm(w1 - start1), np.linalg.norm(w2 - start2)
    ra = np.sum(r0 * r) / (np.linalg.norm(r0) * np.linalg.norm(r))
    ka = _kernels(r0, b0, r, b) / np.sqrt(_kernels(r0, b0, r0, b0) * _kernels(r, b, r, b))
    loss = 0.5 * np.sum(error**2)
    return [float(x) for x in (np.hypot(change1, change2), change1, change2, ra, ka, loss)]


def _kernels(r0: Array, b0: Array, r: Array, b: Array) -> float:
    """tr K_0 K, K = R (x) I + I (x) B."""
    traces = np.trace(r0) * np.trace(b) + np.trace(b0) * np.trace(r)
    return float(len(b) * np.sum(r0 * r) + traces + len(r) * np.sum(b0 * b))


def batched() -> list[Row]:
    """100 runs, 20 inputs, 20 hidden units: `descend` against the loop, and against its steps."""
    from richlazy.two_layer.descent import descend

    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for outputs in (1, 5):
        first = rng.standard_normal((RUNS, SIZE, SIZE)) / SIZE
        readout, yx = np.zeros((RUNS, outputs, SIZE)), rng.standard_normal((RUNS, outputs, SIZE))
        yx /= np.linalg.norm(yx, axis=(1, 2), keepdims=True)
        steps, record, spent = 1000, list(range(0, 1001, 100)), np.full(2, np.inf)
        for _ in range(3):  # in turn, so that a busy moment meets both alike
            begin = time.perf_counter()
            found = descend(first, readout, yx, step=STEP, steps=steps, record=record)
            middle = time.perf_counter()
            wanted = looped(first, readout, yx, STEP, steps, record)
            end = time.perf_counter()
            spent = np.minimum(spent, [middle - begin, end - middle])
        off = float(np.max(np.abs(np.stack(found.measures, axis=-1) - wanted)))
        lengths, times = (500, 1000, 2000, 4000, 8000), []
        for length in lengths:
            begin = time.perf_counter()
            descend(first, readout, yx, step=STEP, steps=length, record=[length])
            times.append(time.perf_counter() - begin)
        exponent = float(np.polyfit(np.log(lengths), np.log(times), 1)[0])
        per_step = float(spent[0] / RUNS / steps)
        name = f"{RUNS} runs, size {SIZE}, m = {outputs}"
        rows += [
            (f"{name}: batch / loop, per run", spent[0] / spent[1], 1 / 6, "x"),
            (f"{name}: distance of measures", off, 1e-12, ""),
            (f"{name}: one step of a run", per_step * 1e6, None, "µs"),
            (f"{name}: exponent in steps", exponent, 1.05, ""),
        ]
    return rows
