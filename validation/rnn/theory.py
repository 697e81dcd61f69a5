"""Does the linear recurrent theory (T16, T18) say how nonlinear recurrent networks learn?

The trained networks are those of `rnn-rank`, `rnn-turn` and `rnn-structure`: their runs are read
from the folder beside this study's, and made where they are not there. What the theory is asked,
of the W_h that every network started from:

- random: the mean over draws of input and readout directions and random tasks of 5 steps;
- own: the network's W_x, W_o and task, `recurrent.Task.from_data` of its trials to their decision
  and the right choice there, over the channels that the conditions use, the mean output left out,
  at the time that training takes;

each at several times the gain of W_h. A rectified unit passes half of what it gets, so one half is
what one would guess; "fitted" is the factor whose random tasks order the KA of another task of the
study best. Beside them what is known without it: E KA of the theory of a first layer (T15), at norm
1 and at the norm of W_h; participation ratio, stable rank, spectral radius and gain.

- means: Spearman's rho, over starts, of the means over seeds;
- seeds: the mean over seeds of rho seed by seed, its interval a bootstrap over seeds;
- ceiling: what the networks themselves say, the mean of half of the seeds of that of the other
  half (means), all other seeds of one (seeds);
- error: mean absolute difference of the means over seeds.

The checks are of the theory: of one start of every case the flow by `recurrent.solve` and another
at a hundredth of its tolerance agree, and few starts have no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from richlazy import recurrent as rnn
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.recurrent.averages.sampling import learned
from validation.rnn import PACKAGES, rank, structure, turn
from validation.rnn.experiment import load_task, made
from validation.rnn.experiment import simulate as trained
from validation.rnn.statistics import Interval, bootstrap, mean
from validation.rnn.summary import grouped
from validation.rnn.tasks import Task
from validation.statistics import correlation
from validation.store import finished
from validation.study import Arrays, Case, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Question", "cases", "own_task", "simulate"]

Array = NDArray[np.float64]

SOURCES = {"rnn-rank": rank.STUDY, "rnn-turn": turn.STUDY, "rnn-structure": structure.STUDY}
#: Where the runs of `SOURCES` are.
RUNS = Path("validation-results")
#: What the networks measure, and what the theory calls it.
MEASURES = {
    "kernel_alignment": "kernel_alignment",
    "representation_alignment": "representation_alignment",
    "weight_change": "weight_change_recurrent",
}
NAMES = {"kernel_alignment": "KA", "representation_alignment": "RA", "weight_change": "‖ΔW_h‖"}
#: What is known of a start without the recurrent theory, and under what name it is kept.
_KNOWN = {
    "participation ratio": "participation_before",
    "stable rank": "stable_before",
    "spectral radius": "radius",
}
_FIRST_LAYER = ("kernel_alignment", "representation_alignment", "weight_change_input")
_STEPS = 5
_TRIALS = 4096
_USED = 1e-6  # of the largest singular value of all conditions: channels that they use
_RESPONSES = 200  # of a task of its own, beyond which a flow takes minutes
_SPLITS = 200


@dataclass(frozen=True)
class Question:
    """What the theory is asked."""

    sources: tuple[str, ...] = tuple(SOURCES)
    most_seeds: int = 10
    draws: int = 6  #: of directions and random tasks
    factors: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)  #: times the gain, with random tasks
    own: tuple[float, ...] = (0.5, 1.0)  #: with the task's own
    own_seeds: int = 4


FULL = Question()
QUICK = Question(sources=("rnn-structure",), draws=2, factors=(0.5, 1.0), own=(0.5,), own_seeds=1)


def cases(quick: bool, seed: int) -> list[Case]:
    """One for each case of the sources: all starts of one task and seed."""
    question = QUICK if quick else FULL
    return [
        asdict(question) | {"seed": seed, "source": source, "network": dict(network)}
        for source in question.sources
        for network in SOURCES[source].cases(quick, seed)
        if network["index"] < question.most_seeds
    ]


def starts_of(case: Case) -> dict[str, int]:
    """The starts that are asked about, with their places; those that burst are told of elsewhere.

    Nor are those made for the task among them, of which singular values do not tell.
    """
    left_out = (*structure.BURSTING, "input_output:1")
    names = enumerate(case["network"]["starts"])
    return {name: place for place, name in names if name not in left_out}


def simulate(case: Case) -> Arrays:
    """What the networks did, and what the theory says of the same starts."""
    network, places = case["network"], list(starts_of(case).values())
    found = finished(RUNS / case["source"], network)
    if found is None:
        found = trained(network)
    task = load_task(network["task"])
    every = made(network, task)
    begun = [every[place] for place in places]
    recurrent = [params["recurrent"].astype(float) for params in begun]
    kept = {name: found[name][places] for name in MEASURES}
    for name in _FIRST_LAYER:
        kept |= {key: found[key][places] for key in (f"theory_{name}", f"theory_{name}_kept")}
    kept |= {key: found[key][places] for key in ("participation_before", "stable_before")}
    kept["radius"] = np.array([np.abs(np.linalg.eigvals(w)).max() for w in recurrent])
    seed = [case["seed"], network["index"]]
    kept["random"] = np.array([[_random(f * w, case["draws"], seed) for w in recurrent]
                               for f in case["factors"]])  # fmt: skip
    asked = network["index"] < case["own_seeds"]
    own = own_task(task, np.random.default_rng([*seed, 1])) if asked else None
    end = network["steps"] * network["rate"] / (1.0 - network["momentum"])
    kept["own"] = np.array([[_own(f, params, own, end) for params in begun] for f in case["own"]])
    one = rnn.Network.random(case["factors"][0] * recurrent[0], rng=np.random.default_rng(seed))
    kept["gap"] = np.array(_gap(one, rnn.Task.random(_STEPS, rng=np.random.default_rng(seed))))
    return kept


def _random(w: Array, draws: int, seed: Sequence[int]) -> Array:
    """Means of the measures over draws, the same for every start; NaN without an answer."""
    nets, tasks = [], []
    for draw in range(draws):
        rng = np.random.default_rng([*seed, 2, draw])
        tasks.append(rnn.Task.random(_STEPS, rng=rng))
        nets.append(rnn.Network.random(w, rng=rng))
    try:
        found, _, _ = learned(nets, tasks, np.inf)
    except (AssumptionError, ConvergenceError):
        return np.full(len(MEASURES), np.nan)
    return np.array([np.mean(getattr(found, name)) for name in MEASURES.values()])


def _gap(net: rnn.Network, task: rnn.Task) -> float:
    """Distance of a draw by the flow of a stack from `solve`, over the measures."""
    stacked, _, _ = learned([net], [task], np.inf)
    alone = rnn.solve(net, task, "flow").measures(np.inf)
    pairs = [(getattr(stacked, name)[0], getattr(alone, name)) for name in MEASURES.values()]
    return float(max(abs(x - y) / max(abs(y), 1e-3) for x, y in pairs))


def own_task(
    task: Task, rng: np.random.Generator, trials: int = _TRIALS
) -> tuple[rnn.Task, Array, Array] | None:
    """The trials of a task as responses; channels used (channels, n), contrasts (m, outputs).

    None if it has too many responses.
    """
    steps = task.decision + 1
    _, sizes, rows = np.linalg.svd(
        task.inputs[:, :steps].reshape(-1, task.inputs.shape[2]).astype(float), full_matrices=False
    )
    used = rows[sizes > _USED * sizes[0]].T
    whole = np.eye(task.outputs) - 1.0 / task.outputs  # a softmax does not see the mean output
    contrasts = np.linalg.svd(whole)[0][:, : task.outputs - 1].T
    if steps * used.shape[1] * len(contrasts) > _RESPONSES:
        return None
    drawn = rng.integers(len(task.inputs), size=trials)
    noise = rng.standard_normal((trials, *task.noise[:steps].shape)) * task.noise[:steps]
    x = (task.inputs[drawn][:, :steps] + noise) @ used
    y = np.eye(task.outputs)[task.labels[drawn, task.decision]] @ contrasts.T
    return rnn.Task.from_data(x, y), used, contrasts


def _own(
    factor: float,
    params: dict[str, NDArray[Any]],
    own: tuple[rnn.Task, Array, Array] | None,
    end: float,
) -> Array:
    if own is None:
        return np.full(len(MEASURES), np.nan)
    task, used, contrasts = own
    u, w, v = (params[name].astype(float) for name in ("inputs", "recurrent", "readout"))
    net = rnn.Network(u @ used, factor * w, contrasts @ v)
    try:
        found, _, _ = learned([net], [task], end)
    except (AssumptionError, ConvergenceError):
        return np.full(len(MEASURES), np.nan)
    return np.array([getattr(found, name)[0] for name in MEASURES.values()])


class Told(NamedTuple):
    """How well a predictor tells one measure of the starts of one task apart."""

    source: str
    task: str
    measure: str
    by: str
    means: float
    seeds: Interval
    error: float


def told(question: Question, source: str, every: dict[str, dict[str, Array]]) -> list[Told]:
    """Every predictor of every measure on every task of a source."""
    found = []
    for (task, mine), (place, measure) in product(every.items(), enumerate(MEASURES)):
        known = {
            f"recurrent, random tasks, gain x {f:g}": mine["random"][:, k, :, place]
            for k, f in enumerate(question.factors)
        }
        known |= {
            f"recurrent, its own task, gain x {f:g}": mine["own"][:, k, :, place]
            for k, f in enumerate(question.own)
        }
        others = [name for name in every if name != task]
        if others:
            best = fitted(question, [every[name] for name in others])
            label = f"recurrent, random tasks, gain fitted on {', '.join(others)}"
            known[label] = mine["random"][:, best, :, place]
        first = f"theory_{_FIRST_LAYER[place]}"
        known |= {
            "first layer, norm 1": mine[first],
            "first layer, own norm": mine[f"{first}_kept"],
        }
        known |= {name: mine[kept] for name, kept in _KNOWN.items()}
        values = mine[measure]
        for by, said in known.items():
            found.append(Told(source, task, measure, by, *_agreement(said, values)))
        found.append(Told(source, task, measure, "ceiling", *_ceiling(values), np.nan))
    return found


def fitted(question: Question, others: Sequence[dict[str, Array]]) -> int:
    """Index of the factor whose random tasks order the mean KA of these tasks best."""
    scores = [
        np.mean([_agreement(x["random"][:, k, :, 0], x["kernel_alignment"])[0] for x in others])
        for k in range(len(question.factors))
    ]
    return int(np.argmax(np.nan_to_num(scores, nan=-2.0)))


def _agreement(said: Array, values: Array) -> tuple[float, Interval, float]:
    """Rho of the means, rho seed by seed, mean absolute error; of seeds and starts with numbers."""
    asked = np.any(np.isfinite(said), axis=1)
    said, values = said[asked], values[asked]
    good = np.all(np.isfinite(said), axis=0) & np.any(np.isfinite(values), axis=0)
    if not np.any(asked) or np.sum(good) < 3:
        return np.nan, mean([]), np.nan
    said, values = said[:, good], values[:, good]
    centre, wanted = np.mean(said, axis=0), np.nanmean(values, axis=0)
    each = [
        float(correlation(x[there], y[there]))
        for x, y in zip(said, values, strict=True)
        if np.sum(there := np.isfinite(y)) > 2
    ]
    error = float(np.mean(np.abs(centre - wanted)))
    return float(correlation(centre, wanted)), bootstrap(np.array(each)), error


def _ceiling(values: Array) -> tuple[float, Interval]:
    """What half of the seeds say of the other half, and all others of one."""
    good = values[:, np.all(np.isfinite(values), axis=0)]
    seeds, rng = len(good), np.random.default_rng(0)
    if seeds < 2 or good.shape[1] < 3:
        return np.nan, mean([])
    halves = []
    for _ in range(_SPLITS):
        order = rng.permutation(seeds)
        one, other = order[: seeds // 2], order[seeds // 2 :]
        halves.append(correlation(np.mean(good[one], axis=0), np.mean(good[other], axis=0)))
    each = [
        float(correlation(np.mean(np.delete(good, k, axis=0), axis=0), good[k]))
        for k in range(seeds)
    ]
    return float(np.mean(halves)), bootstrap(np.array(each))


def findings(
    question: Question, all_told: Sequence[Told], every: dict[str, dict[str, dict[str, Array]]]
) -> list[str]:
    """Every predictor's score, and where the theory and the networks have their least change."""
    said = []
    for source, tasks in every.items():
        for task, measure in product(tasks, MEASURES):
            mine = [t for t in all_told if (t.source, t.task, t.measure) == (source, task, measure)]
            parts = [f"{t.by} {t.means:.2f} ({t.seeds})" for t in mine if np.isfinite(t.means)]
            said.append(
                f"{source}, {task}, order of starts by {NAMES[measure]}, rho of means (seed by "
                f"seed): {'; '.join(parts)}."
            )
    for task, mine in every.get("rnn-rank", {}).items():
        starts = [name.partition(":")[2] for name in rank.FULL.starts]
        place, half = list(MEASURES).index("weight_change"), question.factors.index(0.5)
        lines = {
            "networks": np.nanmean(mine["weight_change"], axis=0),
            "random tasks": np.mean(mine["random"][:, half, :, place], axis=0),
            "its own task": np.nanmean(mine["own"][: question.own_seeds, 0, :, place], axis=0),
        }
        parts = [
            f"{name} at rank {starts[int(np.argmin(line))]}, from there to full rank "
            f"{line[-1] - np.min(line):+.3g}"
            for name, line in lines.items()
            if np.all(np.isfinite(line))
        ]
        said.append(f"{task}, ‖ΔW_h‖ is least, by half the gain: {'; '.join(parts)}.")
    return said


def draw(question: Question, every: dict[str, dict[str, dict[str, Array]]]) -> Figure:
    """Measured against predicted at half the gain, a row for each source."""
    figure = Figure(figsize=(11.0, 3.6 * len(every)), layout="constrained")
    panels = figure.subplots(len(every), len(MEASURES), squeeze=False)
    half = question.factors.index(0.5)
    for line, (source, tasks) in zip(panels, every.items(), strict=True):
        for place, (panel, measure) in enumerate(zip(line, MEASURES, strict=True)):
            for task, mine in tasks.items():
                centre = np.mean(mine["random"][:, half, :, place], axis=0)
                panel.plot(centre, np.nanmean(mine[measure], axis=0), "o", ms=4, label=task)
            panel.set_title(f"{source}: {NAMES[measure]}", fontsize=10)
            panel.set_xlabel("linear recurrent theory, half the gain, random tasks")
        line[0].set_ylabel("trained networks, mean over seeds")
    panels[0, 0].legend(frameon=False, fontsize=8)
    return figure


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    question = grid_of(Question, cases[0])
    every: dict[str, dict[str, dict[str, Array]]] = {}
    for source in question.sources:
        mine = [(c, x) for c, x in zip(cases, found, strict=True) if c["source"] == source]
        labels, parts = [c["network"]["task"] for c, _ in mine], [x for _, x in mine]
        every[source] = grouped(labels, parts)
    all_told = [t for source, tasks in every.items() for t in told(question, source, tasks)]
    none = np.mean([np.mean(np.isnan(part["random"])) for part in found])
    checks = [
        worst_of("flows", "distance of a draw in a stack from recurrent.solve, relative",
                 [part["gap"] for part in found], 1e-3),
        worst_of("answers", "share of starts of which random tasks have no mean", none, 0.05),
    ]  # fmt: skip
    rows = [
        t._asdict()
        | {"seeds": t.seeds.estimate, "low": t.seeds.low, "high": t.seeds.high}
        | {"count": t.seeds.seeds}
        for t in all_told
    ]
    said = findings(question, all_told, every)
    return Result(rows, checks, draw(question, every), asdict(question), said)


STUDY = Study(
    name="rnn-theory",
    question=(
        "Does the linear recurrent theory say which starts of nonlinear recurrent networks learn "
        "lazily, better than a first layer's theory, effective ranks or the spectral radius, and "
        "how near does it come to what the networks say of themselves?"
    ),
    cases=cases,
    simulate=simulate,
    conclude=conclude,
    packages=tuple(PACKAGES.values()),
)
