"""Plain full-batch gradient descent of linear recurrent networks, many runs at once.

    h_t = (1 - leak) h_{t-1} + leak (W h_{t-1} + U x_t),   y = V h_T,

descended in steps on the excess loss over lags, 1/2 tr (S - F) metric (S - F)', by carrying errors
back through the lags, as anybody would write it and knowing nothing of the theory. Kernels are
J J' of the Jacobian, written out. The measures are those of `richlazy.recurrent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import ConvergenceError
from richlazy.laziness import alignment
from richlazy.recurrent.measures import Measures
from validation.steps import FINER

__all__ = ["PARTS", "Descent", "Weights", "conserved", "descend", "halved", "sharpness"]

Array = NDArray[np.float64]

PARTS = ("inputs", "recurrent", "readout")
_DIVERGED = 100.0  # times the loss of the start and of zero weights; no settling run gets there


class Weights(NamedTuple):
    """U (..., units, channels), W (..., units, units) and V (..., outputs, units)."""

    inputs: Array
    recurrent: Array
    readout: Array


@dataclass(frozen=True, eq=False)
class Descent:
    """What a batch of n runs recorded: measures (n, records), and weights, (n, records, ...)."""

    measures: Measures
    weights: Weights


def descend(
    start: Weights,
    response: Array,
    *,
    step: float,
    record: Sequence[int],
    metric: Array | None = None,
    leak: float = 1.0,
    trained: Sequence[str] = PARTS,
) -> Descent:
    """Gradient descent of n runs.

    Parameters
    ----------
    start
        Weights of all runs, n first.
    response
        S of every run, (n, steps, outputs, channels).
    step
        Learning rate; time is step x index. See `sharpness`.
    record
        Step indices at which to measure, rising from 0 or more; the last one ends the runs.
    metric
        Covariance of the inputs over (lag, channel), lag first, common to all runs; None for 1.
    leak
        In (0, 1].
    trained
        Which of `PARTS` move.

    Raises
    ------
    ConvergenceError
        If a run diverges.
    """
    lags = response.shape[1]
    gauge = _Gauge(start, response, metric, leak, trained)
    u, w, v = (x.copy() for x in start)
    limit = _DIVERGED * (gauge.measures(start).loss + _loss(response, metric))
    measured, kept = [], []
    # a diverging run overflows before it is looked at; the check of each step names it
    with np.errstate(over="ignore", invalid="ignore"):
        for index in range(record[-1] + 1):
            a = _through(w, leak)
            states = _states(a, leak * u, lags)
            off = response - np.stack([v @ c for c in states], axis=1)
            passed = _seen(off, metric)
            if not np.all(_loss(off, metric) <= limit):
                raise ConvergenceError(
                    f"gradient descent diverges at step {index} of size {step:g}: take a smaller "
                    f"one, well below {2.0 / sharpness(start, lags, metric, leak, trained):.2g}"
                )
            if index in record:
                measured.append(gauge.measures(Weights(u, w, v)))
                kept.append((u.copy(), w.copy(), v.copy()))
            back = [v.mT @ passed[:, -1]]
            for k in range(lags - 2, -1, -1):
                back.insert(0, a.mT @ back[0] + v.mT @ passed[:, k])
            if "readout" in trained:
                v += step * sum(passed[:, k] @ states[k].mT for k in range(lags))
            if "recurrent" in trained and lags > 1:
                wide = np.concatenate(back[1:], axis=-1), np.concatenate(states[:-1], axis=-1)
                w += (step * leak * wide[0]) @ wide[1].mT
            if "inputs" in trained:
                u += step * leak * back[0]
    found = Measures(*(np.stack(values, axis=1) for values in zip(*measured, strict=True)))
    return Descent(found, Weights(*(np.stack(x, axis=1) for x in zip(*kept, strict=True))))


def halved(
    start: Weights,
    response: Array,
    *,
    times: Sequence[int],
    per_unit: int,
    metric: Array | None = None,
    leak: float = 1.0,
    trained: Sequence[str] = PARTS,
) -> tuple[Array, Weights]:
    """Measures, (3, measures, n, times), and weights, with the step 1/per_unit and its halves."""
    runs = [
        descend(
            start,
            response,
            step=1.0 / (per_unit * factor),
            record=[time * per_unit * factor for time in times],
            metric=metric,
            leak=leak,
            trained=trained,
        )
        for factor in FINER
    ]
    weights = Weights(*(np.stack(x) for x in zip(*(run.weights for run in runs), strict=True)))
    return np.stack([np.stack(run.measures) for run in runs]), weights


def sharpness(
    start: Weights,
    lags: int,
    metric: Array | None = None,
    leak: float = 1.0,
    trained: Sequence[str] = PARTS,
) -> float:
    """Largest eigenvalue of the tangent kernel at the start of any run; later it may be larger."""
    kernel = _kernel(start, lags, leak, trained)
    both = kernel if metric is None else kernel @ _wide(metric, start.readout.shape[-2])
    return float(np.max(np.abs(np.linalg.eigvals(both))))


def conserved(weights: Weights) -> Array:
    """UU' + WW' - W'W - V'V of every run."""
    u, w, v = weights
    return np.asarray(u @ u.mT + w @ w.mT - w.mT @ w - v.mT @ v)


def _through(w: Array, leak: float) -> Array:
    """What takes a state to the next one without input."""
    return w if leak == 1.0 else leak * w + (1.0 - leak) * np.eye(w.shape[-1])


def _states(a: Array, u: Array, lags: int) -> list[Array]:
    """The state that an input has left, lag by lag, (n, units, channels)."""
    states = [u]
    for _ in range(lags - 1):
        states.append(a @ states[-1])
    return states


def _flat(response: Array) -> Array:
    """(n, steps, outputs, channels) as (n, outputs, steps x channels)."""
    n, steps, outputs, channels = response.shape
    return response.transpose(0, 2, 1, 3).reshape(n, outputs, steps * channels)


def _seen(off: Array, metric: Array | None) -> Array:
    """Errors times the metric."""
    if metric is None:
        return off
    n, steps, outputs, channels = off.shape
    seen = (_flat(off) @ metric).reshape(n, outputs, steps, channels)
    return np.asarray(seen.transpose(0, 2, 1, 3))


def _loss(off: Array, metric: Array | None) -> Array:
    return np.asarray(0.5 * np.sum(off * _seen(off, metric), axis=(1, 2, 3)))


def _wide(metric: Array, outputs: int) -> Array:
    """The metric over (output, lag, channel)."""
    return np.kron(np.eye(outputs), metric)


def _kernel(weights: Weights, lags: int, leak: float, trained: Sequence[str]) -> Array:
    """J J' over (output, lag, channel) of every run, J being that of all that is trained."""
    u, w, v = weights
    n, units, channels = u.shape
    outputs, a = v.shape[1], _through(w, leak)
    states = _states(a, leak * u, lags)
    reads = [v]  # what the output reads of a state, lag by lag
    for _ in range(lags - 1):
        reads.append(reads[-1] @ a)
    rows = (n, outputs, lags, channels)
    jacobian: dict[str, Array] = {
        "inputs": np.zeros((*rows, units, channels)),
        "recurrent": np.zeros((*rows, units, units)),
        "readout": np.zeros((*rows, outputs, units)),
    }
    for k in range(lags):
        for c in range(channels):
            jacobian["inputs"][:, :, k, c, :, c] = leak * reads[k]
        for o in range(outputs):
            jacobian["readout"][:, o, k, :, o, :] = states[k].mT
        for j in range(k):
            jacobian["recurrent"][:, :, k] += leak * np.einsum(
                "nop,nqc->nocpq", reads[j], states[k - 1 - j]
            )
    flat = [jacobian[part].reshape(n, outputs * lags * channels, -1) for part in trained]
    return np.asarray(sum(x @ x.mT for x in flat))


class _Gauge:
    """Measures between the start of all runs and their weights later."""

    def __init__(
        self,
        start: Weights,
        response: Array,
        metric: Array | None,
        leak: float,
        trained: Sequence[str],
    ) -> None:
        self.start, self.response, self.metric = start, response, metric
        self.leak, self.trained, self.lags = leak, trained, response.shape[1]
        self.before = self._seen_of(start)

    def measures(self, weights: Weights) -> Measures:
        """Every measure, arrays (n,)."""
        (gram0, kernel0), (gram, kernel) = self.before, self._seen_of(weights)
        changes = [
            np.sum((x - y) ** 2, axis=(-2, -1)) for x, y in zip(weights, self.start, strict=True)
        ]
        a = _through(weights.recurrent, self.leak)
        states = _states(a, self.leak * weights.inputs, self.lags)
        off = self.response - np.stack([weights.readout @ c for c in states], axis=1)
        wanted = _flat(self.response).reshape(len(off), 1, -1)
        metered = wanted if self.metric is None else wanted @ _wide(self.metric, off.shape[2])
        along = np.sum((metered @ kernel) * wanted, axis=(1, 2))
        size = np.sum(wanted * metered, axis=(1, 2))
        return Measures(
            np.sqrt(sum(changes)),
            *(np.sqrt(x) for x in changes),
            representation_alignment=_cosine(gram0, gram),
            kernel_alignment=_cosine(kernel0, kernel),
            target_alignment=alignment(along, _trace(kernel, kernel), size**2),
            loss=_loss(off, self.metric),
        )

    def _seen_of(self, weights: Weights) -> tuple[Array, Array]:
        """Gram matrix of the last state over the inputs, and kernel, each times the metric."""
        a = _through(weights.recurrent, self.leak)
        states = _states(a, self.leak * weights.inputs, self.lags)
        wide = np.concatenate(states, axis=-1)
        gram = wide.mT @ wide
        kernel = _kernel(weights, self.lags, self.leak, self.trained)
        if self.metric is None:
            return gram, kernel
        return gram @ self.metric, kernel @ _wide(self.metric, weights.readout.shape[1])


def _trace(a: Array, b: Array) -> Array:
    """tr a b of every run."""
    return np.asarray(np.sum(a * b.mT, axis=(-2, -1)))


def _cosine(a: Array, b: Array) -> Array:
    return alignment(_trace(a, b), _trace(a, a), _trace(b, b))
