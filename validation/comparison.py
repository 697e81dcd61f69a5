"""Descent with halved steps beside the theory, and how far they are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.steps import extrapolated, orders

__all__ = ["Comparison"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """What descent found with eta, eta/2 and eta/4 and what the theory says, and their distances.

    `plain` is (3, quantities, ...); `theory` and `scale`, by which distances are divided,
    (quantities, ...).
    """

    plain: Array
    theory: Array
    scale: Array

    @property
    def off(self) -> Array:
        """Distances of the runs as they are."""
        return (self.plain - self.theory) / self.scale

    @property
    def twice(self) -> Array:
        """What was found, steps extrapolated to none."""
        return extrapolated(self.plain)[1]

    @property
    def left(self) -> Array:
        """Distances of that."""
        return (self.twice - self.theory) / self.scale

    @property
    def orders(self) -> Array:
        """Order in the step of the rms distance of each quantity that the theory lets move."""
        rest = tuple(range(2, self.off.ndim))
        moves = np.any(self.theory != 0.0, axis=tuple(axis - 1 for axis in rest))
        return orders(self.off[:, moves], rest)

    def columns(self, axis: int) -> dict[str, Array]:
        """For a table: means and distances over one axis of `theory`."""
        rms = np.sqrt(np.mean(self.off**2, axis=axis + 1))
        return {
            "theory": np.mean(self.theory, axis=axis),
            "descent": np.mean(self.twice, axis=axis),
            "rms_error_eta": rms[0],
            "rms_error_eta_2": rms[1],
            "rms_error_eta_4": rms[2],
            "largest_error_extrapolated": np.max(np.abs(self.left), axis=axis),
        }
