"""Paired comparisons: SciPy's own test, adjusted, and honest where there is nothing to test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_rel

from richlazy.report.comparison import LEVEL, compared

RNG = np.random.default_rng(0)
MINE = {"KA": RNG.random(20), "RA": RNG.random(20)}
THEIRS = {
    "near": {k: v + 0.01 * RNG.standard_normal(20) for k, v in MINE.items()},
    "far": {k: 0.5 * v + 0.1 * RNG.random(20) for k, v in MINE.items()},
}


def test_p_values_are_those_of_scipy():
    found = compared(MINE, THEIRS)
    wanted = [
        ttest_rel(MINE[one.measure], THEIRS[one.control][one.measure]).pvalue for one in found
    ]
    np.testing.assert_allclose([one.p for one in found], wanted, rtol=1e-9)
    np.testing.assert_allclose(
        [one.adjusted for one in found], false_discovery_control(wanted), rtol=1e-9
    )
    for one in found:
        gap = MINE[one.measure] - THEIRS[one.control][one.measure]
        assert one.difference == pytest.approx(gap.mean())
        assert one.effect == pytest.approx(gap.mean() / gap.std(ddof=1))
        assert (one.mine, one.theirs) == (
            pytest.approx(MINE[one.measure].mean()),
            pytest.approx(THEIRS[one.control][one.measure].mean()),
        )
        assert one.differs == (one.adjusted < LEVEL)


def test_more_comparisons_ask_for_more():
    alone = compared({"KA": MINE["KA"]}, {"far": THEIRS["far"]})[0]
    many = {f"near {k}": {"KA": MINE["KA"] + 0.1 * RNG.standard_normal(20)} for k in range(30)}
    among = compared({"KA": MINE["KA"]}, {"far": THEIRS["far"], **many})[0]
    assert among.p == alone.p == alone.adjusted < among.adjusted


def test_chance_is_called_a_difference_as_often_as_the_level_says():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        a, b = rng.standard_normal((2, 10))
        wrong += compared({"KA": a}, {"b": {"KA": b}})[0].differs
    assert abs(wrong - 400 * LEVEL) < 4 * np.sqrt(400 * LEVEL * (1 - LEVEL))


def test_the_same_but_for_rounding_is_no_difference():
    one = compared(MINE, {"same": {k: v * (1 + 1e-15) for k, v in MINE.items()}})[0]
    assert (one.effect, one.p, one.adjusted, one.differs) == (0.0, 1.0, 1.0, False)


def test_every_pair_alike_is_sure():
    one = compared(MINE, {"off": {k: v + 0.5 for k, v in MINE.items()}})[0]
    assert one.differs
    assert one.difference == pytest.approx(-0.5)
    assert np.isfinite(one.effect)


def test_pairs_that_are_undefined_are_left_out():
    holes = {"KA": np.where(np.arange(20) < 5, np.nan, MINE["KA"]), "RA": np.full(20, np.nan)}
    ka, ra = compared(holes, {"far": THEIRS["far"]})
    wanted = ttest_rel(MINE["KA"][5:], THEIRS["far"]["KA"][5:]).pvalue
    assert ka.p == pytest.approx(wanted)
    assert (ra.p, ra.differs) == (1.0, False)
    assert np.isnan(ra.difference)
    assert compared(MINE, {}) == ()


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_the_unit_of_a_measure_does_not_matter(unit):
    plain = compared(MINE, THEIRS)
    other = compared(
        {k: unit * v for k, v in MINE.items()},
        {name: {k: unit * v for k, v in theirs.items()} for name, theirs in THEIRS.items()},
    )
    for one, two in zip(plain, other, strict=True):
        assert (two.effect, two.p) == (pytest.approx(one.effect), pytest.approx(one.p))
        assert two.difference == pytest.approx(unit * one.difference)


@pytest.mark.parametrize(("gap", "differs"), [(0.9e-9, False), (1.1e-9, True), (-1.1e-9, True)])
def test_differences_of_rounding_are_of_the_largest_value(gap, differs):
    largest = MINE["KA"].max()
    one = compared({"KA": MINE["KA"]}, {"b": {"KA": MINE["KA"] - gap * largest}})[0]
    assert one.differs == differs
    assert one.effect == (0.0 if not differs else pytest.approx(np.sign(gap) * 1.1, rel=0.1))
    spread = np.where(np.arange(20) < 10, gap, -gap) * largest  # of no mean, but from pair to pair
    assert (compared({"KA": MINE["KA"]}, {"b": {"KA": MINE["KA"] - spread}})[0].p < 1.0) == differs


def test_one_pair_is_no_comparison_and_two_are():
    for count in (1, 2):
        few = {"KA": np.where(np.arange(20) < count, MINE["KA"], np.nan)}
        one = compared(few, {"far": {"KA": THEIRS["far"]["KA"]}})[0]
        assert np.isnan(one.difference) == np.isnan(one.mine) == np.isnan(one.theirs) == (count < 2)
        assert (one.p == 1.0) == (one.effect == 0.0) == (count < 2)
