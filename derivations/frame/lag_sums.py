"""Matrix expressions with sums over lags, and the same written out for one number of steps.

SymPy has sums of numbers and powers of matrices, but no family of matrices E_0, E_1, ... and no
sum over it that stays a matrix. Written out, an expression has only the letters that
``matrix_words`` knows.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction
from sympy.matrices.expressions.matexpr import MatrixExpr
from sympy.printing.pretty.stringpict import prettyForm

from derivations.frame.matrix_words import entries

__all__ = ["Family", "MatrixSum", "Member", "T", "explicit", "k", "l", "scalar", "unrolled"]

T, k, l = sp.symbols("T k l", integer=True, nonnegative=True)


class Member(MatrixExpr):
    """One of a family of matrices: ``Member(E, i)`` is E_i, ``Member(G, i, j)`` is G_ij.

    A family that stands for a claim is that claim, a formula in the lags k (and l).
    """

    def __new__(cls, family: MatrixExpr, *lags: Any) -> Member:
        return MatrixExpr.__new__(cls, family, *map(sp.sympify, lags))

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        return self.args[0].shape

    def _latex(self, printer: Any) -> str:
        family, *lags = map(printer._print, self.args)
        return f"{family}_{{{', '.join(lags)}}}"

    def _sympystr(self, printer: Any) -> str:
        family, *lags = map(printer._print, self.args)
        return f"{family}[{', '.join(lags)}]"

    def _pretty(self, printer: Any) -> prettyForm:
        return prettyForm(sp.sstr(self))


class Family:
    """A family of matrices of one shape: called with lags it gives the ``Member`` at them."""

    def __init__(self, name: str, rows: sp.Expr, columns: sp.Expr) -> None:
        self.symbol = sp.MatrixSymbol(name, rows, columns)

    def __call__(self, *lags: Any) -> Member:
        return Member(self.symbol, *lags)


class MatrixSum(MatrixExpr):
    """A sum of matrices over (index, from, to), the first index innermost as in ``sympy.Sum``."""

    def __new__(cls, function: MatrixExpr, *limits: tuple[Any, Any, Any]) -> MatrixSum:
        return MatrixExpr.__new__(cls, function, *(sp.Tuple(*limit) for limit in limits))

    @property
    def function(self) -> MatrixExpr:
        return self.args[0]

    @property
    def limits(self) -> tuple[sp.Tuple, ...]:
        return self.args[1:]

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        return self.function.shape

    @property
    def free_symbols(self) -> set[sp.Basic]:
        found = set().union(*(x.free_symbols for x in self.args))
        return found - {limit[0] for limit in self.limits}

    def _latex(self, printer: Any) -> str:
        return printer._print_Sum(self)

    def _sympystr(self, printer: Any) -> str:
        return printer._print_Sum(self)

    def _pretty(self, printer: Any) -> prettyForm:
        return printer._print_Sum(self)


class _Number(AppliedUndef):
    def _latex(self, printer: Any, exp: str = "") -> str:
        family = printer._print(sp.Symbol(self.func.__name__))
        text = f"{family}_{{{', '.join(map(printer._print, self.args))}}}"
        return rf"\left({text}\right)^{{{exp}}}" if exp else text


def scalar(name: str) -> type[AppliedUndef]:
    """Return a family of numbers: ``scalar("w")(k)`` is w_k."""
    return UndefinedFunction(name, bases=(_Number,), real=True)


def unrolled(expression: sp.Basic, values: Mapping[sp.Symbol, int]) -> sp.Basic:
    """Write all sums, families and powers out, for these values of the steps and lags."""
    if isinstance(expression, MatrixSum | sp.Sum):
        terms = [unrolled(expression.function, x) for x in _range(expression.limits, values)]
        if isinstance(expression, sp.Sum):
            return sp.Add(*terms)
        return sp.MatAdd(*terms) if terms else sp.ZeroMatrix(*expression.shape)
    if isinstance(expression, Member):
        family, *lags = expression.args
        lags = [unrolled(x, values) for x in lags]
        if isinstance(family, sp.MatrixSymbol):
            return sp.MatrixSymbol("_".join(map(str, [family, *lags])), *family.shape)
        return unrolled(family, {**values, **dict(zip((k, l), lags, strict=False))})
    if isinstance(expression, AppliedUndef):
        lags = [str(unrolled(x, values)) for x in expression.args]
        return sp.Symbol("_".join([expression.func.__name__, *lags]), real=True)
    if isinstance(expression, sp.MatPow):
        base, power = (unrolled(x, values) for x in expression.args)
        return _power(base, power)
    if isinstance(expression, sp.MatrixSymbol) or not expression.args:
        return sp.sympify(values.get(expression, expression))
    return expression.func(*(unrolled(x, values) for x in expression.args))


def explicit(expression: MatrixExpr, sizes: Mapping[sp.Symbol, int]) -> sp.MatrixBase:
    """Write a matrix out factor by factor, which is much faster than ``entries`` for products."""
    if not expression.is_Matrix:
        return expression
    if isinstance(expression, sp.Transpose):
        return explicit(expression.arg, sizes).T
    if isinstance(expression, sp.MatAdd | sp.MatMul | sp.KroneckerProduct):
        parts = [explicit(x, sizes) for x in expression.args]
        return reduce(_OPERATIONS[expression.func], parts)
    return entries(expression, sizes)


_OPERATIONS = {
    sp.MatAdd: operator.add,
    sp.MatMul: operator.mul,
    sp.KroneckerProduct: sp.kronecker_product,
}


def _range(
    limits: tuple[sp.Tuple, ...], values: Mapping[sp.Symbol, int]
) -> Iterator[Mapping[sp.Symbol, int]]:
    if not limits:
        yield values
        return
    *inner, (index, low, high) = limits
    for i in itertools.count(int(low.xreplace(_numbers(values)))):
        if i > high.xreplace(_numbers(values)):
            return
        yield from _range(tuple(inner), {**values, index: i})


def _numbers(values: Mapping[sp.Symbol, int]) -> dict[sp.Symbol, sp.Integer]:
    return {symbol: sp.Integer(x) for symbol, x in values.items()}


def _power(base: MatrixExpr, power: sp.Expr) -> MatrixExpr:
    if power == 0:
        return sp.Identity(base.rows)
    if power.is_Integer and power > 0:
        return sp.MatMul(*[base] * int(power))
    return sp.MatrixSymbol(f"{base}^{power}", *base.shape)  # a letter of its own: not a word
