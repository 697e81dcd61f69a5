"""T16 holds, and says what backpropagation, finite differences and an integrator say."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from derivations.frame.lag_sums import T, k
from tests.derivations.recurrent_flow import (
    Weights,
    digits,
    flowed,
    lettered,
    numbers,
    packed,
    random_weights,
    rates,
    responses,
    unpacked,
)

T16 = load("T16")
SHAPES = [(4, 1, 1, 5), (3, 2, 1, 4), (5, 2, 3, 3), (1, 1, 1, 6), (3, 1, 2, 1)]


def test_every_step_holds():
    T16.check()


def case(size, channels, outputs, steps, seed=0):
    weights = random_weights(size, channels, outputs, 0.9, seed)
    rng = np.random.default_rng(seed + 1)
    task = rng.standard_normal((steps, outputs, channels))
    counts = np.arange(steps, 0, -1)  # every step is scored
    return weights, task, counts


def conserved(weights):
    return numbers(T16, "conserved", dict(zip("UWV", weights, strict=True)), {})


def slope_of(loss, weights):
    """Central differences of a function of the weights."""
    start, step = packed(weights), 1e-5
    moves = step * np.eye(start.size)
    slopes = [(loss(start + x) - loss(start - x)) / (2 * step) for x in moves]
    return unpacked(np.array(slopes), weights)


@pytest.mark.parametrize("shape", SHAPES)
def test_flow_is_minus_the_gradient_by_finite_differences(shape):
    weights, task, counts = case(*shape)

    def loss(state):
        gap = task - responses(unpacked(state, weights), len(task))
        return 0.5 * np.sum(counts[:, None, None] * gap**2)

    values, at = lettered(weights, task, counts), {T: len(task)}
    assert numbers(T16, "loss", values, at) == pytest.approx(loss(packed(weights)), rel=1e-12)
    flow = [numbers(T16, f"flow_{x}", values, at) for x in "UWV"]
    errors = counts[:, None, None] * (task - responses(weights, len(task)))
    for found, expected in zip(flow, rates(weights, errors), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    slope = slope_of(loss, weights)
    np.testing.assert_allclose(packed(flow), -packed(slope), rtol=1e-7, atol=1e-7)


def test_the_moment_vanishes_to_fifty_digits():
    weights, task, counts = case(4, 2, 2, 4)
    with mpmath.workdps(60):
        exact = np.vectorize(mpmath.mpf, otypes=[object])
        values = lettered(map(exact, weights), map(exact, task), counts)
        moment = numbers(T16, "moment", values, {T: 4}, number=digits)
        assert np.max(np.abs(moment)) < mpmath.mpf("1e-55")
        assert np.max(np.abs(numbers(T16, "flow_W", values, {T: 4}, number=digits))) > 0.1


def test_lag_weights_count_the_scored_steps_after_a_lag():
    scored = np.array([0, 1, 0, 2, 1.0])
    values = {f"c_{step}": x for step, x in enumerate(scored, 1)}
    for lag, expected in enumerate([4, 4, 3, 3, 1]):
        assert numbers(T16, "lag_weight", values, {T: 5, k: lag}) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_conserved_along_an_integrated_flow(shape):
    weights, task, counts = case(*shape)
    after = flowed(weights, task, 1.5, counts)
    assert np.linalg.norm(packed(after) - packed(weights)) > 0.1
    np.testing.assert_allclose(conserved(after), conserved(weights), rtol=0, atol=1e-9)


@pytest.mark.parametrize("trained", [(1, 0, 1), (0, 1, 1), (1, 1, 0), (0.5, 1, 2)])
def test_at_unequal_rates_it_drifts_as_claimed(trained):
    weights, task, _ = case(4, 2, 1, 4)
    step = 1e-4
    ends = [
        flowed(weights, task, step, trained=[sign * x for x in trained]) for sign in (1, -1)
    ]  # fmt: skip
    drift = [conserved(x) for x in ends]
    values = lettered(weights, task) | dict(
        zip(("a_U", "a_W", "a_V"), map(float, trained), strict=True)
    )
    claimed = numbers(T16, "drift", values, {T: 4})
    np.testing.assert_allclose((drift[0] - drift[1]) / (2 * step), claimed, atol=1e-5)
    assert np.linalg.norm(claimed) > 0.01
    if min(trained) > 0:
        kept = [
            numbers(T16, "conserved_at_rates", values | dict(zip("UWV", x, strict=True)), {})
            for x in (weights, flowed(weights, task, 1.5, trained=trained))
        ]
        np.testing.assert_allclose(kept[1], kept[0], atol=1e-9)


def test_a_leaky_network_is_another_one_and_keeps_its_own_law():
    weights, task, _ = case(4, 2, 2, 5)
    leak = 0.3

    def other(now):
        values = {"U": now.U, "W": now.W, "a": leak}
        return Weights(*(numbers(T16, f"leaky_{x}", values, {}) for x in "UW"), now.V)

    def leaky_responses(now):
        state, found = leak * now.U, []
        for _ in range(5):
            found.append(now.V @ state)
            state = (1 - leak) * state + leak * now.W @ state
        return np.array(found)

    np.testing.assert_allclose(leaky_responses(weights), responses(other(weights), 5), atol=1e-14)

    def loss(state):
        return 0.5 * np.sum((task - leaky_responses(unpacked(state, weights))) ** 2)

    slope = slope_of(loss, weights)
    without = rates(other(weights), task - responses(other(weights), 5))
    values = {"a": leak, "gU": without.U, "gW": without.W}
    for x, rate in (("U", slope.U), ("W", slope.W)):
        np.testing.assert_allclose(numbers(T16, f"leaky_flow_{x}", values, {}), -rate, atol=1e-8)
        moved = leak * -rate  # of the other network's matrix
        np.testing.assert_allclose(numbers(T16, f"leaky_rate_{x}", values, {}), moved, atol=1e-8)
    np.testing.assert_allclose(without.V, -slope.V, atol=1e-8)
    step = 1e-4
    ahead, behind = (
        conserved(Weights(*(x - sign * step * y for x, y in zip(weights, slope, strict=True))))
        for sign in (1, -1)
    )
    np.testing.assert_allclose(ahead, behind, atol=1e-10)


def test_correlated_inputs_only_change_the_error():
    weights, task, _ = case(3, 2, 2, 3)
    rng = np.random.default_rng(5)
    data = rng.standard_normal((3, 2, 4))  # lag, channel, sample

    def loss(state):
        gap = task - responses(unpacked(state, weights), 3)
        return 0.5 * np.sum(np.einsum("koc,kcs->os", gap, data) ** 2)

    values = lettered(weights, task)
    for first in range(3):
        for second in range(3):
            values[f"Sigma_{first}_{second}"] = data[first] @ data[second].T
    assert numbers(T16, "loss_correlated", values, {T: 3}) == pytest.approx(loss(packed(weights)))
    errors = np.array(
        [numbers(T16, "error_correlated", values, {T: 3, k: lag}) for lag in range(3)]
    )
    for found, slope in zip(rates(weights, errors), slope_of(loss, weights), strict=True):
        np.testing.assert_allclose(found, -slope, atol=1e-8)
