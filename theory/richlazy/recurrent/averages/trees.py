"""Averages of recurrent starts on the tree of their spectrum, or of its law (T20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError
from richlazy.recurrent.averages import typical
from richlazy.recurrent.averages.question import Question
from richlazy.recurrent.averages.record import recorded
from richlazy.recurrent.averages.stack import SAMPLING, along, at, first, flow
from richlazy.recurrent.flow import Problem
from richlazy.recurrent.measures import Measures, gap_difference, loss_scale
from richlazy.recurrent.network import Network
from richlazy.recurrent.record import Expected
from richlazy.recurrent.reduction import Training, enriched, whole
from richlazy.recurrent.task import Task
from richlazy.start import matrices

__all__ = [
    "CHECKED",
    "TYPICAL_FROM",
    "domain",
    "law",
    "learned",
    "two_valued",
    "typical_course",
    "typical_start",
]

Array = NDArray[np.float64]

#: Participation ratio from which draws learn like the typical start.
TYPICAL_FROM = 30
#: Tasks that the law is held against the typical start on.
CHECKED = 20
_TASKS = 200
_PILOT = 4  # tasks whose leaks the tree is grown by, and whose flow is certified
_LEAK = 3e-3  # error by what leaks: far below the spread over tasks
_WHOLE = 200  # nodes of a tree that is followed as it is
_NODES = 4000  # of a tree before it is reduced
_BEYOND = 2  # letters of a word beyond those that the responses at the start need
_RELATIVE = " relative, RA and KA to what they are below 1"
_DOMAIN = 0.015  # relative, by which law and typical start may differ inside the law's domain


def typical_start(case: Question) -> Expected:
    """Random tasks on the one network that every large start of the singular values learns like."""
    return typical_course(case, [case.time])[0]


def typical_course(case: Question, times: ArrayLike) -> list[Expected]:
    """The same at ascending times, from one flow; its error is judged at the last."""
    values, shares = case.spectrum
    tasks = case.draw_tasks(_TASKS)
    ts = np.asarray(times, dtype=np.float64)
    case = replace(case, time=float(ts[-1]))
    tree, found, gap = _followed(case, values, shares, tasks, ts)
    ratio = case.participation_ratio
    far = "" if ratio >= TYPICAL_FROM else f", below {TYPICAL_FROM}: draws learn UNLIKE it, sample"
    words = (
        f"error of the tree {tree:.1e}{_RELATIVE}; the start stands for {case.units} units up to "
        f"O(1/sqrt(PR)) a draw and O(1/PR) on average, PR = {ratio:.4g}{far}; numerical error "
        f"{gap:.1e}"
    )
    method = f"typical start (T20) with {len(tasks)} tasks"
    return [
        recorded(replace(case, time=float(t)), at(found, index), method, (), words)
        for index, t in enumerate(ts)
    ]


def law(case: Question) -> Expected:
    """The same of the two-valued spectrum of one norm and participation ratio."""
    known = None if _too_large(case) else case.spectrum
    ratio, two = two_valued(case)
    tasks = case.draw_tasks(_TASKS)
    tree, found, gap = learned(case, *two, tasks)
    if known is None:
        inside = "not checked against the spectrum, which is too large to be known"
    else:
        few = tasks[:CHECKED]
        holds, (ka, dw) = domain(first(found, len(few)), learned(case, *known, few)[1])
        inside = (
            f"on {len(few)} tasks it differs from the typical start by {ka:.1%} in KA and {dw:.1%} "
            f"in ||dW||: {'inside' if holds else 'OUTSIDE'} the law's domain"
        )
    return recorded(
        case,
        found,
        f"participation-ratio law (T20) with {len(tasks)} tasks",
        (f"the start learns like a two-valued one of rank PR = {ratio:.4g}",),
        f"{inside}; error of the tree {tree:.1e}{_RELATIVE}; numerical error {gap:.1e}",
    )


def domain(by_law: Measures, typical_starts: Measures) -> tuple[bool, tuple[float, float]]:
    """Whether the law holds, by mean KA and ||dW|| over a few tasks, and how far they are off."""
    ka, dw = (
        abs(float(np.mean(getattr(by_law, x)) / np.mean(getattr(typical_starts, x))) - 1.0)
        for x in ("kernel_alignment", "weight_change")
    )
    return max(ka, dw) < _DOMAIN, (ka, dw)


def _too_large(case: Question) -> bool:
    return case.values is None and not matrices.has_factors(case.matrix)


def two_valued(case: Question) -> tuple[float, tuple[Array, Array]]:
    """Participation ratio, and the values and shares of the law."""
    if _too_large(case):
        moments = matrices.second_moments(case.matrix)
        trace, square = moments.trace.value, moments.trace_square.value
    else:
        values, shares = case.spectrum
        trace = case.units * float(shares @ values**2)
        square = case.units * float(shares @ values**4)
    if trace == 0.0:
        raise AssumptionError("method 'law' needs a non-zero start: it has no participation ratio")
    ratio = trace * trace / square
    share = min(ratio / case.units, 1.0)  # rounding may take a flat spectrum past its units
    return ratio, (np.array([0.0, np.sqrt(trace / ratio)]), np.array([1.0 - share, share]))


def learned(
    case: Question, values: Array, shares: Array, tasks: Sequence[Task]
) -> tuple[float, Measures, float]:
    """Error of the tree, measures (tasks,) of the typical start of a law, numerical error.

    The tree is wrong by less than what its longest words change on the first tasks.
    """
    tree, found, gap = _followed(case, values, shares, tasks, np.array([case.time]))
    return tree, at(found, 0), gap


def _followed(
    case: Question, values: Array, shares: Array, tasks: Sequence[Task], times: Array
) -> tuple[float, Measures, float]:
    """The same at ascending times, the last that of the case: measures (times, tasks)."""
    roots = case.channels + case.outputs
    most = int(np.log2(_NODES / roots + 1.0)) - 1
    words = max(1, min(case.steps - 1 + _BEYOND, most))
    pilot = tasks[:_PILOT]
    net, shorter = (_tree(case, values, shares, length) for length in (words, words - 1))
    training = Training(True, True, True)
    reduced = enriched(net, pilot, training, case.time, _LEAK, gap_difference)
    found, gap = along(_repeated(reduced.problem, tasks), times, _PILOT)
    cut = 0.0
    if shorter.units < net.units:  # the chains have not come to their end
        less = _small(shorter, pilot, training, case.time)
        shortened = at(flow(_repeated(less, pilot), times[-1:], SAMPLING), 0)
        last = first(at(found, -1), _PILOT)
        cut = gap_difference(last, shortened, loss_scale(reduced.problem))
    return max(cut, reduced.error), found, gap


def _small(net: Network, tasks: Sequence[Task], training: Training, t: float) -> Problem:
    """A tree as it is, or reduced where it is large."""
    if net.units <= _WHOLE:
        return whole(net, tasks[0], training).problem
    return enriched(net, tasks, training, t, _LEAK, gap_difference).problem


def _tree(case: Question, values: Array, shares: Array, words: int) -> Network:
    return typical.network(
        values,
        shares,
        channels=case.channels,
        outputs=case.outputs,
        input_norm=case.input_norm,
        readout_norm=case.readout_norm,
        words=words,
    )


def _repeated(problem: Problem, tasks: Sequence[Task]) -> Problem:
    """One small start on several tasks, as a stack."""
    n = len(tasks)
    return problem._replace(
        inputs=np.repeat(problem.inputs[:1], n, axis=0),
        recurrent=np.repeat(problem.recurrent[:1], n, axis=0),
        readout=np.repeat(problem.readout[:1], n, axis=0),
        target=np.stack([task.seen for task in tasks]),
    )
