"""The lazy and the rich limit of T20, and its second order, against integrated flows."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.optimize import approx_fprime, brentq

from derivations import load
from derivations.frame.lag_sums import T, k
from tests.derivations.recurrent_flow import (
    Weights,
    flowed,
    numbers,
    packed,
    random_weights,
    rates,
    responses,
    unpacked,
)
from tests.derivations.typical_tree import typical

T20 = load("T20")


def value(name, **given):
    return float(T20.evaluate(name, **given))


# The lazy limit.


def jacobian(weights, steps):
    def response(x):
        return responses(unpacked(x, weights), steps).ravel()

    start, step = packed(weights), 1e-6
    moves = step * np.eye(start.size)
    return np.array([(response(start + x) - response(start - x)) / (2 * step) for x in moves]).T


def test_the_lazy_limit_of_any_start():
    weights = random_weights(6, 2, 1, 0.9, seed=2)
    slopes = jacobian(weights, 3)
    first = responses(weights, 3)
    direction = np.random.default_rng(3).standard_normal(first.shape)
    errors = []
    for size in (2e-2, 1e-2):
        end = flowed(weights, first + size * direction, 400.0)
        path = np.linalg.solve(slopes @ slopes.T, size * direction.ravel())
        lazy = unpacked(slopes.T @ path, weights)
        gaps = [x - y - z for x, y, z in zip(end, weights, lazy, strict=True)]
        errors.append(np.linalg.norm(packed(gaps)) / np.linalg.norm(packed(lazy)))
        parts = {x: slopes[:, cut] for x, cut in zip("UWV", cuts(weights), strict=True)}
        values = {f"J_{x}": y for x, y in parts.items()} | {"q": path[:, None]}
        given = size * direction.reshape(-1, 1)
        np.testing.assert_allclose(numbers(T20, "lazy_gap", values, {}), given, atol=1e-9)
        squared = numbers(T20, "lazy_change_W_squared", values, {})
        assert squared == pytest.approx(np.sum(lazy.W**2), rel=1e-9)
        for x in "UWV":
            change = numbers(T20, f"lazy_change_{x}", values, {})
            np.testing.assert_allclose(change.ravel(), getattr(lazy, x).ravel(), atol=1e-12)
    assert errors[0] < 0.1
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


def cuts(weights):
    ends = np.cumsum([0, *(x.size for x in weights)])
    return [slice(a, b) for a, b in pairwise(ends)]


CHAINS = {nu: [0.8, 0.8 * np.sqrt(nu - 1)] for nu in (1.5, 3.0)}


@pytest.mark.parametrize("nu", CHAINS)
def test_lazy_typical_changes_add_up_over_lags(nu):
    u, v, size = 1.2, 0.7, 1e-3
    weights = typical(CHAINS[nu], 3, u, v)
    task = size * np.array([0.5, -1.0, 0.8])
    end = flowed(weights, task.reshape(3, 1, 1), 60.0)
    for x, name in zip("UWV", ("lazy_U_squared", "lazy_W_squared", "lazy_V_squared"), strict=True):
        lazy = sum(
            value(name, s=abs(s), k=lag, g=0.8, u=u, v=v) for lag, s in enumerate(task)
        )  # fmt: skip
        change = np.sum((getattr(end, x) - getattr(weights, x)) ** 2)
        assert change == pytest.approx(lazy, rel=1e-4)
    for lag in range(3):
        given = {"k": lag, "g": 0.8, "u": u, "v": v}
        parts = [value(f"typical_{x}", **given) for x in ("driven", "read", "kernel_W", "kernel")]
        assert sum(parts[:3]) == pytest.approx(parts[3])
        driven = np.linalg.matrix_power(weights.W, lag) @ weights.U
        assert np.sum(driven**2) == pytest.approx(parts[0])
    time = {"lambda": 0.7, "e_0": 1.3, "t": 2.0}
    path = mpmath.quad(lambda t: T20.evaluate("lazy_mode_error", **(time | {"t": t})), [0, 2])
    assert abs(T20.evaluate("lazy_mode_path", **time) - path) < 1e-12


# The second order.


def change_of_W(weights, lag, size, time=80.0):
    task = np.zeros((lag + 1, 1, 1))
    task[lag] = size
    end = flowed(weights, task, time)
    gap = abs(responses(end, lag + 1)[lag, 0, 0] - size)
    assert gap < 1e-6 * size
    return end, np.sum((end.W - weights.W) ** 2)


@pytest.mark.parametrize("lag", [1, 2])
@pytest.mark.parametrize("nu", CHAINS)
def test_the_second_order_leaves_an_error_of_order_six(lag, nu):
    u, v = 1.1, 0.8
    given = {"k": lag, "g": 0.8, "u": u, "v": v, "nu": nu}
    terms = {
        "F_3": value(f"climb_{lag}", **given),
        "C_4": value(f"stretch_{lag}", **given),
        "K_W": value("typical_kernel_W", **given),
    }
    weights = typical(CHAINS[nu], 2 * lag, u, v)
    errors = []
    for size in (0.2, 0.1):
        found = change_of_W(weights, lag, size)[1]
        errors.append(found - value("second_order_W_squared", s=size, **given, **terms))
    assert errors[0] / errors[1] == pytest.approx(64, rel=0.25)
    assert abs(errors[1]) < 0.02 * found


def test_the_slope_in_rank_and_the_gap_of_the_law():
    u, v, size = 1.1, 0.8, 0.1
    given = {"k": 1, "g": 0.8, "u": u, "v": v}
    found = {nu: change_of_W(typical(x, 3, u, v), 1, size)[1] for nu, x in CHAINS.items()}
    slope = (found[3.0] - found[1.5]) / 1.5 / size**4
    assert slope == pytest.approx(value("rank_slope_1", **given), rel=0.05)
    for v_now, sign in ((0.8, -1), (0.1, 1)):
        ends = {"u": u, "v": v_now}
        found = {nu: change_of_W(typical(x, 4, **ends), 2, size / 5)[1] for nu, x in CHAINS.items()}
        slope = (found[3.0] - found[1.5]) / 1.5 / (size / 5) ** 4
        claimed = value("rank_slope_2", **given | ends | {"k": 2})
        assert slope == pytest.approx(claimed, rel=0.05)
        assert np.sign(claimed) == sign
    equal = given | {"u": v, "k": 2}
    assert value("rank_slope_2_equal", **equal) == pytest.approx(value("rank_slope_2", **equal))
    # Another third moment: a third coupling.
    size, third = 0.2, 0.5
    longer = typical([*CHAINS[3.0], third], 4, u, v)
    beyond = (
        change_of_W(longer, 1, size)[1] - change_of_W(typical(CHAINS[3.0], 4, u, v), 1, size)[1]
    )
    first, second = CHAINS[3.0]
    claimed = value("law_error_1", delta_3=(first * second * third) ** 2, **given)
    assert beyond / size**6 == pytest.approx(claimed, rel=0.2)


def grams(weights):
    """C_0, C_1 and O_0, O_1 as letters of T17's Gram matrices."""
    driven = [weights.U, weights.W @ weights.U]
    read = [weights.V, weights.V @ weights.W]
    return (
        np.array([[x.T @ y for y in driven] for x in driven]).reshape(2, 2),
        np.array([[x @ y.T for y in read] for x in read]).reshape(2, 2),
    )


def kernel_of(weights):
    driven, read = grams(weights)
    whole = driven + read
    whole[1, 1] += driven[0, 0] * read[0, 0]
    return whole


def cosine(x, y):
    return np.sum(x * y) / np.linalg.norm(x) / np.linalg.norm(y)


@pytest.mark.parametrize("nu", CHAINS)
def test_alignments_of_two_steps_turn_as_claimed(nu):
    u, v = 1.1, 0.8
    given = {"k": 1, "g": 0.8, "u": u, "v": v, "nu": nu}
    weights = typical(CHAINS[nu], 3, u, v)
    K = value("typical_kernel", **given)
    for turn, matrix in (
        ("kernel_turn", kernel_of),
        ("representation_turn", lambda x: grams(x)[0]),
    ):
        start = matrix(weights)
        np.testing.assert_allclose(start[0, 1], 0, atol=1e-14)
        # G_0 B_1 - G_1 B_0 enters the gap as a whole.
        entries = {"G_0": start[0, 0], "G_1": start[1, 1], "B_0": 0.0}
        entries["B_1"] = value(turn, **given) / start[0, 0]
        ratios = []
        for size in (0.1, 0.05):
            end = change_of_W(weights, 1, size)[0]
            gap = 1 - cosine(start, matrix(end))
            ratios.append(gap / value("alignment_gap", s=size, **given, **entries) - 1)
        assert abs(ratios[0]) < 0.2
        assert ratios[0] / ratios[1] == pytest.approx(4, rel=0.3)
    assert value("kernel_turn", **given) > 0
    assert pytest.approx(kernel_of(weights)[1, 1]) == K


def test_scatter_of_random_ends():
    """F_1, its bend and K over many U and V of one flat W."""
    rng = np.random.default_rng(4)
    size, gain, nu, u, v = 60, 0.8, 3, 1.1, 0.8
    left, right = (np.linalg.qr(rng.standard_normal((size, size // nu)))[0] for _ in range(2))
    W = gain * np.sqrt(nu) * left @ right.T
    ends = rng.standard_normal((2, 40_000, size))
    ends /= np.linalg.norm(ends, axis=2)[:, :, None]
    U, V = u * ends[0], v * ends[1]
    first = np.sum(V * (U @ W.T), axis=1)
    bend = 2 * first * (u**2 + v**2) + 2 * np.sum((V @ W) * (U @ (W.T @ W)), axis=1)
    kernel = np.sum((U @ W.T) ** 2, axis=1) + np.sum((V @ W) ** 2, axis=1)
    given = {"g": gain, "u": u, "v": v, "N": size, "nu": nu}
    assert np.mean(first**2) == pytest.approx(value("response_variance", **given), rel=0.03)
    assert np.mean(first * bend) == pytest.approx(value("bend_covariance", **given), rel=0.03)
    assert np.var(kernel) == pytest.approx(value("kernel_variance", **given), rel=0.06)
    one = Weights(U[:1].T, W, V[:1])
    letters = dict(zip("UWV", one, strict=True))
    assert numbers(T20, "bend", letters, {}) == pytest.approx(bend[0], rel=1e-12)


def test_the_mean_change_falls_with_rank_below_the_turn_and_rises_above():
    given = {"k": 1, "g": 0.8, "u": 1.1, "v": 0.8, "N": 200}
    turn = value("turn_strength_squared", **given) ** 0.5
    slopes = [value("mean_slope_1", s=x * turn, **given) for x in (0.5, 1.0, 2.0)]
    assert slopes[0] > 1e-6 > abs(slopes[1])
    assert slopes[2] < -1e-6


# The rich limit.


def rich_case(size=1e-4):
    weights = random_weights(7, 2, 2, 0.9, seed=5)
    weights = Weights(size * weights.U, weights.W, size * weights.V)
    task = np.random.default_rng(6).standard_normal((4, 2, 2))
    counts = np.array([2.0, 1.0, 1.0, 0.5])
    values = dict(zip("UWV", weights, strict=True))
    for lag, (wanted, count) in enumerate(zip(task, counts, strict=True)):
        values |= {f"S_{lag}": wanted, f"w_{lag}": count}
    return weights, task, counts, values


def test_first_rates_of_a_small_start():
    weights, task, counts, values = rich_case()
    moved = rates(weights, counts[:, None, None] * (task - responses(weights, 4)))
    for x, rate in zip("UWV", moved, strict=True):
        claimed = numbers(T20, f"rich_rate_{x}", values, {T: 4})
        np.testing.assert_allclose(claimed, rate, rtol=1e-5, atol=1e-6 * np.max(abs(rate)))

    def gain(state):
        now = dict(zip("UWV", unpacked(state, weights), strict=True))
        return float(numbers(T20, "early_gain", values | now, {T: 4}))

    slope = unpacked(approx_fprime(packed(weights), gain, 1e-7), weights)
    for rate, found in zip(moved, slope, strict=True):
        np.testing.assert_allclose(rate, found, atol=1e-6 * np.max(abs(rate)) + 1e-12)


def test_the_leading_pair_of_the_polynomial_grows_first():
    rng = np.random.default_rng(7)
    weights = random_weights(12, 1, 1, 0.8, seed=8)
    size = 1e-5
    weights = Weights(size * weights.U, weights.W, size * weights.V)
    task = rng.standard_normal((3, 1, 1))
    values = {"W": weights.W} | {f"w_{lag}": 1.0 for lag in range(3)}
    values |= {f"s_{lag}": x.item() for lag, x in enumerate(task)}
    polynomial = numbers(T20, "polynomial", values, {T: 3})
    left, strengths, right = np.linalg.svd(polynomial)
    given = {
        "u_0": (right @ weights.U)[0, 0],
        "v_0": (weights.V @ left)[0, 0],
        "sigma": strengths[0],
    }
    if given["u_0"] + given["v_0"] < 0:
        left, right = -left, -right
        given |= {"u_0": -given["u_0"], "v_0": -given["v_0"]}
    escape = value("escape_time", **given)
    time = 0.5 * escape
    end = flowed(weights, task, time)
    claimed = [value(f"mode_{x}", t=time, **given) for x in "uv"]
    np.testing.assert_allclose((right @ end.U)[0, 0], claimed[0], rtol=1e-3)
    np.testing.assert_allclose((end.V @ left)[0, 0], claimed[1], rtol=1e-3)
    assert claimed[0] > 50 * size
    assert np.linalg.norm(end.W - weights.W) < 1e-3
    kept = value("mode_kept", **given)
    assert claimed[0] ** 2 - claimed[1] ** 2 == pytest.approx(kept, rel=1e-3)
    ends = [value(f"mode_{x}", t=escape, **given) for x in "uv"]
    assert np.mean(ends) == pytest.approx(1)
    pair = {"sigma": strengths[0], "x": left[:, :1], "y": right[:1].T}
    pair["P^r"] = (left[:, 1:] * strengths[1:]) @ right[1:]
    np.testing.assert_allclose(numbers(T20, "singular_pair", pair, {}), polynomial, atol=1e-12)


# Low rank.


def test_the_core_of_a_flat_start_is_what_it_remembers():
    rng = np.random.default_rng(9)
    weights = random_weights(9, 2, 1, 0.9, seed=10)
    left, right = (np.linalg.qr(rng.standard_normal((9, 3)))[0] for _ in range(2))
    flat = 1.4 * left @ right.T
    values = {"U": weights.U, "V": weights.V, "X": left, "Y": right, "s_W": 1.4}
    for lag in (1, 2, 4):
        power = np.linalg.matrix_power(flat, lag)
        for name, found in (("core_driven", power @ weights.U), ("core_read", weights.V @ power)):
            np.testing.assert_allclose(numbers(T20, name, values, {k: lag}), found, atol=1e-12)


def test_a_start_of_low_rank_climbs_as_claimed_to_all_orders():
    """Tasks of size 1/sqrt(nu): far from lazy, and the error falls like 1/nu."""
    gain, u, v = 0.8, 1.1, 0.8
    errors = []
    for nu in (100.0, 400.0):
        given = {"g": gain, "u": u, "v": v, "nu": nu}
        size = 3 / np.sqrt(nu)
        time = brentq(lambda t, x=given, s=size: value("low_rank_climb", tau=t, **x) - s, 0, 1)
        claimed = value("low_rank_W_squared", tau=time, **given) ** 0.5
        weights = typical([gain, gain * np.sqrt(nu - 1)], 3, u, v)
        found = change_of_W(weights, 1, size, 40.0)[1] ** 0.5
        errors.append(found / claimed - 1)
        lazy = size * u * v / value("typical_kernel", k=1, **given)
        assert claimed < 0.8 * lazy
        share = {"s_W": gain * np.sqrt(nu), "p_0": u**2 / nu, "q_0": v**2 / nu, "tau": time}
        overlap = value("core_overlap", **share) * share["s_W"]
        assert overlap + u**2 * v**2 * time == pytest.approx(size)
        step = 1e-3 * nu
        rise = [value("low_rank_climb", tau=time, **given | {"nu": nu + x}) for x in (step, -step)]
        slope = value("low_rank_slope", tau=time, **given)
        assert (rise[0] - rise[1]) / (2 * step) == pytest.approx(slope, rel=1e-4)
    assert abs(errors[0]) < 0.05
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
