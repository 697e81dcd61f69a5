"""Recurrent networks that learn task A, then task B: what is left of A, against initial rank.

Ranks of one seed share the Gaussian matrix that they are cut from, W_x, W_o and all trials. B
begins with the weights that A left, and a fresh optimizer.

- rank correlation: mean over seeds of Spearman's rho between rank and measure; the interval is a
  bootstrap over seeds;
- ends: full rank less rank 1, seed by seed: the paired t-test and Student's interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from validation.rnn import PACKAGES
from validation.rnn.experiment import (
    GENERATOR,
    Networks,
    load_task,
    made,
    model_of,
    ranked,
    ranks_of,
    seed_of,
    training_of,
)
from validation.rnn.measures import evaluate
from validation.rnn.statistics import difference, mean, rank_correlation
from validation.rnn.summary import Found, grouped, intervals
from validation.rnn.train import enough_memory, stacked, train
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["FULL", "MEASURES", "QUICK", "STUDY", "cases", "conclude", "simulate"]

#: What is kept of a run of A, then B.
MEASURES = (
    "loss_learned",  # of A, after A
    "loss_left",  # of A, after B
    "accuracy_learned",
    "accuracy_left",
    "forgotten",  # accuracy of A that B took
    "change_first",  # |dW_h| of A
    "change_second",  # |dW_h| of B, from where A ended
    "path_length",  # of both
)


FULL = Networks(tasks=("2AF", "DMS"), starts=ranked(1, 10, 100, 300), seeds=10)
QUICK = Networks(
    tasks=("2AF", "DMS"), starts=ranked(1, 5, 50), seeds=3, units=50, steps=600, rate=0.01
)


def cases(grid: Networks, seed: int) -> list[Case]:
    """One for each order of the tasks and seed."""
    return [
        asdict(grid) | {"seed": seed, "task": first, "then": second, "index": index}
        for first, second in (grid.tasks, grid.tasks[::-1])
        for index in range(grid.seeds)
    ]


def simulate(case: Mapping[str, Any]) -> Arrays:
    """Train on both, every start at once."""
    first, second = load_task(case["task"]), load_task(case["then"])
    model, training = model_of(case), training_of(case)
    before = stacked(made(case, first))
    runs = len(case["starts"])
    with enough_memory(before):
        learned = train(model, before, first, [seed_of(case, 0)] * runs, training)
        after = train(model, learned.params, second, [seed_of(case, 1)] * runs, training)
    test = jax.random.key(seed_of(case, 2))
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for index in range(runs):
        mine = dict.fromkeys(MEASURES, np.nan)
        for words, trained in (("learned", learned), ("left", after)):
            if not trained.diverged[index]:
                params = {name: value[index] for name, value in trained.params.items()}
                scores = evaluate(model, first, params, test)
                mine[f"loss_{words}"], mine[f"accuracy_{words}"] = scores
        mine["forgotten"] = mine["accuracy_learned"] - mine["accuracy_left"]
        mine["change_first"] = learned.change[index, -1]
        mine["change_second"] = after.change[index, -1]
        mine["path_length"] = learned.path[index, -1] + after.path[index, -1]
        for name, value in mine.items():
            found[name].append(float(value))
    arrays = {name: np.array(values) for name, values in found.items()}
    diverged = learned.diverged | after.diverged
    return arrays | {
        "diverged": diverged.astype(float),
        "loss_first": learned.loss,
        "loss_second": after.loss,
    }


def rows(grid: Networks, every: Found) -> list[dict[str, Any]]:
    found = []
    for course, mine in every.items():
        for index, rank in enumerate(ranks_of(grid)):
            for name in MEASURES:
                values = mine[name][:, index]
                estimate, low, high, _, seeds = mean(values)
                numbers = {"mean": estimate, "low": low, "high": high, "seeds": seeds}
                found.append({"course": course, "rank": rank, "measure": name} | numbers)
    return found


def compare(every: Found) -> list[Check]:
    """What must hold of every run."""
    diverged = np.concatenate([mine["diverged"].ravel() for mine in every.values()])
    falls = [
        mine[name][:, :, -1] / mine[name][:, :, 0]
        for mine in every.values()
        for name in ("loss_first", "loss_second")
    ]
    falls = np.concatenate([part[np.isfinite(part)] for part in falls])
    return [
        worst_of("trained", "share of runs that diverged", np.mean(diverged), 0.05),
        worst_of("learned", "last loss of each task over its first", falls, 1.0),
    ]


_SAID = {
    "forgotten": "accuracy of the first task that the second took",
    "loss_left": "loss of the first task after the second",
    "change_first": "‖ΔW_h‖ of the first task",
    "change_second": "‖ΔW_h‖ of the second",
    "path_length": "length of the whole path of W_h",
}


def findings(grid: Networks, every: Found) -> list[str]:
    """What initial rank does to forgetting and to the cost of plasticity, either way."""
    ranks, said = ranks_of(grid), []
    for course, mine in every.items():
        for name, words in _SAID.items():
            values = mine[name]
            ends = difference(values[:, -1], values[:, 0])
            said.append(
                f"{course}, {words}: {mean(values[:, 0])} at rank {ranks[0]}, "
                f"{mean(values[:, -1])} at rank {ranks[-1]}; difference {ends}, p = {ends.p:.2g}; "
                f"rho with rank = {rank_correlation(ranks, values)}."
            )
    return said


def draw(grid: Networks, every: Found) -> Figure:
    """Forgetting, weight change and path length against rank."""
    figure = Figure(figsize=(13.0, 4.2), layout="constrained")
    ranks, shown = ranks_of(grid), ("forgotten", "change_second", "path_length")
    for axis, name in zip(figure.subplots(1, len(shown)), shown, strict=True):
        for index, (course, mine) in enumerate(every.items()):
            centre, error = intervals(mine[name])
            look = {"color": f"C{index}", "marker": "o", "capsize": 2}
            axis.errorbar(ranks, centre, error, label=course, **look)
        axis.set(xscale="log", xlabel="rank of W$_h$(0)")
        axis.set_title(_SAID[name].replace("W_h", "W$_h$"), fontsize=10)
        axis.legend(title="mean and 95 % interval", fontsize=8)
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Networks, cases[0])
    every = grouped([f"{case['task']} then {case['then']}" for case in cases], found)
    settings = asdict(grid) | {"generator": GENERATOR}
    table, tests = rows(grid, every), compare(every)
    return Result(table, tests, draw(grid, every), settings, findings(grid, every))


STUDY = Study(
    name="rnn-forgetting",
    question=(
        "Do recurrent networks of low initial rank, which learn richly, forget more of a first "
        "task when they learn a second one, and what does their plasticity cost?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
    packages=tuple(PACKAGES.values()),
)
