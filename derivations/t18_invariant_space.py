"""T18: the space that a recurrent flow never leaves, and how little a leaky one errs."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol, Trace, ZeroMatrix

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.lag_sums import Family, MatrixSum, T, k, unrolled
from derivations.frame.matrix_words import coefficients, expand_traces, orthonormal, words
from derivations.t16_recurrent_flow import DERIVATION as T16
from derivations.t16_recurrent_flow.symbols import (
    NOTATION,
    STEPS_TRIED,
    C,
    E,
    N,
    O,
    S,
    U,
    V,
    W,
    i,
    j,
    m,
    n,
    w,
)

__all__ = ["DERIVATION"]

p, r, q = sp.symbols("p r q", integer=True, positive=True)
eps = sp.Symbol("epsilon", positive=True)

P, R = MatrixSymbol("P", N, p), MatrixSymbol("R", N, N)
A, A0 = MatrixSymbol("A", p, p), MatrixSymbol("A0", p, p)
B, G = MatrixSymbol("B", p, n), MatrixSymbol("G", m, p)
X, Y = MatrixSymbol("X", N, p), MatrixSymbol("Y", N, p)
X_U, X_V = MatrixSymbol("X_U", N, n), MatrixSymbol("X_V", m, N)
LEFT, RIGHT, Z = MatrixSymbol("L", N, r), MatrixSymbol("M", N, r), MatrixSymbol("Z", N, q)


def _beyond(*matrices):
    """Relations saying that P' Z = 0, for Z or its transpose as (matrix, transposed)."""
    return {
        pair: 0
        for matrix, transposed in matrices
        for pair in (
            ((P, True), (matrix, transposed)),
            ((matrix, not transposed), (P, False)),
        )
    }


FRAME = orthonormal(P) | _beyond(
    (R, False), (R, True), (X, False), (Y, False), (X_U, False), (X_V, True)
)


c, o = Family("c", p, n), Family("o", m, p)
f, e = Family("f", m, n), Family("e", m, n)
out, unread = Family("C^out", N, n), Family("O^out", m, N)

FORMULAS = {
    "input": P * B,
    "recurrent": P * A * P.T + R,
    "readout": G * P.T,
    "small_driven": A**k * B,
    "small_read": G * A**k,
    "small_response": G * A**k * B,
    "small_error": w(k) * (S(k) - f(k)),
    "small_flow_B": MatrixSum(o(k).T * e(k), (k, 0, T - 1)),
    "small_flow_G": MatrixSum(e(k) * c(k).T, (k, 0, T - 1)),
    "small_flow_A": MatrixSum(o(j).T * e(i + j + 1) * c(i).T, (i, 0, T - 2 - j), (j, 0, T - 2)),
    "weight_change_squared": Trace((A - A0).T * (A - A0)),
    "low_rank": LEFT * RIGHT.T,
    "image": RIGHT.T * Z,
    "image_transposed": LEFT.T * Z,
    "dimension": n + m + 2 * r,
    "leaky_input": P * B + eps * X_U,
    "leaky_recurrent": P * A * P.T + eps * X * P.T + eps * P * Y.T + R,
    "leaky_readout": G * P.T + eps * X_V,
    "leak_driven": MatrixSum(R ** (k - 1 - i) * X * c(i), (i, 0, k - 1)) + R**k * X_U,
    "leak_read": MatrixSum(o(i) * Y.T * R ** (k - 1 - i), (i, 0, k - 1)) + X_V * R**k,
    "response_gap": MatrixSum(o(k - 1 - i) * Y.T * out(i), (i, 0, k - 1)) + X_V * out(k),
    "escape_U": MatrixSum(unread(k).T * E(k), (k, 0, T - 1)),
    "escape_V": MatrixSum(E(k) * out(k).T, (k, 0, T - 1)),
    "escape_X": MatrixSum(unread(j).T * E(i + j + 1) * c(i).T, (i, 0, T - 2 - j), (j, 0, T - 2)),
    "escape_Y": MatrixSum(out(i) * E(i + j + 1).T * o(j), (i, 0, T - 2 - j), (j, 0, T - 2)),
}


def _form(input, recurrent, readout):
    return [
        coefficients(P.T * input - B, FRAME),
        coefficients(readout * P - G, FRAME),
        coefficients(P.T * recurrent * P - A, FRAME),
        coefficients(recurrent - P * P.T * recurrent - R, FRAME),
        # Closed under W and W'.
        coefficients(recurrent * P - P * A, FRAME),
        coefficients(recurrent.T * P - P * A.T, FRAME),
    ]


def _exact(
    closed, input, recurrent, readout, small_driven, small_read, small_response, small_error,
    small_flow_B, small_flow_G, small_flow_A,
):  # fmt: skip
    large = {U: input, W: recurrent, V: readout}
    lagged = (
        ("driven", P * small_driven),
        ("read", small_read * P.T),
        ("response", small_response),
        ("error", closed(small_error)),
    )
    flows = (
        ("flow_U", P * closed(small_flow_B)),
        ("flow_V", closed(small_flow_G) * P.T),
        ("flow_W", P * closed(small_flow_A) * P.T),
    )
    for steps in STEPS_TRIED:
        at = {T: steps}
        for name, claimed in flows:
            found = unrolled(T16.claims[name].xreplace(large), at)
            yield coefficients(found - unrolled(claimed, at), FRAME)
        for name, claimed in lagged:
            at = {k: steps - 1}
            found = unrolled(T16.claims[name].xreplace(large), at)
            yield coefficients(found - unrolled(claimed, at), FRAME)


def _change(recurrent, weight_change_squared):
    moved = recurrent - recurrent.xreplace({A: A0})
    return expand_traces(Trace(moved.T * moved) - weight_change_squared, FRAME)


def _low_rank(low_rank, image, image_transposed):
    return [
        coefficients(low_rank * Z - LEFT * image),
        coefficients(low_rank.T * Z - RIGHT * image_transposed),
    ]


def _dimension(dimension):
    return dimension - sum(block.cols for block in (U, V.T, LEFT, RIGHT))


def _orders(expression, *claimed):
    """The first powers of epsilon in every word, minus the claims."""
    gap = expression - sp.MatAdd(*(eps**order * x for order, x in enumerate(claimed)))
    for x in words(gap, FRAME).values():
        yield [sp.expand(x).coeff(eps, order) for order in range(len(claimed))]


def _leaky(leaky_input, leaky_recurrent, leaky_readout):
    return {U: leaky_input, W: leaky_recurrent, V: leaky_readout}


def _leak(
    closed, leaky_input, leaky_recurrent, leaky_readout, leak_driven, leak_read, response_gap,
    small_driven, small_read, small_response,
):  # fmt: skip
    large = _leaky(leaky_input, leaky_recurrent, leaky_readout)
    claims = {
        "driven": (P * small_driven, closed(leak_driven)),
        "read": (small_read * P.T, closed(leak_read)),
        "response": (small_response, ZeroMatrix(m, n), closed(response_gap)),
    }
    for steps in STEPS_TRIED:
        at = {k: steps - 1}
        for name, orders in claims.items():
            found = unrolled(T16.claims[name].xreplace(large), at)
            yield from _orders(found, *(unrolled(x, at) for x in orders))
    # Each matrix is what it is in the space and out of it.
    yield coefficients(P.T * leaky_input - B, FRAME)
    yield coefficients(leaky_readout * P - G, FRAME)
    yield coefficients(P.T * leaky_recurrent * P - A, FRAME)


def _escape(
    closed, leaky_input, leaky_recurrent, leaky_readout, escape_U, escape_V, escape_X, escape_Y,
    small_flow_B, small_flow_G, small_flow_A, small_driven, small_read,
):  # fmt: skip
    large = _leaky(leaky_input, leaky_recurrent, leaky_readout)
    spelled = {C.symbol: T16.claims["driven"], O.symbol: T16.claims["read"]}
    same_errors = {c.symbol: small_driven, o.symbol: small_read, e.symbol: E.symbol}
    flow_B, flow_G, flow_A = (
        x.xreplace(same_errors) for x in (small_flow_B, small_flow_G, small_flow_A)
    )
    claims = {
        "flow_U": (P * flow_B, closed(escape_U)),
        "flow_V": (flow_G * P.T, closed(escape_V)),
        "flow_W": (P * flow_A * P.T, closed(escape_X) * P.T + P * closed(escape_Y).T),
    }
    for steps in STEPS_TRIED:
        at = {T: steps}
        for name, orders in claims.items():
            found = unrolled(T16.formulas[name].xreplace(spelled).xreplace(large), at)
            yield from _orders(found, *(unrolled(x, at) for x in orders))


STEPS = (
    Step(
        ("input", "recurrent", "readout"),
        "P is an orthonormal basis of a space that holds range U and range V' and is closed under "
        "W and W'. Then P'R = 0 and R P = 0 for the rest R of W.",
        Zero(_form),
    ),
    Step(
        ("input", "recurrent", "readout", "small_driven", "small_read", "small_response",
         "small_error", "small_flow_B", "small_flow_G", "small_flow_A"),
        "Put the three into the flow of T16. Nothing leaves the form, R is at rest, and (B, A, G) "
        "follow T16 for the same task: the same responses, hence errors, and, as P'P = 1, the "
        "same Gram matrices and kernel (T17). Any sizes, T = 1 to 4.",
        Substitution(_exact, equation="the flow of T16 with U = P B, W = P A P' + R, V = G P'"),
    ),
    Step(
        ("recurrent", "weight_change_squared"),
        "The change of W is P (A - A0) P': the same length.",
        Zero(_change),
    ),
    Step(
        ("low_rank", "image", "image_transposed"),
        "W(0) = L M' of rank r maps anything into the range of L, and W(0)' into that of M.",
        Zero(_low_rank),
    ),
    Step(
        ("dimension",),
        "So range U, range V', range L and range M together are closed, and no larger than the "
        "number of their columns.",
        Zero(_dimension),
    ),
    Step(
        ("leaky_input", "leaky_recurrent", "leaky_readout", "leak_driven", "leak_read",
         "response_gap", "small_driven", "small_read", "small_response"),
        "A space that is not closed: epsilon X is what W maps out of it, epsilon Y what W' does, "
        "and X_U, X_V what U and V have beyond it. What has left stays out to first order, so "
        "that C_k and O_k leak at first order and the responses err at second order: to be seen, "
        "a signal must leave and come back. Words to order epsilon^2, T = 1 to 4.",
        Zero(_leak),
    ),
    Step(
        ("escape_U", "escape_V", "escape_X", "escape_Y", "small_flow_B", "small_flow_G",
         "small_flow_A"),
        "The flow for given errors: in the space it is that of the small network up to order "
        "epsilon^2, and out of it X_U, X_V, X and Y move at order epsilon. So leaks stay of order "
        "epsilon and the small flow, errors and all, is wrong by order epsilon^2: the square of "
        "the leak is its error estimate. Words to order epsilon, T = 1 to 4.",
        Zero(_escape),
    ),
)  # fmt: skip

DERIVATION = Derivation(
    id="T18",
    title="Recurrent networks: exact reduction to an invariant space, and its leak",
    assumptions=(
        "The network and the flow of T16.",
        "P'P = 1; P'R = 0, R P = 0; P'X = 0, P'Y = 0, P'X_U = 0, X_V P = 0.",
        "epsilon only counts orders; R, the rest of W beyond the space, is of any size.",
        "Sums over lags are checked for T = 1 to 4 and matrices of any size.",
    ),
    notation={
        **NOTATION,
        p: "dimension of the space",
        r: "rank of W(0)",
        q: "number of columns of Z",
        i: "a place between the input and W, or W and the readout",
        j: "another place",
        P: "orthonormal basis of the space",
        R: "the rest of W",
        B: "input weights of the small network",
        A: "its recurrent weights",
        A0: "the same at the start",
        G: "its readout weights",
        LEFT: "left factor of a start of rank r",
        RIGHT: "right factor of a start of rank r",
        Z: "any matrix of N rows",
        eps: "size of the leak",
        X: "what W maps out of the space, over epsilon",
        Y: "what W' maps out of it, over epsilon",
        X_U: "U beyond the space, over epsilon",
        X_V: "V beyond the space, over epsilon",
        E.symbol: "E_k, the error at lag k (T16)",
    },
    shorthand={
        c.symbol: "small_driven",
        o.symbol: "small_read",
        f.symbol: "small_response",
        e.symbol: "small_error",
        out.symbol: "leak_driven",
        unread.symbol: "leak_read",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=("This project, from T16.",),
)
