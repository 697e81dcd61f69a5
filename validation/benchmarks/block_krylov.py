"""Benchmarks of the block Krylov reduction: several outputs, any readout, any inputs."""

from __future__ import annotations

import resource
import time

import numpy as np

__all__ = ["block_krylov", "block_sparse", "closed_inputs"]

Row = tuple[str, float, float | None, str]

_TIMES = np.array([0.5, 2.0, np.inf])


def block_krylov() -> list[Row]:
    """C. elegans with five outputs, against the full flow."""
    from richlazy import Network, Task, connectomes, solve
    from richlazy.two_layer.reduction.block_krylov import BlockChain
    from richlazy.two_layer.routes.certificate import spread_over_orders

    weights = connectomes.load("celegans").weights
    weights = weights / np.linalg.norm(weights)
    size = len(weights)
    cases = []
    for readout in ("silent", "random"):
        for norm in (1.0, 3.0, 10.0):
            rng = np.random.default_rng(0)
            second = None if readout == "silent" else rng.standard_normal((5, size))
            second = None if second is None else norm * second / np.linalg.norm(second)
            start = Network(norm * weights, second)
            name = f"C. elegans, 5 outputs, norm {norm:g}, {readout} readout"
            cases.append((name, start, Task.random(size, 5, rng=rng)))
    rows: list[Row] = []
    for name, start, task in cases:
        begin = time.perf_counter()
        found, reduced, _ = spread_over_orders(BlockChain(start, task), _TIMES)
        middle = time.perf_counter()
        wanted = solve(start, task, "flow").measures(_TIMES)
        end = time.perf_counter()
        worst = max(
            float(np.max(np.abs(a[:, 0] / b - 1.0)))
            for a, b in zip(found[:5], wanted[:5], strict=True)
        )
        hidden, inputs = reduced.problem.first.shape[1:]
        rows += [
            (f"{name}: against the flow", worst, 1e-8, "relative"),
            (
                f"{name}: {hidden} x {inputs}, flow / it",
                (end - middle) / (middle - begin),
                None,
                "x",
            ),
        ]
    return rows


def closed_inputs() -> list[Row]:
    """Rank 5, 5 outputs, a cov_xx of 3 eigenvalues: its closure against all 279 inputs."""
    from richlazy import Network, Task, solve
    from richlazy.two_layer import flow

    rng, size = np.random.default_rng(0), 279
    axes = np.linalg.qr(rng.standard_normal((size, size)))[0]
    cov = (axes * np.repeat([2.0, 1.0, 0.5], [100, 100, size - 200])) @ axes.T
    first = rng.standard_normal((size, 5)) @ rng.standard_normal((5, size)) / size
    teacher = rng.standard_normal((5, size)) / np.sqrt(5.0 * size)
    task = Task.teacher(teacher, 0.5 * (cov + cov.T))
    begin = time.perf_counter()
    found = solve(Network(first), task, "flow").weight_change(2.0)
    middle = time.perf_counter()
    _, values, right = np.linalg.svd(first)
    rows = values[:5, None] * right[:5]  # spare hidden units are silent
    problem = flow.Problem(rows[None], np.zeros((1, 5, 5)), task.cov_yx[None], task.root)
    for rtol in (1e-10, 1e-8):  # as solve does
        ((_, change),) = flow.integrate(problem, np.array([2.0]), rtol)
        if rtol == 1e-10:
            wanted = np.hypot(np.linalg.norm(change.first), np.linalg.norm(change.readout))
    spent = time.perf_counter() - middle
    return [
        ("closure of the inputs against all of them", abs(found / wanted - 1.0), 1e-8, "relative"),
        ("time of all inputs / closure", spent / (middle - begin), None, "x"),
    ]


def block_sparse() -> list[Row]:
    """Random sparse weights, 10 entries a row, 3 outputs and a readout; growth with size."""
    from scipy.sparse import csr_array

    from richlazy import Network, Task
    from richlazy.start import matrices
    from richlazy.two_layer.reduction.block_krylov import BlockChain
    from richlazy.two_layer.routes.certificate import spread_over_orders

    rng = np.random.default_rng(0)
    sizes, spent, memory = (50_000, 100_000, 200_000), [], []
    for size in sizes:
        columns = rng.integers(0, size, 10 * size)
        entries = rng.standard_normal(10 * size)
        w = csr_array((entries, columns, np.arange(0, 10 * size + 1, 10)), shape=(size, size))
        readout = rng.standard_normal((3, size)) / np.sqrt(3.0 * size)
        start, task = Network(matrices.rescaled(w, 1.0), readout), Task.random(size, 3, rng=rng)
        begin = time.perf_counter()
        spread_over_orders(BlockChain(start, task), _TIMES)
        spent.append(time.perf_counter() - begin)
        memory.append(float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    return [
        ("100 000 neurons, 3 outputs, random readout", spent[1], 30.0, "s"),
        ("exponent of time in neurons", _exponent(sizes, spent), None, ""),
        ("exponent of peak memory in neurons", _exponent(sizes, memory), None, ""),
    ]


def _exponent(sizes: tuple[int, ...], values: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
