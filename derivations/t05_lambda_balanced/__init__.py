"""T5: lambda-balanced networks, any alignment, by a matrix Riccati equation."""

from __future__ import annotations

from derivations.frame.derivation import Derivation
from derivations.t05_lambda_balanced import limits, modes, neuron, riccati
from derivations.t05_lambda_balanced.symbols import NOTATION, SHORTHAND

__all__ = ["DERIVATION"]

DERIVATION = Derivation(
    id="T5",
    title="lambda-balanced networks, any alignment: the matrix Riccati solution",
    assumptions=(
        "The flow of T1 with white inputs (Sxx = I).",
        "W2'W2 - W1 W1' = lambda I on the hidden units (or hidden directions) that have weights.",
        "lambda not 0 where it divides, x and y not 0: the values there are limits.",
    ),
    notation=NOTATION,
    shorthand=SHORTHAND,
    formulas=riccati.FORMULAS | modes.FORMULAS | limits.FORMULAS | neuron.FORMULAS,
    steps=riccati.STEPS + modes.STEPS + limits.STEPS + neuron.STEPS,
    sources=(
        "Fukumizu, Effect of batch learning in multilayer neural networks, 1998.",
        "Braun, Domine, Fitzgerald and Saxe, Exact learning dynamics of deep linear networks "
        "with prior knowledge, 2022.",
        "Domine et al., From lazy to rich: exact learning dynamics in deep linear networks, "
        "arXiv:2409.14623, 2025.",
        "The hidden rotation as a horizontal lift, and the error of its steps: this project.",
    ),
)
