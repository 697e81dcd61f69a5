"""Rich and lazy learning: exact theory of how the initial weights decide.

>>> import numpy as np
>>> import richlazy as rl
>>> round(rl.expect(rl.spectrum.flat(rank=5), inputs=100).kernel_alignment.mean, 4)
0.2584

Names resolve on first use, so that `import richlazy` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from richlazy import (
        boundaries,
        boundary_curves,
        curves,
        deep,
        depth,
        errors,
        features,
        laziest,
        limits,
        low_rank,
        modes,
        riccati,
        several_outputs,
        spectrum,
    )
    from richlazy.averages import Expected
    from richlazy.laziness import (
        Laziness,
        kernel_alignment,
        relative_weight_change,
        representation_alignment,
        sign_similarity,
        weight_change,
    )
    from richlazy.matrices import Thin
    from richlazy.network import Network
    from richlazy.prediction import expect, predict
    from richlazy.sequences import Curriculum, path_length, sequence
    from richlazy.solution import Solution
    from richlazy.solvers import solve
    from richlazy.task import Task

_MODULES = (
    "boundaries",
    "boundary_curves",
    "curves",
    "deep",
    "depth",
    "errors",
    "features",
    "laziest",
    "limits",
    "low_rank",
    "modes",
    "riccati",
    "several_outputs",
    "spectrum",
)
_NAMES = {
    "Curriculum": "sequences",
    "Expected": "averages",
    "Laziness": "laziness",
    "Network": "network",
    "Solution": "solution",
    "Task": "task",
    "Thin": "matrices",
    "expect": "prediction",
    "kernel_alignment": "laziness",
    "path_length": "sequences",
    "predict": "prediction",
    "relative_weight_change": "laziness",
    "representation_alignment": "laziness",
    "sequence": "sequences",
    "sign_similarity": "laziness",
    "solve": "solvers",
    "weight_change": "laziness",
}

__all__ = [
    "Curriculum",
    "Expected",
    "Laziness",
    "Network",
    "Solution",
    "Task",
    "Thin",
    "boundaries",
    "boundary_curves",
    "curves",
    "deep",
    "depth",
    "errors",
    "expect",
    "features",
    "kernel_alignment",
    "laziest",
    "limits",
    "low_rank",
    "modes",
    "path_length",
    "predict",
    "relative_weight_change",
    "representation_alignment",
    "riccati",
    "sequence",
    "several_outputs",
    "sign_similarity",
    "solve",
    "spectrum",
    "weight_change",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("richlazy")
    if name in _NAMES:
        value = getattr(import_module(f"richlazy.{_NAMES[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"richlazy.{name}")
    else:
        raise AttributeError(f"module 'richlazy' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
