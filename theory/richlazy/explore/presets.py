"""Starts that the page offers: the circuits that come along, and the input of the command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from richlazy import names
from richlazy.sources import connectomes
from richlazy.sources.source import Source
from richlazy.start import spectrum

__all__ = ["LARGEST", "Preset", "circuits", "of"]

#: Inputs up to which the page's slider goes.
LARGEST = 10_000


@dataclass(frozen=True)
class Preset:
    """What the page needs of a start: inputs d and participation ratio PR; the norm is 1.

    `units` is N of a square one, which can be read as recurrent weights too. `said` is a sentence
    on it; `start` names it on the command line where its recurrent table is its own.
    """

    name: str
    label: str
    inputs: int
    rank: float
    units: int | None
    said: str
    start: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def circuits() -> list[Preset]:
    """The connectomes that come along, with their counts of synapses as weights."""
    found = []
    for name in connectomes.names():
        circuit = connectomes.load(name)
        label = f"{name.replace('_', ' ')} ({circuit.stage})"
        weights = circuit.weights
        ratio = float(spectrum.participation_ratio(weights))
        found.append(Preset(name, label, len(weights), ratio, len(weights), circuit.source))
    return found


def of(source: Source, start: str, inputs: int | None, units: int | None) -> Preset:
    """The input of the command: a matrix of hidden x inputs, or a spectrum of so many inputs.

    Raises
    ------
    ValueError
        If sizes are missing, do not fit it or leave the range of the page.
    """
    if source.is_spectrum:
        if inputs is None and units is None:
            raise ValueError(
                "--inputs or --units is needed with a spectrum: the number of input directions "
                "of a first layer, or of neurons of a recurrent network"
            )
        columns, square = inputs or units, units
        rank = int((source.values > 0).sum())
        for option, count in (("--inputs", inputs), ("--units", units)):
            if count is not None and count < rank:
                raise ValueError(f"{option} must be at least the rank {rank}; it is {count}")
    else:
        rows, columns = map(int, source.values.shape)
        square = rows if rows == columns else None
        for option, given, size in (("--inputs", inputs, columns), ("--units", units, square)):
            if given not in (None, size):
                raise ValueError(f"{option} is {given}, but {source.name} is {rows} x {columns}")
    assert columns is not None
    if not 2 <= columns <= LARGEST:
        raise ValueError(f"the page goes from 2 to {LARGEST} inputs; {source.name} has {columns}")
    ratio = float(spectrum.participation_ratio(source.values))
    rank_like = columns if ratio > columns * (1.0 - 1e-12) else ratio  # rounding of a flat one
    name = names.plain(source.name)
    said = source.citation or "; ".join(source.notes) or "Your own start."
    return Preset("input", name, columns, float(rank_like), square, said, start)
