"""T15: the Krylov reduction of a large start to a small network, and its first order."""

from __future__ import annotations

from derivations.frame.derivation import Derivation
from derivations.t15_krylov import first_order, reduction

__all__ = ["DERIVATION"]

DERIVATION = Derivation(
    id="T15",
    title="Krylov reduction: a small network with the same flow",
    assumptions=(
        "The flow of T1 with white inputs (Sxx = I).",
        "The input directions V contain the task's and W1(0)'U; the readout lies in U (silent at "
        "the start for one output).",
        "One output for the bidiagonal chain, the order k and the moments; before breakdown, so "
        "that no coefficient of the chain is 0.",
        "The law: the direction of beta is uniform on the sphere; leading order unless flat.",
    ),
    notation=reduction.NOTATION | first_order.NOTATION,
    shorthand=reduction.SHORTHAND | first_order.SHORTHAND,
    formulas=reduction.FORMULAS | first_order.FORMULAS,
    steps=reduction.STEPS + first_order.STEPS,
    sources=(
        "Golub and Kahan, Calculating the singular values and pseudo-inverse of a matrix, 1965 "
        "(the bidiagonalisation).",
        "The reduction of the flow, its traces and the participation-ratio law: this project, "
        "from T1 and T6.",
    ),
)
