"""T6, first part: one active direction, its closed form, and forms without cancellation."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, Matrix, Trace, cosh, exp, factorial, sinh, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.frame.matrix_words import coefficients, expand_traces
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, W_star, d, m
from derivations.t06_flat_low_rank.symbols import (
    ACTIVE_UNIT,
    FRAME,
    OTHER_UNITS,
    TASK,
    D,
    E,
    N,
    P,
    S,
    V,
    X,
    Y,
    a,
    c,
    delta,
    first_layer,
    g,
    k,
    kappa,
    r,
    rho,
    s,
    sigma,
    t,
    theta,
    uniform,
    w_par,
    w_perp,
)

__all__ = ["FORMULAS", "STEPS"]

FORMULAS = {
    "start_singular_value": sigma / sqrt(r),
    "start_parallel": s * sqrt(c),
    "start_orthogonal": s * sqrt(1 - c),
    "growth_rate": sqrt(g**2 + s**4 / 4),
    "fast_rate": kappa + s**2 / 2,
    "slow_rate": g**2 / rho,
    "rate_ratio": s**2 / (2 * kappa),
    "scaled_time": 2 * kappa * t,
    "growth_parallel": cosh(kappa * t) + s**2 / 2 * sinh(kappa * t) / kappa,
    "growth_readout": sinh(kappa * t) / kappa,
    "growth_orthogonal": exp(s**2 * t / 2),
    "lifted": s * Matrix([sqrt(c) * N, sqrt(1 - c) * E, sqrt(c) * g * S]).as_immutable(),
    "denominator": c * (N**2 - g**2 * S**2) + (1 - c) * E**2,
    "denominator_integral": 1
    + s**2 * c * rho / (2 * kappa) * (exp(2 * kappa * t) - 1) / (2 * kappa)
    + s**2 * c * delta / (2 * kappa) * (1 - exp(-2 * kappa * t)) / (2 * kappa)
    + (1 - c) * (exp(s**2 * t) - 1),
    "active_parallel": s * sqrt(c) * N / sqrt(D),
    "active_orthogonal": s * sqrt(1 - c) * E / sqrt(D),
    "active_readout": s * sqrt(c) * g * S / sqrt(D),
    "rate_parallel": a * (g - a * w_par),
    "rate_orthogonal": -(a**2) * w_perp,
    "rate_readout": g * w_par - a * (w_par**2 + w_perp**2),
    "conserved": a**2 - w_par**2 - w_perp**2,
    "lift_matrix": Matrix([[s**2 / 2, 0, g], [0, s**2 / 2, 0], [g, 0, -(s**2) / 2]]).as_immutable(),
    "active_norm_squared": s**2 * (c * N**2 + (1 - c) * E**2) / D,
    "active_readout_squared": s**2 * c * g**2 * S**2 / D,
    "denominator_positive": c * (1 + s**2 * S * N) + (1 - c) * E**2,
    "residual_parallel": g * (c + (1 - c) * E**2) / D,
    "residual_orthogonal": s**2 * g * sqrt(c * (1 - c)) * S * E / D,
    "loss": ((g - a * w_par) ** 2 + (a * w_perp) ** 2) / 2,
    "loss_positive": g**2
    * ((c + (1 - c) * E**2) ** 2 + c * (1 - c) * s**4 * S**2 * E**2)
    / (2 * D**2),
    "growth_gap": E
    * g**2
    / (2 * kappa)
    * ((exp(delta * t) - 1) / delta + (exp(-rho * t) - 1) / rho),
    "parallel_gap": (1 - c) * (N**2 - E**2) + c * g**2 * S**2,
    "orthogonal_gap": 1
    - theta**2
    + theta * (1 + theta) * exp(X) / 2
    - theta * (1 - theta) * exp(-X) / 2
    - exp(theta * X),
    "orthogonal_gap_odd": (theta - theta ** (2 * k + 1)) / factorial(2 * k + 1),
    "orthogonal_gap_even": (theta**2 - theta ** (2 * k + 2)) / factorial(2 * k + 2),
    "parallel_change": s * sqrt(c) * Y / (sqrt(D) * (N + sqrt(D))),
    "orthogonal_change": -s * sqrt(1 - c) * c * V / (sqrt(D) * (E + sqrt(D))),
}

_STATE = Matrix([w_par, w_perp, a])


def _start(start_singular_value, start_parallel, start_orthogonal):
    weights = first_layer(start_parallel, start_orthogonal, s)
    squared_norm = expand_traces(Trace(weights.T * weights), FRAME)
    projected = s * Matrix([c, sqrt(c * (1 - c))])
    return [
        start_singular_value - sp.sqrt(sigma**2 / (squared_norm / s**2)),
        sp.sqrt(sp.expand(start_parallel**2 + start_orthogonal**2)) - s,
        sqrt(c) * Matrix([start_parallel, start_orthogonal]) - projected,
    ]


def _on_the_active_direction(claim):
    """A statement of T1 for one output, white inputs, and weights of the reduced form."""
    one_output = T1.claims[claim].xreplace({m: sp.S.One})
    weights = {W1: first_layer(w_par, w_perp, s), W2: a * ACTIVE_UNIT.T}
    task = {Syx: g * TASK.T, W_star: g * TASK.T, Sxx: Identity(d)}
    return one_output.xreplace(
        {symbol.xreplace({m: sp.S.One}): value for symbol, value in (weights | task).items()}
    )


def _rates(rate_parallel, rate_orthogonal, rate_readout):
    first = first_layer(rate_parallel, rate_orthogonal, 0)
    return [
        coefficients(first - _on_the_active_direction("flow_1"), FRAME),
        coefficients(rate_readout * ACTIVE_UNIT.T - _on_the_active_direction("flow_2"), FRAME),
    ]


def _conservation(conserved, rate_parallel, rate_orthogonal, rate_readout):
    rates = Matrix([rate_parallel, rate_orthogonal, rate_readout])
    start = {w_par: s * sqrt(c), w_perp: s * sqrt(1 - c), a: 0}
    matrix = conserved * ACTIVE_UNIT * ACTIVE_UNIT.T - s**2 * OTHER_UNITS * OTHER_UNITS.T
    return [
        Matrix([conserved]).jacobian(_STATE) * rates,
        conserved.subs(start) + s**2,
        coefficients(_on_the_active_direction("conserved") - matrix, FRAME),
    ]


def _lift(lift_matrix, rate_parallel, rate_orthogonal, rate_readout):
    rates = Matrix([rate_parallel, rate_orthogonal, rate_readout])
    lifted_rates = lift_matrix * _STATE - _STATE.dot(_STATE) * _STATE / 2
    # Equal once a^2 - |w|^2 = -s^2 is used: the difference is a multiple of this polynomial.
    law = a**2 - w_par**2 - w_perp**2 + s**2
    return [sp.rem(sp.expand(x), law, a) for x in rates - lifted_rates]


def _eigenvalues(closed, lift_matrix, growth_rate, fast_rate, slow_rate):
    growing, decaying = Matrix([rho, 0, g]), Matrix([-delta, 0, g])
    residuals = [lift_matrix * growing - kappa * growing, lift_matrix * decaying + kappa * decaying]
    return [
        *(uniform(closed(x)) for residual in residuals for x in residual),
        uniform(closed(growth_rate)) - g * (P + 1 / P) / 2,
        uniform(closed(fast_rate)) - g * P,
        uniform(closed(slow_rate)) - g / P,
    ]


def _linear_flow(closed, lifted, lift_matrix, growth_parallel, growth_readout, growth_orthogonal):
    growths = {N: growth_parallel, S: growth_readout, E: growth_orthogonal}
    path = lifted.xreplace(growths)
    residual = path.diff(t) - lift_matrix * path
    start = s * Matrix([sqrt(c), sqrt(1 - c), 0])
    return [uniform(closed(x)) for x in residual] + [path.subs(t, 0) - start]


def _denominator(closed, denominator, denominator_integral, lifted):
    integral = closed(denominator_integral)
    return [
        uniform(integral.diff(t) - closed(lifted.dot(lifted))),
        integral.subs(t, 0) - 1,
        uniform(closed(denominator) - integral),
    ]


def _trajectory(
    closed,
    active_parallel,
    active_orthogonal,
    active_readout,
    rate_parallel,
    rate_orthogonal,
    rate_readout,
):
    path = Matrix([active_parallel, active_orthogonal, active_readout])
    rates = Matrix([rate_parallel, rate_orthogonal, rate_readout])
    start = s * Matrix([sqrt(c), sqrt(1 - c), 0])
    # N, S, E and D move too; sqrt(D) is cleared so that the residual is rational.
    moving = {symbol: closed(symbol) for symbol in (N, S, E, D)}
    drift = sum(
        (path.diff(symbol) * formula.diff(t) for symbol, formula in moving.items()),
        sp.zeros(3, 1),
    )
    on_path = rates.xreplace(dict(zip(_STATE, path, strict=True)))
    residual = (drift - on_path).applyfunc(lambda x: sp.expand(x * D ** sp.Rational(3, 2)))
    at_zero = {symbol: formula.subs(t, 0) for symbol, formula in moving.items()}
    return [uniform(closed(x)) for x in residual] + [
        closed((path - start).xreplace(at_zero).as_immutable())
    ]


def _squares(
    active_norm_squared, active_readout_squared, active_parallel, active_orthogonal, active_readout
):
    return [
        active_norm_squared - active_parallel**2 - active_orthogonal**2,
        active_readout_squared - active_readout**2,
    ]


def _residuals(
    closed,
    residual_parallel,
    residual_orthogonal,
    active_parallel,
    active_orthogonal,
    active_readout,
):
    along_task = residual_parallel - (g - active_readout * active_parallel)
    return [
        uniform(closed(sp.expand(along_task * D))),
        residual_orthogonal - active_readout * active_orthogonal,
    ]


def _loss(loss, loss_positive, residual_parallel, residual_orthogonal):
    return [
        expand_traces(_on_the_active_direction("loss"), FRAME) - loss,
        loss_positive - (residual_parallel**2 + residual_orthogonal**2) / 2,
    ]


def _growth_gap(closed, growth_gap):
    return uniform(closed(growth_gap - (N - E)))


def _parallel_gap(closed, parallel_gap):
    return uniform(closed(parallel_gap - (N**2 - D)))


def _orthogonal_gap(closed, rate_ratio, scaled_time, orthogonal_gap):
    return [
        uniform(closed(rate_ratio * scaled_time - s**2 * t)),
        uniform(closed(scaled_time)) - g * (P + 1 / P) * t,
        uniform(closed(c * orthogonal_gap - (D - E**2))),
    ]


def _series(orthogonal_gap, orthogonal_gap_odd, orthogonal_gap_even):
    def derivative(order):
        # V is a constant and exponentials e^(aX), and a^n is the n-th derivative of e^(aX) at 0.
        constant = orthogonal_gap.replace(exp, lambda _: sp.S.Zero)
        return sp.expand(orthogonal_gap.replace(exp, lambda x: (x / X) ** order) - constant)

    return [
        orthogonal_gap.subs(X, 0),
        derivative(1),
        derivative(2),
        orthogonal_gap_odd * factorial(2 * k + 1) - derivative(2 * k + 1),
        orthogonal_gap_even * factorial(2 * k + 2) - derivative(2 * k + 2),
    ]


def _changes(parallel_change, orthogonal_change, active_parallel, active_orthogonal):
    gaps = {Y: N**2 - D, V: (D - E**2) / c}
    return [
        parallel_change.xreplace(gaps) - (active_parallel - s * sqrt(c)),
        orthogonal_change.xreplace(gaps) - (active_orthogonal - s * sqrt(1 - c)),
    ]


STEPS = (
    Step(
        ("start_singular_value", "start_parallel", "start_orthogonal"),
        "All r singular values are equal, so the singular vectors may be turned: let the first "
        "right one point along the projection of beta on the row space, which has the components "
        "c and sqrt(c(1 - c)) on b and n; the others are then orthogonal to beta.",
        Zero(_start),
    ),
    Step(
        ("rate_parallel", "rate_orthogonal", "rate_readout"),
        "Put W1 = u(w_par b + w_perp n)' + s UQ' and W2 = a u' into the flow of T1: nothing "
        "leaves this form. The other directions see neither beta nor w, so their readout stays "
        "0, and with a silent readout they do not move.",
        Substitution(_rates, equation="the flow of T1 with Syx = g b', Sxx = I"),
    ),
    Step(
        ("conserved",),
        "T1's matrix is this number times uu' minus s^2 UU', and at the start it is -s^2: on the "
        "r hidden directions in use the network is lambda-balanced with lambda = -s^2.",
        Zero(_conservation),
    ),
    Step(
        ("lift_matrix",),
        "With a^2 = |w|^2 - s^2 the rates of q = (w_par, w_perp, a) become F q - |q|^2 q/2. Such "
        "a flow is linear up to length: if p' = F p and D' = |p|^2 then q = p/sqrt(D) solves it.",
        Substitution(_lift, equation="q' = F q - |q|^2 q/2, modulo a^2 - |w|^2 + s^2"),
    ),
    Step(
        ("growth_rate", "fast_rate", "slow_rate"),
        "F acts on (w_par, a) with the eigenvalues kappa, eigenvector (rho, g), and -kappa, "
        "eigenvector (-delta, g). All three numbers are positive, rho = kappa + s^2/2 and "
        "delta = kappa - s^2/2, the latter written without subtraction.",
        Zero(_eigenvalues),
    ),
    Step(
        ("growth_parallel", "growth_readout", "growth_orthogonal", "lifted"),
        "The linear flow p = e^(Ft) q(0).",
        Substitution(_linear_flow, equation="p' = F p, p(0) = s (sqrt(c), sqrt(1 - c), 0)"),
    ),
    Step(
        ("denominator_integral", "denominator"),
        "D = 1 + integral of |p|^2: first with the components of p on the eigenvectors, then "
        "shorter, as the conservation law demands.",
        Substitution(_denominator, equation="D' = |p|^2, D(0) = 1"),
    ),
    Step(
        ("active_parallel", "active_orthogonal", "active_readout"),
        "The closed form of the active direction.",
        Substitution(_trajectory, equation="the three rates, with the start"),
    ),
    Step(
        ("active_norm_squared", "active_readout_squared"),
        "Squares of the closed form.",
        Zero(_squares),
    ),
    Step(
        ("denominator_positive",),
        "N^2 - g^2 S^2 = 1 + s^2 S N: D is a sum of positive terms.",
        Zero(lambda closed, denominator_positive: uniform(closed(denominator_positive - D))),
    ),
    Step(
        ("residual_parallel", "residual_orthogonal"),
        "What is left of the task, g - a w_par along b and a w_perp along n, without subtraction.",
        Zero(_residuals),
    ),
    Step(
        ("loss", "loss_positive"),
        "T1's loss with W* = g b'; with the two residuals above it is a sum of positive terms.",
        Zero(_loss),
    ),
    Step(
        ("growth_gap",),
        "N - E without subtraction (expm1 of both exponents), as rho + delta = 2 kappa and "
        "rho delta = g^2.",
        Zero(_growth_gap),
    ),
    Step(
        ("parallel_gap",),
        "N^2 - D, a sum of positive terms given N - E.",
        Zero(_parallel_gap),
    ),
    Step(
        ("rate_ratio", "scaled_time", "orthogonal_gap"),
        "D - E^2 = c V, where V depends on theta and X alone.",
        Zero(_orthogonal_gap),
    ),
    Step(
        ("orthogonal_gap_odd", "orthogonal_gap_even"),
        "Coefficients of X^(2k+1) and X^(2k+2) in V, for k >= 1; the terms up to X^2 vanish. "
        "They are not negative, as 0 <= theta < 1. For small X, where the closed form cancels.",
        Zero(_series),
    ),
    Step(
        ("parallel_change", "orthogonal_change"),
        "A difference of square roots is the difference of the squares over their sum.",
        Zero(_changes),
    ),
)
