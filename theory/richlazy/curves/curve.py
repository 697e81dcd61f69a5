"""One theory curve: values along a named axis, where they come from, and its files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import writing
from richlazy.curves.axes import AXES, Axis
from richlazy.errors import FileError, instance
from richlazy.summary import summary

__all__ = ["Curve", "from_csv", "from_json", "made"]

Array = NDArray[np.float64]
_MARK = "# richlazy curve "
_SPREAD = ("_sd", "_standard_error")
_COUNTS = ("inputs", "units", "steps", "channels", "outputs", "tasks", "rng")
#: What a text that is no curve may raise on the way to one.
_UNREADABLE = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class Curve:
    """Values along one axis.

    Attributes
    ----------
    axis
        Key of `AXES`.
    x
        Axis values, (n,).
    columns
        Measures by name, (n,) each; `<measure>_sd` beside it is the standard deviation over
        random tasks, `<measure>_standard_error` that of the mean where tasks were drawn.
    provenance
        Formula ids, parameters and version: enough to make the curve again.
    """

    axis: str
    x: Array
    columns: dict[str, Array]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.axis not in AXES:
            raise ValueError(f"axis must be one of {', '.join(AXES)}; it is {self.axis!r}")
        instance(self.columns, dict, "columns", "write {measure: values}")
        for name, values in (("x", self.x), *self.columns.items()):
            instance(values, np.ndarray, name, "write numpy.asarray(values)")
        instance(self.provenance, dict, "provenance", "write {} where nothing is known")
        parameters = self.provenance.get("parameters", {})
        instance(parameters, dict, "parameters in provenance", "write {name: value}")
        for name in self.columns:
            if not name.isidentifier():  # tables and pictures are headed by it
                raise ValueError(f"a column must be named as a variable is; it is {name!r}")
        if self.x.ndim != 1 or any(c.shape != self.x.shape for c in self.columns.values()):
            shapes = [c.shape for c in self.columns.values()]
            raise ValueError(
                f"x and columns must be vectors of one length; they are {self.x.shape} and {shapes}"
            )

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """The curve as CSV text, provenance in its first line; written to `path` if given.

        Numbers are written so that they read back exactly. An existing file is an error
        without `force`.
        """
        label, unit = AXES[self.axis]
        head = json.dumps({"axis": self.axis, "label": label, "unit": unit, **self.provenance})
        rows = zip(self.x, *self.columns.values(), strict=True)
        lines = [_MARK + head, ",".join([self.axis, *self.columns])]
        lines += [",".join(repr(float(v)) for v in row) for row in rows]
        return _written("\n".join(lines) + "\n", path, force)

    def to_json(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """The curve as JSON text, infinities as the string "inf"; written to `path` if given."""
        label, unit = AXES[self.axis]
        return _written(
            json.dumps(
                {
                    "axis": self.axis,
                    "label": label,
                    "unit": unit,
                    "provenance": self.provenance,
                    "x": [_plain(v) for v in self.x],
                    "columns": {k: [_plain(v) for v in c] for k, c in self.columns.items()},
                },
                indent=1,
            )
            + "\n",
            path,
            force,
        )

    def __repr__(self) -> str:
        measures = [name for name in self.columns if not name.endswith(_SPREAD)]
        ends = f" from {self.x.min():.4g} to {self.x.max():.4g}" if self.x.size else ""
        columns = f"{', '.join(measures)}{' with sd' if len(measures) < len(self.columns) else ''}"
        return summary(
            self, axis=self.axis, points=f"{self.x.size}{ends}", title=self.title, columns=columns
        )

    @property
    def title(self) -> str:
        """What was held fixed, and the formula."""
        fixed = self.provenance.get("parameters", {})
        words = [_in_words(name, value) for name, value in fixed.items()]
        what = str(self.provenance.get("setting", "flat start")).split(",")[0]
        return f"{what}, {', '.join(words)} ({self.provenance.get('formula', 'unknown')})"

    def plot(self) -> Any:
        """Draw the curve; a matplotlib Figure."""
        from richlazy.curves.figure import draw_curve  # numbers do not import drawings until asked

        return draw_curve(self)


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} {name.replace('_', ' ')}"
    words = name.replace("_", " ")
    return f"{words} {value:g}" if isinstance(value, float) else f"{words} {value}"


def _plain(value: float) -> float | str:
    return float(value) if np.isfinite(value) else str(float(value))


def _written(text: str, path: str | os.PathLike[str] | None, force: bool) -> str:
    if path is not None:
        writing.write_text(writing.output_file(path, force), text)
    return text


def from_json(text: str) -> Curve:
    """Read what `Curve.to_json` wrote.

    Raises
    ------
    FileError
        If the text is not a curve.
    """
    try:
        stored = json.loads(text)
        columns = {str(k): np.array([float(v) for v in c]) for k, c in stored["columns"].items()}
        x = np.array([float(v) for v in stored["x"]])
        return Curve(stored["axis"], x, columns, dict(stored["provenance"]))
    except _UNREADABLE as error:
        raise FileError(f"not a curve in JSON: {_reason(error)}") from None


def from_csv(text: str) -> Curve:
    """Read what `Curve.to_csv` wrote.

    Raises
    ------
    FileError
        If the text is not a curve.
    """
    lines = instance(text, str, "text", "write path.read_text()").splitlines()
    if not lines or not lines[0].startswith(_MARK):
        raise FileError(f"not a curve in CSV: its first line must start with {_MARK.strip()!r}")
    if len(lines) < 3:
        raise FileError("not a curve in CSV: it holds no values")
    try:
        provenance = json.loads(lines[0][len(_MARK) :])
        names = lines[1].split(",")
        table = np.array([[float(v) for v in line.split(",")] for line in lines[2:]])
        axis = provenance.pop("axis")
        for key in ("label", "unit"):
            provenance.pop(key)
        columns = dict(zip(names[1:], table.T[1:].copy(), strict=True))
        return Curve(axis, table[:, 0].copy(), columns, provenance)
    except _UNREADABLE as error:
        raise FileError(f"not a curve in CSV: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def made(
    axis: Axis, x: Array, columns: dict[str, Array], formula: str, setting: str, **given: Any
) -> Curve:
    """A curve with its provenance: the formula, the setting and the parameters given."""
    provenance = {
        "formula": formula,
        "setting": setting,
        "parameters": {k: _stated(k, v) for k, v in given.items()},
        "version": version("richlazy"),
    }
    filled = {k: np.broadcast_to(v, x.shape).copy() for k, v in columns.items()}
    return Curve(axis, x, filled, provenance)


def _stated(name: str, value: Any) -> Any:
    if value is None:
        return "random tasks"
    if isinstance(value, str):
        return value
    if np.ndim(value):
        return [_plain(v) for v in value]
    return int(value) if name in _COUNTS else _plain(float(value))
