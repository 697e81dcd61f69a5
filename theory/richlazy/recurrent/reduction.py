"""T18: a small network with the flow of a large one.

The smallest space that holds the range of U and of V' and is closed under W(0) and W(0)' is never
left: P'WP, P'U, VP is a network with the same flow, responses, kernel and weight changes. A start
of rank r has at most n + m + 2 r such directions, exactly. For every other start the space is
grown by what leaks out of it: run the small flow, form C_i(t) and O_j(t) of the large network at
some times (W(0) plus the small change), and add the leading directions of what lies outside.
The error goes like the leak times the part of it that comes back, times what the measures moved
by when the space last grew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.integration.march import ORDER
from richlazy.recurrent.flow import Problem, integrate, start_rates
from richlazy.recurrent.measures import Measures, difference, loss_scale, measured
from richlazy.recurrent.network import Network
from richlazy.recurrent.task import Task
from richlazy.start import matrices
from richlazy.start.matrices import Thin

__all__ = [
    "Reduced",
    "Training",
    "closed",
    "enriched",
    "exact",
    "stacked",
    "telling_times",
    "whole",
]

Array = NDArray[np.float64]

_TIMES = 12
_ROUNDS = 60
_LOOSE = 1e-5  # tolerance of the flow whose leaks are looked at
_ORDER = 6  # of its steps
_INDEPENDENT = 1e-12  # of a block of unit columns
_LEAST = 0.01  # of what leaks may be left in one round: a direction costs far less than a round
_MOST = 0.9  # of it
_HELD = 1e-14  # relative: nothing leaks but rounding
_FINEST = 1e-10
_CLOSED = 1e-14  # relative, times the root of the units
_SLOWEST = 1e-6  # of the fastest rate: beyond it nothing new is driven


class Training(NamedTuple):
    """Which matrices are trained."""

    inputs: bool
    recurrent: bool
    readout: bool

    def rates(self, leak: float) -> tuple[float, float, float]:
        """How fast each moves in units in which the leak is folded into U and W."""
        folded = leak * leak
        return folded * self.inputs, folded * self.recurrent, float(self.readout)


@dataclass(frozen=True, eq=False)
class Reduced:
    """A small network, and how it stands in the large one.

    basis (N, p) has orthonormal columns, None where the network is small itself. error is that of
    the measures, relative, by what the large network does outside the basis; 0 is exact. Weights
    themselves are wrong by what leaks, of which measures see the square.
    """

    problem: Problem
    basis: Array | None
    error: float
    leak: float = 0.0

    @property
    def units(self) -> int:
        """Units of the small network, p."""
        return int(self.problem.recurrent.shape[-1])


def _problem(net: Network, task: Task, trained: Training, u: Array, w: Array, v: Array) -> Problem:
    """The flow of small weights, the leak folded in: A = (1 - a) I + a W, a U."""
    a = net.leak
    folded = a * w + (1.0 - a) * np.eye(len(w))
    return Problem(a * u[None], folded[None], v[None], task.seen[None], task.root, trained.rates(a))


def whole(net: Network, task: Task, trained: Training) -> Reduced:
    """The network as it is, dense."""
    w = matrices.forward(net.recurrent, np.eye(net.units))
    return Reduced(_problem(net, task, trained, net.inputs, w, net.readout), None, 0.0)


def closed(net: Network, task: Task, trained: Training) -> Reduced | None:
    """The span of U and V', if W and W' keep it to rounding; None if they do not."""
    basis = _orthonormal(
        np.zeros((net.units, 0)), np.concatenate([net.inputs, net.readout.T], axis=1)
    )
    image = matrices.forward(net.recurrent, basis)
    both = np.concatenate([image, matrices.adjoint(net.recurrent, basis)], axis=1)
    beyond = both - basis @ (basis.T @ both)
    if np.linalg.norm(beyond) > _CLOSED * np.sqrt(net.units) * np.linalg.norm(both):
        return None
    problem = _problem(
        net, task, trained, basis.T @ net.inputs, basis.T @ image, net.readout @ basis
    )
    return Reduced(problem, basis, 0.0)


def exact(net: Network, task: Task, trained: Training, factors: Thin) -> Reduced:
    """A start of low rank: n + m + 2 r directions hold everything."""
    blocks = np.concatenate([net.inputs, net.readout.T, factors.left, factors.right], axis=1)
    basis = _orthonormal(np.zeros((net.units, 0)), blocks)
    w = (basis.T @ factors.left * factors.values) @ (factors.right.T @ basis)
    return Reduced(
        _problem(net, task, trained, basis.T @ net.inputs, w, net.readout @ basis), basis, 0.0
    )


def enriched(
    net: Network,
    tasks: Sequence[Task],
    trained: Training,
    end: float,
    tolerance: float,
    distance: Callable[[Measures, Measures, Array], float] = difference,
) -> Reduced:
    """The space grown until what leaks up to time `end` makes an error below `tolerance`.

    One space for all tasks, which share steps and metric; the small network is a stack of them.
    The error is by `distance`, of the measures.
    """
    basis = _orthonormal(np.zeros((net.units, 0)), _words(net, tasks[0].steps))
    image, image_back = _images(net, basis)
    before: tuple[Problem, float] | None = None
    amplified, aimed = 1.0, False
    for left in reversed(range(_ROUNDS)):
        problem = stacked(
            [_problem(net, task, trained, basis.T @ net.inputs, basis.T @ image,
                      net.readout @ basis) for task in tasks]
        )  # fmt: skip
        outside, leak, wrong = _leaks(net, problem, basis, (image, image_back), end)
        done = wrong * amplified <= tolerance or not left
        if done and before is not None:
            moved = _moved_by(before[0], problem, net.leak, end, tolerance, distance)
            amplified = max(amplified, moved / (before[1] - min(wrong, 0.5 * before[1])))
            done = wrong * amplified <= tolerance or not left
        held = basis.shape[1] >= net.units or wrong <= _HELD
        if held or (done and (before is not None or not left)):
            break
        # an error is its square; once that was aimed at and missed, W brings new directions as fast
        # as few are taken in, and by few the measures hardly move, whatever is missing
        needed = float(np.sqrt(0.3 * tolerance / (wrong * amplified)))
        share = _LEAST if aimed else min(max(needed, _LEAST), _MOST)
        aimed = aimed or share > _LEAST
        new = _orthonormal(basis, _leading(outside, share))
        if new.shape[1] == basis.shape[1]:
            break
        before = problem, wrong
        fresh = new[:, basis.shape[1] :]
        basis = new
        image, image_back = (
            np.concatenate(parts, axis=1)
            for parts in zip((image, image_back), _images(net, fresh), strict=True)
        )
    return Reduced(problem, basis, wrong * amplified, leak)


def _images(net: Network, x: Array) -> tuple[Array, Array]:
    """What W and W' make of columns."""
    return matrices.forward(net.recurrent, x), matrices.adjoint(net.recurrent, x)


def _moved_by(
    before: Problem,
    problem: Problem,
    leak: float,
    end: float,
    tolerance: float,
    distance: Callable[[Measures, Measures, Array], float],
) -> float:
    """How far the measures moved when the space grew: what leaks is multiplied by the task.

    Responses of different lags that are nearly alike are told apart by large changes of weights.
    """
    times, rtol = telling_times(problem, end), max(_FINEST, 1e-2 * tolerance)
    order = _ORDER if rtol >= _LOOSE else ORDER
    found, earlier = (
        measured(x, [change for _, change in integrate(x, times, rtol, order=order)], leak)
        for x in (problem, before)
    )
    return distance(found, earlier, loss_scale(problem))


def stacked(problems: Sequence[Problem]) -> Problem:
    """Small networks of one size, one metric and one training as a stack."""
    first = problems[0]
    parts = [np.concatenate([p[k] for p in problems]) for k in range(4)]
    return Problem(parts[0], parts[1], parts[2], parts[3], first.root, first.rates)


def _words(net: Network, steps: int) -> Array:
    """Directions of W^k U and (W')^j V', which hold the responses at the start."""
    forward, backward = [net.inputs], [net.readout.T]
    for _ in range(steps - 1):
        forward.append(_unit(matrices.forward(net.recurrent, forward[-1])))
        backward.append(_unit(matrices.adjoint(net.recurrent, backward[-1])))
    return np.concatenate([_unit(x) for x in (*forward, *backward)], axis=1)


def _leaks(
    net: Network, problem: Problem, basis: Array, images: tuple[Array, Array], end: float
) -> tuple[Array, float, float]:
    """What C_i(t) and O_j(t) of the large network have outside the basis, its size, the error.

    All relative. They leave by x, and W brings back what of x lies along y, by which W' takes them
    out: responses, Gram matrices and kernel are wrong by x'x and x'y.
    """
    steps, times = problem.steps, telling_times(problem, end)
    changes = [change for _, change in integrate(problem, times, _LOOSE, order=_ORDER)]
    blocks, leak, comes_back = [np.zeros((net.units, 0))], 0.0, 0.0
    for k in range(len(problem.inputs) if steps > 1 else 0):
        u, w, v = (np.stack([change[part][k] for change in changes]) for part in range(3))
        ahead = _Side(matrices.forward, images[0], w)
        back = _Side(matrices.adjoint, images[1], np.swapaxes(w, 1, 2))
        away, other = [], []
        some = np.unique([0, times.size // 2, times.size - 1])
        starts = problem.inputs[k] + u, np.swapaxes(problem.readout[k] + v, 1, 2)
        for first, go, turn in zip(starts, (ahead, back), (back, ahead), strict=True):
            inside, outside = _walk(net, basis, first, go, steps - 1)
            size = np.linalg.norm(inside, axis=(1, 2))
            unit = 1.0 / np.where(size > 0, size, np.inf)
            away.append(outside * unit[:, None])
            fewer = turn._replace(learned=turn.learned[some])
            returned = _walk(net, basis, inside[some], fewer, steps - 1)[1]
            other.append(returned * unit[some, None])
        left, right = np.concatenate(away, axis=2), np.concatenate(other, axis=2)
        whole = left.reshape(net.units, -1)
        blocks.append(whole)
        leak = max(leak, *(float(np.max(np.linalg.norm(x, axis=(0, 2)))) for x in away))
        # what W learns takes C_i to where O_j leaves, at one time and at all later ones
        met = (whole.T @ right.reshape(net.units, -1)).reshape(*left.shape[1:], *right.shape[1:])
        comes_back = max(comes_back, float(np.max(np.linalg.norm(met, axis=(1, 3)))))
    return np.concatenate(blocks, axis=1), leak, leak * leak + comes_back


class _Side(NamedTuple):
    """W or W': its product, that with the basis (N, p), what it has learned in it (times, p, p)."""

    product: Callable[[Any, Array], Array]
    image: Array
    learned: Array


def _walk(net: Network, basis: Array, first: Array, side: _Side, steps: int) -> tuple[Array, Array]:
    """What W, as it has moved, makes of `first` in 1, 2, ... steps: inside the basis, outside.

    Of l times at once: `first` (l, p, n) and what was learned (l, p, p) give (l, p, ...) inside,
    `first` itself among it, and (N, l, ...) outside.
    """
    leak, (lanes, p, n) = net.leak, first.shape

    def wide(x: Array) -> Array:
        return np.moveaxis(x, 0, 1).reshape(p, lanes * n)

    inside, outside = [first], list[Array]()
    for _ in range(steps):
        # passes through the basis are what takes the time: what stays in it does without
        after = leak * (side.image @ wide(inside[-1]))
        if outside:
            after += leak * side.product(net.recurrent, outside[-1]) + (1.0 - leak) * outside[-1]
        kept = basis.T @ after
        stays = (1.0 - leak) * inside[-1] + side.learned @ inside[-1]
        inside.append(np.moveaxis(kept.reshape(p, lanes, n), 1, 0) + stays)
        outside.append(after - basis @ kept)
    apart = [x.reshape(net.units, lanes, n) for x in outside]
    return np.concatenate(inside, axis=2), np.concatenate(apart, axis=2)


def telling_times(problem: Problem, end: float) -> Array:
    """Times that tell what a flow does up to `end`: over its scales, and the end itself."""
    rates = start_rates(problem)
    fast = float(rates.max()) or 1.0
    slow = max(float(rates.min()), _SLOWEST * fast)
    first = 0.3 / fast
    last = min(3.0 / slow, end)
    times = np.geomspace(first, last, _TIMES - 1) if last > first else np.array([last])
    return np.unique(np.r_[times, end])


def _leading(outside: Array, share: float) -> Array:
    """Leading directions of what leaks: no more than a share of it is left out."""
    # by the Gram matrix: half the digits of the small ones are plenty, and `_orthonormal` follows
    squares, turn = np.linalg.eigh(outside.T @ outside)
    beyond = np.cumsum(np.maximum(squares, 0.0))  # what is left out from each on
    count = max(1, int(np.count_nonzero(beyond > share**2 * beyond[-1])))
    return _unit(outside @ turn[:, : -count - 1 : -1])


def _orthonormal(basis: Array, block: Array) -> Array:
    """The basis and what is new in a block of columns, orthonormal to rounding."""
    new = block
    for _ in range(2):
        new = new - basis @ (basis.T @ new)
    sizes = np.linalg.norm(block, axis=0)
    new = new[:, sizes > 0] / sizes[sizes > 0]
    left, values, _ = np.linalg.svd(new, full_matrices=False)
    fresh = left[:, values > _INDEPENDENT * max(1.0, float(values.max(initial=0.0)))]
    fresh = fresh - basis @ (basis.T @ fresh)
    found = np.concatenate([basis, np.linalg.qr(fresh)[0]], axis=1)
    # nothing is driven and nothing read: any direction holds it
    return found if found.shape[1] else np.eye(len(found), 1)


def _unit(x: Array) -> Array:
    size = np.linalg.norm(x, axis=0)
    return np.asarray(x / np.where(size > 0, size, 1.0))
