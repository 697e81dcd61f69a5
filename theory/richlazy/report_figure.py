"""The picture of a report: spectrum, laziness against rank and alignment, one task in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from richlazy.figures import COLOURS, LABELS, MARKERS, new_figure, panel, style
from richlazy.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

_SHOWN = ("kernel_alignment", "representation_alignment", "weight_change")
_RANKS = ("participation", "entropy", "stable", "numerical")


def draw(report: Report) -> Figure:
    """Three rows of panels that share their columns: KA, RA and weight change."""
    with style():
        figure = new_figure(12.5, 8.4)
        grid = figure.subplots(3, 4)
        figure.suptitle(
            f"{report.source.name}: {report.hidden} x {report.inputs} weights, norm "
            f"{report.norm:.4g}, random tasks of strength 1, silent readout",
            fontsize=11,
        )
        _spectrum(grid[0, 0], report)
        for axes, measure in zip(grid[0, 1:], _SHOWN, strict=True):
            panel(axes, report.by_rank, measure, color="#888888")
            _mark_starts(axes, report, measure)
            axes.set_xlabel("rank (markers: participation ratio)")
        _legend(grid[1, 0], grid[0, 1])
        for axes, measure in zip(grid[1, 1:], _SHOWN, strict=True):
            panel(axes, report.by_alignment, measure, color=COLOURS[0])
            axes.set_title(f"flat start of rank PR = {report.ratio:.1f}")
            mean_c = report.ratio / report.inputs
            axes.axvline(mean_c, color="#888888", lw=0.8, ls=":", label="random tasks, mean c")
        grid[1, 1].legend(loc="upper left")
        _course(grid[2], report)
    return figure


def _spectrum(axes: Axes, report: Report) -> None:
    s = report.singular_values
    if s is None:
        axes.text(0.5, 0.5, "spectrum not computed:\nthe matrix is too large", ha="center")
        axes.set_axis_off()
        return
    index = np.arange(1, s.size + 1)
    shown = s > s[0] * 1e-6
    axes.plot(index[shown], s[shown], color=COLOURS[0])
    axes.set_yscale("log")
    axes.set_xlabel("index")
    axes.set_ylabel("singular value")
    axes.set_title("spectrum and effective ranks")
    for kind, colour in zip(_RANKS, COLOURS[1:], strict=False):
        rank = report.entries[0].ranks[kind]
        if rank is not None:
            axes.axvline(rank, color=colour, lw=1.1, ls="--", label=f"{kind} {rank:.1f}")
    axes.legend(loc="lower left", frameon=True, edgecolor="none", framealpha=0.9)


def _mark_starts(axes: Axes, report: Report, measure: str) -> None:
    for name, colour, marker in zip(report.starts, COLOURS[1:], MARKERS, strict=False):
        group = report.group(name)
        x = np.array([entry.ranks["participation"] for entry in group], dtype=np.float64)
        y = [entry.mean(measure) for entry in group]
        first = name == report.starts[0]
        axes.plot(
            x, y, marker, color=colour, ls="none", label=name, zorder=4 if first else 3,
            ms=8 if first else 5, alpha=1.0 if first else 0.75, mec="white", mew=0.5,
        )  # fmt: skip


def _legend(axes: Axes, source: Axes) -> None:
    handles, labels = source.get_legend_handles_labels()
    axes.set_axis_off()
    from matplotlib.lines import Line2D

    theory = Line2D([], [], color="#888888", label="flat starts (T7), ± sd over tasks")
    names = [str(theory.get_label()), *map(str, labels)]
    axes.legend([theory, *handles], names, loc="center", fontsize=9.5)


def _course(row: list[Axes], report: Report) -> None:
    course = report.course
    for axes, measure in zip(row, ("loss", *_SHOWN), strict=True):
        axes.plot(course.times, getattr(course.theory, measure), color=COLOURS[0], label="theory")
        if course.descent is not None and course.descent_times is not None:
            axes.plot(
                course.descent_times, getattr(course.descent, measure), "o", color=COLOURS[1],
                ms=3.2, label=f"gradient descent, step {course.step:.2g}",
            )  # fmt: skip
        axes.set_xlabel("time, learning rate x steps")
        axes.set_ylabel(LABELS[measure])
        if measure.endswith("alignment"):
            axes.set_ylim(-0.02, 1.05)
    row[0].set_title("one random task")
    row[0].legend(loc="upper right")
