"""Linear recurrent networks (T16 to T20) against gradient descent of every matrix through time.

Two kinds of runs of descent, each made with three steps and extrapolated to none (`steps`):

- cell: networks of 8 to 60 units on random tasks of 2 to 6 steps, one or two channels and outputs:
  Gaussian W of gains 0.4 to 1.2, low rank, with a leak, lags weighted, inputs coloured, modes or
  complex pairs shared with the task, and some of the matrices fixed, against `recurrent.solve`
  by the route that it takes (T16; T18 where the rank is low; T19 where modes are shared);
- mean: random networks of three spectra, flat, half rank and Gaussian, each on a random task,
  against the means of `recurrent.expect` by its methods "typical" and "law" (T20);

and two that hold parts of the theory against each other, where descent would take too long:

- large: networks of 800 units of five spectra, three gains and two numbers of steps, followed by
  the exact reduction (T18), against the typical start on the same tasks (T20);
- law: spectra of ten shapes, gains, numbers of steps and strengths, on which the law says of itself
  whether it holds, against the typical start on tasks that it has not seen.

Distances are relative; those of a loss relative to its start, of RA and of target alignment, which
may vanish, absolute, of weights over the norm of their matrix. The checks:

- measures: every extrapolated measure of every run is the theory's;
- weights: so is every entry of U, W and V at the last time;
- conservation: D = UU' + WW' - W'W - V'V of descent, extrapolated, is that of the start
  (`Network.conserved`), over ||U||^2 + ||W||^2 + ||V||^2, and the drift of `Solution.drift` none,
  where all three are trained;
- their orders: the rms distance over runs and times (of weights over runs and entries) shrinks
  like the step, for every measure that moves and every matrix of every cell, and so does D's drift;
- typical, law: z = (mean over networks - mean of `expect`) / standard error, the sampling errors
  of both added in quadrature, of every measure;
- steps: what steps leave of a mean, over its standard error;
- large: z of every measure at two times; its error is that of the mean difference, and in
  quadrature the one that the typical start states (t of so few draws put as z);
- domain: where the law says that it holds, its mean KA and ||dW|| are within 2 % of the typical
  start's.

T20 is of infinitely many units; a mean over networks of N is off by O(1/N), which is not below its
standard error here. So networks of two sizes learn the same tasks, and their means are extrapolated
in 1/N, which needs no allowance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.recurrent.measures import Measures
from validation.recurrent import large, laws
from validation.recurrent.large import Large
from validation.recurrent.laws import LAW_MEASURES, Law
from validation.recurrent.report import draw, findings
from validation.recurrent.runs import CELLS, FULL, QUICK, Cell, Grid, cases, simulate
from validation.recurrent.theory import Mean, Seen, compared, means
from validation.steps import LEFT
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["CELLS", "FULL", "QUICK", "STUDY", "Cell", "Grid", "cases", "compare", "simulate"]

Array = NDArray[np.float64]


def compare(
    grid: Grid,
    seen: Sequence[Seen],
    averaged: Sequence[Mean],
    drawn: Sequence[Large],
    judged: Sequence[Law],
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows = [row for one in seen for row in _rows_of_cell(one)]
    rows += [row for mean in averaged for row in _rows_of_mean(grid, mean)]
    rows += [row for one in drawn for row in _rows_of_large(one)]
    rows += [row for one in judged for row in _rows_of_law(one)]
    order = "|order - 1| of the distance in the step"
    checks = [
        worst_of("measures", "distance from recurrent.solve, steps extrapolated to 0",
                 [one.measures.left for one in seen], LEFT),
        worst_of("measures order", order, [one.measures.orders - 1.0 for one in seen], 0.05),
        worst_of("weights", "distance of U, W, V from it, steps extrapolated to 0",
                 [part.left for one in seen for part in one.weights.values()], LEFT),
        worst_of("weights order", order,
                 [one.weights[part].orders - 1.0 for one in seen for part in one.cell.trained],
                 0.05),
        worst_of("conservation", "distance of D from its start's, extrapolated",
                 [one.kept for one in seen], LEFT),
        worst_of("conservation order", "|order - 1| of the drift of D",
                 [one.kept_order - 1.0 for one in seen if one.kept.size], 0.05),
        worst_of("typical", "|z| of a mean, extrapolated in 1/N, against the typical start",
                 [mean.scores(mean.typical) for mean in averaged], 4.0),
        worst_of("law", "|z| of it against the participation-ratio law",
                 [mean.scores(mean.law) for mean in averaged], 4.0),
        worst_of("steps", "what steps leave of a mean over its standard error",
                 [mean.steps for mean in averaged], 0.1),
        worst_of("large", f"|z| of a mean at {grid.large_units} units against the typical start",
                 [one.z for one in drawn], 4.0),
        worst_of("domain", "distance of KA, ||dW|| where the law says that it holds",
                 [one.off for one in judged if one.holds], 0.02),
    ]  # fmt: skip
    return rows, checks


def _rows_of_cell(one: Seen) -> list[dict[str, Any]]:
    """One for each measure and time, over the runs."""
    columns = one.measures.columns(1)
    return [
        {
            "kind": "cell",
            "cell": one.case["cell"],
            "method": one.methods[0],
            "units": one.cell.units,
        }
        | {"steps": one.cell.steps, "eta": one.eta}
        | {"quantity": Measures._fields[i], "time": one.case["times"][j]}
        | {name: float(column[i, j]) for name, column in columns.items()}
        | dict.fromkeys(("standard_error", "theory_error", "z"), "")
        for i, j in np.ndindex(columns["theory"].shape)
    ]


def _rows_of_mean(grid: Grid, mean: Mean) -> list[dict[str, Any]]:
    """One for each theory, measure and time: descent extrapolated in 1/N."""
    rows: list[dict[str, Any]] = []
    blank = ("rms_error_eta", "rms_error_eta_2", "rms_error_eta_4", "largest_error_extrapolated")
    for method, theory in (("typical", mean.typical), ("law", mean.law)):
        z = mean.scores(theory)
        steps, channels, gain, strength = mean.task
        name = f"{mean.spectrum}, gain {gain:g}, {channels} channels, ||S|| = {strength:g}"
        for i, j in np.ndindex(z.shape):
            rows.append(
                {"kind": "mean", "cell": name, "method": method, "units": "to infinity"}
                | {"steps": steps, "eta": ""}
                | {"quantity": Measures._fields[i], "time": grid.ends[j]}
                | {"theory": float(theory[0][i, j]), "descent": float(mean.limit[0][i, j])}
                | dict.fromkeys(blank, "")
                | {"standard_error": float(mean.limit[1][i, j])}
                | {"theory_error": float(theory[1][i, j]), "z": float(z[i, j])}
            )
    return rows


def _rows_of_large(one: Large) -> list[dict[str, Any]]:
    """One for each measure and time; the error of the theory is the one that it states."""
    name = f"{one.case['spectrum']}, gain {one.case['gain']:g}"
    return [
        _row(one.case, "large", name, "typical")
        | {"quantity": Measures._fields[i], "time": str((*one.case["large_ends"], "inf")[j])}
        | {"theory": float(one.typical[i, j]), "descent": float(one.mean[i, j])}
        | {"standard_error": float(one.error[i, j]), "theory_error": float(one.allowed[i, j])}
        | {"z": float(one.z[i, j])}
        for i, j in np.ndindex(one.z.shape)
    ]


def _rows_of_law(one: Law) -> list[dict[str, Any]]:
    """KA and ||dW|| of the typical start and, in the place of descent's, of the law."""
    name = f"{one.case['spectrum']}, gain {one.case['gain']:g}, ||S|| = "
    name += f"{one.case['strength_of_law']:g}, {'inside' if one.holds else 'outside'}"
    return [
        _row(one.case, "law", name, "law")
        | {"quantity": quantity, "time": "inf"}
        | {"theory": float(theory), "descent": float(law)}
        for quantity, theory, law in zip(LAW_MEASURES, one.typical, one.law, strict=True)
    ]


def _row(case: Case, kind: str, name: str, method: str) -> dict[str, Any]:
    """With every column, in order; what is not said is empty."""
    return {"kind": kind, "cell": name, "method": method, "units": case["large_units"]} | {
        "steps": case["steps"]
    } | dict.fromkeys(
        ("eta", "quantity", "time", "theory", "descent", "rms_error_eta", "rms_error_eta_2",
         "rms_error_eta_4", "largest_error_extrapolated", "standard_error", "theory_error", "z"),
        "",
    )  # fmt: skip


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    seen, averaged = compared(cases, found), means(grid, cases, found)
    drawn, judged = large.compared(cases, found), laws.compared(cases, found)
    rows, checks = compare(grid, seen, averaged, drawn, judged)
    settings = asdict(grid) | {"generator": "numpy default_rng([seed, kind, cell or task, ...])"}
    figure = draw(grid, seen, averaged)
    return Result(rows, checks, figure, settings, findings(grid, seen, averaged, drawn, judged))


STUDY = Study(
    name="recurrent",
    question=(
        "Do linear recurrent networks learn as T16 to T19 say of each, at the same time, but for "
        "the size of descent's steps; and random ones on average as T20 says of their spectrum?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
