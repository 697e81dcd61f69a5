"""The recurrent network step by step, as its formula reads, and a task small enough for it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

import jax
import jax.numpy as jnp

from validation.rnn.model import Model
from validation.rnn.tasks import Task

MODELS = [Model(name, leak) for name in ("relu", "tanh", "linear") for leak in (1.0, 0.3)]


def states(model, params, x, lib=jnp):
    """h_1 ... h_T; with `lib` NumPy, of NumPy."""
    f = {"relu": lambda z: lib.where(z > 0, z, 0.0), "tanh": lib.tanh, "linear": lambda z: z}
    h = lib.zeros((x.shape[1], len(params["recurrent"])))
    every = []
    for now in x:
        into = h @ params["recurrent"].T + now @ params["inputs"].T
        h = f[model.activation]((1 - model.leak) * h + model.leak * into)
        every.append(h)
    return lib.stack(every)


def outputs(model, params, x, lib=jnp):
    """y_1 ... y_T, (steps, trials, outputs)."""
    return states(model, params, x, lib) @ params["readout"].T


def loss(model, params, x, labels, scored, lib=jnp):
    """Mean over scored steps and trials of -log p(label)."""
    y, total = outputs(model, params, x, lib), 0.0
    for t in scored:
        right = y[t][np.arange(len(labels[t])), labels[t]]
        total += lib.mean(lib.log(lib.sum(lib.exp(y[t]), axis=1)) - right)
    return total / len(scored)


def weights(units, channels, outputs, seed=0, gain=1.25):
    """Parameters of a size that makes every part of the network matter, in float64."""
    rng = np.random.default_rng(seed)
    return {
        "recurrent": gain / np.sqrt(units) * rng.standard_normal((units, units)),
        "inputs": rng.standard_normal((units, channels)),
        "readout": rng.standard_normal((outputs, units)) / np.sqrt(units),
    }


def trials(steps, number, channels, outputs, seed=0):
    """Inputs and labels."""
    rng = np.random.default_rng([seed, 1])
    x = rng.standard_normal((steps, number, channels))
    return x, rng.integers(0, outputs, (steps, number))


def tiny(held_out=None):
    """Four conditions of three steps, noise on one channel, two outputs."""
    rng = np.random.default_rng(5)
    noise = np.zeros((3, 2), np.float32)
    noise[:2, 1] = 0.2
    labels = np.array([[0, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 0]], np.int32)
    inputs = rng.standard_normal((4, 3, 2)).astype(np.float32)
    return Task("tiny", inputs, noise, labels, (1, 2), 2, 2, held_out)


def single(params):
    """In float32, as they are trained."""
    return {name: np.asarray(value, np.float32) for name, value in params.items()}


def doubles(params):
    """As arrays of JAX."""
    return jax.tree.map(jnp.asarray, params)
