"""What no route may change: symmetries, bounds and the law of restarting, over random starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from tests.theory.two_layer.route_names import ROUTES

TIMES = np.array([0.0, 0.3, 2.0, 9.0])
seeds = st.integers(0, 10**6)


def dense(start):
    thin = start.factors
    return (thin.left * thin.values) @ thin.right.T


def agree(one, other, scales=(1.0,) * 7):
    for name, a, b, scale in zip(one._fields, one, other, scales, strict=True):
        largest = np.abs(np.asarray(b)[np.isfinite(b)]).max(initial=0.0)
        np.testing.assert_allclose(a, scale * b, rtol=1e-7, atol=1e-9 * scale * largest + 1e-14,
                                   err_msg=name)  # fmt: skip


@pytest.mark.parametrize("name", ROUTES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=seeds)
def test_turning_inputs_outputs_and_hidden_units_changes_no_measure(name, seed, route, rotation):
    rng = np.random.default_rng(seed)
    start, task = route(name, rng)
    turn_in, turn_hidden, turn_out = (
        rotation(k, rng) for k in (task.inputs, start.hidden, task.outputs)
    )
    cov_xx = None if task.cov_xx is None else turn_in @ task.cov_xx @ turn_in.T
    readout = None if start.readout is None else turn_out @ start.readout @ turn_hidden.T
    turned = Network(turn_hidden @ dense(start) @ turn_in.T, readout)
    there = Task(turn_out @ task.cov_yx @ turn_in.T, cov_xx)
    agree(solve(turned, there).measures(TIMES), solve(start, task).measures(TIMES))


@pytest.mark.parametrize("name", ROUTES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=seeds, factor=st.sampled_from([1e-6, 0.01, 30.0, 1e5]))
def test_only_the_weights_squared_over_the_task_matter(name, seed, factor, route):
    """W -> sqrt(k) W, task -> k task, t -> t/k: weights scale, alignments stay."""
    start, task = route(name, np.random.default_rng(seed))
    root = np.sqrt(factor)
    readout = None if start.readout is None else root * start.readout
    scaled = solve(Network(root * dense(start), readout), Task(factor * task.cov_yx, task.cov_xx))
    agree(
        scaled.measures(TIMES / factor),
        solve(start, task).measures(TIMES),
        (root, root, root, 1.0, 1.0, 1.0, factor**2),
    )


@pytest.mark.parametrize("name", ROUTES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=seeds, log_scale=st.floats(-3, 1))
def test_alignments_are_between_0_and_1_and_the_loss_falls(name, seed, log_scale, route):
    start, task = route(name, np.random.default_rng(seed), 10.0**log_scale)
    found = solve(start, task).measures(np.r_[0.0, np.geomspace(1e-3, 50.0, 25)])
    for alignment in (found.representation_alignment, found.kernel_alignment):
        assert np.all((alignment >= 0.0) & (alignment <= 1.0))
        assert alignment[0] == pytest.approx(1.0, abs=1e-14)
    assert np.all(found.loss >= 0.0)
    assert np.all(np.diff(found.loss) <= 1e-12 * found.loss[0])
    np.testing.assert_array_equal([change[0] for change in found[:3]], 0.0)
    np.testing.assert_allclose(
        found.weight_change, np.hypot(found.weight_change_input, found.weight_change_readout)
    )


@pytest.mark.parametrize("name", ROUTES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=seeds, first=st.floats(0.01, 4.0), then=st.floats(0.01, 4.0))
def test_a_flow_may_be_cut_and_gone_on_with(name, seed, first, then, route):
    start, task = route(name, np.random.default_rng(seed))
    whole, half = solve(start, task).at(first + then), solve(start, task).at(first)
    rest = solve(Network(half.first(), half.readout), task).at(then)
    size = np.linalg.norm(whole.first()) + np.linalg.norm(whole.readout)
    np.testing.assert_allclose(rest.first(), whole.first(), atol=1e-8 * size)
    np.testing.assert_allclose(rest.readout, whole.readout, atol=1e-8 * size)


@pytest.mark.parametrize("name", ROUTES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=seeds)
def test_what_the_flow_conserves(name, seed, route):
    """D = W2'W2 - W1 W1' (T1), on weights that the route hands out."""
    start, task = route(name, np.random.default_rng(seed))
    solution = solve(start, task)
    size = np.linalg.norm(dense(start)) ** 2
    for t in (0.4, 6.0):
        state = solution.at(t)
        now = state.readout.T @ state.readout - state.first() @ state.first().T
        np.testing.assert_allclose(now, start.conserved, atol=1e-9 * (size + 1.0))
