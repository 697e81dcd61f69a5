"""T4 holds, and its claims are what layers of matrices and integrators of the flow give."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load
from tests.derivations.deep_flow import DeepFlow

T4 = load("T4")


def test_every_step_holds():
    T4.check()


def numbers(**values):
    return {name: mpmath.mpf(x) for name, x in values.items()}


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
@pytest.mark.parametrize("start", [0.1, 2.5])
def test_claims_against_integrated_layers(layers, start):
    """All weights of a network with matrices of unequal widths, its layers aligned."""
    rng = np.random.default_rng(layers)
    s, until = 1.3, 1.1
    widths = [*rng.integers(2, 5, layers), 3]
    directions = [x / np.linalg.norm(x) for x in map(rng.standard_normal, widths)]
    task = s * np.outer(directions[-1], directions[0])
    flow = DeepFlow(widths, task)
    first = np.concatenate(
        [
            start ** (1 / layers) * np.outer(directions[i + 1], directions[i]).ravel()
            for i in range(layers)
        ]
    )
    end = solve_ivp(flow, (0, until), first, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    learned = flow.product(end)
    u = directions[-1] @ learned @ directions[0]
    np.testing.assert_allclose(learned, u * np.outer(directions[-1], directions[0]), atol=1e-10)
    values = {"L": layers, "s": s, "u": u, "u_0": start}
    moved = float(T4.evaluate("weight_change_squared", **values))
    np.testing.assert_allclose(moved, np.sum((end - first) ** 2), rtol=1e-8)
    lost = 0.5 * np.sum((task - learned) ** 2)
    np.testing.assert_allclose(float(T4.evaluate("loss", **values)), lost, rtol=1e-8)
    # the speed squared is kernel x error^2
    speed = float(T4.evaluate("kernel", **values) * T4.evaluate("error", **values) ** 2)
    np.testing.assert_allclose(np.sum(flow(0, end) ** 2), speed, rtol=1e-8)
    if layers == 1:
        found = T4.evaluate("strength_one_layer", s=s, u_0=start, t=until)
        assert float(found) == pytest.approx(u, rel=1e-9)
    elif layers == 2:
        found = T4.evaluate("strength_two_layers", s=s, u_0=start, t=until)
        assert float(found) == pytest.approx(u, rel=1e-9)
        assert float(T4.evaluate("time_two_layers", **values)) == pytest.approx(until, rel=1e-8)
    if layers > 2 or (layers == 1 and start < s):
        name = "mode_time" if start < s else "mode_time_above"
        assert float(T4.evaluate(name, **values)) == pytest.approx(until, rel=1e-7)


@pytest.mark.parametrize("layers", ["1", "1.4", "3", "7.5", "100"])
@pytest.mark.parametrize(("u0", "u"), [("1e-8", "0.01"), ("0.2", "1.2"), ("1", "1.4999999999")])
def test_the_time_is_the_integral_of_dt(layers, u0, u):
    values = numbers(L=layers, s="1.5", u_0=u0, u=u)
    with mpmath.workdps(30):
        # in log(u/(s - u)) the integrand is smooth
        low, high = (mpmath.log(x / (values["s"] - x)) for x in (values["u_0"], values["u"]))

        def density(z):
            here = values["s"] / (1 + mpmath.exp(-z))
            slope = here * (values["s"] - here) / values["s"]
            return slope / T4.evaluate("rate", digits=40, L=values["L"], s=values["s"], u=here)

        nodes = [low + (high - low) * i / 6 for i in range(7)]
        expected = mpmath.quad(density, nodes)
        found = T4.evaluate("mode_time", **values)
        assert abs(found / expected - 1) < 1e-18


@pytest.mark.parametrize("layers", ["1.4", "3", "40"])
@pytest.mark.parametrize(("u0", "u"), [("1e6", "2"), ("1.7", "1.500001")])
def test_above_the_task_it_is_the_real_part_of_the_same_map(layers, u0, u):
    values = numbers(L=layers, s="1.5", u_0=u0, u=u)
    with mpmath.workdps(50):
        gamma = T4.evaluate("time_exponent", **values)

        def map_of(y):
            series = mpmath.hyp2f1(gamma, 1, gamma + 1, y)
            return mpmath.re(y**gamma / gamma * series)

        y, y0 = values["u"] / values["s"], values["u_0"] / values["s"]
        plain = values["s"] ** (gamma - 1) / values["L"] * (map_of(y) - map_of(y0))
        assert abs(T4.evaluate("mode_time_above", **values) / plain - 1) < 1e-35


@pytest.mark.parametrize(("u0", "u"), [("0.01", "0.4"), ("0.7", "1.4")])
def test_two_layers_and_infinite_depth_are_limits(u0, u):
    base = numbers(s="1.5", u_0=u0, u=u)
    for near in ("1e-6", "1e-9"):
        distance = mpmath.mpf(near)
        around = [T4.evaluate("mode_time", **base, L=2 + side * distance) for side in (-1, 1)]
        assert abs(sum(around) / 2 / T4.evaluate("time_two_layers", **base) - 1) < 100 * distance**2
        depth = 1 / distance
        deep = {**base, "L": depth}
        for found, limit in (
            (depth * T4.evaluate("mode_time", digits=80, **deep), "depth_time_infinite_depth"),
            (
                depth * T4.evaluate("weight_change_squared", **deep),
                "weight_change_squared_infinite_depth",
            ),
            (T4.evaluate("kernel", **deep) / depth, "kernel_infinite_depth"),
            (T4.evaluate("rate", **deep) / depth, "rate_infinite_depth"),
        ):
            assert abs(found / T4.evaluate(limit, **base) - 1) < 100 * distance


def test_a_deeper_mode_waits_longer():
    """From a small start the plateau lengthens with depth."""
    times = [
        T4.evaluate("mode_time", L=depth, s=1, u_0=mpmath.mpf("1e-4"), u=mpmath.mpf("0.5"))
        for depth in (1, 3, 4, 6)
    ]
    assert times == sorted(times)
