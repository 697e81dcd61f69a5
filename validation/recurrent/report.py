"""What the study `recurrent` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from richlazy.recurrent.measures import Measures
from validation.recurrent.large import Large
from validation.recurrent.laws import Law
from validation.recurrent.runs import SPECTRA, Grid
from validation.recurrent.theory import Mean, Seen

__all__ = ["draw", "findings"]

_SHOWN = {"kernel_alignment": "KA", "weight_change_recurrent": "‖ΔW‖ of the recurrent weights"}


def draw(grid: Grid, seen: Sequence[Seen], averaged: Sequence[Mean]) -> Figure:
    """Distances from the theory against the step, and means against the number of units."""
    figure = Figure(figsize=(13.0, 4.5), layout="constrained")
    panel, *others = figure.subplots(1, 3)
    for index, one in enumerate(seen):
        rms = np.sqrt(np.mean(one.measures.off**2, axis=(1, 2, 3)))
        steps = one.eta / np.array([1.0, 2.0, 4.0])
        marker = "os^"[index // 10 % 3]
        panel.loglog(steps, rms, f"-{marker}", color=f"C{index % 10}", lw=0.8, ms=3.5,
                     label=one.case["cell"])  # fmt: skip
    low, high = panel.get_xlim()
    bottom = panel.get_ylim()[0]
    panel.plot([low, high], [bottom, bottom * high / low], "k:", lw=1.0)
    panel.set_xlabel("step (dotted: order 1)")
    panel.set_ylabel("rms distance from recurrent.solve")
    panel.legend(frameon=False, fontsize=6.5)
    chosen = [mean for mean in averaged if mean.task == grid.tasks[0]]
    at = np.array([0.0, *(1.0 / n for n in grid.sizes)])
    for other, (measure, label) in zip(others, _SHOWN.items(), strict=True):
        i = Measures._fields.index(measure)
        for mean in chosen:
            colour = f"C{SPECTRA.index(mean.spectrum)}"
            values = [[mean.limit[k][i, -1], *mean.sizes[k][:, i, -1]] for k in (0, 1)]
            other.errorbar(at, values[0], values[1], color=colour, fmt="o", ms=3.5, capsize=2,
                           label=f"{mean.spectrum}: descent")  # fmt: skip
            other.plot(
                at,
                mean.typical[0][i, -1] + 0.0 * at,
                color=colour,
                lw=1.2,
            )
            other.plot(at, mean.law[0][i, -1] + 0.0 * at, color=colour, ls="--", lw=1.2)
        other.set_xlabel("1/N (at 0: extrapolated; dashed: the law)")
        other.set_ylabel(f"{label}, t = {grid.ends[-1]}")
    others[0].legend(frameon=False, fontsize=7, title="line: T20, typical start")
    return figure


def findings(
    grid: Grid,
    seen: Sequence[Seen],
    averaged: Sequence[Mean],
    drawn: Sequence[Large],
    judged: Sequence[Law],
) -> list[str]:
    """How far the means of finite networks are from those of T20, and which routes were held."""
    said = [
        "routes that answered: "
        + "; ".join(
            f"{method} ({', '.join(one.case['cell'] for one in seen if one.methods[0] == method)})"
            for method in dict.fromkeys(one.methods[0] for one in seen)
        )
    ]
    for mean in averaged:
        steps, channels, gain, strength = mean.task
        parts = []
        for measure, label in _SHOWN.items():
            i = Measures._fields.index(measure)
            (small, large), errors = mean.sizes[0][:, i, -1], mean.sizes[1][:, i, -1]
            parts.append(
                f"{label} {small:.3f} ± {errors[0]:.3f} at {grid.sizes[0]} units, {large:.3f} ± "
                f"{errors[1]:.3f} at {grid.sizes[1]}, extrapolated {mean.limit[0][i, -1]:.3f} ± "
                f"{mean.limit[1][i, -1]:.3f}; typical start {mean.typical[0][i, -1]:.3f}, law "
                f"{mean.law[0][i, -1]:.3f}"
            )
        said.append(
            f"{mean.spectrum}, gain {gain:g}, {steps} steps, {channels} channel"
            f"{'s' if channels > 1 else ''}, ||S|| = {strength:g}, t = {grid.ends[-1]}: "
            + "; ".join(parts)
        )
    return [*said, _at_large(grid, drawn), _of_the_law(judged)]


def _at_large(grid: Grid, drawn: Sequence[Large]) -> str:
    worst = max(drawn, key=lambda one: float(np.abs(one.z).max()))
    where = np.unravel_index(np.abs(worst.z).argmax(), worst.z.shape)
    return (
        f"{len(drawn)} cells of spectrum, gain and number of steps at {grid.large_units} units, "
        f"{grid.large_draws} networks each: the largest |z| of {sum(x.z.size for x in drawn)} is "
        f"{np.abs(worst.z).max():.2f} ({Measures._fields[where[0]]}, {worst.case['spectrum']}, "
        f"gain {worst.case['gain']:g}, {worst.case['steps']} steps)"
    )


def _of_the_law(judged: Sequence[Law]) -> str:
    inside = [one for one in judged if one.holds]
    outside = [one for one in judged if not one.holds]
    off = max((float(one.off.max()) for one in inside), default=0.0)
    needless = sum(float(one.off.max()) < 0.01 for one in outside)
    return (
        f"the participation-ratio law says that it holds in {len(inside)} of {len(judged)} cells "
        "of spectrum, gain, steps and strength; there KA and ‖ΔW‖ of other tasks are within "
        f"{off:.1%} of the typical start's. Of the {len(outside)} in which it says that it does "
        f"not, {needless} are within 1 % all the same"
    )
