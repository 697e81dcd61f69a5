"""T5 for stacks: every network of one has the numbers that it has alone."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import Network, Task, solve, stacks
from richlazy.errors import AssumptionError

TIMES = np.array([0.0, 1e-300, 1e-12, 1e-3, 0.3, 1.0, 4.0, 30.0, 400.0, 1e6, np.inf])
#: hidden, inputs, outputs, lambda; the last with more units than inputs, silent or not
SHAPES = [(4, 4, 4, 0.7), (4, 6, 5, 0.7), (3, 6, 5, -0.05), (4, 6, 5, 0.0), (2, 7, 1, 0.4),
          (4, 4, 6, -0.02)]  # fmt: skip


def turn(rows, columns, rng):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def balanced(hidden, inputs, outputs, level, rng):
    """W2'W2 - W1 W1' = level I."""
    sizes = rng.uniform(0.3, 1.5, hidden)
    common = turn(hidden, hidden, rng)
    first = (common * sizes) @ turn(inputs, hidden, rng).T
    readout = (turn(outputs, hidden, rng) * np.sqrt(sizes**2 + level)) @ common.T
    return first, readout, rng.standard_normal((outputs, inputs)) / np.sqrt(inputs)


def stack(shape, rng):
    hidden, inputs, outputs, level = shape
    if outputs < hidden:  # a readout of fewer outputs cannot be balanced so: a silent one is
        first = 0.7 * np.stack([turn(inputs, hidden, rng).T for _ in TIMES])
        tasks = rng.standard_normal((len(TIMES), outputs, inputs))
        return first, np.zeros((len(TIMES), outputs, hidden)), tasks
    nets = [balanced(hidden, inputs, outputs, level, rng) for _ in TIMES]
    return tuple(np.stack(x) for x in zip(*nets, strict=True))


def alone(first, readout, cov_yx, t):
    solution = solve(Network(first, readout), Task(cov_yx), "riccati")
    found = solution.measures(t)
    alignments = found.representation_alignment, found.kernel_alignment, found.target_alignment
    return *alignments, solution.loss(t)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_network_has_the_numbers_that_it_has_alone(shape, monkeypatch):
    layers = stack(shape, np.random.default_rng(SHAPES.index(shape)))
    expected = np.array([alone(*net, t) for *net, t in zip(*layers, TIMES, strict=True)], float)
    monkeypatch.setattr(stacks, "ByRiccati", None)  # all of them at once
    found = stacks.alignments(*layers, TIMES)
    scale = 0.5 * np.sum(layers[2] ** 2, axis=(1, 2))
    assert np.all(found.error < 1e-11)
    np.testing.assert_allclose(found.representation_alignment, expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(found.kernel_alignment, expected[:, 1], rtol=1e-12)
    np.testing.assert_allclose(found.target_alignment, expected[:, 2], rtol=1e-12)
    np.testing.assert_allclose(found.loss / scale, expected[:, 3] / scale, atol=1e-12, rtol=1e-9)


def test_networks_that_need_a_decision_of_their_own_are_solved_alone():
    rng = np.random.default_rng(7)
    plain, equal, weak = (balanced(3, 4, 3, 0.5, rng) for _ in range(3))
    equal = (*equal[:2], np.eye(3, 4))  # three modes of one strength
    weak = (*weak[:2], weak[2] * [[1.0], [1e-17], [1.0]])  # a mode below rounding
    layers = tuple(np.stack(x) for x in zip(plain, equal, weak, strict=True))
    found = stacks.alignments(*layers, 2.0)
    for k, net in enumerate((plain, equal, weak)):
        np.testing.assert_allclose(np.array(found[:-1])[:, k], alone(*net, 2.0), rtol=1e-12)


def test_leading_axes_are_broadcast():
    rng = np.random.default_rng(3)
    first, readout, _ = balanced(3, 4, 3, 0.5, rng)
    tasks, times = rng.standard_normal((2, 1, 3, 4)), np.array([0.5, 1.0, np.inf])
    found = stacks.alignments(first, readout, tasks, times)
    assert {x.shape for x in found} == {(2, 3)}
    one = stacks.alignments(first, readout, tasks[1, 0], 1.0)
    assert one.kernel_alignment.shape == ()
    assert found.kernel_alignment[1, 1] == pytest.approx(float(one.kernel_alignment), rel=1e-14)
    silent = stacks.alignments(np.eye(4), None, tasks[:, 0])
    assert silent.loss == pytest.approx(np.zeros(2), abs=1e-28)


def test_parts_of_a_large_stack_are_the_stack(monkeypatch):
    layers = stack(SHAPES[0], np.random.default_rng(0))
    whole = stacks.alignments(*layers, TIMES)
    monkeypatch.setattr(stacks, "_CHUNK", 3 * 8**2)
    np.testing.assert_allclose(stacks.alignments(*layers, TIMES), whole, rtol=1e-13, atol=1e-28)


def test_rotating_inputs_outputs_and_units_changes_nothing():
    rng = np.random.default_rng(11)
    first, readout, tasks = stack(SHAPES[1], rng)
    units, ins, outs = turn(4, 4, rng), turn(6, 6, rng), turn(5, 5, rng)
    before = stacks.alignments(first, readout, tasks, TIMES)
    after = stacks.alignments(
        units @ first @ ins, outs @ readout @ units.T, outs @ tasks @ ins, TIMES
    )
    np.testing.assert_allclose(after[:3], before[:3], rtol=1e-11, atol=1e-13)


def test_a_network_that_is_not_balanced_is_named():
    first, readout, tasks = stack(SHAPES[0], np.random.default_rng(0))
    first[4, 0, 0] += 0.1
    with pytest.raises(
        AssumptionError, match=r"network \(4,\) of the stack: .*not lambda-balanced"
    ):
        stacks.alignments(first, readout, tasks)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((np.eye(3), np.eye(3), np.eye(4)), "same number of inputs"),
        ((np.eye(3), np.eye(2, 3), np.eye(3)), r"readout must be \(..., 3, 3\)"),
        ((np.zeros((2, 3, 3)), np.eye(3), np.zeros((5, 3, 3))), "leading axes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        stacks.alignments(*layers)
