"""The imbalance study: what it measures, and what makes it fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

import richlazy as rl
from richlazy import modes, riccati
from richlazy.laziness import Measures
from richlazy.two_layer.solution import Solution
from validation import imbalance
from validation.imbalance.runs import angles

QUICK = imbalance.QUICK
CASES = imbalance.STUDY.cases(True, 0)
CHECKS = {
    f"{name}{kind}"
    for name in ("modes", "networks", "riccati", "second moment", "conservation")
    for kind in ("", " order")
}


@pytest.fixture(scope="module")
def found():
    return [imbalance.simulate(case) for case in CASES]


def failed(found):
    _, checks = imbalance.compare(imbalance.compared(CASES, found))
    return {check.name for check in checks if not check.passed}


def changed(found, kind, **replaced):
    """What was found, with arrays of every case of one kind passed through functions."""
    return [
        part | {name: change(part[name]) for name, change in replaced.items()}
        if case["kind"] == kind
        else part
        for case, part in zip(CASES, found, strict=True)
    ]


def test_the_quick_study_passes_and_nothing_is_vacuous(found):
    result = imbalance.conclude(CASES, found)
    assert [check.name for check in result.checks if not check.passed] == []
    counts = {check.name: check.count for check in result.checks}
    assert set(counts) == CHECKS
    shared, balanced = 2 * 2, 2 * 5  # norms and colours, sizes and lambdas
    assert counts["modes"] == shared * 5 * QUICK.directions * 2 * 3
    assert counts["networks"] == shared * 7 * QUICK.directions * 2
    assert counts["riccati"] == balanced * 7 * QUICK.runs * 2
    assert counts["second moment"] == balanced * QUICK.runs * 2 * 10 * 10
    assert counts["conservation order"] == shared + balanced
    assert counts["riccati order"] == balanced * 7
    assert len({tuple(row) for row in result.rows}) == 1
    assert len(result.findings) == len(QUICK.sizes)
    json.dumps(dict(result.settings))
    for row in result.rows:
        assert np.isfinite(row["descent"])


def test_modes_go_from_a_silent_readout_through_a_silent_first_layer_to_the_saddle(found):
    for case, part in zip(CASES, found, strict=True):
        if case["kind"] == "shared":
            a, b = part["a"], part["b"]
            norm = case["norms"][case["index"]]
            np.testing.assert_allclose(np.hypot(a, b), norm)
            for mode in range(3):  # every mode takes every direction
                taken = np.sort(part["angle"][:, mode])
                np.testing.assert_array_equal(taken, angles(QUICK.directions))
            assert np.sum(b == 0.0) == np.sum(a == 0.0) == 3
            assert np.sum(np.abs(a + b) < 1e-15) == 3
            assert np.any(a * b < 0.0)
            assert np.any(a * b > 0.0)


def test_starts_are_balanced_at_one_norm_and_lambda_has_every_sign(found):
    levels = set()
    for case, part in zip(CASES, found, strict=True):
        if case["kind"] == "balanced":
            first, readout, level = part["first"], part["readout"], float(part["level"])
            size = np.sum(first**2, axis=(1, 2)) + np.sum(readout**2, axis=(1, 2))
            np.testing.assert_allclose(size, case["sizes"][case["index"]])
            d = readout.swapaxes(1, 2) @ readout - first @ first.swapaxes(1, 2)
            np.testing.assert_allclose(d, np.broadcast_to(level * np.eye(4), d.shape), atol=1e-13)
            levels.add(np.sign(level))
            strengths = np.linalg.svd(part["cov_yx"], compute_uv=False)
            np.testing.assert_allclose(
                strengths[:, :3], np.broadcast_to(QUICK.strengths, (QUICK.runs, 3))
            )
    assert levels == {-1.0, 0.0, 1.0}


def test_a_seed_changes_the_runs(found):
    again = imbalance.simulate(CASES[-1])
    for name, values in again.items():
        np.testing.assert_array_equal(values, found[-1][name])
    other = imbalance.simulate(imbalance.STUDY.cases(True, 1)[-1])
    assert not np.allclose(other["measures"], again["measures"])


def test_the_full_study_is_larger():
    cases = imbalance.STUDY.cases(False, 0)
    assert len(cases) == 3 * 2 + 3 * 11
    json.dumps(cases)
    assert imbalance.FULL.directions == 16


@pytest.mark.parametrize("field", ["change_first", "kernel", "loss"])
def test_every_number_of_a_mode_is_tested(found, monkeypatch, field):
    whole = modes.state

    def damaged(*arguments):
        state = whole(*arguments)
        return state._replace(**{field: 1.001 * getattr(state, field)})

    monkeypatch.setattr(modes, "state", damaged)
    assert "modes" in failed(found)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_wrong_trajectory_fails(found, monkeypatch, layer):
    whole = modes.trajectory

    def damaged(*arguments):
        pair = list(whole(*arguments))
        pair[layer] = 1.0001 * pair[layer]
        return tuple(pair)

    monkeypatch.setattr(modes, "trajectory", damaged)
    assert {"modes"} <= failed(found) <= {"modes", "modes order"}


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_a_network_is_tested(found, monkeypatch, measure):
    whole = Solution.measures

    def damaged(self, t):
        values = whole(self, t)
        # a loss that is wrong by a factor at the start as well would be wrong in its scale alone
        late = np.where(np.asarray(t) > 0, 1.001, 1.0)
        return values._replace(**{measure: late * getattr(values, measure)})

    monkeypatch.setattr(Solution, "measures", damaged)
    orders = {"networks order", "riccati order"}
    assert {"networks", "riccati"} <= failed(found) <= {"networks", "riccati"} | orders


def test_a_wrong_second_moment_fails(found, monkeypatch):
    whole = riccati.Balanced.second_moment
    monkeypatch.setattr(
        riccati.Balanced, "second_moment", lambda self, at: 1.0001 * whole(self, at)
    )
    assert {"second moment"} <= failed(found) <= {"second moment", "second moment order"}


def test_what_is_not_conserved_fails(found, monkeypatch):
    whole = rl.Network.conserved.func
    wrong = property(lambda self: 1.0001 * whole(self))
    monkeypatch.setattr(rl.Network, "conserved", wrong)
    assert {"conservation"} <= failed(found) <= {"conservation", "conservation order"}


def test_a_wrong_imbalance_fails(found, monkeypatch):
    seen = imbalance.compared(CASES, found)
    index = next(i for i, one in enumerate(seen) if one.case["kind"] == "balanced")
    whole = riccati.imbalance

    def damaged(first, readout):
        level, gap = whole(first, readout)
        return 1.001 * level, gap

    monkeypatch.setattr(riccati, "imbalance", damaged)
    off, _ = imbalance.theory._kept(CASES[index], found[index], np.zeros(QUICK.runs))
    assert np.max(seen[index].kept) < 1e-6 < np.max(off)


def test_a_drift_of_the_theory_fails(found, monkeypatch):
    monkeypatch.setattr(Solution, "drift", lambda self, t: 1e-5)
    assert failed(found) == {"conservation"}


def test_the_imbalance_of_another_start_fails(found):
    """Starts of the layers' sizes alone, as if lambda told everything."""
    turned = changed(found, "balanced", cov_yx=lambda x: x[::-1])
    assert {"riccati", "second moment"} <= failed(turned)


def test_weights_that_are_not_those_of_the_descent_fail(found):
    moved = changed(found, "shared", w1=lambda w: 1.00001 * w)
    assert {"modes", "conservation"} <= failed(moved)
    moved = changed(found, "balanced", w2=lambda w: 1.00001 * w)
    assert {"second moment", "conservation"} <= failed(moved)


def test_steps_that_were_not_halved_fail(found):
    def stuck(values):
        return np.broadcast_to(values[:1], values.shape)

    names = ("measures", "w1", "w2")
    same = [part | {name: stuck(part[name]) for name in names} for part in found]
    assert failed(same) == CHECKS


def test_a_theory_of_nan_fails(found, monkeypatch):
    whole = Solution.measures
    monkeypatch.setattr(
        Solution,
        "measures",
        lambda self, t: Measures(*(np.nan * value for value in whole(self, t))),
    )
    assert {"networks", "riccati"} <= failed(found)
