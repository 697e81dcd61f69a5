"""Benchmarks of `richlazy.predict` against the products with W1 and W1' it is made of (T15)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from richlazy.start.matrices import MatrixLike

__all__ = ["dense", "sparse", "thin"]

Row = tuple[str, float, float | None, str]

_TASKS = 5


def _spent(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU time of a call, and what it gave."""
    begin = time.process_time()
    found = call()
    return time.process_time() - begin, found


def _rows(matrix: MatrixLike) -> list[Row]:
    """One random task on a start whose traces are known, and the traces, each over k products.

    tr R_0^2 is one more product, of W1 with itself, which every task on the start shares.
    """
    from richlazy import Network, Task, predict
    from richlazy.start import matrices

    rng = np.random.default_rng(1)
    predict(Network(rng.standard_normal((30, 40))), Task.random(40, 1, rng=rng))  # imports
    start = Network(matrices.rescaled(matrix, 1.0))
    traces, _ = _spent(lambda: start.moments)
    answers, pairs = [], []
    for _ in range(_TASKS):
        task = Task.random(start.inputs, 1, rng=rng)
        spent, found = _spent(lambda task=task: predict(start, task))  # type: ignore[misc]
        answers.append(spent)
        x = task.modes.right
        forward, image = _spent(lambda x=x: matrices.forward(start.first, x))  # type: ignore[misc]
        pairs.append(forward + _spent(lambda y=image: matrices.adjoint(start.first, y))[0])  # type: ignore[misc]
    order = int(found.method.rpartition("k=")[2])
    products = order * min(pairs)
    return [
        (f"{order} products with W1 and {order} with W1'", 1e3 * products, None, "ms"),
        ("predict, one random task / these", min(answers) / products, 3.0, "x"),
        ("tr R_0^2, once for a start / these", traces / products, None, "x"),
    ]


def sparse() -> list[Row]:
    """Random sparse weights of a million neurons, 10 entries a row."""
    from scipy.sparse import csr_array

    rng, size = np.random.default_rng(0), 1_000_000
    columns, entries = rng.integers(0, size, 10 * size), rng.standard_normal(10 * size)
    ends = np.arange(0, 10 * size + 1, 10)
    return _rows(csr_array((entries, columns, ends), shape=(size, size)))


def thin() -> list[Row]:
    """Thin factors of rank 20, a million units and inputs."""
    from richlazy.start.matrices import Thin

    rng, size = np.random.default_rng(0), 1_000_000
    left, right = rng.standard_normal((size, 20)), rng.standard_normal((size, 20))
    return _rows(Thin.from_factors(left, right * np.geomspace(1.0, 0.1, 20)))


def dense() -> list[Row]:
    """Dense weights with heavy tails, 2900 x 2900."""
    rng, size = np.random.default_rng(0), 2900
    return _rows(rng.standard_t(3.0, (size, size)))
