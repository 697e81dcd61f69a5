"""Read a user's file as data: singular values, a first layer, an edge list or a task.

A file is never unpickled and never evaluated. Whatever is wrong with one, the answer is a
one-line `FileError` that names the file and, where there is one, the line or the entry. What
could be read in two ways is refused with the option that settles it; what was decided is said
in `Input.notes` and `Input.description`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import FileError, positive, real_array
from richlazy.names import plain
from richlazy.sources import formats, opening
from richlazy.sources.content import (
    LARGEST,
    LIMIT,
    Content,
    Entries,
    Form,
    Options,
    ReadError,
    afford,
)
from richlazy.sources.input import Input
from richlazy.sources.tables import decide as tables
from richlazy.start import spectrum

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Input", "read", "read_vector_or_matrix"]

Array = NDArray[np.float64]


def read(
    path: str | os.PathLike[str],
    *,
    format: Form | None = None,
    header: bool | None = None,
    index: bool | None = None,
    missing: Literal["zero"] | None = None,
    transpose: bool = False,
    limit: float = LIMIT,
) -> Input:
    r"""Read a spectrum or a first-layer weight matrix from a file.

    ============================ ===================================================
    ``.npy``, ``.npz``           an array, or a sparse one of `scipy.sparse.save_npz`
    ``.csv``, ``.tsv``           a table of text, or an edge list
    ``.txt``, ``.dat``           the same, separated by spaces or tabs
    ``.mtx``                     Matrix Market
    ``.mat``                     MATLAB up to version 7
    ``.graphml``, ``.gexf``      a graph (extra ``graphs``)
    ``.parquet``, ``.feather``   a table (extra ``tables``)
    ``.safetensors``             tensors (extra ``tensors``)
    ============================ ===================================================

    Each may be packed as ``.gz``; ``-`` is standard input; ``FILE:NAME`` is one array of a
    .npz, .mat or .safetensors file that holds several.

    One column or one row is a spectrum, a table is a weight matrix (hidden x inputs), and a
    table whose header names the two ends of an edge (``pre,post,<weight>``, ``source,target``,
    ``bodyId_pre,bodyId_post``, ...) is an edge list: W1[post, pre] = weight, where the neurons
    are the union of both columns in the order of their names as text. There

    - edges listed more than once are added up (with a note);
    - self-edges stay on the diagonal (with a note), negative weights are welcome;
    - an edge of weight zero names its neurons and is no edge;
    - without a column of weights every edge weighs 1 (with a note), and columns that are
      neither are left out (with a note).

    Numeric ids are never read as weights in silence: `richlazy.sources.tables` lists how
    headers, row names, edge lists and matrices are told apart, and what is refused.

    Parameters
    ----------
    path : str
        Or anything that `os.fspath` takes.
    format : str or None
        What a table is: "edges", "matrix" or "spectrum"; None leaves it to the list of decisions.
    header : bool or None
        Whether the first row of a table names the columns.
    index : bool or None
        Whether the first column of a table names the rows.
    missing : str or None
        "zero" reads NaN and empty cells as 0; they are refused otherwise.
    transpose : bool
        Whether the file holds inputs x hidden (or W1[pre, post]).
    limit : float
        Memory in GB that the data may take on their way; checked before it is asked for.

    Raises
    ------
    FileError
        If the file is not one of these, can be read in two ways, is larger than the limit,
        holds anything but finite real numbers, is all zero, or is a spectrum with negative
        or rising values.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
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
    >>> print(circuit.description)
    an edge list as 3 x 3 weights (hidden x inputs, W1[post, pre]), 2 entries from 1 to 3;
    neurons a, b, c
    """
    text = os.fspath(path)
    options = _options(format, header, index, missing, transpose, limit)
    content, values = _load(text, options)
    with opening.naming(text):
        return _input(text, content, values, options)


def read_vector_or_matrix(
    path: str | os.PathLike[str], name: str, *, limit: float = LIMIT
) -> Array:
    """Read a task or data: one column or row is a vector (d,), a table a matrix (m, d).

    The formats are those of `read`, except that an edge list is not a task; signs and order
    are free. `name` says in every message what the file was for.

    Raises
    ------
    FileError
        If the file does not hold finite real numbers in one of the formats.
    """
    text = os.fspath(path)
    try:
        content, values = _load(text, _options(None, None, None, None, False, limit))
        with opening.naming(text):
            if content.form == "edges":
                raise ReadError("must be a vector or a table of numbers, not an edge list")
            dense = _to_dense(values, limit)
    except FileError as error:
        remedy = f" ({name}: or save it as .npy)" if "; say --" in str(error) else ""
        said = str(error).partition(" (--missing")[0]  # which is for the start
        raise FileError(f"{name}: {said}{remedy}") from None
    return dense.ravel() if 1 in dense.shape else dense


def _options(
    form: Any, header: Any, index: Any, missing: Any, transpose: Any, limit: Any
) -> Options:
    for name, value, allowed in (
        ("format", form, (None, "edges", "matrix", "spectrum")),
        ("header", header, (None, True, False)),
        ("index", index, (None, True, False)),
        ("missing", missing, (None, "zero")),
        ("transpose", transpose, (True, False)),
    ):
        if value is not None and value not in allowed:
            raise ValueError(f"{name} must be one of {allowed}; it is {value!r}")
    return Options(form, header, index, missing, transpose, float(positive(limit, "limit", ndim=0)))


def _load(path: str, options: Options) -> tuple[Content, Array | csr_array[np.float64]]:
    """Read a file and check that it holds finite real numbers."""
    with opening.naming(path):
        file, array = opening.find(path)
        content = formats.read(opening.open_bytes(file, array, options), options)
        if options.format == "spectrum" and content.form == "edges":
            raise ReadError("holds edges, which are no spectrum; leave --format out")
        if isinstance(content.values, Entries):
            if options.format in ("edges", "spectrum") and content.form != options.format:
                raise ReadError(f"holds a sparse matrix; --format {options.format} is for tables")
            return content, _sparse(content, content.values, options)
        if content.form is None:
            content = tables.from_array(content, options)
        if isinstance(content.values, Entries):
            return content, _sparse(content, content.values, options)
        return content, _dense(content, content.values, options)


def _input(
    path: str, content: Content, values: Array | csr_array[np.float64], options: Options
) -> Input:
    kind: Literal["spectrum", "weights"] = "weights"
    form: Form = content.form or "matrix"
    if content.form in (None, "spectrum"):
        flat = values.ndim == 1 or 1 in values.shape
        if flat and (options.format != "matrix" or values.ndim == 1):
            kind, form, values = "spectrum", "spectrum", _to_dense(values, options.limit).ravel()
        elif options.format == "spectrum":
            size = " x ".join(map(str, values.shape))
            raise ReadError(f"a spectrum must be one row or column; the array is {size}")
    if isinstance(values, np.ndarray) and kind == "spectrum":
        if options.transpose:
            raise ReadError("--transpose has no meaning for a spectrum; leave it out")
        try:
            spectrum.check(values, "it")
        except ValueError as error:
            raise ReadError(f"read as a spectrum, {error}") from None
    if not np.any(values if isinstance(values, np.ndarray) else values.data):
        raise ReadError("every entry is zero; at least one must not be")
    rows, columns = content.rows, content.columns
    if options.transpose:
        rows, columns = columns, rows
        values = values.T if isinstance(values, np.ndarray) else values.T.tocsr()
    return Input(
        kind,
        values,
        rows if form == "edges" else None,
        tuple(content.notes),
        plain(opening.stem(path)),
        form,
        rows,
        columns,
        content.stored,
        options.transpose,
    )


def _dense(content: Content, array: NDArray[Any], options: Options) -> Array:
    if array.dtype.kind not in "biuf":
        raise ReadError(f"the array must hold real numbers; its dtype is {array.dtype}")
    values = _as_float(content, array)
    unknown = np.isnan(values)
    if np.any(unknown) and options.missing == "zero":
        content.notes.append(f"missing values read as zero: {np.count_nonzero(unknown)}")
        values[unknown] = 0.0
    if not np.all(np.isfinite(values)):
        index = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
        remedy = " (--missing zero reads the unknown as 0)" if np.any(unknown) else ""
        raise ReadError(f"entry {list(index)} is {values[index]}; it must be finite{remedy}")
    try:
        return real_array(values, "the array", ndim=(1, 2))
    except ValueError as error:
        raise ReadError(str(error)) from None


def _as_float(content: Content, array: NDArray[Any]) -> Array:
    """Float64, with a word on integers and long floats that it does not hold."""
    with np.errstate(over="ignore"):  # beyond float64 is infinite, and refused as that
        values = array.astype(np.float64)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        big = np.abs(values) >= 2.0**53
        # Above 2^53 float64 holds multiples of 2^k only: an integer is one if its last bits are 0.
        spacing = np.spacing(np.abs(values[big])).astype(array.dtype)
        if rounded := int(np.count_nonzero(array[big] % spacing)):
            content.notes.append(f"integers beyond 2^53 rounded to float64: {rounded}")
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8 and np.any(values != array):
        content.notes.append(f"{array.dtype} rounded to float64")
    return values


def _sparse(content: Content, entries: Entries, options: Options) -> csr_array[np.float64]:
    from scipy.sparse import coo_array

    shape = entries.shape
    if not all(0 < size <= LARGEST for size in shape):
        raise ReadError(
            f"the matrix must have from 1 to {LARGEST} rows and columns; its shape is {shape}"
        )
    if entries.values.dtype.kind not in "biuf":
        raise ReadError(f"the matrix must hold real numbers; its dtype is {entries.values.dtype}")
    for index, size in zip((entries.rows, entries.columns), shape, strict=True):
        fits = index.shape == entries.values.shape == (entries.values.size,)
        if not (fits and index.dtype.kind in "iu") or np.any(index < 0) or np.any(index >= size):
            raise ReadError("is damaged; its indices do not fit its data and shape")
    afford(8 * shape[0] + 32 * entries.values.size, options.limit, f"a sparse matrix of {shape}")
    weights = _as_float(content, entries.values)
    if options.missing == "zero" and np.any(unknown := np.isnan(weights)):
        content.notes.append(f"missing values read as zero: {np.count_nonzero(unknown)}")
        weights[unknown] = 0.0
    matrix = coo_array((weights, (entries.rows, entries.columns)), shape=shape).tocsr()
    if not np.all(np.isfinite(matrix.data)):
        summed = matrix.tocoo()
        k = np.flatnonzero(~np.isfinite(summed.data))[0]
        remedy = " (--missing zero reads the unknown as 0)" if np.isnan(summed.data[k]) else ""
        place = [int(summed.row[k]), int(summed.col[k])]
        raise ReadError(f"entry {place} is {summed.data[k]}; it must be finite{remedy}")
    if repeated := entries.values.size - matrix.nnz:
        what = "edges" if content.form == "edges" else "entries"
        content.notes.append(f"repeated {what}, added up: {repeated}")
    matrix.eliminate_zeros()
    return matrix


def _to_dense(values: Array | csr_array[np.float64], limit: float) -> Array:
    if isinstance(values, np.ndarray):
        return values
    afford(8 * float(values.shape[0]) * values.shape[1], limit, f"a dense {values.shape} array")
    return values.toarray()
