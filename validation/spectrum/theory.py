"""What the theory says of the starts of the study `spectrum` (T8, T11, T14, T15).

What takes long, `solve` and `expect`, is worked out case by case, beside the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy import Network, Task, expect, limits, solve, spectrum
from richlazy.averages.record import Expected
from richlazy.laziness import Measures
from validation.comparison import measured
from validation.spectrum.runs import Grid, run, singular_values
from validation.steps import place
from validation.study import Arrays, Case, selected

__all__ = ["METHODS", "Averages", "Map", "Rich", "Theory", "law_error", "predicted", "simulate"]

Array = NDArray[np.float64]

METHODS = ("krylov", "flow")  #: of `solve`
_SINGULAR_VALUE = 0.5  # of the flat starts of `_typical_gaps`


def _solved(case: Case, found: Arrays) -> Array:
    """`solve` of the starts that a case kept, (methods, measures, starts, times)."""
    pairs = list(zip(found["first"], found["cov_yx"], strict=True))
    return np.stack(
        [
            measured(
                [solve(Network(first), Task(yx), method) for first, yx in pairs], case["times"]
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
    s, rng = singular_values(case), np.random.default_rng([case["seed"], 4, *case["stream"]])
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


_ROW = ("mean", "sd", "standard_error", "law", "typical", "inside", "ratio")


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


def _law_row(case: Case) -> Arrays:
    """`expect` of one spectrum at every norm, and the participation-ratio law: a row of the map."""
    grid, cells = case["grid"], []
    tasks = grid["tasks"] // 2
    for j, norm in enumerate(grid["map_norms"]):
        s = singular_values(case | {"norm": norm})
        rng = np.random.default_rng([case["seed"], *case["stream"], j])
        best = expect(s, case["inputs"], method="sample", tasks=tasks, rng=rng)
        law, typical = (expect(s, case["inputs"], method=name) for name in ("law", "typical"))
        parts = [_part(best, name) for name in ("mean", "sd", "standard_error")]
        parts += [_part(law, "mean"), _part(typical, "mean")]
        cells.append((*parts, "inside" in law.accuracy, spectrum.effective_rank(s)))
    columns = [np.stack(column, axis=-1) for column in zip(*cells, strict=True)]
    return dict(zip(_ROW, columns, strict=True)) | {"tasks": np.array(float(tasks))}


def _mapped(rows: Sequence[Arrays]) -> Map:
    """The map of a family from its rows."""
    ahead = {name: np.stack([row[name] for row in rows], axis=-2) for name in _ROW}
    return Map(**ahead, tasks=float(rows[0]["tasks"]))


def simulate(case: Case) -> Arrays:
    """The runs of a case and what `solve` and `expect` say of them; a row of the map has none."""
    if case["part"] == "law":
        return _law_row(case)
    found = run(case)
    if case["part"] == "runs":
        averages = _averages(case, case["grid"]["tasks"])._asdict()
        expected = {f"expect_{name}": np.asarray(values) for name, values in averages.items()}
        found = {**found, "solved": _solved(case, found), **expected}
    return found


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
    runs = [part for _, part in selected(cases, found, part="runs")]
    power_law, exponential = (
        _mapped([part for _, part in selected(cases, found, part="law", family=family)])
        for family in ("power_law", "exponential")
    )
    return Theory(
        solved=np.stack([f["solved"] for f in runs]),
        averages=[
            Averages(
                *(f[f"expect_{name}"] for name in Averages._fields[:-1]), float(f["expect_tasks"])
            )
            for f in runs
        ],
        power_law=power_law,
        exponential=exponential,
        typical=_typical_gaps(grid.sizes, [2.0, np.inf]),
        rich=[_rich(*pair) for pair in selected(cases, found, part="rich")],
    )


def law_error(best: Map) -> Array:
    """Error of the law, (measures, parameters, norms): relative, but that of RA absolute."""
    scale = np.abs(best.mean)
    scale[place("representation_alignment")] = 1.0
    return (best.law - best.mean) / np.where(scale > 0, scale, 1.0)
