"""The command as a process: what it imports, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import richlazy as rl
from richlazy import connectomes
from richlazy.cli import main
from richlazy.sources import source as sources
from tests.theory.cli.commands import succeed

COMMAND = Path(sys.executable).with_name("richlazy")


def process(*arguments, **options):
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, check=False, **options
    )


def test_the_installed_command():
    done = process(
        "predict", "flat:rank=5,norm=1", "--inputs", "100", "--alignment", "0.3", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["method"] == "closed form (T6)"
    done = process("predict", "ragged.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "richlazy: ragged.csv, line 2: must have 2 cells like line 1; it has 1\n"
    done = process("curve", "rank")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "richlazy: Missing option '--inputs' (see richlazy curve --help)\n"


def test_an_interrupted_process_ends_with_one_line(folder):
    """The signal comes while the report is computed: the process sends it to itself."""
    code = (
        "import os, signal; from richlazy import cli; from richlazy.report import contents;"
        "contents.make = lambda *_: os.kill(os.getpid(), signal.SIGINT);"
        "cli.main(prog_name='richlazy')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", "w.csv", "--out", "new"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() == "richlazy: interrupted"
    assert os.listdir(folder / "new") == []


@pytest.mark.parametrize(
    "arguments", [("curve", "rank", "--inputs", "500"), ("predict", "w.csv", "--json")]
)
def test_a_reader_that_leaves_early_is_no_error(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["-h"], ["--version"], *([name, "--help"] for name in main.commands)],
)
def test_help_pays_for_click_only(arguments):
    code = (
        "import sys; from richlazy.cli import main\n"
        "try: main(sys.argv[1:], prog_name='richlazy')\n"
        "finally: print([m for m in ('numpy', 'scipy', 'rich', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    shown, heavy = done.stdout.rstrip().rsplit("\n", 1)
    assert heavy == "[]"
    if arguments == ["--version"]:
        assert shown == f"richlazy, version {rl.__version__}"
    else:
        assert shown.startswith("Usage: richlazy ")


def test_the_command_alone_is_its_help():
    assert succeed() == succeed("--help")


def test_help_names_every_family_connectome_and_suffix():
    text = " ".join(succeed("predict", "--help").split())
    for family, (_, needed) in sources.FAMILIES.items():
        assert f"{family}:{needed[0]}=" in text
    for word in (*connectomes.names(), ".npy", ".npz", ".csv", ".tsv", ".mtx", "NUMBER|keep"):
        assert word in text
