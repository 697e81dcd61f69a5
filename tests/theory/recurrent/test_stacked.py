"""`recurrent.solve` of stacks: every network has the numbers that it has alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from richlazy.errors import AssumptionError, KindError
from richlazy.recurrent import Network, Task, path_length, predict, sequence, solve
from richlazy.recurrent.measures import Measures
from richlazy.start.matrices import Thin

TIMES = np.array([[0.0, 0.5], [7.0, np.inf]])
RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.standard_normal(shape)


def nets(*shape, units=6, leak=1.0):
    u, w, v = normal(*shape, units, 2), normal(*shape, units, units), normal(*shape, 1, units)
    return Network(0.4 * u, 0.6 * w / np.sqrt(units), 0.4 * v, leak)


FLOWS = nets(4), Task(normal(4, 3, 1, 2))
SCALED = np.array([0.03, 1.0, 1.0, 4.0])[:, None, None]
KINDS = {
    "flows": FLOWS,
    "one task": (FLOWS[0], Task(normal(3, 1, 2))),
    "one network": (FLOWS[0][0], FLOWS[1]),
    "two axes": (nets(2, 1), Task(normal(3, 3, 1, 2))),
    "a leak, lags weighted": (nets(3, leak=0.4), Task(normal(3, 3, 1, 2), weights=[1.0, 2.0, 0.5])),
    "with a covariance": (nets(3), Task(normal(3, 3, 1, 2), cov=np.diag([1.0, 2, 3, 4, 5, 6]))),
    "of many scales": (
        Network(SCALED * FLOWS[0].inputs, FLOWS[0].recurrent, SCALED * FLOWS[0].readout),
        Task(SCALED[:, None] ** 2 * FLOWS[1].response),
    ),
    "some reduced exactly": (
        Network(
            normal(3, 9, 1),
            np.stack([normal(9, 9) / 5, np.outer(normal(9), normal(9)) / 9, 0.5 * np.eye(9)]),
            normal(3, 1, 9),
        ),
        Task(normal(3, 3, 1, 1)),
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_network_has_the_numbers_it_has_alone(name):
    net, task = KINDS[name]
    found = solve(net, task)
    shape = np.broadcast_shapes(net.shape, task.shape)
    assert found.shape == shape
    measures = found.measures(TIMES)
    for place in np.ndindex(shape):
        alone = solve(found.start[place], found.task[place]).measures(TIMES)
        for field, one in zip(Measures._fields, alone, strict=True):
            value = getattr(measures, field)
            assert value.shape == shape + TIMES.shape
            atol = 1e-9 * alone.loss.max() if field == "loss" else 0.0
            np.testing.assert_allclose(value[place], one, rtol=1e-7, atol=atol, err_msg=field)


def test_a_record_has_arrays_and_states_its_error():
    net, task = KINDS["flows"]
    record = predict(net, task, 3.0)
    alone = [predict(net[i], task[i], 3.0) for i in range(4)]
    for field in ("weight_change", "relative_weight_change", "relative_weight_change_recurrent"):
        expected = [getattr(one, field) for one in alone]
        np.testing.assert_allclose(getattr(record, field), expected, rtol=1e-8)
    assert record.method == "flow (T16)"
    assert "read at the last step" in record.assumptions
    plain = json.loads(json.dumps(record.to_dict()))
    assert plain["target_alignment"] == record.target_alignment.tolist()
    stated = float(record.accuracy.split("to ")[1].split()[0])
    gap = np.abs(record.kernel_alignment - [one.kernel_alignment for one in alone]).max()
    assert gap < stated < 1e-7


def test_nothing_is_said_before_it_is_computed():
    found = solve(*KINDS["flows"])
    assert (found.error, found.assumptions) == (None, ())
    assert found.accuracy == "nothing has been computed yet"
    found.loss(1.0)
    assert found.error > 0.0


def test_what_a_flow_rests_with_is_said_of_its_network():
    stuck = Network(np.zeros((2, 3, 1)), np.zeros((2, 3, 3)), np.zeros((2, 1, 3)))
    live = nets(1, units=3)
    both = Network(
        np.concatenate([stuck.inputs, live.inputs[..., :1]]),
        np.concatenate([stuck.recurrent, live.recurrent]),
        np.concatenate([stuck.readout, live.readout]),
    )
    found = solve(both, Task([1.0, 0.5]))
    assert np.allclose(found.loss(), [0.625, 0.625, 0.0], atol=1e-12)
    words = [text for text in found.assumptions if "excess loss 0.625" in text]
    assert len(words) == 1
    assert "(2 of 3 networks)" in words[0]


def test_method_and_parts_are_passed_on():
    net, task = KINDS["flows"]
    found = solve(net, task, "flow", trained="readout")
    assert np.all(found.weight_change_recurrent(1.0) == 0.0)
    assert np.all(found.weight_change_readout(1.0) > 0.0)
    with pytest.raises(AssumptionError, match=r"network \(0,\) of the stack: modes does not"):
        solve(net, task, "modes")


def test_one_of_a_stack_and_a_part_of_it():
    found = solve(*KINDS["two axes"])
    assert len(found) == 2
    np.testing.assert_allclose(found[1].loss(2.0), found.loss(2.0)[1], rtol=1e-8)
    np.testing.assert_allclose(found[1, 2].loss(2.0), found.loss(2.0)[1, 2], rtol=1e-8)
    response = found.response([0.0, 1.0])
    assert response.shape == (2, 3, 2, 3, 1, 2)
    np.testing.assert_allclose(response[1, 2], found[1, 2].response([0.0, 1.0]))
    assert found.drift(1.0) < 1e-9
    with pytest.raises(ValueError, match=r"ask solutions\[0, 0\].at\(t\)"):
        found.at(1.0)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: FLOWS[0].gain,
        lambda: FLOWS[0].conserved(),
        lambda: FLOWS[1].strength,
        lambda: sequence(FLOWS[0], [FLOWS[1][0]]),
        lambda: sequence(FLOWS[0][0], [FLOWS[1]]),
    ],
)
def test_what_is_asked_of_one_refuses_a_stack(ask):
    with pytest.raises(KindError, match="it is a stack of shape"):
        ask()


def test_the_path_of_a_stack_is_refused():
    with pytest.raises(ValueError, match="stack"):
        path_length(solve(*KINDS["flows"]))


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"leading axes must agree: inputs \(2,\)"):
        Network(normal(2, 3, 1), normal(3, 3, 3), normal(1, 3))
    with pytest.raises(ValueError, match="recurrent must be an array in a stack"):
        Network(normal(2, 3, 1), Thin.from_factors(normal(3, 1), normal(3, 1)), normal(1, 3))
    with pytest.raises(ValueError, match=r"task \(1,\) is zero"):
        Task(np.stack([np.ones((2, 1, 1)), np.zeros((2, 1, 1))]))
    with pytest.raises(ValueError, match="response must have 1, 3 or more dimensions"):
        Task(np.ones((2, 2)))
    with pytest.raises(ValueError, match="the stacks must agree"):
        solve(FLOWS[0], Task(normal(3, 3, 1, 2)))


def test_what_it_says_of_itself():
    assert repr(FLOWS[0]) == "Network(shape=(4,), units=6, channels=2, outputs=1, leak=1)"
    assert repr(FLOWS[1]) == "Task(shape=(4,), steps=3, channels=2, outputs=1)"
    assert repr(solve(*FLOWS)) == (
        "Solutions(shape=(4,), method='flow (T16)', units=6, channels=2, outputs=1, steps=3)"
    )
