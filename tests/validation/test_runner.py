"""Runs that are stopped, killed, starved or refused lose nothing and say what to do."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import random
import re
import resource
import shutil
import signal
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from tests.validation.runs import Runs, alive
from validation import benchmarks
from validation.cli import cli

KEPT = "finished cases are kept, --resume goes on from them"


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_numbers_do_not_depend_on_how_many_processes_run_them(runs):
    for jobs in ("1", "2"):
        status, output, errors = runs.run("--jobs", jobs, "--out", jobs)
        assert (status, errors) == (0, "")
        assert f"tiny: passed (1 of 1 checks); in {jobs}/tiny" in output
    assert runs.files("1") == runs.files("2")


def test_twenty_kills_at_random_moments_lose_and_repeat_nothing(runs, monkeypatch):
    cases = 500
    monkeypatch.setenv("TINY_CASES", str(cases))
    assert runs.run("--jobs", "2", "--out", "undisturbed")[0] == 0
    (runs.behaviour / "log").unlink()
    moments, kept = random.Random(0), []
    for kill in range(20):
        process, begun = runs.start("--jobs", "2", "--resume"), len(runs.log())
        if kill % 5:  # as it works, else as it starts
            wait_until(lambda begun=begun: len(runs.log()) > begun)
            time.sleep(moments.uniform(0.0, 0.2))
        else:
            time.sleep(moments.uniform(0.0, 1.0))
        assert process.poll() is None, "it ended before it was killed: take more cases"
        process.kill()
        process.communicate()
        kept.append(runs.finished())
    assert kept == sorted(kept)
    assert len(set(kept)) > 5  # or the kills came too early to show anything
    assert runs.run("--jobs", "2", "--resume")[0] == 0
    assert runs.files() == runs.files("undisturbed")
    # at most what was running, or done and on its way, is done again
    assert len(runs.log()) <= cases + 4 * 20
    wait_until(lambda: not any(alive(pid) for _, pid in runs.log()))


def test_workers_do_not_outlive_a_killed_run(runs):
    (runs.behaviour / "0").write_text("wait")
    (runs.behaviour / "1").write_text("wait")
    process = runs.start("--jobs", "2")
    wait_until(lambda: len(runs.log()) >= 2)
    workers = {pid for _, pid in runs.log()}
    assert all(map(alive, workers))
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(alive, workers)))


def test_an_interrupt_is_one_line_and_leaves_no_worker(runs):
    (runs.behaviour / "3").write_text("wait")
    process = runs.start("--jobs", "2")
    wait_until(lambda: len(runs.log()) >= 8)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "")
    assert errors == f"interrupted; {KEPT}\n"
    wait_until(lambda: not any(alive(pid) for _, pid in runs.log()))
    (runs.behaviour / "3").unlink()
    assert runs.run("--resume")[0] == 0


def test_a_case_that_fails_is_recorded_and_stops_no_other(runs):
    (runs.behaviour / "5").write_text("fail")
    status, output, errors = runs.run("--jobs", "2")
    assert (status, errors) == (1, "")
    verdict = "FAILED (1 of 24 cases; case 5: ValueError: told to fail)"
    assert f"tiny: {verdict}" in output
    folder = runs.folder / "validation-results" / "tiny"
    record = json.loads((folder / "result.json").read_text())
    assert (record["passed"], record["verdict"]) == (False, verdict)
    assert record["failures"] == {"5": "ValueError: told to fail"}
    assert "Traceback" in (folder / "cases" / "00005.failed.txt").read_text()
    assert runs.finished() == 23
    # mended and resumed, it alone is run
    (runs.behaviour / "5").unlink()
    (runs.behaviour / "log").unlink()
    assert runs.run("--resume")[0] == 0
    assert [case for case, _ in runs.log()] == [5]
    assert not list(folder.rglob("*.failed.txt"))


def test_a_worker_killed_once_costs_nothing(runs):
    assert runs.run("--jobs", "2", "--out", "undisturbed")[0] == 0
    (runs.behaviour / "7").write_text("kill once")
    status, _, errors = runs.run("--jobs", "2")
    assert (status, errors) == (0, "")
    assert runs.files() == runs.files("undisturbed")


def test_a_case_that_kills_its_worker_fails_alone(runs):
    (runs.behaviour / "7").write_text("kill")
    (runs.behaviour / "20").write_text("kill once")
    status, output, errors = runs.run("--jobs", "2")
    assert (status, errors) == (1, "")
    assert "FAILED (1 of 24 cases; case 7: " in output
    assert "a worker process died (killed, or out of memory)" in output
    assert runs.finished() == 23


def test_a_terminal_shows_how_far_it_is_and_how_long_it_takes(runs, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    process = runs.start("--jobs", "2", stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    output, _ = process.communicate()
    assert process.returncode == 0
    assert "tiny: passed" in output
    assert re.search(rb"\d+/24", shown)
    assert re.search(rb"\d:\d\d:\d\d", shown)


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def test_a_full_disk_is_one_line_and_keeps_what_was_done(runs):
    """The plan fits under the limit, a case's 13 kB do not."""
    status, _, errors = runs.run(preexec_fn=small_files)
    assert status == 2
    assert errors.startswith("Error: validation-results/tiny/cases/0")
    assert "cannot be written (File too large)" in errors
    assert errors.count("\n") == 1
    assert not list((runs.folder / "validation-results").rglob("*.tmp"))
    assert runs.run("--resume")[0] == 0


def test_a_damaged_case_is_run_again(runs):
    assert runs.run()[0] == 0
    wanted = runs.files()
    case = runs.folder / "validation-results" / "tiny" / "cases" / "00003.npz"
    whole = case.read_bytes()
    (runs.behaviour / "log").unlink()
    for damage in (b"", whole[:1000], whole[:5000] + b"x" * 100 + whole[5100:]):
        case.write_bytes(damage)
        assert runs.run("--resume")[0] == 0
        assert case.read_bytes() == whole
    assert [index for index, _ in runs.log()] == [3, 3, 3]
    assert runs.files() == wanted


def test_the_file_of_another_case_or_run_is_no_result(runs):
    """Each is a whole and valid file, and stands where another should."""
    assert runs.run()[0] == 0
    assert runs.run("--seed", "1", "--out", "other")[0] == 0
    wanted = runs.files()
    cases = runs.folder / "validation-results" / "tiny" / "cases"
    case, others = cases / "00003.npz", runs.folder / "other" / "tiny" / "cases"
    whole = case.read_bytes()
    with np.load(case) as stored:
        arrays = dict(stored)
    changed = arrays | {"values": arrays["values"] + 1.0}
    bare = {name: values for name, values in arrays.items() if name != "seal"}
    (runs.behaviour / "log").unlink()
    for put in (
        lambda: shutil.copy(cases / "00004.npz", case),
        lambda: shutil.copy(others / "00003.npz", case),
        lambda: np.savez(case, **changed),
        lambda: np.savez(case, **bare),
    ):
        put()
        assert runs.run("--resume")[0] == 0
        assert case.read_bytes() == whole
    assert [index for index, _ in runs.log()] == [3, 3, 3, 3]
    assert runs.files() == wanted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_leaves_no_temporary_file(runs, monkeypatch, number):
    monkeypatch.setenv("TINY_CASES", "500")
    moments = random.Random(1)
    for _ in range(5):
        process, begun = runs.start("--jobs", "2", "--resume"), len(runs.log())
        wait_until(lambda begun=begun: len(runs.log()) > begun + 4)
        time.sleep(moments.uniform(0.0, 0.1))
        process.send_signal(number)
        process.communicate()
        assert process.returncode == -number
        assert not list((runs.folder / "validation-results").rglob("*.tmp"))


def test_a_plain_terminal_and_a_user_s_own_settings_of_figures_change_nothing(runs, monkeypatch):
    assert runs.run("--out", "plain")[0] == 0
    (runs.folder / "matplotlibrc").write_text("text.usetex: True\nsavefig.bbox: tight\n")
    for name, value in {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii:strict",
    }.items():
        monkeypatch.setenv(name, value)
    tiny = runs.folder / "validation" / "tiny.py"
    assert runs.run()[::2] == (0, "")
    assert runs.files() == runs.files("plain")
    tiny.write_text(tiny.read_text().replace("Is the mean small?", "Is ‖μ‖ small?"))
    assert runs.run("--force")[::2] == (0, "")


def test_only_the_same_run_is_resumed(runs):
    assert runs.run("--seed", "1")[0] == 0
    status, _, errors = runs.run("--resume")
    assert status == 2
    assert "holds another run (its seed, cases differ)" in errors
    status, _, errors = runs.run()
    assert status == 2
    assert "--resume goes on with the run it holds, --force replaces it" in errors
    assert runs.run("--force")[0] == 0
    plan = runs.folder / "validation-results" / "tiny" / "plan.json"
    plan.write_text("[]")
    status, _, errors = runs.run("--resume")
    assert (status, errors.count("\n")) == (2, 1)


@pytest.mark.parametrize("option", ["--resume", "--force"])
@pytest.mark.parametrize("name", ["table.csv", "cases/keep.txt", "plan.json"])
def test_what_is_not_ours_is_left_alone(runs, option, name):
    path = runs.folder / "validation-results" / "tiny" / name
    path.parent.mkdir(parents=True)
    path.write_text('{"study": "another"}')
    status, _, errors = runs.run(option)
    assert status == 2
    assert "is not empty and holds no run of tiny" in errors
    assert path.read_text() == '{"study": "another"}'


@pytest.mark.parametrize("left", [(), ("cases",), ("plan.json",)])
def test_a_run_killed_as_it_began_goes_on(runs, left):
    """Whatever of folder, cases and plan was there."""
    assert runs.run()[0] == 0
    folder = runs.folder / "validation-results" / "tiny"
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in left:
            path.unlink()
    if "cases" in left:
        (folder / "cases").mkdir()
    assert runs.run("--resume")[0] == 0


def test_all_folders_are_looked_at_before_any_is_touched(tmp_path):
    (tmp_path / "spectrum").mkdir()
    (tmp_path / "spectrum" / "mine").write_text("")
    done = CliRunner().invoke(cli, ["run", "all", "--quick", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "spectrum: is not empty" in done.output
    assert not any(path.is_file() for path in (tmp_path / "rank").rglob("*"))


def test_two_runs_do_not_share_a_folder(runs):
    (runs.behaviour / "3").write_text("wait")
    process = runs.start("--jobs", "2")
    wait_until(lambda: len(runs.log()) >= 8)
    for option in ("--resume", "--force"):
        status, _, errors = runs.run(option)
        assert status == 2
        assert "another run is at work in it" in errors
    process.kill()
    process.communicate()
    (runs.behaviour / "3").unlink()
    assert runs.run("--resume")[0] == 0


def test_other_code_is_another_run(runs):
    assert runs.run()[0] == 0
    with (runs.folder / "validation" / "steps.py").open("a") as file:
        file.write("\n")
    status, _, errors = runs.run("--resume")
    assert status == 2
    assert "holds another run (its code differ)" in errors


def test_a_conclusion_that_fails_is_recorded_and_made_again(runs):
    (runs.behaviour / "conclude").write_text("")
    status, output, errors = runs.run()
    assert (status, errors) == (1, "")
    verdict = "FAILED (conclusion: RuntimeError: told not to conclude)"
    assert f"tiny: {verdict}" in output
    record = runs.folder / "validation-results" / "tiny" / "result.json"
    assert json.loads(record.read_text())["verdict"] == verdict
    (runs.behaviour / "conclude").unlink()
    (runs.behaviour / "log").unlink()
    assert runs.run("--resume")[0] == 0
    assert runs.log() == []
    (runs.behaviour / "conclude").write_text("")
    assert runs.run("--resume")[0] == 1
    assert {path.name for path in record.parent.iterdir()} == {"cases", "plan.json", "result.json"}


def test_objects_are_no_result(runs):
    (runs.behaviour / "4").write_text("object")
    status, output, _ = runs.run()
    assert status == 1
    assert "case 4: TypeError: values must be numbers" in output


@pytest.mark.parametrize(("value", "status"), [(1.0, 0), (1.1, 1), (float("nan"), 1)])
def test_a_promise_that_is_not_kept_fails_the_bench(monkeypatch, value, status):
    figures = [benchmarks.Figure("time", value, 1.0, "s"), benchmarks.Figure("rate", 9, None, "")]
    monkeypatch.setattr(benchmarks, "measure", lambda name: figures)
    done = CliRunner().invoke(cli, ["bench", "modes"])
    assert done.exit_code == status
    assert ("EXCEEDED" in done.output) == bool(status)


@pytest.mark.parametrize(
    "both",
    [
        ("--force", "--resume"),
        ("--scheduler", "tcp://127.0.0.1:1", "--cluster", "local"),
        ("--scheduler", "tcp://127.0.0.1:1", "--jobs", "2"),
    ],
)
def test_options_that_exclude_each_other(runs, both):
    status, _, errors = runs.run(*both)
    assert status == 2
    assert "exclude each other" in errors
    assert not (runs.folder / "validation-results").exists()


def test_a_cluster_without_dask_names_the_extra(runs):
    (runs.folder / "distributed.py").write_text(
        "raise ModuleNotFoundError('no dask', name='distributed')\n"
    )
    status, _, errors = runs.run("--cluster", "local")
    assert status == 2
    assert errors.startswith("Error: a cluster needs distributed: ")
    assert "'.[cluster]'" in errors
    assert sys.executable not in errors
