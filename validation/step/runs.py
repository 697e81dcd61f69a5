"""Runs of the study `step`, and what theory says of each: T6 and T1 by `solve`, T13 by SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import richlazy as rl
from richlazy.laziness import Measures
from richlazy.two_layer.descent import Gauge, descend, stable_step
from validation.comparison import measured
from validation.simulation.deep import balance
from validation.simulation.starts import flat, orthonormal
from validation.step.correction import corrected_flow, slopes
from validation.study import Arrays, Case

__all__ = [
    "FULL",
    "QUANTITIES",
    "QUICK",
    "Grid",
    "Part",
    "cases",
    "gathered",
    "networks",
    "rms_over_runs",
    "simulate",
]

Array = NDArray[np.float64]

QUANTITIES = (*Measures._fields, "weights", "conserved")


@dataclass(frozen=True)
class Grid:
    """Tasks of unit strength for every output."""

    inputs: int
    hidden: int
    rank: int  #: of flat starts
    starts: tuple[str, ...]  #: flat: T6, a silent readout; dense: Gaussian entries in both layers
    norms: tuple[float, ...]  #: of W1; of dense starts the root mean square
    outputs: tuple[int, ...]
    inputs_of: tuple[str, ...]  #: white, coloured
    times: tuple[int, ...]
    runs: int  #: in a case
    groups: int  #: of runs, a case each
    fineness: int  #: the largest step is 2/sharpness over this
    halvings: int


FULL = Grid(
    inputs=10,
    hidden=12,
    rank=4,
    starts=("flat", "dense"),
    norms=(0.5, 2.0),
    outputs=(1, 3),
    inputs_of=("white", "coloured"),
    times=(1, 3, 9),
    runs=16,
    groups=2,
    fineness=2,
    halvings=7,
)
QUICK = Grid(
    inputs=5,
    hidden=6,
    rank=2,
    starts=("flat", "dense"),
    norms=(1.0,),
    outputs=(1, 2),
    inputs_of=("white", "coloured"),
    times=(1, 4),
    runs=3,
    groups=1,
    fineness=2,
    halvings=7,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each start, norm, number of outputs, kind of inputs and group of runs."""
    common = asdict(grid) | {"seed": seed}
    cells = product(grid.starts, grid.norms, grid.outputs, grid.inputs_of, range(grid.groups))
    return [
        common | {"start": start, "norm": norm, "output_count": m, "kind": kind, "group": group}
        for start, norm, m, kind, group in cells
    ]


def networks(case: Case) -> tuple[Array, Array, Array, Array | None]:
    """W1 (n, h, d), W2 (n, m, h), the teachers (n, m, d) and cov_xx of a case."""
    n, d, h, m = case["runs"], case["inputs"], case["hidden"], case["output_count"]
    white, norm = case["kind"] == "white", case["norm"]
    where = case["starts"].index(case["start"]), case["norms"].index(norm), m, white, case["group"]
    rng = np.random.default_rng([case["seed"], *where])
    teacher = rng.standard_normal((n, m, d)) / np.sqrt(d)
    if case["start"] == "flat":
        rank = case["rank"]
        first = flat(*(orthonormal(rng, n, size, rank) for size in (h, d)), norm)
        readout = np.zeros((n, m, h))
    else:
        size = norm / np.sqrt(h * d)
        first, readout = (size * rng.standard_normal((n, *s)) for s in ((h, d), (m, h)))
    if white:
        return first, readout, teacher, None
    samples = rng.standard_normal((3 * d, d))
    return first, readout, teacher, samples.T @ samples / len(samples)


def simulate(case: Case) -> Arrays:
    """Measures, and the weights themselves, of descent with halved steps, time by time."""
    first, readout, teacher, cov_xx = networks(case)
    cov_yx = _seen(teacher, cov_xx)
    safe = stable_step(first, readout, cov_yx, cov_xx)
    per_unit = int(np.ceil(case["fineness"] / safe))
    runs = [
        [
            descend(
                first,
                readout,
                cov_yx,
                step=1.0 / frequency,
                steps=time * frequency,
                record=[time * frequency],
                cov_xx=cov_xx,
            )
            for time in case["times"]
        ]
        for frequency in per_unit * 2 ** np.arange(case["halvings"] + 1)
    ]
    # (steps, times, ...)
    return {
        "measures": np.array([[np.stack(r.measures)[..., 0] for r in row] for row in runs]),
        "first": np.array([[r.first for r in row] for row in runs]),
        "readout": np.array([[r.readout for r in row] for row in runs]),
        "eta": 1.0 / (per_unit * 2 ** np.arange(case["halvings"] + 1)),
        "safe": np.array(safe),
    }


@dataclass(frozen=True)
class Part:
    """One quantity of one start, number of outputs and kind of inputs, a vector for every run.

    `descent` (steps, runs, times, size), `theory` and `constant` (runs, times, size), both from
    the library or SciPy; `scale` (runs, times) of the theory, `eta` (steps, runs), and `safe`
    (runs), 2/sharpness.
    """

    quantity: str
    start: str
    norm: float
    outputs: int
    kind: str
    descent: Array
    theory: Array
    constant: Array
    scale: Array
    eta: Array
    safe: Array

    @property
    def fineness(self) -> Array:
        """2/sharpness over every step as it was run, the mean over runs."""
        return np.asarray(np.mean(self.safe / self.eta, axis=1))


def rms_over_runs(values: Array) -> Array:
    """Over the axis before that of times."""
    return np.asarray(np.sqrt(np.mean(values**2, axis=-2)))


def _group(case: Case, found: Arrays) -> dict[str, list[Array]]:
    """Of one case, for every quantity: descent, theory, constant, scale."""
    first, readout, teacher, cov_xx = networks(case)
    cov_yx, times = _seen(teacher, cov_xx), case["times"]
    solutions = [
        rl.solve(rl.Network(w1, w2), rl.Task(yx, cov_xx))
        for w1, w2, yx in zip(first, readout, cov_yx, strict=True)
    ]
    flow = corrected_flow(first, readout, cov_yx, cov_xx, times)
    slope = slopes(Gauge(first, readout, cov_yx, cov_xx), flow)
    measures = measured(solutions, np.array(times, float))
    parts = {
        name: [
            np.moveaxis(found["measures"][:, :, i], 1, 2)[..., None],
            measures[i][..., None],
            slope[i][..., None],
            np.abs(measures[i]),
        ]
        for i, name in enumerate(Measures._fields)
    }
    states = [[solution.at(float(t)) for t in times] for solution in solutions]
    weights = _joined(
        np.array([[state.first() for state in row] for row in states]),
        np.array([[state.readout for state in row] for row in states]),
    )
    parts["weights"] = [
        _joined(*(np.moveaxis(found[name], 1, 2) for name in ("first", "readout"))),
        weights,
        np.moveaxis(_joined(flow.delta_first, flow.delta_readout), 0, 1),
        np.linalg.norm(weights, axis=-1),
    ]
    kept = _vectors(balance(first, readout))[:, None]
    total = flow.readout.mT @ flow.readout + flow.first @ flow.first.mT
    parts["conserved"] = [
        _vectors(np.moveaxis(balance(found["first"], found["readout"]), 1, 2)),
        np.repeat(kept, len(times), axis=1),
        _vectors(np.moveaxis(flow.conserved, 0, 1)),
        np.linalg.norm(_vectors(total), axis=-1).T,
    ]
    return parts


def _seen(teacher: Array, cov_xx: Array | None) -> Array:
    return teacher if cov_xx is None else teacher @ cov_xx


def _vectors(x: Array) -> Array:
    return x.reshape(*x.shape[:-2], -1)


def _joined(first: Array, readout: Array) -> Array:
    return np.concatenate([_vectors(first), _vectors(readout)], axis=-1)


def gathered(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Part]:
    """Every quantity of every start, number of outputs and kind of inputs, over all groups."""
    together: dict[tuple[Any, ...], list[Any]] = {}
    for case, part in zip(cases, found, strict=True):
        key = case["start"], case["norm"], case["output_count"], case["kind"]
        n = case["runs"]
        eta = np.repeat(part["eta"][:, None], n, axis=1)
        safe = np.repeat(part["safe"], n)
        together.setdefault(key, []).append((_group(case, part), eta, safe))
    parts = []
    for key, groups in together.items():
        eta = np.concatenate([g[1] for g in groups], axis=1)
        safe = np.concatenate([g[2] for g in groups])
        for name in QUANTITIES:
            descent, *rest = zip(*(g[0][name] for g in groups), strict=True)
            columns = (np.concatenate(descent, axis=1), *(np.concatenate(r) for r in rest))
            parts.append(Part(name, *key, *columns, eta, safe))
    return parts
