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
) -> list[Expected]:
    """Means, spreads and standard errors over draws, one record a time of the question.

    `found` has the shape of these times, then the draws; `accuracy` is that of the worst of them.
    """
    count = found.loss.shape[-1]
    worst = f"standard errors from {count} draws; {accuracy}"
    each = zip(*(np.atleast_2d(v) for v in found), strict=True)
    return [
        _at(float(t), Measures(*some), method, said, worst)
        for t, some in zip(np.ravel(case.time), each, strict=True)
    ]


def _at(t: float, found: Measures, method: str, said: tuple[str, ...], accuracy: str) -> Expected:
    count = found.loss.size

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
        time=t,
        method=method,
        assumptions=(
            "random tasks: independent normal responses at every lag",
            "inputs and readout in random directions",
            "inputs white over steps and channels",
            "read at the last step",
            *said,
        ),
        accuracy=accuracy,
        tasks=count,
    )
