"""The features study: what it measures, and what makes it fail."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from richlazy import features as t10
from richlazy import low_rank
from richlazy.laziness import Measures
from richlazy.start.task import Task
from validation import features
from validation.features import digits

CASES = features.STUDY.cases(True, 0)


@pytest.fixture(scope="module")
def found():
    return [features.STUDY.simulate(case) for case in CASES]


def failed(found):
    _, checks = features.compare(features.QUICK, CASES, found)
    return {check.name for check in checks if not check.passed}


def changed(found, part, name, change):
    """What was found, one array of one part of the study changed."""
    return [
        arrays | {name: change(arrays[name])} if case["part"] == part else arrays
        for case, arrays in zip(CASES, found, strict=True)
    ]


def damage(monkeypatch, module, name, change):
    whole = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *a, **k: change(whole(*a, **k)))


def test_the_quick_study_passes_and_counts_everything(found):
    result = features.STUDY.conclude(CASES, found)
    assert [check.name for check in result.checks if not check.passed] == []
    counts = {check.name: check.count for check in result.checks}
    g = features.QUICK
    cells, real = 7 * 2 * 5 * 2, 7 * 1 * 4 * 2  # measures, norms, anisotropies or starts, times
    assert counts == {
        "alignment": 10 * (g.draws + g.runs),
        "mean alignment": 10,
        "features": cells * g.runs,
        "means": cells,
        "digits": real * g.digits_runs,
        "order": 7 * 2 * 2,
        "order on digits": 7 * 1 * 2,
    }
    assert len(result.rows) == cells + real
    assert len({tuple(row) for row in result.rows}) == 1
    said = " ".join(result.findings)
    assert "anisotropy 1 to 4 takes c from" in said
    assert "aligned starts of rank 4 to 64" in said


def test_the_full_grid_asks_what_was_to_be_asked():
    assert features.FULL.anisotropies[0] == 0.0
    assert features.FULL.anisotropies[-1] == 4.0
    assert 1.0 in features.FULL.anisotropies
    assert features.FULL.digits_ranks[-1] == 64


def test_the_study_reads_what_a_store_gives_back(found):
    listed = [{k: list(v) if isinstance(v, tuple) else v for k, v in c.items()} for c in CASES]
    assert features.STUDY.conclude(listed, found).passed


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("alignment", {"alignment", "features"}),
        ("step_alignment", {"alignment"}),
        ("mean_step_alignment", {"mean alignment"}),
    ],
)
def test_a_wrong_t10_fails(found, monkeypatch, name, check):
    factor = 0.97 if name == "mean_step_alignment" else 0.999
    damage(monkeypatch, t10, name, lambda c: factor * c)
    assert check <= failed(found)


@pytest.mark.parametrize("measure", Measures._fields)
def test_every_measure_of_t6_is_tested(found, monkeypatch, measure):
    damage(
        monkeypatch,
        low_rank,
        "measures",
        lambda m: m._replace(**{measure: 1.0001 * getattr(m, measure)}),
    )
    assert {"features", "order"} & failed(found)


@pytest.mark.parametrize("measure", range(len(Measures._fields)))
def test_every_measure_of_the_flow_is_tested(found, measure):
    factor = np.ones(len(Measures._fields))
    factor[measure] = 1.0001
    scaled = changed(found, "digits", "flow", lambda v: v * factor[:, None, None])
    assert {"digits"} <= failed(scaled) <= {"digits", "order on digits"}


def test_a_mean_of_other_directions_fails(found):
    """Runs that follow T6, but of those w that favour the start."""

    def chosen(arrays):
        runs = features.QUICK.runs
        best = np.argsort(arrays["alignment"][:runs])[runs // 2 :]
        picked = np.repeat(best, 2)
        rest = arrays["alignment"][runs:], arrays["share"][runs:]
        return arrays | {
            "values": arrays["values"][:, :, picked],
            "weights": arrays["weights"][picked],
            "alignment": np.concatenate([arrays["alignment"][picked], rest[0]]),
            "share": np.concatenate([arrays["share"][picked], rest[1]]),
        }

    pairs = zip(CASES, found, strict=True)
    favoured = [chosen(a) if case["part"] == "features" else a for case, a in pairs]
    assert failed(favoured) == {"means"}


@pytest.mark.parametrize(
    ("part", "checks"), [("features", {"features", "order"}), ("digits", {"digits"})]
)
def test_steps_that_were_not_halved_fail(found, part, checks):
    same = changed(found, part, "values", lambda v: np.broadcast_to(v[:1], v.shape))
    assert checks <= failed(same)


@pytest.mark.parametrize("part", ["features", "digits"])
def test_runs_that_swap_places_fail(found, part):
    axis = 2  # steps, measures, runs, times
    assert part in failed(changed(found, part, "values", lambda v: np.roll(v, 1, axis=axis)))


@pytest.mark.parametrize("name", ["cov_xx", "cov_yx", "first"])
def test_another_task_or_start_is_another_flow(found, name):
    case, arrays = next(p for p in zip(CASES, found, strict=True) if p[0]["part"] == "digits")
    mine = arrays | {name: 1.001 * arrays[name]}
    task = Task(mine["cov_yx"], mine["cov_xx"])
    off = digits.flow(mine["first"], task, case["times"])[..., 1:] / arrays["flow"][..., 1:]
    assert np.max(np.abs(off - 1.0)) > 1e-4


def test_digits_are_the_task_they_are_said_to_be():
    x, y = digits.data()
    assert (x.shape, y.shape) == ((1797, 64), (1797, 10))
    task = Task.from_data(x, y)
    assert np.count_nonzero(np.ptp(x, axis=0) == 0) == 3  # pixels that never change
    assert task.modes.strengths.size == 9  # ten classes less the mean
    assert np.trace(task.cov_xx) == pytest.approx(64)
    assert np.linalg.norm(task.cov_xx - np.eye(64)) > 1


@pytest.mark.parametrize("rank", [1, 9, 20, 64])
def test_starts_are_flat_and_aligned_as_told(rank):
    task = Task.from_data(*digits.data())
    case = {"runs": 2, "hidden": 70, "rank": rank, "seed": 0, "norm_index": 0, "norm": 2.0}
    random, aligned = (digits.starts(task, case | {"aligned": a}) for a in (0, 1))
    for first in (*random, *aligned):
        size = np.linalg.svd(first, compute_uv=False)
        np.testing.assert_allclose(size[:rank], 2.0 / np.sqrt(rank), rtol=1e-12)
        assert np.all(size[rank:] < 1e-12)
    for first in aligned:
        basis = np.linalg.svd(first)[2][:rank].T
        c = task.alignment(basis)
        np.testing.assert_allclose(c[: min(rank, 9)], 1.0, rtol=1e-10)
        assert np.all(c[rank:] < 1e-10)


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '\.\[studies\]'"):
        features.STUDY.simulate(CASES[-1])
