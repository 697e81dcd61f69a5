"""Runs of the study `recurrent` beside what the theory says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy import recurrent as rnn
from richlazy.recurrent.averages.expect import Average
from richlazy.recurrent.measures import Measures
from richlazy.start import spectrum
from validation.comparison import Comparison
from validation.recurrent.runs import CELLS, SPECTRA, Cell, Grid
from validation.simulation.deep import squares
from validation.simulation.recurrent import PARTS, Weights, conserved
from validation.steps import extrapolated, orders
from validation.study import Arrays, Case, selected

__all__ = ["Mean", "Seen", "compared", "means", "scale_of"]

Array = NDArray[np.float64]

METHODS: tuple[Average, ...] = ("typical", "law")
_ABSOLUTE = ("representation_alignment", "target_alignment")  # may be 0, or of either sign
_QUANTILES = 400  # of the law of Gaussian singular values


class Seen(NamedTuple):
    """A cell: measures (measures, runs, times), weights at the last time, and what T16 conserves.

    `kept` is what is left of D's distance from its start's, extrapolated, and `kept_order` the
    order of its drift; NaN where something is not trained, so that nothing is conserved.
    """

    case: Case
    cell: Cell
    methods: tuple[str, ...]
    measures: Comparison
    weights: dict[str, Comparison]
    kept: Array
    kept_order: float
    eta: float


def compared(cases: Sequence[Case], found: Sequence[Arrays]) -> list[Seen]:
    """Descent of every cell beside `recurrent.solve`."""
    return [_compared(case, part) for case, part in selected(cases, found, kind="cell")]


def _compared(case: Case, found: Arrays) -> Seen:
    cell, times = CELLS[case["cell"]], case["times"]
    starts = Weights(*(found[f"{name}_0"] for name in PARTS))
    solutions = [
        rnn.solve(rnn.Network(u, w, v, cell.leak), _task(cell, s, found), trained=cell.trained)
        for u, w, v, s in zip(*starts, found["response"], strict=True)
    ]
    theory = np.stack([np.stack(each.measures([0.0, *times])) for each in solutions], axis=1)
    measures = Comparison(found["measures"], theory[..., 1:], scale_of(theory))
    kept, kept_order = _kept(cell, starts, found, solutions, times[-1])
    return Seen(
        case,
        cell,
        tuple(each.method for each in solutions),
        measures,
        _weights(found, solutions, times[-1]),
        kept,
        kept_order,
        float(found["eta"]),
    )


def scale_of(theory: Array) -> Array:
    """What distances from measures (measures, runs, times) are over, the first time left out.

    That time is the start, whose loss is the scale of losses.
    """
    whole = theory[..., 1:]
    scale = np.where(whole == 0.0, 1.0, np.abs(whole))
    scale[Measures._fields.index("loss")] = theory[Measures._fields.index("loss"), :, :1]
    for name in _ABSOLUTE:
        scale[Measures._fields.index(name)] = 1.0
    return scale


def _task(cell: Cell, response: Array, found: Arrays) -> rnn.Task:
    if cell.weights:
        return rnn.Task(response, weights=cell.weights)
    return rnn.Task(response, cov=found.get("metric"))


def _weights(
    found: Arrays, solutions: Sequence[rnn.Solution], time: float
) -> dict[str, Comparison]:
    """(1, runs, rows, columns) of each matrix, whose distances are over its norm."""
    states = [each.at(time) for each in solutions]
    theory = {
        "inputs": np.stack([state.inputs for state in states]),
        "recurrent": np.stack([state.recurrent() for state in states]),
        "readout": np.stack([state.readout for state in states]),
    }
    each = {}
    for name, said in theory.items():
        scale = np.broadcast_to(np.sqrt(squares(said))[:, None, None], said.shape)
        each[name] = Comparison(found[name][:, None, :, -1], said[None], scale[None])
    return each


def _kept(
    cell: Cell, starts: Weights, found: Arrays, solutions: Sequence[rnn.Solution], time: float
) -> tuple[Array, float]:
    if set(cell.trained) != set(PARTS):
        return np.empty(0), np.nan
    weights = Weights(*(found[name] for name in PARTS))
    theory = np.stack([each.start.conserved() for each in solutions])[:, None]
    size = sum(squares(x) for x in weights)
    d = conserved(weights)
    drift = np.sqrt(squares(d - theory)) / size
    left = np.sqrt(squares(extrapolated(d)[1] - theory)) / size[-1]
    said = np.array([each.drift(time) for each in solutions])
    return np.concatenate([left.ravel(), said]), float(orders(drift, (1, 2)))


class Mean(NamedTuple):
    """Means over random tasks and networks of one spectrum and kind of task, (measures, times).

    `sizes` (2, measures, times) are descent's of the two numbers of units, with their standard
    errors; `limit` is what they tend to if their distances go like 1/units; `typical` and `law`
    are those of the theory. Each is a pair: means, standard errors. `steps` (2, measures, times)
    is what steps may leave of descent's means, over their standard errors.
    """

    spectrum: str
    task: tuple[float, ...]
    sizes: tuple[Array, Array]
    limit: tuple[Array, Array]
    typical: tuple[Array, Array]
    law: tuple[Array, Array]
    steps: Array

    def scores(self, theory: tuple[Array, Array]) -> Array:
        """z of the limit against a theory's means, (measures, times)."""
        return np.asarray((self.limit[0] - theory[0]) / np.hypot(self.limit[1], theory[1]))


def means(grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]) -> list[Mean]:
    """Descent's means beside those of `recurrent.expect`."""
    return [
        _mean_of(grid, index, name, [
            part for units in grid.sizes
            for _, part in selected(cases, found, index=index, spectrum=name, units=units)
        ])
        for index in range(len(grid.tasks)) for name in SPECTRA
    ]  # fmt: skip


def _mean_of(grid: Grid, index: int, name: str, parts: Sequence[Arrays]) -> Mean:
    runs = [extrapolated(part["measures"]) for part in parts]
    each = np.stack([twice for _, twice in runs])
    small, large = grid.sizes
    # both sizes learn the same tasks, so that what tasks differ by is in the difference but once
    limit = _statistics((large * each[1] - small * each[0]) / (large - small))
    left = np.mean(each - np.stack([once[1] for once, _ in runs]), axis=-2)
    typical, law = (_expected(grid, index, name, method) for method in METHODS)
    sizes = _statistics(each)
    return Mean(name, grid.tasks[index], sizes, limit, typical, law, left / sizes[1])


def _statistics(each: Array) -> tuple[Array, Array]:
    """Means and their standard errors over draws, (..., draws, times)."""
    error = np.std(each, axis=-2, ddof=1) / np.sqrt(each.shape[-2])
    return np.mean(each, axis=-2), error


def _expected(grid: Grid, index: int, name: str, method: Average) -> tuple[Array, Array]:
    """The theory's means and standard errors, (measures, times)."""
    steps, channels, gain, strength = grid.tasks[index]
    units = _QUANTILES if name == "Gaussian" else grid.sizes[-1]
    norm = gain * np.sqrt(units)
    values = {
        "flat": lambda: spectrum.flat(units, norm),
        "half rank": lambda: spectrum.flat(units // 2, norm),
        "Gaussian": lambda: spectrum.gaussian(units, units, norm),
    }[name]()
    found = [
        rnn.expect(
            values,
            steps,
            channels,
            units=units,
            strength=strength,
            t=time,
            method=method,
            tasks=grid.expected,
            rng=index,
        )
        for time in grid.ends
    ]
    each = [[getattr(one, measure) for one in found] for measure in Measures._fields]
    return (
        np.array([[x.mean for x in row] for row in each]),
        np.array([[x.standard_error for x in row] for row in each]),
    )
