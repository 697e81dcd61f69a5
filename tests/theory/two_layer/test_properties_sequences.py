"""T12 over random networks and tasks: stages chain, lengths add up, repeated tasks stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.sequences import path_length, sequence
from richlazy.two_layer.solve import solve

times = st.floats(0.01, 4.0)


def drawn(seed, sizes, count, log_norm, silent, white):
    """A start and tasks of a few dimensions (inputs, hidden units, outputs)."""
    rng = np.random.default_rng(seed)
    d, h, m = sizes
    first = rng.standard_normal((h, d)) * 10.0**log_norm / np.sqrt(h * d)
    readout = None if silent else rng.standard_normal((m, h)) * 10.0**log_norm / np.sqrt(m * h)
    tasks = []
    for _ in range(count):
        x = rng.standard_normal((3 * d, d))
        best = rng.standard_normal((m, d)) / np.sqrt(m * d)
        tasks.append(Task.teacher(best, None if white else x.T @ x / len(x)))
    return Network(first, readout), tasks


def cases(count):
    return st.builds(
        drawn, st.integers(0, 1000), st.tuples(*[st.integers(1, 4)] * 3), st.just(count),
        st.floats(-1.5, 0.7), st.booleans(), st.booleans(),
    )  # fmt: skip


def readout_of(network, task):
    return np.zeros((task.outputs, network.hidden)) if network.silent else network.readout


def distance(one, other, task):
    """Of two dense networks, over both layers."""
    second = readout_of(one, task) - readout_of(other, task)
    return np.hypot(np.linalg.norm(one.first - other.first), np.linalg.norm(second))


@settings(max_examples=10, deadline=None)
@given(cases(3), st.tuples(times, times, times))
def test_a_sequence_is_its_stages_one_by_one(case, until):
    start, tasks = case
    run, network = sequence(start, tasks, until), start
    for stage, task, t in zip(run.stages, tasks, until, strict=True):
        alone = solve(network, task)
        state = alone.at(t)
        assert stage.path_length == pytest.approx(path_length(alone, t), rel=1e-7, abs=1e-12)
        assert stage.laziness.weight_change == pytest.approx(alone.weight_change(t), rel=1e-7)
        network = Network(state.first(), state.readout)
        size = np.linalg.norm(network.first) + np.linalg.norm(network.readout)
        assert distance(stage.end, network, task) < 1e-7 * size
        # since the start: how far the weights of this stage's end are from the first ones
        away = distance(network, start, task)
        assert stage.since_start.weight_change == pytest.approx(away, rel=1e-7, abs=1e-7 * size)


@settings(max_examples=10, deadline=None)
@given(cases(1), times, times)
def test_one_task_twice_is_one_flow_and_is_not_forgotten(case, first, then):
    start, (task,) = case
    run, whole = sequence(start, [task, task], [first, then]), solve(start, task)
    assert run.path_length.sum() == pytest.approx(path_length(whole, first + then), rel=1e-7)
    assert run.losses[1, 1] == pytest.approx(whole.loss(first + then), abs=1e-8 * whole.loss(0.0))
    # more of the same can only help; none of it is no change
    assert run.forgetting[1, 0] <= 1e-12 * whole.loss(0.0)
    still = sequence(start, [task, task], [first, 0.0])
    assert abs(still.forgetting[1, 0]) <= 1e-12 * whole.loss(0.0)
    assert still.path_length[1] == 0.0


@settings(max_examples=12, deadline=None)
@given(cases(1))
def test_a_task_learned_to_the_end_is_not_forgotten_when_it_returns(case):
    start, (task,) = case
    assume(start.hidden >= min(task.inputs, task.outputs))  # narrower ones cannot learn it
    run = sequence(start, [task, task])
    assert abs(run.forgetting[1, 0]) <= 1e-10 * run.initial_losses[0]
    assert run.weight_change[1] <= 1e-6 * (1.0 + run.weight_change[0])


@settings(max_examples=6, deadline=None)
@given(cases(2), times, times)
def test_lengths_are_between_the_weight_change_and_the_loss_that_was_lost(case, first, then):
    """|dW| <= length, and length^2 <= t (L_0 - L_t): both of T12. Stages obey the triangle."""
    start, tasks = case
    run = sequence(start, tasks, [first, then])
    before = [run.initial_losses[0], run.losses[0, 1]]
    for stage, loss, now, t in zip(
        run.stages, before, np.diag(run.losses), (first, then), strict=True
    ):
        assert stage.laziness.weight_change <= stage.path_length * (1.0 + 1e-7)
        assert stage.path_length**2 <= t * (loss - now) * (1.0 + 1e-6) + 1e-14
    total, last = run.path_length.sum(), run.stages[1].since_start.weight_change
    assert last <= run.weight_change.sum() * (1.0 + 1e-9)
    assert last <= total * (1.0 + 1e-7)
    assert run.weight_change[1] <= (last + run.weight_change[0]) * (1.0 + 1e-9)


@settings(max_examples=8, deadline=None)
@given(cases(1), st.lists(times, min_size=2, max_size=4, unique=True))
def test_the_length_rises_with_time_and_adds_up(case, at):
    start, (task,) = case
    solution = solve(start, task)
    at = sorted(at)
    lengths = [path_length(solution, t) for t in at]
    assert path_length(solution, 0.0) == 0.0
    assert np.all(np.diff(lengths) >= -1e-8 * lengths[-1])
    assert lengths[-1] <= path_length(solution) * (1.0 + 1e-7)
    state = solution.at(at[0])
    rest = solve(Network(state.first(), state.readout), task)
    remaining = path_length(rest, at[-1] - at[0])
    assert lengths[0] + remaining == pytest.approx(lengths[-1], rel=1e-7)


@settings(max_examples=10, deadline=None)
@given(cases(2), times, times, st.sampled_from([0.01, 0.3, 20.0]))
def test_weights_scale_as_the_root_of_the_tasks(case, first, then, k):
    """W -> sqrt(k) W, tasks -> k tasks, t -> t/k: lengths scale with W, losses with k^2."""
    start, tasks = case
    readout = None if start.silent else np.sqrt(k) * start.readout
    larger = Network(np.sqrt(k) * start.first, readout)
    run = sequence(start, tasks, [first, then])
    other = sequence(
        larger, [Task(k * task.cov_yx, task.cov_xx) for task in tasks], [first / k, then / k]
    )
    np.testing.assert_allclose(other.path_length, np.sqrt(k) * run.path_length, rtol=1e-7)
    scale = 1e-8 * k * k * run.initial_losses.max()
    np.testing.assert_allclose(other.losses, k * k * run.losses, rtol=1e-7, atol=scale)
    np.testing.assert_allclose(other.forgetting, k * k * run.forgetting, rtol=1e-6, atol=scale)


@settings(max_examples=15, deadline=None)
@given(cases(1), times, st.integers(0, 1000))
def test_turning_everything_changes_no_length(case, t, turn):
    start, (task,) = case
    rng = np.random.default_rng(turn)
    inputs, hidden, outputs = (
        np.linalg.qr(rng.standard_normal((n, n)))[0]
        for n in (task.inputs, start.hidden, task.outputs)
    )
    readout = None if start.silent else outputs @ start.readout @ hidden.T
    cov_xx = None if task.white else inputs @ task.cov_xx @ inputs.T
    turned = Network(hidden @ start.first @ inputs.T, readout)
    there = solve(turned, Task(outputs @ task.cov_yx @ inputs.T, cov_xx))
    assert path_length(there, t) == pytest.approx(path_length(solve(start, task), t), rel=1e-7)
