"""T6: a start whose Krylov space with the task is one neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError
from richlazy.formulas import neuron
from richlazy.laziness import Measures
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.routes.certificate import measured, single

__all__ = ["ByNeuron"]

Array = NDArray[np.float64]


class ByNeuron:
    """T6: the Krylov space of W1(0) and the task is one neuron."""

    method = "closed form (T6)"
    accuracy = "closed form, relative error below 1e-12"

    def __init__(self, reduced: Reduced, assumptions: tuple[str, ...]) -> None:
        self.reduced = reduced
        self.assumptions = (*assumptions, "the Krylov space of W1(0) and the task is one neuron")
        (first,) = reduced.problem.first[0]
        self.size = float(np.hypot(first[0], first[1]))
        self.strength = float(reduced.problem.cov_yx[0, 0, 0])
        self.alignment = float(first[0] / self.size) ** 2 if self.size > 0 else 0.0
        self.scale = self.size * self.size / self.strength if self.size > 0 else 1.0
        low, high = neuron.SCALE_RANGE
        if not low < self.scale < high:
            raise AssumptionError(
                f"||W1||^2/||cov_yx|| must lie in [{low:g}, {high:g}]; it is {self.scale:g}"
            )

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""
        state = neuron.trajectory(
            np.full(at.shape, self.scale), np.full(at.shape, self.alignment), self.strength * at
        )
        rest = np.ones(1, dtype=bool)
        return [
            Change(self.size * np.array([[[p, q]]]), self.size * np.array([[[a]]]), rest)
            for p, q, a in zip(
                state.change_parallel, state.change_orthogonal, state.readout, strict=True
            )
        ]

    def measures(self, at: Array) -> Measures:
        """Measures of the large network at ascending times."""
        return single(measured(self.reduced, self.changes(at)))
