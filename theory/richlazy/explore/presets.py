"""Starts that the page offers: the circuits that come along, and the input of the command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from richlazy import names
from richlazy.sources import connectomes
from richlazy.sources.source import Source
from richlazy.start import spectrum

__all__ = ["LARGEST", "Preset", "circuits", "given", "of"]

#: Inputs up to which the page's slider goes.
LARGEST = 10_000


@dataclass(frozen=True)
class Preset:
    """What the page needs of a start: inputs d and participation ratio PR; the norm is 1.

    `units` is N of a square one, which can be read as recurrent weights too; `said` is a sentence
    on it. Of an input, `values` is the Python that gives its singular values and `command` that
    which makes its page.
    """

    name: str
    label: str
    inputs: int
    rank: float
    units: int | None
    said: str
    values: str | None = None
    command: str | None = None

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
        ratio = spectrum.effective_rank(weights, "participation")
        found.append(Preset(name, label, len(weights), ratio, len(weights), circuit.source))
    return found


def of(
    source: Source,
    text: str,
    inputs: int | None = None,
    units: int | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Preset:
    """The input of the command: a matrix of hidden x inputs, or a spectrum of so many inputs.

    `text` and `reading` are how it was asked for, as `sources.source.find` takes them.

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
        for option, count, size in (("--inputs", inputs, columns), ("--units", units, square)):
            if count not in (None, size):
                raise ValueError(f"{option} is {count}, but {source.name} is {rows} x {columns}")
    assert columns is not None
    if not 2 <= columns <= LARGEST:
        raise ValueError(f"the page goes from 2 to {LARGEST} inputs; {source.name} has {columns}")
    ratio = spectrum.effective_rank(source.values, "participation")
    if ratio > columns * (1.0 - 1e-12):  # rounding of a flat one
        ratio = float(columns)
    name = names.plain(source.name)
    said = source.citation or "; ".join(source.notes) or "Your own start."
    asked = given(reading or {})
    return Preset(
        "input", name, columns, ratio, square, said,
        _values(source, text, asked), _command(text, {**asked, "inputs": inputs, "units": units}),
    )  # fmt: skip


def given(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Options of reading that were given; `header` and `index` may be given as no."""
    return {
        name: value
        for name, value in reading.items()
        if value is not None and (name, value) != ("transpose", False)
    }


def _values(source: Source, text: str, asked: Mapping[str, Any]) -> str:
    """Python that gives the singular values."""
    if source.family:
        family, _, parameters = text.partition(":")
        return f"rl.spectrum.{family}({', '.join(parameters.split(','))})"
    if source.read is None:
        return f"rl.spectrum.of(rl.connectomes.load({text!r}).weights)"
    options = "".join(f", {name}={value!r}" for name, value in asked.items())
    values = f"rl.files.read({text!r}{options}).values"
    return values if source.is_spectrum else f"rl.spectrum.of({values})"


def _command(text: str, asked: Mapping[str, Any]) -> str:
    words = ["richlazy", "explore", text]
    for name, value in asked.items():
        if name == "transpose":
            words.append("--transpose")
        elif value is not None:
            told = ("no", "yes")[value] if isinstance(value, bool) else str(value)
            words += [f"--{name}", told]
    return shlex.join([*words, "--out", "page.html"])
