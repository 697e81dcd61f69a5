"""What the recurrent studies do with their measures: table, checks, measures at the same loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.rnn.measures import MEASURES, at_loss
from validation.rnn.statistics import mean
from validation.study import Arrays, Case, Check, worst_of

__all__ = ["NAMES", "Found", "checks", "gathered", "grouped", "intervals", "rows"]

Floats = NDArray[np.float64]
#: {task: {name: (seeds, starts) or, for curves, (seeds, starts, windows)}}
Found = dict[str, dict[str, Floats]]

#: What sentences call the measures of laziness.
NAMES = {
    "kernel_alignment": "KA",
    "representation_alignment": "RA",
    "weight_change": "‖ΔW_h‖",
    "matched_change": "‖ΔW_h‖ at the same loss",
}
_CURVES = ("loss", "change", "path")


def grouped(labels: Sequence[str], found: Sequence[Arrays]) -> Found:
    """The cases of each label, with the axis of seeds in front."""
    every: dict[str, list[Arrays]] = {}
    for label, part in zip(labels, found, strict=True):
        every.setdefault(label, []).append(part)
    return {
        label: {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        for label, parts in every.items()
    }


def gathered(cases: Sequence[Case], found: Sequence[Arrays], among: slice = slice(None)) -> Found:
    """What all seeds of every task found.

    "matched_change" is |dW_h| when the loss first reaches the level that all runs of the task
    reach, those of the starts `among` that neither diverged nor fell silent.
    """
    every = grouped([case["task"] for case in cases], found)
    for arrays in every.values():
        good = np.isfinite(arrays["representation_alignment"][:, among])
        level = float(np.max(arrays["final_loss"][:, among], initial=0.0, where=good))
        pairs = zip(arrays["loss"], arrays["change"], strict=True)
        arrays["matched_change"] = np.array([at_loss(*pair, level) for pair in pairs])
    return every


def rows(every: Found, starts: Sequence[str]) -> list[dict[str, Any]]:
    """Mean over seeds with Student's interval, spread, and how many runs are in it."""
    found = []
    for task, mine in every.items():
        for index, start in enumerate(starts):
            for name, values in mine.items():
                if name in (*_CURVES, "diverged"):
                    continue
                estimate, low, high, _, seeds = mean(values[:, index])
                found.append(
                    {
                        "task": task,
                        "start": start,
                        "measure": name,
                        "mean": estimate,
                        "low": low,
                        "high": high,
                        "sd": float(np.nanstd(values[:, index], ddof=1)) if seeds > 1 else "",
                        "seeds": seeds,
                        "diverged": int(np.sum(mine["diverged"][:, index])),
                    }
                )
    return found


def intervals(values: Floats) -> tuple[Floats, Floats]:
    """Means of (seeds, levels) over seeds, and how far their intervals reach down and up."""
    every = [mean(column) for column in values.T]
    centre = np.array([found.estimate for found in every])
    low, high = np.array([(found.low, found.high) for found in every]).T
    return centre, np.stack([centre - low, high - centre])


def checks(every: Found, among: slice = slice(None)) -> list[Check]:
    """What must hold of every run, whatever it is about; `among` picks starts."""

    def of(name: str) -> Floats:
        return np.concatenate([mine[name][:, among].ravel() for mine in every.values()])

    trained = of("diverged") == 0
    first = np.concatenate([mine["loss"][:, among, 0].ravel() for mine in every.values()])
    names = [n for n in MEASURES if n.endswith(("alignment", "similarity", "accuracy"))]
    what = "KA, RA, sign similarity, accuracy"
    unit = np.stack([of(name)[trained] for name in names])
    undefined = np.mean(np.any(np.isnan(unit), axis=0))  # no unit is active at the decision
    return [
        worst_of("trained", "share of runs that diverged", np.mean(~trained), 0.05),
        worst_of(
            "learned",
            "final loss over that of the first window",
            (of("final_loss") / first)[trained],
            1.0,
        ),
        worst_of(
            "path",
            "‖ΔW_h‖ over the length of its path",
            (of("weight_change") / of("path_length"))[trained],
            1.0 + 1e-4,
        ),
        worst_of("bounds", f"{what}: |x - 1/2|", unit[~np.isnan(unit)] - 0.5, 0.5 + 1e-6),
        worst_of("defined", f"share of runs without one of {what}", undefined, 0.05),
    ]
