"""Rank (T6, T7): flat starts of every rank against gradient descent on random tasks.

Every run f is made with three steps and extrapolated to none, once to f1 and twice to f2 (`steps`).
Distances from T6 are relative; those of the loss and of RA, which can vanish, relative to their
value at the start. A cell is one measure, norm, rank and time. The checks:

- means: z = (mean of f2 over tasks - mean of T7) / standard error, which is T7's sd/sqrt(runs)
  and the 1e-6 that the steps may leave, added in quadrature;
- spreads: the mean over norms and ranks below full of ((f2 - mean of T7) / sd of T7)^2 is 1, its
  standard error that of the cells;
- quantiles: over ranks below full together, the share of runs whose f2 is below T7's quantile q is
  q, for q = 0.1, 0.5, 0.9 and KA, RA, dW at every norm and time (standard error of a share);
- cosines: the mean of sqrt(c) over tasks is T7's, at every norm and rank below full;
- runs: every run's f2 is T6 at that run's own alignment;
- order: the rms distance of f from T6 over ranks and runs shrinks like the step, for every
  measure, norm and time (least-squares slope over the three steps);
- second order: that of f1 like its square;
- limit: f2 at the last time is T6 at t = infinity to 1e-5, in runs whose loss is below 1e-12;
- settled: these are half of all at least (T6 says 0.78 in the full grid, 0.54 in the quick one).

Of independent normal cells, 6.3e-5 lie beyond 4 standard errors: of the 2160 of the full grid's
means 0.14, so that a right theory would fail at about 13 % of seeds. Cells of the same runs hang
together, and a mean of few is not quite normal: that is a guide, not a rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from richlazy import low_rank
from richlazy.laziness import Measures
from validation.comparison import Comparison, scale_of
from validation.rank.report import draw
from validation.rank.runs import FULL, QUICK, Grid, Simulation, cases, gathered, simulate
from validation.steps import LEFT, SETTLED, extrapolated, orders, place
from validation.study import DRAWN, Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = [
    "FULL",
    "QUICK",
    "STUDY",
    "Grid",
    "Simulation",
    "cases",
    "compare",
    "gathered",
    "simulate",
]

Array = NDArray[np.float64]

_QUANTILES = (0.1, 0.5, 0.9)
_UNSETTLED = 0.5  # share of runs that may still learn at the last time


def compare(grid: Grid, simulation: Simulation) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict.

    Arrays are (measures, norms, ranks, runs, times), means without the axis of runs.
    """
    norms, ranks = np.reshape(grid.norms, (-1, 1, 1)), grid.ranks[:, None]
    law = low_rank.expected(ranks, grid.inputs, norm=norms, t=grid.times)
    mean, sd = np.stack(law.mean), np.stack(law.sd)
    theory = np.stack(
        low_rank.measures(
            ranks[..., None],
            grid.inputs,
            alignment=simulation.alignment[..., None],
            norm=norms[..., None],
            t=[*grid.times, np.inf],
        )
    )
    scale = scale_of(theory)
    plain = np.moveaxis(simulation.values, 1, 0)  # eta, eta/2, eta/4
    seen = Comparison(plain, theory[..., :-1], scale[..., :-1])
    twice, off_once = seen.twice, (extrapolated(plain)[0] - seen.theory) / seen.scale
    left = LEFT * np.mean(seen.scale, axis=3)
    z = (np.mean(twice, axis=3) - mean) / np.hypot(sd / np.sqrt(grid.runs), left)

    settled = plain[-1, place("loss"), ..., -1] < SETTLED
    off_limit = ((twice[..., -1] - theory[..., -1]) / scale[..., -1])[:, settled]
    drawn = [place(name) for name in DRAWN]
    inside = np.s_[drawn, :, : grid.inputs - 1]  # at full rank every task is alike
    spread = _spread_scores(twice[inside], mean[inside], sd[inside])
    below = _below_quantiles(grid, twice[inside])
    cosines = _cosine_scores(grid, simulation.alignment[:, :-1])
    order, order_once = orders(seen.off, (3, 4)), orders(off_once, (3, 4))
    checks = [
        worst_of("means", "|z| of a cell's mean over tasks against T7", z, 4.0),
        worst_of("spreads", "|z| of the variance of KA, RA, dW over tasks against T7", spread, 4.0),
        worst_of("quantiles", "|z| of the share of runs below T7's quantiles", below, 4.0),
        worst_of("cosines", "|z| of the mean of sqrt(c) against T7", cosines, 4.0),
        worst_of("runs", "distance of a run from T6, steps extrapolated to 0", seen.left, LEFT),
        worst_of("order", "|order - 1| of the distance from T6 in the step", order - 1.0, 0.05),
        worst_of(
            "second order", "|order - 2| of it after 2 f(eta/2) - f(eta)", order_once - 2.0, 0.1
        ),
        worst_of("limit", "distance of a settled run from T6 at t = inf", off_limit, 1e-5),
        worst_of("settled", "share of runs that have not settled", np.mean(~settled), _UNSETTLED),
    ]
    columns = {
        "theory_mean": mean,
        "theory_sd": sd,
        "descent_mean": np.mean(twice, axis=3),
        "descent_sd": np.std(twice, axis=3, ddof=1),
        "z": z,
    } | seen.errors(3)
    return _rows(grid, simulation.eta, columns), checks


def _spread_scores(values: Array, mean: Array, sd: Array) -> Array:
    """Standard scores of the mean squared standardised value over cells, (measures, times)."""
    square = np.mean(((values - mean[..., None, :]) / sd[..., None, :]) ** 2, axis=3)
    cells = square.reshape(len(square), -1, square.shape[-1])
    error = np.std(cells, axis=1, ddof=1) / np.sqrt(cells.shape[1])
    return np.asarray((np.mean(cells, axis=1) - 1.0) / error)


def _cosine_scores(grid: Grid, alignment: Array) -> Array:
    """Standard scores of the mean of sqrt(c) over runs, (norms, ranks below full)."""
    a, b = 0.5 * grid.ranks[:-1], 0.5 * (grid.inputs - grid.ranks[:-1])
    variance = a / (a + b) - np.exp(2.0 * (betaln(a + 0.5, b) - betaln(a, b)))
    gap = np.mean(np.sqrt(alignment), axis=2) - low_rank.mean_cosine(grid.ranks[:-1], grid.inputs)
    return np.asarray(gap / np.sqrt(variance / grid.runs))


def _below_quantiles(grid: Grid, values: Array) -> Array:
    """Standard scores of the shares of runs below T7's quantiles, (norms, times, measures, q)."""
    q = np.array(_QUANTILES)
    runs = values.shape[2] * values.shape[3]
    shares = np.empty((len(grid.norms), len(grid.times), len(DRAWN), q.size))
    for (i, norm), (j, time) in product(enumerate(grid.norms), enumerate(grid.times)):
        edges = np.stack(
            [low_rank.quantile(q, rank, grid.inputs, norm=norm, t=time) for rank in grid.ranks[:-1]]
        )[:, [place(name) for name in DRAWN]]
        lower = values[:, i, :, :, j, None] < edges.swapaxes(0, 1)[:, :, None]
        shares[i, j] = np.sum(lower, axis=(1, 2)) / runs
    return (shares - q) / np.sqrt(q * (1.0 - q) / runs)


def _rows(grid: Grid, eta: Array, columns: dict[str, Array]) -> list[dict[str, Any]]:
    rows = []
    for i, j, k, l in np.ndindex(columns["z"].shape):
        cell = {
            "measure": Measures._fields[i],
            "norm": grid.norms[j],
            "rank": k + 1,
            "time": grid.times[l],
            "eta": float(eta[j, k]),
        }
        rows.append(cell | {name: float(column[i, j, k, l]) for name, column in columns.items()})
    return rows


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    rows, checks = compare(grid, gathered(grid, found))
    settings = asdict(grid) | {"generator": "numpy default_rng([seed, rank, index of the norm])"}
    return Result(rows, checks, draw(grid, rows), settings)


STUDY = Study(
    name="rank",
    question=(
        "Does gradient descent from flat starts of every rank, with a silent readout and on "
        "random tasks of one output, do what T6 says of each run and T7 of their mean, at the "
        "same time, but for the size of its steps?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
