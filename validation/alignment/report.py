"""What the study `alignment` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from richlazy import boundaries, low_rank
from validation.alignment.runs import Grid
from validation.study import DRAWN, TITLES, Case
from validation.table import columns, where

__all__ = ["draw", "findings"]


def findings(grid: Grid, cases: Sequence[Case], rows: Sequence[dict[str, Any]]) -> list[str]:
    """What alignment does, and from where on it makes a low rank lazier than the full one."""
    said = []
    kernel = where(rows, kind="one", last=True, measure="kernel_alignment")
    least = min(c for c in grid.alignments if c > 0)
    for norm in (grid.norms[0], grid.norms[-1]):
        chosen = where(kernel, norm=norm)
        low = min(r["rank"] for r in chosen)
        ends = {r["alignment"]: r["descent"] for r in where(chosen, rank=low)}
        full = where(chosen, rank=grid.inputs)[0]["descent"]
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
    for (i, (norm, last)), (j, measure) in product(enumerate(views), enumerate(DRAWN)):
        panel, time = panels[i, j], np.inf if last else grid.times[1]
        chosen = where(rows, kind="one", norm=norm, measure=measure)
        chosen = where(chosen, last=True) if last else where(chosen, time=time)
        for rank in sorted({r["rank"] for r in chosen}):
            dots = where(chosen, rank=rank)
            if rank == grid.inputs:
                panel.axhline(dots[0]["descent"], color="k", ls="--", lw=1.0, label="full rank")
                continue
            color = f"C{grid.ranks.index(rank)}"
            theory = low_rank.measures(rank, grid.inputs, alignment=line, norm=norm, t=time)
            panel.plot(line, getattr(theory, measure), color=color, lw=1.0)
            xy = columns(dots, "alignment", "descent")
            panel.plot(*xy, "o", color=color, ms=3.0, label=f"rank {rank}")
        if j == 0:
            panel.set_ylabel(f"norm {norm:g}, " + ("t → ∞" if last else f"t = {time}"))
    for panel, title in zip(panels[0], TITLES, strict=True):
        panel.set_title(title)
    for panel in panels[-1]:
        panel.set_xlabel("task alignment c")
    panels[0, 2].legend(frameon=False, fontsize=8, title="dots: descent, lines: T6")
    return figure
