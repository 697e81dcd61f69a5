"""What is within reach, what rests, and steps that know the whole curvature."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.integration.curvature import Curvature, EulerSteps
from richlazy.integration.rest import at_rest, reach


def asked(modes, rates, still=False, minimum=False, size=1.0, rtol=1e-10):
    found = reach(np.array([modes]), np.array([rates]), np.array([1e-15]), np.array([1.0]))
    rest, close = at_rest(
        found,
        np.array([still]),
        np.array([size]),
        np.array([rtol]),
        lambda flags: flags & minimum,
    )
    return found, bool(rest[0]), bool(close[0])


def test_the_step_to_go_is_that_of_what_is_within_reach():
    found, rest, _ = asked([4e-18, 1.0], [4.0, 0.0])
    assert found.stuck[0]
    np.testing.assert_allclose(found.left, 1e-9)
    assert found.waiting(np.array([1.0]))[0]
    assert not rest
    # weights of norm 1 cannot mend an error of 1 at a rate of 1e-6, those of 1e-3 can
    assert not asked([1e-4], [1e-6])[0].stuck[0]
    assert asked([1.0], [1e-6])[0].stuck[0]


@pytest.mark.parametrize("minimum", [True, False])
def test_error_left_is_rest_at_a_minimum_alone(minimum):
    assert asked([1e-22, 1.0], [1.0, 0.0], minimum=minimum)[1:] == (minimum, minimum)
    assert asked([1e-14, 1.0], [1.0, 0.0], minimum=minimum)[1:] == (False, minimum)
    assert asked([1e-22, 1e-32], [1.0, 0.0])[1]
    assert asked([1.0, 1.0], [1.0, 0.0], still=True)[1]


def test_newtons_step_is_known_at_a_minimum_alone():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    force = q @ [2e-9, 4e-9, 0.0]
    for flat in (0.0, 1.0):
        bowl = Curvature(q @ np.diag([2.0, 4.0, flat]) @ q.T, force, 1.0)
        assert bowl.to_go(1e-15) == pytest.approx(np.sqrt(2.0) * 1e-9, rel=1e-6)
        assert bowl.where(1e-15) == "at a minimum, to second order"
    saddle = Curvature(q @ np.diag([2.0, 4.0, -1e-3]) @ q.T, force, 1.0)
    assert saddle.to_go(1e-15) == np.inf
    assert "nothing but rounding" in saddle.where(1e-15)
    # a force along a direction without curvature leads nobody knows where
    driven = Curvature(np.diag([2.0, 0.0]), np.array([0.0, 1e-9]), 1.0)
    assert driven.to_go(1e-15) == np.inf


@pytest.mark.parametrize("known", [True, False])
def test_steps_are_of_order_eight_whatever_the_implicit_part(known):
    # dx/dt = -x^3 from 1: x = (1 + 2 t)^(-1/2)
    curved = Curvature(np.array([[3.0 if known else 1.0]]), np.array([-1.0]), 1.0)
    value = np.prod([[1.0 if i == j else i / (i - j) for j in range(1, 9)] for i in range(1, 9)], 1)

    def velocity(k, changes):
        x = 1.0 + changes[0][0]
        return [curved.damped(k, [-(x**3)])[0][None]]

    lengths = np.array([0.1, 0.2])
    steps = EulerSteps([(1, 1, 1)], lengths, velocity, 8)
    missed = 1.0 + steps.extrapolate(value)[0][0, :, 0, 0] - (1.0 + 2.0 * lengths) ** -0.5
    assert np.abs(missed[1]) < 1e-6
    assert 7.0 < np.log2(np.abs(missed[1] / missed[0])) < 11.0


def test_what_cannot_move_is_not_moved_by_rounding():
    curved = Curvature(np.diag([1e3, 0.0, 1.0]) + 0.0, np.array([1.0, 0.0, 1.0]), 1.0)
    moved = curved.damped(np.ones((1, 1, 1)), [np.array([[[1.0, 0.0, 1.0]]])])
    assert moved[0][0, 0, 1] == 0.0


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e3])
def test_a_network_waits_where_all_within_reach_is_as_good_as_learned(size):
    """The step to go is sqrt(modes / rates), and a ten-thousandth of the change is little."""
    weights = np.array([1e3 * size])

    def waits(*modes):
        found = reach(np.array([modes]), np.array([[1.0, 0.0]]), np.array([1e-12]), weights)
        return bool(found.waiting(np.array([size]))[0])

    little, much = ((k * 1e-4 * size) ** 2 for k in (0.9, 1.1))
    assert waits(little, 1.0)
    assert not waits(much, 1.0)
    assert not waits(little, 0.0)  # nothing is out of reach: it is learned, not waiting


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_what_is_asked_for_is_a_share_of_the_change(size):
    for k, rest, close in ((0.9, True, True), (1.1, False, True), (0.9e4, False, True)):
        modes = [(k * 1e-10 * size) ** 2, 1.0]
        assert asked(modes, [1.0, 0.0], minimum=True, size=size)[1:] == (rest, close)
    assert asked([(1.1e-6 * size) ** 2, 1.0], [1.0, 0.0], minimum=True, size=size)[1:] == (
        False, False,
    )  # fmt: skip
    # with nothing out of reach no minimum is asked for
    for k, rest in ((0.9, True), (1.1, False)):
        assert asked([(k * 1e-10 * size) ** 2, 0.0], [1.0, 0.0], size=size)[1:] == (rest, False)


@pytest.mark.parametrize("rounding", [1e-12, 1.0])
def test_what_is_out_of_reach_may_still_pull(rounding):
    """Force over the largest curvature: sqrt(error^2 rate), of what exceeds rounding."""
    error, rate = 2.0, 1e-8
    found = reach(
        np.array([[error**2, 0.0]]), np.array([[rate, 5.0]]), np.array([rounding]), np.array([1.0])
    )
    assert found.far.tolist() == [[True, False]]
    assert found.drift[0] == pytest.approx((error - rounding) * np.sqrt(rate) / 5.0, rel=1e-9)
    assert found.left[0] == 0.0
    drifting = asked([error**2, 0.0], [rate, 5.0], minimum=True, rtol=1e-6)
    assert drifting[1:] == (False, True)  # what is asked for is less than it drifts
    assert asked([error**2, 0.0], [rate, 5.0], minimum=True, rtol=1e-4)[1:] == (True, True)
    nothing = reach(np.zeros((1, 2)), np.zeros((1, 2)), np.array([0.0]), np.array([0.0]))
    assert (nothing.drift[0], nothing.left[0], nothing.stuck[0]) == (0.0, 0.0, False)
