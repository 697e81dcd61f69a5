"""What `solve` and `expect` say of the runs of the study `connectome`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import richlazy as rl
from richlazy import spectrum
from richlazy.laziness import Measures
from validation.comparison import measured, scale_of
from validation.connectome.runs import first_layer, tasks_of
from validation.study import Case

__all__ = ["Theory", "asked", "predicted"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Theory:
    """Of one case: `runs` (measures, runs, times), how they were found, and means over tasks.

    `final` (measures, runs) is the end of every run, t = infinity.

    `mean`, `sd` and `standard_error` (measures, times) are those of `expect`, NaN where several
    outputs; `gap` is that between the flow and the route, NaN where not asked for.
    """

    runs: Array
    final: Array
    method: str
    mean: Array
    sd: Array
    standard_error: Array
    gap: float
    participation_ratio: float


def predicted(case: Case) -> Theory:
    """What `solve` says of every run and `expect` of their mean."""
    first, tasks, times = first_layer(case), tasks_of(case), case["times"]
    start = rl.Network(first)
    solutions = [rl.solve(start, task) for task in tasks]
    runs, final = measured(solutions, times), measured(solutions)
    shape = (3, len(Measures._fields), len(times))
    law, gap = np.full(shape, np.nan), np.nan
    if case["m"] == 1:
        for k, t in enumerate(times):
            found = rl.expect(first, t=t)
            parts = [getattr(found, name) for name in Measures._fields]
            law[..., k] = np.array([[p.mean, p.sd, p.standard_error] for p in parts]).T
        if case["start"] == "measured":
            flow = np.stack(rl.solve(start, tasks[0], "flow").measures(times))
            gap = float(np.max(np.abs(flow - runs[:, 0]) / scale_of(runs[:, 0])))
    ratio = spectrum.participation_ratio(first).value
    return Theory(runs, final, solutions[0].method, *law, gap, ratio)


def asked(case: Case) -> bool:
    """Whether the flow is asked too."""
    return bool(case["start"] == "measured" and case["m"] == 1)
