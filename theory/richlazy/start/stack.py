"""Stacks: networks or tasks of one size, along leading axes as in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import KindError

__all__ = ["Stack", "alone", "places", "together"]

_Thing = TypeVar("_Thing", bound="Stack")
_Other = TypeVar("_Other", bound="Stack")


class Stack:
    """One thing, or a stack of them.

    Attributes
    ----------
    shape : tuple
        Leading axes; () for one.
    """

    shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"one {type(self).__name__} has no length")
        return self.shape[0]

    def __iter__(self: _Thing) -> Iterator[_Thing]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self: _Thing, place: int | tuple[int, ...]) -> _Thing:
        """One of a stack, or a stack of what further axes hold."""
        raise NotImplementedError

    def _spread(self: _Thing, shape: tuple[int, ...]) -> _Thing:
        """The same in a larger stack, broadcast."""
        raise NotImplementedError

    def _place(self, place: int | tuple[int, ...]) -> tuple[int, ...]:
        """Checked: integers, at most one for each axis."""
        asked = place if isinstance(place, tuple) else (place,)
        sizes = f"a stack of shape {self.shape}" if self.shape else "one network or task"
        if len(asked) > len(self.shape) or not all(isinstance(i, (int, np.integer)) for i in asked):
            raise IndexError(f"{sizes} has no place {place!r}: give one integer for each axis")
        if any(not -n <= i < n for i, n in zip(asked, self.shape, strict=False)):
            raise IndexError(f"{sizes} has no place {place!r}")
        return asked


def alone(value: _Thing, name: str) -> _Thing:
    """Return what is one; a KindError for a stack, where one is asked for."""
    if value.shape:
        raise KindError(
            f"{name} must be one {type(value).__name__}; it is a stack of shape {value.shape}: "
            f"take one of them, {name}[{', '.join('0' * len(value.shape))}]; stacks are for "
            "solve and predict"
        )
    return value


def together(start: _Thing, task: _Other) -> tuple[_Thing, _Other]:
    """Two stacks, or one thing and a stack, broadcast against each other."""
    try:
        shape = np.broadcast_shapes(start.shape, task.shape)
    except ValueError:
        raise ValueError(
            f"the stacks must agree: that of networks has shape {start.shape}, that of tasks "
            f"{task.shape}"
        ) from None
    return start._spread(shape), task._spread(shape)


def places(shape: tuple[int, ...], count: NDArray[np.intp] | int) -> tuple[int, ...]:
    """The place in a stack of a number in its flat order."""
    return tuple(int(i) for i in np.unravel_index(count, shape)) if shape else ()
