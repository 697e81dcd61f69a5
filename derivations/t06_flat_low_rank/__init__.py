"""T6: a flat low-rank start with a silent readout, one output."""

from __future__ import annotations

from derivations.frame.derivation import Derivation
from derivations.t06_flat_low_rank import evaluation, measures, trajectory
from derivations.t06_flat_low_rank.symbols import NOTATION, SHORTHAND

__all__ = ["DERIVATION"]

DERIVATION = Derivation(
    id="T6",
    title="A flat low-rank start with a silent readout (one output)",
    assumptions=(
        "The flow of T1 with white inputs (Sxx = I) and one output, Syx = beta'.",
        "W1(0) has r equal singular values s = sigma/sqrt(r), r <= min(h, d), the others 0.",
        "W2(0) = 0: the readout is silent.",
        "0 <= c <= 1; c = 1 if r = d. Limits t -> oo need c > 0.",
    ),
    notation=NOTATION,
    shorthand=SHORTHAND,
    formulas=trajectory.FORMULAS | measures.FORMULAS | evaluation.FORMULAS,
    steps=trajectory.STEPS + measures.STEPS + evaluation.STEPS,
    sources=(
        "The reduction and the alignments: this project, from T1 and T5.",
        "The linear lift of a lambda-balanced flow: Fukumizu 1998; Braun et al. 2022; Domine et "
        "al., From lazy to rich: exact learning dynamics in deep linear networks, "
        "arXiv:2409.14623, 2025.",
    ),
)
