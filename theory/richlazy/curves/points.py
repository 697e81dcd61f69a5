"""Points of curves and maps: recurrent starts as `expect` takes them, and its records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.curves.setting import DEFAULTS, KEYWORDS
from richlazy.errors import generator, integer
from richlazy.recurrent.measures import Measures
from richlazy.start import matrices, spectrum
from richlazy.start.matrices import MatrixLike

__all__ = ["TYPICAL", "Start", "cells", "columns", "distinct_words", "kind", "question", "seed"]

Array = NDArray[np.float64]
#: The setting of a curve, after how it was averaged.
TYPICAL = "recurrent start, white inputs"


@dataclass(frozen=True)
class Start:
    """What a recurrent start is where no axis says it.

    `matrix` gives its weights or singular values; None stands for a flat start, whose rank an axis
    says.
    """

    matrix: MatrixLike | None
    units: int
    gain: float | None = None
    steps: int | None = None

    @classmethod
    def given(cls, start: MatrixLike, units: int | None, steps: int | None = None) -> Start:
        """Weights or singular values as a caller gives them."""
        if spectrum.is_spectrum(start):
            if units is None:
                raise ValueError("units is needed with singular values: the number of units, N")
            return cls(spectrum.check(start), integer(units, "units"), steps=steps)
        matrix = matrices.as_matrix(start, "start")
        return cls(matrix, int(matrix.shape[0]), steps=steps)

    def at(self, place: Mapping[str, Any]) -> dict[str, Any]:
        """What `expect` takes at these values of the axes, `expect_over` at several times."""
        point: dict[str, Any] = {"units": self.units, "start": self.matrix, "steps": self.steps}
        gain = place.get("gain", self.gain)
        norm = None if gain is None else gain * np.sqrt(self.units)
        if norm is not None and self.matrix is None:
            point["start"] = spectrum.flat(integer(place["rank"], "ranks"), norm)
        elif norm is not None:
            point["start"] = _scaled(self.matrix, norm)
        if "steps" in place:
            point["steps"] = integer(place["steps"], "lengths")
        point |= {KEYWORDS[axis]: place[axis] for axis in ("strength", "time") if axis in place}
        return point

    def said(self) -> dict[str, Any]:
        """What provenance says of it."""
        said: dict[str, Any] = {"units": self.units}
        if self.matrix is not None and spectrum.is_spectrum(self.matrix):
            said = {"singular_values": self.matrix, **said}
        elif self.matrix is not None:
            said = {"start": f"{self.units} x {self.units} matrix"}
        own = {"steps": self.steps, "gain": self.gain}
        return said | {name: value for name, value in own.items() if value is not None}


def _scaled(start: MatrixLike, norm: float) -> MatrixLike:
    if spectrum.is_spectrum(start):
        return start * (norm / np.linalg.norm(start))
    return matrices.rescaled(start, norm)


def question(axes: Collection[str], setting: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting but those that the axes say; a TypeError for one that is none."""
    own = {KEYWORDS[axis] for axis in axes}
    for name in setting:
        if name in own:
            raise TypeError(f"{name} is the axis of this curve; leave it out")
        if name not in DEFAULTS:
            raise TypeError(f"{name} is no setting; they are {', '.join(DEFAULTS)}")
    return {name: v for name, v in {**DEFAULTS, **setting}.items() if name not in own}


def columns(
    found: Sequence[Mapping[str, Any]], measures: Sequence[str] = Measures._fields
) -> dict[str, Array]:
    """Columns of the records of `expect`, as dictionaries; NaN where a measure is 0/0."""
    made = {}
    for name in measures:
        for suffix, part in (("", "mean"), ("_sd", "sd"), ("_standard_error", "standard_error")):
            each = [None if record[name] is None else record[name][part] for record in found]
            made[name + suffix] = np.array([np.nan if v is None else v for v in each])
    return made


def kind(method: str) -> str:
    """How it was averaged."""
    return "sampled" if method.startswith("sample") else "typical"


def cells(
    found: Sequence[Mapping[str, Any]], measures: Sequence[str] = Measures._fields
) -> dict[str, Any]:
    """The same records as the cells of a case of a map, in plain values."""
    return {
        "columns": {name: values.tolist() for name, values in columns(found, measures).items()},
        "said": {name: [record[name] for record in found] for name in ("method", "accuracy")},
        "assumptions": distinct_words(found),
    }


def distinct_words(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The assumptions of all records, each once."""
    return list(dict.fromkeys(words for record in found for words in record["assumptions"]))


def seed(rng: Any) -> int:
    """A seed as it is; of a Generator, one for every point, and it moves on."""
    if rng is None:
        return 0
    source = generator(rng)
    return int(rng) if isinstance(rng, Integral) else int(source.integers(2**63))
