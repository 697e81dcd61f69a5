"""What the study `imbalance` shows: its figure, and its findings in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from richlazy import modes
from validation.imbalance.runs import Grid
from validation.imbalance.theory import Seen
from validation.steps import place
from validation.study import SYMBOLS

__all__ = ["draw", "findings"]

Array = NDArray[np.float64]


def _ends(seen: Sequence[Seen], index: int, measure: str) -> tuple[Array, Array]:
    """Descent's extrapolated measure of one size at the last time, (shares, runs), and T5's."""
    chosen = [
        one.networks
        for one in seen
        if one.case["kind"] == "balanced" and one.case["index"] == index
    ]
    i = place(measure)
    descent = np.array([x.twice[i, :, -1] for x in chosen])
    return descent, np.array([x.theory[i, :, -1] for x in chosen])


def draw(grid: Grid, seen: Sequence[Seen]) -> Figure:
    """Laziness against lambda, and of one mode against the direction in which it starts."""
    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    panels = figure.subplots(2, 3)
    shares = np.array(grid.shares)
    for panel, (measure, label) in zip(panels[0], SYMBOLS.items(), strict=True):
        for index, size in enumerate(grid.sizes):
            descent, theory = _ends(seen, index, measure)
            colour, error = f"C{index}", np.std(descent, axis=1, ddof=1) / np.sqrt(grid.runs)
            panel.plot(shares, np.mean(theory, axis=1), color=colour, lw=1.2)
            panel.errorbar(
                shares, np.mean(descent, axis=1), error, color=colour, fmt="o", ms=3.5,
                label=f"‖W1‖² + ‖W2‖² = {size:g}",
            )  # fmt: skip
        panel.set_xlabel("λh / (‖W1‖² + ‖W2‖²)")
        panel.set_ylabel(f"{label}, t = {grid.times[-1]}")
    panels[0, 1].legend(frameon=False, title="line: T5, dots: descent")
    fine = np.pi * np.linspace(0.0, 1.0, 401)[:-1]
    drawn = {2: "weight change of a mode", 3: "kernel of a mode, a² + b²", 4: "loss of a mode"}
    for panel, (i, label) in zip(panels[1], drawn.items(), strict=True):
        for index, norm in enumerate(grid.norms):
            one = next(x for x in seen if "modes" in x.parts and x.case["index"] == index)
            colour, s, t = f"C{index}", grid.strengths[0], grid.times[0]
            state = modes.state(norm * np.cos(fine), norm * np.sin(fine), s, t)
            change = np.hypot(state.change_first, state.change_readout)
            panel.plot(
                fine / np.pi, [change, state.kernel, state.loss][i - 2], color=colour, lw=1.2
            )
            angle, descent = one.found["angle"][:, 0], one.parts["modes"].twice[i, :, 0, 0]
            label_of = f"‖(a, b)‖ = {norm:g}"
            panel.plot(angle / np.pi, descent, "o", color=colour, ms=3.5, label=label_of)
        panel.set_yscale("log")
        panel.set_xlabel("direction of (a, b) at the start, / π")
        panel.set_ylabel(f"{label}, t = {grid.times[0]}")
    panels[1, 1].legend(loc="lower left", frameon=False, title="line: T3, dots: descent")
    return figure


def findings(grid: Grid, seen: Sequence[Seen]) -> list[str]:
    """From lazy to rich and back as lambda goes through 0 at equal norm."""
    said = []
    middle = int(np.argmin(np.abs(grid.shares)))
    chosen = (0, middle, len(grid.shares) - 1)
    for index, size in enumerate(grid.sizes):
        means = {m: np.mean(_ends(seen, index, m)[0], axis=1) for m in SYMBOLS}
        shares = ", ".join(f"{grid.shares[k]:g}" for k in chosen)
        values = [
            f"mean {label} " + ", ".join(f"{means[m][k]:.3f}" for k in chosen)
            for m, label in SYMBOLS.items()
        ]
        least, low, most = (
            f"{grid.shares[int(where)]:g}"
            for where in (
                np.argmin(means["kernel_alignment"]),
                np.argmin(means["representation_alignment"]),
                np.argmax(means["weight_change"]),
            )
        )
        said.append(
            f"lambda-balanced starts of ||W1||^2 + ||W2||^2 = {size:g} at t = {grid.times[-1]}: "
            f"with lambda h over that of {shares}, {'; '.join(values)}; KA is least at {least}, "
            f"RA at {low}, the weight change largest at {most}"
        )
    return said
