"""What the study `depth` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from richlazy import depth
from validation.depth.runs import Grid
from validation.depth.theory import compared_aligned
from validation.steps import extrapolated
from validation.study import Arrays, Case, selected

__all__ = ["draw", "findings"]


def _of_aligned(cases: Sequence[Case], found: Sequence[Arrays], index: int) -> list[Any]:
    """(case, arrays) of the aligned networks of one start, by depth."""
    return selected(cases, found, kind="aligned", index=index)


def draw(grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]) -> Figure:
    """Learning curves of every depth, and time, weight change and kernel against depth."""
    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    (curve, time), (weight, kernel) = figure.subplots(2, 2)
    fine = np.linspace(1.0, max(grid.depths), 101)
    middle = len(grid.starts) // 2
    for case, part in _of_aligned(cases, found, middle):
        layers, start = case["layers"], grid.starts[middle]
        t = np.linspace(0.0, float(np.max(part["times"])), 800)
        u = extrapolated(part["strength"])[1][..., 0]
        colour = f"C{layers - 1}"
        curve.plot(t, depth.strength(start, grid.strengths[0], t, layers), color=colour, lw=1.2)
        curve.errorbar(
            part["times"], np.mean(u, axis=0), np.std(u, axis=0), color=colour, fmt="o", ms=3.5,
            label=f"L = {layers}",
        )  # fmt: skip
    latest = max(float(f["times"][-2]) for _, f in _of_aligned(cases, found, middle))
    curve.set_xlim(0.0, 2.0 * latest)
    curve.set_xlabel("time (learning rate × steps)")
    curve.set_ylabel(f"mode strength u, from {grid.starts[middle]:g}")
    curve.legend(frameon=False, title="line: T4, dots: descent")
    for index, start in enumerate(grid.starts):
        colour, goals = f"C{index}", np.array(grid.strengths)[:, None]
        time.plot(fine, depth.time(start, 0.5 * (start + 1.0), 1.0, fine), color=colour, lw=1.2)
        state = depth.state(start, goals, np.inf, fine)
        changes = np.sqrt(np.sum(state.weight_change**2, axis=0)), state.relative_kernel_change[0]
        seen = [
            compared_aligned(c, f).twice[..., -1, 0] for c, f in _of_aligned(cases, found, index)
        ]
        for panel, line, row in ((weight, changes[0], 2), (kernel, changes[1], 1)):
            panel.plot(fine, line, color=colour, lw=1.2)
            ends = np.array([values[row] for values in seen])
            panel.errorbar(
                grid.depths, np.mean(ends, axis=1), np.std(ends, axis=1), color=colour, fmt="o",
                ms=3.5, label=f"u(0) = {start:g}",
            )  # fmt: skip
        halves = [_half_time(c, f) for c, f in _of_aligned(cases, found, index)]
        time.plot(grid.depths, halves, "o", color=colour, ms=3.5)
    time.set_yscale("log")
    kernel.set_yscale("symlog", linthresh=0.1)
    time.set_ylabel("time to half of the way, s = 1")
    weight.set_ylabel("weight change ‖ΔW‖ at the end")
    kernel.set_ylabel("relative kernel change at the end, s = 1")
    for panel in (time, weight, kernel):
        panel.set_xlabel("layers L")
    weight.legend(frameon=False)
    return figure


def _half_time(case: Case, found: Arrays) -> float:
    """When descent is half way with the first mode: a step in T4's time from the nearest record."""
    start, goal = case["starts"][case["index"]], case["strengths"][0]
    strength = np.mean(extrapolated(found["strength"])[1][..., 0], axis=0)
    half = 0.5 * (start + goal)
    near = int(np.argmin(np.abs(strength - half)))
    ahead = depth.time(start, np.array([half, strength[near]]), goal, case["layers"])
    return float(found["times"][near] + ahead[0] - ahead[1])


def findings(grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]) -> list[str]:
    """How the time to learn and laziness go with depth."""
    least, layers = min(grid.starts), grid.depths
    low, high = np.argsort(grid.starts)[:2]
    times = np.array(
        [[_half_time(c, f) for c, f in _of_aligned(cases, found, i)] for i in (low, high)]
    )
    ratio = np.log(times[0] / times[1]) / np.log(grid.starts[high] / grid.starts[low])
    said = [
        f"a mode of strength 1 that starts at {least:g} is half way at "
        + ", ".join(f"t = {t:.3g} (L = {l})" for l, t in zip(layers, times[0], strict=True))
        + "; the exponents of that time in 1/u(0), between starts of "
        f"{grid.starts[low]:g} and {grid.starts[high]:g}, are "
        + ", ".join(f"{abs(x):.2f}" for x in ratio)
        + ", which tend to 1 - 2/L for L > 2 ("
        + ", ".join(f"{1 - 2 / l:.2f}" for l in layers if l > 2)
        + ")"
    ]
    for index, start in enumerate(grid.starts):
        ends = [
            np.mean(compared_aligned(c, f).twice[..., -1, 0], axis=1)
            for c, f in _of_aligned(cases, found, index)
        ]
        norm = [np.sqrt(len(grid.strengths) * l) * start ** (1 / l) for l in layers]
        said.append(
            f"modes of strength {', '.join(f'{s:g}' for s in grid.strengths)} from a product of "
            f"{start:g} at every depth {layers[0]} to {layers[-1]}: weight change "
            + ", ".join(f"{end[2]:.3g}" for end in ends)
            + "; over the initial norm "
            + ", ".join(f"{end[2] / size:.3g}" for end, size in zip(ends, norm, strict=True))
            + "; relative kernel change of the first mode "
            + ", ".join(f"{round(end[1], 12):.3g}" for end in ends)
        )
    return said
