"""What curves and maps have in common: provenance, titles, and numbers in their files."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import numpy as np

from richlazy import writing

__all__ = ["SPREAD", "UNREADABLE", "plain", "provenance", "reason", "title", "written"]

#: Ends of the names of columns that say how far another one is spread.
SPREAD = ("_sd", "_standard_error")
#: What a text that is neither curve nor map may raise on the way to one.
UNREADABLE = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
_COUNTS = ("inputs", "units", "steps", "channels", "outputs", "tasks", "rng")


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
