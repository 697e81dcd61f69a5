"""T14: one task as a function of the singular values, and how little random tasks scatter."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp
from sympy import Identity, MatrixSymbol, Symbol

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.matrix_words import coefficients, orthonormal
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, E, Sxx, Syx, d, h, m

__all__ = ["DERIVATION"]

p = Symbol("p", integer=True, positive=True)
s, F1, F2, G1, FG, H1, H2, PR = sp.symbols("s F1 F2 G1 FG H1 H2 PR", positive=True)

# In the singular basis of W1(0), filled up to a square with zeros: S = diag(s_j).
S, b = MatrixSymbol("S", d, d), MatrixSymbol("b", d, 1)
eta, alpha = MatrixSymbol("eta", d, d), MatrixSymbol("alpha", d, d)
eta_past, alpha_past = MatrixSymbol("eta~", d, d), MatrixSymbol("alpha~", d, d)
e, a = MatrixSymbol("e", d, 1), MatrixSymbol("a", d, 1)
kernel_a, kernel_e = MatrixSymbol("K_a", 1, 1), MatrixSymbol("K_e", 1, 1)

# One group of p equal singular values s in the basis of the network; N holds all the others.
RIGHT, LEFT = MatrixSymbol("V", d, p), MatrixSymbol("U", h, p)
N, components = MatrixSymbol("N", h, d), MatrixSymbol("c", p, 1)
others = MatrixSymbol("o", d, 1)
GROUP = (
    orthonormal(RIGHT)
    | orthonormal(LEFT)
    | {((N, False), (RIGHT, False)): 0, ((RIGHT, True), (N, True)): 0}
    | {((LEFT, True), (N, False)): 0, ((N, True), (LEFT, False)): 0}
    | {((RIGHT, True), (others, False)): 0, ((others, True), (RIGHT, False)): 0}
)

FORMULAS = {
    "error": eta * b,
    "readout": alpha * b,
    "first_layer_rate": a * e.T,
    "first_layer_memory": alpha_past * b * b.T * eta_past.T,
    "kernel_readout": b.T * alpha_past.T * alpha * b,
    "kernel_error": b.T * eta_past.T * eta * b,
    "error_local": b - S * alpha * b,
    "error_memory": -eta_past * b * kernel_a,
    "readout_rate_local": S * eta * b,
    "readout_rate_memory": alpha_past * b * kernel_e,
    "start": s * LEFT * RIGHT.T + N,
    "task": RIGHT * components + others,
    "group_input": RIGHT * components,
    "group_hidden": LEFT * components,
    "group_squared": components.T * components,
    "mean_share": 1 / d,
    "mean_share_squared": 3 / (d * (d + 2)),
    "mean_share_product": 1 / (d * (d + 2)),
    "mean_weighted": F1 / d,
    "variance_weighted": 2 / (d * (d + 2)) * (F2 - F1**2 / d),
    "covariance_weighted": 2 / (d * (d + 2)) * (FG - F1 * G1 / d),
    "relative_variance": 2 * (d / PR - 1) / (d + 2),
    "relative_variance_bound": 2 / PR,
    "relative_variance_room": 2 * (PR + 2) / (PR * (d + 2)),
    "mean_correction": (H1 - H2 / d) / (d * (d + 2)),
}


def _flow(
    error,
    readout,
    first_layer_rate,
    first_layer_memory,
    kernel_readout,
    kernel_error,
    error_local,
    error_memory,
    readout_rate_local,
    readout_rate_memory,
):
    def law(claim, first):
        """A law of T1 at this first layer, with readout a', error e' and task b'."""
        one = {h: d, m: sp.S.One}
        given = {W1: first, W2: readout.T, E: error.T, Syx: b.T, Sxx: Identity(d)}
        meaning = {x.xreplace(one): value for x, value in given.items()}
        return T1.formulas[claim].xreplace(one).xreplace(meaning)

    # The error and the rate of the readout are affine in W1 = S + the integral of the memory:
    # here is what S gives, and what the memory gives under the integral.
    meaning = {kernel_a: kernel_readout, kernel_e: kernel_error}
    remembered = law("error", first_layer_memory) - law("error", sp.ZeroMatrix(d, d))
    grown = first_layer_rate.xreplace({e: error, a: readout})
    return [
        coefficients(law("flow_1", S) - grown),
        coefficients(first_layer_memory.xreplace({eta_past: eta, alpha_past: alpha}) - grown),
        coefficients((law("error", S.T) - error_local.T).doit()),
        coefficients(remembered.T - error_memory.xreplace(meaning)),
        coefficients(law("flow_2", S).T - readout_rate_local),
        coefficients(law("flow_2", first_layer_memory).T - readout_rate_memory.xreplace(meaning)),
        # The kernels are numbers; the past of one time is the time of the other.
        *(
            coefficients(kernel - kernel.xreplace(_SWAPPED).T)
            for kernel in (kernel_readout, kernel_error)
        ),
    ]


_SWAPPED = {eta: eta_past, eta_past: eta, alpha: alpha_past, alpha_past: alpha}


def _group(start, task, group_input, group_hidden, group_squared):
    return [
        coefficients(start * group_input - s * group_hidden, GROUP),
        coefficients(start.T * group_hidden - s * group_input, GROUP),
        coefficients(RIGHT * RIGHT.T * task - group_input, GROUP),
        coefficients(task - RIGHT * RIGHT.T * task - others, GROUP),
        coefficients(start - LEFT * LEFT.T * start - N, GROUP),
        coefficients(group_squared - group_input.T * group_input, GROUP),
        coefficients(group_squared - group_hidden.T * group_hidden, GROUP),
    ]


_x = Symbol("x", real=True)
_y = Symbol("y", positive=True)


@lru_cache
def _gaussian(power):
    """E x^(2 power) of a normal number."""
    return sp.integrate(_x ** (2 * power) * sp.exp(-(_x**2) / 2), (_x, -sp.oo, sp.oo)) / sp.sqrt(
        2 * sp.pi
    )


@lru_cache
def _radial(power):
    """E |x|^(2 power) of d normal numbers, by the density of their length."""
    weight = _y ** (d - 1) * sp.exp(-(_y**2) / 2)
    moments = [sp.integrate(_y ** (2 * n) * weight, (_y, 0, sp.oo)) for n in (0, power)]
    return sp.gammasimp(moments[1] / moments[0])


def _shares(mean_share, mean_share_squared, mean_share_product):
    return [
        mean_share * _radial(1) - _gaussian(1),
        mean_share_squared * _radial(2) - _gaussian(2),
        mean_share_product * _radial(2) - _gaussian(1) ** 2,
        # They add up to 1, and so do the products of the sum with itself.
        d * mean_share - 1,
        d * mean_share_squared + d * (d - 1) * mean_share_product - 1,
    ]


def _weighted(
    mean_share,
    mean_share_squared,
    mean_share_product,
    mean_weighted,
    covariance_weighted,
    variance_weighted,
):
    # A double sum is its diagonal, FG, and the rest, F1 G1 - FG.
    product = FG * mean_share_squared + (F1 * G1 - FG) * mean_share_product
    return [
        mean_weighted - F1 * mean_share,
        covariance_weighted - (product - mean_weighted * mean_weighted.subs(F1, G1)),
        variance_weighted - covariance_weighted.subs({G1: F1, FG: F2}),
    ]


def _relative(
    mean_weighted,
    variance_weighted,
    relative_variance,
    relative_variance_bound,
    relative_variance_room,
):
    ratio = {PR: F1**2 / F2}
    return [
        relative_variance.subs(ratio) - variance_weighted / mean_weighted**2,
        relative_variance_bound - relative_variance - relative_variance_room,
        sp.limit(relative_variance, d, sp.oo) - relative_variance_bound,
    ]


def _correction(mean_share, mean_share_squared, mean_share_product, mean_correction):
    # F = x'Hx/2 in the shares x: its diagonal H1 = tr H, the sum of all entries H2.
    mean = (H1 * mean_share_squared + (H2 - H1) * mean_share_product) / 2
    return mean_correction - (mean - H2 * mean_share**2 / 2)


STEPS = (
    Step(
        (
            "error",
            "readout",
            "first_layer_rate",
            "first_layer_memory",
            "kernel_readout",
            "kernel_error",
            "error_local",
            "error_memory",
            "readout_rate_local",
            "readout_rate_memory",
        ),
        "In the singular basis W1 = S + the integral of a~ e~' over the past. Put e = eta b and "
        "a = alpha b, with eta and alpha diagonal, into the flow of T1. It asks for "
        "e = error_local + the integral of error_memory, and for the rate of a likewise. Divided "
        "by b_j these are eta = 1 - s alpha - int K_a eta~ and alpha' = s eta + int K_e alpha~ at "
        "s = s_j: the task enters through two numbers K(t, t~) common to all modes. So eta and "
        "alpha are functions of s and t alone, and modes of equal s move in proportion to b_j.",
        Substitution(_flow, equation="the flow of T1 with Syx = b', Sxx = I, W1(0) = S"),
    ),
    Step(
        ("start", "task", "group_input", "group_hidden", "group_squared"),
        "So a group of equal singular values is one mode: the start maps V c to s U c and back, "
        "whatever the others do, so that the directions of V c and U c, one pair for each group, "
        "are the small network of T15 with nothing beyond (N V = 0), exactly. Its task component "
        "is |c|, the root of the summed squares; the d - r inputs outside the row space are the "
        "group s = 0.",
        Zero(_group),
    ),
    Step(
        ("mean_share", "mean_share_squared", "mean_share_product"),
        "Random tasks: the shares x_j = b_j^2/|beta|^2 of a direction uniform on the sphere. A "
        "vector of d normal numbers is its direction times an independent length, so each mean "
        "is a normal moment over a moment of the length.",
        Zero(_shares),
    ),
    Step(
        ("mean_weighted", "covariance_weighted", "variance_weighted"),
        "Of sums over the modes, sum x_j f_j and sum x_j h_j: F1 = sum f, F2 = sum f^2, "
        "G1 = sum h, FG = sum f h.",
        Zero(_weighted),
    ),
    Step(
        ("relative_variance", "relative_variance_bound", "relative_variance_room"),
        "Over the square of the mean, with PR = F1^2/F2. For f_j = s_j^2 it is the scatter of "
        "beta'R_0 beta and of K_a at early times, and PR is the participation ratio of W1(0): at "
        "most 2/PR, whatever d, and 0 for PR = d. The kernels average themselves, and the task of "
        "equal shares stands for all.",
        Zero(_relative),
    ),
    Step(
        ("mean_correction",),
        "The mean of a function of the shares is its value at equal shares plus this, exactly for "
        "a quadratic one and to leading order for a smooth one; H1 is the trace of its second "
        "derivatives, H2 the sum of all of them. For a function of one weighted sum it is half "
        "the variance times the second derivative: of order 1/PR.",
        Zero(_correction),
    ),
)

DERIVATION = Derivation(
    id="T14",
    title="The typical task: modes of equal singular value, and random tasks",
    assumptions=(
        "The flow of T1 with white inputs (Sxx = I), one output, silent readout.",
        "eta and alpha are diagonal, with an entry for each singular value s_j; inputs outside the "
        "row space are singular values 0, and silent hidden units fill S up to a square.",
        "Random tasks: the direction of beta is uniform on the sphere.",
    ),
    notation={
        d: "number of inputs, and of singular values s_j (0 included)",
        h: "number of hidden units",
        p: "number of singular values in a group",
        s: "their common value",
        S: "diagonal matrix of the s_j: W1(0) in its singular basis",
        b: "components of the task in the right singular basis",
        eta: "diagonal, error of a mode over b_j, at time t",
        alpha: "diagonal, readout of a mode over b_j, at time t",
        eta_past: "eta at an earlier time",
        alpha_past: "alpha at an earlier time",
        RIGHT: "right singular vectors of a group",
        LEFT: "left singular vectors of a group",
        N: "the rest of W1(0)",
        components: "task components in the group",
        others: "the rest of the task",
        F1: "sum of weights f_j",
        F2: "sum of their squares",
        G1: "sum of other weights h_j",
        FG: "sum of the products f_j h_j",
        H1: "trace of the second derivatives of a function of the shares",
        H2: "sum of all of them",
        PR: "(sum f_j)^2 / sum f_j^2, the participation ratio for f_j = s_j^2",
    },
    shorthand={e: "error", a: "readout", kernel_a: "kernel_readout", kernel_e: "kernel_error"},
    formulas=FORMULAS,
    steps=STEPS,
    sources=("This project, from T1 and T15.",),
)
