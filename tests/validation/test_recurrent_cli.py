"""The commands and the studies of recurrent networks; none of this needs JAX."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from validation import RECURRENT, STUDIES, benchmarks, cli, load, pools
from validation.study import Study

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("jax", "optax", "neurogym", "sklearn")
MISSING = ModuleNotFoundError("recurrent networks need jax: python -m pip install ...", name="jax")


def without(module, *arguments):
    """The command line where a module of the extra cannot be found, and all others of it can."""
    code = (
        f"import sys, importlib.util as util; found = {dict.fromkeys(NEEDED, 1) | {module: None}}; "
        "find = util.find_spec; "
        "util.find_spec = lambda name: found[name] if name in found else find(name); "
        f"sys.argv = ['validation', *{arguments!r}]; "
        "from validation.__main__ import main; main()"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("study", ["rnn", *RECURRENT])
def test_without_the_extra_it_is_one_line_and_nothing_is_begun(study, tmp_path):
    done = without("jax", "run", study, "--quick", "--out", str(tmp_path / "results"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "recurrent networks need jax: python -m pip install -c constraints-rnn.txt -e '.[rnn]'\n"
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("module", "named"), [("optax", "optax"), ("neurogym", "neurogym"), ("sklearn", "scikit-learn")]
)
def test_the_line_names_what_is_missing(module, named, tmp_path):
    done = without(module, "run", "rnn", "--out", str(tmp_path / "results"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"recurrent networks need {named}: python -m pip install ")
    assert done.stderr.count("\n") == 1


def test_no_other_study_needs_the_extra():
    code = (
        "import sys; sys.modules |= dict.fromkeys(('jax', 'optax', 'neurogym')); "
        "from validation import STUDIES, load; [load(name) for name in STUDIES]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_all_are_the_others_and_rnn_is_these():
    assert cli._GROUPS == {"all": STUDIES, "rnn": RECURRENT}
    assert not set(STUDIES) & set(RECURRENT)
    shown = "".join(CliRunner().invoke(cli.cli, ["run", "--help"]).output.split())
    for name in (*STUDIES, *RECURRENT, "all", "rnn"):
        assert name in shown
    assert "needtheextrarnn" in shown


def test_an_unknown_study_is_told_the_known_ones():
    with pytest.raises(KeyError, match=r"rank, .*rnn-rank, rnn-turn, rnn-structure, rnn-kept"):
        load("rnn")
    done = CliRunner().invoke(cli.cli, ["run", "rnn-nothing"])
    assert done.exit_code == 2
    assert "rnn-nothing" in done.output


def test_workers_are_compared_in_what_the_studies_depend_on(monkeypatch, tmp_path):
    given = []

    class Recorder(pools.Pool):
        def __init__(self, *arguments):
            given.append(arguments)

        def __enter__(self):
            raise pools.PoolError("seen")

    def study(name):
        packages = ("numpy", "click") if name == "rnn-rank" else ("click", "rich")
        return Study(name, "?", lambda quick, seed: [], dict, lambda *_: None, packages)

    monkeypatch.setattr(pools, "DaskPool", Recorder)
    monkeypatch.setattr(cli, "load", study)
    command = ["run", "rnn", "--cluster", "local", "--jobs", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(cli.cli, command)
    assert done.exit_code == 2
    assert "seen; finished cases are kept" in done.output
    assert given == [(None, 1, ["numpy", "click", "rich"])]


def test_every_benchmark_is_there_and_importing_it_needs_no_extra():
    for place in benchmarks.BENCHMARKS.values():
        module, _, function = place.partition(".")
        assert callable(getattr(import_module(f"validation.benchmarks.{module}"), function)), place


def measured(name):
    if name.startswith("rnn"):
        raise MISSING
    return [benchmarks.Figure("time", 0.5, 1.0, "s")]


def test_of_all_benchmarks_those_without_their_extra_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr(benchmarks, "measure", measured)
    done = CliRunner().invoke(cli.cli, ["bench"])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert [line for line in lines if "left out" in line] == [
        f"{name}: left out, {MISSING}" for name in ("rnn-train", "rnn-kernel")
    ]
    assert sum("(at most 1)" in line for line in lines) == len(benchmarks.BENCHMARKS) - 2


def test_one_that_is_asked_for_is_not_left_out(monkeypatch, capsys):
    from validation.__main__ import main

    monkeypatch.setattr(benchmarks, "measure", measured)
    monkeypatch.setattr(sys, "argv", ["validation", "bench", "modes", "rnn-train"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert capsys.readouterr().err == f"{MISSING}\n"
