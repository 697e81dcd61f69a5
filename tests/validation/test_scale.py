"""The scale study: what it measures, and what makes it fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

from richlazy import boundaries, laziest, limits, low_rank, several_outputs
from richlazy.laziness import Measures
from validation import scale
from validation.scale.runs import FULL, QUICK
from validation.steps import place

CASES = json.loads(json.dumps(scale.STUDY.cases(True, 0)))
CHECKS = {
    *("runs", "order", "means", "rich means", "limit", "rich order", "corrected order"),
    *("lazy order", "thin", "thin means", "signs"),
}
KA = place("kernel_alignment")


@pytest.fixture(scope="module")
def found():
    return [scale.STUDY.simulate(case) for case in CASES]


def failed(found):
    checks = scale.compare(QUICK, CASES, found)[1]
    assert {check.name for check in checks} == CHECKS
    return {check.name for check in checks if not check.passed}


def changed(found, part, change):
    """What was found, with the values of every case of one part changed."""
    return [
        f | {"values": change(f["values"].copy())} if case["part"] == part else f
        for case, f in zip(CASES, found, strict=True)
    ]


def scaled(monkeypatch, owner, name, factor):
    whole = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *a, **o: factor * whole(*a, **o))


def test_the_quick_study_passes_and_nothing_is_vacuous(found):
    result = scale.STUDY.conclude(CASES, found)
    assert [check.name for check in result.checks if not check.passed] == []
    counts = {check.name: check.count for check in result.checks}
    assert set(counts) == CHECKS
    cells = len(QUICK.scales) * len(QUICK.ranks) * 7
    assert counts["order"] == cells
    assert counts["means"] == cells * len(QUICK.times)
    assert counts["runs"] == counts["means"] * QUICK.tasks
    assert counts["rich means"] == len(QUICK.ranks)
    assert counts["rich order"] == counts["corrected order"] == 2 * len(QUICK.rich_ranks)
    assert counts["lazy order"] == 2 * sum(2 + (rank > 1) for rank in QUICK.lazy_ranks)
    thin = [case for case in CASES if case["part"] == "thin"]
    two = sum(case["group"] == "unequal" for case in thin)
    assert counts["thin means"] == 7 * (len(thin) - two) + 5 * two
    # the window: two stretches beside each of two turns of KA and three beyond, and of RA two and
    # two; four steps outside; two outputs, beside the laziest and at two norms; one early pair
    assert counts["signs"] == 7 + 4 + 4 + 2 + 2 + 1
    assert len({tuple(row) for row in result.rows}) == 1
    assert len(result.rows) == counts["means"] + counts["thin means"]
    assert len(result.figure.axes) == 6
    said = " ".join(result.findings)
    assert all(name in said for name in ("turning", "unequal", "early"))
    json.dumps(dict(result.settings), allow_nan=False)


def test_the_full_study_has_the_scales_and_the_exceptions_that_are_claimed():
    over_root = [norm / np.sqrt(g) for norm, g in FULL.scales]
    assert max(over_root) / min(over_root) == pytest.approx(1000.0)
    found = laziest.rank(150, strengths=[1.0, 0.05], norm=np.sqrt(56.2))
    assert (150, 0.05, 56.2) in {part[:3] for part in FULL.unequal}
    cases = scale.STUDY.cases(False, 0)
    unequal = [(c["inputs"], c["rank"]) for c in cases if c.get("group") == "unequal"]
    assert {(150, int(found.rank)), (150, 150)} <= set(unequal)
    assert FULL.early == (100, 3.0, 2)
    turning = [c for c in cases if c.get("group") == "turning"]
    window = boundaries.kernel_window(100)
    assert all(window.lowest < c["norm"] ** 2 < window.highest for c in turning)
    outside = [c for c in cases if c.get("group") == "monotone"]
    assert all(c["norm"] ** 2 < window.lowest for c in outside)
    assert len({c["draw"][0] for c in cases}) == len(cases)
    json.dumps(cases)


def test_a_seed_changes_the_runs(found):
    np.testing.assert_array_equal(scale.STUDY.simulate(CASES[0])["values"], found[0]["values"])
    other = scale.STUDY.cases(True, 1)[0]
    assert not np.allclose(scale.STUDY.simulate(other)["values"], found[0]["values"])


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_a_run_is_tested(found, monkeypatch, measure):
    whole = low_rank.measures

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(**{measure: 1.0001 * getattr(values, measure)})

    monkeypatch.setattr(low_rank, "measures", damaged)
    expected = {"runs"} if measure == "loss" else {"runs", "limit"}
    assert expected <= failed(found)


@pytest.mark.parametrize("measure", range(6))
def test_the_mean_of_every_measure_is_tested(found, monkeypatch, measure):
    whole = low_rank.expected

    def damaged(*arguments, **options):
        law = whole(*arguments, **options)
        mean = list(law.mean)
        mean[measure] = 1.001 * mean[measure]
        return low_rank.Expectation(Measures(*mean), law.sd)

    monkeypatch.setattr(low_rank, "expected", damaged)
    expected = {"means"} if measure == place("loss") else {"means", "thin means"}
    assert expected <= failed(found)


@pytest.mark.parametrize("measure", ["representation_alignment", "kernel_alignment"])
def test_means_of_two_outputs_are_tested(found, monkeypatch, measure):
    whole = several_outputs.expected

    def damaged(*arguments, **options):
        law = whole(*arguments, **options)
        return law._replace(mean=law.mean._replace(**{measure: 1.001 * getattr(law.mean, measure)}))

    monkeypatch.setattr(several_outputs, "expected", damaged)
    assert failed(found) == {"thin means"}


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("rich_limit", "rich order"),
        ("representation_rich_limit", "rich order"),
        ("rich_limit_mean", "rich means"),
    ],
)
def test_the_rich_limit_is_tested(found, monkeypatch, name, check):
    scaled(monkeypatch, limits, name, 1.001)
    assert check in failed(found)


@pytest.mark.parametrize("measure", limits.Correction._fields)
def test_the_correction_to_the_rich_limit_is_tested(found, monkeypatch, measure):
    whole = limits.rich_correction

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(**{measure: 1.05 * getattr(values, measure)})

    monkeypatch.setattr(limits, "rich_correction", damaged)
    assert failed(found) == {"corrected order"}


@pytest.mark.parametrize("part", [0, 1])
def test_the_lazy_limit_is_tested(found, monkeypatch, part):
    whole = low_rank.lazy_limit

    def damaged(*arguments):
        values = list(whole(*arguments))
        values[part] = values[part] + 0.005
        return tuple(values)

    monkeypatch.setattr(low_rank, "lazy_limit", damaged)
    assert failed(found) == {"lazy order"}


@pytest.mark.parametrize("measure", boundaries.Slope._fields)
def test_a_slope_of_the_wrong_sign_fails(found, monkeypatch, measure):
    whole = boundaries.slope

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(**{measure: -getattr(values, measure)})

    monkeypatch.setattr(boundaries, "slope", damaged)
    assert failed(found) == {"signs"}


@pytest.mark.parametrize("factor", [0.65, 1.5])
def test_turns_elsewhere_fail(found, monkeypatch, factor):
    whole = boundaries.turning_ranks
    for k in range(2):

        def damaged(*arguments, k=k, **options):
            turns = whole(*arguments, **options)
            kernel = list(turns.kernel_alignment)
            if kernel:
                kernel[k] *= factor
            return turns._replace(kernel_alignment=tuple(kernel))

        with monkeypatch.context() as patch:
            patch.setattr(boundaries, "turning_ranks", damaged)
            assert failed(found) == {"signs"}
    scaled(monkeypatch, boundaries, "peak_rank", factor)
    assert failed(found) == {"signs"}


@pytest.mark.parametrize("factor", [0.65, 1.5])
def test_another_laziest_rank_fails(found, monkeypatch, factor):
    whole = laziest.rank

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(rank=np.rint(factor * values.rank).astype(int))

    monkeypatch.setattr(laziest, "rank", damaged)
    assert failed(found) == {"signs"}


@pytest.mark.parametrize(
    "other",
    [
        lambda window: window._replace(lowest_norm=3.0 * window.lowest_norm),
        lambda window: window._replace(lowest_norm=0.4 * window.lowest_norm),
        lambda window: window._replace(highest_norm=1.5 * window.lowest_norm),
        lambda window: None,
    ],
)
def test_another_window_of_the_laziest_rank_fails(found, monkeypatch, other):
    whole = laziest.window
    monkeypatch.setattr(laziest, "window", lambda *a, **o: other(whole(*a, **o)))
    assert failed(found) == {"signs"}


def test_a_mean_of_nan_fails(found, monkeypatch):
    whole = several_outputs.expected

    def damaged(*arguments, **options):
        law = whole(*arguments, **options)
        return law._replace(mean=law.mean._replace(kernel_alignment=np.nan))

    monkeypatch.setattr(several_outputs, "expected", damaged)
    assert "thin means" in failed(found)


def test_ranks_that_cannot_be_told_apart_fail(found):
    def noisy(values):
        values[:, KA] = values[:, KA] * 0.0 + 0.5
        return values

    assert "signs" in failed(changed(found, "thin", noisy))


def test_steps_that_were_not_halved_fail(found):
    def same(values):
        values[1:] = values[0]
        return values

    assert {"order", "runs"} <= failed(changed(found, "scales", same))
    assert "limit" in failed(changed(found, "rich", same))
    assert "thin means" in failed(changed(found, "thin", same))


def test_thin_descent_that_is_not_the_whole_one_fails(found):
    assert failed(changed(found, "plain", lambda values: values + 1e-8)) == {"thin"}


def test_tasks_that_are_not_random_fail(found):
    """Runs that follow T6 but whose tasks favour the row space are not those of T7."""
    favoured = []
    for case, part in zip(CASES, found, strict=True):
        if case["part"] == "scales":
            best = np.argsort(part["alignment"])[-len(part["alignment"]) // 4 :]
            chosen = np.repeat(best, 4)
            part = {"values": part["values"][:, :, chosen], "alignment": part["alignment"][chosen]}
        favoured.append(part)
    assert "means" in failed(favoured)
    assert "runs" not in failed(favoured)


def test_a_run_that_diverged_fails(found):
    def broken(values):
        return values * np.nan

    assert {"runs", "means", "order"} <= failed(changed(found, "scales", broken))
    assert {"limit", "lazy order"} <= failed(changed(found, "lazy", broken))
    assert {"signs"} <= failed(changed(found, "thin", broken))
