"""T5, third part: where it ends, exponent by exponent."""

from __future__ import annotations

import sympy as sp
from sympy import Matrix, MatrixSymbol, exp, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.frame.matrix_words import orthonormal
from derivations.t05_lambda_balanced.symbols import (
    B1,
    B2,
    L1,
    L2,
    Z1,
    Z2,
    F,
    K,
    P,
    alpha,
    beta,
    kappa,
    lam,
    n,
    normal,
    other,
    rational,
    rho,
    s,
    size,
    t,
    x,
    y,
)

__all__ = ["FORMULAS", "STEPS"]

FORMULAS = {
    "growth_ratio": sqrt(x / y)
    * exp(-(x - y) * t)
    * sqrt((1 - exp(-2 * y * t)) / (1 - exp(-2 * x * t))),
    "scaled_start": Z1 * L1 * B1.T + Z2 * L2 * B2.T + rho * K * B1.T,
    "final_columns": Z1 * L1 * B1.T + Z2 * L2 * B2.T,
    "one_exponent": 2 * x * size**2 / (size**2 + (2 * x - size**2) * exp(-2 * x * t)),
    "rank_one": size**2
    / (
        exp(-2 * x * t)
        + size**2 * (1 - exp(-2 * x * t)) / (2 * x)
        + other**2 * (exp(2 * y * t) - 1) * exp(-2 * x * t) / (2 * y)
    ),
    "final_exponent": 2 * x,
    "final_moment": 2 * x * Z1 * Z1.T + 2 * y * Z2 * Z2.T,
    "final_first_squared": kappa - lam / 2,
    "final_readout_squared": kappa + lam / 2,
    "final_map": s,
}

# Positive x and y, and e^{-xt} and e^{-yt}.
_x, _y, _ex, _ey = sp.symbols("x_+ y_+ e_x e_y", positive=True)


def _decays(expression):
    """Write e^{xt} and e^{yt} as 1/e_x and 1/e_y, which vanish as t grows, for x, y > 0."""

    def power(exponent):
        rates = sp.expand(exponent / t)
        return _ex ** -rates.coeff(_x) * _ey ** -rates.coeff(_y)

    return expression.subs({x: _x, y: _y}).replace(exp, power)


def _ratio(growth, growth_ratio):
    # Positive square roots of growths u and v: e^{2xt} = 1 + 2xu.
    u, v = sp.symbols("u v", positive=True)
    at = {_ex: 1 / sqrt(1 + 2 * _x * u), _ey: 1 / sqrt(1 + 2 * _y * v)}
    ratio = sp.simplify(_decays(growth_ratio).subs(at))
    return [
        sp.cancel(_decays(growth**2).subs(at)) - u,
        sp.expand_power_base(ratio, force=True) - sqrt(v) / sqrt(u),
    ]


def _final(scale, one_exponent, rank_one, final_exponent):
    end = {_ex: 0}
    # e^{(y - x)t} = e_x/e_y -> 0 while e_y < 1: put e_x = fall e_y, then fall -> 0.
    fall = sp.Symbol("fall", positive=True)
    ended = sp.cancel(_decays(rank_one).subs(_ex, fall * _ey)).subs(fall, 0)
    goal = final_exponent.subs(x, _x)
    return [
        sp.cancel(_decays(scale**2)).subs(end) - goal,
        sp.cancel(_decays((scale**2).subs(x, -x))).subs(end),
        sp.limit(scale**2, x, 0) - 1 / t,
        sp.cancel(_decays(one_exponent)).subs(end) - goal,
        ended - goal,
    ]


def _scaled(scaled_start):
    g_x, g_y = sp.symbols("g_x g_y", positive=True)
    grown = g_x * Z1 * L1 * B1.T + g_y * Z2 * L2 * B2.T + g_y * K * B1.T
    columns = B1 * B1.T / g_x + B2 * B2.T / g_y
    return normal(scaled_start.xreplace({rho: g_y / g_x}) - grown * columns, orthonormal(B1, B2))


def _columns(growth, growth_ratio, scaled_start, final_columns):
    # rho is below a constant times e^{-(x - y)t}; A is one over the growths.
    lead = _decays(growth_ratio * exp((x - y) * t))
    return [
        (lead**2).subs({_ex: 0, _ey: 0}) - _x / _y,
        sp.cancel(1 / _decays(growth**2)).subs(_ex, 0),
        normal(scaled_start.xreplace({rho: sp.S.Zero}) - final_columns),
    ]


def _final_form(final_columns, final_exponent, final_moment):
    # H is the projector on the columns: symmetric, it keeps them and is made of them.
    back_1, back_2 = (MatrixSymbol(f"{letter}^-1", *letter.shape) for letter in (L1, L2))
    made = final_columns * (B1 * back_1 * Z1.T + B2 * back_2 * Z2.T)
    seen = orthonormal(Z1, Z2) | orthonormal(B1, B2)
    seen |= {((L1, False), (back_1, False)): 1, ((L2, False), (back_2, False)): 1}
    # V k V' on the two eigenspaces; the rest of it sees neither.
    scale_1, scale_2 = sqrt(final_exponent), sqrt(final_exponent.subs(x, y))
    scales = scale_1 * Z1 * Z1.T + scale_2 * Z2 * Z2.T
    return [
        normal(made * final_columns - final_columns, seen),
        normal(made - Z1 * Z1.T - Z2 * Z2.T, seen),
        normal(scales * made * scales - final_moment, seen),
    ]


def _one_exponent(growth, scale, one_exponent):
    return [
        one_exponent.diff(t) - 2 * x * one_exponent + one_exponent**2,
        one_exponent.subs(t, 0) - size**2,
        sp.simplify(scale**2 * growth**2 * size**2 / (1 + growth**2 * size**2) - one_exponent),
    ]


def _rank_one(rank_one):
    # q' = x q - |q|^2 q/2 along both parts, |q|^2 = rank_one (1 + ratio of the squares).
    rest = rank_one * other**2 / size**2 * exp(2 * (y - x) * t)
    rate = 2 * x * rank_one - (rank_one + rest) * rank_one
    return [rank_one.diff(t) - rate, rank_one.subs(t, 0) - size**2]


def _stationary(final_moment, second_moment_rate):
    left = MatrixSymbol("left", n, n)
    seen = orthonormal(Z1, Z2)
    unseen = {((left, False), (columns, False)): 0 for columns in (Z1, Z2)}
    unseen |= {((columns, True), (left, False)): 0 for columns in (Z1, Z2)}
    matrix = x * Z1 * Z1.T + y * Z2 * Z2.T + left
    rate = second_moment_rate.xreplace({F: matrix}).xreplace({P: final_moment})
    return normal(rate, seen | unseen, (left,))


def _final_mode(
    closed,
    final_exponent,
    final_first_squared,
    final_readout_squared,
    final_map,
):
    weight = final_exponent.subs(x, kappa)
    vector = Matrix([alpha, beta])
    block = weight * vector * vector.T
    wanted = Matrix([[final_first_squared, final_map], [final_map, final_readout_squared]])
    return [rational(closed(entry)) for entry in block - wanted]


STEPS = (
    Step(
        ("growth_ratio",),
        "What is left of a growth at y after division by that at x, the pivot's: it vanishes "
        "for y < x as t grows and is 1 for y = x.",
        Zero(_ratio),
    ),
    Step(
        ("scaled_start",),
        "Turn the hidden units to echelon form: B2 has nothing at x. Y = g C then acts on two "
        "exponents x > y as below, once the columns B1 and B2 are divided by the growths of "
        "their pivots; more exponents, more such terms.",
        Zero(_scaled),
    ),
    Step(
        ("final_columns",),
        "As t -> oo rho vanishes like e^{-(x - y)t}, and so does A, one over the growths: H, the "
        "block of a projector, becomes the projector on these columns of YA, where each pivot "
        "keeps only its own group of equal exponents.",
        Zero(_columns),
    ),
    Step(
        ("one_exponent",),
        "A group of one exponent x: with C = Z diag(l) O' in singular vectors, Q Q' is Z times "
        "these numbers times Z', for its singular values l.",
        Substitution(_one_exponent, equation="p' = 2x p - p^2, p(0) = l^2; and k^2 H"),
    ),
    Step(
        ("rank_one",),
        "One neuron over two exponents: the square of its part at x, with l' the length of its "
        "part at y.",
        Substitution(_rank_one, equation="q' = x q - |q|^2 q/2, squared"),
    ),
    Step(
        ("final_exponent",),
        "As t -> oo, for x > 0 and x > y: k^2, a group of one exponent and one neuron's part at "
        "the largest exponent all tend to 2x, whatever their start l > 0. For x < 0 k vanishes, "
        "and at x = 0 it is 1/sqrt(t): nothing is left there, as H <= I.",
        Zero(_final),
    ),
    Step(
        ("final_moment",),
        "That projector is Z1 Z1' + Z2 Z2'. With k^2 at its limit each pivot direction among "
        "equal exponents ends at weight 2x.",
        Zero(_final_form),
    ),
    Step(
        ("final_moment",),
        "Such a Q Q' is at rest, for groups of any size.",
        Substitution(_stationary, equation="F P + P F - P P = 0, F Z1 = x Z1, F Z2 = y Z2"),
    ),
    Step(
        ("final_first_squared", "final_readout_squared", "final_map"),
        "A mode that is learned ends with 2 kappa times alpha^2, beta^2 and alpha beta: these "
        "are its shares of R, B and W2 W1.",
        Zero(_final_mode),
    ),
)
