"""T15, second part: the first order in closed form, and the participation-ratio law."""

from __future__ import annotations

import sympy as sp
from sympy import sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.t01_gradient_flow import d, m
from derivations.t06_flat_low_rank import DERIVATION as T6
from derivations.t06_flat_low_rank.symbols import a, c, r, s, sigma, v, w_par, w_perp
from derivations.t15_krylov.reduction import G0, B, G, M, W, g, k, l, p1, p2

__all__ = ["FORMULAS", "NOTATION", "SHORTHAND", "STEPS"]

mu1, mu2, mu3 = sp.symbols("mu1 mu2 mu3", positive=True)
x0, y0, rho1, start_squared = sp.symbols("x0 y0 rho_1 ssq", positive=True)
PR, law_s2, law_c, law_mu2 = sp.symbols("PR ssq_law c_law musq_law", positive=True)
top, bottom, total = sp.symbols("p_0t p_tt p_t", positive=True)

FORMULAS = {
    "first_diagonal": sqrt(mu1),
    "first_superdiagonal": sqrt(mu2 / mu1 - mu1),
    "coupling_1": (mu1 * mu3 - mu2**2) / (mu1 * (mu2 - mu1**2)),
    "start_squared_1": mu2 / mu1,
    "alignment_1": mu1**2 / mu2,
    "representation_inner_product_1": p2
    - start_squared**2
    + (x0 * w_par + y0 * w_perp) ** 2
    + rho1 * (w_perp**2 - y0**2),
    "representation_norm_squared_1": p2
    - start_squared**2
    + (w_par**2 + w_perp**2) ** 2
    + 2 * rho1 * (w_perp**2 - y0**2),
    "representation_trace_1": p1 - start_squared + w_par**2 + w_perp**2,
    "weight_change_squared_1": (w_par - x0) ** 2 + (w_perp - y0) ** 2 + a**2,
    "representation_alignment_1": top / (sqrt(p2) * sqrt(bottom)),
    "kernel_alignment_1": (top + p1 * a**2)
    / (sqrt(p2) * sqrt(bottom + 2 * total * a**2 + d * a**4)),
    "participation_ratio": p1**2 / p2,
    "law_start_squared": p1 / PR,
    "law_alignment": PR / d,
    "law_mu_squared": (law_s2 + sqrt(law_s2**2 + 4 * g**2)) / 2,
    "law_representation_alignment_final": (law_s2 * (PR - 1) + law_mu2 * law_c)
    / (sqrt(PR) * sqrt(law_s2**2 * (PR - 1) + law_mu2**2)),
    "law_kernel_alignment_final": (law_s2 * (PR - 1) + law_mu2 * law_c + (law_mu2 - law_s2) * PR)
    / (
        sqrt(PR)
        * sqrt(
            law_s2**2 * (PR - 1)
            + law_mu2**2
            + d * (law_mu2 - law_s2) ** 2
            + 2 * (law_mu2 - law_s2) * (law_s2 * (PR - 1) + law_mu2)
        )
    ),
}

NOTATION = {
    mu1: "b'R_0 b, b the direction of beta",
    mu2: "b'R_0^2 b",
    mu3: "b'R_0^3 b",
    w_par: "component along b of the hidden direction of T6, with s^2 and c as below",
    w_perp: "its other component",
    a: "its readout",
}

SHORTHAND = {
    x0: "first_diagonal",
    y0: "first_superdiagonal",
    rho1: "coupling_1",
    start_squared: "start_squared_1",
    top: "representation_inner_product_1",
    bottom: "representation_norm_squared_1",
    total: "representation_trace_1",
    PR: "participation_ratio",
    law_s2: "law_start_squared",
    law_c: "law_alignment",
    law_mu2: "law_mu_squared",
}

_z = sp.Symbol("z")


def _functional(polynomial):
    """b' f(R_0) b of a polynomial f."""
    moments = (sp.S.One, mu1, mu2, mu3)
    coefficients = sp.Poly(polynomial, _z).all_coeffs()[::-1]
    return sum(x * mu for x, mu in zip(coefficients, moments, strict=False))


def _bidiagonal(first_diagonal, first_superdiagonal, coupling_1):
    # A vector f(R_0) b of inputs is its polynomial f; a hidden one W1(0) f(R_0) b as well.
    left = 1 / first_diagonal
    right = (_z * left - first_diagonal) / first_superdiagonal
    image = right - first_superdiagonal * left
    return [
        _functional(_z) - first_diagonal**2,
        _functional(_z * left**2) - 1,
        _functional(right),
        _functional(right**2) - 1,
        _functional(_z * image * left),
        _functional(_z * image**2) - coupling_1,
        # Both roots are positive.
        *(
            root - abs(root)
            for root in (x.subs({mu1: 1, mu2: 2}) for x in (first_diagonal, first_superdiagonal))
        ),
    ]


def _neuron(start_squared_1, alignment_1, first_diagonal, first_superdiagonal):
    return [
        start_squared_1 - first_diagonal**2 - first_superdiagonal**2,
        alignment_1 * start_squared_1 - first_diagonal**2,
    ]


def _small(x):
    """A matrix or trace of the reduction, for one hidden unit and two inputs."""
    values = {
        B: sp.ImmutableMatrix([[x0, y0]]),
        W: sp.ImmutableMatrix([[w_par, w_perp]]),
        M: sp.ImmutableMatrix([[0, 0], [0, rho1]]),
    }
    values[G0], values[G] = (values[y].T * values[y] for y in (B, W))
    sized = {y.subs({k: 1, l: 2}): value for y, value in values.items()}
    return x.subs({k: 1, l: 2}).xreplace(sized).doit()


def _measures(
    representation_inner_product,
    representation_norm_squared,
    representation_trace,
    weight_change_1_squared,
    representation_inner_product_1,
    representation_norm_squared_1,
    representation_trace_1,
    weight_change_squared_1,
):
    pairs = [
        (representation_inner_product_1, representation_inner_product),
        (representation_norm_squared_1, representation_norm_squared),
        (representation_trace_1, representation_trace),
        (weight_change_squared_1, weight_change_1_squared + a**2),
    ]
    return [
        sp.expand(x.subs(start_squared, x0**2 + y0**2) - _small(general)) for x, general in pairs
    ]


def _alignments(representation_alignment_1, kernel_alignment_1):
    # T6's identity for tr K_0 K_t with one output: B_0 = 0 and B_t = a^2.
    product, start, now = (_kernel_product(*traces) for traces in _PAIRS)
    return [
        representation_alignment_1 * sqrt(p2) * sqrt(bottom) - top,
        kernel_alignment_1 * sqrt(start) * sqrt(now) - product,
    ]


_PAIRS = (
    (top, p1, total, sp.S.Zero, a**2),
    (p2, p1, p1, sp.S.Zero, sp.S.Zero),
    (bottom, total, total, a**2, a**2),
)


def _kernel_product(product, trace_1, trace_2, readout_1, readout_2):
    by_name = {
        "Trace(R_0*R_t)": product,
        "Trace(R_0)": trace_1,
        "Trace(R_t)": trace_2,
        "Trace(B_0)": readout_1,
        "Trace(B_t)": readout_2,
        "Trace(B_0*B_t)": readout_1 * readout_2,
    }
    one = T6.formulas["kernel_inner_product"].subs(m, 1)
    return one.xreplace({x: by_name[str(x)] for x in one.atoms(sp.Trace)})


def _flat(
    first_diagonal,
    first_superdiagonal,
    coupling_1,
    start_squared_1,
    alignment_1,
    representation_inner_product_1,
    representation_norm_squared_1,
    representation_trace_1,
    representation_alignment_1,
    kernel_alignment_1,
):
    flat = {mu1: s**2 * c, mu2: s**4 * c, mu3: s**6 * c, p1: r * s**2, p2: r * s**4}
    yield [
        start_squared_1.subs(flat) - s**2,
        alignment_1.subs(flat) - c,
        coupling_1.subs(flat),
        first_diagonal.subs(flat) - s * sqrt(c),
        sp.factor(first_superdiagonal.subs(flat) ** 2) - s**2 * (1 - c),
    ]
    start = flat | {start_squared: s**2, x0: s * sqrt(c), y0: s * sqrt(1 - c), rho1: 0}
    traces = {
        top: representation_inner_product_1.subs(start),
        bottom: representation_norm_squared_1.subs(start),
        total: representation_trace_1.subs(start),
    }
    known = {v: sqrt(c) * w_par + sqrt(1 - c) * w_perp}
    for name, trace in zip(_T6_TRACES, traces.values(), strict=True):
        yield trace - T6.formulas[name].xreplace(known)
    t6_traces = {x: T6.formulas[name] for x, name in zip(traces, _T6_TRACES, strict=True)}
    for name, claim in (
        ("representation_alignment", representation_alignment_1),
        ("kernel_alignment", kernel_alignment_1),
    ):
        yield claim.subs(flat).xreplace(t6_traces) ** 2 - T6.formulas[name] ** 2
        yield claim.subs(flat).subs(_POSITIVE) - abs(claim.subs(flat).subs(_POSITIVE))


_T6_TRACES = (
    "representation_inner_product",
    "representation_norm_squared",
    "representation_trace",
)
_POSITIVE = {top: 1, bottom: 1, total: 1, a: 1, d: 1, r: 1, s: 1}


def _law(
    closed, participation_ratio, law_start_squared, law_alignment, start_squared_1, alignment_1
):
    # b is uniform on the sphere: d equal shares b_j^2 that add up to 1.
    means = {mu1: p1 / d, mu2: p2 / d}
    singular_value, directions = sp.symbols("s r", positive=True)
    flat = {p1: directions * singular_value**2, p2: directions * singular_value**4}
    return [
        participation_ratio.subs(flat) - directions,
        closed(law_start_squared) - start_squared_1.subs(means),
        closed(law_alignment) - alignment_1.subs(means),
    ]


def _law_final(law_mu_squared, law_representation_alignment_final, law_kernel_alignment_final):
    ours = sp.symbols("P S C Y", positive=True)
    theirs = {sp.Symbol("r", integer=True, positive=True): ours[0], sigma: sqrt(ours[0] * ours[1])}
    symbols = {PR: ours[0], law_s2: ours[1], law_c: ours[2]}
    mu, alpha = (sp.Symbol(x, positive=True) for x in ("mu", "alpha"))
    yield law_mu_squared.xreplace(symbols) - T6.claims["mu"].xreplace(theirs) ** 2
    for name, claim in (
        ("representation_alignment_final", law_representation_alignment_final),
        ("kernel_alignment_final", law_kernel_alignment_final),
    ):
        known = T6.formulas[name].xreplace({alpha: sqrt(mu**2 - s**2)})
        known = known.xreplace({**theirs, s: sqrt(ours[1]), mu: sqrt(ours[3]), c: ours[2]})
        yield claim.xreplace({**symbols, law_mu2: ours[3]}) - known


STEPS = (
    Step(
        ("first_diagonal", "first_superdiagonal", "coupling_1"),
        "The first steps of the bidiagonalisation from the moments of R_0 in the direction of "
        "beta: unit vectors that are orthogonal, v_1 = b, W1(0) b = x_0 u_1, "
        "W1(0)'u_1 = x_0 v_1 + y_0 v_2, and rho = |W1(0) v_2 - y_0 u_1|^2.",
        Zero(_bidiagonal),
    ),
    Step(
        ("start_squared_1", "alignment_1"),
        "k = 1 is one hidden unit with the weights (x_0, y_0) on b and across it: T6's with "
        "r = 1, of length s and with the share c along the task.",
        Zero(_neuron),
    ),
    Step(
        (
            "representation_inner_product_1",
            "representation_norm_squared_1",
            "representation_trace_1",
            "weight_change_squared_1",
        ),
        "The measures of the reduction for one hidden unit and two inputs.",
        Zero(_measures),
    ),
    Step(
        ("representation_alignment_1", "kernel_alignment_1"),
        "The alignments, with T6's identity for tr K_0 K_t.",
        Zero(_alignments),
    ),
    Step(
        (
            "coupling_1",
            "start_squared_1",
            "alignment_1",
            "representation_alignment_1",
            "kernel_alignment_1",
        ),
        "A flat start has mu_j = s^(2j) c: rho is 0, s^2 and c are its own, and the alignments "
        "are those of T6, exactly.",
        Zero(_flat),
    ),
    Step(
        ("participation_ratio", "law_start_squared", "law_alignment"),
        "Over random directions b the d squared components have the same mean and add up to 1, "
        "so mu_j has the mean tr R_0^j/d. At these means s^2 = |W1(0)|^2/PR and c = PR/d: those of "
        "a flat start whose rank is the participation ratio PR.",
        Zero(_law),
    ),
    Step(
        (
            "law_mu_squared",
            "law_representation_alignment_final",
            "law_kernel_alignment_final",
        ),
        "So the law is T6 with r -> PR and c = PR/d, which need not be a whole number; at the end "
        "the alignments are linear in c, so that this is their mean (T7).",
        Zero(_law_final),
    ),
)
