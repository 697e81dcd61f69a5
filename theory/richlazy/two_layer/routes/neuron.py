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
from richlazy.two_layer.routes.doubt import Doubt, norm_error, with_other_traces

__all__ = ["ByNeuron"]

Array = NDArray[np.float64]

_FORMULA = 1e-12


class ByNeuron:
    """T6: the Krylov space of W1(0) and the task is one neuron.

    `blur` is what rounding leaves unknown of the overlap of the start with the task, relative.
    """

    method = "closed form (T6)"

    def __init__(self, reduced: Reduced, assumptions: tuple[str, ...], blur: float) -> None:
        self.reduced, self.assumptions = reduced, assumptions
        (first,) = reduced.problem.first[0]
        self.size = float(np.hypot(first[0], first[1]))
        self.strength = float(reduced.problem.cov_yx[0, 0, 0])
        self._share = float(first[0] / self.size) if self.size > 0 else 0.0
        self._blur = blur
        self.doubt = Doubt(1e-30 * self.strength**2)
        self.scale = self.size * self.size / self.strength if self.size > 0 else 1.0
        low, high = neuron.SCALE_RANGE
        if not low < self.scale < high:
            raise AssumptionError(
                f"||W1||^2/||cov_yx|| must lie in [{low:g}, {high:g}]; it is {self.scale:g}"
            )

    @property
    def accuracy(self) -> str:
        """What the formula leaves, and what rounding of the overlap with the task does to it."""
        doubt = self.doubt
        return f"closed form, relative error below {max(doubt.relative, _FORMULA):.0e}, " + (
            f"of the loss {max(doubt.loss, _FORMULA):.0e} or {doubt.floor:.0e} absolute"
        )

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""
        return self._changes(at, self._share)

    def _changes(self, at: Array, share: float) -> list[Change]:
        state = neuron.trajectory(
            np.full(at.shape, self.scale), np.full(at.shape, share**2), self.strength * at
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
        changes = self.changes(at)
        found = measured(self.reduced, changes)
        blurred = self._changes(at, min(self._share * (1.0 + self._blur), 1.0))
        self.doubt.add(found, measured(self.reduced, blurred))
        self.doubt.round_loss(found.loss, self.strength)
        other = with_other_traces(self.reduced)
        if other is not None:
            norm = norm_error(self.reduced.trace, self.reduced.trace_error)
            self.doubt.relative = max(self.doubt.relative, norm)
            self.doubt.add(found, measured(other, changes))
        return single(found)
