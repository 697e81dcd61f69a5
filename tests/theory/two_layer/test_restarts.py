"""Trained weights as the start of another task: nothing jumps, however long it is trained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy import Network, Task, path_length, sequence, solve, spectrum
from tests.theory.two_layer.route_names import ROUTES

LATE = np.array([20.0, 1000.0, np.inf])
ROUNDING = 1e-15


def second_stage(d, m, rank, norm, seed):
    """A flat start trained on one task, and the next task."""
    rng = np.random.default_rng([d, m, rank, seed])
    tasks = [Task.random(d, m, rng=rng) for _ in range(2)]
    start = Network.from_spectrum(
        spectrum.flat(rank, norm=norm), task=tasks[0], hidden=d, rng=rng
    )  # fmt: skip
    return sequence(start, tasks[:1]).stages[0].end, tasks[1]


# directions beyond those of the two tasks keep equal weights, which tie in the factors of T5
SHAPES = [(5, 1, 5), (7, 1, 7), (9, 1, 9), (12, 1, 12), (12, 1, 8), (12, 3, 12), (15, 3, 9)]


@pytest.mark.parametrize("norm", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_weights_of_a_second_stage(shape, norm):
    for seed in range(3):
        start, task = second_stage(*shape, norm, seed)
        exact, flow = solve(start, task), solve(start, task, "flow")
        assert exact.method == "riccati (T5)"
        found = exact.weight_change(LATE)
        np.testing.assert_allclose(found, flow.weight_change(LATE), rtol=1e-9, err_msg=f"{seed}")
        # time by time is another sequence of segments
        alone = [float(exact.weight_change(t)) for t in LATE]
        np.testing.assert_allclose(alone, found, rtol=1e-11)


@pytest.mark.parametrize("shape", [(9, 1, 9), (12, 1, 12), (12, 3, 12)])
def test_no_weight_change_is_longer_than_its_path(shape):
    for seed, norm in enumerate([1.0, 2.0, 5.0]):
        solution = solve(*second_stage(*shape, norm, seed))
        assert np.all(solution.weight_change(LATE) <= path_length(solution) * (1.0 + 1e-9))


def distance(one, other):
    return np.hypot(
        np.linalg.norm(one.first() - other.first()), np.linalg.norm(one.readout - other.readout)
    )


def next_task(task, rng):
    """Another of the same strength, on the same inputs."""
    if task.cov_xx is None:
        return Task(task.strength * Task.random(task.inputs, task.outputs, rng=rng).cov_yx)
    return Task.teacher(rng.standard_normal((task.outputs, task.inputs)), task.cov_xx)


@pytest.mark.parametrize("name", [*ROUTES, "flat, full rank"])
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), log_scale=st.floats(-1, 1), t=st.sampled_from([0.5, 4.0, 50.0]))
def test_weights_move_no_farther_than_the_loss_lets_them(name, seed, log_scale, t, route):
    """||dW/dt||^2 = -dL/dt, so ||W(t) - W(s)||^2 <= (t - s)(L(s) - L(t)) by Cauchy-Schwarz."""
    rng = np.random.default_rng(seed)
    if name == "flat, full rank":
        before = Task.random(12, 1, rng=rng)
        s = spectrum.flat(12, 10.0**log_scale)
        start = Network.from_spectrum(s, task=before, hidden=12, rng=rng)
    else:
        start, before = route(name, rng, 10.0**log_scale)
    trained = solve(start, before).at(t)
    network = Network(trained.first(), trained.readout)
    solution = solve(network, next_task(before, rng))
    times = np.array([0.0, 0.3, 2.0, 20.0, 200.0, 1000.0])
    states, losses = [solution.at(s) for s in times], solution.loss(times)
    last, final = solution.at(np.inf), float(solution.loss(np.inf))
    size = np.linalg.norm(trained.first()) + np.linalg.norm(trained.readout)
    noise, slack = 10.0 * ROUNDING * losses[0], 1e-8 * size
    for i in range(times.size - 1):
        fallen = losses[i] - losses[i + 1] + noise
        bound = np.sqrt((times[i + 1] - times[i]) * fallen)
        assert distance(states[i], states[i + 1]) <= bound + slack, times[i : i + 2]
    left = losses[-1] - final
    if left <= 1e-12 * losses[0]:  # it falls exponentially then, at a rate above 1/1000
        bound = np.sqrt(2.0 * times[-1] * (max(left, 0.0) + noise))
        assert distance(states[-1], last) <= bound + slack
