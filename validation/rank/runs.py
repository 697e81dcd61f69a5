"""Runs of the study `rank`: flat starts of every rank on random tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from validation.simulation.starts import flat, orthonormal
from validation.steps import halved_alike
from validation.study import Arrays, Case

__all__ = ["FULL", "QUICK", "Grid", "Simulation", "cases", "gathered", "simulate"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """One output, white inputs, ||beta|| = 1, silent readout, every rank from 1 to inputs."""

    inputs: int
    hidden: int
    norms: tuple[float, ...]
    times: tuple[int, ...]
    runs: int  #: random tasks for each norm and rank
    fineness: int = 120  #: the largest step is 2/sharpness over this

    @property
    def ranks(self) -> Array:
        """1, ..., inputs."""
        return np.arange(1.0, self.inputs + 1.0)


FULL = Grid(inputs=40, hidden=50, norms=(0.5, 1.0, 2.0), times=(2, 6, 16), runs=64)
QUICK = Grid(inputs=12, hidden=16, norms=(0.5, 2.0), times=(2, 16), runs=32)


@dataclass(frozen=True)
class Simulation:
    """What descent measured: `values` (measures, steps, norms, ranks, runs, times).

    Steps are eta, eta/2, eta/4 from the same starts; eta (norms, ranks). `alignment`
    (norms, ranks, runs) is every run's own c.
    """

    values: Array
    alignment: Array
    eta: Array


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each norm and rank."""
    common = asdict(grid) | {"seed": seed}
    pairs = product(range(len(grid.norms)), range(1, grid.inputs + 1))
    return [common | {"norm_index": index, "rank": rank} for index, rank in pairs]


def simulate(case: Case) -> Arrays:
    """Runs from starts of one norm and rank, on random tasks."""
    norm, rank, n = case["norms"][case["norm_index"]], case["rank"], case["runs"]
    d, h = case["inputs"], case["hidden"]
    rng = np.random.default_rng([case["seed"], rank, case["norm_index"]])
    left, right = (orthonormal(rng, n, size, rank) for size in (h, d))
    beta = rng.standard_normal((n, 1, d))
    beta /= np.linalg.norm(beta, axis=2, keepdims=True)
    alignment = np.minimum(np.sum((beta @ right) ** 2, axis=(1, 2)), 1.0)
    if rank == d:
        alignment = np.ones(n)  # no direction lies outside
    first, readout = flat(left, right, norm), np.zeros((n, 1, h))
    values, eta = halved_alike(first, readout, beta, case["times"], case["fineness"])
    return {"values": values, "alignment": alignment, "eta": eta}


def gathered(grid: Grid, found: Sequence[Arrays]) -> Simulation:
    """What all cases found, in one array each."""
    values, alignment, eta = (
        np.reshape(np.stack([part[name] for part in found]), (len(grid.norms), grid.inputs, *shape))
        for name in ("values", "alignment", "eta")
        for shape in (found[0][name].shape,)
    )
    return Simulation(np.moveaxis(values, (0, 1, 2, 3), (2, 3, 1, 0)), alignment, eta)
