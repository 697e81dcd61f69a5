"""Independent cases of a map, run here or by an executor, each kept on disk as it finishes."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

from richlazy.errors import FileError
from richlazy.writing import make_folder, output_folder, write_text

__all__ = ["Kept", "forget", "run"]

_PLAN = "plan.json"
_ENDING = ".case.json"

Found = dict[str, Any]


class Kept:
    """A folder of finished cases.

    Every file is written atomically: whatever stops a run, the cases it had finished are kept.

    Parameters
    ----------
    folder
        Made where it is missing.
    about
        What the cases are of, in plain values.
    cases
        All of them; their numbers and the versions are the plan that a folder belongs to.

    Raises
    ------
    FileError
        If the folder holds something else.
    """

    def __init__(
        self, folder: str | os.PathLike[str], about: Mapping[str, Any], cases: Sequence[Any]
    ) -> None:
        self.folder = Path(folder)
        try:
            numbers = hashlib.sha256(pickle.dumps(list(cases))).hexdigest()
        except (AttributeError, TypeError, pickle.PicklingError):
            raise ValueError(
                "folder needs a start that can be written down, and this one cannot: leave folder "
                "out, or give the weights as an array"
            ) from None
        versions = {name: version(name) for name in ("richlazy", "numpy", "scipy")}
        plan = {"map": dict(about), "versions": versions, "cases": len(cases), "numbers": numbers}
        self._plan = json.dumps(plan, indent=1) + "\n"
        make_folder(output_folder(folder, force=True))
        plan_file = self.folder / _PLAN
        if plan_file.exists():
            if plan_file.read_text(encoding="utf-8", errors="replace") != self._plan:
                raise FileError(
                    f"{self.folder}: holds cases of another map; remove it, or name another folder"
                )
        elif any(not path.name.endswith(".tmp") for path in self.folder.iterdir()):
            raise FileError(f"{self.folder}: is not empty and holds no map; name another folder")
        else:
            write_text(plan_file, self._plan)

    def get(self, index: int) -> Found | None:
        """What a case found; None if it has not finished."""
        path = self._path(index)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise FileError(f"{path}: cannot be used ({error}); remove it") from None
        if not isinstance(stored, dict) or stored.get("case") != index:
            raise FileError(f"{path}: is not what case {index} found; remove it")
        found = stored.get("found")
        return found if isinstance(found, dict) else None

    def put(self, index: int, found: Found) -> None:
        """Keep what a case found."""
        write_text(self._path(index), json.dumps({"case": index, "found": found}) + "\n")

    def clear(self) -> None:
        """Remove the files of this map, and the folder if nothing else is in it."""
        forget(self.folder)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}{_ENDING}"


def forget(folder: str | os.PathLike[str]) -> None:
    """Remove the cases that a folder holds, and it too if nothing else is in it."""
    place = Path(folder)
    for path in (*place.glob(f"*{_ENDING}"), *place.glob(".*.tmp"), place / _PLAN):
        path.unlink(missing_ok=True)
    if not any(place.iterdir()):
        place.rmdir()


def run(
    function: Callable[[Any], Found],
    cases: Sequence[Any],
    *,
    executor: Executor | None = None,
    kept: Kept | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Found]:
    """What the function finds of every case, in their order.

    Cases that `kept` has are not run again. `advance` is called after each. The first case that
    fails ends the run, with its error.
    """
    found: dict[int, Found] = {}

    def take(index: int, one: Found, *, new: bool = True) -> None:
        if kept is not None and new:
            kept.put(index, one)
        found[index] = one
        advance()

    for index in range(len(cases)):
        one = None if kept is None else kept.get(index)
        if one is not None:
            take(index, one, new=False)
    missing = [index for index in range(len(cases)) if index not in found]
    if executor is None:
        for index in missing:
            take(index, function(cases[index]))
    else:
        running = {executor.submit(function, cases[index]): index for index in missing}
        try:
            for future in as_completed(running):
                take(running[future], future.result())
        except BaseException:
            for future in running:
                future.cancel()
            raise
    return [found[index] for index in range(len(cases))]
