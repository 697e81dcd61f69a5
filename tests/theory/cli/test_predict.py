"""The command: what it prints and writes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import richlazy as rl
from richlazy import connectomes, curves, low_rank
from richlazy.cli import predict as cli
from richlazy.laziness import Measures
from richlazy.report import contents as report
from richlazy.report import output as report_output
from richlazy.two_layer import solve as prediction
from tests.theory.cli.commands import (
    BETA,
    W,
    answer,
    contents,
    csv_text,
    fail,
    run,
    succeed,
    work_in,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with every file of `commands`, to work in."""
    return work_in(tmp_path, monkeypatch)


# ---------------------------------------------------------------- predict


def test_a_family_of_one_alignment():
    found = answer("flat:rank=5,norm=1", "--inputs", "100", "--alignment", "0.3")
    point = low_rank.measures(5, 100, alignment=0.3)
    for name in Measures._fields:
        assert found[name] == {
            "mean": pytest.approx(float(getattr(point, name)), rel=1e-12),
            "sd": 0.0,
            "standard_error": 0.0,
        }
    assert (found["start"], found["method"]) == ("flat:rank=5,norm=1", "closed form (T6)")
    assert (found["time"], found["notes"]) == ("inf", [])


def test_the_numbers_in_the_table_are_those_of_the_json():
    arguments = ("flat:rank=5,norm=1", "--inputs", "100")
    found, table = answer(*arguments), succeed("predict", *arguments)
    rows = {line[:29].strip(): line[29:].split() for line in table.splitlines()}
    for name, label in (
        ("weight_change", "weight change ||dW||"),
        ("weight_change_input", "first layer ||dW1||"),
        ("representation_alignment", "representation alignment RA"),
        ("kernel_alignment", "kernel alignment KA"),
    ):
        wanted = [found[name][part] for part in ("mean", "sd", "standard_error")]
        assert [float(cell) for cell in rows[label]] == pytest.approx(wanted, rel=1e-5)
    assert "method: closed form (T7)\n" in table
    assert "accuracy: exact\n" in table
    assert "assumptions: silent readout; white inputs; task directions uniform" in table
    assert table.endswith("norm: 1\n")


@pytest.mark.parametrize("name", ["w.csv", "w.npy", "w.mtx", "größe κ.csv", "[bold]$x_.csv"])
def test_weights_from_every_file_are_rescaled_and_averaged_over_tasks(name):
    found = answer(name)
    expected = rl.expect(W / np.linalg.norm(W)).to_dict()
    for measure in ("kernel_alignment", "representation_alignment", "weight_change"):
        assert found[measure] == pytest.approx(expected[measure], rel=1e-7)
    assert found["start"] == name.rpartition(".")[0]
    assert found["norm"] == pytest.approx(1.0, rel=1e-14)
    assert found["given_norm"] == pytest.approx(np.linalg.norm(W), rel=1e-14)


@pytest.mark.parametrize(("norm", "wanted"), [("keep", np.linalg.norm(W)), ("0.25", 0.25)])
def test_the_norm_may_be_kept_or_chosen(norm, wanted):
    found = answer("w.csv", "--norm", norm)
    assert found["norm"] == pytest.approx(wanted, rel=1e-12)
    expected = rl.expect(W * (wanted / np.linalg.norm(W)))
    assert found["kernel_alignment"]["mean"] == pytest.approx(
        expected.kernel_alignment.mean, rel=1e-7
    )
    table = succeed("predict", "w.csv", "--norm", norm)
    told = "(as given" in table.splitlines()[-1]
    assert told == (norm != "keep")


def test_a_family_has_its_own_norm_unless_another_is_asked_for():
    assert answer("flat:rank=2,norm=3", "--inputs", "9")["norm"] == pytest.approx(3.0)
    assert answer("flat:rank=2,norm=3", "--inputs", "9", "--norm", "keep")["norm"] == pytest.approx(
        3.0
    )
    assert answer("flat:rank=2", "--inputs", "9", "--norm", "3") == {
        **answer("flat:rank=2,norm=3", "--inputs", "9"),
        "start": "flat:rank=2",
        "given_norm": pytest.approx(1.0),
    }


@pytest.mark.parametrize("name", ["s.csv", "row.csv"])
def test_one_row_or_column_is_a_spectrum(name):
    found = answer(name, "--inputs", "8", "--hidden", "3")
    expected = rl.expect(rl.spectrum.rescaled([3.0, 2, 1], 1.0), inputs=8)
    assert found["kernel_alignment"]["mean"] == pytest.approx(
        expected.kernel_alignment.mean, rel=1e-9
    )


def test_a_connectome_by_its_name():
    weights = connectomes.load("mushroom_body_left").weights
    found = answer("mushroom_body_left")
    expected = rl.expect(weights / np.linalg.norm(weights))
    assert found["kernel_alignment"]["mean"] == pytest.approx(
        expected.kernel_alignment.mean, rel=1e-7
    )


def test_an_edge_list_says_what_was_done():
    table = succeed("predict", "edges.csv")
    notes = [
        "self-edges kept on the diagonal: 1",
        "repeated edges, added up: 1",
    ]
    assert table.endswith("".join(f"note: {note}\n" for note in notes))
    assert answer("edges.csv")["notes"] == notes


@pytest.mark.parametrize("task", ["beta.csv", "beta2.csv"])
def test_a_task_file_is_the_task(task):
    found = answer("w.csv", "--task", task, "--inputs", "6", "--hidden", "4", "--time", "0.7")
    beta = BETA if task == "beta.csv" else [BETA, BETA[::-1]]
    start = rl.Network(W / np.linalg.norm(W))
    expected = rl.predict(start, rl.Task(beta), 0.7).to_dict()
    for name in ("weight_change", "kernel_alignment", "loss", "relative_weight_change"):
        assert found[name] == pytest.approx(expected[name], rel=1e-7)
    assert found["time"] == 0.7
    assert "relative weight change" in succeed("predict", "w.csv", "--task", task)


@pytest.mark.parametrize("hidden", [None, "7"])
def test_a_spectrum_on_a_task_draws_its_singular_vectors_from_a_fixed_seed(hidden):
    more = () if hidden is None else ("--hidden", hidden)
    found = answer("s.csv", "--task", "beta.csv", *more)
    start = rl.Network.from_spectrum(
        rl.spectrum.rescaled([3.0, 2, 1, 0], 1.0),
        task=rl.Task(BETA),
        hidden=3 if hidden is None else 7,
        rng=np.random.default_rng(0),
    )
    expected = rl.predict(start, rl.Task(BETA))
    assert found["kernel_alignment"] == pytest.approx(expected.kernel_alignment, rel=1e-9)
    assert found["notes"] == ["singular vectors drawn at random, seed 0"]


def test_outputs_strength_and_time_are_passed_on():
    found = answer(
        "flat:rank=3,norm=2", "--inputs", "6", "--outputs", "2", "--strength", "0.5", "--time", "2"
    )
    expected = rl.expect(rl.spectrum.flat(3, 2.0), 6, outputs=2, strength=0.5, t=2.0)
    assert found["weight_change"]["mean"] == pytest.approx(expected.weight_change.mean, rel=1e-9)
    assert found["time"] == 2.0


@pytest.mark.parametrize(
    ("arguments", "measure", "wanted"),
    [
        (("--time", "0"), "weight_change", 0),
        (("--time", "0"), "kernel_alignment", 1),
        (("--time", "1e300"), "loss", 0),
        (("--alignment", "0"), "loss", 0.5),
        (("--alignment", "1"), "loss", 0),
        (("--inputs", "1000000000"), "kernel_alignment", 0),
        (("--inputs", "3", "--alignment", "1"), "loss", 0),
    ],
)
def test_the_ends_of_every_range_are_allowed(arguments, measure, wanted):
    inputs = () if "--inputs" in arguments else ("--inputs", "9")
    found = answer("flat:rank=3", *inputs, *arguments)
    assert found[measure]["mean"] == pytest.approx(wanted, abs=1e-4)


def test_an_undefined_measure_is_a_dash(monkeypatch):
    record = rl.predict(rl.Network(W), rl.Task(BETA))
    undefined = type(record)(**{**vars(record), "kernel_alignment": None})
    monkeypatch.setattr(prediction, "predict", lambda *_: undefined)
    table = succeed("predict", "w.csv", "--task", "beta.csv")
    assert any(line.split() == ["kernel", "alignment", "KA", "-"] for line in table.splitlines())
    assert answer("w.csv", "--task", "beta.csv")["kernel_alignment"] is None


def test_what_is_no_number_is_never_printed_as_json(monkeypatch):
    record = rl.predict(rl.Network(W), rl.Task(BETA))
    wrong = type(record)(**{**vars(record), "loss": float("nan")})
    monkeypatch.setattr(prediction, "predict", lambda *_: wrong)
    assert "not JSON compliant" in fail("predict", "w.csv", "--task", "beta.csv", "--json")


@pytest.mark.parametrize(
    ("value", "measure", "wanted"),
    [
        (0.0, "weight_change", "0"),
        (1.23456789, "weight_change", "1.23457"),
        (0.9999999, "weight_change", "1"),
        (1 - 2.0**-20, "kernel_alignment", "1 - 9.54e-07"),
        (0.99, "kernel_alignment", "0.99"),
        (1.0, "kernel_alignment", "1"),
        (None, "kernel_alignment", "-"),
    ],
)
def test_an_alignment_close_to_one_is_shown_by_its_distance(value, measure, wanted):
    assert cli._number(value, measure) == wanted


# ---------------------------------------------------------------- curve

RANK = ("--inputs", "12", "--rank", "4")
CURVES = {
    "rank": ("--inputs", "12"),
    "alignment": RANK,
    "scale": (*RANK, "--alignment", "0.3", "--strength", "2", "--time", "5"),
    "strength": (*RANK, "--norm", "2"),
    "depth": ("--start", "0.01", "--strength", "2", "--time", "3"),
    "time": RANK,
}
MADE = {
    "rank": lambda: curves.rank(12),
    "alignment": lambda: curves.alignment(4, 12),
    "scale": lambda: curves.scale(4, 12, alignment=0.3, strength=2.0, t=5.0),
    "strength": lambda: curves.strength(4, 12, norm=2.0),
    "depth": lambda: curves.depth(0.01, strength=2.0, t=3.0),
    "time": lambda: curves.time(4, 12),
}


def test_every_axis_there_is_can_be_asked_for():
    assert set(cli._KINDS) == set(curves.MAKERS) == set(MADE)


@pytest.mark.parametrize("axis", sorted(MADE))
def test_a_curve_in_every_format(axis, folder):
    made = MADE[axis]()
    for suffix, read in ((".csv", curves.from_csv), (".json", curves.from_json)):
        out = f"curve{suffix}"
        assert succeed("curve", axis, *CURVES[axis], "--out", out) == f"wrote {out}\n"
        assert read((folder / out).read_text()).to_csv() == made.to_csv()
    table = succeed("curve", axis, *CURVES[axis]).splitlines()
    assert table[0].split()[0] == axis
    assert len(table) == made.x.size + 2
    assert table[-1] == made.title
    last = table[-2].split()
    assert float(last[0]) == pytest.approx(made.x[-1], rel=1e-5)
    assert float(last[-1]) == pytest.approx(made.columns["loss"][-1], rel=1e-5)


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".SVG", b"<?xml"), (".pdf", b"%PDF")]
)
def test_a_curve_as_a_picture(suffix, start, folder):
    out = f"größe{suffix}"
    assert succeed("curve", "time", *RANK, "--out", out) == f"wrote {out}\n"
    assert (folder / out).read_bytes().startswith(start)


def test_a_table_is_never_cut_to_the_width_of_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    head = succeed("curve", "rank", "--inputs", "3").splitlines()[0]
    assert head.split("  ")[-1] == "excess loss"
    assert "kernel alignment KA" in head


def test_a_file_is_replaced_by_force_only(folder):
    old = contents(folder)
    line = fail("curve", "rank", "--inputs", "3", "--out", "exists.json")
    assert line == "exists.json: exists; choose another name, or force to replace it"
    assert contents(folder) == old
    succeed("curve", "rank", "--inputs", "3", "--out", "exists.json", "--force")
    assert curves.from_json((folder / "exists.json").read_text()).axis == "rank"


# ---------------------------------------------------------------- report


@pytest.fixture
def few(monkeypatch):
    """One replicate of each control, and no picture."""
    monkeypatch.setattr(report, "REPLICATES", 1)
    monkeypatch.setattr(report_output, "render", lambda *_: b"")


def test_a_report_prints_its_table_and_writes_its_folder(few, folder):
    printed = succeed("report", "edges.csv", "--out", "new/folder")
    stored_report = json.loads((folder / "new/folder/report.json").read_text())
    lines = printed.splitlines()
    assert lines[0] == "edges: 3 x 3"
    assert lines[1].startswith("effective ranks: participation ")
    assert lines[3].split() == ["start", "PR", "KA", "RA", "||dW||"]
    names = ["edges", "flat, full rank", "Gaussian", "entries shuffled", "degrees kept"]
    for line, name, start in zip(lines[4:9], names, stored_report["starts"], strict=True):
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


# ---------------------------------------------------------------- the README

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


def test_the_commands_of_the_readme_work_as_printed(few, folder):
    np.save("weights.npy", W)
    (folder / "weights.csv").write_text(csv_text(W))
    lines = [line for line in README.splitlines() if line.startswith("richlazy ")]
    kinds = ["predict", "predict", "curve", "curve", "curve", "report"]
    assert [line.split()[1] for line in lines] == kinds
    for line in lines:
        succeed(*shlex.split(line, comments=True)[1:])
    assert (folder / "rank.png").exists()
    assert (folder / "depth.png").exists()
    assert (folder / "weights-report/summary.md").exists()
