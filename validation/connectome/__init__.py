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
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Measures
from validation.comparison import Comparison, scale_of
from validation.connectome.report import draw, findings
from validation.connectome.runs import FULL, QUICK, STARTS, Grid, cases, simulate
from validation.connectome.theory import Theory, asked, predicted
from validation.steps import LEFT, orders
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STARTS", "STUDY", "Grid", "Theory", "cases", "compare", "predicted"]

Array = NDArray[np.float64]


def compare(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays], theory: Sequence[Theory]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    left: list[Array] = []
    squares: dict[tuple[float, int], list[Array]] = {}
    z: list[Array] = []
    for case, part, law in zip(cases, found, theory, strict=True):
        seen = Comparison(part["values"], law.runs, scale_of(law.runs))
        mean, errors = np.mean(seen.twice, axis=1), seen.errors(1)
        error = np.hypot(law.sd / np.sqrt(case["n"]), law.standard_error)
        score = (mean - law.mean) / np.hypot(error, LEFT * np.mean(seen.scale, axis=1))
        left.append(seen.left)
        squares.setdefault((case["norm"], case["m"]), []).append(np.mean(seen.off**2, axis=2))
        z += [score] if case["m"] == 1 else []
        columns = {
            "theory_mean": np.mean(law.runs, axis=1),
            "descent_mean": mean,
            "descent_standard_error": np.std(seen.twice, axis=1, ddof=1) / np.sqrt(case["n"]),
            "expected_mean": law.mean,
            "expected_sd": law.sd,
            "z": score,
            "rms_error_eta_4": errors["rms_error_eta_4"],
            "largest_error_extrapolated": errors["largest_error_extrapolated"],
        }
        cell = {name: case[name] for name in ("name", "start", "norm", "m", "n")}
        cell |= {"participation_ratio": law.participation_ratio, "eta": float(part["eta"])}
        for (i, name), (k, t) in product(enumerate(Measures._fields), enumerate(grid.times)):
            values = {key: float(column[i, k]) for key, column in columns.items()}
            rows.append(cell | {"measure": name, "time": t} | values)
    order = [orders(np.sqrt(np.stack(parts, axis=1)), 1) for parts in squares.values()]
    gaps = [law.gap for law, case in zip(theory, cases, strict=True) if asked(case)]
    checks = [
        worst_of("runs", "distance of a run from solve, steps to 0", left, LEFT),
        worst_of("order", "|order - 1| of it in the step", np.array(order) - 1.0, 0.05),
        worst_of("means", "|z| of a mean over tasks against expect", z, 4.0),
        worst_of("flow", "distance between the flow (T11) and the Krylov route", gaps, LEFT),
    ]
    return rows, checks


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
