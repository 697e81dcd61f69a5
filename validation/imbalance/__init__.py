"""Imbalance (T1, T2, T3, T5): two layers of unequal weights against gradient descent.

Two kinds of runs, each made with three steps and extrapolated to none (`steps`):

- shared: starts that share their modes with the task, inputs white or not, (a, b) of every mode
  in every direction from b = 0 through a = b and a = 0 to a = -b, against `modes.state` and
  `modes.trajectory`, and as networks against `solve` by its method "modes";
- balanced: W2'W2 - W1 W1' = lambda I with lambda from negative to positive, randomly aligned with
  a task of several outputs, against `solve` by its method "riccati" and `riccati.Balanced`.

Distances are relative, those of a and b over the norm of (a, b) and those of a kernel over itself,
then or at the start, whichever is larger, as a mode at a = -b decays to nothing; of a loss over
that of the start, of a second moment QQ', Q = [W1'; W2], over its norm, and of RA absolute. The
checks:

- modes, networks, riccati, second moment: every extrapolated value is the theory's;
- their orders: the rms distance over runs, modes and times shrinks like the step, for every
  quantity of every case;
- conservation: D = W2'W2 - W1 W1' of descent, extrapolated, is `Network.conserved`, and that of a
  lambda-balanced start the level of `riccati.imbalance` times I, over ||W||^2; and its drift is
  that of `Solution.drift`, none;
- conservation order: the drift of D over ||W||^2 shrinks like the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Measures
from validation.comparison import Comparison
from validation.imbalance.report import draw, findings
from validation.imbalance.runs import FULL, QUICK, Grid, cases, simulate
from validation.imbalance.theory import Seen, compared
from validation.steps import LEFT
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "compare", "compared", "simulate"]

Array = NDArray[np.float64]

_MODES = ("first", "readout", "weight_change", "kernel", "loss")
_AGAINST = {
    "modes": "modes.state and modes.trajectory",
    "networks": "solve by modes",
    "riccati": "solve by riccati",
    "second moment": "riccati.Balanced",
}


def compare(seen: Sequence[Seen]) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    left: dict[str, list[Array]] = {name: [] for name in _AGAINST}
    order: dict[str, list[Array]] = {name: [] for name in _AGAINST}
    for one in seen:
        if one.case["kind"] == "shared":
            rows += _rows_of_modes(one.case, one.found, one.parts["modes"])
        rows += _rows(one.case, one.found, one.networks)
        for name, comparison in one.parts.items():
            left[name].append(comparison.left)
            order[name].append(comparison.orders - 1.0)
    checks = []
    for name, theory in _AGAINST.items():
        checks += [
            worst_of(
                name,
                f"distance from {theory}, steps extrapolated to 0",
                left[name],
                LEFT,
            ),
            worst_of(
                f"{name} order",
                "|order - 1| of the distance in the step",
                order[name],
                0.05,
            ),
        ]
    checks += [
        worst_of("conservation", "distance of D from its start's, extrapolated",
                 [one.kept for one in seen], LEFT),
        worst_of("conservation order", "|order - 1| of the drift of D",
                 [one.kept_order - 1.0 for one in seen], 0.05),
    ]  # fmt: skip
    return rows, checks


def _labels(case: Case, found: Arrays) -> dict[str, Any]:
    shared = case["kind"] == "shared"
    return {
        "kind": case["kind"],
        "white": case.get("white", True),
        "norm": case["norms"][case["index"]] if shared else float(np.sqrt(_size(case))),
        "lambda": "" if shared else float(found["level"]),
        "mode_strength": "",
        "angle": "",
        "eta": float(found["eta"]),
    }


def _size(case: Case) -> float:
    return float(case["sizes"][case["index"]])


def _rows(case: Case, found: Arrays, seen: Comparison) -> list[dict[str, Any]]:
    """One for each measure and time, over the runs."""
    columns = seen.columns(1)
    return [
        _labels(case, found)
        | {"quantity": Measures._fields[i], "time": case["times"][j]}
        | {name: float(column[i, j]) for name, column in columns.items()}
        for i, j in np.ndindex(columns["theory"].shape)
    ]


def _rows_of_modes(case: Case, found: Arrays, seen: Comparison) -> list[dict[str, Any]]:
    """One for each quantity, direction, time and mode."""
    single = Comparison(seen.plain[:, :, None], seen.theory[:, None], seen.scale[:, None])
    columns = single.columns(1)
    rows = []
    for i, run, j, mode in np.ndindex(columns["theory"].shape):
        cell = {"mode_strength": case["strengths"][mode], "angle": float(found["angle"][run, mode])}
        cell |= {"quantity": _MODES[i], "time": case["times"][j]}
        values = {name: float(column[i, run, j, mode]) for name, column in columns.items()}
        rows.append(_labels(case, found) | cell | values)
    return rows


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid, seen = grid_of(Grid, cases[0]), compared(cases, found)
    rows, checks = compare(seen)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, kind, index of the norm, white])"
    }
    return Result(rows, checks, draw(grid, seen), settings, findings(grid, seen))


STUDY = Study(
    name="imbalance",
    question=(
        "Do two layers of unequal weights learn as the theory says, with what T1 says is kept: "
        "modes of any imbalance as T3 does, lambda-balanced starts of any alignment as T5 does? "
        "The verdict is on that. And do they go from lazy to rich as lambda goes through 0? That "
        "answer, whichever it is, is among the findings."
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
