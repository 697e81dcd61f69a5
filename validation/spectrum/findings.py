"""What the study `spectrum` found, in sentences with the numbers of its own run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.spectrum.cases import Grid
from validation.spectrum.theory import Map, Theory
from validation.steps import place

__all__ = ["DRAWN", "findings", "law_error"]

Array = NDArray[np.float64]

#: What is drawn and reported: (measure, name).
DRAWN = (
    ("kernel_alignment", "KA"),
    ("representation_alignment", "RA"),
    ("weight_change", "‖ΔW‖"),
)


def law_error(best: Map) -> Array:
    """Error of the law, (measures, parameters, norms): relative, but that of RA absolute."""
    scale = np.abs(best.mean)
    scale[place("representation_alignment")] = 1.0
    return (best.law - best.mean) / np.where(scale > 0, scale, 1.0)


def findings(grid: Grid, rows: Sequence[dict[str, Any]], theory: Theory) -> list[str]:
    """Plain sentences."""
    found = [_reach(grid, theory, limit) for limit in (0.01, 0.05)]
    found += [*_others(grid, theory), _flag(grid, theory), _dip(grid, theory)]
    return [*found, _typical(rows), _decay(theory)]


def _reach(grid: Grid, theory: Theory, limit: float) -> str:
    """Largest exponent at which the law's KA holds, for every norm."""
    error = np.abs(law_error(theory.power_law)[place("kernel_alignment")])
    parts = []
    for j, norm in enumerate(grid.map_norms):
        outside = np.flatnonzero(~(error[:, j] <= limit))
        if outside.size and outside[0] == 0:
            parts.append(f"at none at norm {norm:g}")
            continue
        last = (outside[0] if outside.size else len(grid.exponents)) - 1
        pr = theory.power_law.ratio[last, j]
        parts.append(f"up to exponent {grid.exponents[last]:g} (PR {pr:.3g}) at norm {norm:g}")
    return (
        f"The participation-ratio law's mean KA is within {limit:.0%} for power laws of "
        f"d = {grid.map_inputs} " + ", ".join(parts) + "."
    )


def _flag(grid: Grid, theory: Theory) -> str:
    """How good the law is where `expect` says it holds."""
    worst, least = [], []
    for best in (theory.power_law, theory.exponential):
        error = np.abs(law_error(best))
        worst.append([np.max(error[place(k)][best.inside], initial=0.0) for k, _ in DRAWN])
        least.append(error[place("kernel_alignment")][~best.inside])
    ka, ra, dw = np.max(worst, axis=0)
    outside = np.concatenate(least)
    share = np.mean(outside > 0.02) if outside.size else 0.0
    return (
        f"Where expect calls a start inside the law's domain, KA is off by at most {ka:.1%}, RA by "
        f"{ra:.3f} and ‖ΔW‖ by {dw:.0%}: the flag speaks of KA only; of {outside.size} cells it "
        f"calls outside, {share:.0%} are off by over 2 % in KA."
    )


def _others(grid: Grid, theory: Theory) -> list[str]:
    """RA and weight change at PR above 10, where the law claims KA."""
    said = []
    for bound in (1.0, 3.0):
        worst = []
        for best in (theory.power_law, theory.exponential):
            there = (best.ratio > 10) & (np.array(grid.map_norms) <= bound)
            worst.append([np.max(np.abs(law_error(best)[place(k)][there])) for k, _ in DRAWN])
        ka, ra, dw = np.max(worst, axis=0)
        said.append(
            f"At PR above 10 and norms up to {bound:g} the law is off by at most {ka:.2%} in KA, "
            f"{ra:.3f} in RA and {dw:.1%} in ‖ΔW‖."
        )
    return said


def _dip(grid: Grid, theory: Theory) -> str:
    """Where the least mean KA of a large start is, and that of the steepest one."""
    best, j = theory.power_law, list(grid.map_norms).index(3.0)
    mean = best.mean[place("kernel_alignment")][:, j]
    least = int(np.argmin(mean))
    said = (
        f"At norm 3 the mean KA of power laws is least at PR {best.ratio[least, j]:.3g} "
        f"({mean[least]:.3f})"
    )
    if least == len(mean) - 1:
        return f"{said}, the steepest of them."
    return (
        f"{said}; at PR {best.ratio[-1, j]:.3g} it is {mean[-1]:.3f}: the small singular values "
        "of a steep start of large scale keep it lazier than its PR says."
    )


def _typical(rows: Sequence[dict[str, Any]]) -> str:
    """How far the typical task is from `expect`, by participation ratio."""
    parts = []
    for name, low, high in (("below 4", 0.0, 4.0), ("above 4", 4.0, np.inf)):
        text = []
        for measure, symbol in DRAWN[:2]:
            gaps = [
                abs(row["typical"] - row["expect_mean"])
                for row in rows
                if row["measure"] == measure
                and row["part"] in ("runs", "law")
                and row["typical"] != ""
                and low < row["participation_ratio"] <= high
            ]
            text.append(f"{max(gaps, default=0.0):.4f} in {symbol}")
        parts.append(f"{' and '.join(text)} at PR {name}")
    return f"The typical task is off by at most {'; '.join(parts)} (sampling error included)."


def _decay(theory: Theory) -> str:
    gaps = np.abs(theory.typical[:, :, 0])
    order = np.log2(gaps[:, -2] / gaps[:, -1])
    ka, ra = (order[place(k)] for k, _ in DRAWN[:2])
    return (
        "For flat starts of half rank the typical task's distance from the exact mean at t = 2 "
        f"falls like PR to the power -{ka:.3f} in KA and -{ra:.3f} in RA."
    )
