"""Sums and families over lags: written out as by hand, typeset, and only with known letters."""

from __future__ import annotations

import pytest
import sympy as sp

from derivations.frame import pages
from derivations.frame.lag_sums import (
    Family,
    MatrixSum,
    Member,
    T,
    explicit,
    k,
    l,
    scalar,
    unrolled,
)
from derivations.frame.matrix_words import coefficients, entries, words

N, i, j = sp.symbols("N i j", integer=True)
A, W = sp.MatrixSymbol("A", N, N), sp.MatrixSymbol("W", N, N)
w = scalar("w")


def letter(name):
    return sp.MatrixSymbol(name, N, N)


def test_a_sum_is_its_terms_the_first_index_innermost():
    total = MatrixSum(w(i) * Member(A, i, j), (i, 0, T - 2 - j), (j, 0, T - 2))
    w0, w1 = sp.symbols("w_0 w_1", real=True)
    by_hand = w0 * letter("A_0_0") + w1 * letter("A_1_0") + w0 * letter("A_0_1")
    assert coefficients(unrolled(total, {T: 3}) - by_hand) == ()
    assert unrolled(total, {T: 1}) == sp.ZeroMatrix(N, N)
    assert total.free_symbols == {A, T}
    assert total.shape == (N, N)


def test_a_sum_of_numbers_is_a_number():
    total = sp.Sum(w(k) * sp.Trace(Member(A, k)), (k, 1, T))
    w1, w2 = sp.symbols("w_1 w_2", real=True)
    by_hand = w1 * sp.Trace(letter("A_1")) + w2 * sp.Trace(letter("A_2"))
    assert unrolled(total, {T: 2}) == by_hand


def test_powers_are_words_and_a_power_that_is_none_is_a_letter_of_its_own():
    assert unrolled(W**k, {k: 0}) == sp.Identity(N)
    assert list(words(unrolled(W**k, {k: 3}))) == [((W, False),) * 3]
    ((word,), *_) = words(unrolled(W ** (k - 1), {k: 0}))
    assert word[0] not in {W, W.T}


def test_a_family_gives_its_members():
    family = Family("A", N, N)
    assert family.symbol == A
    assert family(k, i + 1) == Member(A, k, i + 1)


def test_a_family_that_stands_for_a_formula_is_it_at_its_lags():
    formula = Member(A, k) * W**l
    member = Member(formula, i + 1, 2)
    assert coefficients(unrolled(member, {i: 3}) - letter("A_4") * W * W) == ()


def test_written_out_by_factors_and_as_a_whole_is_the_same():
    expression = (A.T * W + 2 * A) * W
    block = sp.KroneckerProduct(A, W)
    for x in (expression, block):
        assert sp.expand(explicit(x, {N: 2}) - entries(x, {N: 2})).is_zero_matrix


@pytest.mark.parametrize(
    ("expression", "text", "typeset"),
    [
        (Member(A, k + 1), "A[k + 1]", "A_{k + 1}"),
        (Member(A, k, l), "A[k, l]", "A_{k, l}"),
        (w(k), "w(k)", "w_{k}"),
        (w(k) ** 2, "w(k)**2", r"\left(w_{k}\right)^{2}"),
        (MatrixSum(W**i, (i, 0, T)), "Sum(W**i, (i, 0, T))", r"\sum_{i=0}^{T} W^{i}"),
    ],
)
def test_typeset(expression, text, typeset):
    assert sp.sstr(expression) == text
    assert pages.latex(expression) == typeset
    assert sp.pretty(expression)
