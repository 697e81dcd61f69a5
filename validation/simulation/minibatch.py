"""Minibatch descent of two-layer linear networks, many runs at once.

    W1 <- W1 + step W2' M,   W2 <- W2 + step M W1',   M = mean of (y - W2 W1 x) x' over a batch,

which is `richlazy.descent.descend` with the moment M of a batch for that of the population.
Batches come from an iterator of x (n, batch, d) and y (n, batch, m), one batch a run, as of
`fresh` Gaussian samples. Inputs are white.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import ConvergenceError
from richlazy.laziness import Measures
from richlazy.two_layer.descent import Descent, Gauge

__all__ = ["NoisyDescent", "descend", "fresh"]

Array = NDArray[np.float64]
Batches = Iterator[tuple[Array, Array]]

_DIVERGED = 100.0  # times the squared residual of the start and of zero weights


@dataclass(frozen=True, eq=False)
class NoisyDescent(Descent):
    """What a batch of n runs recorded, as `richlazy.descent.Descent`, and their noise.

    Attributes
    ----------
    noise : ndarray
        ||M - E M||^2 of the batch that is next at every record, (n, records).
    """

    noise: Array


def fresh(
    teacher: Array,
    batch: int,
    rng: np.random.Generator,
    *,
    label_noise: float = 0.0,
) -> Batches:
    """New samples for every step: x ~ N(0, I), y = teacher x + label_noise N(0, I).

    Parameters
    ----------
    teacher
        W* of every run, (n, m, d).
    """
    n, m, d = teacher.shape
    transposed = teacher.mT
    while True:
        x = rng.standard_normal((n, batch, d))
        y = x @ transposed
        if label_noise:
            y += label_noise * rng.standard_normal((n, batch, m))
        yield x, y


def descend(
    first: Array,
    readout: Array,
    cov_yx: Array,
    batches: Batches,
    *,
    step: float,
    steps: int,
    record: Sequence[int],
) -> NoisyDescent:
    """Descent along the batches, one a step, measured against the population.

    Parameters
    ----------
    first, readout, cov_yx
        As in `richlazy.descent.descend`; cov_yx is that of the population of the batches.
    batches
        See `fresh`; one more than `steps` is taken.
    step, steps, record
        As there.

    Raises
    ------
    ConvergenceError
        If a run has diverged at a record.
    """
    gauge = Gauge(first, readout, cov_yx)
    limit = _DIVERGED * gauge.ceiling()
    w1, w2, wanted = first.copy(), readout.copy(), set(record)
    recorded, noise = [], []
    # a diverging run overflows before it is looked at
    with np.errstate(over="ignore", invalid="ignore"):
        for index, (x, y) in zip(range(steps + 1), batches, strict=False):
            product = w2 @ w1
            moment = (y - x @ product.mT).mT @ x / x.shape[1]
            if index in wanted:
                full = cov_yx - product
                if not np.all(np.sum(full**2, axis=(1, 2)) <= limit):
                    raise ConvergenceError(
                        f"minibatch descent has diverged at step {index} of size {step:g}; "
                        "take a smaller step or larger batches"
                    )
                recorded.append(np.stack(gauge.measures(w1, w2)))
                noise.append(np.sum((moment - full) ** 2, axis=(1, 2)))
            if index < steps:
                change = step * w2.mT @ moment
                w2 += step * moment @ w1.mT
                w1 += change
    measures = _measures(recorded)
    return NoisyDescent(step * np.array(record), measures, w1, w2, np.stack(noise, axis=1))


def _measures(recorded: list[Array]) -> Measures:
    """Arrays (n, records)."""
    return Measures(*np.stack(recorded, axis=2))
