"""What the study `nonlinear` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from validation.nonlinear.runs import Grid
from validation.study import DRAWN, SYMBOLS
from validation.table import columns, where

__all__ = ["draw", "findings", "word"]

_TITLES = SYMBOLS | {"sign_similarity": "sign similarity"}
_UNITS = {"tanh": "tanh", "relu": "ReLU"}


def word(low: float, high: float) -> str:
    """What an interval of a trend says."""
    return "grows" if low > 0 else "falls" if high < 0 else "no clear trend"


def findings(grid: Grid, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Every trend at the last time, that of KA with rank at all, and where it is not T6's."""
    said, other = [], []
    control = [r["rms_off_linear"] for r in where(rows, activation="linear")]
    control = [off for off in control if off != ""]
    if control:
        said.append(
            f"linear units with the same steps are off T6 by at most {max(control):.4f} rms in any "
            "cell: larger distances are due to the units"
        )
    for units, what, (measure, title), time in product(
        _UNITS, ("rank", "alignment"), _TITLES.items(), grid.times
    ):
        cells = []
        for norm in grid.norms:
            at = {"across": what, "measure": measure, "norm": norm, "time": time}
            mine = where(rows, activation=units, **at)
            row = mine[0]
            low, high = max(row["trend_low"], -1.0), min(row["trend_high"], 1.0)
            verdict = word(low, high)
            cell = f"‖W1‖ = {norm:g} {verdict}, {row['trend']:.2f} ({low:.2f} to {high:.2f})"
            if row["linear_trend"] != "":
                off = np.sqrt(np.mean([r["rms_off_linear"] ** 2 for r in mine]))
                cell += f", T6 {row['linear_trend']:.2f}, rms off T6 {off:.3f}"
                if _differs(row, verdict):
                    other.append(
                        f"{_UNITS[units]} {title} with {what} at ‖W1‖ = {norm:g}, t = {time}"
                    )
            cells.append(cell)
        if time == grid.times[-1] or (measure, what) == ("kernel_alignment", "rank"):
            said.append(
                f"{_UNITS[units]}, trend of {title} with {what} at t = {time} (99 % interval): "
                + "; ".join(cells)
            )
    said.append(
        "trends of T6 beyond doubt, at the same time, that these units are not shown to have: "
        + ("; ".join(other) or "none")
    )
    return said


def _differs(row: dict[str, Any], verdict: str) -> bool:
    """Whether T6 has a trend beyond doubt that these units are not shown to have."""
    linear = word(row["linear_trend_low"], row["linear_trend_high"])
    return linear not in ("no clear trend", verdict)


def draw(grid: Grid, rows: Sequence[dict[str, Any]]) -> Figure:
    """Measures against rank at the last time, and the trends of all norms, a row for each units."""
    figure = Figure(figsize=(11.0, 3.0 * len(_UNITS)), layout="constrained")
    panels = figure.subplots(len(_UNITS), 4, squeeze=False)
    last = where(rows, time=grid.times[-1], across="rank")
    for i, units in enumerate(_UNITS):
        mine = where(last, activation=units)
        for (column, measure), (j, norm) in product(enumerate(DRAWN), enumerate(grid.norms)):
            cells = where(mine, measure=measure, norm=norm)
            across, linear, mean, sd = columns(cells, "at", "linear_mean", "mean", "sd")
            panel = panels[i, column]
            panel.plot(across, linear, color=f"C{j}", lw=1.2, label=f"‖W1‖ = {norm:g}")
            error = sd / np.sqrt(cells[0]["seeds"])
            panel.errorbar(across, mean, error, color=f"C{j}", fmt="o", ms=3.0, lw=1.0)
            panel.set_ylabel(f"{_TITLES[measure]}, {_UNITS[units]}")
            panel.set_xlabel("rank of the initial W1")
        panel = panels[i, 3]
        for j, measure in enumerate(_TITLES):
            cells = where(mine, measure=measure, at=grid.ranks[0])
            at = np.array(grid.norms) * 1.06 ** (j - 1.5)
            trend, low = columns(cells, "trend", "trend_low")
            panel.errorbar(
                at,
                trend,
                trend - low,
                color="k",
                fmt="osD^"[j],
                ms=3.5,
                lw=1.0,
                label=_TITLES[measure],
                mfc=("k", "w", "0.6", "w")[j],
            )
            if measure in DRAWN:
                linear = [cell["linear_trend"] for cell in cells]
                panel.plot(at, linear, "_", color="C3", ms=9.0)
        panel.axhline(0.0, color="0.7", lw=0.8, zorder=0)
        panel.set_xscale("log")
        panel.minorticks_off()
        panel.set_xticks(grid.norms, [f"{norm:g}" for norm in grid.norms])
        panel.set_xlabel("‖W1‖")
        panel.set_ylabel("rank correlation with rank")
    beside = {"frameon": False, "fontsize": "small", "title_fontsize": "small"} | {
        "loc": "center left",
        "bbox_to_anchor": (1.0, 0.5),
    }
    lines = panels[0, 0].get_legend_handles_labels()
    panels[0, 3].legend(*lines, title="line: T6\ndots: descent ± s.e.", **beside)
    panels[1, 3].legend(title="trend, 99 % interval\nred: T6", **beside)
    return figure
