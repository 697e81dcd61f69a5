"""One theory map: values over two axes at once, where they come from, and its files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.curves.axes import AXES
from richlazy.curves.files import Table, csv_text, read_csv, read_json, written
from richlazy.curves.record import SPREAD, check, plain, title
from richlazy.summary import summary

__all__ = ["Map", "map_from_csv", "map_from_json"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Map:
    """Values over two axes.

    Attributes
    ----------
    x_axis
        Key of `AXES`.
    y_axis
        Another.
    x
        Values along the first, (n,).
    y
        Values along the second, (k,).
    columns
        Measures by name, (k, n) each: entry [j, i] is that at x[i] and y[j]. `<measure>_sd` and
        `<measure>_standard_error` beside it as in a `Curve`.
    provenance
        Formula ids, parameters and version, method, accuracy and assumptions: those of every cell,
        as rows of a table, where cells differ.
    """

    x_axis: str
    y_axis: str
    x: Array
    y: Array
    columns: dict[str, Array]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, axis in (("x_axis", self.x_axis), ("y_axis", self.y_axis)):
            if axis not in AXES:
                raise ValueError(f"{name} must be one of {', '.join(AXES)}; it is {axis!r}")
        if self.x_axis == self.y_axis:
            raise ValueError(f"y_axis must be another axis than x_axis; both are {self.x_axis}")
        check(
            {"x": self.x, "y": self.y},
            self.columns,
            self.provenance,
            (self.x_axis, self.y_axis),
        )
        shapes = [values.shape for values in self.columns.values()]
        if (self.x.ndim, self.y.ndim) != (1, 1) or any(
            shape != (self.y.size, self.x.size) for shape in shapes
        ):
            raise ValueError(
                "x and y must be vectors and columns of shape (y.size, x.size); they are "
                f"{self.x.shape}, {self.y.shape} and {shapes}"
            )

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """The map as CSV text, one line a cell, x running first; as `Curve.to_csv`."""
        y, x = np.meshgrid(self.y, self.x, indexing="ij")
        cells = (values.ravel() for values in (x, y, *self.columns.values()))
        names = (self.x_axis, self.y_axis, *self.columns)
        return written(csv_text(names, cells, {**self._about(), **self.provenance}), path, force)

    def to_json(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """The map as JSON text, a column as a list of rows; as `Curve.to_json`."""
        record = {
            **self._about(),
            "provenance": self.provenance,
            "x": [plain(v) for v in self.x],
            "y": [plain(v) for v in self.y],
            "columns": {k: [[plain(v) for v in row] for row in c] for k, c in self.columns.items()},
        }
        return written(json.dumps(record, indent=1) + "\n", path, force)

    def _about(self) -> dict[str, Any]:
        axes = (self.x_axis, self.y_axis)
        labels, units = zip(*(AXES[axis] for axis in axes), strict=True)
        sizes = (self.x.size, self.y.size)
        return {"axes": axes, "labels": labels, "units": units, "sizes": sizes}

    def __repr__(self) -> str:
        measures = [name for name in self.columns if not name.endswith(SPREAD)]
        columns = f"{', '.join(measures)}{' with sd' if len(measures) < len(self.columns) else ''}"
        return summary(
            self,
            axes=f"{self.x_axis} and {self.y_axis}",
            x=_ends(self.x),
            y=_ends(self.y),
            title=self.title,
            columns=columns,
        )

    @property
    def title(self) -> str:
        """What was held fixed, and the formula."""
        return title(self.provenance)

    def plot(
        self,
        measure: str | Sequence[str] | None = None,
        *,
        points: Mapping[str, tuple[float, float]] | None = None,
    ) -> Any:
        """Draw filled contours with their values; a matplotlib Figure.

        Over a map of flat starts at t = infinity lie the boundaries that hold for its axes (T9):
        where the mean RA and KA over random tasks turn with the rank, or, of tasks of one
        alignment, where a rank is as lazy as the full one.

        Parameters
        ----------
        measure
            Column or columns to draw, a panel each; by default KA, RA, weight and NTK change as far
            as the map has them, and along time the loss.
        points
            Starts of yours by name, as (x, y).

        Examples
        --------
        >>> from richlazy import curves
        >>> made = curves.map("rank", "scale", inputs=20, norms=[0.1, 1.0, 10.0])
        >>> figure = made.plot("kernel_alignment", points={"mine": (3, 0.5)})
        """
        from richlazy.curves.map_figure import draw_map  # numbers do not import drawings
        from richlazy.curves.overlays import Shown

        shown = Shown(self.x_axis, self.y_axis, self.x, self.y, self.columns, self.provenance)
        return draw_map(shown, self.title, measure, points)


def _ends(values: Array) -> str:
    return f"{values.size} from {values.min():.4g} to {values.max():.4g}" if values.size else "0"


def map_from_json(source: str | os.PathLike[str]) -> Map:
    """Read what `Map.to_json` wrote, by its path or from its text.

    Raises
    ------
    FileError
        If there is no such file, or it is not a map.
    """
    return read_json(source, "map", _from_json)


def map_from_csv(source: str | os.PathLike[str]) -> Map:
    """Read what `Map.to_csv` wrote, by its path or from its text.

    Raises
    ------
    FileError
        If there is no such file, or it is not a map.
    """
    return read_csv(source, "map", _from_csv)


def _from_json(stored: Any) -> Map:
    x, y = (np.array([float(v) for v in stored[name]]) for name in ("x", "y"))
    columns = {
        str(k): np.array([[float(v) for v in row] for row in rows]).reshape(y.size, x.size)
        for k, rows in stored["columns"].items()
    }
    return Map(*_axes(stored), x, y, columns, dict(stored["provenance"]))


def _from_csv(stored: Table) -> Map:
    provenance, names, table = stored
    axes, (width, height) = _axes(provenance), provenance["sizes"]
    for key in ("axes", "labels", "units", "sizes"):
        provenance.pop(key)
    x, y = table[:width, 0].copy(), table[::width, 1].copy()
    grid = [np.tile(x, height), np.repeat(y, width)]
    if y.size != height or not np.array_equal(table[:, :2].T, grid, equal_nan=True):
        raise ValueError("its lines are not the cells of a grid, x running first")
    cells = table.T[2:].reshape(-1, y.size, x.size)
    columns = dict(zip(names[2:], (c.copy() for c in cells), strict=True))
    return Map(*axes, x, y, columns, provenance)


def _axes(stored: Mapping[str, Any]) -> tuple[str, str]:
    x, y = stored["axes"]
    return x, y
