"""What the scale study found, drawn and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from richlazy import low_rank, several_outputs
from validation.table import columns, where

__all__ = ["draw", "findings"]

Array = NDArray[np.float64]
Away = Mapping[tuple[str, int], tuple[Array, Array]]


def _kernel(rows: Sequence[Mapping[str, Any]], part: str) -> list[Mapping[str, Any]]:
    return where(rows, part=part, measure="kernel_alignment")


def draw(rows: Sequence[Mapping[str, Any]], away: Away, theory: Away) -> Figure:
    """Scales, the way to both limits, and the ranks where laziness and rank part."""
    figure = Figure(figsize=(11.0, 7.5), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    _scales(panels[0], _kernel(rows, "scales"))
    _limits(panels[1], away, theory, ("rich", "corrected"), "norm σ, |β| = 1", 1)
    panels[1].set(title="KA: distance from T8, over it (lines T6)", xscale="log", yscale="log")
    _limits(panels[2], away, theory, ("lazy", "aligned"), "s² = σ²/r, |β| = 1", 0)
    panels[2].set(title="KA: distance from T9 (lines T6)", xscale="log", yscale="log")
    for part, color in (("turning", "C0"), ("monotone", "C1")):
        dots = _kernel(rows, part)
        d, norm = dots[0]["inputs"], dots[0]["norm"]
        ranks = np.unique(np.geomspace(1, d, 200))
        law = low_rank.expected(ranks, d, norm=norm).mean.kernel_alignment
        _against_rank(panels[3], ranks, law, dots, color, f"σ² = {norm**2:.3g}")
    panels[3].set_title(f"E KA, one output, d = {d}, t → ∞")
    dots = _kernel(rows, "unequal")
    for k, (d, norm, g) in enumerate(
        sorted({(r["inputs"], r["norm"], r["second_strength"]) for r in dots})
    ):
        ranks = np.unique(np.rint(np.geomspace(2, d, 200)))
        strengths = [1.0, g]
        found = several_outputs.expected(ranks, d, strengths=strengths, norm=norm)
        mine = where(dots, inputs=d, norm=norm)
        label = f"d = {d}, strengths 1, {g:g}, σ² = {norm**2:.3g}"
        _against_rank(panels[4], ranks, found.mean.kernel_alignment, mine, f"C{k}", label)
    panels[4].set_title("E KA, two outputs, t → ∞")
    dots = _kernel(rows, "early")
    d, norm, time = (dots[0][name] for name in ("inputs", "norm", "time"))
    ranks = np.unique(np.geomspace(1, d, 200))
    law = low_rank.expected(ranks, d, norm=norm, t=time).mean.kernel_alignment
    _against_rank(panels[5], ranks, law, dots, "C0", f"d = {d}, σ = {norm:g}, t = {time:g}")
    panels[5].set_title("E KA, one output, early")
    for panel in panels:
        panel.legend(frameon=False, fontsize=7, loc="lower right" if panel is panels[1] else "best")
    return figure


def _scales(panel: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    last = max(r["time"] for r in rows)
    for k, rank in enumerate(sorted({r["rank"] for r in rows})):
        norm, strength, theory, y, error = columns(
            where(rows, rank=rank, time=last),
            *("norm", "strength", "theory", "descent", "standard_error"),
        )
        x = norm / np.sqrt(strength)
        panel.plot(x, theory, color=f"C{k}", lw=1.0)
        panel.errorbar(x, y, error, color=f"C{k}", fmt="o", ms=3.0, label=f"rank {rank}")
    title = f"E KA at t = {last:g}; dots descent, lines T7"
    panel.set(xscale="log", xlabel="norm σ / √|β|", title=title)


def _limits(
    panel: Axes, away: Away, theory: Away, parts: tuple[str, str], label: str, row: int
) -> None:
    names = {"rich": "T8", "corrected": "and correction", "lazy": "c < 1", "aligned": "c = 1"}
    for part, marker in zip(parts, "os", strict=True):
        mine = [(rank, *found) for (name, rank), found in away.items() if name == part]
        for k, (rank, x, distance) in enumerate(mine):
            rms, law = (
                np.sqrt(np.mean(values[row] ** 2, axis=1))
                for values in (distance, theory[part, rank][1])
            )
            panel.plot(x, law, color=f"C{k}", lw=1.0)
            text = f"rank {rank}, {names[part]}"
            panel.plot(x, rms, marker, color=f"C{k}", ms=4.0, label=text)
    panel.set_xlabel(label)


def _against_rank(
    panel: Axes,
    ranks: Array,
    law: Array,
    dots: Sequence[Mapping[str, Any]],
    color: str,
    label: str,
) -> None:
    panel.plot(ranks, law, color=color, lw=1.0)
    x, y, error = columns(dots, "rank", "descent", "standard_error")
    panel.errorbar(x, y, error, color=color, fmt="o", ms=3.0, label=label)
    panel.set(xscale="log", xlabel="rank r")


def findings(
    rows: Sequence[Mapping[str, Any]], differences: Sequence[Any], away: Away
) -> list[str]:
    """Where a higher rank is richer, and how far the limits are off."""
    said = []
    for x in differences:
        if x.predicted < 0:
            mine = where(rows, part=x.group, inputs=x.inputs, norm=x.norm, measure=x.measure)
            mean = {r["rank"]: r["descent"] for r in mine}
            said.append(
                f"{x.group}: d = {x.inputs}, sigma^2 = {x.norm**2:.4g}: descent has mean "
                f"{x.measure.replace('_', ' ')} {mean[x.low]:.4f} at rank {x.low} and "
                f"{mean[x.high]:.4f} at rank {x.high}, {x.z:.0f} standard errors apart."
            )
    for part, text, row in (
        ("rich", "T8", 1),
        ("corrected", "T8 with its first correction", 1),
        ("lazy", "T9", 0),
    ):
        for (name, rank), (scale, distance) in away.items():
            if name == part:
                worst = np.max(np.abs(distance[row]), axis=1)
                unit = "s^2/|beta|" if part == "lazy" else "sigma"
                said.append(
                    f"rank {rank}: KA is within {worst[0]:.2g} of {text} at {unit} = {scale[0]:g} "
                    f"and {worst[-1]:.2g} at {scale[-1]:g}, in the worst of the alignments run."
                )
    return said
