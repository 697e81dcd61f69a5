"""What curves and maps have in common: columns, provenance and titles."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.curves.files import PROVENANCE
from richlazy.errors import instance

__all__ = [
    "SPREAD",
    "check",
    "plain",
    "provenance",
    "title",
]

#: Ends of the names of columns that say how far another one is spread.
SPREAD = ("_sd", "_standard_error")
_COUNTS = ("inputs", "units", "steps", "channels", "outputs", "tasks", "rng")


def check(
    axes: dict[str, NDArray[np.float64]],
    columns: dict[str, NDArray[np.float64]],
    known: Any,
    named: Collection[str],
) -> None:
    """Refuse what is no array, no name or no provenance; `named` are names of the axes.

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
        if name == PROVENANCE or name in named:
            raise ValueError(f"a column must not be named {name!r}, which files name their own")


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
