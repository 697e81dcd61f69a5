"""One theory curve: values along a named axis, where they come from, and its files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.curves.axes import AXES, Axis
from richlazy.curves.record import (
    SPREAD,
    UNREADABLE,
    check,
    csv_lines,
    plain,
    provenance,
    reason,
    title,
    written,
)
from richlazy.errors import FileError
from richlazy.summary import summary

__all__ = ["Curve", "from_csv", "from_json", "made"]

Array = NDArray[np.float64]
_MARK = "# richlazy curve "


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
        check({"x": self.x}, self.columns, self.provenance)
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
        return written("\n".join(lines) + "\n", path, force)

    def to_json(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """The curve as JSON text, infinities as the string "inf"; written to `path` if given."""
        label, unit = AXES[self.axis]
        return written(
            json.dumps(
                {
                    "axis": self.axis,
                    "label": label,
                    "unit": unit,
                    "provenance": self.provenance,
                    "x": [plain(v) for v in self.x],
                    "columns": {k: [plain(v) for v in c] for k, c in self.columns.items()},
                },
                indent=1,
            )
            + "\n",
            path,
            force,
        )

    def __repr__(self) -> str:
        measures = [name for name in self.columns if not name.endswith(SPREAD)]
        ends = f" from {self.x.min():.4g} to {self.x.max():.4g}" if self.x.size else ""
        columns = f"{', '.join(measures)}{' with sd' if len(measures) < len(self.columns) else ''}"
        return summary(
            self, axis=self.axis, points=f"{self.x.size}{ends}", title=self.title, columns=columns
        )

    @property
    def title(self) -> str:
        """What was held fixed, and the formula."""
        return title(self.provenance)

    def plot(self) -> Any:
        """Draw the curve; a matplotlib Figure."""
        from richlazy.curves.figure import draw_curve  # numbers do not import drawings until asked

        return draw_curve(self)


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
    except UNREADABLE as error:
        raise FileError(f"not a curve in JSON: {reason(error)}") from None


def from_csv(text: str) -> Curve:
    """Read what `Curve.to_csv` wrote.

    Raises
    ------
    FileError
        If the text is not a curve.
    """
    lines = csv_lines(text, _MARK, "curve")
    try:
        source = json.loads(lines[0][len(_MARK) :])
        names = lines[1].split(",")
        table = np.array([[float(v) for v in line.split(",")] for line in lines[2:]])
        axis = source.pop("axis")
        for key in ("label", "unit"):
            source.pop(key)
        columns = dict(zip(names[1:], table.T[1:].copy(), strict=True))
        return Curve(axis, table[:, 0].copy(), columns, source)
    except UNREADABLE as error:
        raise FileError(f"not a curve in CSV: {reason(error)}") from None


def made(
    axis: Axis, x: Array, columns: dict[str, Array], formula: str, setting: str, **given: Any
) -> Curve:
    """A curve with its provenance: the formula, the setting and the parameters given."""
    filled = {k: np.broadcast_to(v, x.shape).copy() for k, v in columns.items()}
    return Curve(axis, x, filled, provenance(formula, setting, given))
