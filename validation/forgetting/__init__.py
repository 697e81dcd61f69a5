"""Forgetting (T12): networks trained on task A, then B, then C, against `sequence`.

Starts, tasks and runs are those of `runs`. A stage of descent starts from the weights at which
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
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import low_rank
from validation.forgetting.report import draw, findings
from validation.forgetting.runs import (
    FULL,
    KINDS,
    QUANTITIES,
    QUICK,
    STAGES,
    Grid,
    Simulation,
    at,
    cases,
    gathered,
    simulate,
)
from validation.forgetting.theory import learned, left_of, predicted
from validation.steps import LEFT, extrapolated, orders
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["STUDY", "Simulation", "compare", "findings", "gathered"]

Array = NDArray[np.float64]

_RELATIVE = 4  # so many quantities are measured relative to themselves
_RESOLVED = 2e-5
_UNRESOLVED = 0.1  # of the runs, at most
_MEASURABLE = 1e-7
_TOLD = 1e-4  # a loss left that does not blur what is forgotten on average


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
        worst_of("learned", "forgetting of A by B - (1 - overlap)", learned(grid, found), 1e-5),
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
    left = np.max(left_of(found[:2], "BC"), axis=-1).reshape(2, -1)
    forgotten = np.mean(found[:2, ..., 2, at("forgetting_B"), :], axis=-1).reshape(2, -1)
    best = np.arange(2), np.argmin(left, axis=1)
    # the cosine of C and B has mean 0 and variance 1/(outputs x inputs)
    error = 1.0 / np.sqrt(np.array([1, 2]) * grid.inputs * grid.runs)
    return np.where(left[best] < _TOLD, (forgotten[best] - 1.0) / error, np.inf)


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
