"""T5 holds, and its claims are what the full flow of W1 and W2 does."""

from __future__ import annotations

import itertools
from functools import cache

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from derivations import load
from derivations.t05_lambda_balanced.symbols import F, M, P, Q, T, Z

T5 = load("T5")
TIMES = (0.0, 0.2, 0.6, 1.5)  # the formula as it stands loses digits like e^{2 kappa t}


def test_every_step_holds():
    T5.check()


@cache
def function(claim, *symbols):
    """A claim of T5, as written, as a function of arrays for these symbols."""
    return sp.lambdify(symbols, T5.formulas[claim].doit(), "numpy")


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def frame(rows, columns, rng):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def balanced(d, h, m, level, rng):
    """Random W1 and W2 with W2'W2 - W1 W1' = level I; needs h <= m, or h <= d below 0."""
    if level >= 0:
        first = 0.5 * rng.standard_normal((h, d))
        return first, frame(m, h, rng) @ root(first @ first.T + level * np.eye(h))
    readout = 0.5 * rng.standard_normal((m, h))
    return root(readout.T @ readout - level * np.eye(h)) @ frame(d, h, rng).T, readout


def integrated(first, readout, task, times):
    """The flow of T1 on white inputs, stacked into [W1'; W2]."""
    h, d = first.shape
    m = len(readout)

    def flow(_, state):
        w1, w2 = state[: h * d].reshape(h, d), state[h * d :].reshape(m, h)
        error = task - w2 @ w1
        return np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

    solved = solve_ivp(
        flow, (0, max(times)), np.concatenate([first.ravel(), readout.ravel()]),
        method="DOP853", t_eval=times, rtol=1e-12, atol=1e-14,
    )  # fmt: skip
    return [
        np.concatenate([y[: h * d].reshape(h, d).T, y[h * d :].reshape(m, h)]) for y in solved.y.T
    ]


def lift(task, level):
    """F, its eigenvalues and its eigenvectors, from the claims about one mode of the task."""
    m, d = task.shape
    left, strengths, right = np.linalg.svd(task)
    values, vectors = [], []
    for i in range(max(d, m)):
        u = left[:, i] if i < m else None
        v = right[i] if i < d else None
        if u is None:
            values.append(claim("rate_across_first", level=level))
            vectors.append(np.r_[v, np.zeros(m)])
        elif v is None:
            values.append(claim("rate_across_readout", level=level))
            vectors.append(np.r_[np.zeros(d), u])
        else:
            kappa, alpha, beta = (
                claim(name, level=level, s=strengths[i])
                for name in ("growth_rate", "growing_first", "growing_readout")
            )
            values += [kappa, -kappa]
            vectors += [np.r_[alpha * v, beta * u], np.r_[beta * v, -alpha * u]]
    half = level / 2
    matrix = np.block([[-half * np.eye(d), task.T], [task, half * np.eye(m)]])
    return matrix, np.array(values), np.array(vectors).T


def claim(name, level=None, **values):
    if level is not None:
        values["lambda"] = level
    return float(T5.evaluate(name, **values))


CASES = [(3, 2, 2, 0.7), (3, 2, 4, -0.9), (4, 2, 2, 1e-3), (2, 2, 3, 0.0), (5, 3, 1, -0.5)]


def case(d, h, m, level):
    rng = np.random.default_rng(100 * d + 10 * h + m)
    first, readout = balanced(d, h, m, level, rng)
    task = rng.standard_normal((m, d))
    assert np.allclose(readout.T @ readout - first @ first.T, level * np.eye(h), atol=1e-14)
    return first, readout, task


@pytest.mark.parametrize("sizes", CASES)
def test_solution_in_the_eigenbasis_against_the_integrated_flow(sizes):
    first, readout, task = case(*sizes)
    matrix, x, basis = lift(task, sizes[-1])
    np.testing.assert_allclose(basis.T @ basis, np.eye(len(x)), atol=1e-14)
    np.testing.assert_allclose((basis * x) @ basis.T, matrix, atol=1e-14)
    path = integrated(first, readout, task, TIMES)
    start = basis.T @ path[0]
    for t, q in list(zip(TIMES, path, strict=True))[1:]:
        growth = np.array([claim("growth", x=v or 1e-20, t=t) for v in x])
        scale = np.array([claim("scale", x=v or 1e-20, t=t) for v in x])
        grown = growth[:, None] * start
        inside = np.eye(q.shape[1]) + grown.T @ grown
        factor = (basis * scale) @ grown
        found = factor @ np.linalg.solve(inside, factor.T)
        np.testing.assert_allclose(found, q @ q.T, rtol=0, atol=1e-10)


@pytest.mark.parametrize("sizes", CASES)
def test_weights_through_the_lift_factor(sizes):
    first, readout, task = case(*sizes)
    matrix = lift(task, sizes[-1])[0]
    path = integrated(first, readout, task, TIMES)
    h = first.shape[0]
    rate = function("lift_factor_rate", T, M)

    def slope(t, state):
        lifted = expm(matrix * t) @ path[0]
        return np.asarray(rate(state.reshape(h, h), lifted.T @ lifted)).ravel()

    solved = solve_ivp(
        slope, (0, TIMES[-1]), np.eye(h).ravel(), method="DOP853", t_eval=TIMES,
        rtol=1e-11, atol=1e-14,
    )  # fmt: skip
    for t, q, factor in zip(TIMES, path, solved.y.T, strict=True):
        found = expm(matrix * t) @ path[0] @ factor.reshape(h, h)
        np.testing.assert_allclose(found, q, rtol=0, atol=1e-8)


@pytest.mark.parametrize("sizes", CASES)
def test_speed_and_the_two_rates(sizes):
    first, readout, task = case(*sizes)
    matrix = lift(task, sizes[-1])[0]
    error = task - readout @ first
    q = np.concatenate([first.T, readout])
    flow = np.concatenate([(readout.T @ error).T, error @ first.T])
    moment = q @ q.T
    np.testing.assert_allclose(function("flow", F, Q)(matrix, q), flow, atol=1e-13)
    moved = function("second_moment_rate", F, P)(matrix, moment)
    np.testing.assert_allclose(moved, flow @ q.T + q @ flow.T, atol=1e-13)
    generator = function("generator", F, P)(matrix, moment)
    np.testing.assert_allclose(generator @ q, flow, atol=1e-13)
    speed = np.trace(generator @ generator @ moment)
    assert T5.formulas["path_speed_squared"] == sp.Trace(Z * Z * P)
    assert speed == pytest.approx(np.sum(flow**2), rel=1e-12)


def polar(matrix):
    u, _, vt = np.linalg.svd(matrix)
    return u @ vt


def test_the_procrustes_step_is_of_third_order():
    first, readout, task = case(3, 2, 2, 0.7)
    matrix = lift(task, 0.7)[0]
    steps = (0.0, 0.01, 0.02, 0.04)
    start, *later = integrated(first, readout, task, steps)
    moment = start @ start.T
    generator = function("generator", F, P)(matrix, moment)
    defect = function("step_defect", P, Q, Z)(moment, start, generator)
    assert np.abs(defect).max() > 1e-3
    matrices = [q.T @ start for q in later]
    turns = [polar(each) - np.eye(2) for each in matrices]
    gram = start.T @ start
    cubes = np.array(steps[1:])[:, None, None] ** 3
    skews = np.array([each - each.T for each in matrices]) / cubes
    turned = np.array([(turn - turn.T) / 2 for turn in turns]) / cubes
    for three in (skews, turned @ gram + gram @ turned):
        extrapolated = (8 * three[0] - 6 * three[1] + three[2]) / 3  # Richardson, to eps = 0
        np.testing.assert_allclose(extrapolated, defect, rtol=1e-3, atol=1e-9)
    lengths = [np.linalg.norm(turn) for turn in turns]
    assert np.log2(lengths[1] / lengths[0]) == pytest.approx(3, abs=0.1)


NEURONS = [  # a0, w0, b0, z0, s
    (0.3, 0.5, 0.2, 0.4, 1.3),
    (-0.7, 0.2, 0.1, 0.9, 0.8),
    (0.1, 1.4, -0.3, 0.0, 2.0),
    (0.5, 0.0, 0.9, 0.0, 1.1),
]
PARTS = ("neuron_first", "neuron_across_first", "neuron_readout", "neuron_across_readout")


def neuron(a0, w0, b0, z0, s):
    level = mpmath.mpf(b0) ** 2 + mpmath.mpf(z0) ** 2 - mpmath.mpf(a0) ** 2 - mpmath.mpf(w0) ** 2
    return {"a0": a0, "w0": w0, "b0": b0, "z0": z0, "s": s, "lambda": level}


@pytest.mark.parametrize("start", NEURONS)
def test_one_neuron_against_the_integrated_flow(start):
    a0, w0, b0, z0, s = start
    first, readout = np.array([[a0, w0]]), np.array([[b0], [z0]])
    path = integrated(first, readout, np.diag([s, 0.0]), TIMES)
    for t, q in zip(TIMES, path, strict=True):
        found = [float(T5.evaluate(name, t=t, **neuron(*start))) for name in PARTS]
        np.testing.assert_allclose(found, q[:, 0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("start", NEURONS)
def test_one_neuron_ends_on_the_mode(start):
    values = neuron(*start)
    with mpmath.workdps(60):
        moments = [T5.evaluate(name, digits=60, t=600, **values) for name in PARTS]
        final = {
            "final_first_squared": moments[0] ** 2,
            "final_readout_squared": moments[2] ** 2,
            "final_map": moments[0] * moments[2],
        }
        for name, limit in final.items():
            assert abs(T5.evaluate(name, digits=60, **values) - limit) < mpmath.mpf("1e-30"), name
        assert max(abs(moments[1]), abs(moments[3])) < mpmath.mpf("1e-30")


def test_a_silent_readout_of_rank_one_is_that_of_t6():
    s6, c, g, t = mpmath.mpf("0.9"), mpmath.mpf("0.3"), mpmath.mpf("1.2"), mpmath.mpf("1.7")
    with mpmath.workdps(50):
        values = {"a0": s6 * mpmath.sqrt(c), "w0": s6 * mpmath.sqrt(1 - c), "b0": 0, "z0": 0}
        values |= {"s": g, "lambda": -(s6**2), "t": t}
        pairs = zip(PARTS, ("active_parallel", "active_orthogonal", "active_readout"), strict=False)
        for ours, theirs in pairs:
            wanted = load("T6").evaluate(theirs, sigma=s6, r=1, c=c, g=g, t=t)
            assert abs(T5.evaluate(ours, **values) - wanted) < mpmath.mpf("1e-45")


def test_t3_at_its_limits():
    # lambda -> 0: the logistic curve of a balanced mode; and s - p = (s - p0)/Delta.
    with mpmath.workdps(50):
        s, t, start = mpmath.mpf("1.4"), mpmath.mpf("0.9"), mpmath.mpf("0.2")
        values = {"a0": start, "b0": start, "w0": 0, "z0": 0, "s": s, "t": t}
        values["lambda"] = mpmath.mpf("1e-45")
        strength = T5.evaluate(PARTS[0], **values) * T5.evaluate(PARTS[2], **values)
        logistic = s / (1 + (s / start**2 - 1) * mpmath.exp(-2 * s * t))
        assert abs(strength - logistic) < mpmath.mpf("1e-40")
        values = neuron("0.3", 0, "1.1", 0, s) | {"t": t}
        left = s - T5.evaluate(PARTS[0], **values) * T5.evaluate(PARTS[2], **values)
        assert abs(left - T5.evaluate("mode_error", **values)) < mpmath.mpf("1e-45")


@pytest.mark.parametrize("level", ["-1e8", "-3", "-1e-9", "0", "1e-9", "0.4", "1e8"])
@pytest.mark.parametrize("s", ["1e-6", "0.7", "1e4"])
def test_both_forms_of_the_eigenvector(level, s):
    values = {"lambda": mpmath.mpf(level), "s": mpmath.mpf(s)}
    with mpmath.workdps(100):
        for name in ("growing_first", "growing_readout"):
            one, other = (
                T5.evaluate(form, digits=100, **values) for form in (name, f"{name}_other_form")
            )
            assert abs(one - other) < mpmath.mpf("1e-60") * abs(one)
        beyond = T5.evaluate("exponent_beyond", digits=100, **values)
        plain = T5.evaluate("growth_rate", digits=100, **values) - abs(values["lambda"]) / 2
        assert abs(beyond - plain) < mpmath.mpf("1e-60") * plain


@pytest.mark.parametrize(("x", "y"), [(2.0, 1.5), (0.7, 0.7), (0.4, 0.39), (1.0, 1e-3)])
def test_growths_after_the_pivot(x, y):
    for t in (1e-3, 1.0, 40.0):
        with mpmath.workdps(50):
            ratio = T5.evaluate("growth_ratio", x=x, y=y, t=t)
            plain = T5.evaluate("growth", x=y, t=t) / T5.evaluate("growth", x=x, t=t)
            assert abs(ratio - plain) < mpmath.mpf("1e-40") * plain


@pytest.mark.parametrize("x", [2.0, 1e-3, -0.6])
def test_one_exponent_through_growth_and_scale(x):
    for size, t in itertools.product((1e-4, 0.8, 30.0), (1e-3, 1.0, 20.0)):
        with mpmath.workdps(50):
            growth, scale = (T5.evaluate(name, x=x, t=t) ** 2 for name in ("growth", "scale"))
            plain = scale * growth * mpmath.mpf(size) ** 2 / (1 + growth * mpmath.mpf(size) ** 2)
            found = T5.evaluate("one_exponent", x=x, t=t, l=size)
            alone = T5.evaluate("rank_one", x=x, y=1.0, t=t, l=size, **{"l'": 0})
            assert abs(found - plain) < mpmath.mpf("1e-40") * plain
            assert abs(alone - plain) < mpmath.mpf("1e-40") * plain
