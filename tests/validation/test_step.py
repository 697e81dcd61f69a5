"""The step study: what it measures, and what makes it fail."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import richlazy as rl
from richlazy.laziness import Measures
from richlazy.two_layer.solution import Solution
from validation import step
from validation.step import correction
from validation.step import runs as step_runs

QUICK = step_runs.QUICK
CASES = step_runs.cases(QUICK, 0)


@pytest.fixture(scope="module")
def found():
    return [step.STUDY.simulate(case) for case in CASES]


@pytest.fixture(scope="module")
def parts(found):
    return step_runs.gathered(CASES, found)


def failed(parts):
    return {check.name for check in step.compare(QUICK, parts)[1] if not check.passed}


def test_the_quick_run_passes_with_every_cell(found):
    result = step.STUDY.conclude(CASES, found)
    assert result.verdict == "passed (4 of 4 checks)"
    cells = 9 * 2 * 2 * 2 * 2  # quantities, starts, outputs, kinds of inputs, times
    counts = {check.name: check.count for check in result.checks}
    halvings = QUICK.halvings + 1
    assert counts == {
        "order": cells,
        "constant": cells,
        "second order": cells,
        "remainder": cells * halvings,
    }
    assert len(result.rows) == cells * halvings
    assert {row["quantity"] for row in result.rows} == set(step_runs.QUANTITIES)
    assert len(result.findings) == 2 + 1
    json.dumps([result.settings, result.rows, CASES], allow_nan=False)


def test_the_flows_come_from_four_routes():
    methods = set()
    for case in CASES:
        first, readout, teacher, cov_xx = step_runs.networks(case)
        task = rl.Task.teacher(teacher[0], cov_xx)
        methods.add(rl.solve(rl.Network(first[0], readout[0]), task).method.split("(")[1][:2])
    assert methods == {"T6", "T5", "T1"}  # T1 of T11 and T15


def test_the_conserved_quantity_moves_and_so_do_all_others(parts):
    for part in parts:
        away = np.linalg.norm(part.descent - part.theory, axis=-1)
        assert np.all(np.sqrt(np.mean(away**2, axis=1)) > 1e-6), part.quantity


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_the_flow_is_tested(found, monkeypatch, measure):
    whole = Solution.measures

    def damaged(self, t):
        values = whole(self, t)
        return values._replace(**{measure: 1.001 * getattr(values, measure)})

    monkeypatch.setattr(Solution, "measures", damaged)
    assert {"order", "constant", "remainder"} <= failed(step_runs.gathered(CASES, found))


@pytest.mark.parametrize("quantity", step_runs.QUANTITIES)
@pytest.mark.parametrize("name", ["theory", "constant"])
def test_a_flow_or_constant_wrong_by_a_thousandth_fails(parts, quantity, name):
    damaged = [
        replace(part, **{name: 1.001 * getattr(part, name)}) if part.quantity == quantity else part
        for part in parts
    ]
    assert "constant" in failed(damaged)


@pytest.mark.parametrize("field", correction.Corrected._fields)
def test_every_part_of_the_correction_is_tested(found, monkeypatch, field):
    whole = step_runs.corrected_flow

    def damaged(*arguments):
        flow = whole(*arguments)
        return flow._replace(**{field: 1.002 * getattr(flow, field)})

    monkeypatch.setattr(step_runs, "corrected_flow", damaged)
    assert "constant" in failed(step_runs.gathered(CASES, found))


def test_a_constant_that_is_left_out_fails(parts):
    without = [replace(part, constant=0.0 * part.constant) for part in parts]
    with np.errstate(divide="ignore", invalid="ignore"):
        assert {"constant", "second order", "remainder"} <= failed(without)


def test_steps_that_were_not_halved_fail(parts):
    same = [replace(part, descent=np.repeat(part.descent[-1:], 8, axis=0)) for part in parts]
    assert {"order", "constant", "second order"} <= failed(same)


def test_a_theory_of_nan_fails(parts):
    assert failed([replace(p, theory=np.nan * p.theory) for p in parts]) == {
        "order",
        "constant",
        "second order",
        "remainder",
    }


def test_steps_are_named_and_held_as_they_were_run(found, parts):
    rows, checks = step.compare(QUICK, parts)
    for case, f in zip(CASES, found, strict=True):
        ran = [
            row["step_over_stable"]
            for row in rows
            if [row[name] for name in ("start", "norm", "outputs", "inputs")]
            == [case[name] for name in ("start", "norm", "output_count", "kind")]
        ]
        np.testing.assert_allclose(np.unique(ran)[::-1], f["eta"] / f["safe"], rtol=1e-12)
    assert max(row["step_over_stable"] for row in rows) < 1.0 / QUICK.fineness
    flatter = step.compare(QUICK, [replace(part, safe=3.0 * part.safe) for part in parts])[1]
    (before,), (after,) = ([c for c in s if c.name == "remainder"] for s in (checks, flatter))
    np.testing.assert_allclose(after.worst, 3.0 * before.worst, rtol=1e-12)


def test_a_theory_that_fails_at_every_step_is_said_to(parts):
    wrong = [replace(part, theory=1.01 * part.theory) for part in parts]
    said = step.findings(QUICK, wrong, step.compare(QUICK, wrong)[0])[-1]
    assert "at none of the steps run" in said
    right = step.findings(QUICK, parts, step.compare(QUICK, parts)[0])[-1]
    assert "at none" not in right


def test_the_largest_step_of_a_linear_distance_is_found(parts):
    """Distances of 0.003, 0.2 and 1e-4 at the largest step, shrinking with it."""
    part = parts[0]
    away = (
        np.array([0.003, 0.2, 1e-4])[None, :, None, None]
        * (part.eta / part.eta[0])[..., None, None]
    )
    ones = np.ones_like(part.theory)
    made = replace(part, theory=ones, scale=ones[..., 0], descent=1.0 + away + 0.0 * part.descent)
    largest = part.eta[0] / part.safe
    wanted = largest * np.array([1.0, 0.05, 1.0])
    np.testing.assert_allclose(step.largest_steps(made), wanted, rtol=1e-12)
    steep = replace(made, descent=1.0 + 1e4 * away + 0.0 * part.descent)
    np.testing.assert_allclose(step.largest_steps(steep)[1], largest[1] * 0.05e-4, rtol=1e-9)


def test_the_correction_of_a_balanced_mode_is_that_of_t13():
    """u moves by -u (s - u) log(sqrt(u/u0) (s - u)/(s - u0)) eta, and D does not move."""
    u0, s, times = 0.2, 1.3, (1, 2)
    rng = np.random.default_rng(3)
    a, b, c = (np.linalg.qr(rng.standard_normal((size, 1)))[0] for size in (3, 4, 2))
    first, readout = np.sqrt(u0) * b @ a.T, np.sqrt(u0) * c @ b.T
    flow = correction.corrected_flow(first[None], readout[None], s * (c @ a.T)[None], None, times)
    u = (c.T @ flow.readout[:, 0] @ flow.first[:, 0] @ a)[:, 0, 0]
    moved = flow.delta_readout @ flow.first + flow.readout @ flow.delta_first
    exact = -u * (s - u) * np.log(np.sqrt(u / u0) * (s - u) / (s - u0))
    np.testing.assert_allclose((c.T @ moved[:, 0] @ a)[:, 0, 0], exact, rtol=1e-8)
    np.testing.assert_allclose(flow.conserved, 0.0, atol=1e-9)


def test_the_correction_of_d_is_the_integral_that_its_weights_give(parts):
    """Two ways to D1: along delta, and by T13's exact step of D."""
    case = CASES[-1]
    first, readout, teacher, cov_xx = step_runs.networks(case)
    flow = correction.corrected_flow(first, readout, teacher @ cov_xx, cov_xx, case["times"])
    w1, w2, d1, d2, conserved = flow
    along = np.swapaxes(w2, -1, -2) @ d2 - d1 @ np.swapaxes(w1, -1, -2)
    along = along + np.swapaxes(along, -1, -2)
    np.testing.assert_allclose(conserved, along, rtol=1e-6, atol=1e-8)
