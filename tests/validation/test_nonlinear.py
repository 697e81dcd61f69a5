"""The nonlinear study: what it measures, what it says whichever way it turns out, what fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from richlazy import low_rank
from validation import nonlinear
from validation.nonlinear.report import word
from validation.simulation import networks
from validation.simulation.networks import Records, Units
from validation.statistics import interval

CASES = nonlinear.STUDY.cases(True, 0)
QUICK = nonlinear.QUICK
_LINEAR = nonlinear.LINEAR


@pytest.fixture(scope="module")
def found():
    return [nonlinear.STUDY.simulate(case) for case in CASES]


@pytest.fixture(scope="module")
def result(found):
    return nonlinear.STUDY.conclude(CASES, found)


def failed(found, cases=CASES):
    _, checks = nonlinear.compare(QUICK, cases, found)
    return {check.name for check in checks if not check.passed}


def changed(found, part, name, change):
    return [
        arrays | {name: change(arrays[name], case)} if case["part"] == part else arrays
        for case, arrays in zip(CASES, found, strict=True)
    ]


def test_the_quick_study_passes_and_counts_everything(result):
    assert [check.name for check in result.checks if not check.passed] == []
    kinds, trends = 5 + 3, 3 * 2 * 2 * 4  # activations, norms, times, measures
    counts = {check.name: check.count for check in result.checks}
    assert counts == {
        "linear units": 2 * 4 * kinds * 2,
        "limit, order": 3 * 2,
        "narrow": trends * kinds,
    }
    assert len(result.rows) == trends * kinds
    assert len({tuple(row) for row in result.rows}) == 1


@pytest.mark.parametrize("norm", QUICK.norms)
def test_linear_units_are_t6_up_to_the_steps(norm):
    """What is left of a distance halves with the steps."""
    off = []
    for fineness in (40, 80):
        grid = replace(QUICK, seeds=2, blocks=1, fineness=fineness, activations=("linear",))
        case = next(c for c in nonlinear.cases(grid, 0) if c.get("norm") == norm)
        arrays = nonlinear.simulate(case)
        theory = nonlinear._theory(grid, arrays["alignment"], norm)
        mine = arrays["values"][[Records._fields.index(name) for name in _LINEAR]]
        off.append(np.max(np.abs(mine - theory), axis=(1, 2, 3)))
    np.testing.assert_allclose(off[0] / off[1], 2.0, atol=0.1)


def test_units_norms_and_ranks_share_their_seeds(found):
    drawn = [
        arrays["alignment"]
        for case, arrays in zip(CASES, found, strict=True)
        if case["part"] == "trend" and case["block"] == 0
    ]
    assert len(drawn) == 6
    assert all(np.array_equal(c, drawn[0]) for c in drawn)
    assert np.all(np.diff(drawn[0][:, : len(QUICK.ranks)]) >= 0)  # row spaces are nested
    np.testing.assert_allclose(drawn[0][:, len(QUICK.ranks) :], [QUICK.alignments] * QUICK.seeds)


def test_starts_have_the_rank_norm_and_alignment_they_are_said_to_have():
    first, c, x, beta = nonlinear.runs._starts(CASES[0], 3, np.random.default_rng(0))
    for seed, kind in np.ndindex(c.shape):
        w, rank = first[seed, kind], int(nonlinear._ranks(QUICK)[kind])
        _, size, rows = np.linalg.svd(w)
        np.testing.assert_allclose(size[:rank], 1 / np.sqrt(rank), rtol=1e-12)
        assert np.all(size[rank:] < 1e-12)
        assert np.sum((rows[:rank] @ beta[seed]) ** 2) == pytest.approx(c[seed, kind], abs=1e-12)
    np.testing.assert_allclose(np.linalg.norm(beta, axis=1), 1.0)
    assert not np.allclose(x[0], x[1])


def test_correlations_are_spearmans():
    values = np.random.default_rng(0).standard_normal((6, 7))
    values[0, 3] = values[0, 4]
    x = [1, 2, 3, 5, 8, 13, 21]
    wanted = [stats.spearmanr(x, row).statistic for row in values]
    np.testing.assert_allclose(nonlinear.correlation(x, values), wanted, rtol=1e-12)
    assert nonlinear.correlation(x, np.ones(7)) == 0.0


def test_intervals_are_students():
    scores = np.random.default_rng(1).standard_normal(20)
    mean, half = interval(scores, 0.99)
    low, high = stats.t.interval(0.99, 19, loc=np.mean(scores), scale=stats.sem(scores))
    np.testing.assert_allclose([mean - half, mean + half], [low, high])


@pytest.mark.parametrize("index", range(4))
def test_linear_units_that_differ_from_descent_fail(found, index):
    def change(values, _):
        values = values.copy()
        values[index] *= 1.000001
        return values

    assert failed(changed(found, "linear", "network", change)) == {"linear units"}


@pytest.mark.parametrize("measure", _LINEAR)
def test_a_wrong_theory_of_any_measure_fails(found, monkeypatch, measure):
    whole = low_rank.measures

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(**{measure: 1.001 * getattr(values, measure)})

    monkeypatch.setattr(low_rank, "measures", damaged)
    assert failed(found) == {"limit, order"}


def test_units_that_are_not_linear_at_their_middle_fail(found, monkeypatch):
    tilted = Units(lambda z: np.tanh(z) + 0.05 * z**2, lambda z, h: 1 - np.tanh(z) ** 2 + 0.1 * z)
    monkeypatch.setitem(networks.ACTIVATIONS, "tanh", tilted)
    worse = [
        nonlinear.STUDY.simulate(case) if case["part"] == "limit" else arrays
        for case, arrays in zip(CASES, found, strict=True)
    ]
    assert "limit, order" in failed(worse)


def test_an_order_of_one_in_the_size_fails(found):
    """Distances larger by 1/size, so that they shrink like it."""
    limits = [case for case in CASES if case["part"] == "limit"]

    def change(values, case):
        theory = np.moveaxis(nonlinear._off_limit(QUICK, case, known[case["size"]]), 1, 2)
        scale = np.ones_like(theory)
        scale[0] = np.mean(values[-1][0])
        return values + theory * scale * (1.0 / case["size"] - 1.0)

    known = {
        case["size"]: arrays
        for case, arrays in zip(CASES, found, strict=True)
        if case["part"] == "limit"
    }
    assert len(known) == len(limits) == 3
    assert failed(changed(found, "limit", "values", change)) == {"limit, order"}


def test_too_few_seeds_to_say_anything_fail(found):
    few = changed(found, "trend", "values", lambda v, _: v[:, :2])
    few = [
        arrays | {"alignment": arrays["alignment"][:2]} if case["part"] == "trend" else arrays
        for case, arrays in zip(CASES, few, strict=True)
    ]
    assert failed(few) == {"narrow"}


def test_a_trend_that_fails_is_reported_and_no_matter_of_passing(found, result):
    """KA that falls with rank passes as well, and the findings say so."""
    index = Records._fields.index("kernel_alignment")
    count = len(QUICK.ranks)

    def change(values, case):
        values = values.copy()
        if case["activation"] == "tanh":
            values[index, :, :count] = 1.0 - values[index, :, :count]
        return values

    turned = nonlinear.STUDY.conclude(CASES, changed(found, "trend", "values", change))
    assert turned.passed

    def sentence(result):
        return next(
            s for s in result.findings if s.startswith("tanh, trend of KA with rank at t = 8")
        )

    assert "‖W1‖ = 1 grows" in sentence(result)
    assert "‖W1‖ = 1 falls" in sentence(turned)
    assert "tanh KA with rank at ‖W1‖ = 1, t = 8" in turned.findings[-1]
    assert "tanh KA with rank at ‖W1‖ = 1, t = 8" not in result.findings[-1]


def test_words():
    intervals = (0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1)
    assert [word(*interval) for interval in intervals] == ["grows", "falls", "no clear trend"]


def test_the_study_reads_what_a_store_gives_back(found, result):
    listed = [{k: list(v) if isinstance(v, tuple) else v for k, v in c.items()} for c in CASES]
    assert nonlinear.STUDY.conclude(listed, found).rows == result.rows


def test_a_seed_changes_the_tasks(found):
    small = replace(QUICK, seeds=2, blocks=1)
    a, b, c = (nonlinear.simulate(nonlinear.cases(small, seed)[0]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a["values"], b["values"])
    assert not np.allclose(a["values"], c["values"])
