"""T9: the laziest rank against every rank there is, and the window against both its sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from richlazy import laziest, low_rank, several_outputs

STRENGTHS = st.lists(st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 1.0, 1.7]), min_size=1,
                     max_size=6).filter(any)  # fmt: skip


def means(d, strengths, norm, ranks):
    """E KA, ranks along the first axis."""
    found = several_outputs.expected(ranks[:, None], d, strengths=strengths, norm=norm)
    return found.mean.kernel_alignment


def all_ranks(d, strengths):
    return np.arange(np.count_nonzero(strengths), d + 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(d=st.integers(2, 300), strengths=STRENGTHS, exponent=st.floats(-2, 2))
def test_it_is_the_best_of_all_ranks(d, strengths, exponent):
    assume(np.count_nonzero(strengths) <= d)
    norm = 10.0**exponent * np.geomspace(0.1, 10, 7)
    found = laziest.rank(d, strengths=strengths, norm=norm)
    ranks = all_ranks(d, strengths)
    values = means(d, strengths, norm, ranks)
    assert np.all(found.kernel_alignment >= values.max(axis=0) - 4e-16)
    at = found.rank - ranks[0]
    assert np.array_equal(found.kernel_alignment, values[at, np.arange(norm.size)])
    assert np.array_equal(found.kernel_alignment_full, values[-1])


def test_it_is_the_best_of_all_ranks_of_many_inputs():
    d, strengths, norm = 20_000, [1.0, 0.8, 0.5], np.geomspace(3, 1000, 15)
    found = laziest.rank(d, strengths=strengths, norm=norm)
    values = means(d, strengths, norm, all_ranks(d, strengths))
    assert np.all(found.kernel_alignment >= values.max(axis=0) - 4e-16)
    assert len(set(found.rank)) > 5


@pytest.mark.parametrize("norm", [100.0, 300.0, 1000.0, 3000.0])
def test_not_one_rank_of_a_million_is_passed_over(norm):
    """Beside the best one the deficit is flat, but known to more digits than KA itself."""
    d, strengths = 10**6, np.array([1.0, 0.8, 0.5])
    found = laziest.rank(d, strengths=strengths, norm=norm)
    ranks = np.arange(3.0, d)
    deficit = laziest._deficit(ranks, d, strengths, np.float64(norm**2))
    assert 3 < found.rank < d
    assert abs(int(found.rank) - ranks[np.argmin(deficit)]) <= 1
    assert deficit[int(found.rank) - 3] <= deficit.min() * (1 + 1e-14)


def test_equal_strengths_never_lose():
    norm = np.geomspace(1e-2, 1e3, 40)
    for d in range(2, 25):
        for m in range(1, d):
            values = means(d, np.ones(m), norm, np.arange(m, d + 1))
            assert np.all(values[:-1] <= values[-1] + 4e-16), (d, m)
            assert np.all(laziest.rank(d, strengths=np.ones(m), norm=norm).rank == d)
    assert laziest.window(24, strengths=np.ones(3)) is None
    assert laziest.window(10**6, strengths=np.ones(3)) is None


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    d=st.integers(3, 10_000),
    strengths=STRENGTHS,
    scale=st.integers(-20, 20),
    seed=st.integers(0, 9),
)
def test_only_the_scale_of_norms_goes_with_that_of_strengths(d, strengths, scale, seed):
    assume(np.count_nonzero(strengths) <= d)
    order = np.random.default_rng(seed).permutation(strengths)
    here, there = (laziest.window(d, strengths=g) for g in (strengths, 4.0**scale * order))
    assert (here is None) == (there is None)
    if here is not None:
        assert np.allclose(np.multiply(here, 2.0**scale), there, rtol=1e-9)
    norm = np.geomspace(0.3, 300, 9)
    at, moved = (
        laziest.rank(d, strengths=g, norm=k * norm).kernel_alignment
        for g, k in ((strengths, 1.0), (4.0**scale * order, 2.0**scale))
    )
    assert np.allclose(at, moved, rtol=1e-14)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(d=st.integers(2, 300), strengths=STRENGTHS)
def test_a_lower_rank_wins_inside_the_window_and_only_there(d, strengths):
    assume(np.count_nonzero(strengths) < d)
    found = laziest.window(d, strengths=strengths)
    unit, ranks = np.sqrt(max(strengths)), all_ranks(d, strengths)
    if found is None:
        norm = unit * np.geomspace(1e-2, 10 * d**0.625, 200)
        values = means(d, strengths, norm, ranks)
        assert np.all(values[:-1] <= values[-1] + 4e-16)
        return
    low, high = found
    outside = np.concatenate(
        [np.geomspace(unit * 1e-2, low * (1 - 1e-6), 50), high * np.geomspace(1 + 1e-6, 30, 50)]
    )
    values = means(d, strengths, outside, ranks)
    assert np.all(values[:-1] <= values[-1] + 4e-16)
    ends = means(d, strengths, np.array(found), ranks)
    assert np.allclose(ends[:-1].max(axis=0), ends[-1], rtol=1e-13)
    if high > 1.5 * low:  # narrower ones may have gaps
        inside = np.geomspace(low * (1 + 1e-6), high * (1 - 1e-6), 50)
        assert np.all(laziest.rank(d, strengths=strengths, norm=inside).rank < d)


def test_as_many_modes_as_inputs_leave_one_rank():
    assert laziest.window(2, strengths=[1.0, 0.1]) is None
    assert laziest.rank(2, strengths=[1.0, 0.1], norm=3.0).rank == 2
    assert laziest.rank(1, norm=[1.0, 2.0]).rank.tolist() == [1, 1]


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="inputs must be an integer"):
        laziest.rank(2.5)
    with pytest.raises(ValueError, match="at most inputs = 2 non-zero entries; they have 3"):
        laziest.window(2, strengths=[1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="at least one"):
        laziest.window(2, strengths=[0.0])
    with pytest.raises(ValueError, match="one list of numbers"):
        laziest.window(2, strengths=[[1.0]])
    with pytest.raises(ValueError, match="norm must be > 0"):
        laziest.rank(2, norm=0.0)


def test_strengths_are_1_unless_given():
    assert laziest.rank(20) == laziest.rank(20, strengths=1.0)
    # one output: the full rank, whose E KA is that of T7
    full = low_rank.expected(20, 20).mean.kernel_alignment
    assert laziest.rank(20).kernel_alignment == pytest.approx(float(full), rel=1e-13)


def test_a_window_narrower_than_the_first_grid():
    strengths = [1.0, 0.20613]
    found = laziest.window(150, strengths=strengths)
    assert (found.lowest_norm, found.highest_norm) == pytest.approx((9.46, 9.52), abs=6e-3)
    # brute force over every rank: a lower one wins inside and nowhere beside
    norms = np.array([0.998, 1.002, 0.998, 1.002]) * np.repeat(found, 2)
    ranks = np.arange(2, 151)
    mean = several_outputs.expected(
        ranks[:, None], 150, strengths=np.array(strengths), norm=norms
    ).mean.kernel_alignment
    assert (ranks[np.argmax(mean, axis=0)] < 150).tolist() == [False, True, True, False]
