"""One theory curve: values along a named axis, where they come from, and its files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from richlazy.curves.axes import AXES, Axis
from richlazy.curves.files import Table, csv_text, read_csv, read_json, written
from richlazy.curves.record import SPREAD, check, plain, provenance, title
from richlazy.summary import summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "from_csv", "from_json", "made"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Values along one axis.

    `curve[name]` is a column, or the values along the axis by the name of the axis; `name in curve`
    says whether it has it, and `list(curve)` gives the names.

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

    Examples
    --------
    >>> from richlazy import curves
    >>> curve = curves.rank(inputs=100, ranks=[5, 50])
    >>> curve["kernel_alignment"].round(4), "loss" in curve
    (array([0.2584, 0.7105]), True)
    """

    axis: str
    x: Array
    columns: dict[str, Array]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.axis not in AXES:
            raise ValueError(f"axis must be one of {', '.join(AXES)}; it is {self.axis!r}")
        check({"x": self.x}, self.columns, self.provenance, (self.axis,))
        if self.x.ndim != 1 or any(c.shape != self.x.shape for c in self.columns.values()):
            shapes = [c.shape for c in self.columns.values()]
            raise ValueError(
                f"x and columns must be vectors of one length; they are {self.x.shape} and {shapes}"
            )

    def __getitem__(self, name: str) -> Array:
        if name in self:
            return self.x if name == self.axis else self.columns[name]
        raise KeyError(f"no column {name!r}; there are {', '.join(self)}")

    def __contains__(self, name: object) -> bool:
        return name == self.axis or name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter((self.axis, *self.columns))

    def to_frame(self) -> Any:
        """The axis and every column as a `pandas.DataFrame`.

        Raises
        ------
        ModuleNotFoundError
            Without pandas, which nothing else needs: `pip install pandas`.
        """
        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "to_frame needs the package pandas; install it: pip install pandas", name="pandas"
            ) from error
        return pandas.DataFrame({self.axis: self.x, **self.columns})

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, force: bool = False) -> str:
        """The curve as CSV text, provenance in its last column; written to `path` if given.

        Numbers are written so that they read back exactly, here and by any other program, such as
        `pandas.read_csv(path)`. An existing file is an error without `force`.
        """
        label, unit = AXES[self.axis]
        about = {"axis": self.axis, "label": label, "unit": unit, **self.provenance}
        columns = (self.x, *self.columns.values())
        return written(csv_text((self.axis, *self.columns), columns, about), path, force)

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

    def plot(
        self,
        ax: Axes | None = None,
        *,
        measures: str | Sequence[str] | None = None,
        label: str | None = None,
    ) -> Any:
        """Draw the curve; the matplotlib Figure that it is in.

        A band is one standard deviation over random tasks.

        Parameters
        ----------
        ax
            Axes to draw into, where other curves may be: each takes the next colour of
            `richlazy.curves.figure.COLOURS`. None makes a figure with a panel for each measure.
        measures
            Columns to draw: panels, or lines of `ax`. By default KA, RA, weight and NTK change as
            far as the curve has them, along time the loss too; in `ax` the first of them.
        label
            What the legend calls the curve.

        Raises
        ------
        ValueError
            For a measure that the curve does not have, and an `ax` that says that it shows another
            axis or other measures.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from richlazy import curves
        >>> ax = Figure().subplots()
        >>> for norm in (0.1, 1.0):
        ...     figure = curves.rank(100, norm=norm).plot(ax, label=f"norm {norm}")
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['norm 0.1', 'norm 1.0']
        """
        from richlazy.curves.figure import draw_curve, draw_into  # numbers import no drawings

        if ax is None:
            return draw_curve(self, measures, label)
        return draw_into(ax, self, measures, label)


def from_json(source: str | os.PathLike[str]) -> Curve:
    """Read what `Curve.to_json` wrote, by its path or from its text.

    Raises
    ------
    FileError
        If there is no such file, or it is not a curve.
    """
    return read_json(source, "curve", _from_json)


def from_csv(source: str | os.PathLike[str]) -> Curve:
    """Read what `Curve.to_csv` wrote, by its path or from its text.

    Raises
    ------
    FileError
        If there is no such file, or it is not a curve.
    """
    return read_csv(source, "curve", _from_csv)


def _from_json(stored: Any) -> Curve:
    columns = {str(k): np.array([float(v) for v in c]) for k, c in stored["columns"].items()}
    x = np.array([float(v) for v in stored["x"]])
    return Curve(stored["axis"], x, columns, dict(stored["provenance"]))


def _from_csv(stored: Table) -> Curve:
    source, names, table = stored
    axis = source.pop("axis")
    for key in ("label", "unit"):
        source.pop(key)
    columns = dict(zip(names[1:], table.T[1:].copy(), strict=True))
    return Curve(axis, table[:, 0].copy(), columns, source)


def made(
    axis: Axis, x: Array, columns: dict[str, Array], formula: str, setting: str, **given: Any
) -> Curve:
    """A curve with its provenance: the formula, the setting and the parameters given."""
    filled = {k: np.broadcast_to(v, x.shape).copy() for k, v in columns.items()}
    return Curve(axis, x, filled, provenance(formula, setting, given))
