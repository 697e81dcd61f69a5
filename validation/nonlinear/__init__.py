"""Nonlinear networks (beyond T6, T7): do the trends of linear networks hold for tanh and ReLU?

Two-layer networks of one output (`simulation.networks`) learn a random linear teacher of length 1
from samples that are Gaussian and then whitened, so that linear units would do exactly what T6 says
and whatever differs is due to the units. Starts are flat with a silent readout; every seed has its
own samples, teacher and directions, and the same ones for all units, norms, ranks (nested row
spaces) and alignments (at one rank). Measures are those of activations and of the tangent kernel
over the samples, and the share of hidden units x samples that keep their sign.

A trend is Spearman's correlation of a measure with the rank, or with the alignment, within a seed,
its mean over seeds with a Student 99 % confidence interval. It is reported, whatever it is, beside
that of T6 for the same starts at the same time, and so is their difference, paired over seeds;
linear units in the same runs show what of a distance from T6 is the size of the steps. The checks
are what must hold:

- linear units: the same code with linear units is `descent.descend` on the same data, here not
  whitened, step for step;
- limit, order: tanh with weights smaller by e, a teacher by e^2 and time longer by 1/e^2, which
  leaves linear networks what they are, is off T6 by what shrinks like e^2, for every measure and
  time (distances of the weight change relative, rms over starts and seeds, steps extrapolated to 0,
  `steps`). The order between two e is 2 + O(e^2), and O is large for starts that hardly see the
  task and leave a saddle late: two orders of the three smallest e are extrapolated to e = 0;
- narrow: the intervals of all trends, each of its own and not of all at once, are narrow enough to
  tell a trend from none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

from richlazy import low_rank
from richlazy.descent import descend
from validation.nonlinear.report import draw, findings
from validation.simulation.networks import Records, train, white_samples
from validation.simulation.starts import orthonormal
from validation.steps import FINER, extrapolated, orders, steps_per_unit
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "compare", "correlation", "simulate"]

Array = NDArray[np.float64]

_CONFIDENCE = 0.99
_NARROW = 0.3  # half an interval
_ROUNDING = 1e-9  # what thousands of steps make of it
_TREND_COLUMNS = tuple(
    f"{label}{end}"
    for label, end in product(("trend", "linear_trend", "difference"), ("", "_low", "_high"))
)
_LINEAR = ("weight_change", "representation_alignment", "kernel_alignment")  # T6 says them


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
    names = (*_LINEAR, "loss")
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
        values.append(np.stack([getattr(run, name) for name in _LINEAR]))
    return {"values": np.stack(values), "alignment": c.reshape(-1)}


def correlation(x: Sequence[float], values: Array) -> Array:
    """Spearman's rank correlation of `values` with x along the last axis; 0 where all are alike."""
    a, b = (rankdata(v, axis=-1) for v in (np.asarray(x, dtype=float), values))
    a, b = a - np.mean(a), b - np.mean(b, axis=-1, keepdims=True)
    size = np.sqrt(np.sum(a * a) * np.sum(b * b, axis=-1))
    return np.asarray(np.where(size > 0, b @ a / np.where(size > 0, size, 1.0), 0.0))


def _ranks(grid: Grid) -> Array:
    """Rank of every kind of start."""
    return np.array([*grid.ranks, *[grid.aligned_rank] * len(grid.alignments)], dtype=float)


def _theory(grid: Grid, c: Array, norm: float) -> Array:
    """T6 of every run and time, (measures, seeds, kinds, times)."""
    ranks = _ranks(grid)[:, None]
    law = low_rank.measures(ranks, grid.inputs, alignment=c[..., None], norm=norm, t=grid.times)
    return np.stack([getattr(law, name) for name in _LINEAR])


def compare(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    parts = {
        name: [pair for pair in zip(cases, found, strict=True) if pair[0]["part"] == name]
        for name in ("trend", "linear", "limit")
    }
    rows = []
    for i, (activation, norm) in enumerate(product(grid.activations, grid.norms)):
        blocks = [part for _, part in parts["trend"][i * grid.blocks : (i + 1) * grid.blocks]]
        values = np.concatenate([part["values"] for part in blocks], axis=1)
        c = np.concatenate([part["alignment"] for part in blocks])
        rows += _rows(grid, activation, norm, values, _theory(grid, c, norm))

    off_linear = [
        (part["network"] - part["descent"]) / np.maximum(np.abs(part["descent"]), 1e-3)
        for _, part in parts["linear"]
    ]
    local = _local_orders(grid, parts["limit"])
    order = (4.0 * local[1] - local[0]) / 3.0
    widths = [0.5 * (row["trend_high"] - row["trend_low"]) for row in rows]
    checks = [
        worst_of("linear units", "distance from descend, step for step", off_linear, _ROUNDING),
        worst_of(
            "limit, order", "|order - 2| of tanh's distance from T6 in its size", order - 2.0, 0.05
        ),
        worst_of("narrow", "half the 99 % interval of a trend", widths, _NARROW),
    ]
    return rows, checks


def _local_orders(grid: Grid, pairs: Sequence[tuple[Case, Arrays]]) -> Array:
    """Order of the distance from T6 between the three smallest sizes, (2, measures, times)."""
    off = np.stack([_off_limit(grid, *pair) for pair in pairs])
    return np.stack([orders(off[[i, i + 1]], 3) for i in (-3, -2)])


def _off_limit(grid: Grid, case: Case, part: Arrays) -> Array:
    """Distance of tanh networks of one size from T6, (measures, times, runs)."""
    size, c = case["size"], part["alignment"][:, None]
    law = low_rank.measures(
        np.tile(_ranks(grid), grid.limit_seeds)[:, None],
        grid.inputs,
        alignment=c,
        norm=size,
        strength=size**2,
        t=np.array(grid.limit_times) / size**2,
    )
    theory = np.stack([getattr(law, name) for name in _LINEAR])
    scale = np.ones_like(theory)
    scale[0] = theory[0]  # the weight change, which shrinks with the size
    return np.moveaxis((extrapolated(part["values"])[1] - theory) / scale, 1, 2)


def _rows(
    grid: Grid, activation: str, norm: float, values: Array, theory: Array
) -> list[dict[str, Any]]:
    """Of one activation and norm; arrays (measures, seeds, kinds, times)."""
    rows = []
    count = len(grid.ranks)
    across = {
        "rank": (grid.ranks, slice(0, count)),
        "alignment": (grid.alignments, slice(count, None)),
    }
    names = [name for name in Records._fields if name != "loss"]
    for name, (l, time), (what, (x, kinds)) in product(
        names, enumerate(grid.times), across.items()
    ):
        mine = values[Records._fields.index(name), :, kinds, l]
        own = correlation(x, mine)
        scores = {"trend": own}
        linear = None
        if name in _LINEAR:
            linear = theory[_LINEAR.index(name), :, kinds, l]
            scores["linear_trend"] = correlation(x, linear)
            scores["difference"] = own - scores["linear_trend"]
        trends: dict[str, Any] = dict.fromkeys(_TREND_COLUMNS, "")
        for label, score in scores.items():
            mean, half = _interval(score)
            trends |= {label: mean, f"{label}_low": mean - half, f"{label}_high": mean + half}
        for k, at in enumerate(x):
            rows.append(
                {
                    "activation": activation,
                    "norm": norm,
                    "time": time,
                    "measure": name,
                    "across": what,
                    "at": at,
                    "mean": float(np.mean(mine[:, k])),
                    "sd": float(np.std(mine[:, k], ddof=1)),
                    "linear_mean": "" if linear is None else float(np.mean(linear[:, k])),
                    "rms_off_linear": ""
                    if linear is None
                    else float(np.sqrt(np.mean((mine - linear)[:, k] ** 2))),
                    "seeds": len(mine),
                }
                | trends
            )
    return rows


def _interval(scores: Array) -> tuple[float, float]:
    """Mean and half the confidence interval of it."""
    n = len(scores)
    quantile = student.ppf(0.5 + 0.5 * _CONFIDENCE, n - 1)
    return float(np.mean(scores)), float(quantile * np.std(scores, ddof=1) / np.sqrt(n))


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    rows, checks = compare(grid, cases, found)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, 0, block]), [seed, 1] for linear units, [seed, 2] "
        "for the limit"
    }
    pairs = [p for p in zip(cases, found, strict=True) if p[0]["part"] == "limit"]
    local = _local_orders(grid, pairs)
    said = (
        "tanh networks near the linear limit: the order of their distance from T6 in the size is "
        f"{np.min(local[0]):.2f} to {np.max(local[0]):.2f} between the sizes {grid.sizes[-3]:g} "
        f"and {grid.sizes[-2]:g}, {np.min(local[1]):.2f} to {np.max(local[1]):.2f} between "
        f"{grid.sizes[-2]:g} and {grid.sizes[-1]:g}"
    )
    return Result(rows, checks, draw(grid, rows), settings, [said, *findings(grid, rows)])


STUDY = Study(
    name="nonlinear",
    question=(
        "Do tanh and ReLU networks learn more lazily from starts of higher rank, or better aligned "
        "with the task, as T6 says of linear ones? The answer, whichever it is, is among the "
        "findings; the verdict is on what must hold: that linear units and small activations give "
        "the linear theory back, and that the trends are measured well enough to be told."
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
