"""Laziness of the eight brains of C. elegans from birth to adult, beside controls of each.

Every brain is read as W of a linear recurrent network at one gain, with the signs of its GABAergic
neurons, and as a first layer of norm 1 (whose learning signs do not change), with all its neurons
and with those that all eight share. A draw is one pair of input and readout directions, one random
task, and a new control of each kind:

- degrees: partners exchanged, every neuron's number of inputs and outputs kept
  (`controls.degree_preserving`);
- weights: the weights shuffled among the connections that there are.

Recurrent networks meet the same draws as their controls, and among brains of shared neurons all
meet the same; as first layers they are averaged over random tasks by `expect`.

- trend: Spearman's rho between the age of the eight (the two adults tied) and the mean of a
  measure, its p-value from all orders that chance could give;
- beyond the control: the same of the measure less its mean over the control;
- apart: the mean of that over the brains, Student's interval.

P-values are adjusted for all trends of the study (false discovery rate); a trend counts below 0.05.
The check:

- descent: gradient descent of the first draw of every brain and its controls, with steps eta, eta/2
  and eta/4 extrapolated to none, is what `recurrent.solve` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, rankdata

from richlazy import connectomes, expect, spectrum
from richlazy import recurrent as rnn
from richlazy.recurrent.averages.sampling import learned
from richlazy.sources import controls
from validation.comparison import Comparison
from validation.recurrent.theory import scale_of
from validation.simulation.recurrent import Weights, halved, sharpness
from validation.statistics import correlation, interval
from validation.steps import LEFT
from validation.study import SYMBOLS, Arrays, Case, Result, Study, grid_of, selected, worst_of

__all__ = ["FULL", "QUICK", "STARTS", "STUDY", "Grid", "cases", "simulate"]

Array = NDArray[np.float64]

READINGS = {"recurrent": "recurrent network", "first_layer": "first layer"}
MEASURES = tuple(SYMBOLS)
_SIGNIFICANT = 0.05
_AGES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5, 7.5)  # ranks; the two adults are of one age


def _weights_moved(weights: Array, rng: np.random.Generator) -> Array:
    """The weights shuffled among the connections."""
    moved, there = weights.copy(), weights != 0
    moved[there] = rng.permutation(weights[there])
    return moved


#: Each start of a brain: a draw of it.
STARTS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "measured": lambda weights, rng: weights,
    "degrees": controls.degree_preserving,
    "weights": _weights_moved,
}


@dataclass(frozen=True)
class Grid:
    """What is run."""

    animals: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    neurons: tuple[str, ...] = ("all", "shared")
    draws: int = 20
    steps: int = 5
    gain: float = 0.625
    times: tuple[int, ...] = (1, 4)  #: of descent
    fineness: int = 60


FULL = Grid()
QUICK = Grid(animals=(1, 5, 7, 8), neurons=("shared",), draws=4, times=(1,), fineness=40)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each brain, set of neurons and start."""
    return [
        asdict(grid) | {"seed": seed, "animal": animal, "kept": kept, "start": start}
        for kept, animal, start in product(grid.neurons, grid.animals, STARTS)
    ]


def _loaded(animal: int, kept: str) -> tuple[Array, Array]:
    """Weights, and the sign of every neuron."""
    name = "celegans_brain_{}".format
    shared = None
    if kept == "shared":
        shared = reduce(set.intersection, (set(connectomes.load(name(k)).neurons)
                                           for k in range(1, len(_AGES) + 1)))  # fmt: skip
    found = connectomes.load(name(animal), shared)
    inhibit = np.isin(found.neurons, connectomes.inhibitory())
    return found.weights, np.where(inhibit, -1.0, 1.0)


def simulate(case: Case) -> Arrays:
    """Measures of every draw by both readings, and of the first by descent and by `solve`."""
    weights, signs = _loaded(case["animal"], case["kept"])
    steps, units = case["steps"], len(weights)
    nets, tasks, layers = [], [], []
    for draw in range(case["draws"]):
        rng = np.random.default_rng([case["seed"], 0, draw])
        tasks.append(rnn.Task.random(steps, rng=rng))
        place = list(STARTS).index(case["start"])
        made = STARTS[case["start"]](
            weights, np.random.default_rng([case["seed"], 1, place, case["animal"], draw])
        )
        layers.append(made / np.linalg.norm(made))
        w = layers[-1] * signs * case["gain"] * np.sqrt(units)
        nets.append(rnn.Network.random(w, rng=rng))
    recurrent, _, _ = learned(nets, tasks, np.inf)
    if case["start"] == "measured":  # the same in every draw
        layers = layers[:1]
    means = [expect(layer) for layer in layers]
    start = Weights(nets[0].inputs[None], nets[0].recurrent[None], nets[0].readout[None])
    response = tasks[0].response[None]
    rate = case["fineness"] * (sharpness(start, steps) + 2.0) / 2.0
    descent, _ = halved(start, response, times=case["times"], per_unit=int(np.ceil(rate)))
    solution = rnn.solve(nets[0], tasks[0])
    return {
        "recurrent": np.stack([getattr(recurrent, name) for name in MEASURES]),
        "first_layer": np.array([[getattr(x, name).mean for x in means] for name in MEASURES]),
        "participation_ratio": np.array([spectrum.participation_ratio(x).value for x in layers]),
        "radius": np.array([np.abs(np.linalg.eigvals(net.recurrent)).max() for net in nets]),
        "units": np.array(units),
        "descent": descent,
        "theory": np.stack(solution.measures([0.0, *case["times"]]))[:, None],
    }


class Trend(NamedTuple):
    """Of one measure with age: of the brains, of a control, or of the brains less a control."""

    reading: str
    kept: str
    measure: str
    of: str
    rho: float
    p: float
    adjusted: float


class Brains(NamedTuple):
    """One reading of one set of neurons: draws (measures, starts, animals) of all brains."""

    reading: str
    kept: str
    draws: list[list[list[Array]]]

    def mean(self, measure: str, start: str) -> Array:
        """Over draws, by animal."""
        return np.array([np.mean(x) for x in self._of(measure, start)])

    def error(self, measure: str, start: str) -> Array:
        """Standard error of it; 0 of what does not vary."""
        return np.array(
            [np.std(x, ddof=1) / np.sqrt(x.size) if x.size > 1 else 0.0
             for x in self._of(measure, start)]
        )  # fmt: skip

    def _of(self, measure: str, start: str) -> list[Array]:
        return self.draws[MEASURES.index(measure)][list(STARTS).index(start)]


def gathered(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Brains]:
    """Both readings of both sets of neurons."""
    grid = grid_of(Grid, cases[0])
    every = []
    for kept, reading in product(grid.neurons, READINGS):
        parts = [
            [part[reading] for _, part in selected(cases, found, kept=kept, start=start)]
            for start in STARTS
        ]
        draws = [[[x[i] for x in mine] for mine in parts] for i in range(len(MEASURES))]
        every.append(Brains(reading, kept, draws))
    return every


def trends(grid: Grid, every: Sequence[Brains]) -> list[Trend]:
    """Every measure of brains and controls with age, and what of it is beyond the controls."""
    ages = np.array([_AGES[animal - 1] for animal in grid.animals])
    found = []
    for one, measure in product(every, MEASURES):
        mine = one.mean(measure, "measured")
        lines = {"measured": mine}
        for start in list(STARTS)[1:]:
            control = one.mean(measure, start)
            lines |= {start: control, f"measured - {start}": mine - control}
        found += [
            (one.reading, one.kept, measure, of, *_with_age(ages, line))
            for of, line in lines.items()
        ]
    adjusted = false_discovery_control([row[-1] for row in found])
    return [Trend(*row, float(q)) for row, q in zip(found, adjusted, strict=True)]


def _with_age(ages: Array, line: Array) -> tuple[float, float]:
    """Spearman's rho, and how often chance orders them as much, either way."""
    rho = float(correlation(ages, line))
    orders = np.array(list(permutations(rankdata(line))))
    by_chance = np.abs(correlation(ages, orders))
    return rho, float(np.mean(by_chance >= abs(rho) - 1e-12))


def findings(grid: Grid, every: Sequence[Brains], all_trends: Sequence[Trend]) -> list[str]:
    """What changes with age, what controls have of it, and what is left."""
    told = [t for t in all_trends if t.adjusted < _SIGNIFICANT]
    said = [
        f"Of {len(all_trends)} trends with age over {len(grid.animals)} brains, "
        f"{len(told)} are told from chance at a false discovery rate of {_SIGNIFICANT:g}."
    ]
    for one in every:
        parts = []
        for measure in MEASURES:
            mine = one.mean(measure, "measured")
            words = [
                f"{t.of} {t.rho:+.2f} (p {t.p:.3g}, adjusted {t.adjusted:.3g})"
                for t in all_trends
                if (t.reading, t.kept, t.measure) == (one.reading, one.kept, measure)
            ]
            parts.append(
                f"{SYMBOLS[measure]} {mine[0]:.3f} in the youngest, {mine[-1]:.3f} in the oldest; "
                f"rho with age: {', '.join(words)}"
            )
        said.append(f"{READINGS[one.reading]}, {one.kept} neurons: {'; '.join(parts)}.")
        said.append(
            f"{READINGS[one.reading]}, {one.kept} neurons, mean over brains of measured - control "
            f"and its 95 % interval: {'; '.join(_apart(one))}."
        )
    return said


def _radii(grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]) -> list[str]:
    """How far the largest eigenvalue stands out, at the one gain."""
    said = []
    for kept in grid.neurons:
        parts = []
        for start in STARTS:
            radii = [
                np.mean(x["radius"]) for _, x in selected(cases, found, kept=kept, start=start)
            ]
            parts.append(f"{start} {min(radii):.2f} to {max(radii):.2f}")
        said.append(
            f"Spectral radius at gain {grid.gain:g}, {kept} neurons, brain by brain: "
            f"{', '.join(parts)}."
        )
    return said


def _apart(one: Brains) -> list[str]:
    """How far the brains are from their controls, whatever their age."""
    parts = []
    for measure, start in product(MEASURES, list(STARTS)[1:]):
        off = one.mean(measure, "measured") - one.mean(measure, start)
        centre, half = interval(off, 0.95)
        parts.append(f"{SYMBOLS[measure]} - {start} {centre:+.3f} ± {half:.3f}")
    return parts


def rows(cases: Sequence[Case], found: Sequence[Arrays]) -> list[dict[str, Any]]:
    """One for each brain, set of neurons, start, reading and measure."""
    table = []
    for (case, part), reading in product(zip(cases, found, strict=True), READINGS):
        for measure, values in zip(MEASURES, part[reading], strict=True):
            table.append(
                {name: case[name] for name in ("animal", "kept", "start")}
                | {"neurons": int(part["units"])}
                | {"participation_ratio": float(np.mean(part["participation_ratio"]))}
                | {"spectral_radius": float(np.mean(part["radius"]))}
                | {"reading": reading, "measure": measure, "mean": float(np.mean(values))}
                | {"sd": float(np.std(values, ddof=1)) if values.size > 1 else ""}
                | {"draws": values.size}
            )
    return table


def draw(grid: Grid, every: Sequence[Brains]) -> Figure:
    """KA and weight change of every brain and its controls, by both readings."""
    figure = Figure(figsize=(8.5, 6.0), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    kept = grid.neurons[-1]
    mine = [one for one in every if one.kept == kept]
    for one, line in zip(mine, panels, strict=True):
        for panel, measure in zip(line, ("kernel_alignment", "weight_change"), strict=True):
            for k, start in enumerate(STARTS):
                panel.errorbar(
                    np.arange(len(grid.animals)) + 0.08 * (k - 1),
                    one.mean(measure, start),
                    one.error(measure, start),
                    fmt="o-", ms=3.5, lw=0.9, color=f"C{k}", label=start,
                )  # fmt: skip
            panel.set_title(f"{READINGS[one.reading]}: {SYMBOLS[measure]}", fontsize=10)
            panel.set_xticks(range(len(grid.animals)), [str(a) for a in grid.animals])
    for panel in panels[-1]:
        panel.set_xlabel(f"brain, newborn to adult ({kept} neurons)")
    panels[0, 0].legend(frameon=False, fontsize=8, title="mean ± s.e. over draws")
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    every = gathered(cases, found)
    all_trends = trends(grid, every)
    left = [
        Comparison(part["descent"], part["theory"][..., 1:], scale_of(part["theory"])).left
        for part in found
    ]
    checks = [
        worst_of("descent", "distance from recurrent.solve, steps extrapolated to 0", left, LEFT)
    ]
    settings = asdict(grid) | {"trends": [t._asdict() for t in all_trends]}
    said = [*findings(grid, every, all_trends), *_radii(grid, cases, found)]
    return Result(rows(cases, found), checks, draw(grid, every), settings, said)


STUDY = Study(
    name="development",
    question=(
        "Does the predicted laziness of a brain change from birth to adult, as recurrent network "
        "and as first layer, and does the change survive controls that keep the degrees of all "
        "neurons, or shuffle weights among connections?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
