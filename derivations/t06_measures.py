"""T6, second part: how far the weights, the representation and the kernel have moved."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, KroneckerProduct, Trace, ZeroMatrix, sqrt

from derivations.checks import Zero
from derivations.frame import Step
from derivations.matrix_words import entries, expand_traces, kronecker_inner_product
from derivations.t01_gradient_flow import W1, W2, d, h, m
from derivations.t06_symbols import (
    ACTIVE_UNIT,
    B0,
    FRAME,
    R0,
    B,
    Bt,
    P,
    R,
    Rt,
    a,
    alpha,
    c,
    final,
    first_layer,
    g,
    gain,
    mu,
    r,
    s,
    uniform,
    v,
    w_par,
    w_perp,
)

__all__ = ["FORMULAS", "STEPS"]

_SQUARED = w_par**2 + w_perp**2
_ROOT = sqrt(s**4 + 4 * g**2)

FORMULAS = {
    "weight_change_1_squared": (w_par - s * sqrt(c)) ** 2 + (w_perp - s * sqrt(1 - c)) ** 2,
    "weight_change_2_squared": a**2,
    "weight_change_squared": (w_par - s * sqrt(c)) ** 2 + (w_perp - s * sqrt(1 - c)) ** 2 + a**2,
    "tangent_kernel": KroneckerProduct(R, Identity(m)) + KroneckerProduct(Identity(d), B),
    "kernel_inner_product": m * Trace(R0 * Rt)
    + Trace(R0) * Trace(Bt)
    + Trace(B0) * Trace(Rt)
    + d * Trace(B0 * Bt),
    "start_overlap": sqrt(c) * w_par + sqrt(1 - c) * w_perp,
    "representation_inner_product": s**2 * (s**2 * (r - 1) + v**2),
    "representation_norm_squared": s**4 * (r - 1) + _SQUARED**2,
    "representation_trace": s**2 * (r - 1) + _SQUARED,
    "representation_alignment": (s**2 * (r - 1) + v**2)
    / (sqrt(r) * sqrt(s**4 * (r - 1) + _SQUARED**2)),
    "kernel_alignment": (s**2 * (r - 1) + v**2 + a**2 * r)
    / (
        sqrt(r)
        * sqrt(s**4 * (r - 1) + _SQUARED**2 + d * a**4 + 2 * a**2 * (s**2 * (r - 1) + _SQUARED))
    ),
    "mu": sqrt((s**2 + _ROOT) / 2),
    "alpha": sqrt(mu**2 - s**2),
    "alpha_stable": sqrt(2 * g**2 / (s**2 + _ROOT)),
    "mu_minus_s_stable": alpha**2 / (mu + s),
    "weight_change_1_squared_final": mu**2 + s**2 - 2 * mu * s * sqrt(c),
    "weight_change_1_squared_final_stable": gain**2 + 2 * mu * s * (1 - sqrt(c)),
    "weight_change_2_squared_final": alpha**2,
    "weight_change_squared_final": 2 * mu * (mu - s * sqrt(c)),
    "representation_alignment_final": (s**2 * (r - 1) + mu**2 * c)
    / (sqrt(r) * sqrt(s**4 * (r - 1) + mu**4)),
    "kernel_alignment_final": (s**2 * (r - 1) + mu**2 * c + alpha**2 * r)
    / (
        sqrt(r)
        * sqrt(s**4 * (r - 1) + mu**4 + d * alpha**4 + 2 * alpha**2 * (s**2 * (r - 1) + mu**2))
    ),
}

_W1_START = first_layer(s * sqrt(c), s * sqrt(1 - c), s)
_W1_NOW = first_layer(w_par, w_perp, s)
_START = {R0: _W1_START.T * _W1_START, B0: ZeroMatrix(1, 1)}
_NOW = {Rt: _W1_NOW.T * _W1_NOW, Bt: a**2 * ACTIVE_UNIT.T * ACTIVE_UNIT}


def _value(expression, meaning):
    """A trace formula for one output, with its matrices put in."""
    for_one = expression.xreplace({m: sp.S.One})
    matrices = {symbol.xreplace({m: sp.S.One}): x for symbol, x in meaning.items()}
    return expand_traces(for_one.xreplace(matrices), FRAME)


def _weight_changes(weight_change_1_squared, weight_change_2_squared, weight_change_squared):
    moved = _W1_NOW - _W1_START
    first = expand_traces(Trace(moved.T * moved), FRAME)
    second = expand_traces(Trace((a * ACTIVE_UNIT.T) * (a * ACTIVE_UNIT.T).T), FRAME)
    return [
        weight_change_1_squared - first,
        weight_change_2_squared - second,
        weight_change_squared - first - second,
    ]


def _jacobian(tangent_kernel):
    for sizes in ({d: 1, h: 1, m: 1}, {d: 2, h: 1, m: 2}, {d: 2, h: 3, m: 1}, {d: 3, h: 2, m: 2}):
        first, second = entries(W1, sizes), entries(W2, sizes)
        # Outputs on the unit inputs, in the order (input, output): the columns of W2 W1.
        outputs = (second * first).vec()
        slopes = outputs.jacobian([*first, *second])
        kernel = entries(tangent_kernel.xreplace({R: W1.T * W1, B: W2 * W2.T}), sizes)
        yield kernel - slopes * slopes.T


def _kernel_inner_product(tangent_kernel, kernel_inner_product):
    start, now = (tangent_kernel.xreplace(meaning) for meaning in ({R: R0, B: B0}, {R: Rt, B: Bt}))
    explicit = [
        (entries(start, sizes) * entries(now, sizes)).trace() - entries(kernel_inner_product, sizes)
        for sizes in ({d: 1, m: 2}, {d: 2, m: 1}, {d: 2, m: 2}, {d: 3, m: 2})
    ]
    return [kernel_inner_product - kronecker_inner_product(start, now), *explicit]


def _traces(
    start_overlap,
    representation_inner_product,
    representation_norm_squared,
    representation_trace,
):
    meaning = _START | _NOW
    return [
        representation_inner_product.subs(v, start_overlap) - _value(Trace(R0 * Rt), meaning),
        start_overlap * s - (w_par * s * sqrt(c) + w_perp * s * sqrt(1 - c)),
        representation_norm_squared - _value(Trace(Rt * Rt), meaning),
        representation_trace - _value(Trace(Rt), meaning),
        s**4 * r - _value(Trace(R0 * R0), meaning),
        s**2 * r - _value(Trace(R0), meaning),
    ]


def _representation_alignment(
    representation_alignment, representation_inner_product, representation_norm_squared
):
    norms = s**2 * sqrt(r) * sqrt(representation_norm_squared)
    return representation_alignment * norms - representation_inner_product


def _kernel_alignment(kernel_alignment, kernel_inner_product, start_overlap):
    product, start, now = (
        _value(kernel_inner_product.xreplace(pair), _START | _NOW)
        for pair in ({}, {Rt: R0, Bt: B0}, {R0: Rt, B0: Bt})
    )
    start_norm = sqrt(sp.factor(start))
    return kernel_alignment.subs(v, start_overlap) * start_norm * sqrt(now) - product


def _final_state(
    closed, mu, alpha, alpha_stable, active_parallel, active_orthogonal, active_readout
):
    return [
        # The fixed point of the reduced flow on the conserved set ...
        uniform(closed(mu * alpha)) - g,
        uniform(closed(alpha**2 - mu**2 + s**2)),
        # ... is where the closed form goes; both roots are positive.
        final(closed(active_parallel**2)) - uniform(closed(mu**2)),
        final(closed(active_orthogonal**2)),
        final(closed(active_readout**2)) - uniform(closed(alpha**2)),
        uniform(closed(mu)) - sqrt(g * P),
        uniform(closed(alpha)) - sqrt(g / P),
        uniform(closed(alpha_stable)) - sqrt(g / P),
    ]


def _final_changes(
    closed,
    mu_minus_s_stable,
    weight_change_1_squared,
    weight_change_2_squared,
    weight_change_squared,
    weight_change_1_squared_final,
    weight_change_1_squared_final_stable,
    weight_change_2_squared_final,
    weight_change_squared_final,
):
    first, second, both = (
        x.subs(_END)
        for x in (weight_change_1_squared, weight_change_2_squared, weight_change_squared)
    )
    return [
        uniform(closed(mu_minus_s_stable - (mu - s))),
        weight_change_1_squared_final - first,
        (weight_change_1_squared_final_stable - first).subs(gain, mu - s),
        weight_change_2_squared_final - second,
        (weight_change_squared_final - both).subs(alpha, sqrt(mu**2 - s**2)),
    ]


_END = {w_par: mu, w_perp: 0, a: alpha, v: sqrt(c) * mu}


def _final_alignments(
    representation_alignment,
    kernel_alignment,
    representation_alignment_final,
    kernel_alignment_final,
):
    return [
        representation_alignment_final - representation_alignment.subs(_END),
        kernel_alignment_final - kernel_alignment.subs(_END),
    ]


STEPS = (
    Step(
        ("weight_change_1_squared", "weight_change_2_squared", "weight_change_squared"),
        "Only the active direction moves; b and n are orthonormal, and W2 starts at 0.",
        Zero(_weight_changes),
    ),
    Step(
        ("tangent_kernel",),
        "The Jacobian of the outputs on the unit inputs times its transpose, in the index order "
        "(input, output). Any number m of outputs, written out for several sizes.",
        Zero(_jacobian),
    ),
    Step(
        ("kernel_inner_product",),
        "tr K_0 K_t, from (A x B)(C x D) = AC x BD and tr(A x B) = tr A tr B, for any sizes; and "
        "entry by entry for several.",
        Zero(_kernel_inner_product),
    ),
    Step(
        (
            "start_overlap",
            "representation_inner_product",
            "representation_norm_squared",
            "representation_trace",
        ),
        "R_0 = s^2 times the projector on the row space, and R_t = ww' + s^2 QQ', where Q is "
        "orthogonal to w and v is the component of w on its starting direction; "
        "|R_0|^2 = r s^4 and tr R_0 = r s^2. Traces of words, any d and r.",
        Zero(_traces),
    ),
    Step(
        ("representation_alignment",),
        "tr(R_0 R_t) over the two norms.",
        Zero(_representation_alignment),
    ),
    Step(
        ("kernel_alignment",),
        "tr(K_0 K_t) over the two norms, by the identity above with m = 1, B_0 = 0 and B_t = a^2.",
        Zero(_kernel_alignment),
    ),
    Step(
        ("mu", "alpha", "alpha_stable"),
        "As t grows, for c > 0, the growing eigenvector of F takes over: w tends to mu b and a "
        "to alpha, with mu alpha = g. (For c = 0 nothing ever moves.)",
        Zero(_final_state),
    ),
    Step(
        (
            "mu_minus_s_stable",
            "weight_change_1_squared_final",
            "weight_change_1_squared_final_stable",
            "weight_change_2_squared_final",
            "weight_change_squared_final",
        ),
        "The weight changes at w = mu b, a = alpha; mu - s without subtraction.",
        Zero(_final_changes),
    ),
    Step(
        ("representation_alignment_final", "kernel_alignment_final"),
        "The alignments at w = mu b, a = alpha, so v = sqrt(c) mu.",
        Zero(_final_alignments),
    ),
)
