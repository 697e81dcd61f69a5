"""Many times from few."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.integration.interpolation import in_log_time


def counted(function):
    asked = []

    def call(times):
        asked.append(times.size)
        values = function(times)
        return values, np.full(values.shape, 1e-15)

    return call, asked


def smooth(t):
    return np.stack([np.exp(-t), 1.0 / (1.0 + 30.0 * t), np.sqrt(1.0 + t)], axis=1)


def test_two_thousand_times_from_a_few_hundred():
    call, asked = counted(smooth)
    t = np.sort(np.concatenate([[0.0], np.geomspace(1e-6, 50.0, 2000)]))
    np.testing.assert_allclose(in_log_time(call, t, 30.0), smooth(t), rtol=0, atol=1e-11)
    assert sum(asked) < 400


def test_few_times_are_asked_for_as_they_are():
    call, asked = counted(smooth)
    t = np.linspace(0, 3, 20)
    assert np.array_equal(in_log_time(call, t, 1.0), smooth(t))
    assert asked == [20]


def test_a_kink_is_split_until_it_is_evaluated():
    call, asked = counted(lambda t: np.abs(t - np.pi)[:, None])
    t = np.linspace(0, 6, 900)
    np.testing.assert_allclose(
        in_log_time(call, t, 1.0), np.abs(t - np.pi)[:, None], rtol=0, atol=1e-11
    )
    assert max(asked) < 900


def test_values_said_to_be_noise_are_not_interpolated():
    def call(times):
        return np.sin(1e3 * times)[:, None], np.full((times.size, 1), np.inf)

    t = np.linspace(0, 1, 500)
    assert np.array_equal(in_log_time(call, t, 1.0), np.sin(1e3 * t)[:, None])


def test_equal_times():
    call, _ = counted(smooth)
    t = np.full(100, 0.5)
    np.testing.assert_allclose(in_log_time(call, t, 1.0), smooth(t), rtol=1e-14)


@pytest.mark.parametrize(("low", "high"), [(1e305, 1e308), (1e-320, 1e-318), (0.0, 1e308)])
def test_times_at_the_ends_of_float64(low, high):
    call, _ = counted(lambda t: np.stack([1.0 / (1.0 + t), np.tanh(t)], axis=1))
    t = np.sort(np.random.default_rng(0).uniform(low, high, 300))
    for rate in (1e-3, 1.0, 1e3):
        want = np.stack([1.0 / (1.0 + t), np.tanh(t)], axis=1)
        np.testing.assert_allclose(in_log_time(call, t, rate), want, rtol=0, atol=1e-11)


def test_a_step_too_steep_for_the_first_nodes_is_found():
    call, asked = counted(
        lambda t: 1.0 / (1.0 + np.exp(np.minimum(200.0 * (5.0 - t), 500.0)))[:, None]
    )
    t = np.linspace(0.0, 10.0, 1000)
    want = call(t)[0]
    np.testing.assert_allclose(in_log_time(call, t, 1.0), want, rtol=0, atol=1e-11)
    assert asked[1] < 100 < sum(asked[1:])
