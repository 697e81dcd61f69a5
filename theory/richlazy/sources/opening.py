"""Find a file and read its bytes: regular files and standard input, packed or not, in bounds.

Whatever is wrong with it is told with its name.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from richlazy.errors import FileError
from richlazy.names import plain
from richlazy.sources.content import Opened, Options, ReadError, afford
from richlazy.sources.formats import CLOSED, SUFFIXES

__all__ = ["ending", "find", "naming", "open_bytes", "stem"]

#: How the bytes of standard input say what they are; anything else is text.
_MAGIC = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"%%MatrixMarket": ".mtx"}
_PIECE = 1 << 22  # bytes
_MAGIC |= {b"MATLAB": ".mat", b"PAR1": ".parquet", b"ARROW1": ".feather"}


def find(text: str) -> tuple[str, str | None]:
    """Split FILE:NAME into the file and the array's name, if there is no file of that name.

    >>> find("no such file.npz")
    ('no such file.npz', None)
    """
    if not os.path.lexists(text):
        file, colon, array = text.rpartition(":")
        if colon and (file == "-" or os.path.lexists(file) or _suffix(file)[0] in SUFFIXES):
            return file, array
    return text, None


def stem(path: str) -> str:
    """The name of a file without folder and endings.

    >>> stem("a/circuit.csv.gz")
    'circuit'
    """
    name = Path(path).name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    return "standard input" if path == "-" else Path(name).stem


def ending(path: str) -> str:
    """The ending that says the kind of a file, .gz left out."""
    return _suffix(find(path)[0])[0]


def open_bytes(path: str, array: str | None, options: Options) -> Opened:
    """Return the bytes of a regular file, or of standard input for "-", unpacked if gzipped."""
    if path == "-":
        data = _take(sys.stdin.buffer, options.limit, "standard input")
        packed = data[:2] == b"\x1f\x8b"
        data = _unpacked(data, options.limit) if packed else data
        suffix = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), ".txt")
    else:
        suffix, packed = _suffix(path)
        data = _bytes(path, suffix, options.limit)
        data = _unpacked(data, options.limit) if packed else data
    if not data:
        raise ReadError("is empty")
    return Opened(data, suffix, array)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Make one `FileError` with the file's name of whatever a reader meets."""
    name = plain(os.fsdecode(path))
    try:
        yield
    except ReadError as error:
        place = f", line {error.line}" if error.line else ""
        raise FileError(f"{name}{place}: {plain(str(error))}") from None
    except MemoryError:
        raise FileError(f"{name}: needs more memory than there is") from None


def _suffix(path: str) -> tuple[str, bool]:
    """The ending that says the kind of file, and whether .gz follows it."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffixes = suffixes[:-1] if packed else suffixes
    return (suffixes[-1] if suffixes else ""), packed


def _bytes(path: str, suffix: str, limit: float) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    try:
        # Without waiting, or a pipe that nobody writes to would hold us for ever.
        file = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise ReadError("no such file") from None
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror or error})") from None
    try:
        about = os.fstat(file)
        if stat.S_ISDIR(about.st_mode):
            raise ReadError("is a folder; name a file")
        if not stat.S_ISREG(about.st_mode):
            raise ReadError("is not a regular file; name one, or give - for standard input")
        if suffix in CLOSED:
            raise ReadError(CLOSED[suffix])
        if suffix not in SUFFIXES:
            raise ReadError(f"unknown kind of file; its name must end in {', '.join(SUFFIXES)}")
        afford(about.st_size, limit, "the file")
        with open(file, "rb", closefd=False) as stream:
            return _take(stream, limit, "the file")
    finally:
        os.close(file)


def _take(stream: IO[bytes] | gzip.GzipFile, limit: float, what: str) -> bytes:
    """Read to the end piece by piece: no memory is asked for that the data do not fill."""
    pieces, size = [], 0
    try:
        while piece := stream.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            afford(size, limit, what)
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror or error})") from None
    return b"".join(pieces)


def _unpacked(data: bytes, limit: float) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return _take(stream, limit, "the file unpacked")
    except (EOFError, zlib.error) as error:
        raise ReadError(f"is not a readable .gz file ({error})") from None
