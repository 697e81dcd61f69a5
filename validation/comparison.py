"""Descent with halved steps beside the theory, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.deep.solution import DeepSolution
from richlazy.two_layer.solution import Solution
from validation.steps import extrapolated, orders, place

__all__ = ["Comparison", "beside", "measured", "scale_of"]

Array = NDArray[np.float64]


def scale_of(theory: Array, loss: ArrayLike = 0.5) -> Array:
    """What distances from measures, along the first axis, are divided by.

    That is what the theory says; for what can vanish its start, `loss` and an RA of 1; and 1 where
    the theory says 0.
    """
    scale = np.where(theory == 0.0, 1.0, np.abs(theory))
    scale[place("loss")] = loss
    scale[place("representation_alignment")] = 1.0
    return scale


def measured(solutions: Sequence[Solution | DeepSolution], times: ArrayLike = np.inf) -> Array:
    """The measures of every solution, (measures, runs, times)."""
    return np.stack([np.stack(solution.measures(times)) for solution in solutions], axis=1)


@dataclass(frozen=True)
class Comparison:
    """What descent found with eta, eta/2 and eta/4 and what the theory says, and their distances.

    `plain` is (3, quantities, ...); `theory` and `scale`, by which distances are divided,
    (quantities, ...).
    """

    plain: Array
    theory: Array
    scale: Array

    @cached_property
    def off(self) -> Array:
        """Distances of the runs as they are."""
        return (self.plain - self.theory) / self.scale

    @cached_property
    def twice(self) -> Array:
        """What was found, steps extrapolated to none."""
        return extrapolated(self.plain)[1]

    @cached_property
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
        return {
            "theory": np.mean(self.theory, axis=axis),
            "descent": np.mean(self.twice, axis=axis),
        } | self.errors(axis)

    def errors(self, axis: int) -> dict[str, Array]:
        """The distances among them."""
        rms = np.sqrt(np.mean(self.off**2, axis=axis + 1))
        return {
            "rms_error_eta": rms[0],
            "rms_error_eta_2": rms[1],
            "rms_error_eta_4": rms[2],
            "largest_error_extrapolated": np.max(np.abs(self.left), axis=axis),
        }


def beside(
    plain: Array, solutions: Sequence[Solution | DeepSolution], times: Sequence[float]
) -> tuple[Comparison, Array]:
    """Runs with their solutions, (measures, runs, times); these' drift at the last time, (runs,).

    Losses are held against that of the start.
    """
    whole = measured(solutions, [0.0, *times])
    theory, drift = whole[..., 1:], np.array([each.drift(times[-1]) for each in solutions])
    return Comparison(plain, theory, scale_of(theory, whole[place("loss"), :, :1])), drift
