"""T1 holds, and says what a finite difference and an integrator of the loss say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import approx_fprime

from derivations import load
from derivations.frame.matrix_words import entries
from derivations.t01_gradient_flow import SIZES, W1, W2, Sxx, Syx, W_star, d, h, m
from tests.derivations.deep_flow import DeepFlow


def test_every_step_holds():
    load("T1").check()


def numbers(name, values, sizes):
    """A claim of T1 with numeric matrices put in."""
    expression = entries(load("T1").claims[name], sizes)
    table = {
        f"{symbol}[{i},{j}]": float(x)
        for symbol, array in values.items()
        for (i, j), x in np.ndenumerate(array)
    }
    return np.array(expression.subs(table), dtype=float)


def random_network(sizes, seed):
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((4, sizes[d]))
    best = rng.standard_normal((sizes[m], sizes[d]))
    white = samples.T @ samples / 4
    return {
        W1: rng.standard_normal((sizes[h], sizes[d])),
        W2: rng.standard_normal((sizes[m], sizes[h])),
        W_star: best,
        Sxx: white,
        Syx: best @ white,
    }


@pytest.mark.parametrize("sizes", SIZES)
def test_flow_is_minus_the_gradient_by_finite_differences(sizes):
    values = random_network(sizes, seed=1)
    factor = np.linalg.cholesky(values[Sxx])
    cut = sizes[h] * sizes[d]

    def loss(theta):
        first = theta[:cut].reshape(sizes[h], sizes[d])
        second = theta[cut:].reshape(sizes[m], sizes[h])
        return 0.5 * np.sum(((values[W_star] - second @ first) @ factor) ** 2)

    theta = np.concatenate([values[W1].ravel(), values[W2].ravel()])
    np.testing.assert_allclose(numbers("loss", values, sizes), loss(theta), rtol=1e-12)
    flow = np.concatenate([numbers(f"flow_{i}", values, sizes).ravel() for i in (1, 2)])
    np.testing.assert_allclose(flow, -approx_fprime(theta, loss), rtol=1e-5, atol=1e-5)
    speed = numbers("path_speed_squared", values, sizes)
    np.testing.assert_allclose(speed, flow @ flow, rtol=1e-12)


@pytest.mark.parametrize("widths", [(3, 2, 2), (2, 4, 3, 1), (3, 3, 2, 4, 2)])
def test_conserved_along_an_integrated_flow_of_any_depth(widths):
    rng = np.random.default_rng(2)
    flow = DeepFlow(widths, rng.standard_normal((widths[-1], widths[0])))
    start = 0.7 * rng.standard_normal(flow.ends[-1])
    end = solve_ivp(flow, (0, 3), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    assert np.linalg.norm(end - start) > 0.1

    def conserved(lower, upper):
        sizes = {h: lower.shape[0], d: lower.shape[1], m: upper.shape[0]}
        return numbers("conserved", {W1: lower, W2: upper}, sizes)

    for i in range(len(flow.shapes) - 1):
        before, after = (conserved(*flow.layers(state)[i : i + 2]) for state in (start, end))
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-9)
