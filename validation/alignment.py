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
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import richlazy as rl
from richlazy import boundaries, low_rank, several_outputs
from richlazy.laziness import Measures
from validation.simulation.starts import directions, flat_on_axes
from validation.steps import LEFT, SETTLED, extrapolated, halved, orders, place, steps_per_unit
from validation.study import DRAWN, TITLES, Arrays, Case, Check, Result, Study, grid_of, worst_of

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

#: Two outputs: modes orthogonal inside the row space; any; of one strength; more than ranks.
KINDS = ("orthogonal", "any", "equal", "few")
_ALL_KNOWN = ("orthogonal", "equal")  # every measure at infinity, in closed form
_E_FOLDS = 21.0  # of the slowest approach, in a run


@dataclass(frozen=True)
class Grid:
    """||beta|| = 1 for one output; the strengths of two are 1 and `second`, of equal ones 1."""

    inputs: int
    hidden: int
    norms: tuple[float, ...]
    ranks: tuple[int, ...]  #: below full; the full rank is always there
    alignments: tuple[float, ...]
    random: int  #: random tasks for each norm and rank
    starts: tuple[tuple[int, float], ...]  #: rank and norm, two outputs
    runs: int  #: for each kind and start of two outputs
    second: float = 0.5
    times: tuple[int, ...] = (1, 3, 8)  #: and one at which all has settled
    largest: float = 9.0  #: squared singular value of a start; what it has to wait grows like it
    fineness: int = 120  #: the largest step is 2/sharpness over this


FULL = Grid(
    inputs=12,
    hidden=14,
    norms=(0.5, 1.0, 2.0, 3.0, 4.0),
    ranks=(1, 2, 3, 6),
    alignments=(0.0, 1e-6, 0.001, 0.03, 0.1, 0.25, 0.5, 0.75, 0.95, 1.0),
    random=4,
    starts=((2, 0.5), (3, 1.0), (4, 1.5), (6, 2.0)),
    runs=8,
    fineness=150,
)
QUICK = Grid(
    inputs=8,
    hidden=9,
    norms=(0.5, 3.0),
    ranks=(2, 4),
    alignments=(0.0, 1e-6, 0.1, 0.5, 1.0),
    random=2,
    starts=((3, 1.0),),
    runs=4,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each norm and rank of one output, and each kind and start of two."""
    common = {"inputs": grid.inputs, "hidden": grid.hidden, "fineness": grid.fineness, "seed": seed}
    common |= {"grid": asdict(grid)}
    found: list[Case] = []
    for (i, norm), rank in product(enumerate(grid.norms), (*grid.ranks, grid.inputs)):
        square = norm**2 / rank
        if square > grid.largest:
            continue
        boundary = _boundary(grid.inputs, rank, norm)
        sides = [c + side * gap for c, gap in boundary.values() for side in (-1, 1)]
        rng = np.random.default_rng([seed, rank, i])
        drawn = rng.beta(rank / 2, max(grid.inputs - rank, 1) / 2, grid.random).tolist()
        given = [1.0] if rank == grid.inputs else [*grid.alignments, *drawn, *sides]
        last = settling(square, 1.0, min(c for c in given if c > 0))
        this = {"kind": "one", "rank": rank, "norm": norm, "alignments": given, "draw": [rank, i]}
        found.append(common | this | {"boundary": boundary, "times": _until(grid, last)})
    for kind, (rank, norm) in product(KINDS, grid.starts):
        if kind == "few":
            rank, norm = 1, norm / np.sqrt(rank)  # the same singular value
        strengths = [1.0, 1.0 if kind == "equal" else grid.second]
        this = {"kind": kind, "rank": rank, "norm": norm, "strengths": strengths, "runs": grid.runs}
        # modes lean on each other where they are not orthogonal: a share far below any that is met
        last = settling(norm**2 / rank, strengths[1], 1e-3)
        draw = [KINDS.index(kind), int(1000 * norm)]
        found.append(common | this | {"draw": draw, "times": _until(grid, last)})
    return found


def _boundary(inputs: int, rank: int, norm: float) -> dict[str, tuple[float, float]]:
    """T9's alignment by measure, where a task can have it, and how far to look beside it."""
    if rank == inputs:
        return {}
    found = boundaries.alignment(rank, inputs, norm=norm)._asdict()
    inside = {name: float(c) for name, c in found.items() if 0.0 < c < 1.0}
    return {name: (c, min(0.02, c / 2, (1.0 - c) / 2)) for name, c in inside.items()}


def settling(square: float, strength: float, alignment: float, e_folds: float = _E_FOLDS) -> float:
    """Time to leave the start and to arrive, from the rates of T6."""
    rate = np.hypot(strength, square / 2)
    leave = max(np.log(1.0 / (square * alignment)), 0.0) / (2 * rate)
    return float(leave + e_folds / (strength**2 / (rate + square / 2)))


def _until(grid: Grid, last: float) -> list[int]:
    return [*grid.times, int(np.ceil(max(last, grid.times[-1] + 1)))]


def start_of(case: Case) -> tuple[Array, Array, Array]:
    """W1, W2 and cov_yx of every run; the row space is that of the first axes."""
    d, h, rank = case["inputs"], case["hidden"], case["rank"]
    rng = np.random.default_rng([case["seed"], *case["draw"], 1])
    one = case["kind"] == "one"
    n, m = len(case["alignments"]) if one else case["runs"], 1 if one else 2
    first = flat_on_axes(rng, n, (h, d), rank, case["norm"])
    if case["kind"] in ("one", "orthogonal"):
        c = np.array(case["alignments"])[:, None] if one else rng.uniform(0.1, 0.9, (n, m))
        modes = np.zeros((n, d, m))
        inside, outside = (
            directions(rng, n, size, min(m, size)) if size else np.zeros((n, 0, m))
            for size in (rank, d - rank)
        )
        modes[:, :rank] = np.sqrt(c)[:, None, :] * inside
        modes[:, rank:] = np.sqrt(1.0 - c)[:, None, :] * outside
    else:
        modes = directions(rng, n, d, m)
    strengths = np.ones(1) if one else np.array(case["strengths"])
    turn = np.ones((n, 1, 1)) if one else directions(rng, n, m, m)
    return first, np.zeros((n, m, h)), (turn * strengths) @ modes.mT


def simulate(case: Case) -> Arrays:
    """Runs from starts of one norm and rank."""
    first, readout, cov_yx = start_of(case)
    per_unit = steps_per_unit(first[:1], readout[:1], cov_yx[:1], case["fineness"])
    values = halved(first, readout, cov_yx, case["times"], per_unit)
    return {"values": values, "eta": np.array(1.0 / per_unit)}


def _of_one(case: Case) -> Array:
    """T6, (measures, runs, times and infinity)."""
    c = np.array(case["alignments"])[:, None]
    given = {"alignment": c, "norm": case["norm"], "t": [*case["times"], np.inf]}
    return np.stack(low_rank.measures(case["rank"], case["inputs"], **given))


def _of_two(case: Case) -> tuple[Array, Array]:
    """What `solve` says at the times, and T6 at infinity, NaN but for what is `_known`."""
    first, readout, cov_yx = start_of(case)
    runs = zip(first, readout, cov_yx, strict=True)
    solved = [rl.solve(rl.Network(a, b), rl.Task(y)).measures(case["times"]) for a, b, y in runs]
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
    return np.moveaxis([np.stack(m) for m in solved], 0, 1), end


def _known(case: Case) -> list[int]:
    """Places of the measures of two outputs for which T6 has an end in closed form."""
    known = Measures if case["kind"] in _ALL_KNOWN else several_outputs.Converged
    return [place(name) for name in known._fields]


def _scale(theory: Array, start: float = 0.5) -> Array:
    """What distances are divided by; 1 for what the theory says is nothing."""
    scale = np.where(theory == 0.0, 1.0, np.abs(theory))
    scale[place("loss")] = start
    scale[place("representation_alignment")] = 1.0
    return scale


def compare(cases: Sequence[Case], found: Sequence[Arrays]) -> tuple[list[Any], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    off_runs, off_limit, off_order, moved, off_two, off_two_limit, to_go = ([] for _ in range(7))
    for case, part in zip(cases, found, strict=True):
        twice = extrapolated(part["values"])[1]
        if case["kind"] == "one":
            theory = _of_one(case)
            theory, end = theory[..., :-1], theory[..., -1]
            never = np.array(case["alignments"]) == 0.0
            off = (part["values"] - theory) / _scale(theory)
            off_order.append(orders(off[:, :, ~never], (2, 3)) - 1.0)
            start = np.reshape([0.0, 0.0, 0.0, 1.0, 1.0, 0.5], (-1, 1, 1))
            moved.append((part["values"][:, :, never] - start).ravel())
            left = (twice - theory) / _scale(theory)
            off_runs.append(left.ravel())
            off_limit.append(((twice[..., -1] - end) / _scale(end))[:, ~never].ravel())
            to_go.append((twice[..., -1] - end)[place("loss"), ~never])
        else:
            theory, end = _of_two(case)
            start = 0.5 * sum(s**2 for s in case["strengths"])
            left = (twice - theory) / _scale(theory, start)
            off_two.append(left.ravel())
            at_end = (twice[..., -1] - end) / _scale(end, start)
            off_two_limit.append(at_end[_known(case)].ravel())
            to_go.append((twice[..., -1] - end)[place("loss")])
        rows += _rows(case, theory, twice, left, float(part["eta"]))
    sides, gaps = _sides(cases, found)
    tests = [
        ("runs", "distance of a run from T6, steps extrapolated to 0", off_runs, LEFT),
        ("order", "|order - 1| of the distance from T6 in the step", off_order, 0.05),
        ("settled", "loss at the last time less that of T6 at t = inf", to_go, SETTLED),
        ("limit", "distance of a run at its end from T6 at t = inf", off_limit, 1e-5),
        ("never", "what moves at alignment 0", moved, 1e-12),
        ("outputs", "distance of a run of two outputs from solve", off_two, LEFT),
        ("outputs limit", "distance of one at its end from T6 at t = inf", off_two_limit, 1e-5),
        ("sides", "1 where laziness is not on the side T9 says", sides, 0.5),
        ("boundary", "distance of the alignment of a tie from T9", gaps, 1e-5),
    ]
    checks = [
        worst_of(name, test, np.concatenate([*map(np.ravel, values), []]), limit)
        for name, test, values, limit in tests
    ]
    return rows, checks


def _sides(cases: Sequence[Case], found: Sequence[Arrays]) -> tuple[Array, Array]:
    """Per boundary: whether either side is wrong, and how far the tie is from T9."""
    ones = [(c, extrapolated(p["values"])[1]) for c, p in zip(cases, found, strict=True)]
    ones = [(case, twice) for case, twice in ones if case["kind"] == "one"]
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


def _rows(case: Case, theory: Array, twice: Array, left: Array, eta: float) -> list[dict[str, Any]]:
    c = case.get("alignments", [np.nan] * theory.shape[1])
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
            "theory": float(theory[i, j, k]),
            "descent": float(twice[i, j, k]),
            "error": float(left[i, j, k]),
        }
        for i, j, k in np.ndindex(theory.shape)
    ]


def findings(grid: Grid, cases: Sequence[Case], rows: Sequence[dict[str, Any]]) -> list[str]:
    """What alignment does, and from where on it makes a low rank lazier than the full one."""
    said = []
    kernel = [r for r in rows if r["kind"] == "one" and r["last"]]
    kernel = [r for r in kernel if r["measure"] == "kernel_alignment"]
    least = min(c for c in grid.alignments if c > 0)
    for norm in (grid.norms[0], grid.norms[-1]):
        chosen = [r for r in kernel if r["norm"] == norm]
        low = min(r["rank"] for r in chosen)
        ends = {r["alignment"]: r["descent"] for r in chosen if r["rank"] == low}
        full = next(r["descent"] for r in chosen if r["rank"] == grid.inputs)
        said.append(
            f"norm {norm:g}, rank {low} of {grid.inputs}: KA at the end is {ends[least]:.4f} at "
            f"alignment {least:g} and {ends[1.0]:.4f} at 1, against {full:.4f} at full rank; at "
            f"alignment 0 nothing is learned, and KA stays 1."
        )
    for name in boundaries.Boundary._fields:
        one = [case for case in cases if case["kind"] == "one" and case["rank"] < grid.inputs]
        inside = [case["boundary"][name][0] for case in one if name in case["boundary"]]
        said.append(
            f"By {name.replace('_', ' ')} some alignment makes a low rank as lazy as the full one "
            f"in {len(inside)} of {len(one)} pairs of norm and rank"
            + (f", from {min(inside):.3f} to {max(inside):.4f}." if inside else ".")
        )
    return said


def draw(grid: Grid, rows: Sequence[dict[str, Any]]) -> Figure:
    """Measures against alignment: early and at the end of the two outer norms."""
    views = [(norm, last) for norm in (grid.norms[0], grid.norms[-1]) for last in (False, True)]
    figure = Figure(figsize=(11.0, 9.0), layout="constrained")
    panels = figure.subplots(len(views), 3, sharex=True, squeeze=False)
    line = np.linspace(0.0, 1.0, 401)[1:]
    one = [r for r in rows if r["kind"] == "one"]
    for (i, (norm, last)), (j, measure) in product(enumerate(views), enumerate(DRAWN)):
        panel, time = panels[i, j], np.inf if last else grid.times[1]
        chosen = [r for r in one if (r["norm"], r["measure"]) == (norm, measure)]
        chosen = [r for r in chosen if (r["last"] if last else r["time"] == time)]
        for rank in sorted({r["rank"] for r in chosen}):
            dots = [r for r in chosen if r["rank"] == rank]
            if rank == grid.inputs:
                panel.axhline(dots[0]["descent"], color="k", ls="--", lw=1.0, label="full rank")
                continue
            color = f"C{grid.ranks.index(rank)}"
            theory = low_rank.measures(rank, grid.inputs, alignment=line, norm=norm, t=time)
            panel.plot(line, getattr(theory, measure), color=color, lw=1.0)
            xy = [[r[name] for r in dots] for name in ("alignment", "descent")]
            panel.plot(*xy, "o", color=color, ms=3.0, label=f"rank {rank}")
        if j == 0:
            panel.set_ylabel(f"norm {norm:g}, " + ("t → ∞" if last else f"t = {time}"))
    for panel, title in zip(panels[0], TITLES, strict=True):
        panel.set_title(title)
    for panel in panels[-1]:
        panel.set_xlabel("task alignment c")
    panels[0, 2].legend(frameon=False, fontsize=8, title="dots: descent, lines: T6")
    return figure


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
