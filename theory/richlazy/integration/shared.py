"""What threads may share of a trajectory: one question at a time, and answers that are kept."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import times

__all__ = ["Shared", "distinct"]

Array = NDArray[np.float64]

_KEPT = 16


def distinct(t: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
    """The distinct times asked for, ascending, and in the shape of t which of them each is."""
    time = times(t)
    if time.ndim == 1 and (time[1:] > time[:-1]).all():
        return time, np.arange(time.size)
    found, place = np.unique(time, return_inverse=True)
    return found, place.reshape(time.shape)


class Shared:
    """A trajectory that may be shared between threads, copied and pickled.

    Threads wait for each other: what a question changes on its way (a chain that grows, the worst
    agreement so far) is never seen half changed. What is asked must not depend on what was asked
    before, so that every thread gets what it would get alone.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[tuple[str, bytes], tuple[Array, ...]] = {}

    def _answers(
        self, t: ArrayLike, question: Callable[[Array], tuple[Array, ...]]
    ) -> tuple[Array, ...]:
        """Answers in the shape of t, each distinct time asked once and remembered."""
        at, place = distinct(t)
        key = question.__name__, at.tobytes()
        with self._lock:
            if key not in self._kept:
                if len(self._kept) >= _KEPT:
                    self._kept.clear()
                self._kept[key] = question(at)
            kept = self._kept[key]
        # copies: what a caller does to them reaches no one else
        return tuple(values[place] for values in kept)

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock, copied while no question is being answered."""
        with self._lock:
            return deepcopy({name: v for name, v in vars(self).items() if name != "_lock"})

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = RLock()
