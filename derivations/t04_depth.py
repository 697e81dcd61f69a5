"""T4: one balanced, aligned mode of a linear network of any depth."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, MatrixSymbol, Trace, log

from derivations.checks import Substitution, Zero, hypergeometric_term
from derivations.frame import Derivation, Step
from derivations.matrix_words import coefficients, expand_traces, orthonormal
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import (
    Above,
    Below,
    Lower,
    Sxx,
    Syx,
    Upper,
    d,
    h,
    inner,
    m,
    outer,
)

__all__ = ["DERIVATION"]

L, s, t, u, u0, a = sp.symbols("L s t u u_0 a", positive=True)
gamma = sp.Symbol("gamma", real=True)
y, y0, above, above0 = sp.symbols("y y_0 w w_0", positive=True)
now, start, now_above, start_above = sp.symbols("g_y g_y0 g_w g_w0", real=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
below = sp.Symbol("p", integer=True, nonnegative=True)  # number of layers below
INVERSE = sp.Symbol("epsilon", positive=True)  # 1/L

# The mode's directions: below the layer, in it, above it; at the input and at the output.
FROM, AT, TO = MatrixSymbol("i", inner, 1), MatrixSymbol("j", h, 1), MatrixSymbol("k", outer, 1)
INPUT, OUTPUT = MatrixSymbol("v", d, 1), MatrixSymbol("o", m, 1)
FRAME: dict = {}
for direction in (FROM, AT, TO, INPUT, OUTPUT):
    FRAME |= orthonormal(direction)


def _hypergeometric(power, argument):
    return argument**power / power * sp.hyper([power, 1], [power + 1], argument)


FORMULAS = {
    "layer_rate": a ** (L - 1) * (s - a**L),
    "product": a**L,
    "rate": L * u ** (2 - 2 / L) * (s - u),
    "time_exponent": 2 / L - 1,
    "relative_strength": u / s,
    "relative_start": u0 / s,
    "relative_rate": L * s ** (1 - gamma) * y ** (1 - gamma) * (1 - y),
    "time_map_rate": y ** (gamma - 1) / (1 - y),
    "time_map": _hypergeometric(gamma, y),
    "time_map_start": _hypergeometric(gamma, y0),
    "mode_time": s ** (gamma - 1) / L * (now - start),
    "inverse_strength": s / u,
    "inverse_start": s / u0,
    "inverse_rate": L * s ** (1 - gamma) * above**gamma * (1 - above),
    "time_map_above": _hypergeometric(1 - gamma, above),
    "time_map_above_start": _hypergeometric(1 - gamma, above0),
    "mode_time_above": s ** (gamma - 1) / L * (now_above - start_above),
    "strength_one_layer": s + (u0 - s) * sp.exp(-t),
    "strength_two_layers": s / (1 + (s / u0 - 1) * sp.exp(-2 * s * t)),
    "time_two_layers": log((u * (s - u0)) / (u0 * (s - u))) / (2 * s),
    "rate_infinite_depth": u**2 * (s - u),
    "depth_time_infinite_depth": (log((u * (s - u0)) / (u0 * (s - u))) / s + 1 / u0 - 1 / u) / s,
    "error": s - u,
    "loss": (s - u) ** 2 / 2,
    "kernel": L * u ** (2 - 2 / L),
    "relative_kernel_change": (u / u0) ** (2 - 2 / L) - 1,
    "weight_change_squared": L * (u ** (1 / L) - u0 ** (1 / L)) ** 2,
    "weight_change_squared_final": L * (s ** (1 / L) - u0 ** (1 / L)) ** 2,
    "weight_change_squared_infinite_depth": log(u / u0) ** 2,
    "kernel_infinite_depth": u**2,
}


_MODE = {
    Lower: a * AT * FROM.T,
    Upper: a * TO * AT.T,
    Above: a ** (L - 2 - below) * OUTPUT * TO.T,
    Below: a**below * FROM * INPUT.T,
    Syx: s * OUTPUT * INPUT.T,
    Sxx: Identity(d),
}


def _layer(layer_rate, product):
    flows = {"flow_lower": AT * FROM.T, "flow_upper": TO * AT.T}
    whole = (Above * Upper * Lower * Below).xreplace(_MODE) - product * OUTPUT * INPUT.T
    return [
        coefficients(whole, FRAME),
        # every layer moves alike, and so stays balanced with its neighbours
        *(
            coefficients(T1.claims[flow].xreplace(_MODE) - layer_rate * direction, FRAME)
            for flow, direction in flows.items()
        ),
        coefficients(T1.claims["conserved_deep"].xreplace(_MODE), FRAME),
    ]


def _rate(product, layer_rate, rate):
    return product.diff(a) * layer_rate - rate.subs(u, product)


def _relative(time_exponent, relative_strength, relative_start, relative_rate, rate):
    return [
        relative_strength.diff(u) * rate
        - relative_rate.subs({gamma: time_exponent, y: relative_strength}),
        relative_start - relative_strength.subs(u, u0),
    ]


def _time_map(time_map, time_map_start, time_map_rate):
    # Term by term, by the definition of the series: y^(gamma + k)/(gamma + k), ...
    term = hypergeometric_term(time_map, k)
    integrated = y ** (gamma + k) / (gamma + k)
    derivative = sp.powsimp(integrated.diff(y)) / y ** (gamma + k - 1)
    return [
        sp.gammasimp(term / integrated) - 1,
        # ... of derivative y^(gamma + k - 1): a geometric series of ratio y.
        sp.simplify(derivative) - 1,
        time_map_rate * (1 - y) - y ** (gamma - 1),
        time_map_start - time_map.subs(y, y0),
    ]


def _mode_time(mode_time, time_map_rate, relative_rate):
    return [
        mode_time.diff(now) * time_map_rate * relative_rate - 1,
        mode_time.subs(now, start),
    ]


_MIRROR = {gamma: 1 - gamma, y: above, y0: above0}


def _inverse(time_exponent, inverse_strength, inverse_start, inverse_rate, rate, relative_rate):
    scale = L * s ** (1 - gamma)
    return [
        inverse_strength.diff(u) * rate
        - inverse_rate.subs({gamma: time_exponent, above: inverse_strength}),
        inverse_start - inverse_strength.subs(u, u0),
        inverse_rate / scale - (relative_rate / scale).subs(_MIRROR, simultaneous=True),
    ]


def _time_map_above(time_map, time_map_start, time_map_above, time_map_above_start):
    return [
        time_map_above - time_map.subs(_MIRROR, simultaneous=True),
        time_map_above_start - time_map_start.subs(_MIRROR, simultaneous=True),
    ]


def _mode_time_above(mode_time_above, time_map_rate, inverse_rate):
    slope = time_map_rate.subs(_MIRROR, simultaneous=True)
    return [
        mode_time_above.diff(now_above) * slope * inverse_rate - 1,
        mode_time_above.subs(now_above, start_above),
    ]


def _closed_forms(strength_one_layer, strength_two_layers, time_two_layers, rate):
    solutions = {1: strength_one_layer, 2: strength_two_layers}
    return [
        *(x.diff(t) - rate.subs({L: depth, u: x}) for depth, x in solutions.items()),
        *(x.subs(t, 0) - u0 for x in solutions.values()),
        time_two_layers.diff(u) * rate.subs(L, 2) - 1,
        time_two_layers.subs(u, u0),
    ]


def _infinitely_deep(rate_infinite_depth, depth_time_infinite_depth, rate):
    return [
        rate_infinite_depth - _without_end(rate / L),
        depth_time_infinite_depth.diff(u) * rate_infinite_depth - 1,
        depth_time_infinite_depth.subs(u, u0),
    ]


def _without_end(expression):
    """The limit L -> oo, where the expression is continuous in 1/L."""
    return expression.subs(L, 1 / INVERSE).subs(INVERSE, 0)


def _kernel(product, kernel, error, loss, rate):
    def by_layer(depth):
        layers = sp.symbols(f"a:{depth}", positive=True)
        slopes = (sp.prod(layers).diff(layer) for layer in layers)
        squares = sum(slope**2 for slope in slopes).subs(dict.fromkeys(layers, a))
        return squares - kernel.subs(L, depth).subs(u, a**depth)

    return [
        L * (product / a) ** 2 - kernel.subs(u, product),
        *(by_layer(depth) for depth in range(1, 6)),
        kernel * error - rate,
        loss.diff(u) + error,
        loss.subs(u, s),
    ]


def _changes(product, weight_change_squared, weight_change_squared_final):
    a0 = sp.Symbol("a_0", positive=True)
    moved = (a - a0) * AT * FROM.T
    layer = expand_traces(Trace(moved.T * moved), FRAME)
    return [
        weight_change_squared.subs({u: product, u0: product.subs(a, a0)}) - L * layer,
        weight_change_squared_final - weight_change_squared.subs(u, s),
    ]


def _deep_changes(
    kernel, weight_change_squared, weight_change_squared_infinite_depth, kernel_infinite_depth
):
    roots = {strength: sp.Symbol(f"log {strength}", real=True) for strength in (u, u0)}
    root = sp.sqrt(weight_change_squared / L).subs(L, 1 / INVERSE)
    # (u^e - u0^e)/e tends to its derivative in e: u^e = exp(e log u).
    slope = root.replace(sp.Abs, lambda x: x).diff(INVERSE).subs(INVERSE, 0)
    logs = {log(strength): symbol for strength, symbol in roots.items()}
    return [
        root.subs(INVERSE, 0),
        sp.expand_log(slope).subs(logs) ** 2
        - sp.expand_log(weight_change_squared_infinite_depth).subs(logs),
        kernel_infinite_depth - _without_end(kernel / L),
    ]


STEPS = (
    Step(
        ("layer_rate", "product"),
        "Put layers a times a unit outer product, each ending where the next begins, into T1's "
        "deep flow: p layers below the two neighbours, L - 2 - p above. Both keep their form and "
        "move alike, so the layers stay balanced, and the product of all is a^L. Any widths.",
        Substitution(_layer, equation="the deep flow of T1, Sxx = I, Syx = s o v'"),
    ),
    Step(
        ("rate",),
        "u = a^L, so u' = L a^(L-1) a'.",
        Substitution(_rate, equation="u = a^L and the rate of a"),
    ),
    Step(
        ("time_exponent", "relative_strength", "relative_start", "relative_rate"),
        "In units of the task, y = u/s.",
        Substitution(_relative, equation="u' = L u^(2 - 2/L) (s - u)"),
    ),
    Step(
        ("time_map_rate", "time_map", "time_map_start"),
        "The time is the integral of y^(gamma - 1)/(1 - y). This is a geometric series; "
        "integrated term by term it is the hypergeometric one (0 < y < 1, -1 < gamma <= 1, gamma "
        "not 0; L = 2 is below).",
        Zero(_time_map),
    ),
    Step(
        ("mode_time",),
        "The time at which the mode has come from u_0 to u, both below s.",
        Substitution(_mode_time, equation="dt/dg dg/dy dy/dt = 1, and t = 0 at the start"),
    ),
    Step(
        ("inverse_strength", "inverse_start", "inverse_rate"),
        "A mode above its task is one below it: w = s/u obeys the equation of y with the power "
        "1 - gamma in place of gamma (the scale of time stays).",
        Substitution(_inverse, equation="u' = L u^(2 - 2/L) (s - u)"),
    ),
    Step(
        ("time_map_above", "time_map_above_start"),
        "The time map of w, from the substitution.",
        Zero(_time_map_above),
    ),
    Step(
        ("mode_time_above",),
        "The time at which the mode has come from u_0 to u, both above s (for L > 1).",
        Substitution(_mode_time_above, equation="dt/dg dg/dw dw/dt = 1, and t = 0 at the start"),
    ),
    Step(
        ("strength_one_layer", "strength_two_layers", "time_two_layers"),
        "L = 1 is exponential, L = 2 logistic: closed on either side of s.",
        Substitution(_closed_forms, equation="u' = L u^(2 - 2/L) (s - u), u(0) = u_0"),
    ),
    Step(
        ("rate_infinite_depth", "depth_time_infinite_depth"),
        "L -> oo at fixed L t: du/d(L t), and L t as a function of u.",
        Substitution(_infinitely_deep, equation="du/d(L t) = u^2 (s - u), u(0) = u_0"),
    ),
    Step(
        ("error", "loss", "kernel"),
        "The tangent kernel of the mode is the sum over layers of (du/da_i)^2 = (a^(L-1))^2 (also "
        "by differentiating the product, for up to five layers). The error falls at the rate "
        "kernel times error, the force is minus the slope of the loss.",
        Zero(_kernel),
    ),
    Step(
        ("relative_kernel_change",),
        "Against the start.",
        Zero(
            lambda kernel, relative_kernel_change: (
                kernel / kernel.subs(u, u0) - 1 - relative_kernel_change
            )
        ),
    ),
    Step(
        ("weight_change_squared", "weight_change_squared_final"),
        "Each layer has moved by u^(1/L) - u_0^(1/L) along a matrix of norm 1; at the end u = s.",
        Zero(_changes),
    ),
    Step(
        ("weight_change_squared_infinite_depth", "kernel_infinite_depth"),
        "As L -> oo, L |dW|^2 and the kernel over L: (u^e - u_0^e)/e tends to log(u/u_0).",
        Zero(_deep_changes),
    ),
)

DERIVATION = Derivation(
    id="T4",
    title="Depth: one balanced, aligned mode of L layers",
    assumptions=(
        "Gradient flow of T1 with white inputs, Sxx = I.",
        "Every layer is a times a unit outer product, each ending in the direction in which the "
        "next begins, at the ends the singular vectors of the task: balanced and aligned.",
        "u_0 > 0 and s > 0. A network has L = 1, 2, 3, ...; the formulas hold for real L >= 1.",
    ),
    notation={
        L: "number of layers",
        a: "strength of one layer",
        s: "strength of the task",
        u: "strength of the product of the layers",
        u0: "the same at time 0",
        t: "time",
    },
    shorthand={
        gamma: "time_exponent",
        y: "relative_strength",
        y0: "relative_start",
        above: "inverse_strength",
        above0: "inverse_start",
        now: "time_map",
        start: "time_map_start",
        now_above: "time_map_above",
        start_above: "time_map_above_start",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in "
        "deep linear neural networks, arXiv:1312.6120, 2014.",
        "The mirror w = s/u and the limit of infinite depth as written here: this project.",
    ),
)
