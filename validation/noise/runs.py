"""Pairs of runs of the study `noise`, by start, label noise, batch and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from richlazy.two_layer.descent import stable_step
from validation.simulation.minibatch import descend, fresh
from validation.simulation.starts import flat, orthonormal
from validation.study import Arrays, Case, grid_of

__all__ = ["FULL", "QUICK", "Cell", "Grid", "cases", "gathered", "simulate"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """One output, white inputs, ||beta|| = 1, silent readout."""

    inputs: int
    hidden: int
    starts: tuple[tuple[float, int], ...]  #: norm and rank
    label_noises: tuple[float, ...]
    batches: tuple[int, ...]
    times: tuple[int, ...]
    samples: int  #: in the batches of all runs together, at most
    pairs: int  #: of runs in a cell, at most
    fineness: int
    halvings: int  #: of the step

    def runs(self, batch: int) -> int:
        """Runs in a cell, two a task."""
        return 2 * min(self.pairs, self.samples // (2 * batch))


FULL = Grid(
    inputs=10,
    hidden=12,
    starts=((0.7, 2), (2.0, 5)),
    label_noises=(0.0, 0.5),
    batches=(1, 4, 16, 64, 256, 4096),
    times=(1, 3, 6),
    samples=131072,
    pairs=256,
    fineness=8,
    halvings=4,
)
QUICK = Grid(
    inputs=4,
    hidden=5,
    starts=((1.0, 2),),
    label_noises=(0.0, 0.5),
    batches=(1, 8, 64),
    times=(1, 3),
    samples=16384,
    pairs=512,
    fineness=10,
    halvings=4,
)


@dataclass(frozen=True)
class Cell:
    """A start, label noise and batch with all steps: `values` (measures, steps, tasks, 2, times).

    `noise` (steps, tasks, 2, times) is the squared noise of one gradient, `alignment` (tasks)
    each task's own c, `eta` (steps).
    """

    norm: float
    rank: int
    label_noise: float
    batch: int
    values: Array
    noise: Array
    alignment: Array
    eta: Array


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each cell and step, longest first."""
    common = asdict(grid) | {"seed": seed}
    return [
        common | {"halving": halving, "batch_index": k, "noise_index": j, "start_index": i}
        for halving in reversed(range(grid.halvings + 1))
        for k in reversed(range(len(grid.batches)))
        for j, i in product(range(len(grid.label_noises)), range(len(grid.starts)))
    ]


def simulate(case: Case) -> Arrays:
    """Pairs of runs of one start, label noise, batch and step."""
    grid = grid_of(Grid, case)
    index = [case[name] for name in ("start_index", "noise_index", "batch_index", "halving")]
    norm, rank = grid.starts[index[0]]
    label_noise, batch = grid.label_noises[index[1]], grid.batches[index[2]]
    runs, d, h = grid.runs(batch), grid.inputs, grid.hidden
    tasks = np.random.default_rng([case["seed"], index[0]])  # the same in every cell of a start
    left, right = (orthonormal(tasks, grid.pairs, size, rank)[: runs // 2] for size in (h, d))
    beta = tasks.standard_normal((grid.pairs, 1, d))[: runs // 2]
    beta /= np.linalg.norm(beta, axis=2, keepdims=True)
    first, teacher = np.repeat(flat(left, right, norm), 2, axis=0), np.repeat(beta, 2, axis=0)
    readout = np.zeros((runs, 1, h))
    safe = stable_step(first[0], readout[0], teacher[0]) / (1.0 + (d + 1.0) / batch)
    per_unit = int(np.ceil(grid.fineness / safe)) * 2 ** case["halving"]
    rng = np.random.default_rng([case["seed"], *index])
    run = descend(
        first,
        readout,
        teacher,
        fresh(teacher, batch, rng, label_noise=label_noise),
        step=1.0 / per_unit,
        steps=grid.times[-1] * per_unit,
        record=[time * per_unit for time in grid.times],
    )
    shape = runs // 2, 2, len(grid.times)
    return {
        "values": np.stack([value.reshape(shape) for value in run.measures]),
        "noise": run.noise.reshape(shape),
        "alignment": np.sum((beta @ right) ** 2, axis=(1, 2)),
        "eta": np.array(1.0 / per_unit),
    }


def gathered(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Cell]:
    """Cells, by start, label noise and batch, steps falling."""
    grid = grid_of(Grid, cases[0])
    parts = {
        (case["start_index"], case["noise_index"], case["batch_index"], case["halving"]): part
        for case, part in zip(cases, found, strict=True)
    }
    cells = []
    for i, j, k in np.ndindex(len(grid.starts), len(grid.label_noises), len(grid.batches)):
        steps = [parts[i, j, k, halving] for halving in range(grid.halvings + 1)]
        values, noise, eta = (
            np.stack([part[name] for part in steps]) for name in ("values", "noise", "eta")
        )
        cells.append(
            Cell(
                *grid.starts[i],
                grid.label_noises[j],
                grid.batches[k],
                np.moveaxis(values, 0, 1),
                noise,
                steps[0]["alignment"],
                eta,
            )
        )
    return cells
