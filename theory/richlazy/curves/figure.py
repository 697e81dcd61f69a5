"""Matplotlib drawings of curves and reports, in one style. Figures are made without pyplot."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy import names
from richlazy.curves.axes import AXES, LOGARITHMIC
from richlazy.errors import instance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "LABELS",
    "MARKERS",
    "defaults",
    "draw_curve",
    "draw_into",
    "new_figure",
    "panel",
    "render",
    "style",
]

Array = NDArray[np.float64]

LABELS = {
    "kernel_alignment": "kernel alignment KA",
    "representation_alignment": "representation alignment RA",
    "weight_change": r"weight change $\|\Delta W\|$",
    "target_alignment": "target alignment",
    "relative_kernel_change": r"NTK change $|\Delta K|/K$",
    "loss": "excess loss",
}
#: Okabe & Ito: told apart by every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: Columns drawn beside the measure whose name they extend.
_BESIDE = {
    "_limit": "rich limit",
    "_corrected": "with its first correction",
    "_full": "full rank",
}
#: Parts of the weight change of a recurrent network, drawn in its panel.
_PARTS = {
    "weight_change_recurrent": r"$\|\Delta W\|$, recurrent",
    "weight_change_inputs": r"$\|\Delta U\|$, inputs",
    "weight_change_readout": r"$\|\Delta V\|$, readout",
}
#: Columns that share one panel, by what its axis says.
_TOGETHER = {
    "task alignment needed": {
        "representation_boundary": "RA",
        "kernel_boundary": "KA",
        "weight_change_boundary": r"$\|\Delta W\|$",
    },
    "d log E / d rank": {"representation_slope": "RA", "kernel_slope": "KA"},
    "rank": {
        "representation_peak": "peak of E RA",
        "kernel_peak": "peak of E KA",
        "kernel_trough": "trough of E KA",
        "laziest_rank": "largest E KA",
    },
}
_STYLE: Any = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "legend.frameon": False,
    "svg.hashsalt": "richlazy",  # the same figure gives the same file
    "savefig.dpi": 160,
}


class Curve(Protocol):
    """What is drawn: columns along an axis."""

    @property
    def axis(self) -> str:
        """Key of `AXES`."""

    @property
    def x(self) -> Array:
        """Values along it (n,)."""

    @property
    def columns(self) -> dict[str, Array]:
        """Measures by name (n,)."""

    @property
    def title(self) -> str:
        """What was held fixed."""


@contextmanager
def defaults() -> Iterator[None]:
    """Matplotlib as it comes: a user's own settings (`matplotlibrc`) do not reach our figures.

    Raises
    ------
    ValueError
        If Matplotlib itself does not start with them.
    """
    try:
        import matplotlib as mpl
    except ValueError as error:  # bytes that are no text, or a backend that is not there
        raise ValueError(
            "Matplotlib does not start with the settings that it found (matplotlibrc, "
            f"MPLBACKEND); mend or remove them: {error}"
        ) from None

    # the backend is no matter of style, and `rc_context` would not put it back
    settings: Any = {name: v for name, v in dict.items(mpl.rcParamsDefault) if name != "backend"}
    with warnings.catch_warnings(), mpl.rc_context():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")  # a box is drawn
        dict.update(mpl.rcParams, settings)
        yield


@contextmanager
def style() -> Iterator[None]:
    """The one style of every figure."""
    with defaults():
        import matplotlib as mpl

        mpl.rcParams.update(_STYLE)
        yield


def new_figure(width: float, height: float) -> Figure:
    """A figure of the given inches that no window system knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panel(axes: Axes, curve: Curve, measure: str, **line: Any) -> None:
    """One measure of a curve, with a band of one standard deviation over random tasks."""
    _line(axes, curve, measure, **line)
    beside = {name: measure + suffix for suffix, name in _BESIDE.items()}
    for colour, (label, name) in zip(COLOURS[1:], beside.items(), strict=False):
        if name in curve.columns:
            axes.plot(curve.x, curve.columns[name], color=colour, ls="--", lw=1.2, label=label)
            exact = "laziest rank" if label == "full rank" else "exact"
            axes.get_lines()[0].set_label(line.get("label") or exact)
            axes.legend()
    if measure == "weight_change" and "weight_change_recurrent" in curve.columns:
        axes.get_lines()[0].set_label(line.get("label") or "all")
        for colour, (name, label) in zip(COLOURS[1:], _PARTS.items(), strict=False):
            dashes = ":" if name.endswith("readout") else "--"  # often over that of the inputs
            axes.plot(curve.x, curve.columns[name], color=colour, ls=dashes, lw=1.2, label=label)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
        axes.legend(loc="upper center", ncols=2, fontsize=7, columnspacing=1.0)
    _label_axis(axes, curve)
    axes.set_ylabel(_label(measure))
    _whole_range(axes, [measure])


def _line(axes: Axes, curve: Curve, measure: str, **line: Any) -> None:
    values = curve.columns[measure]
    keywords = {"color": COLOURS[0], "marker": "o" if curve.x.size == 1 else None, **line}
    axes.plot(curve.x, values, **keywords)
    spread = curve.columns.get(f"{measure}_sd")
    if spread is not None:
        least, most = (0.0, 1.0) if measure.endswith("alignment") else (0.0, np.inf)
        band = np.clip([values - spread, values + spread], least, most)
        axes.fill_between(curve.x, *band, color=keywords["color"], alpha=0.18, lw=0)


def _label(measure: str) -> str:
    return LABELS.get(measure, measure.replace("_", " "))


def _axis_label(axis: str) -> str:
    return "{} ({})".format(*AXES[axis])


def _label_axis(axes: Axes, curve: Curve) -> None:
    _scale(axes, curve)
    axes.set_xlabel(_axis_label(curve.axis))


def _scale(axes: Axes, curve: Curve) -> None:
    if curve.axis in LOGARITHMIC and np.all(curve.x > 0) and curve.x.size > 1:
        axes.set_xscale("log")


def _whole_range(axes: Axes, measures: Sequence[str]) -> None:
    if all(measure.endswith("alignment") for measure in measures):
        axes.set_ylim(-0.02, 1.05)


def _together(axes: Axes, curve: Curve, what: str) -> None:
    """Several columns of one kind in one panel."""
    for colour, marker, (name, label) in zip(
        COLOURS, MARKERS, _TOGETHER[what].items(), strict=False
    ):
        if name in curve.columns:
            shape = marker if curve.x.size == 1 else None
            axes.plot(curve.x, curve.columns[name], color=colour, marker=shape, label=label)
    _label_axis(axes, curve)
    axes.set_ylabel(what)
    if what == "rank":
        axes.set_yscale("log")
    elif what == "task alignment needed":
        axes.set_ylim(-0.05, 1.25)  # 0 and 1 are all there is
        axes.axhline(1.0, color=COLOURS[-1], lw=0.8, ls=":")
    else:
        axes.set_yscale("symlog", linthresh=1e-3)
        axes.axhline(0.0, color=COLOURS[-1], lw=0.8, ls=":")
    axes.legend()


def draw_curve(
    curve: Curve, asked: str | Sequence[str] | None = None, label: str | None = None
) -> Figure:
    """The measures asked for side by side; by default all that a curve has, as far as it has them.

    These are KA, RA, weight and NTK change, the loss too along time. Boundaries, slopes and turning
    ranks share one panel each.

    Raises
    ------
    ValueError
        If the curve has none of these.
    """
    measures = _measures(curve, asked)
    kinds = [kind for kind, columns in _TOGETHER.items() if columns.keys() & curve.columns.keys()]
    kinds = kinds if asked is None else []
    if not (measures or kinds):
        known = [*LABELS, *(name for columns in _TOGETHER.values() for name in columns)]
        raise ValueError(f"the curve must have one of {', '.join(known)}; it has none of them")
    panels = len(measures) + len(kinds)
    named = {} if label is None else {"label": label}
    with style():
        figure = new_figure(max(3.1 * panels, 4.6), 2.9)
        grid = figure.subplots(1, panels, squeeze=False)[0]
        for axes, measure in zip(grid, measures, strict=False):
            panel(axes, curve, measure, **named)
            if named and axes.get_legend() is None:
                axes.legend()
        for axes, kind in zip(grid[len(measures) :], kinds, strict=True):
            _together(axes, curve, kind)
        figure.suptitle(names.drawn(curve.title), fontsize=9)
    return figure


def draw_into(
    axes: Axes, curve: Curve, asked: str | Sequence[str] | None = None, label: str | None = None
) -> Figure:
    """Lines of a curve in axes that may hold others; the figure of these axes, in its own style.

    Each line has the next colour. The labels of the axes are set where there are none, their
    scale and limits where there is nothing in them yet.

    Raises
    ------
    ValueError
        If the labels say that the axes show something else, or the curve lacks a measure.
    """
    from matplotlib.axes import Axes

    instance(axes, Axes, "ax", "write ax=Figure().subplots(), or one of an array of axes")
    measures = _measures(curve, asked)[: None if asked is not None else 1]
    if not measures:
        columns = ", ".join(curve.columns)
        raise ValueError(f"measures must be named for this curve: some of {columns}")
    across, up = _axis_label(curve.axis), ", ".join(_label(measure) for measure in measures)
    there = axes.get_xlabel()
    # words of the caller's own may well mean the same
    if there != across and there in [_axis_label(axis) for axis in AXES]:
        raise ValueError(
            f"ax runs along {there!r}, and this curve along {across!r}; give it axes of its own"
        )
    there_up, known = axes.get_ylabel(), {*map(_label, (*LABELS, *curve.columns))}
    if there_up != up and set(there_up.split(", ")) <= known:
        raise ValueError(
            f"ax shows {there_up!r}, and this would be {up!r}; give it axes of its own, or both "
            "as measures=[...]"
        )
    if not axes.has_data():
        _scale(axes, curve)
        _whole_range(axes, measures)
    axes.set_xlabel(there or across)
    axes.set_ylabel(there_up or up)
    for measure in measures:
        words = [label] if label is not None else []
        words += [_label(measure)] if len(measures) > 1 else []
        named = {"label": ", ".join(words)} if words else {}
        _line(axes, curve, measure, color=_next_colour(axes), **named)
    if label is not None or len(measures) > 1:
        axes.legend()
    return axes.figure  # type: ignore[return-value]


def _next_colour(axes: Axes) -> str:
    """The first that no line has; once all are taken, round again."""
    from matplotlib.colors import to_hex

    lines = axes.get_lines()
    taken = {to_hex(line.get_color()).upper() for line in lines}
    free = [colour for colour in COLOURS if colour not in taken]
    return free[0] if free else COLOURS[len(lines) % len(COLOURS)]


def _measures(curve: Curve, asked: str | Sequence[str] | None) -> list[str]:
    """Columns to draw, by default those that have a panel."""
    if asked is None:
        return [m for m in LABELS if m in curve.columns and (m != "loss" or curve.axis == "time")]
    wanted = [asked] if isinstance(asked, str) else list(asked)
    for name in wanted:
        if name not in curve.columns:
            raise ValueError(f"measures must be of {', '.join(curve.columns)}; one is {name!r}")
    if not wanted:
        raise ValueError("measures must name at least one column; it names none")
    return wanted


def render(figure: Figure, suffix: str) -> bytes:
    """The figure as png, svg or pdf bytes, without a date, so that the same figure repeats.

    Its layout is settled at the first call: drawn again, it would move by rounding.
    """
    kind = suffix.lstrip(".").lower()
    stamp: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with style():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        buffer = BytesIO()
        figure.savefig(buffer, format=kind, metadata=stamp or None)
    return buffer.getvalue()
