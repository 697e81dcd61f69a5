"""What the recurrent studies do with their measures: table, checks, measures at the same loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from validation.rnn.experiment import Networks, training_of
from validation.rnn.measures import ALONG, MEASURES, at_loss, watched
from validation.rnn.statistics import Interval, difference, mean
from validation.study import Arrays, Case, Check, worst_of

__all__ = [
    "NAMES",
    "Comparison",
    "Found",
    "beside",
    "checks",
    "compared",
    "courses",
    "dots",
    "gathered",
    "grouped",
    "intervals",
    "rows",
    "told_apart",
    "unfit",
]

Floats = NDArray[np.float64]
#: {task: {name: (seeds, starts) or, for curves, (seeds, starts, windows)}}
Found = dict[str, dict[str, Floats]]
#: Which starts.
Among = slice | list[int]

#: What sentences call the measures of laziness.
NAMES = {
    "kernel_alignment": "KA",
    "representation_alignment": "RA",
    "weight_change": "‖ΔW_h‖",
    "matched_change": "‖ΔW_h‖ at the same loss",
}
_SIGNIFICANT = 0.05
#: What sentences call `ALONG`.
_COURSES = dict(zip(ALONG, ("RA", "KA", "target alignment"), strict=True))
_CURVES = ("loss", "change", "path", *(f"{name}_along" for name in ALONG))


def grouped(labels: Sequence[str], found: Sequence[Arrays]) -> Found:
    """The cases of each label, with the axis of seeds in front."""
    every: dict[str, list[Arrays]] = {}
    for label, part in zip(labels, found, strict=True):
        every.setdefault(label, []).append(part)
    return {
        label: {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        for label, parts in every.items()
    }


def gathered(cases: Sequence[Case], found: Sequence[Arrays], among: Among = slice(None)) -> Found:
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


class Comparison(NamedTuple):
    """A start less its control; `adjusted` is the p-value among all comparisons."""

    task: str
    measure: str
    start: str
    control: str
    difference: Interval
    adjusted: float


def compared(
    starts: Sequence[str], controls: Sequence[tuple[str, str]], every: Found
) -> list[Comparison]:
    """Every pair of a start and its control, on every task, in every measure of laziness."""
    place = {start: index for index, start in enumerate(starts)}
    found = [
        (task, name, start, control, difference(values[:, place[start]], values[:, place[control]]))
        for task, mine in every.items()
        for name, values in ((name, mine[name]) for name in NAMES)
        for start, control in controls
    ]
    p = np.array([row[-1].p for row in found])
    adjusted = np.full(p.size, np.nan)
    tested = np.isfinite(p)
    if np.any(tested):
        adjusted[tested] = false_discovery_control(p[tested])
    return [Comparison(*row, float(q)) for row, q in zip(found, adjusted, strict=True)]


def told_apart(every: Sequence[Comparison]) -> list[str]:
    """Which starts are above or below their controls, a line for each task and measure."""
    said = []
    for task, name in dict.fromkeys((c.task, c.measure) for c in every):
        mine = [c for c in every if (c.task, c.measure) == (task, name)]
        told = [c for c in mine if c.adjusted < _SIGNIFICANT]
        parts = []
        for words, sign in (("below", -1.0), ("above", 1.0)):
            where = [c for c in told if sign * c.difference.estimate > 0]
            if where:
                parts.append(f"{words} the control: {_listed(where)}")
        rest = [c for c in mine if not c.adjusted < _SIGNIFICANT]
        parts += [f"not told apart: {_listed(rest)}"] * bool(rest)
        said.append(f"{task}, {NAMES[name]} less that of the control; {'; '.join(parts)}.")
    return said


def _listed(pairs: Sequence[Comparison]) -> str:
    return ", ".join(f"{c.start} - {c.control} {c.difference}" for c in pairs)


def beside(table: list[dict[str, Any]], pairs: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Rows of starts, and those of their differences below them."""
    none = {"control": "", "p": "", "adjusted_p": ""}
    return [row | none for row in table] + [
        {
            "task": pair.task,
            "start": pair.start,
            "measure": pair.measure,
            "mean": pair.difference.estimate,
            "low": pair.difference.low,
            "high": pair.difference.high,
            "sd": "",
            "seeds": pair.difference.seeds,
            "diverged": "",
            "control": pair.control,
            "p": pair.difference.p,
            "adjusted_p": pair.adjusted,
        }
        for pair in pairs
    ]


def courses(grid: Networks, mine: Arrays, among: Sequence[int]) -> list[str]:
    """RA, KA and target alignment along training, and when half of their change has happened."""
    steps = np.array(watched(training_of(asdict(grid))))
    parts, halves = [], []
    for name, short in _COURSES.items():
        course = mine[f"{name}_along"][:, among]
        whole = course[np.all(np.isfinite(course), axis=-1)]
        parts.append(f"{short} {', '.join(f'{value:.3g}' for value in np.mean(whole, axis=0))}")
        halves.append(f"{short} {_half(steps, whole):.3g}")
    ends = grid.window * (1 + np.arange(mine["loss"].shape[-1]))
    loss = mine["loss"][:, among]
    halves.append(f"loss {_half(ends, loss[np.all(np.isfinite(loss), axis=-1)]):.3g}")
    return [
        f"after {', '.join(map(str, steps))} steps: {'; '.join(parts)}",
        "half of the change is there after so many steps, linear between looks, that of the loss "
        f"from its first window on: {', '.join(halves)}",
    ]


def _half(steps: NDArray[np.int64], runs: Floats) -> float:
    """Step at which half of the change is first there, the median over runs (runs, steps)."""
    found = []
    for course in runs:
        done = (course - course[0]) / (course[-1] - course[0] or 1.0)
        after = int(np.argmax(done >= 0.5))  # 0 if it has not changed
        before = max(after - 1, 0)
        found.append(np.interp(0.5, done[[before, after]], steps[[before, after]]))
    return float(np.median(found)) if found else float("nan")


def unfit(mine: Arrays, index: int) -> str:
    """How many runs of a start diverged or fell silent."""
    diverged = mine["diverged"][:, index] == 1
    silent = np.isnan(mine["representation_alignment"][:, index]) & ~diverged
    said = ((diverged, "diverged"), (silent, "end with no unit active"))
    return ", ".join(f"{np.sum(w)} of {w.size} runs {words}" for w, words in said if np.any(w))


def dots(axis: Axes, every: Found, name: str, starts: Sequence[str], among: list[int]) -> None:
    """Mean and interval of a measure, a line for each start and a colour for each task."""
    lines, height = np.arange(len(among)), 0.8 / len(every)
    for k, (task, mine) in enumerate(every.items()):
        look = {"fmt": "o", "color": f"C{k}", "capsize": 2, "markersize": 4, "label": task}
        centre, error = intervals(mine[name][:, among])
        axis.errorbar(centre, lines + k * height, xerr=error, **look)
    axis.set_yticks(lines, [starts[index] for index in among])
    axis.invert_yaxis()
    axis.grid(axis="y", alpha=0.3)
    title = {"kernel_alignment": "kernel alignment KA", "weight_change": "weight change ‖ΔW$_h$‖"}
    axis.set_title(f"{title[name]}, mean and 95 % interval", fontsize=10)


def intervals(values: Floats) -> tuple[Floats, Floats]:
    """Means of (seeds, levels) over seeds, and how far their intervals reach down and up."""
    every = [mean(column) for column in values.T]
    centre = np.array([found.estimate for found in every])
    low, high = np.array([(found.low, found.high) for found in every]).T
    return centre, np.stack([centre - low, high - centre])


def checks(every: Found, among: Among = slice(None)) -> list[Check]:
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
