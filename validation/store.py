"""The folder of a study on disk: its plan, every case as it finishes, and the conclusion."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import shutil
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from richlazy.errors import FileError
from richlazy.files import output_folder, write_bytes, write_text
from validation.study import Arrays, Case, Result, Study

__all__ = ["Store", "versions"]

_CASES = "cases"
_PLAN = "plan.json"


def versions() -> dict[str, str]:
    """What the numbers depend on."""
    packages = ("richlazy", "numpy", "scipy", "matplotlib")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


class Store:
    """One study's folder.

    Everything is written atomically: a file is there in full or not at all. So whatever stops a
    run, the cases it had finished are kept.

    Parameters
    ----------
    folder
        Made if it is missing.
    study, cases, quick, seed
        What is run.
    resume
        Go on with the run that the folder holds; it must have the same plan.
    force
        Replace what the folder holds.

    Raises
    ------
    FileError
        If the folder holds files and neither is asked for, another plan is resumed, or it
        cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        study: Study,
        cases: Sequence[Case],
        *,
        quick: bool,
        seed: int,
        resume: bool = False,
        force: bool = False,
    ) -> None:
        self.folder, self.study, self.cases = folder, study, list(cases)
        self.quick, self.seed = quick, seed
        try:
            output_folder(folder, resume or force)
        except FileError as error:
            if "not empty" in str(error):
                raise FileError(
                    f"{folder}: is not empty; --resume goes on with the run it holds, "
                    "--force replaces it"
                ) from None
            raise
        plan = {"study": study.name, "quick": quick, "seed": seed}
        plan |= {"versions": versions(), "cases": self.cases}
        text = json.dumps(plan, indent=1, allow_nan=False) + "\n"
        if resume and (folder / _PLAN).exists():
            self._same_plan(json.loads(text))
            for leftover in (folder / _CASES).glob(".*.tmp"):
                leftover.unlink(missing_ok=True)
        else:
            shutil.rmtree(folder / _CASES, ignore_errors=True)
            for name in ("table.csv", "figure.png", "result.json"):
                (folder / name).unlink(missing_ok=True)
            output_folder(folder / _CASES, force=True)
            write_text(folder / _PLAN, text)

    def _same_plan(self, plan: dict[str, Any]) -> None:
        try:
            stored = json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))
            different = [key for key in plan if stored.get(key) != plan[key]]
        except (OSError, ValueError, AttributeError):
            different = ["file"]
        if different:
            raise FileError(
                f"{self.folder}: holds another run (its {', '.join(different)} differ); "
                "--force replaces it, --out names another folder"
            )

    def _path(self, index: int) -> Path:
        return self.folder / _CASES / f"{index:05d}.npz"

    def _failure(self, index: int) -> Path:
        return self._path(index).with_suffix(".failed.txt")

    def missing(self) -> list[int]:
        """The cases that have no readable result yet, failed ones among them."""
        return [index for index in range(len(self.cases)) if not self._readable(index)]

    def _readable(self, index: int) -> bool:
        try:
            self.get(index)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile):
            return False
        return True

    def get(self, index: int) -> Arrays:
        """What a finished case measured."""
        with np.load(self._path(index), allow_pickle=False) as stored:
            return dict(stored)

    def put(self, index: int, found: Arrays) -> None:
        """Keep what a case measured."""
        data = io.BytesIO()
        np.savez(data, **{name: np.asarray(values) for name, values in found.items()})
        write_bytes(self._path(index), data.getvalue())
        self._failure(index).unlink(missing_ok=True)

    def fail(self, index: int, error: str) -> None:
        """Record why a case has no result."""
        write_text(self._failure(index), error.rstrip() + "\n")

    def failures(self) -> dict[int, str]:
        """The error of every failed case."""
        found = {}
        for index in range(len(self.cases)):
            if self._failure(index).exists():
                found[index] = self._failure(index).read_text(encoding="utf-8").rstrip()
        return found

    def conclude(self, command: str) -> Result:
        """Compare all cases, as they stand on disk; write table, figure and, last, the verdict."""
        result = self.study.conclude(self.cases, [self.get(i) for i in range(len(self.cases))])
        rows = io.StringIO()
        writer = csv.DictWriter(rows, list(result.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.rows)
        write_text(self.folder / "table.csv", rows.getvalue())
        picture = io.BytesIO()
        result.figure.savefig(picture, format="png", dpi=150)
        write_bytes(self.folder / "figure.png", picture.getvalue())
        self._record(
            command,
            verdict=result.verdict,
            passed=result.passed,
            checks=[
                {
                    "name": check.name,
                    "test": check.test,
                    "worst": check.worst if math.isfinite(check.worst) else None,
                    "limit": check.limit,
                    "values": check.count,
                    "passed": check.passed,
                }
                for check in result.checks
            ],
            findings=list(result.findings),
            settings=result.settings,
        )
        return result

    def give_up(self, command: str) -> str:
        """Record that cases failed, so that there is no verdict; returns one line."""
        failures = self.failures()
        index, error = next(iter(failures.items()))
        line = error.splitlines()[-1]
        verdict = f"FAILED ({len(failures)} of {len(self.cases)} cases; case {index}: {line})"
        named = {str(i): text.splitlines()[-1] for i, text in failures.items()}
        self._record(command, verdict=verdict, passed=False, checks=[], failures=named)
        return verdict

    def _record(self, command: str, **found: Any) -> None:
        record = {
            "study": self.study.name,
            "question": self.study.question,
            **found,
            "command": command,
            "quick": self.quick,
            "seed": self.seed,
            "versions": versions(),
        }
        text = json.dumps(record, indent=2, allow_nan=False) + "\n"
        write_text(self.folder / "result.json", text)
