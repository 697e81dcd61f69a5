"""Step size (T13, T6, T1): how far descent of step eta is from the flow, and the constant of it.

Random tasks are learned with the largest step up to 2/sharpness/2 that divides a unit of time
(sharpness as estimated by `stable_step`), halved seven times to about /256, and held at fixed times
against `solve`, which takes T6's closed form where there is one. Quantities y are the seven
measures, both layers' weights together, and the conserved D = W2'W2 - W1 W1' of T1, relative to the
size of their own theory (D to that of W2'W2 + W1 W1' on the flow). T13 says
y(eta) = y + eta y1 + O(eta^2):
the flow W' = G(W), with J its derivative, carries the correction delta' = J (delta - G/2) of the
weights, from 0; that of a measure is its slope along delta, and that of D the integral of
G2'G2 - G1 G1'. SciPy integrates both with the flow. A cell is one quantity, start, number of
outputs, kind of inputs, and time; the root of its mean square over runs is what is fitted. Orders
are those over the four smallest steps, from about 2/sharpness/32 on. The checks:

- order: the distance from the flow shrinks like eta: fitted order 1 +- 0.05;
- constant: the distance over eta, of the three smallest steps and extrapolated twice to none, is
  y1 to 1e-4 of it;
- second order: what eta y1 leaves of the distance shrinks like eta^2: fitted order 2 +- 0.1;
- remainder: at every step what eta y1 leaves is at most eta x sharpness of the largest eta y1 of
  all times (at one time y1 may vanish).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np

from validation.step.report import draw, findings, largest_steps
from validation.step.runs import FULL, QUICK, Grid, Part, cases, gathered, rms_over_runs, simulate
from validation.steps import extrapolated, orders
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["STUDY", "compare", "conclude", "draw", "findings", "largest_steps"]

_SMALL = 4  # of the steps, the smallest, are taken for asymptotic


def compare(grid: Grid, parts: Sequence[Part]) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows, order, second, constant, remainder = [], [], [], [], []
    for part in parts:
        eta = part.eta[..., None, None]
        away = part.descent - part.theory
        distance = np.linalg.norm(away, axis=-1)  # (steps, runs, times)
        left = np.linalg.norm(away - eta * part.constant, axis=-1)
        first_order = np.linalg.norm(eta * part.constant, axis=-1)
        unfit = extrapolated((away / eta)[-3:])[1] - part.constant
        off = rms_over_runs(np.linalg.norm(unfit, axis=-1)) / rms_over_runs(
            np.linalg.norm(part.constant, axis=-1)
        )
        share = rms_over_runs(left) / np.max(rms_over_runs(first_order), axis=-1, keepdims=True)
        part_order, part_second = orders(distance[-_SMALL:], 1), orders(left[-_SMALL:], 1)
        order.append(part_order - 1.0)
        second.append(part_second - 2.0)
        constant.append(off)
        remainder.append(share * part.fineness[:, None] / 2.0)
        relative = rms_over_runs(distance / part.scale)
        for (s, fine), (l, time) in product(enumerate(part.fineness), enumerate(grid.times)):
            rows.append(
                {
                    "start": part.start,
                    "norm": part.norm,
                    "outputs": part.outputs,
                    "inputs": part.kind,
                    "quantity": part.quantity,
                    "time": time,
                    "step_over_stable": float(1.0 / fine),
                    "rms_distance": float(relative[s, l]),
                    "rms_first_order": float(rms_over_runs(first_order / part.scale)[s, l]),
                    "remainder_over_largest_first_order": float(share[s, l]),
                    "order": float(part_order[l]),
                    "second_order": float(part_second[l]),
                    "constant_error": float(off[l]),
                }
            )
    checks = [
        worst_of("order", "|order - 1| of the distance from the flow in the step", order, 0.05),
        worst_of("constant", "distance of the measured constant from T13, over it", constant, 1e-4),
        worst_of("second order", "|order - 2| of what eta times it leaves", second, 0.1),
        worst_of("remainder", "that over eta x sharpness x eta times it", remainder, 1.0),
    ]
    return rows, checks


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    parts = gathered(cases, found)
    rows, checks = compare(grid, parts)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, indices of start and norm, outputs, white, group])"
    }
    return Result(rows, checks, draw(grid, parts), settings, findings(grid, parts, rows))


STUDY = Study(
    name="step",
    question=(
        "Is gradient descent with a step eta away from the flow by eta times the constant that T13 "
        "gives, in weights, loss, alignments and what the flow conserves, for one output and "
        "several, white inputs and others; and how large may a step be?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
