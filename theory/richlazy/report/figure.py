"""The picture of a report: the recurrent reading first, then spectrum, curves, one task in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from richlazy import names
from richlazy.curves.figure import COLOURS, LABELS, MARKERS, new_figure, panel, style
from richlazy.report import recurrent_figure
from richlazy.report.contents import Report
from richlazy.report.first_layer import MEASURES, RANKS, FirstLayer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "draw_side_by_side"]

_SHOWN = tuple(MEASURES)
_RECURRENT = ("kernel_alignment", "representation_alignment", "weight_change_recurrent")
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
    """A row of panels for the recurrent reading, three for the first layer: KA, RA and change."""
    mine, first = report.recurrent, report.first_layer
    rows = (mine is not None) + 3 * (first is not None)
    with style():
        figure = new_figure(12.5, 2.8 * rows if rows > 1 else 3.6)
        grid = figure.subplots(rows, 4, squeeze=False)
        figure.suptitle(_title(report), fontsize=11)
        if mine is not None:
            recurrent_figure.eigenvalues(grid[0, 0], mine)
            recurrent_figure.starts(list(grid[0, 1:]), mine, _RECURRENT)
        if first is not None:
            _first_layer(grid[rows - 3 :], first)
    return figure


def draw_side_by_side(reports: Sequence[Report]) -> Figure:
    """Every input in the same panels: a column a measure, a row a reading."""
    with style():
        figure = new_figure(12.5, 1.6 + 0.5 * len(reports))
        shown = [("recurrent", m) for m in _RECURRENT] + [("first layer", m) for m in _SHOWN[:1]]
        row = figure.subplots(1, len(shown))
        places = np.arange(len(reports))[::-1]
        for axes, (reading, measure) in zip(row, shown, strict=True):
            for place, report in zip(places, reports, strict=True):
                _placed(axes, place, report, reading, measure)
            axes.set_yticks(places, [])
            axes.set_ylim(-0.5, len(reports) - 0.5)
            axes.set_xlabel(f"{recurrent_figure.label(measure)}, {reading}")
        row[0].set_yticks(places, [names.drawn(report.source.name) for report in reports])
    return figure


def _placed(axes: Axes, place: Any, report: Report, reading: str, measure: str) -> None:
    """One input in one measure: its mean, and for the recurrent reading its standard error."""
    if reading == "recurrent" and report.recurrent is not None:
        recurrent_figure.draws(axes, place, report.recurrent.starts[0], measure, first=True)
    elif reading == "first layer" and report.first_layer is not None:
        axes.plot(report.first_layer.entries[0].mean(measure), place, "o", color=COLOURS[0])


def _title(report: Report) -> str:
    mine, first, parts = report.recurrent, report.first_layer, []
    if mine is not None:
        steps, channels, outputs = mine.setting
        parts.append(
            f"recurrent at gain {mine.gain:.4g}, {steps} steps, {channels} in, {outputs} out"
        )
    if first is not None:
        parts.append(
            f"{first.hidden} x {first.inputs} first-layer weights of norm {first.norm:.4g}, silent "
            "readout"
        )
    return f"{names.drawn(report.source.name)}: {'; '.join(parts)}; random tasks of strength 1"


def _first_layer(grid: Any, report: FirstLayer) -> None:
    """Three rows of panels that share their columns: KA, RA and weight change."""
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


def _spectrum(axes: Axes, report: FirstLayer) -> None:
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


def _mark_starts(axes: Axes, report: FirstLayer, measure: str) -> None:
    for name, look in _looks(report).items():
        group = report.group(name)
        x = np.array([entry.ranks["participation"] for entry in group], dtype=np.float64)
        axes.plot(x, [entry.mean(measure) for entry in group], **look)


def _looks(report: FirstLayer) -> dict[str, dict[str, Any]]:
    """How the markers of each start look; the start reported on lies over its controls."""
    looks = {}
    for name, colour, marker in zip(report.starts, COLOURS[1:], MARKERS, strict=False):
        first = name == report.starts[0]
        looks[name] = {
            "color": colour, "marker": marker, "ls": "none", "mec": "white", "mew": 0.5,
            "ms": 8 if first else 5, "alpha": 1.0 if first else 0.75, "zorder": 4 if first else 3,
        }  # fmt: skip
    return looks


def _course(row: list[Axes], report: FirstLayer) -> None:
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


def _legend(axes: Axes, report: FirstLayer) -> None:
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
