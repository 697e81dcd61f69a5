"""Turn a .npy, .npz, .csv, .tsv or .mtx file into an array of finite real numbers.

Nothing is unpickled or evaluated, and the indices of a sparse matrix are checked before
compiled code uses them. Whatever is wrong, the answer is a one-line `FileError` that names
the file and, where there is one, the line or the entry.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import FileError, real_array
from richlazy.sources.text import LARGEST, Entries, Parsed, parse_delimited, parse_matrix_market

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Content", "load"]

Array = NDArray[np.float64]

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".mtx")


@dataclass(frozen=True, eq=False)
class Content:
    """The numbers of a file, dense (1-D or 2-D) or CSR as they were stored.

    `notes` say what was done on the way; `neurons` name the places of an edge list.
    """

    values: Array | csr_array[np.float64]
    notes: tuple[str, ...]
    neurons: tuple[str, ...] | None


def load(path: Path) -> Content:
    """Return what the file holds, by the suffix of its name; see `richlazy.files.read`."""
    data = _bytes(path)
    suffix = path.suffix.lower()
    try:
        if suffix in DELIMITERS:
            values, notes, neurons = parse_delimited(path, data, DELIMITERS[suffix])
        elif suffix == ".mtx":
            values, notes, neurons = parse_matrix_market(path, data)
        else:
            values, notes, neurons = Parsed(_read_binary(path, suffix, data), [])
        if not isinstance(values, Entries):
            return Content(_dense(path, values), tuple(notes), neurons)
        matrix = _sparse(path, values)
    except MemoryError:
        raise FileError(f"{path}: needs more memory than there is") from None
    if repeated := values.values.size - matrix.nnz:
        notes.append(f"repeated {'edges' if neurons else 'entries'}, added up: {repeated}")
    matrix.eliminate_zeros()
    return Content(matrix, tuple(notes), neurons)


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise FileError(f"{path}: is a folder; name a file")
        with open(path, "rb") as handle:
            if path.suffix.lower() not in SUFFIXES:
                known = ", ".join(SUFFIXES)
                raise FileError(f"{path}: unknown kind of file; its name must end in {known}")
            data = handle.read()
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise FileError(f"{path}: is empty")
    return data


def _read_binary(path: Path, suffix: str, data: bytes) -> NDArray[Any] | Entries:
    try:
        if suffix == ".npy":
            return np.asarray(np.lib.format.read_array(io.BytesIO(data), allow_pickle=False))
        return _read_npz(path, data)
    except (FileError, MemoryError):
        raise
    except Exception as error:
        # zipfile and NumPy raise errors of many kinds on a damaged file, and each of them
        # means the same to the user.
        if "allow_pickle" in str(error):
            why = "holds pickled objects, which are never loaded; save an array of numbers"
        else:
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            why = f"is not a readable {suffix} file ({first_line})"
        raise FileError(f"{path}: {why}") from None


def _read_npz(path: Path, data: bytes) -> NDArray[Any] | Entries:
    if data[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise FileError(f"{path}: is not a readable .npz file (it is no zip archive)")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        if {"format", "shape", "data"} <= set(archive.files):
            return _read_sparse_npz(path, {name: archive[name] for name in archive.files})
        if len(archive.files) != 1:
            held = f"{len(archive.files)}, named {archive.files[:5]}"
            raise FileError(f"{path}: must hold one array; it holds {held}")
        return np.asarray(archive[archive.files[0]])


def _read_sparse_npz(path: Path, stored: dict[str, NDArray[Any]]) -> Entries:
    # Not scipy.sparse.load_npz: indices out of range, which it does not check, crash the
    # process later, and some do so in its own checks.
    kind = stored["format"].astype(str).item()
    shape = tuple(stored["shape"].tolist())
    if kind not in ("csr", "csc", "coo"):
        raise FileError(f"{path}: must be sparse in CSR, CSC or COO; convert it: matrix.tocsr()")
    if len(shape) != 2 or stored["shape"].dtype.kind not in "iu":
        raise FileError(f"{path}: the matrix must have 2 dimensions; its shape is {shape}")
    data = stored["data"]
    if kind == "coo":
        i, j = stored["coords"] if "coords" in stored else (stored["row"], stored["col"])
    else:
        # The major axis is run-length coded: indptr[k] : indptr[k + 1] are the entries of k.
        starts, j = stored["indptr"], stored["indices"]
        lengths = np.diff(starts)
        rising = starts[0] == 0 and starts[-1] == data.size and np.all(lengths >= 0)
        if not rising or starts.size != shape[0 if kind == "csr" else 1] + 1:
            raise FileError(f"{path}: is damaged; its indptr does not fit its data and shape")
        i = np.repeat(np.arange(lengths.size), lengths)
        i, j = (i, j) if kind == "csr" else (j, i)
    for index, size in zip((i, j), shape, strict=True):
        whole = index.dtype.kind in "iu" and index.shape == data.shape == (data.size,)
        if not whole or np.any(index < 0) or np.any(index >= size):
            raise FileError(f"{path}: is damaged; its indices do not fit its data and shape")
    return Entries(i, j, data, shape)


def _dense(path: Path, array: NDArray[Any]) -> Array:
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        index = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise FileError(f"{path}: entry {list(index)} is {array[index]}; it must be finite")
    try:
        return real_array(array, "the array", ndim=(1, 2))
    except ValueError as error:
        raise FileError(f"{path}: {error}") from None


def _sparse(path: Path, entries: Entries) -> csr_array[np.float64]:
    from scipy.sparse import coo_array

    if not all(0 < size <= LARGEST for size in entries.shape):
        need = f"from 1 to {LARGEST} rows and columns"
        raise FileError(f"{path}: the matrix must have {need}; its shape is {entries.shape}")
    if entries.values.dtype.kind not in "biuf":
        kind = entries.values.dtype
        raise FileError(f"{path}: the matrix must hold real numbers; its dtype is {kind}")
    weights = entries.values.astype(np.float64)
    matrix = coo_array((weights, (entries.rows, entries.columns)), shape=entries.shape).tocsr()
    if not np.all(np.isfinite(matrix.data)):
        summed = matrix.tocoo()
        k = np.flatnonzero(~np.isfinite(summed.data))[0]
        place = [int(summed.row[k]), int(summed.col[k])]
        raise FileError(f"{path}: entry {place} is {summed.data[k]}; it must be finite")
    return matrix
