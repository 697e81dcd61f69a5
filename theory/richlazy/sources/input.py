"""What was read from a file: its numbers, and every decision made on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from richlazy.names import plain
from richlazy.sources.content import EXACT, Form
from richlazy.summary import summary

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Input"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Input:
    """What a file holds: a spectrum or a first-layer weight matrix.

    Attributes
    ----------
    kind : str
        "spectrum" or "weights".
    values : ndarray or scipy.sparse.csr_array
        Spectrum: singular values, shape (k,), descending, nonnegative, not all zero.
        Weights: W1, shape (hidden, inputs); CSR if the file was sparse or an edge list.
    neurons : tuple of str, or None
        Names of the rows and columns of an edge list's W1; None for every other file.
    notes : tuple of str
        What was done on the way that the user may want to know.
    name : str
        The file's name without its suffix.
    format : str
        What the file was read as: "edges", "matrix" or "spectrum".
    rows : tuple of str, or None
        Names of the hidden units, if the file has them.
    columns : tuple of str, or None
        Names of the inputs, if the file has them.
    stored : float
        The relative rounding unit of the numbers as stored: 2^-11 for float16, 2^-24 for
        float32, 2^-53 for float64 and for integers, which are exact. Of text, half a unit of
        the last digit over the largest entry (`richlazy.sources.tables.numbers.Digits`).
    transposed : bool
        Whether the file held inputs x hidden, as the user said.
    """

    kind: Literal["spectrum", "weights"]
    values: Array | csr_array[np.float64]
    neurons: tuple[str, ...] | None
    notes: tuple[str, ...]
    name: str
    format: Form = "matrix"
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    stored: float = EXACT
    transposed: bool = False

    def __repr__(self) -> str:
        return summary(
            self,
            name=self.name,
            kind=self.kind,
            values=self.values,
            norm=float(np.linalg.norm(self._entries)),
            neurons=None if self.neurons is None else len(self.neurons),
            notes=len(self.notes),
        )

    @property
    def _entries(self) -> Array:
        """All entries of a dense array, the stored ones of a sparse one."""
        return self.values if isinstance(self.values, np.ndarray) else self.values.data

    @property
    def description(self) -> str:
        """What was read, in one line."""
        data = self._entries
        span = f"from {data.min():.6g} to {data.max():.6g}"
        if self.kind == "spectrum":
            text = f"a spectrum of {data.size} singular values {span}"
        else:
            hidden, inputs = self.values.shape
            what = "an edge list" if self.format == "edges" else "a matrix"
            text = f"{what} as {hidden} x {inputs} weights ({self._orientation}), "
            text += f"{data.size} entries {span}"
        for label, names in self._labels():
            text += f"; {label} {_listed(names)}"
        if self.stored > EXACT:
            text += f"; rounded to {self.stored:.2g} of the largest"
        return text

    def to_dict(self) -> dict[str, Any]:
        """The same for machines."""
        data = self._entries
        return {
            "kind": self.kind,
            "format": self.format,
            "shape": list(self.values.shape),
            "orientation": None if self.kind == "spectrum" else self._orientation,
            "entries": int(data.size),
            "smallest": float(data.min()),
            "largest": float(data.max()),
            **{name: _listed(names) for name, names in self._labels()},
            "stored": self.stored,
        }

    @property
    def _orientation(self) -> str:
        side = ", W1[post, pre]" if self.format == "edges" else ""
        return f"hidden x inputs{side}{', transposed' if self.transposed else ''}"

    def _labels(self) -> list[tuple[str, tuple[str, ...]]]:
        if self.neurons is not None:
            return [("neurons", self.neurons)]
        pairs = (("rows", self.rows), ("columns", self.columns))
        return [(label, names) for label, names in pairs if names is not None]


def _listed(names: tuple[str, ...]) -> str:
    """The first and the last names, each no longer than a line allows."""
    some = names if len(names) <= 4 else (*names[:2], "...", names[-1])
    return ", ".join(plain(name if len(name) <= 30 else name[:27] + "...") for name in some)
