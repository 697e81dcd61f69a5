"""T16, second part: unequal rates, leak, and inputs that are not white."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, MatrixSymbol, Sum, Trace, ZeroMatrix

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import Family, MatrixSum, T, k, l, unrolled
from derivations.frame.matrix_words import coefficients, rate_of_change
from derivations.t16_recurrent_flow.symbols import STEPS_TRIED, F, N, S, U, V, W, dU, dV, dW, n, w

__all__ = ["FORMULAS", "NOTATION", "STEPS", "Sigma"]

a, a_U, a_W, a_V = sp.symbols("a a_U a_W a_V", positive=True)
gU, gW = MatrixSymbol("gU", N, n), MatrixSymbol("gW", N, N)
Sigma = Family("Sigma", n, n)  # covariance of the inputs at two lags

FORMULAS = {
    "drift": (a_U - a_W) * (dU * U.T + U * dU.T) - (a_V - a_W) * (dV.T * V + V.T * dV),
    "conserved_at_rates": U * U.T / a_U + (W * W.T - W.T * W) / a_W - V.T * V / a_V,
    "leaky_W": (1 - a) * Identity(N) + a * W,
    "leaky_U": a * U,
    "leaky_flow_U": a * gU,
    "leaky_flow_W": a * gW,
    "leaky_rate_U": a**2 * gU,
    "leaky_rate_W": a**2 * gW,
    "loss_correlated": Sum(
        Trace((S(k) - F(k)) * Sigma(k, l) * (S(l) - F(l)).T), (k, 0, T - 1), (l, 0, T - 1)
    )
    / 2,
    "error_correlated": MatrixSum((S(l) - F(l)) * Sigma(l, k), (l, 0, T - 1)),
}

NOTATION = {
    a_U: "learning rate of U over the common one",
    a_W: "learning rate of W over the common one",
    a_V: "learning rate of V over the common one",
    a: "leak: h_t = (1 - a) h_(t-1) + a (W h_(t-1) + U x_t)",
    gU: "flow_U of the network leaky_U, leaky_W, V",
    gW: "flow_W of the network leaky_U, leaky_W, V",
    Sigma.symbol: "Sigma_kl = E[x_(T-k) x_(T-l)'], any covariance over lags and channels",
}


def _flows(closed, flow_U, flow_W, flow_V, steps):
    return [unrolled(closed(flow), {T: steps}) for flow in (flow_U, flow_W, flow_V)]


def _rates(closed, flow_U, flow_W, flow_V, conserved, drift, conserved_at_rates):
    yield coefficients(conserved_at_rates.xreplace({a_U: 1, a_W: 1, a_V: 1}) - conserved)
    for steps in STEPS_TRIED:
        flows = _flows(closed, flow_U, flow_W, flow_V, steps)
        rates = {x: y * z for x, y, z in zip((U, W, V), (a_U, a_W, a_V), flows, strict=True)}
        yield coefficients(rate_of_change(conserved_at_rates, rates))
        moved = rate_of_change(conserved, rates)
        yield coefficients(moved - unrolled(closed(drift), {T: steps}))


def _leak(response, leaky_W, leaky_U):
    state = ZeroMatrix(N, 1)
    for step in range(1, 5):
        x = MatrixSymbol(f"x_{step}", n, 1)
        state = (1 - a) * state + a * (W * state + U * x)
        leaky = response.xreplace({W: leaky_W, U: leaky_U})
        claimed = [
            unrolled(leaky, {k: lag}) * MatrixSymbol(f"x_{step - lag}", n, 1) for lag in range(step)
        ]
        yield coefficients(V * state - sp.MatAdd(*claimed))


def _leaky_flow(
    closed, loss, flow_U, flow_W, flow_V, conserved,
    leaky_W, leaky_U, leaky_flow_U, leaky_flow_W, leaky_rate_U, leaky_rate_W,
):  # fmt: skip
    leaky = {W: leaky_W, U: leaky_U}
    for steps in STEPS_TRIED:
        of_leaky = [x.xreplace(leaky) for x in _flows(closed, flow_U, flow_W, flow_V, steps)]
        meaning = {gU: of_leaky[0], gW: of_leaky[1]}
        rates = {
            U: leaky_flow_U.xreplace(meaning),
            W: leaky_flow_W.xreplace(meaning),
            V: of_leaky[2],
        }
        loss_now = unrolled(closed(loss), {T: steps}).xreplace(leaky)
        moved = rate_of_change(loss_now, {U: dU, W: dW, V: dV})
        yield moved + sum(Trace(x.T * rates[y]) for x, y in ((dU, U), (dW, W), (dV, V)))
        for x, rate in ((leaky_U, leaky_rate_U), (leaky_W, leaky_rate_W)):
            yield coefficients(rate_of_change(x, rates) - rate.xreplace(meaning))
        yield coefficients(rate_of_change(conserved, rates))


def _data(lag):
    return MatrixSymbol(f"X_{lag}", n, sp.Symbol("p", integer=True))


def _over_data(expression, steps):
    return expression.xreplace(
        {
            unrolled(Sigma(k, l), {k: x, l: y}): _data(x) * _data(y).T
            for x in range(steps)
            for y in range(steps)
        }
    )


def _correlated(
    closed, loss_correlated, error_correlated, error, flow_U, flow_W, flow_V
):  # fmt: skip
    # The flows with this error in the place of the white one.
    instead = {closed(error): closed(error_correlated)}
    for steps in STEPS_TRIED[:3]:
        miss = sp.MatAdd(
            *(unrolled(S(k) - F(k), {k: x}) * _data(x) for x in range(steps))
        )  # fmt: skip
        given = _over_data(unrolled(loss_correlated, {T: steps}), steps)
        yield given - Trace(miss * miss.T) / 2
        loss_now = _over_data(unrolled(closed(loss_correlated), {T: steps}), steps)
        moved = rate_of_change(loss_now, {U: dU, W: dW, V: dV})
        for change, flow in ((dU, flow_U), (dW, flow_W), (dV, flow_V)):
            rate = unrolled(closed(flow).xreplace(instead), {T: steps})
            moved += Trace(change.T * _over_data(rate, steps))
        yield moved
        white = {
            unrolled(Sigma(k, l), {k: x, l: y}): unrolled(w(k), {k: x}) * Identity(n)
            if x == y
            else ZeroMatrix(n, n)
            for x in range(steps)
            for y in range(steps)
        }
        for lag in range(steps):
            correlated = unrolled(error_correlated, {T: steps, k: lag}).xreplace(white).doit()
            yield coefficients((correlated - unrolled(error, {k: lag})).doit())


STEPS = (
    Step(
        ("drift", "conserved_at_rates"),
        "D is constant only if all three matrices are trained at one rate: at other rates, or "
        "with a matrix at rest, it drifts (dU and dV are the flows at rate 1). What is conserved "
        "then has each term divided by the rate of its matrix, and no matrix may be at rest. "
        "Words, T = 1 to 4.",
        Zero(_rates),
    ),
    Step(
        ("leaky_W", "leaky_U"),
        "Leak: the recursion is that of another network without leak.",
        Zero(_leak),
    ),
    Step(
        ("leaky_flow_U", "leaky_flow_W", "leaky_rate_U", "leaky_rate_W"),
        "W and U enter through leaky_W and leaky_U, with a factor a; these move at a times the "
        "rate of W and U, which is a^2 times the flow of a network without leak. D in U, W, V is "
        "conserved as it stands: 1 commutes with W.",
        Zero(_leaky_flow),
    ),
    Step(
        ("loss_correlated", "error_correlated"),
        "Inputs with any covariance over lags and channels (X_k are the data at lag k, "
        "Sigma_kl = X_k X_l'): only the error changes, to E = (S - F) Sigma. White inputs with "
        "lag weights are Sigma_kk = w_k, and nothing else.",
        Zero(_correlated),
    ),
)
