"""The command: one clear line for whatever is wrong, exit status 2, and nothing touched."""

from __future__ import annotations

import os

import pytest

from richlazy import writing
from richlazy.averages import expect as prediction
from tests.theory.cli.commands import contents, fail, run

PREDICT = [
    ("empty.csv", "empty.csv: is empty"),
    ("header.csv", "header.csv: holds column names and no numbers"),
    ("ragged.csv", "ragged.csv, line 2: must have 2 cells like line 1; it has 1"),
    ("text.csv", "text.csv, line 2: 'x' is not a real number"),
    ("nan.csv", "nan.csv, line 2: 'nan' is not a finite number"),
    ("inf.csv", "inf.csv, line 2: 'inf' is not a finite number"),
    ("zeros.csv", "zeros.csv: every entry is zero"),
    ("zero_row.npy", "zero_row.npy: the array must not be empty; its shape is (0, 3)"),
    ("zero_row.mtx", "zero_row.mtx, line 2: must be an integer from 1"),
    ("pickled.npy", "pickled.npy: holds pickled objects, which are never loaded"),
    ("complex.npy", "complex.npy: the array must hold real numbers; its dtype is complex128"),
    ("cube.npy", "cube.npy: the array must have 1 or 2 dimensions"),
    ("junk.npy", "junk.npy: is not a readable .npy file"),
    ("junk.npz", "junk.npz: is not a readable .npz file"),
    ("junk.csv", "junk.csv, line 2: is not UTF-8 text"),
    ("huge.npy", "huge.npy has entries up to 1e+200, whose fourth powers leave the range"),
    ("minus.csv", "minus.csv: read as a spectrum, it must be >= 0; its smallest value is -1"),
    ("rising.csv", "rising.csv: read as a spectrum, it must be in descending order; it rises at"),
    ("edges_none.csv", "edges_none.csv: holds a header and no edges"),
    ("edges_short.csv", "edges_short.csv, line 2: an edge must have 3 cells; it has 2"),
    ("edges_text.csv", "edges_text.csv, line 2: 'many' is not a real number"),
    ("edges_unnamed.csv", "edges_unnamed.csv, line 2: an edge must name two neurons"),
    ("weights.xlsx", "weights.xlsx: unknown kind of file; its name must end in .npy"),
    ("missing.csv", "missing.csv: no such file"),
    ("none/missing.csv", "none/missing.csv: no such file"),
    ("full", "full: is a folder; name a file"),
    (".", ".: is a folder; name a file"),
    ("", "'' is no file, no shipped connectome (celegans"),
    ("celegan", "'celegan' is no file, no shipped connectome (celegans"),
    ("flat", "flat needs rank; write flat:rank=...,norm=..."),
    ("flat:rank=2", "--inputs is needed with a spectrum: the number of input directions"),
    ("s.csv", "--inputs is needed with a spectrum"),
    ("s.csv --inputs 2", "inputs must be at least the rank 3 of the spectrum; it is 2"),
    ("flat:rank=0 --inputs 9", "rank must be at least 1; it is 0"),
    ("flat:rank=2.5 --inputs 9", "rank must be an integer; it is 2.5"),
    ("flat:rank=5 --inputs 4", "inputs must be at least the rank 5 of the spectrum; it is 4"),
    ("flat:rank=5 --inputs 9 --hidden 4", "--hidden must be at least the rank 5; it is 4"),
    ("flat:rank=5 --inputs 9 --hidden 0", "--hidden must be at least the rank 5; it is 0"),
    ("flat:rank=5 --inputs 0", "inputs must be at least 1; it is 0"),
    ("flat:rank=5 --inputs -3", "inputs must be at least 1; it is -3"),
    ("flat:rank=5 --inputs 2.5", "Invalid value for '--inputs': '2.5' is not a valid integer"),
    ("flat:rank=5 --inputs 9 --norm 0", "norm must be > 0; its smallest value is 0"),
    ("flat:rank=5 --inputs 9 --norm -1", "norm must be > 0; its smallest value is -1"),
    ("flat:rank=5 --inputs 9 --norm nan", "norm must be finite"),
    ("w.csv --norm inf", "norm must be finite"),
    ("w.csv --norm 0", "norm must be > 0"),
    ("w.csv --norm much", "--norm must be a number > 0 or 'keep'; it is 'much'"),
    ("flat:rank=5,norm=2 --inputs 9 --norm 3", "--norm and norm= exclude each other"),
    ("flat:rank=5 --inputs 9 --norm 1e200", "norm^2 / (rank * strength) must lie in [1e-140"),
    ("flat:rank=5 --inputs 9 --alignment 1.5", "alignment must lie in [0, 1]; it is 1.5"),
    ("flat:rank=5 --inputs 9 --alignment -0.1", "alignment must lie in [0, 1]; it is -0.1"),
    ("flat:rank=5 --inputs 9 --alignment nan", "alignment must be finite"),
    ("flat:rank=5 --inputs 5 --alignment 0.5", "alignment must be 1 where rank = inputs"),
    ("flat:rank=5 --inputs 9 --alignment 0.5 --outputs 2", "alignment needs one output"),
    ("flat:rank=5 --inputs 9 --outputs 0", "outputs must be at least 1; it is 0"),
    ("flat:rank=5 --inputs 9 --outputs 10", "outputs must be at most inputs; they are 10 and 9"),
    ("flat:rank=5 --inputs 9 --strength 0", "strength must be > 0"),
    ("flat:rank=5 --inputs 9 --strength nan", "strength must be finite"),
    ("flat:rank=5 --inputs 9 --time -1", "--time must be >= 0 and not NaN (infinity is allowed)"),
    ("flat:rank=5 --inputs 9 --time nan", "--time must be >= 0 and not NaN"),
    ("w.csv --inputs 7", "--inputs is 7, but the weights have 6 columns"),
    ("w.csv --hidden 5", "--hidden is 5, but the weights have 4 rows"),
    ("w.csv --task beta4.csv", "the network has 6 inputs, the task 4"),
    ("w.csv --task zero.csv", "cov_yx is zero: there is nothing to learn"),
    ("w.csv --task nan.csv", "--task: nan.csv, line 2: 'nan' is not a finite number"),
    ("w.csv --task missing.csv", "--task: missing.csv: no such file"),
    ("w.csv --task edges.csv", "--task: edges.csv: must be a vector or a table of numbers"),
    ("w.csv --task full", "--task: full: is a folder; name a file"),
    ("w.csv --task beta.csv --inputs 5", "--inputs is 5, but the weights have 6 columns"),
    ("s.csv --task beta.csv --inputs 5", "--inputs is 5, but the task has 6"),
    ("s.csv --task beta.csv --hidden 2", "--hidden must be at least the rank 3; it is 2"),
    ("w.csv --task beta.csv --alignment 0.5", "--alignment and --task exclude each other"),
    ("w.csv --task beta.csv --strength 2", "--strength and --task exclude each other"),
    ("w.csv --task beta.csv --outputs 2", "--outputs and --task exclude each other"),
    ("flat:rank=8 --task beta.csv", "rank 8 is above min(hidden, inputs) = 6; lower the rank"),
    ("w.csv --nonsense", "No such option '--nonsense'"),
    ("w.csv beta.csv", "Got unexpected extra argument (beta.csv) (see richlazy predict --help)"),
]
CURVE = [
    ("", "Missing "),
    ("speed --inputs 5", "Invalid value for "),
    ("depth", "Missing option '--start' (see richlazy curve --help)"),
    ("depth --start 0", "start must be > 0"),
    ("depth --start 0.1 --inputs 5", "--inputs has no meaning for a curve along depth; leave it"),
    ("depth --start 0.1 --norm 1", "--norm has no meaning for a curve along depth; leave it out"),
    ("time --inputs 5 --rank 2 --start 1", "--start has no meaning for a curve along time"),
    ("rank", "Missing option '--inputs' (see richlazy curve --help)"),
    ("rank --inputs 0", "inputs must be at least 1; it is 0"),
    ("rank --inputs 5 --rank 2", "--rank is the axis of this curve; leave it out"),
    ("rank --inputs 5 --norm 0", "norm must be > 0"),
    ("rank --inputs 5 --norm keep", "--norm must be a number where no file is given; it is 'keep'"),
    ("rank --inputs 1 --alignment 0.5", "alignment must be 1 where rank = inputs"),
    ("alignment --inputs 5", "--rank is needed for a curve along alignment"),
    ("alignment --inputs 5 --rank 6", "rank must be at most inputs; it is up to 6 of 5"),
    ("alignment --inputs 5 --rank 0.5", "rank must be >= 1; its smallest value is 0.5"),
    ("alignment --inputs 5 --rank nan", "rank must be finite"),
    ("alignment --inputs 5 --rank 2 --alignment 1", "--alignment is the axis of this curve"),
    ("scale --inputs 5 --rank 2 --norm 1", "--norm is the axis of this curve; leave it out"),
    ("scale --inputs 5 --rank 2 --strength -1", "strength must be > 0"),
    ("scale --inputs 5 --rank 2 --time nan", "--time must be >= 0 and not NaN"),
    ("strength --inputs 5 --rank 2 --strength 1", "--strength is the axis of this curve"),
    ("strength --inputs 5 --rank 2 --norm 1e200", "strengths must be finite"),
    ("time --inputs 5 --rank 2 --time 1", "--time is the axis of this curve; leave it out"),
    ("rank --inputs 5 --out a.gif", "--out must end in .png, .svg, .pdf, .csv or .json; it is 'a"),
    ("rank --inputs 5 --out a", "--out must end in .png"),
    ("rank --inputs 5 --out=", "--out must end in .png, .svg, .pdf, .csv or .json; it is ''"),
    ("rank --inputs 5 --out full", "--out must end in .png"),
    ("rank --inputs 5 --out none/a.csv", "none/a.csv: the folder none does not exist; make it"),
    ("rank --inputs 5 --out w.csv/a.csv", "w.csv/a.csv: the folder w.csv does not exist"),
]
REPORT = [
    ("missing.csv", "missing.csv: no such file"),
    ("ragged.csv --out new", "ragged.csv, line 2: must have 2 cells"),
    ("w.csv --norm 0 --out new", "norm must be > 0"),
    ("w.csv --norm nan --out new", "norm must be finite"),
    ("w.csv --out w.npy", "w.npy: is a file; name a folder"),
    ("w.csv --out w.npy --force", "w.npy: is a file; name a folder"),
    ("w.csv --out w.npy/new", "w.npy/new: cannot be used as a folder (Not a directory)"),
    ("w.csv --out full", "full: is not empty; choose another folder, or force"),
    ("w.csv --inputs 3", "No such option '--inputs'"),
]


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (name, *case)
        for name, cases in (("predict", PREDICT), ("curve", CURVE), ("report", REPORT))
        for case in cases
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_touched(command, arguments, message, folder):
    old = contents(folder)
    words = arguments.split() or ([""] if command == "predict" else [])
    assert fail(command, *words).startswith(message)
    assert contents(folder) == old


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"]])
def test_a_command_that_is_none(arguments):
    assert fail(*arguments).endswith("'" + arguments[0] + "' (see richlazy --help)")


def test_a_start_is_needed():
    assert fail("predict").startswith("Missing argument 'SPECTRUM-OR-WEIGHTS'")


def test_a_place_without_permission(monkeypatch, folder):
    old = contents(folder)
    monkeypatch.setattr(writing.os, "access", lambda *_: False)
    line = fail("curve", "rank", "--inputs", "3", "--out", "new.csv")
    assert line == ".: no permission to write in this folder"
    (folder / "locked").mkdir()
    assert fail("report", "w.csv", "--out", "locked") == (
        "locked: no permission to write in this folder"
    )
    (folder / "locked").rmdir()
    assert contents(folder) == old


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is locked for root"
)
def test_a_locked_file_and_a_locked_folder(folder):
    (folder / "w.csv").chmod(0)
    assert fail("predict", "w.csv") == "w.csv: cannot be read (Permission denied)"
    (folder / "full").chmod(0o500)
    line = fail("curve", "rank", "--inputs", "3", "--out", "full/a.csv")
    assert line == "full: no permission to write in this folder"
    (folder / "full").chmod(0o700)


def test_a_disk_that_fills_up_leaves_what_was_there(monkeypatch, folder):
    old = contents(folder)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    line = fail("curve", "rank", "--inputs", "3", "--out", "exists.json", "--force")
    assert line == "exists.json: cannot be written (No space left on device)"
    assert contents(folder) == old


def test_too_little_memory_is_one_line(monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(prediction, "expect", exhausted)
    assert fail("predict", "w.csv") == "out of memory; use a sparse file or a smaller start"


def test_a_message_of_several_lines_is_one_line(monkeypatch):
    def wrong(*_, **__):
        raise ValueError("first\n  second")

    monkeypatch.setattr(prediction, "expect", wrong)
    assert fail("predict", "w.csv") == "first second"


def test_a_bug_is_not_hidden(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(prediction, "expect", broken)
    assert isinstance(run("predict", "w.csv").exception, ZeroDivisionError)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interrupt_leaves_no_half_written_file(monkeypatch, folder, step):
    old = contents(folder)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, step, interrupt)
    result = run("curve", "rank", "--inputs", "3", "--out", "exists.json", "--force")
    assert (result.exit_code, result.stderr.strip()) == (130, "richlazy: interrupted")
    assert contents(folder) == old
