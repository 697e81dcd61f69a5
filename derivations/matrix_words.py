"""Normal forms of matrix expressions of any (symbolic) size.

A polynomial in matrices is a sum of words, a word being a product of letters and a letter a
matrix or its transpose. Words are independent of each other, so an expression vanishes for all
matrices of all sizes exactly if every coefficient does. Under a trace, words that differ by a
rotation or by transposition are one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixExpr

__all__ = [
    "coefficients",
    "entries",
    "expand_traces",
    "kronecker_inner_product",
    "orthonormal",
    "rate_of_change",
    "words",
]

Letter = tuple[sp.MatrixSymbol, bool]  # the matrix, and whether it is transposed
Word = tuple[Letter, ...]
Relations = Mapping[tuple[Letter, Letter], int]  # a product of two letters that is 0 or 1


def orthonormal(*blocks: sp.MatrixSymbol) -> Relations:
    """Relations saying that the columns of all blocks together are orthonormal."""
    return {((a, True), (b, False)): int(a == b) for a in blocks for b in blocks}


def words(expression: MatrixExpr, relations: Relations | None = None) -> dict[Word, sp.Expr]:
    """Expand a matrix expression into {word: coefficient}, zero coefficients left out."""
    relations = relations or {}
    if isinstance(expression, sp.MatrixSymbol):
        return {((expression, False),): sp.S.One}
    if isinstance(expression, sp.Identity):
        return {(): sp.S.One}
    if isinstance(expression, sp.ZeroMatrix):
        return {}
    expression = _without_power(expression)
    if isinstance(expression, sp.Transpose):
        inner = words(expression.arg, relations)
        return {tuple((a, not flag) for a, flag in word[::-1]): x for word, x in inner.items()}
    total: dict[Word, sp.Expr] = defaultdict(lambda: sp.S.Zero)
    if isinstance(expression, sp.MatAdd):
        for term in expression.args:
            for word, x in words(term, relations).items():
                total[word] += x
    elif isinstance(expression, sp.MatMul):
        scalar, factors = expression.as_coeff_matrices()
        product: dict[Word, sp.Expr] = {(): scalar}
        for factor in factors:
            product = _product(product, words(factor, relations), relations)
        total.update(product)
    else:
        raise TypeError(f"{type(expression).__name__} is not a sum of products: {expression}")
    return {word: x for word, x in total.items() if sp.expand(x) != 0}


def coefficients(expression: MatrixExpr, relations: Relations | None = None) -> tuple[sp.Expr, ...]:
    """Return the coefficients that must all vanish for the expression to vanish."""
    return tuple(words(expression, relations).values())


def expand_traces(expression: sp.Expr, relations: Relations | None = None) -> sp.Expr:
    """Write every trace as a sum of traces of words, one symbol for each class of equal ones."""
    relations = relations or {}

    def expanded(argument: MatrixExpr) -> sp.Expr:
        terms = words(argument, relations).items()
        return sp.Add(*(x * _trace(word, argument.rows, relations) for word, x in terms))

    return expression.replace(lambda e: isinstance(e, sp.Trace), lambda e: expanded(e.arg))


def rate_of_change(expression: sp.Basic, rates: Mapping[sp.MatrixSymbol, MatrixExpr]) -> sp.Basic:
    """Differentiate along a flow: each matrix in ``rates`` moves at its rate, the rest is fixed."""
    if expression in rates:
        return rates[expression]
    expression = _without_power(expression)
    if not any(expression.has(moving) for moving in rates):
        return sp.ZeroMatrix(*expression.shape) if expression.is_Matrix else sp.S.Zero
    if isinstance(expression, sp.Transpose | sp.Trace):
        return expression.func(rate_of_change(expression.arg, rates))
    if isinstance(expression, sp.MatAdd | sp.Add):
        return expression.func(*(rate_of_change(a, rates) for a in expression.args)).doit()
    if isinstance(expression, sp.MatMul | sp.Mul):
        total = sp.MatAdd if expression.is_Matrix else sp.Add
        factors = expression.args
        return total(
            *(
                expression.func(*factors[:i], rate_of_change(a, rates), *factors[i + 1 :])
                for i, a in enumerate(factors)
                if any(a.has(moving) for moving in rates)
            )
        ).doit()
    raise TypeError(f"no rule to differentiate {type(expression).__name__}: {expression}")


def entries(expression: sp.Basic, sizes: Mapping[sp.Symbol, int]) -> sp.Basic:
    """Write a matrix, trace or index expression out for one choice of sizes."""
    sized = expression.xreplace({size: sp.Integer(n) for size, n in sizes.items()})
    written_out = {
        matrix: sp.ImmutableMatrix(*matrix.shape, lambda i, j, m=matrix: sp.Symbol(f"{m}[{i},{j}]"))
        for matrix in sized.atoms(sp.MatrixSymbol)
    }
    result = sized.xreplace(written_out).doit()
    return result.as_explicit() if result.is_Matrix else result


def kronecker_inner_product(first: MatrixExpr, second: MatrixExpr) -> sp.Expr:
    """Trace of the product of two sums of Kronecker products, as traces of the factors."""
    return sum(
        x * y * sp.Trace(p * q).doit() * sp.Trace(p_out * q_out).doit()
        for x, (p, p_out) in _kronecker_products(first)
        for y, (q, q_out) in _kronecker_products(second)
    )


def _kronecker_products(expression: MatrixExpr) -> Iterator[tuple[sp.Expr, tuple[MatrixExpr, ...]]]:
    """The terms of a sum, as coefficient and factors."""
    for term in sp.MatAdd.make_args(expression):
        coefficient, product = term.as_coeff_mmul()
        yield coefficient, product.doit().args


def _without_power(expression: sp.Basic) -> sp.Basic:
    if isinstance(expression, sp.MatPow) and expression.exp.is_Integer and expression.exp > 0:
        return sp.MatMul(*[expression.base] * int(expression.exp))
    return expression


def _product(
    left: Mapping[Word, sp.Expr], right: Mapping[Word, sp.Expr], relations: Relations
) -> dict[Word, sp.Expr]:
    total: dict[Word, sp.Expr] = defaultdict(lambda: sp.S.Zero)
    for a, x in left.items():
        for b, y in right.items():
            word, factor = _joined(a, b, relations)
            total[word] += factor * x * y
    return total


def _joined(a: Word, b: Word, relations: Relations) -> tuple[Word, int]:
    while a and b and (a[-1], b[0]) in relations:
        if relations[a[-1], b[0]] == 0:
            return (), 0
        a, b = a[:-1], b[1:]
    return a + b, 1


def _trace(word: Word, rows: sp.Expr, relations: Relations) -> sp.Expr:
    while len(word) > 1 and (word[-1], word[0]) in relations:
        if relations[word[-1], word[0]] == 0:
            return sp.S.Zero
        rows, word = word[0][0].cols, word[1:-1]
    if not word:
        return rows
    transposed = tuple((a, not flag) for a, flag in word[::-1])
    spellings = [
        " ".join(f"{a}'" if flag else f"{a}" for a, flag in w[i:] + w[:i])
        for w in (word, transposed)
        for i in range(len(word))
    ]
    return sp.Symbol(f"tr({min(spellings)})")
