"""The length of a path from positions: curves of known length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ellipe

from richlazy.integration import path


def curve(*coordinates):
    return lambda t: np.stack([x(t) for x in coordinates], axis=1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("end", [1e-9, 1.0, 50.0])
def test_a_circle(end, scale):
    circle = curve(lambda t: np.cos(t) - 1.0, np.sin)
    assert path.length(circle, end, scale) == pytest.approx(end, rel=1e-8)


@pytest.mark.parametrize("turn", [1.0, 40.0, 1e4])
def test_an_arc_of_an_ellipse_run_through_in_a_burst(turn):
    # everything happens within 1 % of the time to `turn`, and then nothing
    def angle(t):
        late = np.where(np.isinf(t), np.inf, (np.minimum(t, 1e8) - turn) / (0.01 * turn))
        return np.pi / (1.0 + np.exp(-np.clip(late, -500.0, 500.0)))

    ellipse = curve(lambda t: 3.0 * (np.cos(angle(t)) - 1.0), lambda t: np.sin(angle(t)))
    assert path.length(ellipse, np.inf, 0.1) == pytest.approx(6.0 * ellipe(8.0 / 9.0), rel=1e-8)


def test_a_slow_approach_and_a_fast_one():
    # from (0, 0) along one axis at rate 1e4, then along the other at rate 1e-4
    axes = curve(lambda t: -np.expm1(-1e4 * t), lambda t: -np.expm1(-1e-4 * t))
    assert path.length(axes, np.inf, 1e-4) == pytest.approx(2.0, rel=1e-6)
    straight = curve(lambda t: -np.expm1(-t), lambda t: -2.0 * np.expm1(-t))
    assert path.length(straight, np.inf, 1.0) == pytest.approx(np.sqrt(5.0), rel=1e-12)


def test_a_corner_is_found():
    # the speed falls to nothing at t = 1 and rises in another direction
    corner = curve(
        lambda t: 1.0 - np.minimum(t - 1.0, 0.0) ** 2, lambda t: np.maximum(t - 1.0, 0.0) ** 2
    )
    assert path.length(lambda t: corner(t) - [0.0, 0.0], 2.0, 0.1) == pytest.approx(2.0, rel=1e-8)


def test_noise_of_the_positions_ends_the_search():
    asked = []

    def noisy(t):
        asked.append(t.size)
        noise = 1e-9 * np.sin(1e7 * np.arange(t.size))
        return np.stack([-np.expm1(-t) + noise, np.exp(-2.0 * t) - 1.0], axis=1)

    found = path.length(noisy, np.inf, 1.0)
    clean = curve(lambda t: -np.expm1(-t), lambda t: np.exp(-2.0 * t) - 1.0)
    assert found == pytest.approx(path.length(clean, np.inf, 1.0), rel=1e-6)
    assert sum(asked) < 20_000


def test_no_way_at_all():
    assert path.length(lambda t: np.zeros((t.size, 3)), np.inf, 1.0) == 0.0
    assert path.length(curve(np.sin), 0.0, 1.0) == 0.0


# Over random paths

times = st.floats(0.01, 4.0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.01, 10.0), min_size=1, max_size=4),
    st.floats(-3, 3),
    st.floats(-2, 2),
)
def test_a_straight_path_is_as_long_as_its_ends_are_apart(direction, log_rate, log_scale):
    rate, direction = 10.0**log_rate, np.array(direction)

    def straight(t):
        return -np.expm1(-rate * t)[:, None] * direction

    found = path.length(straight, np.inf, 10.0**log_scale / rate)
    assert found == pytest.approx(np.linalg.norm(direction), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), times, times, st.floats(0.1, 10.0))
def test_length_of_a_turned_scaled_and_cut_path(seed, first, then, size):
    rng = np.random.default_rng(seed)
    rates, radius = rng.uniform(0.3, 3.0, (2, 3))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]

    def rings(t):
        angle = t[:, None] * rates
        return np.concatenate([radius * (np.cos(angle) - 1.0), radius * np.sin(angle)], axis=1)

    def rest(t):
        return rings(first + t) - rings(np.array([first]))

    whole = path.length(rings, first + then, 0.3)
    # constant speed
    assert whole == pytest.approx(np.linalg.norm(radius * rates) * (first + then), rel=1e-8)
    cut = path.length(rings, first, 0.3), path.length(rest, then, 0.3)
    assert sum(cut) == pytest.approx(whole, rel=1e-8)
    turned = path.length(lambda t: size * rings(t) @ turn, first + then, 0.3)
    assert turned == pytest.approx(size * whole, rel=1e-8)


def test_a_path_still_moving_at_the_last_finite_time():
    # straight, and of length 1, nearly all of it beyond the last time that is looked at
    with np.errstate(divide="ignore"):
        found = path.length(lambda t: 1.0 / (1.0 + 1e30 / t[:, None]), np.inf, 1.0)
    assert found == pytest.approx(1.0, rel=1e-12)
