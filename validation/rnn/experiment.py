"""A case of the recurrent studies: one task and one seed, trained from every start at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from richlazy.averages.expect import expect
from validation.rnn import starts, tasks
from validation.rnn.measures import run
from validation.rnn.model import Model, initial, loss_and_gradient
from validation.rnn.train import Training, draw
from validation.study import Arrays, Case

__all__ = [
    "GENERATOR",
    "LEGACY",
    "THEORY",
    "Networks",
    "cases",
    "linear_theory",
    "load_task",
    "made",
    "model_of",
    "ranked",
    "ranks_of",
    "seed_of",
    "simulate",
    "training_of",
]

Floats = NDArray[np.float64]

#: Behind the name of a task: with the observations of neurogym 0.0.2.
LEGACY = " (0.0.2)"
#: Where random numbers come from.
GENERATOR = "numpy default_rng([seed, index, purpose]); JAX keys from SeedSequence([seed, index])"

#: What the linear theory expects of a start; "theory_" is put before, "_kept" behind its own norm.
THEORY = (
    "kernel_alignment",
    "representation_alignment",
    "weight_change",
    "weight_change_input",
    "weight_change_readout",
)
_THEORY_TASKS = 40
_STATISTICS_TRIALS = 4096  # that the gradient and the input-output covariance are taken over


@dataclass(frozen=True)
class Networks:
    """What is trained, and how: the paper's values."""

    tasks: tuple[str, ...]
    starts: tuple[str, ...]
    seeds: int
    units: int = 300
    steps: int = 10_000
    gain: float = 1.25
    activation: str = "relu"
    leak: float = 1.0
    optimizer: str = "sgd"
    rate: float = 0.003
    momentum: float = 0.9
    batch: int = 32
    window: int = 100


def cases(grid: Networks, seed: int) -> list[Case]:
    """One for each task and seed."""
    return [
        asdict(grid) | {"seed": seed, "task": task, "index": index}
        for task in grid.tasks
        for index in range(grid.seeds)
    ]


def ranked(*ranks: int) -> tuple[str, ...]:
    """Starts of these ranks."""
    return tuple(f"rank:{rank}" for rank in ranks)


def ranks_of(grid: Networks) -> list[int]:
    """And back."""
    return [int(start.partition(":")[2]) for start in grid.starts]


@lru_cache
def load_task(name: str) -> tasks.Task:
    """A task, with `LEGACY` behind its name that of neurogym 0.0.2."""
    return tasks.load(name.removesuffix(LEGACY), legacy=name.endswith(LEGACY))


def model_of(case: Mapping[str, Any]) -> Model:
    return Model(case["activation"], case["leak"])


def training_of(case: Mapping[str, Any]) -> Training:
    names = ("steps", "batch", "rate", "momentum", "optimizer", "window")
    return Training(**{name: case[name] for name in names})


def seed_of(case: Mapping[str, Any], *purpose: int) -> int:
    """A seed for JAX that no other case, and nothing else in this one, has."""
    mixed = np.random.SeedSequence([case["seed"], case["index"], *purpose])
    return int(mixed.generate_state(1)[0])


def simulate(case: Mapping[str, Any]) -> Arrays:
    """Train and measure, and what the linear theory expects of the same singular values."""
    task = load_task(case["task"])
    begun = made(case, task)
    kept = [name.endswith(starts.KEPT) for name in case["starts"]]
    found = run(model_of(case), task, begun, seed_of(case), training_of(case), kept)
    return found | linear_theory([params["recurrent"] for params in begun])


def linear_theory(weights: Sequence[NDArray[np.float32]]) -> dict[str, Floats]:
    """E KA, E RA and E |dW| of linear networks with these first layers, over random tasks (T15).

    One output of strength 1, a silent readout and t = infinity; W1 of norm 1, where rank decides
    ("theory_kernel_alignment"), and as it is ("theory_kernel_alignment_kept").
    """
    found: dict[str, list[float]] = {}
    for w in weights:
        s = np.linalg.svd(w.astype(float), compute_uv=False)
        s = s[s > s[0] * s.size * np.finfo(w.dtype).eps]
        for scaled, kept in ((s / np.linalg.norm(s), ""), (s, "_kept")):
            expected = expect(scaled, inputs=len(w), tasks=_THEORY_TASKS)
            for name in THEORY:
                mean = float(getattr(expected, name).mean)
                found.setdefault(f"theory_{name}{kept}", []).append(mean)
    return {name: np.array(values) for name, values in found.items()}


def made(case: Mapping[str, Any], task: tasks.Task) -> list[dict[str, NDArray[np.float32]]]:
    """Parameters of every start: they share W_x, W_o and the Gaussian that W_h is made from."""
    rng = np.random.default_rng([case["seed"], case["index"], 0])
    gaussian = starts.gaussian(case["units"], rng, case["gain"])
    common = initial(gaussian, task.inputs.shape[2], task.outputs, rng)
    names: Sequence[str] = case["starts"]
    directions = {}
    if any(name.partition(":")[0] in ("gradient", "input_output") for name in names):
        directions = _directions(model_of(case), task, common, seed_of(case, 1))
    found = []
    for name in names:
        of_start = np.random.default_rng([case["seed"], case["index"], 1])
        recurrent = starts.make(name, gaussian, of_start, directions)
        found.append(common | {"recurrent": recurrent.astype(np.float32)})
    return found


def _directions(
    model: Model, task: tasks.Task, params: dict[str, NDArray[np.float32]], seed: int
) -> dict[str, NDArray[Any]]:
    """What learning would add to the Gaussian start first, and W_o' Sigma_yx W_x'.

    Sigma_yx is the covariance of inputs and one-hot labels of the same step, over scored steps.
    """
    x, labels = draw(task, jax.random.key(seed), _STATISTICS_TRIALS)
    arrays = {name: jnp.asarray(value) for name, value in params.items()}
    _, gradient = loss_and_gradient(model, arrays, x, labels, task.scored)
    scored = list(task.scored)
    seen = np.asarray(x, float)[scored].reshape(-1, x.shape[-1])
    right = np.eye(task.outputs)[np.asarray(labels)[scored].ravel()]
    covariance = (right - right.mean(axis=0)).T @ (seen - seen.mean(axis=0)) / len(seen)
    return {
        "gradient": -np.asarray(gradient["recurrent"]),
        "input_output": starts.input_output(params["inputs"], params["readout"], covariance),
    }
