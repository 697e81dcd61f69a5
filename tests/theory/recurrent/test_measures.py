"""The measures' own conventions: 0/0, sizes that leave float64, what a loss is small against."""

from __future__ import annotations

import numpy as np
import pytest

import richlazy as rl
from richlazy.recurrent import Network, Task, solve
from richlazy.recurrent.measures import Measures, difference, gap_difference, loss_scale
from richlazy.recurrent.reduction import Training, whole
from tests.theory.recurrent import cases

RNG = np.random.default_rng(0)
U, W, V = (
    RNG.standard_normal((5, 2)),
    0.3 * RNG.standard_normal((5, 5)),
    RNG.standard_normal((2, 5)),
)
TASK = Task.random(3, 2, 2, rng=1)


@pytest.mark.parametrize("size", [1e-70, 1e-20, 1e20])
def test_no_scale_of_the_weights_makes_an_alignment_undefined(size):
    found = solve(Network(size * U, W, size * V), TASK).measures(1e-3 / max(size, 1.0) ** 2)
    assert all(np.isfinite(x) for x in found)


def test_only_what_is_nothing_over_nothing_is_undefined():
    found = solve(Network(0.0 * U, W, V), TASK)
    here = found.measures(1.0)
    assert np.isnan(here.representation_alignment)
    assert np.isfinite(here.kernel_alignment)
    with pytest.raises(rl.errors.UndefinedError, match="representation alignment is 0/0"):
        found.representation_alignment(1.0)
    record = found.laziness(1.0)
    assert record.representation_alignment is None
    assert record.kernel_alignment == here.kernel_alignment


@pytest.mark.parametrize("method", [None, "flow", "reduced"])
def test_a_start_that_drives_and_reads_nothing_stays_and_says_so(method):
    for w in (0.0 * W, W):
        found = solve(Network(0.0 * U, w, 0.0 * V), TASK, method)
        for t in (0.0, 2.0, np.inf):
            here = found.measures(t)
            assert here.weight_change == 0.0
            np.testing.assert_allclose(here.loss, cases.excess(TASK))
            assert np.isnan(here.kernel_alignment)
        found.loss(np.inf)
        assert any("comes to rest with excess loss" in words for words in found.assumptions)


def test_a_task_far_below_the_responses_is_learned_to_their_rounding():
    found = solve(Network(U, W, V), Task(1e-30 * TASK.response))
    assert found.loss(np.inf) < 1e-25
    assert found.error < 1e-6
    assert not any("comes to rest" in words for words in found.assumptions)


def test_the_scale_of_losses_is_the_larger_of_start_and_zero_weights():
    for factor in (0.1, 10.0):
        task = Task(factor * TASK.response)
        problem = whole(Network(U, W, V), task, Training(True, True, True)).problem
        start = solve(Network(U, W, V), task).loss(0.0)
        assert loss_scale(problem)[0] == pytest.approx(max(float(start), cases.excess(task)))


def test_differences_are_relative_and_skip_what_is_undefined():
    one = Measures(*(np.array([x]) for x in (1.0, 0.0, 2.0, 3.0, np.nan, 0.5, 0.5, 1e-9)))
    other = one._replace(weight_change=np.array([1.1]), loss=np.array([2e-9]))
    assert difference(one, one, np.array([1.0])) == 0.0
    assert difference(one, other, np.array([1.0])) == pytest.approx(0.1 / 1.1)
    assert difference(one, other, np.array([1e-9])) == pytest.approx(1.0)


def test_gaps_are_relative_to_what_an_alignment_is_below_1():
    gap = np.array([1e-6])
    one = Measures(*(np.array([0.5]) for _ in Measures._fields))
    one = one._replace(kernel_alignment=1.0 - gap, representation_alignment=1.0 - gap)
    for name in ("kernel_alignment", "representation_alignment"):
        other = one._replace(**{name: 1.0 - 2.0 * gap})
        assert difference(one, other, np.ones(1)) < 2e-6
        assert gap_difference(one, other, np.ones(1)) == pytest.approx(0.5, rel=1e-6)
    rounded = one._replace(kernel_alignment=np.ones(1))
    assert gap_difference(rounded, rounded._replace(kernel_alignment=1.0 - gap / 1e9), gap) < 1e-2
    assert gap_difference(one, one._replace(loss=np.array([0.6])), np.ones(1)) == pytest.approx(0.1)


@pytest.mark.parametrize("part", cases.ALL)
def test_only_what_is_trained_moves_and_counts_in_the_kernel(part):
    net = Network(U, W, V)
    found = solve(net, TASK, trained=part)
    here = found.measures(0.5)
    for name in cases.ALL:
        assert (getattr(here, f"weight_change_{name}") > 0) == (name == part)
    moved = cases.weights(found.at(0.5).network())
    start = cases.weights(net)
    wanted = cases.cosine(cases.kernel(start, TASK, [part]), cases.kernel(moved, TASK, [part]))
    np.testing.assert_allclose(here.kernel_alignment, wanted, rtol=1e-10)


def test_one_step_is_the_two_layer_network_of_inputs_and_readout():
    task = Task.random(1, 2, 2, 2.0, rng=3)
    found = solve(Network(U, W, V), task)
    twin = rl.solve(rl.Network(U, V), rl.Task(task.response[0]))
    for t in (0.0, 0.4, 3.0, np.inf):
        mine, theirs = found.measures(t), twin.measures(t)
        pairs = [
            (mine.weight_change, theirs.weight_change),
            (mine.weight_change_inputs, theirs.weight_change_input),
            (mine.weight_change_readout, theirs.weight_change_readout),
            (mine.representation_alignment, theirs.representation_alignment),
            (mine.kernel_alignment, theirs.kernel_alignment),
            (mine.loss, theirs.loss),
        ]
        for x, y in pairs:
            np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-13)
        assert mine.weight_change_recurrent == 0.0


def test_weights_of_lags_weigh_blocks_of_the_gram_matrix_in_ra():
    """Block (k, l) counts sqrt(w_k w_l) times: a lag of weight 0 is left out."""
    weights = np.array([2.0, 0.0, 0.5])
    found = solve(Network(U, W, V), Task(TASK.response, weights=weights))
    grams = []
    for net in (found.start, found.at(0.7).network()):
        states = [net.inputs]
        for _ in range(2):
            states.append(net.recurrent @ states[-1])
        wide = np.concatenate(
            [w**0.5 * c for w, c in zip(weights, states, strict=True) if w], axis=1
        )
        grams.append(wide.T @ wide)
    np.testing.assert_allclose(
        found.representation_alignment(0.7), cases.cosine(*grams), rtol=1e-10
    )
