"""Runs of the study `connectome`: measured wiring and its controls as first layers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

import richlazy as rl
from richlazy import connectomes
from richlazy.sources import controls
from richlazy.start import matrices
from richlazy.start.task import random_directions
from validation.steps import halved_alike
from validation.study import Arrays, Case

__all__ = ["FULL", "QUICK", "STARTS", "Grid", "cases", "first_layer", "simulate", "tasks_of"]

Array = NDArray[np.float64]

STARTS = ("measured", "gaussian", "shuffled", "degrees", "flat")


@dataclass(frozen=True)
class Grid:
    """`runs` random tasks for each number of outputs."""

    names: tuple[str, ...]
    norms: tuple[float, ...]
    outputs: tuple[int, ...]
    runs: tuple[int, ...]
    times: tuple[int, ...]
    fineness: int  #: the largest step is 2/sharpness over this


FULL = Grid(
    names=("celegans", "mushroom_body_left", "mushroom_body_right"),
    norms=(1.0, 3.0),
    outputs=(1, 3),
    runs=(8, 3),
    times=(2, 6),
    fineness=80,
)
QUICK = Grid(
    names=("mushroom_body_left",),
    norms=(1.0,),
    outputs=(1, 3),
    runs=(4, 2),
    times=(1, 2),
    fineness=80,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each connectome, start, norm and number of outputs."""
    common = asdict(grid) | {"seed": seed}
    cells = product(grid.names, STARTS, grid.norms, zip(grid.outputs, grid.runs, strict=True))
    return [
        common | {"name": name, "start": start, "norm": norm, "m": m, "n": n}
        for name, start, norm, (m, n) in cells
    ]


def first_layer(case: Case) -> Array:
    """W1 of a connectome or one of its controls."""
    weights = connectomes.load(case["name"]).weights
    which = [case["seed"], connectomes.names().index(case["name"]), STARTS.index(case["start"])]
    rng = np.random.default_rng(which)
    if case["start"] == "flat":
        weights = random_directions(*weights.shape, rng)
    elif case["start"] != "measured":
        make = {
            "gaussian": controls.gaussian,
            "shuffled": controls.shuffled,
            "degrees": controls.degree_preserving,
        }[case["start"]]
        weights = make(weights, rng)
    return np.asarray(matrices.rescaled(weights, case["norm"]))


def tasks_of(case: Case) -> list[rl.Task]:
    """Random tasks, the same for every start and norm."""
    index = connectomes.names().index(case["name"])
    rng = np.random.default_rng([case["seed"], index, len(STARTS), case["m"]])
    size = len(connectomes.load(case["name"]).weights)
    return [rl.Task.random(size, case["m"], rng=rng) for _ in range(case["n"])]


def simulate(case: Case) -> Arrays:
    """Runs of descent; `values` (steps, measures, runs, times)."""
    first, tasks = first_layer(case), tasks_of(case)
    cov_yx = np.stack([task.cov_yx for task in tasks])
    readout = np.zeros((len(tasks), case["m"], len(first)))
    layers = np.repeat(first[None], len(tasks), axis=0)
    values, eta = halved_alike(layers, readout, cov_yx, case["times"], case["fineness"])
    return {"values": values, "eta": eta}
