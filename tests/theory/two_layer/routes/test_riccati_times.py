"""T5 at many times: between nodes, against each time asked for alone, to the stated accuracy."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy import Network, Task, solve
from richlazy.errors import AssumptionError
from richlazy.integration.interpolation import FEW
from richlazy.two_layer.riccati import Balanced

NUMBER = r"([\d.]+e[+-]\d+)"
STATED = re.compile(
    rf"function to {NUMBER} relative, the loss to {NUMBER} of itself(?: or {NUMBER})?;"
)


def stated(solution):
    """Relative error of alignments and of the loss, and absolute one of lost losses."""
    found = STATED.search(solution.accuracy)
    assert found is not None, solution.accuracy
    return tuple(float(x or 0.0) for x in found.groups())


def balanced(d, h, m, level, scale, strengths, seed, rank=None):
    """A lambda-balanced start at random angles with a task of given strengths."""
    rng = np.random.default_rng(seed)
    rank = min(d, h, m) if rank is None else rank
    turn, right, left = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (h, d, m))
    small = scale * rng.uniform(0.3, 1.5, rank)
    large = np.sqrt(small**2 + abs(level))
    a, b = (small, large) if level >= 0 else (large, small)
    start = Network(
        (turn[:, :rank] * a) @ right[:, :rank].T, (left[:, :rank] * b) @ turn[:, :rank].T
    )
    u, v = (np.linalg.qr(rng.standard_normal((k, len(strengths))))[0] for k in (m, d))
    return start, Task((u * strengths) @ v.T)


def check(start, task, times, some=23, seed=0):
    """Answers at all times are those of a solution asked for one time only."""
    solution = solve(start, task, "riccati")
    ra, ka = solution.representation_alignment(times), solution.kernel_alignment(times)
    loss = solution.loss(times)
    relative, of_loss, floor = stated(solution)
    picked = np.random.default_rng(seed).choice(times.size, min(some, times.size), replace=False)
    for i in picked:
        alone, t = solve(start, task, "riccati"), times.flat[i]
        want = [float(x(t)) for x in (alone.representation_alignment, alone.kernel_alignment)]
        own = stated(alone)
        for got, value in zip((ra.flat[i], ka.flat[i]), want, strict=True):
            assert abs(got - value) <= (relative + own[0]) * value, (t, got, value)
        value = float(alone.loss(t))
        allowed = max((of_loss + own[1]) * value, floor + own[2])
        assert abs(loss.flat[i] - value) <= allowed, (t, loss.flat[i], value)
    return solution


LINEAR = np.linspace(0.0, 10.0, 1000)
DECADES = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 1000), [np.inf]])
CASES = {
    "lambda = 0": (5, 4, 3, 0.0, 0.7, (1.0, 0.6, 0.2)),
    "lambda of rounding": (5, 4, 3, 1e-15, 0.7, (1.0, 0.6, 0.2)),
    "lambda > 0": (6, 6, 6, 0.8, 0.5, (2.0, 1.5, 1.0, 0.7, 0.5, 0.3)),
    "lambda < 0": (6, 6, 6, -0.8, 0.5, (2.0, 1.5, 1.0, 0.7, 0.5, 0.3)),
    "large lambda": (4, 4, 4, 300.0, 1.0, (2.0, 1.0, 0.5, 0.2)),
    "zero singular values": (6, 5, 4, -0.3, 0.6, (1.0, 0.4)),
    "repeated strengths": (6, 5, 4, 0.2, 0.6, (1.0, 1.0, 1.0, 0.5)),
    "wildly spread strengths": (5, 5, 5, -0.1, 0.4, (1.0, 1e-4, 1e-8)),
    "small": (4, 4, 4, 0.0, 1e-4, (2.0, 1.0, 0.5, 0.2)),
    "tiny": (3, 3, 3, 0.0, 1e-20, (2.0, 1.0, 0.5)),
    "large": (4, 4, 4, -1.0, 30.0, (2.0, 1.0, 0.5, 0.2)),
    "low rank": (8, 6, 4, -0.3, 0.5, (1.0, 0.8, 0.5, 0.2)),
    "one of everything": (1, 1, 1, 0.2, 0.3, (1.0,)),
}


@pytest.mark.parametrize("times", [LINEAR, DECADES], ids=["linear", "decades"])
@pytest.mark.parametrize("case", CASES)
def test_every_measure_to_the_stated_accuracy(case, times):
    start, task = balanced(*CASES[case], seed=len(case), rank=2 if case == "low rank" else None)
    solution = check(start, task, times)
    if times is LINEAR:
        assert stated(solution)[0] < 1e-9


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(*(st.integers(1, 5) for _ in range(3))),
    level=st.sampled_from([0.0, 1e-9, -1e-3, 0.5, -0.5, 40.0, -40.0]),
    scale=st.floats(-6, 1).map(lambda x: 10.0**x),
    strengths=st.lists(st.sampled_from([0.0, 1e-8, 0.5, 1.0, 1.0, 3.0]), min_size=5, max_size=5),
    decades=st.tuples(st.floats(-12, 3), st.floats(0.1, 12)),
)
def test_any_balanced_start_at_any_times(seed, shape, level, scale, strengths, decades):
    d, h, m = shape
    strengths = strengths[: min(d, m)]
    strengths[0] = strengths[0] or 1.0
    start, task = balanced(d, h, m, level, scale, strengths, seed)
    low, width = decades
    times = 10.0 ** np.random.default_rng(seed).uniform(low, low + width, 400)
    try:
        solve(start, task, "riccati")
    except AssumptionError:
        return
    check(start, task, times, some=6, seed=seed)


def test_order_repeats_and_shape_of_times_do_not_matter():
    start, task = balanced(*CASES["lambda < 0"], seed=3)
    rng = np.random.default_rng(0)
    mixed = rng.permutation(np.repeat(LINEAR, 2)).reshape(50, 40)
    want = solve(start, task, "riccati").kernel_alignment(LINEAR)
    got = solve(start, task, "riccati").kernel_alignment(mixed)
    assert got.shape == mixed.shape
    assert np.array_equal(got, want[np.searchsorted(LINEAR, mixed)])
    with pytest.raises(ValueError, match="must not be empty"):
        solve(start, task, "riccati").loss(np.array([]))


def test_the_ends_are_exact():
    start, task = balanced(*CASES["repeated strengths"], seed=4)
    many, one = (solve(start, task, "riccati") for _ in range(2))
    ends = [0.0, np.inf]
    for name in ("loss", "representation_alignment", "kernel_alignment"):
        got = getattr(many, name)(np.concatenate([LINEAR, [np.inf]]))[[0, -1]]
        np.testing.assert_allclose(got, getattr(one, name)(ends), rtol=4e-15, atol=0)


def test_threads_get_what_each_gets_alone():
    start, task = balanced(*CASES["lambda > 0"], seed=5)
    shared, asked = solve(start, task, "riccati"), [LINEAR, LINEAR[:3], DECADES, LINEAR + 0.1] * 4
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(shared.kernel_alignment, asked))
    for times, values in zip(asked, got, strict=True):
        assert np.array_equal(values, solve(start, task, "riccati").kernel_alignment(times))


def test_few_times_are_known_better_than_many():
    start, task = balanced(*CASES["lambda < 0"], seed=6)
    few, many = (solve(start, task, "riccati") for _ in range(2))
    few.kernel_alignment(LINEAR[:FEW])
    many.kernel_alignment(LINEAR[: FEW + 1])
    assert stated(few)[0] < 1e-12 < stated(many)[0]


def second_moments(first, readout):
    q = np.concatenate([first, readout], axis=1)
    return q @ q.mT


@pytest.mark.parametrize("case", CASES)
def test_quick_factors_are_off_by_rounding_and_what_they_say_they_lost(case):
    start, task = balanced(*CASES[case], seed=7)
    found = Balanced(start.first, start.readout, task.cov_yx)
    times = np.concatenate([[0.0], np.geomspace(1e-8, 1e6, 57)])
    *quick, lost = found.quick_factors(times)
    got, want = second_moments(*quick), second_moments(*found.factors(times))
    gap = np.linalg.norm(got - want, axis=(1, 2)) / np.linalg.norm(want, axis=(1, 2))
    assert np.all(gap <= 1e-14 * lost)
    assert np.all((lost >= 1.0 - 1e-12) & (lost <= 1e3))


@pytest.mark.parametrize("overlap", [1e-3, 1e-5, 1e-7])
def test_a_gram_matrix_that_would_lose_digits_is_not_taken(overlap):
    """The fastest mode is hardly touched, by a unit that the next one touches well."""
    right = np.linalg.qr([[1.0, 0.0], [0.0, 1.0], [overlap, 1.0]])[0]
    first, task = 0.7 * np.eye(3)[1:], np.diag([1.0, 0.999]) @ right.T
    found, times = Balanced(first, np.zeros((2, 2)), task), np.geomspace(1e-2, 1e3, 60)
    *quick, lost = found.quick_factors(times)
    got, want = second_moments(*quick), second_moments(*found.factors(times))
    gap = np.linalg.norm(got - want, axis=(1, 2)) / np.linalg.norm(want, axis=(1, 2))
    assert np.all(gap <= 1e-14 * lost)
    assert np.any(gap == 0.0)  # `factors` itself
    check(Network(first), Task(task), np.linspace(0.0, 60.0, 700))
