"""Write results so that nothing is lost, replaced unasked or half written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from richlazy.errors import FileError

__all__ = ["output_file", "output_folder", "write_bytes", "write_text"]


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
