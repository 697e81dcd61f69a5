"""How lazy a training run of your own was (`richlazy.runs`).

`Run` measures snapshots of any library; `richlazy.runs.torch` and `richlazy.runs.jax` (extras
`torch` and `jax`) take a model and record it, tangent kernel included.
"""

from importlib import import_module
from typing import Any

from richlazy.runs.compare import Comparison
from richlazy.runs.probes import probes
from richlazy.runs.recording import Snapshot
from richlazy.runs.run import Run, load

__all__ = ["Comparison", "Run", "Snapshot", "load", "probes"]


def __getattr__(name: str) -> Any:
    """`runs.torch` and `runs.jax`, imported when asked for: each needs its extra."""
    if name in ("torch", "jax"):
        return import_module(f"richlazy.runs.{name}")
    raise AttributeError(f"module 'richlazy.runs' has no attribute {name!r}")
