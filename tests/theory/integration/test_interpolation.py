"""Many times from few."""

from __future__ import annotations

import numpy as np

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
