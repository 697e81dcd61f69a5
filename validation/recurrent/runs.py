"""Runs of the study `recurrent`: networks of many kinds, and many random networks of two sizes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from validation.recurrent import large, laws
from validation.recurrent.shapes import SHAPES
from validation.simulation.recurrent import PARTS, Weights, halved, sharpness
from validation.simulation.starts import directions, orthonormal
from validation.study import Arrays, Case

__all__ = ["CELLS", "FULL", "QUICK", "SPECTRA", "Cell", "Grid", "cases", "simulate"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """Networks that are run as one batch, each on a random task of its own."""

    units: int
    steps: int
    channels: int = 1
    outputs: int = 1
    gain: float = 0.8
    rank: int | None = None  #: of W, flat; None is a Gaussian W
    shared: str = ""  #: "modes" or "pairs" that W, U, V and the task have in common
    leak: float = 1.0
    weights: tuple[float, ...] = ()  #: of the lags
    coloured: bool = False  #: a random covariance of the inputs over (lag, channel)
    trained: tuple[str, ...] = PARTS


CELLS = {
    "small": Cell(8, 3, gain=0.8),
    "two steps": Cell(10, 2, 2, 2, gain=0.4),
    "long": Cell(24, 6, gain=1.2),
    "wide": Cell(16, 5, 2, 2, gain=0.6),
    "low rank": Cell(20, 4, 2, 1, gain=0.7, rank=2),
    "large, low rank": Cell(60, 4, gain=0.4, rank=3),
    "leak": Cell(12, 4, 1, 2, gain=1.0, leak=0.4),
    "weighted lags": Cell(14, 5, 2, 1, gain=0.8, weights=(1.0, 0.5, 2.0, 0.0, 1.5)),
    "coloured inputs": Cell(12, 4, 2, 2, gain=0.7, coloured=True),
    "modes": Cell(12, 5, 2, 2, shared="modes"),
    "pairs": Cell(12, 5, 2, 2, shared="pairs"),
    "recurrent alone": Cell(12, 4, 1, 2, gain=0.8, trained=("recurrent",)),
    "fixed inputs": Cell(10, 4, 2, 1, gain=1.0, leak=0.6, trained=("recurrent", "readout")),
    "fixed recurrent": Cell(12, 4, 1, 1, gain=0.9, trained=("inputs", "readout")),
}

#: Spectra of the random networks; "Gaussian" draws W itself.
SPECTRA = ("flat", "half rank", "Gaussian")


@dataclass(frozen=True)
class Grid:
    """What is run."""

    cells: tuple[str, ...] = tuple(CELLS)
    runs: int = 6  #: networks and tasks of each cell
    strength: float = 1.5  #: ||S||
    times: tuple[int, ...] = (1, 4, 12)
    fineness: int = 240  #: the largest step is about 2/sharpness over this; saddles ask for it
    draws: int = 192  #: random tasks, each learned by one network of either size
    sizes: tuple[int, int] = (50, 100)
    #: (steps, channels, gain, strength) of the tasks whose means are taken
    tasks: tuple[tuple[int, int, float, float], ...] = (
        (4, 1, 0.6, 3.0),
        (4, 1, 0.9, 1.0),
        (3, 2, 0.6, 2.0),
    )
    ends: tuple[int, ...] = (1, 4)  #: times of means
    coarseness: int = 24  #: the same of theirs as `fineness`, as they have sampling errors
    expected: int = 200  #: tasks that the theory takes its mean over
    large: tuple[str, ...] = ("flat", "half rank", "Gaussian", "exponential", "power law")
    large_units: int = 800
    large_draws: int = 12  #: networks of each cell, each on a random task
    large_gains: tuple[float, ...] = (0.4, 0.7, 1.0)
    large_steps: tuple[int, ...] = (3, 5)
    large_strength: float = 1.5
    large_ends: tuple[float, ...] = (2.0,)  #: times besides infinity
    laws: tuple[str, ...] = tuple(SHAPES)[2:]  #: of flat ones it is exact
    law_tasks: int = 60  #: by the first of which the law says whether it holds
    law_gains: tuple[float, ...] = (0.5, 1.0)
    law_steps: tuple[int, ...] = (3, 4)
    law_strengths: tuple[float, ...] = (0.5, 3.0)


FULL = Grid()
QUICK = Grid(
    runs=3,
    times=(1, 4),
    fineness=60,
    draws=48,
    sizes=(32, 64),
    tasks=((4, 1, 0.6, 3.0),),
    ends=(1,),
    coarseness=16,
    expected=100,
    large=("flat", "exponential"),
    large_units=200,
    large_draws=6,
    large_gains=(0.7,),
    large_steps=(3,),
    laws=("Gaussian", "few large"),
    law_tasks=40,
    law_gains=(0.5,),
    law_steps=(4,),
    law_strengths=(0.5,),
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each cell; for each spectrum, size and kind of task of the means; for each spectrum,
    gain and number of steps at large; and for these and each strength of task of the law.
    """
    found: list[Case] = [{"kind": "cell", "cell": name} for name in grid.cells]
    found += [
        {"kind": "large", "spectrum": spectrum, "gain": gain, "steps": steps}
        for spectrum in grid.large
        for gain in grid.large_gains
        for steps in grid.large_steps
    ]
    found += [
        {"kind": "law", "spectrum": spectrum, "gain": gain, "steps": steps}
        | {"strength_of_law": strength}
        for spectrum in grid.laws
        for gain in grid.law_gains
        for steps in grid.law_steps
        for strength in grid.law_strengths
    ]
    found += [
        {"kind": "mean", "spectrum": spectrum, "index": index, "units": units}
        for index in range(len(grid.tasks))
        for spectrum in SPECTRA
        for units in grid.sizes
    ]
    return [asdict(grid) | {"seed": seed} | case for case in found]


def simulate(case: Case) -> Arrays:
    """Runs of one case: measures with all steps, and of a cell its weights and its task too."""
    kinds = {"cell": _cell, "mean": _mean, "large": large.simulate, "law": laws.simulate}
    return kinds[case["kind"]](case)


def _cell(case: Case) -> Arrays:
    cell = CELLS[case["cell"]]
    rng = np.random.default_rng([case["seed"], 0, list(CELLS).index(case["cell"])])
    make = _aligned if cell.shared else _random
    start, response = make(rng, cell, case["runs"])
    response *= case["strength"] / np.sqrt(np.sum(response**2, axis=(1, 2, 3), keepdims=True))
    metric = None
    if cell.coloured:
        root = rng.standard_normal((cell.steps * cell.channels, 2 * cell.steps * cell.channels))
        metric = root @ root.T / root.shape[1]
    if cell.weights:
        metric = np.diag(np.repeat(cell.weights, cell.channels))
    sharp = sharpness(start, cell.steps, metric, cell.leak, cell.trained)
    per_unit = _per_unit(case["fineness"], sharp, case["strength"])
    measures, weights = halved(
        start,
        response,
        times=case["times"],
        per_unit=per_unit,
        metric=metric,
        leak=cell.leak,
        trained=cell.trained,
    )
    found = {"measures": measures, "response": response, "eta": np.array(1.0 / per_unit)}
    found |= {f"{name}_0": x for name, x in start._asdict().items()} | weights._asdict()
    return found if metric is None else found | {"metric": metric}


def _per_unit(fineness: int, sharp: float, strength: float) -> int:
    """Steps to a unit of time; responses that are learned add about 2 ||S|| to the sharpness."""
    return int(np.ceil(fineness * (sharp + 2.0 * strength) / 2.0))


def _random(rng: np.random.Generator, cell: Cell, runs: int) -> tuple[Weights, Array]:
    """Random directions, and a Gaussian or flat W of the gain."""
    n, norm = cell.units, cell.gain * np.sqrt(cell.units)
    if cell.rank is None:
        w = rng.standard_normal((runs, n, n)) * cell.gain / np.sqrt(n)
    else:
        left, right = (directions(rng, runs, n, cell.rank) for _ in range(2))
        w = norm / np.sqrt(cell.rank) * left @ right.mT
    start = Weights(
        _unit(rng.standard_normal((runs, n, cell.channels)), 1),
        w,
        _unit(rng.standard_normal((runs, cell.outputs, n)), 2),
    )
    return start, rng.standard_normal((runs, cell.steps, cell.outputs, cell.channels))


def _unit(x: Array, axis: int) -> Array:
    return np.asarray(x / np.linalg.norm(x, axis=axis, keepdims=True))


def _aligned(rng: np.random.Generator, cell: Cell, runs: int) -> tuple[Weights, Array]:
    """Two modes, or one complex pair, of W, U, V and the task; more of W that nothing drives."""
    q = orthonormal(rng, runs, cell.units, cell.units)
    right, left = (orthonormal(rng, runs, 2, 2) for _ in range(2))
    if cell.shared == "modes":
        size = (runs, 2)
        u, v, w = rng.uniform(0.4, 1.2, size), rng.uniform(0.4, 1.2, size), rng.uniform(-1, 1, size)
        s = rng.standard_normal((runs, cell.steps, 2))
        inputs, readout, pair, lags = (_diagonal(x) for x in (u, v, w, s))
    else:
        inputs, readout, pair = (
            _turned(rng.uniform(0.4, 0.9, runs), rng.uniform(0.0, 6.0, runs)) for _ in range(3)
        )
        size = (runs, cell.steps)
        lags = _turned(rng.standard_normal(size), rng.uniform(0.0, 6.0, size))
    rest = rng.uniform(-0.9, 0.9, (runs, cell.units - 2))
    held, other = q[..., :2], q[..., 2:]
    start = Weights(
        held @ inputs @ right.mT,
        held @ pair @ held.mT + (other * rest[:, None]) @ other.mT,
        left @ readout @ held.mT,
    )
    return start, left[:, None] @ lags @ right[:, None].mT


def _diagonal(x: Array) -> Array:
    return np.asarray(x[..., None] * np.eye(x.shape[-1]))


def _turned(size: Array, angle: Array) -> Array:
    """Rotations times numbers, (..., 2, 2)."""
    c, s = size * np.cos(angle), size * np.sin(angle)
    return np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)


def _mean(case: Case) -> Arrays:
    """Both sizes learn the same tasks, each of them by another network."""
    steps, channels, gain, strength = case["tasks"][case["index"]]
    place = SPECTRA.index(case["spectrum"])
    rng = np.random.default_rng([case["seed"], 1, case["index"], place])
    response = rng.standard_normal((case["draws"], steps, 1, channels))
    response *= strength / np.sqrt(np.sum(response**2, axis=(1, 2, 3), keepdims=True))
    rank = {"flat": case["units"], "half rank": case["units"] // 2}.get(case["spectrum"])
    rng = np.random.default_rng([case["seed"], 2, case["index"], place, case["units"]])
    cell = Cell(case["units"], steps, channels, gain=gain, rank=rank)
    start, _ = _random(rng, cell, case["draws"])
    per_unit = _per_unit(case["coarseness"], sharpness(start, steps), strength)
    measures, _ = halved(start, response, times=case["ends"], per_unit=per_unit)
    return {"measures": measures, "eta": np.array(1.0 / per_unit)}
