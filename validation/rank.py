"""Rank (T6, T7): flat starts of every rank against gradient descent on random tasks.

Every run f is made with the steps eta, eta/2 and eta/4, and extrapolated to none twice
(Richardson): f1 = 2 f(eta/2) - f(eta) is wrong by O(eta^2), f2 = (4 f1(eta/2) - f1(eta))/3 by
O(eta^3). Distances from T6 are relative; those of the loss and of RA, which can vanish, relative
to their value at the start. A cell is one measure, norm, rank and time. The checks:

- means: z = (mean of f2 over tasks - mean of T7) / standard error, which is T7's sd/sqrt(runs)
  and the 1e-6 that the steps may leave, added in quadrature;
- spreads: the mean over norms and ranks below full of ((f2 - mean of T7) / sd of T7)^2 is 1, its
  standard error that of the cells;
- runs: every run's f2 is T6 at that run's own alignment;
- order: the rms distance of f from T6 over ranks and runs shrinks like the step, for every
  measure, norm and time (least-squares slope over the three steps);
- second order: that of f1 like its square;
- limit: f2 at the last time is T6 at t = infinity to 1e-5, in runs whose loss is below 1e-12.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from richlazy import low_rank
from richlazy.descent import descend, stable_step
from richlazy.laziness import Measures
from validation.study import Check, Result, Study, Track

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "Simulation", "compare", "simulate"]

Array = NDArray[np.float64]

_HALVINGS = 2
_LEFT = 1e-6  # what steps may leave of a distance after extrapolation
_SETTLED = 1e-12  # a loss; what is left of the way is about its root
_DRAWN = ("kernel_alignment", "representation_alignment", "weight_change")
_TITLES = ("kernel alignment KA", "representation alignment RA", "weight change ‖ΔW‖")


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


def simulate(grid: Grid, seed: int, track: Track[tuple[int, int]]) -> Simulation:
    """Gradient descent over the whole grid; a case is one norm and one rank."""
    found = [
        _case(grid, grid.norms[place], rank, np.random.default_rng([seed, rank, place]))
        for place, rank in track(list(product(range(len(grid.norms)), range(1, grid.inputs + 1))))
    ]
    shape = len(grid.norms), grid.inputs
    values, alignment, eta = (
        np.reshape(np.stack(part), (*shape, *np.shape(part[0])))
        for part in zip(*found, strict=True)
    )
    return Simulation(np.moveaxis(values, (0, 1), (2, 3)), alignment, eta)


def _case(
    grid: Grid, norm: float, rank: int, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    n, d, h = grid.runs, grid.inputs, grid.hidden
    left, right = (np.linalg.qr(rng.standard_normal((n, size, rank)))[0] for size in (h, d))
    beta = rng.standard_normal((n, 1, d))
    beta /= np.linalg.norm(beta, axis=2, keepdims=True)
    alignment = np.minimum(np.sum((beta @ right) ** 2, axis=(1, 2)), 1.0)
    if rank == d:
        alignment = np.ones(n)  # no direction lies outside
    first, readout = norm / np.sqrt(rank) * left @ right.swapaxes(1, 2), np.zeros((n, 1, h))

    # sharpness is that of the spectrum and the strength, so the same for every run of a case
    per_unit = int(np.ceil(grid.fineness / stable_step(first[:1], readout[:1], beta[:1])))
    values = []
    for halving in range(_HALVINGS + 1):
        frequency = per_unit * 2**halving
        run = descend(
            first,
            readout,
            beta,
            step=1.0 / frequency,
            steps=grid.times[-1] * frequency,
            record=[time * frequency for time in grid.times],
        )
        values.append(np.stack(run.measures))
    return np.stack(values, axis=1), alignment, 1.0 / per_unit


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
    scale = np.abs(theory)
    scale[_place("loss")] = 0.5  # what can vanish is measured against its start
    scale[_place("representation_alignment")] = 1.0

    plain = np.moveaxis(simulation.values, 1, 0)  # eta, eta/2, eta/4
    once = 2.0 * plain[1:] - plain[:-1]
    twice = (4.0 * once[1] - once[0]) / 3.0
    off, off_once, off_twice = (
        (found - theory[..., :-1]) / scale[..., :-1] for found in (plain, once, twice)
    )
    left = _LEFT * np.mean(scale[..., :-1], axis=3)
    z = (np.mean(twice, axis=3) - mean) / np.hypot(sd / np.sqrt(grid.runs), left)

    settled = plain[-1, _place("loss"), ..., -1] < _SETTLED
    off_limit = ((twice[..., -1] - theory[..., -1]) / scale[..., -1])[:, settled]
    drawn = [_place(name) for name in _DRAWN]
    inside = np.s_[drawn, :, : grid.inputs - 1]  # at full rank every task is alike
    spread = _spread_scores(twice[inside], mean[inside], sd[inside])
    order, order_once = _order(off), _order(off_once)
    checks = [
        _check("means", "|z| of a cell's mean over tasks against T7", z, 4.0),
        _check("spreads", "|z| of the variance of KA, RA, dW over tasks against T7", spread, 4.0),
        _check("runs", "distance of a run from T6, steps extrapolated to 0", off_twice, _LEFT),
        _check("order", "|order - 1| of the distance from T6 in the step", order - 1.0, 0.05),
        _check(
            "second order", "|order - 2| of it after 2 f(eta/2) - f(eta)", order_once - 2.0, 0.1
        ),
        _check("limit", "distance of a settled run from T6 at t = inf", off_limit, 1e-5),
    ]
    rms = np.sqrt(np.mean(off**2, axis=4))
    columns = {
        "theory_mean": mean,
        "theory_sd": sd,
        "descent_mean": np.mean(twice, axis=3),
        "descent_sd": np.std(twice, axis=3, ddof=1),
        "z": z,
        "rms_error_eta": rms[0],
        "rms_error_eta_2": rms[1],
        "rms_error_eta_4": rms[2],
        "largest_error_extrapolated": np.max(np.abs(off_twice), axis=3),
    }
    return _rows(grid, simulation.eta, columns), checks


def _check(name: str, test: str, values: Array, limit: float) -> Check:
    worst = float(np.max(np.abs(values))) if values.size else np.inf
    return Check(name, test, worst, limit, values.size)


def _order(off: Array) -> Array:
    """Order in the step, halved along the first axis, of the rms over ranks and runs.

    The least-squares slope of three points, and of two, is that through the ends.
    """
    rms = np.sqrt(np.mean(off**2, axis=(3, 4)))
    return np.asarray(np.log2(rms[0] / rms[-1]) / (len(rms) - 1))


def _spread_scores(values: Array, mean: Array, sd: Array) -> Array:
    """Standard scores of the mean squared standardised value over cells, (measures, times)."""
    square = np.mean(((values - mean[..., None, :]) / sd[..., None, :]) ** 2, axis=3)
    cells = square.reshape(len(square), -1, square.shape[-1])
    error = np.std(cells, axis=1, ddof=1) / np.sqrt(cells.shape[1])
    return np.asarray((np.mean(cells, axis=1) - 1.0) / error)


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


def _place(measure: str) -> int:
    return Measures._fields.index(measure)


def draw(grid: Grid, rows: list[dict[str, Any]]) -> Figure:
    """KA, RA and weight change against rank, a row for every time, a colour for every norm."""
    figure = Figure(figsize=(11.0, 2.9 * len(grid.times)), layout="constrained")
    panels = figure.subplots(len(grid.times), 3, sharex=True, sharey="col", squeeze=False)
    for (row, time), (column, measure) in product(enumerate(grid.times), enumerate(_DRAWN)):
        panel = panels[row, column]
        for place, norm in enumerate(grid.norms):
            cells = [
                r for r in rows if (r["measure"], r["norm"], r["time"]) == (measure, norm, time)
            ]
            mean, sd, found, spread = (
                np.array([r[name] for r in cells])
                for name in ("theory_mean", "theory_sd", "descent_mean", "descent_sd")
            )
            colour = f"C{place}"
            panel.fill_between(grid.ranks, mean - sd, mean + sd, color=colour, alpha=0.2, lw=0)
            panel.plot(grid.ranks, mean, color=colour, lw=1.2, label=f"‖W1‖ = {norm:g}")
            error = spread / np.sqrt(grid.runs)
            panel.errorbar(grid.ranks, found, error, color=colour, fmt="o", ms=2.5, lw=1.0)
        if row == 0:
            panel.set_title(_TITLES[column])
        if column == 0:
            panel.set_ylabel(f"t = {time}")
        if row == len(grid.times) - 1:
            panel.set_xlabel("rank of the initial W1")
    panels[0, 0].legend(frameon=False, title="line, band: T7 mean ± sd\ndots: descent ± s.e.")
    return figure


def run(quick: bool, seed: int, track: Track[Any]) -> Result:
    """Simulate, compare, draw."""
    grid = QUICK if quick else FULL
    rows, checks = compare(grid, simulate(grid, seed, track))
    settings = asdict(grid) | {"generator": "numpy default_rng([seed, rank, index of the norm])"}
    return Result(rows, checks, draw(grid, rows), settings)


STUDY = Study(
    name="rank",
    question=(
        "Does gradient descent from flat starts of every rank, with a silent readout and on "
        "random tasks of one output, do what T6 says of each run and T7 of their mean, at the "
        "same time, but for the size of its steps?"
    ),
    run=run,
)
