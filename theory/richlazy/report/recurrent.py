"""The recurrent reading of a report: a circuit as W of a recurrent network, beside its controls.

A draw is one pair of input and readout directions and one random task. The circuit and its
controls are given the same draws, with a new control for each, so that they can be compared pair
by pair: what differs is what the control changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.recurrent.averages.sampling import learned
from richlazy.recurrent.network import Network
from richlazy.recurrent.task import Task
from richlazy.report.comparison import Comparison, compared, own_name
from richlazy.sources import controls
from richlazy.sources import source as sources
from richlazy.sources.source import Source
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import MatrixLike

__all__ = ["CONTROLS", "DRAWS", "GAIN", "MEASURES", "Recurrent", "Setting", "Start", "make"]

Array = NDArray[np.float64]

#: What is compared, and how tables call it.
MEASURES = {
    "kernel_alignment": "KA",
    "representation_alignment": "RA",
    "weight_change": "||dW||",
    "weight_change_recurrent": "||dW_h||",
}
#: Half of 1.25, the gain of the rectified networks that the studies train: a rectifier halves it.
GAIN = 0.625
DRAWS = 20
SEED = 0
#: Controls of W; the norm of the last two is another.
CONTROLS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "Gaussian": controls.gaussian,
    "entries shuffled": controls.shuffled,
    "degrees kept": controls.degree_preserving,
    "same singular values": controls.same_singular_values,
    "same eigenvalues": controls.same_eigenvalues,
    "sign-balanced": controls.sign_balanced,
    "Gaussian, equal largest singular value": controls.gaussian_of_largest_singular_value,
    "Gaussian, equal spectral radius": controls.gaussian_of_spectral_radius,
}
_OUTLIER = 1.2  # times the gain, the spectral radius of a large Gaussian matrix


class Setting(NamedTuple):
    """What the networks are: steps T, channels n, outputs m."""

    steps: int = 5
    channels: int = 1
    outputs: int = 1


class Shape(NamedTuple):
    """Participation ratio, gain and spectral radius of a matrix."""

    participation_ratio: float
    gain: float
    radius: float


@dataclass(frozen=True, eq=False)
class Start:
    """The circuit or a control: measures of every draw, and means of what its matrices are.

    `radius` is None where the matrix is too large for its eigenvalues.
    """

    name: str
    draws: dict[str, Array]
    participation_ratio: float
    gain: float
    radius: float | None
    method: str
    accuracy: str

    def mean(self, measure: str) -> float:
        """Mean over the draws in which the measure is defined; NaN where it is in none."""
        values = self.draws[measure]
        kept = values[~np.isnan(values)]
        return float(kept.mean()) if kept.size else np.nan

    def spread(self, measure: str) -> float:
        """Standard deviation from draw to draw."""
        values = self.draws[measure]
        kept = values[~np.isnan(values)]
        return float(kept.std(ddof=1)) if kept.size > 1 else np.nan


@dataclass(frozen=True, eq=False)
class Recurrent:
    """Everything that the recurrent reading says, as numbers."""

    source: Source
    setting: Setting
    given_gain: float
    eigenvalues: NDArray[np.complex128] | None
    starts: tuple[Start, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    @property
    def units(self) -> int:
        """Number of neurons, N."""
        return int(self.source.values.shape[0])

    @property
    def gain(self) -> float:
        """||W||_F / sqrt(N)."""
        return self.source.norm / float(np.sqrt(self.units))

    @property
    def draws(self) -> int:
        """Number of draws of directions and task."""
        return int(self.starts[0].draws["kernel_alignment"].size)

    def of(self, control: str, measure: str) -> Comparison:
        """The comparison with one control in one measure."""
        return next(c for c in self.comparisons if (c.control, c.measure) == (control, measure))


def steps_of(source: Source) -> int:
    """Number of times `make` calls its `advance`."""
    return 1 + (len(CONTROLS) if _has_controls(source) else 0)


def at_gain(source: Source, gain: float) -> Source:
    """The source with ||W||_F = gain sqrt(N)."""
    return sources.rescaled(source, gain * float(np.sqrt(source.values.shape[0])))


def make(
    source: Source, given_gain: float, setting: Setting, advance: Callable[[str], None]
) -> Recurrent:
    """Compute the reading of weights already at their gain; `advance` is told of every step."""
    notes = list(source.notes)
    seeds = [[SEED, 0, k] for k in range(DRAWS)]
    own = own_name(source.name, CONTROLS)
    dense = eigenvalues = None
    if _has_controls(source):
        dense = matrices.forward(source.values, np.eye(source.values.shape[0]))
        eigenvalues = np.asarray(np.linalg.eigvals(dense), dtype=np.complex128)
    shape = _shape(source.values, eigenvalues)
    mine = _start(own, lambda _: (source.values, shape), setting, seeds)
    advance(own)
    starts = [mine]
    if dense is not None:
        for index, (name, control) in enumerate(CONTROLS.items(), 1):
            try:
                made = _start(name, _each(dense, control, index), setting, seeds)
            except (AssumptionError, ConvergenceError) as error:
                notes.append(f"no control '{name}': {error}")
            else:
                starts.append(made)
            advance(name)
        notes += _outlier(dense, mine)
    else:
        notes.append(f"no controls: more than {matrices.DENSE_LIMIT} neurons")
    comparisons = compared(mine.draws, {start.name: start.draws for start in starts[1:]})
    return Recurrent(
        source, setting, given_gain, eigenvalues, tuple(starts), comparisons, tuple(notes)
    )


def _has_controls(source: Source) -> bool:
    return bool(min(source.values.shape) <= matrices.DENSE_LIMIT)


def _each(
    dense: Array, control: Callable[[Array, np.random.Generator], Array], index: int
) -> Callable[[int], tuple[Array, Shape]]:
    """A new control for each draw, from a seed of its own."""

    def made(draw: int) -> tuple[Array, Shape]:
        w = control(dense, np.random.default_rng([SEED, index, draw]))
        return w, _shape(w, np.linalg.eigvals(w))

    return made


def _start(
    name: str,
    matrix: Callable[[int], tuple[MatrixLike, Shape]],
    setting: Setting,
    seeds: list[list[int]],
) -> Start:
    tasks: list[Task] = []
    nets: list[Network] = []
    shapes: list[Shape] = []
    for draw, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        tasks.append(Task.random(*setting, rng=rng))
        w, shape = matrix(draw)
        shapes.append(shape)
        nets.append(Network.random(w, channels=setting.channels, outputs=setting.outputs, rng=rng))
    found, how, accuracy = learned(nets, tasks, np.inf)
    ratio, gain, radius = (
        np.array(values, dtype=np.float64) for values in zip(*shapes, strict=True)
    )
    return Start(
        name,
        {measure: getattr(found, measure) for measure in MEASURES},
        float(ratio.mean()),
        float(gain.mean()),
        None if np.isnan(radius).any() else float(radius.mean()),
        how,
        accuracy,
    )


def _shape(w: MatrixLike, eigenvalues: NDArray[Any] | None) -> Shape:
    """Of a matrix; the radius is NaN where it is too large for its eigenvalues."""
    radius = np.nan if eigenvalues is None else float(np.abs(eigenvalues).max())
    norm = float(np.sqrt(matrices.second_moments_trace(w)))
    return Shape(spectrum.participation_ratio(w).value, norm / float(np.sqrt(w.shape[0])), radius)


def _outlier(dense: Array, mine: Start) -> list[str]:
    if np.any(dense < 0) or mine.radius is None or mine.radius <= _OUTLIER * mine.gain:
        return []
    return [
        f"no weight is negative, so one eigenvalue stands out, {mine.radius:.3g} at gain "
        f"{mine.gain:.3g}: activity along it lasts; --signs says which neurons inhibit"
    ]
