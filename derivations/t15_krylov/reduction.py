"""T15, first part: the small network, what escapes it, and the measures of the large one."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp
from sympy import Identity, MatrixSymbol, Trace, factorial

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Step
from derivations.frame.matrix_words import coefficients, expand_traces, orthonormal, rate_of_change
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, d, h, m

__all__ = ["FORMULAS", "G0", "NOTATION", "SHORTHAND", "STEPS", "B", "G", "M", "W", "g", "k", "l"]

k, l, p, q = sp.symbols("k l p q", integer=True, positive=True)
U, V, W0, N = (
    MatrixSymbol(name, *shape)
    for name, shape in {"U": (h, k), "V": (d, l), "W0": (h, d), "N": (h, d)}.items()
)
B, W, A, Q = (
    MatrixSymbol(name, *shape)
    for name, shape in {"B": (k, l), "W": (k, l), "A": (m, k), "Q": (m, l)}.items()
)
V_IN, V_OUT = MatrixSymbol("V_in", d, p), MatrixSymbol("V_out", d, q)
B_IN, B_OUT = MatrixSymbol("B_in", k, p), MatrixSymbol("B_out", k, q)
X, Z = (MatrixSymbol(name, d, 1) for name in ("X", "Z"))
e = MatrixSymbol("e", m, l)
G, G0, M = (MatrixSymbol(name, l, l) for name in ("G", "G_0", "M"))
p1, p2, g, t, rho, reach, pole = sp.symbols("p1 p2 g t rho reach pole", positive=True)

_BEYOND = {((U, True), (N, False)): 0, ((N, True), (U, False)): 0}
FRAME = orthonormal(U) | orthonormal(V) | _BEYOND
# V in two blocks: W1(0) V_in lies in U, so that N V_in = 0.
SPLIT = (
    orthonormal(U)
    | orthonormal(V_IN, V_OUT)
    | _BEYOND
    | {((N, False), (V_IN, False)): 0, ((V_IN, True), (N, True)): 0}
)

FORMULAS = {
    "beyond": W0 - U * U.T * W0,
    "start": U * B * V.T + N,
    "first_layer": U * W * V.T + N,
    "readout": A * U.T,
    "small_error": Q - A * W,
    "small_flow_1": A.T * e,
    "small_flow_2": e * W.T,
    "escape": e * V.T * N.T,
    "krylov_step": (V_IN * B_IN.T + V_OUT * B_OUT.T) * B_IN,
    "resolvent_step": X - pole * Z,
    "small_moment_start": B.T * B,
    "small_moment": W.T * W,
    "representation": V * G * V.T + N.T * N,
    "coupling": V.T * W0.T * W0 * V - B.T * B,
    "representation_inner_product": p2
    - Trace(G0 * G0)
    + Trace(G0 * G)
    + Trace(M * G)
    - Trace(M * G0),
    "representation_norm_squared": p2
    - Trace(G0 * G0)
    + Trace(G * G)
    + 2 * Trace(M * G)
    - 2 * Trace(M * G0),
    "representation_trace": p1 - Trace(G0) + Trace(G),
    "weight_change_1_squared": Trace(W.T * W) - 2 * Trace(W.T * B) + Trace(B.T * B),
    "moment_gap": rho * reach,
    "loss_gap": -(g**2) / 2 * (2 * t) ** (2 * k + 1) / factorial(2 * k + 1) * rho * reach,
    "readout_gap": 2
    * g**2
    * (2 ** (2 * k + 1) - 1)
    * t ** (2 * k + 2)
    / factorial(2 * k + 2)
    * rho
    * reach,
}

NOTATION = {
    d: "number of inputs",
    h: "number of hidden units",
    m: "number of outputs",
    k: "hidden units of the small network (its order, for one output)",
    l: "inputs of the small network (k + 1 for one output)",
    p: "inputs of the small network whose image W1(0) v lies in the span of U",
    q: "the other inputs of the small network",
    W0: "W1(0), the first layer at the start",
    U: "orthonormal hidden directions",
    V: "orthonormal input directions that contain those of the task and W1(0)'U",
    V_IN: "the p of them whose image W1(0) v lies in the span of U",
    V_OUT: "the q others, the last of the chain",
    N: "W1(0) beyond U",
    B: "first layer of the small network at the start, U'W1(0) V",
    B_IN: "its columns that belong to V_in",
    B_OUT: "its columns that belong to V_out",
    W: "first layer of the small network now",
    A: "readout of the small network now",
    Q: "task of the small network: Syx = Q V'",
    p1: "tr R_0 of the large network",
    p2: "tr R_0^2 of the large network",
    g: "length of the task vector beta (one output)",
    t: "time",
    X: "an input direction of a rational Krylov space",
    Z: "the next one, (R_0 + pole)^-1 X",
    pole: "minus the pole of a rational Krylov space",
    rho: "the only entry of M for one output, the last on the diagonal (alpha_(k+1) squared)",
    reach: "(alpha_1 beta_1 ... alpha_k beta_k)^2, from the diagonal and superdiagonal of B",
}

SHORTHAND = {
    e: "small_error",
    G0: "small_moment_start",
    G: "small_moment",
    M: "coupling",
}

_START = U * B * V.T + N


def _form(beyond, start, first_layer):
    return [
        coefficients(beyond.xreplace({W0: _START}) - N, FRAME),
        coefficients(U.T * start - B * V.T, FRAME),
        coefficients(start - U * U.T * start - N, FRAME),
        coefficients(first_layer - start - U * (W - B) * V.T),
    ]


def _flow(
    closed, small_error, first_layer, readout, small_flow_1, small_flow_2, escape, representation
):
    given = {W1: first_layer, W2: readout, Syx: Q * V.T, Sxx: Identity(d)}
    flow_1, flow_2, error = (
        T1.claims[claim].xreplace(given) for claim in ("flow_1", "flow_2", "error")
    )
    return [
        coefficients(error - closed(small_error) * V.T, FRAME),
        coefficients(flow_1 - U * closed(small_flow_1) * V.T, FRAME),
        coefficients(flow_2 - closed(small_flow_2) * U.T - closed(escape), FRAME),
        # At breakdown nothing escapes.
        coefficients(closed(escape), FRAME | {((V, True), (N, True)): 0}),
        coefficients(closed(representation) - first_layer.T * first_layer, FRAME),
    ]


def _small_network(closed, small_error, small_flow_1, small_flow_2):
    """The three are T1's for a network of their own sizes."""
    moved = rate_of_change(
        Trace(closed(small_error).T * closed(small_error)) / 2,
        {W: closed(small_flow_1), A: closed(small_flow_2)},
    )
    speed = sum(Trace(x.T * x) for x in (closed(small_flow_1), closed(small_flow_2)))
    return moved + speed


def _krylov(krylov_step):
    first = U * (B_IN * V_IN.T + B_OUT * V_OUT.T) + N
    return coefficients(first.T * first * V_IN - krylov_step, SPLIT)


def _resolvent(resolvent_step):
    moment = W0.T * W0
    return coefficients(resolvent_step.xreplace({X: moment * Z + pole * Z}) - moment * Z)


def _coupling(coupling, small_moment_start, small_moment):
    return [
        coefficients(coupling.xreplace({W0: _START}) - V.T * N.T * N * V, FRAME),
        coefficients(small_moment_start - V.T * (_START - N).T * (_START - N) * V, FRAME),
        coefficients(small_moment - (U * W).T * (U * W), FRAME),
    ]


def _traces(
    closed,
    representation,
    representation_inner_product,
    representation_norm_squared,
    representation_trace,
    weight_change_1_squared,
):
    now = closed(representation)
    before = now.xreplace({W: B})
    whole = {p1: Trace(before), p2: Trace(before * before)}
    moved = U * (W - B) * V.T
    pairs = [
        (representation_inner_product, Trace(before * now)),
        (representation_norm_squared, Trace(now * now)),
        (representation_trace, Trace(now)),
        (weight_change_1_squared, Trace(moved.T * moved)),
    ]
    return [
        expand_traces(closed(x).xreplace(whole).xreplace({W0: _START}) - value, FRAME)
        for x, value in pairs
    ]


ORDERS = (1, 2, 3)


@lru_cache
def _chain(order, steps):
    """B (order x (order + 1)) of a chain that is known for this many steps, and its symbols."""
    alpha, beta = (sp.symbols(f"{name}1:{steps + 1}") for name in ("alpha", "beta"))
    small = sp.zeros(order, order + 1)
    for i in range(order):
        small[i, i], small[i, i + 1] = alpha[i], beta[i]
    product = sp.Mul(*((alpha[i] * beta[i]) ** 2 for i in range(order)))
    return small, alpha, beta, product


@lru_cache
def _moments(order, powers, steps):
    small = _chain(order, steps)[0]
    vector = sp.Matrix([1] + [0] * order)
    found = []
    for _ in range(powers):
        vector = (small.T * (small * vector)).applyfunc(sp.expand)
        found.append(vector[0])
    return found


@lru_cache
def _series(order, top, steps):
    """Taylor coefficients of the loss and of a^2 of a chain network, from (e, R) alone (T11)."""
    small, alpha, beta, _ = _chain(order, steps)
    ring = sp.QQ[(*alpha, *beta, g)]
    number, zero = ring.from_sympy, ring.zero
    size = range(order + 1)
    task = [number(g)] + [zero] * order
    error, readout = [list(task)], [zero]  # a^2 = tr R - tr R_0: the readout starts silent
    second = [[[number(sp.expand(x)) for x in row] for row in (small.T * small).tolist()]]

    def products(n, x, y):
        return sum((error[i][x] * error[n - i][y] for i in range(n + 1)), zero)

    for n in range(top):
        weight = number(sp.Rational(1, n + 1))
        moved = [
            [
                weight * (error[n][x] * task[y] + task[x] * error[n][y] - products(n, x, y) * 2)
                for y in size
            ]
            for x in size
        ]
        rate = [
            sum((second[n - i][x][y] * error[i][y] for i in range(n + 1) for y in size), zero)
            + sum((readout[n - i] * error[i][x] for i in range(n + 1)), zero)
            for x in size
        ]
        error.append([-weight * x for x in rate])
        second.append(moved)
        readout.append(sum((moved[x][x] for x in size), zero))
    loss = [sum((products(n, x, x) for x in size), zero) for n in range(top + 1)]
    return [ring.to_sympy(x) / 2 for x in loss], [ring.to_sympy(x) for x in readout]


def _truncation(moment_gap, loss_gap, readout_gap):
    for order in ORDERS:
        steps, top = order + 1, 2 * order + 1
        _, alpha, _, product = _chain(order, steps)
        values = {k: order, reach: product, rho: alpha[order] ** 2}
        exact, cut = ([sp.S.One, *_moments(size, top, steps)] for size in (steps, order))
        yield _first_gap(exact, cut, top, moment_gap.subs(values))
        (loss, readout), (cut_loss, cut_readout) = (
            _series(size, top + 1, steps) for size in (steps, order)
        )
        yield _first_gap(loss, cut_loss, top, loss_gap.subs(values) / t**top)
        yield _first_gap(readout, cut_readout, top + 1, readout_gap.subs(values) / t ** (top + 1))


def _first_gap(exact, cut, position, claimed):
    """Two sequences agree up to a position, where they differ by the claim."""
    gaps = [sp.expand(exact[i] - cut[i]) for i in range(position + 1)]
    return [*gaps[:-1], gaps[-1] - claimed]


STEPS = (
    Step(
        ("beyond", "start", "first_layer"),
        "U holds hidden directions, V orthonormal input directions that contain W1(0)'U. Then "
        "W1(0) = U B V' + N with U'N = 0. Let U X V' be added to it, and write W = B + X.",
        Zero(_form),
    ),
    Step(
        (
            "small_error",
            "readout",
            "small_flow_1",
            "small_flow_2",
            "escape",
            "first_layer",
            "representation",
        ),
        "Put W1 = U W V' + N and W2 = A U' into the flow of T1, the task in V. The change of W1 "
        "stays in U and V whatever N is; that of W2 is A' times U' and a part that escapes "
        "along N V. At breakdown N V = 0: nothing escapes and the reduction is exact. Any sizes, "
        "any number of outputs.",
        Substitution(_flow, equation="the flow of T1 with Syx = Q V', Sxx = I"),
    ),
    Step(
        ("small_error", "small_flow_1", "small_flow_2"),
        "W and A follow the gradient flow of the network they are: its loss falls at the rate of "
        "its squared speed.",
        Zero(_small_network),
    ),
    Step(
        ("krylov_step",),
        "Split V in the directions that W1(0) maps into U and the last ones, with B split alike. "
        "Then R_0 V_in = V B'B_in: for one output B is bidiagonal, each new direction is one more "
        "power of R_0 on beta, and V spans beta, R_0 beta, ..., R_0^k beta, U their images.",
        Zero(_krylov),
    ),
    Step(
        ("resolvent_step",),
        "With Z = (R_0 + p)^-1 X also R_0 Z = X - p Z lies in the span of X and Z. So "
        "R_0 takes the space of beta, Z_1 = (R_0 + p_1)^-1 beta, Z_2 = (R_0 + p_2)^-1 Z_1, ..., "
        "Z_k out of itself along one direction only, that of R_0 beta. Take this space for V_in, "
        "that direction for V_out and the range of W1(0) V_in for U: V contains W1(0)'U and all "
        "else here holds as it does for powers of R_0.",
        Zero(_resolvent),
    ),
    Step(
        ("coupling", "small_moment_start", "small_moment"),
        "M = V'N'N V is what the start sends from V out of U. N V_in = 0, so that only the last "
        "directions count: for one output M is rho = |W1(0) v_(k+1)|^2 - B_(k,k+1)^2.",
        Zero(_coupling),
    ),
    Step(
        (
            "representation_inner_product",
            "representation_norm_squared",
            "representation_trace",
            "weight_change_1_squared",
        ),
        "R_t = R_0 + V (G - G_0) V' and V'R_0 V = G_0 + M. Two global traces and M carry all that "
        "the measures need of the directions left out.",
        Zero(_traces),
    ),
    Step(
        ("moment_gap", "loss_gap", "readout_gap"),
        "How far a chain that is cut at k is wrong. From T11, e' = -(R + a^2) e and "
        "R' = e beta' + beta e' - 2 e e': R_0 and g have the unit of a rate, so the n-th "
        "derivative of the loss at 0 knows beta'R_0^j beta for j <= n only. T = B'B has the same "
        "moments up to 2k, as T^k e_1 = V'R_0^k v_1; at 2k + 1 it lacks rho times the square of "
        "the last entry of T^k e_1. That moment enters the derivative of order 2k + 1 through "
        "e = exp(-R_0 t) beta alone. So the first 2k derivatives of the loss agree; the next "
        "term is its gap (large minus small), of order t^(2k+1). That of a^2 = |W2|^2, hence of "
        "tr R, is of order t^(2k+2). Moments and Taylor series compared for k in "
        f"{ORDERS} with symbolic coefficients, one step of the chain further.",
        Zero(_truncation),
    ),
)
