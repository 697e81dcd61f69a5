"""Does the linear recurrent theory (T16, T18) say how nonlinear recurrent networks learn?

The trained networks are those of `rnn-rank`, `rnn-turn`, `rnn-structure` and `rnn-forgetting`, but
for tasks of neurogym 0.0.2: their runs are read from the folder beside this study's, and made where
they are not there. What the theory is asked, of the W_h that every network started from:

- random: the mean over draws of input and readout directions and random tasks of 5 steps, of two
  tasks one after another (T12) where networks learned two. Once a linear network has learned all
  responses of the second, its loss on the first is that of the second's responses: no start
  forgets more than another;
- own: the network's W_x, W_o and task, `recurrent.Task.from_data` of its trials to their decision
  and the right choice there, over the channels that the conditions use, the mean output left out,
  at the time that training takes;

each at several times the gain of W_h. A rectified unit passes half of what it gets, so one half is
what one would guess; "fitted" is the factor whose random tasks order KA on other tasks of the study
best, over every other seed: it is held against the seeds left out. Beside them what is known
without it: E KA of the theory of a first layer (T15), at norm 1 and at the norm of W_h;
participation ratio, stable rank and spectral radius.

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
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from richlazy import spectrum
from validation.rnn import PACKAGES, forgetting, rank, structure, turn
from validation.rnn.agreement import agreement, ceiling, told_apart
from validation.rnn.asked import gap, one_task, own, own_task, two_tasks
from validation.rnn.experiment import LEGACY, load_task, made
from validation.rnn.statistics import Interval
from validation.rnn.summary import NAMES, Found, grouped
from validation.store import finished
from validation.study import Arrays, Case, Result, Study, grid_of, worst_of

__all__ = ["FULL", "QUICK", "STUDY", "Question", "cases", "simulate", "starts_of", "told"]

Array = NDArray[np.float64]


class Source(NamedTuple):
    """A study whose networks are asked about: what they measure, and what the theory calls it."""

    study: Study
    measures: dict[str, str]


_LAZINESS = {
    "kernel_alignment": "kernel_alignment",
    "representation_alignment": "representation_alignment",
    "weight_change": "weight_change_recurrent",
}
SOURCES = {
    "rnn-rank": Source(rank.STUDY, _LAZINESS),
    "rnn-turn": Source(turn.STUDY, _LAZINESS),
    "rnn-structure": Source(structure.STUDY, _LAZINESS),
    "rnn-forgetting": Source(
        forgetting.STUDY,
        {
            "forgotten": "forgetting",
            "loss_left": "forgetting",
            "change_second": "weight_change_recurrent",
        },
    ),
}
#: Where the runs of `SOURCES` are.
RUNS = Path("validation-results")
_NAMES = NAMES | {
    "forgotten": "accuracy forgotten",
    "loss_left": "loss of the first task after the second",
    "change_second": "‖ΔW_h‖ of the second task",
}
#: What is known of a start without the recurrent theory, and under what name it is kept.
_KNOWN = {
    "participation ratio": "participation",
    "stable rank": "stable",
    "spectral radius": "radius",
}
#: What the theory of a first layer calls each measure of laziness.
_FIRST_LAYER = dict(
    zip(_LAZINESS, ("kernel_alignment", "representation_alignment", "weight_change_input"),
        strict=True)
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What the theory is asked."""

    sources: tuple[str, ...] = tuple(SOURCES)
    most_seeds: int = 4
    draws: int = 6  #: of directions and random tasks
    factors: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)  #: times the gain, with random tasks
    own: tuple[float, ...] = (0.5, 1.0)  #: with the task's own
    own_seeds: int = 2


FULL = Question()
QUICK = Question(sources=("rnn-structure",), draws=2, factors=(0.5, 1.0), own=(0.5,), own_seeds=1)


def cases(quick: bool, seed: int) -> list[Case]:
    """One for each case of the sources: all starts of one task and seed."""
    question = QUICK if quick else FULL
    return [
        asdict(question) | {"seed": seed, "source": source, "network": dict(network)}
        for source in question.sources
        for network in SOURCES[source].study.cases(quick, seed)
        if network["index"] < question.most_seeds and LEGACY not in network["task"]
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
    source = SOURCES[case["source"]]
    found = finished(RUNS / case["source"], network)
    if found is None:
        found = source.study.simulate(network)
    task = load_task(network["task"])
    every = made(network, task)
    begun = [every[place] for place in places]
    recurrent = [params["recurrent"].astype(float) for params in begun]
    kept = {name: found[name][places] for name in source.measures}
    for name in (_FIRST_LAYER[measure] for measure in source.measures if measure in _FIRST_LAYER):
        kept |= {key: found[key][places] for key in (f"theory_{name}", f"theory_{name}_kept")}
    values = [np.linalg.svd(w, compute_uv=False) for w in recurrent]
    for kind in ("participation", "stable"):
        kept[kind] = np.array([spectrum.effective_rank(s, kind) for s in values])
    kept["radius"] = np.array([np.abs(np.linalg.eigvals(w)).max() for w in recurrent])
    seed, measures = [case["seed"], network["index"]], list(source.measures.values())
    both = "then" in network
    ask = two_tasks if both else one_task
    kept["random"] = np.array([[ask(f * w, case["draws"], seed, measures) for w in recurrent]
                               for f in case["factors"]])  # fmt: skip
    mine = None
    if network["index"] < case["own_seeds"] and not both:
        mine = own_task(task, np.random.default_rng([*seed, 1]))
    end = network["steps"] * network["rate"] / (1.0 - network["momentum"])
    kept["own"] = np.array([[own(f, params, mine, end, measures) for params in begun]
                            for f in case["own"]])  # fmt: skip
    kept["gap"] = np.array(gap(case["factors"][0] * recurrent[0], seed, list(_LAZINESS.values())))
    return kept


class Told(NamedTuple):
    """How well a predictor tells one measure of the starts of one task apart."""

    source: str
    task: str
    measure: str
    by: str
    means: float
    seeds: Interval
    error: float


def told(question: Question, source: str, every: Found) -> list[Told]:
    """Every predictor of every measure on every task of a source."""
    found, measures = [], list(SOURCES[source].measures)
    for (task, mine), (place, measure) in product(every.items(), enumerate(measures)):
        known = {
            f"recurrent, random tasks, gain x {f:g}": mine["random"][:, k, :, place]
            for k, f in enumerate(question.factors)
        }
        known |= {
            f"recurrent, its own task, gain x {f:g}": mine["own"][:, k, :, place]
            for k, f in enumerate(question.own)
        }
        if measure in _FIRST_LAYER:
            first = f"theory_{_FIRST_LAYER[measure]}"
            known |= {"first layer, norm 1": mine[first]}
            known |= {"first layer, own norm": mine[f"{first}_kept"]}
        known |= {name: mine[kept] for name, kept in _KNOWN.items()}
        values = mine[measure]
        for by, said in known.items():
            found.append(Told(source, task, measure, by, *agreement(said, values)))
        others = [name for name in every if name != task]
        if others and len(values) > 1:
            best = fitted([every[name] for name in others], measures[0])
            by = f"recurrent, random tasks, gain fitted on {', '.join(others)}"
            score = agreement(mine["random"][1::2, best, :, place], values[1::2])
            found.append(Told(source, task, measure, by, *score))
        found.append(Told(source, task, measure, "ceiling", *ceiling(values)))
    return found


def fitted(others: Sequence[dict[str, Array]], measure: str) -> int:
    """Index of the factor whose random tasks order the means of these tasks best.

    Of the seeds 0, 2, ...: the others are left to hold it against.
    """
    scores = [
        np.mean([agreement(x["random"][::2, k, :, 0], x[measure][::2]).means for x in others])
        for k in range(others[0]["random"].shape[1])
    ]
    return int(np.argmax(np.nan_to_num(scores, nan=-2.0)))


def findings(question: Question, all_told: Sequence[Told], every: dict[str, Found]) -> list[str]:
    """Every predictor's score, and where the theory and the networks have their least change."""
    said = []
    for source, tasks in every.items():
        for task, measure in product(tasks, SOURCES[source].measures):
            mine = [t for t in all_told if (t.source, t.task, t.measure) == (source, task, measure)]
            parts = [f"{t.by} {t.means:.2f} ({t.seeds})" for t in mine if np.isfinite(t.means)]
            said.append(
                f"{source}, {task}, order of starts by {_NAMES[measure]}, rho of means (seed by "
                f"seed): {'; '.join(parts)}."
            )
    for task, mine in every.get("rnn-rank", {}).items():
        starts = [name.partition(":")[2] for name in rank.FULL.starts]
        place, half = list(_LAZINESS).index("weight_change"), question.factors.index(0.5)
        lines = {
            "networks": np.nanmean(mine["weight_change"], axis=0),
            "random tasks": np.mean(mine["random"][:, half, :, place], axis=0),
            "its own task": np.mean(mine["own"][: question.own_seeds, 0, :, place], axis=0),
        }
        parts = [
            f"{name} at rank {starts[int(np.argmin(line))]}, from there to full rank "
            f"{line[-1] - np.min(line):+.3g}"
            for name, line in lines.items()
            if np.all(np.isfinite(line))
        ]
        said.append(f"{task}, ‖ΔW_h‖ is least, by half the gain: {'; '.join(parts)}.")
    return said


def draw(question: Question, every: dict[str, Found]) -> Figure:
    """Measured against predicted at half the gain, a row for each source."""
    figure = Figure(figsize=(11.0, 3.6 * len(every)), layout="constrained")
    panels = figure.subplots(len(every), len(_LAZINESS), squeeze=False)
    half = question.factors.index(0.5)
    for line, (source, tasks) in zip(panels, every.items(), strict=True):
        for place, (panel, measure) in enumerate(zip(line, SOURCES[source].measures, strict=True)):
            for task, mine in tasks.items():
                centre = told_apart(np.mean(mine["random"][:, half, :, place], axis=0))
                panel.plot(centre, np.nanmean(mine[measure], axis=0), "o", ms=4, label=task)
            panel.set_title(f"{source}: {_NAMES[measure]}", fontsize=10)
        line[0].set_ylabel("trained networks, mean over seeds")
    panels[0, 0].legend(frameon=False, fontsize=8)
    figure.supxlabel("linear recurrent theory, half the gain, random tasks", fontsize=10)
    return figure


def _course(network: Case) -> str:
    """The task, or the two of them."""
    return " then ".join(network[name] for name in ("task", "then") if name in network)


def conclude(cases: Sequence[Case], found: Sequence[Arrays]) -> Result:
    """Compare and draw."""
    question = grid_of(Question, cases[0])
    every: dict[str, Found] = {}
    for source in question.sources:
        mine = [(c, x) for c, x in zip(cases, found, strict=True) if c["source"] == source]
        labels, parts = [_course(c["network"]) for c, _ in mine], [x for _, x in mine]
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
        "lazily and which forget, better than a first layer's theory, effective ranks or the "
        "spectral radius, and how near does it come to what the networks say of themselves?"
    ),
    cases=cases,
    simulate=simulate,
    conclude=conclude,
    packages=tuple(PACKAGES.values()),
)
