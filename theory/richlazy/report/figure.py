"""The picture of a report: spectrum, laziness against rank and alignment, one task in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from richlazy import names
from richlazy.curves.figure import COLOURS, LABELS, MARKERS, new_figure, panel, style
from richlazy.report.contents import MEASURES, RANKS, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

_SHOWN = tuple(MEASURES)
_GREY = "#888888"
_MEAN: dict[str, Any] = {"color": _GREY, "lw": 0.8, "ls": ":"}
_DESCENT: dict[str, Any] = {
    "color": COLOURS[-1],
    "marker": "o",
    "ls": "none",
    "ms": 3.2,
    "mfc": "none",
}


def draw(report: Report) -> Figure:
    """Three rows of panels that share their columns: KA, RA and weight change."""
    with style():
        figure = new_figure(12.5, 8.4)
        grid = figure.subplots(3, 4)
        figure.suptitle(
            f"{names.drawn(report.source.name)}: {report.hidden} x {report.inputs} weights, norm "
            f"{report.norm:.4g}, random tasks of strength 1, silent readout",
            fontsize=11,
        )
        _spectrum(grid[0, 0], report)
        for axes, measure in zip(grid[0, 1:], _SHOWN, strict=True):
            panel(axes, report.by_rank, measure, color=_GREY)
            _mark_starts(axes, report, measure)
            axes.set_xlabel("rank (markers: participation ratio)")
        for axes, measure in zip(grid[1, 1:], _SHOWN, strict=True):
            panel(axes, report.by_alignment, measure)
            axes.set_title(f"flat start of rank PR = {report.ratio:.1f}")
            axes.axvline(report.ratio / report.inputs, **_MEAN)
        _course(grid[2], report)
        _legend(grid[1, 0], report)
    return figure


def _spectrum(axes: Axes, report: Report) -> None:
    s = report.singular_values
    if s is None:
        axes.text(0.5, 0.5, "spectrum not computed:\nthe matrix is too large", ha="center")
        axes.set_axis_off()
        return
    index = np.arange(1, s.size + 1)
    shown = s > s[0] * 1e-6
    axes.plot(index[shown], s[shown], color=COLOURS[0], marker="o" if s.size == 1 else None)
    axes.set_yscale("log")
    axes.set_xlabel("index")
    axes.set_ylabel("singular value")
    axes.set_title("spectrum and effective ranks")
    for kind, colour in zip(RANKS, COLOURS[1:], strict=False):
        rank = report.entries[0].ranks[kind]
        if rank is not None:
            axes.axvline(rank, color=colour, lw=1.1, ls="--", label=f"{kind} {rank:.4g}")
    axes.legend(loc="lower left", frameon=True, edgecolor="none", framealpha=0.9)


def _mark_starts(axes: Axes, report: Report, measure: str) -> None:
    for name, look in _looks(report).items():
        group = report.group(name)
        x = np.array([entry.ranks["participation"] for entry in group], dtype=np.float64)
        axes.plot(x, [entry.mean(measure) for entry in group], **look)


def _looks(report: Report) -> dict[str, dict[str, Any]]:
    """How the markers of each start look; the start reported on lies over its controls."""
    looks = {}
    for name, colour, marker in zip(report.starts, COLOURS[1:], MARKERS, strict=False):
        first = name == report.starts[0]
        looks[name] = {
            "color": colour, "marker": marker, "ls": "none", "mec": "white", "mew": 0.5,
            "ms": 8 if first else 5, "alpha": 1.0 if first else 0.75, "zorder": 4 if first else 3,
        }  # fmt: skip
    return looks


def _course(row: list[Axes], report: Report) -> None:
    course = report.course
    for axes, measure in zip(row, ("loss", *_SHOWN), strict=True):
        axes.plot(course.times, getattr(course.theory, measure), color=COLOURS[0])
        if course.descent is not None and course.descent_times is not None:
            axes.plot(course.descent_times, getattr(course.descent, measure), **_DESCENT)
        axes.set_xlabel("time, learning rate x steps")
        axes.set_ylabel(LABELS[measure])
        if measure.endswith("alignment"):
            axes.set_ylim(-0.02, 1.05)
    row[0].set_title("one random task")


def _legend(axes: Axes, report: Report) -> None:
    from matplotlib.lines import Line2D

    entries: dict[str, dict[str, Any]] = {"flat starts (T7), ± sd over tasks": {"color": _GREY}}
    entries |= {names.drawn(name): look for name, look in _looks(report).items()}
    entries["flat start of rank PR (T6); theory in time"] = {"color": COLOURS[0]}
    entries["mean alignment of random tasks"] = _MEAN
    if report.course.step is not None:
        entries[f"gradient descent, step {report.course.step:.2g}"] = _DESCENT
    handles = [Line2D([], [], **look) for look in entries.values()]
    axes.set_axis_off()
    axes.legend(handles, list(entries), loc="center", fontsize=9)
