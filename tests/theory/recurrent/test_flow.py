"""T16 against DOP853 on the raw equations, its conservation law and its symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy.recurrent import Network, Task, solve
from richlazy.recurrent.measures import Measures
from tests.theory.recurrent import cases

TIMES = np.array([0.05, 0.6, 3.0])
seeds = st.integers(0, 10**6)
few = settings(max_examples=8, deadline=None, derandomize=True)


def agree(found, wanted, task, tolerance=1e-8):
    for k in range(len(wanted[0])):
        one, other = (Measures(*(v[k] for v in m)) for m in (found, wanted))
        assert cases.gap(one, other, task) < tolerance


@few
@given(seed=seeds)
def test_every_measure_and_weight_is_that_of_the_raw_equations(seed):
    rng = np.random.default_rng(seed)
    net, task = cases.random_case(rng, largest=8)
    trained = cases.ALL if rng.random() < 0.5 else cases.random_trained(rng)
    found = solve(net, task, trained=trained)
    reference = cases.followed(net, task, TIMES, trained)
    start, measured = cases.weights(net), found.measures(TIMES)
    responses = found.response(TIMES)
    for k, wanted in enumerate(reference):
        here = Measures(*(v[k] for v in measured))
        assert cases.gap(here, cases.measures(net, task, wanted, trained), task) < 1e-8
        state = found.at(TIMES[k])
        moved = max(np.abs(x - y).max() for x, y in zip(wanted[:3], start[:3], strict=True))
        for x, y in zip((state.inputs, state.recurrent(), state.readout), wanted[:3], strict=True):
            np.testing.assert_allclose(x, y, atol=1e-8 * moved, rtol=0)
        size = max(np.abs(task.response).max(), np.abs(responses[k]).max())
        np.testing.assert_allclose(
            responses[k], cases.response(wanted, task.steps), atol=1e-8 * size, rtol=0
        )


@pytest.mark.parametrize("seed", range(3))
def test_thirty_units_eight_steps_at_gain_above_one(seed):
    rng = np.random.default_rng(seed)
    w = cases.random_recurrent(rng, 30, 1.3)
    net = Network.random(w, channels=2, outputs=2, rng=rng)
    task = Task.random(8, 2, 2, 2.0, rng=rng)
    found = solve(net, task).measures([0.3])
    wanted = cases.measures(net, task, cases.followed(net, task, [0.3])[0])
    assert cases.gap(Measures(*(v[0] for v in found)), wanted, task) < 1e-8


@few
@given(seed=seeds)
def test_the_difference_of_gram_matrices_is_conserved(seed):
    rng = np.random.default_rng(seed)
    net, task = cases.random_case(rng)
    found = solve(net, task)
    assert found.drift(3.0) < 1e-10
    moved = found.at(3.0).network()
    size = sum(np.sum(x**2) for x in cases.weights(moved)[:3])
    assert np.linalg.norm(moved.conserved() - net.conserved()) < 1e-10 * size


def test_it_is_not_conserved_when_one_matrix_rests():
    net, task = cases.random_case(np.random.default_rng(3), steps=4)
    found = solve(net, task, trained=["inputs", "readout"])
    assert found.drift(3.0) > 1e-3


@few
@given(seed=seeds)
def test_a_flow_goes_on_from_where_it_is(seed):
    rng = np.random.default_rng(seed)
    net, task = cases.random_case(rng, largest=8)
    found = solve(net, task)
    again = solve(found.at(0.7).network(), task)
    direct, later = found.at(2.0), again.at(1.3)
    moved = float(found.weight_change(2.0))
    for x, y in (
        (direct.inputs, later.inputs),
        (direct.recurrent(), later.recurrent()),
        (direct.readout, later.readout),
    ):
        np.testing.assert_allclose(x, y, atol=1e-8 * moved)
    np.testing.assert_allclose(found.loss(2.0), again.loss(1.3), atol=1e-9 * cases.excess(task))


@few
@given(seed=seeds)
def test_turning_units_channels_and_outputs_changes_no_measure(seed, rotation):
    rng = np.random.default_rng(seed)
    net, task = cases.random_case(rng, largest=8)
    p, l, o = (rotation(k, rng) for k in (net.units, net.channels, net.outputs))
    u, w, v, leak = cases.weights(net)
    turned = Network(p @ u @ l.T, p @ w @ p.T, o @ v @ p.T, leak)
    cov = None
    if task.cov is not None:
        wide = np.kron(np.eye(task.steps), l)
        cov = wide @ task.cov @ wide.T
    there = Task(o @ task.response @ l.T, task.weights, cov)
    agree(solve(turned, there).measures(TIMES), solve(net, task).measures(TIMES), task)


@few
@given(seed=seeds)
def test_renaming_units_changes_no_measure(seed):
    rng = np.random.default_rng(seed)
    net, task = cases.random_case(rng, largest=8)
    order = rng.permutation(net.units)
    u, w, v, leak = cases.weights(net)
    renamed = Network(u[order], w[np.ix_(order, order)], v[:, order], leak)
    agree(solve(renamed, task).measures(TIMES), solve(net, task).measures(TIMES), task)


@few
@given(seed=seeds, factor=st.sampled_from([0.3, 0.7, 2.0, 10.0]))
def test_weights_and_lags_in_other_units_are_the_same_flow(seed, factor):
    """All weights times a, S_k times a^(2 + k), w_k over a^(2 k): t in a^-2, the loss in a^4."""
    net, task = cases.random_case(
        np.random.default_rng(seed), largest=8, coloured="weights", leak=1.0
    )
    u, w, v, _ = cases.weights(net)
    lag = np.arange(task.steps)
    there = Task(
        factor ** (2.0 + lag[:, None, None]) * task.response, task.weights * factor ** (-2.0 * lag)
    )
    scaled = Network(factor * u, factor * w, factor * v)
    found = solve(scaled, there).measures(TIMES / factor**2)
    wanted = solve(net, task).measures(TIMES)
    for name, x, y in zip(Measures._fields, found, wanted, strict=True):
        power = 4 if name == "loss" else 1 if "change" in name else 0
        small = cases.excess(task) if name == "loss" else 1e-6
        np.testing.assert_allclose(x / factor**power, y, rtol=1e-8, atol=1e-8 * small)


@pytest.mark.parametrize("leak", [1.0, 0.3])
def test_no_time_changes_nothing(leak):
    net, task = cases.random_case(np.random.default_rng(8), leak=leak)
    found = solve(net, task)
    here = found.measures(0.0)
    assert here.weight_change == here.weight_change_recurrent == 0.0
    np.testing.assert_allclose([here.representation_alignment, here.kernel_alignment], 1.0)
    np.testing.assert_allclose(found.response(0.0), cases.response(cases.weights(net), task.steps))


def test_infinite_time_is_the_limit_of_long_times():
    rng = np.random.default_rng(1)
    net = Network.random(cases.random_recurrent(rng, 12, 0.8), rng=rng)
    found = solve(net, Task.random(4, rng=rng))
    late, end = found.measures([300.0]), found.measures(np.inf)
    for x, y in zip(late, end, strict=True):
        np.testing.assert_allclose(x[0], y, rtol=1e-8, atol=1e-12)
    assert end.loss < 1e-15


def test_times_together_are_times_one_by_one():
    net, task = cases.random_case(np.random.default_rng(2))
    found = solve(net, task)
    at = np.array([[2.0, 0.0], [0.3, 2.0]])
    together = found.measures(at)
    assert together.loss.shape == (2, 2)
    for place in np.ndindex(2, 2):
        for x, y in zip(together, found.measures(at[place]), strict=True):
            np.testing.assert_allclose(x[place], y, rtol=1e-8, atol=1e-12)


def test_powers_beyond_float64_are_refused():
    rng = np.random.default_rng(0)
    w = 1e3 * rng.standard_normal((5, 5))
    net = Network.random(w, rng=rng)
    with pytest.raises(ValueError, match=r"over 40 steps.*rescale the network or the task"):
        solve(net, Task.random(40, rng=rng)).loss(1e-3)


def test_inputs_and_readout_whose_product_overflows_are_refused():
    w = np.random.default_rng(0).standard_normal((5, 5))
    net = Network.random(w, input_norm=1e60, readout_norm=1e60, rng=0)
    with pytest.raises(ValueError, match=r"reach 1e12\d over 3 steps.*rescale the network"):
        solve(net, Task.random(3, rng=0)).loss(1e-3)


def test_steps_that_are_far_too_long_are_shortened_without_a_warning():
    rng = np.random.default_rng(0)
    u, v, w = (rng.standard_normal(s) for s in ((6, 2), (2, 6), (6, 6)))
    net, task = Network(150 * u, 0.3 * w, 150 * v), Task.random(4, 2, 2, rng=1)
    at = 1e-7
    found = solve(net, task).measures([at])
    wanted = cases.measures(net, task, cases.followed(net, task, [at], first_step=1e-13)[0])
    assert cases.gap(Measures(*(x[0] for x in found)), wanted, task) < 1e-7 * float(found.loss[0])
