"""T17: the tangent kernel of a linear recurrent network from small Gram matrices."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, KroneckerProduct, Sum, Trace

from derivations.frame.checks import Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.lag_sums import MatrixSum, T, k, l, unrolled
from derivations.frame.matrix_words import coefficients, entries, rate_of_change
from derivations.t16_recurrent_flow import DERIVATION as T16
from derivations.t16_recurrent_flow.symbols import (
    NOTATION,
    STEPS_TRIED,
    C,
    E,
    N,
    O,
    U,
    V,
    W,
    i,
    j,
    m,
    n,
)
from derivations.t17_recurrent_kernel import measures
from derivations.t17_recurrent_kernel.symbols import LAGS, Gc, Go, K

__all__ = ["DERIVATION", "SIZES"]

_PLACES = ((j, 0, k - 1), (i, 0, l - 1))
FORMULAS = {
    "driven_gram": C(k).T * C(l),
    "read_gram": O(k) * O(l).T,
    "response_rate_V": MatrixSum(E(l) * Gc(l, k), (l, 0, T - 1)),
    "response_rate_U": MatrixSum(Go(k, l) * E(l), (l, 0, T - 1)),
    "response_rate_W": MatrixSum(
        Go(j, i) * E(l) * Gc(l - 1 - i, k - 1 - j), *_PLACES, (l, 0, T - 1)
    ),
    "kernel_V": KroneckerProduct(Identity(m), Gc(k, l)),
    "kernel_U": KroneckerProduct(Go(k, l), Identity(n)),
    "kernel_W": MatrixSum(KroneckerProduct(Go(j, i), Gc(k - 1 - j, l - 1 - i)), *_PLACES),
    "kernel": KroneckerProduct(Identity(m), Gc(k, l))
    + KroneckerProduct(Go(k, l), Identity(n))
    + MatrixSum(KroneckerProduct(Go(j, i), Gc(k - 1 - j, l - 1 - i)), *_PLACES),
    "loss_rate": -Sum(Trace(E(k).T * E(l) * Gc(l, k)) + Trace(E(k).T * Go(k, l) * E(l)), *LAGS)
    - Sum(Trace(E(k).T * Go(j, i) * E(l) * Gc(l - 1 - i, k - 1 - j)), *_PLACES, *LAGS),
    **measures.FORMULAS,
}

SIZES = ({N: 1, n: 1, m: 1}, {N: 2, n: 1, m: 1}, {N: 2, n: 1, m: 2}, {N: 2, n: 2, m: 1})
_SPELLED = {C.symbol: T16.claims["driven"], O.symbol: T16.claims["read"]}


def _flows(steps, given=None):
    """T16's flow for given E_k."""
    spelled = {**_SPELLED, **(given or {})}
    return {x: unrolled(T16.formulas[f"flow_{x}"].xreplace(spelled), {T: steps}) for x in (V, U, W)}


def _response(lag):
    return unrolled(T16.claims["response"], {k: lag})


def _response_rates(
    closed, driven_gram, read_gram, response_rate_V, response_rate_U, response_rate_W
):
    rates = {V: response_rate_V, U: response_rate_U, W: response_rate_W}
    for steps in STEPS_TRIED:
        flows = _flows(steps)
        for lag in range(steps):
            for x, claim in rates.items():
                claimed = unrolled(closed(claim).xreplace(_SPELLED), {T: steps, k: lag})
                yield coefficients(rate_of_change(_response(lag), {x: flows[x]}) - claimed)


def _vector(matrix):
    """The entries in the order (output, channel)."""
    return sp.Matrix(list(matrix))


def _acts(
    driven_gram, read_gram, kernel,
    response_rate_V, response_rate_U, response_rate_W, kernel_V, kernel_U, kernel_W,
):  # fmt: skip
    steps = 3
    pairs = ((response_rate_V, kernel_V), (response_rate_U, kernel_U), (response_rate_W, kernel_W))
    grams = {Gc.symbol: driven_gram, Go.symbol: read_gram}  # G_kl is the transpose of G_lk
    for sizes in SIZES:

        def written(claim, sizes=sizes, **at):
            values = {T: steps, **{{"k": k, "l": l}[x]: lag for x, lag in at.items()}}
            return entries(unrolled(claim.xreplace(grams), values), sizes)

        for lag in range(steps):
            for rate, block in pairs:
                moved = (
                    written(block, k=lag, l=x) * _vector(written(E(l), l=x)) for x in range(steps)
                )
                yield sum(moved, -_vector(written(rate, k=lag)))
            for other in range(steps):
                parts = (-written(x, k=lag, l=other) for _, x in pairs)
                yield sum(parts, written(kernel, k=lag, l=other))


def _jacobian(closed, kernel_V, kernel_U, kernel_W):
    steps = 3
    for sizes in SIZES:
        first, middle, last = (entries(x, sizes) for x in (U, W, V))
        state, outputs = first, []
        for _ in range(steps):
            outputs.append(_vector(last * state))
            state = middle * state
        for weights, block in ((last, kernel_V), (first, kernel_U), (middle, kernel_W)):
            slopes = [x.jacobian(list(weights)) for x in outputs]
            for lag in range(steps):
                for other in range(lag, steps):
                    written = closed(block).xreplace(_SPELLED)
                    claimed = entries(unrolled(written, {k: lag, l: other}), sizes)
                    yield slopes[lag] * slopes[other].T - claimed


def _falling(closed, loss_rate):
    errors = {E.symbol: T16.claims["error"]}
    for steps in STEPS_TRIED[:3]:
        moved = rate_of_change(unrolled(T16.claims["loss"], {T: steps}), _flows(steps, errors))
        claimed = closed(loss_rate).xreplace(_SPELLED).xreplace(errors)
        yield moved - unrolled(claimed, {T: steps})


STEPS = (
    Step(
        ("driven_gram", "read_gram", "response_rate_V", "response_rate_U", "response_rate_W"),
        "Differentiate F_k along the flow of T16, one matrix at a time: it moves linearly in the "
        "errors E_l, and needs the weights through two families of small Gram matrices only. Any "
        "sizes, T = 1 to 4.",
        Zero(_response_rates),
    ),
    Step(
        (
            "response_rate_V",
            "response_rate_U",
            "response_rate_W",
            "kernel_V",
            "kernel_U",
            "kernel_W",
            "kernel",
        ),
        "G E as a matrix on the entries of E in the order (output, channel) is G x 1, and E G is "
        "1 x G'. Entry by entry for several sizes, T = 3.",
        Zero(_acts),
    ),
    Step(
        ("kernel_V", "kernel_U", "kernel_W"),
        "The tangent kernel from its definition: the Jacobian of the responses in V, U and W "
        "times its transpose, each by itself. Only those that are trained are added up. Entry by "
        "entry for several sizes, T = 3.",
        Zero(_jacobian),
    ),
    Step(
        ("loss_rate",),
        "The loss falls by E'K E. Any sizes, T = 1 to 3.",
        Zero(_falling),
    ),
    *measures.STEPS,
)

DERIVATION = Derivation(
    id="T17",
    title="Recurrent networks: tangent kernel and measures from small Gram matrices",
    assumptions=(
        "The network and the flow of T16. The kernel is of the responses, in the order (lag, "
        "output, channel); K_kl is its block of two lags.",
        "Sums over lags are checked for T up to 4 (3 entry by entry).",
    ),
    notation={
        **NOTATION,
        i: "a place between the input and W, or W and the readout",
        j: "another place",
        E.symbol: "E_k, the error at lag k (T16)",
        C.symbol: "C_k = W^k U (T16)",
        O.symbol: "O_k = V W^k (T16)",
        **measures.NOTATION,
    },
    shorthand={Gc.symbol: "driven_gram", Go.symbol: "read_gram", K.symbol: "kernel"},
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Jacot, Gabriel and Hongler, Neural tangent kernel, arXiv:1806.07572, 2018.",
        "The recurrent kernel from Gram matrices: this project.",
    ),
)
