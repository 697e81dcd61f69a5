"""The command ``python -m derivations``: what it prints, where, and its exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import derivations
from derivations import MODULES, __main__, load

ROOT = Path(derivations.__file__).parents[1]


def run(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )


def test_without_arguments_lists_the_known_ids():
    done = run("-m", "derivations")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(MODULES)


def test_the_list_does_not_need_sympy():
    without = "import sys; sys.modules['sympy'] = None; from derivations.__main__ import main;"
    done = run("-c", f"{without} sys.exit(main([]))")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", ["sympy", "mpmath"])
def test_a_missing_extra_is_named_in_one_line(missing):
    without = f"import sys; sys.modules['{missing}'] = None; from derivations.__main__ import main;"
    done = run("-c", f"{without} sys.exit(main(['T6']))")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (f'derivations need {missing}: pip install "richlazy[derivations]"\n')


def test_an_unknown_id_lists_the_known_ones():
    done = run("-m", "derivations", "T99")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "T99" in done.stderr
    assert all(name in done.stderr for name in MODULES)


@pytest.mark.parametrize("flags", [[], ["--latex"]])
def test_a_derivation_is_printed_with_its_checks(flags, capsys):
    assert __main__.main(["T1", *flags]) == 0
    printed = capsys.readouterr().out
    assert printed.count("passed") == len(load("T1").steps)
    assert "FAILED" not in printed


def test_a_failing_check_sets_the_exit_code(capsys, monkeypatch):
    damaged = load("T1").with_claim("flow_1", 2 * load("T1").formulas["flow_1"])
    monkeypatch.setattr(__main__, "load", lambda name: damaged)
    assert __main__.main(["T1"]) == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("name", MODULES)
def test_every_registered_module_holds_its_derivation(name):
    assert load(name).id == name
