"""Large networks of many spectra beside the typical start of their spectrum (T20)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from richlazy import recurrent as rnn
from richlazy.recurrent.averages import sampling, trees
from richlazy.recurrent.averages.question import Question
from richlazy.recurrent.measures import Measures
from validation.recurrent.shapes import question
from validation.study import Arrays, Case, selected

__all__ = ["Large", "compared", "simulate"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-5  # of the reduction of a sampled network


class Large(NamedTuple):
    """Networks of one spectrum, gain and number of steps, each on a task of its own.

    `mean` and `typical` (measures, times) are means over the same tasks, `error` the standard
    error of their difference, `allowed` the error that the typical start states, and `z` the
    distance over both, Student's t put as the normal deviate of its probability.
    """

    case: Case
    participation_ratio: float
    mean: Array
    typical: Array
    error: Array
    allowed: Array
    z: Array


def simulate(case: Case) -> Arrays:
    """Measures (measures, draws, times) of networks drawn and followed by themselves (T18)."""
    asked = _question(case, np.inf)
    tasks = asked.draw_tasks(0)
    times = [*case["large_ends"], np.inf]
    found = [
        np.stack(rnn.solve(sampling.drawn(asked), task, tolerance=_TOLERANCE).measures(times))
        for task in tasks
    ]
    return {"measures": np.stack(found, axis=1)}


def compared(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Large]:
    """What was drawn beside the typical start of its spectrum, on the same tasks."""
    return [
        _compared(case, part["measures"]) for case, part in selected(cases, found, kind="large")
    ]


def _compared(case: Case, drawn: Array) -> Large:
    each, allowed = [], []
    for time in (*case["large_ends"], np.inf):
        asked = _question(case, time)
        tasks = asked.draw_tasks(0)
        wrong, learned, gap = trees.learned(asked, *asked.spectrum, tasks)
        each.append(np.stack(learned))
        allowed.append(max(wrong, gap) * _scale(learned, case["large_strength"]))
    typical, size = np.stack(each, axis=-1), np.stack(allowed, axis=-1)
    off, count = drawn - typical, drawn.shape[1]
    error = np.std(off, axis=1, ddof=1) / np.sqrt(count)
    ratio = np.mean(off, axis=1) / np.hypot(error, size)
    return Large(
        case,
        asked.participation_ratio,
        np.mean(drawn, axis=1),
        np.mean(typical, axis=1),
        error,
        size,
        np.sign(ratio) * stats.norm.isf(stats.t.sf(np.abs(ratio), count - 1)),
    )


def _scale(learned: Measures, strength: float) -> Array:
    """What the stated error of the typical start is relative to, (measures,)."""
    size = learned._replace(
        representation_alignment=1.0 - learned.representation_alignment,
        kernel_alignment=1.0 - learned.kernel_alignment,
        loss=np.full_like(learned.loss, 0.5 * strength**2),
    )
    return np.asarray([np.mean(x) for x in size])


def _question(case: Case, time: float) -> Question:
    sizes = case["large_units"], case["large_strength"], case["large_draws"]
    return question(case, *sizes, time, [3])
