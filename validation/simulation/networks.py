"""Two-layer networks of one output with any units, trained by plain gradient descent.

f(x) = W2 phi(W1 x), loss the mean over samples of (y - f)^2/2, full batch, all runs at once. The
gradients are written by hand:

    dL/dW2 = -e H / N,   dL/dW1 = -(D * (e W2))' X / N,

with e = y - f (N), H = phi(X W1') (N x h) and D = phi'(X W1') (N x h). The tangent kernel over the
samples, without a Jacobian, is

    K = H H' + (X X') * (D diag(W2)^2 D'),

where * multiplies entry by entry: what W2 sees of two samples, and what W1 does. For linear units
on samples with X'X = N 1 it is X (R + B 1) X', and every measure is that of the conventions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import ConvergenceError
from richlazy.laziness import alignment

__all__ = ["ACTIVATIONS", "Records", "Units", "gradients", "kernel", "train", "white_samples"]

Array = NDArray[np.float64]


class Units(NamedTuple):
    """An activation function and its slope, of preactivations z and activations h = phi(z)."""

    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]


ACTIVATIONS = {
    "linear": Units(lambda z: z, lambda z, h: np.ones_like(z)),
    "tanh": Units(np.tanh, lambda z, h: 1.0 - h * h),
    "relu": Units(lambda z: np.maximum(z, 0.0), lambda z, h: (z > 0.0).astype(float)),
}


class Records(NamedTuple):
    """Measures between the start and every record, (runs, records); NaN where one is 0/0."""

    weight_change: Array
    representation_alignment: Array
    kernel_alignment: Array
    sign_similarity: Array  #: share of hidden units x samples whose preactivation keeps its sign
    loss: Array


class _Pass(NamedTuple):
    before: Array  # preactivations (runs, N, h)
    hidden: Array
    slope: Array
    error: Array  # (runs, N)


def white_samples(count: int, inputs: int, rng: np.random.Generator) -> Array:
    """Gaussian samples X (count, inputs), then whitened: X'X = count times the identity."""
    q, r = np.linalg.qr(rng.standard_normal((count, inputs)))
    return np.asarray(np.sqrt(count) * q * np.sign(np.diag(r)))


def train(
    first: Array,
    readout: Array,
    x: Array,
    y: Array,
    activation: str,
    *,
    step: float,
    steps: int,
    record: Sequence[int],
) -> Records:
    """Descend from W1 (runs, h, d) and W2 (runs, h) on targets y (runs, N).

    Samples x are (N, d), common to all runs, or (runs, N, d).

    Raises
    ------
    ConvergenceError
        If a recorded loss is not finite or above 100 times its start.
    """
    units = ACTIVATIONS[activation]
    w1, w2 = first.copy(), readout.copy()
    gram = x @ x.mT
    start = _forward(w1, w2, x, y, units)
    gram0 = start.hidden @ start.hidden.mT
    kernel0 = gram0 + _first_kernel(start, w2, gram)
    loss0 = 0.5 * np.mean(start.error**2, axis=1)
    wanted, found = set(record), []
    with np.errstate(over="ignore", invalid="ignore"):  # the check below names it
        for index in range(steps + 1):
            now = _forward(w1, w2, x, y, units)
            if index in wanted:
                gram_t = now.hidden @ now.hidden.mT
                kernel_t = gram_t + _first_kernel(now, w2, gram)
                change = np.sum((w1 - first) ** 2, axis=(1, 2)) + np.sum((w2 - readout) ** 2, 1)
                loss = 0.5 * np.mean(now.error**2, axis=1)
                if not np.all(loss <= 100.0 * loss0):
                    raise ConvergenceError(
                        f"gradient descent diverges: by step {index} of size {step:g} the loss "
                        "has grown past 100 times its start; take a smaller step"
                    )
                kept = np.mean((now.before > 0) == (start.before > 0), axis=(1, 2))
                ra, ka = _cosine(gram0, gram_t), _cosine(kernel0, kernel_t)
                found.append((np.sqrt(change), ra, ka, kept, loss))
            if index < steps:
                down1, down2 = _descent(now, w2, x)
                w1 += step * down1
                w2 += step * down2
    return Records(*(np.stack(values, axis=1) for values in zip(*found, strict=True)))


def gradients(
    first: Array, readout: Array, x: Array, y: Array, activation: str
) -> tuple[Array, Array]:
    """dL/dW1 (runs, h, d) and dL/dW2 (runs, h) of the mean of (y - f)^2/2."""
    now = _forward(first, readout, x, y, ACTIVATIONS[activation])
    down1, down2 = _descent(now, readout, x)
    return -down1, -down2


def kernel(first: Array, readout: Array, x: Array, activation: str) -> Array:
    """Tangent kernel of every run over the samples, (runs, N, N)."""
    now = _forward(first, readout, x, np.zeros(x.shape[-2]), ACTIVATIONS[activation])
    return now.hidden @ now.hidden.mT + _first_kernel(now, readout, x @ x.mT)


def _forward(w1: Array, w2: Array, x: Array, y: Array, units: Units) -> _Pass:
    before = x @ w1.mT
    hidden = units.value(before)
    error = y - (hidden @ w2[:, :, None])[:, :, 0]
    return _Pass(before, hidden, units.slope(before, hidden), error)


def _descent(now: _Pass, w2: Array, x: Array) -> tuple[Array, Array]:
    error = now.error / x.shape[-2]
    back = (error[:, :, None] * w2[:, None, :]) * now.slope
    return back.mT @ x, (error[:, None, :] @ now.hidden)[:, 0]


def _first_kernel(now: _Pass, w2: Array, gram: Array) -> Array:
    seen = now.slope * w2[:, None, :]
    return np.asarray(gram * (seen @ seen.mT))


def _cosine(a: Array, b: Array) -> Array:
    inner, square_a, square_b = (np.sum(p * q, axis=(1, 2)) for p, q in ((a, b), (a, a), (b, b)))
    return alignment(inner, square_a, square_b)
