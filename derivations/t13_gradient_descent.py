"""T13: gradient descent of step eta, against the flow."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol, Trace, ZeroMatrix, log, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.matrix_words import coefficients, entries, rate_of_change
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, E, Sxx, Syx, d, h, m

__all__ = ["DERIVATION", "eta"]

p = sp.Symbol("p", integer=True, positive=True)
theta, delta = MatrixSymbol("theta", p, 1), MatrixSymbol("delta", p, 1)
gradient, hessian = MatrixSymbol("g", p, 1), MatrixSymbol("H", p, p)
turn = MatrixSymbol("dH", p, p)  # rate of change of H, which no result contains
moved, half_hessian = MatrixSymbol("x", p, 1), MatrixSymbol("A", p, p)

eta, t = sp.symbols("eta t", positive=True)
loss = sp.Symbol("l", real=True)
slope, slope0, curvature = sp.symbols("f f_0 k", positive=True)
a, b, s = sp.symbols("a b s", real=True)
e, imbalance = sp.symbols("e lambda", real=True)
u, u0 = sp.symbols("u u_0", positive=True)
limit, c1, c2 = sp.symbols("y c_1 c_2", real=True)
full, half = sp.symbols("y_eta y_eta/2", real=True)

G1, G2 = MatrixSymbol("G1", h, d), MatrixSymbol("G2", m, h)
error_rate = MatrixSymbol("dE", m, d)

FORMULAS = {
    "descent_step": theta - eta * gradient,
    "local_error": -(eta**2) / 2 * hessian * gradient,
    "modified_rate": -gradient - eta / 2 * hessian * gradient,
    "modified_loss": loss + eta / 4 * Trace(gradient.T * gradient),
    "deviation_rate": -hessian * delta - hessian * gradient / 2,
    "deviation_quadratic": -t / 2 * hessian * gradient,
    "deviation_one_parameter": slope * log(slope / slope0) / 2,
    "mode_error": s - a * b,
    "imbalance": b**2 - a**2,
    "mode_rate_first": e * b + eta * e * (b**3 + a * (2 * a * b - s)) / 2,
    "mode_rate_second": e * a + eta * e * (a**3 + b * (2 * a * b - s)) / 2,
    "imbalance_rate": -eta * e**2 * imbalance,
    "imbalance_after_step": imbalance * (1 - eta**2 * e**2),
    "balanced_rate": 2 * u * (s - u) * (1 + eta * (3 * u - s) / 2),
    "balanced_deviation": -u * (s - u) * log(sqrt(u / u0) * (s - u) / (s - u0)),
    "error": Syx - W2 * W1 * Sxx,
    "flow_1": W2.T * E,
    "flow_2": E * W1.T,
    "error_rate": -(G2 * W1 + W2 * G1) * Sxx,
    "modified_rate_1": G1 - eta / 2 * (G2.T * E + W2.T * error_rate),
    "modified_rate_2": G2 - eta / 2 * (E * G1.T + error_rate * W1.T),
    "conserved_after_step": W2.T * W2 - W1 * W1.T + eta**2 * (G2.T * G2 - G1 * G1.T),
    "value": limit + c1 * eta + c2 * eta**2,
    "value_at_half_step": limit + c1 * eta / 2 + c2 * eta**2 / 4,
    "halving_ratio": (2 * c1 + c2 * eta) / (4 * (c1 + c2 * eta)),
    "richardson": 2 * half - full,
    "richardson_error": -c2 * eta**2 / 2,
}


def _up_to(order, values):
    """The coefficients of eta^0 .. eta^order, which must vanish."""
    return [sp.expand(x).coeff(eta, i) for x in values for i in range(order + 1)]


def _along(speed):
    """The rates of all that moves with theta: the chain rule."""
    return {theta: speed, gradient: hessian * speed, hessian: turn}


def _after(rate, position=theta, rates=_along):
    """Taylor's polynomial of second order: the position after a time eta."""
    return position + eta * rate + eta**2 / 2 * rate_of_change(rate, rates(rate))


def _local(descent_step, local_error):
    return [
        coefficients(descent_step - _after(-gradient) - local_error),
        coefficients(descent_step.xreplace({gradient: ZeroMatrix(p, 1)}) - theta),
    ]


def _modified(descent_step, modified_rate):
    return _up_to(2, coefficients(_after(modified_rate) - descent_step))


def _modified_by_index(descent_step, modified_rate, modified_loss):
    """The same for an abstract loss of one, two and three parameters, by partial derivatives."""
    for size in (1, 2, 3):
        place = sp.symbols(f"theta:{size}", real=True)
        value = sp.Function("loss")(*place)
        meaning = {sp.Symbol(f"theta[{i},0]"): x for i, x in enumerate(place)}
        meaning |= {sp.Symbol(f"g[{i},0]"): value.diff(x) for i, x in enumerate(place)}
        meaning |= {
            sp.Symbol(f"H[{i},{j}]"): value.diff(x, y)
            for i, x in enumerate(place)
            for j, y in enumerate(place)
        }
        rate, step = (
            entries(claim, {p: size}).xreplace(meaning) for claim in (modified_rate, descent_step)
        )
        change = rate.jacobian(place) * rate
        after = sp.Matrix(place) + eta * rate + eta**2 / 2 * change
        potential = entries(modified_loss, {p: size}).xreplace({**meaning, loss: value})
        yield _up_to(2, after - step)
        yield [(speed + potential.diff(x)).doit() for x, speed in zip(place, rate, strict=True)]


def _modified_loss(modified_loss, modified_rate):
    """The differential of the modified loss, for H symmetric: H = A + A'."""
    symmetric = {hessian: half_hessian + half_hessian.T}
    correction = modified_loss - loss
    differential = Trace(gradient.T * moved) + rate_of_change(
        correction, {gradient: hessian * moved}
    )
    return [
        (differential + Trace(modified_rate.T * moved)).xreplace(symmetric),
        modified_loss.subs(eta, 0) - loss,
    ]


def _deviation(deviation_rate, modified_rate):
    displaced = {gradient: gradient + eta * hessian * delta, hessian: hessian + eta * turn}
    rate = modified_rate.xreplace(displaced)
    return _up_to(1, coefficients(rate + gradient - eta * deviation_rate))


def _constant_curvature(deviation_quadratic, deviation_rate):
    rates = {gradient: -hessian * gradient}
    # t and the gradient move: d/dt = partial derivative + chain rule
    explicit = deviation_quadratic.xreplace({t: sp.S.One})
    whole = explicit + rate_of_change(deviation_quadratic, rates)
    return [
        coefficients(whole - deviation_rate.xreplace({delta: deviation_quadratic})),
        coefficients(deviation_quadratic.xreplace({t: sp.S.Zero})),
    ]


def _one_parameter(deviation_one_parameter, deviation_rate):
    rate = entries(deviation_rate, {p: 1})[0].xreplace(
        {
            sp.Symbol("H[0,0]"): curvature,
            sp.Symbol("g[0,0]"): slope,
            sp.Symbol("delta[0,0]"): deviation_one_parameter,
        }
    )
    return [
        deviation_one_parameter.diff(slope) * -curvature * slope - rate,
        deviation_one_parameter.subs(slope, slope0),
    ]


def _mode(closed, mode_error, mode_rate_first, mode_rate_second, modified_rate):
    place = sp.Matrix([a, b])
    value = (s - a * b) ** 2 / 2
    slopes = [value.diff(x) for x in place]
    meaning = {sp.Symbol(f"g[{i},0]"): x for i, x in enumerate(slopes)}
    meaning |= {
        sp.Symbol(f"H[{i},{j}]"): slopes[i].diff(place[j]) for i in range(2) for j in range(2)
    }
    general = entries(modified_rate, {p: 2}).xreplace(meaning)
    claimed = sp.Matrix([closed(mode_rate_first), closed(mode_rate_second)])
    return [claimed - general, mode_error**2 / 2 - value, mode_error.diff(a) + b]


def _imbalance(
    closed, imbalance, imbalance_rate, imbalance_after_step, mode_rate_first, mode_rate_second
):
    rate = imbalance.diff(a) * mode_rate_first + imbalance.diff(b) * mode_rate_second
    after = (b + eta * e * a) ** 2 - (a + eta * e * b) ** 2
    return [
        closed(rate - imbalance_rate),
        closed(after - imbalance_after_step),
        imbalance.subs(a, 0) - b**2,
    ]


def _balanced(closed, balanced_rate, balanced_deviation, mode_rate_first):
    alike = closed(mode_rate_first).subs(b, a)
    flow = balanced_rate.subs(eta, 0)
    correction = balanced_rate.diff(eta)
    variational = flow.diff(u) * balanced_deviation + correction
    return [
        2 * a * alike - balanced_rate.subs(u, a**2),
        balanced_deviation.diff(u) * flow - variational,
        balanced_deviation.subs(u, u0),
    ]


def _two_layers(closed, error, flow_1, flow_2, error_rate):
    rates = {W1: G1, W2: G2}
    return [
        coefficients(error - T1.claims["error"]),
        coefficients(closed(flow_1) - T1.claims["flow_1"]),
        coefficients(closed(flow_2) - T1.claims["flow_2"]),
        coefficients(rate_of_change(error, rates) - error_rate),
    ]


def _two_layers_modified(closed, modified_rate_1, modified_rate_2):
    speeds = {W1: closed(modified_rate_1), W2: closed(modified_rate_2)}
    steps = {W1: W1 + eta * closed(G1), W2: W2 + eta * closed(G2)}
    for layer, speed in speeds.items():
        # To this order eta^2/2 times the acceleration needs only that of the flow.
        yield _up_to(
            2,
            coefficients(
                layer
                + eta * speed
                + eta**2 / 2 * rate_of_change(speed.subs(eta, 0).doit(), _plain(speeds))
                - steps[layer]
            ),
        )


def _plain(speeds):
    return {layer: speed.subs(eta, 0).doit() for layer, speed in speeds.items()}


def _conserved(closed, conserved_after_step):
    first, second = W1 + eta * closed(G1), W2 + eta * closed(G2)
    return coefficients(second.T * second - first * first.T - closed(conserved_after_step))


def _richardson(closed, value, value_at_half_step, halving_ratio, richardson, richardson_error):
    return [
        value.subs(eta, 0) - limit,
        value.diff(eta).subs(eta, 0) - c1,
        value.diff(eta, 2) / 2 - c2,
        value_at_half_step - value.subs(eta, eta / 2),
        halving_ratio * (value - limit) - (value_at_half_step - limit),
        halving_ratio.subs(eta, 0) - sp.Rational(1, 2),
        closed(richardson) - limit - richardson_error,
    ]


STEPS = (
    Step(
        ("descent_step", "local_error"),
        "One step, and the flow over the time eta, theta - eta g + eta^2/2 H g + O(eta^3), as "
        "theta' = -g and so theta'' = H g: their difference. Any number p of parameters.",
        Zero(_local),
    ),
    Step(
        ("modified_rate",),
        "A flow that passes through the steps up to eta^3 each, and so stays within O(eta^2) of "
        "them: Taylor's polynomial over the time eta, along this rate, is the step. H moves too, "
        "but its rate comes with eta^3.",
        Substitution(_modified, equation="theta(t + eta) = theta - eta g + O(eta^3)"),
    ),
    Step(
        ("modified_rate", "modified_loss"),
        "The same with partial derivatives of an abstract loss of one, two and three parameters, "
        "and the rate is minus the gradient of the modified loss.",
        Zero(_modified_by_index),
    ),
    Step(
        ("modified_loss",),
        "For any number of parameters, as H is symmetric: descent flows down the loss plus "
        "eta/4 |g|^2, and prefers flat places.",
        Zero(_modified_loss),
    ),
    Step(
        ("deviation_rate",),
        "Descent is at theta(t) + eta delta(t) + O(eta^2), theta(t) the flow and delta(0) = 0. "
        "At that place g is g + eta H delta + O(eta^2); the order eta of the modified rate is "
        "the equation of delta. So the distance from the flow is eta |delta(t)|, of slope 1.",
        Substitution(_deviation, equation="the modified equation at theta + eta delta, to O(eta)"),
    ),
    Step(
        ("deviation_quadratic",),
        "Where H is constant. Along the flow g' = -H g.",
        Substitution(_constant_curvature, equation="delta' = -H delta - H g/2, delta(0) = 0"),
    ),
    Step(
        ("deviation_one_parameter",),
        "One parameter, any loss: f is its slope now, f_0 at the start, and f' = -k f.",
        Substitution(_one_parameter, equation="delta' = -k delta - k f/2, delta(0) = 0"),
    ),
    Step(
        ("mode_error", "mode_rate_first", "mode_rate_second"),
        "The mode (a, b) with loss (s - ab)^2/2: g and H written out.",
        Substitution(_mode, equation="the modified rate"),
    ),
    Step(
        ("imbalance", "imbalance_rate", "imbalance_after_step"),
        "What the flow conserves, b^2 - a^2, shrinks: along the modified flow, and exactly, by "
        "1 - eta^2 e^2 in each step (both signs of imbalance; 0 stays 0).",
        Zero(_imbalance),
    ),
    Step(
        ("balanced_rate", "balanced_deviation"),
        "A balanced mode, a = b, u = a^2: its modified rate, and the constant in closed form as "
        "a function of where the flow is.",
        Substitution(
            _balanced, equation="delta' = (2s - 4u) delta + u (s - u)(3u - s), delta = 0 at u_0"
        ),
    ),
    Step(
        ("error", "flow_1", "flow_2", "error_rate"),
        "Two layers of matrices: T1's flow, and how the error moves along it.",
        Zero(_two_layers),
    ),
    Step(
        ("modified_rate_1", "modified_rate_2"),
        "Minus H g is minus the acceleration of the flow, differentiated word by word. Any size.",
        Substitution(_two_layers_modified, equation="W(t + eta) = W + eta G + O(eta^3)"),
    ),
    Step(
        ("conserved_after_step",),
        "The terms of order eta cancel as in the flow: exactly, D moves only by eta^2 in a step.",
        Zero(_conserved),
    ),
    Step(
        ("value", "value_at_half_step", "halving_ratio", "richardson", "richardson_error"),
        "Any smooth function of the weights at a fixed time is y + c_1 eta + c_2 eta^2 + ..., so "
        "halving eta halves the distance, and 2 y(eta/2) - y(eta) has lost the term c_1.",
        Zero(_richardson),
    ),
)

DERIVATION = Derivation(
    id="T13",
    title="Gradient descent of step eta",
    assumptions=(
        "Full-batch descent theta -> theta - eta g(theta), time = eta x number of steps.",
        "The loss is smooth; H is its Hessian, g its gradient; expansions at fixed time as "
        "eta -> 0.",
        "Modes: white inputs, loss (s - ab)^2/2, 0 < u < s or u > s.",
    ),
    notation={
        p: "number of parameters",
        d: "number of inputs",
        h: "number of hidden units",
        m: "number of outputs",
        theta: "parameters",
        gradient: "gradient of the loss",
        hessian: "Hessian of the loss",
        delta: "deviation of descent from the flow, over eta",
        eta: "step size",
        t: "time",
        loss: "loss",
        slope: "slope of the loss in one parameter, now",
        slope0: "the same at time 0",
        a: "first layer of a mode",
        b: "second layer of a mode",
        s: "strength of the task",
        u: "strength ab of a balanced mode on the flow",
        u0: "the same at time 0",
        W1: "first weights",
        W2: "second weights",
        Sxx: "input covariance",
        Syx: "input-output covariance",
        limit: "a value at the time t of the flow",
        c1: "its first coefficient in eta",
        c2: "its second coefficient in eta",
    },
    shorthand={
        e: "mode_error",
        imbalance: "imbalance",
        E: "error",
        G1: "flow_1",
        G2: "flow_2",
        error_rate: "error_rate",
        full: "value",
        half: "value_at_half_step",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "The modified equation is the backward error analysis of Euler's method: Hairer, Lubich "
        "and Wanner, Geometric Numerical Integration, chapter IX; for gradient descent Barrett "
        "and Dherin, Implicit gradient regularization, arXiv:2009.11162, 2021.",
        "The closed constants and the exact shrinking of the imbalance: this project.",
    ),
)
