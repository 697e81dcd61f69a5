"""Where a recurrent flow rests with loss left, and where there is nothing for it to rest at."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.recurrent import Network, Task, solve
from tests.theory.recurrent import cases


def test_weights_without_bound_are_told_from_a_limit():
    # u v = 0 and u v w = 1 have no solution: u v falls and w grows for ever, as t^(1/4)
    net, task = Network([[1.0]], [[0.3]], [[1.0]]), Task([0.0, 1.0])
    found = solve(net, task)
    with pytest.raises(ConvergenceError, match=r"as t\^0\.[23]\d? .*ask for a finite time"):
        found.loss()
    wanted = cases.measures(net, task, cases.followed(net, task, [50.0])[0])
    assert cases.gap(found.measures(50.0), wanted, task) < 1e-8


def test_a_long_way_is_no_growth_without_bound():
    # W alone learns, behind a weak readout: the problem is nearly linear, and the way long
    rng = np.random.default_rng(0)
    net = Network.random(cases.random_recurrent(rng, 30, 0.8), readout_norm=1e-3, rng=rng)
    found = solve(net, Task.random(4, rng=rng), trained=("recurrent",))
    assert found.weight_change() > 50.0
    assert found.error < 1e-4
    first = found.task.response[0] - net.readout @ net.inputs  # of which W knows nothing
    assert found.loss() == pytest.approx(0.5 * float(first[0, 0]) ** 2, rel=1e-6)


def least_near(at, task):
    """The least loss that least squares find from these weights on."""
    shapes = [x.shape for x in at[:3]]
    ends = np.cumsum([x.size for x in at[:3]])[:-1]

    def missed(y):
        parts = [x.reshape(s) for x, s in zip(np.split(y, ends), shapes, strict=True)]
        now = cases.Weights(*parts, at.leak)
        gap = cases.wide(task.response - cases.response(now, task.steps))
        return (gap @ cases.root(cases.metric(task))).ravel()

    start = np.concatenate([x.ravel() for x in at[:3]])
    return least_squares(missed, start, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000).cost


@pytest.mark.parametrize("case", [(1, 2, 5, 1, 2, 0.9, 0.4, 0.3), (6, 2, 5, 1, 2, 0.3, 1.0, 3.0)])
def test_a_minimum_with_loss_left_is_returned_and_said(case):
    seed, units, steps, channels, outputs, gain, leak, strength = case
    rng = np.random.default_rng(seed)
    w = gain * rng.standard_normal((units, units)) / np.sqrt(units)
    net = Network.random(w, channels=channels, outputs=outputs, leak=leak, rng=rng)
    task = Task.random(steps, channels, outputs, strength=strength, rng=rng)
    found = solve(net, task)
    (late,) = cases.followed(net, task, [30.0])
    assert found.loss() == pytest.approx(least_near(late, task), rel=1e-9)
    assert any("at a minimum, to second order" in words for words in found.assumptions)
    assert found.error < 1e-6
    # and from there nothing moves
    again = solve(found.at(np.inf).network(), task)
    assert again.weight_change() < 1e-7 * found.weight_change()
    assert again.loss() == pytest.approx(float(found.loss()), rel=1e-12)


def test_a_saddle_is_called_one():
    net = Network(np.zeros((2, 1)), [[0.3, 0.0], [0.1, 0.4]], np.zeros((1, 2)))
    found = solve(net, Task([1.0, 0.5]))
    assert found.loss() == pytest.approx(0.625)
    assert any("at a saddle, which nothing but rounding" in words for words in found.assumptions)


@pytest.mark.parametrize("power", [70, 60])
def test_a_task_beyond_what_products_hold_is_refused_as_such(power):
    rng = np.random.default_rng(0)
    net = Network.random(cases.random_recurrent(rng, 3, 0.5), rng=rng)
    task = Task(10.0**power * Task.random(4, rng=rng).response)
    for t in (1.0, 10.0**-power, np.inf):
        with pytest.raises(AssumptionError, match="rescale the network or the task"):
            solve(net, task).loss(t)


def test_a_task_far_below_the_start_is_none():
    rng = np.random.default_rng(0)
    net = Network.random(cases.random_recurrent(rng, 3, 0.5), rng=rng)
    response = Task.random(4, rng=rng).response
    one, other = (solve(net, Task(10.0**p * response)).measures([1.0, np.inf]) for p in (-30, -70))
    np.testing.assert_allclose(one.weight_change, other.weight_change, rtol=1e-9)
    np.testing.assert_allclose(one.kernel_alignment, other.kernel_alignment, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e30])
def test_other_units_of_weights_and_lags_come_to_the_same_rest(factor):
    """All weights times a, S_k times a^(2 + k), lags over a^(2 k): the loss in a^4."""
    net = Network([[0.5], [0.1]], [[0.3, 0.2], [-0.1, 0.4]], [[0.4, -0.2]])
    response = np.array([0.5, -0.7])
    lag, power = np.arange(2), np.log10(factor) / 3
    a = 10.0**power
    u, w, v, _ = cases.weights(net)
    wanted = solve(net, Task(response)).measures(np.inf)
    there = Task(a ** (2.0 + lag) * response, a ** (-2.0 * lag))
    found = solve(Network(a * u, a * w, a * v), there).measures(np.inf)
    np.testing.assert_allclose(found.weight_change / a, wanted.weight_change, rtol=1e-8)
    np.testing.assert_allclose(found.kernel_alignment, wanted.kernel_alignment, rtol=1e-8)


def test_what_is_slow_is_not_at_rest():
    """Nothing but W moves, at a rate of 1e-6: far from a minimum, and far from done."""
    v = 1e-3
    net = Network([[1.0], [0.0]], np.zeros((2, 2)), [[0.0, v]])
    solution = solve(net, Task(np.array([0.0, 1.0]).reshape(2, 1, 1)), trained=["recurrent"])
    t = np.array([1.0, 1e3, 1e6])
    np.testing.assert_allclose(solution.weight_change(t), -np.expm1(-v * v * t) / v, rtol=1e-8)
