"""Read a user's file as data, and write results so that nothing is lost or half written.

A file is never unpickled and never evaluated. Whatever is wrong with one, the answer is a
one-line `FileError` that names the file and, where there is one, the line or the entry.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from richlazy import spectrum
from richlazy.errors import FileError
from richlazy.formats import load

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "Input",
    "output_file",
    "output_folder",
    "read",
    "read_vector_or_matrix",
    "write_bytes",
    "write_text",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Input:
    """What a file holds: a spectrum or a first-layer weight matrix.

    Attributes
    ----------
    kind : "spectrum" or "weights"
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
    ...     write_text(path, "pre,post,synapses\nb,a,3\nb,c,1\n")
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


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, atomically, with its line ends as they are; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` atomically: the file is there in full, or as it was before.

    It goes to a temporary file in the same folder, which then replaces `path`, existing or
    not: ask `output_file` or `output_folder` first.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    path = Path(path)
    temporary = path.parent / f".{os.urandom(8).hex()}.tmp"
    try:
        # "x" and not tempfile: the file gets the permissions that the user's umask says.
        with open(temporary, "xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def output_file(path: str | os.PathLike[str], force: bool = False) -> Path:
    """Return `path` if a file may be written there; an existing one only with `force`.

    Raises
    ------
    FileError
        If it exists and `force` is False, is a folder or a device, or its folder is missing
        or not writable.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise FileError(f"{path}: is a folder; name a file in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise FileError(f"{path}: is not a regular file; name one")
    if os.path.lexists(path) and not force:
        raise FileError(f"{path}: exists; choose another name, or force to replace it")
    if not os.path.isdir(path.parent):
        raise FileError(f"{path}: the folder {path.parent} does not exist; make it first")
    _check_writable(path.parent)
    return path


def output_folder(path: str | os.PathLike[str], force: bool = False) -> Path:
    """Make the folder `path` (and its parents) and return it; with `force` it may hold files.

    Nothing in it is removed; files of the same names will be replaced.

    Raises
    ------
    FileError
        If it is a file, is not empty and `force` is False, or cannot be made or written to.
    """
    path = Path(path)
    if os.path.lexists(path) and not os.path.isdir(path):
        raise FileError(f"{path}: is a file; name a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        filled = next(path.iterdir(), None) is not None
    except OSError as error:
        raise FileError(f"{path}: cannot be used as a folder ({error.strerror})") from None
    if filled and not force:
        raise FileError(f"{path}: is not empty; choose another folder, or force to write into it")
    _check_writable(path)
    return path


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{folder}: no permission to write in this folder")


def _to_dense(path: Path, values: Array | csr_array[np.float64]) -> Array:
    if isinstance(values, np.ndarray):
        return values
    try:
        return values.toarray()
    except (MemoryError, ValueError):  # NumPy's ValueError: more bytes than an address has
        raise FileError(
            f"{path}: is too large to be made dense; its shape is {values.shape}"
        ) from None
