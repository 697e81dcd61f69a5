"""Write results so that nothing is lost, replaced unasked or half written."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import FrameType

from richlazy.errors import FileError

__all__ = [
    "make_folder",
    "output_file",
    "output_folder",
    "write_bytes",
    "write_folder",
    "write_text",
]

#: What ends a program from outside and can be put off (SIGHUP is not there on Windows).
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


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
    with _undisturbed():
        try:
            _write(temporary, data)
            os.replace(temporary, path)
        except OSError as error:
            raise FileError(f"{path}: cannot be written ({error.strerror})") from None
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_folder(
    path: str | os.PathLike[str], files: Mapping[str, bytes], older: Collection[str] = ()
) -> None:
    """Write all `files` into the folder `path`, or none: old ones and new ones never mix.

    Files named in `older` go with those that are replaced.

    They are written to a temporary folder first, which becomes `path` or takes its place in one
    step; where the system cannot exchange two folders the old one is moved away first, and
    SIGKILL in that moment leaves it there, under a name that ends in .tmp. A folder that cannot be
    replaced as a whole gets new files only, one by one, and none if it has a file of the same name:
    one that holds other things, which stay, that we stand in, or in a folder that is locked. Ask
    `output_folder` first.

    Raises
    ------
    FileError
        If a file cannot be written, or would have to be replaced by itself.
    """
    with _undisturbed():
        try:
            folder = Path(path).resolve()
            if not folder.exists():
                with _staged(folder.parent, files) as temporary:
                    os.rename(temporary, folder)
            elif _replaceable(folder, {*files, *older}):
                _replace(folder, files, older)
            else:
                with _staged(folder, files) as temporary:
                    for name in files:
                        os.rename(temporary / name, folder / name)
        except OSError as error:
            raise FileError(f"{path}: cannot be written ({error.strerror})") from None


def _write(path: Path, data: bytes) -> None:
    # "x" and not tempfile: the file gets the permissions that the user's umask says
    with open(path, "xb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


@contextlib.contextmanager
def _staged(place: Path, files: Mapping[str, bytes], older: Collection[str] = ()) -> Iterator[Path]:
    """A temporary folder in `place` that holds the files; in the end what is left of it goes."""
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    temporary = place / f".{os.urandom(8).hex()}.tmp"
    try:
        temporary.mkdir(parents=True)
        for name, data in files.items():
            _write(temporary / name, data)
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            for name in {*files, *older}:
                (temporary / name).unlink(missing_ok=True)
        for folder in (temporary, *missing):
            with contextlib.suppress(OSError):  # it holds something, or has its place by now
                folder.rmdir()


def _replaceable(folder: Path, names: Collection[str]) -> bool:
    """Whether an existing folder can be replaced as a whole; refused if it would have to be."""
    with os.scandir(folder) as entries:
        held = {entry.name: entry.is_dir() for entry in entries}
    for name in names:
        if held.get(name):
            raise FileError(f"{folder / name}: is a folder, where a file has to go")
    others = sorted(held.keys() - set(names))
    if others:
        why = f"it holds other things too, such as {others[0]!r}"
    elif folder in (Path.cwd(), *Path.cwd().parents):
        why = "we stand in it"
    elif not os.access(folder.parent, os.W_OK | os.X_OK):
        why = f"there is no permission to write in {folder.parent}"
    else:
        return True
    if held.keys() & set(names):
        raise FileError(
            f"{folder}: cannot be replaced as a whole, as {why}; name another folder, or move away "
            "what is to be replaced"
        )
    return False


def _replace(folder: Path, files: Mapping[str, bytes], older: Collection[str]) -> None:
    """Put a folder of the files in the place of one that holds them or older ones, no other."""
    with _staged(folder.parent, files, older) as temporary:
        temporary.chmod(stat.S_IMODE(folder.stat().st_mode))
        if not _exchanged(temporary, folder):
            aside = folder.parent / f".{os.urandom(8).hex()}.tmp"
            os.rename(folder, aside)
            try:
                os.rename(temporary, folder)
            except OSError:
                os.rename(aside, folder)
                raise
            os.rename(aside, temporary)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two folders have changed places, in one step (Linux)."""
    import ctypes

    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # another system
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return not rename(here, os.fsencode(one), here, os.fsencode(other), exchange)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off signals that would end the program until what is inside is done.

    Python handles signals in the main thread only; elsewhere they cannot be put off.
    """
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in _ENDING:
            number = getattr(signal, name, None)
            # None: a handler that Python does not know and could not put back
            if number is not None and signal.getsignal(number) is not None:
                before[number] = signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


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


def output_folder(
    path: str | os.PathLike[str], force: bool = False, names: Collection[str] = ()
) -> Path:
    """Return `path` if it may be a folder of results; with `force` it may hold files.

    Nothing is made yet: `write_folder`, which will have to write files of these `names`, or
    `make_folder` do.

    Raises
    ------
    FileError
        If it is a file, is not empty and `force` is False, cannot be made or written to, or holds
        files of these names and cannot be replaced as a whole.
    """
    path = Path(path)
    if os.path.lexists(path) and not os.path.isdir(path):
        raise FileError(f"{path}: is a file; name a folder")
    try:
        filled = path.is_dir() and next(path.iterdir(), None) is not None
    except OSError as error:
        raise FileError(f"{path}: cannot be used as a folder ({error.strerror})") from None
    if filled and not force:
        raise FileError(f"{path}: is not empty; choose another folder, or force to write into it")
    if filled:
        _replaceable(path.resolve(), names)
    there = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    if not os.path.isdir(there):
        raise FileError(f"{path}: cannot be used as a folder ({os.strerror(errno.ENOTDIR)})")
    _check_writable(there)
    return path


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make the folder `path` and its parents, where they are missing.

    Raises
    ------
    FileError
        If it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be used as a folder ({error.strerror})") from None


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{folder}: no permission to write in this folder")
