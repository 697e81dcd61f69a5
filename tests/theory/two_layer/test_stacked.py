"""`solve` and `predict` of stacks: every network has the numbers that it has alone."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from richlazy import Network, Task, path_length, predict, solve, stacks
from richlazy.errors import AssumptionError, KindError
from richlazy.laziness import Measures

TIMES = np.array([[0.0, 0.5], [7.0, np.inf]])
RNG = np.random.default_rng(11)


def normal(*shape):
    return RNG.standard_normal(shape)


def turn(n):
    return np.linalg.qr(RNG.standard_normal((n, n)))[0]


def balanced(n, level):
    a, common = RNG.uniform(0.4, 1.3, n), turn(n)
    return (common * a) @ turn(n).T, (turn(n) * np.sqrt(a**2 + level)) @ common.T


FLOWS = Network(0.5 * normal(5, 3, 4), 0.4 * normal(5, 2, 3)), Task(normal(5, 2, 4))
SCALED = np.array([1e-4, 1.0, 1.0, 30.0, 1e3])[:, None, None]
KINDS = {
    "flows": FLOWS,
    "one task": (FLOWS[0], Task(normal(2, 4))),
    "one network": (FLOWS[0][0], Task(normal(3, 2, 4))),
    "two axes": (Network(normal(2, 1, 3, 4)), Task(normal(3, 2, 4))),
    "silent, one output": (Network(normal(5, 6, 8) / 3), Task(normal(5, 1, 8))),
    "of many scales": (Network(SCALED * FLOWS[0].first), Task(SCALED * FLOWS[1].cov_yx)),
    "inputs not white": (FLOWS[0], Task(FLOWS[1].cov_yx, np.diag([0.5, 1.0, 2.0, 3.0]))),
    "balanced": (
        Network(*(np.stack(x) for x in zip(*(balanced(4, 0.3) for _ in range(3)), strict=True))),
        Task(normal(3, 4, 4)),
    ),
    "of every kind": (
        Network(
            np.stack([np.eye(4), balanced(4, 0.2)[0], normal(4, 4), np.diag([1.0, 1, 1e-9, 1])]),
            np.stack([np.eye(4), np.zeros((4, 4)), normal(4, 4), np.zeros((4, 4))]),
        ),
        Task(np.stack([np.diag([4.0, 3, 2, 1]), *normal(3, 4, 4)])),
    ),
    "apart": (
        Network(np.stack([np.diag([1.0, 1e-3]), np.diag([1.0, 0.5])])),
        Task(np.stack([np.diag([1.0, 2.0])] * 2)),
    ),
}


def near(found, expected, name):
    """To the tolerance of the flow: of the loss, that of the error whose square it is."""
    if name == "loss":
        found, expected = np.sqrt(found), np.sqrt(expected)
    atol = 1e-9 * np.max(expected) if name == "loss" else 0.0
    np.testing.assert_allclose(found, expected, rtol=2e-8, atol=atol, err_msg=name)


@pytest.mark.parametrize("name", KINDS)
def test_every_network_has_the_numbers_it_has_alone(name):
    start, task = KINDS[name]
    found = solve(start, task)
    shape = np.broadcast_shapes(start.shape, task.shape)
    assert found.shape == shape
    measures = found.measures(TIMES)
    for place in np.ndindex(shape):
        alone = solve(found.start[place], found.task[place])
        for field, one in zip(Measures._fields, alone.measures(TIMES), strict=True):
            value = getattr(measures, field)
            assert value.shape == shape + TIMES.shape
            near(value[place], one, field)


@pytest.mark.parametrize("name", ["flows", "balanced", "of every kind"])
def test_alignments_alone_are_those_of_all_measures(name):
    start, task = KINDS[name]
    found, other = solve(start, task), solve(start, task)
    measures = other.measures(TIMES)
    near(found.kernel_alignment(TIMES), measures.kernel_alignment, "KA")
    near(found.representation_alignment(TIMES), measures.representation_alignment, "RA")
    near(found.loss(TIMES), measures.loss, "loss")
    near(found.weight_change(TIMES), measures.weight_change, "weight change")
    many = np.geomspace(0.01, 10.0, 7)
    near(found.kernel_alignment(many), other.measures(many).kernel_alignment, "KA")


def test_a_record_has_arrays():
    start, task = KINDS["flows"]
    record = predict(start, task, 3.0)
    alone = [predict(start[i], task[i], 3.0) for i in range(5)]
    for field in (
        "weight_change",
        "relative_weight_change",
        "relative_weight_change_input",
        "loss",
    ):
        np.testing.assert_allclose(
            getattr(record, field), [getattr(one, field) for one in alone], rtol=2e-8
        )
    assert record.method == "flow (T11)"
    plain = json.loads(json.dumps(record.to_dict()))
    assert plain["kernel_alignment"] == record.kernel_alignment.tolist()
    assert plain["time"] == 3.0


def test_what_is_undefined_is_nan_in_a_record():
    start = Network(np.stack([np.zeros((2, 2)), np.eye(2)]), 0.3 * np.eye(2))
    record = predict(start, Task([[1.0, 0.2], [0.1, 2.0]]))
    assert np.isnan(record.relative_weight_change_input[0])
    assert np.isnan(record.representation_alignment[0])
    assert np.isfinite(record.representation_alignment[1])
    assert record.to_dict()["representation_alignment"][0] is None
    with pytest.raises(ValueError, match="representation alignment is 0/0"):
        solve(start, Task([[1.0, 0.2], [0.1, 2.0]])).representation_alignment()


def test_the_true_error_is_within_the_stated_one():
    start, task = KINDS["balanced"]
    found = solve(start, task)
    value = found.kernel_alignment(2.0)
    for place in np.ndindex(found.shape):
        flow = solve(start[place], task[place], "flow").kernel_alignment(2.0)
        assert abs(value[place] - flow) < 1e-9
    stated = float(found.accuracy.split("to ")[1].split()[0])
    assert 1e-16 < stated < 1e-11
    found.weight_change(2.0)
    assert float(found.accuracy.split("to ")[1].split()[0]) >= stated


@pytest.mark.parametrize("method", ["flow", "krylov"])
def test_a_method_that_is_asked_for_answers(method):
    start, task = KINDS["flows"]
    near(solve(start, task, method).loss(1.0), solve(start, task).loss(1.0), "loss")


def test_a_method_that_does_not_apply_names_the_place():
    first, readout = balanced(4, 0.3)
    start = Network(np.stack([first, normal(4, 4)]), np.stack([readout, normal(4, 4)]))
    with pytest.raises(AssumptionError, match=r"network \(1,\) of the stack: riccati does not"):
        solve(start, Task(normal(4, 4)), "riccati")
    with pytest.raises(ValueError, match="method must be one of"):
        solve(start, Task(normal(4, 4)), "euler")


def test_a_network_that_has_no_rest_is_named():
    huge = Network(np.stack([1e6 * normal(3, 4), normal(3, 4)]))
    with pytest.raises(AssumptionError, match=r"network \(0,\) of the stack: .*lazy limit"):
        solve(huge, Task(normal(2, 4))).loss()


def test_what_several_routes_needed_is_counted():
    start, task = KINDS["of every kind"]
    found = solve(start, task)
    found.measures(1.0)
    names = found.method.split("; ")
    assert sum(int(name.rsplit(": ", 1)[1]) for name in names) == 4
    assert any("closed modes (T3)" in name for name in names)
    assert any("of 4 networks)" in words for words in found.assumptions)
    assert "white inputs" in " ".join(found.assumptions)


def test_balanced_networks_are_answered_at_once(monkeypatch):
    start, task = KINDS["balanced"]
    calls = []
    once = stacks.alignments
    monkeypatch.setattr(stacks, "alignments", lambda *x: calls.append(1) or once(*x))
    found = solve(start, task)
    found.kernel_alignment([1.0, 2.0])
    assert (calls, found.method) == ([1], "riccati (T5)")


def test_one_of_a_stack_and_a_part_of_it():
    start, task = KINDS["two axes"]
    found = solve(start, task)
    assert len(found) == 2
    near(found[1].loss(2.0), found.loss(2.0)[1], "loss")
    near(found[1, 2].loss(2.0), found.loss(2.0)[1, 2], "loss")
    assert found[1].shape == (3,)


def test_matrices_of_a_stack():
    start, task = KINDS["two axes"]
    found, t = solve(start, task), [0.5, np.inf]
    for name, size in (("representation", (4, 4)), ("readout", (2, 2)), ("function", (2, 4))):
        value = getattr(found, name)(t)
        assert value.shape == (2, 3, 2, *size)
        np.testing.assert_allclose(value[1, 2], getattr(found[1, 2], name)(t))
    assert found.drift(1.0) == max(found[p].drift(1.0) for p in product(range(2), range(3)))
    with pytest.raises(ValueError, match=r"ask solutions\[0, 0\].at\(t\)"):
        found.at(1.0)


def test_a_stack_is_no_network_for_a_single_solution():
    from richlazy import Solution
    from richlazy.two_layer.choice import Case, route

    start, task = KINDS["flows"]
    with pytest.raises(KindError, match="it is a stack"):
        Solution(start, task, route(Case(start[0], task[0]), None))


def test_the_path_of_a_stack_is_refused():
    with pytest.raises(KindError, match=r"take one of them, solution.start\[0\]"):
        path_length(solve(*KINDS["flows"]))


def test_what_does_not_fit():
    start = KINDS["flows"][0]
    with pytest.raises(ValueError, match="the network has 4 inputs, the task 3"):
        solve(start, Task(normal(5, 2, 3)))
    with pytest.raises(ValueError, match="W2 has 2 outputs, the task 1"):
        solve(start, Task(normal(5, 1, 4)))
    with pytest.raises(ValueError, match="the stacks must agree"):
        solve(start, Task(normal(4, 2, 4)))


def test_what_it_says_of_itself():
    start, task = KINDS["flows"]
    assert repr(solve(start, task)) == (
        "Solutions(shape=(5,), method='flow (T11)', inputs=4, hidden=3, outputs=2)"
    )
