"""A report's numbers are those of `expect`, its controls share one norm, its files are whole."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from richlazy import curves, descent, spectrum
from richlazy.averages.expect import expect
from richlazy.errors import ConvergenceError
from richlazy.report import first_layer as report
from richlazy.report import output as report_output
from richlazy.sources import controls
from richlazy.sources import source as sources
from richlazy.sources.source import Source
from richlazy.start import matrices
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from tests.theory.report.reports import CONTROLS, WRITTEN, made, of, sparse_weights, summary, write


@pytest.fixture(scope="module")
def small():
    """A report on 6 x 9 weights of norm 1.7, and what `expect` was asked for it, in order."""
    asked = []

    def record(start, inputs, **options):
        asked.append(start)
        return expect(start, inputs, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "REPLICATES", 2)
        patch.setattr(report, "expect", record)
        return of(sparse_weights((6, 9)), norm=1.7), asked


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The full report on 20 x 30 weights from a .csv file."""
    weights = sparse_weights((20, 30))
    path = tmp_path_factory.mktemp("report") / "mine.csv"
    path.write_text("\n".join(",".join(map(repr, row)) for row in weights.tolist()))
    steps = []
    found = made(sources.find(str(path)), advance=steps.append)
    return found, weights, steps


# ---------------------------------------------------------------- the numbers


def test_a_report_says_what_it_is_on(whole):
    found, weights, _ = whole
    assert (found.source.name, found.hidden, found.inputs) == ("mine", 20, 30)
    assert found.norm == pytest.approx(1.0, rel=1e-14)
    assert found.given_norm == pytest.approx(np.linalg.norm(weights), rel=1e-14)
    wanted = spectrum.rescaled(spectrum.of(weights), 1.0)
    np.testing.assert_allclose(found.singular_values, wanted, rtol=1e-12)
    assert found.starts == ["mine", "flat, full rank", *CONTROLS]
    assert found.notes == ()


@pytest.mark.parametrize("name", ["Gaussian", "flat, full rank", "degrees kept"])
def test_a_file_named_like_a_control_is_not_averaged_into_it(few, tmp_path, name):
    weights = sparse_weights((6, 8))
    np.save(tmp_path / f"{name}.npy", weights)
    np.save(tmp_path / "w.npy", weights)
    found, plain = (made(sources.find(str(tmp_path / f"{n}.npy"))) for n in (name, "w"))
    assert found.source.name == name
    assert found.starts == [f"{name} (the input)", *plain.starts[1:]]
    assert [row[1:] for row in found.table()] == [row[1:] for row in plain.table()]


def test_every_control_has_ten_replicates_and_every_step_is_told(whole):
    found, _, steps = whole
    counts = [len(found.group(name)) for name in found.starts]
    assert counts == [1, 1, 10, 10, 10]
    assert [found.group(name)[0].expected.tasks for name in found.starts] == [200, None, 50, 50, 50]
    assert [e.replicate for e in found.group("Gaussian")] == list(range(10))
    assert len(steps) == report.STEPS


def test_the_entries_are_what_expect_says(whole):
    found, weights, _ = whole
    s = spectrum.of(sources.rescaled(Source("", weights), 1.0).values)
    flat = spectrum.flat(20)
    for entry, start in zip(found.entries[:2], (s, flat), strict=True):
        expected = expect(start, 30, rng=np.random.default_rng([report.SEED, 0]))
        for measure in report.MEASURES:
            assert entry.mean(measure) == pytest.approx(getattr(expected, measure).mean, rel=1e-9)
        for kind in report.RANKS:
            wanted = spectrum.effective_rank(start, kind)
            assert entry.ranks[kind] == pytest.approx(wanted, rel=1e-12)
    assert found.ratio == found.entries[0].ranks["participation"]


def test_all_starts_have_the_same_norm(small):
    _, seen = small
    assert len(seen) == 2 + 3 * 2
    np.testing.assert_allclose([np.linalg.norm(s) for s in seen], 1.7, rtol=1e-14)


def test_the_controls_are_those_of_the_weights(small):
    """Slow twin: every replicate made again from its seed, as a matrix."""
    _, seen = small
    unit = sparse_weights((6, 9))
    unit *= 1.7 / np.linalg.norm(unit)
    twins = [
        lambda rng: spectrum.gaussian(6, 9, 1.7, rng),
        lambda rng: np.linalg.svd(controls.shuffled(unit, rng), compute_uv=False),
        lambda rng: np.linalg.svd(controls.degree_preserving(unit, rng), compute_uv=False),
    ]
    for kind, twin in enumerate(twins):
        for replicate in range(2):
            wanted = twin(np.random.default_rng([report.SEED, kind + 1, replicate]))
            np.testing.assert_allclose(seen[2 + 2 * kind + replicate], wanted, atol=1e-14)
    shuffled, degrees = seen[4], seen[6]
    assert not np.allclose(shuffled, seen[0], rtol=1e-3)
    assert not np.allclose(degrees, seen[0], rtol=1e-3)
    assert not np.allclose(degrees, seen[7], rtol=1e-3)


def test_the_same_input_gives_the_same_report(few, small):
    first, again = small[0], of(sparse_weights((6, 9)), norm=1.7)
    assert summary(first) == summary(again)
    for a, b in zip(first.entries, again.entries, strict=True):
        assert a.ranks == b.ranks
        assert a.expected.to_dict() == b.expected.to_dict()
    np.testing.assert_array_equal(first.course.theory, again.course.theory)
    np.testing.assert_array_equal(first.course.descent, again.course.descent)


def test_the_curves_are_those_of_the_size_and_the_participation_ratio(whole):
    found, _, _ = whole
    wanted = curves.rank(30, ranks=np.arange(1, 21), norm=found.norm)
    assert found.by_rank.to_csv() == wanted.to_csv()
    wanted = curves.alignment(found.ratio, 30, norm=found.norm)
    assert found.by_alignment.to_csv() == wanted.to_csv()


# ---------------------------------------------------------------- the time course


def test_gradient_descent_is_off_by_the_error_of_its_step_alone(whole):
    """T13: half the step, half the gap; the theory is solved anew on the same random task."""
    found, weights, _ = whole
    course = found.course
    rng = np.random.default_rng([report.SEED, 99])
    task = Task.random(30, 1, rng=rng)
    unit = weights / np.linalg.norm(weights)
    solution = solve(Network(unit), task)
    np.testing.assert_allclose(
        course.theory.kernel_alignment, solution.kernel_alignment(course.times), rtol=1e-8
    )
    exact = solution.kernel_alignment(course.descent_times)
    gap = np.abs(course.descent.kernel_alignment - exact)
    assert course.gap == pytest.approx(gap.max(), rel=1e-6)
    steps = np.rint(course.descent_times / course.step).astype(int)
    half = descent.descend(
        unit[None],
        np.zeros((1, 1, 20)),
        task.cov_yx[None],
        step=course.step / 2,
        steps=int(2 * steps[-1]),
        record=list(2 * steps),
    )
    halved = np.abs(half.measures.kernel_alignment[0] - exact)
    assert 1.9 < gap.max() / halved.max() < 2.1


def test_the_time_course_ends_where_the_task_is_learned(whole):
    course = whole[0].course
    assert course.times[0] == 0
    assert course.theory.loss[0] == pytest.approx(0.5, rel=1e-12)
    assert course.theory.loss[-1] < 0.5e-3
    assert course.descent_times[-1] == pytest.approx(course.times[-1], abs=course.step)


@pytest.mark.parametrize("norm", [1e-6, 1e3])
def test_the_time_course_finds_its_time_at_every_scale(few, monkeypatch, norm):
    monkeypatch.setattr(report, "_rearranged", lambda source, notes: {})  # not looked at here
    course = of(np.diag([3.0, 2.0, 1.0]), norm).course
    half = np.flatnonzero(course.theory.loss < 0.25)[0]
    assert half > 2  # not over before it is looked at
    assert course.theory.loss[-1] < 0.5e-3
    assert course.gap < 0.1


def test_descent_that_costs_too_much_is_not_run(few, monkeypatch):
    monkeypatch.setattr(report, "_DESCENT_WORK", 10.0)
    found = of(sparse_weights((6, 9)))
    assert (found.course.step, found.course.descent, found.course.gap) == (None, None, None)
    assert found.notes[-1].startswith("gradient descent not run: ")
    assert "steps on 6 x 9 weights cost too much" in found.notes[-1]
    assert "Plain gradient descent" not in summary(found)


def test_descent_that_diverges_is_not_shown(few, monkeypatch):
    def diverge(*_, **__):
        raise ConvergenceError("it diverges")

    monkeypatch.setattr(descent, "descend", diverge)
    found = of(sparse_weights((6, 9)))
    assert found.course.descent is None
    assert found.notes[-1] == "gradient descent not shown: it diverges"


# ---------------------------------------------------------------- every kind of input


def put(folder, name):
    path = folder / name
    weights = sparse_weights((6, 9))
    if name == "s.csv":
        path.write_text("3\n2\n1\n0.5\n0\n")
    elif name == "edges.csv":
        path.write_text("pre,post,n\na,b,1\nb,c,2\nc,a,1\na,d,4\nd,d,1\nb,a,-1\nd,c,2\n")
    elif name == "w.mtx":
        scipy.io.mmwrite(path, scipy.sparse.coo_array(weights))
    elif name == "w.npz":
        scipy.sparse.save_npz(path, scipy.sparse.csr_array(weights))
    return path


@pytest.mark.parametrize(
    ("name", "shape", "starts", "notes"),
    [
        (
            "s.csv",
            (5, 5),
            CONTROLS[:1],
            (
                "5 singular values are taken as those of 5 x 5 weights",
                "no shuffled controls: a spectrum has no entries to shuffle",
            ),
        ),
        ("edges.csv", (4, 4), CONTROLS, ("self-edges kept on the diagonal: 1",)),
        ("w.mtx", (6, 9), CONTROLS, ()),
    ],
)
def test_every_kind_of_file(few, tmp_path, name, shape, starts, notes):
    steps = []
    found = made(sources.find(str(put(tmp_path, name))), advance=steps.append)
    assert (found.hidden, found.inputs) == shape
    assert found.starts[2:] == starts
    assert found.notes == notes
    assert len(steps) == 2 + 3 * 2 + 2
    assert found.course.gap < 0.01


def test_a_sparse_file_is_reported_on_like_the_dense_one(few, small, tmp_path):
    dense, sparse = small[0], made(sources.find(str(put(tmp_path, "w.npz"))), norm=1.7)
    for a, b in zip(dense.entries, sparse.entries, strict=True):
        for measure in report.MEASURES:
            assert a.mean(measure) == pytest.approx(b.mean(measure), rel=1e-9)


@pytest.mark.parametrize(
    ("values", "controls_made", "note"),
    [
        ([[2.0]], CONTROLS[:2], "no degree-preserving control: weights must have at least 2 edges"),
        ([[1.0, 2, 3]], CONTROLS, "no entry is zero: with degrees kept, weights only move"),
        ([[1.0], [2], [3]], CONTROLS, "no entry is zero: with degrees kept"),
        (np.outer([1.0, 2, 3, 4], [1.0, -1, 2]), CONTROLS, "no entry is zero"),
        (np.arange(1.0, 13).reshape(4, 3), CONTROLS, "no entry is zero"),
        ([[1.0, 0, 0], [0, 0, 2], [0, 0, 0]], CONTROLS[:2], "at least 2 edges to swap"),
        ([[0.0, 1, 0], [0, 0, 2], [0, 0, 0]], CONTROLS, None),
        ([[0.0, 1, 0, 0], [0, 0, 0, 0]], CONTROLS[:2], "at least 2 edges to swap"),
        (np.eye(3), CONTROLS[:2], "at least 2 edges to swap"),
    ],
)
def test_small_and_degenerate_weights(few, tmp_path, monkeypatch, values, controls_made, note):
    monkeypatch.setattr(report_output, "render", lambda *_: b"")  # drawn in test_figures.py
    found = of(np.array(values))
    assert found.starts[2:] == controls_made
    assert any(note in n for n in found.notes) if note else found.notes == ()
    for entry in found.entries:
        ratio = entry.ranks["participation"]
        assert 1 - 1e-12 < ratio < min(found.hidden, found.inputs) + 1e-9
        assert 0 <= entry.mean("kernel_alignment") <= 1
        assert 0 <= entry.mean("representation_alignment") <= 1
        assert entry.mean("weight_change") > 0
    assert found.course.gap < 0.02
    write(found, tmp_path)
    assert sorted(os.listdir(tmp_path)) == WRITTEN


@pytest.mark.parametrize("seed", [0, 8])
def test_at_full_rank_the_only_alignment_is_one(few, seed):
    """An orthogonal matrix has participation ratio d up to rounding, below or above."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((5, 5)))
    found = of(q)
    np.testing.assert_array_equal(found.by_alignment.x, [1.0])
    assert found.by_alignment.provenance["parameters"]["rank"] == 5.0


def test_weights_too_large_for_their_singular_values(few, monkeypatch):
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 5)
    weights = scipy.sparse.csr_array(sparse_weights((6, 9)))
    steps = []
    found = made(Source("w", weights), advance=steps.append)
    assert found.starts == ["w", "flat, full rank"]
    assert found.singular_values is None
    assert found.notes == ("no randomised controls: the smaller dimension is over 5",)
    assert len(steps) == 2 + 3 * 2 + 2
    ranks = found.entries[0].ranks
    assert (ranks["entropy"], ranks["numerical"]) == (None, None)
    dense = weights.toarray()
    for kind in ("participation", "stable"):
        assert ranks[kind] == pytest.approx(spectrum.effective_rank(dense, kind), rel=1e-9)
    assert "±" not in summary(found)


@pytest.mark.parametrize(
    ("measure", "value", "sd", "wanted"),
    [
        ("kernel_alignment", 1.0, None, "1.0000"),
        ("kernel_alignment", 0.9995, None, "1 - 0.0005"),
        ("kernel_alignment", 0.9989, None, "0.9989"),
        ("weight_change", 0.9995, None, "0.9995"),
        ("weight_change", 0.0, None, "0.0000"),
        ("weight_change", 0.01, None, "0.0100"),
        ("weight_change", 0.00999, None, "0.00999"),
        ("weight_change", 0.5, 6e-5, "0.5000 ± 0.0001"),
        ("weight_change", 0.5, 4e-5, "0.5000 ± 4e-05"),
        ("weight_change", 0.005, 0.001, "0.005 ± 0.001"),
        ("kernel_alignment", 0.9995, 0.0012, "1 - 0.0005 ± 0.001"),
    ],
)
def test_how_a_mean_and_its_spread_are_shown(measure, value, sd, wanted):
    assert report.shown(measure, value, sd) == wanted


def test_the_verdict_tells_of_the_own_norm_where_it_is_another(small):
    found = small[0]
    assert found.verdict.own_norm == found.given_norm != found.norm
    for given, told in ((found.norm * (1 + 1e-7), False), (found.norm * (1 + 1e-5), True)):
        other = dataclasses.replace(found, given_norm=given).verdict
        assert other.own_norm == (given if told else None)
    verdict = found.verdict
    assert verdict.kernel_alignment == found.entries[0].mean("kernel_alignment")
    assert (verdict.participation_ratio, verdict.largest) == (found.ratio, 6)


def test_the_largest_matrix_with_singular_values_has_controls_too(few, monkeypatch):
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 6)
    found = of(sparse_weights((6, 9)))
    assert found.starts[2:] == CONTROLS
    assert found.singular_values.size == 6


def test_descent_is_run_as_long_as_its_multiplications_allow(few, monkeypatch):
    """Two products forward and two back for every weight and step."""
    monkeypatch.setattr(report, "_rearranged", lambda source, notes: {})  # not looked at here
    weights = sparse_weights((4, 5))
    course = of(weights).course
    steps = np.rint(course.descent_times / course.step)
    assert (course.descent_times[0], steps.size) == (0.0, 41)
    assert np.ptp(np.diff(steps)) <= 1
    work = 4.0 * 4 * 5 * steps[-1]
    for limit, run in ((work, True), (work - 1.0, False)):
        monkeypatch.setattr(report, "_DESCENT_WORK", limit)
        assert (of(weights).course.descent is not None) == run


@pytest.mark.parametrize("largest", [0.5, 30.0])
def test_the_step_of_descent_is_a_fifth_of_the_shortest_time_and_never_long(
    few, monkeypatch, largest
):
    monkeypatch.setattr(report, "_rearranged", lambda source, notes: {})
    course = of(np.diag([largest, 0.1 * largest]), norm=largest * np.sqrt(1.01)).course
    assert course.step == pytest.approx(min(0.01, 0.2 / largest**2), rel=1e-9)
    spectrum_ = of(np.array([largest, 0.1 * largest]), norm=largest * np.sqrt(1.01)).course
    assert spectrum_.step == pytest.approx(course.step, rel=1e-9)
