"""The record of a sample of measures of recurrent starts."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.averages.record import Statistic
from richlazy.recurrent.averages.question import Question
from richlazy.recurrent.measures import Measures
from richlazy.recurrent.record import Expected

__all__ = ["recorded"]

Array = NDArray[np.float64]


def recorded(
    case: Question, found: Measures, method: str, said: tuple[str, ...], accuracy: str
) -> Expected:
    """Means, spreads and standard errors over draws."""
    count = len(found.loss)

    def statistic(values: Array) -> Statistic | None:
        if np.any(np.isnan(values)):
            return None
        sd = float(np.std(values, ddof=1))
        return Statistic(
            float(np.mean(values)), sd, sd / float(np.sqrt(count)), partial(np.quantile, values)
        )

    columns: dict[str, Any] = {
        name: statistic(v) for name, v in zip(Measures._fields, found, strict=True)
    }
    return Expected(
        **columns,
        time=case.time,
        method=method,
        assumptions=(
            "random tasks: independent normal responses at every lag",
            "inputs and readout in random directions",
            "inputs white over steps and channels",
            "read at the last step",
            *said,
        ),
        accuracy=f"standard errors from {count} draws; {accuracy}",
        tasks=count,
    )
