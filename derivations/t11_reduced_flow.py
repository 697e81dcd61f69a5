"""T11: the flow that is left when only what can move is kept."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, KroneckerProduct, MatrixSymbol, Trace

from derivations.checks import Substitution, Zero
from derivations.frame import Derivation, Step
from derivations.matrix_words import (
    coefficients,
    entries,
    expand_traces,
    kronecker_inner_product,
    orthonormal,
    rate_of_change,
)
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, d, h, m

__all__ = ["B0", "DERIVATION", "R0", "Bt", "C", "Rt", "S"]

k, l, n = sp.symbols("k l n", integer=True, positive=True)
a_start, t_start, t_now = sp.symbols("a_0 trR_0 trR_t", positive=True)

# One output, white inputs.
w, beta, e = MatrixSymbol("w", h, 1), MatrixSymbol("beta", d, 1), MatrixSymbol("e", d, 1)
R, a2 = MatrixSymbol("R", d, d), MatrixSymbol("a^2", 1, 1)

# Any number of outputs, any inputs.
U, V, N, P = (
    MatrixSymbol(name, *shape)
    for name, shape in {"U": (h, k), "V": (d, l), "N": (h, d), "P": (d, d)}.items()
)
B, W, A, Q, T = (
    MatrixSymbol(name, *shape)
    for name, shape in {
        "B": (k, l), "W": (k, l), "A": (m, k), "Q": (m, l), "T": (l, l)
    }.items()
)  # fmt: skip
E = MatrixSymbol("E", m, l)
FRAME = (
    orthonormal(U)
    | orthonormal(V)
    | {((U, True), (N, False)): 0, ((N, True), (U, False)): 0}
    | {((N, False), (V, False)): 0, ((V, True), (N, True)): 0}
    | {((P, False), (V, False)): 0, ((V, True), (P, False)): 0}
)

# The measures, for inputs that are not white.
X = MatrixSymbol("X", d, n)
S, C = MatrixSymbol("S", d, d), MatrixSymbol("C", d, d)
R0, Rt = MatrixSymbol("R_0", d, d), MatrixSymbol("R_t", d, d)
B0, Bt = MatrixSymbol("B_0", m, m), MatrixSymbol("B_t", m, m)
F0, Ft = MatrixSymbol("F_0", h, d), MatrixSymbol("F_t", h, d)
rest_2, rest_1 = sp.symbols("q_2 q_1", positive=True)
G, G0 = MatrixSymbol("G", l, l), MatrixSymbol("G_0", l, l)

FORMULAS = {
    "error": beta - W1.T * w,
    "representation": W1.T * W1,
    "readout_squared": w.T * w,
    "rate_representation": e * beta.T + beta * e.T - 2 * e * e.T,
    "rate_error": -R * e - e * a2,
    "readout_squared_now": a_start**2 + t_now - t_start,
    "first_layer": U * W * V.T + N,
    "readout": A * U.T,
    "input_covariance": V * T * V.T + P,
    "small_error": Q - A * W * T,
    "small_flow_1": A.T * E,
    "small_flow_2": E * W.T,
    "gram_inner_product": Trace(R0 * S * Rt * S),
    "kernel_over_data": KroneckerProduct(C * Rt * C, Identity(m)) + KroneckerProduct(C * C, Bt),
    "kernel_inner_product": m * Trace(R0 * S * Rt * S)
    + Trace(R0 * S * S) * Trace(Bt)
    + Trace(Rt * S * S) * Trace(B0)
    + Trace(S * S) * Trace(B0 * Bt),
    "small_moment_start": B.T * B,
    "small_moment": W.T * W,
    "representation_inner_product": rest_2 - Trace(G0 * T * G0 * T) + Trace(G0 * T * G * T),
    "representation_norm_squared": rest_2 - Trace(G0 * T * G0 * T) + Trace(G * T * G * T),
    "representation_trace": rest_1 - Trace(G0 * T * T) + Trace(G * T * T),
}


def _one_output(claim):
    """A claim of T1 with one output, a readout w' and white inputs."""
    given = {W2: w.T, Syx: beta.T, Sxx: Identity(d)}
    written = T1.claims[claim].xreplace({m: sp.S.One})
    return written.xreplace({x.xreplace({m: sp.S.One}): value for x, value in given.items()})


def _rates(closed, error, representation, readout_squared, rate_representation, rate_error):
    rates = {W1: _one_output("flow_1"), w: _one_output("flow_2").T}
    return [
        coefficients(error - _one_output("error").T),
        coefficients(representation - _one_output("representation")),
        expand_traces(Trace(readout_squared) - Trace(_one_output("readout"))),
        *(
            coefficients(rate_of_change(closed(x), rates).doit() - closed(rate))
            for x, rate in ((e, rate_error), (R, rate_representation))
        ),
    ]


def _conserved(closed, readout_squared, rate_representation, readout_squared_now):
    rate = rate_of_change(Trace(readout_squared), {w: _one_output("flow_2").T})
    # A function of numbers: the chain rule, and its value at the start.
    drift = sp.diff(readout_squared_now, t_now) * Trace(closed(rate_representation))
    return [
        expand_traces(sp.expand(drift - rate)),
        readout_squared_now.subs(t_now, t_start) - a_start**2,
    ]


def _reduced(first_layer, readout, input_covariance, small_error, small_flow_1, small_flow_2):
    given = {W1: first_layer, W2: readout, Syx: Q * V.T, Sxx: input_covariance}
    error, flow_1, flow_2 = (
        T1.claims[claim].xreplace(given) for claim in ("error", "flow_1", "flow_2")
    )
    small = {E: small_error}
    return [
        coefficients(error - small_error * V.T, FRAME),
        coefficients(flow_1 - U * small_flow_1.xreplace(small) * V.T, FRAME),
        coefficients(flow_2 - small_flow_2.xreplace(small) * U.T, FRAME),
        # What is left out is what it is called: beyond U, beyond V, of the same covariance.
        coefficients(U.T * first_layer * V - W, FRAME),
        coefficients(first_layer - U * W * V.T - N, FRAME),
        coefficients(V.T * input_covariance * V - T, FRAME),
        coefficients(input_covariance - V * T * V.T - P, FRAME),
    ]


def _over_data(gram_inner_product):
    activations = [X.T * layer.T for layer in (F0, Ft)]
    grams = [x * x.T for x in activations]
    given = {R0: F0.T * F0, Rt: Ft.T * Ft, S: X * X.T}
    return expand_traces(Trace(grams[0] * grams[1]) - gram_inner_product.xreplace(given))


def _kernel(kernel_over_data, kernel_inner_product):
    start = kernel_over_data.xreplace({Rt: R0, Bt: B0})
    general = kronecker_inner_product(start, kernel_over_data)
    claimed = kernel_inner_product.xreplace({S: C * C})
    explicit = []
    for sizes in ({d: 1, m: 2}, {d: 2, m: 1}, {d: 2, m: 2}):
        product = entries(start, sizes) * entries(kernel_over_data, sizes)
        explicit.append(product.trace() - entries(claimed, sizes))
    return [expand_traces(claimed) - expand_traces(general), *explicit]


def _jacobian(kernel_over_data):
    """The Jacobian of the outputs on the inputs C e_i times its transpose, (input, output)."""
    for sizes in ({h: 2, d: 1, m: 2}, {h: 1, d: 2, m: 2}):
        first, second, root = (entries(x, sizes) for x in (W1, W2, C))
        # C is the symmetric root of the covariance.
        root = root.subs({root[i, j]: root[j, i] for i in range(sizes[d]) for j in range(i)})
        outputs = second * first * root
        parameters = [*first, *second]
        rows = [
            [sp.diff(outputs[o, i], x) for x in parameters]
            for i in range(sizes[d])
            for o in range(sizes[m])
        ]
        jacobian = sp.Matrix(rows)
        moments = {Rt: first.T * first, Bt: second * second.T, C: root}
        written = kernel_over_data.xreplace(sizes).xreplace(
            {x.xreplace(sizes): sp.ImmutableMatrix(value) for x, value in moments.items()}
        )
        yield sp.expand(jacobian * jacobian.T - sp.Matrix(written.doit().as_explicit()))


def _traces(
    closed,
    small_moment_start,
    small_moment,
    representation_inner_product,
    representation_norm_squared,
    representation_trace,
):
    now = (U * W * V.T + N).T * (U * W * V.T + N)
    before = now.xreplace({W: B})
    spread = V * T * V.T + P
    whole = {
        rest_2: Trace(before * spread * before * spread),
        rest_1: Trace(before * spread * spread),
    }
    pairs = [
        (representation_inner_product, Trace(before * spread * now * spread)),
        (representation_norm_squared, Trace(now * spread * now * spread)),
        (representation_trace, Trace(now * spread * spread)),
    ]
    return [
        coefficients(small_moment_start - (U * B).T * (U * B), FRAME),
        coefficients(small_moment - (U * W).T * (U * W), FRAME),
        *(expand_traces(closed(x).xreplace(whole) - value, FRAME) for x, value in pairs),
    ]


STEPS = (
    Step(
        ("error", "representation", "readout_squared", "rate_representation", "rate_error"),
        "One output, readout w', white inputs: differentiate R = W1'W1 and e = beta - W1'w along "
        "the flow of T1. Both rates need only e, R and a^2 = w'w. Any sizes.",
        Zero(_rates),
    ),
    Step(
        ("readout_squared", "rate_representation", "readout_squared_now"),
        "a^2 - tr R does not change (T1), which gives a^2 from R: (e, R) is a flow of its own.",
        Zero(_conserved),
    ),
    Step(
        (
            "first_layer",
            "readout",
            "input_covariance",
            "small_error",
            "small_flow_1",
            "small_flow_2",
        ),
        "Let V contain the rows of Syx, W1(0)'U and be closed under Sxx, and let U contain the "
        "rows of W2(0) and W1(0) V. Then W1(0) = U B V' + N with U'N = 0, N V = 0, and "
        "Sxx = V T V' + P with P V = 0. Put W1 = U W V' + N and W2 = A U' into the flow of T1: "
        "nothing leaves this form, and (W, A) follow T1 with the covariances T and Q. Any sizes, "
        "any number of outputs.",
        Substitution(_reduced, equation="the flow of T1 with Syx = Q V', Sxx = V T V' + P"),
    ),
    Step(
        ("gram_inner_product",),
        "Inputs that are not white: the inner product of the Gram matrices H H' of the hidden "
        "activities H = X'W1' over the data, with S = X X' = Sxx.",
        Zero(_over_data),
    ),
    Step(
        ("kernel_over_data",),
        "The tangent kernel on the inputs that are the columns of C, the symmetric root of Sxx, "
        "from its definition: the Jacobian of the outputs times its transpose, entry by entry "
        "for two choices of sizes. Over the data it is the same up to a rotation of the samples.",
        Zero(_jacobian),
    ),
    Step(
        ("kernel_over_data", "kernel_inner_product"),
        "tr K_0 K_t by (A x B)(C x D) = AC x BD, with S = C C: no root is left. Any sizes; entry "
        "by entry for several.",
        Zero(_kernel),
    ),
    Step(
        (
            "small_moment_start",
            "small_moment",
            "representation_inner_product",
            "representation_norm_squared",
            "representation_trace",
        ),
        "What the measures need of the directions left out: two global traces at the start.",
        Zero(_traces),
    ),
)

DERIVATION = Derivation(
    id="T11",
    title="The reduced flow: what can move, and its measures on any inputs",
    assumptions=(
        "The flow of T1; any first layer, readout, task and input covariance.",
        "The equations for (e, R): one output and white inputs.",
        "U'U = 1, V'V = 1, U'N = 0, N V = 0, P V = 0 and V'P = 0 (Sxx is symmetric).",
    ),
    notation={
        d: "number of inputs",
        h: "number of hidden units",
        m: "number of outputs",
        n: "number of samples",
        k: "hidden directions that move",
        l: "input directions that matter",
        W1: "first weights",
        w: "the readout of one output, as a column",
        beta: "task vector of one output",
        a_start: "length of the readout at the start",
        t_start: "tr R at the start",
        t_now: "tr R now",
        U: "the hidden directions that move",
        V: "the input directions that matter",
        N: "the rest of W1(0)",
        P: "the rest of Sxx",
        B: "first layer of the small network at the start",
        W: "first layer of the small network now",
        A: "its readout",
        Q: "its task: Syx = Q V'",
        T: "its input covariance V'Sxx V",
        C: "symmetric root of Sxx",
        S: "Sxx",
        R0: "W1'W1 at the start",
        Rt: "the same at time t",
        B0: "W2 W2' at the start",
        Bt: "the same at time t",
        rest_2: "tr R_0 S R_0 S of the large network",
        rest_1: "tr R_0 S^2 of the large network",
    },
    shorthand={
        e: "error",
        R: "representation",
        a2: "readout_squared",
        E: "small_error",
        G0: "small_moment_start",
        G: "small_moment",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=("The equations for e and R, the reduction and the traces: this project, from T1.",),
)
