"""Depth (T4, T11, T1): deep linear networks of 1 to 6 layers against gradient descent.

Three kinds of runs, each made with three steps and extrapolated to none (`steps`):

- aligned: networks whose layers share balanced modes, in random frames and layers of unequal
  width, against `depth.state`: each mode's strength and change of kernel, the weight changes and
  the loss of the whole;
- powers: gradient descent of one weight W in f(x) = (W/sqrt(L))^L x, which is a balanced mode of
  L layers for any real L, against `curves.depth`; and at great L against `depth.infinite`;
- random: Gaussian starts of 3 and 4 layers, white inputs or not, against `deep.solve`.

Distances are relative; that of a loss relative to its start, of RA absolute, of the relative
change k of a kernel over 1 + k. The checks:

- aligned, powers, infinite, random: every extrapolated value is the theory's (infinite:
  extrapolated in the step and then, by the same rule, in 1/L);
- their orders: the rms distance, over modes and times (random: over runs and times), shrinks like
  the step (infinite: like 1/L), for every quantity of every case;
- times: T4's time to where descent is, wherever a mode has gone 5 to 95 % of its way, is the time
  that it took;
- conservation: change of W_{l+1}'W_{l+1} - W_l W_l', all l together, over ||W||^2, extrapolated,
  is that of `deep.DeepSolution.drift`, none; its order in the step.

What one layer cannot change, its kernel, has no order and is left out there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from richlazy import curves, deep, depth
from richlazy.laziness import Measures
from richlazy.start.task import Task
from validation.comparison import Comparison
from validation.depth.runs import FULL, QUICK, Grid, cases, simulate
from validation.steps import LEFT, extrapolated, orders, place
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "compare", "simulate"]

Array = NDArray[np.float64]

_AGAINST = {
    "aligned": "depth.state",
    "powers": "curves.depth",
    "infinite": "depth.infinite",
    "random": "deep.solve",
}
_ALIGNED = ("mode_strength", "relative_kernel_change", *Measures._fields[:3], "loss")
_INFINITE = ("mode_strength", "weight_change_times_root_depth", "relative_kernel")
_POWERS = ("mode_strength", "weight_change", "relative_kernel_change", "loss")


def _compared_aligned(case: Case, found: Arrays) -> Comparison:
    """(quantities, frames, times, modes); what is of the whole network at every mode alike."""
    start, strengths = case["starts"][case["index"]], np.array(case["strengths"])
    state = depth.state(start, strengths, found["times"][:, None], case["layers"])
    u = depth.strength(start, strengths, found["times"][:, None], case["layers"])
    whole = np.sqrt(np.sum(state.weight_change**2, axis=1))[:, None]
    each = whole / np.sqrt(case["layers"])  # of every layer, as it is balanced
    loss = np.sum(state.loss, axis=1)[:, None]
    shape = found["strength"].shape[1:]
    theory = np.stack(
        [
            np.broadcast_to(x, shape)
            for x in (u, state.relative_kernel_change, whole, each, each, loss)
        ]
    )
    network = found["measures"][..., None]
    ratio = found["kernel"] / (case["layers"] * start ** (2.0 - 2.0 / case["layers"]))
    values = [found["strength"], np.abs(ratio - 1.0)]
    values += [np.broadcast_to(network[:, place(name)], ratio.shape) for name in _ALIGNED[2:]]
    scale = theory.copy()
    scale[1] += 1.0
    scale[-1] = 0.5 * np.sum((strengths - start) ** 2)
    return Comparison(np.stack(values, axis=1), theory, scale)


def _compared_powers(case: Case, found: Arrays) -> Comparison:
    """(quantities, starts, layers, times)."""
    tables = [
        [
            curves.depth(start, layers=case["real_depths"], t=time).columns
            for time in case["real_times"]
        ]
        for start in case["starts"]
    ]
    theory = np.array([[[t[name] for t in row] for row in tables] for name in _POWERS])
    theory = np.moveaxis(theory, 2, 3)
    values = found["values"].copy()
    values[:, 2] = np.abs(values[:, 2] - 1.0)
    scale = theory.copy()
    scale[2] += 1.0
    scale[3] = 0.5 * (1.0 - np.reshape(case["starts"], (-1, 1, 1))) ** 2
    return Comparison(values, theory, scale)


def _compared_infinite(case: Case, found: Arrays) -> Comparison:
    """(quantities, starts, times), 1/L halved along the first axis and no steps left.

    The product u, sqrt(L) ||dW|| and the kernel over that of the start.
    """
    start = np.reshape(case["starts"], (-1, 1))
    u = depth.infinite(start, 1.0, case["great_times"])
    theory = np.stack([u, np.abs(np.log(u / start)), (u / start) ** 2])
    values = np.moveaxis(extrapolated(found["values"])[1][:3], 2, 0)
    values[:, 1] *= np.sqrt(np.reshape(case["great_depths"], (-1, 1, 1)))
    return Comparison(values, theory, theory)


def _compared_random(case: Case, found: Arrays) -> tuple[Comparison, Array]:
    """(measures, runs, times), and the drift of the theory at the last time (runs,)."""
    values, drifts = [], []
    for run, cov_yx in enumerate(found["cov_yx"]):
        start = [found[f"start_{l}"][run] for l in range(case["layers"])]
        solution = deep.solve(start, Task(cov_yx, found.get("cov_xx")))
        values.append(np.stack(solution.measures([0.0, *case["random_times"]])))
        drifts.append(solution.drift(case["random_times"][-1]))
    theory = np.stack(values, axis=1)
    scale = np.abs(theory[..., 1:])
    scale[place("loss")] = theory[place("loss")][:, :1]
    scale[place("representation_alignment")] = 1.0
    return Comparison(found["measures"], theory[..., 1:], scale), np.array(drifts)


def compare(
    cases: Sequence[Case], found: Sequence[Arrays]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    left: dict[str, list[Array]] = {kind: [] for kind in _AGAINST}
    order: dict[str, list[Array]] = {kind: [] for kind in _AGAINST}
    late, drift, drift_order = [], [], []
    for case, part in zip(cases, found, strict=True):
        kind = case["kind"]
        if kind == "aligned":
            seen = _compared_aligned(case, part)
            late.append(_late(case, part, seen.twice[0]))
        elif kind == "powers":
            seen = _compared_powers(case, part)
        elif kind == "infinite":
            seen = _compared_infinite(case, part)
        else:
            seen, theory_drift = _compared_random(case, part)
            drift.append((extrapolated(part["drift"])[1][:, -1] - theory_drift).ravel())
            drift_order.append(orders(part["drift"], (1, 2)))
        off = seen.left
        if kind == "aligned":  # what is of the whole network counts once
            left[kind].append(off[2:, ..., 0].ravel())
            off = off[:2]
        left[kind].append(off.ravel())
        order[kind].append(seen.orders)
        rows += _rows(case, part, seen)
    joined = {name: np.concatenate(values) for name, values in left.items()}
    fitted = {name: np.concatenate(values) for name, values in order.items()}
    checks = []
    for kind, theory in _AGAINST.items():
        checks += [
            worst_of(kind, f"distance from {theory}, steps extrapolated to 0", joined[kind], LEFT),
            worst_of(
                f"{kind} order",
                "|order - 1| of the distance in the step, or in 1/L",
                fitted[kind] - 1.0,
                0.05,
            ),
        ]
    checks += [
        worst_of("times", "depth.time to where descent is, relative", np.concatenate(late), LEFT),
        worst_of(
            "conservation", "drift of the balances, extrapolated", np.concatenate(drift), LEFT
        ),
        worst_of(
            "conservation order", "|order - 1| of the drift", np.array(drift_order) - 1.0, 0.05
        ),
    ]
    return rows, checks


def _late(case: Case, found: Arrays, strength: Array) -> Array:
    """T4's time to each mode's strength over the time it took, less 1, on the way of the mode."""
    start, strengths = case["starts"][case["index"]], np.array(case["strengths"])
    way = (strength - start) / (strengths - start)
    when, goal = (
        np.broadcast_to(x, way.shape)[(way > 0.05) & (way < 0.95)]
        for x in (found["times"][:, None], strengths)
    )
    reached = strength[(way > 0.05) & (way < 0.95)]
    return np.asarray(depth.time(start, reached, goal, case["layers"]) / when - 1.0)


def _rows(case: Case, found: Arrays, seen: Comparison) -> list[dict[str, Any]]:
    """One for each quantity and time, and each mode or start it belongs to.

    At infinite depth it is 1/L and not eta whose errors, halved and halved again, are given.
    """
    kind, eta = case["kind"], float(found["eta"])
    empty = {"layers": "", "start": "", "strength": "", "gain": "", "white": True}
    rows = []
    if kind in ("powers", "infinite"):
        seen = Comparison(seen.plain[:, :, None], seen.theory[:, None], seen.scale[:, None])
    columns = seen.columns(1)
    for place_of in np.ndindex(columns["theory"].shape):
        cell = dict(empty)
        if kind == "aligned":
            i, time, mode = place_of
            if i > 1 and mode > 0:
                continue  # of the whole network
            start, when = case["starts"][case["index"]], found["times"][time]
            cell |= {"layers": case["layers"], "start": start}
            cell |= {"strength": case["strengths"][mode]} if i < 2 else {}
        elif kind == "infinite":
            i, j, time = place_of
            cell |= {"layers": np.inf, "start": case["starts"][j], "strength": 1.0}
            when = case["great_times"][time]
        elif kind == "powers":
            i, j, k, time = place_of
            cell |= {"layers": case["real_depths"][k], "start": case["starts"][j], "strength": 1.0}
            when = case["real_times"][time]
        else:
            i, time = place_of
            gain, when = case["gains"][case["index"]], case["random_times"][time]
            cell |= {"layers": case["layers"], "gain": gain, "white": case["white"]}
        name = {
            "aligned": _ALIGNED,
            "powers": _POWERS,
            "infinite": _INFINITE,
            "random": Measures._fields,
        }[kind][i]
        cell |= {"time": float(when), "eta": eta}
        cell |= {name: float(column[place_of]) for name, column in columns.items()}
        rows.append({"kind": kind, "quantity": name} | cell)
    return rows


def _of_aligned(cases: Sequence[Case], found: Sequence[Arrays], index: int) -> list[Any]:
    """(case, arrays) of the aligned networks of one start, by depth."""
    pairs = zip(cases, found, strict=True)
    return [(c, f) for c, f in pairs if c["kind"] == "aligned" and c["index"] == index]


def draw(cases: Sequence[Case], found: Sequence[Arrays]) -> Figure:
    """Learning curves of every depth, and time, weight change and kernel against depth."""
    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    (curve, time), (weight, kernel) = figure.subplots(2, 2)
    grid = grid_of(Grid, cases[0])
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
            _compared_aligned(c, f).twice[..., -1, 0] for c, f in _of_aligned(cases, found, index)
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


def findings(cases: Sequence[Case], found: Sequence[Arrays]) -> list[str]:
    """How the time to learn and laziness go with depth."""
    grid = grid_of(Grid, cases[0])
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
            np.mean(_compared_aligned(c, f).twice[..., -1, 0], axis=1)
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


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    rows, checks = compare(cases, found)
    settings = {name: cases[0][name] for name in Grid.__dataclass_fields__}
    settings |= {"generator": "numpy default_rng([seed, kind, layers, index, white])"}
    return Result(rows, checks, draw(cases, found), settings, findings(cases, found))


STUDY = Study(
    name="depth",
    question=(
        "Do linear networks of any depth learn as the theory says: balanced modes that all layers "
        "share as T4 does, at every time, and random starts as the flow of T11 does, with the "
        "balances of T1 kept, but for the size of the steps?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
