"""Arrays of a file by their names: the layers of a network, its activations or its kernels."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from numpy.typing import NDArray

from richlazy.errors import positive, real_array
from richlazy.sources import formats, opening
from richlazy.sources.content import EXACT, LIMIT, Entries, Options, ReadError, short

__all__ = ["Layer", "Layers", "read"]


class Layer(NamedTuple):
    """An array as it was stored (bfloat16 as float32), and the rounding unit of what it was."""

    values: NDArray[Any]
    unit: float


class Layers(NamedTuple):
    """The arrays of a file by their names, and the names of what is left out."""

    arrays: dict[str, Layer]
    counters: tuple[str, ...]


def read(path: str | os.PathLike[str], *, limit: float = LIMIT) -> Layers:
    """Read every array of a .npz or .safetensors file by its name, or the one of a .npy file.

    Whole numbers of no dimension, as frameworks keep to count batches, are no weights and left
    out. The one array of a .npy file, or of ``FILE:NAME``, is called "array".

    Raises
    ------
    FileError
        If the file is none of these, needs more than `limit` GB, or holds anything but finite
        real numbers. Nothing is unpickled.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "run.npz"
    ...     np.savez(path, w1=np.ones((3, 2), np.float32), w2=np.ones((1, 3)), step=100)
    ...     found = read(path)
    >>> found.arrays["w1"].values.shape, found.arrays["w1"].unit, found.counters
    ((3, 2), 1.1920928955078125e-07, ('step',))
    """
    text = os.fspath(path)
    options = Options(limit=float(positive(limit, "limit", ndim=0)))
    with opening.naming(text):
        file, array = opening.find(text)
        contents = formats.read_every(opening.open_bytes(file, array, options), options)
        arrays, counters = {}, []
        for name, content in contents.items():
            assert not isinstance(content.values, Entries)
            if content.values.ndim == 0 and content.values.dtype.kind in "biu":
                counters.append(name)
                continue
            try:
                real_array(content.values, short(name))
            except ValueError as error:
                raise ReadError(str(error)) from None
            arrays[name] = Layer(content.values, 2.0 * max(content.stored, EXACT))
        if not arrays:
            raise ReadError("holds no arrays but counters")
    return Layers(arrays, tuple(counters))
