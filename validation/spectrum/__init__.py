"""Spectrum (T8, T11, T14, T15): starts of any singular values against gradient descent.

Starts of several spectra at equal norm, in random bases, learn random tasks of equal modes. Every
run f is made with three steps and extrapolated to none, once to f1 and twice to f2 (`steps`).
Distances are relative; those of the loss and of RA, which can vanish, relative to their start.

Part `runs`, at finite times, one output and several:

- runs: f2 of the kept starts is `solve` of the same start and task, by krylov and by flow;
- order, second order: the rms distance of f and f1 from it shrinks like the step and its square;
- means: z = (mean of f2 over tasks - `expect`) / standard error, which is that of both samples,
  their variances pooled, and 1e-6, in quadrature; `expect` is exact for flat starts, one output.

Part `map`, at the end of training, one output:

- confirmed: z of the mean of f2 against `expect` at t = infinity, as in means;
- law within 1 %, law within 5 %, law fails: what `limits.law` claims for KA, of `expect`;
- typical order, typical exact: for flat starts of half rank the distance of the typical task (T14)
  from the exact mean (T7) shrinks like 1/PR as d doubles (that of RA faster, that of the target
  alignment as a share of it, which is itself of size 1/sqrt(d)); there is none in KA and RA at
  t = infinity.

Part `rich`, at the end of training from smaller and smaller norms sigma of the same starts:

- rich order: the rms distance over runs of KA and RA from T8 shrinks like sigma^2;
- rich correction: beyond the first correction it shrinks at least like sigma^3;
- rich means: z of the mean KA at the least norm against T8's, with sigma^2 for what is left.

settled: runs that are held against t = infinity have a loss below 1e-12.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Measures
from validation.comparison import scale_of
from validation.spectrum.report import draw, findings
from validation.spectrum.runs import FULL, QUICK, Grid, cases, ratio
from validation.spectrum.theory import Theory, law_error, predicted, simulate
from validation.steps import LEFT, SETTLED, extrapolated, orders, place
from validation.study import Arrays, Case, Check, Result, Study, grid_of, selected, worst_of

__all__ = ["STUDY", "compare", "conclude"]

Array = NDArray[np.float64]

_KA, _RA, _TA, _LOSS = (
    place(k) for k in ("kernel_alignment", "representation_alignment", "target_alignment", "loss")
)
_COLUMNS = (
    *("part", "family", "parameter", "participation_ratio", "inputs", "hidden", "outputs", "norm"),
    *("time", "measure", "runs", "eta", "descent_mean", "descent_standard_error"),
    *("expect_mean", "expect_standard_error", "z", "law", "typical", "largest_error_of_a_run"),
)


def compare(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays], theory: Theory
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    parts = {name: selected(cases, found, part=name) for name in ("runs", "map", "rich")}
    finite, finite_checks = _runs(grid, parts["runs"], theory)
    ends, end_checks = _ends(grid, parts["map"], theory)
    losses = [f["values"][-1, _LOSS] for _, f in parts["map"] + parts["rich"]]
    checks = [
        *finite_checks,
        *end_checks,
        *_claims(grid, theory),
        *_rich(grid, parts["rich"], theory),
        worst_of("settled", "loss of a run that is held against t = inf", losses, SETTLED),
    ]
    return [*finite, *ends, *_map_rows(grid, theory)], checks


def _runs(
    grid: Grid, parts: Sequence[tuple[Case, Arrays]], theory: Theory
) -> tuple[list[dict[str, Any]], list[Check]]:
    """At finite times: every kept run against `solve`, means against `expect`."""
    values = np.stack([f["values"] for _, f in parts], axis=1)  # steps, cases, measures, runs, t
    kept = values[:, :, :, : grid.kept]
    scale = np.moveaxis(scale_of(np.moveaxis(theory.solved, 2, 0)), 0, 2)
    once, _ = extrapolated(kept)
    twice = extrapolated(values)[1]
    off = (twice[:, None, :, : grid.kept] - theory.solved) / scale
    # cases are (outputs, spectra, norms); orders are those over spectra and runs
    shape = (len(grid.outputs), len(grid.spectra), len(grid.norms))
    order, order_once = (
        orders(
            ((f - theory.solved[:, 0]) / scale[:, 0]).reshape(len(f), *shape, *f.shape[2:]), (2, 5)
        )
        for f in (kept, once)
    )
    z, rows = [], []
    for (case, f), best, run, gap in zip(parts, theory.averages, twice, off, strict=True):
        score = _scores(run, best.mean, best.sd, best.tasks)
        z.append(score)
        for k, l in np.ndindex(score.shape):
            rows.append(
                _row(case, f, run, k, l)
                | {
                    "expect_mean": best.mean[k, l],
                    "expect_standard_error": best.standard_error[k, l],
                    "z": score[k, l],
                    "law": best.law[k, l],
                    "typical": best.typical[k, l],
                    "largest_error_of_a_run": np.max(np.abs(gap[:, k, :, l])),
                }
            )
    return [_filled(row) for row in rows], [
        worst_of("runs", "distance of a run from solve, steps extrapolated to 0", off, LEFT),
        worst_of("order", "|order - 1| of the distance from solve in the step", order - 1.0, 0.05),
        worst_of(
            "second order", "|order - 2| of it after 2 f(eta/2) - f(eta)", order_once - 2.0, 0.1
        ),
        worst_of("means", "|z| of a cell's mean over tasks against expect", np.stack(z), 4.0),
    ]


def _scores(run: Array, mean: Array, sd: Array, tasks: float) -> Array:
    """z of means over runs (measures, runs, times) against those over tasks, inf for exact ones."""
    runs = run.shape[1]
    variance = sd**2
    if np.isfinite(tasks):  # both are samples of one law
        own = np.var(run, axis=1, ddof=1)
        variance = (tasks * variance + runs * own) / (tasks + runs)
    left = LEFT * np.maximum(np.abs(mean), 0.5)
    error = np.sqrt(variance * (1.0 / runs + 1.0 / tasks) + left**2)
    return np.asarray((np.mean(run, axis=1) - mean) / error)


def _ends(
    grid: Grid, parts: Sequence[tuple[Case, Arrays]], theory: Theory
) -> tuple[list[dict[str, Any]], list[Check]]:
    """At the end of training: means against the map."""
    z, rows = [], []
    for case, f in parts:
        cell = _cell(grid, case)
        best = getattr(theory, case["family"])
        parameters = (slice(None), *cell)
        run = extrapolated(f["values"])[1]
        mean, sd, error = (v[parameters][:, None] for v in best[:3])
        score = _scores(run, mean, sd, best.tasks)[:_LOSS, 0]
        z.append(score)
        for k in range(_LOSS):
            rows.append(
                _row(case, f, run, k, 0)
                | {
                    "expect_mean": mean[k, 0],
                    "expect_standard_error": error[k, 0],
                    "z": score[k],
                    "law": best.law[parameters][k],
                    "typical": best.typical[parameters][k],
                }
            )
    check = worst_of(
        "confirmed", "|z| of a mean at the end against expect at t = inf", np.stack(z), 4.0
    )
    return [_filled(row) for row in rows], [check]


def _cell(grid: Grid, case: Case) -> tuple[int, int]:
    """Place of a case in the map of its family."""
    parameters = grid.exponents if case["family"] == "power_law" else grid.rates
    return list(parameters).index(case["parameter"]), list(grid.map_norms).index(case["norm"])


def _claims(grid: Grid, theory: Theory) -> list[Check]:
    """What `limits.law` says of itself, and the order of the typical task."""
    norms = np.array(grid.map_norms)
    near, far = [], []
    for best in (theory.power_law, theory.exponential):
        error = law_error(best)[_KA]
        wide = best.ratio > 10
        near.append(error[wide & (norms <= 1.0)])
        far.append(error[wide & (norms <= 3.0)])
    steep = list(grid.exponents).index(2.0), list(grid.map_norms).index(3.0)
    stated = [
        theory.power_law.law[_KA][steep] - 0.17,
        theory.power_law.mean[_KA][steep] - 0.78,
    ]
    # RA is 1 but for terms of 1/PR itself here, so that its distance falls faster
    finite, end = theory.typical[:, :, 0].copy(), theory.typical[:2, :, 1]
    finite[_TA] *= np.sqrt(grid.sizes)
    finite = np.delete(finite, _RA, axis=0)
    gaps = np.abs(np.concatenate([finite, end]))
    order = np.log2(gaps[:, :-1] / gaps[:, 1:])
    # linear in the share of the task, of which the typical task has the mean
    exact = theory.typical[[_RA, _KA], :, 1]
    return [
        worst_of("law within 1 %", "error of law's KA, PR > 10, norm <= 1", near, 0.01),
        worst_of("law within 5 %", "error of law's KA, PR > 10, norm <= 3", far, 0.05),
        worst_of("law fails", "KA at power law 2, norm 3, from 0.17 and 0.78", stated, 0.01),
        worst_of("typical order", "|order - 1| of its distance from T7 in 1/PR", order - 1.0, 0.05),
        worst_of("typical exact", "its distance from T7, RA and KA, flat, t = inf", exact, 1e-9),
    ]


def _rich(grid: Grid, parts: Sequence[tuple[Case, Arrays]], theory: Theory) -> list[Check]:
    """T8: what is left of its limits as the norm goes to 0, over (norms, spectra)."""
    off, rest, z = [], [], []
    for (case, f), limit in zip(parts, theory.rich, strict=True):
        run = extrapolated(f["values"])[1][[_RA, _KA], :, 0]
        off.append(run / limit.limit - 1.0)
        rest.append(run / (limit.limit * (1.0 + limit.correction)) - 1.0)
        if case["norm"] == grid.rich_norms[-1]:
            error = np.hypot(np.std(run[1], ddof=1) / np.sqrt(run.shape[1]), case["norm"] ** 2)
            z.append((np.mean(run[1]) - limit.mean) / error)
    shape = len(grid.rich_spectra), len(grid.rich_norms)
    fall, fall_rest = (
        _norm_orders(np.reshape(x, (*shape, *off[0].shape)), grid) for x in (off, rest)
    )
    return [
        worst_of("rich order", "|order - 2| of the distance from T8 in the norm", fall - 2.0, 0.1),
        worst_of(
            "rich correction",
            "order of it beyond the first correction, short of 3",
            np.maximum(3.0 - fall_rest, 0.0),
            0.1,
        ),
        worst_of("rich means", "|z| of the mean KA at the least norm against T8", z, 4.0),
    ]


def _norm_orders(off: Array, grid: Grid) -> Array:
    """Order in the norm, between the two least, of rms (spectra, norms, measures, runs)."""
    rms = np.sqrt(np.mean(off[:, -2:] ** 2, axis=-1))
    return np.asarray(
        np.log(rms[:, 0] / rms[:, 1]) / np.log(grid.rich_norms[-2] / grid.rich_norms[-1])
    )


def _row(case: Case, found: Arrays, run: Array, measure: int, time: int) -> dict[str, Any]:
    values = run[measure, :, time]
    return {name: case[name] for name in _COLUMNS if name in case} | {
        "participation_ratio": ratio(case),
        "time": case["times"][time],
        "measure": Measures._fields[measure],
        "eta": found["eta"],
        "descent_mean": np.mean(values),
        "descent_standard_error": np.std(values, ddof=1) / np.sqrt(values.size),
    }


def _map_rows(grid: Grid, theory: Theory) -> list[dict[str, Any]]:
    """Every cell of the maps."""
    rows = []
    for family, parameters in (("power_law", grid.exponents), ("exponential", grid.rates)):
        best = getattr(theory, family)
        for k, i, j in np.ndindex(_LOSS, len(parameters), len(grid.map_norms)):
            row = {"part": "law", "family": family, "parameter": parameters[i], "outputs": 1}
            row |= {"inputs": grid.map_inputs, "norm": grid.map_norms[j], "time": np.inf}
            row |= {"participation_ratio": best.ratio[i, j], "measure": Measures._fields[k]}
            row |= {"expect_mean": best.mean[k, i, j], "law": best.law[k, i, j]}
            row |= {"expect_standard_error": best.standard_error[k, i, j]}
            rows.append(_filled(row | {"typical": best.typical[k, i, j]}))
    return rows


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    """The row with all columns, empty where there is nothing, in plain numbers."""
    values = {name: row.get(name, "") for name in _COLUMNS}
    return {
        name: value if isinstance(value, (str, int)) else "" if np.isnan(value) else float(value)
        for name, value in values.items()
    }


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Predict, compare and draw."""
    grid = grid_of(Grid, cases[0]["grid"])
    theory = predicted(grid, cases, found)
    rows, checks = compare(grid, cases, found, theory)
    generator = "numpy default_rng([seed, 0 to 2, indices]) for descent, [seed, 4, 0, indices] "
    generator += (
        "for expect beside it, [seed, 5, indices of family, parameter and norm] for the map"
    )
    settings = cases[0]["grid"] | {"generator": generator}
    return Result(rows, checks, draw(grid, rows, theory), settings, findings(grid, rows, theory))


STUDY = Study(
    name="spectrum",
    question=(
        "Does gradient descent from starts of any spectrum, with one output and several, do what "
        "solve says of each run and expect of their mean, and where does the participation ratio "
        "alone decide how lazily a start learns?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
