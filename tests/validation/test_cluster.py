"""Cases on the workers of a dask scheduler: real processes, killed and gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.validation.runs import Runs
from tests.validation.test_runner import wait_until
from validation import pools
from validation.store import versions

pytest.importorskip("distributed")


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The final files of a run on processes of this machine."""
    runs = Runs(tmp_path_factory.mktemp("local"))
    assert runs.run("--jobs", "2")[0] == 0
    return runs.files()


@pytest.fixture
def cluster(runs, tmp_path):
    """(kind, ...) -> a process of a scheduler or of a worker, which ends with the test.

    `ready` waits until all workers are known to the scheduler, however busy the machine is.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started, logs = [], []

    def start(kind):
        what = {
            "scheduler": ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            "worker": [f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-dashboard"],
        }
        environment = os.environ | {"TINY": str(runs.behaviour)}
        log = tmp_path / f"{kind}{len(started)}.log"
        with log.open("wb") as told:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", kind, *what[kind]],
                    cwd=runs.folder.parent,  # not where `validation` is
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=told,
                    start_new_session=True,
                )
            )
        if kind == "worker":
            logs.append(log)
        return started[-1]

    def ready():
        wait_until(lambda: all("Registered to" in log.read_text() for log in logs), 120.0)

    start.address, start.ready = f"tcp://127.0.0.1:{port}", ready
    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_scheduler_gives_the_numbers_of_local_processes(runs, cluster, local):
    cluster("scheduler"), cluster("worker"), cluster("worker")
    cluster.ready()
    status, output, errors = runs.run("--scheduler", cluster.address)
    assert (status, errors) == (0, "")
    assert "tiny: passed" in output
    assert runs.files() == local


def test_a_cluster_of_this_machine(runs, local):
    status, _, errors = runs.run("--cluster", "local", "--jobs", "2")
    assert (status, errors) == (0, "")
    assert runs.files() == local
    assert len({pid for _, pid in runs.log()}) == 2


def test_a_worker_killed_on_the_way_costs_nothing(runs, cluster, local):
    (runs.behaviour / "7").write_text("kill once")
    cluster("scheduler"), cluster("worker"), cluster("worker")
    cluster.ready()
    status, _, errors = runs.run("--scheduler", cluster.address)
    assert status == 0, errors  # dask itself may tell of the worker
    assert runs.files() == local


def test_a_scheduler_that_goes_is_one_line_and_the_rest_is_run_here(runs, cluster, local):
    (runs.behaviour / "20").write_text("wait")
    scheduler = cluster("scheduler")
    cluster("worker")
    cluster.ready()
    process = runs.start("--scheduler", cluster.address)
    wait_until(lambda: runs.finished() >= 10, 120.0)
    scheduler.kill()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert errors.splitlines()[-1] == (
        "Error: the dask scheduler is gone; finished cases are kept, --resume goes on from them"
    )
    assert runs.finished() >= 10
    (runs.behaviour / "20").unlink()
    assert runs.run("--resume")[0] == 0
    assert runs.files() == local


def test_no_scheduler_and_no_workers_are_one_line(runs, cluster):
    status, _, errors = runs.run("--scheduler", cluster.address)
    assert status == 2
    assert f"no dask scheduler answers at {cluster.address}" in errors.splitlines()[-1]
    cluster("scheduler")
    cluster.ready()
    status, _, errors = runs.run("--scheduler", cluster.address, "--resume")
    assert status == 2
    assert errors.splitlines()[-1].startswith("Error: the dask scheduler at")
    assert "has no workers: start some first" in errors


class Workers:
    """A client of workers with these versions."""

    def __init__(self, **changes):
        self.changes = changes

    def run(self, function, names):
        return {"tcp://one": function(names), "tcp://two": function(names) | self.changes}


@pytest.mark.parametrize("name", ["numpy", "click"])  # always, and of a study's own
def test_workers_of_other_versions_are_refused(name):
    ours = versions(["click"])
    kept = {m: sys.modules[m] for m in sys.modules if m.split(".")[0] == "validation"}
    try:
        pools._compare(Workers(), ours)
        with pytest.raises(pools.PoolError, match=f"worker tcp://two has {name} none, here it is"):
            pools._compare(Workers(**{name: "none"}), ours)
    finally:
        sys.modules.update(kept)
