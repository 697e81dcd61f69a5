"""The folder of a study on disk: its plan, every case as it finishes, and the conclusion."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import platform
import shutil
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import richlazy
from richlazy.errors import FileError
from richlazy.writing import make_folder, output_folder, write_bytes, write_text
from validation.study import Arrays, Case, Result, Study

__all__ = ["Store", "finished", "versions"]

_CASES = "cases"
_PLAN = "plan.json"
_FOUND = ("result.json", "table.csv", "figure.png")
_SEAL = "seal"  # in the file of a case, beside what it measured
_UNREADABLE = (OSError, EOFError, MemoryError, RuntimeError, ValueError, zipfile.BadZipFile)


def versions(packages: Sequence[str] = ()) -> dict[str, str]:
    """What the numbers depend on; `packages` are further distributions."""
    names = ("richlazy", "numpy", "scipy", "matplotlib", *packages)
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _code() -> str:
    """A digest of the library and the studies: cases of different code do not mix."""
    digest = hashlib.sha256()
    assert richlazy.__file__ is not None
    for folder in (Path(richlazy.__file__).parent, Path(__file__).parent):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def finished(folder: Path, case: Case) -> Arrays | None:
    """What a run in this folder, by whatever code, measured of a case; None if it has not.

    Raises
    ------
    FileError
        If the file of the case is not what its run wrote.
    """
    try:
        text = (folder / _PLAN).read_text(encoding="utf-8").removesuffix("\n")
        known = json.loads(text)["cases"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = json.loads(json.dumps(case))
    if not isinstance(known, list) or same not in known:
        return None
    index = known.index(same)
    path = _path(folder, index)
    if not path.exists():
        return None
    try:
        return _opened(path, index, hashlib.sha256(text.encode()).hexdigest())
    except _UNREADABLE as error:
        raise FileError(f"{path}: cannot be used ({error}); remove it to run it again") from None


def _path(folder: Path, index: int) -> Path:
    return folder / _CASES / f"{index:05d}.npz"


def _opened(path: Path, index: int, run: str) -> Arrays:
    with np.load(path, allow_pickle=False) as stored:
        found = dict(stored)
    if str(found.pop(_SEAL, "")) != _sealed(index, found, run):
        raise ValueError(f"{path}: is not what case {index} of this run measured")
    return found


def _sealed(index: int, arrays: Arrays, run: str) -> str:
    """A digest of the run, the case and all that it measured."""
    digest = hashlib.sha256(f"{index} of {run}".encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {np.shape(arrays[name])}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


class Store:
    """One study's folder; `check` it, then `begin`.

    Everything is written atomically: a file is there in full or not at all. So whatever stops a
    run, the cases it had finished are kept.

    Parameters
    ----------
    folder, study, cases, quick, seed
        What is run, and where it is kept.
    resume
        Go on with the run that the folder holds; it must have the same plan.
    force
        Replace the run that the folder holds.
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
        self._resume, self._force = resume, force
        self._held: int | None = None
        plan = {"study": study.name, "quick": quick, "seed": seed}
        plan["versions"] = versions(study.packages)
        self._plan = json.dumps(plan | {"code": _code(), "cases": self.cases}, allow_nan=False)
        self._run = hashlib.sha256(self._plan.encode()).hexdigest()

    def check(self) -> None:
        """Refuse a folder that this run may not use; nothing in it is touched.

        Raises
        ------
        FileError
            If it holds a run and neither `resume` nor `force` is asked for, another plan is
            resumed, another run is at work in it, it holds something else, or it cannot be
            written to.
        """
        make_folder(output_folder(self.folder, force=True))
        self._lock()
        # what a kill between making the folder and writing the plan leaves
        begun = all(path.name.endswith(".tmp") or path.name == _CASES for path in self._content())
        if begun and not any((self.folder / _CASES).glob("*")):
            return
        stored = self._stored()
        if stored.get("study") != self.study.name:
            raise FileError(
                f"{self.folder}: is not empty and holds no run of {self.study.name}; "
                "--out names another folder"
            )
        if not (self._resume or self._force):
            raise FileError(
                f"{self.folder}: is not empty; --resume goes on with the run it holds, "
                "--force replaces it"
            )
        plan = json.loads(self._plan)
        different = [key for key in plan if stored.get(key) != plan[key]]
        if self._resume and different:
            raise FileError(
                f"{self.folder}: holds another run (its {', '.join(different)} differ); "
                "--force replaces it, --out names another folder"
            )

    def _content(self) -> list[Path]:
        return list(self.folder.iterdir())

    def _lock(self) -> None:
        """Keep other runs out until `release`, or until this process ends."""
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows
            return
        self._held = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FileError(f"{self.folder}: another run is at work in it; let it end") from None

    def release(self) -> None:
        """Let other runs use the folder."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _stored(self) -> dict[str, Any]:
        try:
            stored = json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stored if isinstance(stored, dict) else {}

    def begin(self) -> None:
        """Make the folder ready; what another run left in it goes."""
        cases = self.folder / _CASES
        if not (self._resume and self._stored()):
            for name in _FOUND:
                (self.folder / name).unlink(missing_ok=True)
            try:
                if cases.exists():
                    shutil.rmtree(cases)
            except OSError as error:
                raise FileError(f"{cases}: cannot be removed ({error.strerror})") from None
            make_folder(cases)
            write_text(self.folder / _PLAN, self._plan + "\n")
        make_folder(output_folder(cases, force=True))
        for leftover in cases.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)

    def _path(self, index: int) -> Path:
        return _path(self.folder, index)

    def _failure(self, index: int) -> Path:
        return self._path(index).with_suffix(".failed.txt")

    def missing(self) -> list[int]:
        """The cases that have no readable result yet, failed ones among them."""
        return [index for index in range(len(self.cases)) if not self._readable(index)]

    def _readable(self, index: int) -> bool:
        try:
            self.get(index)
        except _UNREADABLE:
            return False
        return True

    def get(self, index: int) -> Arrays:
        """What a finished case measured.

        Raises
        ------
        ValueError
            If the file is that of another case or run, or was changed.
        """
        return _opened(self._path(index), index, self._run)

    def put(self, index: int, found: Arrays) -> None:
        """Keep what a case measured, under a seal."""
        arrays = {name: np.asarray(values) for name, values in found.items()}
        data = io.BytesIO()
        np.savez(data, **arrays, **{_SEAL: np.array(_sealed(index, arrays, self._run))})
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
        from richlazy.curves.figure import defaults  # here, as no worker draws

        (self.folder / _FOUND[0]).unlink(missing_ok=True)  # of an earlier conclusion
        found = [self.get(index) for index in range(len(self.cases))]
        picture = io.BytesIO()
        with defaults():
            result = self.study.conclude(self.cases, found)
            result.figure.savefig(picture, format="png", dpi=150)
        rows = io.StringIO()
        writer = csv.DictWriter(rows, list(result.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.rows)
        write_text(self.folder / "table.csv", rows.getvalue())
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

    def give_up(self, command: str, error: str | None = None) -> str:
        """Record that there is no verdict, as cases or the conclusion failed; returns one line."""
        for name in _FOUND:
            (self.folder / name).unlink(missing_ok=True)
        failures = {i: text.splitlines()[-1] for i, text in self.failures().items()}
        if error is not None:
            what = f"conclusion: {error.strip().splitlines()[-1]}"
        else:
            missing = self.missing()
            reason = failures.get(missing[0], "its result cannot be read")
            what = f"{len(missing)} of {len(self.cases)} cases; case {missing[0]}: {reason}"
        verdict = f"FAILED ({what})"
        self._record(command, verdict=verdict, passed=False, checks=[], failures=failures)
        return verdict

    def _record(self, command: str, **found: Any) -> None:
        record = {
            "study": self.study.name,
            "question": self.study.question,
            **found,
            "command": command,
            "quick": self.quick,
            "seed": self.seed,
            "versions": versions(self.study.packages),
        }
        text = json.dumps(record, indent=2, allow_nan=False) + "\n"
        write_text(self.folder / _FOUND[0], text)
