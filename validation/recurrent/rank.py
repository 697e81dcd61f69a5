"""What rank does to flat recurrent starts on average: where W moves least, and who is the laziest.

Means over random tasks, one channel and output of norm 1, by the typical start (T20) and by drawn
networks, which are followed by the exact reduction (T18). Three kinds of cases:

- curve: E ||dW|| of drawn networks against rank, and of the typical start on the same tasks: their
  ratio against `recurrent_limits.scatter`, a fit, and the least against `recurrent.turn`;
- order: the fourth power of the task in 1 - E KA and 1 - E RA, `recurrent_limits.second_mean`, a
  polynomial of second degree in N/PR - 1: its coefficients;
- laziest: E KA of typical starts at several N/PR, less that at full rank, on the same tasks.

The checks:

- scatter: in its domain, what the ratio is off by beyond the share that the docstring of `scatter`
  allows (7, 4, 3 and 2 % at ranks 1, 2, 3 and above), over the standard error;
- least: W of the networks moves at the rank that `turn` says no more than at the least of the ranks
  drawn, by the standard error of the difference;
- coefficients: none is negative, over the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from richlazy import recurrent as rnn
from richlazy import recurrent_limits
from richlazy.recurrent.averages import sampling, trees
from richlazy.recurrent.averages.question import Question, asked
from richlazy.start import spectrum
from validation.study import Arrays, Case, Result, Study, grid_of, selected, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Grid", "cases", "simulate"]

Array = NDArray[np.float64]

_SHARES = ((1, 0.07), (2, 0.04), (3, 0.03), (4, 0.02))  # by rank, that `scatter` may be off by


@dataclass(frozen=True)
class Grid:
    """What is run."""

    #: (units, steps, gain, strength) of the curves against rank
    curves: tuple[tuple[int, int, float, float], ...] = (
        (100, 3, 0.5, 1.0),
        (100, 4, 0.7, 3.0),
        (200, 5, 0.6, 1.0),
    )
    ranks: tuple[int, ...] = (1, 2, 3, 4, 6, 12)
    draws: int = 40  #: networks of each rank, each on a task of its own; every rank has the same
    order_steps: tuple[int, ...] = (2, 3, 4, 5, 6, 7)
    order_gains: tuple[float, ...] = (0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.5, 5.0)
    #: norms of U and V
    order_ends: tuple[tuple[float, float], ...] = (
        (1.0, 1.0), (0.3, 0.3), (3.0, 3.0), (0.1, 0.1),
        (1.0, 0.1), (3.0, 0.3), (1.0, 0.5), (2.0, 0.1),
    )  # fmt: skip
    gains: tuple[float, ...] = (0.3, 0.7, 1.5)
    strengths: tuple[float, ...] = (0.3, 3.0)
    steps: tuple[int, ...] = (3, 5)
    concentrations: tuple[float, ...] = (1.0, 1.5, 4.0, 12.0)  #: N/PR
    tasks: int = 24


FULL = Grid()
QUICK = Grid(
    curves=((60, 3, 0.6, 1.0),),
    ranks=(1, 2, 3, 6),
    draws=30,
    order_steps=(2, 3),
    order_gains=(0.3, 1.5),
    order_ends=((1.0, 1.0), (1.0, 0.1)),
    gains=(0.3, 0.7),
    strengths=(0.3,),
    steps=(3,),
    concentrations=(1.0, 4.0),
    tasks=8,
)


def cases(grid: Grid, seed: int) -> list[Case]:
    """One for each curve, for all orders of one number of steps, and for each typical start."""
    found: list[Case] = [{"kind": "curve", "index": i} for i in range(len(grid.curves))]
    found += [{"kind": "order", "lags": steps} for steps in grid.order_steps]
    found += [
        {"kind": "laziest", "lags": steps, "gain": gain, "strength": strength}
        for steps in grid.steps
        for gain in grid.gains
        for strength in grid.strengths
    ]
    return [asdict(grid) | {"seed": seed} | case for case in found]


def simulate(case: Case) -> Arrays:
    """What one case measures."""
    return {"curve": _curve, "order": _order, "laziest": _laziest}[case["kind"]](case)


def _curve(case: Case) -> Arrays:
    """||dW|| (2, ranks, draws) of drawn networks and the typical start, and the least of `turn`."""
    units, steps, gain, strength = case["curves"][case["index"]]
    each = []
    for rank in case["ranks"]:
        values = spectrum.flat(rank, gain * np.sqrt(units))
        seed = [case["seed"], 5, case["index"]]
        question = _question(values, units, steps, strength, case["draws"], seed)
        tasks = question.draw_tasks(0)
        nets = (sampling.drawn(question) for _ in tasks)
        found = sampling.learned(nets, tasks, question.time)[0], _typical(question, tasks)
        each.append([x.weight_change_recurrent for x in found])
    turn = rnn.turn(units, steps, gain=gain, strength=strength, tasks=case["draws"])
    return {"change": np.moveaxis(np.array(each), 0, 1), "least": np.array(turn.least)}


def _question(
    values: Array, units: int, steps: int, strength: float, tasks: int, seed: Sequence[int]
) -> Question:
    rng = np.random.default_rng(seed)
    return asked(values, steps, 1, 1, units, strength, 1.0, 1.0, np.inf, tasks, rng)


def _typical(question: Question, tasks: Sequence[rnn.Task]) -> Any:
    return trees.learned(question, *question.spectrum, tasks)[1]


def _order(case: Case) -> Arrays:
    """Coefficients (settings, gaps, 3) of 1, N/PR - 1 and its square."""
    found = []
    for gain in case["order_gains"]:
        for ends in case["order_ends"]:
            gaps = []
            for nu in (1.0, 2.0, 3.0):
                mean = recurrent_limits.second_mean(
                    case["lags"],
                    gain=gain,
                    concentration=nu,
                    input_norm=ends[0],
                    readout_norm=ends[1],
                )
                gaps.append([mean.representation_gap, mean.kernel_gap])
            one, two, three = np.array(gaps)
            square = 0.5 * (three - 2.0 * two + one)
            found.append(np.stack([one, two - one - square, square], axis=-1))
    return {"coefficients": np.array(found)}


def _laziest(case: Case) -> Arrays:
    """KA (concentrations, tasks)."""
    units, each = 240, []
    for nu in case["concentrations"]:
        values = spectrum.flat(round(units / nu), case["gain"] * np.sqrt(units))
        seed = [case["seed"], 6, case["lags"]]
        strength, count = case["strength"], case["tasks"]
        question = _question(values, units, case["lags"], strength, count, seed)
        each.append(_typical(question, question.draw_tasks(0)).kernel_alignment)
    return {"kernel_alignment": np.array(each)}


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    grid = grid_of(Grid, cases[0])
    curves = [Curve(case, part) for case, part in selected(cases, found, kind="curve")]
    orders = [part["coefficients"] for _, part in selected(cases, found, kind="order")]
    laziest = selected(cases, found, kind="laziest")
    smallest = [np.minimum(x / np.abs(x).max(axis=-1, keepdims=True), 0.0) for x in orders]
    checks = [
        worst_of("scatter", "ratio beyond the stated share of `scatter`, over its standard error",
                 [one.beyond for one in curves], 4.0),
        worst_of("least", "E ||dW|| at the rank of `turn` above the least, over its standard error",
                 [one.above for one in curves], 4.0),
        worst_of("coefficients", "of 1, N/PR - 1 and its square below 0, over the largest",
                 smallest, 1e-12),
    ]  # fmt: skip
    rows = [row for one in curves for row in one.rows()]
    rows += [row for case, part in laziest for row in _rows_of_laziest(case, part)]
    said = [one.words() for one in curves] + [_of_orders(orders), _of_laziest(laziest)]
    return Result(rows, checks, _draw(curves, laziest), asdict(grid), said)


class Curve:
    """E ||dW|| against rank: of drawn networks, of the typical start, and what is said of both."""

    def __init__(self, case: Case, part: Arrays) -> None:
        self.units, self.steps, self.gain, self.strength = case["curves"][case["index"]]
        self.ranks = np.array(case["ranks"])
        self.drawn, typical = part["change"]
        self.typical, count = typical.mean(axis=1), typical.shape[1]
        self.mean = self.drawn.mean(axis=1)
        # of the ratio, as both are on the same tasks
        off = self.drawn / self.typical[:, None]
        off -= (self.mean / self.typical)[:, None] * typical / self.typical[:, None]
        self.error = off.std(axis=1, ddof=1) / np.sqrt(count)
        self.scatter = recurrent_limits.scatter(self.ranks, steps=self.steps, gain=self.gain)
        self.least = int(part["least"])

    @property
    def held(self) -> NDArray[np.bool_]:
        """Ranks that the fit speaks of: N/r of 10 to 100, and as many lags as the task has."""
        lags = np.array([recurrent_limits.lags(int(r)) for r in self.ranks])
        share = self.units / self.ranks
        return (lags >= self.steps) & (share >= 10.0) & (share <= 100.0)

    @property
    def beyond(self) -> Array:
        """What the ratio is off by beyond the share that is stated."""
        share = np.interp(self.ranks, *zip(*_SHARES, strict=True))
        off = np.abs(self.mean / self.typical - self.scatter) - share * self.scatter
        return np.maximum(off, 0.0)[self.held] / self.error[self.held]

    @property
    def above(self) -> Array:
        """How far W moves more at the rank of `turn`, if it was drawn, than at the least of all."""
        where = np.abs(self.ranks - self.least).argmin()
        off = self.drawn[where] - self.drawn[self.mean.argmin()]
        error = off.std(ddof=1) / np.sqrt(off.size)
        return np.array([off.mean() / error if error else 0.0])

    def rows(self) -> list[dict[str, Any]]:
        """One for each rank."""
        name = f"N = {self.units}, gain {self.gain:g}, ||S|| = {self.strength:g}"
        return [
            {"kind": "curve", "cell": name, "steps": self.steps, "rank or N/PR": int(rank)}
            | {"drawn": float(self.mean[i]), "typical": float(self.typical[i])}
            | {"scatter": float(self.scatter[i]), "standard_error": float(self.error[i])}
            for i, rank in enumerate(self.ranks)
        ]

    def words(self) -> str:
        """The ratio at every rank, and the least."""
        ratio = self.mean / self.typical
        each = ", ".join(
            f"{r}: {x:.2f} ± {e:.2f} ({said:.2f})"
            for r, x, e, said in zip(self.ranks, ratio, self.error, self.scatter, strict=True)
        )
        return (
            f"N = {self.units}, {self.steps} steps, gain {self.gain:g}, ||S|| = {self.strength:g}: "
            f"E ‖ΔW‖ over that of the typical start, and in brackets `scatter`, by rank: {each}; "
            f"least of those drawn at rank {self.ranks[self.mean.argmin()]}, by `turn` at "
            f"{self.least}"
        )


def _gaps(part: Arrays) -> tuple[Array, Array]:
    """E KA less that of full rank at the other concentrations, and its standard error."""
    ka = part["kernel_alignment"]
    off = ka[1:] - ka[0]
    return off.mean(axis=1), off.std(axis=1, ddof=1) / np.sqrt(off.shape[1])


def _rows_of_laziest(case: Case, part: Arrays) -> list[dict[str, Any]]:
    name = f"gain {case['gain']:g}, ||S|| = {case['strength']:g}"
    gaps, errors = _gaps(part)
    return [
        {"kind": "laziest", "cell": name, "steps": case["lags"], "rank or N/PR": nu, "drawn": ""}
        | {"typical": float(gap), "scatter": "", "standard_error": float(error)}
        for nu, gap, error in zip(case["concentrations"][1:], gaps, errors, strict=True)
    ]


def _of_orders(orders: Sequence[Array]) -> str:
    return (
        f"fourth power of the task: no coefficient of 1 - E KA or 1 - E RA in N/PR - 1 is negative "
        f"in {sum(len(x) for x in orders)} settings of steps, gain and norms of U and V"
    )


def _of_laziest(laziest: Sequence[tuple[Case, Arrays]]) -> str:
    larger = []
    for case, part in laziest:
        gaps, errors = _gaps(part)
        if gaps.max() > 0:
            i = int(gaps.argmax())
            larger.append((gaps[i], errors[i], case["concentrations"][1 + i], case))
    said = f"full rank has not the largest E KA in {len(larger)} of {len(laziest)} settings"
    if not larger:
        return said
    gap, error, nu, case = max(larger, key=lambda one: one[0])
    gains = sorted({one[3]["gain"] for one in larger})
    return (
        f"{said} (gains {', '.join(f'{g:g}' for g in gains)}); the largest gap is {gap:.4f} ± "
        f"{error:.4f} at N/PR = {nu:g}, {case['lags']} steps, gain {case['gain']:g}, ||S|| = "
        f"{case['strength']:g}"
    )


def _draw(curves: Sequence[Curve], laziest: Sequence[tuple[Case, Arrays]]) -> Figure:
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, one in enumerate(curves):
        label = f"N = {one.units}, T = {one.steps}, g = {one.gain:g}, ‖S‖ = {one.strength:g}"
        left.errorbar(one.ranks, one.mean / one.typical, one.error, fmt="o", ms=3.5, color=f"C{i}",
                      label=label)  # fmt: skip
        fine = np.geomspace(1, one.ranks[-1], 60)
        said = recurrent_limits.scatter(fine, steps=one.steps, gain=one.gain)
        left.plot(fine, said, color=f"C{i}", lw=1.0)
    left.set_xscale("log")
    left.set_xlabel("rank (line: the fit)")
    left.set_ylabel("E ‖ΔW‖ over that of the typical start")
    left.legend(frameon=False, fontsize=7)
    for case, part in laziest:
        index = list(case["gains"]).index(case["gain"])
        gaps, errors = _gaps(part)
        right.errorbar(case["concentrations"][1:], gaps, errors, fmt="o-", lw=0.7, ms=2.5,
                       color=f"C{index}")  # fmt: skip
    for index, gain in enumerate(laziest[0][0]["gains"]):
        right.plot([], [], "o-", color=f"C{index}", label=f"gain {gain:g}")
    right.axhline(0.0, color="0.6", lw=0.7)
    right.set_xscale("log")
    right.set_xlabel("N/PR")
    right.set_ylabel("E KA less that of full rank")
    right.legend(frameon=False, fontsize=7)
    return figure


STUDY = Study(
    name="recurrent-rank",
    question=(
        "On average over random tasks, at which rank does the recurrent matrix of a linear network "
        "move least, and is full rank the laziest?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
)
