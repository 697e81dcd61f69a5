"""Weak directions that are coupled to learned ones grow at their own rate."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from richlazy import deep
from richlazy.start.task import Task
from tests.theory.deep.cases import gap, reference


def coupled(layers, weak, seed):
    """diag(0.5, weak), every entry disturbed by half of weak."""
    rng = np.random.default_rng(seed)
    core = np.diag([0.5, weak])
    return [core + 0.5 * weak * rng.standard_normal((2, 2)) for _ in range(layers)]


def test_a_coupled_plateau_against_scipy():
    weights, task = coupled(3, 1e-2, 0), Task(np.diag([1.0, 0.5]))
    times = np.array([100.0, 400.0])
    found = deep.solve(weights, task).weights(times)
    for i, later in enumerate(reference(weights, task, times, "Radau", 1e-11)):
        assert gap([w[i] for w in found], later, weights) < 1e-7


def test_a_coupled_plateau_of_correlated_inputs(rotation):
    """Least squares is reached, on the way that an independent integrator takes."""
    cov, q = np.array([[1.0, 0.3], [0.3, 2.0]]), rotation(2, np.random.default_rng(2))
    task = Task(np.diag([1.0, 0.5]) @ q.T, cov)
    first, *others = coupled(3, 1e-2, 0)
    weights = [first @ q.T, *others]
    times = np.array([50.0, 200.0])
    found = deep.solve(weights, task).weights(times)
    for i, later in enumerate(reference(weights, task, times, "Radau", 1e-11)):
        assert gap([w[i] for w in found], later, weights) < 1e-7
    first, *others = coupled(3, 1e-6, 0)
    end = deep.solve([first @ q.T, *others], task)
    assert float(end.loss()) < 1e-15
    product = np.linalg.multi_dot(end.weights(np.inf)[::-1])
    np.testing.assert_allclose(product, task.cov_yx @ np.linalg.inv(cov), atol=1e-7)


@pytest.mark.parametrize(("layers", "weak"), [(3, 1e-6), (4, 1e-4)])
def test_coupled_weak_directions_are_learned(layers, weak, rotation):
    # the flow went on for 20 000 steps and gave up; turned coordinates must make no difference
    weights, target = coupled(layers, weak, 0), np.diag([1.0, 0.5])
    sol = deep.solve(weights, Task(target))
    assert float(sol.loss()) < 1e-15
    assert sol.drift() < 1e-8
    rng = np.random.default_rng(1)
    q = [rotation(2, rng) for _ in range(layers + 1)]
    turned = [b @ w @ a.T for w, (a, b) in zip(weights, pairwise(q), strict=True)]
    other = deep.solve(turned, Task(q[-1] @ target @ q[0].T))
    assert float(other.loss()) < 1e-15
    assert float(other.weight_change()) == pytest.approx(float(sol.weight_change()), rel=1e-7)
