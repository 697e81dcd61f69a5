"""What the study `rank` shows: its figure."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from validation.rank.runs import Grid
from validation.study import DRAWN, TITLES
from validation.table import columns, where

__all__ = ["draw"]


def draw(grid: Grid, rows: list[dict[str, Any]]) -> Figure:
    """KA, RA and weight change against rank, a row for every time, a colour for every norm."""
    figure = Figure(figsize=(11.0, 2.9 * len(grid.times)), layout="constrained")
    panels = figure.subplots(len(grid.times), 3, sharex=True, sharey="col", squeeze=False)
    for (row, time), (column, measure) in product(enumerate(grid.times), enumerate(DRAWN)):
        panel = panels[row, column]
        for index, norm in enumerate(grid.norms):
            cells = where(rows, measure=measure, norm=norm, time=time)
            mean, sd, found, spread = columns(
                cells, "theory_mean", "theory_sd", "descent_mean", "descent_sd"
            )
            colour = f"C{index}"
            panel.fill_between(grid.ranks, mean - sd, mean + sd, color=colour, alpha=0.2, lw=0)
            panel.plot(grid.ranks, mean, color=colour, lw=1.2, label=f"‖W1‖ = {norm:g}")
            error = spread / np.sqrt(grid.runs)
            panel.errorbar(grid.ranks, found, error, color=colour, fmt="o", ms=2.5, lw=1.0)
        if row == 0:
            panel.set_title(TITLES[column])
        if column == 0:
            panel.set_ylabel(f"t = {time}")
        if row == len(grid.times) - 1:
            panel.set_xlabel("rank of the initial W1")
    panels[0, 0].legend(frameon=False, title="line, band: T7 mean ± sd\ndots: descent ± s.e.")
    return figure
