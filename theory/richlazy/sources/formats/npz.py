"""NumPy's .npz, and sparse matrices in it as `scipy.sparse.save_npz` writes them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import (
    Content,
    Entries,
    Opened,
    Options,
    ReadError,
    afford,
    choose,
    one_of,
    unit_roundoff,
)
from richlazy.sources.formats import npy
from richlazy.sources.formats.runs import from_runs

__all__ = ["every", "read"]

Load = Callable[..., NDArray[Any]]


def read(opened: Opened, options: Options) -> Content:
    """Read one array, or one sparse matrix; members that are not needed stay packed."""
    with _archive(opened) as (archive, members):

        def load(name: str, kinds: str = "biuf") -> NDArray[Any]:
            if name not in members:
                raise ReadError(f"is damaged; its sparse matrix has no {name}")
            with archive.open(members[name]) as stream:
                return npy.array(stream, options.limit, kinds)

        if {"format", "shape", "data"} <= members.keys() and opened.array is None:
            values = _sparse(load, "coords" in members)
            return Content(values, unit_roundoff(values.values.dtype))
        array = load(choose(list(members), opened.array))
        return Content(array, unit_roundoff(array.dtype))


def every(opened: Opened, options: Options) -> dict[str, Content]:
    """Read all arrays by their names; the limit is on all of them together, as float64."""
    found, size = {}, 0
    with _archive(opened) as (archive, members):
        for name, member in members.items():
            with one_of(name), archive.open(member) as stream:
                array = npy.array(stream, options.limit)
            size += array.size
            afford(8 * size, options.limit, "all arrays")
            found[name] = Content(array, unit_roundoff(array.dtype))
    return found


@contextmanager
def _archive(opened: Opened) -> Iterator[tuple[ZipFile, dict[str, str]]]:
    """The archive, and the member that holds each array."""
    if opened.data[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise ReadError("is not a readable .npz file (it is no zip archive)")
    with ZipFile(io.BytesIO(opened.data)) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}
        if len(members) != len(archive.namelist()):
            raise ReadError("is damaged; it holds two arrays of one name")
        yield archive, members


def _sparse(load: Load, coords: bool) -> Entries:
    # Not scipy.sparse.load_npz: indices out of range, which it does not check, crash the
    # process later, and some do so in its own checks.
    kind = load("format", "SU").astype(str).item()
    sizes = load("shape")
    shape = tuple(sizes.tolist()) if sizes.ndim == 1 else ()
    if kind not in ("csr", "csc", "coo"):
        raise ReadError("must be sparse in CSR, CSC or COO; convert it: matrix.tocsr()")
    if len(shape) != 2 or sizes.dtype.kind not in "iu":
        raise ReadError(f"the matrix must have 2 dimensions; its shape is {shape}")
    data = load("data")
    if kind != "coo":
        return from_runs(data, load("indices"), load("indptr"), shape, by_rows=kind == "csr")
    rows, columns = load("coords") if coords else (load("row"), load("col"))
    return Entries(np.asarray(rows), np.asarray(columns), data, shape)
