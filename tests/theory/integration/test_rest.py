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
