"""What `expect` is asked: a start, random tasks and a time, checked and understood."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from richlazy.averages.random_tasks import GroupedSpectrum, grouped
from richlazy.errors import (
    AssumptionError,
    Rng,
    afford,
    generator,
    integer,
    positive,
    times,
    unit_interval,
)
from richlazy.formulas import low_rank
from richlazy.start import matrices, spectrum
from richlazy.start import precision as rounding
from richlazy.start.matrices import MatrixLike
from richlazy.start.network import Network
from richlazy.start.precision import PrecisionLike
from richlazy.two_layer.routes.certificate import first_order

__all__ = ["Average", "Question", "asked"]

Average: TypeAlias = Literal["closed form", "law", "typical", "sample"]

_ONE = 1e-12  # from 1: rounding of an alignment
_TASKS, _SOME, _FEWER, _COSTLY = 200, 50, 20, 100
_SHORT = 16  # steps of a Krylov chain
_OUTPUT = 128.0  # bytes that its strength takes on its way
_MOST = 10**6  # the mean is then known to a thousandth of the spread


@dataclass(frozen=True, eq=False)
class Question:
    """Laziness of a start over random tasks of m equal modes at one time.

    `spectrum` is None where weights are too large for their singular values: `network`, None for a
    given spectrum, then answers with products alone. `given_tasks` is None where the number of
    sampled tasks is left to us.
    """

    spectrum: GroupedSpectrum | None
    network: Network | None
    outputs: int
    strength: float
    alignment: float | None
    time: float
    given_tasks: int | None
    rng: np.random.Generator
    precision: float

    @cached_property
    def stiff(self) -> bool:
        """Whether Krylov chains would need to go on nearly to their end."""
        assert self.spectrum is not None
        values = self.spectrum.values
        return 3 * first_order(float(values[0]), self.strength) > max(values.size, 30)

    @property
    def said(self) -> tuple[str, ...]:
        """What the precision of the weights decides."""
        s, network = self.spectrum, self.network
        cut = s is not None and network is not None and s.rank < min(network.first.shape)
        return rounding.words(self.precision, s.rank if cut and s is not None else None)

    @property
    def tasks(self) -> int:
        """Number of tasks to sample; fewer where one costs much."""
        if self.given_tasks is not None:
            return self.given_tasks
        s = self.spectrum
        if s is None:
            return _TASKS
        if self.outputs > 1 and s.values.size > _COSTLY:
            return _FEWER
        order = first_order(float(s.values[0]), self.strength)
        return _SOME if min(order, s.values.size) > _SHORT else _TASKS


def asked(
    start: MatrixLike,
    inputs: int | None,
    outputs: int,
    strength: float,
    alignment: float | None,
    norm: float | None,
    t: float,
    method: Average | None,
    tasks: int | None,
    rng: Rng | None,
    precision: PrecisionLike = None,
) -> Question:
    """Check the arguments of `expect`, which describes them.

    Raises
    ------
    ValueError
        If one is wrong, or no method could answer.
    """
    g, m = float(positive(strength, "strength", ndim=0)), integer(outputs, "outputs")
    time = float(times(t, ndim=0))
    count = None if tasks is None else integer(tasks, "tasks", least=2, most=_MOST)
    rng = generator(0 if rng is None else rng)
    if isinstance(start, Network) and precision is None:
        unit = start.precision
    else:
        unit = rounding.of(start.first if isinstance(start, Network) else start, precision)
    found, network = _understood(start, inputs, norm, unit)
    if found is None:
        if m > 1 or alignment is not None or method not in (None, "law", "sample"):
            raise AssumptionError(
                "this matrix is too large for its singular values: only one output, tasks of any "
                "alignment and the methods 'law' and 'sample' need products alone"
            )
        return Question(None, network, m, g, alignment, time, count, rng, unit)
    largest = found.values[:1]
    low_rank.check_scale(largest * np.sqrt(found.rank), np.array([g]), np.array([found.rank]))
    if m > found.inputs:
        raise ValueError(f"outputs must be at most inputs; they are {m} and {found.inputs}")
    afford(_OUTPUT * m, f"a task of {m:g} outputs", "lower outputs")
    if alignment is None:
        return Question(found, network, m, g, None, time, count, rng, unit)
    c = float(unit_interval(alignment, "alignment", ndim=0))
    if found.rank == found.inputs and 1.0 - c <= _ONE:
        c = 1.0
    if m > 1 or method not in (None, "closed form", "sample"):
        raise AssumptionError("alignment needs one output and method 'closed form' or 'sample'")
    if c < 1 and found.rank == found.inputs:
        raise ValueError(
            "alignment must be 1 where rank = inputs: no direction lies outside. Leave it out for "
            "random tasks, or ask for one task by its vector (--task FILE, rl.predict)"
        )
    return Question(found, network, m, g, c, time, count, rng, unit)


def _understood(
    start: MatrixLike, inputs: int | None, norm: float | None, unit: float
) -> tuple[GroupedSpectrum | None, Network | None]:
    """The spectrum with multiplicities, or None where a matrix is too large for it."""
    given = None
    if isinstance(start, Network):
        if not start.silent:
            size = np.linalg.norm(np.asarray(start.readout))
            raise AssumptionError(f"expect needs a silent readout; ||W2(0)|| = {size:g}")
        given, start = start, start.first
    if spectrum.is_spectrum(start):
        s = spectrum.check(start)
        if inputs is None:
            raise ValueError(
                "inputs is needed with singular values: the number of input directions"
            )
        d = integer(inputs, "inputs")
        if np.count_nonzero(s) > d:
            raise ValueError(
                f"inputs must be at least the rank {np.count_nonzero(s)} of the spectrum; it is {d}"
            )
        s = s[s > 0]
        return grouped(s if norm is None else spectrum.rescaled(s, norm), d, unit), None
    matrix = matrices.as_matrix(start, "start")
    if norm is not None:
        matrix = matrices.rescaled(matrix, norm)
    if inputs is not None and integer(inputs, "inputs") != matrix.shape[1]:
        raise ValueError(f"inputs is {inputs}, but the matrix has {matrix.shape[1]} columns")
    # the network as it was given knows already what others have asked of it
    known = given is not None and norm is None and unit == given.precision
    network = given if given is not None and known else Network(matrix, precision=unit)
    large = min(matrix.shape) > matrices.DENSE_LIMIT
    if large and not isinstance(matrix, (np.ndarray, matrices.Thin)):
        return None, network
    s = network.kept_values
    if s.size == 0 or s[0] == 0:
        raise ValueError("the matrix is zero: it has no spectrum to predict from")
    return grouped(s, network.inputs, unit), network
