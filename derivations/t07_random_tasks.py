"""T7: the end of training averaged over random tasks."""

from __future__ import annotations

import sympy as sp
from sympy import Rational, gamma, sqrt

from derivations.frame.checks import Zero
from derivations.frame.derivation import Derivation, Step
from derivations.t06_flat_low_rank import DERIVATION as T6
from derivations.t06_flat_low_rank.symbols import alpha, c, d, g, m, mu, r, s, sigma

__all__ = ["DERIVATION"]

n = sp.Symbol("n", integer=True, positive=True)
p, z, size = sp.symbols("p z N", positive=True)
C, P1, P2, A1, A2 = sp.symbols("C P_1 P_2 A_1 A_2", positive=True)
var = sp.Symbol("var_c", nonnegative=True)
root_mean = sp.Symbol("E_root", positive=True)

_RA_NORM = sqrt(r) * sqrt(s**4 * (r - 1) + mu**4)
_KA_NORM = sqrt(r) * sqrt(
    s**4 * (r - 1) + mu**4 + d * alpha**4 + 2 * alpha**2 * (s**2 * (r - 1) + mu**2)
)
_FROZEN = s**2 * (r - n)
_SQUARE = P2 + s**4 * (r - n)
_RA_NORM_MANY = sqrt(r) * sqrt(_SQUARE)
_KA_NORM_MANY = sqrt(m) * sqrt(r) * sqrt(m * _SQUARE + 2 * (P1 + _FROZEN) * A1 + d * A2)
_WEIGHTED = var * (d * P2 - P1**2) / (d - 1)

FORMULAS = {
    "start_singular_value": sigma / sqrt(r),
    "mu": T6.formulas["mu"],
    "alpha": T6.formulas["alpha"],
    "squared_length_moment": 2**p * gamma(size / 2 + p) / gamma(size / 2),
    "moment": gamma(r / 2 + p) * gamma(d / 2) / (gamma(r / 2) * gamma(d / 2 + p)),
    "mean": r / d,
    "mean_square": r * (r + 2) / (d * (d + 2)),
    "variance": 2 * r * (d - r) / (d**2 * (d + 2)),
    "covariance": -2 * r * (d - r) / (d**2 * (d + 2) * (d - 1)),
    "mean_cosine": gamma((r + 1) / 2) * gamma(d / 2) / (gamma(r / 2) * gamma((d + 1) / 2)),
    "mean_representation_alignment": (s**2 * (r - 1) + mu**2 * r / d) / _RA_NORM,
    "mean_kernel_alignment": (s**2 * (r - 1) + mu**2 * r / d + alpha**2 * r) / _KA_NORM,
    "sd_representation_alignment": mu**2 * sqrt(var) / _RA_NORM,
    "sd_kernel_alignment": mu**2 * sqrt(var) / _KA_NORM,
    "mean_weight_change_squared": 2 * mu * (mu - s * root_mean),
    "variance_weight_change_squared": 4 * mu**2 * s**2 * (r / d - root_mean**2),
    "mean_weight_change_1_squared": mu**2 + s**2 - 2 * mu * s * root_mean,
    "weighted_variance": _WEIGHTED,
    "representation_alignment_outputs": (C + _FROZEN) / _RA_NORM_MANY,
    "kernel_alignment_outputs": (m * (C + _FROZEN) + r * A1) / _KA_NORM_MANY,
    "mean_representation_alignment_outputs": (r * P1 / d + _FROZEN) / _RA_NORM_MANY,
    "mean_kernel_alignment_outputs": (m * (r * P1 / d + _FROZEN) + r * A1) / _KA_NORM_MANY,
    "sd_representation_alignment_outputs": sqrt(_WEIGHTED) / _RA_NORM_MANY,
    "sd_kernel_alignment_outputs": m * sqrt(_WEIGHTED) / _KA_NORM_MANY,
}


def _end(start_singular_value, mu, alpha):
    return [
        claim - T6.formulas[name]
        for name, claim in (
            ("start_singular_value", start_singular_value),
            ("mu", mu),
            ("alpha", alpha),
        )
    ]


def _length_moment(squared_length_moment):
    # The squared length of N Gaussian components has the density z^(N/2-1) e^(-z/2), normalised.
    weight = z ** (size / 2 - 1) * sp.exp(-z / 2)
    mass = sp.integrate(weight, (z, 0, sp.oo), conds="none")
    integral = sp.integrate(sp.powsimp(z**p * weight), (z, 0, sp.oo), conds="none")
    return sp.gammasimp(integral / mass / squared_length_moment) - 1


def _moment(squared_length_moment, moment):
    ratio = squared_length_moment.subs(size, r) / squared_length_moment.subs(size, d)
    return sp.gammasimp(ratio / moment) - 1


def _low_moments(moment, mean, mean_square, variance, mean_cosine):
    return [
        sp.gammasimp(moment.subs(p, 1)) - mean,
        sp.gammasimp(moment.subs(p, 2)) - mean_square,
        mean_square - mean**2 - variance,
        sp.gammasimp(moment.subs(p, Rational(1, 2)) / mean_cosine) - 1,
    ]


def _covariance(variance, covariance):
    # Over a whole basis the c_i sum to tr of the projector, r, whatever the basis.
    return d * variance + d * (d - 1) * covariance


def _one_output(
    mean,
    mean_representation_alignment,
    mean_kernel_alignment,
    sd_representation_alignment,
    sd_kernel_alignment,
):
    pairs = {
        "representation": (mean_representation_alignment, sd_representation_alignment),
        "kernel": (mean_kernel_alignment, sd_kernel_alignment),
    }
    for name, (average, deviation) in pairs.items():
        measure = T6.formulas[f"{name}_alignment_final"]
        yield measure.diff(c, 2)
        yield measure.subs(c, mean) - average
        yield measure.diff(c) * sqrt(var) - deviation


def _weight_changes(
    mean, mean_weight_change_squared, variance_weight_change_squared, mean_weight_change_1_squared
):
    cosine = sp.Symbol("cosine", positive=True)
    change, first = (
        T6.formulas[name].subs(c, cosine**2)
        for name in ("weight_change_squared_final", "weight_change_1_squared_final")
    )
    return [
        change.diff(cosine, 2),
        first.diff(cosine, 2),
        change.subs(cosine, root_mean) - mean_weight_change_squared,
        first.subs(cosine, root_mean) - mean_weight_change_1_squared,
        change.diff(cosine) ** 2 * (mean - root_mean**2) - variance_weight_change_squared,
    ]


def _weighted(variance, covariance, weighted_variance):
    # sum_i w_i^2 Var + sum_{i != j} w_i w_j Cov, with the sums P_1 of w_i and P_2 of w_i^2.
    general = P2 * variance + (P1**2 - P2) * covariance
    yield weighted_variance.subs(var, variance) - general


def _alignments(representation_alignment_outputs, kernel_alignment_outputs):
    # tr R_0 R, |R|^2, tr R, tr B, |B|^2 of the final state, into the identity of T6.
    overlap, square, trace = s**2 * (C + _FROZEN), _SQUARE, P1 + _FROZEN
    start_square, start_trace = r * s**4, r * s**2
    inner = m * overlap + start_trace * A1
    norm = m * square + 2 * trace * A1 + d * A2
    yield representation_alignment_outputs * sqrt(start_square) * sqrt(square) - overlap
    yield kernel_alignment_outputs * sqrt(m * start_square) * sqrt(norm) - inner
    # One output is T6.
    single = {m: 1, n: 1, C: mu**2 * c, P1: mu**2, P2: mu**4, A1: alpha**2, A2: alpha**4}
    yield (
        representation_alignment_outputs.subs(single)
        - T6.formulas["representation_alignment_final"]
    )
    yield kernel_alignment_outputs.subs(single) - T6.formulas["kernel_alignment_final"]


def _outputs(
    mean,
    weighted_variance,
    representation_alignment_outputs,
    kernel_alignment_outputs,
    mean_representation_alignment_outputs,
    mean_kernel_alignment_outputs,
    sd_representation_alignment_outputs,
    sd_kernel_alignment_outputs,
):
    pairs = [
        (representation_alignment_outputs, mean_representation_alignment_outputs,
         sd_representation_alignment_outputs),
        (kernel_alignment_outputs, mean_kernel_alignment_outputs, sd_kernel_alignment_outputs),
    ]  # fmt: skip
    for measure, average, deviation in pairs:
        yield measure.diff(C, 2)
        yield measure.subs(C, mean * P1) - average
        yield measure.diff(C) * sqrt(weighted_variance) - deviation


STEPS = (
    Step(
        ("start_singular_value", "mu", "alpha"),
        "The end of training, from T6.",
        Zero(_end),
    ),
    Step(
        ("squared_length_moment",),
        "E |z|^(2p) of a Gaussian vector with N components: an Euler integral over its squared "
        "length.",
        Zero(_length_moment),
    ),
    Step(
        ("moment",),
        "c is the squared length of r components of a Gaussian vector over that of all d. Length "
        "and direction are independent, so E |z_r|^(2p) = E c^p E |z|^(2p): every moment of "
        "c ~ Beta(r/2, (d - r)/2) is a ratio of two such moments.",
        Zero(_moment),
    ),
    Step(
        ("mean", "mean_square", "variance", "mean_cosine"),
        "p = 1, p = 2 and p = 1/2.",
        Zero(_low_moments),
    ),
    Step(
        ("covariance",),
        "Modes v_i of one random orthonormal basis: the c_i of a whole basis sum to r, so the "
        "variance of the sum is 0, and any two c_i, c_j are alike.",
        Zero(_covariance),
    ),
    Step(
        (
            "mean_representation_alignment",
            "mean_kernel_alignment",
            "sd_representation_alignment",
            "sd_kernel_alignment",
        ),
        "At t = oo RA and KA of T6 are linear in c: the mean is the value at the mean, the "
        "deviation that of c times the slope. Exact.",
        Zero(_one_output),
    ),
    Step(
        (
            "mean_weight_change_squared",
            "variance_weight_change_squared",
            "mean_weight_change_1_squared",
        ),
        "|dW|^2 is linear in sqrt(c), whose variance is E c - (E sqrt(c))^2.",
        Zero(_weight_changes),
    ),
    Step(
        ("weighted_variance",),
        "Variance of sum w_i c_i over the learned modes, with the sums P_1 of w_i = mu_i^2 and P_2 "
        "of w_i^2.",
        Zero(_weighted),
    ),
    Step(
        ("representation_alignment_outputs", "kernel_alignment_outputs"),
        "m outputs at t = oo: R = sum mu_i^2 v_i v_i' + s^2 (r - n directions), B = sum alpha_i^2 "
        "u_i u_i'; the alignments from the trace identity of T6. With one output they are T6's.",
        Zero(_alignments),
    ),
    Step(
        (
            "mean_representation_alignment_outputs",
            "mean_kernel_alignment_outputs",
            "sd_representation_alignment_outputs",
            "sd_kernel_alignment_outputs",
        ),
        "They are linear in sum mu_i^2 c_i, of mean P_1 r/d.",
        Zero(_outputs),
    ),
)

DERIVATION = Derivation(
    id="T7",
    title="Averages over random tasks at the end of training",
    assumptions=(
        "T6 at t = oo: flat start of rank r, silent readout, white inputs.",
        "Task directions uniform on the sphere, modes v_i of one uniform orthonormal basis.",
        "m outputs: the final state of T6, n modes learned, n <= r.",
    ),
    notation={
        sigma: "Frobenius norm of W1(0)",
        r: "rank of W1(0)",
        d: "number of inputs",
        m: "number of outputs",
        n: "number of modes learned",
        c: "alignment",
        g: "length of the task vector beta",
        p: "order of a moment",
        size: "number of Gaussian components",
        C: "sum of mu_i^2 c_i",
        P1: "sum of mu_i^2",
        P2: "sum of mu_i^4",
        A1: "sum of alpha_i^2",
        A2: "sum of alpha_i^4",
    },
    shorthand={
        s: "start_singular_value",
        mu: "mu",
        alpha: "alpha",
        var: "variance",
        root_mean: "mean_cosine",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=("This project, from T6; the moments of the Beta law are classical.",),
)
