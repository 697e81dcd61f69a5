"""T3, first part: one mode of any imbalance, its closed form, and sums of one sign."""

from __future__ import annotations

import sympy as sp
from sympy import Matrix, cosh, exp, sinh, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.t02_modes import DERIVATION as T2
from derivations.t03_one_mode.symbols import (
    STATE,
    A,
    B,
    D,
    E,
    M,
    P,
    U,
    V,
    W,
    a,
    a0,
    b,
    b0,
    c_minus,
    c_plus,
    kappa,
    l_a,
    l_b,
    lam,
    s,
    t,
    u,
    uniform,
    v,
)

__all__ = ["FORMULAS", "STEPS"]

FORMULAS = {
    "imbalance": b0**2 - a0**2,
    "rate_first": b * (s - a * b),
    "rate_readout": a * (s - a * b),
    "lift_matrix": Matrix([[-lam / 2, s], [s, lam / 2]]).as_immutable(),
    "growth_rate": sqrt(s**2 + lam**2 / 4),
    "fast_rate": kappa + lam / 2,
    "slow_rate": kappa - lam / 2,
    "fast_rate_stable": s**2 / M,
    "slow_rate_stable": s**2 / P,
    "growing_first": s / sqrt(s**2 + P**2),
    "growing_readout": P / sqrt(s**2 + P**2),
    "growing_first_negative": M / sqrt(s**2 + M**2),
    "growing_readout_negative": s / sqrt(s**2 + M**2),
    "growing_component": u * a0 + v * b0,
    "decaying_component": v * a0 - u * b0,
    "linear_first": c_plus * exp(kappa * t) * u + c_minus * exp(-kappa * t) * v,
    "linear_readout": c_plus * exp(kappa * t) * v - c_minus * exp(-kappa * t) * u,
    "linear_first_hyperbolic": a0 * cosh(kappa * t)
    + (s * b0 - lam * a0 / 2) * sinh(kappa * t) / kappa,
    "linear_readout_hyperbolic": b0 * cosh(kappa * t)
    + (s * a0 + lam * b0 / 2) * sinh(kappa * t) / kappa,
    "denominator": 1
    + c_plus**2 * (exp(2 * kappa * t) - 1) / (2 * kappa)
    + c_minus**2 * (1 - exp(-2 * kappa * t)) / (2 * kappa),
    "first": l_a / sqrt(D),
    "readout": l_b / sqrt(D),
    "decay": exp(-2 * kappa * t),
    "sum_first": a0 * (M + P * E) + s * b0 * (1 - E),
    "sum_readout": b0 * (P + M * E) + s * a0 * (1 - E),
    "kept_first": 1 - P * (1 - E) / (2 * kappa),
    "kept_readout": 1 - M * (1 - E) / (2 * kappa),
    "squared_components": (a0 * A + b0 * B) / (2 * kappa),
    "sum_denominator": 4 * kappa**2 * E + (a0 * A + b0 * B) * (1 - E),
    "first_of_sums": A / sqrt(W),
    "readout_of_sums": B / sqrt(W),
}


def _mode(rate_first, rate_readout, imbalance):
    unit = {T2.symbols["s"]: s, T2.symbols["q"]: sp.S.One}
    return [
        rate_first - T2.claims["rate_first"].xreplace(unit),
        rate_readout - T2.claims["rate_readout"].xreplace(unit),
        imbalance - T2.claims["imbalance"].xreplace({a: a0, b: b0}),
    ]


def _lift(lift_matrix, rate_first, rate_readout):
    lifted_rates = lift_matrix * STATE - STATE.dot(STATE) * STATE / 2
    # Equal once b^2 - a^2 = lambda is used: the difference is a multiple of this polynomial.
    law = b**2 - a**2 - lam
    return [sp.rem(sp.expand(x), law, b) for x in Matrix([rate_first, rate_readout]) - lifted_rates]


def _rates(closed, growth_rate, fast_rate, slow_rate, fast_rate_stable, slow_rate_stable):
    return [
        uniform(closed(growth_rate)) - (U**2 + V**2) / 2,
        uniform(closed(fast_rate)) - U**2,
        uniform(closed(slow_rate)) - V**2,
        uniform(closed(fast_rate_stable)) - U**2,
        uniform(closed(slow_rate_stable)) - V**2,
    ]


def _eigenvectors(
    closed,
    lift_matrix,
    growing_first,
    growing_readout,
    growing_first_negative,
    growing_readout_negative,
):
    growing = Matrix([growing_first, growing_readout])
    decaying = Matrix([growing_readout, -growing_first])
    residuals = [lift_matrix * growing - kappa * growing, lift_matrix * decaying + kappa * decaying]
    length = sqrt(U**2 + V**2)
    return [
        *(uniform(closed(x)) for residual in residuals for x in residual),
        uniform(closed(growing_first)) - V / length,
        uniform(closed(growing_readout)) - U / length,
        uniform(closed(growing_first_negative)) - V / length,
        uniform(closed(growing_readout_negative)) - U / length,
    ]


def _linear_flow(
    closed,
    lift_matrix,
    growing_component,
    decaying_component,
    linear_first,
    linear_readout,
    linear_first_hyperbolic,
    linear_readout_hyperbolic,
):
    path = Matrix([linear_first, linear_readout])
    hyperbolic = Matrix([linear_first_hyperbolic, linear_readout_hyperbolic])
    components = {c_plus: growing_component, c_minus: decaying_component}
    start = path.subs(t, 0).xreplace(components) - Matrix([a0, b0])
    residuals = [start, path.diff(t) - lift_matrix * path, path - hyperbolic]
    return (uniform(closed(x)) for residual in residuals for x in residual)


def _denominator(closed, denominator, linear_first, linear_readout):
    return [
        uniform(closed(denominator.diff(t) - linear_first**2 - linear_readout**2)),
        denominator.subs(t, 0) - 1,
    ]


def _trajectory(closed, lift_matrix, first, readout, rate_first, rate_readout):
    linear = Matrix([l_a, l_b])
    path, rates = Matrix([first, readout]), Matrix([rate_first, rate_readout])
    # By the chain rule, with l' = F l and D' = |l|^2 as established; sqrt(D) is cleared.
    drift = path.jacobian(linear) * lift_matrix * linear + path.diff(D) * linear.dot(linear)
    residual = (drift - rates.xreplace({a: first, b: readout})) * D ** sp.Rational(3, 2)
    law = l_b**2 - l_a**2 - lam * D
    return [
        *(sp.rem(sp.expand(x), law, l_b) for x in residual),
        uniform(closed(law)),
        path.xreplace({l_a: a0, l_b: b0, D: sp.S.One}) - Matrix([a0, b0]),
    ]


def _sums(closed, decay, sum_first, sum_readout, kept_first, kept_readout):
    scale = 2 * kappa * exp(-kappa * t)
    differences = [
        decay - exp(-2 * kappa * t),
        sum_first - scale * l_a,
        sum_readout - scale * l_b,
        2 * kappa * kept_first - (M + P * E),
        2 * kappa * kept_readout - (P + M * E),
    ]
    return (uniform(closed(x)) for x in differences)


def _squared_components(closed, squared_components, sum_denominator):
    return [
        uniform(closed(squared_components - c_plus**2 - c_minus**2 * E)),
        uniform(closed(sum_denominator - 4 * kappa**2 * E * D)),
    ]


def _of_sums(first_of_sums, readout_of_sums, first, readout):
    # e^{-kappa t} is sqrt(E)
    sums = {A: 2 * kappa * sqrt(E) * l_a, B: 2 * kappa * sqrt(E) * l_b, W: 4 * kappa**2 * E * D}
    return [first_of_sums.xreplace(sums) - first, readout_of_sums.xreplace(sums) - readout]


STEPS = (
    Step(
        ("imbalance", "rate_first", "rate_readout"),
        "The mode of T2 with q = 1, or in T2's scaled strengths with any q. Its imbalance stays "
        "what it is at the start.",
        Zero(_mode),
    ),
    Step(
        ("lift_matrix",),
        "With b^2 - a^2 = lambda the rates of w = (a, b) become F w - |w|^2 w/2. Such a flow is "
        "linear up to length: if l' = F l and D' = |l|^2 then w = l/sqrt(D) solves it.",
        Substitution(_lift, equation="w' = F w - |w|^2 w/2, modulo b^2 - a^2 - lambda"),
    ),
    Step(
        ("growth_rate", "fast_rate", "slow_rate", "fast_rate_stable", "slow_rate_stable"),
        "P = kappa + lambda/2 and M = kappa - lambda/2 have the sum 2 kappa and the product s^2: "
        "the one that cancels, M for lambda > 0 and P for lambda < 0, is s^2 over the other.",
        Zero(_rates),
    ),
    Step(
        (
            "growing_first",
            "growing_readout",
            "growing_first_negative",
            "growing_readout_negative",
        ),
        "F has the eigenvalues kappa, unit eigenvector (u, v), and -kappa, unit eigenvector "
        "(v, -u). The form in M is the same vector, for lambda < 0, where the form in P "
        "cancels, and is 0/0 at s = 0.",
        Zero(_eigenvectors),
    ),
    Step(
        (
            "growing_component",
            "decaying_component",
            "linear_first",
            "linear_readout",
            "linear_first_hyperbolic",
            "linear_readout_hyperbolic",
        ),
        "The linear flow in the eigenvectors, and in the hyperbolic functions.",
        Substitution(_linear_flow, equation="l' = F l, l(0) = (a_0, b_0)"),
    ),
    Step(
        ("denominator",),
        "D = 1 + integral of |l|^2; the eigenvectors are orthogonal.",
        Substitution(_denominator, equation="D' = |l|^2, D(0) = 1"),
    ),
    Step(
        ("first", "readout"),
        "The closed form, for any imbalance and signs; b^2 - a^2 = lambda holds along it, as "
        "l_b^2 - l_a^2 = lambda D.",
        Substitution(_trajectory, equation="a' = b(s - ab), b' = a(s - ab), with the start"),
    ),
    Step(
        ("decay", "sum_first", "sum_readout", "kept_first", "kept_readout"),
        "The linear flow times 2 kappa e^(-kappa t): sums of terms of one sign if a_0 and b_0 "
        "have one sign, and nothing in them grows. What multiplies a_0 in A and b_0 in B, over "
        "2 kappa, is 1 less what the mode has lost so far: the form for small kappa t.",
        Zero(_sums),
    ),
    Step(
        ("squared_components", "sum_denominator"),
        "c_+^2 + c_-^2 E without the components: D needs no further products. W is 4 kappa^2 E D.",
        Zero(_squared_components),
    ),
    Step(
        ("first_of_sums", "readout_of_sums"),
        "The closed form in these sums.",
        Zero(_of_sums),
    ),
)
