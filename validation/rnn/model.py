"""The recurrent network of the paper, and what follows from backpropagation through time.

    h_t = f((1 - a) h_{t-1} + a (W_h h_{t-1} + W_x x_t)),   y_t = W_o h_t,   h_0 = 0

(arXiv 2310.08513, section 3), with f = relu and a = dt/tau = 1 unless told otherwise.
Parameters are a dict: "recurrent" W_h (N, N) [post, pre], "inputs" W_x (N, channels) and
"readout" W_o (outputs, N). Trials are (steps, trials, channels).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

__all__ = [
    "ACTIVATIONS",
    "Model",
    "Params",
    "cross_entropy",
    "initial",
    "loss_and_gradient",
    "pushes",
    "states",
]

Params = dict[str, Array]

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda x: x}


@dataclass(frozen=True)
class Model:
    """Nonlinearity f and leak a = dt/tau."""

    activation: str = "relu"
    leak: float = 1.0

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation must be one of {known}; it is {self.activation!r}")
        if not 0.0 < self.leak <= 1.0:
            raise ValueError(f"leak must be dt/tau in (0, 1]; it is {self.leak}")


def initial(
    recurrent: ArrayLike, channels: int, outputs: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Parameters around W_h(0): W_x and W_o uniform in +-1/sqrt(fan in)."""
    recurrent = np.asarray(recurrent, dtype=np.float32)
    units = len(recurrent)
    bound_x, bound_o = 1.0 / np.sqrt(channels), 1.0 / np.sqrt(units)
    return {
        "recurrent": recurrent,
        "inputs": rng.uniform(-bound_x, bound_x, (units, channels)).astype(np.float32),
        "readout": rng.uniform(-bound_o, bound_o, (outputs, units)).astype(np.float32),
    }


def states(model: Model, params: Params, x: Array, push: Array | None = None) -> Array:
    """h_1 ... h_T of every trial, (steps, trials, N).

    `push` (steps, trials, N), if any, is added to a (W_h h + W_x x): its gradient is what
    backpropagation through time hands to each step.
    """
    f, a = ACTIVATIONS[model.activation], model.leak
    drive = a * x @ params["inputs"].T
    if push is not None:
        drive = drive + push
    # a plain loop: trials are short, and the first step has no product with W_h
    h = f(drive[0])
    every = [h]
    for t in range(1, len(x)):
        into = a * h @ params["recurrent"].T + drive[t]
        h = f(into if a == 1.0 else (1.0 - a) * h + into)
        every.append(h)
    return jnp.stack(every)


def cross_entropy(readout: Array, h: Array, labels: Array, scored: tuple[int, ...]) -> Array:
    """Mean over trials and the scored steps; labels are (steps, trials)."""
    # masks, not indices: on CPU the gradient of an indexed array is a slow scatter
    counts = np.isin(np.arange(len(h)), scored)[:, None, None]
    right = jax.nn.one_hot(labels, len(readout), dtype=h.dtype)
    chances = jax.nn.log_softmax(h @ readout.T)
    return -jnp.sum(chances * right * counts) / (len(scored) * labels.shape[1])


def loss_and_gradient(
    model: Model, params: Params, x: Array, labels: Array, scored: tuple[int, ...]
) -> tuple[Array, Params]:
    """Cross-entropy and its gradient, dL/dW_h = a sum_t d_t h_{t-1}^T.

    Only what each step is pushed by is differentiated: the sum over steps and trials is then one
    large product instead of one for each step.
    """

    def loss(push: Array, readout: Array) -> tuple[Array, Array]:
        h = states(model, params, x, push)
        return cross_entropy(readout, h, labels, scored), h

    steps, trials, _ = x.shape
    push = jnp.zeros((steps, trials, len(params["recurrent"])), x.dtype)
    (value, h), (d, readout) = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(
        push, params["readout"]
    )
    # one product for both: XLA would merge two that share d into one three times as slow
    before = jnp.concatenate([jnp.zeros_like(h[:1]), h[:-1]])
    both = model.leak * jnp.einsum("tbn,tbm->nm", d, jnp.concatenate([before, x], axis=-1))
    units = h.shape[-1]
    return value, {"recurrent": both[:, :units], "inputs": both[:, units:], "readout": readout}


def pushes(model: Model, params: Params, x: Array, steps: tuple[int, ...]) -> tuple[Array, Array]:
    """States, and d_s = d y_{t,k}/d push_s of every trial: (t in steps, outputs, s, trials, N)."""
    push = jnp.zeros((len(x), x.shape[1], len(params["recurrent"])), x.dtype)
    h, back = jax.vjp(lambda push: states(model, params, x, push), push)
    ends = jnp.eye(len(x), dtype=x.dtype)[jnp.array(steps)]  # one step each

    def one(end: Array, row: Array) -> Array:
        return back(jnp.broadcast_to(end[:, None, None] * row, h.shape))[0]

    every = jax.vmap(lambda end: jax.vmap(lambda row: one(end, row))(params["readout"]))(ends)
    return h, every
