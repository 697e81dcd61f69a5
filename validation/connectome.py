"""Connectomes (T11, T15): measured wiring and its controls as starts, against `solve` and `expect`.

First layers are the connectomes that come with the library (`connectome`) and, of each, one draw
of its controls (`controls`: Gaussian; entries shuffled; degrees kept) and a flat start of full
rank, all of the same Frobenius norm; readouts are silent, inputs white, and the random tasks of
strength 1 those of `expect`, the same for all starts of a connectome. Descent moves the full
matrices, with steps eta, eta/2 and eta/4, and is extrapolated (`steps`). Distances are relative;
those of the loss and of RA, which can vanish, relative to their value at the start. A cell is one
connectome, start, norm, number of outputs, time and measure. The checks:

- runs: every run is that of `solve` on its task (closed modes where the start is flat, else
  Krylov, block Krylov with several outputs);
- order: the rms distance over connectomes, starts and runs shrinks like the step, for every norm,
  number of outputs, time and measure (in a single cell its first order may all but vanish);
- means: z = (mean over runs - mean of `expect`) / standard error, the sampling errors of both and
  the 1e-6 that steps may leave added in quadrature (one output);
- flow: `solve` by the flow of the whole invariant subspace (T11) and by the route above agree to
  1e-6 in the first run of every measured connectome (one output).

Connectome and control are compared task by task; intervals are over tasks, for one draw of each
control, and every one is reported, with how many would miss 0 by chance alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import t as student

import richlazy as rl
from richlazy import connectomes, spectrum
from richlazy.laziness import Measures
from richlazy.sources import controls
from richlazy.start import matrices
from richlazy.start.task import random_directions
from validation.steps import LEFT, extrapolated, halved, orders, place, steps_per_unit
from validation.study import DRAWN, TITLES, Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STARTS", "STUDY", "Grid", "Theory", "cases", "compare", "predicted"]

Array = NDArray[np.float64]

STARTS = ("measured", "gaussian", "shuffled", "degrees", "flat")
_BEYOND = 0.05  # share of intervals that miss what they are of


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
    names=connectomes.names(),
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
    per_unit = steps_per_unit(layers[:1], readout[:1], cov_yx[:1], case["fineness"])
    values = halved(layers, readout, cov_yx, case["times"], per_unit)
    return {"values": values, "eta": np.array(1.0 / per_unit)}


@dataclass(frozen=True)
class Theory:
    """Of one case: `runs` (measures, runs, times), how they were found, and means over tasks.

    `final` (measures, runs) is the end of every run, t = infinity.

    `mean`, `sd` and `standard_error` (measures, times) are those of `expect`, NaN where several
    outputs; `gap` is that between the flow and the route, NaN where not asked for.
    """

    runs: Array
    final: Array
    method: str
    mean: Array
    sd: Array
    standard_error: Array
    gap: float
    participation_ratio: float


def predicted(case: Case) -> Theory:
    """What `solve` says of every run and `expect` of their mean."""
    first, tasks, times = first_layer(case), tasks_of(case), case["times"]
    start = rl.Network(first)
    solutions = [rl.solve(start, task) for task in tasks]
    runs = np.stack([np.stack(each.measures(times)) for each in solutions], axis=1)
    final = np.stack([np.stack(each.measures()) for each in solutions], axis=1)
    shape = (3, len(Measures._fields), len(times))
    law, gap = np.full(shape, np.nan), np.nan
    if case["m"] == 1:
        for k, t in enumerate(times):
            found = rl.expect(first, t=t)
            parts = [getattr(found, name) for name in Measures._fields]
            law[..., k] = np.array([[p.mean, p.sd, p.standard_error] for p in parts]).T
        if case["start"] == "measured":
            flow = np.stack(rl.solve(start, tasks[0], "flow").measures(times))
            gap = float(np.max(np.abs(flow - runs[:, 0]) / _scale(runs[:, 0])))
    ratio = spectrum.participation_ratio(first).value
    return Theory(runs, final, solutions[0].method, *law, gap, ratio)


def _scale(theory: Array) -> Array:
    """What distances are measured against, of measures along the first axis."""
    scale = np.abs(theory)
    scale[place("loss")] = 0.5
    scale[place("representation_alignment")] = 1.0
    return scale


def compare(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays], theory: Sequence[Theory]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    errors: list[Array] = []
    squares: dict[tuple[float, int], list[Array]] = {}
    z: list[Array] = []
    for case, part, law in zip(cases, found, theory, strict=True):
        scale = _scale(law.runs)
        twice = extrapolated(part["values"])[1]
        off, off_twice = ((each - law.runs) / scale for each in (part["values"], twice))
        mean = np.mean(twice, axis=1)
        error = np.hypot(law.sd / np.sqrt(case["n"]), law.standard_error)
        score = (mean - law.mean) / np.hypot(error, LEFT * np.mean(scale, axis=1))
        errors.append(off_twice.ravel())
        squares.setdefault((case["norm"], case["m"]), []).append(np.mean(off**2, axis=2))
        z += [score.ravel()] if case["m"] == 1 else []
        columns = {
            "theory_mean": np.mean(law.runs, axis=1),
            "descent_mean": mean,
            "descent_standard_error": np.std(twice, axis=1, ddof=1) / np.sqrt(case["n"]),
            "expected_mean": law.mean,
            "expected_sd": law.sd,
            "z": score,
            "rms_error_eta_4": np.sqrt(np.mean(off[-1] ** 2, axis=1)),
            "largest_error_extrapolated": np.max(np.abs(off_twice), axis=1),
        }
        cell = {name: case[name] for name in ("name", "start", "norm", "m", "n")}
        cell |= {"participation_ratio": law.participation_ratio, "eta": float(part["eta"])}
        for (i, name), (k, t) in product(enumerate(Measures._fields), enumerate(grid.times)):
            values = {key: float(column[i, k]) for key, column in columns.items()}
            rows.append(cell | {"measure": name, "time": t} | values)
    order = [orders(np.sqrt(np.stack(parts, axis=1)), 1) for parts in squares.values()]
    gaps = [law.gap for law, case in zip(theory, cases, strict=True) if asked(case)]
    checks = [
        worst_of("runs", "distance of a run from solve, steps to 0", np.hstack(errors), LEFT),
        worst_of("order", "|order - 1| of it in the step", np.array(order) - 1.0, 0.05),
        worst_of("means", "|z| of a mean over tasks against expect", np.hstack(z), 4.0),
        worst_of("flow", "distance between the flow (T11) and the Krylov route", gaps, LEFT),
    ]
    return rows, checks


def asked(case: Case) -> bool:
    """Whether the flow is asked too."""
    return bool(case["start"] == "measured" and case["m"] == 1)


def findings(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays], theory: Sequence[Theory]
) -> list[str]:
    """Connectome - control of KA, RA and dW, on the same tasks, all of them."""
    stored = {
        (case["name"], case["norm"], case["m"], case["start"]): np.stack(
            [extrapolated(part["values"])[1][..., -1], law.final]
        )
        for case, part, law in zip(cases, found, theory, strict=True)
    }
    said = []
    signs = np.zeros((2, len(DRAWN), 2), dtype=int)  # when; measure; below, above the control
    for name, norm, m in product(grid.names, grid.norms, grid.outputs):
        for control in STARTS[1:]:
            own, other = (stored[name, norm, m, start] for start in (STARTS[0], control))
            text = []
            for k, when in enumerate((f"descent, t = {grid.times[-1]}", "solve, t = inf")):
                parts = []
                for i, (measure, short) in enumerate(zip(DRAWN, ("KA", "RA", "dW"), strict=True)):
                    centre, half = interval((own - other)[k, place(measure)])
                    parts.append(f"{short} {centre:+.3f} +- {half:.3f}")
                    signs[k, i] += centre + half < 0, centre - half > 0
                text.append(f"{when}: {', '.join(parts)}")
            setting = f"{name}, norm {norm:g}, {m} output{'s' * (m > 1)}"
            said.append(f"{setting}, measured - {control}: {'; '.join(text)}.")
    counts = [
        f"{when} richer/lazier by KA {ka[0]}/{ka[1]}, by RA {ra[0]}/{ra[1]}, by dW {dw[1]}/{dw[0]}"
        for when, (ka, ra, dw) in zip(
            (f"at t = {grid.times[-1]}", "at t = inf"), signs.tolist(), strict=True
        )
    ]
    summary = (
        f"Of {len(said)} comparisons of measured wiring with a control on the same tasks (all "
        f"follow, with {1.0 - _BEYOND:.0%} intervals) it is beyond the interval "
        f"{'; '.join(counts)}. Were there no differences at all, chance alone would put "
        f"{_BEYOND * len(said):g} of {len(said)} beyond it, for each measure and time, half of "
        "them on either side. There is one draw of each control, and intervals are over tasks: a "
        "difference is one from that draw, and how much draws of a control differ is not in them."
    )
    return [summary, *said]


def interval(values: Array) -> tuple[float, float]:
    """Mean and half the width of its interval."""
    quantile = student.ppf(1.0 - 0.5 * _BEYOND, values.size - 1)
    half = quantile * np.std(values, ddof=1) / np.sqrt(values.size)
    return float(np.mean(values)), float(half)


def draw(grid: Grid, rows: Sequence[dict[str, Any]]) -> Figure:
    """KA, RA and weight change of every start at the last time, a row for every connectome."""
    figure = Figure(figsize=(11.0, 2.9 * len(grid.names)), layout="constrained")
    panels = figure.subplots(len(grid.names), 3, sharex=True, sharey="col", squeeze=False)
    for (row, name), (column, measure) in product(enumerate(grid.names), enumerate(DRAWN)):
        panel = panels[row, column]
        for index, (norm, m) in enumerate(product(grid.norms, grid.outputs)):
            key = (name, norm, m, measure, grid.times[-1])
            cells = [
                r
                for r in rows
                if tuple(r[k] for k in ("name", "norm", "m", "measure", "time")) == key
            ]
            theory, found, error = (
                [r[k] for r in cells]
                for k in ("theory_mean", "descent_mean", "descent_standard_error")
            )
            label = f"‖W1‖ = {norm:g}, m = {m}"
            panel.plot(theory, color=f"C{index}", lw=1.1, label=label)
            panel.errorbar(
                range(len(found)), found, error, color=f"C{index}", fmt="o", ms=3, lw=0.9
            )
        panel.set_xticks(range(len(STARTS)), STARTS)
        if row == 0:
            panel.set_title(TITLES[column])
        if column == 0:
            panel.set_ylabel(name)
    panels[0, 0].legend(frameon=False, fontsize=7, title="line: T15, dots: descent ± s.e.")
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    theory = [predicted(case) for case in cases]
    rows, checks = compare(grid, cases, found, theory)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, connectome, start]) and ([seed, connectome, 5, m])",
        "routes": sorted({law.method for law in theory}),
    }
    return Result(rows, checks, draw(grid, rows), settings, findings(grid, cases, found, theory))


STUDY = Study(
    name="connectome",
    question=(
        "Does gradient descent from measured connectomes and their randomised controls do what "
        "the Krylov reduction says of each run and of the mean over random tasks? The verdict is "
        "on that. And is measured wiring richer than its controls? That answer, whichever it is, "
        "is among the findings."
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
