"""The frame that every study fills: a question, independent cases, a verdict by stated tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:  # a process that only runs cases draws nothing
    from matplotlib.figure import Figure

__all__ = [
    "DRAWN",
    "SYMBOLS",
    "TITLES",
    "Arrays",
    "Case",
    "Check",
    "Result",
    "Study",
    "grid_of",
    "selected",
    "worst_of",
]

G = TypeVar("G")

#: The measures that figures show, and what they call them.
DRAWN = ("kernel_alignment", "representation_alignment", "weight_change")
TITLES = ("kernel alignment KA", "representation alignment RA", "weight change ‖ΔW‖")
#: And what sentences call them.
SYMBOLS = dict(zip(DRAWN, ("KA", "RA", "‖ΔW‖"), strict=True))

#: What makes a case: numbers, strings and lists of them, everything its run depends on.
Case: TypeAlias = Mapping[str, Any]
#: What a case measured.
Arrays: TypeAlias = Mapping[str, NDArray[Any]]


def grid_of(kind: type[G], case: Case) -> G:
    """The grid, a dataclass of this kind, whose fields are kept in a case."""
    return kind(**{field.name: _tuples(case[field.name]) for field in fields(kind)})


def _tuples(value: Any) -> Any:
    """JSON's lists are tuples again."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def selected(
    cases: Sequence[Case], found: Sequence[Arrays], **wanted: Any
) -> list[tuple[Case, Arrays]]:
    """The cases that have these values, with what they found."""
    pairs = zip(cases, found, strict=True)
    return [(case, part) for case, part in pairs if wanted.items() <= case.items()]


@dataclass(frozen=True)
class Check:
    """A test: passed if the worst of `count` values, which must be finite, is below the limit."""

    name: str
    test: str
    worst: float
    limit: float
    count: int

    @property
    def passed(self) -> bool:
        """Whether it holds; a NaN does not."""
        return bool(self.worst < self.limit)


def worst_of(name: str, test: str, values: ArrayLike | Sequence[ArrayLike], limit: float) -> Check:
    """The check that every one of these values is below the limit in size; fails without any.

    A list or tuple may hold arrays of any shapes.
    """
    parts = values if isinstance(values, list | tuple) else [values]
    flat = np.concatenate([*map(np.ravel, parts), []])
    worst = float(np.max(np.abs(flat))) if flat.size else np.inf
    return Check(name, test, worst, limit, flat.size)


@dataclass(frozen=True)
class Result:
    """What a study found.

    `rows` of the table, `checks`, a `figure`, the `settings` that made them, and `findings`:
    plain sentences, with their numbers, that are no matter of passing.
    """

    rows: Sequence[Mapping[str, Any]]
    checks: Sequence[Check]
    figure: Figure
    settings: Mapping[str, Any]
    findings: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """One line."""
        failed = [check.name for check in self.checks if not check.passed]
        if failed:
            return f"FAILED ({', '.join(failed)})"
        return f"passed ({len(self.checks)} of {len(self.checks)} checks)"


@dataclass(frozen=True)
class Study:
    """A question about theory and gradient descent, and how it is answered.

    `cases(quick, seed)` lists independent cases; `simulate(case)` runs one, in whatever process,
    and gives the same numbers for the same case; `conclude(cases, found)` compares them all.
    `packages` are distributions, beside the library's own, that the numbers depend on.
    """

    name: str
    question: str
    cases: Callable[[bool, int], Sequence[Case]]
    simulate: Callable[[Case], Arrays]
    conclude: Callable[[Sequence[Case], Sequence[Arrays]], Result]
    packages: tuple[str, ...] = ()
