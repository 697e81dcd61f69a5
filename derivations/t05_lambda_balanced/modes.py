"""T5, second part: the eigenvectors of F, the diagonal form, its limit, and one neuron."""

from __future__ import annotations

import sympy as sp
from sympy import Abs, Identity, exp, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.frame.matrix_words import orthonormal, rate_of_change
from derivations.t01_gradient_flow import Syx, h
from derivations.t05_lambda_balanced.symbols import (
    BASIS,
    GROWTH,
    INVERSE,
    J1,
    J2,
    NEW_INPUT,
    NEW_OUTPUT,
    ONE_MODE,
    Q0,
    RESCALE,
    REST,
    SCALE,
    U_MODE,
    UNSCALE,
    V_MODE,
    C,
    E,
    H,
    N,
    Y,
    kappa,
    lam,
    n,
    normal,
    rational,
    s,
    t,
    x,
)

__all__ = ["FORMULAS", "STEPS"]

FORMULAS = {
    "growth_rate": sqrt(s**2 + lam**2 / 4),
    "growing_first": s / sqrt(s**2 + (kappa + lam / 2) ** 2),
    "growing_readout": (kappa + lam / 2) / sqrt(s**2 + (kappa + lam / 2) ** 2),
    "growing_first_other_form": (kappa - lam / 2) / sqrt(s**2 + (kappa - lam / 2) ** 2),
    "growing_readout_other_form": s / sqrt(s**2 + (kappa - lam / 2) ** 2),
    "rate_across_first": -lam / 2,
    "rate_across_readout": lam / 2,
    "exponent_beyond": s**2 / (kappa + Abs(lam) / 2),
    "growth": sqrt((exp(2 * x * t) - 1) / (2 * x)),
    "scale": sqrt(2 * x / (1 - exp(-2 * x * t))),
    "grown_start": GROWTH * C,
    "integral": Identity(h) + Y.T * Y,
    "projected": Y * INVERSE * Y.T,
    "diagonal_form": BASIS * SCALE * H * SCALE * BASIS.T,
    "rescaled_inverse": UNSCALE * INVERSE * UNSCALE.T,
}


def _eigenvectors(
    closed,
    lift_matrix,
    growth_rate,
    growing_first,
    growing_readout,
    rate_across_first,
    rate_across_readout,
):
    matrix = lift_matrix.xreplace({Syx: s * U_MODE * V_MODE.T + REST})
    growing = growing_first * J1 * V_MODE + growing_readout * J2 * U_MODE
    decaying = growing_readout * J1 * V_MODE - growing_first * J2 * U_MODE
    vectors = (
        (growing, growth_rate),
        (decaying, -growth_rate),
        (J1 * NEW_INPUT, rate_across_first),
        (J2 * NEW_OUTPUT, rate_across_readout),
    )
    yield [
        rational(closed(coefficient))
        for vector, rate in vectors
        for coefficient in normal(matrix * vector - rate * vector, ONE_MODE)
    ]
    yield [
        rational(closed(coefficient))
        for product in (
            growing.T * growing - Identity(1),
            decaying.T * decaying - Identity(1),
            growing.T * decaying,
        )
        for coefficient in normal(product, ONE_MODE)
    ]


def _orientation(closed, growth_rate, growing_first, growing_readout):
    # At lambda = 0 all three are known without a root of anything but numbers.
    return [
        closed(claim).subs(lam, 0) - value
        for claim, value in (
            (growth_rate, s),
            (growing_first, 1 / sqrt(2)),
            (growing_readout, 1 / sqrt(2)),
        )
    ]


def _other_form(
    closed,
    growing_first,
    growing_readout,
    growing_first_other_form,
    growing_readout_other_form,
):
    return [
        rational(closed(growing_first_other_form - growing_first)),
        rational(closed(growing_readout_other_form - growing_readout)),
    ]


def _beyond(closed, exponent_beyond):
    # kappa = gap + |lambda|/2 for s^2 = gap (gap + |lambda|).
    gap, large = sp.symbols("gap L", positive=True)
    for signed in (large, -large):
        value = closed(exponent_beyond - kappa + Abs(lam) / 2)
        at = value.xreplace({lam: signed, s: sqrt(gap * (gap + large))}).doit()
        yield at.replace(lambda e: e.is_Pow and e.exp == sp.Rational(1, 2), _factored)


def _factored(root):
    return sqrt(sp.factor(sp.expand(root.base)))


def _growth(growth, scale):
    # In terms of big = e^{2xt} > 1 for x > 0; for x < 0 both sign changes cancel.
    return [
        sp.expand(growth**2 * 2 * x) - exp(2 * x * t) + 1,
        (growth**2).diff(t) - exp(2 * x * t),
        (growth**2).subs(t, 0),
        sp.simplify(scale**2 * growth**2 - exp(2 * x * t)),
        # dg/dt = k^2 g/2
        sp.simplify((growth**2).diff(t) - scale**2 * growth**2),
    ]


def _positive(growth, scale):
    # Both are positive: at t = log(2)/(2x) with x = 2.
    at = {t: sp.log(2) / 4, x: 2}
    return [growth.subs(at) - sp.Rational(1, 2), scale.subs(at) - 2 * sqrt(2)]


_EIGENBASIS = {E: BASIS * SCALE * GROWTH * BASIS.T, Q0: BASIS * C}
_IN_BASIS = orthonormal(BASIS)


def _diagonal(closed, grown_start, integral, overlap):
    square = integral.xreplace({Y: grown_start})
    moved = rate_of_change(square, {GROWTH: SCALE * SCALE * GROWTH / 2})
    return [
        normal(grown_start.xreplace({GROWTH: Identity(n)}) - C),
        normal(moved - overlap.xreplace(_EIGENBASIS), _IN_BASIS),
        normal(square.xreplace({GROWTH: sp.ZeroMatrix(n, n)}) - Identity(h)),
    ]


def _diagonal_form(grown_start, projected, diagonal_form, solution):
    written = diagonal_form.xreplace({H: projected}).xreplace({Y: grown_start})
    return normal(written - solution.xreplace(_EIGENBASIS), _IN_BASIS)


def _rescaled(integral, projected, rescaled_inverse):
    unity = {
        ((RESCALE, False), (UNSCALE, False)): 1,
        ((RESCALE, True), (UNSCALE, True)): 1,
        ((UNSCALE, True), (RESCALE, True)): 1,
        ((N, False), (INVERSE, False)): 1,
    }
    # (YA)'(YA) + A'A = A'NA, whose inverse is the claim, and H is the same from YA.
    whole = (Y * RESCALE).T * (Y * RESCALE) + RESCALE.T * RESCALE
    grown = Y * RESCALE
    return [
        normal(whole - RESCALE.T * integral * RESCALE),
        normal(RESCALE.T * N * RESCALE * rescaled_inverse - Identity(h), unity),
        normal(grown * rescaled_inverse * grown.T - projected, unity),
    ]


STEPS = (
    Step(
        (
            "growth_rate",
            "growing_first",
            "growing_readout",
            "rate_across_first",
            "rate_across_readout",
        ),
        "A mode Syx = s uv' + (what neither u nor v sees) gives F two orthonormal eigenvectors, "
        "alpha J1 v + beta J2 u to kappa and beta J1 v - alpha J2 u to -kappa; directions that "
        "Syx does not see are eigenvectors to -lambda/2 (inputs) and lambda/2 (outputs).",
        Zero(_eigenvectors),
    ),
    Step(
        ("growth_rate", "growing_first", "growing_readout"),
        "All three are positive; at lambda = 0 they are s and twice 1/sqrt(2).",
        Zero(_orientation),
    ),
    Step(
        ("growing_first_other_form", "growing_readout_other_form"),
        "The same vector, in the form that does not cancel for lambda < 0.",
        Zero(_other_form),
    ),
    Step(
        ("exponent_beyond",),
        "kappa - |lambda|/2 without subtraction, for both signs of lambda: how much faster a "
        "mode grows than what lies across it.",
        Zero(_beyond),
    ),
    Step(
        ("growth", "scale"),
        "For each eigenvalue x of F: g^2 is the integral of e^{2xt}, and k g = e^{xt}, so that "
        "dg/dt = e^{2xt}/(2g) = k^2 g/2.",
        Zero(_growth),
    ),
    Step(
        ("growth", "scale"),
        "Both are the positive roots.",
        Zero(_positive),
    ),
    Step(
        ("grown_start", "integral"),
        "In the basis V of eigenvectors E = V k g V' and Q0 = VC. The rate of Y'Y is M, so N is "
        "I + Y'Y. Diagonal matrices commute; any size.",
        Substitution(_diagonal, equation="dN/dt = M, N(0) = I, with dg/dt = k^2 g/2"),
    ),
    Step(
        ("projected", "diagonal_form"),
        "The solution in this basis: what grows is in k and Y alone.",
        Zero(_diagonal_form),
    ),
    Step(
        ("rescaled_inverse", "projected"),
        "H is a block of the projector on the columns of Y over I and does not notice YA over A: "
        "columns may be divided by their growth, and no inverse of a start is needed.",
        Zero(_rescaled),
    ),
)
