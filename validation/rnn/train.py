"""Training many recurrent networks at once: every array has a leading axis of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from validation.rnn.model import Model, Params, loss_and_gradient
from validation.rnn.tasks import Task

__all__ = ["OPTIMIZERS", "Trained", "Training", "draw", "enough_memory", "stacked", "train"]

OPTIMIZERS = ("sgd", "adam")


@dataclass(frozen=True)
class Training:
    """How to train; the paper's values. Every `window` steps are recorded as one."""

    steps: int = 10_000
    batch: int = 32
    rate: float = 0.003
    momentum: float = 0.9
    optimizer: str = "sgd"
    window: int = 100

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise ValueError(f"optimizer must be one of {known}; it is {self.optimizer!r}")
        if self.window < 1 or self.steps < 1 or self.steps % self.window:
            raise ValueError(
                f"steps must be a multiple of window = {self.window} and not 0; it is {self.steps}"
            )

    def transformation(self) -> optax.GradientTransformation:
        """The optimizer of Optax."""
        if self.optimizer == "adam":
            return optax.adam(self.rate)
        return optax.sgd(self.rate, momentum=self.momentum or None)


@dataclass(frozen=True, eq=False)
class Trained:
    """What training left, NaN for runs that diverged from there on.

    Attributes
    ----------
    params
        Parameters of every run at the end.
    loss
        Mean training loss of every window, (runs, windows).
    change
        |W_h - W_h(0)| at the end of every window, (runs, windows).
    path
        Sum over steps of |W_h(n + 1) - W_h(n)| up to then, (runs, windows).
    along
        Parameters of every run after each of the windows asked for.
    """

    params: dict[str, NDArray[np.float32]]
    loss: NDArray[np.float64]
    change: NDArray[np.float64]
    path: NDArray[np.float64]
    along: list[dict[str, NDArray[np.float32]]]

    @property
    def diverged(self) -> NDArray[np.bool_]:
        """Runs whose loss or W_h was not finite at some time."""
        return ~np.all(np.isfinite(self.loss), axis=1)


def stacked(every: Sequence[dict[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    """Parameters of several runs, with the axis of runs in front."""
    return {name: np.stack([params[name] for params in every]) for name in every[0]}


@contextmanager
def enough_memory(params: Params) -> Iterator[None]:
    """Say in one line that a device has no memory for these runs.

    Raises
    ------
    MemoryError
        In place of JAX's own error.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        runs, units = params["recurrent"].shape[:2]
        raise MemoryError(
            f"{jax.devices()[0]} has no memory for {runs} networks of {units} units at once: "
            "free it, or set JAX_PLATFORMS=cpu"
        ) from None


def draw(task: Task, key: Array, trials: int) -> tuple[Array, Array]:
    """Inputs (steps, trials, channels) and labels (steps, trials) of new trials."""
    which, white = jax.random.split(key)
    picked = jax.random.randint(which, (trials,), 0, len(task.inputs))
    x, labels = jnp.asarray(task.inputs)[picked], jnp.asarray(task.labels)[picked]
    if np.any(task.noise):
        x = x + task.noise * jax.random.normal(white, x.shape, x.dtype)
    return jnp.swapaxes(x, 0, 1), labels.T


def train(
    model: Model,
    params: Params,
    task: Task,
    seeds: Sequence[int],
    training: Training,
    within: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    watched: Sequence[int] = (),
) -> Trained:
    """Train every run on its own batches: those of one seed see the same trials.

    A run whose loss or W_h is no longer finite is stopped at the end of the window; the others go
    on.

    Parameters
    ----------
    model, task, training
    params
        Initial parameters, with the axis of runs in front.
    seeds
        One for each run.
    within
        The least and the largest that W_h may be, (runs, N, N): after each step it is put back
        between them. None sets no bounds.
    watched
        Numbers of windows after which parameters are kept.
    """
    optimizer = training.transformation()
    params = {name: jnp.asarray(value) for name, value in params.items()}
    begun = params["recurrent"]
    runs, windows = len(begun), training.steps // training.window
    if len(seeds) != runs:
        raise ValueError(f"seeds must be one for each of {runs} runs; there are {len(seeds)}")
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    state = optimizer.init(params)
    window = _window(model, task, training)
    bounds = () if within is None else tuple(map(jnp.asarray, within))

    last, *along = (_unknown(params) for _ in (training.steps, *watched))
    loss, change, length = np.full((3, runs, windows), np.nan)
    alive = np.arange(runs)
    for index in range(windows):
        params, state, *found = window(params, state, keys, begun, bounds, index)
        good = np.all(np.isfinite(found), axis=0)
        kept = np.where(good, found, np.nan)
        loss[alive, index], length[alive, index], change[alive, index] = kept
        if not np.all(good):
            alive = alive[good]
            params, state, keys, begun, bounds = _only(good, params, state, keys, begun, bounds)
        if not alive.size:
            break
        if index + 1 in watched:
            _keep(along[watched.index(index + 1)], alive, params)
    _keep(last, alive, params)
    return Trained(last, loss, change, np.cumsum(length, axis=1), along)


def _unknown(params: Params) -> dict[str, NDArray[np.float32]]:
    """NaN in place of the parameters of every run."""
    return {name: np.full(value.shape, np.nan, np.float32) for name, value in params.items()}


def _keep(into: dict[str, NDArray[np.float32]], runs: NDArray[np.int64], params: Params) -> None:
    """Write the parameters of some runs in their places."""
    for name, value in params.items():
        into[name][runs] = np.asarray(value)


def _only(good: NDArray[np.bool_], *trees: Any) -> Any:
    """These runs; a count of steps, if an optimizer has one, is common to all."""
    return jax.tree.map(lambda array: array[good] if jnp.ndim(array) else array, trees)


@lru_cache(maxsize=8)
def _window(model: Model, task: Task, training: Training) -> Any:
    """One window of training, compiled once for all cases of a task."""
    optimizer = training.transformation()

    def one(params: Params, key: Array) -> tuple[Array, Params]:
        x, labels = draw(task, key, training.batch)
        return loss_and_gradient(model, params, x, labels, task.scored)

    @jax.jit
    def window(params, state, keys, begun, bounds, index):
        def step(carry, i):
            params, state, total, length = carry
            batch = jax.vmap(jax.random.fold_in, (0, None))(keys, index * training.window + i)
            loss, gradient = jax.vmap(one)(params, batch)
            update, state = optimizer.update(gradient, state, params)
            if bounds:
                reached = jnp.clip(params["recurrent"] + update["recurrent"], *bounds)
                update = update | {"recurrent": reached - params["recurrent"]}
            params = optax.apply_updates(params, update)
            moved = jnp.sqrt(jnp.sum(jnp.square(update["recurrent"]), axis=(1, 2)))
            return (params, state, total + loss, length + moved), None

        none = jnp.zeros(len(keys))
        (params, state, total, length), _ = jax.lax.scan(
            step, (params, state, none, none), jnp.arange(training.window)
        )
        change = jnp.sqrt(jnp.sum(jnp.square(params["recurrent"] - begun), axis=(1, 2)))
        return params, state, total / training.window, length, change

    return window
