"""Alignment (T6, T9): flat starts that hold all, part or nothing of their task.

Silent readout, white inputs; the task's share c inside the row space of the start goes from 0 to 1,
given, at random directions, and on both sides of where T9 puts the full rank's laziness. The start
is written in a basis of its row space, so that what lies outside is outside to the last bit, and so
are the hidden units that it leaves silent. Every run f is made with three steps and extrapolated to
none, f2 (`steps`). Distances are relative; those of the loss and of RA, which can vanish, relative
to their value at the start. The checks:

- runs: every run of one output is T6 at its own c, at every time;
- order: the rms distance of f from T6 over runs and times shrinks like the step, for every measure,
  norm and rank;
- settled: at the last time the loss of every run but those of c = 0 is that of T6 at t = infinity
  to 1e-12, as the time is chosen for it (`settling`);
- limit: at the last time every run but those of c = 0 is T6 at t = infinity to 1e-5;
- never: at c = 0 no measure moves from its start, at all;
- outputs: every run of two outputs is what `solve` says, at every time;
- outputs limit: at the last time every one is T6 at t = infinity to 1e-5: all measures for modes
  that stay orthogonal inside the row space or are equally strong, and RA, KA, dW2 and the loss for
  any, with fewer ranks than outputs too;
- sides: just above the alignment that T9 gives, a run at its last time is lazier than the one of
  full rank and the same norm, and just below it richer, by RA, KA and dW each;
- boundary: where the line through both crosses the full rank (RA, KA in c, dW^2 in sqrt(c), in
  which T6 is linear) is T9's alignment to 1e-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

import richlazy as rl
from richlazy import boundaries, low_rank, several_outputs
from richlazy.laziness import Measures
from validation.alignment.report import draw, findings
from validation.alignment.runs import FULL, KINDS, QUICK, Grid, cases, settling, simulate, start_of
from validation.comparison import Comparison, measured, scale_of
from validation.steps import LEFT, SETTLED, extrapolated, orders, place
from validation.study import Arrays, Case, Check, Result, Study, grid_of, selected, worst_of

__all__ = [
    "FULL",
    "KINDS",
    "QUICK",
    "STUDY",
    "Grid",
    "cases",
    "compare",
    "settling",
    "simulate",
    "start_of",
]

Array = NDArray[np.float64]

_ALL_KNOWN = ("orthogonal", "equal")  # every measure at infinity, in closed form


def _of_one(case: Case) -> Array:
    """T6, (measures, runs, times and infinity)."""
    c = np.array(case["alignments"])[:, None]
    given = {"alignment": c, "norm": case["norm"], "t": [*case["times"], np.inf]}
    return np.stack(low_rank.measures(case["rank"], case["inputs"], **given))


def _of_two(case: Case) -> tuple[Array, Array]:
    """What `solve` says at the times, and T6 at infinity, NaN but for what is `_known`."""
    first, readout, cov_yx = start_of(case)
    runs = zip(first, readout, cov_yx, strict=True)
    solutions = [rl.solve(rl.Network(a, b), rl.Task(y)) for a, b, y in runs]
    d, rank, given = case["inputs"], case["rank"], {k: case[k] for k in ("norm", "strengths")}
    # right singular vectors inside the row space, strongest first
    inside = np.linalg.svd(cov_yx, full_matrices=False)[2][..., :rank]
    c = np.sum(inside**2, axis=2)
    if case["kind"] == "equal":
        c = np.linalg.svd(inside, compute_uv=False) ** 2
    if case["kind"] in _ALL_KNOWN:
        end = np.stack(several_outputs.measures(rank, d, alignment=c, **given))
    else:
        end = np.full((len(Measures._fields), len(c)), np.nan)
        found = several_outputs.alignments(rank, d, alignment=c, **given)._asdict()
        for name, value in found.items():
            end[place(name)] = value
    return measured(solutions, case["times"]), end


def _known(case: Case) -> list[int]:
    """Places of the measures of two outputs for which T6 has an end in closed form."""
    known = Measures if case["kind"] in _ALL_KNOWN else several_outputs.Converged
    return [place(name) for name in known._fields]


def compare(cases: Sequence[Case], found: Sequence[Arrays]) -> tuple[list[Any], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    off_runs, off_limit, off_order, moved, off_two, off_two_limit, to_go = ([] for _ in range(7))
    for case, part in zip(cases, found, strict=True):
        if case["kind"] == "one":
            whole = _of_one(case)
            theory, end = whole[..., :-1], whole[..., -1]
            seen = Comparison(part["values"], theory, scale_of(theory))
            never = np.array(case["alignments"]) == 0.0
            off_order.append(orders(seen.off[:, :, ~never], (2, 3)) - 1.0)
            start = np.reshape([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.5], (-1, 1, 1))
            moved.append(part["values"][:, :, never] - start)
            off_runs.append(seen.left)
            to_end = seen.twice[..., -1] - end
            off_limit.append((to_end / scale_of(end))[:, ~never])
            to_go.append(to_end[place("loss"), ~never])
        else:
            theory, end = _of_two(case)
            loss = 0.5 * sum(s**2 for s in case["strengths"])
            seen = Comparison(part["values"], theory, scale_of(theory, loss))
            off_two.append(seen.left)
            to_end = seen.twice[..., -1] - end
            off_two_limit.append((to_end / scale_of(end, loss))[_known(case)])
            to_go.append(to_end[place("loss")])
        rows += _rows(case, seen, float(part["eta"]))
    sides, gaps = _sides(cases, found)
    checks = [
        worst_of("runs", "distance of a run from T6, steps extrapolated to 0", off_runs, LEFT),
        worst_of("order", "|order - 1| of the distance from T6 in the step", off_order, 0.05),
        worst_of("settled", "loss at the last time less that of T6 at t = inf", to_go, SETTLED),
        worst_of("limit", "distance of a run at its end from T6 at t = inf", off_limit, 1e-5),
        worst_of("never", "what moves at alignment 0", moved, 1e-12),
        worst_of("outputs", "distance of a run of two outputs from solve", off_two, LEFT),
        worst_of(
            "outputs limit", "distance of one at its end from T6 at t = inf", off_two_limit, 1e-5
        ),
        worst_of("sides", "1 where laziness is not on the side T9 says", sides, 0.5),
        worst_of("boundary", "distance of the alignment of a tie from T9", gaps, 1e-5),
    ]
    return rows, checks


def _sides(cases: Sequence[Case], found: Sequence[Arrays]) -> tuple[Array, Array]:
    """Per boundary: whether either side is wrong, and how far the tie is from T9."""
    pairs = selected(cases, found, kind="one")
    ones = [(case, extrapolated(part["values"])[1]) for case, part in pairs]
    full = {case["norm"]: twice for case, twice in ones if case["rank"] == case["inputs"]}
    wrong, gaps = [], []
    for case, twice in ones:
        boundary = case["boundary"]
        for k, name in enumerate(boundary):
            at = len(case["alignments"]) - 2 * (len(boundary) - k) + np.arange(2)
            c = np.array(case["alignments"])[at]
            law = boundaries.alignment(case["rank"], case["inputs"], norm=case["norm"])
            theory = float(getattr(law, name))
            lead = twice[place(name), at, -1], full[case["norm"]][place(name), 0, -1]
            x = np.sqrt(c) if name == "weight_change" else c
            power, lazier = (2, -1.0) if name == "weight_change" else (1, 1.0)
            low, high = lazier * (lead[0] ** power - lead[1] ** power)
            wrong.append(float(not low < 0.0 < high) if c[0] < theory < c[1] else 1.0)
            tie = x[0] - low * (x[1] - x[0]) / (high - low)
            gaps.append((tie**2 if name == "weight_change" else tie) - theory)
    return np.array(wrong), np.array(gaps)


def _rows(case: Case, seen: Comparison, eta: float) -> list[dict[str, Any]]:
    c = case.get("alignments", [np.nan] * seen.theory.shape[1])
    return [
        {
            "kind": case["kind"],
            "norm": float(case["norm"]),
            "rank": case["rank"],
            "alignment": float(c[j]),
            "run": j,
            "measure": Measures._fields[i],
            "time": case["times"][k],
            "last": k == len(case["times"]) - 1,
            "eta": eta,
            "theory": float(seen.theory[i, j, k]),
            "descent": float(seen.twice[i, j, k]),
            "error": float(seen.left[i, j, k]),
        }
        for i, j, k in np.ndindex(seen.theory.shape)
    ]


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0]["grid"])
    rows, checks = compare(cases, found)
    settings = asdict(grid) | {"generator": "numpy default_rng([seed, *draw of the case, 1])"}
    return Result(rows, checks, draw(grid, rows), settings, findings(grid, cases, rows))


STUDY = Study(
    name="alignment",
    question=(
        "Do flat starts that hold all, part or nothing of their task learn it as T6 says, for one "
        "output and two, at the same time; and is a low rank lazier than the full one exactly from "
        "the alignment that T9 gives?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
