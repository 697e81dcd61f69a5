"""The tangent kernel of the recurrent weights, without its Jacobian.

    K[(b, t, k), (b', t', k')] = <dy_{b,t,k}/dW_h, dy_{b',t',k'}/dW_h>
                               = a^2 sum_{s,s'} (d_s . d'_{s'}) (h_{s-1} . h'_{s'-1})

d_s is what backpropagation hands from output k at time t to step s. The Jacobian would have N^2
numbers a row; this needs 2 N for each row and step.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from validation.rnn.model import Model, Params, pushes

__all__ = ["alignment", "tangent_kernel"]


@partial(jax.jit, static_argnames=("model", "steps"))
def tangent_kernel(model: Model, params: Params, x: Array, steps: tuple[int, ...]) -> Array:
    """K over (steps, outputs, trials), of length (given steps) x outputs x trials."""
    h, d = pushes(model, params, x, steps)
    before = h[:-1]  # h_0 = 0 adds nothing, so the first step is left out
    d = model.leak * jnp.moveaxis(d[:, :, 1:], 2, 0)  # s, t, outputs, trials, N
    s, times, outputs, trials, units = d.shape
    d = d.reshape(s, times * outputs * trials, units)
    rows = (times * outputs, trials, times * outputs, trials)

    def add(kernel: Array, pair: Array) -> tuple[Array, None]:
        i, j = pair
        overlap = (before[i] @ before[j].T)[None, :, None, :]
        return kernel + (d[i] @ d[j].T).reshape(rows) * overlap, None

    pairs = jnp.stack(jnp.meshgrid(jnp.arange(s), jnp.arange(s)), axis=-1).reshape(-1, 2)
    kernel, _ = jax.lax.scan(add, jnp.zeros(rows, x.dtype), pairs)
    return kernel.reshape(times * outputs * trials, -1)


def alignment(first: Array, last: Array) -> float:
    """<K_0, K> / (|K_0| |K|); NaN where one of them vanishes or is not finite."""
    first, last = np.asarray(first, float), np.asarray(last, float)
    sizes = [np.linalg.norm(kernel) for kernel in (first, last)]
    if not all(0.0 < size < np.inf for size in sizes):
        return float("nan")
    return float(np.sum(first * last) / (sizes[0] * sizes[1]))
