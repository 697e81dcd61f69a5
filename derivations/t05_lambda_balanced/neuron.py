"""T5, fourth part: one hidden neuron, in closed form; T3 is a case of it."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, Matrix, exp, sqrt

from derivations.frame.checks import Substitution
from derivations.frame.derivation import Step
from derivations.t01_gradient_flow import Syx, h
from derivations.t05_lambda_balanced.symbols import (
    J1,
    J2,
    NEW_INPUT,
    NEW_OUTPUT,
    ONE_MODE,
    U_MODE,
    V_MODE,
    Delta,
    M,
    T,
    a0,
    alpha,
    b0,
    beta,
    c_minus,
    c_plus,
    kappa,
    lam,
    normal,
    p_across_in,
    p_across_out,
    p_first,
    p_readout,
    rational,
    s,
    t,
    w0,
    z0,
)

__all__ = ["FORMULAS", "STEPS"]

FORMULAS = {
    "start_growing": alpha * a0 + beta * b0,
    "start_decaying": beta * a0 - alpha * b0,
    "lifted_first": alpha * c_plus * exp(kappa * t) + beta * c_minus * exp(-kappa * t),
    "lifted_readout": beta * c_plus * exp(kappa * t) - alpha * c_minus * exp(-kappa * t),
    "lifted_across_first": w0 * exp(-lam * t / 2),
    "lifted_across_readout": z0 * exp(lam * t / 2),
    "denominator": 1
    + c_plus**2 * (exp(2 * kappa * t) - 1) / (2 * kappa)
    + c_minus**2 * (1 - exp(-2 * kappa * t)) / (2 * kappa)
    + w0**2 * (1 - exp(-lam * t)) / lam
    + z0**2 * (exp(lam * t) - 1) / lam,
    "neuron_lift_factor": 1 / sqrt(Delta),
    "neuron_first": p_first / sqrt(Delta),
    "neuron_readout": p_readout / sqrt(Delta),
    "neuron_across_first": p_across_in / sqrt(Delta),
    "neuron_across_readout": p_across_out / sqrt(Delta),
    "mode_error": (s - a0 * b0) / Delta,
}

_LIFT = Matrix([[-lam / 2, 0, s, 0], [0, -lam / 2, 0, 0], [s, 0, lam / 2, 0], [0, 0, 0, lam / 2]])
_LIFTED = (p_first, p_across_in, p_readout, p_across_out)
_START = Matrix([a0, w0, b0, z0])


def _lift_of_one(lift_matrix):
    """F on the four directions of one neuron: along and across the mode in W1, and in W2."""
    matrix = lift_matrix.xreplace({Syx: s * U_MODE * V_MODE.T})
    columns = (J1 * V_MODE, J1 * NEW_INPUT, J2 * U_MODE, J2 * NEW_OUTPUT)
    for i, row in enumerate(columns):
        for j, column in enumerate(columns):
            yield normal(row.T * matrix * column - _LIFT[i, j] * Identity(1), ONE_MODE)


def _linear(
    closed,
    lift_matrix,
    start_growing,
    start_decaying,
    lifted_first,
    lifted_across_first,
    lifted_readout,
    lifted_across_readout,
):
    path = Matrix([lifted_first, lifted_across_first, lifted_readout, lifted_across_readout])
    yield from _lift_of_one(lift_matrix)
    starts = {c_plus: start_growing, c_minus: start_decaying}
    at_zero = path.xreplace(starts).subs(t, 0) - _START
    yield [rational(closed(entry)) for entry in path.diff(t) - _LIFT * path]
    yield [rational(closed(entry)) for entry in at_zero]


def _denominator(closed, denominator):
    squares = sum(entry**2 for entry in _LIFTED)
    return [
        rational(closed(denominator.diff(t)) - closed(squares)),
        denominator.subs(t, 0) - 1,
    ]


def _neuron(
    lift_factor_rate,
    neuron_lift_factor,
    neuron_first,
    neuron_across_first,
    neuron_readout,
    neuron_across_readout,
):
    # For h = 1 the rate of T is -T^3 M/2, with M = |p|^2 = dDelta/dt.
    lifted = Matrix(_LIFTED)
    path = Matrix([neuron_first, neuron_across_first, neuron_readout, neuron_across_readout])
    squared = sum(entry**2 for entry in _LIFTED)
    drift = path.jacobian(lifted) * (_LIFT * lifted) + path.diff(Delta) * squared
    rate = lift_factor_rate.xreplace(
        {T: neuron_lift_factor * Identity(h), M: squared * Identity(h)}
    )
    return [
        drift - (_LIFT * path - path.dot(path) * path / 2),
        path.subs(Delta, 1) - lifted,
        normal(neuron_lift_factor.diff(Delta) * squared * Identity(h) - rate),
        neuron_lift_factor.subs(Delta, 1) - 1,
    ]


def _mode_error(closed, mode_error, neuron_first, neuron_readout):
    lifted, squared = Matrix([p_first, p_readout]), p_first**2 + p_readout**2
    path = Matrix([neuron_first, neuron_readout])
    lift = _LIFT[::2, ::2]
    drift = path.jacobian(lifted) * lift * lifted + path.diff(Delta) * squared
    by_t3 = mode_error * Matrix([neuron_readout, neuron_first])
    residuals = [
        (mode_error - s + neuron_first * neuron_readout) * Delta,
        *((drift - by_t3) * Delta ** sp.Rational(3, 2)),
    ]
    # With nothing across the mode, and modulo lambda = b0^2 - a0^2.
    law = sp.expand(rational(b0**2 - a0**2 - lam))
    for residual in residuals:
        written = rational(closed(sp.expand(residual)).xreplace({w0: 0, z0: 0}))
        yield sp.rem(sp.numer(sp.together(written)), law, b0)


STEPS = (
    Step(
        (
            "start_growing",
            "start_decaying",
            "lifted_first",
            "lifted_across_first",
            "lifted_readout",
            "lifted_across_readout",
        ),
        "One neuron, one mode: E Q0 on the four directions along and across it.",
        Substitution(_linear, equation="p' = F p, p(0) = (a0, w0, b0, z0)"),
    ),
    Step(
        ("denominator",),
        "N for one neuron (as lambda -> 0 its last two terms become w0^2 t and z0^2 t).",
        Substitution(_denominator, equation="Delta' = |p|^2, Delta(0) = 1"),
    ),
    Step(
        (
            "neuron_lift_factor",
            "neuron_first",
            "neuron_across_first",
            "neuron_readout",
            "neuron_across_readout",
        ),
        "T is a number, 1/sqrt(N), and the weights themselves are known. With nothing across the "
        "mode (w0 = z0 = 0) this is T3.",
        Substitution(_neuron, equation="q' = F q - |q|^2 q/2 and the rate of T"),
    ),
    Step(
        ("mode_error",),
        "What is left of the task when w0 = z0 = 0 and lambda = b0^2 - a0^2, with which the "
        "closed form satisfies the equations of one mode, T2.",
        Substitution(_mode_error, equation="a' = b (s - ab), b' = a (s - ab)"),
    ),
)
