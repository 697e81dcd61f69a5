"""Forgetting (T12): networks trained on task A, then B, then C, against `sequence`.

Starts, tasks and runs are those of `courses`. A stage of descent starts from the weights at which
the one before ended; its path length is the sum of the lengths of its steps. Runs are made with
the steps eta, eta/2 and eta/4 and extrapolated to f1 and f2 (`steps`; every quantity, path lengths
and alignments too, is wrong by O(eta)). Distances of changes, path lengths and alignments are
relative, those of losses and forgetting relative to 1/2, the loss of zero weights. A run is
resolved if f1 at eta/4 and f2 agree to 2e-5 in everything: one that comes near a saddle is not,
because steps of any size change by when it leaves. The checks:

- runs: every resolved run that is compared is that of `sequence`, its path lengths those of
  `path_length`; a number that is not finite is no saddle and fails, in whatever run;
- resolved: the share of compared runs that are not;
- order: the rms distance over norms, ranks and resolved runs shrinks like the step, for every
  kind, duration, stage and quantity where it is above 1e-7 with the smallest step (in few runs its
  first order may all but vanish);
- means: z = (mean over runs - T7) / standard error of KA and dW of the first stage of silent starts
  (that of the loss hangs on rare tasks and is not normal with so few);
- learned: with white inputs the forgetting of A by B is 1 - overlap once both are learned (loss
  below 1e-12), whatever the start; where W = A and then W = B that is the definition of forgetting,
  so this holds how it is measured, not T12;
- independent: z of the mean forgetting of B by C, likewise 1 - their cosine and so 1 on average,
  for each kind with white inputs. B and C are the same for every norm, duration and rank, so there
  is one value a kind: that of the cell whose largest loss left on B and C is least. It must be
  below 1e-4, which moves forgetting by less than a standard error;
- bounds: dW <= path length <= sqrt(t x loss removed), the larger of the two ratios - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import t as student

from richlazy import low_rank
from validation.forgetting.courses import (
    FULL,
    KINDS,
    QUANTITIES,
    QUICK,
    STAGES,
    Grid,
    cases,
    predicted,
    simulate,
)
from validation.steps import LEFT, SETTLED, extrapolated, orders
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["STUDY", "Simulation", "compare", "findings", "gathered"]

Array = NDArray[np.float64]

_RELATIVE = 4  # so many quantities are measured relative to themselves
_RESOLVED = 2e-5
_UNRESOLVED = 0.1  # of the runs, at most
_MEASURABLE = 1e-7
_TOLD = 1e-4  # a loss left that does not blur what is forgotten on average
_SAME = 0.005  # forgetting, of tasks whose loss is 1/2 at first


@dataclass(frozen=True)
class Simulation:
    """What descent measured and `sequence` says.

    `values` (steps, kinds, norms, durations, ranks, stages, quantities, runs), `theory` without
    the first axis and of the compared runs only; `start` (kinds, norms, durations, ranks, runs)
    the loss on A of the start; `eta` (kinds, norms, durations, ranks).
    """

    values: Array
    theory: Array
    start: Array
    eta: Array

    @property
    def found(self) -> Array:
        """Extrapolated to steps of no size."""
        return extrapolated(self.values)[1]


def gathered(grid: Grid, found: Sequence[Arrays], theory: Array) -> Simulation:
    """What all cases found, in one array each."""
    values = np.stack([part["values"] for part in found], axis=1)
    return Simulation(
        values.reshape(len(values), *grid.shape, *values.shape[2:]),
        theory.reshape(*grid.shape, *theory.shape[1:]),
        np.reshape([part["start"] for part in found], (*grid.shape, -1)),
        np.reshape([part["eta"] for part in found], grid.shape),
    )


def at(name: str) -> int:
    """Index of a quantity."""
    return QUANTITIES.index(name)


def compare(grid: Grid, simulation: Simulation) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    theory, found = simulation.theory, simulation.found
    once = extrapolated(simulation.values)[0][1]
    scale = np.full(theory.shape, 0.5)
    scale[..., :_RELATIVE, :] = np.abs(theory[..., :_RELATIVE, :])
    seen = np.s_[..., : grid.compared]
    off, off_twice = ((each[seen] - theory) / scale for each in (simulation.values, found))
    gap = np.max(np.abs(found - once)[seen] / scale, axis=(-3, -2))
    unresolved = ~(gap < _RESOLVED)  # a NaN too
    resolved = np.broadcast_to(~unresolved[..., None, None, :], theory.shape)
    judged = resolved | ~np.isfinite(off_twice)

    kept = np.where(resolved, off, 0.0)
    measurable = np.sqrt(np.mean(kept[-1] ** 2, axis=(1, 3, 6))) > _MEASURABLE
    with np.errstate(divide="ignore", invalid="ignore"):  # some are 0 with every step
        order = orders(kept, (2, 4, 7))[measurable]
    checks = [
        worst_of("runs", "distance of a run from T12, steps to 0", off_twice[judged], LEFT),
        worst_of("resolved", "share of runs too near a saddle", np.mean(unresolved), _UNRESOLVED),
        worst_of("order", "|order - 1| of the distance from T12 in the step", order - 1.0, 0.05),
        worst_of("means", "|z| of means over tasks against T7", _scores(grid, found), 4.0),
        worst_of("learned", "forgetting of A by B - (1 - overlap)", _learned(grid, found), 1e-5),
        worst_of("independent", "|z| of the forgetting of B by C", _independent(grid, found), 4.0),
        worst_of("bounds", "dW / length - 1, length / bound - 1", _bounds(grid, simulation), LEFT),
    ]
    columns = {
        "theory_mean": np.mean(theory, axis=-1),
        "descent_mean": np.mean(found[seen], axis=-1),
        "descent_mean_all": np.mean(found, axis=-1),
        "descent_standard_error_all": np.std(found, axis=-1, ddof=1) / np.sqrt(grid.runs),
        "resolved": np.mean(resolved, axis=-1),
        "largest_error_extrapolated": np.max(np.abs(off_twice) * resolved, axis=-1),
    }
    return _rows(grid, simulation.eta, columns), checks


def _scores(grid: Grid, found: Array) -> Array:
    """z of the first stage of silent starts against T7."""
    norms, durations, ranks = np.ix_(grid.norms, grid.durations, np.array(grid.ranks, dtype=float))
    law = low_rank.expected(ranks, grid.inputs, norm=norms, t=durations)
    scores = []
    for name in ("kernel_alignment", "weight_change"):
        mean, sd = getattr(law.mean, name), getattr(law.sd, name)
        values = np.mean(found[0, ..., 0, at(name), :], axis=-1)
        scores.append((values - mean) / np.hypot(sd / np.sqrt(grid.runs), LEFT))
    return np.array(scores)


def _independent(grid: Grid, found: Array) -> Array:
    """z of the mean forgetting of B by C of both kinds with white inputs; inf if not learned."""
    left = np.max(_left(found[:2], "BC"), axis=-1).reshape(2, -1)
    forgotten = np.mean(found[:2, ..., 2, at("forgetting_B"), :], axis=-1).reshape(2, -1)
    best = np.arange(2), np.argmin(left, axis=1)
    # the cosine of C and B has mean 0 and variance 1/(outputs x inputs)
    error = 1.0 / np.sqrt(np.array([1, 2]) * grid.inputs * grid.runs)
    return np.where(left[best] < _TOLD, (forgotten[best] - 1.0) / error, np.inf)


def _left(found: Array, tasks: str) -> Array:
    """Largest of the losses of a run on these tasks at the ends of their own stages."""
    losses = [found[..., STAGES.index(task), at(f"loss_{task}"), :] for task in tasks]
    return np.asarray(np.max(np.abs(losses), axis=0))


def _learned_runs(found: Array) -> Array:
    """Runs with white inputs that learned A and B."""
    return np.asarray(_left(found[:2], "AB") < SETTLED)


def _learned(grid: Grid, found: Array) -> Array:
    """Forgetting of A by B - (1 - overlap) where inputs are white and both are learned."""
    overlap = np.resize(grid.overlaps, grid.runs)
    forgotten = found[:2, ..., 1, at("forgetting_A"), :]
    return np.asarray((forgotten - (1.0 - overlap))[_learned_runs(found)])


def _bounds(grid: Grid, simulation: Simulation) -> Array:
    """dW / path length - 1 and path length / sqrt(t (L(0) - L(t))) - 1, 0 where they are less."""
    found = simulation.found
    change, length = (found[..., at(name), :] for name in ("weight_change", "path_length"))
    removed = [
        (found[..., k - 1, at(f"loss_{task}"), :] if k else simulation.start)
        - found[..., k, at(f"loss_{task}"), :]
        for k, task in enumerate(STAGES)
    ]
    bound = np.reshape(grid.durations, (-1, 1, 1, 1)) * np.stack(removed, axis=-2)
    share = np.divide(length**2, bound, out=np.full(bound.shape, np.inf), where=bound > 0)
    return np.maximum([change / length - 1.0, np.sqrt(share) - 1.0], 0.0)


def _rows(grid: Grid, eta: Array, columns: dict[str, Array]) -> list[dict[str, Any]]:
    rows = []
    names = product(KINDS, grid.norms, grid.durations, grid.ranks, STAGES, QUANTITIES)
    shape = columns["theory_mean"].shape
    for index, (kind, norm, duration, rank, stage, quantity) in zip(
        np.ndindex(shape), names, strict=True
    ):
        cell = {"kind": kind, "norm": norm, "duration": duration, "rank": rank, "stage": stage}
        cell |= {"quantity": quantity, "eta": float(eta[index[:4]])}
        rows.append(cell | {name: float(column[index]) for name, column in columns.items()})
    return rows


def findings(grid: Grid, simulation: Simulation) -> list[str]:
    """How rank and norm set laziness, forgetting and the length of the way."""
    found = simulation.found
    said = [
        "White inputs: once A and B are learned, A is forgotten by 1 - overlap, by the definition "
        "of forgetting: a start can change when tasks are forgotten and how far the weights move, "
        "not how much is forgotten in the end. Runs that learned both (loss below "
        f"{SETTLED:g}): {_where_learned(grid, found)}; they forget that much to "
        f"{np.max(np.abs(_learned(grid, found)), initial=0.0):.0e}."
    ]
    last, short, overlaps = len(grid.durations) - 1, 0, np.resize(grid.overlaps, grid.runs)
    for kind, stage in product(range(len(KINDS)), (short, last)):
        for i, norm in enumerate(grid.norms):
            for overlap in grid.overlaps if kind == 2 else (None,):
                chosen = np.full(grid.runs, True) if overlap is None else overlaps == overlap
                low, full = (found[kind, i, stage, k][..., chosen] for k in (0, -1))
                setting = f"{KINDS[kind]}, norm {norm:g}, t = {grid.durations[stage]} a task"
                if overlap is not None:
                    setting += f", overlap {overlap:g}"
                said.append(
                    f"{setting}: {_contrast(full, low, f'full rank - rank {grid.ranks[0]}')}"
                )
        said.append(
            f"{KINDS[kind]}, t = {grid.durations[stage]} a task, full rank: "
            + _contrast(
                found[kind, -1, stage, -1],
                found[kind, 0, stage, -1],
                f"norm {grid.norms[-1]:g} - norm {grid.norms[0]:g}",
            )
        )
    return [*said[:1], *map(_tally, KINDS, [said] * len(KINDS)), *said[1:]]


def _where_learned(grid: Grid, found: Array) -> str:
    """Kinds, norms and ranks with runs that learned A and B, and how many."""
    count = np.sum(_learned_runs(found), axis=(2, 4))
    told = [
        f"{KINDS[i]}, norm {grid.norms[j]:g}, rank {grid.ranks[k]}: {count[i, j, k]}"
        for i, j, k in np.argwhere(count)
    ]
    return "; ".join(told) or "none"


def _tally(kind: str, said: Sequence[str]) -> str:
    """How the comparisons of one kind came out."""
    own = [line for line in said if line.startswith(kind)]
    counts = {
        words: sum(f"; {words}." in line for line in own)
        for words in (
            "the lazier start forgets less",
            "the lazier start forgets more",
            "both forget alike",
            "undecided",
        )
    }
    told = ", ".join(f"{words} in {count}" for words, count in counts.items())
    return f"Of {len(own)} comparisons of kind {kind} (all follow): {told}."


def _contrast(a: Array, b: Array, name: str) -> str:
    """Paired differences between two starts on the same tasks, with 95 % intervals."""
    parts, centre, half = [], {}, {}
    for label, stage, quantity in (
        ("KA of A", 0, "kernel_alignment"),
        ("forgetting of A by B", 1, "forgetting_A"),
        ("loss left on B", 1, "loss_B"),
        ("path length of B", 1, "path_length"),
    ):
        each = a[stage, at(quantity)] - b[stage, at(quantity)]
        centre[label] = float(np.mean(each))
        half[label] = float(
            student.ppf(0.975, each.size - 1) * np.std(each, ddof=1) / np.sqrt(each.size)
        )
        parts.append(f"{label} {centre[label]:+.3f} +- {half[label]:.3f}")
    sure = all(abs(centre[label]) > half[label] for label in ("KA of A", "forgetting of A by B"))
    less = centre["KA of A"] * centre["forgetting of A by B"] < 0
    verdict = ("the lazier start forgets " + ("less" if less else "more")) if sure else "undecided"
    if abs(centre["forgetting of A by B"]) + half["forgetting of A by B"] < _SAME:
        verdict = "both forget alike"
    return f"{name}: {', '.join(parts)}; {verdict}."


def draw(grid: Grid, simulation: Simulation) -> Figure:
    """KA of A, forgetting of A by B and path length of B against rank, a row for every kind."""
    figure = Figure(figsize=(11.0, 8.5), layout="constrained")
    panels = figure.subplots(len(KINDS), 3, sharex=True)
    shown = (
        ("KA over task A", 0, "kernel_alignment"),
        ("forgetting of A by B (loss)", 1, "forgetting_A"),
        ("path length of B", 1, "path_length"),
    )
    found = simulation.found[..., : grid.compared]
    for (row, kind), (column, (title, stage, name)) in product(enumerate(KINDS), enumerate(shown)):
        panel = panels[row, column]
        for (i, norm), (j, duration) in product(enumerate(grid.norms), enumerate(grid.durations)):
            cells = np.s_[row, i, j, :, stage, at(name)]
            line, dots = np.mean(simulation.theory[cells], axis=-1), found[cells]
            style = {"color": f"C{i}", "ls": "--" if j == 0 and len(grid.durations) > 1 else "-"}
            label = f"‖W(0)‖ = {norm:g}, t = {duration}"
            panel.plot(grid.ranks, line, lw=1.1, label=label, **style)
            error = np.std(dots, axis=-1, ddof=1) / np.sqrt(grid.compared)
            mean = np.mean(dots, axis=-1)
            panel.errorbar(grid.ranks, mean, error, color=f"C{i}", fmt="o", ms=3, lw=0.9)
        if row == 0:
            panel.set_title(title)
        if column == 0:
            panel.set_ylabel(f"{kind}")
        if row == len(KINDS) - 1:
            panel.set_xlabel("rank of the initial W1")
    panels[0, 0].legend(frameon=False, fontsize=7, title="line: T12, dots: descent ± s.e.")
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    simulation = gathered(grid, found, predicted(cases))
    rows, checks = compare(grid, simulation)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, index of the kind, rank]), rank 0 for tasks"
    }
    figure = draw(grid, simulation)
    return Result(rows, checks, figure, settings, findings(grid, simulation))


STUDY = Study(
    name="forgetting",
    question=(
        "Does gradient descent on one task after another, from flat and lambda-balanced starts of "
        "every rank, forget and move as T12 says, at the same times, but for the size of its "
        "steps? The verdict is on that. And do lazier starts forget less? That answer, whichever "
        "it is, is among the findings."
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
