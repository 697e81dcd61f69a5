"""T20: where the mean weight change turns from falling to rising with rank."""

from __future__ import annotations

from functools import cache

import sympy as sp
from sympy import Trace

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.matrix_words import rate_of_change
from derivations.t14_random_tasks import DERIVATION as T14
from derivations.t16_recurrent_flow.symbols import U, V, W, m, n
from derivations.t20_typical_start.second_order import F3
from derivations.t20_typical_start.symbols import CUMULANTS, K, N, g, moment, nu, s, u, v

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

x, y = u**2, v**2
f1, f2, dK = sp.symbols("f_1 f_2 dK", real=True)
small = sp.Symbol("epsilon", positive=True)

FORMULAS = {
    "bend": 2 * Trace(V * W * U * U.T * U)
    + 2 * Trace(V * V.T * V * W * U)
    + 2 * Trace(V * W * W.T * W * U),
    "response_variance": x * y * g**2 / N,
    "bend_covariance": 2 * x * y * ((x + y) * g**2 + g**4 * nu) / N,
    "kernel_variance": 2 * (x**2 + y**2) * g**4 * (nu - 1) / N,
    "mean_slope_1": 2
    * g**4
    * (x + y)
    / K**3
    * (((x + y) * K - g**2 * x * y) / N - s**2 / 3),
    "turn_strength_squared": 3 * ((x + y) * K - g**2 * x * y) / N,
}  # fmt: skip

NOTATION = {
    f1: "F_1 at the start, a random number",
    f2: "bend, the coefficient of tau^2 in F_1, a random number",
    dK: "K minus its mean, a random number",
}


ONE = {m: sp.S.One, n: sp.S.One}


def _second(bend):
    """Half the second derivative of F_1 along its own gradient, one channel and output."""
    one = [letter.subs(ONE) for letter in (U, W, V)]
    # T16's flow for E_1 = 1 alone.
    rates = dict(zip(one, (W.T * V.T, V.T * U.T, U.T * W.T), strict=True))
    rates = {letter: rate.subs(ONE) for letter, rate in rates.items()}
    response = Trace(V * W * U).subs(ONE)
    moved = rate_of_change(response, rates)
    yield moved - sum(Trace(rate.T * rate) for rate in rates.values())
    yield rate_of_change(moved, rates) / 2 - bend.subs(ONE)


def _by_spectrum(word, spectrum_cumulant_1, spectrum_cumulant_2):
    k1, k2 = CUMULANTS[:2]
    return moment(word).subs({k1: spectrum_cumulant_1, k2: spectrum_cumulant_2})


def _spread(
    bend, response_variance, bend_covariance, kernel_variance, spectrum_cumulant_1,
    spectrum_cumulant_2,
):  # fmt: skip
    square, fourth = (
        _by_spectrum((1, -1) * power, spectrum_cumulant_1, spectrum_cumulant_2) for power in (1, 2)
    )
    # E[(V A U)(V B U)] = u^2 v^2 tr(A B')/N^2, with A = W and B = W or W W'W.
    yield response_variance - x * y * square / N
    own, three = sp.symbols("own three")
    terms = {
        Trace(V * W * U * U.T * U): x * own,
        Trace(V * V.T * V * W * U): y * own,
        Trace(V * W * W.T * W * U): three,
    }
    written = bend.xreplace(terms)
    yield bend_covariance - written.subs({own: x * y * square / N, three: x * y * fourth / N})
    # |W U|^2 and |W'V|^2 scatter as T14's weighted sums do, with weights s_j^2.
    d, F1, F2 = (T14.symbols[name] for name in ("d", "F1", "F2"))
    sums = {F1: d * square, F2: d * fourth}
    scatter = sp.limit(sp.simplify(d * T14.claims["variance_weighted"].subs(sums)), d, sp.oo)
    yield sp.factor(kernel_variance - (x**2 + y**2) * scatter / N)


def _cut(series):
    """Keep what is at most of second order in the scatter and of third in s."""
    expanded = sp.expand(series)
    return sum(
        expanded.coeff(small, order).coeff(s, power) * small**order * s**power
        for order in range(3)
        for power in range(4)
    )


@cache
def _time():
    """Solve F_1 = f_1 + (K + dK) tau + f_2 tau^2 + F_3 tau^3 = s for small f_1, dK, f_2 and s."""
    tau = sp.S.Zero
    for _ in range(6):
        scattered = f1 + dK * tau + f2 * tau**2
        tau = _cut((s - small * scattered - F3 * tau**3) / K)
    return tau


def _mean(response_variance, bend_covariance, kernel_variance, mean_slope_1, climb_1):
    tau = _time()
    means = {f1**2: response_variance, f1 * f2: bend_covariance, dK**2: kernel_variance}
    squares = sp.expand(tau.coeff(small, 2))
    scatter = sum(squares.coeff(term).coeff(s, 1) * value for term, value in means.items())
    mean = (scatter * s + tau.coeff(small, 0)) * K / s
    yield sp.diff(mean.subs(F3, climb_1), nu) - mean_slope_1


def _turn(mean_slope_1, turn_strength_squared):
    yield mean_slope_1.subs(s, sp.sqrt(turn_strength_squared))
    # Below it the slope in nu is positive: K > g^2 (u^2 + v^2).
    yield sp.expand(mean_slope_1.subs(s, 0) - turn_strength_squared * 2 * g**4 * (x + y) / K**3 / 3)


STEPS = (
    Step(
        ("bend",),
        "Many but not infinitely many units, T = 2, a task s at lag 1: F_1 along its own gradient "
        "has a second order, too, that vanishes on average. One channel and output, any U, W, V.",
        Zero(_second),
    ),
    Step(
        ("bend", "response_variance", "bend_covariance", "kernel_variance"),
        "U and V in random directions of lengths u and v: E U U' = u^2/N, so that F_1 and its "
        "bend, both linear in V, scatter by word moments over N, and |W U|^2, |W'V|^2 as the "
        "weighted sums of T14. To leading order in 1/N; K is uncorrelated with either, as V and -V "
        "are as likely.",
        Zero(_spread),
    ),
    Step(
        ("mean_slope_1", "response_variance", "bend_covariance", "kernel_variance", "climb_1"),
        "Solve for tau to second order in the scatter and third in s, and take the mean. The "
        "slope in nu of the mean of |W - W(0)|, over its lazy value s u v/K: scatter makes it "
        "fall with rank (nu falls), learning makes it rise. Errors of order s^4 and s^2/N beside "
        "1/N and s^2. What F_0 and the error at lag 0 add at order 1/N has words of two letters, "
        "hence no nu: counted here, not checked.",
        Zero(_mean),
    ),
    Step(
        ("turn_strength_squared", "mean_slope_1"),
        "A task weaker than this has its mean weight change fall with rank, as in two layers; a "
        "stronger one has it rise.",
        Zero(_turn),
    ),
)
