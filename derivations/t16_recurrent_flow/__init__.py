"""T16: gradient flow of a linear recurrent network, and what it conserves."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, MatrixSymbol, Sum, Trace, ZeroMatrix

from derivations import t01_gradient_flow as two_layers
from derivations.frame.checks import Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.lag_sums import MatrixSum, T, k, unrolled
from derivations.frame.matrix_words import coefficients, entries, rate_of_change
from derivations.t16_recurrent_flow import variants
from derivations.t16_recurrent_flow.symbols import (
    NOTATION,
    STEPS_TRIED,
    C,
    E,
    F,
    N,
    O,
    S,
    U,
    V,
    W,
    c,
    dU,
    dV,
    dW,
    i,
    j,
    m,
    n,
    w,
)

__all__ = ["DERIVATION", "SIZES"]

P, P_inverse, A = (MatrixSymbol(name, N, N) for name in ("P", "P^-1", "A"))
INVERSE = {((P, False), (P_inverse, False)): 1, ((P_inverse, False), (P, False)): 1}

FORMULAS = {
    "driven": W**k * U,
    "read": V * W**k,
    "response": V * W**k * U,
    "lag_weight": Sum(c(i), (i, k + 1, T)),
    "loss": Sum(w(k) * Trace((S(k) - F(k)).T * (S(k) - F(k))), (k, 0, T - 1)) / 2,
    "error": w(k) * (S(k) - F(k)),
    "flow_V": MatrixSum(E(k) * C(k).T, (k, 0, T - 1)),
    "flow_U": MatrixSum(O(k).T * E(k), (k, 0, T - 1)),
    "flow_W": MatrixSum(O(j).T * E(i + j + 1) * C(i).T, (i, 0, T - 2 - j), (j, 0, T - 2)),
    "turned_U": P * U,
    "turned_W": P * W * P_inverse,
    "turned_V": V * P_inverse,
    "generator_U": A * U,
    "generator_W": A * W - W * A,
    "generator_V": -V * A,
    "moment": dU * U.T + dW * W.T - W.T * dW - V.T * dV,
    "conserved": U * U.T + W * W.T - W.T * W - V.T * V,
    **variants.FORMULAS,
}

SIZES = ({N: 1, n: 1, m: 1}, {N: 2, n: 1, m: 1}, {N: 1, n: 2, m: 1}, {N: 2, n: 1, m: 2})


def _input_at(step):
    """The input of one step, a letter."""
    return MatrixSymbol(f"x_{step}", n, 1)


def _recursion(driven, read, response):
    """Run h_t = W h_(t-1) + U x_t and y = V h_T from rest, for several T."""
    state = ZeroMatrix(N, 1)
    for steps in STEPS_TRIED:
        state = W * state + U * _input_at(steps)
        for claim, seen in ((driven, state), (response, V * state)):
            terms = (unrolled(claim, {k: lag}) * _input_at(steps - lag) for lag in range(steps))
            yield coefficients(seen - sp.MatAdd(*terms))
        yield coefficients(unrolled(read * U - response, {k: steps}))
        yield coefficients(unrolled(read, {k: steps}) - unrolled(read, {k: steps - 1}) * W)
    yield coefficients(unrolled(read, {k: 0}) - V)


def _loss(loss, lag_weight):
    """Sum over the scored steps t of half the mean squared miss of what lags below t give."""
    for steps in STEPS_TRIED:
        missed = [
            unrolled(Trace((S(k) - F(k)).T * (S(k) - F(k))), {k: lag}) for lag in range(steps)
        ]
        scored = sum(
            unrolled(c(k), {k: step}) * missed[lag]
            for step in range(1, steps + 1)
            for lag in range(step)
        )
        weights = {
            unrolled(w(k), {k: lag}): unrolled(lag_weight, {k: lag, T: steps})
            for lag in range(steps)
        }
        yield sp.expand(unrolled(loss, {T: steps}).subs(weights) - scored / 2)


def _differential(closed, loss, error, flow_V, flow_U, flow_W):  # error is in the flows
    for steps in STEPS_TRIED:
        at = {T: steps}
        moved = rate_of_change(unrolled(closed(loss), at), {U: dU, W: dW, V: dV})
        pairing = sum(
            Trace(change.T * unrolled(closed(flow), at))
            for change, flow in ((dU, flow_U), (dW, flow_W), (dV, flow_V))
        )
        yield moved + pairing


def _by_entries(closed, flow_V, flow_U, flow_W):
    """Partial derivatives of a loss that is written in loops, for three steps and small sizes."""
    steps = 3
    for sizes in SIZES:
        first, middle, last = (entries(x, sizes) for x in (U, W, V))
        loss, state = 0, first
        for lag in range(steps):
            wanted = entries(unrolled(S(k), {k: lag}), sizes)
            gap = wanted - last * state
            loss += unrolled(w(k), {k: lag}) * sum(x**2 for x in gap) / 2
            state = middle * state
        for weights, flow in ((first, flow_U), (middle, flow_W), (last, flow_V)):
            rate = entries(unrolled(closed(flow), {T: steps}), sizes)
            yield rate + weights.applyfunc(lambda x, loss=loss: sp.diff(loss, x))


def _two_layers(closed, flow_V, flow_U, flow_W, error):
    """One step: T1 with W1 = U, W2 = V; W is at rest."""
    same = {two_layers.h: N, two_layers.d: n, two_layers.m: m}
    meaning = {two_layers.W1: U, two_layers.W2: V, two_layers.E: unrolled(closed(error), {k: 0})}
    meaning = {letter.subs(same): value for letter, value in meaning.items()}
    at = {T: 1}
    yield coefficients(unrolled(closed(flow_W), at))
    for flow, name in ((flow_U, "flow_1"), (flow_V, "flow_2")):
        known = two_layers.DERIVATION.formulas[name].subs(same).xreplace(meaning)
        yield coefficients(unrolled(closed(flow), at) - known)


def _symmetry(turned_U, turned_W, turned_V, response):
    for lag in range(max(STEPS_TRIED)):
        turned = response.xreplace({U: turned_U, W: turned_W, V: turned_V})
        yield coefficients(unrolled(turned, {k: lag}) - unrolled(response, {k: lag}), INVERSE)
    # Each with nothing turned is what it was.
    for now, before in ((turned_U, U), (turned_W, W), (turned_V, V)):
        yield coefficients(now.xreplace({P: Identity(N), P_inverse: Identity(N)}) - before)


def _generators(turned_U, turned_W, turned_V, generator_U, generator_W, generator_V):
    """P = 1 + A and its inverse 1 - A, to first order."""
    for turned, generator in (
        (turned_U, generator_U),
        (turned_W, generator_W),
        (turned_V, generator_V),
    ):
        moved = rate_of_change(turned, {P: A, P_inverse: -A})
        yield coefficients(moved.xreplace({P: Identity(N), P_inverse: Identity(N)}) - generator)


def _noether(closed, loss, generator_U, generator_W, generator_V, moment, conserved):
    # The loss does not change along the symmetry ...
    along = {U: generator_U, W: generator_W, V: generator_V}
    for steps in STEPS_TRIED:
        yield rate_of_change(unrolled(closed(loss), {T: steps}), along)
    # ... so that the flow is orthogonal to it, whatever A is: the moment vanishes. Twice its
    # symmetric part is the rate of D, at any rates dU, dW, dV.
    pairs = ((dU, generator_U), (dW, generator_W), (dV, generator_V))
    yield sum(Trace(rate.T * change) for rate, change in pairs) - Trace(moment.T * A)
    moved = rate_of_change(conserved, {U: dU, W: dW, V: dV})
    yield coefficients(moved - moment - moment.T)


def _directly(closed, flow_U, flow_W, flow_V, moment, conserved):
    for steps in STEPS_TRIED:
        at = {T: steps}
        rates = {
            x: unrolled(closed(flow), at) for x, flow in ((U, flow_U), (W, flow_W), (V, flow_V))
        }
        yield coefficients(rate_of_change(conserved, rates))
        yield coefficients(unrolled(closed(moment), at))
    alone = [(U, U * U.T), (V, -V.T * V), (W, W * W.T - W.T * W)]
    for kept, value in alone:
        rest = {x: ZeroMatrix(*x.shape) for x, _ in alone if x != kept}
        yield coefficients(conserved.xreplace(rest) - value)


STEPS = (
    Step(
        ("driven", "read", "response"),
        "Run h_t = W h_(t-1) + U x_t from rest and read y = V h_T: an input k steps before the "
        "end has been through W k times. Any sizes, T = 1 to 4.",
        Zero(_recursion),
    ),
    Step(
        ("lag_weight", "loss"),
        "With inputs white over steps and channels the mean squared miss of the output at step t "
        "is the sum over the lags below t of |S_k - F_k|^2. If step t counts c_t times, lag k "
        "counts as often as scored steps come after it.",
        Zero(_loss),
    ),
    Step(
        ("error", "flow_V", "flow_U", "flow_W"),
        "Move U, W and V and keep the first order; the flow is what pairs with the moves under "
        "the trace. F_k contains W k times, so that its change is a sum over the place j steps "
        "from the readout and i = k - 1 - j from the input. Any sizes, T = 1 to 4.",
        Zero(_differential),
    ),
    Step(
        ("flow_V", "flow_U", "flow_W"),
        "The same, entry by entry: minus the partial derivatives of a loss in loops, T = 3.",
        Zero(_by_entries),
    ),
    Step(
        ("flow_V", "flow_U", "flow_W", "error"),
        "With one step it is the two-layer flow of T1 with first layer U and readout V, W at rest.",
        Zero(_two_layers),
    ),
    Step(
        ("turned_U", "turned_W", "turned_V"),
        "A change of basis of the hidden units, P invertible, leaves every response as it is.",
        Zero(_symmetry),
    ),
    Step(
        ("generator_U", "generator_W", "generator_V"),
        "The same for P = 1 + A with A small.",
        Zero(_generators),
    ),
    Step(
        ("moment", "conserved"),
        "The loss has this symmetry, so that its gradient, and the flow, are orthogonal to the "
        "generators of every A. That is tr(A' M) = 0 for all A: the moment M vanishes, and "
        "D' = M + M'. Any sizes.",
        Zero(_noether),
    ),
    Step(
        ("moment", "conserved"),
        "The same by words, T = 1 to 4: U U'-terms and those of W W' give the sum over i + j < T "
        "of C_i E_(i+j)' O_j, and so do those of W'W and V'V. With one matrix alone D is its Gram "
        "matrix or commutator. Any sizes.",
        Zero(_directly),
    ),
    *variants.STEPS,
)

DERIVATION = Derivation(
    id="T16",
    title="Recurrent networks: gradient flow and its conservation law",
    assumptions=(
        "Linear recurrent network h_t = W h_(t-1) + U x_t, y = V h_T, from h_0 = 0.",
        "Squared error, full batch, the limit of small steps: time = learning rate x steps. The "
        "loss is what is above the least that any responses reach.",
        "Inputs white over steps and channels, S_k = E[y x_(T-k)'], except where Sigma is named.",
        "Sums over lags are checked for T = 1 to 4 and matrices of any size.",
    ),
    notation={
        **NOTATION,
        c(i): "c_i, how often step i is scored",
        P: "an invertible change of basis of the units",
        P_inverse: "its inverse",
        A: "any matrix",
        **variants.NOTATION,
    },
    shorthand={
        C.symbol: "driven",
        O.symbol: "read",
        F.symbol: "response",
        E.symbol: "error",
        dV: "flow_V",
        dU: "flow_U",
        dW: "flow_W",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Fukumizu 1998 and Arora, Cohen and Hazan 2018 for the two-layer law (T1).",
        "Kunin, Sagastuy-Brena, Ganguli, Yamins and Tanaka, Neural mechanics: symmetry and broken "
        "conservation laws in deep learning dynamics, arXiv:2012.04728, 2021 (from symmetries).",
        "The recurrent law: this project.",
    ),
)
