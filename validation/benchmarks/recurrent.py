"""Benchmarks of recurrent networks, against what one thread took the paper's reference code.

Everything is measured as a study runs it, but on all the cores that XLA finds.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from validation.rnn.tasks import Task

__all__ = ["kernel", "training"]

Row = tuple[str, float, float | None, str]

RANKS, SEEDS, STEPS = (1, 30, 100, 300), 3, 10_000
TIMED = 1000  # of the steps
REFERENCE = 40.6  # s for each rank and seed


def _starts() -> tuple[Task, list[dict[str, Any]], list[int]]:
    """2AF, and the parameters and the seed of every run, as the studies make them."""
    os.environ.setdefault("XLA_FLAGS", "")  # else the studies' own, a thread for each process
    from validation.rnn import experiment

    grid = experiment.Networks(("2AF",), tuple(f"rank:{rank}" for rank in RANKS), SEEDS)
    task = experiment.load_task("2AF")
    params: list[dict[str, Any]] = []
    seeds: list[int] = []
    for case in experiment.cases(grid, 0):
        params += experiment.made(case, task)
        seeds += [experiment.seed_of(case)] * len(RANKS)
    return task, params, seeds


def training() -> list[Row]:
    """2AF, 300 units, batches of 32: four ranks and three seeds trained together.

    The time of a run is its share of everything: imports, the task, starts, compilation and steps,
    each on trials of its own.
    """
    begin = time.perf_counter()
    task, params, seeds = _starts()
    from validation.rnn.model import Model
    from validation.rnn.train import Training, stacked, train

    prepared = time.perf_counter() - begin
    spent = []
    for _ in range(4):  # compiled with the first
        begin, used = time.perf_counter(), time.process_time()
        train(Model(), stacked(params), task, seeds, Training(steps=TIMED))
        spent.append((time.perf_counter() - begin, time.process_time() - used))
    (first, _), (later, busy), runs = spent[0], min(spent[1:]), len(seeds)
    total = prepared + first + (STEPS / TIMED - 1) * later
    return [
        ("imports, task and starts", prepared, None, "s"),
        (f"the first {TIMED} steps, compilation included", first, None, "s"),
        (f"{TIMED} more", later, None, "s"),
        ("the same, of all threads", busy, None, "s"),
        (f"each of {runs} runs, {STEPS} steps scaled from these", total / runs, REFERENCE / 5, "s"),
    ]


def kernel() -> list[Row]:
    """Tangent kernel of W_h, 300 units: 32 trials, 8 steps, 3 outputs."""
    task, params, seeds = _starts()
    import jax

    from validation.rnn.kernel import tangent_kernel
    from validation.rnn.model import Model
    from validation.rnn.train import draw

    x, _ = draw(task, jax.random.key(seeds[0]), 32)
    spent = []
    for start in params[:4]:
        begin = time.perf_counter()
        tangent_kernel(Model(), start, x, task.scored).block_until_ready()
        spent.append(time.perf_counter() - begin)
    return [
        ("the first one, compilation included", spent[0], None, "s"),
        ("a kernel", max(spent[1:]), 1.0, "s"),
    ]
