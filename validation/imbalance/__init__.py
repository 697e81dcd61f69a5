"""Imbalance (T1, T2, T3, T5): two layers of unequal weights against gradient descent.

Two kinds of runs, each made with three steps and extrapolated to none (`steps`):

- shared: starts that share their modes with the task, inputs white or not, (a, b) of every mode
  in every direction from b = 0 through a = b and a = 0 to a = -b, against `modes.state` and
  `modes.trajectory`, and as networks against `solve` by its method "modes";
- balanced: W2'W2 - W1 W1' = lambda I with lambda from negative to positive, randomly aligned with
  a task of several outputs, against `solve` by its method "riccati" and `riccati.Balanced`.

Distances are relative, those of a and b over the norm of (a, b) and those of a kernel over itself,
then or at the start, whichever is larger, as a mode at a = -b decays to nothing; of a loss over
that of the start, of a second moment QQ', Q = [W1'; W2], over its norm, and of RA absolute. The
checks:

- modes, networks, riccati, second moment: every extrapolated value is the theory's;
- their orders: the rms distance over runs, modes and times shrinks like the step, for every
  quantity of every case;
- conservation: D = W2'W2 - W1 W1' of descent, extrapolated, is `Network.conserved`, and that of a
  lambda-balanced start the level of `riccati.imbalance` times I, over ||W||^2; and its drift is
  that of `Solution.drift`, none;
- conservation order: the drift of D over ||W||^2 shrinks like the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import richlazy as rl
from richlazy import modes, riccati
from richlazy.laziness import Measures
from validation.comparison import Comparison
from validation.imbalance.runs import FULL, QUICK, Grid, cases, simulate
from validation.simulation.deep import balance, squares
from validation.steps import LEFT, extrapolated, orders, place
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "compare", "compared", "simulate"]

Array = NDArray[np.float64]

_MODES = ("first", "readout", "weight_change", "kernel", "loss")
_DRAWN = {
    "kernel_alignment": "KA",
    "representation_alignment": "RA",
    "weight_change": "‖ΔW‖",
}
_AGAINST = {
    "modes": "modes.state and modes.trajectory",
    "networks": "solve by modes",
    "riccati": "solve by riccati",
    "second moment": "riccati.Balanced",
}


class Seen(NamedTuple):
    """A case, what it found, that beside the theory, and what is left of what T1 conserves."""

    case: Case
    found: Arrays
    parts: dict[str, Comparison]
    kept: Array
    kept_order: float

    @property
    def networks(self) -> Comparison:
        """(measures, runs, times)."""
        return self.parts["networks" if self.case["kind"] == "shared" else "riccati"]


def _compared_modes(case: Case, found: Arrays) -> Comparison:
    """(quantities, runs, times, modes)."""
    w1, w2, q = found["w1"], found["w2"], found["variances"]
    u, r, v = (found[name][:, None] for name in "urv")
    a = np.sum((w1 @ v) * r, axis=-2)
    b = np.sum((w2 @ r) * u, axis=-2)
    a0, b0 = (found[name][:, None] for name in "ab")
    strengths, t = np.array(case["strengths"]), np.reshape(case["times"], (-1, 1))
    change = np.hypot(a - a0, b - b0)
    values = [a, b, change, q * (a * a + b * b), (strengths - q * a * b) ** 2 / (2.0 * q)]
    state = modes.state(a0, b0, strengths, t, q)
    theory = [
        *modes.trajectory(a0, b0, strengths, t, q),
        np.hypot(state.change_first, state.change_readout),
        state.kernel,
        state.loss,
    ]
    length = np.maximum(np.hypot(theory[0], theory[1]), np.hypot(a0, b0))
    kernel = np.maximum(theory[3], q * (a0 * a0 + b0 * b0))
    start = np.broadcast_to((strengths - q * a0 * b0) ** 2 / (2.0 * q), length.shape)
    scale = [length, length, theory[2], kernel, start]
    return Comparison(np.stack(values, axis=1), np.stack(theory), np.stack(scale))


def _compared_networks(case: Case, found: Arrays) -> tuple[Comparison, Array]:
    """(measures, runs, times), and the theory's drift of D at the last time."""
    values, drifts = [], []
    method = "modes" if case["kind"] == "shared" else "riccati"
    for first, readout, cov_yx in zip(
        found["first"], found["readout"], found["cov_yx"], strict=True
    ):
        task = rl.Task(cov_yx, found.get("cov_xx"))
        solution = rl.solve(rl.Network(first, readout), task, method)
        values.append(np.stack(solution.measures([0.0, *case["times"]])))
        drifts.append(solution.drift(case["times"][-1]))
    theory = np.stack(values, axis=1)
    scale = np.abs(theory[..., 1:])
    scale[place("loss")] = theory[place("loss")][:, :1]
    scale[place("representation_alignment")] = 1.0
    return Comparison(found["measures"], theory[..., 1:], scale), np.array(drifts)


def _compared_moments(case: Case, found: Arrays) -> Comparison:
    """(1, runs, times, d + m, d + m)."""
    q = np.concatenate([found["w1"].mT, found["w2"]], axis=-2)
    starts = zip(found["first"], found["readout"], found["cov_yx"], strict=True)
    at = np.array(case["times"], dtype=float)
    theory = np.stack([riccati.Balanced(*start).second_moment(at) for start in starts])
    scale = np.broadcast_to(np.sqrt(squares(theory))[..., None, None], theory.shape)
    return Comparison((q @ q.mT)[:, None], theory[None], scale[None])


def _kept(case: Case, found: Arrays, theory_drift: Array) -> tuple[Array, float]:
    """Distances of what is conserved, and the order of its drift in the step."""
    d = balance(found["w1"], found["w2"])
    starts = list(zip(found["first"], found["readout"], strict=True))
    theory = np.stack([rl.Network(*start).conserved for start in starts])[:, None]
    size = squares(found["w1"]) + squares(found["w2"])
    drift = np.sqrt(squares(d - theory)) / size
    limit = extrapolated(d)[1]
    off = [np.sqrt(squares(limit - theory)) / size[-1]]
    off.append(extrapolated(drift)[1][:, -1:] - theory_drift[:, None])
    if case["kind"] == "balanced":
        level = np.array([riccati.imbalance(*start)[0] for start in starts])[:, None, None, None]
        off.append(np.sqrt(squares(limit - level * np.eye(d.shape[-1]))) / size[-1])
    return np.concatenate([x.ravel() for x in off]), float(orders(drift, (1, 2)))


def compared(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Seen]:
    """Descent beside the theory, case by case."""
    seen = []
    for case, part in zip(cases, found, strict=True):
        networks, drift = _compared_networks(case, part)
        if case["kind"] == "shared":
            parts = {"modes": _compared_modes(case, part), "networks": networks}
        else:
            parts = {"riccati": networks, "second moment": _compared_moments(case, part)}
        seen.append(Seen(case, part, parts, *_kept(case, part, drift)))
    return seen


def compare(seen: Sequence[Seen]) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows: list[dict[str, Any]] = []
    left: dict[str, list[Array]] = {name: [] for name in _AGAINST}
    order: dict[str, list[Array]] = {name: [] for name in _AGAINST}
    for one in seen:
        if one.case["kind"] == "shared":
            rows += _rows_of_modes(one.case, one.found, one.parts["modes"])
        rows += _rows(one.case, one.found, one.networks)
        for name, comparison in one.parts.items():
            left[name].append(comparison.left.ravel())
            order[name].append(comparison.orders)
    kept = np.concatenate([one.kept for one in seen])
    kept_order = np.array([one.kept_order for one in seen])
    checks = []
    for name, theory in _AGAINST.items():
        checks += [
            worst_of(
                name,
                f"distance from {theory}, steps extrapolated to 0",
                np.concatenate(left[name]),
                LEFT,
            ),
            worst_of(
                f"{name} order",
                "|order - 1| of the distance in the step",
                np.concatenate(order[name]) - 1.0,
                0.05,
            ),
        ]
    checks += [
        worst_of("conservation", "distance of D from its start's, extrapolated",
                 kept, LEFT),
        worst_of("conservation order", "|order - 1| of the drift of D",
                 kept_order - 1.0, 0.05),
    ]  # fmt: skip
    return rows, checks


def _labels(case: Case, found: Arrays) -> dict[str, Any]:
    shared = case["kind"] == "shared"
    return {
        "kind": case["kind"],
        "white": case.get("white", True),
        "norm": case["norms"][case["index"]] if shared else float(np.sqrt(_size(case))),
        "lambda": "" if shared else float(found["level"]),
        "mode_strength": "",
        "angle": "",
        "eta": float(found["eta"]),
    }


def _size(case: Case) -> float:
    return float(case["sizes"][case["index"]])


def _rows(case: Case, found: Arrays, seen: Comparison) -> list[dict[str, Any]]:
    """One for each measure and time, over the runs."""
    columns = seen.columns(1)
    return [
        _labels(case, found)
        | {"quantity": Measures._fields[i], "time": case["times"][j]}
        | {name: float(column[i, j]) for name, column in columns.items()}
        for i, j in np.ndindex(columns["theory"].shape)
    ]


def _rows_of_modes(case: Case, found: Arrays, seen: Comparison) -> list[dict[str, Any]]:
    """One for each quantity, direction, time and mode."""
    single = Comparison(seen.plain[:, :, None], seen.theory[:, None], seen.scale[:, None])
    columns = single.columns(1)
    rows = []
    for i, run, j, mode in np.ndindex(columns["theory"].shape):
        cell = {"mode_strength": case["strengths"][mode], "angle": float(found["angle"][run, mode])}
        cell |= {"quantity": _MODES[i], "time": case["times"][j]}
        values = {name: float(column[i, run, j, mode]) for name, column in columns.items()}
        rows.append(_labels(case, found) | cell | values)
    return rows


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


def draw(seen: Sequence[Seen]) -> Figure:
    """Laziness against lambda, and of one mode against the direction in which it starts."""
    grid = grid_of(Grid, seen[0].case)
    figure = Figure(figsize=(11.0, 7.0), layout="constrained")
    panels = figure.subplots(2, 3)
    shares = np.array(grid.shares)
    for panel, (measure, label) in zip(panels[0], _DRAWN.items(), strict=True):
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


def findings(seen: Sequence[Seen]) -> list[str]:
    """From lazy to rich and back as lambda goes through 0 at equal norm."""
    grid = grid_of(Grid, seen[0].case)
    said = []
    middle = int(np.argmin(np.abs(grid.shares)))
    chosen = (0, middle, len(grid.shares) - 1)
    for index, size in enumerate(grid.sizes):
        means = {m: np.mean(_ends(seen, index, m)[0], axis=1) for m in _DRAWN}
        shares = ", ".join(f"{grid.shares[k]:g}" for k in chosen)
        values = [
            f"mean {label} " + ", ".join(f"{means[m][k]:.3f}" for k in chosen)
            for m, label in _DRAWN.items()
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


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    seen = compared(cases, found)
    rows, checks = compare(seen)
    settings = {name: cases[0][name] for name in Grid.__dataclass_fields__}
    settings |= {"generator": "numpy default_rng([seed, kind, index of the norm, white])"}
    return Result(rows, checks, draw(seen), settings, findings(seen))


STUDY = Study(
    name="imbalance",
    question=(
        "Do two layers of unequal weights learn as the theory says, with what T1 says is kept: "
        "modes of any imbalance as T3 does, lambda-balanced starts of any alignment as T5 does? "
        "The verdict is on that. And do they go from lazy to rich as lambda goes through 0? That "
        "answer, whichever it is, is among the findings."
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
