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
    from richlazy import curves, deep, errors, recurrent, runs
    from richlazy.averages.expect import expect
    from richlazy.averages.record import Expected
    from richlazy.curves import boundaries as boundary_curves
    from richlazy.curves import recurrent as recurrent_curves
    from richlazy.formulas import (
        boundaries,
        depth,
        features,
        laziest,
        limits,
        low_rank,
        modes,
        recurrent_limits,
        several_outputs,
    )
    from richlazy.integration.stages import Curriculum
    from richlazy.laziness import (
        Laziness,
        kernel_alignment,
        relative_weight_change,
        representation_alignment,
        sign_similarity,
        weight_change,
    )
    from richlazy.similarity import (
        change_rank,
        cka,
        cka_estimate,
        kernel_distance,
        kernel_speed,
        target_alignment,
    )
    from richlazy.sources import connectomes, files
    from richlazy.start import spectrum
    from richlazy.start.matrices import Thin
    from richlazy.start.network import Network
    from richlazy.start.task import Task
    from richlazy.two_layer import descent, riccati, stacks
    from richlazy.two_layer.each import predict_each
    from richlazy.two_layer.sequences import path_length, sequence
    from richlazy.two_layer.solution import Solution
    from richlazy.two_layer.solve import predict, solve


#: Public modules by the names that users know, wherever the file lives.
_MODULES = {
    "boundaries": "formulas.boundaries",
    "boundary_curves": "curves.boundaries",
    "connectomes": "sources.connectomes",
    "curves": "curves",
    "deep": "deep",
    "depth": "formulas.depth",
    "descent": "two_layer.descent",
    "errors": "errors",
    "features": "formulas.features",
    "files": "sources.files",
    "laziest": "formulas.laziest",
    "limits": "formulas.limits",
    "low_rank": "formulas.low_rank",
    "modes": "formulas.modes",
    "recurrent": "recurrent",
    "recurrent_curves": "curves.recurrent",
    "recurrent_limits": "formulas.recurrent_limits",
    "riccati": "two_layer.riccati",
    "runs": "runs",
    "several_outputs": "formulas.several_outputs",
    "spectrum": "start.spectrum",
    "stacks": "two_layer.stacks",
}
_NAMES = {
    "Curriculum": "integration.stages",
    "Expected": "averages.record",
    "Laziness": "laziness",
    "Network": "start.network",
    "Solution": "two_layer.solution",
    "Task": "start.task",
    "Thin": "start.matrices",
    "change_rank": "similarity",
    "cka": "similarity",
    "cka_estimate": "similarity",
    "expect": "averages.expect",
    "kernel_alignment": "laziness",
    "kernel_distance": "similarity",
    "kernel_speed": "similarity",
    "path_length": "two_layer.sequences",
    "predict": "two_layer.solve",
    "predict_each": "two_layer.each",
    "relative_weight_change": "laziness",
    "representation_alignment": "laziness",
    "sequence": "two_layer.sequences",
    "sign_similarity": "laziness",
    "solve": "two_layer.solve",
    "target_alignment": "similarity",
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
    "change_rank",
    "cka",
    "cka_estimate",
    "connectomes",
    "curves",
    "deep",
    "depth",
    "descent",
    "errors",
    "expect",
    "features",
    "files",
    "kernel_alignment",
    "kernel_distance",
    "kernel_speed",
    "laziest",
    "limits",
    "low_rank",
    "modes",
    "path_length",
    "predict",
    "predict_each",
    "recurrent",
    "recurrent_curves",
    "recurrent_limits",
    "relative_weight_change",
    "representation_alignment",
    "riccati",
    "runs",
    "sequence",
    "several_outputs",
    "sign_similarity",
    "solve",
    "spectrum",
    "stacks",
    "target_alignment",
    "weight_change",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("richlazy")
    if name in _NAMES:
        value = getattr(import_module(f"richlazy.{_NAMES[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"richlazy.{_MODULES[name]}")
    else:
        raise AttributeError(f"module 'richlazy' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
