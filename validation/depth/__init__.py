"""Depth (T4, T11, T1): deep linear networks of 1 to 6 layers against gradient descent.

Three kinds of runs, each made with three steps and extrapolated to none (`steps`):

- aligned: networks whose layers share balanced modes, in random frames and layers of unequal
  width, against `depth.state`: each mode's strength and change of kernel, the weight changes and
  the loss of the whole;
- powers: gradient descent of one weight W in f(x) = (W/sqrt(L))^L x, which is a balanced mode of
  L layers for any real L, against `curves.depth`; and at great L against `depth.infinite`;
- random: Gaussian starts of 3 and 4 layers, white inputs or not, against `deep.solve`.

Distances are relative; that of a loss relative to its start, of RA absolute, of the relative
change k of a kernel over 1 + k. The checks:

- aligned, powers, infinite, random: every extrapolated value is the theory's (infinite:
  extrapolated in the step and then, by the same rule, in 1/L);
- their orders: the rms distance, over modes and times (random: over runs and times), shrinks like
  the step (infinite: like 1/L), for every quantity of every case;
- times: T4's time to where descent is, wherever a mode has gone 5 to 95 % of its way, is the time
  that it took;
- conservation: change of W_{l+1}'W_{l+1} - W_l W_l', all l together, over ||W||^2, extrapolated,
  is that of `deep.DeepSolution.drift`, none; its order in the step.

What one layer cannot change, its kernel, has no order and is left out there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import depth
from richlazy.laziness import Measures
from validation.comparison import Comparison
from validation.depth.report import draw, findings
from validation.depth.runs import FULL, QUICK, Grid, cases, simulate
from validation.depth.theory import (
    ALIGNED,
    INFINITE,
    POWERS,
    compared_aligned,
    compared_infinite,
    compared_powers,
    compared_random,
)
from validation.steps import LEFT, extrapolated, orders
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "compare", "simulate"]

Array = NDArray[np.float64]

_AGAINST = {
    "aligned": "depth.state",
    "powers": "curves.depth",
    "infinite": "depth.infinite",
    "random": "deep.solve",
}


def compare(
    cases: Sequence[Case], found: Sequence[Arrays]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    left: dict[str, list[Array]] = {kind: [] for kind in _AGAINST}
    order: dict[str, list[Array]] = {kind: [] for kind in _AGAINST}
    late, drift, drift_order = [], [], []
    for case, part in zip(cases, found, strict=True):
        kind = case["kind"]
        if kind == "aligned":
            seen = compared_aligned(case, part)
            late.append(_late(case, part, seen.twice[0]))
        elif kind == "powers":
            seen = compared_powers(case, part)
        elif kind == "infinite":
            seen = compared_infinite(case, part)
        else:
            seen, theory_drift = compared_random(case, part)
            drift.append(extrapolated(part["drift"])[1][:, -1] - theory_drift)
            drift_order.append(orders(part["drift"], (1, 2)) - 1.0)
        off = seen.left
        if kind == "aligned":  # what is of the whole network counts once
            left[kind].append(off[2:, ..., 0])
            off = off[:2]
        left[kind].append(off)
        order[kind].append(seen.orders - 1.0)
        rows += _rows(case, part, seen)
    checks = []
    for kind, theory in _AGAINST.items():
        checks += [
            worst_of(kind, f"distance from {theory}, steps extrapolated to 0", left[kind], LEFT),
            worst_of(
                f"{kind} order",
                "|order - 1| of the distance in the step, or in 1/L",
                order[kind],
                0.05,
            ),
        ]
    checks += [
        worst_of("times", "depth.time to where descent is, relative", late, LEFT),
        worst_of("conservation", "drift of the balances, extrapolated", drift, LEFT),
        worst_of("conservation order", "|order - 1| of the drift", drift_order, 0.05),
    ]
    return rows, checks


def _late(case: Case, found: Arrays, strength: Array) -> Array:
    """T4's time to each mode's strength over the time it took, less 1, on the way of the mode."""
    start, strengths = case["starts"][case["index"]], np.array(case["strengths"])
    way = (strength - start) / (strengths - start)
    when, goal = (
        np.broadcast_to(x, way.shape)[(way > 0.05) & (way < 0.95)]
        for x in (found["times"][:, None], strengths)
    )
    reached = strength[(way > 0.05) & (way < 0.95)]
    return np.asarray(depth.time(start, reached, goal, case["layers"]) / when - 1.0)


def _rows(case: Case, found: Arrays, seen: Comparison) -> list[dict[str, Any]]:
    """One for each quantity and time, and each mode or start it belongs to.

    At infinite depth it is 1/L and not eta whose errors, halved and halved again, are given.
    """
    kind, eta = case["kind"], float(found["eta"])
    empty = {"layers": "", "start": "", "strength": "", "gain": "", "white": True}
    rows = []
    if kind in ("powers", "infinite"):
        seen = Comparison(seen.plain[:, :, None], seen.theory[:, None], seen.scale[:, None])
    columns = seen.columns(1)
    for place_of in np.ndindex(columns["theory"].shape):
        cell = dict(empty)
        if kind == "aligned":
            i, time, mode = place_of
            if i > 1 and mode > 0:
                continue  # of the whole network
            start, when = case["starts"][case["index"]], found["times"][time]
            cell |= {"layers": case["layers"], "start": start}
            cell |= {"strength": case["strengths"][mode]} if i < 2 else {}
        elif kind == "infinite":
            i, j, time = place_of
            cell |= {"layers": np.inf, "start": case["starts"][j], "strength": 1.0}
            when = case["great_times"][time]
        elif kind == "powers":
            i, j, k, time = place_of
            cell |= {"layers": case["real_depths"][k], "start": case["starts"][j], "strength": 1.0}
            when = case["real_times"][time]
        else:
            i, time = place_of
            gain, when = case["gains"][case["index"]], case["random_times"][time]
            cell |= {"layers": case["layers"], "gain": gain, "white": case["white"]}
        name = {
            "aligned": ALIGNED,
            "powers": POWERS,
            "infinite": INFINITE,
            "random": Measures._fields,
        }[kind][i]
        cell |= {"time": float(when), "eta": eta}
        cell |= {name: float(column[place_of]) for name, column in columns.items()}
        rows.append({"kind": kind, "quantity": name} | cell)
    return rows


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    rows, checks = compare(cases, found)
    settings = asdict(grid) | {"generator": "numpy default_rng([seed, kind, layers, index, white])"}
    said = findings(grid, cases, found)
    return Result(rows, checks, draw(grid, cases, found), settings, said)


STUDY = Study(
    name="depth",
    question=(
        "Do linear networks of any depth learn as the theory says: balanced modes that all layers "
        "share as T4 does, at every time, and random starts as the flow of T11 does, with the "
        "balances of T1 kept, but for the size of the steps?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
