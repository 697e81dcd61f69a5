"""T20: the typical recurrent start on a grid, for a page that no closed form can feed.

The table that comes along, over participation ratio, gain and steps, is made by

    python -m richlazy.explore.table > theory/richlazy/explore/recurrent.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.recurrent.averages.expect import expect_over
from richlazy.recurrent.record import Expected
from richlazy.start import spectrum

__all__ = [
    "CELLS",
    "GAINS",
    "MEASURES",
    "RATIOS",
    "STEPS",
    "TASKS",
    "TIMES",
    "UNITS",
    "of",
    "shipped",
]

Array = NDArray[np.float64]

#: What the table holds of every cell: mean and standard error over the tasks.
MEASURES = (
    "kernel_alignment",
    "representation_alignment",
    "target_alignment",
    "weight_change",
    "weight_change_recurrent",
    "loss",
)
#: The grid. The law has no size: units only say which participation ratio PR a ratio PR/N is.
RATIOS = (0.05, 0.1, 0.2, 0.5, 1.0)
GAINS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
STEPS = (2, 3, 4, 5)
TIMES = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0),
    *(1000.0, np.inf),
)
UNITS = 1000
#: Cells of one spectrum, of all times each.
CELLS = len(STEPS) * len(GAINS)
#: Random tasks of the table that comes along, and of one that is made while somebody waits.
TASKS = 100
_WHILE_WAITING = 40


def shipped() -> dict[str, Any]:
    """The table that comes along, over RATIOS."""
    text = (resources.files("richlazy.explore") / "recurrent.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def of(
    singular_values: Array,
    units: int,
    advance: Callable[[], None],
    *,
    tasks: int = _WHILE_WAITING,
) -> dict[str, Any]:
    """The table of one spectrum; `advance` is told of each of its `CELLS` cells.

    Raises
    ------
    ValueError
        For values that are no spectrum of so many units.
    """
    ratio = float(spectrum.effective_rank(singular_values, "participation")) / units
    return _table([singular_values], [ratio], units, tasks, advance)


def _table(
    spectra: Sequence[Array],
    ratios: Sequence[float],
    units: int,
    tasks: int,
    advance: Callable[[], None],
) -> dict[str, Any]:
    """Means and standard errors, ratio by ratio, steps by steps, gain by gain, time by time."""
    columns: dict[str, list[float | None]] = {
        f"{name}{of}": [] for name in MEASURES for of in ("", "_standard_error")
    }
    for values in spectra:
        for steps in STEPS:
            for gain in GAINS:
                for record in _course(values, units, steps, gain, tasks):
                    _append(columns, record)
                advance()
    return {
        "units": units,
        "tasks": tasks,
        "ratios": list(ratios),
        "steps": list(STEPS),
        "gains": list(GAINS),
        "times": [t if np.isfinite(t) else "inf" for t in TIMES],
        "columns": columns,
    }


def _course(values: Array, units: int, steps: int, gain: float, tasks: int) -> list[Expected]:
    """What `recurrent.expect` says at every time, from one flow."""
    start = spectrum.rescaled(values, gain * units**0.5)
    return expect_over(start, steps, units=units, t=TIMES, method="typical", tasks=tasks)


def _append(columns: dict[str, list[float | None]], record: Expected) -> None:
    """Six digits of a mean, of which its standard error leaves two or three, and three of that."""
    for name in MEASURES:
        found = getattr(record, name)
        mean, error = (None, None) if found is None else (found.mean, found.standard_error)
        columns[name].append(None if mean is None else float(f"{mean:.6g}"))
        columns[f"{name}_standard_error"].append(None if error is None else float(f"{error:.3g}"))


def _main() -> None:
    import sys

    flat = [spectrum.flat(round(ratio * UNITS)) for ratio in RATIOS]
    table = _table(flat, RATIOS, UNITS, TASKS, lambda: print(".", end="", file=sys.stderr))
    print(json.dumps(table, separators=(",", ":"), allow_nan=False))


if __name__ == "__main__":
    _main()
