"""T5 against its formula in high precision, in every case that is easily got wrong."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy import Network, Task, solve
from richlazy.errors import AssumptionError
from richlazy.two_layer.riccati import Balanced, imbalance

BOUND = 1e-11
TIMES = (1e-3, 1.0, 30.0)


def rotation(size, columns, rng):
    """Orthonormal columns, to the working precision of mpmath."""
    return mp.qr(mp.matrix(rng.standard_normal((size, columns)).tolist()), mode="skinny")[0]


def balanced_start(d, h, m, rank, level, scale, rng):
    """W1, W2 of the given rank and lambda, exact in mpmath."""
    hidden, right, left = rotation(h, rank, rng), rotation(d, rank, rng), rotation(m, rank, rng)
    small = [mp.mpf(scale) * mp.mpf(v) for v in rng.uniform(0.3, 1.5, rank)]
    large = [mp.sqrt(v * v + abs(mp.mpf(level))) for v in small]
    a, b = (small, large) if level >= 0 else (large, small)
    return hidden * mp.diag(a) * right.T, left * mp.diag(b) * hidden.T


def floats(matrix):
    return np.array(matrix.tolist(), dtype=float)


def exact(w1, w2, level, cov, t):
    """Q Q'(t) by T5's formula as it stands; needs digits for exp(2 kappa t)."""
    m, d, h = cov.rows, cov.cols, w1.rows
    f, q = mp.zeros(d + m), mp.zeros(d + m, h)
    for i in range(d):
        f[i, i] = -mp.mpf(level) / 2
    for i in range(m):
        f[d + i, d + i] = mp.mpf(level) / 2
        for j in range(d):
            f[d + i, j] = f[j, d + i] = cov[i, j]
    q[:d, :], q[d:, :] = w1.T, w2
    x, vectors = mp.eigsy(f)
    rows, t = vectors.T * q, mp.mpf(t)
    inside, grown = mp.eye(h), mp.zeros(d + m, h)
    for k in range(d + m):
        zero = abs(x[k]) < mp.mpf(10) ** (15 - mp.mp.dps)
        inside += (t if zero else mp.expm1(2 * x[k] * t) / (2 * x[k])) * (rows[k, :].T * rows[k, :])
        grown[k, :] = mp.exp(x[k] * t) * rows[k, :]
    half = vectors * grown
    return half * inside**-1 * half.T


def second_moment(balanced, t):
    """Q Q'(t) of the library."""
    first, readout = balanced.factors(np.array([float(t)]))
    basis_in, basis_out = balanced.bases
    q = np.concatenate([basis_in @ first[0], basis_out @ readout[0]])
    return q @ q.T


def error(w1, w2, level, cov, t):
    found = second_moment(Balanced(floats(w1), floats(w2), floats(cov)), t)
    want = exact(w1, w2, level, cov, t)
    gap = mp.matrix(found.tolist()) - want
    return float(mp.norm(gap, 2) / mp.norm(want, 2))


def digits(cov, level, t):
    return int(40 + 0.9 * t * (2 * np.linalg.norm(cov) + abs(level)))


def check(d, h, m, rank, level, scale, cov, rng, times=TIMES, bound=BOUND):
    for t in times:
        with mp.workdps(digits(cov, level, t)):
            w1, w2 = balanced_start(d, h, m, rank, level, scale, rng)
            assert error(w1, w2, level, mp.matrix(cov.tolist()), t) < bound, (level, scale, t)


LEVELS = [0.0, 1e-8, -1e-8, 1e-6, -1e-6, 1e-4, -1e-4, 0.5, -0.5, 40.0, -40.0]
SHAPES = [(3, 2, 3, 2), (3, 5, 3, 3), (4, 4, 4, 4), (5, 3, 2, 2), (2, 6, 5, 2), (1, 1, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", LEVELS)
def test_any_shape_and_lambda(shape, level):
    d, h, m, rank = shape
    rng = np.random.default_rng(d + 10 * h + 100 * m)
    check(d, h, m, rank, level, 0.7, 0.4 * rng.standard_normal((m, d)), rng)


@pytest.mark.parametrize("shape", [(7, 2, 2), (2, 2, 7), (9, 3, 1), (1, 3, 9), (6, 4, 3)])
@pytest.mark.parametrize("level", [0.0, 1e-6, 0.5, -0.5])
def test_aligned_starts_of_any_difference_of_inputs_and_outputs(shape, level):
    d, h, m = shape
    rng = np.random.default_rng(d * h * m)
    p = min(d, h, m)
    strengths = np.linspace(1.0, 0.3, p)
    for t in TIMES:
        with mp.workdps(digits(strengths, level, t)):
            hidden, right, left = (rotation(k, p, rng) for k in (h, d, m))
            small = [mp.mpf(v) for v in rng.uniform(-0.7, 0.7, p)]
            large = [mp.sqrt(v * v + abs(mp.mpf(level))) for v in small]
            a, b = (small, large) if level >= 0 else (large, small)
            w1, w2 = hidden * mp.diag(a) * right.T, left * mp.diag(b) * hidden.T
            cov = left * mp.diag([mp.mpf(v) for v in strengths]) * right.T
            assert error(w1, w2, level, cov, t) < BOUND


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 30.0])
@pytest.mark.parametrize("level", [0.0, 1e-8, -1e-4, 0.5, -0.5])
def test_small_and_large_starts(scale, level):
    rng = np.random.default_rng(3)
    check(4, 5, 3, 3, level, scale, rng.standard_normal((3, 4)), rng)


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("level", [0.0, -1e-6, 0.3, -0.3])
def test_a_start_of_low_rank_of_eight(rank, level):
    rng = np.random.default_rng(rank)
    cov = 0.3 * rng.standard_normal((8, 8))
    check(8, 8, 8, rank, level, 0.5, cov, rng, times=(1.0, 20.0))


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.5, -0.5])
@pytest.mark.parametrize("strengths", [(1.0, 1.0, 1.0), (1.0, 0.5, 0.0), (2.0, 2.0, 0.0)])
def test_repeated_and_zero_singular_values_of_the_task(level, strengths):
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.standard_normal((k, 3)))[0] for k in (3, 5))
    cov = (left * strengths) @ right.T
    for rank in (2, 3):
        check(5, 4, 3, rank, level, 0.6, cov, rng)


@pytest.mark.parametrize("level", [120.0, -120.0])
def test_growth_beyond_overflow(level):
    rng = np.random.default_rng(7)
    cov = rng.standard_normal((2, 3))
    assert 0.5 * abs(level) * 15.0 > 709.0  # exp of it is infinite
    check(3, 3, 2, 2, level, 0.5, cov, rng, times=(15.0,))


@pytest.mark.parametrize(("scale", "t"), [(30.0, 1e3), (30.0, 1e4), (1e3, 1e4), (1e3, 1e6)])
def test_large_layers_late(scale, t):
    """kappa - |lambda|/2 decides when modes are learned: as a difference it has few digits."""
    rng = np.random.default_rng(0)
    first, cov = scale * np.eye(3, 5), rng.standard_normal((2, 5))
    with mp.workdps(80):
        matrices = (mp.matrix(x.tolist()) for x in (first, np.zeros((2, 3)), cov))
        w1, w2, task = matrices
        assert error(w1, w2, -(mp.mpf(scale) ** 2), task, t) < BOUND
        late = second_moment(Balanced(first, np.zeros((2, 3)), cov), t)[5:, :5]
        want = floats(exact(w1, w2, -(mp.mpf(scale) ** 2), task, t))[5:, :5]
    np.testing.assert_allclose(late, want, rtol=0, atol=BOUND * np.abs(want).max())


SADDLE = np.array([[2.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize(
    "w2", [[[3, 4], [4, -3]], [[0, 5], [5, 0]], [[-5, 0], [0, 5]]], ids=["turned", "swap", "signs"]
)
@pytest.mark.parametrize("t", [1.0, 30.0, 300.0])
def test_negative_determinant_ends_at_a_saddle(w2, t):
    first, readout = np.array([[3.0, 4.0], [-4.0, 3.0]]) / 8, np.array(w2, dtype=float) / 8
    assert np.linalg.det(readout @ first) * np.linalg.det(SADDLE) < 0
    with mp.workdps(digits(SADDLE, 0, t)):
        assert error(*(mp.matrix(w.tolist()) for w in (first, readout)), 0,
                     mp.matrix(SADDLE.tolist()), t) < BOUND  # fmt: skip
    balanced = Balanced(first, readout, SADDLE)
    assert balanced.learned == 1
    final, early = second_moment(balanced, np.inf), second_moment(balanced, 300.0)
    assert np.linalg.matrix_rank(final, tol=1e-10) == 1
    np.testing.assert_allclose(final, early, atol=1e-12)
    solution = solve(Network(first, readout), Task(SADDLE), method="riccati")
    assert any("comes to rest" in words for words in solution.assumptions)
    np.testing.assert_allclose(solution.loss(np.inf), 0.5 * np.linalg.svd(SADDLE)[1][1] ** 2)


@pytest.mark.parametrize("a0", [0.0, 0.3, -0.3, 2.0, -1e-5])
@pytest.mark.parametrize("angle", [0.0, 0.4, 0.5 * np.pi, 2.8, np.pi])
@pytest.mark.parametrize("size", [0.0, 0.2, 3.0])
def test_a_single_neuron(a0, angle, size):
    beta = np.array([[1.25, 0.0]])
    w0 = size * np.array([[np.cos(angle), np.sin(angle)]])
    if angle in (0.0, 0.5 * np.pi, np.pi):
        w0 = np.rint(w0 / max(size, 1e-300)) * size
    w0 = np.array([[0.1, 0.0]]) if not np.any(w0) and a0 == 0.0 else w0
    level = a0 * a0 - float(np.sum(w0**2))
    for t in (0.3, 4.0, 25.0):
        with mp.workdps(digits(beta, level, t)):
            first, readout, cov = (mp.matrix(x.tolist()) for x in (w0, np.array([[a0]]), beta))
            lam = readout[0, 0] ** 2 - (first * first.T)[0, 0]
            assert error(first, readout, lam, cov, t) < BOUND


def test_the_branch_that_one_published_closed_form_misses():
    """delta < 0 and 2 nu + delta > sqrt(delta^2 + 4 |beta|^2), nu = w.beta/a."""
    beta, a0, w0 = np.array([[1.0, 0.0]]), 0.1, np.array([[0.9, 0.2]])
    delta, nu = a0**2 - float(np.sum(w0**2)), float(w0[0, 0] * beta[0, 0] / a0)
    assert delta < 0
    assert 2 * nu + delta > np.sqrt(delta**2 + 4.0)
    for t in TIMES:
        with mp.workdps(digits(beta, delta, t)):
            first, readout, cov = (mp.matrix(x.tolist()) for x in (w0, np.array([[a0]]), beta))
            lam = readout[0, 0] ** 2 - (first * first.T)[0, 0]
            assert error(first, readout, lam, cov, t) < BOUND


@pytest.mark.parametrize("level", [0.0, 0.5, -0.5])
def test_infinite_time_is_the_limit(level):
    rng = np.random.default_rng(11)
    left, right = (np.linalg.qr(rng.standard_normal((k, 3)))[0] for k in (4, 5))
    cov = (left * [3.0, 2.0, 1.0]) @ right.T
    with mp.workdps(30):
        w1, w2 = (floats(w) for w in balanced_start(5, 4, 4, 2, level, 0.5, rng))
    balanced = Balanced(w1, w2, cov)
    late, final = (second_moment(balanced, t) for t in (400.0 / (1 - level), np.inf))
    np.testing.assert_allclose(final, late, atol=1e-11)
    np.testing.assert_allclose(
        second_moment(balanced, 1e4), final, atol=2e-11 + 1e-4 * (level == 0)
    )
    assert balanced.learned == 2


def test_a_rank_cut_inside_equal_strengths_takes_the_part_that_the_start_sees():
    rng = np.random.default_rng(13)
    left, right = (np.linalg.qr(rng.standard_normal((k, 3)))[0] for k in (3, 6))
    rows = np.linalg.qr(rng.standard_normal((6, 2)))[0]
    final = second_moment(Balanced(0.8 * rows.T, np.zeros((3, 2)), left @ right.T), np.inf)
    seen = np.linalg.svd(right.T @ rows)[0][:, :2]
    kappa = np.hypot(1.0, 0.32)
    want = (kappa + 0.32) * (right @ seen) @ (right @ seen).T
    np.testing.assert_allclose(final[:6, :6], want, atol=1e-12)


def test_silent_hidden_units_belong_to_no_solution():
    rng = np.random.default_rng(17)
    with mp.workdps(30):
        w1, w2 = (floats(w) for w in balanced_start(4, 3, 3, 3, -0.7, 0.5, rng))
    cov = rng.standard_normal((3, 4))
    turn = np.linalg.qr(rng.standard_normal((9, 9)))[0][:, :3]
    for t in (2.0, 60.0, np.inf):
        alone = second_moment(Balanced(w1, w2, cov), t)
        among = second_moment(Balanced(turn @ w1, w2 @ turn.T, cov), t)
        np.testing.assert_allclose(among, alone, atol=1e-13)


def test_units_of_more_than_one_rounding_are_silent_too():
    """A restart from computed weights: a unit of 1e-14 balances nothing, and stays out."""
    rng = np.random.default_rng(19)
    rows, turn = (
        np.linalg.qr(rng.standard_normal((4, 3)))[0],
        np.linalg.qr(rng.standard_normal((4, 4)))[0],
    )
    first = turn[:, :3] @ rows.T + 1e-14 * np.outer(turn[:, 3], rows[:, 0])
    balanced = Balanced(first, np.zeros((2, 4)), rng.standard_normal((2, 4)))
    assert (balanced.rank, balanced.level) == (3, pytest.approx(-1.0, rel=1e-13))


def test_zero_weights_stay_zero():
    balanced = Balanced(np.zeros((3, 4)), np.zeros((2, 3)), np.ones((2, 4)))
    assert (balanced.rank, balanced.learned, balanced.level) == (0, 0, 0.0)
    for t in (0.0, 1.0, np.inf):
        assert not np.any(second_moment(balanced, t))


def test_an_unbalanced_start_is_refused_with_its_size():
    first, readout = np.diag([1.0, 2.0]), np.zeros((2, 2))
    with pytest.raises(AssumptionError, match=r"differs from -2\.5 I by 2\.12"):
        Balanced(first, readout, np.eye(2))
    level, gap = imbalance(first, readout)
    assert (level, gap) == (-2.5, pytest.approx(1.5 * np.sqrt(2)))


def test_lambda_keeps_its_digits_where_the_layers_are_large():
    level, _ = imbalance(np.array([[1e8]]), np.array([[1e8 + 1.0]]))
    assert level == 2e8 + 1.0
    level, _ = imbalance(np.array([[1e3 + 2.0**-40]]), np.array([[1e3]]))
    assert level == float(Fraction(1e3) ** 2 - Fraction(1e3 + 2.0**-40) ** 2)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(*(st.integers(1, 5) for _ in range(3))),
    level=st.sampled_from([0.0, 1e-12, -1e-12, 1e-3, -1e-3, 1.0, -1.0, 300.0, -300.0]),
    exponent=st.floats(-8, 3),
    strengths=st.lists(st.sampled_from([0.0, 1e-9, 0.5, 1.0, 1.0, 3.0]), min_size=5, max_size=5),
    t=st.one_of(st.just(np.inf), st.floats(0, 1e300), st.floats(0, 50)),
)
def test_positive_finite_and_restartable(seed, shape, level, exponent, strengths, t):
    """No NaN and no warning; Q Q' stays positive; a run may be cut and gone on with."""
    d, h, m = shape
    rng = np.random.default_rng(seed)
    p, rank = min(m, d), min(d, h, m)
    left, right = (np.linalg.qr(rng.standard_normal((k, p)))[0] for k in (m, d))
    cov = (left * strengths[:p]) @ right.T
    cov = cov if np.any(cov) else np.ones((m, d))
    with mp.workdps(25):
        w1, w2 = (floats(w) for w in balanced_start(d, h, m, rank, level, 10.0**exponent, rng))
    balanced = Balanced(w1, w2, cov)
    whole = second_moment(balanced, t)
    assert np.all(np.isfinite(whole))
    size = np.linalg.norm(whole, 2)
    assert np.linalg.eigvalsh(whole)[0] >= -1e-12 * size
    start = second_moment(balanced, 0.0)
    np.testing.assert_allclose(
        start, np.block([[w1.T @ w1, w1.T @ w2.T], [w2 @ w1, w2 @ w2.T]]),
        atol=1e-12 * np.linalg.norm(start),
    )  # fmt: skip
    cut = 0.3
    if cut < t <= 5.0 and exponent > -2 and abs(level) < 10:
        first, readout = balanced.factors(np.array([cut]))
        basis_in, basis_out = balanced.bases
        later = Balanced((basis_in @ first[0]).T, basis_out @ readout[0], cov)
        np.testing.assert_allclose(second_moment(later, t - cut), whole, atol=1e-7 * max(size, 1.0))


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e160, 1e200])
def test_weights_whose_squares_leave_float64_are_refused(size):
    with pytest.raises(AssumptionError, match=r"the largest weight must lie in .* rescale"):
        imbalance(size * np.eye(2), size * np.eye(2))
    level, gap = imbalance(np.eye(2) * 1e-140, 2e-140 * np.eye(2))
    assert level == pytest.approx(3e-280, rel=1e-15)
    assert gap == 0.0
