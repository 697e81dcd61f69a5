"""T13 holds, and its constants are those of descent with small steps."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

from derivations import load
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, d, h, m
from derivations.t13_gradient_descent import eta

T13 = load("T13")


def test_every_step_holds():
    T13.check()


class Network:
    """Two layers of unequal widths, with inputs that are not white."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.shapes = ((3, 4), (2, 3))  # W1, W2
        samples = rng.standard_normal((4, 9)) / 3
        self.cov_xx = samples @ samples.T
        self.cov_yx = rng.standard_normal((2, 4)) @ self.cov_xx
        self.start = 0.6 * rng.standard_normal(18)

    def layers(self, theta):
        return theta[:12].reshape(3, 4), theta[12:].reshape(2, 3)

    def flow(self, theta):
        first, readout = self.layers(theta)
        error = self.cov_yx - readout @ first @ self.cov_xx
        return np.concatenate([(readout.T @ error).ravel(), (error @ first.T).ravel()])

    def curvature_along(self, theta, direction):
        """H direction, which is exact as the gradient is a polynomial of degree 3."""
        step = 0.1

        def difference(width):
            there, back = theta + width * direction, theta - width * direction
            return (self.flow(back) - self.flow(there)) / (2 * width)

        return (4 * difference(step) - difference(2 * step)) / 3

    def flow_and_deviation(self, until):
        """theta(t) and delta(t), by the variational equation claimed."""

        def rates(_, state):
            theta, delta = np.split(state, 2)
            flow = self.flow(theta)
            return np.concatenate([flow, self.curvature_along(theta, flow / 2 - delta)])

        start = np.concatenate([self.start, np.zeros_like(self.start)])
        solved = solve_ivp(rates, (0, until), start, method="DOP853", rtol=1e-12, atol=1e-13)
        return np.split(solved.y[:, -1], 2)

    def descend(self, step, until):
        theta = self.start.copy()
        for _ in range(round(until / step)):
            theta = theta + step * self.flow(theta)
        return theta


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_distance_from_the_flow_is_eta_delta(seed):
    network, until = Network(seed), 2.0
    flow, delta = network.flow_and_deviation(until)
    assert np.linalg.norm(delta) > 1e-3
    steps = until / np.array([100, 200, 400, 800])
    ends = [network.descend(step, until) for step in steps]
    distances = [np.linalg.norm(end - flow) for end in ends]
    slope = np.polyfit(np.log(steps), np.log(distances), 1)[0]
    assert slope == pytest.approx(1, abs=0.05)
    left = [
        np.linalg.norm((end - flow) / step - delta) for end, step in zip(ends, steps, strict=True)
    ]
    # ... and what delta does not explain is of the next order
    np.testing.assert_allclose(np.divide(left[:-1], left[1:]), 2, rtol=0.1)
    assert left[-1] < 0.02 * np.linalg.norm(delta) + 0.01


@pytest.mark.parametrize("seed", [0, 3])
def test_richardson_is_of_second_order(seed):
    network, until = Network(seed), 1.5
    flow, _ = network.flow_and_deviation(until)
    coarse, fine, finest = (network.descend(until / n, until) for n in (200, 400, 800))
    first = np.linalg.norm(2 * fine - coarse - flow)
    second = np.linalg.norm(2 * finest - fine - flow)
    assert first / second == pytest.approx(4, rel=0.1)
    assert first < 0.1 * np.linalg.norm(fine - flow)


def numbers(name, network, step):
    """A claim about the two layers with the numbers of a network put in."""
    first, readout = network.layers(network.start)
    sizes = {size: sp.Integer(n) for size, n in ((d, 4), (h, 3), (m, 2))}
    values = {W1: first, W2: readout, Sxx: network.cov_xx, Syx: network.cov_yx}
    table = {x.xreplace(sizes): sp.ImmutableMatrix(array) for x, array in values.items()}
    claim = T13.claims[name].xreplace({**sizes, eta: sp.Float(step)}).xreplace(table)
    return np.array(claim.doit().as_explicit(), float)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_modified_matrices_are_minus_half_a_step_of_acceleration(seed):
    network = Network(seed)
    flow = network.flow(network.start)
    claimed = [numbers(f"modified_rate_{i}", network, 0.1).ravel() for i in (1, 2)]
    expected = flow + 0.05 * network.curvature_along(network.start, flow)
    np.testing.assert_allclose(np.concatenate(claimed), expected, rtol=1e-9, atol=1e-10)


def descent_of_a_mode(a, b, s, step, count):
    for _ in range(count):
        e = s - a * b
        a, b = a + step * e * b, b + step * e * a
    return a, b


@pytest.mark.parametrize(("u0", "s"), [("0.05", "1.2"), ("0.9", "1.0"), ("3", "1.1")])
def test_the_constant_of_a_balanced_mode(u0, s):
    u0, s = mpmath.mpf(u0), mpmath.mpf(s)
    with mpmath.workdps(30):
        for t in ("0.4", "1.5"):
            t = mpmath.mpf(t)
            u = s / (1 + (s / u0 - 1) * mpmath.exp(-2 * s * t))
            exact = T13.evaluate("balanced_deviation", s=s, u=u, u_0=u0)

            def deviation(count, t=t, u=u):
                step = t / count
                a, b = descent_of_a_mode(mpmath.sqrt(u0), mpmath.sqrt(u0), s, step, count)
                return (a * b - u) / step

            # Richardson: the deviation itself has an error of order eta
            assert abs(2 * deviation(2000) - deviation(1000) - exact) < 1e-5 * (1 + abs(exact))


def test_the_deviation_of_one_parameter_for_a_quartic():
    """The loss x^4/4: slope x^3, on the flow x = x_0/sqrt(1 + 2 x_0^2 t)."""
    start, t = mpmath.mpf("1.3"), mpmath.mpf(2)
    now = start / mpmath.sqrt(1 + 2 * start**2 * t)
    exact = T13.evaluate("deviation_one_parameter", f=now**3, f_0=start**3)

    def deviation(count):
        x, step = start, t / count
        for _ in range(count):
            x = x - step * x**3
        return (x - now) / step

    assert abs(2 * deviation(2000) - deviation(1000) - exact) < 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_the_imbalance_shrinks_exactly(seed):
    rng = np.random.default_rng(seed)
    a, b, s, step = (mpmath.mpf(x) for x in rng.uniform(-1, 1, 4))
    after = descent_of_a_mode(a, b, s, abs(step), 1)
    with mpmath.workdps(15):
        claimed = T13.evaluate("imbalance_after_step", a=a, b=b, s=s, eta=abs(step))
        assert abs(after[1] ** 2 - after[0] ** 2 - claimed) < 1e-13


@pytest.mark.parametrize("seed", [0, 1])
def test_the_conserved_matrix_moves_by_eta_squared(seed):
    network = Network(seed)
    first, readout = network.layers(network.start + 0.3 * network.flow(network.start))
    expected = readout.T @ readout - first @ first.T
    claimed = numbers("conserved_after_step", network, 0.3)
    np.testing.assert_allclose(claimed, expected, atol=1e-12)
