"""Tasks over lags: what they are made of, their metric, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.recurrent import Task
from tests.theory.recurrent import cases


def test_a_vector_is_one_channel_and_one_output():
    task = Task([3.0, 4.0])
    assert (task.steps, task.outputs, task.channels, task.strength) == (2, 1, 1, 5.0)
    assert repr(task) == "Task(steps=2, channels=1, outputs=1, strength=5)"


@pytest.mark.parametrize("coloured", ["white", "weights", "cov"])
def test_the_loss_sees_the_metric(coloured):
    _, task = cases.random_case(np.random.default_rng(3), coloured=coloured, steps=4)
    flat = cases.wide(task.response)
    wanted = np.sum((flat @ cases.metric(task)) * flat)
    assert task.strength == pytest.approx(np.sqrt(wanted))
    np.testing.assert_allclose(task.seen @ task.seen.T, flat @ cases.metric(task) @ flat.T)
    assert ("cov=" in repr(task)) == (coloured == "cov")
    assert ("weights=" in repr(task)) == (coloured == "weights")


def test_no_metric_is_the_identity():
    assert Task([1.0, 2.0], weights=[1.0, 1.0]).weights is None
    assert Task([1.0, 2.0], cov=np.eye(2)).cov is None
    assert Task([1.0, 2.0]).root is None


def test_least_squares_of_trials():
    rng = np.random.default_rng(0)
    s = rng.standard_normal((3, 2, 2))
    x = rng.standard_normal((200, 3, 2)) * [1.0, 1e4]
    y = sum(x[:, 2 - k] @ s[k].T for k in range(3))
    task = Task.from_data(x, y)
    np.testing.assert_allclose(task.response, s, rtol=1e-9, atol=1e-12)
    lagged = np.concatenate([x[:, 2 - k] for k in range(3)], axis=1)
    np.testing.assert_allclose(task.cov, lagged.T @ lagged / 200)
    noisy = Task.from_data(x, y + rng.standard_normal(y.shape))
    missed = y - sum(x[:, 2 - k] @ noisy.response[k].T for k in range(3))
    assert np.sum(missed**2) / y.size < 0.1


def test_random_tasks_have_their_strength_and_chance():
    one, two = (Task.random(3, 2, 4, 2.5, rng=seed) for seed in (0, 1))
    assert one.response.shape == (3, 4, 2)
    assert one.strength == pytest.approx(2.5)
    assert not np.array_equal(one.response, two.response)
    np.testing.assert_array_equal(Task.random(3, 2, 4, 2.5, rng=0).response, one.response)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"response": np.ones((2, 2))}, "^response must have 1, 3 or more dimensions"),
        ({"response": []}, "^response must not be empty"),
        ({"response": [np.nan]}, "^response must be finite"),
        ({"response": [0.0, 0.0]}, "^the task is zero"),
        ({"response": [0.0, 1.0], "weights": [1.0, 0.0]}, "^the task is zero"),
        ({"response": [1e-90]}, "^response, as the loss sees it, .* rescale it"),
        ({"response": [1e90]}, "^response, as the loss sees it"),
        ({"response": [1.0, 1.0], "weights": [1.0]}, "^weights must be one number for each of 2"),
        ({"response": [1.0, 1.0], "weights": [1.0, -1.0]}, "^weights must be >= 0"),
        ({"response": [1.0], "weights": [2.0], "cov": [[2.0]]}, "^weights and cov exclude"),
        ({"response": [1.0, 1.0], "cov": np.eye(3)}, r"^cov over \(lag, channel\) must be \(2, 2"),
        ({"response": [1.0, 1.0], "cov": [[1.0, 0.5], [0.0, 1.0]]}, "^cov must be symmetric"),
        ({"response": [1.0, 1.0], "cov": np.diag([1.0, -1.0])}, "^cov must be .* eigenvalue -1"),
        ({"response": [1.0, 1.0], "cov": np.zeros((2, 2))}, "^cov must be a non-zero"),
    ],
)
def test_bad_tasks_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Task(**arguments)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones((5, 3)), np.ones(5), "^x must have 3 dimensions"),
        (np.ones((5, 3, 1)), np.ones(4), "^x and y must have one row per trial"),
        (np.ones((5, 3, 1)), np.ones((5, 1, 1)), "^y must have 1 or 2 dimensions"),
        (np.ones((5, 3, 1)), np.full(5, np.inf), "^y must be finite"),
        (np.ones((5, 3, 1)), np.zeros(5), "^the task is zero"),
    ],
)
def test_bad_trials_are_refused(x, y, words):
    with pytest.raises(ValueError, match=words):
        Task.from_data(x, y)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": 0}, "^steps must be at least 1"),
        ({"channels": "two"}, "^channels must be an integer"),
        ({"outputs": -1}, "^outputs must be at least 1"),
        ({"strength": 0.0}, "^strength must be > 0"),
        ({"rng": None}, "^rng must be a seed"),
    ],
)
def test_bad_random_tasks_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Task.random(**{"steps": 3, "rng": 0, **wrong})


def test_a_channel_that_is_silent_is_not_answered():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3, 2)) * [1.0, 0.0]
    response = Task.from_data(x, x[:, -1, :1]).response
    np.testing.assert_allclose(response[:, 0, 0], [1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(response[:, 0, 1], 0.0, atol=1e-12)


def test_what_the_loss_sees_is_in_order_of_lag_and_channel():
    response = np.random.default_rng(0).standard_normal((4, 3, 2, 5))
    seen = Task(response[0]).see(response)
    assert seen.shape == (4, 2, 15)
    for lag in range(3):
        np.testing.assert_array_equal(seen[..., 5 * lag : 5 * lag + 5], response[:, lag])


def test_a_random_task_has_one_channel_and_output_of_strength_one_unless_told():
    task = Task.random(4, rng=0)
    assert task.response.shape == (4, 1, 1)
    assert task.strength == pytest.approx(1.0, rel=1e-14)
