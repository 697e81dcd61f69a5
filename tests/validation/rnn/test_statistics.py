"""Statistics over seeds, against SciPy's, and how often their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("validation.rnn", reason="needs the extra rnn")

from validation.rnn.statistics import (
    Interval,
    complete,
    difference,
    mean,
    rank_correlation,
    rank_correlations,
)

LEVELS = (1, 3, 10, 30, 100, 300)


@pytest.fixture
def values():
    """(seeds, levels)."""
    return np.random.default_rng(0).standard_normal((12, len(LEVELS))) + np.log(LEVELS)


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_the_mean_has_the_interval_and_the_p_of_students_t(seeds):
    sample = np.random.default_rng(seeds).normal(0.3, 2.0, seeds)
    found, wanted = mean(sample), stats.ttest_1samp(sample, 0.0)
    interval = wanted.confidence_interval(0.95)
    assert found.seeds == seeds
    assert found.estimate == pytest.approx(np.mean(sample), rel=1e-14)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-12)


def test_the_mean_of_few_seeds_says_so():
    for sample, estimate in (([], np.nan), ([3.0], 3.0), ([3.0, np.nan, np.inf], 3.0)):
        found = mean(sample)
        np.testing.assert_equal(found.estimate, estimate)
        assert found.seeds == int(np.isfinite(estimate))
        assert np.isnan([found.low, found.high, found.p]).all()


def test_seeds_without_a_number_are_left_out(values):
    sample = values[:, 0]
    holed = np.insert(sample, [0, 5, 12], [np.nan, np.inf, np.nan])
    assert mean(holed) == mean(sample)
    holed = values.copy()
    holed[3, 1] = holed[7, 5] = np.nan
    kept = np.delete(values, [3, 7], axis=0)
    np.testing.assert_array_equal(complete(holed), kept)
    assert rank_correlation(LEVELS, holed) == rank_correlation(LEVELS, kept)
    assert difference(holed[:, 1], holed[:, 5]) == difference(kept[:, 1], kept[:, 5])


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (2.5, 0.0)])
def test_a_sample_of_one_value_has_no_spread(value, p):
    assert mean([value] * 4) == Interval(value, value, value, p, 4)


def test_a_difference_is_the_paired_test(values):
    a, b = values[:, 0], values[:, 0] + 0.1 * values[:, 1]
    found, wanted = difference(a, b), stats.ttest_rel(a, b)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-12)
    interval = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert found.estimate == pytest.approx(np.mean(a) - np.mean(b), rel=1e-12)
    # what is common to both does not count, as it would without the pairs
    assert found.p < 0.1 * stats.ttest_ind(a, b).pvalue


def test_rank_correlations_are_those_of_scipy(values):
    values[0, 2] = values[0, 4]  # a tie
    values[1] = values[1, ::-1].copy()
    found = rank_correlations(LEVELS, values)
    wanted = [stats.spearmanr(LEVELS, row).statistic for row in values]
    np.testing.assert_allclose(found, wanted, atol=1e-14)
    assert len(set(wanted)) > 3
    tied = (1, 3, 3, 30, 100, 100)
    wanted = [stats.spearmanr(tied, row).statistic for row in values]
    np.testing.assert_allclose(rank_correlations(tied, values), wanted, atol=1e-14)


def test_rank_correlations_do_not_see_the_scale(values):
    found = rank_correlations(LEVELS, values)
    np.testing.assert_array_equal(rank_correlations(np.log(LEVELS), np.exp(values)), found)
    np.testing.assert_allclose(rank_correlations(LEVELS, -values), -found, atol=1e-15)


def test_what_does_not_change_has_no_rank_correlation(values):
    values[2] = 1.5
    found = rank_correlations(LEVELS, values)
    assert found[2] == 0
    assert np.all(np.isfinite(found))
    np.testing.assert_array_equal(rank_correlations([7] * len(LEVELS), values), 0.0)
    np.testing.assert_array_equal(rank_correlations([1], values[:, :1]), 0.0)


def test_the_mean_rank_correlation_and_its_bootstrap(values):
    found = rank_correlation(LEVELS, values)
    each = rank_correlations(LEVELS, values)
    assert found.estimate == pytest.approx(np.mean(each))
    assert found.low <= found.estimate <= found.high
    assert np.isnan(found.p)
    assert found.seeds == 12
    assert rank_correlation(LEVELS, values) == found
    rng = np.random.default_rng(1)
    means = [np.mean(rng.choice(each, each.size)) for _ in range(10_000)]
    wanted = np.quantile(means, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(wanted, abs=0.1 * np.ptp(wanted))


def test_seeds_that_agree_in_full_have_an_interval_of_no_width():
    found = rank_correlation(LEVELS, [LEVELS] * 5)
    assert (found.estimate, found.low, found.high) == pytest.approx((1, 1, 1), abs=1e-12)
    found = rank_correlation(LEVELS, [LEVELS])
    assert np.isnan(found[:4]).all()
    assert found.seeds == 1
    assert rank_correlation(LEVELS, np.full((3, 6), np.nan)).seeds == 0


def test_nineteen_of_twenty_of_students_intervals_hold_the_truth():
    rng, count, held = np.random.default_rng(3), 2000, 0
    for sample in rng.normal(1.0, 2.0, (count, 6)):
        found = mean(sample)
        held += found.low <= 1.0 <= found.high
    assert abs(held / count - 0.95) < 4 * np.sqrt(0.05 * 0.95 / count)


def test_most_bootstrap_intervals_of_ten_seeds_hold_the_truth():
    """A percentile bootstrap of ten is known to be somewhat narrow: Student's by 0.82."""
    rng, count, held = np.random.default_rng(4), 200, 0
    for sample in rng.standard_normal((count, 10, len(LEVELS))):
        found = rank_correlation(LEVELS, sample)
        held += found.low <= 0.0 <= found.high
    assert 0.85 < held / count < 0.98


def test_an_interval_reads_as_one():
    assert str(Interval(0.12345, -1.0, 2.5, 0.5, 3)) == "0.123 [-1, 2.5]"
