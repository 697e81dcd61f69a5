"""T11: the flow, integrated on the directions that can move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.laziness import Measures
from richlazy.two_layer.flow import Change
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.routes.certificate import certified, left_unlearned, single
from richlazy.two_layer.routes.doubt import Doubt

__all__ = ["ByFlow"]

Array = NDArray[np.float64]


class ByFlow:
    """T11: integrated on the directions that can move."""

    method = "flow (T11)"

    def __init__(self, reduced: Reduced) -> None:
        self.reduced = reduced
        self._rest: tuple[str, ...] = ()
        self.doubt = Doubt()
        self._latest: tuple[bytes, list[Change], Measures] | None = None

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What it needed, and how the reduction ended."""
        _, h, d = self.reduced.problem.first.shape
        space = f"integrated on the invariant subspace: {h} hidden, {d} input directions"
        return (space, *self.reduced.said, *self._rest)

    @property
    def accuracy(self) -> str:
        """Agreement of the runs made so far."""
        return f"two tolerances agree to {self.doubt}"

    def changes(self, at: Array) -> list[Change]:
        """Weight changes of the small network at ascending times."""
        return self._found(at)[0]

    def measures(self, at: Array) -> Measures:
        """Measures of the large network at ascending times."""
        return single(self._found(at)[1])

    def _found(self, at: Array) -> tuple[list[Change], Measures]:
        key = at.tobytes()
        if self._latest is None or self._latest[0] != key:
            found, doubt, changes = certified(self.reduced, at)
            self.doubt.include(doubt)
            if np.isinf(at[-1]):
                self._rest = self._rest or left_unlearned(self.reduced, float(found.loss[-1, 0]))
            self._latest = key, changes, found
        return self._latest[1:]
