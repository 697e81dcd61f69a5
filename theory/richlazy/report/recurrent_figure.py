"""Panels of the recurrent reading: eigenvalues, and how lazily circuit and controls learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from richlazy import names
from richlazy.curves.figure import COLOURS
from richlazy.report.recurrent import Recurrent, Start

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draws", "eigenvalues", "label", "starts"]

_LABELS = {
    "kernel_alignment": "KA",
    "representation_alignment": "RA",
    "weight_change": r"$\|\Delta W\|$",
    "weight_change_recurrent": r"$\|\Delta W_h\|$",
}

_GREY = "#888888"


def eigenvalues(axes: Axes, found: Recurrent) -> None:
    """Eigenvalues of W beside the circle that those of a Gaussian matrix fill."""
    values = found.eigenvalues
    if values is None:
        axes.text(0.5, 0.5, "eigenvalues not computed:\nthe matrix is too large", ha="center")
        axes.set_axis_off()
        return
    circle = np.exp(2j * np.pi * np.linspace(0.0, 1.0, 181))
    for radius, look, label in (
        (1.0, "-", "radius 1"),
        (found.gain, "--", f"radius g = {found.gain:.3g}"),
    ):
        axes.plot(
            radius * circle.real, radius * circle.imag, look, color=_GREY, lw=0.8, label=label
        )
    axes.plot(values.real, values.imag, "o", ms=2.5, mec="none", color=COLOURS[0])
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("real part")
    axes.set_ylabel("imaginary part")
    axes.set_title("eigenvalues of W")
    axes.legend(loc="lower left", fontsize=7, frameon=True, edgecolor="none", framealpha=0.9)


def starts(row: list[Axes], found: Recurrent, shown: tuple[str, ...]) -> None:
    """One panel a measure: every draw, and the mean with its standard error, the circuit first."""
    places = np.arange(len(found.starts))[::-1]
    for axes, measure in zip(row, shown, strict=True):
        for place, start in zip(places, found.starts, strict=True):
            draws(axes, place, start, measure, first=start is found.starts[0])
        axes.axvline(found.starts[0].mean(measure), color=COLOURS[0], lw=0.8, ls=":")
        axes.set_yticks(places, [])
        axes.set_xlabel(f"{label(measure)}, recurrent")
        if measure.endswith("alignment"):
            axes.set_xlim(-0.02, 1.05)
    labels = [_marked(found, start) for start in found.starts]
    row[0].set_yticks(places, labels, fontsize=7)


def _marked(found: Recurrent, start: Start) -> str:
    """A name, with a star where the kernel moves otherwise than the circuit's."""
    name = names.drawn(start.name)
    if start is found.starts[0]:
        return name
    return name + (" *" if found.of(start.name, "kernel_alignment").differs else "")


def draws(axes: Axes, place: Any, start: Start, measure: str, *, first: bool) -> None:
    """Every draw of a start, and their mean with its standard error."""
    values = start.draws[measure]
    values = values[~np.isnan(values)]
    if not values.size:
        return
    colour = COLOURS[0] if first else _GREY
    axes.plot(values, np.full(values.size, place), "o", ms=2, mec="none", color=colour, alpha=0.35)
    error = start.spread(measure) / np.sqrt(values.size) if values.size > 1 else 0.0
    axes.errorbar(start.mean(measure), place, xerr=error, fmt="o", ms=4.5, color=colour, capsize=2)


def label(measure: str) -> str:
    """What an axis calls a measure."""
    return _LABELS[measure]
