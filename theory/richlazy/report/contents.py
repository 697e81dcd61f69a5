"""The report on one input: what is asked of it, and every reading of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from richlazy.errors import ConvergenceError
from richlazy.report import first_layer, recurrent
from richlazy.report.first_layer import FirstLayer
from richlazy.report.recurrent import Recurrent, Setting
from richlazy.sources import source as sources
from richlazy.sources.source import Source

__all__ = ["Asked", "Reading", "Report", "asked", "make"]

Reading: TypeAlias = Literal["recurrent", "first-layer", "both"]


class Asked(NamedTuple):
    """An input at the norm of each reading, None where it is not read so."""

    given: Source
    recurrent: Source | None
    first_layer: Source | None
    setting: Setting

    @property
    def steps(self) -> int:
        """Number of times `make` calls its `advance`."""
        mine = 0 if self.recurrent is None else recurrent.steps_of(self.recurrent)
        return mine + (0 if self.first_layer is None else first_layer.STEPS)


@dataclass(frozen=True, eq=False)
class Report:
    """One input, read as W of a recurrent network, as a first layer, or both.

    `notes` say why a reading that was asked for is not there.
    """

    source: Source
    recurrent: Recurrent | None
    first_layer: FirstLayer | None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weights: hidden x inputs, or neurons twice."""
        if self.first_layer is not None:
            return self.first_layer.hidden, self.first_layer.inputs
        assert self.recurrent is not None
        return self.recurrent.units, self.recurrent.units


def asked(
    source: Source,
    reading: Reading | None = None,
    *,
    norm: float | None = 1.0,
    gain: float = recurrent.GAIN,
    setting: Setting | None = None,
) -> Asked:
    """How an input is read: a square matrix both ways by default, anything else as first layer.

    Parameters
    ----------
    source
        As it was given.
    norm, gain
        ||W1||_F as first layer (None keeps it), ||W||_F / sqrt(N) as recurrent weights.

    Raises
    ------
    ValueError
        If the recurrent reading is asked for of what has no square matrix.

    Examples
    --------
    >>> from richlazy.sources.source import find
    >>> one = asked(find("celegans"))
    >>> round(one.recurrent.norm, 4), round(one.first_layer.norm, 4)
    (10.4396, 1.0)
    >>> asked(find("flat:rank=3")).recurrent is None
    True
    """
    shape = source.values.shape
    square = not source.is_spectrum and shape[0] == shape[1]
    if reading in ("recurrent", "both") and not square:
        what = "a spectrum" if source.is_spectrum else f"{shape[0]} x {shape[1]} weights"
        raise ValueError(
            f"{source.name} is {what}, and recurrent weights are a square matrix; use --as "
            "first-layer"
        )
    mine = first = None
    if square and reading != "first-layer":
        mine = recurrent.at_gain(source, gain)
    if mine is None or reading != "recurrent":
        first = sources.rescaled(source, norm)
    return Asked(source, mine, first, setting or Setting())


def make(what: Asked, advance: Callable[[str], None]) -> Report:
    """Compute every reading; `advance` is told of every step.

    Raises
    ------
    ConvergenceError
        If the flow of the recurrent network does not end, and no other reading was asked for.
    """
    source, given = what.given, what.given.norm
    mine = first = None
    notes: tuple[str, ...] = ()
    if what.recurrent is not None:
        given_gain = given / what.recurrent.values.shape[0] ** 0.5
        try:
            mine = recurrent.make(what.recurrent, given_gain, what.setting, advance)
        except ConvergenceError as error:
            if what.first_layer is None:
                raise
            notes = (f"not read as recurrent network: {error}; try fewer steps or a lower gain",)
    if what.first_layer is not None:
        first = first_layer.make(what.first_layer, given, advance)
    return Report(source, mine, first, notes)
