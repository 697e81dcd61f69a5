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
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import low_rank
from validation.nonlinear.report import draw, findings
from validation.nonlinear.runs import FULL, LINEAR, QUICK, Grid, cases, simulate
from validation.simulation.networks import Records
from validation.statistics import correlation, interval
from validation.steps import extrapolated, orders
from validation.study import Arrays, Case, Check, Result, Study, grid_of, selected, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "compare", "correlation", "simulate"]

Array = NDArray[np.float64]

_CONFIDENCE = 0.99
_NARROW = 0.3  # half an interval
_ROUNDING = 1e-9  # what thousands of steps make of it
_TREND_COLUMNS = tuple(
    f"{label}{end}"
    for label, end in product(("trend", "linear_trend", "difference"), ("", "_low", "_high"))
)


def _ranks(grid: Grid) -> Array:
    """Rank of every kind of start."""
    return np.array([*grid.ranks, *[grid.aligned_rank] * len(grid.alignments)], dtype=float)


def _theory(grid: Grid, c: Array, norm: float) -> Array:
    """T6 of every run and time, (measures, seeds, kinds, times)."""
    ranks = _ranks(grid)[:, None]
    law = low_rank.measures(ranks, grid.inputs, alignment=c[..., None], norm=norm, t=grid.times)
    return np.stack([getattr(law, name) for name in LINEAR])


def compare(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows = []
    for activation, norm in product(grid.activations, grid.norms):
        chosen = selected(cases, found, part="trend", activation=activation, norm=norm)
        blocks = [part for _, part in chosen]
        values = np.concatenate([part["values"] for part in blocks], axis=1)
        c = np.concatenate([part["alignment"] for part in blocks])
        rows += _rows(grid, activation, norm, values, _theory(grid, c, norm))

    off_linear = [
        (part["network"] - part["descent"]) / np.maximum(np.abs(part["descent"]), 1e-3)
        for _, part in selected(cases, found, part="linear")
    ]
    local = _local_orders(grid, selected(cases, found, part="limit"))
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
    theory = np.stack([getattr(law, name) for name in LINEAR])
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
        if name in LINEAR:
            linear = theory[LINEAR.index(name), :, kinds, l]
            scores["linear_trend"] = correlation(x, linear)
            scores["difference"] = own - scores["linear_trend"]
        trends: dict[str, Any] = dict.fromkeys(_TREND_COLUMNS, "")
        for label, score in scores.items():
            mean, half = interval(score, _CONFIDENCE)
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


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    rows, checks = compare(grid, cases, found)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, 0, block]), [seed, 1] for linear units, [seed, 2] "
        "for the limit"
    }
    local = _local_orders(grid, selected(cases, found, part="limit"))
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
