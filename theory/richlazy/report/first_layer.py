"""The first-layer reading of a report: expected laziness beside that of controls, and curves.

Everything is at one Frobenius norm, over random tasks of strength 1: the start itself, a
flat full-rank spectrum, and ten seeded replicates each of a Gaussian matrix of the same
size, of the start with its entries shuffled, and of the start with in- and out-degrees
kept and partners shuffled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.averages.expect import expect
from richlazy.averages.record import Expected
from richlazy.averages.verdict import Verdict, verdict
from richlazy.curves import flat as curves
from richlazy.curves.curve import Curve
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.laziness import Measures
from richlazy.report.comparison import own_name
from richlazy.sources import controls
from richlazy.sources.source import Source
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import Thin
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer import descent
from richlazy.two_layer.solve import solve

__all__ = [
    "MEASURES",
    "RANKS",
    "REPLICATES",
    "SEED",
    "STEPS",
    "Entry",
    "FirstLayer",
    "TimeCourse",
    "make",
    "shown",
    "spread",
]

Array = NDArray[np.float64]

#: What a report compares, and how its tables call it.
MEASURES = {
    "kernel_alignment": "KA",
    "representation_alignment": "RA",
    "weight_change": "||dW||",
}
#: Effective ranks; the last two need all singular values.
RANKS: tuple[spectrum.Kind, ...] = ("participation", "stable", "entropy", "numerical")
REPLICATES = 10
#: Number of times `make` calls its `advance`: start, flat, replicates, curves, time course.
STEPS = 2 + 3 * REPLICATES + 2

SEED = 0
_FLAT, _GAUSSIAN = "flat, full rank", "Gaussian"
_SHUFFLED, _REWIRED = "entries shuffled", "degrees kept"
_CONTROLS = (_FLAT, _GAUSSIAN, _SHUFFLED, _REWIRED)
_TIMES = 161
_DESCENT_STEPS = 20_000
_DESCENT_WORK = 2e10  # multiplications of plain gradient descent, about ten seconds


@dataclass(frozen=True)
class Entry:
    """One start: effective ranks (None: too large for it) and its expected laziness."""

    start: str
    replicate: int
    ranks: dict[spectrum.Kind, float | None]
    expected: Expected

    def mean(self, measure: str) -> float:
        """Mean of one measure over random tasks."""
        found: float = getattr(self.expected, measure).mean
        return found


@dataclass(frozen=True, eq=False)
class TimeCourse:
    """Theory and plain gradient descent of one random task; descent None where too large.

    `gap` is their largest difference in KA.
    """

    times: Array
    theory: Measures
    method: str
    accuracy: str
    step: float | None
    descent_times: Array | None
    descent: Measures | None
    gap: float | None
    note: str


@dataclass(frozen=True, eq=False)
class FirstLayer:
    """Everything that the first-layer reading says, as numbers."""

    source: Source
    inputs: int
    hidden: int
    norm: float
    given_norm: float
    singular_values: Array | None
    entries: tuple[Entry, ...]
    by_rank: Curve
    by_alignment: Curve
    course: TimeCourse
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether the start is rich or lazy, and against what."""
        return verdict(
            self.entries[0].expected,
            participation_ratio=self.ratio,
            hidden=self.hidden,
            inputs=self.inputs,
            norm=self.norm,
            own_norm=None if np.isclose(self.norm, self.given_norm, 1e-6, 0.0) else self.given_norm,
        )

    def group(self, start: str) -> list[Entry]:
        """Entries of one start, one for each replicate."""
        return [entry for entry in self.entries if entry.start == start]

    @property
    def ratio(self) -> float:
        """Participation ratio of the start reported on."""
        found = self.entries[0].ranks["participation"]
        assert found is not None
        return found

    @property
    def starts(self) -> list[str]:
        """Names of the starts, the one reported on first."""
        return list(dict.fromkeys(entry.start for entry in self.entries))

    def table(self) -> list[list[str]]:
        """A row for every start: name, mean participation ratio, and each of `MEASURES`."""
        rows = []
        for name in self.starts:
            group = self.group(name)
            ratio = np.mean([entry.ranks["participation"] or np.nan for entry in group])
            cells = [shown(measure, *spread(group, measure)) for measure in MEASURES]
            rows.append([name, f"{ratio:.1f}", *cells])
        return rows


def make(source: Source, given_norm: float, advance: Callable[[str], None]) -> FirstLayer:
    """Compute the reading of a source already at its norm; `advance` is told of every step."""
    values = source.values
    notes = list(source.notes)
    s: Array | None
    if source.is_spectrum:
        s = spectrum.check(values)
        hidden = inputs = int(s.size)
        notes.append(f"{inputs} singular values are taken as those of {hidden} x {inputs} weights")
    else:
        hidden, inputs = values.shape
        s = source.singular_values if min(hidden, inputs) <= matrices.DENSE_LIMIT else None
    most, norm = min(hidden, inputs), source.norm
    network = None if source.is_spectrum else Network(values)
    start = network if s is None else s
    entries = [_entry(own_name(source.name, _CONTROLS), 0, start, inputs, None)]
    advance(source.name)
    entries.append(_entry(_FLAT, 0, spectrum.flat(most, norm), inputs, None))
    advance(_FLAT)
    tasks = entries[0].expected.tasks
    fewer = None if tasks is None else tasks // 4  # replicates average over tasks too
    entries += _controls(source, (hidden, inputs), fewer, notes, advance)
    by_rank = curves.rank(inputs, norm=norm, ranks=curves.default_ranks(most))
    # at full rank only alignment 1 is possible, and rounding must not hide it
    ratio = entries[0].ranks["participation"] or 1.0
    ratio = float(inputs) if ratio > inputs * (1 - 1e-9) else max(ratio, 1.0)
    by_alignment = curves.alignment(ratio, inputs, norm=norm)
    advance("curves")
    course = _time_course(network, s, (hidden, inputs))
    advance("time course")
    if course.note:
        notes.append(course.note)
    return FirstLayer(
        source, inputs, hidden, norm, given_norm, s, tuple(entries), by_rank, by_alignment,
        course, tuple(notes),
    )  # fmt: skip


def _entry(name: str, replicate: int, start: Any, inputs: int, tasks: int | None) -> Entry:
    rng = np.random.default_rng([SEED, replicate])
    expected = expect(start, inputs, tasks=tasks, rng=rng)
    ranks: dict[spectrum.Kind, float | None]
    if isinstance(start, Network):
        ranks = dict.fromkeys(RANKS)
        ranks["participation"] = spectrum.participation_ratio(start.moments).value
        ranks["stable"] = spectrum.effective_rank(start.first, "stable")
    else:
        ranks = {kind: spectrum.effective_rank(start, kind) for kind in RANKS}
    return Entry(name, replicate, ranks, expected)


def _controls(
    source: Source,
    shape: tuple[int, int],
    tasks: int | None,
    notes: list[str],
    advance: Callable[[str], None],
) -> list[Entry]:
    kinds: dict[str, Callable[[np.random.Generator], Array]] = {}
    if min(shape) > matrices.DENSE_LIMIT:
        notes.append(
            f"no randomised controls: the smaller dimension is over {matrices.DENSE_LIMIT}"
        )
    else:
        kinds[_GAUSSIAN] = lambda rng: spectrum.gaussian(*shape, source.norm, rng)
        kinds |= _rearranged(source, notes)
    entries = []
    for index, (name, sample) in enumerate(kinds.items()):
        for replicate in range(REPLICATES):
            rng = np.random.default_rng([SEED, index + 1, replicate])
            entries.append(_entry(name, replicate, sample(rng), shape[1], tasks))
            advance(name)
    for _ in range(REPLICATES * (3 - len(kinds))):
        advance("controls")
    return entries


def _rearranged(
    source: Source, notes: list[str]
) -> dict[str, Callable[[np.random.Generator], Array]]:
    """Controls that keep the weights of the source and move them."""
    if source.is_spectrum:
        notes.append("no shuffled controls: a spectrum has no entries to shuffle")
        return {}
    dense = _dense(source.values)
    kinds: dict[str, Callable[[np.random.Generator], Array]] = {
        _SHUFFLED: lambda rng: spectrum.of(controls.shuffled(dense, rng))
    }
    try:
        controls.degree_preserving(dense, np.random.default_rng(SEED), swaps_per_edge=1)
    except AssumptionError as error:
        notes.append(f"no degree-preserving control: {error}")
        return kinds
    kinds[_REWIRED] = lambda rng: spectrum.of(controls.degree_preserving(dense, rng))
    if np.all(dense):
        notes.append("no entry is zero: with degrees kept, weights only move within columns")
    return kinds


def _dense(values: Any) -> Array:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)


def _time_course(network: Network | None, s: Array | None, shape: tuple[int, int]) -> TimeCourse:
    """One random task of strength 1 until its loss is down to a thousandth."""
    hidden, inputs = shape
    rng = np.random.default_rng([SEED, 99])
    task = Task.random(inputs, 1, rng=rng)
    start = network
    if start is None:
        assert s is not None
        start = Network.from_spectrum(s, task=task, hidden=hidden, rng=rng)
    solution = solve(start, task)
    largest = float(np.sqrt(matrices.second_moments_trace(start.first)) if s is None else s[0])
    scan = np.geomspace(1e-3 / max(1.0, largest**2), 1e5, 241)
    loss = solution.loss(scan)
    learned = np.flatnonzero(loss < 1e-3 * 0.5)
    end = float(scan[learned[0]]) if learned.size else float(scan[-1])
    at = np.linspace(0.0, end, _TIMES)
    theory = solution.measures(at)
    step = min(0.01, 0.2 / largest**2)
    steps = min(int(np.ceil(end / step)), _DESCENT_STEPS)
    unrun = TimeCourse(at, theory, solution.method, solution.accuracy, None, None, None, None, "")
    if hidden * inputs * steps * 4.0 > _DESCENT_WORK:
        return replace(
            unrun,
            note=f"gradient descent not run: {steps} steps on {hidden} x {inputs} weights cost too "
            "much",
        )
    try:
        run = descent.descend(
            _first(start)[None],
            np.zeros((1, 1, hidden)),
            task.cov_yx[None],
            step=step,
            steps=steps,
            record=sorted({round(x) for x in np.linspace(0, steps, 41)}),
        )
    except ConvergenceError as error:
        return replace(unrun, note=f"gradient descent not shown: {error}")
    found = Measures(*(v[0] for v in run.measures))
    gap = np.max(np.abs(solution.kernel_alignment(run.times) - found.kernel_alignment))
    return replace(unrun, step=step, descent_times=run.times, descent=found, gap=float(gap))


def _first(start: Network) -> Array:
    return start.first.toarray() if isinstance(start.first, Thin) else _dense(start.first)


def spread(entries: list[Entry], measure: str) -> tuple[float, float | None]:
    """Mean over replicates and their standard deviation, None for a single one."""
    values = np.array([entry.mean(measure) for entry in entries])
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else None


def shown(measure: str, value: float, sd: float | None = None) -> str:
    """A mean with its spread; for an alignment close to 1 the distance from 1 is what matters."""
    if measure.endswith("alignment") and 0 < 1.0 - value < 1e-3:
        text, places = f"1 - {1.0 - value:.2g}", False
    else:
        places = value == 0 or value >= 1e-2
        text = f"{value:.4f}" if places else f"{value:.3g}"
    if sd is None:
        return text
    return f"{text} ± {sd:.4f}" if places and sd >= 5e-5 else f"{text} ± {sd:.1g}"
