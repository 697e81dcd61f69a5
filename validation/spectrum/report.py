"""What the study `spectrum` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from richlazy import limits
from validation.spectrum.runs import Grid
from validation.spectrum.theory import Theory, law_error
from validation.steps import place
from validation.study import DRAWN, SYMBOLS
from validation.table import columns, where

__all__ = ["draw", "findings"]

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
    for column, measure in enumerate(DRAWN):
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
            chosen = where(rows, part="map", family=family, norm=norm, measure=measure)
            if chosen:
                x, y, error = columns(
                    chosen, "participation_ratio", "descent_mean", "descent_standard_error"
                )
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


def findings(grid: Grid, rows: Sequence[dict[str, Any]], theory: Theory) -> list[str]:
    """Plain sentences."""
    found = [_reach(grid, theory, limit) for limit in (0.01, 0.05)]
    found += [*_others(grid, theory), _flag(grid, theory), _dip(grid, theory)]
    return [*found, _typical(rows), _decay(theory)]


def _reach(grid: Grid, theory: Theory, limit: float) -> str:
    """Largest exponent at which the law's KA holds, for every norm."""
    error = np.abs(law_error(theory.power_law)[place("kernel_alignment")])
    parts = []
    for j, norm in enumerate(grid.map_norms):
        outside = np.flatnonzero(~(error[:, j] <= limit))
        if outside.size and outside[0] == 0:
            parts.append(f"at none at norm {norm:g}")
            continue
        last = (outside[0] if outside.size else len(grid.exponents)) - 1
        pr = theory.power_law.ratio[last, j]
        parts.append(f"up to exponent {grid.exponents[last]:g} (PR {pr:.3g}) at norm {norm:g}")
    return (
        f"The participation-ratio law's mean KA is within {limit:.0%} for power laws of "
        f"d = {grid.map_inputs} " + ", ".join(parts) + "."
    )


def _flag(grid: Grid, theory: Theory) -> str:
    """How good the law is where `expect` says it holds."""
    worst, least = [], []
    for best in (theory.power_law, theory.exponential):
        error = np.abs(law_error(best))
        worst.append([np.max(error[place(k)][best.inside], initial=0.0) for k in DRAWN])
        least.append(error[place("kernel_alignment")][~best.inside])
    ka, ra, dw = np.max(worst, axis=0)
    outside = np.concatenate(least)
    share = np.mean(outside > 0.02) if outside.size else 0.0
    return (
        f"Where expect calls a start inside the law's domain, KA is off by at most {ka:.1%}, RA by "
        f"{ra:.3f} and ‖ΔW‖ by {dw:.0%}: the flag speaks of KA only; of {outside.size} cells it "
        f"calls outside, {share:.0%} are off by over 2 % in KA."
    )


def _others(grid: Grid, theory: Theory) -> list[str]:
    """RA and weight change at PR above 10, where the law claims KA."""
    said = []
    for bound in (1.0, 3.0):
        worst = []
        for best in (theory.power_law, theory.exponential):
            there = (best.ratio > 10) & (np.array(grid.map_norms) <= bound)
            worst.append([np.max(np.abs(law_error(best)[place(k)][there])) for k in DRAWN])
        ka, ra, dw = np.max(worst, axis=0)
        said.append(
            f"At PR above 10 and norms up to {bound:g} the law is off by at most {ka:.2%} in KA, "
            f"{ra:.3f} in RA and {dw:.1%} in ‖ΔW‖."
        )
    return said


def _dip(grid: Grid, theory: Theory) -> str:
    """Where the least mean KA of a large start is, and that of the steepest one."""
    best, j = theory.power_law, list(grid.map_norms).index(3.0)
    mean = best.mean[place("kernel_alignment")][:, j]
    least = int(np.argmin(mean))
    said = (
        f"At norm 3 the mean KA of power laws is least at PR {best.ratio[least, j]:.3g} "
        f"({mean[least]:.3f})"
    )
    if least == len(mean) - 1:
        return f"{said}, the steepest of them."
    return (
        f"{said}; at PR {best.ratio[-1, j]:.3g} it is {mean[-1]:.3f}: the small singular values "
        "of a steep start of large scale keep it lazier than its PR says."
    )


def _typical(rows: Sequence[dict[str, Any]]) -> str:
    """How far the typical task is from `expect`, by participation ratio."""
    parts = []
    for name, low, high in (("below 4", 0.0, 4.0), ("above 4", 4.0, np.inf)):
        text = []
        for measure in DRAWN[:2]:
            gaps = [
                abs(row["typical"] - row["expect_mean"])
                for row in rows
                if row["measure"] == measure
                and row["part"] in ("runs", "law")
                and row["typical"] != ""
                and low < row["participation_ratio"] <= high
            ]
            text.append(f"{max(gaps, default=0.0):.4f} in {SYMBOLS[measure]}")
        parts.append(f"{' and '.join(text)} at PR {name}")
    return f"The typical task is off by at most {'; '.join(parts)} (sampling error included)."


def _decay(theory: Theory) -> str:
    gaps = np.abs(theory.typical[:, :, 0])
    order = np.log2(gaps[:, -2] / gaps[:, -1])
    ka, ra = (order[place(k)] for k in DRAWN[:2])
    return (
        "For flat starts of half rank the typical task's distance from the exact mean at t = 2 "
        f"falls like PR to the power -{ka:.3f} in KA and -{ra:.3f} in RA."
    )
