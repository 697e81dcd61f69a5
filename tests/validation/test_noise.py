"""The noise study: what it measures, and what makes it fail."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from richlazy import low_rank
from richlazy.laziness import Measures
from validation import noise
from validation.noise import runs as noise_runs

QUICK = noise_runs.QUICK
CASES = noise_runs.cases(QUICK, 0)


@pytest.fixture(scope="module")
def found():
    return [noise.STUDY.simulate(case) for case in CASES]


@pytest.fixture(scope="module")
def cells(found):
    return noise_runs.gathered(CASES, found)


def failed(cells):
    return {check.name for check in noise.compare(QUICK, cells)[1] if not check.passed}


def damage_measures(monkeypatch, **factors):
    whole = low_rank.measures

    def damaged(*arguments, **options):
        values = whole(*arguments, **options)
        return values._replace(**{k: getattr(values, k) * f for k, f in factors.items()})

    monkeypatch.setattr(low_rank, "measures", damaged)


def test_the_quick_run_passes_with_every_cell(found):
    result = noise.STUDY.conclude(CASES, found)
    assert result.verdict == "passed (4 of 4 checks)"
    cells = 1 * 2 * 3 * 2  # starts, label noises, batches, times
    counts = {check.name: check.count for check in result.checks}
    families = 1 * 2 * 2 * 7  # starts, label noises, times, measures
    assert counts == {
        "runs": 7 * cells,
        "means": 7 * cells,
        "spread": 2 * families,
        "gradient": cells,
    }
    assert len(result.rows) == 7 * cells * (QUICK.halvings + 1)
    assert len(result.findings) == 2 * 2 + 1
    json.dumps([result.settings, result.rows, CASES], allow_nan=False)


def test_the_full_grid_goes_from_single_samples_to_full_batches():
    grid = noise_runs.FULL
    assert (grid.batches[0], grid.batches[-1]) == (1, 4096)
    assert all(grid.runs(batch) >= 32 for batch in grid.batches)
    assert grid.label_noises[0] == 0.0 < grid.label_noises[1]


def test_the_order_of_cases_does_not_matter(found, cells):
    shuffled = np.random.default_rng(0).permutation(len(CASES))
    again = noise_runs.gathered([CASES[i] for i in shuffled], [found[i] for i in shuffled])
    for one, other in zip(again, cells, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.eta, other.eta)


def test_noise_is_seen_before_it_is_extrapolated_away(cells):
    rows, _ = noise.compare(QUICK, cells)
    assert max(abs(row["bias"] / row["bias_error"]) for row in rows) > 6.0


@pytest.mark.parametrize("measure", Measures._fields)
@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_every_measure_of_the_runs_is_tested(cells, monkeypatch, measure, factor):
    damage_measures(monkeypatch, **{measure: factor})
    assert "runs" in failed(cells)


def test_a_mean_law_that_is_wrong_fails(cells, monkeypatch):
    whole = low_rank.expected

    def damaged(*arguments, **options):
        law = whole(*arguments, **options)
        law.mean = Measures(*(1.1 * value for value in law.mean))
        return law

    monkeypatch.setattr(low_rank, "expected", damaged)
    assert failed(cells) == {"means"}


def test_runs_that_swap_their_tasks_fail(cells):
    rolled = [replace(c, alignment=np.sort(c.alignment)[::-1] ** 2) for c in cells]
    assert "runs" in failed(rolled)


def test_noise_that_does_not_shrink_with_the_batch_fails(cells):
    """Every batch has the values of single samples at the steps of its own."""
    single = []
    for i, cell in enumerate(cells):
        tasks = len(cell.alignment)
        single.append(replace(cell, values=cells[i - i % 3].values[:, :, :tasks]))
    assert "spread" in failed(single)


def test_noise_that_does_not_shrink_with_the_step_fails(cells):
    same = [replace(c, values=np.repeat(c.values[:, :1], 5, axis=1)) for c in cells]
    assert {"spread", "runs"} <= failed(same)


def test_noise_with_a_wrong_share_of_the_loss_fails(cells):
    assert "gradient" in failed([replace(c, noise=1.1 * c.noise) for c in cells])


def test_label_noise_that_is_not_there_fails(cells):
    assert "gradient" in failed([replace(c, label_noise=0.55 * (c.label_noise > 0)) for c in cells])
    assert "gradient" in failed([replace(c, label_noise=0.1) for c in cells])


def test_a_theory_of_nan_fails(cells, monkeypatch):
    damage_measures(monkeypatch, loss=np.nan)
    assert "runs" in failed(cells)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_no_spread_small_enough_fails(cells, monkeypatch):
    damage_measures(monkeypatch, **dict.fromkeys(Measures._fields, 0.0))
    assert "spread" in failed(cells)


def test_exponents_of_a_made_spread_are_found(cells):
    """Pairs that differ by a normal number of size eta^0.7 B^-0.4."""
    rng = np.random.default_rng(0)
    made = []
    for cell in cells[:3]:
        size = cell.eta**0.7 * cell.batch**-0.4
        values = size[None, :, None, None, None] * rng.standard_normal(cell.values.shape)
        made.append(replace(cell, values=values))
    fit, error = noise.exponents(made, np.full((7, 2), 1e9))
    assert np.all(np.abs(fit[0] - 0.7) < 4.0 * error[0])
    assert np.all(np.abs(fit[1] + 0.4) < 4.0 * error[1])
    assert np.all(error < 0.1)
    assert np.all(np.isnan(noise.exponents(made, np.full((7, 2), 1e-9))[0]))
