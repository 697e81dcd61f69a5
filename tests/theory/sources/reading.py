"""What the tests of reading files share."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from richlazy import files
from richlazy.errors import FileError


def stored(save, *args, **kwargs):
    """Return what `save` writes, as bytes."""
    buffer = io.BytesIO()
    save(buffer, *args, **kwargs)
    return buffer.getvalue()


def npy(array):
    return stored(np.save, array)


def npz(**arrays):
    return stored(np.savez, **arrays)


def message(path, act=files.read):
    """Return the one line of a FileError, the path shortened to the file's name."""
    with pytest.raises(FileError) as caught:
        act(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text.replace(str(path), Path(path).name)


def dense(values):
    return values if isinstance(values, np.ndarray) else values.toarray()
