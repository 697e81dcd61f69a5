"""T6, third part: the forms that floating point evaluates, scaled by exp(-kappa t)."""

from __future__ import annotations

import sympy as sp
from sympy import Piecewise, exp, factorial, sqrt
from sympy.codegen.cfunctions import expm1, log1p

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.t06_flat_low_rank.symbols import (
    D,
    Delta_par,
    Delta_perp,
    Dtilde,
    E,
    Etilde,
    Gtilde,
    N,
    Ntilde,
    P,
    S,
    Stilde,
    V,
    Vtilde,
    X,
    Y,
    Ytilde,
    a,
    c,
    delta,
    e_par,
    e_perp,
    ell,
    epsilon,
    g,
    gap_early,
    gap_late,
    k,
    kappa,
    phi_fast,
    phi_slow,
    q,
    rho,
    s,
    t,
    theta,
    uniform,
    v_early,
    v_high,
    v_low,
    w_par,
    w_perp,
    x_fast,
    x_slow,
)

__all__ = ["FORMULAS", "STEPS"]

_TERMS = 17  # of (e^x - 1 - x)/x^2
_PAIRS = 9  # of V: odd and even terms up to X^20


def _exponential_rest(x: sp.Expr) -> sp.Sum:
    return sp.Sum(x ** (k - 1) / factorial(k + 1), (k, 1, _TERMS))


FORMULAS = {
    "slow_time": delta * t,
    "fast_time": rho * t,
    "decay": exp(-X),
    "rate_complement": delta / kappa,
    "log_rate_ratio": log1p(-epsilon),
    "scaled_growth_parallel": (rho + delta * q) / (2 * kappa),
    "scaled_growth_readout": -expm1(-X) / (2 * kappa),
    "scaled_growth_orthogonal": exp(-x_slow),
    "scaled_denominator": c * (q + s**2 * Stilde * Ntilde) + (1 - c) * Etilde**2,
    "exponential_rest_slow": _exponential_rest(x_slow),
    "exponential_rest_fast": _exponential_rest(-x_fast),
    "scaled_growth_gap_early": Etilde
    * (g * t) ** 2
    / (2 * kappa)
    * (delta * phi_slow + rho * phi_fast),
    "scaled_growth_gap_late": g**2
    / (2 * kappa)
    * (-expm1(-x_slow) / delta + Etilde * expm1(-x_fast) / rho),
    "scaled_growth_gap": Piecewise((gap_early, x_fast < 1), (gap_late, True)),
    "scaled_parallel_gap": (1 - c) * Gtilde * (Ntilde + Etilde) + c * (g * Stilde) ** 2,
    "scaled_orthogonal_gap_early": -q
    * theta
    * sp.Sum(
        expm1(2 * k * ell)
        * (
            X ** (2 * k + 1) / factorial(2 * k + 1)
            + theta * X ** (2 * k + 2) / factorial(2 * k + 2)
        ),
        (k, 1, _PAIRS),
    ),
    "scaled_orthogonal_gap_low": exp(-epsilon * X) * expm1(-theta * X)
    - theta**2 * q
    + theta * (1 + theta) / 2
    - theta * epsilon * q**2 / 2,
    "scaled_orthogonal_gap_high": -expm1(-epsilon * X)
    - epsilon * (3 - epsilon) / 2
    + epsilon * (2 - epsilon) * q
    - theta * epsilon * q**2 / 2,
    "scaled_orthogonal_gap": Piecewise(
        (v_early, X < 1), (v_low, theta < sp.Rational(1, 2)), (v_high, True)
    ),
    "active_parallel_stable": s * sqrt(c) * Ntilde / sqrt(Dtilde),
    "active_orthogonal_stable": s * sqrt(1 - c) * Etilde / sqrt(Dtilde),
    "active_readout_stable": s * sqrt(c) * g * Stilde / sqrt(Dtilde),
    "parallel_change_stable": s * sqrt(c) * Ytilde / (sqrt(Dtilde) * (Ntilde + sqrt(Dtilde))),
    "orthogonal_change_stable": -s
    * sqrt(1 - c)
    * c
    * Vtilde
    / (sqrt(Dtilde) * (Etilde + sqrt(Dtilde))),
    "residual_parallel_stable": g * (c * q + (1 - c) * Etilde**2) / Dtilde,
    "residual_orthogonal_stable": s**2 * g * sqrt(c * (1 - c)) * Stilde * Etilde / Dtilde,
    "weight_change_1": sqrt(Delta_par**2 + Delta_perp**2),
    "weight_change": sqrt(Delta_par**2 + Delta_perp**2 + a**2),
    "loss_stable": (e_par**2 + e_perp**2) / 2,
}

_SLOWEST = exp(-kappa * t)


def _rates(closed, slow_time, fast_time, rate_complement, log_rate_ratio, decay):
    return [
        uniform(closed(fast_time)) - g * P * t,
        uniform(closed(slow_time)) - g * t / P,
        uniform(closed(rate_complement - (1 - theta))),
        exp(log_rate_ratio.rewrite(sp.log)) - (1 - epsilon),
        log_rate_ratio.subs(epsilon, 0),
        uniform(closed(decay - _SLOWEST**2)),
    ]


def _growths(closed, scaled_growth_parallel, scaled_growth_readout, scaled_growth_orthogonal):
    return [
        uniform(closed(scaled - exact * _SLOWEST))
        for scaled, exact in (
            (scaled_growth_parallel, N),
            (scaled_growth_readout, S),
            (scaled_growth_orthogonal, E),
        )
    ]


def _denominator(closed, scaled_denominator):
    return uniform(closed(scaled_denominator - D * _SLOWEST**2))


def _exponential_rests(exponential_rest_slow, exponential_rest_fast):
    for rest, x in ((exponential_rest_slow, x_slow), (exponential_rest_fast, -x_fast)):
        variable = sp.Symbol("x", positive=True)
        series = sp.series(exp(variable), variable, 0, _TERMS + 2).removeO().subs(variable, x)
        yield sp.expand(1 + x + x**2 * rest.doit() - series)
    # The terms left out, below a geometric series; the value is at least 1/e, at x = -1.
    cut = sp.E / (factorial(_TERMS + 2) * (1 - sp.Rational(1, _TERMS + 3)))
    yield sp.Max(0, cut - sp.Float("1e-16"))


def _growth_gap(closed, scaled_growth_gap_early, scaled_growth_gap_late, scaled_growth_gap):
    exact = {
        phi_slow: (exp(x_slow) - 1 - x_slow) / x_slow**2,
        phi_fast: (exp(-x_fast) - 1 + x_fast) / x_fast**2,
    }
    gap = (N - E) * _SLOWEST
    yield uniform(closed(scaled_growth_gap_early.xreplace(exact) - gap))
    yield uniform(closed(scaled_growth_gap_late - gap))
    yield scaled_growth_gap.xreplace({gap_early: Gtilde, gap_late: Gtilde}) - Gtilde


def _gaps(scaled_parallel_gap, parallel_gap):
    z = sp.Symbol("z", positive=True)
    scaled = {Gtilde: (N - E) * z, Ntilde: N * z, Etilde: E * z, Stilde: S * z}
    yield scaled_parallel_gap.xreplace(scaled) - parallel_gap * z**2


def _orthogonal_gap(
    orthogonal_gap,
    orthogonal_gap_odd,
    orthogonal_gap_even,
    scaled_orthogonal_gap_early,
    scaled_orthogonal_gap_low,
    scaled_orthogonal_gap_high,
    scaled_orthogonal_gap,
):
    series = sum(
        orthogonal_gap_odd.subs(k, n) * X ** (2 * n + 1)
        + orthogonal_gap_even.subs(k, n) * X ** (2 * n + 2)
        for n in range(1, _PAIRS + 1)
    )
    powers = scaled_orthogonal_gap_early.doit().rewrite(exp).xreplace({ell: sp.log(theta)})
    yield sp.expand(powers - q * series)
    # The n-th term over the first is at most n/2 6/n!, at X = 1 and as theta tends to 1.
    first = 2 * _PAIRS + 3
    cut = 3 / (factorial(first - 1) * (1 - sp.Rational(1, first)))
    yield sp.Max(0, cut - sp.Float("1e-16"))
    written = {epsilon: 1 - theta, q: exp(-X)}
    for form in (scaled_orthogonal_gap_low, scaled_orthogonal_gap_high):
        yield form.xreplace(written).rewrite(exp) - orthogonal_gap * exp(-X)
    pieces = dict.fromkeys((v_early, v_low, v_high), Vtilde)
    yield scaled_orthogonal_gap.xreplace(pieces) - Vtilde


def _state(
    active_parallel,
    active_orthogonal,
    active_readout,
    parallel_change,
    orthogonal_change,
    residual_parallel,
    residual_orthogonal,
    active_parallel_stable,
    active_orthogonal_stable,
    active_readout_stable,
    parallel_change_stable,
    orthogonal_change_stable,
    residual_parallel_stable,
    residual_orthogonal_stable,
):
    z = sp.Symbol("z", positive=True)  # exp(-kappa t)
    scaled = {Ntilde: N * z, Stilde: S * z, Etilde: E * z, Dtilde: D * z**2, q: z**2}
    scaled |= {Ytilde: Y * z**2, Vtilde: V * z**2}
    return [
        form.xreplace(scaled) - exact
        for form, exact in (
            (active_parallel_stable, active_parallel),
            (active_orthogonal_stable, active_orthogonal),
            (active_readout_stable, active_readout),
            (parallel_change_stable, parallel_change),
            (orthogonal_change_stable, orthogonal_change),
            (residual_parallel_stable, residual_parallel),
            (residual_orthogonal_stable, residual_orthogonal),
        )
    ]


def _measures(
    weight_change_1,
    weight_change,
    loss_stable,
    weight_change_1_squared,
    weight_change_squared,
    loss,
):
    changes = {Delta_par: w_par - s * sqrt(c), Delta_perp: w_perp - s * sqrt(1 - c)}
    residuals = {e_par: g - a * w_par, e_perp: a * w_perp}
    return [
        weight_change_1.xreplace(changes) - sqrt(weight_change_1_squared),
        weight_change.xreplace(changes) - sqrt(weight_change_squared),
        loss_stable.xreplace(residuals) - loss,
    ]


STEPS = (
    Step(
        ("slow_time", "fast_time", "decay", "rate_complement", "log_rate_ratio"),
        "Times in units of the rates, e^(-2 kappa t), 1 - theta without subtraction, and log theta "
        "from it: near theta = 1 it keeps its digits, and where 1 - theta rounds to 1 it enters "
        "through powers of theta that are nothing beside 1. What follows from these has limits as "
        "t grows, and t = oo may be put in.",
        Zero(_rates),
    ),
    Step(
        ("scaled_growth_parallel", "scaled_growth_readout", "scaled_growth_orthogonal"),
        "N, S and E times e^(-kappa t): nothing overflows, and there is no difference.",
        Zero(_growths),
    ),
    Step(
        ("scaled_denominator",),
        "D e^(-2 kappa t), a sum of positive terms.",
        Zero(_denominator),
    ),
    Step(
        ("exponential_rest_slow", "exponential_rest_fast"),
        "(e^x - 1 - x)/x^2 at x = delta t and -rho t, for |x| <= 1: its series up to x^16. "
        "What is cut off is under 1e-16 of the value.",
        Zero(_exponential_rests),
    ),
    Step(
        ("scaled_growth_gap_early", "scaled_growth_gap_late", "scaled_growth_gap"),
        "(N - E) e^(-kappa t). Late, the second term is at most 1 - 1/e of the first; early, where "
        "the two cancel to t^2, the series take over.",
        Zero(_growth_gap),
    ),
    Step(
        ("scaled_parallel_gap",),
        "Y e^(-2 kappa t), with N^2 - E^2 = (N - E)(N + E).",
        Zero(_gaps),
    ),
    Step(
        (
            "scaled_orthogonal_gap_early",
            "scaled_orthogonal_gap_low",
            "scaled_orthogonal_gap_high",
            "scaled_orthogonal_gap",
        ),
        "V e^(-X). It vanishes like X^3, at theta = 0 and at theta = 1: each has its own form. For "
        "X < 1 the series of V up to X^20, with theta^(2k) - 1 as expm1 of a logarithm: "
        "what is cut off is under 1e-16 of the value. The two others are the closed form.",
        Zero(_orthogonal_gap),
    ),
    Step(
        (
            "active_parallel_stable",
            "active_orthogonal_stable",
            "active_readout_stable",
            "parallel_change_stable",
            "orthogonal_change_stable",
            "residual_parallel_stable",
            "residual_orthogonal_stable",
        ),
        "In all of them N, S, E and sqrt(D) may be scaled together, and 1, Y and V by the square.",
        Zero(_state),
    ),
    Step(
        ("weight_change_1", "weight_change", "loss_stable"),
        "Lengths from the differences, and the loss from the residuals, none of them subtracted.",
        Zero(_measures),
    ),
)
