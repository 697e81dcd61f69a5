"""One march through time for every architecture: extrapolated linearly implicit Euler steps.

Steps H/1, H/2, ..., H/8 (or fewer) from one point are extrapolated to that order, with error
control. What a step is, how stiff its point and when it rests, the architecture says (`Point`,
`Step`): its implicit part is the Gauss-Newton part of the Jacobian, so that steps grow without
bound on the way to t = infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import ConvergenceError
from richlazy.integration.rest import CLOSE
from richlazy.threads import alone

__all__ = ["MAGNIFIED", "ORDER", "Point", "Step", "march", "sequences", "total_norm"]

Array = NDArray[np.float64]

#: Of a step, the number of its Euler sequences; a lower one is faster where few digits are asked.
ORDER = 8
#: Times rounding: what extrapolation makes of it.
MAGNIFIED = 30.0
_MAX_STEPS = 20_000
_LANES = 64  # requested times evaluated together
_DECADES = (3.0, 1.5)  # of time, over which weights that never settle have grown all the while
_GROWTH = 0.05  # power of time
_LOOKS = 50  # steps between looks at it
_EPS = np.finfo(np.float64).eps
_DIGITS = 2e11  # of an error that rounding leaves 2e-11 of, 1e-10 can be asked for


class Step(Protocol):
    """All Euler sequences from one point over one or several lengths, before extrapolation."""

    def extrapolate(self, weights: Array) -> Sequence[Array]:
        """Weighted sum over the sequences, layer by layer (n, lengths, rows, columns)."""


class Point(Protocol):
    """One point of the flow of a stack of n networks, as `march` needs it."""

    @property
    def fastest(self) -> float:
        """A rate nothing exceeds by much (0 where nothing moves)."""

    @property
    def precision(self) -> Array:
        """What rounding leaves uncertain of the error, relative to it (n,)."""

    @property
    def haze(self) -> Array:
        """What rounding makes of dW/dt (n,)."""

    def resting(self, size: Array, rtol: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each network, its weights changed by `size`, is at rest, or about to be.

        About to be: it is a minimum with error left in it, about which too long a step wobbles.
        """

    def step(self, lengths: Array, order: int) -> Step:
        """Steps of these lengths from here, `order` Euler sequences of each."""

    def size(self, missed: Sequence[Array]) -> Array:
        """Size of an error of each layer (n,), in units of the whole change."""


def sequences(order: int) -> NDArray[np.int64]:
    """Substeps of each Euler sequence of a step."""
    return np.arange(1, order + 1)


def _coefficients(steps: NDArray[np.int64]) -> Array:
    """Weights of polynomial extrapolation in 1/n to 0."""
    ratio = steps[None, :] / steps[:, None]
    np.fill_diagonal(ratio, 0.0)
    return np.asarray(np.prod(1.0 / (1.0 - ratio), axis=1))


@lru_cache
def _weights(order: int) -> tuple[Array, Array]:
    """Those of the value, and of the error by which an order less would differ."""
    steps = sequences(order)
    value = _coefficients(steps)
    return value, value - np.concatenate([[0.0], _coefficients(steps[1:])])


def march(
    point_at: Callable[[Sequence[Array]], Point],
    zero: Sequence[Array],
    times: Array,
    rtol: float,
    bound: float = np.inf,
    patience: int | None = None,
    order: int = ORDER,
) -> Iterator[tuple[int, Sequence[Array], NDArray[np.bool_]]]:
    """Yield (index into times, change of each layer, at rest or not) for ascending times.

    Extrapolated steps with error control, from `zero`, the change (n, rows, columns) of each
    layer at the start. A network rests when its `Point` says so; then every later time has its
    change of then. Beyond a change of `bound`, one that still grows as a power of time is taken
    to have no rest.

    Raises
    ------
    ConvergenceError
        If the flow does not settle in `patience` steps, by default `_MAX_STEPS`, or never.
    """
    largest = max(max(x.shape[1:]) for x in zero)
    with alone(largest):  # the caller's measures of these networks too
        yield from _marched(point_at, zero, times, rtol, bound, patience or _MAX_STEPS, order)


def _marched(
    point_at: Callable[[Sequence[Array]], Point],
    zero: Sequence[Array],
    times: Array,
    rtol: float,
    bound: float,
    patience: int,
    order: int,
) -> Iterator[tuple[int, Sequence[Array], NDArray[np.bool_]]]:
    """The march itself."""
    value, wrong = _weights(order)
    change, resting = zero, np.zeros(zero[0].shape[0], dtype=bool)
    t, index = 0.0, 0
    history: list[tuple[float, float]] = []
    point = point_at(change)
    length = 0.1 / (point.fastest or 1.0)
    # a start that has all but learned the task knows its error to few digits
    rtols = rtol * np.maximum(1.0, _DIGITS * point.precision)
    for number in range(patience):
        while index < times.size and times[index] <= t:
            yield index, change, resting
            index += 1
        if index == times.size:
            return
        resting, close = point.resting(total_norm(change), rtols)
        if np.all(resting):
            for rest in range(index, times.size):
                yield rest, change, resting
            return
        with np.errstate(over="ignore", invalid="ignore"):  # of a step far too long: told below
            step = point.step(np.array([length]), order)
            added = step.extrapolate(value)
            new = [c + a[:, 0] for c, a in zip(change, added, strict=True)]
            error = point.size([missed[:, 0] for missed in step.extrapolate(wrong)])
            allowed = rtols * total_norm(new)
            if not np.all(np.isfinite(error) & np.isfinite(allowed)):
                length *= 0.1
                continue
        # the longest stable step would wobble about a minimum that error is left in
        allowed = np.where(close, 10.0 / CLOSE, 1.0) * allowed
        # near rest dW/dt is rounding, which extrapolation magnifies and no shorter step lessens
        allowed = np.maximum(allowed, MAGNIFIED * length * point.haze)
        # nor is a step known better than its sequences, which cancel in the error
        moved = total_norm([x[:, 0] for x in added])
        allowed = np.maximum(allowed, _EPS * np.sum(np.abs(wrong)) * moved)
        moving = error != 0
        worst = float(np.max(np.where(moving, error / np.where(moving, allowed, 1.0), 0.0)))
        factor = 0.9 * max(worst, 1e-8) ** (-1.0 / order)
        if worst > 1.0:
            length *= max(factor, 0.2)
            continue
        inside = np.arange(index, index + int(np.sum(times[index:] < t + length)))
        for part in np.array_split(inside, max(1, -(-inside.size // _LANES))):
            if part.size:
                later = point.step(times[part] - t, order).extrapolate(value)
                for lane, k in enumerate(part):
                    here = [c + moved[:, lane] for c, moved in zip(change, later, strict=True)]
                    yield int(k), here, resting
        index += inside.size
        t, change = t + length, new
        if np.isinf(times[-1]):
            history.append((t, float(np.max(total_norm(change)))))
            if history[-1][1] > bound and number % _LOOKS == 0:
                _refuse_growth(history)
        point = point_at(change)
        length *= min(factor, 6.0)
    raise ConvergenceError(
        f"the flow did not settle in {patience} steps (t = {t:.3g}); ask for an earlier time"
    )


def _refuse_growth(history: list[tuple[float, float]]) -> None:
    """ConvergenceError if the weights have grown as a power of time, decade after decade."""
    t, size = np.log10(np.array(history).T)
    before = np.interp(t[-1] - np.array(_DECADES), t, size, left=np.inf)
    powers = np.diff([*before, size[-1]]) / -np.diff([*_DECADES, 0.0])
    if np.all(powers > _GROWTH):
        raise ConvergenceError(
            f"the weights grow without bound as far as can be seen, as t^{powers[-1]:.2g} at "
            f"t = {10.0 ** t[-1]:.3g}: the least loss is not attained, and there is no rest to be "
            "at; ask for a finite time"
        )


def total_norm(layers: Sequence[Array]) -> Array:
    """Frobenius norm of all layers together (n,)."""
    return np.asarray(np.sqrt(sum(np.sum(x * x, axis=(-2, -1)) for x in layers)))
