"""Symbols of T5, and the normal forms in which its claims are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import groupby

import sympy as sp
from sympy import MatrixSymbol

from derivations.frame.matrix_words import Relations, orthonormal, words
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, W_star, d, h, m

__all__ = ["BLOCKS", "NOTATION", "ONE_MODE", "SHORTHAND", "normal", "rational"]

n = sp.Symbol("n", integer=True, positive=True)
J1, J2 = MatrixSymbol("J1", n, d), MatrixSymbol("J2", n, m)
BLOCKS = orthonormal(J1, J2)

lam = sp.Symbol("lambda", real=True)
s, t = sp.symbols("s t", positive=True)
x, y = sp.symbols("x y", real=True, nonzero=True)
size, other = sp.symbols("l l'", positive=True)
a0, b0, w0, z0 = sp.symbols("a0 b0 w0 z0", real=True)

Q, Q0, O = (MatrixSymbol(name, *shape) for name, shape in
            (("Q", (n, h)), ("Q0", (n, h)), ("O", (h, h))))  # fmt: skip
E, T, N, W, S = (MatrixSymbol(name, k, k) for name, k in zip("ETNWS", (n, h, h, h, h), strict=True))
F, P, Z, D = (MatrixSymbol(name, k, k) for name, k in zip("FPZD", (n, n, n, h), strict=True))
M, INVERSE = MatrixSymbol("M", h, h), MatrixSymbol("N^-1", h, h)
BASIS, GROWTH, SCALE = (MatrixSymbol(name, n, n) for name in ("V", "g", "k"))
C, Y, H = MatrixSymbol("C", n, h), MatrixSymbol("Y", n, h), MatrixSymbol("H", n, n)
RESCALE, UNSCALE = MatrixSymbol("A", h, h), MatrixSymbol("A^-1", h, h)
first_size, second_size = sp.symbols("p p'", integer=True, positive=True)
Z1, Z2 = MatrixSymbol("Z1", n, first_size), MatrixSymbol("Z2", n, second_size)

L1, L2 = MatrixSymbol("L1", first_size, first_size), MatrixSymbol("L2", second_size, second_size)
B1, B2 = MatrixSymbol("B1", h, first_size), MatrixSymbol("B2", h, second_size)
K = MatrixSymbol("K", n, first_size)

rho = sp.Symbol("rho", positive=True)
kappa, alpha, beta = sp.symbols("kappa alpha beta", positive=True)
c_plus, c_minus = sp.symbols("c_+ c_-", real=True)
p_first, p_across_in, p_readout, p_across_out = sp.symbols("p_a p_w p_b p_z", real=True)
Delta = sp.Symbol("Delta", positive=True)

NOTATION = {
    d: "number of inputs",
    h: "number of hidden units",
    m: "number of outputs",
    n: "d + m, number of weights of one hidden unit",
    lam: "the imbalance: W2'W2 - W1 W1' = lambda I",
    t: "time",
    W1: "first weights",
    W2: "second weights (the readout)",
    Syx: "input-output covariance",
    Sxx: "input covariance, here I",
    W_star: "least-squares map, here Syx",
    J1: "the first d columns of the identity of size n",
    J2: "the other m columns",
    Q0: "Q at time 0",
    O: "a rotation of the hidden units",
    E: "exponential of F t: E(0) = I, dE/dt = F E",
    T: "solves the equation of its own rate, T(0) = I",
    N: "I + integral of M: N(0) = I, dN/dt = M",
    W: "a skew matrix",
    S: "a symmetric matrix",
    BASIS: "orthonormal eigenvectors of F",
    GROWTH: "diagonal matrix of the growths g",
    SCALE: "diagonal matrix of the scales k",
    C: "V'Q0, the start in the basis V",
    RESCALE: "any invertible matrix",
    UNSCALE: "its inverse",
    first_size: "number of directions that are learned at the exponent x",
    second_size: "and at the exponent y",
    Z1: "orthonormal eigenvectors of F to x",
    Z2: "orthonormal eigenvectors of F to y",
    B1: "orthonormal hidden directions whose pivots are at the exponent x",
    B2: "the other hidden directions, with pivots at the exponent y",
    L1: "invertible: Z1 L1 is what the directions B1 start with at x",
    L2: "invertible: Z2 L2 is what the directions B2 start with at y",
    K: "what the directions B1 start with at y",
    s: "singular value of Syx, of one mode",
    x: "an eigenvalue of F",
    y: "another eigenvalue of F",
    size: "singular value of the start C, or length of a part of one neuron's",
    other: "length of the rest of one neuron's start, at the exponent y",
    a0: "one neuron at time 0: along the mode in W1",
    w0: "across the mode in W1",
    b0: "along the mode in W2",
    z0: "across the mode in W2",
}

SHORTHAND = {
    Q: "stacked",
    F: "lift_matrix",
    D: "conserved",
    P: "second_moment",
    Z: "generator",
    M: "overlap",
    INVERSE: "inverse",
    Y: "grown_start",
    H: "projected",
    rho: "growth_ratio",
    kappa: "growth_rate",
    alpha: "growing_first",
    beta: "growing_readout",
    c_plus: "start_growing",
    c_minus: "start_decaying",
    p_first: "lifted_first",
    p_across_in: "lifted_across_first",
    p_readout: "lifted_readout",
    p_across_out: "lifted_across_readout",
    Delta: "denominator",
}

SYMMETRIC = (F, P, Z, M, N, INVERSE, S)
DIAGONAL = (GROWTH, SCALE)


# One mode of Syx and everything else in it, which neither u nor v sees; n and o are directions
# that Syx does not see.
U_MODE, V_MODE = MatrixSymbol("u", m, 1), MatrixSymbol("v", d, 1)
REST = MatrixSymbol("rest", m, d)
NEW_INPUT, NEW_OUTPUT = MatrixSymbol("n", d, 1), MatrixSymbol("o", m, 1)
ONE_MODE = {
    **BLOCKS,
    **orthonormal(U_MODE, NEW_OUTPUT),
    **orthonormal(V_MODE, NEW_INPUT),
    **{((REST, False), (column, False)): 0 for column in (V_MODE, NEW_INPUT)},
    **{((REST, True), (column, False)): 0 for column in (U_MODE, NEW_OUTPUT)},
}


def normal(
    expression: sp.Basic,
    relations: Relations | None = None,
    symmetric: Collection[MatrixSymbol] = SYMMETRIC,
) -> list[sp.Expr]:
    """Coefficients of a matrix expression, where diagonal letters commute.

    Diagonal letters and those called symmetric are their own transposes.
    """
    total: dict[tuple, sp.Expr] = defaultdict(lambda: sp.S.Zero)
    for word, factor in words(expression, relations).items():
        plain = [(a, flag and a not in symmetric and a not in DIAGONAL) for a, flag in word]
        runs = groupby(plain, key=lambda letter: letter[0] in DIAGONAL)
        sorted_word = [
            letter
            for commutes, run in runs
            for letter in (sorted(run, key=str) if commutes else run)
        ]
        total[tuple(sorted_word)] += factor
    return list(total.values())


# With s = uv and lambda = u^2 - v^2 the eigenvalues of F are (u^2 + v^2)/2 and (u^2 - v^2)/2.
_u, _v, _eu, _ev = sp.symbols("u v e_u e_v", positive=True)  # e^{u^2 t/2}, e^{v^2 t/2}


def rational(expression: sp.Basic) -> sp.Basic:
    """Write an expression in s, lambda and t in u, v and two exponentials, up to one root."""
    written = expression.xreplace({s: _u * _v, lam: _u**2 - _v**2})
    factored = written.replace(_algebraic_root, lambda e: sp.Pow(sp.factor(e.base), e.exp))
    return factored.replace(sp.exp, _power)


def _algebraic_root(e: sp.Basic) -> bool:
    return e.is_Pow and e.exp.is_Rational and not e.exp.is_Integer and not e.base.has(t)


def _power(exponent: sp.Expr) -> sp.Expr:
    rate = sp.expand(2 * exponent / t)
    fast, slow = rate.coeff(_u, 2), rate.coeff(_v, 2)
    if sp.expand(rate - fast * _u**2 - slow * _v**2) != 0:
        return sp.exp(exponent)
    return _eu**fast * _ev**slow
