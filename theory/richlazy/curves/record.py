"""What curves and maps have in common: provenance, titles, and numbers in their files."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import writing
from richlazy.errors import FileError, instance

__all__ = [
    "SPREAD",
    "UNREADABLE",
    "check",
    "csv_lines",
    "plain",
    "provenance",
    "reason",
    "title",
    "written",
]

#: Ends of the names of columns that say how far another one is spread.
SPREAD = ("_sd", "_standard_error")
#: What a text that is neither curve nor map may raise on the way to one.
UNREADABLE = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
_COUNTS = ("inputs", "units", "steps", "channels", "outputs", "tasks", "rng")


def check(
    axes: dict[str, NDArray[np.float64]], columns: dict[str, NDArray[np.float64]], known: Any
) -> None:
    """Refuse what is no array, no name or no provenance.

    Raises
    ------
    ValueError
        Naming what it is.
    """
    instance(columns, dict, "columns", "write {measure: values}")
    for name, values in (*axes.items(), *columns.items()):
        instance(values, np.ndarray, name, "write numpy.asarray(values)")
    instance(known, dict, "provenance", "write {} where nothing is known")
    parameters = known.get("parameters", {})
    instance(parameters, dict, "parameters in provenance", "write {name: value}")
    for name in columns:
        if not name.isidentifier():  # tables and pictures are headed by it
            raise ValueError(f"a column must be named as a variable is; it is {name!r}")


def provenance(formula: str, setting: str, given: dict[str, Any]) -> dict[str, Any]:
    """The formula, the setting, the parameters given and the version."""
    return {
        "formula": formula,
        "setting": setting,
        "parameters": {k: _stated(k, v) for k, v in given.items()},
        "version": version("richlazy"),
    }


def title(source: dict[str, Any]) -> str:
    """What a provenance says was held fixed, and the formula."""
    fixed = source.get("parameters", {})
    words = [_in_words(name, value) for name, value in fixed.items()]
    what = str(source.get("setting", "flat start")).split(",")[0]
    return f"{what}, {', '.join(words)} ({source.get('formula', 'unknown')})"


def plain(value: float) -> float | str:
    """A number that JSON has: infinity and NaN are words."""
    return float(value) if np.isfinite(value) else str(float(value))


def written(text: str, path: str | os.PathLike[str] | None, force: bool) -> str:
    """The text, in a file too where one is named."""
    if path is not None:
        writing.write_text(writing.output_file(path, force), text)
    return text


def csv_lines(text: str, mark: str, what: str) -> list[str]:
    """Lines of a CSV file: its provenance behind the mark, its header, at least one of values.

    Raises
    ------
    FileError
        If they are not there.
    """
    lines = instance(text, str, "text", "write path.read_text()").splitlines()
    if not lines or not lines[0].startswith(mark):
        raise FileError(f"not a {what} in CSV: its first line must start with {mark.strip()!r}")
    if len(lines) < 3:
        raise FileError(f"not a {what} in CSV: it holds no values")
    return lines


def reason(error: Exception) -> str:
    """Why a text could not be read."""
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} {name.replace('_', ' ')}"
    words = name.replace("_", " ")
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def _stated(name: str, value: Any) -> Any:
    if value is None:
        return "random tasks"
    if isinstance(value, str):
        return value
    if np.ndim(value):
        return [plain(v) for v in value]
    return int(value) if name in _COUNTS else plain(float(value))
