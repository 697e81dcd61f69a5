"""Symbols of T6, and the coordinates in which its trajectories are rational functions."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol

from derivations.frame.checks import factored_roots
from derivations.frame.matrix_words import orthonormal
from derivations.t01_gradient_flow import d, h, m

__all__ = [
    "ACTIVE_UNIT",
    "FRAME",
    "NOTATION",
    "SHORTHAND",
    "TASK",
    "final",
    "first_layer",
    "uniform",
]

sigma, c, g, t = sp.symbols("sigma c g t", positive=True)
r = sp.Symbol("r", integer=True, positive=True)

s, kappa, rho, delta, theta, X = sp.symbols("s kappa rho delta theta X", positive=True)
N, S, E, D, V, Y = sp.symbols("N S E D V Y", positive=True)
w_par, w_perp, a, v = sp.symbols("w_par w_perp a v", real=True)
mu, alpha, gain = sp.symbols("mu alpha gain", positive=True)
k = sp.Symbol("k", integer=True, positive=True)

# What is evaluated: a tilde for what is scaled by exp(-kappa t), or its square.
x_slow, x_fast = sp.symbols("x_slow x_fast", positive=True)
q, epsilon, phi_slow, phi_fast = sp.symbols("q epsilon phi_slow phi_fast", positive=True)
Ntilde, Stilde, Etilde, Dtilde = sp.symbols("Ntilde Stilde Etilde Dtilde", positive=True)
Gtilde, Vtilde, Ytilde = sp.symbols("Gtilde Vtilde Ytilde", positive=True)
gap_early, gap_late = sp.symbols("Gtilde_early Gtilde_late", positive=True)
v_early, v_low, v_high = sp.symbols("Vtilde_early Vtilde_low Vtilde_high", positive=True)
ell, e_par, e_perp = sp.symbols("ell e_par e_perp", real=True)
Delta_par, Delta_perp = sp.symbols("Delta_par Delta_perp", real=True)

ACTIVE_UNIT, OTHER_UNITS = MatrixSymbol("u", h, 1), MatrixSymbol("U", h, r - 1)
TASK, ACROSS = MatrixSymbol("b", d, 1), MatrixSymbol("n", d, 1)
OTHER_INPUTS = MatrixSymbol("Q", d, r - 1)
FRAME = orthonormal(ACTIVE_UNIT, OTHER_UNITS) | orthonormal(TASK, ACROSS, OTHER_INPUTS)

R, R0, Rt = (MatrixSymbol(name, d, d) for name in ("R", "R_0", "R_t"))
B, B0, Bt = (MatrixSymbol(name, m, m) for name in ("B", "B_0", "B_t"))

NOTATION = {
    sigma: "Frobenius norm of W1(0)",
    r: "rank of W1(0)",
    d: "number of inputs",
    h: "number of hidden units",
    m: "number of outputs (1 but for the tangent kernel)",
    c: "alignment: share of the squared task vector inside the row space of W1(0)",
    g: "length of the task vector beta",
    t: "time",
    k: "counts the terms of a series, from 1",
    ACTIVE_UNIT: "the active hidden direction",
    OTHER_UNITS: "the other r - 1 hidden directions of W1(0)",
    TASK: "direction of beta",
    ACROSS: "direction, across beta, of the projection of beta on the row space of W1(0)",
    OTHER_INPUTS: "the rest of the row space of W1(0)",
    R: "representation second moment W1'W1",
    R0: "the same at time 0",
    Rt: "the same at time t",
    B: "readout second moment W2 W2'",
    B0: "the same at time 0",
    Bt: "the same at time t",
}

SHORTHAND = {
    s: "start_singular_value",
    kappa: "growth_rate",
    rho: "fast_rate",
    delta: "slow_rate",
    theta: "rate_ratio",
    X: "scaled_time",
    N: "growth_parallel",
    S: "growth_readout",
    E: "growth_orthogonal",
    D: "denominator",
    V: "orthogonal_gap",
    Y: "parallel_gap",
    w_par: "active_parallel",
    w_perp: "active_orthogonal",
    a: "active_readout",
    v: "start_overlap",
    mu: "mu",
    alpha: "alpha",
    gain: "mu_minus_s_stable",
    Delta_par: "parallel_change",
    Delta_perp: "orthogonal_change",
    e_par: "residual_parallel",
    e_perp: "residual_orthogonal",
    x_slow: "slow_time",
    x_fast: "fast_time",
    q: "decay",
    epsilon: "rate_complement",
    ell: "log_rate_ratio",
    Ntilde: "scaled_growth_parallel",
    Stilde: "scaled_growth_readout",
    Etilde: "scaled_growth_orthogonal",
    Dtilde: "scaled_denominator",
    phi_slow: "exponential_rest_slow",
    phi_fast: "exponential_rest_fast",
    gap_early: "scaled_growth_gap_early",
    gap_late: "scaled_growth_gap_late",
    Gtilde: "scaled_growth_gap",
    Ytilde: "scaled_parallel_gap",
    v_early: "scaled_orthogonal_gap_early",
    v_low: "scaled_orthogonal_gap_low",
    v_high: "scaled_orthogonal_gap_high",
    Vtilde: "scaled_orthogonal_gap",
}

# With s^2 = g(P - 1/P), F has the eigenvalues +-g(P + 1/P)/2 and g(P - 1/P)/2, so that every
# trajectory is rational in P and in the two exponentials below, up to outer square roots.
P = sp.Symbol("P", positive=True)
EXP_FAST, EXP_SLOW = sp.symbols("e_fast e_slow", positive=True)  # e^{gPt/2}, e^{gt/(2P)}


def uniform(expression: sp.Basic) -> sp.Basic:
    """Write an expression in sigma, r, c, g, t rationally in P and the two exponentials."""
    rational = expression.xreplace({sigma: sp.sqrt(r * g * (P - 1 / P))})
    return factored_roots(rational, t).rewrite(sp.exp).replace(sp.exp, _power)


def final(expression: sp.Expr) -> sp.Expr:
    """Limit t -> oo of an expression whose uniform form is a ratio of polynomials."""
    vanishing = sp.symbols("x y", positive=True)
    scaled = uniform(expression).subs({EXP_FAST: 1 / vanishing[0], EXP_SLOW: 1 / vanishing[1]})
    return sp.cancel(scaled).subs(dict.fromkeys(vanishing, 0))


def first_layer(parallel: sp.Expr, orthogonal: sp.Expr, others: sp.Expr) -> sp.Basic:
    """W1 with the active direction at these two components and the others where they start."""
    active = ACTIVE_UNIT * (parallel * TASK + orthogonal * ACROSS).T
    return active + others * OTHER_UNITS * OTHER_INPUTS.T


def _power(exponent: sp.Expr) -> sp.Expr:
    rate = sp.expand(exponent / (g * t))
    fast, slow = rate.coeff(P, 1), rate.coeff(P, -1)
    if sp.expand(rate - fast * P - slow / P) != 0:
        return sp.exp(exponent)
    return EXP_FAST ** (2 * fast) * EXP_SLOW ** (2 * slow)
