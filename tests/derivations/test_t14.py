"""T14 holds: modes move in proportion, groups are modes, and random tasks scatter as claimed."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load

T14 = load("T14")
TIMES = np.array([0.3, 1.0, 4.0])


def test_every_step_holds():
    T14.check()


def flowed(values, task):
    """Readouts and errors (times, modes) of a diagonal start, from the flow of T1."""
    size = len(values)

    def flow(_, state):
        weights, readout = state[:-size].reshape(size, size), state[-size:]
        error = task - readout @ weights
        return np.concatenate([np.outer(readout, error).ravel(), weights @ error])

    start = np.concatenate([np.diag(values).ravel(), np.zeros(size)])
    solved = solve_ivp(
        flow, (0, TIMES[-1]), start, method="DOP853", t_eval=TIMES, rtol=1e-12, atol=1e-14
    )
    weights, readouts = solved.y.T[:, :-size].reshape(-1, size, size), solved.y.T[:, -size:]
    return readouts, task - np.einsum("ti,tij->tj", readouts, weights)


SPECTRUM = np.array([1.6, 1.1, 1.1, 1.1, 0.4, 0.4, 0.0, 0.0])
GROUPS = (slice(0, 1), slice(1, 4), slice(4, 6), slice(6, 8))


@pytest.fixture(scope="module")
def task():
    return np.random.default_rng(0).standard_normal(SPECTRUM.size)


def test_modes_of_equal_singular_value_move_in_proportion(task):
    for path in flowed(SPECTRUM, task):
        scaled = path / task
        for group in GROUPS:
            spread = np.ptp(scaled[:, group], axis=1)
            np.testing.assert_allclose(spread, 0.0, atol=1e-9)
        distinct = scaled[:, [0, 1, 4, 6]]
        assert np.min(np.abs(np.diff(distinct, axis=1))[-1]) > 1e-3


def test_a_group_is_one_mode_with_the_root_of_its_summed_squares(task):
    lengths = np.array([np.linalg.norm(task[group]) for group in GROUPS])
    small = flowed(SPECTRUM[[0, 1, 4, 6]], lengths)
    for path, small_path in zip(flowed(SPECTRUM, task), small, strict=True):
        found = np.array([[np.linalg.norm(row[group]) for group in GROUPS] for row in path])
        np.testing.assert_allclose(found, np.abs(small_path), atol=1e-9)


def sphere_mean(function, d):
    """Mean over the circle or the sphere of a function of the shares."""
    half = mpmath.pi / 2
    if d == 2:
        return mpmath.quad(
            lambda x: function([mpmath.cos(x) ** 2, mpmath.sin(x) ** 2]), [0, half]
        ) / half  # fmt: skip

    def over(z, x):
        across = 1 - z**2
        return function([across * mpmath.cos(x) ** 2, across * mpmath.sin(x) ** 2, z**2])

    return mpmath.quad(over, [0, 1], [0, half]) / half


@pytest.mark.parametrize("weights", [(1.5, 0.2), (1.5, 0.2, 0.9), (0.3, 0.3, 0.3), (0, 0, 2.0)])
def test_moments_of_weighted_sums_by_quadrature(weights):
    d = len(weights)
    with mpmath.workdps(20):
        f = [mpmath.mpf(x) for x in weights]

        def total(shares):
            return mpmath.fdot(f, shares)

        given = {"d": d, "F1": mpmath.fsum(f), "F2": mpmath.fsum(x * x for x in f)}
        mean = sphere_mean(total, d)
        variance = sphere_mean(lambda x: (total(x) - mean) ** 2, d)
        assert abs(T14.evaluate("mean_weighted", **given) - mean) < 1e-15
        assert abs(T14.evaluate("variance_weighted", **given) - variance) < 1e-15
        ratio = given["F1"] ** 2 / given["F2"]
        relative = T14.evaluate("relative_variance", d=d, PR=ratio)
        assert abs(relative - variance / mean**2) < 1e-15
        bound, room = (
            T14.evaluate(f"relative_variance_{x}", d=d, PR=ratio) for x in ("bound", "room")
        )
        assert relative < bound
        assert abs(bound - relative - room) < 1e-15


@pytest.mark.parametrize("d", [2, 3])
def test_correction_of_the_mean_is_exact_for_a_quadratic_function(d):
    hessian = np.random.default_rng(d).standard_normal((d, d))
    hessian = hessian + hessian.T
    with mpmath.workdps(20):

        def quadratic(x):
            return mpmath.fsum(
                float(hessian[i, j]) * x[i] * x[j] for i in range(d) for j in range(d)
            ) / 2  # fmt: skip

        gap = sphere_mean(quadratic, d) - quadratic([mpmath.mpf(1) / d] * d)
        given = {"H1": float(np.trace(hessian)), "H2": float(hessian.sum()), "d": d}
        assert abs(gap - T14.evaluate("mean_correction", **given)) < 1e-14


@pytest.mark.parametrize(("r", "d"), [(1, 7), (5, 60), (64, 65), (100, 1000)])
def test_a_flat_start_gives_the_beta_law_of_the_alignment(r, d):
    given = {"d": d, "F1": r, "F2": r}
    with mpmath.workdps(50):
        a, b = mpmath.mpf(r) / 2, mpmath.mpf(d - r) / 2
        variance = a * b / ((a + b) ** 2 * (a + b + 1))
        assert abs(T14.evaluate("mean_weighted", **given) * (a + b) / a - 1) < 1e-45
        assert abs(T14.evaluate("variance_weighted", **given) / variance - 1) < 1e-45


def test_the_typical_task_is_wrong_by_one_over_the_participation_ratio():
    """E sqrt(c) of a flat start, which the mean weight change needs, against sqrt(E c)."""
    errors, corrected = [], []
    with mpmath.workdps(40):
        for r in (10, 20, 40, 80):
            d = 5 * r
            halves = mpmath.mpf(r) / 2, mpmath.mpf(d) / 2
            exact = mpmath.gammaprod(
                [halves[0] + mpmath.mpf(1) / 2, halves[1]],
                [halves[0], halves[1] + mpmath.mpf(1) / 2],
            )
            typical = mpmath.sqrt(mpmath.mpf(r) / d)
            bend = -((mpmath.mpf(r) / d) ** mpmath.mpf("-1.5")) / 4
            correction = T14.evaluate("mean_correction", H1=r * bend, H2=r * r * bend, d=d)
            errors.append(exact / typical - 1)
            corrected.append((exact - correction) / typical - 1)
        ratios = [float(x / y) for x, y in pairwise(errors)]
        np.testing.assert_allclose(ratios, 2.0, rtol=0.03)
        ratios = [float(x / y) for x, y in pairwise(corrected)]
        np.testing.assert_allclose(ratios, 4.0, rtol=0.1)
