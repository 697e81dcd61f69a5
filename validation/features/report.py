"""What the study `features` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from validation.features.runs import Grid
from validation.study import DRAWN, SYMBOLS
from validation.table import columns, where

__all__ = ["draw", "findings"]


def findings(grid: Grid, rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the features and the digits do, in words."""

    def cell(**wanted: Any) -> dict[str, Any]:
        return where(rows, **wanted)[0]

    said = []
    t, low, high = grid.times[-1], 1.0, grid.anisotropies[-1]
    for norm in grid.norms:
        at = {"part": "features", "norm": norm, "time": t}
        one, many = ({k: cell(**at, measure=k, anisotropy=a) for k in DRAWN} for a in (low, high))
        said.append(
            f"features, ‖W1‖ = {norm:g}, t = {t}: anisotropy {low:g} to {high:g} takes c from "
            f"{one['kernel_alignment']['alignment']:.3f} to "
            f"{many['kernel_alignment']['alignment']:.3f}, "
            + ", ".join(
                f"{SYMBOLS[k]} from {one[k]['descent_mean']:.3f} to {many[k]['descent_mean']:.3f}"
                for k in DRAWN
            )
        )
    t = grid.digits_times[-1]
    for norm, start in product(grid.digits_norms, ("random", "aligned")):
        at = {"part": "digits", "norm": norm, "time": t, "start": start}
        trend = []
        for name in DRAWN:
            means = [cell(**at, measure=name, rank=r)["descent_mean"] for r in grid.digits_ranks]
            ends = f"from {means[0]:.3f} to {means[-1]:.3f}"
            trend.append(f"{SYMBOLS[name]} {ends}, {_extreme(name, means, grid.digits_ranks)}")
        ranks = f"{grid.digits_ranks[0]} to {grid.digits_ranks[-1]}"
        said.append(
            f"digits, ‖W1‖ = {norm:g}, t = {t}, {start} starts of rank {ranks}: " + "; ".join(trend)
        )
    return said


def _extreme(name: str, means: Sequence[float], ranks: Sequence[int]) -> str:
    """Where learning is richest."""
    most = name == "weight_change"
    at = int(np.argmax(means) if most else np.argmin(means))
    return f"{'most' if most else 'least'} {means[at]:.3f} at rank {ranks[at]}"


def draw(grid: Grid, rows: Sequence[dict[str, Any]]) -> Figure:
    """KA, RA and weight change at the last time, against anisotropy and, on digits, rank."""
    figure = Figure(figsize=(11.0, 6.4), layout="constrained")
    panels = figure.subplots(2, 3)
    kinds = [("features", n, "truncated F") for n in grid.norms]
    kinds += [("digits", n, s) for n, s in product(grid.digits_norms, ("random", "aligned"))]
    colours = {norm: f"C{i}" for i, norm in enumerate(sorted({n for _, n, _ in kinds}))}
    for (part, norm, start), (column, measure) in product(kinds, enumerate(DRAWN)):
        real = part == "digits"
        time = (grid.digits_times if real else grid.times)[-1]
        mine = where(rows, part=part, norm=norm, start=start, measure=measure, time=time)
        across, theory, found, spread = columns(
            mine, "rank" if real else "anisotropy", "theory_mean", "descent_mean", "descent_sd"
        )
        panel, style = panels[int(real), column], "--" if start == "aligned" else "-"
        label = f"‖W1‖ = {norm:g}" + (f", {start}" if real else "")
        panel.plot(across, theory, style, color=colours[norm], lw=1.2, label=label)
        error = spread / np.sqrt(grid.digits_runs if real else grid.runs)
        panel.errorbar(across, found, error, color=colours[norm], fmt="o", ms=3.0, lw=1.0)
        panel.set_ylabel(SYMBOLS[measure])
        if real:
            panel.set_xscale("log")
            panel.minorticks_off()
            panel.set_xticks(grid.digits_ranks, [str(r) for r in grid.digits_ranks])
            panel.set_xlabel(f"rank of the initial W1 (digits, t = {time})")
        else:
            panel.set_xlabel(f"anisotropy of the features (t = {time})")
    for row in panels:
        row[2].legend(
            frameon=False,
            fontsize="small",
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            title="line: theory\ndots: descent ± s.e.",
            title_fontsize="small",
        )
    return figure
