"""The part of T20 on tasks at several lags: its checks hold, damaged claims are rejected."""

from __future__ import annotations

import pytest

from derivations.frame.derivation import CheckError, Derivation
from derivations.t20_typical_start.several_lags import FORMULAS, NOTATION, STEPS
from richlazy.formulas import recurrent_limits

DERIVATION = Derivation(
    id="T20",
    title="Tasks at several lags",
    assumptions=("a typical start, or one of low rank",),
    notation=NOTATION,
    shorthand={},
    formulas=FORMULAS,
    steps=STEPS,
    sources=(),
)


def test_it_holds():
    DERIVATION.check()


@pytest.mark.parametrize("claim", FORMULAS)
def test_damaged_claims_are_rejected(claim):
    formula = FORMULAS[claim]
    for damaged in (-formula, 2 * formula, formula + 1, formula**2):
        with pytest.raises(CheckError):
            DERIVATION.with_claim(claim, damaged).check(claim)


def test_the_library_has_the_same_lags():
    r = FORMULAS["lags_learned"].free_symbols.pop()
    assert [recurrent_limits.lags(k) for k in (1, 2, 7)] == [
        int(FORMULAS["lags_learned"].subs(r, k)) for k in (1, 2, 7)
    ]
