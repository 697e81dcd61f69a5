"""Networks and tasks with leading axes: broadcast, taken apart, and refused where one is asked."""

from __future__ import annotations

import numpy as np
import pytest

import richlazy as rl
from richlazy import Network, Task
from richlazy.errors import KindError
from richlazy.start.stack import places, together

RNG = np.random.default_rng(5)
FIRST, READOUT = RNG.standard_normal((2, 3, 4, 5)), RNG.standard_normal((3, 2, 4))
STACK = Network(FIRST, READOUT)
TASKS = Task(RNG.standard_normal((3, 2, 5)))


def test_leading_axes_are_broadcast_and_taken_apart():
    assert STACK.shape == (2, 3)
    assert (STACK.hidden, STACK.inputs, len(STACK)) == (4, 5, 2)
    one = STACK[1, 2]
    assert one.shape == ()
    assert np.array_equal(one.first, FIRST[1, 2])
    assert np.array_equal(one.readout, READOUT[2])
    assert [row.shape for row in STACK] == [(3,), (3,)]
    assert np.array_equal(STACK[-1][0].first, FIRST[1, 0])


def test_a_readout_that_is_silent_in_some_networks_is_silent_there():
    readout = np.array(READOUT)
    readout[1] = 0.0
    stack = Network(FIRST[0], readout)
    assert stack[1].silent
    assert not stack[2].silent
    assert Network(FIRST, np.zeros((2, 4))).silent


def test_networks_and_tasks_are_spread_over_each_other():
    start, task = together(STACK, TASKS)
    assert start.shape == task.shape == (2, 3)
    assert np.array_equal(task[1, 2].cov_yx, TASKS[2].cov_yx)
    start, task = together(Network(FIRST[0, 0]), TASKS)
    assert start.shape == (3,)
    with pytest.raises(ValueError, match=r"networks has shape \(2, 3\), that of tasks \(4,\)"):
        together(STACK, Task(np.ones((4, 2, 5))))


def test_tasks_share_a_covariance_or_have_their_own():
    cov = np.diag([1.0, 2.0, 3.0, 4.0, 5.0])
    common = Task(TASKS.cov_yx, cov)
    assert np.array_equal(common[2].cov_xx, cov)
    own = Task(TASKS.cov_yx[0], np.stack([cov, np.eye(5)]))
    assert own.shape == (2,)
    assert own[1].white
    assert not own[0].white
    assert Task(TASKS.cov_yx, np.tile(np.eye(5), (3, 1, 1))).white


def test_the_precision_of_a_stack_is_that_of_each():
    assert Network(FIRST.astype(np.float32))[0, 0].precision == np.finfo(np.float32).eps


@pytest.mark.parametrize("place", [2, (0, 3), (0, 0, 0), "0", slice(2), None, 0.5, -3])
def test_places_that_a_stack_has_not(place):
    with pytest.raises(IndexError, match="has no place"):
        STACK[place]


def test_one_has_no_length_and_no_places():
    with pytest.raises(TypeError, match="one Network has no length"):
        len(STACK[0, 0])
    with pytest.raises(IndexError, match="one network or task has no place 0"):
        STACK[0, 0][0]


def test_places_of_a_flat_number():
    assert places((2, 3), 4) == (1, 1)
    assert places((), 0) == ()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: STACK.factors,
        lambda: STACK.said,
        lambda: STACK.conserved,
        lambda: STACK.alignment(TASKS[0]),
        lambda: STACK[0, 0].alignment(TASKS),
        lambda: TASKS.modes,
        lambda: TASKS.strength,
        lambda: TASKS.separate,
        lambda: TASKS.whitened,
        lambda: TASKS.alignment(np.eye(5)),
        lambda: Task(TASKS.cov_yx, 2.0 * np.eye(5)).root,
        lambda: rl.deep.solve([np.eye(5), np.eye(2, 5)], TASKS),
        lambda: rl.sequence(STACK, [TASKS[0]]),
        lambda: rl.sequence(STACK[0, 0], [TASKS]),
        lambda: Network.from_spectrum([1.0], task=TASKS, hidden=3, rng=0),
    ],
)
def test_what_is_asked_of_one_refuses_a_stack(ask):
    with pytest.raises(KindError, match="it is a stack of shape"):
        ask()


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"leading axes must agree: W1 \(2, 3\) and W2 \(5,\)"):
        Network(FIRST, np.ones((5, 2, 4)))
    with pytest.raises(ValueError, match="W1 must be an array for a stack of tasks"):
        together(Network.from_factors(np.ones((4, 1)), np.ones((5, 1))), TASKS)
    with pytest.raises(ValueError, match="W1 has entries up to 1e"):
        Network(np.stack([np.eye(2), 1e80 * np.eye(2)]))


def test_what_a_stack_says_of_itself():
    assert repr(STACK) == "Network(shape=(2, 3), inputs=5, hidden=4, readout=2 outputs)"
    assert repr(TASKS) == "Task(shape=(3,), inputs=5, outputs=2, cov_xx=white)"
