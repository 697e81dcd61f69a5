"""Symbols of T9 for several outputs, sums over modes and leading orders."""

from __future__ import annotations

import sympy as sp

from derivations.t06_flat_low_rank.symbols import m
from derivations.t07_random_tasks import n

__all__ = ["NOTATION", "SHORTHAND", "leading", "small", "summed"]

b1, b2, G1, G2, G4 = sp.symbols("b_1 b_2 G_1 G_2 G_4", positive=True)
tau, v = sp.symbols("tau v", positive=True)
pull, rich, bottom = sp.symbols("q_4 K_rich r_low", positive=True)
even, top_root, top, closing = sp.symbols("kappa_4 Z rho_top w_v", positive=True)

small = sp.Symbol("small", positive=True)

NOTATION = {
    m: "number of outputs",
    n: "number of outputs of non-zero strength, all of them learned",
    b1: "sum of the b_i = alpha_i^2",
    b2: "sum of the b_i^2",
    G1: "sum of the strengths g_i",
    G2: "sum of the g_i^2",
    G4: "sum of the g_i^4",
    tau: "sigma^2/d^(5/4), kept while d -> oo",
    v: "variance of the strengths over the square of their mean",
}

SHORTHAND = {
    pull: "kernel_pull",
    rich: "kernel_full_rich_outputs",
    bottom: "window_low_rank",
    even: "strength_evenness",
    top_root: "window_high_root",
    top: "window_high_share",
    closing: "closing_share",
}


def summed(expression, sums, *indices):
    """Sum a polynomial over every value of its indices: x_i^k becomes sums[k]."""
    return sum(
        coefficient * sp.prod(sums[k] for k in powers)
        for powers, coefficient in sp.Poly(expression, *indices).terms()
    )


def leading(ratio, order):
    """Coefficient of small^order in a ratio of polynomials, which no lower power may precede."""
    return sp.cancel(sp.together(ratio / small**order)).subs(small, 0)
