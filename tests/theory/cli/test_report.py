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
from tests.theory.cli.commands import W, answer, contents, fail, run, succeed
from tests.theory.report.reports import WRITTEN


def test_a_report_prints_its_table_and_writes_its_folder(few, folder):
    printed = succeed("report", "edges.csv", "--out", "new/folder")
    stored_report = json.loads((folder / "new/folder/report.json").read_text())
    lines = printed.splitlines()
    assert lines[0] == "edges: 3 x 3"
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
    assert sorted(os.listdir(out)) == WRITTEN
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

    def stop(source, given_norm, advance):
        asked.append((source.name, source.norm, given_norm))
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
