"""A map before it is made: its axes and values, and what its cells are computed with."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.curves.cases import Found, Kept, run
from richlazy.curves.grid import Map
from richlazy.curves.record import plain

__all__ = ["Closed", "Question", "Separate"]

Array = NDArray[np.float64]
#: Columns, which broadcast or are flat, and provenance.
Answer = tuple[dict[str, Array], dict[str, Any]]


@dataclass(frozen=True)
class Closed:
    """A closed form: all cells in one call."""

    call: Callable[[], Answer]


@dataclass(frozen=True)
class Separate:
    """Independent cases: what finds one, and what says where all of them come from.

    A case is a cell or a line of them, x running first, or y where they are `turned`. What is
    found of it are lists over its cells, in plain values: `columns`, and of what differs between
    cells `said` and `assumptions`.
    """

    find: Callable[[Any], Found]
    cases: Sequence[Any]
    about: dict[str, Any]
    source: Callable[[Sequence[Found]], dict[str, Any]]
    turned: bool = False


@dataclass(frozen=True)
class Question:
    """What a map is of."""

    axes: tuple[str, str]
    x: Array
    y: Array
    how: Closed | Separate

    @property
    def cases(self) -> int:
        """How many there are; none of a closed form."""
        return 0 if isinstance(self.how, Closed) else len(self.how.cases)

    @property
    def cells(self) -> int:
        """How many the map has."""
        return self.x.size * self.y.size

    def make(
        self,
        executor: Executor | None = None,
        kept: Kept | None = None,
        advance: Callable[[], None] = lambda: None,
    ) -> Map:
        """Every cell; `advance` is called after each case."""
        shape = (self.y.size, self.x.size)
        if isinstance(self.how, Closed):
            found, source = self.how.call()
            columns = {k: np.broadcast_to(v, shape).copy() for k, v in found.items()}
            return Map(*self.axes, self.x, self.y, columns, source)
        how = self.how
        records = run(how.find, how.cases, executor=executor, kept=kept, advance=advance)
        source = how.source(records)
        for name in records[0].get("said", ()):
            said = [words for record in records for words in record["said"][name]]
            source[name] = self._table(np.array(said, dtype=object)).tolist()
        if "assumptions" in records[0]:
            every = (words for record in records for words in record["assumptions"])
            source["assumptions"] = list(dict.fromkeys(every))
        columns = {
            name: self._table(np.array([v for record in records for v in record["columns"][name]]))
            for name in records[0]["columns"]
        }
        return Map(*self.axes, self.x, self.y, columns, source)

    def _table(self, values: NDArray[Any]) -> NDArray[Any]:
        """What was found of all cells, in the order of the cases, as (y.size, x.size)."""
        if isinstance(self.how, Separate) and self.how.turned:
            return np.ascontiguousarray(values.reshape(self.x.size, self.y.size).T)
        return values.reshape(self.y.size, self.x.size)

    def keep(self, folder: str | os.PathLike[str]) -> Kept | None:
        """Where finished cases of this map are kept; None of a closed form."""
        if isinstance(self.how, Closed):
            return None
        ends = zip(self.axes, (self.x, self.y), strict=True)
        about = {axis: [plain(v) for v in values] for axis, values in ends}
        return Kept(folder, {**about, **self.how.about}, self.how.cases)
