"""Symbols of T3, and the coordinates in which its closed form is a rational function."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.frame.checks import factored_roots

__all__ = ["NOTATION", "SHORTHAND", "STATE", "U", "V", "final", "symmetric", "uniform"]

a0, b0, a, b = sp.symbols("a_0 b_0 a b", real=True)
s, t = sp.symbols("s t", positive=True)

kappa, P, M, u, v, E, D, G0, G_end = sp.symbols("kappa P M u v E D G_0 G_oo", positive=True)
lam, p0, c_plus, c_minus = sp.symbols("lambda p_0 c_+ c_-", real=True)
l_a, l_b, A, B, W = sp.symbols("l_a l_b A B W", real=True)
a_t, b_t, a_end, b_end = sp.symbols("a_t b_t a_oo b_oo", real=True)
error, dp, gain, gain_end = sp.symbols("e dp g g_oo", real=True)

STATE = sp.Matrix([a, b])

NOTATION = {
    a0: "strength of the mode in W1 at the start",
    b0: "its strength in W2 at the start",
    s: "its strength in the task",
    t: "time",
    a: "strength of the mode in W1, anywhere",
    b: "its strength in W2, anywhere",
}

SHORTHAND = {
    lam: "imbalance",
    kappa: "growth_rate",
    P: "fast_rate",
    M: "slow_rate",
    u: "growing_first",
    v: "growing_readout",
    c_plus: "growing_component",
    c_minus: "decaying_component",
    l_a: "linear_first",
    l_b: "linear_readout",
    D: "denominator",
    a_t: "first",
    b_t: "readout",
    E: "decay",
    A: "sum_first",
    B: "sum_readout",
    W: "sum_denominator",
    p0: "start_product",
    G0: "start_strength",
    error: "error",
    dp: "product_change",
    gain: "gain_of_squares",
    a_end: "final_first",
    b_end: "final_readout",
    G_end: "final_strength",
    gain_end: "final_gain_of_squares",
}

# s = UV, with a_0 and b_0 on the hyperbola b_0^2 - a_0^2 = U^2 - V^2. Then kappa is
# (U^2 + V^2)/2, and everything is rational in U, V, Z and e^{kappa t}, up to outer square roots.
# Every start but a_0 = -b_0 is of this form, with Z = (a_0 + b_0)/(U + V).
U, V = sp.symbols("U V", positive=True)
Z = sp.Symbol("Z", real=True, nonzero=True)
GROWTH = sp.Symbol("e_kappa", positive=True)  # e^{kappa t}


def uniform(expression: sp.Basic) -> sp.Basic:
    """Write an expression in a_0, b_0, s, t rationally in U, V, Z and e^{kappa t}."""
    total, difference = Z * (U + V), (U - V) / Z
    start = {s: U * V, a0: (total - difference) / 2, b0: (total + difference) / 2}
    return _written(expression, start, (U**2 + V**2) / 2)


def symmetric(expression: sp.Basic, sign: int) -> sp.Basic:
    """The same for a start without imbalance, b_0 = a_0 or b_0 = -a_0."""
    return _written(expression, {s: U**2, a0: Z, b0: sign * Z}, U**2)


def final(expression: sp.Expr) -> sp.Expr:
    """Limit t -> oo of an expression whose uniform form is a ratio of polynomials."""
    vanishing = sp.Symbol("x", positive=True)
    scaled = uniform(expression).subs(GROWTH, 1 / vanishing)
    return sp.cancel(scaled).subs(vanishing, 0)


def _written(expression: sp.Basic, start: Mapping[sp.Symbol, sp.Expr], rate: sp.Expr) -> sp.Basic:
    def power(exponent: sp.Expr) -> sp.Expr:
        multiple = sp.cancel(exponent / (rate * t))
        return GROWTH**multiple if multiple.is_Integer else sp.exp(exponent)

    rational = factored_roots(expression.xreplace(start), t)
    return rational.rewrite(sp.exp).replace(sp.exp, power)
