"""The measures of one recurrent start between two times, and how they were found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["Laziness"]


@dataclass(frozen=True)
class Laziness:
    """The measures of one recurrent network between time 0 and `time`; None is undefined (0/0)."""

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
        values = asdict(self)
        values["assumptions"] = list(self.assumptions)
        values["time"] = "inf" if np.isinf(self.time) else self.time
        return values
