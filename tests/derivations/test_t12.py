"""T12 holds, and its claims are what the integrated flow on one task after another does."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

from derivations import load
from derivations.t01_gradient_flow import W1, W2, Syx, d, h, m
from derivations.t12_sequences import BEST, INPUTS, MAP

T12 = load("T12")
SIZES = {d: 4, h: 3, m: 2}


def test_every_step_holds():
    T12.check()


def numbers(name, values, sizes):
    """A claim with numeric matrices and scalars put in."""
    sized = {size: sp.Integer(n) for size, n in sizes.items()}
    table = {
        x.xreplace(sized): sp.ImmutableMatrix(v) if np.ndim(v) else sp.Float(v)
        for x, v in values.items()
    }
    value = T12.claims[name].xreplace(sized).xreplace(table).doit()
    return np.array(value.as_explicit() if value.is_Matrix else value, float)


class Flow:
    """The flow of T1, all of W1 (3, 4) and W2 (2, 3), and the length of the path."""

    def __init__(self, seed, white):
        self.rng = np.random.default_rng(seed)
        self.white = white
        self.tasks = [self.task() for _ in range(2)]

    def task(self):
        samples = self.rng.standard_normal((4, 12)) / np.sqrt(12)
        cov_xx = np.eye(4) if self.white else samples @ samples.T
        return 0.8 * self.rng.standard_normal((2, 4)), cov_xx

    def split(self, state):
        return state[:12].reshape(3, 4), state[12:18].reshape(2, 3)

    def rates(self, state, task):
        best, cov_xx = task
        first, readout = self.split(state)
        error = (best - readout @ first) @ cov_xx
        weights = np.concatenate([(readout.T @ error).ravel(), (error @ first.T).ravel()])
        return np.append(weights, np.linalg.norm(weights))

    def train(self, state, task, until):
        return solve_ivp(
            lambda _, now: self.rates(now, task),
            (0, until),
            np.append(state[:18], 0.0),
            method="DOP853",
            rtol=1e-11,
            atol=1e-13,
        ).y[:, -1]

    def loss(self, state, task):
        best, cov_xx = task
        first, readout = self.split(state)
        gap = best - readout @ first
        return 0.5 * np.trace(gap @ cov_xx @ gap.T)

    def imbalance(self, state):
        first, readout = self.split(state)
        return readout.T @ readout - first @ first.T


@pytest.mark.parametrize("seed", range(3))
def test_imbalance_survives_two_tasks_with_different_inputs(seed):
    flow = Flow(seed, white=False)
    state = 0.7 * flow.rng.standard_normal(18)
    before = flow.imbalance(state)
    for task in flow.tasks:
        state = flow.train(state, task, 3.0)
        np.testing.assert_allclose(flow.imbalance(state), before, atol=1e-9)


@pytest.mark.parametrize("lam", [-1.3, 0.0])
def test_the_lifted_flow_is_that_of_a_balanced_network_in_every_stage(lam):
    """Q' = F Q - Q Q'Q/2, integrated over two tasks, from lambda-balanced weights."""
    flow = Flow(5, white=True)
    # W1 with W1 W1' = W2'W2 - lambda I, which must not be negative
    readout = 0.5 * flow.rng.standard_normal((2, 3))
    gram = readout.T @ readout - lam * np.eye(3)
    size, basis = np.linalg.eigh(gram)
    rows = np.linalg.qr(flow.rng.standard_normal((4, 3)))[0]
    first = basis @ np.diag(np.sqrt(np.maximum(size, 0))) @ rows.T
    state = np.concatenate([first.ravel(), readout.ravel()])
    np.testing.assert_allclose(flow.imbalance(state), lam * np.eye(3), atol=1e-12)
    lifted = np.vstack([first.T, readout])
    for best, cov_xx in flow.tasks:
        state = flow.train(state, (best, cov_xx), 2.0)
        growth = np.block([[-lam / 2 * np.eye(4), best.T], [best, lam / 2 * np.eye(2)]])

        first, readout = lifted[:4].T, lifted[4:]
        values = {W1: first, W2: readout, Syx: best, sp.Symbol("lambda", real=True): lam}
        claimed = [numbers(f"lifted_rate_{name}", values, SIZES) for name in ("first", "second")]

        def rates(_, q, growth=growth):
            q = q.reshape(6, 3)
            return (growth @ q - 0.5 * q @ q.T @ q).ravel()

        np.testing.assert_allclose(np.vstack(claimed).ravel(), rates(0, lifted.ravel()), atol=1e-12)

        end = solve_ivp(rates, (0, 2.0), lifted.ravel(), method="DOP853", rtol=1e-11, atol=1e-13)
        lifted = end.y[:, -1].reshape(6, 3)
        first, readout = flow.split(state)
        np.testing.assert_allclose(lifted, np.vstack([first.T, readout]), atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_path_length_lies_between_the_weight_change_and_the_bound(seed):
    flow = Flow(seed, white=False)
    start = 0.7 * flow.rng.standard_normal(18)
    for task in flow.tasks:
        end = flow.train(start, task, 2.5)
        moved = np.linalg.norm(end[:18] - start[:18])
        drop = flow.loss(start, task) - flow.loss(end, task)
        bound = T12.evaluate("path_bound_squared", t=2.5, L_0=drop + 1, L_t=1)
        assert moved < end[18] < float(mpmath.sqrt(bound))
        start = end


@pytest.mark.parametrize("seed", range(3))
def test_forgetting_is_the_integral_of_the_interference(seed):
    flow = Flow(seed, white=False)
    a, b = flow.tasks
    after_a = flow.train(0.7 * flow.rng.standard_normal(18), a, 4.0)

    def rates(_, state):
        first, readout = flow.split(state[:18])
        error_a, error_b = ((best - readout @ first) @ cov_xx for best, cov_xx in (a, b))
        interference = -np.trace(error_a.T @ readout @ readout.T @ error_b) - np.trace(
            error_a @ first.T @ first @ error_b.T
        )
        return np.append(flow.rates(state[:18], b)[:18], interference)

    first, readout = flow.split(after_a)
    values = {W1: first, W2: readout}
    for task, (best, cov_xx) in zip("AB", flow.tasks, strict=True):
        values |= {BEST[task]: best, INPUTS[task]: cov_xx}
    claimed = numbers("loss_rate_of_A_during_B", values, SIZES)
    start = np.append(after_a[:18], 0.0)
    assert rates(0, start)[18] == pytest.approx(float(claimed), rel=1e-10)
    end = solve_ivp(rates, (0, 3.0), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    forgotten = flow.loss(end, a) - flow.loss(after_a, a)
    assert abs(forgotten) > 0.01
    assert end[18] == pytest.approx(forgotten, rel=1e-8)
    maps = [np.matmul(*flow.split(state)[::-1]) for state in (after_a, end)]
    values |= {MAP["A"]: maps[0], MAP["B"]: maps[1]}
    assert float(numbers("forgetting", values, SIZES)) == pytest.approx(forgotten, rel=1e-8)


@pytest.mark.parametrize("cosine", [-1.0, 0.0, 0.6, 1.0])
def test_learned_tasks_of_one_output_forget_by_their_distance(cosine):
    strengths = np.array([1.2, 0.7])
    a, b = (
        strengths[0] * np.array([1.0, 0.0]),
        strengths[1] * np.array([cosine, np.sqrt(1 - cosine**2)]),
    )
    # after B the network is B, so the loss on A is half the squared distance
    expected = 0.5 * np.sum((a - b) ** 2)
    found = T12.evaluate("forgetting_one_output", g_A=1.2, g_B=0.7, rho=cosine)
    assert float(found) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("start", "s", "until"), [("1", "2", "0.7"), ("0.05", "1", "6"), ("3", "0.4", "1")]
)
def test_the_path_of_a_mode(start, s, until):
    start, s, until = (mpmath.mpf(x) for x in (start, s, until))
    with mpmath.workdps(25):

        def rates(_, q):
            a, b, _ = q
            error = s - a * b
            return [b * error, a * error, abs(error) * mpmath.sqrt(a**2 + b**2)]

        a, b, path = mpmath.odefun(rates, 0, [start, mpmath.mpf(0), mpmath.mpf(0)])(until)
        found = T12.evaluate("mode_path_length", a_0=start, b=b)
        assert abs(found - path) < mpmath.mpf("1e-20")
        assert abs(a**2 - b**2 - start**2) < mpmath.mpf("1e-20")
        # the speed squared there
        speed = T12.evaluate("mode_speed_squared", s=s, a=a, b=b)
        assert abs(speed - rates(0, [a, b, 0])[2] ** 2) < mpmath.mpf("1e-20")
        # at least the weight change, at most the way along both axes
        change = mpmath.sqrt((a - start) ** 2 + b**2)
        assert change <= found <= (a - start) + b


@pytest.mark.parametrize(("start", "s"), [("1", "2"), ("0.01", "1"), ("30", "0.5")])
def test_the_end_of_a_mode(start, s):
    values = {"a_0": mpmath.mpf(start), "s": mpmath.mpf(s)}
    b = T12.evaluate("mode_readout_final", digits=50, **values)
    with mpmath.workdps(50):
        assert abs(b * mpmath.sqrt(b**2 + values["a_0"] ** 2) / values["s"] - 1) < 1e-40
