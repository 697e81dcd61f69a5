"""T14: random tasks on a spectrum, one component for each distinct singular value.

With a silent readout, modes of equal singular value move in proportion, so a group of
them is one mode that carries the root of its summed squared task components; the input
directions outside the row space are the group of singular value zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import afford
from richlazy.start import precision
from richlazy.start.matrices import Estimate, Moments
from richlazy.two_layer.flow import Problem
from richlazy.two_layer.reduction.krylov import Bidiagonal, Reduced
from richlazy.two_layer.reduction.rational import Rational
from richlazy.two_layer.routes.certificate import first_order

__all__ = [
    "Drawn",
    "GroupedSpectrum",
    "block_chain",
    "block_tasks",
    "chain_of",
    "direction_chain",
    "grouped",
    "typical_chain",
    "typical_directions",
]

Array = NDArray[np.float64]
#: Tasks of a stack, as chains and the order to begin with (None: as they guess), or with all
#: directions.
Drawn: TypeAlias = tuple["Bidiagonal | Rational | Reduced", int | None]

_FLAT = 1e-12  # spread of singular values that counts as none, of the largest
_FEW = 60  # distinct values: all of them are soon done
_LONG = 30  # steps of a chain
_FARTHEST = 1e8  # of the task, of a rate
_POLES = 36  # two thirds of them leave about 1e-6
_FEWER_POLES = 24  # enough for blocks far above the task
_SPREAD = 1e-3  # and of themselves: no weak one is a copy of one half its size


@dataclass(frozen=True, eq=False)
class GroupedSpectrum:
    """Distinct singular values with how often each occurs among the d input directions."""

    values: Array
    counts: Array
    inputs: int

    @property
    def moments(self) -> Moments:
        """tr R_0 and tr R_0^2."""
        squares = self.values**2
        trace, square = self.counts @ squares, self.counts @ squares**2
        return Moments(Estimate(float(trace)), Estimate(float(square)))

    @property
    def rank(self) -> int:
        """Number of non-zero singular values."""
        return int(self.counts[self.values > 0].sum())

    @property
    def participation_ratio(self) -> float:
        """PR = (tr R_0)^2 / tr R_0^2."""
        squares = (self.values / self.values.max()) ** 2
        return float((self.counts @ squares) ** 2 / (self.counts @ squares**2))

    def far_above(self, strength: float) -> bool:
        """Whether Krylov chains of a task of this strength are short with poles alone.

        Much farther, rounding of the strong directions hides how the weak ones settle.
        """
        largest = float(self.values[0])
        long = self.values.size > _FEW and first_order(largest, strength) > _LONG
        return long and not _too_far(largest, strength)

    @property
    def flat(self) -> bool:
        """Whether all non-zero singular values are equal."""
        return bool(np.count_nonzero(self.values) == 1)


def grouped(s: Array, inputs: int, unit: float = precision.EPS) -> GroupedSpectrum:
    """Group singular values equal to rounding; zero stands for the inputs outside the row space.

    Weights known to `unit` give each of them to at most unit ||W||.
    """
    apart = max(_FLAT * s[0], unit * float(np.linalg.norm(s)) if unit > precision.EPS else 0.0)
    gap, own = -np.diff(s), _SPREAD * s[:-1]
    first = np.r_[True, (gap > apart) | (gap > own)]
    counts = np.diff(np.r_[np.flatnonzero(first), s.size]).astype(np.float64)
    values = s[first]
    if inputs > s.size:
        values, counts = np.r_[values, 0.0], np.r_[counts, float(inputs - s.size)]
    return GroupedSpectrum(values, counts, inputs)


def _too_far(largest: float, strength: float) -> bool:
    """Whether a start is so far above the task that rational Krylov spaces do not settle."""
    return largest**2 > _FARTHEST * strength


def typical_directions(s: GroupedSpectrum) -> Array:
    """The task that has the same component on every right singular vector, (1, groups)."""
    return np.asarray(np.sqrt(s.counts / s.inputs)[None])


def typical_chain(s: GroupedSpectrum, g: float) -> Bidiagonal:
    """Chain of the typical task."""
    return Bidiagonal(s.values, g * typical_directions(s), s.moments, s.inputs)


def chain_of(
    s: GroupedSpectrum, g: float, directions: Array
) -> tuple[Bidiagonal | Rational, int | None]:
    """Krylov chains of tasks, with poles where they would be long without, and where to begin."""
    tasks = g * directions
    if s.far_above(g):
        return Rational(s.values, tasks[:, None], s.moments, s.inputs), _POLES
    return Bidiagonal(s.values, tasks, s.moments, s.inputs), None


def direction_chain(
    s: GroupedSpectrum,
    g: float,
    n: int,
    rng: np.random.Generator,
    alignment: float | None = None,
) -> tuple[Bidiagonal | Rational, int | None]:
    """`chain_of` n uniform directions, or of n uniform ones of a given alignment c."""
    squares = rng.chisquare(s.counts, size=(n, s.counts.size))
    if alignment is None:
        share = squares / squares.sum(axis=1, keepdims=True)
    else:
        inside = s.values > 0
        share = np.zeros_like(squares)
        share[:, inside] = squares[:, inside] * alignment
        share[:, inside] /= squares[:, inside].sum(axis=1, keepdims=True)
        share[:, ~inside] = 1.0 - alignment
    return chain_of(s, g, np.sqrt(share))


def block_tasks(
    s: GroupedSpectrum, outputs: int, g: float, n: int, rng: np.random.Generator
) -> Reduced:
    """Tasks of m equal modes: of each group of equal singular values only m directions matter."""
    return _whole(s, *_blocks(s, outputs, g, n, rng))


def block_chain(
    s: GroupedSpectrum, outputs: int, g: float, n: int, rng: np.random.Generator
) -> Drawn:
    """`block_tasks`, where they are large as Krylov spaces, and the order to begin with."""
    values, tasks = _blocks(s, outputs, g, n, rng)
    largest = float(values[0])
    if values.size <= 2 * _POLES * outputs or _too_far(largest, g):
        return _whole(s, values, tasks), None
    order = first_order(largest, g)
    far = order > _LONG
    chain = Rational(values, tasks, s.moments, s.inputs, poles=far)
    return chain, _FEWER_POLES if far else order


def _blocks(
    s: GroupedSpectrum, outputs: int, g: float, n: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The diagonal of W1 (d,), zeros last, and random tasks on it (n, m, d).

    A Gaussian block of p rows enters through its triangular factor, sampled as such (Bartlett).
    """
    rows = float(np.minimum(s.counts, outputs).sum())
    needed = n * rows * (32.0 * rows + 1024.0 * outputs)
    afford(needed, f"a stack of tasks of {outputs:g} outputs", "lower outputs")
    blocks, values = [], []
    for value, p in zip(s.values, s.counts.astype(int), strict=True):
        if p <= outputs:
            block = rng.standard_normal((n, p, outputs))
        else:
            block = np.triu(rng.standard_normal((n, outputs, outputs)), 1)
            block[:, range(outputs), range(outputs)] = np.sqrt(
                rng.chisquare(p - np.arange(outputs), size=(n, outputs))
            )
        blocks.append(block)
        values.append(np.full(block.shape[1], value))
    directions, _ = np.linalg.qr(np.concatenate(blocks, axis=1))
    return np.concatenate(values), g / np.sqrt(outputs) * np.swapaxes(directions, 1, 2)


def _whole(s: GroupedSpectrum, values: Array, tasks: Array) -> Reduced:
    """Networks with these singular values, and no direction left out."""
    n, outputs, size = tasks.shape
    hidden = int(np.count_nonzero(values))
    first = np.zeros((n, hidden, size))
    first[:, range(hidden), range(hidden)] = values[:hidden]
    return Reduced(
        problem=Problem(first, np.zeros((n, outputs, hidden)), tasks, None),
        inputs=s.inputs,
        trace=s.moments.trace.value,
        trace_square=s.moments.trace_square.value,
        coupling=np.zeros(n),
        units=None,
        directions=None,
        complete=True,
    )
