"""The participation-ratio law of T20 beside the typical start, where it says that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.recurrent.averages import trees
from richlazy.recurrent.averages.stack import first
from richlazy.recurrent.measures import Measures
from validation.recurrent.shapes import question
from validation.study import Arrays, Case, selected

__all__ = ["LAW_MEASURES", "Law", "compared", "simulate"]

Array = NDArray[np.float64]

LAW_MEASURES = ("kernel_alignment", "weight_change")

_FEW = trees.CHECKED


class Law(NamedTuple):
    """One spectrum, gain, number of steps and strength of task.

    `holds` is what the law says by its first tasks; of other tasks `law` and `typical` are its
    means of KA and ||dW|| and those of the typical start, and `off` how far they are apart,
    relative.
    """

    case: Case
    participation_ratio: float
    holds: bool
    law: Array
    typical: Array
    off: Array


def simulate(case: Case) -> Arrays:
    """Measures (2, measures, tasks) of the law and of the typical start on the same tasks."""
    sizes = case["large_units"], case["strength_of_law"], case["law_tasks"]
    asked = question(case, *sizes, np.inf, [4])
    tasks = asked.draw_tasks(0)
    ratio, two = trees.two_valued(asked)
    found = [trees.learned(asked, *s, tasks)[1] for s in (two, asked.spectrum)]
    return {"measures": np.stack([np.stack(x) for x in found]), "ratio": np.array(ratio)}


def compared(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Law]:
    """What the law says of itself, and what is so."""
    seen = []
    for case, part in selected(cases, found, kind="law"):
        both = [Measures(*x) for x in part["measures"]]
        holds, _ = trees.domain(*(first(x, _FEW) for x in both))
        law, typical = (
            np.array([np.mean(getattr(x, name)[_FEW:]) for name in LAW_MEASURES]) for x in both
        )
        off = np.abs(law / typical - 1.0)
        seen.append(Law(case, float(part["ratio"]), holds, law, typical, off))
    return seen
