"""Slow, obvious twins of the fast paths, and random cases for them."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import spectrum
from richlazy.laziness import Measures
from richlazy.start.matrices import forward
from richlazy.start.network import Network
from richlazy.start.task import Task


def _weights(start, task):
    first = forward(start.first, np.eye(start.inputs))
    readout = np.zeros((task.outputs, start.hidden)) if start.silent else start.readout
    return first, readout


def _root(task):
    """cov_xx^(1/2) and its pseudoinverse, from the eigenvalues."""
    cov = np.eye(task.inputs) if task.cov_xx is None else task.cov_xx
    values, vectors = np.linalg.eigh(cov)
    known = values > 1e-12 * values[-1]
    root = np.sqrt(np.where(known, values, 0.0))
    inverse = np.where(known, 1.0 / np.where(known, root, 1.0), 0.0)
    return (vectors * root) @ vectors.T, (vectors * inverse) @ vectors.T


@pytest.fixture(scope="session")
def reference_weights():
    """(start, task, times) -> [(W1, W2), ...] of T1 as it stands, by SciPy, rtol 1e-12."""

    def run(start, task, times, method="DOP853"):
        from scipy.integrate import solve_ivp

        first, readout = _weights(start, task)
        cov = np.eye(task.inputs) if task.cov_xx is None else task.cov_xx

        def unpack(y):  # the changes are integrated, so that lazy starts keep their digits
            return (
                first + y[: first.size].reshape(first.shape),
                readout + y[first.size :].reshape(readout.shape),
            )

        def velocity(_, y):
            w1, w2 = unpack(y)
            error = task.cov_yx - w2 @ w1 @ cov
            return np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

        smallest = min(np.abs(first).max(), 1.0)
        found = solve_ivp(
            velocity,
            (0.0, times[-1]),
            np.zeros(first.size + readout.size),
            method=method,
            t_eval=times,
            rtol=1e-12,
            atol=1e-14 * smallest,
        )
        assert found.success
        return [unpack(y) for y in found.y.T]

    return run


@pytest.fixture(scope="session")
def dense_measures():
    """(start, task, W1, W2) -> Measures from d x d matrices and explicit Kronecker kernels."""

    def run(start, task, w1, w2):
        first, readout = _weights(start, task)
        root, inverse = _root(task)
        m, cov = task.outputs, root @ root

        def seen(w):
            return root @ w.T @ w @ root

        def kernel(w, v):
            return np.kron(seen(w), np.eye(m)) + np.kron(cov, v @ v.T)

        def cosine(a, b):
            return np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)

        target = task.cov_yx @ inverse
        goal = target.T.ravel()  # index order (input, output)
        change1, change2 = np.linalg.norm(w1 - first), np.linalg.norm(w2 - readout)
        return Measures(
            np.hypot(change1, change2),
            change1,
            change2,
            cosine(seen(first), seen(w1)),
            cosine(kernel(first, readout), kernel(w1, w2)),
            cosine(kernel(w1, w2), np.outer(goal, goal)),
            0.5 * np.sum((target - w2 @ w1 @ root) ** 2),
        )

    return run


@pytest.fixture(scope="session")
def random_case():
    """(rng, scale, white, silent, ...) -> a random start and task of a few dimensions."""

    def make(rng, scale=1.0, *, white=True, silent=True, inputs=None, hidden=None, outputs=None):
        d = int(rng.integers(2, 9)) if inputs is None else inputs
        h = int(rng.integers(2, 9)) if hidden is None else hidden
        m = int(rng.integers(1, min(d, h, 3) + 1)) if outputs is None else outputs
        first = rng.standard_normal((h, d))
        first *= scale / np.linalg.norm(first)
        readout = None if silent else scale * rng.standard_normal((m, h)) / np.sqrt(m * h)
        x = rng.standard_normal((2 * d + 5, d))
        cov = None if white else x.T @ x / len(x)
        task = Task.teacher(rng.standard_normal((m, d)) / np.sqrt(m * d), cov)
        return Network(first, readout), task

    return make


@pytest.fixture(scope="session")
def route(random_case, rotation):
    """(name, rng, ...) -> a start and a task that this route answers."""

    def make(name, rng, scale=1.0):
        if name in ("closed form", "riccati"):
            task = Task.random(6, 1 if name == "closed form" else 2, rng=rng)
            s = spectrum.flat(3, scale)
            return Network.from_spectrum(s, task=task, hidden=5, alignment=0.3, rng=rng), task
        if name == "closed modes":
            left, right = rotation(2, rng), rotation(6, rng)[:, :2]
            hidden, a, b = rotation(5, rng)[:, :2], rng.uniform(0.2, 1, 2), rng.uniform(-1, 1, 2)
            start = Network((scale * hidden * a) @ right.T, (scale * left * b) @ hidden.T)
            return start, Task((left * [2.0, 0.7]) @ right.T)
        return random_case(
            rng,
            scale,
            white=name != "flow, not white",
            silent=name in ("krylov", "krylov, outputs"),
            inputs=6,
            hidden=5,
            outputs=1 if name == "krylov" else 2,
        )

    return make


@pytest.fixture(scope="session")
def largest_error():
    """(measures, reference) -> largest relative difference; the loss is relative to its start."""

    def compare(found, wanted, loss=None):
        gaps = [
            float(np.max(np.abs(np.asarray(a) - np.asarray(b)) / np.abs(b)))
            for a, b in zip(found[:5], wanted[:5], strict=True)
        ]
        if loss is not None:
            gaps.append(float(np.max(np.abs(np.asarray(found[5]) - np.asarray(wanted[5]))) / loss))
        return max(gaps)

    return compare


@pytest.fixture(scope="session")
def rotation():
    """(size, rng) -> a random orthogonal matrix."""

    def make(size, rng):
        return np.linalg.qr(rng.standard_normal((size, size)))[0]

    return make


@pytest.fixture
def put(tmp_path):
    """(name, content) -> path of a new file with it."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def few(monkeypatch):
    """Two replicates of each control instead of ten."""
    from richlazy.report import first_layer as report

    monkeypatch.setattr(report, "REPLICATES", 2)
