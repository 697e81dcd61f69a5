"""T4 against hyp2f1 and quadrature in mpmath, against integrated networks, and in its limits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from richlazy import depth
from richlazy.errors import AssumptionError
from richlazy.formulas.depth import DeepMode, infinite, state, strength

LAYERS = [1.0, 1.3, 2.0, 2.0 + 1e-15, 2.7, 3.0, 4.0, 10.0, 1e3]
STARTS = [1e-12, 1e-3, 0.4, 1 - 1e-9, 1 - 2e-15, 1 + 2e-15, 1 + 1e-9, 1.7, 30.0, 1e8]


def relative(found, wanted):
    return float(abs(mpmath.mpf(float(found)) - wanted) / abs(wanted))


def t4(y, layers):
    """g(y) of T4, its real part above 1."""
    gamma = 2 / mpmath.mpf(layers) - 1
    if gamma == 0:
        return mpmath.log(abs(y / (1 - y)))
    return mpmath.re(y**gamma / gamma * mpmath.hyp2f1(gamma, 1, gamma + 1, y))


def exact_time(u0, u, s, layers):
    with mpmath.workdps(60):
        u0, u, s = (mpmath.mpf(v) for v in (u0, u, s))
        power = 2 - 2 / mpmath.mpf(layers)
        return (t4(u / s, layers) - t4(u0 / s, layers)) / (layers * s**power)


def right_hand_side(u, s, layers):
    return layers * u ** (2 - 2 / mpmath.mpf(layers)) * (s - u)


# ---------------------------------------------------------------- against mpmath


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("y0", STARTS)
def test_times_and_strengths_are_those_of_t4(layers, y0):
    s = 1.9
    u0 = s * y0
    for way in (1e-9, 0.01, 0.5, 0.999, 1 - 1e-13):
        u = float(u0 * (1 - way) + s * way) if y0 > 1e-3 else float(s * y0 ** (1 - way))
        if u in (u0, s):
            continue
        t = exact_time(u0, u, s, layers)
        assert relative(depth.time(u0, u, s, layers), t) < 1e-13
        found = state(u0, s, float(t), layers)
        with mpmath.workdps(60):
            # one Newton step to the strength at the rounded time, exact to second order
            speed = right_hand_side(mpmath.mpf(u), s, layers)
            now = u + (mpmath.mpf(float(t)) - t) * speed
            change, left = now - mpmath.mpf(u0), s - now
            condition = max(1, abs(t * speed / now))
            assert relative(found.strength, now) < 1e-13 * condition
            assert relative(found.change, change) < 1e-13 * max(1, abs(t * speed / change))
            assert relative(found.error, left) < 1e-13 * max(1, abs(t * speed / left))
            root = 1 / mpmath.mpf(layers)
            weights = mpmath.sqrt(layers) * abs(now**root - mpmath.mpf(u0) ** root)
            assert relative(found.weight_change, weights) < 1e-13 * max(1, abs(t * speed / change))
            power = 2 - 2 * root
            assert relative(found.kernel, layers * now**power) < 1e-13 * condition
            assert relative(found.loss, left**2 / 2) < 2e-13 * max(1, abs(t * speed / left))
            growth = abs((now / mpmath.mpf(u0)) ** power - 1)
            if layers > 1:
                bound = 1e-13 * max(1, abs(t * speed / change))
                assert relative(found.relative_kernel_change, growth) < bound
            else:
                assert found.relative_kernel_change == 0


@pytest.mark.parametrize(("u0", "layers"), [(1e-60, 3), (1e-60, 1.5), (1e-8, 200.0), (1e60, 5)])
def test_far_from_the_target_by_quadrature(u0, layers):
    """Another road than hyp2f1: the integral of the flow itself, in log u."""
    s, ends = 0.7, np.array([u0**0.75, u0**0.1])
    for u in ends:
        with mpmath.workdps(40):
            end = mpmath.mpf(float(u))
            unit = end / right_hand_side(end, s, layers)  # quad has an absolute tolerance

            def rate(x, unit=unit):
                return mpmath.exp(x) / right_hand_side(mpmath.exp(x), s, layers) / unit

            t = unit * mpmath.quad(rate, mpmath.linspace(mpmath.log(u0), mpmath.log(end), 40))
        assert relative(depth.time(u0, u, s, layers), t) < 1e-13


# ---------------------------------------------------------------- against networks


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
@pytest.mark.parametrize("u0", [0.05, 0.9, 3.0])
def test_a_chain_of_weights_trained_by_gradient_flow(layers, u0):
    s, at = 1.3, np.linspace(0, 2, 5)

    def flow(_, w):
        return [(s - np.prod(w)) * np.prod(np.delete(w, i)) for i in range(layers)]

    w0 = np.full(layers, u0 ** (1 / layers))
    run = solve_ivp(flow, (0, 2), w0, "DOP853", at, rtol=1e-12, atol=1e-14)
    found = state(u0, s, at, layers)
    u = np.prod(run.y, axis=0)
    np.testing.assert_allclose(found.strength, u, rtol=1e-9)
    np.testing.assert_allclose(
        found.weight_change, np.linalg.norm(run.y.T - w0, axis=1), atol=1e-10
    )
    kernel = np.sum([np.prod(np.delete(run.y, i, 0), axis=0) ** 2 for i in range(layers)], axis=0)
    np.testing.assert_allclose(found.kernel, kernel, rtol=1e-9)
    np.testing.assert_allclose(
        found.relative_kernel_change, np.abs(kernel / kernel[0] - 1), atol=1e-9
    )
    np.testing.assert_allclose(found.loss, 0.5 * (s - u) ** 2, atol=1e-10)
    np.testing.assert_allclose([found.change, found.error], [u - u0, s - u], atol=1e-10)


def test_two_layers_are_the_balanced_mode_of_t3():
    from richlazy import modes

    u0, t = np.geomspace(1e-6, 40, 30)[:, None], np.array([1e-5, 0.1, 1.0, 5.0, np.inf])
    two = modes.state(np.sqrt(u0), np.sqrt(u0), 1.4, t)
    deep = state(u0, 1.4, t, 2)
    np.testing.assert_allclose(deep.strength, two.product, rtol=1e-12)
    change = np.hypot(two.change_first, two.change_readout)
    np.testing.assert_allclose(deep.weight_change, change, rtol=1e-11)
    np.testing.assert_allclose(deep.kernel, two.kernel, rtol=1e-12)
    np.testing.assert_allclose(deep.error, two.error, rtol=1e-11)


# ---------------------------------------------------------------- limits


def test_one_layer_is_exponential_also_from_zero():
    t, s = np.array([0.0, 1e-12, 0.3, 2.0, 50.0, 800.0, np.inf]), 2.5
    for u0 in (0.0, 0.1, 2.5, 9.0):
        found = state(u0, s, t, 1)
        np.testing.assert_allclose(found.error, (s - u0) * np.exp(-t), rtol=1e-13)
        np.testing.assert_allclose(found.change, -(s - u0) * np.expm1(-t), rtol=1e-13)
        np.testing.assert_allclose(found.weight_change, np.abs(found.change), rtol=1e-13)
        np.testing.assert_array_equal(found.relative_kernel_change, 0)
    assert depth.time(0.0, 1.0, 2.5, 1) == pytest.approx(np.log(2.5 / 1.5), rel=1e-14)


@pytest.mark.parametrize("layers", [2, 2.5, 7, 1e6])
def test_a_deep_mode_at_zero_rests(layers):
    found = state(0.0, 3.0, [0.0, 1.0, np.inf], layers)
    np.testing.assert_array_equal([found.strength, found.weight_change, found.kernel], 0)
    np.testing.assert_array_equal(found.error, 3)
    assert depth.time(0.0, 0.0, 3.0, layers) == 0


@pytest.mark.parametrize("layers", LAYERS)
def test_a_mode_at_its_target_stays_and_every_other_arrives(layers):
    found = state([0.2, 3.0, 50.0], 3.0, np.inf, layers)
    np.testing.assert_array_equal(found.strength, 3)
    np.testing.assert_array_equal([found.error, found.loss], 0)
    still = state(3.0, 3.0, [0.0, 1.0, np.inf], layers)
    np.testing.assert_array_equal([still.change, still.error, still.weight_change], 0)
    np.testing.assert_array_equal(depth.time([0.2, 50.0], 3.0, 3.0, layers), np.inf)
    np.testing.assert_array_equal(depth.time([0.2, 3.0], [0.2, 3.0], 3.0, layers), 0)
    roots = np.array([0.2, 3.0, 50.0]) ** (1 / layers)
    want = np.sqrt(layers) * np.abs(3 ** (1 / layers) - roots)
    np.testing.assert_allclose(found.weight_change, want, rtol=1e-12)


def test_depth_is_continuous_at_the_logistic():
    t, u0 = np.array([1e-3, 1.0, 4.0]), np.array([[1e-4], [0.3], [1.2], [20.0]])
    for layers in (2 - 1e-9, np.nextafter(2, 1), np.nextafter(2, 3), 2 + 1e-9):
        for near, two in zip(state(u0, 1.1, t, layers), state(u0, 1.1, t, 2), strict=True):
            np.testing.assert_allclose(near, two, rtol=1e-6)


@pytest.mark.parametrize("u0", [1e-3, 0.6, 5.0])
def test_infinite_depth_is_the_limit_and_the_error_falls_like_one_over_it(u0):
    s, clock = 1.2, np.array([0.05, 1.0, 3.0])
    end = infinite(u0, s, clock)
    gaps = np.array([np.max(np.abs(strength(u0, s, clock / n, n) - end)) for n in (1e3, 1e4, 1e5)])
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 10, rtol=0.02)
    # T = z - 1/y with z = log(y/|1 - y|), the antiderivative of 1/(y^2 (1 - y))
    with mpmath.workdps(40):
        for t, u in zip(clock, end, strict=True):
            y, y0 = mpmath.mpf(float(u)) / s, mpmath.mpf(u0) / s
            ran = [mpmath.log(v / abs(1 - v)) - 1 / v for v in (y, y0)]
            sensitivity = 1 / (y * abs(1 - y))  # of T to the last digit of u
            assert abs(ran[0] - ran[1] - t * s**2) < 1e-15 * (t * s**2 * 10 + sensitivity)
    np.testing.assert_array_equal(infinite(u0, s, [0.0, np.inf]), [u0, s])
    change = state(u0, s, clock / 1e7, 1e7).weight_change * np.sqrt(1e7)
    np.testing.assert_allclose(change, np.abs(np.log(end / u0)), rtol=1e-5)


# ---------------------------------------------------------------- properties

RATIOS = st.floats(-60, 60).map(lambda x: 10.0**x)
DEPTHS = st.floats(1, 10) | st.floats(1, 1e70) | st.sampled_from((1.0, 2.0))


@given(u0=RATIOS, s=RATIOS, t=st.floats(0, allow_nan=False), layers=DEPTHS)
def test_never_nan_never_a_warning_and_never_past_the_target(u0, s, t, layers):
    found = state(u0, s, t, layers)
    assert np.all(np.isfinite(found))
    assert min(u0, s) <= found.strength <= max(u0, s)
    assert np.sign(found.error) in (0, np.sign(s - u0))
    assert depth.time(u0, found.strength, s, layers) >= 0
    assert min(u0, s) <= infinite(u0, s, t) <= max(u0, s)


@given(u0=st.floats(1e-3, 10), u=st.floats(0.01, 0.99), s=st.floats(0.1, 10), layers=DEPTHS)
def test_there_and_back(u0, u, s, layers):
    end = u0 + u * (s - u0)
    if not min(u0, s) <= end <= max(u0, s):
        return
    t = depth.time(u0, end, s, layers)
    speed = float(right_hand_side(mpmath.mpf(end), s, layers))
    slack = 1e-12 * max(1, abs(t * speed / end))
    assert strength(u0, s, t, layers) == pytest.approx(end, rel=slack)


@given(u0=st.floats(1e-3, 10), s=st.floats(0.1, 10), layers=DEPTHS, power=st.integers(-180, 180))
def test_units(u0, s, layers, power):
    """u and s in other units, exact in float64: t goes with their power 2/L - 2."""
    u, scale = 0.5 * (u0 + s), 2.0**power
    t = depth.time(u0, u, s, layers)
    with_units = depth.time(u0 * scale, u * scale, s * scale, layers)
    assert with_units == pytest.approx(t * scale ** (2 / layers - 2), rel=1e-12)


def test_arrays_are_loops():
    u0, s, t, layers = np.ix_([1e-4, 0.5, 7.0], [0.4, 2.0], [0.1, 3.0, np.inf], [1, 2, 4.5])
    together = state(u0, s, t, layers)
    assert together.strength.shape == (3, 2, 3, 3)
    for index in np.ndindex(3, 2, 3, 3):
        i, j, k, n = index
        alone = state(u0[i, 0, 0, 0], s[0, j, 0, 0], t[0, 0, k, 0], layers[0, 0, 0, n])
        for name, one, many in zip(DeepMode._fields, alone, together, strict=True):
            assert one == pytest.approx(many[index], rel=1e-12, abs=1e-300), name


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: strength(-1, 1, 1, 2), "u0 must be >= 0; its smallest value is -1"),
        (lambda: strength(1, 0, 1, 2), "s must be > 0; its smallest value is 0"),
        (lambda: strength(1, 1, -1, 2), "t must be >= 0"),
        (lambda: strength(1, 1, 1, 0.5), "layers must be >= 1; its smallest value is 0.5"),
        (lambda: strength(1, 1, 1, np.inf), "layers must be finite"),
        (lambda: strength(0, 1, 1, 1.5), "u0 must be > 0 where 1 < layers < 2: from 0 the flow"),
        (lambda: depth.time(0.1, 2, 1, 3), "u must lie between u0 and s"),
        (lambda: depth.time(0.1, 0.05, 1, 3), "u must lie between u0 and s"),
        (lambda: depth.time(0.0, 0.5, 1, 3), "u0 must be > 0 where layers > 1"),
        (lambda: depth.time(0.1, -1, 1, 3), "u must be >= 0"),
        (lambda: infinite(0.1, 1, np.nan), "layers_times_t must be >= 0 and not NaN"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "case"),
    [("u0", (1e80, 1, 2)), ("u0", (1e-80, 1, 2)), ("s", (1, 1e-80, 2)), ("layers", (1, 1, 1e80))],
)
def test_what_float64_cannot_hold_is_refused(name, case):
    with pytest.raises(AssumptionError, match=rf"^{name} must lie in \[1e-70, 1e\+70\]"):
        strength(*case[:2], 1.0, case[2])
