"""The connectome study: what it measures, and what makes it fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from richlazy import connectomes as shipped
from richlazy.laziness import Measures
from validation import connectome
from validation.connectome import FULL, QUICK, STARTS
from validation.steps import place

CASES = connectome.cases(QUICK, 0)


@pytest.fixture(scope="module")
def simulation():
    return [connectome.simulate(case) for case in CASES]


@pytest.fixture(scope="module")
def theory():
    return [connectome.predicted(case) for case in CASES]


def failed(simulation, theory):
    _, checks = connectome.compare(QUICK, CASES, simulation, theory)
    return {check.name for check in checks if not check.passed}


def test_the_quick_run_passes_and_nothing_is_empty(simulation, theory):
    rows, checks = connectome.compare(QUICK, CASES, simulation, theory)
    assert [check.name for check in checks if not check.passed] == []
    counts = {check.name: check.count for check in checks}
    cells = len(Measures._fields) * len(QUICK.times) * len(STARTS)
    assert len(rows) == 2 * cells
    assert counts["order"] == len(QUICK.outputs) * len(Measures._fields) * len(QUICK.times)
    assert counts["runs"] == cells * sum(QUICK.runs)
    assert counts["means"] == cells
    assert counts["flow"] == 1


def test_the_full_study_has_every_connectome_and_control():
    cases = connectome.cases(FULL, 0)
    assert {case["name"] for case in cases} == set(shipped.names()[:3])
    assert {case["start"] for case in cases} == set(STARTS)


def test_starts_have_one_norm_and_what_they_keep():
    layers = {case["start"]: connectome.runs.first_layer(case) for case in CASES}
    sizes = [np.linalg.norm(w) for w in layers.values()]
    np.testing.assert_allclose(sizes, QUICK.norms[0])
    own = layers["measured"]
    np.testing.assert_allclose(np.sort(layers["shuffled"], axis=None), np.sort(own, axis=None))
    for axis in (0, 1):
        np.testing.assert_array_equal(
            np.count_nonzero(layers["degrees"], axis=axis), np.count_nonzero(own, axis=axis)
        )
    values = np.linalg.svd(layers["flat"], compute_uv=False)
    np.testing.assert_allclose(values, values[0])
    assert len({w.tobytes() for w in layers.values()}) == len(STARTS)


def test_tasks_are_shared_by_starts():
    first, *others = [case for case in CASES if case["m"] == 1]
    for case in others:
        for a, b in zip(
            connectome.runs.tasks_of(first), connectome.runs.tasks_of(case), strict=True
        ):
            np.testing.assert_array_equal(a.cov_yx, b.cov_yx)


def test_several_routes_are_held(theory):
    methods = " ".join(law.method for law in theory)
    assert "krylov" in methods
    assert "closed" in methods


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_a_run_is_tested(simulation, theory, measure):
    damaged = []
    for law in theory:
        runs = law.runs.copy()
        runs[place(measure)] *= 1.001
        damaged.append(replace(law, runs=runs))
    assert {"runs", "order"} <= failed(simulation, damaged)


@pytest.mark.parametrize("index", range(len(CASES)))
def test_every_case_is_tested(simulation, theory, index):
    damaged = list(theory)
    damaged[index] = replace(theory[index], runs=1.0001 * theory[index].runs)
    assert "runs" in failed(simulation, damaged)


def test_means_that_are_wrong_fail(simulation, theory):
    damaged = [replace(law, mean=law.mean + 6.0 * law.sd) for law in theory]
    assert failed(simulation, damaged) == {"means"}
    flat = [
        replace(law, mean=1.001 * law.mean) if case["start"] == "flat" else law
        for case, law in zip(CASES, theory, strict=True)
    ]
    assert failed(simulation, flat) == {"means"}  # every task is alike there: no sampling error


def test_tasks_in_another_order_fail(simulation, theory):
    swapped = [{**part, "values": part["values"][:, :, ::-1]} for part in simulation]
    assert "runs" in failed(swapped, theory)


def test_steps_that_were_not_halved_fail(simulation, theory):
    same = [{**part, "values": np.repeat(part["values"][:1], 3, axis=0)} for part in simulation]
    assert {"runs", "order"} <= failed(same, theory)


def test_a_flow_that_differs_fails(simulation, theory):
    damaged = [replace(law, gap=law.gap + 1e-5) for law in theory]
    assert failed(simulation, damaged) == {"flow"}


def test_a_theory_of_nan_fails(simulation, theory):
    damaged = [replace(law, runs=np.nan * law.runs, mean=np.nan * law.mean) for law in theory]
    assert {"runs", "order", "means"} <= failed(simulation, damaged)


def test_every_comparison_is_told(simulation, theory):
    said = connectome.findings(QUICK, CASES, simulation, theory)
    assert len(said) == 1 + len(QUICK.outputs) * (len(STARTS) - 1)
    assert f"Of {len(said) - 1} comparisons" in said[0]
    assert f"chance alone would put 0.4 of {len(said) - 1} " in said[0]
    assert "one draw of each control" in said[0]
    rows, _ = connectome.compare(QUICK, CASES, simulation, theory)
    assert connectome.draw(QUICK, rows).axes
