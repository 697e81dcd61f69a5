"""T6 holds, and its claims are what the full flow of W1 and W2 does."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load

T6 = load("T6")
TIMES = (0.0, 0.3, 1.7, 5.0)


def test_every_step_holds():
    T6.check()


def start_and_task(d, h, r, c, sigma, g, rng):
    """W1(0) with r equal singular values, and a task with a share c inside its row space."""
    left = np.linalg.qr(rng.standard_normal((h, r)))[0]
    right = np.linalg.qr(rng.standard_normal((d, r)))[0]
    inside = right @ rng.standard_normal(r)
    outside = rng.standard_normal(d)
    outside -= right @ (right.T @ outside)
    beta = np.sqrt(c) * inside / np.linalg.norm(inside)
    if c < 1:
        beta = beta + np.sqrt(1 - c) * outside / np.linalg.norm(outside)
    return sigma / np.sqrt(r) * left @ right.T, g * beta


def integrated(first, beta, times):
    """The flow of T1 for one output and white inputs, all of W1 and W2."""
    h, d = first.shape

    def flow(_, state):
        weights, readout = state[: h * d].reshape(h, d), state[h * d :]
        error = beta - readout @ weights
        return np.concatenate([np.outer(readout, error).ravel(), weights @ error])

    start = np.concatenate([first.ravel(), np.zeros(h)])
    solved = solve_ivp(
        flow, (0, max(times)), start, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-14
    )
    return [(y[: h * d].reshape(h, d), y[h * d :]) for y in solved.y.T]


def measured(first, weights, readout, beta):
    """The measures from their definitions, on the matrices."""
    d = first.shape[1]
    moments = [first.T @ first, weights.T @ weights]
    readouts = [np.zeros((1, 1)), np.array([[readout @ readout]])]
    kernels = [
        np.kron(moment, np.eye(1)) + np.kron(np.eye(d), b)
        for moment, b in zip(moments, readouts, strict=True)
    ]

    def cosine(a, b):
        return np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b))

    return {
        "weight_change_1_squared": np.sum((weights - first) ** 2),
        "weight_change_2_squared": np.sum(readout**2),
        "weight_change_squared": np.sum((weights - first) ** 2) + np.sum(readout**2),
        "representation_trace": np.trace(moments[1]),
        "representation_alignment": cosine(*moments),
        "kernel_alignment": cosine(*kernels),
        "loss": np.sum((beta - readout @ weights) ** 2) / 2,
        "loss_positive": np.sum((beta - readout @ weights) ** 2) / 2,
    }


CASES = [  # d, h, r, c, sigma, g
    (5, 4, 2, 0.37, 1.3, 1.0),
    (4, 6, 3, 0.81, 0.4, 2.5),
    (6, 3, 1, 0.05, 2.2, 0.7),
    (3, 3, 3, 1.0, 1.0, 1.0),
    (4, 2, 2, 1.0, 0.6, 1.4),
    (4, 3, 2, 0.0, 1.1, 1.0),
]


@pytest.mark.parametrize(("d", "h", "r", "c", "sigma", "g"), CASES)
def test_claims_against_the_integrated_flow(d, h, r, c, sigma, g):
    first, beta = start_and_task(d, h, r, c, sigma, g, np.random.default_rng(d * h + r))
    for t, (weights, readout) in zip(TIMES, integrated(first, beta, TIMES), strict=True):
        values = {"d": d, "r": r, "c": c, "sigma": sigma, "g": g, "t": t}
        for name, expected in measured(first, weights, readout, beta).items():
            claimed = float(T6.evaluate(name, **values))
            assert claimed == pytest.approx(expected, rel=1e-9, abs=1e-11), (name, t)


def test_trajectory_against_a_taylor_series_integrator():
    sigma, r, c, g, t = (mpmath.mpf(x) for x in ("1.7", "3", "0.3", "1.2", "1.5"))
    with mpmath.workdps(30):
        s = sigma / mpmath.sqrt(r)
        path = mpmath.odefun(
            lambda _, q: [q[2] * (g - q[2] * q[0]), -(q[2] ** 2) * q[1],
                          g * q[0] - q[2] * (q[0] ** 2 + q[1] ** 2)],
            0, [s * mpmath.sqrt(c), s * mpmath.sqrt(1 - c), mpmath.mpf(0)],
        )(t)  # fmt: skip
        names = ("active_parallel", "active_orthogonal", "active_readout")
        for name, expected in zip(names, path, strict=True):
            claimed = T6.evaluate(name, sigma=sigma, r=r, c=c, g=g, t=t)
            assert abs(claimed - expected) < mpmath.mpf("1e-25")


EXTREMES = [
    {"sigma": sigma, "r": r, "c": c, "g": g}
    for sigma, r, c, g in (
        ("1e-6", 1, "0.5", 1),
        ("1e-3", 7, "1e-9", "0.01"),
        ("1", 3, "1", "1"),
        ("40", 5, "0.2", "3"),
        ("1e4", 100, "0.999999", "1"),
    )
]
FINITE = ("weight_change_1_squared", "weight_change_2_squared", "weight_change_squared",
          "representation_alignment", "kernel_alignment")  # fmt: skip


def relative(left, right):
    return abs(left - right) / max(abs(left), abs(right), mpmath.mpf("1e-300"))


@pytest.mark.parametrize("values", EXTREMES)
def test_final_claims_are_the_limit_of_the_finite_ones(values):
    values = {name: mpmath.mpf(x) for name, x in values.items()} | {"d": mpmath.mpf(120)}
    with mpmath.workdps(60):
        slowest = T6.evaluate("slow_rate", **values)
        values["t"] = 200 * (1 + abs(mpmath.log(values["c"])) + mpmath.log(1 + 1e8)) / slowest
        for name in FINITE:
            finite = T6.evaluate(name, digits=400, **values)
            limit = T6.evaluate(f"{name}_final", digits=400, **values)
            assert relative(finite, limit) < mpmath.mpf("1e-40"), name


@pytest.mark.parametrize("t", ["1e-8", "0.1", "3", "200"])
@pytest.mark.parametrize("values", EXTREMES)
def test_forms_without_cancellation_agree_with_the_plain_ones(values, t):
    values = {name: mpmath.mpf(x) for name, x in values.items()} | {"t": mpmath.mpf(t)}

    def claim(name):
        return T6.evaluate(name, digits=400, **values)

    with mpmath.workdps(400):
        parallel, orthogonal, readout = (
            claim(f"active_{name}") for name in ("parallel", "orthogonal", "readout")
        )
        growth, squared = claim("growth_parallel"), claim("denominator")
        across = claim("growth_orthogonal")
        pairs = {
            "denominator_integral": squared,
            "denominator_positive": squared,
            "residual_parallel": values["g"] - readout * parallel,
            "residual_orthogonal": readout * orthogonal,
            "loss_positive": claim("loss"),
            "growth_gap": growth - across,
            "parallel_gap": growth**2 - squared,
            "orthogonal_gap": (squared - across**2) / values["c"],
            "parallel_change": parallel - claim("start_parallel"),
            "orthogonal_change": orthogonal - claim("start_orthogonal"),
            "active_norm_squared": parallel**2 + orthogonal**2,
            "active_readout_squared": readout**2,
            "slow_rate": claim("growth_rate") - claim("start_singular_value") ** 2 / 2,
            "mu_minus_s_stable": claim("mu") - claim("start_singular_value"),
            "alpha_stable": claim("alpha"),
            "weight_change_1_squared_final_stable": claim("weight_change_1_squared_final"),
        }
        for name, plain in pairs.items():
            if max(abs(claim(name)), abs(plain)) > mpmath.mpf("1e-200"):
                assert relative(claim(name), plain) < mpmath.mpf("1e-100"), name


@pytest.mark.parametrize("t", ["1e-6", "0.2", "2"])
def test_series_of_the_orthogonal_gap(t):
    values = {"sigma": 1.5, "r": 2, "g": 0.8}
    with mpmath.workdps(60):
        time = T6.evaluate("scaled_time", **values, t=mpmath.mpf(t))
        terms = [
            T6.evaluate(f"orthogonal_gap_{parity}", **values, k=k) * time ** (2 * k + shift)
            for parity, shift in (("odd", 1), ("even", 2))
            for k in range(1, 40)
        ]
        assert min(terms) >= 0
        closed = T6.evaluate("orthogonal_gap", digits=60, **values, t=mpmath.mpf(t))
        assert relative(sum(terms), closed) < mpmath.mpf("1e-30")
