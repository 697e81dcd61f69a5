"""The curvature in few directions is that in all; plateaus of many weights, alone and in stacks."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from richlazy.errors import AssumptionError
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer import flow
from richlazy.two_layer.curvature import curved, whole_steps
from richlazy.two_layer.solve import predict, solve


def _hessian(w1, w2, error, cov):
    """Of the loss over all weights, W1 before W2, entry by entry of two products of moves."""
    total = w1.size + w2.size
    moves = [
        (v[: w1.size].reshape(w1.shape), v[w1.size :].reshape(w2.shape)) for v in np.eye(total)
    ]
    maps = [w2 @ a + b @ w1 for a, b in moves]
    return np.array(
        [
            [
                np.sum((f @ cov) * g) - np.sum(error * (b @ c + e @ a))
                for g, (c, e) in zip(maps, moves, strict=True)
            ]
            for f, (a, b) in zip(maps, moves, strict=True)
        ]
    )


@pytest.mark.parametrize(("h", "d", "m"), [(4, 5, 2), (2, 3, 3), (5, 2, 3), (4, 4, 1)])
@pytest.mark.parametrize("coloured", [False, True])
def test_one_euler_step_is_damped_by_the_whole_positive_curvature(h, d, m, coloured):
    rng = np.random.default_rng(h + 10 * m)
    w1, w2 = rng.standard_normal((h, d)), rng.standard_normal((m, h))
    root = rng.standard_normal((d, d)) if coloured else np.eye(d)
    cov = root @ root.T
    error = rng.standard_normal((m, d))
    point = SimpleNamespace(
        w1=w1[None], w2=w2[None], error=error[None], cov=cov if coloured else None
    )
    hessian = _hessian(w1, w2, error, cov)
    assert np.linalg.matrix_rank(hessian) <= curved(h, d, m)
    values, vectors = np.linalg.eigh(hessian)
    force = np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])
    expected = vectors @ (0.7 * (vectors.T @ force) / (1.0 + 0.7 * np.maximum(values, 0.0)))
    first, readout = whole_steps(point, np.array([0.7]), 1).change
    found = np.concatenate([first.ravel(), readout.ravel()])
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.linalg.norm(expected))


def _far(hidden, inputs, outputs, norm, readout=None):
    rng = np.random.default_rng(1)
    w1 = rng.standard_normal((hidden, inputs))
    w1 *= norm / np.linalg.norm(w1)
    w2 = None if readout is None else rng.standard_normal((outputs, hidden))
    if w2 is not None:
        w2 *= readout / np.linalg.norm(w2)
    return Network(w1, w2), Task.random(inputs, outputs, rng=np.random.default_rng(2))


def test_a_plateau_of_many_weights_is_that_of_an_independent_integrator():
    start, task = _far(4, 44, 2, 100.0, 0.1)
    w1, w2, goal = start.first, start.readout, task.cov_yx

    def velocity(_, y):
        a, b = y[: w1.size].reshape(w1.shape), y[w1.size :].reshape(w2.shape)
        error = goal - b @ a
        return np.concatenate([(b.T @ error).ravel(), (error @ a.T).ravel()])

    def jacobian(_, y):
        a, b = y[: w1.size].reshape(w1.shape), y[w1.size :].reshape(w2.shape)
        moved = np.concatenate(
            [np.kron(b, np.eye(w1.shape[1])), np.kron(np.eye(len(b)), a.T)], axis=1
        )
        # what the error makes of the other layer's move, unit by unit
        error, (h, d), m = goal - b @ a, w1.shape, len(b)
        bent = np.einsum("jk,oi->jiok", np.eye(h), error).reshape(h * d, m * h)
        nothing = np.zeros((h * d, h * d)), np.zeros((m * h, m * h))
        return np.block([[nothing[0], bent], [bent.T, nothing[1]]]) - moved.T @ moved

    y = np.concatenate([w1.ravel(), w2.ravel()])
    # the plateau, and the end of it
    times = np.array([1e3, 1e5])
    slow = solve_ivp(
        velocity, (0, times[-1]), y, "Radau", times, rtol=1e-8, atol=1e-9, jac=jacobian
    )
    expected = np.linalg.norm(slow.y - y[:, None], axis=0)
    np.testing.assert_allclose(solve(start, task).weight_change(times), expected, rtol=1e-6)


def test_steps_of_a_plateau_of_many_weights_are_few(monkeypatch):
    taken = []
    step = flow._Frozen.step
    monkeypatch.setattr(flow._Frozen, "step", lambda *args: taken.append(1) or step(*args))
    found = predict(*_far(12, 24, 3, 1e3))
    assert found.loss < 1e-15
    assert len(taken) < 400  # without the curvature, thousands


def test_a_slow_network_of_a_stack_is_what_it_is_alone():
    rng = np.random.default_rng(3)
    start = Network(0.3 * rng.standard_normal((2, 2, 3)), 0.3 * rng.standard_normal((2, 3, 2)))
    task = Task(np.stack([np.diag([1.0, 0.8, x]) for x in (0.6, 0.79992)]))
    together = solve(start, task).weight_change()
    alone = [solve(start[i], task[i]).weight_change() for i in range(2)]
    np.testing.assert_allclose(together, alone, rtol=1e-8)


def test_a_task_outside_the_rows_of_a_first_layer_far_above_it_is_refused_at_once(monkeypatch):
    start, task = _far(12, 24, 3, 1e6, 1.0)
    monkeypatch.setattr(flow, "march", None)  # before any step
    with pytest.raises(AssumptionError, match=r"outside its rows.*finite time or a smaller norm"):
        predict(start, task)
    monkeypatch.undo()
    assert 0.0 < predict(start, task, 1e3).loss < 0.5
    assert predict(_far(12, 24, 3, 1e4, 1.0)[0], task).loss < 1e-12
