"""One reader for each kind of file: its bytes in, a `Content` or a `ReadError` out.

Every module has one function `read(opened, options)`. Where a well-kept reader exists it is
used, imported where it is needed; nothing is ever unpickled or evaluated.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from richlazy.sources.content import Content, Opened, Options, ReadError

__all__ = ["SUFFIXES", "read", "require"]

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
    try:
        content: Content = import_module(f"{__name__}.{name}").read(opened, options)
    except (ReadError, MemoryError):
        raise
    except Exception as error:
        # NumPy, zipfile, SciPy, pyarrow and others raise errors of many kinds on a damaged
        # file, and each of them means the same to the user.
        why = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ReadError(f"is not a readable {opened.suffix} file ({why[:200]})") from None
    return content


def require(module: str, extra: str) -> ModuleType | Any:
    """Import a package that only some files need, or say which extra brings it."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ReadError(
            f"needs the package {package}; install it: pip install 'richlazy[{extra}]'"
        ) from None
