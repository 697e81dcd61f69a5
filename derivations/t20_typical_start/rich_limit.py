"""T20: small U and V, where W is at rest at first."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol, Sum, Trace, exp, log

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import MatrixSum, T, k, unrolled
from derivations.frame.matrix_words import coefficients, orthonormal, rate_of_change, words
from derivations.t16_recurrent_flow import DERIVATION as T16
from derivations.t16_recurrent_flow.symbols import STEPS_TRIED, N, S, U, V, W, i, j, m, n, w
from derivations.t19_recurrent_modes import s

__all__ = ["FORMULAS", "NOTATION", "SHORTHAND", "STEPS"]

small, sigma, t, u0, v0 = sp.symbols("epsilon sigma t u_0 v_0", positive=True)
a, b = sp.symbols("a b", positive=True)
left, right, rest = MatrixSymbol("x", N, 1), MatrixSymbol("y", N, 1), MatrixSymbol("P^r", N, N)
P = MatrixSymbol("P", N, N)
PAIR = (
    orthonormal(left)
    | orthonormal(right)
    | {((rest, False), (right, False)): 0, ((right, True), (rest, True)): 0}
    | {((rest, True), (left, False)): 0, ((left, True), (rest, False)): 0}
)

FORMULAS = {
    "rich_rate_U": MatrixSum(w(k) * W.T**k * V.T * S(k), (k, 0, T - 1)),
    "rich_rate_V": MatrixSum(w(k) * S(k) * U.T * W.T**k, (k, 0, T - 1)),
    "rich_rate_W": MatrixSum(
        w(i + j + 1) * W.T**j * V.T * S(i + j + 1) * U.T * W.T**i,
        (i, 0, T - 2 - j),
        (j, 0, T - 2),
    ),
    "early_gain": Sum(w(k) * Trace(S(k).T * V * W**k * U), (k, 0, T - 1)),
    "polynomial": MatrixSum(w(k) * s(k) * W**k, (k, 0, T - 1)),
    "polynomial_rate_U": P.T * V.T,
    "polynomial_rate_V": (P * U).T,
    "singular_pair": sigma * left * right.T + rest,
    "mode_u": (u0 + v0) / 2 * exp(sigma * t) + (u0 - v0) / 2 * exp(-sigma * t),
    "mode_v": (u0 + v0) / 2 * exp(sigma * t) - (u0 - v0) / 2 * exp(-sigma * t),
    "mode_kept": u0**2 - v0**2,
    "escape_time": log(2 / (u0 + v0)) / sigma,
}

NOTATION = {
    small: "size of U and V",
    s(k): "s_k, the task at lag k of one channel and one output",
    sigma: "a singular value of P",
    left: "its left singular vector",
    right: "its right singular vector",
    rest: "the other singular values and vectors of P",
    u0: "component of U along the right singular vector at the start",
    v0: "component of V' along the left one at the start",
    t: "time",
}


SHORTHAND = {P: "polynomial"}


def _rates(closed, rich_rate_U, rich_rate_V, rich_rate_W):
    scaled = {U: small * U, V: small * V}
    for steps in STEPS_TRIED:
        at = {T: steps}
        for name, claim, order in (
            ("U", rich_rate_U, 1),
            ("V", rich_rate_V, 1),
            ("W", rich_rate_W, 2),
        ):
            found = unrolled(T16.claims[f"flow_{name}"].xreplace(scaled), at)
            gap = words(found - small**order * unrolled(closed(claim), at)).values()
            yield [sp.expand(x).coeff(small, n) for x in gap for n in range(order + 1)]


def _gradient(rich_rate_U, rich_rate_V, rich_rate_W, early_gain):
    moves = {x: MatrixSymbol(f"d{x}", *x.shape) for x in (U, V, W)}
    for steps in STEPS_TRIED:
        at = {T: steps}
        # Linear in U.
        yield unrolled(early_gain, at) - Trace(U.T * unrolled(rich_rate_U, at))
        pairing = sum(
            Trace(moves[x].T * unrolled(rate, at))
            for x, rate in ((U, rich_rate_U), (V, rich_rate_V), (W, rich_rate_W))
        )
        yield rate_of_change(unrolled(early_gain, at), moves) - pairing


def _polynomial(closed, rich_rate_U, rich_rate_V, polynomial_rate_U, polynomial_rate_V, polynomial):
    one = {n: sp.S.One, m: sp.S.One}
    for steps in STEPS_TRIED:
        at = {T: steps}
        numbers = {
            unrolled(S(k), {k: lag}).subs(one): unrolled(s(k), {k: lag}) * sp.Identity(1)
            for lag in range(steps)
        }
        for general, claim in ((rich_rate_U, polynomial_rate_U), (rich_rate_V, polynomial_rate_V)):
            found = unrolled(general, at).subs(one).xreplace(numbers)
            yield coefficients(found - unrolled(closed(claim), at).subs(one))
    yield coefficients(
        unrolled(polynomial, {T: 1}) - unrolled(w(k) * s(k), {k: 0}) * sp.Identity(N)
    )


def _pair(singular_pair, polynomial_rate_U, polynomial_rate_V, mode_u, mode_v):
    one = {n: sp.S.One, m: sp.S.One}
    along = {P: singular_pair, U.subs(one): a * right, V.subs(one): b * left.T}
    rate_U, rate_V = (x.subs(one).xreplace(along) for x in (polynomial_rate_U, polynomial_rate_V))
    yield coefficients(rate_U - sigma * b * right, PAIR)
    yield coefficients(rate_V - sigma * a * left.T, PAIR)
    yield coefficients(singular_pair * right - sigma * left, PAIR)
    yield coefficients(singular_pair - sigma * left * right.T - rest)
    yield [
        sp.diff(mode_u, t) - sigma * mode_v,
        sp.diff(mode_v, t) - sigma * mode_u,
        mode_u.subs(t, 0) - u0,
        mode_v.subs(t, 0) - v0,
    ]


def _escape(mode_u, mode_v, mode_kept, escape_time):
    yield sp.expand(mode_u**2 - mode_v**2) - mode_kept
    # The mean of the two is exp(sigma t)(u_0 + v_0)/2; it is 1 at the time of escape.
    yield sp.expand((mode_u + mode_v) / 2).subs(t, escape_time) - 1


STEPS = (
    Step(
        ("rich_rate_U", "rich_rate_V", "rich_rate_W"),
        "U and V of size epsilon: the errors are w_k S_k up to order epsilon^2, the rates of U "
        "and V of order epsilon, that of W of order epsilon^2. Any sizes, T = 1 to 4.",
        Zero(_rates),
    ),
    Step(
        ("rich_rate_U", "rich_rate_V", "rich_rate_W", "early_gain"),
        "All three climb one function, linear in the task. In W it is the value of the pair (U, V) "
        "under P: as W begins to move it raises the singular value that U and V have found.",
        Zero(_gradient),
    ),
    Step(
        ("polynomial", "polynomial_rate_U", "polynomial_rate_V"),
        "One channel and one output: the connectivity enters through one polynomial P, with the "
        "task as its coefficients.",
        Zero(_polynomial),
    ),
    Step(
        ("singular_pair", "polynomial_rate_U", "polynomial_rate_V", "mode_u", "mode_v"),
        "Each singular pair of P is a mode: U along the right vector and V' along the left one "
        "drive each other at the rate sigma.",
        Substitution(_pair, equation="U' = P'V', V'' = P U"),
    ),
    Step(
        ("mode_kept", "escape_time", "mode_u", "mode_v"),
        "u^2 - v^2 is kept (T16), and the leading pair, of the largest sigma, escapes first: its "
        "mean reaches 1 at this time, when the next pair is smaller by a power of epsilon, "
        "1 - sigma_2/sigma_1.",
        Zero(_escape),
    ),
)
