"""Whether the weight change falls with rank and rises again on DMS, with more seeds.

Rank 1 differs much from seed to seed: the ten seeds of the rank study leave open whether ‖ΔW_h‖
falls from there to rank 30 on this task. The same runs, tests and checks, at three ranks.
"""

from __future__ import annotations

from validation.rnn import PACKAGES
from validation.rnn.experiment import Networks, cases, ranked, simulate
from validation.rnn.rank import TURN, conclude
from validation.study import Study

__all__ = ["FULL", "QUICK", "STUDY"]

FULL = Networks(tasks=("DMS",), starts=ranked(1, TURN, 300), seeds=40)
QUICK = Networks(tasks=("DMS",), starts=ranked(1, 5, 50), seeds=3, units=50, steps=1000, rate=0.01)

STUDY = Study(
    name="rnn-turn",
    question=(
        "Does the change of the recurrent weights fall from rank 1 to 30 and rise again to full "
        "rank on the delayed match to sample, as the few seeds of the paper's code have it?"
    ),
    cases=lambda quick, seed: cases(QUICK if quick else FULL, seed),
    simulate=simulate,
    conclude=conclude,
    packages=tuple(PACKAGES.values()),
)
