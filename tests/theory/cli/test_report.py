"""`richlazy report`: what it prints and writes."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from richlazy import names
from richlazy.report import contents as report
from richlazy.report import recurrent
from tests.theory.cli.commands import W, answer, contents, fail, run, succeed
from tests.theory.report.reports import WRITTEN


def test_a_report_prints_its_table_and_writes_its_folder(few, folder):
    printed = succeed("report", "edges.csv", "--out", "new/folder")
    stored_report = json.loads((folder / "new/folder/report.json").read_text())
    every = printed.splitlines()
    assert every[0] == "edges: 3 neurons as recurrent network, 5 steps, 1 in, 1 out"
    lines = every[every.index("edges: 3 x 3") :]
    assert lines[1].startswith("effective ranks: participation ")
    assert lines[2].startswith("verdict: ")
    assert lines[4].split() == ["start", "PR", "KA", "RA", "||dW||"]
    starts = ["edges", "flat, full rank", "Gaussian", "entries shuffled", "degrees kept"]
    for line, name, start in zip(lines[5:10], starts, stored_report["starts"], strict=True):
        assert line.startswith(name)
        ratio, ka, *_ = line.removeprefix(name).split()
        assert float(ratio) == pytest.approx(start["effective_ranks"]["participation"], abs=0.06)
        assert float(ka) == pytest.approx(start["kernel_alignment"]["mean"], abs=6e-5)
    assert "norm: 1 (as given 4.24264; --norm keep leaves it)" in lines
    assert lines.count("note: self-edges kept on the diagonal: 1") == 1
    written = lines[-1].removeprefix("wrote ").split(", ")
    assert sorted(written) == sorted(map(str, Path("new/folder").iterdir()))


def test_a_report_of_anything_that_predict_takes(few, folder):
    for start in ("s.csv", "one.csv", "flat:rank=3", "w.mtx", "[bold]$x_.csv"):
        succeed("report", start, "--out", "out", "--force")
        stored_report = json.loads((folder / "out/report.json").read_text())
        assert stored_report["norm"] == pytest.approx(1.0, rel=1e-12)
    succeed("report", "w.csv", "--norm", "keep", "--out", "out", "--force")
    stored_report = json.loads((folder / "out/report.json").read_text())
    assert stored_report["norm"] == pytest.approx(np.linalg.norm(W), rel=1e-12)


@pytest.mark.parametrize(
    "name",
    ["x\udcff", "e\x1b[31m<b>|&_", "two\nlines", "\u202eturned", "=cmd", "日本 <script>", "`$x$`"],
)
def test_a_name_has_no_power_over_any_medium(name, few, folder):
    shutil.copy("w.csv", name + ".csv")
    out = "out" + name
    printed = succeed("report", name + ".csv", "--out", out)
    assert printed.replace("\n", "").isprintable()
    assert sorted(os.listdir(out)) == WRITTEN  # of weights that are not square
    for file in ("summary.md", "starts.csv", "report.json"):
        assert (folder / out / file).read_text().replace("\n", "").isprintable(), file
    shown = json.loads((folder / out / "report.json").read_text())["name"]
    summary = (folder / out / "summary.md").read_text()
    assert summary.startswith(f"# {names.markdown(shown)}\n")
    assert f"| {names.markdown(shown)} |" in summary
    with (folder / out / "starts.csv").open() as file:
        assert next(csv.DictReader(file))["start"] == ("'=cmd" if name == "=cmd" else shown)


def test_a_report_on_the_default_input(monkeypatch, folder):
    asked = []

    def stop(what, advance):
        asked.append((what.given.name, what.first_layer.norm, what.given.norm))
        assert what.recurrent.norm == pytest.approx(0.625 * 279**0.5)
        raise ValueError("enough")

    monkeypatch.setattr(report, "make", stop)
    assert fail("report") == "enough"
    assert asked == [("celegans", pytest.approx(1.0), pytest.approx(209.088, abs=1e-3))]


def test_progress_is_seen_on_a_terminal_and_never_on_stdout(few, monkeypatch):
    plain = succeed("report", "edges.csv", "--out", "out")
    record = answer("w.csv")
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = run("report", "edges.csv", "--out", "out", "--force")
    assert "━" in result.stderr
    assert re.sub("\x1b\\[[0-9;]*m", "", result.stdout) == plain
    result = run("predict", "w.csv", "--json")
    assert json.loads(result.stdout) == record


def test_a_folder_with_files_is_written_by_force_only(few, folder):
    old = contents(folder)
    line = fail("report", "edges.csv", "--out", "full")
    assert line == "full: is not empty; choose another folder, or force to write into it"
    assert contents(folder) == old
    succeed("report", "edges.csv", "--out", "full", "--force")
    assert (folder / "full/mine.txt").read_text() == "mine"
    assert (folder / "full/summary.md").exists()


# ---------------------------------------------------------------- as a recurrent network


def stored(folder, out="out"):
    return json.loads((folder / out / "report.json").read_text())


def test_the_recurrent_table_is_that_of_the_record(few, folder):
    printed = succeed("report", "edges.csv", "--out", "out", "--as", "recurrent", "--gain", "0.4")
    found = stored(folder)
    assert "starts" not in found
    mine = found["recurrent"]
    assert (mine["steps"], mine["channels"], mine["outputs"]) == (5, 1, 1)
    assert mine["gain"] == pytest.approx(0.4)
    lines = printed.splitlines()
    assert lines[2].split()[:4] == ["start", "PR", "gain", "spectral"]
    names_of = ["edges", *recurrent.CONTROLS]
    assert [start["start"] for start in mine["starts"]] == names_of
    for line, start in zip(lines[3:12], mine["starts"], strict=True):
        label = line[: line.index("  ")]
        assert label.removesuffix(" *") == start["start"]
        cells = line[len(label) :].split()
        assert float(cells[3]) == pytest.approx(start["kernel_alignment"]["mean"], abs=6e-5)
    files = sorted(os.listdir(folder / "out"))
    assert files == ["recurrent_comparisons.csv", "recurrent_draws.csv", "report.json",
                     "report.png", "report.svg", "summary.md"]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "gain"),
    [
        ((), 0.625),
        (("--norm", "0.3"), 0.3 / 3**0.5),
        (("--norm", "keep"), 0.6**0.5 / 3**0.5),
        (("--norm", "0.3", "--gain", "0.7"), 0.7),
    ],
)
def test_the_norm_is_that_of_both_readings_unless_a_gain_is_given(few, folder, arguments, gain):
    (folder / "edges.csv").write_text("pre,post,w\na,b,0.6\nb,c,-0.4\nc,a,0.2\na,c,-0.2\n")
    succeed("report", "edges.csv", "--out", "out", *arguments)
    found = stored(folder)
    assert found["recurrent"]["gain"] == pytest.approx(gain)
    norm = {"0.3": 0.3, "keep": found["given_norm"]}.get(arguments[1] if arguments else "", 1.0)
    assert found["norm"] == pytest.approx(norm)


def test_steps_channels_and_outputs_are_passed_on(few, folder):
    (folder / "square.csv").write_text("0,1,0,2\n1,0,1,0\n0,3,1,0\n1,0,0,1\n")
    sizes = ("--steps", "3", "--channels", "2", "--outputs", "2")
    succeed("report", "square.csv", "--out", "out", *sizes)
    mine = stored(folder)["recurrent"]
    assert (mine["steps"], mine["channels"], mine["outputs"]) == (3, 2, 2)


def test_signs_of_neurons(few, folder):
    (folder / "inhibit.txt").write_text("b\n")
    (folder / "plus.csv").write_text("pre,post,n\na,b,2\nb,c,1\nc,a,3\n")
    succeed("report", "plus.csv", "--out", "out", "--signs", "inhibit.txt")
    notes = stored(folder)["recurrent"]["notes"]
    assert "1 of 3 neurons inhibit, as inhibit.txt lists them" in notes
    line = fail("report", "edges.csv", "--out", "new", "--signs", "random")
    assert "have signs already; use --signs as-is" in line
    assert not (folder / "new").exists()


def test_several_inputs_stand_side_by_side(few, folder):
    printed = succeed("report", "edges.csv", "w.csv", "s.csv", "--out", "out")
    lines = printed.splitlines()
    assert lines[0].startswith("input")
    assert [line.split()[0] for line in lines[1:4]] == ["edges", "w", "s"]
    found = stored(folder)
    assert [one["name"] for one in found] == ["edges", "w", "s"]
    assert [one["recurrent"] is None for one in found] == [False, True, True]
    files = set(os.listdir(folder / "out"))
    assert {"report.png", "report.svg", "1_report.png", "2_report.png", "3_starts.csv"} <= files
    assert "1_recurrent_draws.csv" in files
    assert "2_recurrent_draws.csv" not in files
    words = (folder / "out/summary.md").read_text()
    assert words.startswith("# Side by side\n")
    assert words.index("# edges") < words.index("# w") < words.index("# s")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("w.csv --as recurrent", "w is 4 x 6 weights, and recurrent weights are a square matrix"),
        ("s.csv --as both", "s is a spectrum, and recurrent weights are a square matrix"),
        ("edges.csv --steps 0", "--steps must be"),
        ("edges.csv --gain -1", "--gain must be"),
        ("edges.csv --signs random", "the weights have signs already; use --signs as-is"),
        ("celegans --signs nobody.txt", "nobody.txt: no such file (as-is, random, celegans_gaba"),
    ],
)
def test_what_a_recurrent_reading_refuses(few, folder, arguments, expected):
    assert expected in fail("report", *arguments.split(), "--out", "new")
    assert not (folder / "new").exists()


def test_a_report_of_another_shape_replaces_the_old_one_as_a_whole(few, folder):
    succeed("report", "w.csv", "s.csv", "--out", "out")
    assert "2_starts.csv" in os.listdir("out")
    succeed("report", "w.csv", "--out", "out", "--force")
    assert sorted(os.listdir("out")) == WRITTEN
    succeed("report", "w.csv", "s.csv", "--out", "out", "--force")
    assert "2_starts.csv" in os.listdir("out")
    assert "starts.csv" not in os.listdir("out")
    (folder / "out/2_mine.csv").write_text("mine")
    assert "cannot be replaced as a whole" in fail("report", "w.csv", "--out", "out", "--force")
    assert (folder / "out/2_mine.csv").read_text() == "mine"
    assert not list(folder.glob(".*.tmp"))
