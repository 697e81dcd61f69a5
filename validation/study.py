"""The frame that every study fills: a question, a run, and a verdict by stated tests."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure
from rich.table import Table

from richlazy.files import write_bytes, write_text

__all__ = ["Check", "Result", "Study", "Track", "save", "table"]

T = TypeVar("T")
#: Hands on what it is given, one by one, and shows how far it has come.
Track = Callable[[Sequence[T]], Iterable[T]]


@dataclass(frozen=True)
class Check:
    """A test: passed if the worst of `count` values, which must be finite, is below the limit."""

    name: str
    test: str
    worst: float
    limit: float
    count: int

    @property
    def passed(self) -> bool:
        """Whether it holds; a NaN does not."""
        return bool(self.worst < self.limit)


@dataclass(frozen=True)
class Result:
    """What a run found: rows of the table, checks, a figure, and the settings that made them."""

    rows: Sequence[Mapping[str, Any]]
    checks: Sequence[Check]
    figure: Figure
    settings: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """One line."""
        failed = [check.name for check in self.checks if not check.passed]
        if failed:
            return f"FAILED ({', '.join(failed)})"
        return f"passed ({len(self.checks)} of {len(self.checks)} checks)"


@dataclass(frozen=True)
class Study:
    """A question about theory and gradient descent, and the run that answers it.

    `run(quick, seed, track)` gives the same numbers for the same arguments; it passes its
    cases, which are independent of one another, through `track`.
    """

    name: str
    question: str
    run: Callable[[bool, int, Track[Any]], Result]


def table(result: Result) -> Table:
    """The checks, for the terminal."""
    shown = Table("check", "test")
    for heading in ("worst", "limit", "values"):
        shown.add_column(heading, justify="right")
    shown.add_column("")
    for check in result.checks:
        outcome = "passed" if check.passed else "[bold red]FAILED"
        numbers = f"{check.worst:.3g}", f"{check.limit:g}", str(check.count)
        shown.add_row(check.name, check.test, *numbers, outcome)
    return shown


def save(
    study: Study, result: Result, folder: Path, *, command: str, quick: bool, seed: int
) -> None:
    """Write table.csv, result.json and figure.png, each atomically; the verdict last."""
    rows = io.StringIO()
    writer = csv.DictWriter(rows, list(result.rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.rows)
    write_text(folder / "table.csv", rows.getvalue())

    picture = io.BytesIO()
    result.figure.savefig(picture, format="png", dpi=150)
    write_bytes(folder / "figure.png", picture.getvalue())

    record = {
        "study": study.name,
        "question": study.question,
        "verdict": result.verdict,
        "passed": result.passed,
        "checks": [
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
        "command": command,
        "quick": quick,
        "seed": seed,
        "settings": result.settings,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("richlazy", "numpy", "scipy", "matplotlib")},
        },
    }
    write_text(folder / "result.json", json.dumps(record, indent=2, allow_nan=False) + "\n")
