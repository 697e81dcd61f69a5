"""Times and accuracies that the project promises, each measured in a process of its own.

``python -m validation bench`` runs them all; they are not part of the test suite.
"""

from __future__ import annotations

import multiprocessing
import sys
from dataclasses import dataclass
from importlib import import_module

from validation.benchmarks import predictions

__all__ = ["BENCHMARKS", "Figure", "measure"]


@dataclass(frozen=True)
class Figure:
    """One measured number beside what was promised (`limit`, an upper bound)."""

    name: str
    value: float
    limit: float | None
    unit: str


#: Every benchmark by name, and the function here that returns its rows (name, value, limit or None,
#: unit). Some need an extra, so a module is imported only where it measures.
BENCHMARKS = {
    "rank-curve": "predictions.rank_curve",
    "map": "predictions.rank_scale_map",
    "thin": "predictions.thin",
    "sparse": "predictions.sparse",
    "sparse-products": "products.sparse",
    "thin-products": "products.thin",
    "dense-products": "products.dense",
    "sample": "predictions.sample",
    "stiff": "predictions.stiff",
    "krylov": "predictions.krylov",
    "modes": "modes.accuracy",
    "modes-speed": "modes.speed",
    "riccati": "riccati.one_time",
    "riccati-point": "riccati.one_point",
    "riccati-stack": "riccati.stack",
    "riccati-times": "riccati.many_times",
    "riccati-inputs": "riccati.scaling",
    "block-krylov": "block_krylov.block_krylov",
    "block-closure": "block_krylov.closed_inputs",
    "block-sparse": "block_krylov.block_sparse",
    "deep": "deep.deep_networks",
    "descent": "descent.batched",
    "sequences": "deep.sequences",
    "rnn-train": "recurrent.training",
    "rnn-kernel": "recurrent.kernel",
}


def measure(name: str) -> list[Figure]:
    """Run one benchmark in a fresh process; its peak memory is the last figure."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows, peak = pool.apply(_inside, (name,))
    limit = predictions.MEMORY.get(name)
    return [Figure(*row) for row in rows] + [Figure("peak memory", peak, limit, "MB")]


def _inside(name: str) -> tuple[list[tuple[str, float, float | None, str]], float]:
    import resource

    module, _, function = BENCHMARKS[name].partition(".")
    rows = getattr(import_module(f"validation.benchmarks.{module}"), function)()
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return rows, size / (1e6 if sys.platform == "darwin" else 1e3)
