"""T7, several equal outputs at t = infinity: averages over principal angles.

Of a random task a flat start sees the principal angles between its row space and the task's
modes, and no more. RA and KA need their sum of squared cosines, whose moments are exact, and target
alignment none of them (T21); the weight change needs the sum of cosines, which has no simple law
and is sampled.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from richlazy.averages.random_tasks import GroupedSpectrum, block_tasks
from richlazy.averages.record import Expected, Statistic, record, sampled
from richlazy.formulas import several_outputs
from richlazy.laziness import Measures

__all__ = ["expected", "squared_cosines"]

Array = NDArray[np.float64]

_TASKS = 200, 10_000  # at least, at most
_WORK = 20_000_000  # tasks x outputs^3
_STACK = 2_000_000  # numbers in one stack of tasks


def expected(
    s: GroupedSpectrum, outputs: int, strength: float, tasks: int | None, rng: np.random.Generator
) -> Expected:
    """Laziness of a flat start over tasks of m equal modes in random directions, t = infinity.

    Alignments, readout and loss: exact means and deviations (`several_outputs.expected`).
    Weight change, and quantiles: T6 at `tasks` sampled sets of principal angles, by default
    10 000, fewer for many outputs.
    """
    least, most = _TASKS
    count = max(least, min(most, _WORK // outputs**3)) if tasks is None else tasks
    norm, modes = float(np.sqrt(s.moments.trace.value)), np.full(outputs, strength)
    modes = modes / np.sqrt(outputs)
    exact = several_outputs.expected(s.rank, s.inputs, strengths=modes, norm=norm)
    said: tuple[str, ...] = (
        f"{outputs} outputs of equal strength",
        f"flat spectrum of rank {s.rank}",
    )
    if s.rank < outputs:
        said += (f"rank below the outputs: only {s.rank} combinations of modes are learned",)
    method = "closed form (T6, T7)"
    whole = s.rank == s.inputs
    cosines = np.ones((1, outputs)) if whole else squared_cosines(s, outputs, count, rng)
    found = several_outputs.measures(
        s.rank, s.inputs, alignment=cosines, strengths=modes, norm=norm
    )
    if whole:
        columns = [Statistic.exactly(float(v[0])) for v in found]
        return record(columns, np.inf, method, said, "exact")
    measures = [Measures(*(v[None] for v in found))]
    (some,) = sampled(measures, np.array([np.inf]), count, method, 0.0, outputs)
    known: dict[str, Statistic] = {}
    for name, mean, sd in zip(exact.mean._fields, exact.mean, exact.sd, strict=True):
        column: Statistic = getattr(some, name)
        column = replace(column, mean=float(mean), sd=float(sd), standard_error=0.0)
        known[name] = column if sd > 0 else Statistic.exactly(float(mean))
    columns = [known.get(name, getattr(some, name)) for name in Measures._fields]
    accuracy = (
        "alignments, readout and loss exact; weight change and its standard error, and quantiles, "
        f"from {count} sampled sets of principal angles"
    )
    return record(columns, np.inf, method, said, accuracy, count)


def squared_cosines(
    s: GroupedSpectrum, outputs: int, count: int, rng: np.random.Generator
) -> Array:
    """Squared cosines (count, m) of the angles between the row space and random tasks."""
    cosines = np.zeros((count, outputs))
    stack = max(1, _STACK // (2 * outputs) ** 2)
    for done in range(0, count, stack):
        some = cosines[done : done + stack]
        problem = block_tasks(s, outputs, 1.0, len(some), rng).problem
        inside = np.sqrt(outputs) * problem.cov_yx[:, :, : problem.first.shape[1]]
        values = np.linalg.svd(inside, compute_uv=False)
        some[:, : values.shape[1]] = np.minimum(values**2, 1.0)
    return cosines
