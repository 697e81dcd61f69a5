"""Weak directions that are coupled to learned ones grow at their own rate."""

from __future__ import annotations

import re
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


def test_five_layers_from_a_tiny_scale_are_the_same_turned(rotation):
    # the second plateau lasts 1e15 times as long as the first mode takes to be learned
    rng = np.random.default_rng(0)
    weights = [1e-5 * rng.standard_normal((2, 2)) for _ in range(5)]
    target = np.diag([1.0, 0.5])
    q = [rotation(2, rng) for _ in range(6)]
    turned = [b @ w @ a.T for w, (a, b) in zip(weights, pairwise(q), strict=True)]
    one, other = (
        deep.solve(weights, Task(target)),
        deep.solve(turned, Task(q[-1] @ target @ q[0].T)),
    )
    found, wanted = one.measures(), other.measures()
    assert found.loss < 1e-15
    np.testing.assert_allclose(found.weight_change, wanted.weight_change, rtol=1e-4)
    np.testing.assert_allclose(found.kernel_alignment, wanted.kernel_alignment, rtol=1e-4)
    for sol in (one, other):
        stated = float(re.search(r"agree to ([\d.e+-]+) relative", sol.accuracy)[1])
        assert abs(found.weight_change / wanted.weight_change - 1.0) < 10.0 * stated < 1e-2


def test_directions_that_are_rounding_are_said_at_finite_times(rotation):
    rng = np.random.default_rng(2)
    q = [rotation(2, rng) for _ in range(4)]
    weights = [b @ np.diag([0.5, 1e-17]) @ a.T for a, b in pairwise(q)]
    sol = deep.solve(weights, Task(q[-1] @ np.diag([1.0, 0.5]) @ q[0].T))
    assert sol.loss(1.0) > 0.125
    (words,) = (w for w in sol.assumptions if "taken for rounding" in w)
    share = float(re.search(r"at most (\S+) of its layer", words)[1])
    assert 1e-17 < share < 1e-15
    assert "0.125 of excess loss at every time" in words
    # apart exactly, a weak mode is no rounding
    alone = deep.solve([np.diag([0.5, 1e-17])] * 3, Task(np.diag([1.0, 0.5])))
    assert not any("taken for rounding" in words for words in alone.assumptions)
