"""Scale (T6, T7, T8, T9): flat starts from rich to lazy, and where rank and laziness part.

White inputs, silent readout. Norms over the root of the strength go over three decades; every run f
is made with three steps and extrapolated to none, f2 (`steps`). Random tasks of many inputs are
trained in the few directions that ever move (`simulation.thin`). The checks:

- runs: every run on a random task is T6 at its own alignment; distances are relative, those of the
  loss and of RA to their start;
- order: the rms distance of f from T6 over runs and times shrinks like the step, for every measure,
  norm, strength and rank where it is above 1e-12 (a lazy rank 1 has RA to rounding);
- means: z = (mean of f2 over tasks - mean of T7) / standard error, which is T7's sd/sqrt(runs) and
  the 1e-6 that the steps may leave, added in quadrature;
- rich means: at the end, at the least norm, the mean of KA within 4 standard errors (to 1e-5) of
  T8's mean with its first correction in the norm;
- limit: runs of given alignments at their end are T6 at t = infinity to 1e-5;
- rich order, corrected order: they leave T8 like the square of the norm, and T8 with its first
  correction like the fourth power: fitted order 2 +- 0.1 and 4 +- 0.2, RA and KA;
- lazy order: between the two largest s they leave T9 with x = |beta|/s^2 like x^2, KA, RA and
  |dW|/s; where aligned (c = 1) like x^4, and |dW|/s like x: fitted order to 0.2, as the next order
  is x^2 of these, times a few;
- thin: the same descent, whole and thin, to 1e-9;
- thin means: the means over tasks at the ranks where T9 turns, as above; of two outputs, whose runs
  have larger steps and e^-8 of their slowest approach before them, to 1e-4;
- signs: every difference between two ranks has the sign that T9 says, with at least 5 standard
  errors: E KA and E RA up to where they turn (`boundaries`) from a rank 1.5 times lower and from
  there to one 1.5 times higher, so that each turn lies between these two, and in the stretches
  beyond; E KA growing outside the window; two outputs of unequal strength lazier at the rank that
  `laziest` gives than at 1.5 times less or more and at full rank, but not that rank at half the
  least norm at which any is; and rank 1 lazier than full rank early in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from richlazy import boundaries, laziest, limits, low_rank, several_outputs
from richlazy.laziness import Measures
from validation.comparison import Comparison, scale_of
from validation.scale.report import draw, findings
from validation.scale.runs import FULL, QUICK, Grid, cases, simulate
from validation.steps import LEFT, extrapolated, orders, place
from validation.study import Arrays, Case, Check, Result, Study, grid_of, selected, worst_of

__all__ = ["STUDY", "Difference", "compare", "conclude"]

Array = NDArray[np.float64]

#: Measures of runs, (measures, runs), by norm.
Ends: TypeAlias = dict[float, Array]

_GIVEN = ("rich", "lazy", "aligned")  # parts with given alignments
_ROUNDING = 1e-12  # distances that no order is fitted to
_COARSE = 1e-4  # the same of runs of two outputs
_SIGNIFICANT = 5.0  # standard errors
_KA, _RA = place("kernel_alignment"), place("representation_alignment")
_ALIGNMENTS = [_RA, _KA]


class Difference(NamedTuple):
    """Two ranks of one group: mean of a measure at `high` less that at `low`."""

    group: str
    inputs: int
    norm: float
    measure: str
    low: int
    high: int
    predicted: float  #: 1 or -1 as the theory says
    found: float
    error: float

    @property
    def z(self) -> float:
        """Standard score, positive if the sign is the predicted one."""
        return float(np.sign(self.predicted) * self.found / self.error)


def _rows(part: str, case: Case, law: Array, sd: Array, mean: Array, error: Array) -> list[Any]:
    """One for each measure and time; (measures, times)."""
    times = case["times"] if "times" in case else [case["time"] if _early(case) else np.inf]
    return [
        {
            "part": part,
            "inputs": case["inputs"],
            "norm": case["norm"],
            "strength": case.get("strength", 1.0),
            "second_strength": case.get("strengths", [1.0])[-1] if _outputs(case) > 1 else 0.0,
            "rank": case["rank"],
            "measure": Measures._fields[i],
            "time": float(times[k]),
            "theory": float(law[i, k]),
            "theory_sd": float(sd[i, k]),
            "descent": float(mean[i, k]),
            "standard_error": float(error[i, k]),
        }
        for i, k in np.ndindex(law.shape)
        if i in _known(case)
    ]


def _early(case: Case) -> bool:
    return case.get("group") == "early"


def _outputs(case: Case) -> int:
    return len(case.get("strengths", [1.0]))


def _known(case: Case) -> list[int]:
    """Places of the measures whose mean has a closed form."""
    fields = Measures if _outputs(case) == 1 else several_outputs.Converged
    return [place(name) for name in fields._fields]


def _thin_law(case: Case) -> tuple[Array, Array]:
    """Mean and sd over random tasks, (measures,), NaN but for what is `_known`."""
    d, rank, norm, strengths = (case[name] for name in ("inputs", "rank", "norm", "strengths"))
    if len(strengths) == 1:
        t = case["time"] if _early(case) else np.inf
        law = low_rank.expected(rank, d, norm=norm, t=t)
        return np.stack(law.mean), np.stack(law.sd)
    found = several_outputs.expected(rank, d, strengths=strengths, norm=norm)
    both = np.full((2, len(Measures._fields)), np.nan)
    for values, part in zip(both, found, strict=True):
        for name, value in part._asdict().items():
            values[place(name)] = value
    return both[0], both[1]


def _random_tasks(pairs: Sequence[tuple[Case, Arrays]]) -> tuple[list[Any], dict[str, list[Any]]]:
    """Rows, and what is checked, of runs from rich to lazy."""
    rows, runs, fits, scores, rich = [], [], [], [], []
    least = min(case["norm"] for case, _ in pairs)
    for case, part in pairs:
        g, c = case["strength"], part["alignment"]
        given = {"norm": case["norm"], "strength": g}
        d, rank, n = case["inputs"], case["rank"], len(c)
        times = {"t": case["times"]}
        theory = np.stack(low_rank.measures(rank, d, alignment=c[:, None], **given, **times))
        law = low_rank.expected(rank, d, **given, **times)
        mean, sd = np.stack(law.mean), np.stack(law.sd)
        seen = Comparison(part["values"], theory, scale_of(theory, 0.5 * g**2))
        above = np.sqrt(np.mean(seen.off[-1] ** 2, axis=(1, 2))) > _ROUNDING
        fits.append(orders(seen.off[:, above], (2, 3)) - 1.0)
        runs.append(seen.left)
        error = np.hypot(sd / np.sqrt(n), LEFT * np.mean(seen.scale, axis=1))
        scores.append((np.mean(seen.twice, axis=1) - mean) / error)
        rows += _rows("scales", case, mean, sd, np.mean(seen.twice, axis=1), error)
        if case["norm"] == least:
            s, share = np.full(rank, case["norm"] / np.sqrt(rank)), np.full(rank, 1.0 / d)
            correction = limits.rich_correction(s, share, d, strength=g).kernel_alignment
            limit = float(limits.rich_limit_mean(rank, d)) * (1.0 + correction)
            wide = np.hypot(sd[_KA, -1] / np.sqrt(n), 1e-5)
            rich.append((np.mean(seen.twice[_KA, :, -1]) - limit) / wide)
    return rows, {"runs": runs, "order": fits, "means": scores, "rich means": rich}


def _of_given(case: Case) -> Array:
    """T6 at infinity, (measures, runs)."""
    given = {"alignment": np.array(case["alignments"]), "norm": case["norm"]}
    return np.stack(low_rank.measures(case["rank"], case["inputs"], **given))


def _grouped(cases: Sequence[Case], ends: Sequence[Array]) -> dict[tuple[str, int], Ends]:
    """Measures at the end, (measures, runs), of cases with given alignments."""
    found: dict[tuple[str, int], Ends] = {}
    for case, end in zip(cases, ends, strict=True):
        found.setdefault((case["part"], case["rank"]), {})[case["norm"]] = end
    return found


def _departures(
    grid: Grid, ends: dict[tuple[str, int], Ends]
) -> dict[tuple[str, int], tuple[Array, Array]]:
    """By part and rank: norms (or squares), and relative distances (names, norms, runs).

    rich: RA, KA from T8; corrected: from it with the first correction; lazy and aligned: KA, |dW|/s
    and RA (but of rank 1, which never leaves T9) from T9.
    """
    found = {}
    for (part, rank), runs in ends.items():
        norms = np.array(sorted(runs, reverse=part == "rich"))
        values = np.stack([runs[norm] for norm in norms], axis=1)  # (measures, norms, runs)
        if part == "rich":
            c, d = np.array(grid.rich_shares), grid.inputs
            limit = np.stack(
                [
                    limits.representation_rich_limit(rank, c / rank),
                    limits.rich_limit(rank, c / rank, d),
                ]
            )[:, None]
            correction = np.array(
                [
                    [
                        limits.rich_correction(_flat_s(rank, n), np.full(rank, x / rank), d)
                        for x in c
                    ]
                    for n in norms
                ]
            )  # (norms, runs, 2)
            relative = values[_ALIGNMENTS] / limit - 1.0
            found["rich", rank] = norms, relative
            found["corrected", rank] = norms, relative - np.moveaxis(correction, 2, 0)
        else:
            c = np.array(grid.lazy_shares if part == "lazy" else [1.0])
            near, change = low_rank.lazy_limit(rank, c)
            s = norms[:, None] / np.sqrt(rank)
            away = [values[_KA] - near, values[place("weight_change")] / s - change]
            if rank > 1:
                away.append(values[_RA] - near)
            found[part, rank] = s[:, 0] ** 2, np.stack(away)
    return found


def _flat_s(rank: int, norm: float) -> Array:
    return np.full(rank, norm / np.sqrt(rank))


def _fitted(found: dict[tuple[str, int], tuple[Array, Array]], part: str) -> list[Array]:
    """Order in the norm (rich) or in x (lazy), (names) for each rank; names KA, dW, RA if lazy."""
    fits = []
    for (name, _), (x, away) in found.items():
        if name == part:
            rms = np.sqrt(np.mean(away**2, axis=2))
            # towards the lazy limit the last two, as long runs cannot go far
            start = 0 if part in ("rich", "corrected") else -2
            fit = np.log(rms[:, start] / rms[:, -1]) / np.abs(np.log(x[start] / x[-1]))
            wanted = {"rich": 2.0, "corrected": 4.0, "lazy": 2.0, "aligned": 4.0}[part]
            fit = fit - wanted
            if part == "aligned":
                fit[1] += 3.0  # |dW|/s is x itself
            fits.append(fit)
    return fits


def _turns(pairs: Sequence[tuple[Case, Arrays]]) -> tuple[list[Any], list[Array], list[Difference]]:
    """Rows, scores of means, and differences of thin runs."""
    rows, scores = [], []
    means: dict[tuple[str, int, float], dict[int, Any]] = {}
    for case, part in pairs:
        twice = extrapolated(part["values"])[1]
        law, sd = _thin_law(case)
        left = _COARSE if _outputs(case) > 1 else LEFT
        error = np.hypot(sd / np.sqrt(twice.shape[1]), left * scale_of(law))
        mean = np.mean(twice, axis=1)
        score = (mean - law) / error
        scores.append(score[_known(case)])
        columns = [values[:, None] for values in (law, sd, mean, error)]
        rows += _rows(case["group"], case, *columns)
        key = case["group"], case["inputs"], case["norm"]
        means.setdefault(key, {})[case["rank"]] = case, mean, error
    return rows, scores, [d for by in means.values() for d in _differences(by)]


def _differences(means: dict[int, tuple[Case, Array, Array]]) -> list[Difference]:
    """Of the ranks of one group, inputs and norm."""
    ranks = sorted(means)
    case = means[ranks[0]][0]
    if case["group"] == "unequal":
        *lower, d = ranks  # the laziest, or it between two others
        pairs = [*pairwise(lower), (lower[len(lower) // 2], d)]
        wanted = [("kernel_alignment", a, b) for a, b in pairs]
    else:
        ladders = case.get("ladders", {"kernel_alignment": ranks})
        wanted = [(name, a, b) for name, ladder in ladders.items() for a, b in pairwise(ladder)]
    found = []
    for name, a, b in wanted:
        k = place(name)
        (_, mean_a, error_a), (_, mean_b, error_b) = means[a], means[b]
        numbers = _sign(case, name, a, b), mean_b[k] - mean_a[k], np.hypot(error_a[k], error_b[k])
        given = case["group"], case["inputs"], case["norm"], name, a, b
        found.append(Difference(*given, *(float(x) for x in numbers)))
    return found


def _sign(case: Case, measure: str, low: int, high: int) -> float:
    """What T9 says of the sign of a difference, NaN where it contradicts itself."""
    d, norm, strengths = case["inputs"], case["norm"], case["strengths"]
    middle = np.sqrt(low * high)  # turns lie at the ends of a stretch, so its slope has one sign
    if case["group"] == "early":
        return -1.0
    if case["group"] == "unequal":
        if high < d:
            best = laziest.rank(d, strengths=strengths, norm=norm).rank
            return 1.0 if middle < best else -1.0
        window = laziest.window(d, strengths=strengths)
        inside = window is not None and window.lowest_norm < norm < window.highest_norm
        return -1.0 if inside else 1.0
    if measure == "kernel_alignment":
        turns: tuple[float, ...] = boundaries.turning_ranks(d, norm=norm).kernel_alignment
    else:
        turns = (boundaries.peak_rank(d, norm=norm),)
    sign = (-1.0) ** sum(turn < middle for turn in turns)
    slope = np.sign(getattr(boundaries.slope(middle, d, norm=norm), measure))
    return sign if slope == sign else np.nan


def compare(
    grid: Grid, cases: Sequence[Case], found: Sequence[Arrays]
) -> tuple[list[Any], list[Check], list[Difference], dict[tuple[str, int], tuple[Array, Array]]]:
    """Rows of the table, the checks that make the verdict, and what is drawn and said."""
    rows, tested = _random_tasks(selected(cases, found, part="scales"))
    pairs = [p for part in _GIVEN for p in selected(cases, found, part=part)]
    given, ends = [c for c, _ in pairs], [extrapolated(f["values"])[1][..., 0] for _, f in pairs]
    theory = [_of_given(case) for case in given]
    at_end = [(e - t) / scale_of(t) for e, t in zip(ends, theory, strict=True)]
    away = _departures(grid, _grouped(given, ends))
    more, thin_scores, differences = _turns(selected(cases, found, part="thin"))
    whole = [f["values"] - f["whole"] for _, f in selected(cases, found, part="plain")]
    z = np.array([difference.z for difference in differences])
    lazy = _fitted(away, "lazy") + _fitted(away, "aligned")
    tests = [
        ("runs", "distance of a run from T6, steps extrapolated to 0", tested["runs"], LEFT),
        ("order", "|order - 1| of the distance from T6 in the step", tested["order"], 0.05),
        ("means", "|z| of a mean over tasks against T7", tested["means"], 4.0),
        ("rich means", "|z| of E KA at the least norm against T8", tested["rich means"], 4.0),
        ("limit", "distance of a run at its end from T6 at t = inf", at_end, 1e-5),
        ("rich order", "|order - 2| in the norm of leaving T8", _fitted(away, "rich"), 0.1),
        ("corrected order", "|order - 4| with its correction", _fitted(away, "corrected"), 0.2),
        ("lazy order", "|order - that of T9| in 1/s^2 of leaving it", lazy, 0.2),
        ("thin", "distance of thin descent from the whole", whole, 1e-9),
        ("thin means", "|z| of a mean over tasks of thin descent", thin_scores, 4.0),
        (
            "signs",
            "5 standard errors over the difference of two ranks, signed as T9 says",
            np.where(z > 0, _SIGNIFICANT / np.where(z > 0, z, 1.0), np.inf),
            1.0,
        ),
    ]
    return rows + more, [worst_of(*test) for test in tests], differences, away


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0]["grid"])
    rows, checks, differences, away = compare(grid, cases, found)
    settings = asdict(grid) | {"generator": "numpy default_rng([seed, index of the case])"}
    given = [case for case in cases if case["part"] in _GIVEN]
    theory = _departures(grid, _grouped(given, [_of_given(case) for case in given]))
    figure = draw(rows, away, theory)
    return Result(rows, checks, figure, settings, findings(rows, differences, away))


STUDY = Study(
    name="scale",
    question=(
        "Do flat starts go from the rich limit (T8) to the lazy one (T9) with scale as T6 and T7 "
        "say, leaving both at the order that is predicted; and does gradient descent show where a "
        "higher rank is not lazier: between two ranks that T9 names, for outputs of unequal "
        "strength, and early in training?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
