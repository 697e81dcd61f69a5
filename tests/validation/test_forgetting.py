"""The forgetting study: what it measures, and what makes it fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from richlazy import descent, low_rank
from validation import forgetting
from validation.forgetting import at, runs
from validation.forgetting.runs import KINDS, QUANTITIES, QUICK

CASES = runs.cases(QUICK, 0)


@pytest.fixture(scope="module")
def simulation():
    found = [runs.simulate(case) for case in CASES]
    return forgetting.gathered(QUICK, found, forgetting.predicted(CASES))


def failed(simulation):
    _, checks = forgetting.compare(QUICK, simulation)
    return {check.name for check in checks if not check.passed}


def changed(simulation, name, factor, part="theory"):
    values = getattr(simulation, part).copy()
    values[..., at(name), :] *= factor
    return replace(simulation, **{part: values})


def test_the_quick_run_passes_and_nothing_is_empty(simulation):
    rows, checks = forgetting.compare(QUICK, simulation)
    assert [check.name for check in checks if not check.passed] == []
    counts = {check.name: check.count for check in checks}
    cells = int(np.prod(QUICK.shape)) * 3 * len(QUANTITIES)
    assert len(rows) == cells
    assert counts["runs"] > 0.9 * cells * QUICK.compared
    assert counts["order"] > 100
    assert counts["means"] == 2 * 2 * 2 * 2
    assert counts["learned"] >= QUICK.runs
    assert counts["independent"] == 2
    assert counts["bounds"] == 2 * int(np.prod(QUICK.shape)) * 3 * QUICK.runs
    assert set(rows[0]) >= {"kind", "norm", "duration", "rank", "stage", "quantity"}


def test_the_full_study_has_every_kind_of_start():
    cases = runs.cases(runs.FULL, 0)
    assert {case["kind"] for case in cases} == set(KINDS)
    assert {1, runs.FULL.inputs} <= {case["rank"] for case in cases}


def test_starts_and_tasks_are_what_they_are_called():
    case = next(c for c in CASES if (c["kind"], c["rank"]) == ("balanced", QUICK.inputs))
    w1, w2 = runs.start_of(case)
    active = np.s_[:, : case["rank"], : case["rank"]]
    imbalance = (w2.swapaxes(1, 2) @ w2 - w1 @ w1.swapaxes(1, 2))[active]
    wanted = imbalance[:, :1, :1] * np.eye(case["rank"])
    np.testing.assert_allclose(imbalance, wanted, atol=1e-13)
    assert imbalance[0, 0, 0] < -0.01
    size = np.sum(w1**2, axis=(1, 2)) + np.sum(w2**2, axis=(1, 2))
    np.testing.assert_allclose(size, case["norm"] ** 2)
    for kind in KINDS:
        case = next(c for c in CASES if c["kind"] == kind)
        yx, xx = runs.tasks_of(case)
        np.testing.assert_allclose(np.sum(yx**2, axis=(2, 3)), 1.0)
        np.testing.assert_allclose(xx @ xx, xx, atol=1e-13)
        overlap = np.resize(QUICK.overlaps, QUICK.runs)
        if kind == "inputs":
            cosines = np.linalg.svd(xx[0] @ xx[1], compute_uv=False)[:, : QUICK.inputs // 2]
            np.testing.assert_allclose(cosines, overlap[:, None] + 0 * cosines, atol=1e-12)
        else:
            np.testing.assert_allclose(np.sum(yx[0] * yx[1], axis=(1, 2)), overlap, atol=1e-13)


def test_the_first_stage_is_plain_descent_of_the_library():
    case = next(c for c in CASES if (c["kind"], c["rank"]) == ("balanced", 1))
    first, readout = runs.start_of(case)
    yx, _ = runs.tasks_of(case)
    found = runs.simulate(case)
    eta = float(found["eta"])
    steps = round(case["duration"] / eta)
    run = descent.descend(first, readout, yx[0], step=eta, steps=steps, record=[steps])
    for name, own in (("weight_change",) * 2, ("kernel_alignment",) * 2, ("loss", "loss_A")):
        np.testing.assert_allclose(
            found["values"][0, 0, at(own)], getattr(run.measures, name)[:, 0], rtol=1e-10
        )


@pytest.mark.parametrize("name", [q for q in QUANTITIES if q != "forgetting_C"])
def test_every_quantity_of_the_theory_is_tested(simulation, name):
    assert "runs" in failed(changed(simulation, name, 1.001))


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_every_kind_is_tested(simulation, kind):
    theory = simulation.theory.copy()
    theory[kind, ..., at("path_length"), :] *= 1.001
    assert {"runs", "order"} <= failed(replace(simulation, theory=theory))


@pytest.mark.parametrize("measure", ["kernel_alignment", "weight_change"])
def test_a_law_of_means_that_is_wrong_fails(simulation, monkeypatch, measure):
    whole = low_rank.expected

    def damaged(*arguments, **options):
        law = whole(*arguments, **options)
        law.mean = law.mean._replace(**{measure: 1.001 * getattr(law.mean, measure)})
        return law

    monkeypatch.setattr(low_rank, "expected", damaged)
    assert failed(simulation) == {"means"}


def test_forgetting_that_is_not_one_minus_the_overlap_fails(simulation):
    assert "learned" in failed(changed(simulation, "forgetting_A", 1.001, "values"))


@pytest.mark.parametrize("kind", [0, 1])
def test_what_an_independent_task_makes_forget_is_tested(simulation, kind):
    values = simulation.values.copy()
    values[:, kind, ..., at("forgetting_B"), :] *= 1.5
    assert "independent" in failed(replace(simulation, values=values))


@pytest.mark.parametrize("left", [0.01, np.nan])
@pytest.mark.parametrize("task", [1, 2])
def test_runs_that_never_learn_fail(simulation, task, left):
    values = simulation.values.copy()
    values[:, 1, ..., task, at(f"loss_{runs.STAGES[task]}"), 0] = left
    assert "independent" in failed(replace(simulation, values=values))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_ways_that_are_too_short_or_too_long_fail(simulation, factor):
    assert {"runs", "bounds"} <= failed(changed(simulation, "path_length", factor, "values"))


def test_tasks_in_another_order_fail(simulation):
    values = simulation.values[..., [0, 2, 1], :, :]
    assert {"runs", "order"} <= failed(replace(simulation, values=values))


def test_steps_that_were_not_halved_fail(simulation):
    values = simulation.values.copy()
    values[1:] = values[0]
    assert {"order", "runs"} <= failed(replace(simulation, values=values))


def test_runs_that_steps_do_not_resolve_fail(simulation):
    values = simulation.values.copy()
    values[-1] *= 1.01
    assert "resolved" in failed(replace(simulation, values=values))


def test_a_theory_of_nan_fails(simulation):
    assert "runs" in failed(changed(simulation, "loss_A", np.nan))


def test_a_theory_of_nan_in_half_the_runs_is_not_taken_for_resolved(simulation):
    theory = simulation.theory.copy()
    theory[..., at("kernel_alignment"), : QUICK.compared // 2] = np.nan
    assert {"runs", "resolved"} <= failed(replace(simulation, theory=theory))


@pytest.mark.parametrize("part", ["theory", "values"])
def test_a_single_nan_fails(simulation, part):
    values = getattr(simulation, part).copy()
    values[..., 0, 0, 0, 0, 0, at("kernel_alignment"), 0] = np.nan
    assert "runs" in failed(replace(simulation, **{part: values}))


def test_findings_and_figure_come_from_the_runs(simulation):
    said = forgetting.findings(QUICK, simulation)
    assert "silent, norm 2, rank 6: 16;" in said[0]
    assert "rank 1:" not in said[0]
    assert all("forgets" in line or "undecided" in line or "alike" in line for line in said[1:])
    assert forgetting.draw(QUICK, simulation).axes
    other = forgetting.findings(QUICK, changed(simulation, "forgetting_A", 0.5, "values"))
    assert other != said
