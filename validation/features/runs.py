"""Runs of the study `features`: on anisotropic features, and on the digits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

from validation.features import digits
from validation.simulation.starts import flat, orthonormal
from validation.steps import halved_alike
from validation.study import Arrays, Case

__all__ = ["FULL", "QUICK", "Grid", "cases", "simulate"]


@dataclass(frozen=True)
class Grid:
    """F is inputs x inputs, its halves of inputs/2, which is the rank of the starts."""

    inputs: int
    hidden: int
    anisotropies: tuple[float, ...]
    norms: tuple[float, ...]
    times: tuple[int, ...]
    runs: int  #: directions w for each anisotropy and norm that are learned
    draws: int  #: and those that are only aligned
    digits_hidden: int
    digits_ranks: tuple[int, ...]
    digits_norms: tuple[float, ...]
    digits_times: tuple[int, ...]
    digits_runs: int
    fineness: int = 120  #: the largest step is 2/sharpness over this

    @property
    def rank(self) -> int:
        """Half the inputs."""
        return self.inputs // 2


FULL = Grid(
    inputs=32,
    hidden=40,
    anisotropies=(0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
    norms=(0.5, 1.0, 2.0),
    times=(2, 6, 16),
    runs=128,
    draws=4096,
    digits_hidden=80,
    digits_ranks=(1, 2, 4, 9, 16, 32, 64),
    digits_norms=(0.5, 1.0, 2.0),
    digits_times=(1, 3, 9),
    digits_runs=6,
)
QUICK = Grid(
    inputs=8,
    hidden=10,
    anisotropies=(0.0, 0.5, 1.0, 2.0, 4.0),
    norms=(0.5, 2.0),
    times=(2, 8),
    runs=32,
    draws=1024,
    digits_hidden=70,
    digits_ranks=(4, 64),
    digits_norms=(1.0,),
    digits_times=(1, 3),
    digits_runs=2,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each anisotropy and norm, then one for each norm, rank and kind on the digits."""
    common = asdict(grid) | {"seed": seed}
    step = [
        common | {"part": "features", "norm_index": i, "norm": norm, "index": j, "anisotropy": k}
        for (i, norm), (j, k) in product(enumerate(grid.norms), enumerate(grid.anisotropies))
    ]
    mine = {
        "part": "digits",
        "hidden": grid.digits_hidden,
        "times": grid.digits_times,
        "runs": grid.digits_runs,
    }
    real = [
        common | mine | {"norm_index": i, "norm": norm, "rank": rank, "aligned": aligned}
        for (i, norm), rank, aligned in product(
            enumerate(grid.digits_norms), grid.digits_ranks, (0, 1)
        )
    ]
    return step + real


def simulate(case: Case) -> Arrays:
    """Runs of one case."""
    return digits.simulate(case) if case["part"] == "digits" else _features(case)


def _features(case: Case) -> Arrays:
    n, h, d, k = case["runs"], case["hidden"], case["inputs"], case["anisotropy"]
    r = d // 2
    rng = np.random.default_rng([case["seed"], 0, case["index"], case["norm_index"]])
    u, v = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    half = np.arange(d) < r
    sizes = np.where(half, k, 1.0)
    held = half if k >= 1.0 else ~half  # by the start
    f = (u * sizes) @ v.T
    w = rng.standard_normal((case["draws"], d))
    beta = w @ f
    c = np.sum((beta @ v[:, held]) ** 2, axis=1) / np.sum(beta**2, axis=1)
    share = np.sum((w @ u[:, held]) ** 2, axis=1) / np.sum(w**2, axis=1)

    size = np.linalg.norm(beta[:n], axis=1)[:, None]
    first = flat(orthonormal(rng, n, h, r), v[:, held], case["norm"])
    readout = np.zeros((n, 1, h))
    task = (beta[:n] / size)[:, None]
    values, eta = halved_alike(first, readout, task, case["times"], case["fineness"])
    return {
        "values": values,
        "alignment": c,
        "share": share,
        "features": f,
        "weights": w[:n] / size,
        "eta": eta,
    }
