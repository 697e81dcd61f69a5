"""The alignment study: what it measures, and what makes it fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

from richlazy import boundaries, low_rank, several_outputs
from richlazy.laziness import Measures
from richlazy.two_layer.solution import Solution
from validation import alignment
from validation.steps import place

QUICK, FULL = alignment.QUICK, alignment.FULL
CASES = json.loads(json.dumps(alignment.STUDY.cases(True, 0)))
CHECKS = {
    *(
        "runs",
        "order",
        "settled",
        "limit",
        "never",
        "outputs",
        "outputs limit",
        "sides",
        "boundary",
    ),
}
LOSS = place("loss")


@pytest.fixture(scope="module")
def found():
    return [alignment.simulate(case) for case in CASES]


def failed(found):
    _, checks = alignment.compare(CASES, found)
    assert {check.name for check in checks} == CHECKS
    return {check.name for check in checks if not check.passed}


def changed(found, change, one=True):
    """What was found, with the values of every case of one output, or two, changed."""
    return [
        part | {"values": change(part["values"].copy(), case)}
        if (case["kind"] == "one") == one
        else part
        for case, part in zip(CASES, found, strict=True)
    ]


def scaled(monkeypatch, owner, name, factor, *fields):
    """Let a function return its named tuple with fields times a factor."""
    whole = getattr(owner, name)

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(**{k: factor * getattr(values, k) for k in fields})

    monkeypatch.setattr(owner, name, damaged)


def test_the_quick_study_passes_and_nothing_is_vacuous(found):
    result = alignment.STUDY.conclude(CASES, found)
    assert [check.name for check in result.checks if not check.passed] == []
    counts = {check.name: check.count for check in result.checks}
    assert set(counts) == CHECKS
    one = [case for case in CASES if case["kind"] == "one"]
    runs = sum(len(case["alignments"]) for case in one)
    assert counts["runs"] == 7 * 4 * runs
    assert counts["order"] == 7 * len(one) == 7 * 2 * 3
    assert counts["limit"] == 7 * (runs - 4)  # all but those that learn nothing
    assert counts["settled"] == runs - 4 + 4 * QUICK.runs
    assert counts["never"] == 3 * 7 * 4 * 4
    assert counts["outputs"] == 7 * 4 * 4 * QUICK.runs
    assert counts["outputs limit"] == (7 + 5 + 7 + 5) * QUICK.runs
    assert counts["sides"] == counts["boundary"] == sum(len(case["boundary"]) for case in one)
    measured = {name for case in one for name in case["boundary"]}
    assert measured == set(boundaries.Boundary._fields)
    assert len({tuple(row) for row in result.rows}) == 1
    assert len(result.rows) == counts["runs"] + counts["outputs"]
    assert len(result.figure.axes) == 12
    json.dumps(dict(result.settings), allow_nan=False)


def test_alignments_reach_from_nothing_to_all():
    for grid in (QUICK, FULL):
        assert {0.0, 1e-6, 1.0} <= set(grid.alignments)
        assert grid.random > 1
    assert all(case["alignments"] == [1.0] for case in CASES if case["rank"] == QUICK.inputs)
    kinds = [case["kind"] for case in alignment.STUDY.cases(False, 0)]
    assert set(kinds) == {"one", *alignment.KINDS}
    assert kinds.count("any") == len(FULL.starts)


def test_starts_hold_the_share_of_the_task_that_they_say():
    for case in CASES:
        first, readout, cov_yx = alignment.start_of(case)
        np.testing.assert_allclose(np.sum(first**2, axis=(1, 2)), case["norm"] ** 2)
        s = np.linalg.svd(first, compute_uv=False)[:, : case["rank"]]
        np.testing.assert_allclose(s, case["norm"] / np.sqrt(case["rank"]))
        assert not np.any(readout)
        strengths = np.linalg.svd(cov_yx, compute_uv=False)
        wanted = np.broadcast_to(case.get("strengths", [1.0]), strengths.shape)
        np.testing.assert_allclose(strengths, wanted, atol=1e-14)
        if case["kind"] == "one":
            inside = np.sum(cov_yx[:, 0, : case["rank"]] ** 2, axis=1)
            np.testing.assert_allclose(inside, case["alignments"], rtol=1e-12)
            none = np.array(case["alignments"]) == 0.0
            assert not np.any(cov_yx[none] @ first[none].swapaxes(1, 2))
        if case["kind"] == "orthogonal":
            v = np.linalg.svd(cov_yx, full_matrices=False)[2][..., : case["rank"]]
            np.testing.assert_allclose(v[:, :1] @ v[:, 1:].swapaxes(1, 2), 0.0, atol=1e-14)


def test_a_seed_changes_the_runs(found):
    np.testing.assert_array_equal(alignment.simulate(CASES[-1])["values"], found[-1]["values"])
    other = alignment.STUDY.cases(True, 1)[-1]
    assert not np.allclose(alignment.simulate(other)["values"], found[-1]["values"])


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_a_run_is_tested(found, monkeypatch, measure):
    scaled(monkeypatch, low_rank, "measures", 1.0001, measure)
    expected = {"runs"} if measure == "loss" else {"runs", "limit"}
    assert expected <= failed(found)


@pytest.mark.parametrize("measure", range(len(Measures._fields)))
def test_every_measure_of_two_outputs_is_tested(found, monkeypatch, measure):
    whole = Solution.measures

    def damaged(*arguments):
        values = list(whole(*arguments))
        values[measure] = 1.0001 * values[measure]
        return Measures(*values)

    monkeypatch.setattr(Solution, "measures", damaged)
    assert failed(found) == {"outputs"}


@pytest.mark.parametrize(
    ("function", "measure"),
    [
        *(("measures", name) for name in Measures._fields if name != "loss"),
        *(("alignments", name) for name in several_outputs.Converged._fields if name != "loss"),
    ],
)
def test_every_limit_of_two_outputs_is_tested(found, monkeypatch, function, measure):
    scaled(monkeypatch, several_outputs, function, 1.001, measure)
    assert failed(found) == {"outputs limit"}


@pytest.mark.parametrize("measure", boundaries.Boundary._fields)
def test_a_boundary_a_little_off_fails_and_far_off_is_on_the_wrong_side(
    found, monkeypatch, measure
):
    with monkeypatch.context() as patch:
        scaled(patch, boundaries, "alignment", 1.0001, measure)
        assert failed(found) == {"boundary"}
    scaled(monkeypatch, boundaries, "alignment", 1.1, measure)
    assert {"boundary", "sides"} <= failed(found)


def test_runs_that_swap_their_alignments_fail(found):
    swapped = changed(found, lambda values, _: np.roll(values, 1, axis=2))
    assert {"runs", "limit", "never", "boundary"} <= failed(swapped)


def test_rounding_that_learns_where_nothing_can_be_learned_fails(found):
    def grow(values, case):
        values[:, 0, np.array(case["alignments"]) == 0.0, -1] += 1e-9
        return values

    assert failed(changed(found, grow)) == {"never"}


def test_steps_that_were_not_halved_fail(found):
    def same(values, _):
        values[1:] = values[0]
        return values

    assert {"order", "runs"} <= failed(changed(found, same))
    assert "outputs" in failed(changed(found, same, one=False))


@pytest.mark.parametrize("one", [True, False])
def test_runs_that_have_not_settled_fail(found, one):
    def unsettled(values, _):
        values[:, LOSS, -1, -1] += 1e-9  # of the last run, which can learn
        return values

    assert failed(changed(found, unsettled, one)) == {"settled"}


@pytest.mark.parametrize("function", ["measures", "alignments"])
def test_a_wrong_loss_at_the_end_of_two_outputs_fails(found, monkeypatch, function):
    whole = getattr(several_outputs, function)

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(loss=values.loss + 1e-4)

    monkeypatch.setattr(several_outputs, function, damaged)
    assert failed(found) == {"settled", "outputs limit"}


@pytest.mark.parametrize("function", ["measures", "alignments"])
def test_an_end_of_nan_fails(found, monkeypatch, function):
    scaled(monkeypatch, several_outputs, function, np.nan, "kernel_alignment")
    assert failed(found) == {"outputs limit"}


def test_a_run_that_diverged_fails(found):
    def broken(values, _):
        values[:, 0] = np.nan
        return values

    assert {"runs", "limit", "never", "boundary"} <= failed(changed(found, broken))
