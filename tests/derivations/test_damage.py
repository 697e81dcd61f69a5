"""Every claim of every derivation, damaged in every way below, is rejected by its checks."""

from __future__ import annotations

import random

import pytest
import sympy as sp

from derivations import MODULES, load
from derivations.frame.derivation import CheckError

CLAIMS = [(name, claim) for name in MODULES for claim in load(name).formulas]


def damages(formula):
    """Wrong versions of a formula: sign, factor, added term, exponents, signs inside."""
    yield "sign", -formula
    yield "factor", 2 * formula
    if not formula.is_Matrix:
        yield "added term", formula + 1
        yield "exponent", formula**2
    elif isinstance(formula, sp.MatrixBase):
        yield "added term", formula + sp.ones(*formula.shape)
    else:
        yield "exponent", formula * formula.T * formula
        if formula.rows == formula.cols:
            yield "added term", formula + sp.Identity(formula.rows)
    # Inside a sum, leave alone what only counts its terms.
    counting = {x for total in formula.atoms(sp.Sum) for limit in total.limits for x in limit}
    for part in sorted(formula.atoms(sp.Add, sp.MatAdd, sp.Pow) - counting, key=str):
        if part.is_Pow and part.exp.is_number:
            wrong = part.base ** (part.exp + 1)
        elif isinstance(part, sp.Add | sp.MatAdd):
            wrong = part - 2 * part.args[-1]
        else:
            continue
        yield f"{part} -> {wrong}", formula.xreplace({part: wrong})


def differ(formula, damaged):
    """Whether the damage changes the value: at a random point, where there are points."""
    if formula.is_Matrix or formula.has(sp.Trace, sp.Sum):
        return formula != damaged
    generator = random.Random(0)
    symbols = sorted(formula.free_symbols, key=str)
    point = {symbol: sp.Float(generator.uniform(0.2, 0.9), 30) for symbol in symbols}
    return abs((formula - damaged).xreplace(point).evalf(20)) > 1e-10


@pytest.mark.parametrize(("name", "claim"), CLAIMS)
def test_damaged_claims_are_rejected(name, claim):
    derivation = load(name)
    formula = derivation.formulas[claim]
    survivors, tried = [], 0
    for how, damaged in damages(formula):
        if not differ(formula, damaged):
            continue
        tried += 1
        try:
            derivation.with_claim(claim, damaged).check(claim)
        except CheckError:
            continue
        survivors.append(how)
    assert survivors == []
    assert tried >= 3


@pytest.mark.parametrize("name", MODULES)
def test_the_undamaged_copy_passes(name):
    derivation = load(name)
    claim, formula = next(iter(derivation.formulas.items()))
    derivation.with_claim(claim, formula).check(claim)
