"""T11 at any depth over random shapes: symmetries, scaling, restarts, T1 and the loss."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy import deep
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from tests.theory.deep.cases import case, function, velocity

TIMES = np.array([0.0, 0.4, 3.0])

# As many sizes as there are layers, and one more; a seed; the norm of every layer.
shapes = st.lists(st.integers(1, 4), min_size=2, max_size=5)
cases = st.builds(
    lambda sizes, x, seed, white: (sizes, *case(sizes, 10.0**x, seed, white)),
    shapes, st.floats(-0.7, 0.5), st.integers(0, 1000), st.booleans(),
)  # fmt: skip


def agree(one, other, loss, scales=(1.0,) * 7):
    """Measures of two runs; the loss relative to its start, changes to the largest."""
    for name, a, b, scale in zip(one._fields, one, other, scales, strict=True):
        largest = loss if name == "loss" else np.max(b)
        np.testing.assert_allclose(
            a, scale * b, rtol=1e-7, atol=1e-8 * scale * largest, err_msg=name
        )


@settings(max_examples=25, deadline=None)
@given(cases, st.integers(0, 1000))
def test_turning_inputs_hidden_units_and_outputs_changes_no_measure(drawn, turn):
    sizes, weights, task = drawn
    rng = np.random.default_rng(turn)
    turns = [np.linalg.qr(rng.standard_normal((n, n)))[0] for n in sizes]
    turned = [b @ w @ a.T for w, (a, b) in zip(weights, pairwise(turns), strict=True)]
    cov_xx = None if task.white else turns[0] @ task.cov_xx @ turns[0].T
    there = deep.solve(turned, Task(turns[-1] @ task.cov_yx @ turns[0].T, cov_xx))
    here = deep.solve(weights, task)
    agree(there.measures(TIMES), here.measures(TIMES), here.loss(0.0))


@settings(max_examples=25, deadline=None)
@given(cases, st.sampled_from([0.1, 0.7, 2.0]))
def test_weights_times_k_and_the_task_times_k_to_the_depth(drawn, k):
    """W -> k W, cov_yx -> k^L cov_yx, t -> t / k^(2L - 2): the same run, k times as large."""
    _, weights, task = drawn
    depth = len(weights)
    here = deep.solve(weights, task)
    there = deep.solve([k * w for w in weights], Task(k**depth * task.cov_yx, task.cov_xx))
    agree(
        there.measures(TIMES / k ** (2 * depth - 2)),
        here.measures(TIMES),
        here.loss(0.0),
        (k, k, k, 1.0, 1.0, 1.0, k ** (2 * depth)),
    )


@settings(max_examples=25, deadline=None)
@given(cases, st.floats(0.01, 3.0), st.floats(0.01, 3.0))
def test_a_flow_may_be_cut_and_gone_on_with(drawn, first, then):
    _, weights, task = drawn
    whole, half = (deep.solve(weights, task).weights(t) for t in (first + then, first))
    rest = deep.solve(half, task).weights(then)
    size = np.sqrt(sum(np.sum(w**2) for w in whole))
    for one, other in zip(rest, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8 * size)


@settings(max_examples=25, deadline=None)
@given(cases)
def test_loss_falls_and_alignments_lie_between_0_and_1(drawn):
    _, weights, task = drawn
    solution = deep.solve(weights, task)
    found = solution.measures(np.r_[0.0, np.geomspace(1e-3, 30.0, 12)])
    assert np.all(found.loss >= 0.0)
    assert np.all(np.diff(found.loss) <= 1e-12 * found.loss[0])
    for alignment in (found.representation_alignment, found.kernel_alignment):
        assert np.all((alignment >= 0.0) & (alignment <= 1.0 + 1e-14))
        assert alignment[0] == pytest.approx(1.0, abs=1e-14)
    assert np.all(found.weight_change_input <= found.weight_change)
    assert np.all(found.weight_change_readout <= found.weight_change)
    # the rate at which the loss falls is the squared speed, so |dW|^2 <= t (L_0 - L_t) (T12)
    times = np.r_[0.0, np.geomspace(1e-3, 30.0, 12)]
    bound = times * (found.loss[0] - found.loss)
    assert np.all(found.weight_change**2 <= bound * (1.0 + 1e-7) + 1e-14)


@settings(max_examples=25, deadline=None)
@given(cases, st.floats(0.0, 20.0))
def test_what_the_flow_conserves(drawn, t):
    """W_(l+1)'W_(l+1) - W_l W_l' (T1), on the weights handed out, and by `drift`."""
    _, weights, task = drawn
    solution = deep.solve(weights, task)
    assert solution.drift(t) < 1e-9
    assert solution.drift(0.0) == 0.0
    later = solution.weights(t)
    size = sum(np.sum(w**2) for w in later)
    for (a, b), (a0, b0) in zip(pairwise(later), pairwise(weights), strict=True):
        moved = (b.T @ b - a @ a.T) - (b0.T @ b0 - a0 @ a0.T)
        assert np.linalg.norm(moved) < 1e-9 * size


@settings(max_examples=25, deadline=None)
@given(cases.filter(lambda drawn: len(drawn[1]) == 2))
def test_two_layers_are_those_of_solve(drawn):
    _, weights, task = drawn
    wanted = solve(Network(*weights), task)
    agree(deep.solve(weights, task).measures(TIMES), wanted.measures(TIMES), wanted.loss(0.0))


@settings(max_examples=25, deadline=None)
@given(cases)
def test_one_layer_more_that_only_passes_on_starts_with_the_same_function(drawn):
    """An orthogonal last layer keeps the start's function, loss and their first rates."""
    sizes, weights, task = drawn
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((sizes[-1],) * 2))[0]
    deeper = [*weights, turn]
    there = Task(turn @ task.cov_yx, task.cov_xx)
    one, two = deep.solve(weights, task), deep.solve(deeper, there)
    assert two.loss(0.0) == pytest.approx(float(one.loss(0.0)), rel=1e-12)
    np.testing.assert_allclose(function(deeper), turn @ function(weights), atol=1e-14)
    # the added layer moves as well: the loss falls at least as fast at first
    speeds = [sum(np.sum(v**2) for v in velocity(w, at)) for w, at in
              ((weights, task), (deeper, there))]  # fmt: skip
    t = 1e-6 / (1.0 + speeds[1])
    fallen = [float(s.loss(0.0) - s.loss(t)) for s in (one, two)]
    assert fallen == pytest.approx([t * speed for speed in speeds], rel=1e-3, abs=1e-12)
    assert speeds[1] >= speeds[0] * (1.0 - 1e-12)


@settings(max_examples=25, deadline=None)
@given(cases, st.floats(0.05, 2.0))
def test_later_weights_are_where_the_gradient_points(drawn, t):
    _, weights, task = drawn
    h = 1e-3 / (1.0 + sum(np.sum(w**2) for w in weights))
    before, here, after = (deep.solve(weights, task).weights(t + k * h) for k in (-1, 0, 1))
    moves = velocity(here, task)
    scale = max(1.0, *(np.abs(v).max() for v in moves))
    for a, b, v in zip(before, after, moves, strict=True):
        np.testing.assert_allclose((b - a) / (2.0 * h), v, atol=1e-4 * scale)
