"""The page "The command line": codes are those the command ends with, schemas are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from richlazy.cli import main
from tests.theory.cli.commands import run

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "cli.md").read_text(encoding="utf-8")


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_the_page_lists_these_codes():
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == ["0", "1", "2", "130"]


def test_0_is_all_well():
    assert run("predict", "flat:rank=5,norm=1", "--inputs", "100").exit_code == 0


def test_1_is_a_failed_check(monkeypatch):
    from richlazy import selfcheck

    monkeypatch.setattr(selfcheck, "_CHECKS", (("T1", "nothing", lambda: 1.0),))
    assert run("doctor").exit_code == 1


def test_1_is_a_reader_that_has_left():
    command = [sys.executable, "-c", "from richlazy.cli import main; main()", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


@pytest.mark.parametrize(
    "arguments", [("predict",), ("predict", "no-such.csv"), ("curve", "nowhere"), ("no-such",)]
)
def test_2_is_something_wrong_with_what_is_given(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("richlazy: ")
    assert result.stderr.count("\n") == 1


def test_130_is_an_interrupt(monkeypatch):
    from richlazy import selfcheck

    monkeypatch.setattr(selfcheck, "run", interrupted)
    assert run("doctor").exit_code == 130


def test_every_schema_is_linked_and_every_command_that_prints_json_has_one():
    linked = re.findall(r"\{download\}`(\w+)\.json <schema/(\w+)\.json>`", PAGE)
    assert {name for pair in linked for name in pair} == {
        path.stem for path in (DOCS / "schema").glob("*.json")
    }
    printing = {
        name
        for name, command in main.commands.items()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert printing <= {name for name, _ in linked}


@pytest.mark.parametrize(
    "command", ["predict", "report", "explore", "curve scale", "map rank scale"]
)
def test_the_shell_completes_connectomes_and_files(command):
    completion = ShellComplete(main, {}, "richlazy", "_RICHLAZY_COMPLETE")
    found = completion.get_completions(command.split(), "cele")
    assert "celegans_brain_8" in [one.value for one in found if one.type == "plain"]
    assert [one.type for one in completion.get_completions(command.split(), "my_")] == ["file"]
