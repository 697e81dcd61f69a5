"""Step size (T13, T6, T1): how far descent of step eta is from the flow, and the constant of it.

Random tasks are learned with the largest step up to 2/sharpness/2 that divides a unit of time
(sharpness as estimated by `stable_step`), halved seven times to about /256, and held at fixed times
against `solve`, which takes T6's closed form where there is one. Quantities y are the six measures,
both layers' weights together, and the conserved D = W2'W2 - W1 W1' of T1, relative to the size of
their own theory (D to that of W2'W2 + W1 W1' on the flow). T13 says y(eta) = y + eta y1 + O(eta^2):
the flow W' = G(W), with J its derivative, carries the correction delta' = J (delta - G/2) of the
weights, from 0; that of a measure is its slope along delta, and that of D the integral of
G2'G2 - G1 G1'. SciPy integrates both with the flow. A cell is one quantity, start, number of
outputs, kind of inputs, and time; the root of its mean square over runs is what is fitted. Orders
are those over the four smallest steps, from about 2/sharpness/32 on. The checks:

- order: the distance from the flow shrinks like eta: fitted order 1 +- 0.05;
- constant: the distance over eta, of the three smallest steps and extrapolated twice to none, is
  y1 to 1e-4 of it;
- second order: what eta y1 leaves of the distance shrinks like eta^2: fitted order 2 +- 0.1;
- remainder: at every step what eta y1 leaves is at most eta x sharpness of the largest eta y1 of
  all times (at one time y1 may vanish).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from validation.step.runs import FULL, QUICK, Grid, Part, cases, gathered, simulate
from validation.steps import extrapolated, orders
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["STUDY", "compare", "conclude", "draw", "findings", "largest_steps"]

Array = NDArray[np.float64]

_SMALL = 4  # of the steps, the smallest, are taken for asymptotic
_CLOSE = 0.01  # of the flow, for the findings


def _rms(values: Array) -> Array:
    """Over runs, the axis before that of times."""
    return np.sqrt(np.mean(values**2, axis=-2))


def _fineness(part: Part) -> Array:
    """2/sharpness over every step as it was run, the mean over runs."""
    return np.mean(part.safe / part.eta, axis=1)


def compare(grid: Grid, parts: Sequence[Part]) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows, order, second, constant, remainder = [], [], [], [], []
    for part in parts:
        eta = part.eta[..., None, None]
        away = part.descent - part.theory
        distance = np.linalg.norm(away, axis=-1)  # (steps, runs, times)
        left = np.linalg.norm(away - eta * part.constant, axis=-1)
        first_order = np.linalg.norm(eta * part.constant, axis=-1)
        unfit = extrapolated((away / eta)[-3:])[1] - part.constant
        off = _rms(np.linalg.norm(unfit, axis=-1)) / _rms(np.linalg.norm(part.constant, axis=-1))
        share = _rms(left) / np.max(_rms(first_order), axis=-1, keepdims=True)
        part_order, part_second = orders(distance[-_SMALL:], 1), orders(left[-_SMALL:], 1)
        order.append(part_order - 1.0)
        second.append(part_second - 2.0)
        constant.append(off)
        fineness = _fineness(part)
        remainder.append(share * fineness[:, None] / 2.0)
        relative = _rms(distance / part.scale)
        for (s, fine), (l, time) in product(enumerate(fineness), enumerate(grid.times)):
            rows.append(
                {
                    "start": part.start,
                    "norm": part.norm,
                    "outputs": part.outputs,
                    "inputs": part.kind,
                    "quantity": part.quantity,
                    "time": time,
                    "step_over_stable": float(1.0 / fine),
                    "rms_distance": float(relative[s, l]),
                    "rms_first_order": float(_rms(first_order / part.scale)[s, l]),
                    "remainder_over_largest_first_order": float(share[s, l]),
                    "order": float(part_order[l]),
                    "second_order": float(part_second[l]),
                    "constant_error": float(off[l]),
                }
            )
    checks = [
        worst_of("order", "|order - 1| of the distance from the flow in the step", order, 0.05),
        worst_of("constant", "distance of the measured constant from T13, over it", constant, 1e-4),
        worst_of("second order", "|order - 2| of what eta times it leaves", second, 0.1),
        worst_of("remainder", "that over eta x sharpness x eta times it", remainder, 1.0),
    ]
    return rows, checks


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
            step = 1.0 / _fineness(part)
            values = np.linalg.norm(part.descent - part.theory, axis=-1) / part.scale
            line = part.eta[..., None] * np.linalg.norm(part.constant, axis=-1) / part.scale
            rms, error = _rms(values), np.std(values, axis=1) / np.sqrt(values.shape[1])
            many = f"{part.outputs} outputs" if part.outputs > 1 else "1 output"
            panel.plot(step, _rms(line)[:, last], color=f"C{index}", lw=1.0)
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


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    parts = gathered(cases, found)
    rows, checks = compare(grid, parts)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, indices of start and norm, outputs, white, group])"
    }
    return Result(rows, checks, draw(grid, parts), settings, findings(grid, parts, rows))


STUDY = Study(
    name="step",
    question=(
        "Is gradient descent with a step eta away from the flow by eta times the constant that T13 "
        "gives, in weights, loss, alignments and what the flow conserves, for one output and "
        "several, white inputs and others; and how large may a step be?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
