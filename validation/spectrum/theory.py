"""What the theory says of the starts of the study `spectrum` (T8, T11, T14, T15)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy import Network, Task, expect, limits, solve, spectrum
from richlazy.averages import Expected
from richlazy.laziness import Measures
from validation.spectrum.cases import Grid, singular_values
from validation.study import Arrays, Case

__all__ = [
    "Averages",
    "Map",
    "Rich",
    "Theory",
    "predicted",
]

Array = NDArray[np.float64]
METHODS = ("krylov", "flow")  #: of `solve`
_SINGULAR_VALUE = 0.5  # of the flat starts of `_typical_gaps`


def _solved(case: Case, found: Arrays) -> Array:
    """`solve` of the starts that a case kept, (methods, measures, starts, times)."""
    pairs = list(zip(found["first"], found["cov_yx"], strict=True))
    return np.stack(
        [
            np.stack(
                [
                    np.stack(solve(Network(first), Task(yx), method).measures(case["times"]))
                    for first, yx in pairs
                ],
                axis=1,
            )
            for method in METHODS
        ]
    )


class Averages(NamedTuple):
    """Over random tasks, arrays (measures, times); NaN where there is none."""

    mean: Array
    sd: Array
    standard_error: Array
    law: Array
    typical: Array
    tasks: float  #: sampled ones, infinity where the mean is exact


def _averages(case: Case, tasks: int) -> Averages:
    """`expect` of a case by its best method, by the law and by the typical task."""
    s, rng = singular_values(case), np.random.default_rng([1, *case["stream"]])
    options: dict[str, Any] = {"outputs": case["outputs"]}
    columns = []
    for t in case["times"]:
        # several outputs cost the full flow of every task
        count = tasks if case["outputs"] == 1 else max(tasks // 10, 40)
        method = "sample" if case["family"] != "flat" or case["outputs"] > 1 else None
        best = expect(s, case["inputs"], t=t, method=method, tasks=count, rng=rng, **options)
        found = [_part(best, name) for name in ("mean", "sd", "standard_error")]
        for approximate in ("law", "typical"):
            if case["outputs"] > 1:
                found.append(np.full(len(Measures._fields), np.nan))
            else:
                found.append(_part(expect(s, case["inputs"], t=t, method=approximate), "mean"))
        columns.append(found)
    return Averages(*np.moveaxis(np.array(columns), 0, -1), best.tasks or np.inf)


def _part(found: Expected, name: str) -> Array:
    return np.array([getattr(getattr(found, k), name) for k in Measures._fields])


class Map(NamedTuple):
    """At t = infinity, (parameters, norms), the first five with measures in front of them."""

    mean: Array
    sd: Array
    standard_error: Array
    law: Array
    typical: Array
    tasks: float  #: sampled in each cell
    inside: NDArray[np.bool_]  #: whether `expect` says that the law holds there
    ratio: Array  #: participation ratio


def _mapped(
    family: str, inputs: int, parameters: Sequence[float], norms: Sequence[float], tasks: int
) -> Map:
    """`expect` of a family of spectra at every norm, and the participation-ratio law."""
    cells = []
    for i, j in np.ndindex(len(parameters), len(norms)):
        s = getattr(spectrum, family)(inputs, parameters[i], norms[j])
        rng = np.random.default_rng([2, i, j])
        best = expect(s, inputs, method="sample", tasks=tasks, rng=rng)
        law, typical = expect(s, inputs, method="law"), expect(s, inputs, method="typical")
        parts = [_part(best, name) for name in ("mean", "sd", "standard_error")]
        parts += [_part(law, "mean"), _part(typical, "mean")]
        cells.append((*parts, "inside" in law.accuracy, spectrum.effective_rank(s)))
    shape = len(parameters), len(norms)
    columns = [np.array(column) for column in zip(*cells, strict=True)]
    return Map(
        *(np.moveaxis(column, 0, -1).reshape(-1, *shape) for column in columns[:5]),
        tasks,
        *(column.reshape(shape) for column in columns[5:]),
    )


def _typical_gaps(sizes: Sequence[int], times: Sequence[float]) -> Array:
    """Typical task less the exact mean (T7), flat starts of half rank, (measures, sizes, times).

    Their singular value is the same at every size, so that measures depend on the share of the
    task in the row space in the same way and only its scatter changes, like 1/PR.
    """
    gaps = []
    for d in sizes:
        s = np.full(d // 2, _SINGULAR_VALUE)
        gaps.append(
            [
                _part(expect(s, d, t=t, method="typical"), "mean")
                - _part(expect(s, d, t=t, method="closed form"), "mean")
                for t in times
            ]
        )
    return np.moveaxis(np.array(gaps), -1, 0)


class Rich(NamedTuple):
    """T8 for the runs of a case: RA and KA of each in the limit, (2, runs), and corrections."""

    limit: Array
    correction: Array
    mean: float  #: of KA over random tasks


def _rich(case: Case, found: Arrays) -> Rich:
    """Rich limits of the runs of a case, and their first corrections in its norm."""
    s, d = singular_values(case), case["inputs"]
    pr, components = spectrum.participation_ratio(np.diag(s)).value, found["components"]
    share = components @ s**2 / np.sum(s**2)
    limit = limits.representation_rich_limit(pr, share), limits.rich_limit(pr, share, d)
    correction = [limits.rich_correction(s, c, d) for c in components]
    return Rich(np.stack(limit), np.transpose(correction), float(limits.rich_limit_mean(pr, d)))


class Theory(NamedTuple):
    """Everything the theory says, in the order of the cases of each part."""

    solved: Array  #: (cases, methods, measures, kept, times)
    averages: list[Averages]
    power_law: Map
    exponential: Map
    typical: Array  #: gaps of the typical task (measures, sizes, times)
    rich: list[Rich]


def predicted(grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]) -> Theory:
    """What the library says of these starts, tasks and averages; descent enters only by starts."""
    parts = {
        name: [i for i, c in enumerate(cases) if c["part"] == name] for name in ("runs", "rich")
    }
    power_law, exponential = (
        _mapped(family, grid.map_inputs, parameters, grid.map_norms, grid.tasks // 2)
        for family, parameters in (("power_law", grid.exponents), ("exponential", grid.rates))
    )
    return Theory(
        solved=np.stack([_solved(cases[i], found[i]) for i in parts["runs"]]),
        averages=[_averages(cases[i], grid.tasks) for i in parts["runs"]],
        power_law=power_law,
        exponential=exponential,
        typical=_typical_gaps(grid.sizes, [2.0, np.inf]),
        rich=[_rich(cases[i], found[i]) for i in parts["rich"]],
    )
