"""Train from several starts, and measure how far each has moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from richlazy import spectrum
from validation.rnn.kernel import alignment, tangent_kernel
from validation.rnn.model import Model, Params, cross_entropy, states
from validation.rnn.starts import bounds
from validation.rnn.tasks import Task
from validation.rnn.train import Trained, Training, draw, enough_memory, stacked, train

__all__ = [
    "ALONG",
    "MEASURES",
    "RANKS",
    "at_loss",
    "evaluate",
    "run",
    "settled_loss",
    "watched",
]

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
    "target_alignment_before",
    "target_alignment_after",
    "final_loss",
    "test_loss",
    "accuracy",
)
#: RA, KA and <S, K S> / (|K| |S|^2) of the labels S, less their mean over trials, along training.
ALONG = ("representation_alignment", "kernel_alignment", "target_alignment")
_TIMES = 9
_KERNEL_TRIALS = 32  # as the paper's code takes them
_STATE_TRIALS = 320
_TEST_TRIALS = 2048
_LAST = 20  # windows that the final loss is averaged over, 2000 steps as in the paper's code


def run(
    model: Model,
    task: Task,
    starts: Sequence[Start],
    seed: int,
    training: Training,
    kept: Sequence[bool] = (),
) -> dict[str, Floats]:
    """Train from every start on the same trials; `kept` ones keep their signs and their zeros.

    Returns arrays (runs,) for each of `MEASURES` and, for W_h before and after, of `RANKS`
    ("participation_before", ...); (runs, windows) for "loss", "change" and "path"; (runs, times)
    for each of `ALONG` at the steps `watched(training)`. Where a run diverged, "diverged" is 1
    and what it was to show is NaN.
    """
    before = stacked(starts)
    within = None
    if any(kept):
        pairs = zip(before["recurrent"], kept, strict=True)
        each = [bounds(weights, keep) for weights, keep in pairs]
        least, most = (np.stack(side).astype(np.float32) for side in zip(*each, strict=True))
        within = least, most
    windows = [step // training.window for step in watched(training)[1:]]
    with enough_memory(before):
        seeds = [seed] * len(starts)
        trained = train(model, before, task, seeds, training, within, windows)
        return _found(model, task, before, trained, seed)


def watched(training: Training) -> list[int]:
    """Steps at which measures along training are taken: 0, then evenly in their logarithm."""
    windows = training.steps // training.window
    numbers = np.unique(np.round(np.geomspace(1, windows, _TIMES - 1)).astype(int))
    return [0, *(int(number) * training.window for number in numbers)]


def _found(
    model: Model, task: Task, before: Start, trained: Trained, seed: int
) -> dict[str, Floats]:
    probe, test = jax.random.split(jax.random.fold_in(jax.random.key(seed), 2**31 - 1))
    x, labels = draw(task, probe, _STATE_TRIALS)
    on = _Probe(model, task, x, labels)
    runs = len(trained.diverged)
    times = [before, *trained.along]
    along = {name: np.full((runs, len(times)), np.nan) for name in ALONG}
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for when in ("before", "after"):
        found |= {f"{kind}_{when}": [] for kind in RANKS}
    for index, diverged in enumerate(trained.diverged):
        first, last = ({k: v[index] for k, v in p.items()} for p in (before, trained.params))
        mine = dict.fromkeys(found, np.nan)
        mine |= _ranks(first["recurrent"], "before")
        if not diverged:
            mine |= _ranks(last["recurrent"], "after")
            begun = on.seen(first)
            for k, params in enumerate(times):
                now = begun if k == 0 else on.seen({n: v[index] for n, v in params.items()})
                for name, value in zip(ALONG, _along(begun, now), strict=True):
                    along[name][index, k] = value
            mine |= _compared(begun, now)
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
    arrays |= {f"{name}_along": values for name, values in along.items()}
    curves = {"loss": trained.loss, "change": trained.change, "path": trained.path}
    return arrays | curves | {"diverged": trained.diverged.astype(float)}


def _ranks(weights: NDArray[np.float32], when: str) -> dict[str, float]:
    s = np.linalg.svd(weights.astype(float), compute_uv=False)
    return {f"{kind}_{when}": spectrum.effective_rank(s, kind) for kind in RANKS}


class _Seen(NamedTuple):
    """What a network makes of the probe trials."""

    states: Floats  #: at the decision, (trials, N)
    kernel: Floats
    target: Floats  #: <S, K S> / (|K| |S|^2)


class _Probe(NamedTuple):
    """Trials that networks are compared on."""

    model: Model
    task: Task
    x: jax.Array
    labels: jax.Array

    def seen(self, params: Start) -> _Seen:
        """States at the decision, and the tangent kernel over the first few trials."""
        task, few = self.task, slice(_KERNEL_TRIALS)
        h = np.asarray(_decision(self.model, params, self.x, task.decision), float)
        kernel = np.asarray(tangent_kernel(self.model, params, self.x[:, few], task.scored), float)
        # as the rows of the kernel: steps, outputs, trials
        right = np.eye(task.outputs)[np.asarray(self.labels)[list(task.scored), few]]
        wanted = np.moveaxis(right - right.mean(axis=1, keepdims=True), 2, 1).ravel()
        sizes = np.linalg.norm(kernel) * (wanted @ wanted)
        target = wanted @ kernel @ wanted / sizes if 0.0 < sizes < np.inf else np.nan
        return _Seen(h, kernel, float(target))


def _along(first: _Seen, last: _Seen) -> tuple[float, float, float]:
    """The measures `ALONG`."""
    ra = alignment(*(part.states @ part.states.T for part in (first, last)))
    return ra, alignment(first.kernel, last.kernel), last.target


def _compared(first: _Seen, last: _Seen) -> dict[str, float]:
    ra, ka, _ = _along(first, last)
    same = np.mean(np.sign(first.states) == np.sign(last.states))
    return {
        "representation_alignment": ra,
        "kernel_alignment": ka,
        "sign_similarity": float(same),
        "target_alignment_before": first.target,
        "target_alignment_after": last.target,
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
