"""Records of measures of recurrent networks: of one start, and over random starts and tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from richlazy.averages.record import Statistic
from richlazy.laziness import plain
from richlazy.recurrent.measures import Measures
from richlazy.summary import number, summary

__all__ = ["Expected", "Laziness"]

_PARTS = ("mean", "sd", "standard_error")


@dataclass(frozen=True)
class Laziness:
    """The measures of one recurrent network between time 0 and `time`; None is undefined (0/0).

    Of a stack of networks each measure is an array of its shape, NaN where it is undefined.
    """

    weight_change: float
    weight_change_inputs: float
    weight_change_recurrent: float
    weight_change_readout: float
    relative_weight_change: float | None
    relative_weight_change_recurrent: float | None
    representation_alignment: float | None
    kernel_alignment: float | None
    target_alignment: float | None
    loss: float
    time: float
    method: str
    assumptions: tuple[str, ...]
    accuracy: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON (an infinite time is the string "inf")."""
        values = {name: plain(value) for name, value in asdict(self).items()}
        values["assumptions"] = list(self.assumptions)
        values["time"] = _plain(self.time)
        return values

    def __repr__(self) -> str:
        measured = {name: getattr(self, name) for name in Measures._fields}
        return summary(self, method=self.method, time=self.time, **measured)


@dataclass(frozen=True)
class Expected:
    """Every measure over random tasks, inputs and readouts, and how it was found.

    `tasks` is the number of draws. An alignment that is 0/0 in one of them is None.
    """

    weight_change: Statistic
    weight_change_inputs: Statistic
    weight_change_recurrent: Statistic
    weight_change_readout: Statistic
    representation_alignment: Statistic | None
    kernel_alignment: Statistic | None
    target_alignment: Statistic | None
    loss: Statistic
    time: float
    method: str
    assumptions: tuple[str, ...]
    accuracy: str
    tasks: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON (an infinite time is the string "inf")."""
        values: dict[str, Any] = {
            name: None if s is None else {key: getattr(s, key) for key in _PARTS}
            for name, s in self._measured()
        }
        values["time"] = _plain(self.time)
        values["method"] = self.method
        values["assumptions"] = list(self.assumptions)
        values["accuracy"] = self.accuracy
        values["tasks"] = self.tasks
        return values

    def __repr__(self) -> str:
        measured = {
            name: None if s is None else f"{number(s.mean)} ± {s.sd:.1g}"
            for name, s in self._measured()
        }
        return summary(self, method=self.method, time=self.time, **measured)

    def _measured(self) -> list[tuple[str, Statistic | None]]:
        return [(name, getattr(self, name)) for name in Measures._fields]


def _plain(time: float) -> float | str:
    return "inf" if np.isinf(time) else time
