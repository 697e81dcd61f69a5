"""Signs of the neurons of a circuit: synapse counts have none, and recurrent networks need them.

As Dale's law has it, a sign belongs to the presynaptic neuron, a column of W[post, pre]. So it
changes no singular value, W diag(+-1), and nothing of what a first layer learns; it moves the
eigenvalues, and with them what a recurrent network remembers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import generator
from richlazy.names import plain
from richlazy.sources import connectomes, opening
from richlazy.sources.content import LIMIT, Options, ReadError
from richlazy.sources.source import Source
from richlazy.start import matrices

__all__ = ["GABA", "given"]

#: What the shipped list of inhibitory neurons is called, where a file is asked for.
GABA = "celegans_gaba"
_SHOWN = 3


def given(source: Source, text: str, seed: int = 0) -> Source:
    """The source with signs, and a note that says whose.

    Parameters
    ----------
    source
        Weights without signs, unless `text` is "as-is".
    text
        "as-is" leaves the weights alone; "random" makes each neuron inhibitory with probability
        1/2; "celegans_gaba" takes the shipped list of `connectomes.inhibitory`; anything else is a
        text file with the name of an inhibitory neuron a line.
    seed
        Of "random".

    Raises
    ------
    ValueError
        If weights have signs already, the source is a spectrum or does not know its neurons'
        names, or none of the listed neurons is in it.

    Examples
    --------
    >>> from richlazy.sources import source
    >>> worm = given(source.find("celegans"), "celegans_gaba")
    >>> worm.notes
    ('26 of 279 neurons inhibit, as celegans_gaba lists them',)
    >>> int((worm.values < 0).any(axis=0).sum())  # the others have no synapse onto neurons
    18
    """
    if text == "as-is":
        return source
    if source.is_spectrum:
        raise ValueError("--signs are for weights, and a spectrum has none; leave it out")
    values = source.values
    if _least(values) < 0:
        raise ValueError("--signs: the weights have signs already; use --signs as-is")
    count = int(values.shape[1])
    if text == "random":
        inhibit = generator(seed).random(count) < 0.5
        note = f"{int(inhibit.sum())} of {count} neurons inhibit, at random (seed {seed})"
    else:
        inhibit, note = _listed(source, text)
    # by columns, of an array or a sparse matrix
    signed = matrices.as_matrix(values * np.where(inhibit, -1.0, 1.0), source.name)
    return replace(source, values=signed, notes=(*source.notes, note))


def _least(values: Any) -> float:
    entries = values.data if hasattr(values, "toarray") else values
    return float(entries.min())


def _listed(source: Source, text: str) -> tuple[NDArray[np.bool_], str]:
    if source.neurons is None:
        raise ValueError(
            f"--signs {text}: the names of the neurons of {source.name} are not known; use an edge "
            "list or a table with names, or --signs random"
        )
    listed = _names(text)
    known = set(source.neurons)
    absent = [name for name in listed if name not in known]
    if len(absent) == len(listed):
        raise ValueError(f"--signs {text}: none of its neurons is one of {source.name}")
    inhibit = np.isin(np.array(source.neurons), [name for name in listed if name in known])
    note = f"{int(inhibit.sum())} of {inhibit.size} neurons inhibit, as {text} lists them"
    return inhibit, note + (f"; not here: {_some(absent)}" if absent else "")


def _names(text: str) -> Sequence[str]:
    """Names listed in a file, or in the shipped list, each once."""
    try:
        data = opening.open_bytes(text, None, Options(limit=LIMIT)).data
    except ReadError as error:
        if text == GABA:
            return connectomes.inhibitory()
        raise ValueError(f"--signs {text}: {error} (as-is, random, {GABA} or a file)") from None
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"--signs {text}: is no text; give one name a line") from None
    found = dict.fromkeys(name for line in lines if (name := line.strip().strip('"')))
    if not found:
        raise ValueError(f"--signs {text}: lists no neuron; give one name a line")
    return tuple(found)


def _some(names: Collection[str]) -> str:
    shown = ", ".join(plain(name) for name in list(names)[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
