"""A stack of networks that is answered for in groups, and which flows take their steps together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.start.stack import places

__all__ = ["Group", "Groups", "alike", "in_front", "over_root", "squares"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]

_SPREAD = 4.0  # of scales, and of stiffness, within a group
_TOGETHER = 32  # flows: more save nothing, and all wait for the slowest


class Group(Protocol):
    """How some networks of a stack are answered for, `where` in its flat order."""

    where: Places

    @property
    def methods(self) -> Sequence[str]:
        """Names of the solvers, one for each network."""

    @property
    def assumptions(self) -> Sequence[tuple[str, ...]]:
        """What they needed, for each network."""


_Kind = TypeVar("_Kind", bound=Group)


class Groups(Generic[_Kind]):
    """All groups of a stack of some shape."""

    def __init__(self, shape: tuple[int, ...], groups: Sequence[_Kind]) -> None:
        self.shape, self._groups = shape, groups
        self.count = int(np.prod(shape))

    def __iter__(self) -> Iterator[_Kind]:
        return iter(self._groups)

    @property
    def method(self) -> str:
        """Which solvers answered, and where there are several how often."""
        used = Counter(name for group in self for name in group.methods)
        if len(used) == 1:
            return next(iter(used))
        return "; ".join(f"{name}: {count}" for name, count in used.most_common())

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the methods needed, each with how many networks of the stack it is said of."""
        said = Counter(words for group in self for each in group.assumptions for words in each)
        return tuple(
            words if count == self.count else f"{words} ({count} of {self.count} networks)"
            for words, count in said.items()
        )

    def answers(self, question: Callable[[_Kind], tuple[Array, ...]]) -> tuple[Array, ...]:
        """What every group answers, in its places: arrays (times, networks).

        Raises
        ------
        AssumptionError, ConvergenceError
            As a group does, naming a place.
        """
        whole: list[Array] = []
        for group in self:
            try:
                values = question(group)
            except (AssumptionError, ConvergenceError) as refusal:
                where = places(self.shape, int(group.where[0]))
                which = f"network {where}" if group.where.size == 1 else f"networks like {where}"
                raise type(refusal)(f"{which} of the stack: {refusal}") from None
            whole = whole or [np.empty((len(v), self.count)) for v in values]
            for place, value in zip(whole, values, strict=True):
                place[:, group.where] = value
        return tuple(whole)


def in_front(values: Sequence[Array], shape: tuple[int, ...]) -> list[Array]:
    """Arrays (..., networks) with the axes of the stack first."""
    return [np.moveaxis(v, -1, 0).reshape(shape + v.shape[:-1]) for v in values]


def squares(x: Array) -> Array:
    """Squared Frobenius norms of matrices (..., rows, columns)."""
    return np.asarray(np.sum(x * x, axis=(-2, -1)))


def over_root(change: Array, size: Array) -> Array:
    """Relative to the root of size, NaN where that is 0."""
    return np.where(size > 0, change / np.sqrt(np.where(size > 0, size, 1.0)), np.nan)


def alike(scales: Sequence[float], stiffness: Sequence[float]) -> Iterator[Places]:
    """Groups of indices, each of flows whose scales and stiffness are within a factor of 4.

    Steps are common to a stack, so that one slow network would hold up all the others.
    """
    size, stiff = np.asarray(scales), np.asarray(stiffness)
    left = np.argsort(size, kind="stable")
    while left.size:
        near = size[left] <= _SPREAD * size[left[0]]
        group, left = left[near], left[~near]
        group = group[np.argsort(stiff[group], kind="stable")]
        while group.size:
            near = stiff[group] <= _SPREAD * stiff[group[0]]
            near[_TOGETHER:] = False
            yield group[near]
            group = group[~near]
