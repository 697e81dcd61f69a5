"""Random recurrent cases, and the slow, obvious twin of everything that `richlazy.recurrent` finds.

The twin knows neither the reduction nor the small Gram matrices: T16 is integrated as it stands by
DOP853, the Jacobian is made entry by entry, and the measures come from dense N x N weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from richlazy.recurrent import Network, Task
from richlazy.recurrent.measures import Measures
from richlazy.start.matrices import forward

ALL = ("inputs", "recurrent", "readout")


class Weights(NamedTuple):
    """Dense U, W, V and the leak."""

    u: np.ndarray
    w: np.ndarray
    v: np.ndarray
    leak: float = 1.0


def weights(net):
    """The dense weights of a network."""
    dense = forward(net.recurrent, np.eye(net.units))
    return Weights(net.inputs, np.asarray(dense), net.readout, net.leak)


def metric(task):
    """What weighs the squares of the errors over (lag, channel)."""
    if task.cov is not None:
        return task.cov
    lags = np.ones(task.steps) if task.weights is None else task.weights
    return np.diag(np.repeat(lags, task.channels))


def root(matrix):
    """Symmetric root, from the eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def wide(lags):
    """(steps, m, n) -> (m, steps n), lag first."""
    return np.concatenate(list(lags), axis=1)


def lagged(flat, steps):
    """(m, steps n) -> (steps, m, n)."""
    return np.stack(np.split(flat, steps, axis=1))


def unrolled(at, steps):
    """A^k, k < steps, and B: the network with its leak, as one without."""
    a = (1.0 - at.leak) * np.eye(len(at.w)) + at.leak * at.w
    powers = [np.eye(len(a), dtype=a.dtype)]
    for _ in range(steps - 1):
        powers.append(a @ powers[-1])
    return powers, at.leak * at.u


def response(at, steps):
    """F_k, (steps, m, n)."""
    powers, b = unrolled(at, steps)
    return np.stack([at.v @ power @ b for power in powers])


def velocity(at, task, trained=ALL):
    """dU/dt, dW/dt, dV/dt."""
    steps = task.steps
    powers, b = unrolled(at, steps)
    error = lagged((wide(task.response) - wide(response(at, steps))) @ metric(task), steps)
    du, dw, dv = np.zeros_like(at.u), np.zeros_like(at.w), np.zeros_like(at.v)
    for k in range(steps):
        dv += error[k] @ (powers[k] @ b).T
        du += at.leak * (at.v @ powers[k]).T @ error[k]
    for i in range(steps - 1):
        back = np.zeros_like(at.u)
        for j in range(steps - 1 - i):
            back += (at.v @ powers[j]).T @ error[i + j + 1]
        dw += at.leak * back @ (powers[i] @ b).T
    return [x * (part in trained) for x, part in zip((du, dw, dv), ALL, strict=True)]


def followed(net, task, times, trained=ALL, **options):
    """Weights at ascending times by DOP853; the changes are integrated, not the weights."""
    from scipy.integrate import solve_ivp

    start = weights(net)
    ends = np.cumsum([x.size for x in start[:3]])[:-1]

    def unpack(y):
        moved = [
            x + dx.reshape(x.shape) for x, dx in zip(start[:3], np.split(y, ends), strict=True)
        ]
        return Weights(*moved, net.leak)

    def rate(_, y):
        return np.concatenate([x.ravel() for x in velocity(unpack(y), task, trained)])

    found = solve_ivp(
        rate,
        (0.0, times[-1]),
        np.zeros(sum(x.size for x in start[:3])),
        method="DOP853",
        t_eval=times,
        rtol=1e-11,
        atol=1e-15,
        **options,
    )
    assert found.success
    return [unpack(y) for y in found.y.T]


def jacobian(at, task):
    """Derivatives of the seen responses over (output, lag, channel) by U, W and V, one by one."""
    steps, m, n = task.response.shape
    powers, b = unrolled(at, steps)
    by_u, by_w, by_v = (np.zeros((m, steps, n, *x.shape)) for x in at[:3])
    for o in range(m):
        for k in range(steps):
            for c in range(n):
                by_v[o, k, c, o] = powers[k] @ b[:, c]
                by_u[o, k, c, :, c] = at.leak * at.v[o] @ powers[k]
                for j in range(k):
                    reads, driven = at.v[o] @ powers[j], powers[k - 1 - j] @ b[:, c]
                    by_w[o, k, c] += at.leak * np.outer(reads, driven)
    seen = np.kron(np.eye(m), root(metric(task)))
    return [seen @ x.reshape(m * steps * n, -1) for x in (by_u, by_w, by_v)]


def kernels(at, task):
    """The parts of the tangent kernel of U, W and V."""
    return [part @ part.T for part in jacobian(at, task)]


def kernel(at, task, trained=ALL):
    """The tangent kernel of what is trained."""
    return sum(k for k, part in zip(kernels(at, task), ALL, strict=True) if part in trained)


def gram(at, task):
    """Gram matrix of the last state over the inputs, over (lag, channel)."""
    powers, b = unrolled(at, task.steps)
    state = np.concatenate([power @ b for power in powers], axis=1) @ root(metric(task))
    return state.T @ state


def cosine(a, b):
    """NaN where 0/0, as the library's `measures` have it."""
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return np.sum(a * b) / size if size > 0 else np.nan


def measures(net, task, at, trained=ALL):
    """Every measure between the start and the weights `at`."""
    start = weights(net)
    changes = [np.linalg.norm(x - y) for x, y in zip(at[:3], start[:3], strict=True)]
    after = kernel(at, task, trained)
    seen = (wide(task.response) @ root(metric(task))).ravel()
    missed = wide(task.response - response(at, task.steps)) @ root(metric(task))
    size = np.linalg.norm(after)
    return Measures(
        np.linalg.norm(changes),
        *changes,
        cosine(gram(start, task), gram(at, task)),
        cosine(kernel(start, task, trained), after),
        seen @ after @ seen / size / (seen @ seen) if size > 0 else np.nan,
        0.5 * np.sum(missed**2),
    )


def excess(task):
    """The loss of zero weights: what losses are small against."""
    return 0.5 * np.sum((wide(task.response) @ root(metric(task))) ** 2)


def gap(found, wanted, task):
    """Largest relative difference of measures, the loss against that of zero weights."""
    worst = 0.0
    for name, x, y in zip(Measures._fields, found, wanted, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert np.array_equal(np.isnan(x), np.isnan(y)), name
        size = excess(task) if name == "loss" else np.where(y == 0, 1.0, np.abs(y))
        worst = max(worst, float(np.max((np.abs(x - y) / size)[~np.isnan(y)], initial=0.0)))
    return worst


def random_recurrent(rng, units, gain, kind="gaussian", rank=None):
    """W of a gain: "gaussian", "symmetric", "normal", or of a rank."""
    x = rng.standard_normal((units, units))
    if kind == "symmetric":
        x = x + x.T
    elif kind == "normal":  # rotations and scalings of planes, and a number if units are odd
        q = np.linalg.qr(x)[0]
        turn = np.zeros((units, units))
        for i in range(0, units - 1, 2):
            a, b = rng.standard_normal(2)
            turn[i : i + 2, i : i + 2] = [[a, b], [-b, a]]
        if units % 2:
            turn[-1, -1] = rng.standard_normal()
        x = q @ turn @ q.T
    elif kind == "low rank":
        x = rng.standard_normal((units, rank)) @ rng.standard_normal((rank, units))
    size = np.linalg.norm(x)
    return x * (gain * np.sqrt(units) / size) if size > 0 else x


def random_case(rng, *, largest=12, coloured=None, leak=None, steps=None):
    """A random network and task: any kind of W, metric, leak and strength."""
    units = int(rng.integers(1, largest + 1))
    drawn, m, n = (int(rng.integers(1, top + 1)) for top in (8, 3, 3))
    steps = drawn if steps is None else steps
    kind = str(rng.choice(["gaussian", "symmetric", "normal", "low rank"]))
    rank = int(rng.integers(0, units + 1))
    w = random_recurrent(rng, units, rng.uniform(0.3, 1.3), kind, rank)
    u = rng.standard_normal((units, n)) * rng.uniform(0.3, 1.3) / np.sqrt(units)
    v = rng.standard_normal((m, units)) * rng.uniform(0.3, 1.3) / np.sqrt(units)
    leak = float(rng.choice([1.0, rng.uniform(0.2, 1.0)])) if leak is None else leak
    net = Network(u, w, v, leak)
    s = rng.standard_normal((steps, m, n))
    s *= rng.uniform(0.3, 3.0) / np.linalg.norm(s)
    coloured = str(rng.choice(["white", "weights", "cov"])) if coloured is None else coloured
    if coloured == "weights":
        return net, Task(s, weights=rng.uniform(0.5, 2.0, steps))
    if coloured == "cov":
        x = rng.standard_normal((steps * n, steps * n + 3)) / np.sqrt(steps * n)
        return net, Task(s, cov=x @ x.T)
    return net, Task(s)


def random_trained(rng):
    """Any of the seven sets of matrices."""
    while True:
        chosen = tuple(part for part in ALL if rng.random() < 0.7)
        if chosen:
            return chosen
