"""The depth study: what it measures, and what makes it fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

from richlazy import curves, deep
from richlazy import depth as theory
from richlazy.formulas.depth import DeepMode
from richlazy.laziness import Measures
from validation import depth

QUICK = depth.QUICK
CASES = depth.STUDY.cases(True, 0)
CHECKS = {
    "aligned", "aligned order", "powers", "powers order", "infinite", "infinite order", "random",
    "random order", "times", "conservation", "conservation order",
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return [depth.simulate(case) for case in CASES]


def failed(found, cases=CASES):
    return {check.name for check in depth.compare(cases, found)[1] if not check.passed}


def changed(found, kind, **replaced):
    """What was found, with arrays of every case of one kind passed through functions."""
    return [
        part | {name: change(part[name]) for name, change in replaced.items()}
        if case["kind"] == kind
        else part
        for case, part in zip(CASES, found, strict=True)
    ]


def damage_mode(monkeypatch, field, factor):
    whole = theory.state

    def damaged(*arguments):
        state = whole(*arguments)
        return state._replace(**{field: getattr(state, field) * factor})

    monkeypatch.setattr(theory, "state", damaged)


def damage(monkeypatch, module, name, factor):
    whole = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *a, **k: factor * whole(*a, **k))


def test_the_quick_study_passes_and_nothing_is_vacuous(found):
    result = depth.conclude(CASES, found)
    assert [check.name for check in result.checks if not check.passed] == []
    counts = {check.name: check.count for check in result.checks}
    assert set(counts) == CHECKS
    # quantities, starts, frames, times; all modes of one layer are half way at once
    assert counts["aligned"] == (2 * 3 + 4) * 3 * QUICK.frames * (2 + 4 + 4 + 4)
    # six quantities of every case, and of one layer all but its kernel
    assert counts["aligned order"] == 6 * 4 * 3 - 3
    assert counts["powers"] == 4 * 3 * len(QUICK.real_depths) * 2
    assert counts["infinite"] == 3 * 3 * 2
    assert counts["random"] == 7 * 4 * QUICK.runs * 2
    assert counts["conservation"] == 4 * QUICK.runs
    assert counts["times"] >= 4 * 3 * 3
    kinds = {row["kind"] for row in result.rows}
    assert kinds == {"aligned", "powers", "infinite", "random"}
    assert len({tuple(row) for row in result.rows}) == 1
    assert len(result.findings) == 1 + len(QUICK.starts)
    json.dumps(dict(result.settings))
    for row in result.rows:
        assert np.isfinite(row["descent"])


def test_the_full_study_has_every_depth_and_small_cases():
    grid = depth.FULL
    assert grid.depths == (1, 2, 3, 4, 5, 6)
    assert grid.random_depths == (3, 4)
    assert any(layers % 1 for layers in grid.real_depths)
    assert min(grid.starts) <= 1e-3 < 1.0 < max(grid.starts)
    cases = depth.STUDY.cases(False, 0)
    assert len(cases) == 6 * 5 + 2 + 2 * 3 * 2
    json.dumps(cases)


def test_a_seed_changes_the_runs(found):
    index = next(i for i, case in enumerate(CASES) if case["kind"] == "random")
    again = depth.simulate(CASES[index])
    for name, values in again.items():
        np.testing.assert_array_equal(values, found[index][name])
    other = depth.simulate(depth.STUDY.cases(True, 1)[index])
    assert not np.allclose(other["measures"], again["measures"])


@pytest.mark.parametrize("field", ["strength", "weight_change", "relative_kernel_change", "loss"])
def test_every_number_of_a_mode_is_tested(found, monkeypatch, field):
    damage_mode(monkeypatch, field, 1.001)
    assert {"aligned"} <= failed(found) <= {"aligned", "aligned order"}


def test_a_wrong_time_fails(found, monkeypatch):
    damage(monkeypatch, theory, "time", 1.00001)
    assert failed(found) == {"times"}


def test_a_wrong_infinite_depth_fails(found, monkeypatch):
    damage(monkeypatch, theory, "infinite", 1.0001)
    assert failed(found) == {"infinite", "infinite order"}


@pytest.mark.parametrize(
    "column", ["mode_strength", "weight_change", "relative_kernel_change", "loss"]
)
def test_every_column_of_the_curve_is_tested(found, monkeypatch, column):
    whole = curves.depth

    def damaged(*arguments, **options):
        curve = whole(*arguments, **options)
        curve.columns[column] = 1.0001 * curve.columns[column]
        return curve

    monkeypatch.setattr(curves, "depth", damaged)
    assert {"powers"} <= failed(found) <= {"powers", "powers order"}


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_a_deep_network_is_tested(found, monkeypatch, measure):
    whole = deep.DeepSolution.measures

    def damaged(self, t):
        values = whole(self, t)
        # a loss that is wrong by a factor at the start as well would be wrong in its scale alone
        late = np.where(np.asarray(t) > 0, 1.0001, 1.0)
        return values._replace(**{measure: late * getattr(values, measure)})

    monkeypatch.setattr(deep.DeepSolution, "measures", damaged)
    assert {"random"} <= failed(found) <= {"random", "random order"}


def test_a_drift_of_the_theory_fails(found, monkeypatch):
    monkeypatch.setattr(deep.DeepSolution, "drift", lambda self, t: 1e-5)
    assert failed(found) == {"conservation"}


def test_a_network_of_another_depth_fails(found):
    deeper = [
        case | {"layers": case["layers"] + 1} if case["kind"] == "aligned" else case
        for case in CASES
    ]
    assert {"aligned", "times"} <= failed(found, deeper)


def test_a_mode_that_learns_late_fails(found):
    late = changed(found, "aligned", times=lambda t: 1.0001 * t)
    assert {"aligned", "times"} <= failed(late)


def test_a_kernel_that_is_wrong_fails(found):
    assert "aligned" in failed(changed(found, "aligned", kernel=lambda k: 1.0001 * k))


def test_steps_that_were_not_halved_fail(found):
    def stuck(values):
        return np.broadcast_to(values[:1], values.shape)

    one = changed(found, "aligned", measures=stuck, strength=stuck, kernel=stuck)
    with np.errstate(divide="ignore"):
        assert {"aligned", "aligned order"} <= failed(one)
        assert {"powers"} <= failed(changed(found, "powers", values=stuck))
        assert {"random", "random order", "conservation", "conservation order"} <= failed(
            changed(found, "random", measures=stuck, drift=stuck)
        )


def test_starts_that_swap_their_tasks_fail(found):
    swapped = changed(found, "random", cov_yx=lambda x: x[::-1])
    assert "random" in failed(swapped)


def test_a_theory_of_nan_fails(found, monkeypatch):
    whole = theory.state
    monkeypatch.setattr(
        theory, "state", lambda *a: DeepMode(*(np.nan * value for value in whole(*a)))
    )
    assert {"aligned", "aligned order"} <= failed(found)
