"""T3: one mode of a two-layer network, of any imbalance, in closed form."""

from __future__ import annotations

from derivations.frame.derivation import Derivation
from derivations.t03_one_mode import changes, trajectory
from derivations.t03_one_mode.symbols import NOTATION, SHORTHAND

__all__ = ["DERIVATION"]

DERIVATION = Derivation(
    id="T3",
    title="One mode, any imbalance",
    assumptions=(
        "One mode of T2 at q = 1; for another q put sqrt(q) a and sqrt(q) b.",
        "s > 0, and a_0, b_0 of any size and either sign. The formulas hold at s = 0 by "
        "continuity where their denominators are not 0.",
        "Quotients by a + a_0 and b + b_0 need a weight that keeps its sign, or is 0 once.",
        "Limits t -> oo need c_+ other than 0: any start but a_0 = -b_0.",
    ),
    notation=NOTATION,
    shorthand=SHORTHAND,
    formulas=trajectory.FORMULAS | changes.FORMULAS,
    steps=trajectory.STEPS + changes.STEPS,
    sources=(
        "Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in "
        "deep linear neural networks, arXiv:1312.6120, 2014: the balanced mode.",
        "The linear lift of a lambda-balanced flow: Fukumizu 1998; Braun et al. 2022; Domine et "
        "al., From lazy to rich: exact learning dynamics in deep linear networks, "
        "arXiv:2409.14623, 2025.",
        "Sums of one sign, and differences without cancellation: this project.",
    ),
)
