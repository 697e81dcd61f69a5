"""What Dale's law and missing connections do to laziness when training keeps them.

Starts "/kept" are put back after each step to where every weight has the sign that it began with,
and a connection that was not there stays away; their control is the same start trained freely, on
the same trials. The tests are those of `rnn-structure`, and measures are told along training.

Networks with the signs of Dale's law in every connection fall silent now and then, free or kept.
Such runs are told of, and what must hold of every run is asked of the circuits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
from matplotlib.figure import Figure

from validation.rnn import PACKAGES
from validation.rnn.experiment import GENERATOR, Networks, cases, simulate, training_of
from validation.rnn.measures import watched
from validation.rnn.starts import CIRCUITS, KEPT
from validation.rnn.summary import (
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

_FREE = ("dale", *(f"{name}/signed" for name in CIRCUITS))
#: Start and what it is compared with.
CONTROLS = tuple((f"{start}{KEPT}", start) for start in _FREE)

FULL = Networks(
    tasks=("2AF", "DMS"),
    starts=(*_FREE, *(start for start, _ in CONTROLS)),
    seeds=10,
    units=209,  # neurons of the smallest of the circuits
)
QUICK = replace(FULL, tasks=("2AF",), seeds=3, units=40, steps=600, rate=0.01)


def draw(grid: Networks, every: Found) -> Figure:
    """KA and weight change of every start, and KA along training, kept and free."""
    figure = Figure(figsize=(13.0, 6.0), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    steps, whole = watched(training_of(asdict(grid))), list(range(len(grid.starts)))
    for axis, name in ((left, "kernel_alignment"), (middle, "weight_change")):
        dots(axis, every, name, grid.starts, whole)
    for k, mine in enumerate(every.values()):
        for place, start in enumerate(grid.starts):
            course = np.nanmean(mine["kernel_alignment_along"][:, place], axis=0)
            right.plot(steps, course, f"C{k}{'-' if start.endswith(KEPT) else ':'}")
    middle.set_yticklabels([])
    left.legend()
    right.set(xscale="symlog", xlabel="steps", ylabel="KA")
    right.set_title("along training: kept (solid), free (dotted)", fontsize=10)
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Networks, cases[0])
    circuits = [i for i, start in enumerate(grid.starts) if not start.startswith("dale")]
    every = gathered(cases, found, circuits)
    pairs = compared(grid.starts, CONTROLS, every)
    said = told_apart(pairs)
    for task, mine in every.items():
        for words, kept in (("free", False), ("kept", True)):
            among = [i for i, start in enumerate(grid.starts) if start.endswith(KEPT) == kept]
            said += [f"{task}, {words}, {part}." for part in courses(grid, mine, among)]
        said += [
            f"{task}, {start}: {words}."
            for index, start in enumerate(grid.starts)
            if (words := unfit(mine, index))
        ]
    settings = asdict(grid) | {"generator": GENERATOR}
    table = beside(rows(every, grid.starts), pairs)
    return Result(table, checks(every, circuits), draw(grid, every), settings, said)


STUDY = Study(
    name="rnn-kept",
    question=(
        "Do recurrent networks with the signs of Dale's law, or with the connections of a measured "
        "circuit, learn more lazily where training keeps these than where it may change them?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
    packages=tuple(PACKAGES.values()),
)
