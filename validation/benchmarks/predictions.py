"""Benchmarks of `richlazy.predict`, `richlazy.expect`, the rank curve and a map."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

__all__ = ["MEMORY", "krylov", "rank_curve", "rank_scale_map", "sample", "sparse", "stiff", "thin"]

Row = tuple[str, float, float | None, str]

#: Promised peak memory of a whole process, MB.
MEMORY = {"thin": 500.0, "sparse": 2000.0}


def _best(call: Callable[[], object], repeats: int) -> float:
    """Shortest time of `repeats` calls, after one that is not counted."""
    call()
    spent = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begin)
    return min(spent)


def rank_curve() -> list[Row]:
    """Mean and sd of every measure at 1000 ranks of 1000 inputs, against integrated tasks."""
    from richlazy import Network, Task, low_rank, solve, spectrum

    closed = _best(lambda: low_rank.expected(np.arange(1, 1001), 1000, norm=1.0), 5)
    ranks = np.unique(np.rint(np.geomspace(1, 900, 8)).astype(int))
    rng = np.random.default_rng(0)
    begin = time.perf_counter()
    for rank in ranks:
        for _ in range(10):
            task = Task.random(1000, 1, rng=rng)
            start = Network.from_spectrum(spectrum.flat(rank), task=task, hidden=rank, rng=rng)
            solve(start, task, "flow").measures(np.inf)
    integrated = (time.perf_counter() - begin) / len(ranks) * 1000
    return [
        ("1000 ranks, closed form", closed * 1e3, 20.0, "ms"),
        (
            f"flow, 10 tasks at each of {len(ranks)} ranks, / closed form",
            integrated / closed,
            None,
            "x",
        ),
    ]


def rank_scale_map() -> list[Row]:
    """KA, RA and weight change over random tasks on 300 x 300 ranks and norms of 100 inputs."""
    from richlazy import curves

    ranks, norms = np.linspace(1.0, 100.0, 300), np.geomspace(1e-2, 1e2, 300)
    spent = _best(lambda: curves.map("rank", "scale", inputs=100, ranks=ranks, norms=norms), 3)
    return [("300 x 300 map of rank and scale", spent, 1.0, "s")]


def thin() -> list[Row]:
    """`predict` at 100 000 inputs and hidden units, rank 50, thin factors given."""
    from richlazy import Network, Task, predict, spectrum

    rng = np.random.default_rng(0)
    task = Task.random(100_000, 1, rng=rng)
    rows: list[Row] = []
    for name, s in (("flat", spectrum.flat(50)), ("power law", spectrum.power_law(50, 1.0))):
        start = Network.from_spectrum(s, task=task, hidden=100_000, rng=rng)
        begin = time.perf_counter()
        predict(start, task)
        rows.append((f"predict, {name} spectrum", time.perf_counter() - begin, 1.0, "s"))
    return rows


def sparse() -> list[Row]:
    """`predict` of random sparse weights, 10 entries a row; time against number of entries."""
    from scipy.sparse import csr_array

    from richlazy import Network, Task, predict
    from richlazy.start import matrices

    rng = np.random.default_rng(0)
    sizes, spent = (250_000, 500_000, 1_000_000), []
    for size in sizes:
        columns = rng.integers(0, size, 10 * size)
        entries = rng.standard_normal(10 * size)
        w = csr_array((entries, columns, np.arange(0, 10 * size + 1, 10)), shape=(size, size))
        task = Task.random(size, 1, rng=rng)
        start = Network(matrices.rescaled(w, 1.0))
        begin = time.perf_counter()
        predict(start, task)
        spent.append(time.perf_counter() - begin)
    order = float(np.polyfit(np.log(sizes), np.log(spent), 1)[0])
    return [
        ("predict, 1 000 000 neurons", spent[-1], 30.0, "s"),
        ("exponent of time in entries", order, None, ""),
    ]


def _celegans(norm: float) -> np.ndarray:
    from richlazy import connectomes

    weights = connectomes.load("celegans").weights
    return weights * (norm / np.linalg.norm(weights))


def sample() -> list[Row]:
    """`expect` for C. elegans at norm 1 from 200 sampled tasks."""
    from richlazy import expect

    weights = _celegans(1.0)
    spent = _best(lambda: expect(weights, method="sample", tasks=200), 3)
    return [("expect, C. elegans, 200 tasks", spent, 3.0, "s")]


def stiff() -> list[Row]:
    """`expect` for C. elegans at norm 100 from 10 sampled tasks."""
    from richlazy import expect

    weights = _celegans(100.0)
    begin = time.perf_counter()
    expect(weights, method="sample", tasks=10)
    return [("expect, C. elegans, norm 100, 10 tasks", time.perf_counter() - begin, 20.0, "s")]


def krylov() -> list[Row]:
    """Krylov reduction against the full flow on C. elegans, worst relative difference."""
    from richlazy import Network, Task, solve

    rng = np.random.default_rng(0)
    weights, at = _celegans(1.0), np.array([0.5, 2.0, np.inf])
    worst, spent = 0.0, [0.0, 0.0]
    for _ in range(5):
        task = Task.random(279, 1, rng=rng)
        found = []
        for i, method in enumerate(("krylov", "flow")):
            begin = time.perf_counter()
            found.append(solve(Network(weights), task, method).measures(at))
            spent[i] += time.perf_counter() - begin
        for name in ("weight_change", "representation_alignment", "kernel_alignment"):
            a, b = (getattr(m, name) for m in found)
            worst = max(worst, float(np.max(np.abs(a / b - 1.0))))
    return [
        ("Krylov against full flow, C. elegans", worst, 1e-9, "relative"),
        ("time of full flow / Krylov", spent[1] / spent[0], None, "x"),
    ]
