"""Recurrent networks of the library, and the letters of T16 to T20 for them with 50 digits."""

from __future__ import annotations

from functools import partial

import mpmath
import numpy as np

from derivations import load
from derivations.frame.lag_sums import k
from richlazy.recurrent import Network, Task
from richlazy.recurrent.flow import _Point
from richlazy.recurrent.reduction import Training, whole
from tests.derivations.recurrent_flow import digits, numbers

__all__ = [
    "CASES", "SLOPES", "STEP", "claimed", "distance", "errors", "exact", "for_these_errors",
    "forces", "lag_letters", "made", "moving", "point_of", "problem_forces", "random_case",
    "unleaked", "weight_letters",
]  # fmt: skip

#: units, channels, outputs, steps, scale of the weights, leak, what weighs the lags
CASES = {
    "one unit": (1, 1, 1, 4, 0.8, 1.0, "white"),
    "one step": (3, 2, 2, 1, 0.8, 1.0, "white"),
    "white": (4, 2, 1, 4, 0.8, 1.0, "white"),
    "tiny": (3, 1, 2, 4, 1e-4, 1.0, "white"),
    "large": (3, 1, 1, 4, 4.0, 1.0, "white"),
    "weighted": (4, 1, 2, 3, 0.9, 1.0, "weights"),
    "leaky": (3, 2, 2, 3, 0.9, 0.3, "weights"),
    "coloured": (3, 2, 2, 3, 0.8, 0.6, "cov"),
}

#: Of differences in time, of order eight.
STEP = 0.005
SLOPES = np.array([3, -32, 168, -672, 0, 672, -168, 32, -3]) / (840.0 * STEP)

claimed = partial(numbers, number=digits)


def made(name):
    """The network and the task of a case."""
    return _made(np.random.default_rng(sorted(CASES).index(name)), *CASES[name])


def random_case(seed):
    """A small network and task of any shape, leak and metric."""
    rng = np.random.default_rng(seed)
    units, *sizes = (int(rng.integers(1, top)) for top in (5, 3, 3, 4))
    leak, kind = rng.choice([1.0, rng.uniform(0.2, 1.0)]), rng.choice(["white", "weights", "cov"])
    return _made(rng, units, *sizes, rng.uniform(0.3, 1.5), float(leak), kind)


def _made(rng, units, channels, outputs, steps, scale, leak, kind):
    net = Network(
        scale * rng.standard_normal((units, channels)),
        scale * rng.standard_normal((units, units)) / np.sqrt(units),
        scale * rng.standard_normal((outputs, units)),
        leak,
    )
    response = rng.standard_normal((steps, outputs, channels))
    if kind == "weights":
        return net, Task(response, weights=rng.uniform(0.5, 3.0, steps))
    if kind == "cov":
        x = rng.standard_normal((steps * channels, steps * channels + 3))
        return net, Task(response, cov=x @ x.T / x.shape[1])
    return net, Task(response)


def exact(array):
    """The same numbers with the digits of mpmath, in an array."""
    return np.vectorize(mpmath.mpf, otypes=[object])(array)


def distance(found, wanted, size=None):
    """Largest difference of an array and a claim, over the largest entry of the claim."""
    found = exact(found)
    gap = np.max(np.abs(found - wanted))
    size = np.max(np.abs(wanted)) if size is None else size
    return float(gap / size) if size else float(gap)


def weight_letters(inputs, recurrent, readout):
    """U, W and V."""
    return {"U": exact(inputs), "W": exact(recurrent), "V": exact(readout)}


def unleaked(letters, leak):
    """The same for the network without leak that the leaky one is."""
    given = {**letters, "a": mpmath.mpf(leak)}
    return {x: claimed(load("T16"), f"leaky_{x}", given, {}) for x in "UW"} | {"V": letters["V"]}


def lag_letters(task):
    """S_k with w_k, or with the blocks of Sigma."""
    letters = {f"S_{lag}": exact(x) for lag, x in enumerate(task.response)}
    if task.cov is None:
        weights = np.ones(task.steps) if task.weights is None else task.weights
        return letters | {f"w_{lag}": mpmath.mpf(x) for lag, x in enumerate(weights)}
    blocks = exact(task.cov).reshape(task.steps, task.channels, task.steps, task.channels)
    return letters | {
        f"Sigma_{x}_{y}": blocks[x, :, y] for x in range(task.steps) for y in range(task.steps)
    }


def errors(letters, task):
    """E_k."""
    name = "error" if task.cov is None else "error_correlated"
    at = ({"T": task.steps, "k": lag} for lag in range(task.steps))
    t16 = load("T16")
    return [claimed(t16, name, letters, {t16.symbols[x]: y for x, y in z.items()}) for z in at]


def for_these_errors(letters, task):
    """The letters of a white task, each lag counted once, that is missed by the same E_k."""
    found = dict(letters)
    for lag, error in enumerate(errors(letters, task)):
        found[f"S_{lag}"] = error + claimed(load("T16"), "response", letters, {k: lag})
        found[f"w_{lag}"] = mpmath.mpf(1)
    return found


def point_of(problem):
    """The point of the library's flow at which a problem starts."""
    return _Point(problem, [np.zeros_like(x) for x in problem[:3]])


def forces(net, task, trained=(True, True, True)):
    """The library's dU/dt, dW/dt, dV/dt, the leak folded in as in its `Problem`."""
    return problem_forces(whole(net, task, Training(*trained)).problem)


def problem_forces(problem):
    """The same of a problem of one network."""
    point = point_of(problem)
    du, back, dv = point.forces(point.error[:, None])
    past = point.wide_controls[:, None, :, : back.shape[-1]]
    return {"U": du[0, 0], "W": (back @ np.swapaxes(past, -1, -2))[0, 0], "V": dv[0, 0]}


def moving(solution, t):
    """Weights at t, and how fast those handed out move, by differences of order eight."""
    each = [solution.at(t + STEP * place) for place in range(-4, 5)]
    parts = zip(*((x.inputs, x.recurrent(), x.readout) for x in each), strict=True)
    return each[4], [np.tensordot(SLOPES, np.stack(part), 1) for part in parts]
