"""A copy of the package with one more study, small and as ill-behaved as a test wants it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("table.csv", "result.json", "figure.png")

TINY = """
import os, signal, time
from pathlib import Path

import numpy as np

from validation.study import Result, Study, worst_of

HERE = Path(os.environ["TINY"])  # the log, and whatever makes a case behave


def cases(quick, seed):
    return [{"index": i, "seed": seed} for i in range(int(os.environ.get("TINY_CASES", 24)))]


def simulate(case):
    with open(HERE / "log", "a") as log:
        log.write(f"{case['index']} {os.getpid()}\\n")
    mine = HERE / str(case["index"])
    if mine.exists():
        what = mine.read_text()
        if what.endswith("once"):
            mine.unlink()
        if what.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if what.startswith("wait"):
            time.sleep(600)
        if what.startswith("object"):
            return {"values": np.array([None])}
        raise ValueError("told to fail")
    time.sleep(0.02)
    rng = np.random.default_rng([case["seed"], case["index"]])
    return {"values": rng.standard_normal((40, 40)) @ rng.standard_normal((40, 40))}


def conclude(cases, found):
    if (HERE / "conclude").exists():
        raise RuntimeError("told not to conclude")
    from matplotlib.figure import Figure  # here, as no worker draws

    means = [float(np.mean(part["values"])) for part in found]
    figure = Figure()
    figure.subplots().plot(means)
    rows = [{"index": case["index"], "mean": mean} for case, mean in zip(cases, means)]
    return Result(rows, [worst_of("size", "|mean|", means, 100.0)], figure, {"cases": len(cases)})


STUDY = Study("tiny", "Is the mean small?", cases, simulate, conclude)
"""


class Runs:
    """Runs of `tiny` in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.behaviour = folder, folder / "behaviour"
        self.behaviour.mkdir()
        shutil.copytree(ROOT / "validation", folder / "validation")
        (folder / "validation" / "tiny.py").write_text(TINY)
        with (folder / "validation" / "__init__.py").open("a") as file:
            file.write('\nSTUDIES, RECURRENT = ("tiny",), ()\n')

    def start(self, *options: str, **more):
        """A process that runs tiny, in a session of its own."""
        environment = os.environ | {"TINY": str(self.behaviour), "PYTHONWARNINGS": "error"}
        return subprocess.Popen(
            [sys.executable, "-m", "validation", "run", "tiny", *options],
            cwd=self.folder,
            env=environment,
            text=True,
            start_new_session=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more,
        )

    def run(self, *options: str, **more):
        """(exit status, output, errors) of a whole run, on one worker unless told."""
        if not {"--jobs", "--scheduler", "--cluster"}.intersection(options):
            options += ("--jobs", "1")
        process = self.start(*options, **more)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    def files(self, out: str = "validation-results") -> list[bytes]:
        """The final files."""
        return [(self.folder / out / "tiny" / name).read_bytes() for name in FILES]

    def log(self) -> list[tuple[int, int]]:
        """(case, process) of every simulation begun so far."""
        path = self.behaviour / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(a), int(b)) for a, b in map(str.split, lines)]

    def finished(self, out: str = "validation-results") -> int:
        """How many cases are kept."""
        return len(list((self.folder / out / "tiny" / "cases").glob("*.npz")))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
