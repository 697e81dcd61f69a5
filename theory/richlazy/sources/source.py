"""What a start may be called on the command line: a file, a shipped connectome or a family."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.names import plain
from richlazy.sources import connectomes, files, opening
from richlazy.sources.content import LIMIT
from richlazy.start import matrices, spectrum
from richlazy.start import precision as rounding
from richlazy.start.matrices import MatrixLike
from richlazy.summary import summary

__all__ = ["FAMILIES", "Source", "find", "rescaled"]

Array = NDArray[np.float64]

#: Families of spectra and their parameters: name=value, separated by commas.
FAMILIES: dict[str, tuple[Callable[..., Array], tuple[str, ...]]] = {
    "flat": (spectrum.flat, ("rank",)),
    "power_law": (spectrum.power_law, ("count", "exponent")),
    "exponential": (spectrum.exponential, ("count", "rate")),
    "gaussian": (spectrum.gaussian, ("hidden", "inputs")),
}


_FEW_DIGITS = 1e-3  # of the largest entry


@dataclass(frozen=True, eq=False)
class Source:
    """A start: singular values (1-D) or weights (hidden x inputs), with what is known of it.

    `family` marks singular values that were asked for by formula and already have their norm;
    `read` is what a file was read as; `neurons` names the presynaptic neurons, the columns of the
    weights, where that is known.
    """

    name: str
    values: MatrixLike
    notes: tuple[str, ...] = ()
    citation: str | None = None
    family: bool = False
    read: files.Input | None = None
    neurons: tuple[str, ...] | None = None

    @property
    def is_spectrum(self) -> bool:
        """Whether `values` are singular values rather than weights."""
        return spectrum.is_spectrum(self.values)

    @property
    def precision(self) -> float:
        """Rounding unit of the weights as stored; that of float64 where it is no worse.

        The half unit of a file's last digit, doubled. Of a table of one or two digits it would
        call most of the spectrum rounding, which those who typed it do not mean.
        """
        if self.read is None or self.is_spectrum or self.read.stored > _FEW_DIGITS:
            return rounding.EPS
        return max(rounding.EPS, 2.0 * self.read.stored)

    @property
    def singular_values(self) -> Array:
        """All of them, those that are rounding as stored set to zero."""
        s = spectrum.of(self.values)
        return np.where(s > rounding.cutoff(s, self.values.shape, self.precision), s, 0.0)

    @property
    def norm(self) -> float:
        """||W1||_F."""
        if self.is_spectrum:
            return float(self.values[0] * np.linalg.norm(self.values / self.values[0]))
        return float(np.sqrt(matrices.second_moments_trace(self.values)))

    def __repr__(self) -> str:
        kind = "spectrum" if self.is_spectrum else "weights"
        return summary(
            self,
            name=self.name,
            kind=kind,
            values=self.values,
            norm=self.norm,
            notes=len(self.notes),
            citation=self.citation,
        )


def find(text: str, *, limit: float = LIMIT, **reading: Any) -> Source:
    """Resolve a family such as ``flat:rank=5,norm=1``, a shipped connectome or a file.

    A file goes before a connectome of the same name, a family before a file. `limit` (GB) and
    `reading` are the options of `richlazy.files.read`; only a file can be read in another way.

    Raises
    ------
    ValueError
        If it is none of these (the message lists what there is), or needs more memory than
        the limit.
    """
    family, colon, given = text.partition(":")
    exists = os.path.lexists(text)
    meant = [name for name, value in reading.items() if value not in (None, False)]
    is_family = family in FAMILIES and (bool(colon) or not exists)
    if meant and (is_family or (text in connectomes.names() and not exists)):
        raise ValueError(f"--{meant[0]} is for files, and {text} is none; leave it out")
    if is_family:
        return Source(text, _family(family, given, limit), family=True)
    if text in connectomes.names() and not exists:
        shipped = connectomes.load(text)
        return Source(text, shipped.weights, citation=shipped.source, neurons=shipped.neurons)
    file, array = opening.find(text)
    if not exists and file != "-" and array is None and (colon or not Path(text).suffix):
        raise ValueError(
            f"{text!r} is no file, no shipped connectome ({', '.join(connectomes.names())}) and "
            f"no family ({', '.join(FAMILIES)}, as in flat:rank=5)"
        )
    read = files.read(text, limit=limit, **reading)
    spectral = read.kind == "spectrum"
    values = read.values if spectral else matrices.as_matrix(read.values, plain(text))
    neurons = None if spectral else read.neurons or read.columns
    return Source(read.name, values, read.notes, read=read, neurons=neurons)


def _family(family: str, given: str, limit: float) -> Array:
    make, needed = FAMILIES[family]
    usage = f"{family}:" + ",".join(f"{name}=..." for name in (*needed, "norm"))
    parameters: dict[str, float] = {}
    for part in filter(None, given.split(",")):
        name, equals, value = part.partition("=")
        if not equals or name not in (*needed, "norm") or name in parameters:
            raise ValueError(f"cannot read {part!r}; write {usage} (norm is optional)")
        try:
            parameters[name] = float(value)
        except ValueError:
            raise ValueError(f"{name} must be a number; it is {value!r}") from None
    missing = [name for name in needed if name not in parameters]
    if missing:
        raise ValueError(f"{family} needs {' and '.join(missing)}; write {usage}")
    return make(**parameters, limit=limit)


def rescaled(source: Source, norm: float | None) -> Source:
    """The source at Frobenius norm `norm`; None keeps it as it is."""
    if norm is None:
        return source
    if source.is_spectrum:
        return replace(source, values=spectrum.rescaled(source.values, norm))
    return replace(source, values=matrices.rescaled(source.values, norm))
