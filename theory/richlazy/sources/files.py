"""Read a user's file as data: singular values, a first layer, an edge list or a task.

A file is never unpickled and never evaluated. Whatever is wrong with one, the answer is a
one-line `FileError` that names the file and, where there is one, the line or the entry.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import FileError
from richlazy.sources.formats import load
from richlazy.start import spectrum
from richlazy.summary import summary

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "Input",
    "read",
    "read_vector_or_matrix",
]

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
    """

    kind: Literal["spectrum", "weights"]
    values: Array | csr_array[np.float64]
    neurons: tuple[str, ...] | None
    notes: tuple[str, ...]
    name: str

    def __repr__(self) -> str:
        entries = self.values if isinstance(self.values, np.ndarray) else self.values.data
        return summary(
            self,
            name=self.name,
            kind=self.kind,
            values=self.values,
            norm=float(np.linalg.norm(entries)),
            neurons=None if self.neurons is None else len(self.neurons),
            notes=len(self.notes),
        )


def read(path: str | os.PathLike[str]) -> Input:
    r"""Read a spectrum or a weight matrix from a .npy, .npz, .csv, .tsv or .mtx file.

    One column or one row is a spectrum, a table is a weight matrix (hidden x inputs). An
    .npz file holds one array, or a sparse one as `scipy.sparse.save_npz` writes it.
    A .csv or .tsv file may open with a line of column names, none of which is or begins
    like a number (with a note).
    With the header ``pre,post,<weight>`` it is an edge list: W1[post, pre] = weight, where
    the neurons are the union of both columns in the order of their names as text. There

    - edges listed more than once are added up (with a note);
    - self-edges stay on the diagonal (with a note), negative weights are welcome;
    - an edge of weight zero names its neurons and is no edge.

    Raises
    ------
    FileError
        If the file is not one of these, holds anything but finite real numbers, is all
        zero, or is a spectrum with negative or rising values.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "circuit.csv"
    ...     _ = path.write_text("pre,post,synapses\nb,a,3\nb,c,1\n")
    ...     circuit = read(path)
    >>> circuit.kind, circuit.neurons
    ('weights', ('a', 'b', 'c'))
    >>> circuit.values.toarray()
    array([[0., 3., 0.],
           [0., 0., 0.],
           [0., 1., 0.]])
    """
    path = Path(path)
    content = load(path)
    values = content.values
    kind: Literal["spectrum", "weights"] = "weights"
    if content.neurons is None and (values.ndim == 1 or 1 in values.shape):
        kind, values = "spectrum", _to_dense(path, values).ravel()
        try:
            spectrum.check(values, "it")
        except ValueError as error:
            raise FileError(f"{path}: read as a spectrum, {error}") from None
    if not np.any(values if isinstance(values, np.ndarray) else values.data):
        raise FileError(f"{path}: every entry is zero; at least one must not be")
    return Input(kind, values, content.neurons, content.notes, path.stem)


def read_vector_or_matrix(path: str | os.PathLike[str], name: str) -> Array:
    """Read a task file: one column or row is a vector (d,), a table a matrix (m, d).

    The formats are those of `read`, except that an edge list is not a task; signs and order
    are free. `name` says in every message what the file was for.

    Raises
    ------
    FileError
        If the file does not hold finite real numbers in one of the formats.
    """
    path = Path(path)
    try:
        content = load(path)
        if content.neurons is not None:
            raise FileError(f"{path}: must be a vector or a table of numbers, not an edge list")
        dense = _to_dense(path, content.values)
    except FileError as error:
        raise FileError(f"{name}: {error}") from None
    return dense.ravel() if 1 in dense.shape else dense


def _to_dense(path: Path, values: Array | csr_array[np.float64]) -> Array:
    if isinstance(values, np.ndarray):
        return values
    try:
        return values.toarray()
    except (MemoryError, ValueError):  # NumPy's ValueError: more bytes than an address has
        raise FileError(
            f"{path}: is too large to be made dense; its shape is {values.shape}"
        ) from None
