"""Data statistics (T10, T11): anisotropic features, and the digits, against gradient descent.

Features: targets y = w'Fx of length 1. The singular values of F are `anisotropy` in one half, 1 in
the other; flat starts with a silent readout hold the larger half, the truncated F (at anisotropy
1, where there is none, the half that grows; at 0 F has no other). w is uniformly random.

Digits: the ten classes of scikit-learn's digits from the 64 pixels, inputs that are not white, from
flat starts of several ranks, random or aligned with the task, with a silent readout.

Every run f is made with three steps and extrapolated to none, once to f1 and twice to f2 (`steps`).
Distances are relative; those of the loss and of RA, which can vanish, relative to their value at
the start. The checks:

- alignment: c of every draw of w, from the task vector and the rows of W1, is
  `features.alignment` of F and w (where the halves differ), and `features.step_alignment` of the
  share of w in the start's half;
- mean alignment: z = (mean c over draws - `features.mean_step_alignment`) / standard error;
- features: every run's f2 is T6 at that run's `features.alignment`;
- means: z = (mean of f2 over draws - mean of T6 over the law of c) / standard error, in which the
  1e-6 that the steps may leave is added in quadrature;
- digits: every run's f2 is the flow of `solve` (T11);
- order, order on digits: the rms distance of f over runs (and over anisotropies, or ranks and
  starts) shrinks like the step, for every measure, norm and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_jacobi

from richlazy import features, low_rank
from richlazy.laziness import Measures
from validation.comparison import Comparison
from validation.features.report import draw, findings
from validation.features.runs import FULL, QUICK, Grid, cases, simulate
from validation.steps import LEFT, orders, place
from validation.study import Arrays, Case, Check, Result, Study, grid_of, selected, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "compare", "simulate"]

Array = NDArray[np.float64]

_EXACT = 1e-12
_NODES = 200  # of a mean over the law of c; 400 change it by less than 1e-9


def _compared(norms: int, theory: Sequence[Array], found: Sequence[Arrays]) -> Comparison:
    """Of the cases of one part, (measures, norms, kinds, runs, times).

    Theory is (measures, runs, 1 + times), from 0.
    """
    whole = np.stack(theory)
    whole = np.moveaxis(whole.reshape(norms, -1, *whole.shape[1:]), (0, 1), (1, 2))
    plain = np.stack([part["values"] for part in found])
    plain = np.moveaxis(plain.reshape(norms, -1, *plain.shape[1:]), (0, 1), (2, 3))
    values = whole[..., 1:]
    scale, vanishing = np.abs(values), [place("loss"), place("representation_alignment")]
    scale[vanishing] = np.broadcast_to(whole[..., :1], values.shape)[vanishing]
    return Comparison(plain, values, scale)


def compare(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Rows of the table, and the checks that make the verdict."""
    step, real = (selected(cases, found, part=part) for part in ("features", "digits"))
    alignments, off_c, z_c = zip(*(_alignments(*pair) for pair in step), strict=True)
    learned = _compared(
        len(grid.norms),
        [_low_rank(case, c) for case, c in zip(cases, alignments, strict=False)],
        [part for _, part in step],
    )
    law = np.stack([_law(case) for case, _ in step])  # cases, mean and sd, measures, times
    law = np.moveaxis(law.reshape(len(grid.norms), -1, *law.shape[1:]), (0, 1), (2, 3))
    mean, sd = law
    left = LEFT * np.mean(learned.scale, axis=3)
    z = (np.mean(learned.twice, axis=3) - mean) / np.hypot(sd / np.sqrt(grid.runs), left)

    flows = _compared(
        len(grid.digits_norms), [part["flow"] for _, part in real], [part for _, part in real]
    )
    order, order_digits = orders(learned.off, (3, 4)), orders(flows.off, (3, 4))
    limit = "distance of a run from {}, steps extrapolated to 0"
    checks = [
        worst_of("alignment", "distance of c of a draw from T10", off_c, _EXACT),
        worst_of("mean alignment", "|z| of the mean of c over draws against T10", z_c, 4.0),
        worst_of("features", limit.format("T6 at its c of T10"), learned.left, LEFT),
        worst_of("means", "|z| of a cell's mean over w against T6 over the law of c", z, 4.0),
        worst_of("digits", limit.format("the flow (T11)"), flows.left, LEFT),
        worst_of("order", "|order - 1| of the distance from T6 in the step", order - 1.0, 0.05),
        worst_of("order on digits", "|order - 1| of that from T11", order_digits - 1.0, 0.05),
    ]
    rows = _rows(step, learned, mean, z)
    mean = np.mean(flows.theory, axis=3)
    rows += _rows(real, flows, mean, None)
    return rows, checks


def _contrast(anisotropy: float) -> float:
    """Larger over smaller half of F."""
    return max(anisotropy, 1.0 / anisotropy) if anisotropy > 0 else np.inf


def _alignments(case: Case, part: Arrays) -> tuple[Array, Array, float]:
    """c of the runs after T10, how far the draws are from it, and z of their mean."""
    contrast, c, rank = _contrast(case["anisotropy"]), part["alignment"], case["inputs"] // 2
    by_share, law = np.ones_like(c), 1.0
    if np.isfinite(contrast):
        by_share = features.step_alignment(contrast, part["share"])
        law = float(features.mean_step_alignment(contrast, case["inputs"]))
    mine = by_share[: case["runs"]]
    if contrast > 1.0:
        rows = [features.alignment(part["features"], w, rank)[0] for w in part["weights"]]
        mine = np.array(rows)
    error = np.hypot(np.std(c, ddof=1) / np.sqrt(c.size), _EXACT)
    off = np.concatenate([c - by_share, c[: case["runs"]] - mine])
    return mine, off, float((np.mean(c) - law) / error)


def _low_rank(case: Case, alignment: Array) -> Array:
    """T6 at time 0 and at all times, (measures, ..., times)."""
    d, times = case["inputs"], [0, *case["times"]]
    c = alignment[..., None]
    return np.stack(low_rank.measures(d // 2, d, alignment=c, norm=case["norm"], t=times))


def _law(case: Case) -> Array:
    """Mean and sd of T6 over w: the share of w in one half of F is Beta(inputs/4, inputs/4)."""
    contrast, power = _contrast(case["anisotropy"]), case["inputs"] / 4 - 1.0
    nodes, weights = roots_jacobi(_NODES, power, power)
    c = np.ones(_NODES)
    if np.isfinite(contrast):
        c = features.step_alignment(contrast, 0.5 * (1.0 + nodes))
    values = _low_rank(case, c)[..., 1:]
    weights = weights / np.sum(weights)
    mean = np.einsum("i,mit->mt", weights, values)
    variance = np.einsum("i,mit->mt", weights, (values - mean[:, None]) ** 2)
    return np.stack([mean, np.sqrt(variance)])


def _rows(
    pairs: Sequence[tuple[Case, Arrays]], seen: Comparison, mean: Array, z: Array | None
) -> list[dict[str, Any]]:
    rows = []
    for place_of in np.ndindex(mean.shape):
        i, j, k, l = place_of
        case, arrays = pairs[j * mean.shape[2] + k]
        real = case["part"] == "digits"
        cell = Comparison(
            *(part[..., i, j, k, :, l] for part in (seen.plain, seen.theory, seen.scale))
        )
        twice, errors = cell.twice, cell.errors(0)
        rows.append(
            {
                "part": case["part"],
                "measure": Measures._fields[i],
                "norm": case["norm"],
                "anisotropy": "" if real else case["anisotropy"],
                "start": ("random", "aligned")[case["aligned"]] if real else "truncated F",
                "rank": case["rank"] if real else case["inputs"] // 2,
                "alignment": "" if real else float(np.mean(arrays["alignment"])),
                "time": case["times"][l],
                "eta": float(arrays["eta"]),
                "theory_mean": float(mean[place_of]),
                "descent_mean": float(np.mean(twice)),
                "descent_sd": float(np.std(twice, ddof=1)),
                "z": "" if z is None else float(z[place_of]),
            }
            | {name: float(error) for name, error in errors.items()}
        )
    return rows


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    rows, checks = compare(grid, cases, found)
    settings = asdict(grid) | {
        "generator": "numpy default_rng([seed, 0, index of the anisotropy, index of the norm]), "
        "on digits [seed, 1, rank, aligned, index of the norm]"
    }
    return Result(rows, checks, draw(grid, rows), settings, findings(grid, rows))


STUDY = Study(
    name="features",
    question=(
        "Does the alignment of a start with the truncated feature matrix of its task, and with it "
        "how lazily descent learns, follow the anisotropy of the features as T10 and T6 say? And "
        "does descent on real data, the digits, whose inputs are not white, follow the flow (T11) "
        "from starts of several ranks, random and aligned?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
