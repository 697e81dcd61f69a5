"""Where library and derivations meet: steps of descent against T13's claims at 50 digits."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest

from derivations import load
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, d, h, m
from derivations.t13_gradient_descent import eta
from richlazy import modes
from richlazy.two_layer.descent import descend
from tests.theory.against_derivations.matrix_claims import evaluated, furthest

T13 = load("T13")


def one_mode(a, b, s, step, steps):
    run = descend([[[a]]], [[[b]]], [[[s]]], step=step, steps=steps, record=[steps])
    return run.first.item(), run.readout.item()


@pytest.mark.parametrize("step", [2.0**-10, 0.03, 0.2])
@pytest.mark.parametrize(("a", "b", "s"), [(1e-3, 0.4, 1.0), (0.8, -0.3, 2.0), (2.0, 1.0, 0.3)])
def test_the_imbalance_after_a_step(agreement, a, b, s, step):
    after = [mpmath.mpf(x) for x in one_mode(a, b, s, step, 1)]
    wanted = T13.evaluate("imbalance_after_step", a=a, b=b, s=s, eta=step)
    with mpmath.workdps(50):
        error = abs(after[1] ** 2 - after[0] ** 2 - wanted) / (after[0] ** 2 + after[1] ** 2)
    assert agreement("T13 imbalance_after_step", error) < 1e-15


@pytest.mark.parametrize("step", [2.0**-10, 0.01, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_the_conserved_matrix_after_a_step(agreement, seed, step):
    rng = np.random.default_rng(seed)
    n_in, hidden, outputs = (int(n) for n in rng.integers(1, 5, 3))
    x = rng.standard_normal((9, n_in))
    values = {
        W1: rng.standard_normal((hidden, n_in)),
        W2: rng.standard_normal((outputs, hidden)),
        Syx: rng.standard_normal((outputs, n_in)),
        Sxx: x.T @ x / 9,
        d: n_in,
        h: hidden,
        m: outputs,
        eta: step,
    }
    run = descend(
        values[W1][None], values[W2][None], values[Syx][None],
        step=step, steps=1, record=[0], cov_xx=values[Sxx],
    )  # fmt: skip
    with mpmath.workdps(50):
        first, readout = (
            mpmath.matrix(run.first[0].tolist()),
            mpmath.matrix(run.readout[0].tolist()),
        )
        found = readout.T * readout - first * first.T
        size = np.sum(run.first**2) + np.sum(run.readout**2)
        error = furthest(found, evaluated(T13.claims["conserved_after_step"], values), size)
    assert agreement("T13 conserved_after_step", error) < 1e-15


@pytest.mark.parametrize("t", [0.3, 1.0, 3.0])
@pytest.mark.parametrize(("u0", "s"), [(0.01, 1.0), (0.3, 0.7), (2.0, 1.0)])
def test_the_constant_of_the_distance_from_the_flow(agreement, u0, s, t):
    """Of a balanced mode, extrapolated to no step from halved ones."""
    start = np.sqrt(u0)
    u = float(modes.state(start, start, s, t).product)
    distances = []
    for steps in 200 * 2 ** np.arange(5):
        a, b = one_mode(start, start, s, t / steps, int(steps))
        distances.append((a * b - u) * steps / t)
    for order in range(1, 5):
        distances = [
            (2**order * fine - coarse) / (2**order - 1) for coarse, fine in pairwise(distances)
        ]
    wanted = T13.evaluate("balanced_deviation", u=u, u_0=u0, s=s)
    error = furthest(distances[0], wanted, s)
    assert agreement("T13 balanced_deviation by extrapolation", error) < 1e-8
