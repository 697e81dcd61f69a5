"""Figures that are too slow for the tests: ``python -m tests.faults threads|signals``.

threads: 8 threads ask one Solution 100 questions each; how many answers differ from those alone.
signals: 50 signals at random moments of ``richlazy report --force``, half of them about when it is
written; whether the folder holds the old report, the new one or anything else.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from richlazy import Network, Task, solve

_REPORT = """
from richlazy.cli import main
from richlazy.report import first_layer, recurrent
first_layer.REPLICATES = recurrent.DRAWS = 2
main(prog_name="richlazy")
"""


def threads() -> None:
    sys.setswitchinterval(1e-6)
    rng = np.random.default_rng(0)
    one, two = Task.random(60, 1, rng=rng), Task.random(30, 2, rng=rng)
    starts = {
        "krylov, one output": (Network(0.3 * rng.standard_normal((40, 60))), one, "krylov"),
        "krylov, two outputs": (Network(0.2 * rng.standard_normal((25, 30))), two, "krylov"),
        "flow": (Network(0.2 * rng.standard_normal((25, 30))), two, "flow"),
    }
    times = [*np.geomspace(0.01, 1e3, 24), np.inf]
    questions = [
        (what, t)
        for what in ("kernel_alignment", "loss", "weight_change", "function")
        for t in times
    ]
    for name, (start, task, method) in starts.items():
        alone = {q: getattr(solve(start, task, method), q[0])(q[1]) for q in questions}
        shared = solve(start, task, method)

        def work(seed: int, alone: dict = alone, shared: object = shared) -> tuple[int, int]:
            failed = different = 0
            for i in np.random.default_rng(seed).permutation(len(questions)):
                try:
                    answer = getattr(shared, questions[i][0])(questions[i][1])
                except Exception:  # whatever a broken route may raise
                    failed += 1
                else:
                    different += not np.array_equal(answer, alone[questions[i]])
            return failed, different

        with ThreadPoolExecutor(8) as pool:
            failed, different = np.sum(list(pool.map(work, range(8))), axis=0)
        print(f"{name}: of {8 * len(questions)} answers {failed} failed, {different} differ")


def signals(count: int = 50) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        for name in "ab":
            np.save(f"{name}.npy", np.random.default_rng(ord(name)).standard_normal((6, 8)))
        begun = time.monotonic()
        _report("a", None, None)
        whole = time.monotonic() - begun
        reports = {"a": _held()}
        _report("b", None, None)
        reports["b"] = _held()
        moments, now, found = random.Random(0), "b", {"old": 0, "new": 0, "mixed": 0}
        for k in range(count):
            other = "a" if now == "b" else "b"
            number = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)[k % 3]
            early, late = (0.8, 1.15) if k % 2 else (0.0, 1.0)
            _report(other, whole * moments.uniform(early, late), number)
            held = _held()
            kind = "old" if held == reports[now] else "new" if held == reports[other] else "mixed"
            found[kind] += 1
            if kind == "new":
                now = other
            left = [] if number == signal.SIGKILL else list(Path().rglob("*.tmp"))
            assert not left, left
        print(found)


def _report(start: str, seconds: float | None, number: int | None) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _REPORT, "report", f"{start}.npy", "--out", "out", "--force"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        process.wait()


def _held() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("out").iterdir()}


if __name__ == "__main__":
    {"threads": threads, "signals": signals}[sys.argv[1]]()
