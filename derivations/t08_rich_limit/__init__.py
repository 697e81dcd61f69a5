"""T8: the rich limit of a silent readout, whatever the spectrum of the start."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, MatrixSymbol, Trace, sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.matrix_words import coefficients, expand_traces, orthonormal
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, Syx, d, h, m
from derivations.t06_flat_low_rank import DERIVATION as T6
from derivations.t06_flat_low_rank.symbols import B0, R0, Bt, Rt
from derivations.t08_rich_limit import correction

__all__ = ["DERIVATION"]

n = sp.Symbol("n", integer=True, positive=True)
H0 = MatrixSymbol("H_0", h, h)
U, V, S = MatrixSymbol("U", m, n), MatrixSymbol("V", d, n), MatrixSymbol("S", n, n)
total, squares, T, Q, o, PR = sp.symbols("p q T Q o PR", positive=True)
mu_1, z = sp.symbols("mu_1 z", positive=True)
one, other, spread = sp.symbols("lambda_j lambda_k Delta", nonnegative=True)
_FRAME = orthonormal(U) | orthonormal(V)

FORMULAS = {
    "hidden_start": W1 * W1.T - W2.T * W2,
    "readout_squared": Syx * Syx.T - W2 * H0 * W2.T,
    "representation_squared": Syx.T * Syx + W1.T * H0 * W1,
    "representation": V * S * V.T,
    "readout": U * S * U.T,
    "kernel_overlap": m * o + T * total,
    "kernel_norm_squared": (m + d) * squares + 2 * total**2,
    "kernel_norm_start_squared": m * Q,
    "kernel_alignment": (m * o + T * total)
    / (sqrt(m) * sqrt(Q) * sqrt((m + d) * squares + 2 * total**2)),
    "kernel_alignment_one": (mu_1 + T) / (sqrt(Q) * sqrt(d + 3)),
    "representation_alignment": o / (sqrt(Q) * sqrt(squares)),
    "representation_alignment_one": mu_1 / sqrt(Q),
    "task_second_moment": Identity(d) / d,
    "mean_overlap": T * total / d,
    "participation_ratio": T**2 / Q,
    "mean_kernel_alignment": sqrt(PR)
    * (1 + m / d)
    * total
    / (sqrt(m) * sqrt((m + d) * squares + 2 * total**2)),
    "mean_kernel_alignment_one": (1 + 1 / d) * sqrt(PR) / sqrt(d + 3),
    "mean_representation_alignment_one": sqrt(PR) / d,
    "pair_defect": (one - other) ** 2 / 2,
    "participation_ratio_by_spread": d / (1 + spread / T**2),
}


def _conservation(hidden_start):
    return hidden_start + T1.claims["conserved"]


def _squares(closed, readout_squared, representation_squared):
    learned = {Syx: W2 * W1}
    gram_out, gram_in = W2 * W2.T, W1.T * W1
    return [
        closed(readout_squared).xreplace(learned) - gram_out * gram_out,
        closed(representation_squared).xreplace(learned) - gram_in * gram_in,
    ]


def _modes(expression):
    """Write the task as its singular value decomposition; S is diagonal."""
    return expression.xreplace({Syx: U * S * V.T}).doit().xreplace({S.T: S})


def _roots(readout_squared, representation_squared, readout, representation):
    # The start vanishes with sigma, and W1, W2 stay bounded: the squares are those of the task.
    vanished = {H0: sp.ZeroMatrix(h, h)}
    squared = [
        (representation, representation_squared.xreplace(vanished)),
        (readout, readout_squared.xreplace(vanished)),
    ]
    for root, square in squared:
        yield coefficients(root * root - _modes(square), _FRAME)
    # Of the roots, the one with non-negative eigenvalues: those of S, on the modes.
    yield coefficients(V.T * representation * V - S, _FRAME)
    yield coefficients(U.T * readout * U - S, _FRAME)


def _kernel(closed, representation, readout, kernel_overlap, kernel_norm_squared):
    product = T6.formulas["kernel_inner_product"]
    end = {Rt: representation, Bt: readout}
    start = {B0: sp.ZeroMatrix(m, m)}
    meaning = {
        total: _trace(Trace(S)),
        squares: _trace(Trace(S * S)),
        T: _trace(Trace(R0)),
        o: _trace(Trace(R0 * representation)),
    }
    both_ends = {R0: representation, B0: readout} | end
    return [
        kernel_overlap.subs(meaning) - _trace(product.xreplace(start | end)),
        kernel_norm_squared.subs(meaning) - _trace(product.xreplace(both_ends)),
    ]


def _trace(expression):
    return expand_traces(expression, _FRAME)


def _kernel_start(kernel_norm_start_squared):
    product = T6.formulas["kernel_inner_product"]
    silent = {B0: sp.ZeroMatrix(m, m), Bt: sp.ZeroMatrix(m, m), Rt: R0}
    return kernel_norm_start_squared.subs(Q, _trace(Trace(R0 * R0))) - _trace(
        product.xreplace(silent)
    )


def _alignments(
    representation,
    kernel_alignment,
    representation_alignment,
    kernel_overlap,
    kernel_norm_squared,
    kernel_norm_start_squared,
):
    norms = sqrt(kernel_norm_squared) * sqrt(kernel_norm_start_squared)
    square = _trace(Trace(representation * representation))
    return [
        kernel_alignment * norms - kernel_overlap,
        representation_alignment.subs(squares, square) * sqrt(Q) * sqrt(square) - o,
    ]


def _one_output(
    kernel_alignment, representation_alignment, kernel_alignment_one, representation_alignment_one
):
    single = {m: 1, total: z, squares: z**2, o: z * mu_1}
    return [
        kernel_alignment_one - kernel_alignment.subs(single),
        representation_alignment_one - representation_alignment.subs(single),
    ]


def _second_moment(task_second_moment):
    # z = |z| v with independent length and direction, so E z z' = E |z|^2 E v v'.
    density = sp.exp(-(z**2) / 2) / sqrt(2 * sp.pi)
    variance = 2 * sp.integrate(z**2 * density, (z, 0, sp.oo))
    gaussian = variance * Identity(d)
    return expand_traces(Trace(gaussian)) * task_second_moment - gaussian


def _mean_overlap(task_second_moment, mean_overlap):
    # sum of s_i v_i' R_0 v_i, each v_i uniform on the sphere
    each = expand_traces(Trace(R0 * task_second_moment)).subs(_trace(Trace(R0)), T)
    return mean_overlap - total * each


def _means(
    participation_ratio,
    mean_overlap,
    kernel_alignment,
    kernel_alignment_one,
    representation_alignment_one,
    mean_kernel_alignment,
    mean_kernel_alignment_one,
    mean_representation_alignment_one,
):
    means = {o: mean_overlap, mu_1: mean_overlap / total}
    pairs = [
        (mean_kernel_alignment, kernel_alignment),
        (mean_kernel_alignment_one, kernel_alignment_one),
        (mean_representation_alignment_one, representation_alignment_one),
    ]
    single = {m: 1, total: z, squares: z**2}
    return [
        *(mean.subs(PR, participation_ratio) - linear.subs(means) for mean, linear in pairs),
        mean_kernel_alignment_one - mean_kernel_alignment.subs(single),
    ]


def _cauchy_schwarz(participation_ratio, pair_defect, participation_ratio_by_spread):
    # Summed over all d^2 pairs, lambda_j^a lambda_k^b is the product of two power sums.
    power_sums = (d, T, Q, *sp.symbols("higher_3:9"))
    terms = sp.Poly(pair_defect, one, other).terms()
    summed = sum(x * power_sums[i] * power_sums[j] for (i, j), x in terms)
    yield participation_ratio_by_spread.subs(spread, summed) - participation_ratio
    for size in (1, 2, 3):
        values = sp.symbols(f"lambda_1:{size + 1}", positive=True)
        pairs = [pair_defect.subs({one: x, other: w}) for x in values for w in values]
        sums = {d: size, T: sum(values), Q: sum(x**2 for x in values), spread: sum(pairs)}
        yield (participation_ratio_by_spread - participation_ratio).subs(sums)


STEPS = (
    Step(
        ("hidden_start",),
        "With a silent readout T1's conserved matrix is -W1(0)W1(0)', of size sigma^2, at every "
        "time.",
        Zero(_conservation),
    ),
    Step(
        ("readout_squared", "representation_squared"),
        "Once the task is learned, W2 W1 = Syx, the squares of B = W2 W2' and R = W1'W1 are those "
        "of the task up to terms with W1(0)W1(0)'. Exact at every scale and for any spectrum.",
        Zero(_squares),
    ),
    Step(
        ("representation", "readout"),
        "As sigma -> 0 those terms vanish (B^2 <= Syx Syx', so B stays bounded, and tr R = tr B + "
        "sigma^2). What is left are the non-negative square roots of Syx'Syx and Syx Syx', and "
        "the root is continuous: R = sum s_i v_i v_i' and B = sum s_i u_i u_i'.",
        Zero(_roots),
    ),
    Step(
        ("kernel_overlap", "kernel_norm_squared"),
        "tr K_0 K and |K|^2 by the identity of T6, with B_0 = 0, tr R = tr B = p and "
        "tr R^2 = tr B^2 = q. Traces of words, any sizes.",
        Zero(_kernel),
    ),
    Step(("kernel_norm_start_squared",), "|K_0|^2 by the same identity.", Zero(_kernel_start)),
    Step(
        ("kernel_alignment", "representation_alignment"),
        "The products over the norms.",
        Zero(_alignments),
    ),
    Step(
        ("kernel_alignment_one", "representation_alignment_one"),
        "One output of strength s: p = s, q = s^2 and tr R_0 R = s mu_1. The strength drops out.",
        Zero(_one_output),
    ),
    Step(
        ("task_second_moment",),
        "E v v' of a uniform direction: a Gaussian vector has independent length and direction, "
        "so E zz' = E|z|^2 E vv', and both Gaussian moments are integrals.",
        Zero(_second_moment),
    ),
    Step(
        ("mean_overlap",),
        "tr R_0 R = sum s_i v_i'R_0 v_i, each v_i uniform; their dependence does not matter.",
        Zero(_mean_overlap),
    ),
    Step(
        (
            "participation_ratio",
            "mean_kernel_alignment",
            "mean_kernel_alignment_one",
            "mean_representation_alignment_one",
        ),
        "The alignments are linear in tr R_0 R, so their means follow, and the spectrum of the "
        "start enters through (tr R_0)^2/tr R_0^2 alone.",
        Zero(_means),
    ),
    Step(
        ("pair_defect", "participation_ratio_by_spread"),
        "Cauchy-Schwarz with its defect (Lagrange's identity): d tr R_0^2 - (tr R_0)^2 is half the "
        "sum of (lambda_j - lambda_k)^2 over all pairs of eigenvalues of R_0. So PR <= d, with "
        "equality exactly if all d eigenvalues are equal: in the "
        "rich limit a flat full-rank start is the least rich.",
        Zero(_cauchy_schwarz),
    ),
)

DERIVATION = Derivation(
    id="T8",
    title="The rich limit of any spectrum",
    assumptions=(
        "The flow of T1 with white inputs (Sxx = I) and a silent readout, W2(0) = 0.",
        "The task is learned: W2 W1 -> Syx as t -> oo (needs rank W1(0) >= rank Syx and a start "
        "that no mode of the task is orthogonal to).",
        "First t -> oo, then sigma -> 0 with W1(0)/sigma fixed.",
        "Means: each v_i uniform on the sphere, W1(0) fixed.",
    ),
    notation={
        d: "number of inputs",
        h: "number of hidden units",
        m: "number of outputs",
        n: "number of modes of the task",
        W1: "first weights at the end",
        W2: "second weights at the end",
        Syx: "input-output covariance U S V'",
        U: "left singular vectors of the task, u_i",
        V: "right singular vectors of the task, v_i",
        S: "diagonal matrix of the strengths s_i",
        total: "sum of the strengths s_i",
        squares: "sum of their squares",
        T: "tr R_0, the squared norm of W1(0)",
        Q: "tr R_0^2",
        o: "tr R_0 R at the end, sum of s_i v_i'R_0 v_i",
        mu_1: "v'R_0 v of the task direction, one output",
        one: "an eigenvalue of R_0, zeros included",
        other: "another",
        spread: "sum of pair_defect over all pairs of the d eigenvalues",
    }
    | correction.NOTATION,
    shorthand={
        H0: "hidden_start",
        PR: "participation_ratio",
    },
    formulas=FORMULAS | correction.FORMULAS,
    steps=STEPS + correction.STEPS,
    sources=(
        "This project, from T1 and T6.",
        "That high-rank starts are the lazier, for two-layer linear networks: Liu et al., How "
        "connectivity structure shapes rich and lazy learning in neural circuits, "
        "arXiv:2310.08513, 2024.",
    ),
)
