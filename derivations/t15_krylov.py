"""T15: the Krylov reduction of a large start to a small network, and its first order."""

from __future__ import annotations

from derivations import t15_first_order, t15_reduction
from derivations.frame import Derivation

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
    notation=t15_reduction.NOTATION | t15_first_order.NOTATION,
    shorthand=t15_reduction.SHORTHAND | t15_first_order.SHORTHAND,
    formulas=t15_reduction.FORMULAS | t15_first_order.FORMULAS,
    steps=t15_reduction.STEPS + t15_first_order.STEPS,
    sources=(
        "Golub and Kahan, Calculating the singular values and pseudo-inverse of a matrix, 1965 "
        "(the bidiagonalisation).",
        "The reduction of the flow, its traces and the participation-ratio law: this project, "
        "from T1 and T6.",
    ),
)
