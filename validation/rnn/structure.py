"""Recurrent networks from structured starts, and measured circuits, each beside its control.

Starts are those of `starts.make`, all of the norm of one Gaussian matrix; starts of one seed share
that matrix, W_x, W_o and all trials. Connectomes have a random sign for each neuron: without
signs their activity bursts. Starts that burst are trained too, and told of apart.

- paired: mean over seeds of start - control, Student's interval, and the paired t-test, its
  p-values adjusted for all comparisons of the study by Benjamini and Hochberg's false discovery
  rate; told apart below 0.05;
- along: RA, KA and target alignment, means over seeds and over the starts of `order`, at steps even
  in their logarithm, and when half of the change of a run is there, the median over runs;
- order: mean over seeds of Spearman's rho between a measure and what the linear theory, or an
  effective rank, says of the same singular values, over all starts but that made for the task
  (of which singular values do not tell); the interval is a bootstrap over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
from matplotlib.figure import Figure

from validation.rnn import PACKAGES
from validation.rnn.experiment import GENERATOR, Networks, cases, simulate
from validation.rnn.starts import CIRCUITS
from validation.rnn.statistics import rank_correlation
from validation.rnn.summary import (
    NAMES,
    Comparison,
    Found,
    beside,
    checks,
    compared,
    courses,
    dots,
    gathered,
    rows,
    told_apart,
    unfit,
)
from validation.study import Arrays, Case, Result, Study, grid_of

__all__ = ["CONTROLS", "FULL", "QUICK", "STUDY", "conclude", "draw"]

#: Start and what it is compared with.
CONTROLS = (
    ("rank:1", "gaussian"),
    ("power_law:0.5", "gaussian"),
    ("power_law:1", "gaussian"),
    ("input_output:1", "rank:1"),
    ("cell_types", "gaussian"),
    ("dale", "gaussian"),
    ("chains_over", "gaussian"),
    ("chains_under", "gaussian"),
    ("chains_over", "chains_under"),
    *(
        (f"{name}/signed", control)
        for name in CIRCUITS
        for control in ("gaussian", f"{name}/shuffled/signed", f"{name}/degrees/signed")
    ),
)
_COMPARED = tuple(dict.fromkeys(start for pair in CONTROLS for start in pair))
#: Trained too, but activity grows by orders of magnitude within a trial: along the gradient, W_h
#: amplifies what all trials share, and so does a circuit whose weights are all positive.
BURSTING = ("gradient:2", *CIRCUITS)

FULL = Networks(
    tasks=("2AF", "DMS"),
    starts=(*_COMPARED, *BURSTING),
    seeds=10,
    units=209,  # neurons of the smallest of the circuits
)
QUICK = replace(FULL, tasks=("2AF",), seeds=3, units=40, steps=600, rate=0.01)


def findings(grid: Networks, every: Found, all_compared: Sequence[Comparison]) -> list[str]:
    """Every comparison, whichever way it went, and whether spectra tell the order of the starts."""
    said = told_apart(all_compared)
    among = [
        index
        for index, start in enumerate(grid.starts)
        if start in _COMPARED and not start.startswith("input_output")
    ]
    for task, mine in every.items():
        said += [f"{task}, order of {len(among)} starts, {part}." for part in _orders(mine, among)]
        said += [f"{task}, {part}." for part in courses(grid, mine, among)]
        said += [
            f"{task}, {start}: {words}."
            for index, start in enumerate(grid.starts)
            if (words := _unfit(mine, index, start))
        ]
    return said


def _orders(mine: Arrays, among: Sequence[int]) -> list[str]:
    levels = {
        "E KA at norm 1": "theory_kernel_alignment",
        "E KA at the norm of W_h": "theory_kernel_alignment_kept",
        "participation ratio": "participation_before",
        "stable rank": "stable_before",
    }
    found = []
    for name in ("kernel_alignment", "representation_alignment", "weight_change"):
        parts = []
        for words, level in levels.items():
            rho = rank_correlation(np.mean(mine[level][:, among], axis=0), mine[name][:, among])
            parts.append(f"{words} {rho}")
        found.append(f"{NAMES[name]} with {', '.join(parts)}")
    return found


def _unfit(mine: Arrays, index: int, start: str) -> str:
    """`unfit`, and how far those moved that burst."""
    words, diverged = unfit(mine, index), mine["diverged"][:, index] == 1
    if start in BURSTING and not np.all(diverged):
        moved = f"median ‖ΔW_h‖ of the rest {np.nanmedian(mine['weight_change'][:, index]):.3g}"
        return f"{words}, {moved}" if words else moved
    return words


def draw(grid: Networks, every: Found) -> Figure:
    """Kernel alignment and weight change of every start, and KA against the theory's."""
    figure = Figure(figsize=(13.0, 8.0), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    starts = [index for index, start in enumerate(grid.starts) if start in _COMPARED]
    for axis, name in ((left, "kernel_alignment"), (middle, "weight_change")):
        dots(axis, every, name, grid.starts, starts)
    for mine in every.values():
        expected = np.mean(mine["theory_kernel_alignment"][:, starts], axis=0)
        right.plot(expected, np.nanmean(mine["kernel_alignment"][:, starts], axis=0), "o")
    middle.set_yticklabels([])
    left.legend()
    right.set(xlabel="E KA of the linear theory, norm 1 (T15)", ylabel="KA measured")
    right.set_title("does the linear theory order the starts?", fontsize=10)
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid, calm = grid_of(Networks, cases[0]), slice(0, len(_COMPARED))
    every = gathered(cases, found, calm)
    pairs = compared(grid.starts, CONTROLS, every)
    said, table = findings(grid, every, pairs), beside(rows(every, grid.starts), pairs)
    settings = asdict(grid) | {"generator": GENERATOR}
    return Result(table, checks(every, calm), draw(grid, every), settings, said)


STUDY = Study(
    name="rnn-structure",
    question=(
        "How lazily do recurrent networks learn from structured starts and measured circuits of "
        "equal norm, beside their controls: soft and aligned low rank, cell types, Dale's law, "
        "chain motifs, C. elegans and the mushroom bodies of a fly larva?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
    packages=tuple(PACKAGES.values()),
)
