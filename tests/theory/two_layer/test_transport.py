"""The rotation of the hidden units from factors alone, against integrated weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from richlazy.errors import ConvergenceError
from richlazy.two_layer.riccati import Balanced
from richlazy.two_layer.transport import _orthonormal, transported

TIMES = np.array([0.0, 0.1, 1.0, 3.0, 10.0, np.inf])


def start(d, h, m, level, scale, rng):
    """A lambda-balanced start whose layers meet at random angles."""
    turn = [np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (d, h, m)]
    rank = min(d, h, m)
    b = np.zeros(h if level < 0 else rank)
    b[:rank] = scale * rng.uniform(0.3, 1.5, rank)
    a = np.sqrt(b * b + max(-level, 0.0))
    b = np.sqrt(b * b + max(level, 0.0))[:rank]
    first = (turn[1][:, : a.size] * a) @ turn[0][:, : a.size].T
    return first, (turn[2][:, :rank] * b) @ turn[1][:, :rank].T


def integrated(first, readout, cov, times):
    h, d = first.shape
    m = len(cov)

    def slope(_, y):
        w1, w2 = y[: h * d].reshape(h, d), y[h * d :].reshape(m, h)
        gap = cov - w2 @ w1
        return np.concatenate([(w2.T @ gap).ravel(), (gap @ w1.T).ravel()])

    run = solve_ivp(
        slope, (0, times[-1]), np.concatenate([first.ravel(), readout.ravel()]),
        method="DOP853", rtol=1e-13, atol=1e-15, t_eval=times,
    )  # fmt: skip
    return [(y[: h * d].reshape(h, d), y[h * d :].reshape(m, h)) for y in run.y.T]


CASES = [
    (6, 4, 3, -1.0, 1.0), (6, 4, 4, 0.0, 0.1), (8, 8, 8, -0.49, 0.7), (5, 3, 4, 0.5, 3.0),
    (10, 8, 5, -1.0, 10.0), (2, 5, 3, 0.2, 0.5), (4, 1, 2, 0.0, 1e-3),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_true_weights(case):
    d, h, m, level, scale = case
    rng = np.random.default_rng(int(100 * scale) + d)
    first, readout = start(d, h, m, level, scale, rng)
    cov = rng.standard_normal((m, d))
    balanced = Balanced(first, readout, cov)
    rate = np.linalg.norm(first) ** 2 + np.linalg.norm(cov)
    q, estimate = transported(
        lambda t: np.concatenate(balanced.factors(t), axis=1), TIMES, rate
    )  # fmt: skip
    basis_in, basis_out = balanced.bases
    split = basis_in.shape[1]
    for weights, (w1, w2) in zip(q, integrated(first, readout, cov, TIMES[:-1]), strict=False):
        np.testing.assert_allclose(
            balanced.hidden @ weights[:split].T @ basis_in.T, w1, atol=3e-12 * np.linalg.norm(w1)
        )
        np.testing.assert_allclose(
            basis_out @ weights[split:] @ balanced.hidden.T, w2, atol=3e-12 * np.linalg.norm(w1)
        )
    assert estimate < 3e-12
    late = transported(
        lambda t: np.concatenate(balanced.factors(t), axis=1), np.array([3e3]), rate
    )[0][0]  # fmt: skip
    np.testing.assert_allclose(q[-1], late, atol=1e-3 if level == 0 else 1e-9)


def test_a_factor_without_continuity_is_told():
    rng = np.random.default_rng(0)

    def scattered(times):
        return rng.standard_normal((times.size, 4, 2))

    with pytest.raises(ConvergenceError, match="is not resolved"):
        transported(scattered, np.array([1.0]), 1.0)


def test_a_factor_may_come_out_turned_each_time():
    """X is known up to a rotation, and at a time asked for twice it may be another."""
    rng = np.random.default_rng(2)
    balanced = Balanced(*start(6, 4, 3, -1.0, 1.0, rng), rng.standard_normal((3, 6)))

    def factor(times):
        return np.concatenate(balanced.factors(times), axis=1)

    def turned(times):
        turn = np.linalg.qr(rng.standard_normal((times.size, balanced.rank, balanced.rank)))[0]
        turn[times == 0.0] = np.eye(balanced.rank)
        return factor(times) @ turn

    want, _ = transported(factor, TIMES, 3.0)
    got, estimate = transported(turned, TIMES, 3.0)
    np.testing.assert_allclose(got, want, atol=1e-12 * np.linalg.norm(want[0]))
    assert estimate < 3e-12


def test_a_factor_of_other_weights_at_the_next_call_is_told():
    rng = np.random.default_rng(4)
    balanced = Balanced(*start(6, 4, 3, -1.0, 1.0, rng), rng.standard_normal((3, 6)))
    calls = 0

    def drifting(times):
        nonlocal calls
        calls += 1
        return (1.0 + 1e-6 * calls) * np.concatenate(balanced.factors(times), axis=1)

    with pytest.raises(ConvergenceError, match=r"known to .* of the largest alone"):
        transported(drifting, np.array([1.0, 20.0]), 3.0)


def test_weights_that_all_shrink_for_ever_are_known():
    """To 0 in the end, the largest too: beside the first weights nothing is lost."""
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    size = np.array([0.5, 0.4, 0.3])[:, None]
    balanced = Balanced(size * turn, -(size * turn).T, turn.T @ np.diag([3.0, 2.0, 1.0]) @ turn)
    times = np.array([1.0, 20.0, 240.0, 710.0, 1e4, np.inf])
    q, estimate = transported(
        lambda t: np.concatenate(balanced.factors(t), axis=1), times, 3.0
    )  # fmt: skip
    assert estimate < 1e-11
    assert np.linalg.norm(q[0]) > 0.05
    np.testing.assert_allclose(q[1:], 0.0, atol=1e-8)
    np.testing.assert_array_equal(q[-2:], 0.0)


def test_weights_that_shrink_for_ever_lose_nothing():
    """A start orthogonal to its task but for one direction: the rest stays or decays."""
    first, readout = np.diag([0.5, 0.4]), np.diag([0.5, -0.4])
    balanced = Balanced(first, readout, np.diag([1.0, 0.8]))
    q, estimate = transported(
        lambda t: np.concatenate(balanced.factors(t), axis=1), np.array([200.0, np.inf]), 1.0
    )
    assert estimate < 1e-11
    np.testing.assert_allclose(q[0], q[1], atol=1e-12)


def test_directions_lost_to_rounding_are_told():
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    balanced = Balanced(1e-12 * np.eye(3), 1e-12 * turn, np.diag([3.0, 2.0, 1.0]))
    with pytest.raises(ConvergenceError, match="rounding has taken"):
        transported(lambda t: np.concatenate(balanced.factors(t), axis=1), np.array([np.inf]), 3.0)


def test_a_rotation_known_to_small_errors_is_made_one_to_rounding(rotation):
    rng = np.random.default_rng(0)
    exact = rotation(5, rng)
    near = exact + 1e-8 * rng.standard_normal((5, 5))
    found = _orthonormal(near)
    np.testing.assert_allclose(found.T @ found, np.eye(5), rtol=0.0, atol=5e-15)
    np.testing.assert_allclose(found, exact, rtol=0.0, atol=1e-7)
    far = exact + 1e-3
    assert _orthonormal(far) is far
