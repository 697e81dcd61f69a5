"""What the study `forgetting` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from validation.forgetting.runs import KINDS, Grid, Simulation, at
from validation.forgetting.theory import learned, learned_runs
from validation.statistics import interval
from validation.steps import SETTLED

__all__ = ["draw", "findings"]

Array = NDArray[np.float64]

_SAME = 0.005  # forgetting, of tasks whose loss is 1/2 at first


def findings(grid: Grid, simulation: Simulation) -> list[str]:
    """How rank and norm set laziness, forgetting and the length of the way."""
    found = simulation.found
    said = [
        "White inputs: once A and B are learned, A is forgotten by 1 - overlap, by the definition "
        "of forgetting: a start can change when tasks are forgotten and how far the weights move, "
        "not how much is forgotten in the end. Runs that learned both (loss below "
        f"{SETTLED:g}): {_where_learned(grid, found)}; they forget that much to "
        f"{np.max(np.abs(learned(grid, found)), initial=0.0):.0e}."
    ]
    last, short, overlaps = len(grid.durations) - 1, 0, np.resize(grid.overlaps, grid.runs)
    for kind, stage in product(range(len(KINDS)), (short, last)):
        for i, norm in enumerate(grid.norms):
            for overlap in grid.overlaps if kind == 2 else (None,):
                chosen = np.full(grid.runs, True) if overlap is None else overlaps == overlap
                low, full = (found[kind, i, stage, k][..., chosen] for k in (0, -1))
                setting = f"{KINDS[kind]}, norm {norm:g}, t = {grid.durations[stage]} a task"
                if overlap is not None:
                    setting += f", overlap {overlap:g}"
                said.append(
                    f"{setting}: {_contrast(full, low, f'full rank - rank {grid.ranks[0]}')}"
                )
        said.append(
            f"{KINDS[kind]}, t = {grid.durations[stage]} a task, full rank: "
            + _contrast(
                found[kind, -1, stage, -1],
                found[kind, 0, stage, -1],
                f"norm {grid.norms[-1]:g} - norm {grid.norms[0]:g}",
            )
        )
    return [*said[:1], *map(_tally, KINDS, [said] * len(KINDS)), *said[1:]]


def _where_learned(grid: Grid, found: Array) -> str:
    """Kinds, norms and ranks with runs that learned A and B, and how many."""
    count = np.sum(learned_runs(found), axis=(2, 4))
    told = [
        f"{KINDS[i]}, norm {grid.norms[j]:g}, rank {grid.ranks[k]}: {count[i, j, k]}"
        for i, j, k in np.argwhere(count)
    ]
    return "; ".join(told) or "none"


def _tally(kind: str, said: Sequence[str]) -> str:
    """How the comparisons of one kind came out."""
    own = [line for line in said if line.startswith(kind)]
    counts = {
        words: sum(f"; {words}." in line for line in own)
        for words in (
            "the lazier start forgets less",
            "the lazier start forgets more",
            "both forget alike",
            "undecided",
        )
    }
    told = ", ".join(f"{words} in {count}" for words, count in counts.items())
    return f"Of {len(own)} comparisons of kind {kind} (all follow): {told}."


def _contrast(a: Array, b: Array, name: str) -> str:
    """Paired differences between two starts on the same tasks, with 95 % intervals."""
    parts, centre, half = [], {}, {}
    for label, stage, quantity in (
        ("KA of A", 0, "kernel_alignment"),
        ("forgetting of A by B", 1, "forgetting_A"),
        ("loss left on B", 1, "loss_B"),
        ("path length of B", 1, "path_length"),
    ):
        each = a[stage, at(quantity)] - b[stage, at(quantity)]
        centre[label], half[label] = interval(each, 0.95)
        parts.append(f"{label} {centre[label]:+.3f} +- {half[label]:.3f}")
    sure = all(abs(centre[label]) > half[label] for label in ("KA of A", "forgetting of A by B"))
    less = centre["KA of A"] * centre["forgetting of A by B"] < 0
    verdict = ("the lazier start forgets " + ("less" if less else "more")) if sure else "undecided"
    if abs(centre["forgetting of A by B"]) + half["forgetting of A by B"] < _SAME:
        verdict = "both forget alike"
    return f"{name}: {', '.join(parts)}; {verdict}."


def draw(grid: Grid, simulation: Simulation) -> Figure:
    """KA of A, forgetting of A by B and path length of B against rank, a row for every kind."""
    figure = Figure(figsize=(11.0, 8.5), layout="constrained")
    panels = figure.subplots(len(KINDS), 3, sharex=True)
    shown = (
        ("KA over task A", 0, "kernel_alignment"),
        ("forgetting of A by B (loss)", 1, "forgetting_A"),
        ("path length of B", 1, "path_length"),
    )
    found = simulation.found[..., : grid.compared]
    for (row, kind), (column, (title, stage, name)) in product(enumerate(KINDS), enumerate(shown)):
        panel = panels[row, column]
        for (i, norm), (j, duration) in product(enumerate(grid.norms), enumerate(grid.durations)):
            cells = np.s_[row, i, j, :, stage, at(name)]
            line, dots = np.mean(simulation.theory[cells], axis=-1), found[cells]
            style = {"color": f"C{i}", "ls": "--" if j == 0 and len(grid.durations) > 1 else "-"}
            label = f"‖W(0)‖ = {norm:g}, t = {duration}"
            panel.plot(grid.ranks, line, lw=1.1, label=label, **style)
            error = np.std(dots, axis=-1, ddof=1) / np.sqrt(grid.compared)
            mean = np.mean(dots, axis=-1)
            panel.errorbar(grid.ranks, mean, error, color=f"C{i}", fmt="o", ms=3, lw=0.9)
        if row == 0:
            panel.set_title(title)
        if column == 0:
            panel.set_ylabel(f"{kind}")
        if row == len(KINDS) - 1:
            panel.set_xlabel("rank of the initial W1")
    panels[0, 0].legend(frameon=False, fontsize=7, title="line: T12, dots: descent ± s.e.")
    return figure
