"""T10: targets that depend on the inputs through features, y = w'F x."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, MatrixSymbol, Trace, gamma, sqrt

from derivations.checks import Substitution, Zero, hypergeometric_term
from derivations.frame import Derivation, Step
from derivations.matrix_words import coefficients, expand_traces, orthonormal
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, d, h, m

__all__ = ["DERIVATION"]

kappa, x, n, q, g = sp.symbols("kappa x n q g", positive=True)
p, r, other, samples = sp.symbols("p r r_2 N", integer=True, positive=True)
F, w, X = MatrixSymbol("F", p, d), MatrixSymbol("w", p, 1), MatrixSymbol("X", d, samples)
LeftTop, LeftRest = MatrixSymbol("A1", p, r), MatrixSymbol("A2", p, other)
RightTop, RightRest = MatrixSymbol("V1", d, r), MatrixSymbol("V2", d, other)
Top, Rest = MatrixSymbol("D1", r, r), MatrixSymbol("D2", other, other)
FRAME = orthonormal(LeftTop, LeftRest) | orthonormal(RightTop, RightRest)
FEATURES = LeftTop * Top * RightTop.T + LeftRest * Rest * RightRest.T

# One mode: its hidden, input and output directions, and the other inputs.
HIDDEN, INPUT, OUTPUT = MatrixSymbol("u", h, 1), MatrixSymbol("v", d, 1), MatrixSymbol("o", m, 1)
OTHERS, SPREAD = MatrixSymbol("Vo", d, d - 1), MatrixSymbol("Qo", d - 1, d - 1)
COVARIANCE = q * INPUT * INPUT.T + OTHERS * SPREAD * OTHERS.T
TARGET_MAP = g * OUTPUT * INPUT.T
MODE_FRAME = orthonormal(HIDDEN) | orthonormal(INPUT, OTHERS) | orthonormal(OUTPUT)

a, b, first, second = sp.symbols("a b a_q b_q", real=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
z, slope, variance = sp.symbols("z c' Var", real=True)

_TOP = Trace(w.T * LeftTop * Top * Top.T * LeftTop.T * w)
_REST = Trace(w.T * LeftRest * Rest * Rest.T * LeftRest.T * w)
HALF = sp.Rational(1, 2)

FORMULAS = {
    "effective_task": F.T * w,
    "effective_task_modes": RightTop * Top.T * LeftTop.T * w + RightRest * Rest.T * LeftRest.T * w,
    "alignment": _TOP / (_TOP + _REST),
    "step_alignment": kappa**2 * x / (kappa**2 * x + 1 - x),
    "share_density": gamma(n / 2) / gamma(n / 4) ** 2 * (x * (1 - x)) ** (n / 4 - 1),
    "share_moment": gamma(n / 2)
    * gamma(n / 4 + 1)
    * gamma(n / 4 + k)
    / (gamma(n / 4) ** 2 * gamma(n / 2 + 1 + k)),
    "series_argument": 1 - 1 / kappa**2,
    "series_term": x * (1 - x) ** k * z**k,
    "mean_step_alignment": sp.hyper([1, n / 4], [n / 2 + 1], z) / 2,
    "mean_step_alignment_mirrored": 1 - sp.hyper([1, n / 4], [n / 2 + 1], 1 - kappa**2) / 2,
    "mean_isotropic": HALF,
    "mean_of_strong_anisotropy": sp.S.One,
    "typical_alignment": kappa**2 / (1 + kappa**2),
    "typical_slope": 4 * kappa**2 / (1 + kappa**2) ** 2,
    "tangent_gap": slope * (kappa**2 - 1) * (x - HALF) ** 2 / (1 + (kappa**2 - 1) * x),
    "share_variance": 1 / (2 * (n + 2)),
    "mean_gap_bound": slope * (kappa**2 - 1) * variance,
    "rate_first": q * b * (g - a * b),
    "rate_second": q * a * (g - a * b),
    "scaled_first": sqrt(q) * a,
    "scaled_second": sqrt(q) * b,
    "scaled_rate_first": second * (q * g - first * second),
    "scaled_rate_second": first * (q * g - first * second),
    "scaled_imbalance": q * (b**2 - a**2),
}


def _effective_task(effective_task):
    targets, predicted = w.T * F * X, effective_task.T * X
    return [predicted - targets, predicted * X.T - targets * X.T]


def _modes(effective_task, effective_task_modes):
    return coefficients(effective_task.xreplace({F: FEATURES}) - effective_task_modes)


def _alignment(effective_task_modes, alignment):
    task = effective_task_modes
    inside = expand_traces(Trace(task.T * RightTop * RightTop.T * task), FRAME)
    whole = expand_traces(Trace(task.T * task), FRAME)
    return expand_traces(alignment, FRAME) * whole - inside


def _step_alignment(alignment, step_alignment):
    levels = {Top: kappa * Identity(r), Rest: Identity(other)}
    stepped = expand_traces(alignment.xreplace(levels), FRAME)
    top, others = (
        expand_traces(Trace(w.T * left * left.T * w), FRAME) for left in (LeftTop, LeftRest)
    )
    length = sp.Symbol("length", positive=True)  # of w, squared; it drops out
    return stepped.subs({top: x * length, others: (1 - x) * length}) - step_alignment


def _density(share_density):
    # w Gaussian: the squared lengths in the two halves are independent sums of n/2 squares.
    length = sp.Symbol("length", positive=True)

    def squares(count, value):
        return value ** (count / 2 - 1) * sp.exp(-value / 2) / (2 ** (count / 2) * gamma(count / 2))

    joint = squares(n / 2, x * length) * squares(n / 2, (1 - x) * length) * length
    ratio = joint / squares(n, length) / share_density
    ratio = ratio.replace(sp.exp, lambda exponent: sp.exp(sp.expand(exponent)))
    # 0 < x < 1, so that powers of 1 - x may be taken apart
    y = sp.Symbol("y", positive=True)
    return sp.powsimp(sp.expand_power_base(ratio.subs(1 - x, y), force=True)) - 1


def _moments(share_density, share_moment):
    y = sp.Symbol("y", positive=True)  # 1 - x
    logarithmic = sp.simplify(sp.diff(sp.log(share_density), x))
    # d/dx of density x^2 (1 - x)^(k+1), over density x (1 - x)^k, as d log density/dx is known
    slope_over = logarithmic * x * (1 - x) + 2 * (1 - x) - (k + 1) * x
    by_parts = (n / 2 + 1 + k) * (1 - x) - (n / 4 + k)
    after = share_moment.subs(k, k + 1)
    return [
        slope_over - by_parts,
        share_density.subs(x, 1 - y).subs(y, x) - share_density,
        sp.gammasimp(((n / 2 + 1 + k) * after - (n / 4 + k) * share_moment) / share_moment),
        sp.gammasimp(share_moment.subs(k, 0)) - HALF,
    ]


def _series(closed, series_argument, series_term, step_alignment):
    ratio = (1 - x) * series_argument
    later = series_term.subs(k, k + 1) / series_term
    return [
        closed(step_alignment * (1 - ratio)) - series_term.subs(k, 0),
        closed(later) - ratio,
    ]


def _hypergeometric(mean_step_alignment, share_moment):
    term = hypergeometric_term(mean_step_alignment, k)
    return sp.gammasimp(term / (share_moment * z**k)) - 1


def _mirror(closed, step_alignment, mean_step_alignment, mean_step_alignment_mirrored):
    swapped = {kappa: 1 / kappa, x: 1 - x}
    return [
        1 - step_alignment.subs(swapped, simultaneous=True) - step_alignment,
        1 - closed(mean_step_alignment).subs(kappa, 1 / kappa) - mean_step_alignment_mirrored,
    ]


def _ends(series_argument, mean_step_alignment, mean_isotropic, mean_of_strong_anisotropy):
    def gauss(upper, lower, argument):
        (i, j), (end,) = upper, lower
        if argument != 1:
            raise ValueError(f"the value at 1 was asked for, not at {argument}")
        return gamma(end) * gamma(end - i - j) / (gamma(end - i) * gamma(end - j))

    isotropic = mean_step_alignment.subs(z, series_argument.subs(kappa, 1))
    strong = mean_step_alignment.subs(z, sp.limit(series_argument, kappa, sp.oo))
    return [
        isotropic - mean_isotropic,
        sp.gammasimp(strong.replace(sp.hyper, gauss)) - mean_of_strong_anisotropy,
    ]


def _typical(step_alignment, typical_alignment, typical_slope, tangent_gap):
    middle = {x: HALF}
    tangent = typical_alignment + slope * (x - HALF)
    return [
        step_alignment.subs(middle) - typical_alignment,
        step_alignment.diff(x).subs(middle) - typical_slope,
        (tangent - step_alignment - tangent_gap).subs(slope, typical_slope),
    ]


def _variance(share_moment, share_variance):
    mean, mixed = (sp.gammasimp(share_moment.subs(k, i)) for i in (0, 1))
    return mean - mixed - mean**2 - share_variance


def _bound(tangent_gap, mean_gap_bound):
    # The last denominator is at least 1 for kappa >= 1; the mean of (x - 1/2)^2 is Var.
    numerator = tangent_gap * (1 + (kappa**2 - 1) * x) / (x - HALF) ** 2
    return mean_gap_bound - numerator * variance


def _one_mode(claim):
    """A statement of T1 for weights and a task along one eigenvector of the inputs."""
    weights = {W1: a * HIDDEN * INPUT.T, W2: b * OUTPUT * HIDDEN.T}
    return T1.claims[claim].xreplace({**weights, Sxx: COVARIANCE, Syx: TARGET_MAP * COVARIANCE})


def _rates(rate_first, rate_second):
    return [
        coefficients(rate_first * HIDDEN * INPUT.T - _one_mode("flow_1"), MODE_FRAME),
        coefficients(rate_second * OUTPUT * HIDDEN.T - _one_mode("flow_2"), MODE_FRAME),
    ]


def _scaled(
    rate_first,
    rate_second,
    scaled_first,
    scaled_second,
    scaled_rate_first,
    scaled_rate_second,
    scaled_imbalance,
):
    scaled = {first: scaled_first, second: scaled_second}
    rates = {a: rate_first, b: rate_second}

    def rate(expression):
        return sum(expression.diff(layer) * speed for layer, speed in rates.items())

    return [
        rate(scaled_first) - scaled_rate_first.subs(scaled),
        rate(scaled_second) - scaled_rate_second.subs(scaled),
        scaled_imbalance - (scaled_second**2 - scaled_first**2),
        rate(scaled_imbalance),
        # the scale itself, by the kernel seen through the inputs: q a^2 and q b^2
        scaled_first / sqrt(q) - a,
        scaled_second / sqrt(q) - b,
    ]


STEPS = (
    Step(
        ("effective_task",),
        "The targets of the samples X are w'F X, which the linear map beta' = (F'w)' gives "
        "exactly, and so Syx = beta' Sxx, whatever the inputs. Any size.",
        Zero(_effective_task),
    ),
    Step(
        ("effective_task_modes",),
        "F by its singular vectors, in two blocks: the top ones, A1, D1, V1, and the rest.",
        Zero(_modes),
    ),
    Step(
        ("alignment",),
        "The share of |beta|^2 in the row space V1 of the truncated F. With D1, D2 diagonal it is "
        "sum_top f_i^2 w_i^2 / sum f_i^2 w_i^2. Traces of words, any rank.",
        Zero(_alignment),
    ),
    Step(
        ("step_alignment",),
        "Top singular values kappa, the others 1; x is the share of |w|^2 in the top ones.",
        Zero(_step_alignment),
    ),
    Step(
        ("share_density",),
        "For a random direction of w (n components, half of them in the top) x is the share of "
        "one sum of n/2 squared normal numbers in two. In x and the total length the joint "
        "density of the two sums factorises: this times the density of the total.",
        Zero(_density),
    ),
    Step(
        ("share_moment",),
        "The mean of x (1 - x)^k. The density times x^2 (1 - x)^(k+1) vanishes at both ends, so "
        "its derivative has integral 0: (n/2 + 1 + k) M(k+1) = (n/4 + k) M(k). By symmetry "
        "M(0) = 1/2.",
        Zero(_moments),
    ),
    Step(
        ("series_argument", "series_term"),
        "c is the sum of a geometric series, of ratio (1 - x) z: its first term is x, and "
        "c (1 - (1 - x) z) = x. It converges for kappa >= 1, where 0 <= z < 1.",
        Zero(_series),
    ),
    Step(
        ("mean_step_alignment",),
        "Term by term: the mean of term k is M(k) z^k, which is term k of the hypergeometric "
        "series. All terms are positive, so sum and mean may be exchanged.",
        Zero(_hypergeometric),
    ),
    Step(
        ("mean_step_alignment_mirrored",),
        "For kappa < 1: 1/kappa and the two halves exchanged turn c into 1 - c, and x and 1 - x "
        "are equally distributed. (It is the analytic continuation of the former.)",
        Zero(_mirror),
    ),
    Step(
        ("mean_isotropic", "mean_of_strong_anisotropy"),
        "At kappa = 1, z = 0. As kappa grows z tends to 1, where Gauss's theorem gives the value.",
        Zero(_ends),
    ),
    Step(
        ("typical_alignment", "typical_slope", "tangent_gap"),
        "c at the mean share x = 1/2, its slope there, and how far c lies below this tangent. "
        "For kappa > 1 never above it.",
        Zero(_typical),
    ),
    Step(
        ("share_variance",),
        "x^2 = x - x (1 - x), so the second moment is M(0) - M(1).",
        Zero(_variance),
    ),
    Step(
        ("mean_gap_bound",),
        "For kappa >= 1 the mean lies below kappa^2/(1 + kappa^2) by at most this, which falls "
        "like 1/n: the mean of the tangent is its value at 1/2, and 1 + (kappa^2 - 1) x >= 1.",
        Zero(_bound),
    ),
    Step(
        ("rate_first", "rate_second"),
        "Inputs that are not white but share the modes' basis: v is an eigenvector of Sxx with "
        "eigenvalue q. With W1 = a uv', W2 = b ou' and a task g ov' (so Syx = q g ov') nothing "
        "leaves the mode.",
        Substitution(_rates, equation="the flow of T1"),
    ),
    Step(
        (
            "scaled_first",
            "scaled_second",
            "scaled_rate_first",
            "scaled_rate_second",
            "scaled_imbalance",
        ),
        "Layers times sqrt(q) are a mode of white inputs with the strength q g, that of Syx, and "
        "the imbalance q (b^2 - a^2), which is conserved.",
        Zero(_scaled),
    ),
)

DERIVATION = Derivation(
    id="T10",
    title="Data statistics: features, alignment, input covariances",
    assumptions=(
        "Targets y = w'F x, linear in fixed features F x.",
        "The start's row space is that of the truncated F, its r top right singular vectors.",
        "Mean over w: its direction is uniform, and half of the n singular values of F are kappa.",
        "The last two steps: Sxx has the input direction v of the mode as an eigenvector.",
    ),
    notation={
        d: "number of inputs",
        h: "number of hidden units",
        m: "number of outputs",
        p: "number of features",
        r: "number of top singular values of F",
        other: "number of the others",
        n: "number of singular values of F, n/2 of them at the top",
        F: "features",
        w: "weights of the features in the target",
        LeftTop: "top left singular vectors of F",
        LeftRest: "the other left ones",
        RightTop: "top right singular vectors of F, the row space of the start",
        RightRest: "the other right ones",
        Top: "top singular values of F, on a diagonal",
        Rest: "the others, on a diagonal",
        kappa: "anisotropy: the top singular values, where the others are 1",
        x: "share of |w|^2 in the top singular vectors",
        k: "counts the terms of a series, from 0",
        q: "eigenvalue of Sxx along the mode",
        g: "strength of the target's map along the mode",
        a: "first layer along the mode",
        b: "second layer along the mode",
    },
    shorthand={
        z: "series_argument",
        slope: "typical_slope",
        variance: "share_variance",
        first: "scaled_first",
        second: "scaled_second",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "The mean over random w and its bound: this project.",
        "Modes of a two-layer network: Saxe, McClelland and Ganguli, arXiv:1312.6120, 2014.",
    ),
)
