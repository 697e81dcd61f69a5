"""T2 holds: the full flow of W1 and W2 keeps its modes, and each follows its own equation."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations.t02_modes import DERIVATION as T2

RATES = ("rate_first", "rate_readout")


def test_every_step_holds():
    T2.check()


def frame(rng, size, *columns):
    turned = np.linalg.qr(rng.standard_normal((size, size)))[0]
    return np.split(turned[:, : sum(columns)], np.cumsum(columns)[:-1], axis=1)


def start_in_modes(d, h, m, k, rng):
    """A start, task and inputs that share k modes, with a rest beside them, and those modes."""
    outputs, other_outputs = frame(rng, m, k, m - k)
    inputs, other_inputs = frame(rng, d, k, d - k)
    spare = h - k
    hidden, only_first, only_readout = frame(rng, h, k, spare // 2, spare - spare // 2)
    a, b = rng.standard_normal((2, k))
    s, q = rng.uniform(0, 2, k), rng.uniform(0.2, 3, k)
    first_rest = rng.standard_normal((spare // 2, d - k))
    readout_rest = rng.standard_normal((m - k, spare - spare // 2))
    root = rng.standard_normal((d - k, d - k))
    rest = only_first @ first_rest @ other_inputs.T, other_outputs @ readout_rest @ only_readout.T
    weights = hidden * a @ inputs.T + rest[0], outputs * b @ hidden.T + rest[1]
    covariance = inputs * q @ inputs.T + other_inputs @ root @ root.T @ other_inputs.T
    return (
        weights,
        outputs * s @ inputs.T,
        covariance,
        (outputs, inputs, hidden),
        rest,
        (a, b, s, q),
    )


def integrated(flow, start, t):
    return solve_ivp(flow, (0, t), start, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]


@pytest.mark.parametrize(
    ("d", "h", "m", "k"), [(1, 1, 1, 1), (4, 3, 2, 1), (3, 5, 4, 2), (5, 4, 3, 3), (6, 2, 2, 2)]
)
def test_the_full_flow_is_a_flow_of_modes(d, h, m, k):
    rng = np.random.default_rng(100 * d + 10 * h + m)
    (first, readout), task, covariance, frames, rest, modes = start_in_modes(d, h, m, k, rng)
    outputs, inputs, hidden = frames
    a, b, s, q = modes

    def full(_, state):
        w1, w2 = state[: h * d].reshape(h, d), state[h * d :].reshape(m, h)
        error = task - w2 @ w1 @ covariance
        return np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

    end = integrated(full, np.concatenate([first.ravel(), readout.ravel()]), 1.3)
    w1, w2 = end[: h * d].reshape(h, d), end[h * d :].reshape(m, h)

    def one_mode(s, q):
        return lambda _, x: [x[1] * (s - q * x[0] * x[1]), x[0] * (s - q * x[0] * x[1])]

    ends = [integrated(one_mode(s, q), [a, b], 1.3) for a, b, s, q in zip(*modes, strict=True)]
    a_end, b_end = np.transpose(ends)
    np.testing.assert_allclose(w1, hidden * a_end @ inputs.T + rest[0], atol=1e-9)
    np.testing.assert_allclose(w2, outputs * b_end @ hidden.T + rest[1], atol=1e-9)

    def total(claim, **values):
        values = {"q": q, "s": s, **values}
        return sum(
            float(T2.evaluate(claim, **dict(zip(values, row, strict=True))))
            for row in zip(*values.values(), strict=True)
        )

    moved = {"a": a_end, "b": b_end, "a_0": a, "b_0": b}
    assert total("weight_change_first_squared", **moved) == pytest.approx(np.sum((w1 - first) ** 2))
    assert total("weight_change_readout_squared", **moved) == pytest.approx(
        np.sum((w2 - readout) ** 2)
    )
    gap = outputs * (s / q) @ inputs.T - w2 @ w1
    at_end = {"a": a_end, "b": b_end}
    loss = np.trace(gap @ covariance @ gap.T) / 2
    assert total("loss", **at_end) == pytest.approx(loss)
    assert total("scaled_loss", **at_end) == pytest.approx(loss)
    speed = np.sum(full(0, end) ** 2)
    assert total("loss_rate", **at_end) == pytest.approx(-speed, abs=1e-12)
    for mode, (now, later) in enumerate(zip(np.transpose([a, b]), ends, strict=True)):
        before, after = (T2.evaluate("imbalance", a=x, b=y) for x, y in (now, later))
        assert float(after) == pytest.approx(float(before), abs=1e-9), mode


def test_the_rates_are_those_that_the_test_integrates():
    values = {"a": 0.3, "b": -1.2, "s": 0.7, "q": 2.5}
    rest = 0.7 + 2.5 * 0.36
    assert [float(T2.evaluate(name, **values)) for name in RATES] == pytest.approx(
        [-1.2 * rest, 0.3 * rest]
    )


@pytest.mark.parametrize("q", ["1e-8", "0.3", "1e6"])
@pytest.mark.parametrize("s", ["0", "2.5"])
def test_input_variance_only_rescales(q, s):
    """A mode integrated with q, and the scaled one with q = 1, by Taylor series."""
    with mpmath.workdps(30):
        q, s = mpmath.mpf(q), mpmath.mpf(s)
        start = [mpmath.mpf("0.4") / mpmath.sqrt(q), mpmath.mpf("-0.9") / mpmath.sqrt(q)]

        def rates(a, b, s, q):
            return [T2.evaluate(name, a=a, b=b, s=s, q=q) for name in RATES]

        plain = mpmath.odefun(
            lambda _, x: [x[1] * (s - q * x[0] * x[1]), x[0] * (s - q * x[0] * x[1])], 0, start
        )(1)
        scaled = mpmath.odefun(
            lambda _, x: [x[1] * (s - x[0] * x[1]), x[0] * (s - x[0] * x[1])],
            0,
            [T2.evaluate(f"scaled_{layer}", a=start[0], b=start[1], q=q)
             for layer in ("first", "readout")],
        )(1)  # fmt: skip
        values = {"a": plain[0], "b": plain[1], "s": s, "q": q}
        for value, layer in zip(scaled, ("first", "readout"), strict=True):
            assert abs(T2.evaluate(f"scaled_{layer}", **values) - value) < mpmath.mpf("1e-22")
            mapped = T2.evaluate(f"scaled_rate_{layer}", **values)
            rate = dict(zip(RATES, rates(*plain, s, q), strict=True))[f"rate_{layer}"]
            assert abs(mapped - mpmath.sqrt(q) * rate) < mpmath.mpf("1e-26")


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, "0.5"), ("1e-30", "-1e30"), ("-2", "2"), (3, 3)])
def test_identities_at_extreme_points(a, b):
    values = {"a": mpmath.mpf(a), "b": mpmath.mpf(b), "s": mpmath.mpf(2), "q": mpmath.mpf("1e-7")}

    def claim(name):
        return T2.evaluate(name, digits=150, **values)

    with mpmath.workdps(150):
        strength = claim("layer_strength")
        assert abs(claim("layer_strength_conserved") - strength) <= strength * mpmath.mpf("1e-80")
        rate = values["a"] * claim("rate_readout") + values["b"] * claim("rate_first")
        assert abs(claim("product_rate") - rate) <= abs(rate) * mpmath.mpf("1e-80")
