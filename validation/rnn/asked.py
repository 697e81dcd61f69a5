"""What the recurrent theory says of the starts of trained networks (T12, T16, T18).

A mean is NaN where the theory has no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import recurrent as rnn
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.recurrent.averages.sampling import learned
from richlazy.start.matrices import Thin
from validation.rnn.tasks import Task

__all__ = ["gap", "one_task", "own", "own_task", "two_tasks"]

Array = NDArray[np.float64]

_STEPS = 5
_TRIALS = 4096
_USED = 1e-6  # of the largest singular value of all conditions: channels that they use
_RESPONSES = 64  # of a task of its own, beyond which a flow takes minutes


def _drawn(w: Array, seed: Sequence[int], draw: int) -> tuple[rnn.Network, np.random.Generator]:
    """A network of random directions, and where its tasks come from; the same for every start."""
    rng = np.random.default_rng([*seed, 2, draw])
    tasks = np.random.default_rng([*seed, 3, draw])
    return rnn.Network.random(_thin(w), rng=rng), tasks


def _thin(w: Array) -> Array | Thin:
    """Thin factors of a start of low rank, whose flow is then small (T18)."""
    left, values, right = np.linalg.svd(w)
    rank = int(np.sum(values > len(w) * np.finfo(np.float32).eps * values[0]))
    if 2 * rank >= len(w) // 2:
        return w
    return Thin(left[:, :rank], values[:rank], right[:rank].T)


def one_task(w: Array, draws: int, seed: Sequence[int], measures: Sequence[str]) -> Array:
    """Means of the measures over draws; NaN without an answer."""
    pairs = [_drawn(w, seed, draw) for draw in range(draws)]
    tasks = [rnn.Task.random(_STEPS, rng=rng) for _, rng in pairs]
    try:
        found, _, _ = learned([net for net, _ in pairs], tasks, np.inf)
    except (AssumptionError, ConvergenceError):
        return np.full(len(measures), np.nan)
    return np.array([np.mean(getattr(found, name)) for name in measures])


def two_tasks(w: Array, draws: int, seed: Sequence[int], measures: Sequence[str]) -> Array:
    """What the second of two random tasks does, means over draws: loss of the first, and ‖ΔW_h‖."""
    found = []
    for draw in range(draws):
        net, rng = _drawn(w, seed, draw)
        tasks = [rnn.Task.random(_STEPS, rng=rng) for _ in range(2)]
        try:
            run = rnn.sequence(net, tasks)
        except (AssumptionError, ConvergenceError):
            return np.full(len(measures), np.nan)
        moved = run.stages[-1].laziness
        mine = {"forgetting": run.forgetting[-1, 0]}
        mine["weight_change_recurrent"] = moved.weight_change_recurrent
        found.append([mine[name] for name in measures])
    return np.mean(found, axis=0)


def gap(w: Array, seed: Sequence[int], measures: Sequence[str]) -> float:
    """Distance of a draw by the flow of a stack from `solve`, over the measures."""
    net, rng = _drawn(w, seed, 0)
    task = rnn.Task.random(_STEPS, rng=rng)
    stacked, _, _ = learned([net], [task], np.inf)
    alone = rnn.solve(net, task, "flow").measures(np.inf)
    pairs = [(getattr(stacked, name)[0], getattr(alone, name)) for name in measures]
    return float(max(abs(x - y) / max(abs(y), 1e-3) for x, y in pairs))


def own_task(
    task: Task, rng: np.random.Generator, trials: int = _TRIALS
) -> tuple[rnn.Task, Array, Array] | None:
    """The trials of a task as responses; channels used (channels, n), contrasts (m, outputs).

    None if it has too many responses.
    """
    steps = task.decision + 1
    _, sizes, rows = np.linalg.svd(
        task.inputs[:, :steps].reshape(-1, task.inputs.shape[2]).astype(float), full_matrices=False
    )
    used = rows[sizes > _USED * sizes[0]].T
    whole = np.eye(task.outputs) - 1.0 / task.outputs  # a softmax does not see the mean output
    contrasts = np.linalg.svd(whole)[0][:, : task.outputs - 1].T
    if steps * used.shape[1] * len(contrasts) > _RESPONSES:
        return None
    drawn = rng.integers(len(task.inputs), size=trials)
    noise = rng.standard_normal((trials, *task.noise[:steps].shape)) * task.noise[:steps]
    x = (task.inputs[drawn][:, :steps] + noise) @ used
    y = np.eye(task.outputs)[task.labels[drawn, task.decision]] @ contrasts.T
    return rnn.Task.from_data(x, y), used, contrasts


def own(
    factor: float,
    params: dict[str, NDArray[Any]],
    asked: tuple[rnn.Task, Array, Array] | None,
    end: float,
    measures: Sequence[str],
) -> Array:
    """Measures of a network at a factor of its W_h, on the task of `own_task`, at time `end`."""
    if asked is None:
        return np.full(len(measures), np.nan)
    task, used, contrasts = asked
    u, w, v = (params[name].astype(float) for name in ("inputs", "recurrent", "readout"))
    net = rnn.Network(u @ used, _thin(factor * w), contrasts @ v)
    try:
        found, _, _ = learned([net], [task], end)
    except (AssumptionError, ConvergenceError):
        return np.full(len(measures), np.nan)
    return np.array([getattr(found, name)[0] for name in measures])
