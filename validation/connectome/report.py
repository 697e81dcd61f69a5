"""What the study `connectome` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from validation.connectome.runs import STARTS, Grid
from validation.connectome.theory import Theory
from validation.statistics import interval
from validation.steps import extrapolated, place
from validation.study import DRAWN, TITLES, Arrays, Case
from validation.table import columns, where

__all__ = ["draw", "findings", "interval"]

Array = NDArray[np.float64]

_BEYOND = 0.05  # share of intervals that miss what they are of


def findings(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays], theory: Sequence[Theory]
) -> list[str]:
    """Connectome - control of KA, RA and dW, on the same tasks, all of them."""
    stored = {
        (case["name"], case["norm"], case["m"], case["start"]): np.stack(
            [extrapolated(part["values"])[1][..., -1], law.final]
        )
        for case, part, law in zip(cases, found, theory, strict=True)
    }
    said = []
    signs = np.zeros((2, len(DRAWN), 2), dtype=int)  # when; measure; below, above the control
    for name, norm, m in product(grid.names, grid.norms, grid.outputs):
        for control in STARTS[1:]:
            own, other = (stored[name, norm, m, start] for start in (STARTS[0], control))
            text = []
            for k, when in enumerate((f"descent, t = {grid.times[-1]}", "solve, t = inf")):
                parts = []
                for i, (measure, short) in enumerate(zip(DRAWN, ("KA", "RA", "dW"), strict=True)):
                    centre, half = interval((own - other)[k, place(measure)], 1.0 - _BEYOND)
                    parts.append(f"{short} {centre:+.3f} +- {half:.3f}")
                    signs[k, i] += centre + half < 0, centre - half > 0
                text.append(f"{when}: {', '.join(parts)}")
            setting = f"{name}, norm {norm:g}, {m} output{'s' * (m > 1)}"
            said.append(f"{setting}, measured - {control}: {'; '.join(text)}.")
    counts = [
        f"{when} richer/lazier by KA {ka[0]}/{ka[1]}, by RA {ra[0]}/{ra[1]}, by dW {dw[1]}/{dw[0]}"
        for when, (ka, ra, dw) in zip(
            (f"at t = {grid.times[-1]}", "at t = inf"), signs.tolist(), strict=True
        )
    ]
    summary = (
        f"Of {len(said)} comparisons of measured wiring with a control on the same tasks (all "
        f"follow, with {1.0 - _BEYOND:.0%} intervals) it is beyond the interval "
        f"{'; '.join(counts)}. Were there no differences at all, chance alone would put "
        f"{_BEYOND * len(said):g} of {len(said)} beyond it, for each measure and time, half of "
        "them on either side. There is one draw of each control, and intervals are over tasks: a "
        "difference is one from that draw, and how much draws of a control differ is not in them."
    )
    return [summary, *said]


def draw(grid: Grid, rows: Sequence[dict[str, Any]]) -> Figure:
    """KA, RA and weight change of every start at the last time, a row for every connectome."""
    figure = Figure(figsize=(11.0, 2.9 * len(grid.names)), layout="constrained")
    panels = figure.subplots(len(grid.names), 3, sharex=True, sharey="col", squeeze=False)
    for (row, name), (column, measure) in product(enumerate(grid.names), enumerate(DRAWN)):
        panel = panels[row, column]
        for index, (norm, m) in enumerate(product(grid.norms, grid.outputs)):
            cells = where(rows, name=name, norm=norm, m=m, measure=measure, time=grid.times[-1])
            theory, found, error = columns(
                cells, "theory_mean", "descent_mean", "descent_standard_error"
            )
            label = f"‖W1‖ = {norm:g}, m = {m}"
            panel.plot(theory, color=f"C{index}", lw=1.1, label=label)
            panel.errorbar(
                range(len(found)), found, error, color=f"C{index}", fmt="o", ms=3, lw=0.9
            )
        panel.set_xticks(range(len(STARTS)), STARTS)
        if row == 0:
            panel.set_title(TITLES[column])
        if column == 0:
            panel.set_ylabel(name)
    panels[0, 0].legend(frameon=False, fontsize=7, title="line: T15, dots: descent ± s.e.")
    return figure
