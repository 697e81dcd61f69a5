"""Inputs in very different units: covariances, their roots, tasks made of data."""

from __future__ import annotations

import re

import mpmath as mp
import numpy as np
import pytest

from richlazy import solve
from richlazy.start import covariance
from richlazy.start.network import Network
from richlazy.start.task import Task

B = np.array([1.0, -1.0, 2.0, 0.0, -2.0, 1.0, 0.0, -1.0])
CLOCK = np.stack([1.7e9 + np.arange(8.0), B], axis=1)
UNITS = np.stack([1e8 * np.array([3.0, -1, 2, 1, -2, 1, -1, -3]), B], axis=1)


def in_units(rng, sizes):
    x = rng.standard_normal((20, len(sizes)))
    return (x.T @ x / 20) * np.outer(sizes, sizes)


@pytest.mark.parametrize("sizes", [[1.0, 1e8, 1e-8], [1e-12, 1.0, 1.0, 3e5], [1.0, 2.0, 3.0]])
def test_eigenvalues_and_roots_to_their_own_digits(sizes):
    cov = in_units(np.random.default_rng(0), np.array(sizes))
    with mp.workdps(60):
        exact = mp.matrix(cov.tolist())
        values, vectors = mp.eigsy(exact)
        wanted = vectors * mp.diag([mp.sqrt(v) for v in values]) * vectors.T
        inverse = np.array(mp.inverse(wanted).tolist(), dtype=float)
        values = np.array([float(v) for v in values])
        wanted = np.array(wanted.tolist(), dtype=float)
    np.testing.assert_allclose(covariance.eigen(cov)[0], values, rtol=1e-13)
    root = covariance.root(cov)
    for found, exact in ((root, wanted), (covariance.inverse_root(root), inverse)):
        size = np.minimum.outer(np.diagonal(exact), np.diagonal(exact))
        np.testing.assert_allclose(found / size, exact / size, rtol=0.0, atol=1e-12)


def test_inputs_without_variance_beside_inputs_in_large_units():
    cov = np.diag([1e16, 0.0, 1.0])
    values, vectors = covariance.eigen(cov)
    np.testing.assert_allclose(values, [0.0, 1.0, 1e16], rtol=1e-15)
    np.testing.assert_allclose(np.abs(vectors), np.eye(3)[:, [1, 2, 0]], atol=1e-15)
    np.testing.assert_allclose(covariance.inverse_root(covariance.root(cov)), np.diag([1e-8, 0, 1]))


def test_a_clock_beside_a_feature():
    """Least squares of y = 3b on the clock and b is (0, 3): excess loss of zero weights y'y/2n."""
    task = Task.from_data(CLOCK, 3.0 * B)
    learned = task.whitened @ covariance.inverse_root(task.root)
    np.testing.assert_allclose(learned, [[0.0, 3.0]], atol=1e-9)
    np.testing.assert_allclose(0.5 * np.sum(task.whitened**2), 0.5 * np.mean(9.0 * B**2), rtol=1e-9)


@pytest.mark.parametrize("size", [1e4, 1e8, 1.7e9])
def test_a_feature_is_learned_beside_a_clock_as_if_alone(size):
    """What the clock has to learn it has at once: b alone, of variance 1.5, then takes its time."""
    x = np.stack([size + np.arange(8.0), B], axis=1)
    solution = solve(Network(0.1 * np.eye(2)), Task.from_data(x, 3.0 * B))
    alone = solve(Network([[0.1]]), Task([[3.0]]))
    for t in (0.1, 1.0, 30.0):
        found, wanted = solution.function(t)[0], alone.function(1.5 * t)[0, 0]
        np.testing.assert_allclose(found, [0.0, wanted], rtol=1e-6, atol=4.0 / size**2)
        weights = alone.weight_change(1.5 * t)
        np.testing.assert_allclose(solution.weight_change(t), weights, rtol=1e-6)


@pytest.mark.parametrize("question", ["loss", "function", "at"])
def test_a_flow_that_rounding_decides_is_said_to_be(question):
    start = Network(0.1 * np.random.default_rng(0).standard_normal((3, 2)))
    solution = solve(start, Task.from_data(CLOCK, 3.0 * B))
    getattr(solution, question)(1.0)
    assert float(re.search(r"agree to (\S+) relative", solution.accuracy)[1]) > 0.5


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_features_in_different_units_are_learned(order):
    """Least squares gives (0, 3), and the loss of zero weights is mean y^2/2 = 6.75."""
    task = Task.from_data(UNITS[:, order], 3.0 * B)
    solution = solve(Network(np.eye(2)), task)
    assert float(solution.loss(0.0)) == pytest.approx(6.75, rel=1e-12)
    np.testing.assert_allclose(solution.function(np.inf)[0, order], [0.0, 3.0], atol=1e-9)
    assert float(solution.loss()) < 1e-18
    # the large feature is in the kernel what the small one is not beside it
    assert float(solution.kernel_alignment()) == pytest.approx(1.0, abs=1e-12)
    # feature by feature: units are no matter of the loss
    other = Task.from_data(UNITS[:, order] * [1e3, 1e-3], 3.0 * B)
    np.testing.assert_allclose(np.sum(other.whitened**2), np.sum(task.whitened**2), rtol=1e-11)


def test_a_teacher_of_inputs_in_different_units():
    cov = in_units(np.random.default_rng(0), np.array([1.0, 1e8, 1e-8]))
    weights = np.array([[2.0, 1e-9, 3e8], [-1.0, 3e-8, 1e7]])
    task = Task.teacher(weights, cov)
    seen = task.whitened @ covariance.inverse_root(task.root)
    np.testing.assert_allclose(seen, weights, rtol=1e-10)


def test_a_part_that_no_input_explains_is_refused_whatever_its_unit():
    cov = np.diag([1e16, 0.0])
    Task([[3e8, 0.0]], cov)
    for part in (1.0, 1e3):
        with pytest.raises(ValueError, match="where cov_xx is zero to rounding"):
            Task([[1e-3, part]], np.diag([1.0, 0.0]))
    # 4.5 is much beside an input of order 1, and nothing beside 6e8
    turned = np.array([[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="nearly a combination of the others"):
        Task([[6e8, 4.5]], turned * np.outer([1e8, 1.0], [1e8, 1.0]))


def test_asymmetry_and_negative_variance_are_seen_in_small_units():
    with pytest.raises(ValueError, match="cov_xx must be symmetric"):
        Task([[1.0, 1.0]], [[1e16, 1.0], [2e7, 1.0]])
    with pytest.raises(ValueError, match="positive semidefinite"):
        Task([[1.0, 1.0]], [[1e16, 3e8], [3e8, 1.0]])
