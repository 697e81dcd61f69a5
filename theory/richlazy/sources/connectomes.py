"""Measured connectomes that come with the library, as first-layer weights W1[post, pre].

- ``celegans``: chemical synapses of the nematode's somatic nervous system, 279 neurons;
- ``mushroom_body_left``, ``mushroom_body_right``: the mushroom bodies of a Drosophila larva.

Weights are counts of synapses. Laziness depends on their norm, so choose one:

>>> from richlazy import expect
>>> worm = load("celegans")
>>> worm
Connectome(name=celegans, neurons=279, connections=2194, synapses=6394,
    source='C. elegans somatic nervous system, chemical synapses. Varshney, Chen, Paniagua, Hal...')
>>> round(expect(worm.weights / np.linalg.norm(worm.weights)).kernel_alignment.mean, 3)
0.332
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.files import read
from richlazy.summary import summary

__all__ = ["Connectome", "load", "names"]

VARSHNEY = (
    "C. elegans somatic nervous system, chemical synapses. Varshney, Chen, Paniagua, Hall, "
    'Chklovskii (2011), "Structural properties of the C. elegans neuronal network", '
    "PLoS Comput. Biol. 7(2): e1001066."
)
EICHLER = (
    "Drosophila larva mushroom body, {side}. Eichler et al. (2017), "
    '"The complete connectome of a learning and memory centre in an insect brain", '
    "Nature 548: 175-182."
)
SHIPPED = {
    "celegans": ("celegans_chemical_varshney2011.csv", VARSHNEY),
    "mushroom_body_left": (
        "drosophila_larva_mushroom_body_left_eichler2017.csv",
        EICHLER.format(side="left"),
    ),
    "mushroom_body_right": (
        "drosophila_larva_mushroom_body_right_eichler2017.csv",
        EICHLER.format(side="right"),
    ),
}


@dataclass(frozen=True, eq=False)
class Connectome:
    """A measured connectome.

    Attributes
    ----------
    name : str
        Its short name, one of `names`.
    weights : ndarray
        W1[post, pre] = number of synapses, (d, d), not rescaled.
    neurons : tuple of str
        Names of the rows and columns, sorted.
    source : str
        The publication to cite.
    """

    name: str
    weights: NDArray[np.float64]
    neurons: tuple[str, ...]
    source: str

    def __repr__(self) -> str:
        return summary(
            self,
            name=self.name,
            neurons=len(self.neurons),
            connections=np.count_nonzero(self.weights),
            synapses=self.weights.sum(),
            source=self.source,
        )


def names() -> tuple[str, ...]:
    """Return the short names that `load` takes.

    >>> names()
    ('celegans', 'mushroom_body_left', 'mushroom_body_right')
    """
    return tuple(SHIPPED)


def load(name: str) -> Connectome:
    """Return a shipped connectome by its short name.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> load("celegans").weights.shape
    (279, 279)
    """
    if name not in SHIPPED:
        raise ValueError(f"name must be one of {', '.join(SHIPPED)}; it is {name!r}")
    file, source = SHIPPED[name]
    with resources.as_file(resources.files("richlazy.sources") / "data" / file) as path:
        edges = read(path)
    assert edges.neurons is not None
    assert not isinstance(edges.values, np.ndarray)
    return Connectome(name, edges.values.toarray(), edges.neurons, source)
