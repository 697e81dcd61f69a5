"""Train from several starts, and measure how far each has moved."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from richlazy import spectrum
from validation.rnn.kernel import alignment, tangent_kernel
from validation.rnn.model import Model, Params, cross_entropy, states
from validation.rnn.tasks import Task
from validation.rnn.train import Trained, Training, draw, enough_memory, stacked, train

__all__ = ["MEASURES", "RANKS", "at_loss", "evaluate", "run", "settled_loss"]

Floats = NDArray[np.float64]
Start = dict[str, NDArray[np.float32]]

#: Effective ranks of W_h, taken before and after.
RANKS = ("participation", "stable", "entropy")
#: One number for each run.
MEASURES = (
    "weight_change",
    "relative_change",
    "path_length",
    "representation_alignment",
    "kernel_alignment",
    "sign_similarity",
    "final_loss",
    "test_loss",
    "accuracy",
)
_KERNEL_TRIALS = 32  # as the paper's code takes them
_STATE_TRIALS = 320
_TEST_TRIALS = 2048
_LAST = 20  # windows that the final loss is averaged over, 2000 steps as in the paper's code


def run(
    model: Model, task: Task, starts: Sequence[Start], seed: int, training: Training
) -> dict[str, Floats]:
    """Train from every start on the same trials.

    Returns arrays (runs,) for each of `MEASURES` and, for W_h before and after, of `RANKS`
    ("participation_before", ...); (runs, windows) for "loss", "change" and "path". Where a run
    diverged, "diverged" is 1 and what it was to show is NaN.
    """
    before = stacked(starts)
    with enough_memory(before):
        trained = train(model, before, task, [seed] * len(starts), training)
        return _found(model, task, before, trained, seed)


def _found(
    model: Model, task: Task, before: Start, trained: Trained, seed: int
) -> dict[str, Floats]:
    probe, test = jax.random.split(jax.random.fold_in(jax.random.key(seed), 2**31 - 1))
    x, _ = draw(task, probe, _STATE_TRIALS)
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for when in ("before", "after"):
        found |= {f"{kind}_{when}": [] for kind in RANKS}
    for index, diverged in enumerate(trained.diverged):
        first, last = ({k: v[index] for k, v in p.items()} for p in (before, trained.params))
        mine = dict.fromkeys(found, np.nan)
        mine |= _ranks(first["recurrent"], "before")
        if not diverged:
            mine |= _ranks(last["recurrent"], "after")
            mine |= _compared(model, task, first, last, x)
            mine["test_loss"], mine["accuracy"] = evaluate(model, task, last, test)
        for name, value in mine.items():
            found[name].append(float(value))
    arrays = {name: np.array(values) for name, values in found.items()}
    arrays["weight_change"] = trained.change[:, -1]
    arrays["relative_change"] = trained.change[:, -1] / np.linalg.norm(
        before["recurrent"].astype(float), axis=(1, 2)
    )
    arrays["path_length"] = trained.path[:, -1]
    arrays["final_loss"] = settled_loss(trained.loss)
    curves = {"loss": trained.loss, "change": trained.change, "path": trained.path}
    return arrays | curves | {"diverged": trained.diverged.astype(float)}


def _ranks(weights: NDArray[np.float32], when: str) -> dict[str, float]:
    s = np.linalg.svd(weights.astype(float), compute_uv=False)
    return {f"{kind}_{when}": spectrum.effective_rank(s, kind) for kind in RANKS}


def _compared(model: Model, task: Task, first: Start, last: Start, x: jax.Array) -> dict:
    h = [np.asarray(_decision(model, p, x, task.decision), float) for p in (first, last)]
    few = x[:, :_KERNEL_TRIALS]
    kernels = [tangent_kernel(model, p, few, task.scored) for p in (first, last)]
    return {
        "representation_alignment": alignment(*(part @ part.T for part in h)),
        "kernel_alignment": alignment(*kernels),
        "sign_similarity": np.mean(np.sign(h[0]) == np.sign(h[1])),
    }


@jax.jit(static_argnames=("model", "decision"))
def _decision(model: Model, params: Params, x: jax.Array, decision: int) -> jax.Array:
    """States at the decision, (trials, N)."""
    return states(model, params, x)[decision]


def evaluate(model: Model, task: Task, params: Params, key: jax.Array) -> tuple[float, float]:
    """Loss, and accuracy at the decision, on trials that were not trained on."""
    if task.held_out is not None:
        x = jnp.swapaxes(jnp.asarray(task.held_out.inputs), 0, 1)
        labels = jnp.asarray(task.held_out.labels).T
    else:
        x, labels = draw(task, key, _TEST_TRIALS)
    loss, accuracy = _evaluated(model, params, x, labels, task.scored, task.decision)
    return float(loss), float(accuracy)


@jax.jit(static_argnames=("model", "scored", "decision"))
def _evaluated(
    model: Model,
    params: Params,
    x: jax.Array,
    labels: jax.Array,
    scored: tuple[int, ...],
    decision: int,
) -> tuple[jax.Array, jax.Array]:
    h = states(model, params, x)
    chosen = jnp.argmax(h[decision] @ params["readout"].T, axis=-1)
    loss = cross_entropy(params["readout"], h, labels, scored)
    return loss, jnp.mean(chosen == labels[decision])


def settled_loss(loss: Floats) -> Floats:
    """Mean training loss of the last windows, a fifth of the run at most."""
    windows = loss.shape[-1]
    return np.mean(loss[..., windows - max(1, min(_LAST, windows // 5)) :], axis=-1)


def at_loss(loss: Floats, values: Floats, level: float) -> Floats:
    """Values (runs, windows) when the loss first falls to a level; NaN for runs that never do.

    Between the ends of two windows, linear in the logarithm of the loss.
    """
    found = np.full(len(loss), np.nan)
    for run, (curve, mine) in enumerate(zip(loss, values, strict=True)):
        below = np.flatnonzero(curve <= level)
        if below.size:
            i = below[0]
            if i == 0:
                found[run] = mine[0]
            else:
                share = np.log(curve[i - 1] / level) / np.log(curve[i - 1] / curve[i])
                found[run] = mine[i - 1] + share * (mine[i] - mine[i - 1])
    return found
