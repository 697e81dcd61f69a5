"""Averages in closed form: T7 of a flat spectrum, T6 where every task has one alignment."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.averages import principal_angles
from richlazy.averages.question import Question
from richlazy.averages.random_tasks import GroupedSpectrum
from richlazy.averages.record import Expected, Statistic, record
from richlazy.formulas import low_rank

__all__ = ["by_flat_moments", "closed_form"]

Array = NDArray[np.float64]


def closed_form(case: Question) -> Expected | str:
    """T6 or T7 of a flat spectrum, or what stands against it."""
    s, t = case.spectrum, case.time
    if s is None:
        return "needs singular values, for which this matrix is too large; use 'sample'"
    if case.outputs > 1 and np.isfinite(t):
        return f"needs t = infinity for several outputs; it is {t:g}: use 'sample'"
    if not s.flat:
        return "needs a flat spectrum; use 'sample'"
    if case.alignment is not None:
        return _of_one_alignment(s, case, case.alignment)
    if case.outputs > 1:
        return principal_angles.expected(s, case.outputs, case.strength, case.given_tasks, case.rng)
    rank, norm = s.counts[0], float(s.values[0] * np.sqrt(s.counts[0]))
    moments = low_rank.expected(rank, s.inputs, norm=norm, strength=case.strength, t=t)
    columns = by_flat_moments(moments, 0.0, rank, s.inputs, norm, case.strength, t)
    said = ("one output", f"flat spectrum of rank {rank:.0f}")
    return record(columns, t, "closed form (T7)", said, "exact")


def _of_one_alignment(s: GroupedSpectrum, case: Question, c: float) -> Expected:
    """A flat start learns every task of one alignment alike."""
    t = case.time
    norm = float(np.sqrt(s.moments.trace.value))
    found = low_rank.measures(s.rank, s.inputs, alignment=c, norm=norm, strength=case.strength, t=t)
    columns = [Statistic.exactly(float(v)) for v in found]
    said = ("one output", f"flat spectrum of rank {s.rank}")
    return record(columns, t, "closed form (T6)", said, "exact", task=f"alignment {c:g}")


def by_flat_moments(
    moments: low_rank.Expectation,
    standard_error: float | None,
    rank: float,
    inputs: int,
    norm: float,
    g: float,
    t: float,
) -> list[Statistic]:
    """Statistics of a flat start of a rank, real for the law, from its moments over tasks."""
    given = {"rank": rank, "inputs": inputs, "norm": norm, "strength": g, "t": t}
    return [
        Statistic(float(mean), float(sd), standard_error, partial(_quantile, k, given))
        for k, (mean, sd) in enumerate(zip(moments.mean, moments.sd, strict=True))
    ]


def _quantile(k: int, given: dict[str, Any], q: Array) -> Array:
    """Quantiles of the k-th measure."""
    return low_rank.quantile(q, **given)[k]
