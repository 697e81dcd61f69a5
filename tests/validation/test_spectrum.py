"""The spectrum study: what it measures, and what makes it fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

from validation import load
from validation import spectrum as study
from validation.spectrum import theory as spectrum_theory
from validation.spectrum.report import findings
from validation.spectrum.runs import FULL, QUICK, Grid
from validation.spectrum.theory import law_error
from validation.steps import place

KA, RA, LOSS = (place(k) for k in ("kernel_alignment", "representation_alignment", "loss"))
CHECKS = {
    *("runs", "order", "second order", "means", "confirmed", "law within 1 %", "law within 5 %"),
    *("law fails", "typical order", "typical exact", "rich order", "rich correction"),
    *("rich means", "settled"),
}


SEEDED = []  # what every generator of the quick run was made from


@pytest.fixture(scope="module")
def quick():
    """(grid, cases, found, theory)."""
    cases = json.loads(json.dumps(study.STUDY.cases(True, 0)))
    made = np.random.default_rng

    def seen(seed=None):
        if isinstance(seed, list):
            SEEDED.append(seed)
        return made(seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "default_rng", seen)
        found = [study.STUDY.simulate(case) for case in cases]
    grid = Grid(**cases[0]["grid"])
    return grid, cases, found, spectrum_theory.predicted(grid, cases, found)


def failed(grid, cases, found, theory):
    checks = study.compare(grid, cases, found, theory)[1]
    assert {check.name for check in checks} == CHECKS
    return {check.name for check in checks if not check.passed}


def simulated(quick, part, damage):
    """What is left of the quick run when every case of a part is damaged."""
    grid, cases, found, theory = quick
    changed = [
        f | {"values": damage(f["values"].copy())} if case["part"] == part else f
        for case, f in zip(cases, found, strict=True)
    ]
    return failed(grid, cases, changed, theory)


def predicted(quick, **changes):
    """What fails when a field of the theory is what a function makes of it."""
    grid, cases, found, theory = quick
    changed = {name: change(getattr(theory, name)) for name, change in changes.items()}
    return failed(grid, cases, found, theory._replace(**changed))


def times(factor, measure):
    """Multiply one measure, first axis, by a factor."""

    def change(values):
        values = values.copy()
        values[measure] *= factor
        return values

    return change


def test_the_quick_run_passes_and_nothing_is_vacuous(quick):
    grid, cases, found, theory = quick
    rows, checks = study.compare(grid, cases, found, theory)
    assert [check.name for check in checks if not check.passed] == []
    counts = {check.name: check.count for check in checks}
    cells = len(grid.spectra) * len(grid.norms) * len(grid.outputs) * len(grid.times) * 7
    assert counts["means"] == cells
    assert counts["runs"] == 2 * cells * grid.kept
    assert counts["order"] == counts["second order"] == cells / len(grid.spectra)
    assert counts["confirmed"] == 6 * len(grid.confirmed)
    assert counts["law within 1 %"] >= 2
    assert counts["law within 5 %"] >= 4
    assert counts["rich order"] == 2 * len(grid.rich_spectra)
    assert counts["settled"] == sum(
        f["values"].shape[2]
        for case, f in zip(cases, found, strict=True)
        if case["part"] in ("map", "rich")
    )
    law = 6 * (len(grid.exponents) + len(grid.rates)) * len(grid.map_norms)
    assert len(rows) == cells + counts["confirmed"] + law
    assert len({tuple(row) for row in rows}) == 1
    assert all(np.isfinite(v) for row in rows[:cells] for v in (row["z"], row["expect_mean"]))


def test_the_conclusion_is_drawn_and_said(quick, monkeypatch):
    grid, cases, found, theory = quick
    monkeypatch.setattr(study, "predicted", lambda *_: theory)
    result = load("spectrum").conclude(cases, found)
    assert result.verdict == f"passed ({len(CHECKS)} of {len(CHECKS)} checks)"
    assert len(result.figure.axes) == 9  # six panels and three scales
    assert list(result.findings) == findings(grid, result.rows, theory)
    worst = np.max(np.abs(law_error(theory.power_law)[KA][~theory.power_law.inside]))
    assert worst > 0.5
    json.dumps(result.settings, allow_nan=False)


def test_the_full_grid_has_the_spectra_and_scales_that_are_claimed():
    families = {family for family, _ in FULL.spectra}
    assert families == {"flat", "power_law", "exponential", "gaussian"}
    for grid in (QUICK, FULL):
        assert 2.0 in grid.exponents
        assert {1.0, 3.0} <= set(grid.map_norms)
        named = {"power_law": grid.exponents, "exponential": grid.rates}
        assert all(p in named[family] for family, p, _ in grid.confirmed)
        assert all(norm in grid.map_norms for *_, norm in grid.confirmed)
        assert grid.sizes[-1] == 2 * grid.sizes[-2]
    assert ("power_law", 2.0, 3.0) in FULL.confirmed


@pytest.mark.parametrize("measure", range(6))
@pytest.mark.parametrize("method", [0, 1])
def test_every_measure_of_solve_is_tested_by_both_methods(quick, measure, method):
    def change(solved):
        solved = solved.copy()
        solved[:, method, measure] *= 1.00001
        return solved

    assert "runs" in predicted(quick, solved=change)


def test_solutions_of_other_starts_fail(quick):
    assert "runs" in predicted(quick, solved=lambda solved: np.roll(solved, 1, axis=3))


@pytest.mark.parametrize("measure", [0, 1, 2, KA])
def test_means_of_expect_that_are_wrong_fail(quick, measure):
    def change(parts):
        return [part._replace(mean=times(1.05, measure)(part.mean)) for part in parts]

    assert predicted(quick, averages=change) == {"means"}


@pytest.mark.parametrize("measure", [0, KA, RA])
def test_a_map_that_is_wrong_is_not_confirmed(quick, measure):
    def change(best):
        return best._replace(mean=times(1.05, measure)(best.mean))

    assert "confirmed" in predicted(quick, power_law=change)


def test_a_law_that_is_wrong_fails_what_it_claims(quick):
    def change(factor):
        return lambda best: best._replace(law=times(factor, KA)(best.law))

    assert predicted(quick, power_law=change(1.02)) == {"law within 1 %"}
    assert predicted(quick, power_law=change(0.9)) >= {"law within 1 %", "law within 5 %"}
    assert "law fails" in predicted(quick, power_law=change(2.0))


def test_a_typical_task_of_another_order_fails(quick):
    slower = [1.0, 2.0**0.5]

    def change(gaps):
        return gaps * np.array(slower)[:, None]

    assert predicted(quick, typical=change) == {"typical order"}
    assert "typical exact" in predicted(quick, typical=lambda gaps: gaps + 1e-8)


def test_rich_limits_that_are_wrong_fail(quick):
    def change(rich):
        return [part._replace(limit=part.limit * 1.001) for part in rich]

    assert {"rich order", "rich correction"} <= predicted(quick, rich=change)


def test_rich_corrections_that_are_wrong_fail(quick):
    def change(rich):
        return [part._replace(correction=part.correction * 1.1) for part in rich]

    assert predicted(quick, rich=change) == {"rich correction"}


def test_a_rich_mean_that_is_wrong_fails(quick):
    def change(rich):
        return [part._replace(mean=part.mean * 1.2) for part in rich]

    assert predicted(quick, rich=change) == {"rich means"}


def test_steps_that_were_not_halved_fail(quick):
    def damage(values):
        values[1:] = values[:1]
        return values

    assert {"runs", "order", "second order"} <= simulated(quick, "runs", damage)


@pytest.mark.parametrize("measure", range(6))
def test_descent_that_is_wrong_fails(quick, measure):
    def damage(values):
        values[:, measure] *= 1.0001
        return values

    assert "runs" in simulated(quick, "runs", damage)


def test_runs_that_have_not_settled_fail(quick):
    def damage(values):
        values[:, LOSS] += 1e-9
        return values

    assert simulated(quick, "map", damage) == {"settled"}
    assert simulated(quick, "rich", damage) == {"settled"}


def test_nan_fails(quick):
    assert {"runs", "order", "means"} <= simulated(quick, "runs", lambda v: v * np.nan)
    assert {"confirmed", "settled"} <= simulated(quick, "map", lambda v: v * np.nan)
    assert {"rich order", "rich means"} <= simulated(quick, "rich", lambda v: v * np.nan)


def test_shares_outside_the_row_space_are_kept_out(quick):
    """A flat start of lower rank sees part of the task, one of full rank all of it."""
    _, cases, found, _ = quick
    for case, f in zip(cases, found, strict=True):
        if case["part"] == "law":  # has no runs
            continue
        total = np.sum(f["components"], axis=1)
        if case["family"] == "flat":
            assert np.all(total < 1.0)
        else:
            np.testing.assert_allclose(total, 1.0, rtol=1e-12)


def test_generators_are_of_the_seed_and_each_is_another(quick):
    """But for the starts of `rich`, which differ in norm alone."""
    grid = quick[0]
    assert {stream[0] for stream in SEEDED} == {0}
    # a tail of zeros makes no other generator
    states = {tuple(np.random.SeedSequence(stream).generate_state(4)) for stream in SEEDED}
    shared = len(grid.rich_spectra) * (len(grid.rich_norms) - 1)
    cells = len(grid.spectra) * len(grid.norms) * len(grid.outputs)
    ends = len(grid.confirmed) + len(grid.rich_spectra)
    maps = (len(grid.exponents) + len(grid.rates)) * len(grid.map_norms)
    assert len(states) == len(SEEDED) - shared == 2 * cells + ends + maps


def test_findings_that_do_not_hold_are_not_said(quick):
    grid, _, _, theory = quick
    best = theory.power_law

    def said(**changes):
        changed = theory._replace(power_law=best._replace(**changes))
        return findings(grid, [], changed)

    falling = np.arange(len(grid.exponents), 0.0, -1.0)[:, None]
    assert "lazier than its PR" not in " ".join(said(mean=np.ones_like(best.mean) * falling))
    assert "lazier than its PR" in " ".join(said(mean=np.ones_like(best.mean) / falling))
    assert said(law=best.mean)[0].count("up to exponent") == len(grid.map_norms)
    nowhere = said(law=2.0 * best.mean)[0]
    assert nowhere.count("at none") == len(grid.map_norms)
    assert "exponent" not in nowhere


def test_other_seeds_are_other_tasks():
    case, other = (study.STUDY.cases(True, seed)[0] for seed in (0, 1))
    first, second = (study.STUDY.simulate(c)["cov_yx"] for c in (case, other))
    assert not np.array_equal(first, second)
    again = study.STUDY.simulate(case)["cov_yx"]
    np.testing.assert_array_equal(first, again)
    assert first.shape[1:] == (1, QUICK.inputs)
