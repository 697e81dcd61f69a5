"""The laziest rank and its window in the library against the claims of T9, at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import laziest

T6, T9 = load("T6"), load("T9")
STRENGTHS = [(1.0, 0.05), (1.0, 0.5, 0.2, 0.0), (2.0, 0.0)]


def sums(strengths, r, norm):
    b = [T6.evaluate("alpha", sigma=norm, r=r, g=x) ** 2 for x in strengths if x]
    return {"m": len(strengths), "n": len(b), "b_1": sum(b), "b_2": sum(x**2 for x in b)}


def evaluate(name, strengths, r, d, norm):
    with mpmath.workdps(50):
        r, norm = int(r), float(norm)
        return T9.evaluate(name, sigma=norm, r=r, d=d, **sums(strengths, r, norm))


@pytest.mark.parametrize("d", [150, 10**4, 10**6])
@pytest.mark.parametrize("strengths", STRENGTHS)
def test_the_mean_and_that_no_rank_near_by_is_better(agreement, strengths, d):
    norms = np.geomspace(0.1, 10 * d**0.625, 12)
    found = laziest.rank(d, strengths=strengths, norm=norms)
    for norm, r, ka, full in zip(norms, *found, strict=True):
        for value, rank in ((ka, r), (full, d)):
            wanted = evaluate("mean_kernel_alignment_outputs", strengths, rank, d, norm)
            assert agreement("T9 mean KA of outputs", abs(value / wanted - 1)) < 1e-13
        least = evaluate("mean_kernel_deficit_outputs", strengths, r, d, norm)
        for other in (r - 1, r + 1, d):
            if len(strengths) <= other <= d and other != r:
                assert evaluate("mean_kernel_deficit_outputs", strengths, other, d, norm) > least


@pytest.mark.parametrize("d", [600, 10**6])
@pytest.mark.parametrize("strengths", STRENGTHS)
def test_the_ends_of_the_window(strengths, d):
    # at the upper end ranks d - 1 and d tie, whose deficits differ by about 1/d of themselves
    low, high = laziest.window(d, strengths=strengths)
    for inside, outside in (
        (low * (1 + 1e-14), low * (1 - 1e-14)),
        (high * (1 - 1e-15 * d), high * (1 + 1e-15 * d)),
    ):
        r = laziest.rank(d, strengths=strengths, norm=inside).rank
        wins = [
            evaluate("mean_kernel_deficit_outputs", strengths, r, d, norm)
            < evaluate("mean_kernel_deficit_outputs", strengths, d, d, norm)
            for norm in (outside, inside)
        ]
        assert wins == [False, True]


@pytest.mark.parametrize("strengths", STRENGTHS)
def test_the_ends_are_those_of_many_inputs(strengths):
    g = np.array(strengths)
    values = {"m": g.size, "n": int(np.count_nonzero(g))}
    values |= {f"G_{k}": float(np.sum(g**k)) for k in (1, 2, 4)}
    even = T9.evaluate("strength_evenness", **values)
    high_name = "window_high_scale" if even > 0.6 else "window_high_scale_uneven"
    errors = []
    for d in (10**3, 10**5, 10**7):
        found = np.array(laziest.window(d, strengths=strengths)) ** 2
        claims = [T9.evaluate(x, d=d, **values) for x in ("window_low_scale", high_name)]
        errors.append(np.abs(found / np.array(claims, dtype=float) - 1))
    errors = np.array(errors)
    # the next order is 1/sqrt(d); at the lower end the rank is whole, the claim's is real
    assert np.all(errors[1:, 1] < 0.2 * errors[:-1, 1])
    assert np.all(errors[-1] < [0.02, 0.005])


def test_nearly_equal_strengths_close_the_window():
    gaps = []
    for d in (10**4, 10**6):
        spread = float(mpmath.sqrt(T9.evaluate("closing_variance", m=2, d=d)))
        open_, closed = (1.02 * spread, 0.92 * spread)
        assert laziest.window(d, strengths=[1 + open_, 1 - open_]) is not None
        assert laziest.window(d, strengths=[1 + closed, 1 - closed]) is None
        for _ in range(8):
            middle = 0.5 * (open_ + closed)
            window = laziest.window(d, strengths=[1 + middle, 1 - middle])
            open_, closed = (open_, middle) if window is None else (middle, closed)
        gaps.append(abs(open_ / spread - 1))
    assert gaps[1] < 0.5 * gaps[0] < 0.03
