"""Runs of the study `nonlinear`: tanh, ReLU and linear units from flat starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from richlazy.two_layer.descent import descend
from validation.simulation.networks import train, white_samples
from validation.simulation.starts import orthonormal
from validation.steps import FINER, steps_per_unit
from validation.study import Arrays, Case

__all__ = ["FULL", "LINEAR", "QUICK", "Grid", "cases", "simulate"]

Array = NDArray[np.float64]

LINEAR = ("weight_change", "representation_alignment", "kernel_alignment")  # T6 says them


@dataclass(frozen=True)
class Grid:
    """`ranks` at random tasks; `alignments` at `aligned_rank`."""

    inputs: int
    hidden: int
    samples: int
    ranks: tuple[int, ...]
    alignments: tuple[float, ...]
    aligned_rank: int
    activations: tuple[str, ...]
    norms: tuple[float, ...]
    times: tuple[int, ...]
    blocks: int
    seeds: int  #: in each block
    sizes: tuple[float, ...]  #: e of the limit, halved
    limit_times: tuple[int, ...]
    limit_seeds: int
    fineness: int = 20  #: steps are 2/sharpness over this
    limit_fineness: int = 60


FULL = Grid(
    inputs=16,
    hidden=32,
    samples=96,
    ranks=(1, 2, 3, 4, 6, 8, 12, 16),
    alignments=(0.1, 0.25, 0.5, 0.75, 1.0),
    aligned_rank=4,
    activations=("linear", "tanh", "relu"),
    norms=(0.5, 1.0, 2.0, 4.0, 8.0),
    times=(4, 20),
    blocks=8,
    seeds=5,
    sizes=(0.2, 0.1, 0.05, 0.025),
    limit_times=(2, 8),
    limit_seeds=4,
)
QUICK = Grid(
    inputs=8,
    hidden=12,
    samples=40,
    ranks=(1, 2, 4, 6, 8),
    alignments=(0.1, 0.5, 1.0),
    aligned_rank=4,
    activations=("linear", "tanh", "relu"),
    norms=(1.0, 4.0),
    times=(2, 8),
    blocks=2,
    seeds=40,
    sizes=(0.1, 0.05, 0.025),
    limit_times=(2, 6),
    limit_seeds=2,
    limit_fineness=30,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each activation, norm and block of seeds; for each norm; for each size."""
    common = asdict(grid) | {"seed": seed}
    trend = [
        common | {"part": "trend", "activation": activation, "norm": norm, "block": block}
        for activation, norm, block in product(grid.activations, grid.norms, range(grid.blocks))
    ]
    linear = [common | {"part": "linear", "norm": norm} for norm in grid.norms]
    limit = [common | {"part": "limit", "size": size} for size in grid.sizes]
    return trend + linear + limit


def simulate(case: Case) -> Arrays:
    """Runs of one case."""
    return {"trend": _trend, "linear": _linear, "limit": _limit}[case["part"]](case)


def _starts(case: Case, seeds: int, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """W1 of norm 1 (seeds, kinds, h, d), c (seeds, kinds), samples and teachers (seeds, d).

    Kinds are all ranks, then all alignments.
    """
    h, d, r0 = case["hidden"], case["inputs"], case["aligned_rank"]
    x = np.stack([white_samples(case["samples"], d, rng) for _ in range(seeds)])
    left = orthonormal(rng, seeds, h, d)
    right = orthonormal(rng, seeds, d, d)
    beta = rng.standard_normal((seeds, d))
    beta /= np.linalg.norm(beta, axis=1)[:, None]
    frame = rng.standard_normal((seeds, d, d))
    frame[:, :, 0] = beta
    frame = np.linalg.qr(frame)[0]  # the teacher first, but for its sign
    first, c = [], []
    for r in case["ranks"]:
        rows = right[:, :, :r]
        first.append(left[:, :, :r] @ rows.mT / np.sqrt(r))
        share = np.sum((beta[:, None] @ rows) ** 2, axis=(1, 2))
        c.append(np.ones(seeds) if r == d else np.minimum(share, 1.0))
    for share in case["alignments"]:
        rows = frame[:, :, :r0].copy()
        rows[:, :, 0] = np.sqrt(share) * frame[:, :, 0] + np.sqrt(1.0 - share) * frame[:, :, r0]
        first.append(left[:, :, :r0] @ rows.mT / np.sqrt(r0))
        c.append(np.full(seeds, share))
    return np.stack(first, axis=1), np.stack(c, axis=1), x, beta


def _per_unit(first: Array, fineness: int) -> int:
    """Steps to a unit of time that suit linear networks of these starts, teachers of length 1."""
    (n, h, d), teacher = first.shape, np.ones((1, 1, 1))
    return steps_per_unit(first, np.zeros((n, 1, h)), teacher * np.eye(1, d), fineness)


def _trend(case: Case) -> Arrays:
    rng = np.random.default_rng([case["seed"], 0, case["block"]])  # the same for every norm, unit
    first, c, x, beta = _starts(case, case["seeds"], rng)
    (seeds, kinds, h, d), norm = first.shape, case["norm"]
    flat = norm * first.reshape(-1, h, d)
    y = np.repeat(np.einsum("snd,sd->sn", x, beta), kinds, axis=0)
    unit = _per_unit(flat, case["fineness"])
    run = train(
        flat,
        np.zeros((len(flat), h)),
        np.repeat(x, kinds, axis=0),
        y,
        case["activation"],
        step=1.0 / unit,
        steps=case["times"][-1] * unit,
        record=[time * unit for time in case["times"]],
    )
    return {"values": np.stack(run).reshape(len(run), seeds, kinds, -1), "alignment": c}


def _linear(case: Case) -> Arrays:
    """Linear units against `descend`, on samples as drawn; a readout that is not silent, too."""
    rng = np.random.default_rng([case["seed"], 1])
    first, _, _, beta = _starts(case, 1, rng)
    w1 = case["norm"] * first[0]
    x = rng.standard_normal((case["samples"], case["inputs"]))
    cov = x.T @ x / len(x)
    n, w2 = len(w1), 0.1 * rng.standard_normal((len(w1), case["hidden"]))
    yx = np.broadcast_to(beta @ cov, (n, 1, case["inputs"]))
    unit = steps_per_unit(w1, w2[:, None], yx, case["fineness"], cov_xx=cov)
    times = {
        "step": 1.0 / unit,
        "steps": case["times"][-1] * unit,
        "record": [time * unit for time in case["times"]],
    }
    y = np.broadcast_to(x @ beta[0], (n, len(x)))
    mine = train(w1, w2, x, y, "linear", **times)
    other = descend(w1, w2[:, None], yx, cov_xx=cov, **times).measures
    names = (*LINEAR, "loss")
    return {
        "network": np.stack([getattr(mine, name) for name in names]),
        "descent": np.stack([getattr(other, name) for name in names]),
    }


def _limit(case: Case) -> Arrays:
    rng = np.random.default_rng([case["seed"], 2])  # the same for every size
    first, c, x, beta = _starts(case, case["limit_seeds"], rng)
    (_, kinds, h, d), size = first.shape, case["size"]
    flat, x = first.reshape(-1, h, d), np.repeat(x, kinds, axis=0)
    y = np.einsum("snd,sd->sn", x, np.repeat(beta, kinds, axis=0))
    values = []
    for factor in FINER:
        unit = _per_unit(flat, case["limit_fineness"]) * factor
        run = train(
            size * flat,
            np.zeros((len(flat), h)),
            x,
            size**2 * y,
            "tanh",
            step=1.0 / (unit * size**2),
            steps=case["limit_times"][-1] * unit,
            record=[time * unit for time in case["limit_times"]],
        )
        values.append(np.stack([getattr(run, name) for name in LINEAR]))
    return {"values": np.stack(values), "alignment": c.reshape(-1)}
