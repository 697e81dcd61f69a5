"""T19 holds: modes and pairs follow the claims inside a whole network, and endless sums end."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load
from derivations.frame.lag_sums import T
from tests.derivations.recurrent_flow import Weights, flowed, numbers

T19 = load("T19")
STEPS = 4
COUNTS = np.array([1.0, 2.0, 1.0, 0.5])


def test_every_step_holds():
    T19.check()


def axes(rows, columns, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((rows, columns)))[0]


def integrated(names, letters, start, task, time):
    """The flow of one mode by its claimed rates."""

    def flow(_, state):
        values = dict(zip(letters, state, strict=True)) | task
        return [numbers(T19, name, values, {T: STEPS}) for name in names]

    return solve_ivp(flow, (0, time), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]


def test_real_modes_inside_a_network_follow_their_own_flow():
    rng = np.random.default_rng(0)
    modes, units, channels, outputs = 3, 6, 4, 3
    turn, left, right = (axes(x, modes, x) for x in (units, outputs, channels))
    start = rng.uniform(0.2, 0.9, (3, modes))
    task = rng.standard_normal((STEPS, modes))
    weights = Weights(
        turn * start[0] @ right.T, turn * start[1] @ turn.T, left * start[2] @ turn.T
    )  # fmt: skip
    whole = flowed(weights, np.array([left * x @ right.T for x in task]), 1.2, COUNTS)
    names = ("mode_rate_u", "mode_rate_a", "mode_rate_v")
    for mode in range(modes):
        given = {f"s_{lag}": x for lag, x in enumerate(task[:, mode])}
        given |= {f"w_{lag}": x for lag, x in enumerate(COUNTS)}
        end = integrated(names, "uav", start[:, mode], given, 1.2)
        found = (
            (turn.T @ whole.U @ right)[mode],
            (turn.T @ whole.W @ turn)[mode],
            (left.T @ whole.V @ turn)[mode],
        )
        for row, x in zip(found, end, strict=True):
            np.testing.assert_allclose(row, x * (np.arange(modes) == mode), atol=1e-8)
        kept = [
            float(T19.evaluate("mode_conserved", u=x[0], v=x[2])) for x in (start[:, mode], end)
        ]  # fmt: skip
        assert kept[0] == pytest.approx(kept[1], abs=1e-9)


def block(number):
    return np.array([[number.real, -number.imag], [number.imag, number.real]])


def test_complex_pairs_inside_a_network_follow_their_own_flow():
    rng = np.random.default_rng(1)
    turn = axes(5, 2, 2)
    start = rng.uniform(0.3, 0.9, 3) * np.exp(1j * rng.uniform(-2, 2, 3))
    task = rng.standard_normal(STEPS) + 1j * rng.standard_normal(STEPS)
    weights = Weights(
        turn @ block(start[0]), turn @ block(start[1]) @ turn.T, block(start[2]) @ turn.T
    )
    whole = flowed(weights, np.array([block(x) for x in task]), 1.0, COUNTS)
    given = {f"s^c_{lag}": x for lag, x in enumerate(task)}
    given |= {f"w_{lag}": x for lag, x in enumerate(COUNTS)}
    names = ("pair_rate_x", "pair_rate_z", "pair_rate_y")
    end = integrated(names, "xzy", start, given, 1.0)
    assert np.min(abs(end - start)) > 0.01
    np.testing.assert_allclose(turn.T @ whole.U, block(end[0]), atol=1e-8)
    np.testing.assert_allclose(turn.T @ whole.W @ turn, block(end[1]), atol=1e-8)
    np.testing.assert_allclose(whole.V @ turn, block(end[2]), atol=1e-8)
    squares = [abs(x[0]) ** 2 - abs(x[2]) ** 2 for x in (start, end)]
    assert squares[0] == pytest.approx(squares[1], abs=1e-9)
    values = dict(zip("xzy", end, strict=True)) | given
    assert abs(numbers(T19, "pair_balance", values, {T: STEPS})) < 1e-12
    assert abs(numbers(T19, "pair_rate_x", values, {T: STEPS})) > 0.01


@pytest.mark.parametrize("a", [0.0, 0.7, -0.95, 0.4])
@pytest.mark.parametrize("decay", [0.4, -0.6])
def test_geometric_sums_against_their_terms(a, decay):
    u, v, s = (mpmath.mpf(x) for x in ("0.8", "-0.5", "1.3"))
    a, decay = mpmath.mpf(a), mpmath.mpf(decay)
    given = {"u": u, "v": v, "a": a, "s": s, "lambda": decay}

    def gap(lag):
        return s * decay**lag - u * v * a**lag

    with mpmath.workdps(50):
        for steps in (0, 1, 2, 7):
            expected = mpmath.fsum(gap(lag) ** 2 / 2 for lag in range(steps))
            assert abs(T19.evaluate("geometric_loss_to_T", T=steps, **given) - expected) < 1e-45
        sums = {
            "geometric_loss": lambda lag: gap(lag) ** 2 / 2,
            "geometric_rate_u": lambda lag: gap(lag) * v * a**lag,
            "geometric_rate_v": lambda lag: gap(lag) * u * a**lag,
            "geometric_rate_a": lambda lag: gap(lag) * u * v * lag * a ** max(lag - 1, 0),
        }
        for name, term in sums.items():
            expected = mpmath.fsum(term(lag) for lag in range(3000))
            assert abs(T19.evaluate(name, **given) - expected) < 1e-40


def test_the_best_loss_is_the_least_and_falls_towards_the_decay_of_the_task():
    given = {"s": 1.3, "lambda": 0.6}
    for a in (-0.9, 0.0, 0.59, 0.61, 0.95):
        best = float(T19.evaluate("best_strength", a=a, **given))
        least = float(T19.evaluate("best_loss", a=a, **given))
        for product in (best, best + 0.01, best - 0.01):
            loss = float(T19.evaluate("geometric_loss", u=product, v=1, a=a, **given))
            assert loss == pytest.approx(least, rel=1e-12) if product == best else loss > least
        assert (T19.evaluate("best_loss_slope", a=a, **given) > 0) == (a > 0.6)
