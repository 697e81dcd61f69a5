"""What the study `step` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from validation.step.runs import Grid, Part, rms_over_runs

__all__ = ["draw", "findings", "largest_steps"]

Array = NDArray[np.float64]

_CLOSE = 0.01  # of the flow, for the findings


def largest_steps(part: Part) -> Array:
    """The step of every run, over 2/sharpness, up to which it is within 1 % of the flow at all
    times; log-linear between the steps that were run, and at most the largest of these.
    """
    away = np.linalg.norm(part.descent - part.theory, axis=-1) / part.scale
    ratio = np.max(away, axis=-1)[::-1] / _CLOSE  # steps rising
    steps = np.log((part.eta / part.safe)[::-1])
    found = []
    for worst, size in zip(ratio.T, steps.T, strict=True):
        above = np.flatnonzero(worst > 1.0)
        if not above.size:
            found.append(size[-1])
        elif above[0] == 0:
            found.append(size[0] - np.log(worst[0]))  # of first order
        else:
            i = above[0]
            found.append(np.interp(0.0, np.log(worst[i - 1 : i + 1]), size[i - 1 : i + 1]))
    return np.exp(found)


def findings(grid: Grid, parts: Sequence[Part], rows: Sequence[dict[str, Any]]) -> list[str]:
    """How large a step may be, and from which step on the first order is all."""
    said = []
    for start, norm in product(grid.starts, grid.norms):
        chosen = [part for part in parts if (part.start, part.norm) == (start, norm)]
        run = np.concatenate([part.eta[0] / part.safe for part in chosen])
        largest = [
            np.concatenate([largest_steps(part) for part in chosen if part.quantity == quantity])
            for quantity in ("kernel_alignment", "weight_change")
        ]
        medians, worst = np.median(largest, axis=1), np.min(largest, axis=1)
        said.append(
            f"{start} starts of norm {norm:g}: steps of up to {medians[0]:.2g} of 2/sharpness keep "
            f"KA, and of up to {medians[1]:.2g} the weight change, within 1 % of the flow at all "
            f"times in the median run; {worst[0]:.2g} and {worst[1]:.2g} in the worst of "
            f"{len(largest[0])} (the largest steps run are {np.min(run):.2g} to {np.max(run):.2g})."
        )
    table, steps = {}, {}
    for row in rows:
        key = tuple(
            row[name] for name in ("start", "norm", "outputs", "inputs", "quantity", "time")
        )
        table.setdefault(key, []).append(row["rms_distance"])
        steps.setdefault(key, []).append(row["step_over_stable"])
    local = np.log2(np.array([values[:-1] for values in table.values()])) - np.log2(
        np.array([values[1:] for values in table.values()])
    )
    off, fractions = np.abs(local - 1.0), np.array(list(steps.values()))
    worst = np.max(off, axis=0)
    good = int(np.max(np.flatnonzero(~(worst < 0.05)), initial=-1)) + 1
    where = (
        f"at steps up to {np.min(fractions[:, good]):.2g} of 2/sharpness"
        if good < len(worst)
        else "at none of the steps run"
    )
    said.append(
        f"Between a step and its half the order is within 0.05 of 1 for every quantity {where}; at "
        f"{fractions[np.argmax(off[:, 0]), 0]:.2g} of 2/sharpness it is off by {worst[0]:.2g}."
    )
    return said


def draw(grid: Grid, parts: Sequence[Part]) -> Figure:
    """Distance from the flow against the step: dots descent, lines T13's constant."""
    shown = ("weights", "weight_change", "kernel_alignment", "loss", "conserved")
    shown += ("representation_alignment",)
    titles = ("both layers", "weight change ‖ΔW‖", "kernel alignment KA", "loss")
    titles += ("conserved W2ᵀW2 - W1W1ᵀ", "representation alignment RA")
    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True).ravel()
    white, last = grid.inputs_of[0], len(grid.times) - 1
    for panel, name, title in zip(panels, shown, titles, strict=True):
        chosen = [p for p in parts if p.quantity == name and p.kind == white]
        chosen = [p for p in chosen if p.norm == grid.norms[-1]]
        for index, part in enumerate(chosen):
            step = 1.0 / part.fineness
            values = np.linalg.norm(part.descent - part.theory, axis=-1) / part.scale
            line = part.eta[..., None] * np.linalg.norm(part.constant, axis=-1) / part.scale
            rms, error = rms_over_runs(values), np.std(values, axis=1) / np.sqrt(values.shape[1])
            many = f"{part.outputs} outputs" if part.outputs > 1 else "1 output"
            panel.plot(step, rms_over_runs(line)[:, last], color=f"C{index}", lw=1.0)
            panel.errorbar(
                step,
                rms[:, last],
                error[:, last],
                color=f"C{index}",
                fmt="o",
                ms=3.0,
                label=f"{part.start}, {many}",
            )
        panel.set(xscale="log", yscale="log", title=title)
    for panel in panels[3:]:
        panel.set_xlabel("step / (2/sharpness)")
    for panel in panels[::3]:
        panel.set_ylabel(f"relative distance from the flow, t = {grid.times[-1]}")
    panels[0].legend(frameon=False, fontsize=8, loc="upper left", title="dots: descent, lines: T13")
    return figure
