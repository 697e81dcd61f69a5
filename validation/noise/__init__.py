"""Minibatch noise (T6, T7, T13): how far a theory of the flow survives batches of few samples.

Flat low-rank starts with a silent readout learn random tasks of one output from fresh Gaussian
samples (`simulation.minibatch`), with and without label noise, batches of 1 to 4096 and steps eta,
eta/2, ...; the largest is 2/sharpness / fineness / (1 + (inputs + 1)/batch), since a batch of B
white samples has the mean square gradient of a sharpness that many times larger. Every task is
learned by a pair of runs that differ in their samples only. A cell is one start, label noise and
batch, and where said a measure and time. The checks take the three smallest steps:

- runs: the mean over runs is f(0) + a eta + b eta^2 + O(eta^3) at a fixed time, so the value of
  f2 = (8 f(eta/4) - 6 f(eta/2) + f(eta))/3 is that of the flow to O(eta^3): z = mean over tasks of
  (f2 - T6 at the task's own alignment) / standard error, that of the sample and 1e-6 of the scale,
  from Student's t;
- means: the same with T7's mean for T6; T7's own spread over tasks is added in quadrature;
- spread: the standard deviation over samples, sqrt(mean of (difference within a pair)^2 / 2),
  grows like eta^p B^q, p = 1/2 and q = -1/2: weighted least squares over all batches and steps of a
  measure, start, label noise and time, where the spread is below 0.2 of the theory (more is not of
  first order: a loss near 0 scatters like eta/B) in two batches or more; |p - 1/2| and |q + 1/2|
  over 0.02 and 4 standard errors together, what higher orders in eta may do and what the sample
  leaves open;
- gradient: the noise of one gradient is ((inputs + 1) 2 loss + inputs label_noise^2)/B in the mean
  of its square (Gaussian moments), so without label noise it vanishes with the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from richlazy import low_rank
from richlazy.laziness import Measures
from validation.noise.report import draw, findings
from validation.noise.runs import FULL, QUICK, Cell, Grid, cases, gathered, simulate
from validation.steps import LEFT, extrapolated, place
from validation.study import Arrays, Case, Check, Result, Study, grid_of, worst_of

__all__ = ["STUDY", "compare", "conclude", "draw", "exponents", "findings"]

Array = NDArray[np.float64]

_ORDER_LEFT = 0.02  # what higher orders in the step may do to a fitted exponent
_SMALL = 0.2  # of the theory: a larger spread is not of first order in the noise


def _mean(values: Array, scale: Array) -> tuple[Array, Array, Array]:
    """Mean over tasks, (measures, tasks, times), its standard error with what steps leave, and z.

    The ratio of the two is Student's t; z is as improbable in a normal law.
    """
    tasks = values.shape[1]
    error = np.hypot(np.std(values, axis=1, ddof=1) / np.sqrt(tasks), LEFT * scale)
    mean = np.mean(values, axis=1)
    return mean, error, -ndtri(stdtr(tasks - 1, -np.abs(mean / error)))


def _spread(values: Array) -> tuple[Array, Array]:
    """Log of the standard deviation over samples, (..., times), and its standard error."""
    square = 0.5 * (values[..., 0, :] - values[..., 1, :]) ** 2
    mean, error = np.mean(square, axis=-2), np.std(square, axis=-2, ddof=1)
    return 0.5 * np.log(mean), 0.5 * error / mean / np.sqrt(square.shape[-2])


def exponents(cells: Sequence[Cell], largest: Array) -> tuple[Array, Array]:
    """(p, q) of spread = k eta^p B^q and their errors, (2, measures, times), of one family.

    Only spreads below `largest` (measures, times) count; NaN where these are of one batch.
    """
    spreads = [_spread(cell.values[:, -3:]) for cell in cells]
    value, error = (
        np.moveaxis(np.concatenate(part, axis=1), 1, -1) for part in zip(*spreads, strict=True)
    )
    weight = (value < np.log(largest)[..., None]) / error
    eta = np.concatenate([cell.eta[-3:] for cell in cells])
    batch = np.repeat([float(cell.batch) for cell in cells], 3)
    design = np.stack([np.log(eta), np.log(batch), np.ones(len(eta))], axis=1)
    weighted = design * weight[..., None]
    normal = np.linalg.pinv(weighted.mT @ weighted, hermitian=True)
    fit = normal @ weighted.mT @ (value * weight)[..., None]
    spread = np.sqrt(np.diagonal(normal, axis1=-2, axis2=-1))
    few = np.linalg.matrix_rank(weighted) < 3
    found = np.where(few[..., None], np.nan, fit[..., 0])
    return np.moveaxis(found, -1, 0)[:2], np.moveaxis(spread, -1, 0)[:2]


def _families(cells: Sequence[Cell], values: Sequence[Any] | None = None) -> list[list[Any]]:
    """Cells of one start and label noise, which differ in their batch, or a value of each."""
    families: dict[Any, list[Any]] = {}
    for cell, value in zip(cells, cells if values is None else values, strict=True):
        families.setdefault((cell.norm, cell.rank, cell.label_noise), []).append(value)
    return list(families.values())


def compare(grid: Grid, cells: Sequence[Cell]) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    rows, scores, law_scores, gradients, scales = [], [], [], [], []
    for cell in cells:
        at = {"norm": cell.norm, "t": np.array(grid.times, dtype=float)}
        theory = np.stack(
            low_rank.measures(cell.rank, grid.inputs, alignment=cell.alignment[:, None], **at)
        )
        expected = low_rank.expected(cell.rank, grid.inputs, **at)
        law, law_sd = np.stack(expected.mean), np.stack(expected.sd)
        scale = np.mean(np.abs(theory), axis=1)
        pairs = np.mean(cell.values, axis=3)  # of runs: (measures, steps, tasks, times)
        twice = extrapolated(np.moveaxis(pairs[:, -3:], 1, 0))[1]
        mean, error, z = _mean(twice - theory, scale)
        law_error = np.hypot(law_sd / np.sqrt(twice.shape[1]), error)
        z_law = (np.mean(twice, axis=1) - law) / law_error
        spread, spread_error = _spread(cell.values)
        loss = cell.values[place("loss")]
        square = (grid.inputs + 1) * 2.0 * loss + grid.inputs * cell.label_noise**2
        ratio = np.moveaxis(cell.batch * cell.noise / square, -1, 0).reshape(len(grid.times), -1)
        gradient = np.mean(ratio, axis=1)
        gradient_error = np.std(ratio, axis=1, ddof=1) / np.sqrt(ratio.shape[1])
        scales.append(scale)
        scores.append(z)
        law_scores.append(z_law)
        gradients.append((gradient - 1.0) / gradient_error)
        for (i, measure), (l, time), (s, eta) in product(
            enumerate(Measures._fields), enumerate(grid.times), enumerate(cell.eta)
        ):
            bias, bias_error, _ = (x[i, l] for x in _mean(pairs[:, s] - theory, scale))
            rows.append(
                {
                    "norm": cell.norm,
                    "rank": cell.rank,
                    "label_noise": cell.label_noise,
                    "batch": cell.batch,
                    "measure": measure,
                    "time": time,
                    "eta": float(eta),
                    "theory_mean": float(np.mean(theory[i, :, l])),
                    "law_mean": float(law[i, l]),
                    "bias": float(bias),
                    "bias_error": float(bias_error),
                    "spread": float(np.exp(spread[i, s, l])),
                    "spread_relative_error": float(spread_error[i, s, l]),
                    "extrapolated_bias": float(mean[i, l]),
                    "z": float(z[i, l]),
                    "z_law": float(z_law[i, l]),
                    "mean_loss": float(np.mean(loss[s, ..., l])),
                    "gradient_noise_times_batch": float(
                        cell.batch * np.mean(cell.noise[s, ..., l])
                    ),
                }
            )
    off = []
    for family, scale in zip(_families(cells), _families(cells, scales), strict=True):
        fit, error = exponents(family, _SMALL * scale[0])
        away = np.abs(fit - np.reshape([0.5, -0.5], (2, 1, 1)))
        excess = away / (_ORDER_LEFT + 4.0 * error)
        off.extend(excess[np.isfinite(excess)])
    checks = [
        worst_of(
            "runs", "|z| of a cell's mean distance from T6, steps extrapolated to 0", scores, 4.0
        ),
        worst_of("means", "|z| of a cell's mean over tasks against T7", law_scores, 4.0),
        worst_of(
            "spread", "|exponent -+ 1/2| of the spread in eta, B, over 0.02 + 4 s.e.", off, 1.0
        ),
        worst_of(
            "gradient", "|z| of the square of one gradient's noise, over its mean", gradients, 4.0
        ),
    ]
    return rows, checks


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid, cells = grid_of(Grid, cases[0]), gathered(cases, found)
    rows, checks = compare(grid, cells)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, indices of start, label noise, batch and step]), "
        "tasks by default_rng([seed, index of the start])"
    }
    return Result(rows, checks, draw(grid, rows), settings, findings(grid, rows))


STUDY = Study(
    name="noise",
    question=(
        "How far does the theory of the flow survive minibatches: are the means of descent along "
        "fresh batches of 1 to 4096 samples, with and without label noise, those of T6 and T7 but "
        "for O(eta), and is the spread sqrt(eta/B)?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
