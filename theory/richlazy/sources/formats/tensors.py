"""Safetensors: its own package checks the layout; bfloat16 is widened here."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from richlazy.sources.content import (
    Content,
    Opened,
    Options,
    ReadError,
    afford,
    choose,
    one_of,
    unit_roundoff,
)
from richlazy.sources.formats import require

__all__ = ["every", "read"]

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "|b1"}
_TYPES |= {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)}


def read(opened: Opened, options: Options) -> Content:
    """Read the one tensor of a file, or the one named."""
    tensors = _tensors(opened, options)
    return _content(tensors[choose(sorted(tensors), opened.array)])


def every(opened: Opened, options: Options) -> dict[str, Content]:
    """Read all tensors by their names; the limit is on all of them together, as float64."""
    tensors = _tensors(opened, options)
    afford(8 * sum(prod(one["shape"]) for one in tensors.values()), options.limit, "all arrays")
    found = {}
    for name, tensor in tensors.items():
        with one_of(name):
            found[name] = _content(tensor)
    return found


def _tensors(opened: Opened, options: Options) -> dict[str, Any]:
    afford(2 * len(opened.data), options.limit, "the file twice")
    return dict(require("safetensors", "tensors").deserialize(opened.data))


def _content(tensor: dict[str, Any]) -> Content:
    kind = tensor["dtype"]
    if kind not in _TYPES:
        raise ReadError(f"the array must hold real numbers; its dtype is {kind}")
    values = np.frombuffer(tensor["data"], dtype=_TYPES[kind]).reshape(tensor["shape"])
    if kind != "BF16":
        return Content(values, unit_roundoff(values.dtype))
    # The upper half of a float32: 8 bits of significand.
    return Content((values.astype("<u4") << 16).view("<f4"), 2.0**-8)
