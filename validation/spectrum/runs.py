"""Starts of many spectra, the tasks they learn and their descent, for the study `spectrum`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy import spectrum
from validation.simulation.starts import directions
from validation.steps import halved_alike
from validation.study import Arrays, Case

__all__ = ["FULL", "QUICK", "Grid", "cases", "ratio", "run", "singular_values"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """White inputs, silent readout, tasks of strength 1; spectra are (family, parameter)."""

    inputs: int
    hidden: int
    spectra: tuple[tuple[str, float], ...]
    norms: tuple[float, ...]
    times: tuple[int, ...]
    outputs: tuple[int, ...]
    runs: int  #: random tasks for each spectrum, norm and number of outputs
    kept: int  #: of them held against `solve`
    tasks: int  #: sampled by `expect`
    map_inputs: int
    map_norms: tuple[float, ...]
    exponents: tuple[float, ...]
    rates: tuple[float, ...]
    confirmed: tuple[tuple[str, float, float], ...]  #: family, parameter, norm
    map_runs: int
    map_fineness: int
    rich_inputs: int
    rich_spectra: tuple[tuple[str, float], ...]
    rich_norms: tuple[float, ...]
    rich_runs: int
    sizes: tuple[int, ...]  #: of the flat starts of the typical task
    end: int = 40  #: a time at which all has been learned
    fineness: int = 120  #: the largest step is 2/sharpness over this


FULL = Grid(
    inputs=40,
    hidden=50,
    spectra=(
        ("flat", 5.0),
        ("flat", 40.0),
        ("power_law", 0.5),
        ("power_law", 1.0),
        ("power_law", 2.0),
        ("exponential", 0.05),
        ("exponential", 0.2),
        ("exponential", 0.8),
        ("gaussian", 0.0),
    ),
    norms=(0.5, 1.0, 2.0),
    times=(1, 4, 16),
    outputs=(1, 3),
    runs=48,
    kept=4,
    tasks=1000,
    map_inputs=64,
    map_norms=(0.1, 0.2, 0.35, 0.6, 1.0, 1.4, 2.0, 3.0, 4.5),
    exponents=(0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.5, 2.0),
    rates=(0.0, 0.02, 0.05, 0.1, 0.2, 0.5),
    confirmed=tuple(
        (*start, norm)
        for start in (
            ("power_law", 0.3),
            ("power_law", 0.6),
            ("power_law", 1.0),
            ("power_law", 2.0),
            ("exponential", 0.05),
            ("exponential", 0.2),
        )
        for norm in (0.35, 1.0, 3.0)
    ),
    map_runs=32,
    map_fineness=60,
    rich_inputs=20,
    rich_spectra=(("flat", 6.0), ("power_law", 0.5), ("power_law", 1.0), ("exponential", 0.2)),
    rich_norms=(0.4, 0.2, 0.1, 0.05),
    rich_runs=64,
    sizes=(64, 128, 256, 512),
)
QUICK = Grid(
    inputs=10,
    hidden=12,
    spectra=(("flat", 3.0), ("power_law", 1.0), ("exponential", 0.3), ("gaussian", 0.0)),
    norms=(0.5, 2.0),
    times=(2, 6),
    outputs=(1, 2),
    runs=64,
    kept=2,
    tasks=200,
    map_inputs=64,
    map_norms=(1.0, 3.0),
    exponents=(0.3, 2.0),
    rates=(0.05,),
    confirmed=(("power_law", 0.3, 1.0), ("power_law", 2.0, 3.0)),
    map_runs=8,
    map_fineness=16,
    rich_inputs=10,
    rich_spectra=(("flat", 3.0), ("power_law", 0.5)),
    rich_norms=(0.1, 0.05),
    rich_runs=24,
    sizes=(64, 128),
    end=28,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each spectrum, norm and number of outputs, part by part."""

    def case(part: str, stream: list[int], start: Sequence[Any], norm: float, **more: Any) -> Case:
        which = {"part": part, "family": start[0], "parameter": start[1], "norm": norm}
        return {"grid": asdict(grid), "seed": seed, "stream": stream} | which | more

    shape = {"inputs": grid.inputs, "hidden": grid.hidden, "times": grid.times}
    found = []
    places = product(enumerate(grid.outputs), enumerate(grid.spectra), enumerate(grid.norms))
    for (i, m), (j, start), (k, norm) in places:
        more = shape | {"outputs": m, "runs": grid.runs, "fineness": grid.fineness}
        found.append(case("runs", [0, i, j, k], start, norm, **more))
    ends = {"outputs": 1, "times": [grid.end]}
    more = ends | {"inputs": grid.map_inputs, "hidden": grid.map_inputs}
    more |= {"runs": grid.map_runs, "fineness": grid.map_fineness}
    for i, (*start, norm) in enumerate(grid.confirmed):
        found.append(case("map", [1, i], start, norm, **more))
    more = ends | {"inputs": grid.rich_inputs, "hidden": grid.rich_inputs}
    more |= {"runs": grid.rich_runs, "fineness": grid.fineness}
    for (i, start), norm in product(enumerate(grid.rich_spectra), grid.rich_norms):
        found.append(case("rich", [2, i], start, norm, **more))  # norms share their starts
    families = ("power_law", grid.exponents), ("exponential", grid.rates)
    for i, (family, parameters) in enumerate(families):
        for j, parameter in enumerate(parameters):
            # 4 is that of what `expect` samples for the part `runs`
            found.append(case("law", [5, i, j], (family, parameter), 1.0, inputs=grid.map_inputs))
    return found


def singular_values(case: Case) -> Array:
    """Singular values of the starts of a case."""
    d, norm, parameter = case["inputs"], case["norm"], case["parameter"]
    if case["family"] == "flat":
        return spectrum.flat(int(parameter), norm)
    if case["family"] == "gaussian":
        return spectrum.gaussian(case["hidden"], d, norm)
    return np.asarray(getattr(spectrum, case["family"])(d, parameter, norm))


def ratio(case: Case) -> float:
    """Participation ratio of the starts of a case."""
    return spectrum.effective_rank(singular_values(case))


def run(case: Case) -> Arrays:
    """Runs from starts of one spectrum, in random bases, on random tasks.

    `components` are the squared ones of the (first) task direction along the right singular
    vectors of the start; `first` and `cov_yx` are the starts and tasks kept for `solve`.
    """
    s, n, m = singular_values(case), case["runs"], case["outputs"]
    d, h = case["inputs"], case["hidden"]
    rng = np.random.default_rng([case["seed"], *case["stream"]])
    left, right = (directions(rng, n, size, s.size) for size in (h, d))
    modes = directions(rng, n, d, m)
    yx = directions(rng, n, m, m) @ modes.mT / np.sqrt(m)
    first, readout = (left * s) @ right.mT, np.zeros((n, m, h))
    components = np.sum(modes[:, :, :1] * right, axis=1) ** 2
    if s.size == d:  # no direction lies outside
        components /= np.sum(components, axis=1, keepdims=True)
    values, eta = halved_alike(first, readout, yx, case["times"], case["fineness"])
    kept = case["grid"]["kept"] if case["part"] == "runs" else 0
    return {
        "values": values,
        "components": components,
        "first": first[:kept],
        "cov_yx": yx[:kept],
        "eta": eta,
    }
