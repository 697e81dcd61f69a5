"""Runs that are stopped, killed, starved or refused lose nothing and say what to do."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import random
import re
import resource
import signal
import sys
import time

import pytest

from tests.validation.runs import Runs, alive

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
    monkeypatch.setenv("TINY_CASES", "400")
    assert runs.run("--jobs", "2", "--out", "undisturbed")[0] == 0
    (runs.behaviour / "log").unlink()
    moments, kills, kept = random.Random(0), 0, []
    while kills < 20:
        process = runs.start("--jobs", "2", "--resume")
        time.sleep(moments.uniform(0.5, 1.5))
        kills += process.poll() is None
        process.kill()
        process.communicate()
        kept.append(runs.finished())
    assert kept == sorted(kept)
    assert len(set(kept)) > 5  # or the kills came too early to show anything
    assert runs.run("--jobs", "2", "--resume")[0] == 0
    assert runs.files() == runs.files("undisturbed")
    # at most what was running, or done and on its way, is done again
    assert len(runs.log()) <= 400 + 4 * kills
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


def test_only_the_same_run_is_resumed(runs):
    assert runs.run("--seed", "1")[0] == 0
    status, _, errors = runs.run("--resume")
    assert status == 2
    assert "holds another run (its seed, cases differ)" in errors
    plan = runs.folder / "validation-results" / "tiny" / "plan.json"
    plan.write_text("[]")
    status, _, errors = runs.run("--resume", "--seed", "1")
    assert (status, errors.count("\n")) == (2, 1)
    status, _, errors = runs.run()
    assert status == 2
    assert "--resume goes on with the run it holds, --force replaces it" in errors
    assert runs.run("--force")[0] == 0


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
