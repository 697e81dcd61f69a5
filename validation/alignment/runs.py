"""Runs of the study `alignment`: flat starts that hold a given share of their task."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from richlazy import boundaries
from validation.simulation.starts import directions, flat_on_axes
from validation.steps import halved_alike
from validation.study import Arrays, Case

__all__ = ["FULL", "KINDS", "QUICK", "Grid", "cases", "settling", "simulate", "start_of"]

Array = NDArray[np.float64]

#: Two outputs: modes orthogonal inside the row space; any; of one strength; more than ranks.
KINDS = ("orthogonal", "any", "equal", "few")
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
    values, eta = halved_alike(*start_of(case), case["times"], case["fineness"])
    return {"values": values, "eta": eta}
