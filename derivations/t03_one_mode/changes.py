"""T3, second part: differences without cancellation, and the ends of training."""

from __future__ import annotations

import sympy as sp
from sympy import exp, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.t02_modes import DERIVATION as T2
from derivations.t03_one_mode.symbols import (
    G0,
    A,
    B,
    D,
    E,
    G_end,
    M,
    P,
    W,
    a,
    a0,
    a_end,
    a_t,
    b,
    b0,
    b_end,
    b_t,
    c_plus,
    dp,
    error,
    final,
    gain,
    gain_end,
    kappa,
    l_a,
    l_b,
    lam,
    p0,
    s,
    symmetric,
    t,
    u,
    uniform,
    v,
)

__all__ = ["FORMULAS", "STEPS"]

FORMULAS = {
    "start_product": a0 * b0,
    "start_strength": a0**2 + b0**2,
    "error": (s - p0) / D,
    "error_of_sums": (s - p0) * 4 * kappa**2 * E / W,
    "loss": error**2 / 2,
    "kernel": a_t**2 + b_t**2,
    "product_change": (s - p0) * (a0 * A + b0 * B) * (1 - E) / W,
    "gain_of_squares": 2 * dp * (a_t * b_t + p0) / (a_t**2 + b_t**2 + G0),
    "change_first": gain / (a_t + a0),
    "change_readout": gain / (b_t + b0),
    "final_first": sp.sign(c_plus) * sqrt(M),
    "final_readout": sp.sign(c_plus) * sqrt(P),
    "final_strength": 2 * kappa,
    "final_gain_of_squares": 2 * (s - p0) * (s + p0) / (G_end + G0),
    "final_change_first": gain_end / (a_end + a0),
    "final_change_readout": gain_end / (b_end + b0),
    "balanced_product": s / (1 + (s / p0 - 1) * exp(-2 * s * t)),
    "growing_component_factored": lam * (a0**2 + P) / (2 * kappa * (v * b0 - u * a0)),
    "saddle_first": a0 * exp(-s * t) / sqrt(1 + a0**2 * (1 - exp(-2 * s * t)) / s),
    "idle_first": a0 / sqrt(1 + G0 * t),
}


_ON_PATH = {a_t: l_a / sqrt(D), b_t: l_b / sqrt(D)}
_UNIT = {T2.symbols["s"]: s, T2.symbols["q"]: sp.S.One}


def _error(closed, start_product, error, error_of_sums):
    return [
        start_product - a0 * b0,
        uniform(closed(sp.expand((s - a_t * b_t).xreplace(_ON_PATH) * D - error * D))),
        uniform(closed(error_of_sums * W - error * D * 4 * kappa**2 * E)),
    ]


def _loss(loss, kernel):
    return [
        loss.xreplace({error: s - a * b}) - T2.claims["loss"].xreplace(_UNIT),
        kernel.xreplace({a_t: a, b_t: b}) - T2.claims["kernel"].xreplace(_UNIT),
    ]


def _product_change(closed, product_change):
    change = A * B / W - p0
    return uniform(closed(sp.expand((product_change - change) * W)))


def _gain(closed, start_strength, gain_of_squares):
    start = {G0: start_strength, p0: a0 * b0}
    found = gain_of_squares.xreplace({dp: a_t * b_t - p0}).xreplace(start)
    law = b_t**2 - a_t**2 - b0**2 + a0**2
    differences = [found - (now**2 - then**2) for now, then in ((a_t, a0), (b_t, b0))]
    numerators = [sp.fraction(sp.together(x))[0] for x in differences]
    return [start_strength - a0**2 - b0**2] + [
        sp.rem(sp.expand(x), sp.expand(law), b_t) for x in numerators
    ]


def _changes(change_first, change_readout):
    return [
        change_first.xreplace({gain: a_t**2 - a0**2}) - (a_t - a0),
        change_readout.xreplace({gain: b_t**2 - b0**2}) - (b_t - b0),
    ]


def _final(closed, growing_component, final_first, final_readout):
    for side in (sp.S.One, sp.S.NegativeOne):
        for end, squared in ((final_first, M), (final_readout, P)):
            yield uniform(closed(end.xreplace({sp.sign(c_plus): side}) - side * sqrt(squared)))
    # The linear flow ends on the growing direction, with the sign of its component ...
    yield final(closed(A - 2 * kappa * growing_component * u))
    yield final(closed(B - 2 * kappa * growing_component * v))
    # ... and with this length.
    yield final(closed(A**2 / W - M))
    yield final(closed(B**2 / W - P))
    yield uniform(closed(M * P - s**2))


def _final_changes(
    closed, final_strength, final_gain_of_squares, final_change_first, final_change_readout
):
    return [
        uniform(closed(final_strength - M - P)),
        uniform(closed(final_gain_of_squares - (M - a0**2))),
        uniform(closed(final_gain_of_squares - (P - b0**2))),
        final_change_first.xreplace({gain_end: a_end**2 - a0**2}) - (a_end - a0),
        final_change_readout.xreplace({gain_end: b_end**2 - b0**2}) - (b_end - b0),
    ]


def _balanced(closed, balanced_product):
    p = balanced_product
    path = (a_t * b_t).xreplace(_ON_PATH)
    return [
        p.diff(t) - 2 * p * (s - p),
        p.subs(t, 0) - p0,
        symmetric(closed(p - path), 1),
    ]


def _factored(closed, growing_component_factored):
    return uniform(closed(growing_component_factored - c_plus))


def _saddle(closed, saddle_first):
    path = saddle_first
    return [
        symmetric(path.diff(t) + path * (s + path**2), -1),
        path.subs(t, 0) - a0,
        symmetric(closed(c_plus), -1),
        symmetric(closed(path - l_a / sqrt(D)), -1),
        symmetric(closed(path + l_b / sqrt(D)), -1),
    ]


def _idle(closed, idle_first, balanced_product, rate_first, rate_readout):
    for sign in (1, -1):
        path = closed(idle_first).xreplace({b0: sign * a0})
        here = {s: sp.S.Zero, a: path, b: sign * path}
        yield path.diff(t) - rate_first.xreplace(here)
        yield sign * path.diff(t) - rate_readout.xreplace(here)
        yield path.subs(t, 0) - a0
    without_task = sp.limit(balanced_product, s, 0).xreplace({p0: a0**2})
    yield closed(idle_first).xreplace({b0: a0}) ** 2 - without_task


STEPS = (
    Step(
        ("start_product", "error", "error_of_sums"),
        "s - ab falls by the factor D, without subtraction.",
        Zero(_error),
    ),
    Step(("loss", "kernel"), "T2's loss and kernel at q = 1.", Zero(_loss)),
    Step(
        ("product_change",),
        "ab - a_0 b_0 = (s - p_0)(1 - 1/D), without subtraction: c_+^2 + c_-^2 E once more.",
        Zero(_product_change),
    ),
    Step(
        ("start_strength", "gain_of_squares"),
        "With G = a^2 + b^2, G^2 - 4p^2 is the square of the imbalance, so (G - G_0)(G + G_0) = "
        "4(p - p_0)(p + p_0); and a^2 and b^2 gain the same, half of what G gains.",
        Substitution(_gain, equation="a^2 - a_0^2 and b^2 - b_0^2, modulo conservation"),
    ),
    Step(
        ("change_first", "change_readout"),
        "The difference of the squares over the sum, for a weight that keeps its sign.",
        Zero(_changes),
    ),
    Step(
        ("final_first", "final_readout"),
        "For c_+ other than 0 the growing direction takes over as t -> oo: a^2 tends to M and "
        "b^2 to P, with the signs of c_+ u and c_+ v, so that ab tends to s.",
        Zero(_final),
    ),
    Step(
        (
            "final_strength",
            "final_gain_of_squares",
            "final_change_first",
            "final_change_readout",
        ),
        "The same differences at the end, where p = s and G = P + M.",
        Zero(_final_changes),
    ),
    Step(
        ("balanced_product",),
        "Without imbalance and with a_0 = b_0 the product is logistic.",
        Substitution(_balanced, equation="p' = 2p(s - p), p(0) = p_0"),
    ),
    Step(
        ("growing_component_factored",),
        "c_+ times v b_0 - u a_0 is lambda (a_0^2 + P)/(2 kappa). As P > 0, c_+ vanishes only at "
        "lambda = 0, where u = v: at a_0 = -b_0.",
        Zero(_factored),
    ),
    Step(
        ("saddle_first",),
        "At a_0 = -b_0 the mode stays on the decaying direction, b = -a, and ends at (0, 0).",
        Substitution(_saddle, equation="a' = -a(s + a^2), a(0) = a_0"),
    ),
    Step(
        ("idle_first",),
        "At s = lambda = 0, so b_0 = a_0 or b_0 = -a_0, the decay is algebraic; b = a or b = -a.",
        Substitution(_idle, equation="the rates at s = 0; the limit s -> 0 of the logistic"),
    ),
)
