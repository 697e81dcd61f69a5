"""T8, second part: norms that are exact at every scale, and the first correction in sigma^2."""

from __future__ import annotations

import sympy as sp
from sympy import Trace, sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.matrix_words import expand_traces
from derivations.t01_gradient_flow import W1, W2, d, m
from derivations.t06_flat_low_rank import DERIVATION as T6
from derivations.t06_flat_low_rank.symbols import B0, R0, Bt, P, Rt, c, g, r, uniform

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

b, b_2, T, Q, q = sp.symbols("b b_2 T Q q", positive=True)
mu_1, mu_2, mu_3 = sp.symbols("mu_1:4", positive=True)
_small = sp.Symbol("small", positive=True)
_slope = mu_2 / mu_1

NOTATION = {
    b: "tr B at the end (one output: its value)",
    b_2: "tr B^2 at the end",
    g: "strength of the task, one output",
    mu_2: "v'R_0^2 v of the task direction, one output",
    mu_3: "v'R_0^3 v of the task direction, one output",
}

FORMULAS = {
    "representation_trace_exact": b + T,
    "representation_norm_squared_exact": 2 * q - b_2 + Q,
    "kernel_norm_squared_exact": m * (2 * q - b_2 + Q) + 2 * b * (b + T) + d * b_2,
    "readout_first_order": g - mu_2 / (2 * mu_1),
    "overlap_first_order": mu_1 * (g + mu_2 / (2 * mu_1)) + Q - mu_3 / mu_1,
    "kernel_correction": (mu_2 / 2 + Q - mu_3 / mu_1 - T * _slope / 2) / (g * (mu_1 + T))
    + ((d + 1) * _slope - 2 * T) / (2 * g * (d + 3)),
    "representation_correction": (Q - mu_3 / mu_1) / (g * mu_1),
}


def _norms(
    hidden_start,
    representation_trace_exact,
    representation_norm_squared_exact,
    kernel_norm_squared_exact,
):
    # W1(0)W1(0)' is the conserved matrix, and W1(0) has the traces of R_0.
    start = {
        T: expand_traces(Trace(hidden_start)),
        Q: expand_traces(Trace(hidden_start * hidden_start)),
    }
    readout = W2 * W2.T
    end = {
        b: expand_traces(Trace(readout)),
        b_2: expand_traces(Trace(readout * readout)),
        q: expand_traces(Trace((W2 * W1) * (W2 * W1).T)),
    }
    representation = W1.T * W1
    yield representation_trace_exact.subs(start | end) - expand_traces(Trace(representation))
    square = expand_traces(Trace(representation * representation))
    yield representation_norm_squared_exact.subs(start | end) - square
    product = T6.formulas["kernel_inner_product"]
    both = {R0: representation, B0: readout, Rt: representation, Bt: readout}
    norm = expand_traces(product.xreplace(both))
    yield kernel_norm_squared_exact.subs(start | end) - norm


def _scaled(expression):
    """R_0 of size sigma^2 in its moments."""
    size = {T: 1, Q: 2, mu_1: 1, mu_2: 2, mu_3: 3}
    return expression.subs({x: x * _small**k for x, k in size.items()}, simultaneous=True)


def _first_order(readout_first_order, overlap_first_order):
    # b^2 = g^2 - a'H_0 a, with a = sqrt(b) W1(0)v/|W1(0)v| to leading order
    square = _scaled(readout_first_order) ** 2 - (g**2 - _scaled(mu_2 / mu_1) * g)
    yield sp.expand(square).subs(_small, 0)
    yield sp.expand(square).coeff(_small, 1)
    yield readout_first_order.subs(mu_2, 0) - g
    # |W1 v|^2 = (b^3 + 2 b a'H_0 a)/g^2, since W1 v = W1 W1'a/g, up to second order ...
    along = (readout_first_order**3 + 2 * readout_first_order * g * _slope) / g**2
    # ... and across v, R is R_0 without the hidden direction of a.
    across = Q - mu_3 / mu_1
    gap = sp.expand(_scaled(overlap_first_order - mu_1 * along - across) / _small)
    yield gap.subs(_small, 0)
    yield gap.coeff(_small, 1)


def _corrections(
    kernel_norm_squared_exact,
    representation_norm_squared_exact,
    readout_first_order,
    overlap_first_order,
    kernel_correction,
    representation_correction,
):
    one = {m: 1, b_2: b**2, q: g**2}
    kernel = (overlap_first_order + T * b) / sqrt(kernel_norm_squared_exact.subs(one))
    representation = overlap_first_order / sqrt(representation_norm_squared_exact.subs(one))
    for alignment, correction in (
        (kernel, kernel_correction),
        (representation, representation_correction),
    ):
        square = sp.cancel((_scaled(alignment.subs(b, readout_first_order)) / _small) ** 2)
        slope = (square.diff(_small) / (2 * square)).subs(_small, 0)
        yield sp.cancel(slope - _scaled(correction).subs(_small, 1))


def _flat(kernel_correction, representation_correction):
    # s^2 = g(P - 1/P) = 2g(P - 1) + ...: the correction of T6 in units of s^2/g
    flat = {mu_1: c, mu_2: c, mu_3: c, T: r, Q: r, g: 1}
    for name, correction in (
        ("kernel", kernel_correction),
        ("representation", representation_correction),
    ):
        square = sp.cancel(uniform(T6.claims[f"{name}_alignment_final"]) ** 2)
        slope = (square.diff(P) / (4 * square)).subs(P, 1)
        yield correction.subs(flat) - slope


STEPS = (
    Step(
        (
            "representation_trace_exact",
            "representation_norm_squared_exact",
            "kernel_norm_squared_exact",
        ),
        "Exact at every scale, for any spectrum and any number of outputs: the conserved matrix "
        "and W2 W1 = Syx leave in the norms at the end only what the readout has learned.",
        Zero(_norms),
    ),
    Step(
        ("readout_first_order", "overlap_first_order"),
        "One output, to first order in sigma^2. While the weights are small they grow along "
        "W1(0)v, so a points there; hidden directions across it keep what they had. With T8's "
        "squares, b^2 + a'H_0 a = g^2. The direction of a is taken to leading order "
        "(asymptotic, not exact).",
        Zero(_first_order),
    ),
    Step(
        ("kernel_correction", "representation_correction"),
        "KA and RA are their rich limits times 1 + these + O(sigma^3).",
        Zero(_corrections),
    ),
    Step(
        ("kernel_correction", "representation_correction"),
        "For a flat spectrum they are the first order of T6's closed forms.",
        Zero(_flat),
    ),
)
