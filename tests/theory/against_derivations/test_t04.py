"""Where library and derivations meet: T4's functions against its claims at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import depth


@pytest.fixture(scope="module")
def t4():
    return load("T4")


def relative(found, wanted):
    return float(abs(mpmath.mpf(float(found)) - wanted) / abs(wanted))


def points(seed, count):
    """(layers, s, u0, u) with u on the way from u0 to s, from both sides, extremes included."""
    rng = np.random.default_rng(seed)
    extremes = [
        (3.0, 1.0, 1e-12, 0.5),
        (3.0, 1.0, 0.3, 1 - 1e-9),
        (1.0, 2.0, 1e-9, 1.9),
        (1e3, 0.7, 1e-3, 0.1),
        (2.0 + 1e-9, 1.3, 1e-5, 1.2),
        (5.0, 1.0, 1e6, 1.5),
        (3.0, 1e-4, 1e-6, 9e-5),
        (4.0, 1e4, 1.0, 9999.0),
        (7.0, 1.0, 1 + 1e-9, 1 + 1e-12),
    ]
    drawn = []
    for _ in range(count):
        s = 10 ** rng.uniform(-2, 2)
        u0 = s * 10 ** rng.uniform(-6, 3)
        u = float(s + (u0 - s) * rng.uniform(0.01, 0.99))
        drawn.append((float(rng.choice([1.0, 1.5, 2.5, 3.0, 4.0, 10.0, 77.0])), s, u0, u))
    return extremes + drawn


def named(point):
    return dict(zip(("L", "s", "u_0", "u"), map(float, point), strict=True))


def exact_time(t4, point):
    layers, s, u0, u = point
    if layers == 1.0:
        with mpmath.workdps(50):
            return mpmath.log((mpmath.mpf(u0) - s) / (mpmath.mpf(u) - s))
    claim = "mode_time" if u0 < s else "mode_time_above"
    return t4.evaluate(claim, digits=70, **named(point))


def test_times(t4, agreement):
    worst = 0.0
    for point in points(0, 60):
        layers, s, u0, u = point
        error = relative(depth.time(u0, u, s, layers), exact_time(t4, point))
        worst = max(worst, agreement("T4 mode_time", error))
    for u0, u in ((1e-8, 0.7), (0.3, 1.2), (9.0, 1.4)):
        exact = t4.evaluate("time_two_layers", s=1.3, u_0=u0, u=u)
        error = relative(depth.time(u0, u, 1.3, 2), exact)
        worst = max(worst, agreement("T4 time_two_layers", error))
    assert worst < 1e-12


def test_states(t4, agreement):
    """At the rounded time of a known strength: the claims there, to first order in the rounding."""
    worst = 0.0
    for point in points(1, 60):
        layers, s, u0, u = point
        t = exact_time(t4, point)
        found = depth.state(u0, s, float(t), layers)
        with mpmath.workdps(60):
            speed = t4.evaluate("rate", **named(point))
            now = mpmath.mpf(u) + (mpmath.mpf(float(t)) - t) * speed
            values = {**named(point), "u": now}
            error, change = t4.evaluate("error", digits=60, **values), now - mpmath.mpf(u0)
            pairs = {
                "strength": (now, now),
                "error": (error, error),
                "change": (change, change),
                "kernel": (t4.evaluate("kernel", **values), now),
                "loss": (t4.evaluate("loss", digits=60, **values), error),
                "weight_change": (
                    mpmath.sqrt(t4.evaluate("weight_change_squared", digits=60, **values)),
                    change,
                ),
            }
            if layers > 1:
                growth = abs(t4.evaluate("relative_kernel_change", digits=60, **values))
                pairs["relative_kernel_change"] = (growth, change)
            for name, (wanted, scale) in pairs.items():
                # the problem's own condition number, as `strength` promises
                condition = max(1.0, float(abs(t * speed / scale)))
                error = relative(getattr(found, name), wanted) / condition
                worst = max(worst, agreement(f"T4 {name}", error))
    assert worst < 1e-12


@pytest.mark.parametrize("t", [1e-9, 0.3, 2.0, 20.0])
def test_one_and_two_layers(t4, agreement, t):
    worst = 0.0
    for u0, s in ((1e-9, 1.0), (0.3, 1.7), (1e3, 1.7), (2.0, 1e-3)):
        for layers, claim in ((1, "strength_one_layer"), (2, "strength_two_layers")):
            exact = t4.evaluate(claim, s=s, u_0=u0, t=t)
            error = relative(depth.strength(u0, s, t, layers), exact)
            worst = max(worst, agreement(f"T4 {claim}", error))
    assert worst < 1e-13


def test_infinite_depth(t4, agreement):
    worst = 0.0
    for _, s, u0, u in points(2, 40):
        values = {"s": float(s), "u_0": float(u0), "u": float(u)}
        t = t4.evaluate("depth_time_infinite_depth", digits=70, **values)
        found = depth.infinite(u0, s, float(t))
        with mpmath.workdps(60):
            speed = t4.evaluate("rate_infinite_depth", **values)
            now = mpmath.mpf(u) + (mpmath.mpf(float(t)) - t) * speed
            condition = max(1.0, float(abs(t * speed / now)))
            error = relative(found, now) / condition
            worst = max(worst, agreement("T4 depth_time_infinite_depth", error))
    assert worst < 1e-12


@pytest.mark.parametrize("layers", [1.0, 2.0, 3.0, 10.0])
def test_the_end(t4, agreement, layers):
    for s, u0 in ((1.0, 1e-6), (1.7, 0.4), (0.3, 20.0)):
        exact = t4.evaluate("weight_change_squared_final", L=layers, s=s, u_0=u0)
        found = depth.state(u0, s, np.inf, layers).weight_change
        error = relative(found, mpmath.sqrt(exact))
        assert agreement("T4 weight_change_squared_final", error) < 1e-13
