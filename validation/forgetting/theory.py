"""What `sequence`, and the definition of forgetting, say of the runs of the study `forgetting`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import richlazy as rl
from validation.forgetting.runs import STAGES, Grid, at, start_of, tasks_of
from validation.steps import SETTLED
from validation.study import Case

__all__ = ["learned", "learned_runs", "left_of", "predicted"]

Array = NDArray[np.float64]


def predicted(found: Sequence[Case]) -> Array:
    """What `sequence` says of the compared runs, (cases, stages, quantities, runs)."""
    return np.stack(
        [np.stack([_of_run(case, i) for i in range(case["compared"])], axis=-1) for case in found]
    )


def _of_run(case: Case, run: int) -> Array:
    first, readout = (layer[run] for layer in start_of(case))
    tasks = [rl.Task(y, x) for y, x in zip(*(part[:, run] for part in tasks_of(case)), strict=True)]
    course = rl.sequence(rl.Network(first, readout), tasks, case["duration"])
    stages = [
        [
            stage.laziness.kernel_alignment,
            stage.laziness.weight_change,
            stage.path_length,
            stage.since_start.weight_change,
            *losses,
            *forgetting,
        ]
        for stage, losses, forgetting in zip(
            course.stages, course.losses, course.forgetting, strict=True
        )
    ]
    return np.array(stages, dtype=float)


def left_of(found: Array, tasks: str) -> Array:
    """Largest of the losses of a run on these tasks at the ends of their own stages."""
    losses = [found[..., STAGES.index(task), at(f"loss_{task}"), :] for task in tasks]
    return np.asarray(np.max(np.abs(losses), axis=0))


def learned_runs(found: Array) -> Array:
    """Runs with white inputs that learned A and B."""
    return np.asarray(left_of(found[:2], "AB") < SETTLED)


def learned(grid: Grid, found: Array) -> Array:
    """Forgetting of A by B - (1 - overlap) where inputs are white and both are learned."""
    overlap = np.resize(grid.overlaps, grid.runs)
    forgotten = found[:2, ..., 1, at("forgetting_A"), :]
    return np.asarray((forgotten - (1.0 - overlap))[learned_runs(found)])
