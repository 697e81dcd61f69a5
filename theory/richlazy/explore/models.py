"""Plots and widgets of the page. What they show is set by the page itself (page.js)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.model import Model
from bokeh.models import (
    Checkbox,
    ColumnDataSource,
    FixedTicker,
    InlineStyleSheet,
    Legend,
    LegendItem,
    RadioButtonGroup,
    Range1d,
    Select,
    Slider,
    Span,
)
from bokeh.plotting import figure

from richlazy.explore import table
from richlazy.explore.presets import LARGEST

__all__ = ["models"]

#: Colours that keep apart for the colour blind, dark enough for lines on white; dashes tell too.
_BLUE, _RED, _GREEN = "#0072B2", "#C04A00", "#00785A"
_INK, _FAINT = "#2b2f36", "#e4e6ea"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

#: Lines of each plot: column, what the legend calls it, colour and dash.
_PLOTS = {
    "alignments": (
        "alignment",
        (
            ("kernel_alignment", "kernel", _BLUE, "solid"),
            ("representation_alignment", "representation", _RED, "dashed"),
            ("target_alignment", "target", _GREEN, "dotted"),
        ),
    ),
    "changes": (
        "weight change",
        (
            ("weight_change", "‖ΔW‖", _BLUE, "solid"),
            ("relative_weight_change", "relative, ‖ΔW‖ / ‖W(0)‖", _RED, "dashed"),
            ("weight_change_recurrent", "of W alone", _RED, "dashed"),
        ),
    ),
    "losses": ("loss", (("loss", "excess loss", _BLUE, "solid"),)),
}
_HEIGHTS = {"alignments": 320, "changes": 260, "losses": 260}
_COLUMNS = tuple(dict.fromkeys(name for _, lines in _PLOTS.values() for name, *_ in lines))

#: Sliders: first and last notch, and step. Those of a first layer stand on the power of ten,
#: the rank on its logarithm over that of the inputs; the recurrent ones count nodes of the table.
_SLIDERS = {
    "inputs": (float(np.log10(2)), float(np.log10(LARGEST)), 0.01),
    "rank": (0.0, 1.0, 0.005),
    "alignment": (0.0, 1.0, 0.005),
    "norm": (-2.0, 2.0, 0.02),
    "strength": (-2.0, 2.0, 0.02),
    "time": (-3.0, 5.05, 0.05),  # the last notch is infinity
    "ratio": (0, len(table.RATIOS) - 1, 1),
    "gain": (0, len(table.GAINS) - 1, 1),
    "steps": (0, len(table.STEPS) - 1, 1),
    "training": (0, len(table.TIMES) - 1, 1),
}


def models(presets: Sequence[tuple[str, str]], style: str) -> list[Model]:
    """Every root of the page, by its name; `presets` are names and what to call them.

    `style` is the style sheet inside every widget.
    """
    look = InlineStyleSheet(css=style)
    shared = {"sizing_mode": "stretch_width", "stylesheets": [look], "margin": 0}
    sliders = [
        Slider(name=name, start=start, end=end, step=step, value=start, title="",
               show_value=False, bar_color=_BLUE, **shared)
        for name, (start, end, step) in _SLIDERS.items()
    ]  # fmt: skip
    widgets = [
        RadioButtonGroup(name="reading", labels=["first layer", "recurrent network"], active=0,
                         **shared),
        Select(name="start", title="Start from", options=[("", "your own values"), *presets],
               value="", **shared),
        Select(name="axis", title="Curves along", options=["time"], value="time", **shared),
        Checkbox(name="typical", label="a typical task: c = r / d", active=True, **shared),
    ]  # fmt: skip
    curves = ColumnDataSource({"place": [], **{name: [] for name in _COLUMNS}}, name="curves")
    marks = ColumnDataSource({"place": [], **{name: [] for name in _COLUMNS}}, name="marks")
    plots = [_plot(name, curves, marks) for name in _PLOTS]
    return [*sliders, *widgets, *plots]


def _plot(name: str, curves: ColumnDataSource, marks: ColumnDataSource) -> Model:
    """One plot, its lines, the mark of the present state and a legend over it."""
    title, lines = _PLOTS[name]
    top = 1.03 if name == "alignments" else 1.0
    plot = figure(
        name=name, title=title, height=_HEIGHTS[name], min_width=200,
        sizing_mode="stretch_width", tools="", toolbar_location=None,
        x_range=Range1d(0, 1), y_range=Range1d(0, top),
        background_fill_color="white", border_fill_color="white", outline_line_color=None,
    )  # fmt: skip
    items = []
    here = Span(name=f"{name}_here", location=0, dimension="height", line_color="#767b84",
                line_dash="dotdash", line_width=1)  # fmt: skip
    plot.add_layout(here)
    for column, label, colour, dash in lines:
        line = plot.line("place", column, source=curves, name=f"{name}_{column}",
                         line_color=colour, line_dash=dash, line_width=2.5)  # fmt: skip
        dot = plot.scatter("place", column, source=marks, name=f"{name}_{column}_mark", size=9,
                           fill_color="white", line_color=colour, line_width=2.5)  # fmt: skip
        items.append(LegendItem(label=label, renderers=[line, dot], name=f"{name}_{column}_item"))
    legend = Legend(
        items=items, orientation="horizontal", location="top_left", border_line_color=None,
        margin=0, padding=0,
        glyph_width=26, spacing=9, label_text_font=_FONT, label_text_font_size="12px",
        label_text_color=_INK,
    )  # fmt: skip
    plot.add_layout(legend, "above")
    plot.title.text_font_size, plot.title.text_color = "15px", _INK
    plot.title.text_font = _FONT
    for axis in (plot.xaxis, plot.yaxis):
        axis.axis_line_color = axis.major_tick_line_color = "#767b84"
        axis.minor_tick_line_color = None
        axis.major_label_text_font = axis.axis_label_text_font = _FONT
        axis.major_label_text_font_size = axis.axis_label_text_font_size = "13px"
        axis.axis_label_text_font_style = "normal"
        axis.major_label_text_color = axis.axis_label_text_color = _INK
    plot.xaxis.ticker = FixedTicker(ticks=[])
    plot.yaxis.ticker.desired_num_ticks = 5
    plot.xaxis.name = f"{name}_x"
    plot.xgrid.grid_line_color = plot.ygrid.grid_line_color = _FAINT
    return plot
