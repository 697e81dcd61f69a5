"""Recurrent networks from starts of every rank: the paper's central experiment, with more seeds.

W_h(0) is one Gaussian matrix of gain 1.25 cut to rank r by its singular values and rescaled to its
norm. Ranks of one seed share that matrix, W_x, W_o and all trials, so every test is paired.

- rank correlation: mean over seeds of Spearman's rho between rank and measure; the interval is a
  bootstrap over seeds;
- falls and rises: paired t-tests from rank 1 to 30, where the few seeds of the paper's code turn on
  DMS and CXT, and from there to full rank;
- matched loss: |dW_h| when the loss (mean of a window) first reaches the level that every run of
  that task reaches;
- reference: results of the paper's own code (3 to 5 seeds) lie within the spread of these seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from matplotlib.figure import Figure

from validation.rnn import PACKAGES
from validation.rnn.experiment import (
    GENERATOR,
    LEGACY,
    Networks,
    cases,
    ranked,
    ranks_of,
    simulate,
)
from validation.rnn.statistics import difference, rank_correlation
from validation.rnn.summary import NAMES, Found, checks, gathered, intervals, rows
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "compare", "conclude", "draw", "findings"]


FULL = Networks(
    tasks=(f"2AF{LEGACY}", "2AF", "DMS", f"CXT{LEGACY}", "CXT", "digits"),
    starts=ranked(1, 3, 10, 30, 100, 300),
    seeds=10,
)
QUICK = Networks(
    tasks=("2AF", "digits"), starts=ranked(1, 5, 50), seeds=3, units=50, steps=1000, rate=0.01
)

#: Means of the paper's code with neurogym 0.0.2, and half a unit of their last digit:
#: (task, measure, rank) -> (value, rounding).
PAPER = {
    (f"2AF{LEGACY}", "final_loss", 300): (0.033, 0.0005),
    ("DMS", "final_loss", 300): (2.5e-4, 0.05e-4),
    (f"CXT{LEGACY}", "final_loss", 300): (0.035, 0.0005),
    (f"2AF{LEGACY}", "kernel_alignment", 1): (0.11, 0.005),
    (f"2AF{LEGACY}", "kernel_alignment", 300): (0.66, 0.005),
    ("DMS", "kernel_alignment", 1): (0.12, 0.005),
    ("DMS", "kernel_alignment", 300): (0.70, 0.005),
    (f"CXT{LEGACY}", "kernel_alignment", 1): (0.20, 0.005),
    (f"CXT{LEGACY}", "kernel_alignment", 300): (0.52, 0.005),
    (f"2AF{LEGACY}", "representation_alignment", 1): (0.69, 0.005),
    (f"2AF{LEGACY}", "representation_alignment", 300): (0.97, 0.005),
    (f"2AF{LEGACY}", "weight_change", 1): (1.37, 0.005),
    (f"2AF{LEGACY}", "weight_change", 300): (1.09, 0.005),
}
#: Where the weight change was thought to turn.
TURN = 30
_DRAWN = {
    "kernel_alignment": "kernel alignment KA",
    "representation_alignment": "representation alignment RA",
    "weight_change": "weight change ‖ΔW$_h$‖",
}


def compare(grid: Networks, every: Found) -> list[Check]:
    """The checks that make the verdict."""
    found = checks(every)
    distances = [distance for *_, distance in reference(grid, every)]
    if distances:
        test = "distance of the reference code's mean from these, in sd over seeds"
        found.append(worst_of("reference", test, distances, 2.0))
    return found


def reference(
    grid: Networks, every: Found
) -> list[tuple[str, str, int, float, float, float, float]]:
    """(task, measure, rank, paper's, mean here, sd here, distance in sd), of the paper's setting.

    The distance is what rounding of the paper's value leaves.
    """
    if grid.units != FULL.units or grid.steps != FULL.steps:
        return []
    ranks, found = ranks_of(grid), []
    for (task, name, rank), (value, rounding) in PAPER.items():
        if task in every and rank in ranks:
            values = every[task][name][:, ranks.index(rank)]
            centre, sd = float(np.nanmean(values)), float(np.nanstd(values, ddof=1))
            distance = max(0.0, abs(centre - value) - rounding) / sd
            found.append((task, name, rank, value, centre, sd, distance))
    return found


def findings(grid: Networks, every: Found) -> list[str]:
    """What rank does on each task, how far the linear theory goes, and where the paper differs."""
    ranks, said = ranks_of(grid), []
    for task, mine in every.items():
        parts = [f"{NAMES[name]}: rho = {rank_correlation(ranks, mine[name])}" for name in NAMES]
        said.append(f"{task}, rank against measure over {grid.seeds} seeds: {'; '.join(parts)}.")
        said += [_turns(task, ranks, mine, name) for name in ("weight_change", "matched_change")]
        said.append(_theory(task, mine))
    said.append(_expected(ranks, next(iter(every.values()))))
    for task, name, rank, value, centre, sd, distance in reference(grid, every):
        verdict = "within" if distance < 1 else f"{distance:.2g} sd from"
        said.append(
            f"{task}, rank {rank}, {name.replace('_', ' ')}: {centre:.3g} ± {sd:.2g} here, "
            f"{value:g} from the paper's code: {verdict} the spread of the seeds."
        )
    return said


def _turns(task: str, ranks: Sequence[int], mine: Arrays, name: str) -> str:
    """Whether a measure falls to the middle rank and rises again, and where it is least."""
    values, middle = mine[name], _middle(ranks)
    parts = []
    for first, last in ((0, middle), (middle, len(ranks) - 1)):
        change = difference(values[:, last], values[:, first])
        parts.append(f"rank {ranks[first]} to {ranks[last]} {change}, p = {change.p:.2g}")
    least = ranks[int(np.argmin(np.nanmean(values, axis=0)))]
    return f"{task}, {NAMES[name]}: {'; '.join(parts)}; its mean is least at rank {least}."


def _middle(ranks: Sequence[int]) -> int:
    return ranks.index(TURN) if TURN in ranks else len(ranks) // 2


def _expected(ranks: Sequence[int], mine: Arrays) -> str:
    """Weight changes of the linear theory where those of the networks are thought to turn."""
    places = (0, _middle(ranks), len(ranks) - 1)
    parts = []
    for words, name in (("‖ΔW1‖", "_input"), ("‖ΔW2‖", "_readout"), ("‖ΔW‖", "")):
        means = np.mean(mine[f"theory_weight_change{name}"], axis=0)
        parts.append(f"E {words} {', '.join(f'{means[place]:.3g}' for place in places)}")
    where = ", ".join(str(ranks[place]) for place in places)
    return f"The linear theory at norm 1, ranks {where}: {'; '.join(parts)}."


def _theory(task: str, mine: Arrays) -> str:
    """Rank correlations of means over seeds, start by start, with the linear theory's."""
    pairs = {
        "KA with E KA at norm 1": ("kernel_alignment", "theory_kernel_alignment"),
        "KA with E KA at the norm of W_h": ("kernel_alignment", "theory_kernel_alignment_kept"),
        "‖ΔW_h‖ with E ‖ΔW1‖": ("weight_change", "theory_weight_change_input"),
        "‖ΔW_h‖ with E ‖ΔW2‖": ("weight_change", "theory_weight_change_readout"),
    }
    parts = []
    for words, (measured, expected) in pairs.items():
        found = rank_correlation(np.mean(mine[expected], axis=0), mine[measured])
        parts.append(f"{words} {found}")
    return f"{task}, rank correlation over starts, {'; '.join(parts)}."


def draw(grid: Networks, every: Found) -> Figure:
    """Measures against rank, and kernel alignment against that of the linear theory."""
    ranks = ranks_of(grid)
    figure = Figure(figsize=(13.0, 7.0), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    comparable = bool(reference(grid, every))
    for axis, (name, title) in zip(axes, _DRAWN.items(), strict=False):
        for index, (task, mine) in enumerate(every.items()):
            centre, error = intervals(mine[name])
            look = {"color": f"C{index}", "marker": "o", "capsize": 2, "label": task}
            axis.errorbar(ranks, centre, error, **look)
            known = [(r, v) for (t, n, r), (v, _) in PAPER.items() if (t, n) == (task, name)]
            if known and comparable:
                axis.plot(*zip(*known, strict=True), "x", color=f"C{index}", markersize=9)
        axis.set(xscale="log", xlabel="rank of W$_h$(0)", title=title)
    axes[0].legend(title="mean and 95 % interval", fontsize=8)
    for index, mine in enumerate(every.values()):
        expected = np.mean(mine["theory_kernel_alignment"], axis=0)
        axes[3].plot(
            expected, np.nanmean(mine["kernel_alignment"], axis=0), "o-", color=f"C{index}"
        )
    axes[3].set(xlabel="E KA of the linear theory, norm 1 (T15)", ylabel="KA measured")
    axes[3].set_title("does the linear theory order the starts?")
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid, every = grid_of(Networks, cases[0]), gathered(cases, found)
    settings = asdict(grid) | {"generator": GENERATOR}
    table, tests = rows(every, grid.starts), compare(grid, every)
    return Result(table, tests, draw(grid, every), settings, findings(grid, every))


STUDY = Study(
    name="rnn-rank",
    question=(
        "Does the rank of the initial recurrent weights set how lazily a nonlinear recurrent "
        "network learns cognitive tasks, with more seeds than the paper had, and does the linear "
        "theory put the ranks in the same order?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
    packages=tuple(PACKAGES.values()),
)
