"""One reader for each kind of file: its bytes in, a `Content` or a `ReadError` out.

Every module has one function `read(opened, options)`; kinds that hold arrays by name have `every`
beside it, which reads them all. Where a well-kept reader exists it is
used, imported where it is needed; nothing is ever unpickled or evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from richlazy.sources.content import Content, Opened, Options, ReadError

__all__ = ["SUFFIXES", "read", "read_every", "require"]

#: The module that reads a kind of file, by the ending of its name.
_MODULES = {
    ".npy": "npy",
    ".npz": "npz",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "delimited",
    ".dat": "delimited",
    ".mtx": "mtx",
    ".mat": "mat",
    ".graphml": "graphs",
    ".gexf": "graphs",
    ".parquet": "arrow",
    ".feather": "arrow",
    ".safetensors": "tensors",
}
SUFFIXES = tuple(_MODULES)
_TABLES = ("delimited", "arrow")
_NAMED = (".npz", ".safetensors")

_PICKLE = "is a pickle, which can run code when it is opened, so it is not; convert it where you "
_PICKLE += "trust it: "
#: What is not opened, and how to convert it.
CLOSED = dict.fromkeys(
    (".pt", ".pth"),
    _PICKLE + "np.save('w.npy', torch.load(FILE, weights_only=True)['layer.weight'].cpu().numpy())",
) | dict.fromkeys((".pkl", ".pickle"), _PICKLE + "np.save('w.npy', pickle.load(open(FILE, 'rb')))")


def read(opened: Opened, options: Options) -> Content:
    """Read what the file's ending says it is."""
    name = _MODULES[opened.suffix]
    for option, given in (("header", options.header), ("index", options.index)):
        if given is not None and name not in _TABLES:
            raise ReadError(f"--{option} has no meaning for {opened.suffix}; leave it out")
    with _readable(opened.suffix):
        content: Content = import_module(f"{__name__}.{name}").read(opened, options)
    return content


def read_every(opened: Opened, options: Options) -> dict[str, Content]:
    """Read all arrays of a file by their names; one of its own is called "array"."""
    if opened.suffix not in (".npy", *_NAMED):
        raise ReadError("holds no layers by name; save them as .npz or .safetensors, one as .npy")
    if opened.array is not None or opened.suffix not in _NAMED:
        return {"array": read(opened, options)}
    with _readable(opened.suffix):
        found: dict[str, Content] = import_module(f"{__name__}.{_MODULES[opened.suffix]}").every(
            opened, options
        )
    if not found:
        raise ReadError("holds no arrays")
    return found


@contextmanager
def _readable(suffix: str) -> Iterator[None]:
    """Make one `ReadError` of whatever the package that reads a file says of a damaged one."""
    try:
        yield
    except (ReadError, MemoryError):
        raise
    except Exception as error:
        # NumPy, zipfile, SciPy, pyarrow and others raise errors of many kinds on a damaged
        # file, and each of them means the same to the user.
        why = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ReadError(f"is not a readable {suffix} file ({why[:200]})") from None


def require(module: str, extra: str) -> ModuleType | Any:
    """Import a package that only some files need, or say which extra brings it."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ReadError(
            f"needs the package {package}; install it: pip install 'richlazy[{extra}]'"
        ) from None
