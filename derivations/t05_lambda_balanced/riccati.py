"""T5, first part: the flow in Q, its solution, and the rotation of the hidden units."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, Trace, ZeroMatrix

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.frame.matrix_words import expand_traces, orthonormal, rate_of_change
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, W_star, d, h
from derivations.t05_lambda_balanced.symbols import (
    BLOCKS,
    INVERSE,
    J1,
    J2,
    Q0,
    D,
    E,
    F,
    M,
    N,
    O,
    P,
    Q,
    S,
    T,
    W,
    Z,
    lam,
    n,
    normal,
)

__all__ = ["FORMULAS", "STEPS"]

FORMULAS = {
    "stacked": J1 * W1.T + J2 * W2,
    "conserved": W2.T * W2 - W1 * W1.T,
    "lift_matrix": lam / 2 * (J2 * J2.T - J1 * J1.T) + J1 * Syx.T * J2.T + J2 * Syx * J1.T,
    "flow": F * Q - Q * Q.T * Q / 2,
    "unbalanced": (J2 * W2 - J1 * W1.T) * (D - lam * Identity(h)) / 2,
    "second_moment": Q * Q.T,
    "second_moment_rate": F * P + P * F - P * P,
    "representation": J1.T * P * J1,
    "readout": J2.T * P * J2,
    "map": J2.T * P * J1,
    "overlap": Q0.T * E.T * E * Q0,
    "lift_factor_rate": -T * T.T * M * T / 2,
    "weights": E * Q0 * T,
    "inverse": T * T.T,
    "inverse_rate": -INVERSE * M * INVERSE,
    "solution": E * Q0 * INVERSE * Q0.T * E.T,
    "generator": F - P / 2,
    "path_speed_squared": Trace(Z * Z * P),
    "rotated_flow": (F * Q - Q * Q.T * Q / 2) * O,
    "horizontal": Q.T * Z * Q,
    "step_defect": Q.T * (P * Z * Z - Z * Z * P) * Q / 12,
    "step_rotation": W * S + S * W,
}

# T1 on white inputs, where the best map is the covariance.
_WHITE = {Sxx: Identity(d), W_star: Syx}


def _balance(closed, stacked, conserved, lift_matrix, flow, unbalanced):
    first, second = (T1.claims[name].xreplace(_WHITE) for name in ("flow_1", "flow_2"))
    rate = rate_of_change(stacked, {W1: first, W2: second})
    return [
        normal(J1.T * stacked - W1.T, BLOCKS),
        normal(J2.T * stacked - W2, BLOCKS),
        normal(conserved - T1.claims["conserved"]),
        normal(lift_matrix - lift_matrix.T, BLOCKS, ()),
        normal(rate - closed(flow) - closed(unbalanced), BLOCKS),
    ]


def _riccati(second_moment, second_moment_rate, flow):
    moved = rate_of_change(second_moment, {Q: flow})
    return [
        normal(second_moment_rate.xreplace({P: second_moment}) - moved),
    ]


def _blocks(closed, representation, readout, map):
    pairs = ((representation, W1.T * W1), (readout, W2 * W2.T), (map, W2 * W1))
    return [normal(closed(block) - product, BLOCKS, ()) for block, product in pairs]


def _factor(overlap, lift_factor_rate, weights, flow):
    rate = lift_factor_rate.xreplace({M: overlap})
    residual = rate_of_change(weights, {E: F * E, T: rate}) - flow.xreplace({Q: weights})
    start = {E: Identity(n), T: Identity(h)}
    return [
        normal(residual),
        normal(weights.xreplace(start) - Q0),
        normal(overlap - (E * Q0).T * (E * Q0)),
    ]


def _inverse(inverse, inverse_rate, lift_factor_rate):
    # X = N T T' starts at I, and X = I is a solution of X' = (I - X) M T T'.
    product = N * inverse
    moved = rate_of_change(product, {N: M, T: lift_factor_rate})
    follows = (Identity(h) - product) * M * inverse
    unity = {((N, False), (INVERSE, False)): 1}
    return [
        normal(moved - follows),
        normal(inverse.xreplace({T: Identity(h)}) - Identity(h)),
        normal(M * INVERSE + N * inverse_rate, unity),
        normal(
            rate_of_change(inverse, {T: lift_factor_rate})
            - inverse_rate.xreplace({INVERSE: inverse})
        ),
    ]


def _solution(solution, second_moment_rate, overlap, inverse, inverse_rate, weights):
    rates = {E: F * E, INVERSE: inverse_rate.xreplace({M: overlap})}
    moved = rate_of_change(solution, rates)
    return [
        normal(moved - second_moment_rate.xreplace({P: solution})),
        normal(solution.xreplace({E: Identity(n), INVERSE: Identity(h)}) - Q0 * Q0.T),
        normal(solution.xreplace({INVERSE: inverse}) - weights * weights.T),
    ]


def _speed(closed, generator, flow, path_speed_squared, unbalanced):
    rate = closed(flow + unbalanced)
    speed = T1.claims["path_speed_squared"].xreplace(_WHITE)
    through_generator = path_speed_squared.xreplace({Z: Z + Z.T, P: Q * Q.T})
    return [
        normal((generator * Q).xreplace({P: Q * Q.T}) - flow),
        expand_traces(through_generator - Trace(((Z + Z.T) * Q).T * ((Z + Z.T) * Q))),
        expand_traces(speed - Trace(rate.T * rate), BLOCKS),
    ]


def _rotation(flow, rotated_flow, second_moment):
    unity = orthonormal(O) | {((O, False), (O, True)): 1}
    turned = {Q: Q * O}
    return [
        normal(flow.xreplace(turned) - rotated_flow, unity),
        normal(second_moment.xreplace(turned) - second_moment, unity),
    ]


def _horizontal(horizontal, generator, second_moment, flow):
    written = horizontal.xreplace({Z: generator}).xreplace({P: second_moment})
    return [normal(written - Q.T * flow), normal(written - written.T)]


def _taylor(generator, second_moment, step_defect):
    # In the letters Z, P and Q: dQ/dt = ZQ, and so dP/dt = ZP + PZ and dZ/dt = -(dP/dt)/2.
    moved = Z * P + P * Z
    yield normal(rate_of_change(second_moment, {Q: Z * Q}) - moved.xreplace({P: second_moment}))
    rates = {Q: Z * Q, P: moved, Z: rate_of_change(generator, {P: moved})}
    derivative = Q
    for order, expected in ((1, ZeroMatrix(h, h)), (2, ZeroMatrix(h, h)), (3, step_defect)):
        derivative = rate_of_change(derivative, rates)
        skew = (derivative.T * Q - Q.T * derivative) / sp.factorial(order)
        yield normal(skew - expected)


def _polar(step_rotation):
    # A = (I + eps W) S with W' = -W: what is left of A - A', exactly.
    eps, skew = sp.Symbol("epsilon"), W - W.T
    matrix = (Identity(h) + eps * skew) * S
    written = step_rotation.xreplace({W: skew})
    return normal(matrix - S * (Identity(h) + eps * skew.T) - eps * written)


STEPS = (
    Step(
        ("stacked", "conserved", "lift_matrix", "flow", "unbalanced"),
        "Stack W1' over W2 (J1 and J2 put a block in its place). For any weights T1's flow of Q "
        "is F Q - Q Q'Q/2 plus a term with the factor D - lambda I. T1 conserves D, so for a "
        "start with D = lambda I that term is zero for ever. Words, any d, h and m.",
        Substitution(_balance, equation="the flow of T1 with Sxx = I"),
    ),
    Step(
        ("second_moment", "second_moment_rate"),
        "Q Q' then obeys a Riccati equation of its own, since F is symmetric.",
        Substitution(_riccati, equation="(Q Q')' = Q' (dQ/dt)' + (dQ/dt) Q'"),
    ),
    Step(
        ("representation", "readout", "map"),
        "Its blocks are R, B and W2 W1, and from them come loss, RA and KA.",
        Zero(_blocks),
    ),
    Step(
        ("overlap", "lift_factor_rate", "weights"),
        "Ansatz Q = E Q0 T: what E does not account for is the rate of T.",
        Substitution(_factor, equation="dQ/dt = F Q - Q Q'Q/2, Q(0) = Q0"),
    ),
    Step(
        ("inverse", "inverse_rate"),
        "N T T' is I at the start, and its rate is (I - N T T') M T T': it stays I, the solution "
        "of a linear equation being unique. N is I plus a sum of squares, so it is invertible, "
        "and the rate of its inverse is what the rate of N N^-1 = I leaves.",
        Substitution(_inverse, equation="dN/dt = M, dT/dt = -T T'M T/2"),
    ),
    Step(
        ("solution",),
        "So Q Q' is known in closed form, for all sizes; and it solves the Riccati equation by "
        "itself, through the rate of N^-1.",
        Substitution(_solution, equation="dP/dt = F P + P F - P P, P(0) = Q0 Q0'"),
    ),
    Step(
        ("generator", "path_speed_squared"),
        "dQ/dt = Z Q with Z symmetric, so the squared speed of the weights needs Q Q' alone; on "
        "lambda-balanced weights it is T1's tr E'BE + tr E R E'.",
        Zero(_speed),
    ),
    Step(
        ("rotated_flow", "second_moment"),
        "The flow turns with the hidden units and Q Q' does not notice: it fixes Q up to O.",
        Zero(_rotation),
    ),
    Step(
        ("horizontal",),
        "What fixes O: Q'dQ/dt = Q'ZQ is symmetric, so that Q is the horizontal lift of Q Q'. "
        "Another lift, turning at a skew rate W besides, adds Q'Q W, which is symmetric only if "
        "Q'Q W + W Q'Q = 0: for Q'Q > 0 only W = 0.",
        Zero(_horizontal),
    ),
    Step(
        ("step_defect",),
        "Over a time step eps the skew part of Q(t + eps)'Q(t), twice over, begins at eps^3 "
        "(its first two Taylor coefficients vanish), with this coefficient.",
        Zero(_taylor),
    ),
    Step(
        ("step_rotation",),
        "The polar factor of A = Q(t + eps)'Q(t), A = (I + W + ...) S, is therefore I up to a "
        "skew W of order eps^3: W S + S W = A - A' with S -> Q'Q > 0. For any other factors "
        "X = Q O' the polar factor is that of A between the two rotations, so the Procrustes "
        "step misses the rotation by O(eps^3).",
        Zero(_polar),
    ),
)
