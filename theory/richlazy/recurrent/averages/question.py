"""What is asked of `recurrent.expect`, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, Rng, generator, integer, nonnegative, positive, times
from richlazy.recurrent.task import Task
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import MatrixLike

__all__ = ["Question", "asked"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked, checked: singular values with their shares of the units, or a matrix.

    `time` is one time or several, (k,).
    """

    matrix: MatrixLike | None
    values: Array | None
    units: int
    steps: int
    channels: int
    outputs: int
    strength: float
    input_norm: float
    readout_norm: float
    time: Array
    tasks: int | None
    rng: np.random.Generator

    @property
    def spectrum(self) -> tuple[Array, Array]:
        """Distinct singular values and the share of the units that each stands for."""
        s = self.values
        if s is None:
            assert self.matrix is not None
            if not matrices.has_factors(self.matrix):
                raise AssumptionError(
                    f"a matrix of shape {self.matrix.shape} is too large for its singular values; "
                    "use method 'law' or 'sample'"
                )
            s = matrices.singular_values(self.matrix)
        return _with_shares(s, self.units)

    @property
    def participation_ratio(self) -> float:
        """PR of the singular values; 0 where all are zero."""
        values, shares = self.spectrum
        squares = float(shares @ values**2)
        return self.units * squares**2 / float(shares @ values**4) if squares > 0 else 0.0

    def draw_tasks(self, default: int) -> list[Task]:
        """The random tasks, the first that is drawn: every method meets the same."""
        return [
            Task.random(self.steps, self.channels, self.outputs, self.strength, rng=self.rng)
            for _ in range(self.tasks or default)
        ]


def _with_shares(s: Array, units: int) -> tuple[Array, Array]:
    values, counts = np.unique(s, return_counts=True)
    shares = counts / units
    if s.size < units:
        zero = 1.0 - s.size / units
        if values[0] == 0.0:
            shares[0] += zero
        else:
            values, shares = np.r_[0.0, values], np.r_[zero, shares]
    return values, shares


def asked(
    start: MatrixLike,
    steps: int,
    channels: int,
    outputs: int,
    units: int | None,
    strength: float,
    input_norm: float,
    readout_norm: float,
    t: ArrayLike,
    tasks: int | None,
    rng: Rng | None,
) -> Question:
    """The arguments of `expect`, checked."""
    n, m = integer(channels, "channels"), integer(outputs, "outputs")
    matrix, values = None, None
    if spectrum.is_spectrum(start):
        values = spectrum.check(start)
        values = values[values > 0]
        if units is None:
            raise ValueError("units is needed with singular values: the number of units, N")
        count = integer(units, "units")
        if values.size > count:
            raise ValueError(
                f"units must be at least the rank {values.size} of the spectrum; it is {count}"
            )
    else:
        matrix = matrices.as_matrix(start, "start")
        count = int(matrix.shape[0])
        if matrix.shape[1] != count:
            raise ValueError(f"start must be square (units x units); its shape is {matrix.shape}")
        if units is not None and integer(units, "units") != count:
            raise ValueError(f"units is {units}, but the matrix has {count}")
    if n + m > count:
        raise ValueError(f"channels + outputs must be at most the units {count}; they are {n + m}")
    return Question(
        matrix,
        values,
        count,
        integer(steps, "steps"),
        n,
        m,
        float(positive(strength, "strength", ndim=0)),
        float(nonnegative(input_norm, "input_norm", ndim=0)),
        float(nonnegative(readout_norm, "readout_norm", ndim=0)),
        times(t),
        None if tasks is None else integer(tasks, "tasks", least=2),
        generator(0 if rng is None else rng),
    )
