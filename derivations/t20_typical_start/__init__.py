"""T20: the typical recurrent start of a singular spectrum, its law, and its limits."""

from __future__ import annotations

from derivations.frame.derivation import Derivation
from derivations.t16_recurrent_flow.symbols import NOTATION as RECURRENT
from derivations.t16_recurrent_flow.symbols import i, j
from derivations.t20_typical_start import (
    alignment,
    law,
    lazy_limit,
    low_rank,
    rich_limit,
    second_order,
    several_lags,
    tree,
    turn,
    word_moments,
)
from derivations.t20_typical_start.symbols import K

__all__ = ["DERIVATION"]

PARTS = (
    word_moments,
    tree,
    law,
    lazy_limit,
    second_order,
    several_lags,
    alignment,
    turn,
    low_rank,
    rich_limit,
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
        "Lazy limit: a small task; the second order: one channel and output, closed at one lag.",
        "Rich limit: U and V small, any W.",
    ),
    notation={
        **RECURRENT,
        i: "a place between the input and W",
        j: "a place between W and the readout",
        **_joined("NOTATION"),
    },
    shorthand={K: "typical_kernel", **rich_limit.SHORTHAND},
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
