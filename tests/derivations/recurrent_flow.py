"""Linear recurrent networks in plain loops, and claims with numbers put in."""

from __future__ import annotations

import math
from functools import reduce
from typing import NamedTuple

import mpmath
import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from derivations.frame.lag_sums import unrolled


class Weights(NamedTuple):
    """Input, recurrent and readout weights."""

    U: np.ndarray
    W: np.ndarray
    V: np.ndarray


def random_weights(size, channels, outputs, gain, seed):
    """Gaussian matrices; W has the root mean square singular value `gain`."""
    rng = np.random.default_rng(seed)
    scale = gain / np.sqrt(size)
    return Weights(
        rng.standard_normal((size, channels)) / np.sqrt(size),
        scale * rng.standard_normal((size, size)),
        rng.standard_normal((outputs, size)) / np.sqrt(size),
    )


def responses(weights, steps):
    """F_k by running the network on an impulse."""
    state, found = weights.U, []
    for _ in range(steps):
        found.append(weights.V @ state)
        state = weights.W @ state
    return np.array(found)


def rates(weights, errors):
    """Backpropagation through time: U', W', V' for these E_k = -dL/dF_k."""
    driven, read = [weights.U], [weights.V]
    for _ in errors[1:]:
        driven.append(weights.W @ driven[-1])
        read.append(read[-1] @ weights.W)
    moved = Weights(*map(np.zeros_like, weights))
    for lag, error in enumerate(errors):
        moved.V[:] += error @ driven[lag].T
        moved.U[:] += read[lag].T @ error
        for place in range(lag):
            moved.W[:] += read[place].T @ error @ driven[lag - 1 - place].T
    return moved


def packed(weights):
    return np.concatenate([x.ravel() for x in weights])


def unpacked(state, like):
    cuts = np.cumsum([x.size for x in like])[:-1]
    parts = np.split(state, cuts)
    return Weights(*(x.reshape(y.shape) for x, y in zip(parts, like, strict=True)))


def flowed(weights, task, time, counts=None, trained=(1.0, 1.0, 1.0)):
    """The weights after gradient flow, lag k counted counts[k] times."""
    counts = np.ones(len(task)) if counts is None else np.asarray(counts)

    def flow(_, state):
        now = unpacked(state, weights)
        errors = counts[:, None, None] * (task - responses(now, len(task)))
        return packed(rate * x for rate, x in zip(trained, rates(now, errors), strict=True))

    solved = solve_ivp(
        flow, (0, time), packed(weights), method="DOP853", rtol=1e-12, atol=1e-14
    )  # fmt: skip
    return unpacked(solved.y[:, -1], weights)


def numbers(derivation, name, values, at, number=float):
    """A claim with numeric matrices (by name) for its letters and numbers for its lags.

    Matrices of mpmath numbers (dtype object) keep their digits with ``number=digits``.
    """
    claim = unrolled(derivation.claims[name], at)
    sizes = {
        str(size): number
        for x in {*claim.atoms(sp.MatrixSymbol), *derivation.notation}
        if isinstance(x, sp.MatrixSymbol) and str(x) in values
        for size, number in zip(x.shape, np.shape(values[str(x)]), strict=True)
    }
    return _value(claim, {**sizes, **values}, number)


def digits(rational):
    """A rational number of SymPy in mpmath's current precision."""
    return mpmath.mpf(rational.p) / rational.q


def _value(expression, values, number):
    if isinstance(expression, sp.MatrixSymbol | sp.Symbol):
        return values[str(expression)]
    if isinstance(expression, sp.Identity):
        return np.eye(_value(expression.rows, values, number))
    if isinstance(expression, sp.ZeroMatrix):
        return np.zeros([_value(size, values, number) for size in expression.shape])
    if expression.is_number:
        return int(expression) if expression.is_Integer else number(expression)
    parts = [_value(x, values, number) for x in expression.args]
    return _OPERATIONS[expression.func](parts)


_OPERATIONS = {
    sp.Add: sum,
    sp.MatAdd: sum,
    sp.Mul: math.prod,
    sp.MatMul: lambda parts: reduce(lambda x, y: x @ y if np.ndim(x) else x * y, parts),
    sp.Pow: lambda parts: parts[0] ** parts[1],
    sp.Transpose: lambda parts: parts[0].T,
    sp.Trace: lambda parts: np.trace(parts[0]),
    sp.KroneckerProduct: lambda parts: reduce(np.kron, parts),
    sp.conjugate: lambda parts: np.conj(parts[0]),
}


def lettered(weights, task, counts=None):
    """The values of the letters U, W, V, S_k and w_k."""
    named = dict(zip("UWV", weights, strict=True))
    counts = np.ones(len(task)) if counts is None else counts
    for lag, (wanted, count) in enumerate(zip(task, counts, strict=True)):
        named |= {f"S_{lag}": wanted, f"w_{lag}": float(count)}
    return named
