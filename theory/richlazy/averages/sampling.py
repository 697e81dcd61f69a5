"""Averages over sampled tasks, for any spectrum or matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from richlazy.averages.question import Question
from richlazy.averages.random_tasks import Drawn, block_chain, direction_chain
from richlazy.averages.record import UNIFORM, Expected, sampled
from richlazy.integration.shared import distinct
from richlazy.start.network import Network
from richlazy.two_layer.reduction.krylov import Bidiagonal, Reduced
from richlazy.two_layer.routes.certificate import certified, spread_over_orders

__all__ = ["sample"]

Array = NDArray[np.float64]

_SAMPLING = 1e-8  # tolerance of sampled tasks, whose spread is orders above it
_STACK = 400_000  # numbers in one vector of a stack of tasks
_AGREED = 1e-6  # of two orders of a chain: a lower one would not do, nor need a higher one
_FIRST = 8  # tasks, which tell the others the order of their chains


def sample(case: Question, times: Array) -> list[Expected]:
    """Statistics of `case.tasks` tasks drawn at random, each followed once for all times.

    Of the worst of these times is the accuracy that they all state.
    """
    at, place = distinct(times)
    found = _drawn(case, at)
    return [found[k] for k in place]


def _drawn(case: Question, t: Array) -> list[Expected]:
    g, rng, count = case.strength, case.rng, case.tasks
    if case.spectrum is None:
        assert case.network is not None
        return _by_products(case.network, g, t, count, rng)
    s, c = case.spectrum, case.alignment
    if c is not None:
        some = _by_chains(lambda n: direction_chain(s, g, n, rng, c), s.values.size, t, count)
        words = f"task directions of alignment {c:g}, else uniform"
        said = tuple(words if a == UNIFORM else a for a in some[0].assumptions)
        return [replace(one, assumptions=said) for one in some]
    if case.outputs == 1 and (s.far_above(g) or not case.stiff):
        return _by_chains(lambda n: direction_chain(s, g, n, rng), s.values.size, t, count)
    outputs = case.outputs
    stack = max(1, min(count, 2_000_000 // (s.values.size * outputs) ** 2))
    return _by_stacks(lambda n: block_chain(s, outputs, g, n, rng), stack, t, count, outputs)


def _by_products(
    network: Network, g: float, t: Array, count: int, rng: np.random.Generator
) -> list[Expected]:
    matrix, moments = network.first, network.moments
    if moments.trace.value == 0:
        raise ValueError("the matrix is zero: it has no spectrum to predict from")

    def chain(n: int) -> Drawn:
        direction = rng.standard_normal((n, matrix.shape[1]))
        task = g * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        return Bidiagonal(matrix, task, moments, unit=network.precision), None

    return _by_chains(chain, max(matrix.shape), t, count)


def _by_chains(make: Callable[[int], Drawn], size: int, t: Array, count: int) -> list[Expected]:
    return _by_stacks(make, max(1, _STACK // size), t, count, 1, first=_FIRST)


def _by_stacks(
    make: Callable[[int], Drawn],
    stack: int,
    t: Array,
    count: int,
    outputs: int,
    first: int | None = None,
) -> list[Expected]:
    """Statistics of tasks drawn stack by stack, as chains or with all directions.

    Chains begin with the order that those before them needed; a `first` stack of fewer finds it.
    """
    parts, worst, order, known, done = [], 0.0, 0, 0, 0
    while done < count:
        size = stack if done or first is None else min(first, stack)
        number = min(size, count - done)
        drawn, begin = make(number)
        if isinstance(drawn, Reduced):
            found, gap, _ = certified(drawn, t, _SAMPLING)
        else:
            begin = known // outputs or begin
            found, reduced, gap = spread_over_orders(drawn, t, _SAMPLING, begin, finely=True)
            order = max(order, reduced.problem.first.shape[1])
            if gap.relative < _AGREED:  # else it is the integration that differs, at any order
                known = max(known, reduced.problem.first.shape[1])
        parts.append(found)
        worst, done = max(worst, gap.relative), done + number
    route = f"krylov (T15), k={order}" if order else "flow (T11)"
    return sampled(parts, t, count, route, worst, outputs)
