"""Participation ratios of weight changes (T21): against the dense changes, every architecture."""

from __future__ import annotations

import numpy as np
import pytest

from derivations import load
from richlazy import Network, Task, deep, recurrent, solve, spectrum
from richlazy.errors import UndefinedError
from richlazy.laziness import change_rank
from tests.theory.two_layer.route_names import ROUTES

TIMES = np.array([[0.3, np.inf], [2.0, 0.3]])


def ratio(change):
    """From the singular values."""
    s = np.linalg.svd(change, compute_uv=False)
    return np.sum(s**2) ** 2 / np.sum(s**4)


@pytest.mark.parametrize("name", ROUTES)
def test_two_layers(route, name):
    start, task = route(name, np.random.default_rng(3))
    solution = solve(start, task)
    found = solution.change_rank(TIMES)
    assert found.input.shape == found.readout.shape == TIMES.shape
    for k in np.ndindex(TIMES.shape):
        state = solution.at(TIMES[k])
        w2 = 0.0 if start.readout is None else start.readout
        assert found.input[k] == pytest.approx(ratio(state.left @ state.right.T), rel=1e-7)
        assert found.readout[k] == pytest.approx(ratio(state.readout - w2), rel=1e-7)


def test_a_flat_start_changes_by_rank_one_with_one_output_and_by_the_strengths_when_rich():
    task = Task.random(8, 1, rng=0)
    start = Network.from_spectrum(spectrum.flat(3), task=task, hidden=5, alignment=0.4, rng=1)
    np.testing.assert_allclose(solve(start, task).change_rank([0.1, 3.0, np.inf]), 1.0, rtol=1e-9)
    strengths = np.array([2.0, 1.0, 0.5])
    rng = np.random.default_rng(2)
    first = 1e-4 * rng.standard_normal((4, 6))
    rich = solve(Network(first), Task(np.eye(3, 6) * strengths[:, None])).change_rank()
    wanted = load("T21").evaluate("change_rank_rich", p=strengths.sum(), q=np.sum(strengths**2))
    np.testing.assert_allclose(rich, float(wanted), rtol=1e-3)


def test_a_stack_has_those_of_each():
    rng = np.random.default_rng(4)
    first, task = rng.standard_normal((2, 3, 4)), Task(rng.standard_normal((2, 2, 4)))
    found = solve(Network(first), task).change_rank(TIMES)
    for k in range(2):
        alone = solve(Network(first[k]), task[k]).change_rank(TIMES)
        np.testing.assert_allclose(np.stack(found)[:, k], np.stack(alone), rtol=1e-8)


def test_every_layer_of_a_deep_network():
    rng = np.random.default_rng(5)
    weights = [rng.standard_normal(s) for s in ((3, 5), (4, 3), (2, 4))]
    solution = deep.solve(weights, Task(rng.standard_normal((2, 5))))
    found, later = solution.change_rank([0.2, 1.0]), solution.weights([0.2, 1.0])
    for one, start, after in zip(found, weights, later, strict=True):
        np.testing.assert_allclose(one, [ratio(w - start) for w in after], rtol=1e-7)


def test_recurrent_networks():
    rng = np.random.default_rng(6)
    net = recurrent.Network.random(
        0.3 * rng.standard_normal((6, 6)), channels=2, outputs=2, rng=rng
    )
    task = recurrent.Task.random(steps=4, channels=2, outputs=2, rng=rng)
    solution = recurrent.solve(net, task)
    found = solution.change_rank([0.5, np.inf])
    for k, t in enumerate((0.5, np.inf)):
        state = solution.at(t)
        assert found.inputs[k] == pytest.approx(ratio(state.inputs - net.inputs), rel=1e-7)
        assert found.recurrent[k] == pytest.approx(ratio(state.left @ state.right.T), rel=1e-7)
        assert found.readout[k] == pytest.approx(ratio(state.readout - net.readout), rel=1e-7)


def test_no_change_has_no_rank():
    with pytest.raises(UndefinedError, match="rank of the weight change is 0/0"):
        solve(Network(np.eye(2)), Task.teacher([1.0, 0.0])).change_rank(0.0)


def test_bounds_and_range():
    x = np.random.default_rng(7).standard_normal((3, 5, 2))
    found = change_rank(x)
    assert np.all((found >= 1.0) & (found <= 2.0))
    np.testing.assert_allclose(change_rank(1e-200 * x), found, rtol=1e-14)
