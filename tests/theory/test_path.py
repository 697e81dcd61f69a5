"""The length of a path from positions: curves of known length."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ellipe

from richlazy import path


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
