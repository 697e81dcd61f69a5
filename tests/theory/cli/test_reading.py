"""What a command read is printed and in its JSON, and the options that settle a doubt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from richlazy.sources import files
from tests.theory.cli.commands import answer, fail, succeed

IDS = "7001,7002,7003\n0,0.5,0.1\n0.3,0,0.2\n0.4,0.6,0\n"


@pytest.mark.parametrize("name", ["w.csv", "w.npy", "edges.csv"])
def test_what_was_read_is_printed_and_in_json(name):
    described = files.read(name).description
    assert f"read: {described}\n" in succeed("predict", name)
    assert answer(name)["read"] == files.read(name).to_dict()
    assert "read" not in answer("celegans")


def test_the_options_settle_what_is_refused(folder):
    (folder / "ids.csv").write_text(IDS)
    assert "say --header yes or --header no" in fail("predict", "ids.csv")
    found = answer("ids.csv", "--header", "yes")
    assert found["kernel_alignment"]["mean"] == pytest.approx(0.760, abs=5e-4)
    (folder / "e.csv").write_text("1,2,12\n1,3,5\n2,3,7\n3,4,9\n4,1,3\n2,4,4\n")
    assert "say --format edges or --format matrix" in fail("predict", "e.csv")
    found = answer("e.csv", "--format", "edges")
    assert found["kernel_alignment"]["mean"] == pytest.approx(0.792, abs=5e-4)
    (folder / "gap.csv").write_text("1.5,2\n3,nan\n")
    assert "--missing zero" in fail("predict", "gap.csv")
    assert answer("gap.csv", "--missing", "zero")["read"]["smallest"] == 0
    (folder / "i.csv").write_text("7001,0.5,1\n7002,0.25,2\n7003,0.1,3\n")
    assert answer("i.csv", "--index", "yes", "--transpose")["read"]["shape"] == [2, 3]
    assert "more than the limit of 1e-07 GB" in fail("predict", "w.npy", "--limit", "1e-7")
    assert "--header is for files, and celegans is none" in fail(
        "predict", "celegans", "--header", "yes"
    )


def test_a_report_takes_the_same_options(few, folder):
    (folder / "ids.csv").write_text(IDS)
    printed = succeed("report", "ids.csv", "--header", "yes", "--out", "out")
    assert "read: a matrix as 3 x 3 weights" in printed


def test_standard_input_is_a_start():
    code = "from richlazy.cli import main; main(['predict', '-', '--json'])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=b"1.5,2\n3,4.5\n", capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b'"start": "standard input"' in done.stdout


def test_help_imports_none_of_the_readers():
    code = (
        "import sys\nfrom richlazy.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'scipy', 'pyarrow', 'networkx', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("[]\n")
