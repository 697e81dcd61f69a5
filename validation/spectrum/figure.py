"""The picture of the study `spectrum`: laziness against participation ratio, and the law's map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from richlazy import limits
from validation.spectrum.cases import Grid
from validation.spectrum.findings import DRAWN, law_error
from validation.spectrum.theory import Theory
from validation.steps import place

__all__ = ["draw"]

_LABELS = (
    "kernel alignment KA",
    "representation alignment RA",
    "weight change ‖ΔW‖ (‖β‖ = 1)",
)
_ERRORS = ("relative error of KA", "error of RA", "relative error of ‖ΔW‖")
_FAMILIES = (("power_law", "-", "o"), ("exponential", "--", "s"))


def draw(grid: Grid, rows: Sequence[dict[str, Any]], theory: Theory) -> Figure:
    """Measures at the end against PR; below, how wrong the law is over exponent and norm."""
    figure = Figure(figsize=(11.0, 7.2), layout="constrained")
    panels = figure.subplots(2, 3)
    for column, (measure, _) in enumerate(DRAWN):
        _curves(panels[0, column], grid, rows, theory, measure)
        panels[0, column].set_ylabel(_LABELS[column])
        image = _map(panels[1, column], grid, theory, measure)
        figure.colorbar(image, ax=panels[1, column], label=f"{_ERRORS[column]} by the law")
    lines = panels[0, 0].get_legend_handles_labels()[0]
    lines += [
        Line2D([], [], color="black", ls=line, marker=mark, label=label)
        for (_, line, mark), label in zip(_FAMILIES, ("power laws", "exponentials"), strict=True)
    ]
    lines.append(Line2D([], [], color="black", ls=":", label="the law"))
    figure.legend(
        handles=lines,
        loc="outside upper center",
        ncols=len(lines),
        frameon=False,
        title="lines: theory, dots: descent ± s.e.",
    )
    return figure


def _curves(
    panel: Any, grid: Grid, rows: Sequence[dict[str, Any]], theory: Theory, measure: str
) -> None:
    ratios = np.geomspace(1.0, grid.map_inputs, 60)
    norms = sorted({row["norm"] for row in rows if row["part"] == "map"})
    for index, norm in enumerate(norms):
        colour, j = f"C{index}", list(grid.map_norms).index(norm)
        law = getattr(limits.law(ratios, grid.map_inputs, norm=norm).mean, measure)
        panel.plot(ratios, law, ":", color=colour, lw=1.2)
        for family, line, mark in _FAMILIES:
            best = getattr(theory, family)
            mean = best.mean[place(measure)][:, j]
            label = f"‖W1‖ = {norm:g}" if family == "power_law" else None
            panel.plot(best.ratio[:, j], mean, line, color=colour, lw=1.2, label=label)
            chosen = [
                (row["participation_ratio"], row["descent_mean"], row["descent_standard_error"])
                for row in rows
                if (row["part"], row["family"], row["norm"], row["measure"])
                == ("map", family, norm, measure)
            ]
            if chosen:
                x, y, error = np.transpose(chosen)
                panel.errorbar(x, y, error, fmt=mark, color=colour, ms=4.0, lw=1.0)
    panel.set_xscale("log")
    panel.set_xlabel("participation ratio of the initial W1")


def _map(panel: Any, grid: Grid, theory: Theory, measure: str) -> Any:
    error = np.clip(np.abs(law_error(theory.power_law)[place(measure)]).T, 1e-4, 1.0)
    at = grid.exponents, grid.map_norms, error
    image = panel.pcolormesh(*at, norm=LogNorm(1e-4, 1.0), cmap="viridis_r", shading="nearest")
    lines = panel.contour(*at, levels=[0.01, 0.05], colors="black", linestyles=["-", "--"])
    panel.clabel(lines, fmt={0.01: "1 %", 0.05: "5 %"}, fontsize=8)
    panel.set_yscale("log")
    panel.set_xlabel("exponent of the power law")
    panel.set_ylabel("norm ‖W1‖ (‖β‖ = 1)")
    return image
