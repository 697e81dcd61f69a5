"""Which route answers, what is refused and how, limits of the start, and where the flow rests."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.errors import AssumptionError, KindError
from richlazy.recurrent import Network, Task, predict, solve
from tests.theory.recurrent import cases

RNG = np.random.default_rng(0)
W = cases.random_recurrent(RNG, 8, 0.7)
NET = Network.random(W, channels=2, outputs=2, rng=1)
TASK = Task.random(3, 2, 2, rng=2)


def test_the_route_that_is_taken():
    assert solve(NET, TASK).method == "flow (T16)"
    assert solve(NET, TASK, "reduced").method == "reduced (T18)"
    low = Network.random(cases.random_recurrent(RNG, 30, 0.7, "low rank", 2), rng=1)
    assert solve(low, Task([1.0, 0.5])).method == "reduced (T18), 6 directions"
    assert solve(Network([[0.5]], [[0.3]], [[0.4]]), Task([1.0, 2.0])).method.startswith("modes")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"net": W}, r"^net must be a Network; it is ndarray of shape \(8, 8\): write"),
        ({"net": None}, "^net must be a Network"),
        ({"task": TASK.response}, "^task must be a Task; .*: write recurrent.Task"),
        ({"task": Task([1.0, 0.5])}, "^the network has 2 channels, the task 1"),
        ({"task": Task(np.ones((2, 1, 2)))}, "^the network has 2 outputs, the task 1"),
        ({"task": Task(np.ones((600, 2, 2)))}, "take fewer steps"),
        ({"method": "krylov"}, "^method must be one of modes, reduced, flow; it is 'krylov'"),
        ({"method": ["flow"]}, "^method must be one of"),
        ({"method": "modes"}, "^modes does not apply: W takes the directions"),
        ({"trained": []}, "^trained must name one or more of inputs, recurrent, readout"),
        ({"trained": "weights"}, "^trained must name one or more"),
        ({"trained": ["inputs", "all"]}, "^trained must name"),
        ({"trained": 3}, "^trained must be a list"),
        ({"trained": [3]}, "^trained must name"),
        ({"tolerance": 0.0}, "^tolerance must be > 0"),
        ({"tolerance": np.nan}, "^tolerance must be finite"),
        ({"tolerance": [1e-3]}, "^tolerance must be one number"),
    ],
)
def test_what_is_wrong_is_said(arguments, words):
    with pytest.raises(ValueError, match=words):
        solve(**{"net": NET, "task": TASK, **arguments})


def test_a_flow_too_large_to_be_dense_is_refused():
    from scipy.sparse import eye_array

    net = Network.random(0.1 * eye_array(5000).tocsr(), rng=0)
    with pytest.raises(AssumptionError, match=r"^flow does not apply: 5000 units .* use 'reduced'"):
        solve(net, Task([1.0, 0.5]), "flow")


@pytest.mark.parametrize("t", [-1.0, np.nan, "soon", [], [1.0, -2.0]])
def test_bad_times_are_refused(t):
    with pytest.raises(ValueError, match=r"^t must"):
        solve(NET, TASK).measures(t)


def test_one_time_is_asked_for_where_one_is_meant():
    for ask in (solve(NET, TASK).at, solve(NET, TASK).laziness, solve(NET, TASK).drift):
        with pytest.raises(ValueError, match=r"^t must be one number"):
            ask([1.0, 2.0])


def test_predict_is_the_record_of_solve():
    assert predict(NET, TASK, 0.5) == solve(NET, TASK).laziness(0.5)
    assert predict(NET, TASK, 0.5, trained="readout").weight_change_inputs == 0.0
    with pytest.raises(KindError, match=r"^net must be"):
        predict(W, TASK)


def test_one_unit_is_scalar():
    """N = 1 with no modes to be told apart: against DOP853."""
    net = Network([[0.5, -0.2]], [[0.6]], [[0.4], [0.3]])
    task = Task.random(3, 2, 2, rng=4)
    wanted = cases.measures(net, task, cases.followed(net, task, [1.5])[0])
    assert cases.gap(solve(net, task).measures(1.5), wanted, task) < 1e-8


def test_a_recurrent_matrix_of_zeros_learns():
    net = Network.random(np.zeros((8, 8)), channels=2, outputs=2, rng=3)
    found = solve(net, TASK)
    wanted = cases.measures(net, TASK, cases.followed(net, TASK, [2.0])[0])
    assert cases.gap(found.measures(2.0), wanted, TASK) < 1e-8
    assert found.loss(np.inf) < 1e-12


def least_loss(net, task, part):
    """Of inputs or readout alone the responses are linear: least squares."""
    powers, b = cases.unrolled(cases.weights(net), task.steps)
    if part == "readout":
        known = np.concatenate([power @ b for power in powers], axis=1).T
        wanted = cases.wide(task.response).T
    else:
        known = np.concatenate([net.readout @ power for power in powers])
        wanted = np.concatenate(list(task.response))
    missed = wanted - known @ np.linalg.lstsq(known, wanted, rcond=None)[0]
    return 0.5 * np.sum(missed**2)


@pytest.mark.parametrize("part", ["inputs", "readout"])
def test_the_least_loss_of_what_is_trained_is_found_and_said(part):
    net = Network.random(cases.random_recurrent(np.random.default_rng(1), 3, 0.9), rng=1)
    task = Task.random(5, rng=6)
    found = solve(net, task, trained=part)
    np.testing.assert_allclose(found.loss(np.inf), least_loss(net, task, part), rtol=1e-10)
    assert any("comes to rest with excess loss" in words for words in found.assumptions)


def test_the_recurrent_weights_alone_come_to_rest_where_their_gradient_vanishes():
    net = Network.random(cases.random_recurrent(np.random.default_rng(1), 3, 0.9), rng=1)
    task = Task.random(5, rng=6)
    found = solve(net, task, trained="recurrent")
    assert found.loss(np.inf) > 1e-4
    assert any("comes to rest with excess loss" in words for words in found.assumptions)
    _, speed, _ = cases.velocity(cases.weights(found.at(np.inf).network()), task)
    _, before, _ = cases.velocity(cases.weights(net), task)
    assert np.linalg.norm(speed) < 1e-8 * np.linalg.norm(before)


def test_too_few_units_leave_an_error_and_it_is_said():
    net = Network([[0.5], [0.1]], [[0.3, 0.2], [-0.1, 0.4]], [[0.4, -0.2]])
    task = Task([0.2, -0.7, 0.6, 0.9, -0.8, 0.4])
    found = solve(net, task)
    wanted = cases.measures(net, task, cases.followed(net, task, [200.0])[0])
    assert found.loss(np.inf) <= wanted.loss * (1 + 1e-9)
    assert found.loss(np.inf) > 1e-3
    assert any("comes to rest with excess loss" in words for words in found.assumptions)


def test_long_memory_at_a_tiny_gain():
    """Lag 9 is at first 1e-14 of what lag 0 is: the flow must still find it, or say why not."""
    rng = np.random.default_rng(30)
    net = Network.random(cases.random_recurrent(rng, 30, 0.03), rng=rng)
    task = Task.random(10, rng=1)
    wanted = cases.measures(net, task, cases.followed(net, task, [5.0])[0])
    found = solve(net, task, "flow")
    assert cases.gap(found.measures(5.0), wanted, task) < 1e-8
    end = found.loss(np.inf)
    assert end <= found.loss(5.0)
    assert end < 1e-10 or any("comes to rest" in words for words in found.assumptions)


@pytest.mark.parametrize("norms", [(0.0, 1.0), (1.0, 0.0)])
def test_a_silent_side_learns(norms):
    net = Network.random(W, input_norm=norms[0], readout_norm=norms[1], rng=3)
    task = Task.random(4, rng=5)
    found = solve(net, task)
    wanted = cases.measures(net, task, cases.followed(net, task, [2.0])[0])
    assert cases.gap(found.measures(2.0), wanted, task) < 1e-8
    assert found.loss(np.inf) < 1e-12


def test_a_task_much_larger_than_the_start():
    net, task = Network.random(W, rng=3), Task.random(4, strength=30.0, rng=5)
    wanted = cases.measures(net, task, cases.followed(net, task, [0.01])[0])
    assert cases.gap(solve(net, task).measures(0.01), wanted, task) < 1e-6
