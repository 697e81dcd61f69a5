"""The study of eight brains: what it measures, what it concludes, and what makes it fail."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from richlazy import connectomes
from validation import development
from validation.development import STARTS, Grid

TINY = replace(development.QUICK, animals=(1, 8), draws=2, fineness=30)


@pytest.fixture(scope="module")
def found():
    return [development.simulate(case) for case in development.cases(TINY, 0)]


def conclude(grid, found):
    return development.conclude(development.cases(grid, 0), found)


def failed(result):
    return {check.name for check in result.checks if not check.passed}


def test_the_study_passes_and_nothing_is_vacuous(found):
    result = conclude(TINY, found)
    assert failed(result) == set()
    assert result.checks[0].count == 2 * 3 * 8  # brains, starts, measures
    assert len(result.rows) == 2 * 3 * 2 * 3
    assert {row["neurons"] for row in result.rows} == {result.rows[0]["neurons"]}
    json.dumps([dict(result.settings), list(result.rows)], allow_nan=False)
    radius = {row["start"]: row["spectral_radius"] for row in result.rows}
    assert radius["measured"] > 1.2 * radius["degrees"]  # a loop that degrees do not make


def test_descent_that_is_not_the_theory_s_fails(found):
    wrong = [dict(part) for part in found]
    wrong[0]["theory"] = wrong[0]["theory"] * 1.0001
    assert failed(conclude(TINY, wrong)) == {"descent"}


def test_controls_keep_what_they_should():
    weights = connectomes.load("celegans_brain_1").weights
    moved = STARTS["weights"](weights, np.random.default_rng(0))
    assert np.array_equal(moved != 0, weights != 0)
    assert np.array_equal(np.sort(moved[moved != 0]), np.sort(weights[weights != 0]))
    assert not np.array_equal(moved, weights)
    exchanged = STARTS["degrees"](weights, np.random.default_rng(0))
    for axis in (0, 1):
        np.testing.assert_array_equal((exchanged != 0).sum(axis), (weights != 0).sum(axis))
    assert STARTS["measured"](weights, np.random.default_rng(0)) is weights


def made_up(grid, line):
    """Every measure `line` by animal in the brains, flat in the controls, with a little noise."""
    found = []
    for case in development.cases(grid, 0):
        rng = np.random.default_rng([case["animal"], list(STARTS).index(case["start"])])
        centre = line[case["animal"] - 1] if case["start"] == "measured" else 0.5
        draws = centre + 1e-6 * rng.standard_normal((3, grid.draws))
        theory = np.ones((8, 1, 1 + len(grid.times)))
        found.append(
            {"recurrent": draws, "first_layer": draws[:, :1], "theory": theory}
            | {"participation_ratio": np.ones(1), "radius": np.ones(1), "units": np.array(160)}
            | {"descent": np.ones((3, 8, 1, len(grid.times)))}
        )
    return found


def test_a_trend_is_found_and_no_trend_is_not():
    grid = Grid(draws=4)
    rising = conclude(grid, made_up(grid, np.linspace(0.2, 0.9, 8)))
    trends = {(t["reading"], t["kept"], t["measure"], t["of"]): t
              for t in rising.settings["trends"]}  # fmt: skip
    mine = trends["recurrent", "all", "kernel_alignment", "measured"]
    # the two adults are of one age, and not of one measure
    assert mine["rho"] == pytest.approx(spearmanr([1, 2, 3, 4, 5, 6, 7, 7], range(8)).statistic)
    assert mine["adjusted"] < 0.01
    assert trends["recurrent", "all", "kernel_alignment", "measured - degrees"]["rho"] > 0.99
    flat = conclude(grid, made_up(grid, np.full(8, 0.5)))
    assert flat.findings[0].startswith("Of 60 trends with age over 8 brains, 0 are told")


def test_chance_is_counted_over_all_orders():
    ages, line = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.3, 0.2, 0.4])
    rho, p = development._with_age(ages, line)
    assert rho == pytest.approx(spearmanr(ages, line).statistic)
    by_hand = [abs(spearmanr(ages, order).statistic) for order in permutations(line)]
    assert p == pytest.approx(np.mean(np.array(by_hand) > abs(rho) - 1e-9))
