"""Extrapolated Euler steps with error control, on a flow whose solution is known."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.errors import ConvergenceError
from richlazy.integration import march as steps
from richlazy.integration.march import march, sequences, total_norm

RATES = np.array([1.0, 3.0])
GOAL = np.array([2.0, -1.0])


class Decay:
    """dy/dt = -rates (y - goal); implicit Euler's substeps of it are powers."""

    fastest = 3.0
    precision = np.array([1e-16])
    haze = np.array([1e-16])

    def __init__(self, change, goal=GOAL, close=False):
        self.left, self.close = change[0] - goal, close

    def resting(self, size, rtol):
        force = total_norm([RATES * self.left])
        return force <= 1e-3 * rtol * size, np.array([self.close])

    def step(self, lengths, order):
        count = sequences(order)[:, None, None, None]
        return Euler(
            self.left * ((1.0 + RATES * lengths[:, None, None] / count) ** (-1.0 * count) - 1.0)
        )

    def size(self, missed):
        return total_norm(missed)


class Euler:
    def __init__(self, moved):
        self.moved = moved

    def extrapolate(self, weights):
        return [np.tensordot(weights, self.moved, 1)[None]]


def marched(times, rtol, make=Decay):
    points = []

    def point_at(change):
        points.append(make(change))
        return points[-1]

    found = list(march(point_at, [np.zeros((1, 1, 2))], np.asarray(times), rtol))
    assert [index for index, _, _ in found] == list(range(len(times)))
    return np.array([change[0].ravel() for _, change, _ in found]), found, len(points)


def exact(times):
    return -GOAL * np.expm1(-RATES * np.asarray(times)[:, None])


@pytest.mark.parametrize("order", [3, 6, 8])
def test_extrapolation_takes_powers_of_the_substep_away(order):
    powers = (1.0 / sequences(order)[:, None]) ** np.arange(order)
    value, wrong = steps._weights(order)
    np.testing.assert_allclose(value @ powers, np.eye(order)[0], atol=1e-9)
    np.testing.assert_allclose((wrong @ powers)[:-1], 0.0, atol=1e-9)
    assert abs((wrong @ powers)[-1]) > 1e-5


@pytest.mark.parametrize("order", [5, 6])
def test_a_lower_order_keeps_the_tolerance(order):
    times = np.geomspace(1e-2, 5.0, 20)
    found = [
        change[0].ravel()
        for _, change, _ in march(Decay, [np.zeros((1, 1, 2))], times, 1e-6, order=order)
    ]
    np.testing.assert_allclose(found, exact(times), atol=2e-6 * np.linalg.norm(GOAL))


@pytest.mark.parametrize("rtol", [1e-4, 1e-7, 1e-10])
def test_every_time_is_given_to_the_tolerance(rtol):
    times = np.concatenate([[0.0, 0.0], np.geomspace(1e-3, 5.0, 200), [5.0, 5.0]])
    found, _, count = marched(times, rtol)
    np.testing.assert_allclose(found, exact(times), atol=2.0 * rtol * np.linalg.norm(GOAL))
    assert not found[:2].any()
    assert count <= {1e-4: 7, 1e-7: 12, 1e-10: 27}[rtol]


def test_a_time_asked_for_does_not_change_the_steps():
    alone, _, count = marched([4.0], 1e-8)
    among, _, same = marched(np.linspace(0.0, 4.0, 300), 1e-8)
    assert count == same
    np.testing.assert_allclose(alone[-1], among[-1], rtol=1e-14)


def test_a_flow_at_rest_is_the_same_for_every_later_time():
    found, steps_of, _ = marched([1.0, 1e3, 1e6, np.inf], 1e-8)
    np.testing.assert_allclose(found, exact([1.0, np.inf, np.inf, np.inf]), rtol=1e-7)
    assert [bool(resting[0]) for _, _, resting in steps_of] == [False, True, True, True]
    still, _, count = marched([0.0, 2.0, np.inf], 1e-8, lambda c: Decay(c, np.zeros(2)))
    assert not still.any()
    assert count == 1


def test_steps_are_shorter_near_a_minimum_with_error_left():
    _, _, free = marched([3.0], 1e-6)
    _, _, close = marched([3.0], 1e-6, lambda c: Decay(c, close=True))
    assert close > 1.5 * free


def test_what_never_settles_is_said(monkeypatch):
    monkeypatch.setattr(steps, "_MAX_STEPS", 5)
    with pytest.raises(ConvergenceError, match="did not settle in 5 steps"):
        marched([50.0], 1e-10)
