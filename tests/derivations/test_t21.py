"""T21 holds: target alignment and the rank of the change against integrated flows of T1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load

T6, T8, T21 = load("T6"), load("T8"), load("T21")


def test_every_step_holds():
    T21.check()


def claim(name, **values):
    return float(T21.evaluate(name, **values))


def trained(first, task, times):
    """Weights of the flow of T1 from a silent readout at ascending times."""
    (h, d), m = first.shape, len(task)

    def flow(_, state):
        w1, w2 = state[: h * d].reshape(h, d), state[h * d :].reshape(m, h)
        error = task - w2 @ w1
        return np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

    start = np.concatenate([first.ravel(), np.zeros(m * h)])
    end = (0.0, times[-1])
    run = solve_ivp(flow, end, start, "DOP853", times, rtol=1e-11, atol=1e-13)
    return [(y[: h * d].reshape(h, d), y[h * d :].reshape(m, h)) for y in run.y.T]


def alignment(w1, w2, task):
    """From its definition, index order (input, output)."""
    kernel = np.kron(w1.T @ w1, np.eye(len(task))) + np.kron(np.eye(w1.shape[1]), w2 @ w2.T)
    s = task.T.ravel()
    return s @ kernel @ s / (np.linalg.norm(kernel) * (s @ s))


def flat(r, d, h, sigma, seed):
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, r)))[0] for n in (h, d))
    return sigma / np.sqrt(r) * left @ right.T, right, rng


def ratio(change):
    """Participation ratio of a change of weights."""
    gram = change @ change.T
    return np.trace(gram) ** 2 / np.sum(gram**2)


def state(t, **values):
    names = ("active_parallel", "active_orthogonal", "active_readout")
    return dict(
        zip(("w_par", "w_perp", "a"), (T6.evaluate(n, t=t, **values) for n in names), strict=True)
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("sigma", [0.3, 1.5])
def test_one_output_in_time(seed, sigma):
    r, d, g = 2 + seed, 7, 1.3
    first, right, rng = flat(r, d, 6, sigma, seed)
    task = rng.standard_normal((1, d))
    task *= g / np.linalg.norm(task)
    c = float(np.sum((task @ right) ** 2)) / g**2
    known = {"sigma": sigma, "r": r, "d": d, "c": c, "g": g}
    times, s = np.array([0.0, 0.3, 1.0, 4.0, 400.0]), sigma / np.sqrt(r)
    along = []
    for t, (w1, w2) in zip(times, trained(first, task, times), strict=True):
        now = {"s": s, "r": r, "d": d, "g": g} | state(t, **known)
        assert claim("target_alignment", **now) == pytest.approx(alignment(w1, w2, task), rel=1e-7)
        along.append(np.sum((w1 @ task.T) ** 2) + np.sum((w2.T @ task) ** 2))
        assert claim("along_one", **now) == pytest.approx(along[-1], rel=1e-7)
        if t > 0:  # both layers change in one hidden direction
            assert ratio(w1 - first) == pytest.approx(1.0, rel=1e-7)
            assert ratio(w2) == pytest.approx(1.0, rel=1e-9)
    assert np.all(np.diff(along) > 0)
    start = claim("target_alignment_start", c=c, r=r)
    assert start == pytest.approx(alignment(first, np.zeros((1, 6)), task), rel=1e-12)
    x = s**2 / g
    half = (x + np.sqrt(x * x + 4)) / 2  # P
    end = {"P": half, "X": sigma**2 / g, "d": d}
    found = claim("final_inverse_square", **end) ** -0.5
    assert claim("rank", **end) == pytest.approx(r, rel=1e-12)
    assert found == pytest.approx(alignment(w1, w2, task), rel=1e-6)


@pytest.mark.parametrize("m", [2, 3])
def test_several_equal_outputs_at_the_end(m):
    r, d, sigma, g = 4, 6, 1.2, 0.8
    first, _, rng = flat(r, d, 5, sigma, m)
    left, right = (np.linalg.qr(rng.standard_normal((n, m)))[0] for n in (m, d))
    task = g * left @ right.T
    ((w1, w2),) = trained(first, task, np.array([600.0]))
    x = sigma**2 / r / g
    end = {"P": (x + np.sqrt(x * x + 4)) / 2, "X": sigma**2 / g, "d": d, "m": m}
    found = claim("outputs_inverse_square", **end) ** -0.5
    assert found == pytest.approx(alignment(w1, w2, task), rel=1e-6)


def test_the_rich_limit_of_any_spectrum():
    rng = np.random.default_rng(5)
    first = 1e-3 * rng.standard_normal((5, 6)) * np.linspace(0.2, 2.0, 6)
    strengths = np.array([1.5, 1.0, 0.6])
    left, right = (np.linalg.qr(rng.standard_normal((n, 3)))[0] for n in (3, 6))
    task = left @ np.diag(strengths) @ right.T
    ((w1, w2),) = trained(first, task, np.array([80.0]))
    known = {"p": strengths.sum(), "q": np.sum(strengths**2), "k_3": np.sum(strengths**3)}
    found = claim("target_alignment_rich_outputs", m=3, d=6, **known)
    assert found == pytest.approx(alignment(w1, w2, task), rel=1e-4)
    for change in (w1 - first, w2):
        assert claim("change_rank_rich", **known) == pytest.approx(ratio(change), rel=1e-2)


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("X", [1e-3, 1.0, 1e3])
def test_low_ranks_end_better_aligned(m, X):
    """The slopes are those of the claims, and negative; the rank falls where they do."""
    for P in (1.001, 1.3, 4.0, 50.0):
        at = {"X": X, "d": 40, "m": m}
        step = 1e-6 * P
        up, down = (claim("outputs_inverse_square", P=P + k * step, **at) for k in (1, -1))
        slope = claim("outputs_slope", P=P, **at)
        assert slope < 0
        assert slope == pytest.approx((up - down) / (2 * step), rel=1e-5)
        assert claim("rank_slope", P=P, X=X) < 0


def test_unequal_strengths_may_end_best_aligned_at_a_middle_rank_no_more():
    """Where the claim stops: TA at the end, four outputs, need not fall all the way."""
    strengths = np.array([1.0, 0.024, 0.0205, 0.0156])

    def end(r, d=236, square=142.83):
        s2 = square / r
        alpha = 2 * strengths**2 / (s2 + np.sqrt(s2**2 + 4 * strengths**2))
        mu, m = s2 + alpha, 4
        spare = r - m
        norm = m * (np.sum(mu**2) + spare * s2**2) + d * np.sum(alpha**2)
        norm += 2 * (np.sum(mu) + spare * s2) * np.sum(alpha)
        return np.sum(strengths**2 * (mu + alpha)) / np.sum(strengths**2) / np.sqrt(norm)

    assert end(4) > end(236) > end(80)
