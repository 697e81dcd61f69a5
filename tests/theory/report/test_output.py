"""A report in words and files: they say what its numbers say, and are whole."""

from __future__ import annotations

import csv
import io
import json
import os

import numpy as np
import pytest
import scipy.sparse

from richlazy import curves
from richlazy.report import contents
from richlazy.report import first_layer as report
from richlazy.report import output as report_output
from richlazy.report.comparison import Comparison
from richlazy.report.recurrent import MEASURES as RECURRENT
from richlazy.report.recurrent import Recurrent, Setting, Start
from richlazy.sources import source as sources
from richlazy.sources.source import Source
from richlazy.start import matrices
from tests.theory.report.reports import CONTROLS, WRITTEN, made, of, sparse_weights, summary, write


def test_a_low_rank_start_is_richer_than_its_controls(few):
    weights = sparse_weights((12, 12))
    weights[:, 0] *= 30
    words = summary(of(weights))
    for name in ("flat, full rank", *CONTROLS[:2]):
        assert f"- Its kernel moves more than with {name} (KA " in words
    assert words.count("): richer.") >= 3
    assert "lazier" not in words


def test_a_full_rank_start_is_lazier_than_a_gaussian_one(few):
    words = summary(of(np.eye(9)))
    assert "- Its kernel moves as much as with flat, full rank (KA " in words
    assert "- Its kernel moves less than with Gaussian (KA " in words
    assert words.count("): lazier.") == 2
    assert "richer" not in words


def test_a_gaussian_start_moves_as_much_as_its_controls():
    found = of(np.random.default_rng(5).standard_normal((5, 5)))
    mean, sd = report.spread(found.group("Gaussian"), "kernel_alignment")
    assert abs(found.entries[0].mean("kernel_alignment") - mean) < 2 * sd
    words = summary(found)
    assert "- Its kernel moves as much as with Gaussian (KA " in words
    assert f" ± {sd:.4f})." in words


def test_the_summary_holds_the_table_the_notes_and_the_source(few):
    source = sources.rescaled(sources.find("mushroom_body_left"), 1.0)
    small = Source("m|b", source.values[:9, :9] + np.eye(9), ("one", "two."), "Whoever (2000).")
    found = made(small)
    words = summary(found)
    for row in found.table():
        assert "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" in words
    assert "- one.\n- two.\n" in words
    assert words.endswith("\nData: Whoever (2000).\n")
    assert "± is the standard deviation over" in words


@pytest.mark.parametrize(
    ("measure", "value", "sd", "expected"),
    [
        ("kernel_alignment", 0.5, None, "0.5000"),
        ("kernel_alignment", 0.5, 0.01, "0.5000 ± 0.0100"),
        ("kernel_alignment", 0.5, 1.234e-5, "0.5000 ± 1e-05"),
        ("kernel_alignment", 1 - 3.5e-7, None, "1 - 3.5e-07"),
        ("kernel_alignment", 1 - 2.0**-20, 1e-8, "1 - 9.5e-07 ± 1e-08"),
        ("representation_alignment", 1.0, None, "1.0000"),
        ("representation_alignment", 0.9989, None, "0.9989"),
        ("weight_change", 1 - 3.5e-7, None, "1.0000"),
        ("weight_change", 1.23456, 0.01, "1.2346 ± 0.0100"),
        ("weight_change", 1.23456e-5, 2e-7, "1.23e-05 ± 2e-07"),
        ("weight_change", 123.456, None, "123.4560"),
        ("weight_change", 0.0, 0.0, "0.0000 ± 0"),
    ],
)
def test_numbers_are_shown_with_the_digits_that_matter(measure, value, sd, expected):
    assert report.shown(measure, value, sd) == expected


def test_spread_is_the_sample_standard_deviation(written):
    group = written[0].group("Gaussian")
    values = [e.expected.kernel_alignment.mean for e in group]
    mean, sd = report.spread(group, "kernel_alignment")
    assert mean == pytest.approx(sum(values) / 10)
    assert sd**2 == pytest.approx(sum((v - mean) ** 2 for v in values) / 9)
    assert report.spread(group[:1], "kernel_alignment") == (values[0], None)


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The full report on 8 x 10 weights, and its folder."""
    found, folder = of(sparse_weights((8, 10))), tmp_path_factory.mktemp("written")
    paths = write(found, folder)
    assert sorted(path.name for path in paths) == sorted(os.listdir(folder)) == WRITTEN
    return found, folder


def test_the_table_of_starts_holds_every_bit(written):
    found, folder = written
    rows = list(csv.DictReader(io.StringIO((folder / "starts.csv").read_text())))
    assert len(rows) == len(found.entries)
    for row, entry in zip(rows, found.entries, strict=True):
        assert (row["start"], int(row["replicate"])) == (entry.start, entry.replicate)
        assert row["method"] == entry.expected.method
        for kind in report.RANKS:
            assert float(row[f"{kind}_rank"]) == entry.ranks[kind]
        for measure in report.MEASURES:
            statistic = getattr(entry.expected, measure)
            assert float(row[f"{measure}_mean"]) == statistic.mean
            assert float(row[f"{measure}_task_sd"]) == statistic.sd
            assert float(row[f"{measure}_standard_error"]) == statistic.standard_error


def test_json_and_csv_agree(written):
    found, folder = written
    stored = json.loads((folder / "report.json").read_text())
    rows = list(csv.DictReader(io.StringIO((folder / "starts.csv").read_text())))
    assert (stored["name"], stored["hidden"], stored["inputs"]) == ("w", 8, 10)
    assert (stored["norm"], stored["given_norm"]) == (found.norm, found.given_norm)
    np.testing.assert_array_equal(stored["singular_values"], found.singular_values)
    assert stored["seed"] == report.SEED
    for row, start in zip(rows, stored["starts"], strict=True):
        assert start["start"] == row["start"]
        for measure in report.MEASURES:
            for part in ("mean", "task_sd", "standard_error"):
                assert start[measure][part] == float(row[f"{measure}_{part}"])
        for kind in report.RANKS:
            assert start["effective_ranks"][kind] == float(row[f"{kind}_rank"])
    course = stored["time_course"]
    assert (course["descent_step"], course["method"]) == (found.course.step, found.course.method)
    assert course["descent_gap_in_kernel_alignment"] == found.course.gap


def test_the_curves_and_the_time_course_come_back(written):
    found, folder = written
    for name, curve in (("rank", found.by_rank), ("alignment", found.by_alignment)):
        text = (folder / f"curve_{name}.csv").read_text()
        assert curves.from_csv(text).to_csv() == curve.to_csv()
    rows = list(csv.DictReader(io.StringIO((folder / "time_course.csv").read_text())))
    course = found.course
    for source, times, measures in (
        ("theory", course.times, course.theory),
        ("gradient descent", course.descent_times, course.descent),
    ):
        mine = [row for row in rows if row["source"] == source]
        np.testing.assert_array_equal([float(row["time"]) for row in mine], times)
        for name in measures._fields:
            np.testing.assert_array_equal(
                [float(row[name]) for row in mine], getattr(measures, name)
            )


def test_a_report_without_all_ranks_or_descent_is_valid_json(few, tmp_path, monkeypatch):
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 5)
    monkeypatch.setattr(report, "_DESCENT_WORK", 0.0)
    monkeypatch.setattr(report_output, "render", lambda *_: b"")
    found = made(Source('a"b,c', scipy.sparse.csr_array(sparse_weights((6, 9)))))
    write(found, tmp_path)

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    stored = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert stored["singular_values"] is None
    assert stored["starts"][0]["effective_ranks"]["entropy"] is None
    rows = list(csv.DictReader(io.StringIO((tmp_path / "starts.csv").read_text())))
    assert (rows[0]["start"], rows[0]["entropy_rank"]) == ('a"b,c', "")
    course = (tmp_path / "time_course.csv").read_text().splitlines()
    assert {line.split(",")[0] for line in course} == {"source", "theory"}


def test_the_names_of_a_report_of_several_inputs_are_numbered(tmp_path):
    for name in ("2_report.png", "12_starts.csv", "0_report.png", "2_mine.csv", "2_2_report.png"):
        (tmp_path / name).touch()
    plain = set(report_output.FILES)
    assert report_output.names_in(tmp_path) == plain | {"2_report.png", "12_starts.csv"}
    nowhere = tmp_path / "nowhere"
    assert report_output.names_in(nowhere) == report_output.names_in(nowhere, 1) == plain
    assert report_output.names_in(nowhere, 2) == plain | {f"{k}_{n}" for k in (1, 2) for n in plain}


@pytest.fixture(scope="module")
def circuit():
    """A recurrent reading whose last draw and last comparison are undefined."""
    draws = {m: np.array([0.1, 0.25, np.nan]) for m in RECURRENT}
    starts = (
        Start("w", draws, 3.0, 0.6, 0.5, "solved", "exact"),
        Start("=b", {m: v + 0.1 for m, v in draws.items()}, 2.5, 0.7, None, "seen", "so so"),
    )
    comparisons = (
        Comparison("=b", "kernel_alignment", 0.1, 0.2, -0.1, -3.0, 0.01, 0.04),
        Comparison("=b", "weight_change_recurrent", np.nan, np.nan, np.nan, 0.0, 1.0, 1.0),
    )
    source = Source("w", np.eye(4), (), "Whoever (2000).")
    return Recurrent(source, Setting(4, 2, 1), 1.5, None, starts, comparisons, ("a note",))


def test_draws_and_comparisons_come_back_and_what_is_undefined_is_empty(circuit):
    files = report_output._files(contents.Report(circuit.source, circuit, None))
    assert set(files) == {
        "report.png", "report.svg", "recurrent_draws.csv", "recurrent_comparisons.csv",
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(files["recurrent_draws.csv"].decode())))
    assert [(row["start"], row["draw"]) for row in rows] == [
        (name, str(k)) for name in ("w", "'=b") for k in range(3)
    ]
    for row, start in zip(rows[::3], circuit.starts, strict=True):
        for name in RECURRENT:
            assert float(row[name]) == start.draws[name][0]
    assert {row[name] for row in rows[2::3] for name in RECURRENT} == {""}
    rows = list(csv.DictReader(io.StringIO(files["recurrent_comparisons.csv"].decode())))
    parts = ("mine", "theirs", "difference", "effect", "p", "adjusted")
    for row, one in zip(rows, circuit.comparisons, strict=True):
        assert (row["control"], row["measure"]) == ("'=b", one.measure)
        for part in parts:
            value = getattr(one, part)
            assert row[part] == ("" if np.isnan(value) else repr(float(value)))


def test_the_json_of_a_circuit_holds_what_the_tables_hold(circuit):
    stored = report_output._json(contents.Report(circuit.source, circuit, None, ("not so",)))
    json.dumps(stored, allow_nan=False)
    assert (stored["not_read"], stored["citation"]) == (["not so"], "Whoever (2000).")
    assert "hidden" not in stored
    mine = stored["recurrent"]
    assert {k: mine[k] for k in ("neurons", "steps", "channels", "outputs", "given_gain")} == {
        "neurons": 4, "steps": 4, "channels": 2, "outputs": 1, "given_gain": 1.5,
    }  # fmt: skip
    assert (mine["gain"], mine["notes"]) == (pytest.approx(1.0), ["a note"])
    for found, start in zip(mine["starts"], circuit.starts, strict=True):
        assert (found["participation_ratio"], found["gain"], found["spectral_radius"]) == (
            start.participation_ratio, start.gain, start.radius,
        )  # fmt: skip
        assert (found["method"], found["accuracy"]) == (start.method, start.accuracy)
        for name in RECURRENT:
            assert found[name] == {"mean": start.mean(name), "sd": start.spread(name)}
    first, second = mine["comparisons"]
    assert (first["difference"], first["p"], first["p_adjusted"]) == (-0.1, 0.01, 0.04)
    assert (first["mine"], first["theirs"], first["effect"]) == (0.1, 0.2, -3.0)
    assert (second["mine"], second["difference"], second["p"]) == (None, None, 1.0)


def test_several_reports_are_numbered_beside_what_they_share(circuit, tmp_path, monkeypatch):
    monkeypatch.setattr(report_output, "render", lambda *_: b"")
    one = contents.Report(circuit.source, circuit, None)
    paths = report_output.write([one, one], tmp_path)
    assert sorted(path.name for path in paths) == sorted(os.listdir(tmp_path))
    tables = {"report.png", "report.svg", "recurrent_draws.csv", "recurrent_comparisons.csv"}
    shared = {"report.png", "report.svg", "report.json", "summary.md"}
    assert {path.name for path in paths} == shared | {f"{k}_{n}" for k in (1, 2) for n in tables}
    assert set(os.listdir(tmp_path)) <= report_output.names_in(tmp_path / "nowhere", 2)
    assert len(json.loads((tmp_path / "report.json").read_text())) == 2
    report_output.write([one], tmp_path)  # and a report of one input leaves none of them
    assert set(os.listdir(tmp_path)) == tables | shared
    assert isinstance(json.loads((tmp_path / "report.json").read_text()), dict)
