"""T3 against mpmath, against the integrated flow, in its limits, and against its symmetries."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from richlazy import modes
from richlazy.errors import AssumptionError
from richlazy.formulas import elementwise
from richlazy.formulas.modes import Mode, state, trajectory
from validation.benchmarks.modes import accuracy, exact, random_cases

WEIGHTS = st.floats(-1e50, 1e50)
STRENGTHS = st.floats(0, 1e100)
TIMES = st.floats(0, allow_nan=False)
ORDINARY = st.floats(-5, 5).map(lambda x: 10.0**x)
SHORT = st.floats(-6, 1).map(lambda x: 10.0**x)
SIGNED = st.builds(lambda x, sign: x * sign, ORDINARY, st.sampled_from((-1.0, 1.0)))


def relative(found, wanted):
    with mpmath.workdps(50):
        return float(abs(mpmath.mpf(float(found)) - wanted) / abs(wanted))


# ---------------------------------------------------------------- against mpmath


def test_random_cases_to_rounding():
    """Issue 3 asks for 5e-14; `python -m validation bench modes` takes 20 000 cases."""
    for name, error, _, _ in accuracy(600, seed=1):
        assert error < 1e-14, name


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    "kappa_t", [1e-300, 1e-200, 1e-20, 1e-8, 1e-3, 0.049, 0.2, 3, 50, 1e3, 1e6]
)
@pytest.mark.parametrize("ratio", [1, 1 + 1e-15, 1 + 1e-8, 3, 1e8, 1e11])
def test_every_regime_of_kappa_t(kappa_t, ratio, swapped):
    for size in (1e-8, 1.0, 1e3):
        for s in (1e-12 * size**2, size**2, 1e3):
            a0, b0 = size / ratio, size
            kappa = np.hypot(s, 0.5 * (b0 - a0) * (b0 + a0))
            case = (b0, a0) if swapped else (a0, b0)
            t = kappa_t / kappa
            want = exact(*case, s, t, digits=700)
            found = state(*case, s, t)
            assert relative(found.first, want.a) < 1e-14
            assert relative(found.readout, want.b) < 1e-14
            if abs(s - a0 * b0) > 1e-6 * max(s, a0 * b0):
                for value, change in zip(found[2:4], want[2:4], strict=True):
                    assert abs(change) < 1e-290 or relative(value, change) < 1e-14


def test_the_short_way_and_the_long_one_agree(monkeypatch):
    a0, b0, s, t = random_cases(400, seed=2)
    case = np.abs(a0), np.abs(b0), s, t
    short = state(*case)
    monkeypatch.setattr(modes, "_ORDINARY", (np.inf, 0.0))
    for name, one, two in zip(Mode._fields, short, state(*case), strict=True):
        scale = 1.0 + (s + case[0] ** 2 + case[1] ** 2) * t if name in ("error", "loss") else 1.0
        # far past convergence an error underflows, earlier in one way than in the other
        assert np.all(np.abs(one - two) <= 1e-14 * scale * np.abs(two) + 1e-290), name


@pytest.mark.parametrize("kappa_t", [1e-250, 1e-190, 1e-9, 0.3, 40, 132, 133, 250, 1e4])
@pytest.mark.parametrize("size", [0.9e-15, 1.1e-15, 1.0, 0.9e15, 1.1e15])
def test_either_side_of_where_modes_are_ordinary(size, kappa_t):
    """And of the time past which ordinary ones move no more."""
    for ratio in (1.0, 1e-3, 1e-40):
        for s in (0.9e-30, 1.1e-30, 1.0, 0.9e30, 1.1e30):
            a0, b0 = size * ratio, size
            t = kappa_t / np.hypot(s, 0.5 * (b0 - a0) * (b0 + a0))
            want, found = exact(a0, b0, s, t, digits=700), state(a0, b0, s, t)
            assert relative(found.first, want.a) < 1e-14
            assert relative(found.readout, want.b) < 1e-14
            for value, change in zip(found[2:4], want[2:4], strict=True):
                if abs(s - a0 * b0) > 1e-6 * max(s, a0 * b0) and abs(change) > 1e-290:
                    assert relative(value, change) < 1e-14


@pytest.mark.parametrize("kappa_t", [1e-9, 0.3, 10, 36, 60, 132, 133, 300])
@pytest.mark.parametrize("gap", [2.0**-52, -(2.0**-52), 1e-12, 1e-5, -0.3, 0.9])
def test_opposite_signs_near_and_far_from_the_saddle(gap, kappa_t):
    for size, s in ((1e-8, 1.0), (1.0, 0.7), (1e3, 1e-3), (1e-15, 1e30), (1e15, 1e-30)):
        a0, b0 = size * (1.0 + gap), -size
        t = kappa_t / np.hypot(s, 0.5 * (b0 - a0) * (b0 + a0))
        want, found = exact(a0, b0, s, t, digits=700), state(a0, b0, s, t)
        bound = 1e-14 * max(1.0, float(want.condition)) * mpmath.hypot(want.a, want.b)
        assert mpmath.hypot(found.first - want.a, found.readout - want.b) < bound
        if kappa_t == 1e-9:
            assert relative(found.change_first, want.change_a) < 1e-14
            assert relative(found.change_readout, want.change_b) < 1e-14


@pytest.mark.parametrize("t", [1e-3, 2.0, 1e3, np.inf])
def test_a_mode_on_the_decaying_direction_among_others(t):
    """One that nothing outgrows must not be taken for one that `t` has long settled."""
    a0, b0, s = np.array([0.4, 0.4, -0.4]), np.array([-0.4, 0.4, 0.4]), 1.5
    together = state(a0, b0, s, t)
    for k in range(3):
        for one, many in zip(state(a0[k], b0[k], s, t), together, strict=True):
            np.testing.assert_array_equal(one, many[k])
    assert together.first[0] == -together.readout[0]
    assert abs(together.first[0]) < 1e-300 or t < 10


@pytest.mark.parametrize("index", range(6))
def test_an_integrated_flow_with_input_variance(index):
    rng = np.random.default_rng(index)
    a0, b0 = rng.normal(size=2)
    s, q = rng.uniform(0, 2), rng.uniform(0.2, 5)
    if index == 0:
        s = 0.0

    def flow(_, x):
        rest = s - q * x[0] * x[1]
        return [x[1] * rest, x[0] * rest]

    at = np.linspace(0, 3, 7)
    run = solve_ivp(flow, (0, 3), [a0, b0], "DOP853", at, rtol=1e-12, atol=1e-14)
    found = state(a0, b0, s, at, q)
    np.testing.assert_allclose([found.first, found.readout], run.y, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.change_first, run.y[0] - a0, atol=1e-11)
    np.testing.assert_allclose(found.change_readout, run.y[1] - b0, atol=1e-11)
    a, b = run.y
    np.testing.assert_allclose(found.product, a * b, atol=1e-10)
    np.testing.assert_allclose(found.error, s - q * a * b, atol=1e-10)
    np.testing.assert_allclose(found.loss, (s - q * a * b) ** 2 / (2 * q), atol=1e-10)
    np.testing.assert_allclose(found.kernel, q * (a * a + b * b), rtol=1e-9)


def test_the_loss_falls_by_the_kernel():
    h, case = 1e-6, (0.3, -0.7, 1.2, 0.8, 2.5)
    before, now, after = (state(*case[:3], case[3] + step, case[4]) for step in (-h, 0, h))
    slope = (after.error - before.error) / (2 * h)
    assert slope == pytest.approx(-now.kernel * now.error, rel=1e-8)


# ---------------------------------------------------------------- limits


def test_a_balanced_mode_is_logistic():
    t, s, p0 = np.linspace(0, 8, 50), 1.7, 1e-3
    p = state(np.sqrt(p0), np.sqrt(p0), s, t).product
    np.testing.assert_allclose(p, s / (1 + (s / p0 - 1) * np.exp(-2 * s * t)), rtol=1e-13)


def test_the_end_of_training():
    a0, b0, s, _ = random_cases(500, seed=3)
    end = state(a0, b0, s, np.inf)
    half = 0.5 * (b0 - a0) * (b0 + a0)
    kappa = np.hypot(s, half)
    large = kappa + np.abs(half)
    first, readout = (
        np.where(half > 0, s * s / large, large),
        np.where(half > 0, large, s * s / large),
    )
    np.testing.assert_allclose(end.first**2, first, rtol=1e-13)
    np.testing.assert_allclose(end.readout**2, readout, rtol=1e-13)
    np.testing.assert_array_equal(np.sign(end.readout), np.sign(end.first))
    np.testing.assert_array_equal(end.error, 0)
    np.testing.assert_allclose(end.product, s, rtol=1e-13)
    np.testing.assert_allclose(end.change_first, end.first - a0, rtol=1e-9, atol=1e-9 * large.max())
    later = trajectory(a0, b0, s, 1e200)
    np.testing.assert_allclose(later, [end.first, end.readout], rtol=1e-14)


def test_nothing_moves_at_time_zero():
    a0, b0, s, _ = random_cases(200, seed=4)
    now = state(a0, b0, s, 0.0)
    np.testing.assert_allclose([now.first, now.readout], [a0, b0], rtol=1e-15)
    np.testing.assert_array_equal([now.change_first, now.change_readout], 0)


@pytest.mark.parametrize("t", [0.0, 1e-3, 1.0, 40.0, 1e300, np.inf])
def test_without_a_task_a_balanced_mode_decays_algebraically(t):
    for a0, b0 in ((0.3, 0.3), (0.3, -0.3), (-1e4, 1e4)):
        found = state(a0, b0, 0.0, t)
        shrink = 1 / np.hypot(1, np.sqrt(2 * t) * a0)
        np.testing.assert_allclose(found[:2], [a0 * shrink, b0 * shrink], rtol=1e-14)
        np.testing.assert_allclose(found[2:4], [a0 * (shrink - 1), b0 * (shrink - 1)], rtol=1e-12)
    # and is the limit of weak tasks and of small imbalances
    for s, b0 in ((1e-200, 0.3), (0.0, np.nextafter(0.3, 1)), (1e-18, 0.3)):
        near = trajectory(0.3, b0, s, min(t, 1e10))
        want = 0.3 / np.sqrt(1 + 0.18 * min(t, 1e10))
        np.testing.assert_allclose(near, [want, want], rtol=1e-5)


def test_without_a_task_the_smaller_layer_is_lost():
    end = state([0.5, -2.0], [2.0, 0.5], 0.0, np.inf)
    np.testing.assert_array_equal(end.first[0], 0)
    np.testing.assert_array_equal(end.readout[1], 0)
    np.testing.assert_allclose([end.readout[0], end.first[1]], [np.sqrt(3.75), -np.sqrt(3.75)])


@pytest.mark.parametrize("t", [0.0, 1e-200, 0.1, 2.0, 300.0, 1e5, np.inf])
def test_an_opposed_balanced_mode_decays_to_the_saddle(t):
    s, a0 = 1.5, 0.4
    found = state(a0, -a0, s, t)
    # a(t) of the balanced mode of task -s
    want = a0 * np.exp(-s * t) / np.sqrt(1 - a0 * a0 * np.expm1(-2 * s * t) / s)
    assert found.first == pytest.approx(want, rel=1e-13, abs=1e-300)
    assert found.readout == -found.first
    assert found.error == pytest.approx(s + want**2, rel=1e-14)
    assert found.change_first == pytest.approx(want - a0, rel=1e-12, abs=1e-199)


def test_what_rests_and_what_leaves():
    rest = state(0.0, 0.0, 1.0, [0.0, 5.0, np.inf])
    np.testing.assert_array_equal(rest[:4], 0)
    np.testing.assert_array_equal(rest.error, 1)
    for a0, b0 in ((0.0, 0.5), (0.5, 0.0), (0.0, -0.5), (1e-300, 1e-300), (5e-324, 5e-324)):
        end = state(a0, b0, 2.0, np.inf)
        assert end.product == pytest.approx(2.0, rel=1e-14)
        assert np.sign(end.first) == np.sign(a0 + b0)
    t = np.geomspace(1e-3, 30, 40)
    np.testing.assert_array_equal(
        trajectory(0.0, -0.5, 2.0, t), -np.array(trajectory(0.0, 0.5, 2.0, t))
    )
    silent = state(0.0, 0.5, 2.0, 0.3)
    want = exact(0.0, 0.5, 2.0, 0.3)
    assert relative(silent.first, want.a) < 1e-15
    assert silent.change_first == silent.first
    assert relative(silent.change_readout, want.change_b) < 1e-15


def test_small_imbalances_join_the_balanced_mode():
    t = np.array([0.5, 3.0, np.inf])
    balanced = trajectory(0.2, 0.2, 1.0, t)
    for gap in (1e-16, -1e-12, 1e-8):
        np.testing.assert_allclose(trajectory(0.2, 0.2 + gap, 1.0, t), balanced, rtol=1e-6)


# ---------------------------------------------------------------- symmetries


@given(a0=WEIGHTS, b0=WEIGHTS, s=STRENGTHS, t=TIMES)
def test_never_nan_and_never_a_warning(a0, b0, s, t):
    found = state(a0, b0, s, t)
    assert np.all(np.isfinite(found))
    assert abs(found.error) <= max(s, abs(s - a0 * b0)) * (1 + 1e-15)


@pytest.mark.parametrize("q", [1.0, 1e-100, 3.0, 1e60])
def test_the_edges_of_float64(q):
    edges = np.array([0, 5e-324, 1e-300, 1e-160, 1e-60, 1e-8, 1, 1e8, 1e20])
    weights = np.r_[edges, -edges[1:], 1 + 2e-16]
    s = np.r_[edges, 1e60, 1e100]
    t = np.r_[edges, 1e160, 1e300, np.finfo(float).max, np.inf]
    with warnings.catch_warnings(), np.errstate(divide="raise", over="raise", invalid="raise"):
        found = state(*np.meshgrid(weights, weights, s, t), q)
    assert all(np.all(np.isfinite(v)) for v in found)


@given(a0=SIGNED, b0=SIGNED, s=ORDINARY, t=TIMES)
def test_conserved_imbalance_symmetry_and_units(a0, b0, s, t):
    a, b = trajectory(a0, b0, s, t)
    size = a0 * a0 + b0 * b0 + a * a + b * b
    if a0 != -b0 or t < 1:  # the exact saddle ends at 0
        assert abs((b - a) * (b + a) - (b0 - a0) * (b0 + a0)) <= 1e-14 * size
    for sign in (1, -1):
        assert trajectory(sign * a0, sign * b0, s, t) == (sign * a, sign * b)
    np.testing.assert_allclose(trajectory(b0, a0, s, t), (b, a), rtol=1e-14)
    scaled = trajectory(4 * a0, 4 * b0, 16 * s, t / 16)
    np.testing.assert_allclose(scaled, (4 * a, 4 * b), rtol=1e-13)
    with_variance = trajectory(a0, b0, s, t, 9.0)
    np.testing.assert_allclose(
        with_variance, np.array(trajectory(3 * a0, 3 * b0, s, t)) / 3, rtol=1e-13
    )


@given(a0=ORDINARY, b0=ORDINARY, s=ORDINARY, t=SHORT, share=st.floats(0, 1))
def test_a_restart_continues(a0, b0, s, t, share):
    """Times in units of the mode's own rate, so that rounding t does not matter."""
    t = t / np.hypot(s, 0.5 * (b0 - a0) * (b0 + a0))
    middle = trajectory(a0, b0, s, share * t)
    np.testing.assert_allclose(
        trajectory(*middle, s, t - share * t), trajectory(a0, b0, s, t), rtol=1e-12
    )


@pytest.mark.parametrize("block", [1, 7, 64])
def test_arrays_are_loops_and_block_edges_change_nothing(monkeypatch, block):
    """To the last digit, whatever else is in a block: each mode alone decides which way it goes."""
    a0, b0, s, t = random_cases(40, seed=5)
    q = np.where(np.arange(40) % 2, 1.0, np.abs(a0))
    a0[:4], b0[1:5] = 0.0, (0.0, 1e-300, 1e40, -1e-200)
    s[8], s[9], t[10], t[11], t[12], b0[13] = 0.0, 1e-50, 0.0, np.inf, 1e-300, -a0[13]
    cases = [
        (a0[:, None], b0[:, None], s[:, None], t),
        (a0[:, None], b0[:, None], s[:, None], t, q[:, None]),
        (a0, b0, s, 0.7),
        (a0, b0, 2.0, t, q),
        (0.3, -0.2, 2.0, t),
        (0.3, b0, 2.0, 1.0, 1.0),
    ]
    whole = [state(*case) for case in cases]
    weights = [trajectory(*case) for case in cases]
    monkeypatch.setattr(elementwise, "BLOCK", block)
    for case, one, pair in zip(cases, whole, weights, strict=True):
        for found, wanted in zip(state(*case), one, strict=True):
            assert found.shape == wanted.shape == np.broadcast_shapes(*map(np.shape, case))
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(trajectory(*case), pair)
        np.testing.assert_array_equal(pair, one[:2])


def test_arguments_are_left_as_they_were():
    case = random_cases(300, seed=6)
    case[0, :2], case[2, 2:4] = 0.0, 0.0
    kept = case.copy()
    state(*case, np.abs(case[1]))
    trajectory(*case)
    np.testing.assert_array_equal(case, kept)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.nan, 1, 1, 1), "a0 must be finite"),
        ((1, np.inf, 1, 1), "b0 must be finite"),
        ((1, 1, -1, 1), "s must be >= 0; its smallest value is -1"),
        ((1, 1, 1, -1), "t must be >= 0 and not NaN"),
        ((1, 1, 1, 1, 0), "q must be > 0"),
        ((1j, 1, 1, 1), "a0 must hold real numbers"),
        ((1, [], 1, 1), "b0 must not be empty"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    for call in (trajectory, state):
        with pytest.raises(ValueError, match=message):
            call(*arguments)


@pytest.mark.parametrize(
    "arguments", [(1e60, 1, 1, 1), (1, -1e60, 1, 1), (1, 1, 1e110, 1), (1, 1e40, 1, 1, 1e30),
                  (1, 1, 1, 1, 1e110), (1, 1, 1, 1, 1e-110), (1e300, 1, 1, 1, 1e200)],
)  # fmt: skip
def test_what_float64_cannot_hold_is_refused(arguments):
    with pytest.raises(AssumptionError, match=r"must be at most 1e\+50"):
        state(*arguments)


def test_products_are_split_without_rounding():
    from fractions import Fraction

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(200), rng.standard_normal(200)
    product, rest = modes._product(x, y)
    for a, b, p, r in zip(x, y, product, rest, strict=True):
        assert Fraction(float(p)) + Fraction(float(r)) == Fraction(float(a)) * Fraction(float(b))
