"""Where library and derivations meet: T1 at 50 digits, on weights that the library hands out."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, W_star, d, h, m
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.descent import descend
from richlazy.two_layer.solve import solve
from tests.theory.against_derivations.matrix_claims import evaluated, furthest

CLAIMS = load("T1").claims
SIZES = [(1, 1, 1), (2, 5, 3), (5, 2, 3), (4, 4, 1)]  # inputs, hidden units, outputs
SCALES = [1e-3, 1.0, 30.0]


def drawn(sizes, scale):
    """A network, a task and what T1 calls its numbers; the inputs are not white."""
    n_in, hidden, outputs = sizes
    rng = np.random.default_rng([*sizes, int(1e3 * scale)])
    first = scale * rng.standard_normal((hidden, n_in))
    readout = scale * rng.standard_normal((outputs, hidden))
    x = rng.standard_normal((3 * n_in, n_in))
    best, cov_xx = rng.standard_normal((outputs, n_in)), x.T @ x / len(x)
    task = Task.teacher(best, cov_xx)
    values = {
        W1: first,
        W2: readout,
        W_star: best,
        Sxx: task.cov_xx,
        Syx: task.cov_yx,
        d: n_in,
        h: hidden,
        m: outputs,
    }
    return Network(first, readout), task, values


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sizes", SIZES)
def test_what_is_conserved(agreement, sizes, scale):
    start, _, values = drawn(sizes, scale)
    with mpmath.workdps(50):
        size = np.sum(start.first**2) + np.sum(start.readout**2)
        error = furthest(start.conserved, evaluated(CLAIMS["conserved"], values), size)
    assert agreement("T1 conserved", error) < 1e-14


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sizes", SIZES)
def test_representation_readout_and_loss_of_later_weights(agreement, sizes, scale):
    start, task, values = drawn(sizes, scale)
    solution = solve(start, task)
    for t in (0.0, 0.3 / scale**2):
        state = solution.at(t)
        with mpmath.workdps(50):
            values |= {W1: state.first(), W2: state.readout}
            for name in ("representation", "readout"):
                wanted = evaluated(CLAIMS[name], values)
                error = furthest(getattr(solution, name)(t), wanted)
                assert agreement(f"T1 {name}", error) < 1e-13
            # both squares of a loss that falls to nothing are known to rounding
            size = float(solution.loss(0.0) + 0.5 * np.sum(task.whitened**2))
            error = furthest(solution.loss(t), evaluated(CLAIMS["loss"], values), size)
        assert agreement("T1 loss", error) < 1e-13


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sizes", SIZES)
def test_one_step_of_descent_follows_the_flow(agreement, sizes, scale):
    start, task, values = drawn(sizes, scale)
    step = 0.01 / max(1.0, scale**2)
    run = descend(
        start.first[None], start.readout[None], task.cov_yx[None],
        step=step, steps=1, record=[1], cov_xx=task.cov_xx,
    )  # fmt: skip
    with mpmath.workdps(50):
        for name, before, after in (
            ("flow_1", start.first, run.first[0]),
            ("flow_2", start.readout, run.readout[0]),
        ):
            slope = mpmath.mpf(step) * evaluated(CLAIMS[name], values)
            error = furthest(after, mpmath.matrix(before.tolist()) + slope)
            assert agreement(f"T1 {name}", error) < 1e-14
