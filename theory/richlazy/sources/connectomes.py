"""Measured connectomes that come with the library, as weights W[post, pre].

- ``celegans``: chemical synapses of the nematode's somatic nervous system, adult, 279 neurons;
- ``mushroom_body_left``, ``mushroom_body_right``: the mushroom bodies of a Drosophila larva;
- ``celegans_brain_1`` ... ``celegans_brain_8``: chemical synapses in the brains of eight isogenic
  nematodes from birth (1 to 4, L1) over L2 (5) and L3 (6) to adult (7, 8), 161 to 180 neurons.

Weights are counts of synapses, none negative; `inhibitory` names the neurons of C. elegans that are
known to inhibit. Laziness depends on their norm, so choose one:

>>> from richlazy import expect
>>> worm = load("celegans")
>>> worm
Connectome(name=celegans, stage=adult, neurons=279, connections=2194, synapses=6394,
    source='C. elegans somatic nervous system, chemical synapses. Varshney, Chen, Paniagua, Hal...')
>>> round(expect(worm.weights / np.linalg.norm(worm.weights)).kernel_alignment.mean, 3)
0.332
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from richlazy.summary import summary

__all__ = ["Connectome", "inhibitory", "load", "names"]


class Shipped(NamedTuple):
    """Where a connectome is, and what is known of it; animal picks one of a file of several."""

    file: str
    stage: str
    source: str
    animal: str | None = None


_VARSHNEY = (
    "C. elegans somatic nervous system, chemical synapses. Varshney, Chen, Paniagua, Hall, "
    'Chklovskii (2011), "Structural properties of the C. elegans neuronal network", '
    "PLoS Comput. Biol. 7(2): e1001066."
)
_WITVLIET = (
    "C. elegans brain, animal {animal} ({stage}), chemical synapses. Witvliet et al. (2021), "
    '"Connectomes across development reveal principles of brain maturation", '
    "Nature 596: 257-261."
)
_EICHLER = (
    "Drosophila larva mushroom body, {side}. Eichler et al. (2017), "
    '"The complete connectome of a learning and memory centre in an insect brain", '
    "Nature 548: 175-182."
)
_DEVELOPMENT = "celegans_development_chemical_witvliet2021.csv"
_INHIBITORY = "celegans_gaba_neurons_mcintire1993.csv"
_STAGES = ("L1", "L1", "L1", "L1", "L2", "L3", "adult", "adult")
SHIPPED = {
    "celegans": Shipped("celegans_chemical_varshney2011.csv", "adult", _VARSHNEY),
    **{
        f"mushroom_body_{side}": Shipped(
            f"drosophila_larva_mushroom_body_{side}_eichler2017.csv",
            "first instar",
            _EICHLER.format(side=side),
        )
        for side in ("left", "right")
    },
    **{
        f"celegans_brain_{k}": Shipped(
            _DEVELOPMENT, stage, _WITVLIET.format(animal=k, stage=stage), str(k)
        )
        for k, stage in enumerate(_STAGES, 1)
    },
}


@dataclass(frozen=True, eq=False)
class Connectome:
    """A measured connectome.

    Attributes
    ----------
    name : str
        Its short name, one of `names`.
    weights : ndarray
        W[post, pre] = number of synapses, (N, N), not rescaled.
    neurons : tuple of str
        Names of the rows and columns, sorted.
    source : str
        The publication to cite.
    stage : str
        Of development: "L1", "L2", "L3" or "adult"; "first instar" for Drosophila.
    """

    name: str
    weights: NDArray[np.float64]
    neurons: tuple[str, ...]
    source: str
    stage: str

    def __repr__(self) -> str:
        return summary(
            self,
            name=self.name,
            stage=self.stage,
            neurons=len(self.neurons),
            connections=np.count_nonzero(self.weights),
            synapses=self.weights.sum(),
            source=self.source,
        )


def names(stage: str | None = None) -> tuple[str, ...]:
    """Return the short names that `load` takes, all or those of one stage.

    Raises
    ------
    ValueError
        If no shipped connectome is of that stage.

    Examples
    --------
    >>> names("L1")
    ('celegans_brain_1', 'celegans_brain_2', 'celegans_brain_3', 'celegans_brain_4')
    >>> [len(load(name).neurons) for name in names("adult")]
    [279, 180, 180]
    """
    stages = dict.fromkeys(about.stage for about in SHIPPED.values())
    if stage is not None and stage not in stages:
        raise ValueError(f"stage must be one of {', '.join(stages)}; it is {stage!r}")
    return tuple(name for name, about in SHIPPED.items() if stage in (None, about.stage))


def load(name: str, neurons: Iterable[str] | None = None) -> Connectome:
    """Return a shipped connectome by its short name.

    Parameters
    ----------
    name
        One of `names`.
    neurons
        Names of the neurons to keep, with the synapses among them; None keeps all. So circuits
        can be compared on the neurons that they share.

    Raises
    ------
    ValueError
        If there is none of that name, or if one of the neurons is not in it.

    Examples
    --------
    >>> load("celegans").weights.shape
    (279, 279)
    >>> newborn, grown = load("celegans_brain_1"), load("celegans_brain_8")
    >>> both = set(newborn.neurons) & set(grown.neurons)
    >>> load("celegans_brain_8", both).weights.sum(), load("celegans_brain_8").weights.sum()
    (np.float64(6387.0), np.float64(7099.0))
    """
    if name not in SHIPPED:
        raise ValueError(f"name must be one of {', '.join(SHIPPED)}; it is {name!r}")
    about = SHIPPED[name]
    edges = [row for row in _rows(about.file) if row.get("animal") == about.animal]
    everyone = {row[end] for row in edges for end in ("pre", "post")}
    kept = everyone if neurons is None else {neurons} if isinstance(neurons, str) else set(neurons)
    if unknown := kept - everyone:
        raise ValueError(f"neurons must be in {name}; {sorted(map(str, unknown))[0]!r} is not")
    place = {neuron: index for index, neuron in enumerate(sorted(kept))}
    weights = np.zeros((len(place), len(place)))
    for row in edges:
        if row["post"] in place and row["pre"] in place:
            weights[place[row["post"]], place[row["pre"]]] = float(row["synapses"])
    return Connectome(name, weights, tuple(place), about.source, about.stage)


def inhibitory() -> tuple[str, ...]:
    """Return the names of the 26 GABAergic neurons of C. elegans.

    McIntire, Jorgensen, Kaplan, Horvitz (1993), "The GABAergic nervous system of Caenorhabditis
    elegans", Nature 364: 337-341.

    Examples
    --------
    >>> set(inhibitory()) <= set(load("celegans").neurons)
    True
    """
    return tuple(row["neuron"] for row in _rows(_INHIBITORY))


def _rows(file: str) -> list[dict[str, str]]:
    with (resources.files("richlazy.sources") / "data" / file).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
