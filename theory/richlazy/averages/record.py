"""Records of measures averaged over random tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, unit_interval
from richlazy.laziness import Measures
from richlazy.summary import number, summary

__all__ = ["UNIFORM", "Expected", "Statistic", "record", "sampled"]

Array = NDArray[np.float64]

_PARTS = ("mean", "sd", "standard_error")
UNIFORM = "task directions uniform on the sphere"


@dataclass(frozen=True)
class Statistic:
    """One measure over random tasks.

    Attributes
    ----------
    mean
        Expected value.
    sd
        Standard deviation from task to task; None where the method gives means only.
    standard_error
        Of the mean: 0 where exact, None for an approximation (see `Expected.accuracy`).
    """

    mean: float
    sd: float | None
    standard_error: float | None
    # a partial of a function that has a name, so that it can be pickled
    _quantile: Callable[[Array], Array] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def exactly(cls, value: float) -> Statistic:
        """A measure that is the same for every task."""
        return cls(value, 0.0, 0.0, partial(_constant, value))

    def quantile(self, q: ArrayLike) -> Array:
        """Values below which a share q of tasks falls, shape of q.

        Raises
        ------
        AssumptionError
            If the method gives means only.
        """
        p = unit_interval(q, "q")
        if self._quantile is None:
            raise AssumptionError("this method gives means only; use method='sample' for quantiles")
        return self._quantile(p)

    def __repr__(self) -> str:
        return summary(self, **{part: getattr(self, part) for part in _PARTS})


def _constant(value: float, q: Array) -> Array:
    return np.full(q.shape, value)


def _in_short(statistic: Statistic) -> str:
    return number(statistic.mean) + (f" ± {statistic.sd:.1g}" if statistic.sd else "")


@dataclass(frozen=True)
class Expected:
    """Every measure over uniformly random tasks, and how it was found.

    `tasks` is the number of sampled tasks, None where none were sampled. Printed, a measure is its
    mean ± its standard deviation from task to task, where there is one.
    """

    weight_change: Statistic
    weight_change_input: Statistic
    weight_change_readout: Statistic
    representation_alignment: Statistic
    kernel_alignment: Statistic
    target_alignment: Statistic
    loss: Statistic
    time: float
    method: str
    assumptions: tuple[str, ...]
    accuracy: str
    tasks: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON (an infinite time is the string "inf")."""
        values: dict[str, Any] = {
            name: {key: getattr(getattr(self, name), key) for key in _PARTS}
            for name in Measures._fields
        }
        values["time"] = "inf" if np.isinf(self.time) else self.time
        values["method"] = self.method
        values["assumptions"] = list(self.assumptions)
        values["accuracy"] = self.accuracy
        values["tasks"] = self.tasks
        return values

    def __repr__(self) -> str:
        measured = {name: _in_short(getattr(self, name)) for name in Measures._fields}
        return summary(self, method=self.method, time=self.time, **measured)


def record(
    columns: list[Statistic],
    time: float,
    method: str,
    assumptions: tuple[str, ...],
    accuracy: str,
    tasks: int | None = None,
    task: str = UNIFORM,
) -> Expected:
    """Assemble a record from statistics in the order of `Measures`."""
    shared = ("silent readout", "white inputs", task)
    return Expected(
        **dict(zip(Measures._fields, columns, strict=True)),
        time=time,
        method=method,
        assumptions=(*shared, *assumptions),
        accuracy=accuracy,
        tasks=tasks,
    )


def sampled(
    parts: list[Measures], times: Array, count: int, route: str, worst: float, outputs: int
) -> list[Expected]:
    """Statistics of sampled tasks at every time, from measures (times, tasks) of each stack."""

    def statistic(values: Array) -> Statistic:
        sd = float(np.std(values, ddof=1))
        return Statistic(
            float(np.mean(values)), sd, sd / float(np.sqrt(count)), partial(np.quantile, values)
        )

    every = Measures(*(np.concatenate(values, axis=1) for values in zip(*parts, strict=True)))
    return [
        record(
            [statistic(values[k]) for values in every],
            float(t),
            f"sample of {count} tasks by {route}",
            (f"{outputs} output{'s of equal strength' if outputs > 1 else ''}",),
            f"standard errors from {count} tasks; numerical error {worst:.1e}",
            count,
        )
        for k, t in enumerate(times)
    ]
