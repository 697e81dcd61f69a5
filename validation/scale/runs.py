"""Cases of the scale study, and descent of one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import boundaries, laziest
from validation.alignment import runs as alignment
from validation.simulation.starts import flat_on_axes, orthonormal
from validation.simulation.thin import thin_halved
from validation.steps import halved_alike
from validation.study import Arrays, Case

__all__ = ["FULL", "QUICK", "Grid", "beside", "cases", "simulate"]

Array = NDArray[np.float64]

_BESIDE = 1.5  # ranks on both sides of a turn are this factor away


@dataclass(frozen=True)
class Grid:
    """Silent readout and white inputs throughout."""

    # random tasks of one output from rich to lazy
    inputs: int
    scales: tuple[tuple[float, float], ...]  #: norm and strength
    ranks: tuple[int, ...]
    tasks: int
    times: tuple[int, ...]
    # towards the limits: given alignments, norms or squared singular values halved or doubled
    rich_ranks: tuple[int, ...]
    lazy_ranks: tuple[int, ...]
    squares: tuple[float, ...]
    # where the mean is not monotone in the rank
    turning: tuple[
        int, float
    ]  #: inputs, and how far into the window of norms squared, and before it
    between: tuple[int, ...]  #: ranks beside those that turn
    unequal: tuple[tuple[int, float, float, int, float], ...]
    """Inputs, second strength, norm squared, runs and fineness; and at half the least norm at which
    full rank is not the laziest.
    """
    many: int  #: runs of one output
    rich_norms: tuple[float, ...] = (0.16, 0.08, 0.04)
    rich_shares: tuple[float, ...] = (0.2, 0.5, 0.8)  #: alignments on the way to a limit
    lazy_shares: tuple[float, ...] = (0.1, 0.4)
    lazy_inputs: int = 4
    early: tuple[int, float, int] = (100, 3.0, 2)  #: inputs, norm and time
    fineness: int = 120  #: the largest step is 2/sharpness over this
    lazy_fineness: int = 20  #: of runs that are long


FULL = Grid(
    inputs=16,
    scales=((0.03, 1.0), (0.1, 1.0), (0.3, 1.0), (1.0, 1.0), (3.0, 1.0), (3.0, 0.1), (3.0, 0.01)),
    ranks=(1, 3, 8, 16),
    tasks=64,
    times=(2, 8, 24),
    rich_ranks=(2, 5, 10),
    lazy_ranks=(1, 2, 3),
    squares=(4.0, 8.0, 16.0),
    turning=(100, 4.0),
    between=(2, 10, 50),
    unequal=((150, 0.05, 56.2, 64, 6.0), (2000, 0.3, 434.0, 64, 12.0)),
    many=1024,
    fineness=160,
)
QUICK = Grid(
    inputs=8,
    scales=((0.03, 1.0), (1.0, 1.0), (2.0, 0.1)),
    ranks=(2, 8),
    tasks=32,
    times=(2, 24),
    rich_ranks=(2, 5),
    lazy_ranks=(2,),
    squares=(6.0, 12.0),
    turning=(100, 2.0),
    between=(2,),
    unequal=((2000, 0.3, 434.0, 32, 4.0),),
    many=256,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """All parts, one after another."""
    d = grid.inputs
    found = [
        {"part": "scales", "norm": norm, "strength": g, "rank": r, "times": list(grid.times)}
        for norm, g in grid.scales
        for r in grid.ranks
    ]
    for r in grid.rich_ranks:
        for norm in grid.rich_norms:
            last = alignment.settling(norm**2 / r, 1.0, min(grid.rich_shares))
            found.append(_given("rich", r, norm, grid.rich_shares, last, grid.fineness))
    few = {"inputs": grid.lazy_inputs, "hidden": grid.lazy_inputs}
    for r in grid.lazy_ranks:
        for square in grid.squares:
            norm = np.sqrt(r * square)
            last = alignment.settling(square, 1.0, min(grid.lazy_shares))
            found.append(few | _given("lazy", r, norm, grid.lazy_shares, last, grid.lazy_fineness))
            # what is aligned soon arrives
            found.append(few | _given("aligned", r, norm, (1.0,), 8.0, grid.fineness))
    found += [{"part": "plain", "rank": 3, "outputs": m} for m in (1, 2)]
    found += _thin_cases(grid)
    common = {"grid": asdict(grid), "seed": seed, "inputs": d, "hidden": d}
    return [common | {"draw": [index]} | case for index, case in enumerate(found)]


def _given(
    part: str, rank: int, norm: float, shares: tuple[float, ...], last: float, fineness: int
) -> dict[str, Any]:
    """A case of the study `alignment`, at its end."""
    return {
        "part": part,
        "kind": "one",
        "rank": rank,
        "norm": float(norm),
        "alignments": list(shares),
        "times": [int(np.ceil(last))],
        "fineness": fineness,
    }


def _thin_cases(grid: Grid) -> list[dict[str, Any]]:
    d, factor = grid.turning
    window = boundaries.kernel_window(d)
    assert window is not None
    inside, outside = window.lowest * factor, window.lowest / factor
    turns = boundaries.turning_ranks(d, norm=np.sqrt(inside)).kernel_alignment
    peak = boundaries.peak_rank(d, norm=np.sqrt(inside))
    ranks = sorted({*grid.between, *(round(r) for r in turns), round(peak), d})
    kernel, representation = ([x for r in at for x in beside(r)] for at in (turns, [peak]))
    ladders = {
        "kernel_alignment": sorted({ranks[0], *kernel, d}),
        "representation_alignment": sorted({ranks[0], *representation, d}),
    }
    more = sorted({*kernel, *representation, *ranks})
    found = []
    for group, square, chosen in (("turning", inside, more), ("monotone", outside, ranks)):
        for r in chosen:
            # tasks of less than 1e-5 are too few to matter
            last = alignment.settling(square / r, 1.0, 1e-5)
            case = _random(group, d, r, square, [1.0], last, grid.many, grid.fineness)
            found.append(case | ({"ladders": ladders} if group == "turning" else {}))
    for d, second, square, runs, fineness in grid.unequal:
        strengths = [1.0, second]
        low = int(laziest.rank(d, strengths=strengths, norm=np.sqrt(square)).rank)
        window = laziest.window(d, strengths=strengths)
        assert window is not None
        less = 0.25 * window.lowest_norm**2
        for size, r in [*((square, x) for x in (*beside(low), d)), (less, low), (less, d)]:
            # a share e^-8 is left of the slowest approach
            last = alignment.settling(size / r, second, 1.0, e_folds=8.0)
            found.append(_random("unequal", d, r, size, strengths, last, runs, fineness))
    d, norm, time = grid.early
    for r in (1, d):
        found.append(_random("early", d, r, norm**2, [1.0], time, grid.many, grid.fineness))
    return found


def beside(turn: float) -> list[int]:
    """The whole rank next to a turn, and one on either side of it."""
    return [round(turn / _BESIDE), round(turn), round(_BESIDE * turn)]


def _random(
    group: str,
    inputs: int,
    rank: int,
    square: float,
    strengths: list[float],
    last: float,
    runs: int,
    fineness: float,
) -> dict[str, Any]:
    return {
        "part": "thin",
        "group": group,
        "inputs": inputs,
        "rank": rank,
        "norm": float(np.sqrt(square)),
        "strengths": strengths,
        "time": int(np.ceil(last)),
        "runs": runs if rank < inputs else 2,  # at full rank every task is alike
        "fineness": fineness,
    }


def simulate(case: Case) -> Arrays:
    """Runs of one case."""
    rng = np.random.default_rng([case["seed"], *case["draw"]])
    if case["part"] == "thin":
        strengths = np.array(case["strengths"])
        modes = orthonormal(rng, case["runs"], case["inputs"], len(strengths))
        given = case["norm"], strengths, case["time"], case["fineness"]
        return {"values": thin_halved(modes, case["rank"], *given)}
    if case["part"] == "plain":
        return _plain(case, rng)
    if case["part"] == "scales":
        return _scales(case, rng)
    return alignment.simulate(case)


def _scales(case: Case, rng: np.random.Generator) -> Arrays:
    """Random tasks; the row space is that of the first axes, and spare hidden units are silent."""
    grid, d, rank = case["grid"], case["inputs"], case["rank"]
    n = grid["tasks"]
    first = flat_on_axes(rng, n, (d, d), rank, case["norm"])
    task = orthonormal(rng, n, d, 1)
    share = np.sum(task[:, :rank] ** 2, axis=(1, 2)) if rank < d else np.ones(n)
    cov_yx, readout = case["strength"] * task.mT, np.zeros((n, 1, d))
    values, _ = halved_alike(first, readout, cov_yx, case["times"], grid["fineness"])
    return {"values": values, "alignment": share}


def _plain(case: Case, rng: np.random.Generator) -> Arrays:
    """The same descent of the whole network and of its thin one."""
    d, rank, time, fineness = case["inputs"], case["rank"], 6, 20.0
    n, strengths = 8, np.array([1.0, 0.5])[: case["outputs"]]
    modes = orthonormal(rng, n, d, len(strengths))
    first = flat_on_axes(rng, n, (d, d), rank, 1.0)
    cov_yx = (modes * strengths).mT
    readout = np.zeros((n, len(strengths), d))
    whole = halved_alike(first, readout, cov_yx, [time], fineness)[0][..., 0]
    return {"whole": whole, "values": thin_halved(modes, rank, 1.0, strengths, time, fineness)}
