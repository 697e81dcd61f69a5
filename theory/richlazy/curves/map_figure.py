"""Matplotlib drawings of maps: filled contours, boundaries laid over, starts as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from richlazy import names
from richlazy.curves.axes import AXES, LOGARITHMIC
from richlazy.curves.figure import COLOURS, LABELS, MARKERS, new_figure, style
from richlazy.curves.overlays import Line, Shown, lines
from richlazy.errors import instance, real_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_map"]

Array = NDArray[np.float64]

_LEVELS = 10
_CORNER = 0.02  # of all cells, which may lie below the levels of a logarithm
_LEARNED = 1e-12  # of the largest loss, below which all of it is one shade
_WIDE = 30.0  # ratio from which a measure is drawn in the logarithm
_DASHES = ("-", "--", ":")


def draw_map(
    made: Shown,
    title: str,
    measure: str | Sequence[str] | None = None,
    points: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Filled contours of each measure, a panel each; see `Map.plot`.

    Raises
    ------
    ValueError
        If the map has no such column or fewer than two values along an axis, or a point lies
        outside it.
    """
    measures = _measures(made, measure)
    places = _places(made, {} if points is None else points)
    shown = _drawable(made)
    over = lines(shown, measures)
    with style():
        figure = new_figure(max(3.5 * len(measures), 4.6), 3.4)
        grid = figure.subplots(1, len(measures), squeeze=False)[0]
        for axes, name in zip(grid, measures, strict=True):
            _panel(axes, shown, name)
            handles = _lay_over(axes, over.get(name, ())) | _mark(axes, places)
            if handles:  # named here: labels that begin with _ would be left out
                axes.legend(
                    handles.values(), handles.keys(), loc="upper center",
                    bbox_to_anchor=(0.5, -0.2), fontsize=7, ncols=2,
                )  # fmt: skip
        figure.suptitle(names.drawn(title), fontsize=9)
    return figure


def _measures(made: Shown, asked: str | Sequence[str] | None) -> list[str]:
    if asked is None:
        along_time = "time" in (made.x_axis, made.y_axis)
        usual = [m for m in LABELS if m in made.columns and (m != "loss" or along_time)]
        if usual:
            return usual
        raise ValueError(f"the map must have one of {', '.join(LABELS)}; name the measure to draw")
    wanted = [asked] if isinstance(asked, str) else list(asked)
    for name in wanted:
        if name not in made.columns:
            raise ValueError(f"measure must be one of {', '.join(made.columns)}; it is {name!r}")
    if not wanted:
        raise ValueError("measure must name at least one column; it names none")
    return wanted


def _places(made: Shown, points: Any) -> dict[str, tuple[float, float]]:
    places = {}
    for name, place in instance(points, dict, "points", "write {name: (x, y)}").items():
        at = real_array(place, f"points[{name!r}]")
        if at.shape != (2,):
            raise ValueError(f"points[{name!r}] must be (x, y); its shape is {at.shape}")
        for axis, value, along in zip((made.x_axis, made.y_axis), at, (made.x, made.y),
                                      strict=True):  # fmt: skip
            if not along.min() <= value <= along.max():
                raise ValueError(
                    f"points[{name!r}] must lie on the map: its {axis} is {value:g}, and the map "
                    f"goes from {along.min():g} to {along.max():g}; widen the map, or leave it out"
                )
        places[str(name)] = (float(at[0]), float(at[1]))
    return places


def _drawable(made: Shown) -> Shown:
    """Ascending, and without what is infinitely far away."""
    (across, x), (up, y) = (
        np.unique(np.where(np.isfinite(along), along, np.nan), return_index=True)
        for along in (made.x, made.y)
    )
    x, y = x[np.isfinite(across)], y[np.isfinite(up)]
    for axis, along in ((made.x_axis, x), (made.y_axis, y)):
        if along.size < 2:
            raise ValueError(
                f"a map needs at least two finite values of {axis} to be drawn; it has "
                f"{along.size}: give more, or draw the curve along the other axis"
            )
    columns = {name: values[np.ix_(y, x)] for name, values in made.columns.items()}
    return Shown(made.x_axis, made.y_axis, made.x[x], made.y[y], columns, made.provenance)


def _panel(axes: Axes, made: Shown, measure: str) -> None:
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    values = np.ma.masked_invalid(made.columns[measure])
    if values.count() == 0:
        raise ValueError(f"{measure} has no finite value on this map; draw another measure")
    levels, wide = _levels(values.compressed(), measure)
    values = np.ma.masked_array(np.clip(values.filled(levels[0]), levels[0], levels[-1]),
                                values.mask)  # fmt: skip
    # from dark to light in grey too, and never so dark that lines are lost on it
    colours = ListedColormap(mpl.colormaps["cividis"](np.linspace(0.3, 1.0, 256)))
    norm = (LogNorm if wide else Normalize)(levels[0], levels[-1])
    filled = axes.contourf(made.x, made.y, values, levels, cmap=colours, norm=norm)
    drawn = axes.contour(made.x, made.y, values, levels, colors="k", linewidths=0.5, alpha=0.7)
    axes.clabel(drawn, fmt="%.3g", fontsize=6)
    bar = axes.figure.colorbar(
        filled, ax=axes, format="%.3g", ticks=levels[:: -(-len(levels) // 12)]
    )
    bar.set_label(LABELS.get(measure, measure.replace("_", " ")))
    for axis, along, scale, label in (
        (made.x_axis, made.x, axes.set_xscale, axes.set_xlabel),
        (made.y_axis, made.y, axes.set_yscale, axes.set_ylabel),
    ):
        if axis in LOGARITHMIC and np.all(along > 0):
            scale("log")
        label("{} ({})".format(*AXES[axis]))
    axes.grid(False)


def _levels(values: Array, measure: str) -> tuple[Array, bool]:
    """Round levels, and whether they are spaced in the logarithm."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one value all over, but for rounding
        room = 0.05 * abs(high) or 1.0
        return np.array([low - room, high + room]), False
    bounded = measure.endswith("alignment")
    if not bounded and low >= 0:
        # a corner where hardly anything changes does not take the shades from all the rest
        least = float(np.quantile(values[values > 0], _CORNER))
        least = max(least, _LEARNED * high) if measure == "loss" else least
        if high > _WIDE * least:
            return _decades(least, high), True
    levels = np.asarray(MaxNLocator(_LEVELS).tick_values(low, high))
    if bounded and levels[-1] > 1.0 >= high:
        levels = np.append(levels[levels < 1.0], 1.0)
    return levels, False


def _decades(low: float, high: float) -> Array:
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    span = last - first
    within = (1.0, 2.0, 5.0) if span <= 4 else (1.0, 3.0) if span <= 6 else (1.0,)
    every = -(-span // _LEVELS)
    levels = [m * 10.0**k for k in range(first, last, every) for m in within] + [10.0**last]
    begin = int(np.searchsorted(levels, low, side="right")) - 1
    end = int(np.searchsorted(levels, high, side="left")) + 1
    return np.array(levels[max(begin, 0) : end])


def _lay_over(axes: Axes, over: Sequence[Line]) -> dict[str, Any]:
    """Boundaries, wide on white, so that they are seen on every shade; what the legend shows."""
    from matplotlib import patheffects

    ends, shown = (axes.get_xlim(), axes.get_ylim()), {}
    white: list[patheffects.AbstractPathEffect] = [
        patheffects.withStroke(linewidth=3.6, foreground="w")
    ]
    for dashes, line in zip(_DASHES, over, strict=False):
        look: Any = {"color": COLOURS[1], "ls": dashes, "lw": 1.8, "path_effects": white}
        if line.level is None:
            (shown[line.label],) = axes.plot(line.x, line.y, **look)
        elif np.any(line.level > 0) and np.any(line.level < 0):
            drawn = axes.contour(line.x, line.y, line.level, [0.0], colors=COLOURS[1],
                                 linewidths=1.8)  # fmt: skip
            drawn.set_path_effects(white)
            (shown[line.label],) = axes.plot([], [], **look)
    axes.set_xlim(*ends[0])
    axes.set_ylim(*ends[1])
    return shown


def _mark(axes: Axes, places: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    shown = {}
    for number, (name, (x, y)) in enumerate(places.items()):
        (shown[names.drawn(name)],) = axes.plot(
            x, y, ls="", marker=MARKERS[number % len(MARKERS)], ms=6.5, mfc="k", mec="w",
            clip_on=False, zorder=5,
        )  # fmt: skip
    return shown
