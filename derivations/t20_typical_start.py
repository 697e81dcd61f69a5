"""T20: the typical recurrent start of a singular spectrum, its law, and its limits."""

from __future__ import annotations

from derivations import (
    t20_alignment,
    t20_law,
    t20_lazy_limit,
    t20_low_rank,
    t20_rich_limit,
    t20_second_order,
    t20_tree,
    t20_turn,
    t20_word_moments,
)
from derivations.frame import Derivation
from derivations.t16_symbols import NOTATION as RECURRENT
from derivations.t16_symbols import i, j
from derivations.t20_symbols import K

__all__ = ["DERIVATION"]

PARTS = (
    t20_word_moments,
    t20_tree,
    t20_law,
    t20_lazy_limit,
    t20_second_order,
    t20_alignment,
    t20_turn,
    t20_low_rank,
    t20_rich_limit,
)


def _joined(name):
    return {key: value for part in PARTS for key, value in getattr(part, name).items()}


DERIVATION = Derivation(
    id="T20",
    title="Recurrent networks: the typical start of a singular spectrum",
    assumptions=(
        "The network and the flow of T16, lags counted once where no w_k is named.",
        "Typical: W(0) = X diag(s) Y' with X, Y independent and uniform, U and V' in random "
        "directions, in the limit of many units. W is then R-diagonal.",
        "Lazy limit: a small task; the second order: a task at one lag, one channel and output.",
        "Rich limit: U and V small, any W.",
    ),
    notation={
        **RECURRENT,
        i: "a place between the input and W",
        j: "a place between W and the readout",
        **_joined("NOTATION"),
    },
    shorthand={K: "typical_kernel", **t20_rich_limit.SHORTHAND},
    formulas=_joined("FORMULAS"),
    steps=tuple(step for part in PARTS for step in part.STEPS),
    sources=(
        "Nica and Speicher, R-diagonal pairs, 1997; Haagerup and Larsen, Brown's spectral "
        "distribution measure for R-diagonal elements, 2000.",
        "Golub and Kahan, Calculating the singular values and pseudo-inverse of a matrix, 1965.",
        "Jacot, Gabriel and Hongler, Neural tangent kernel, arXiv:1806.07572, 2018 (lazy limit).",
        "The tree, the law, its orders and the rich limit: this project.",
    ),
)
