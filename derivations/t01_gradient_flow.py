"""T1: gradient flow of a linear network, and what it conserves."""

from __future__ import annotations

import sympy as sp
from sympy import Identity, MatrixSymbol, Sum, Symbol, Trace, ZeroMatrix

from derivations.frame.checks import Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.matrix_words import entries, rate_of_change

__all__ = ["DERIVATION", "W1", "W2", "Sxx", "Syx", "W_star", "d", "h", "m"]

d, h, m, n = sp.symbols("d h m n", integer=True, positive=True)
W1, W2, W_star = MatrixSymbol("W1", h, d), MatrixSymbol("W2", m, h), MatrixSymbol("W*", m, d)
X, Sxx, Syx = MatrixSymbol("X", d, n), MatrixSymbol("Sxx", d, d), MatrixSymbol("Syx", m, d)
dW1, dW2 = MatrixSymbol("dW1", h, d), MatrixSymbol("dW2", m, h)
G, E = MatrixSymbol("G", m, d), MatrixSymbol("E", m, d)
R, B = MatrixSymbol("R", d, d), MatrixSymbol("B", m, m)

# Two neighbouring layers of a deep network; Above and Below are the products of all the others.
inner, outer = sp.symbols("d' m'", integer=True, positive=True)
Lower, Upper = MatrixSymbol("Wl", h, inner), MatrixSymbol("Wl+1", outer, h)
Above, Below = MatrixSymbol("A", m, outer), MatrixSymbol("C", inner, d)
dLower, dUpper = MatrixSymbol("dWl", h, inner), MatrixSymbol("dWl+1", outer, h)
E_deep = MatrixSymbol("Edeep", m, d)

i, o, a = (Symbol(name, integer=True) for name in "ioa")  # an input, an output, a sample
_miss = Sum(G[o, i] * X[i, a], (i, 0, d - 1))

FORMULAS = {
    "gap": W_star - W2 * W1,
    "loss_over_samples": Sum(_miss**2, (o, 0, m - 1), (a, 0, n - 1)) / 2,
    "loss": Trace(G * Sxx * G.T) / 2,
    "error": Syx - W2 * W1 * Sxx,
    "differential": -Trace(E.T * (dW2 * W1 + W2 * dW1)),
    "flow_1": W2.T * E,
    "flow_2": E * W1.T,
    "conserved": W2.T * W2 - W1 * W1.T,
    "representation": W1.T * W1,
    "readout": W2 * W2.T,
    "path_speed_squared": Trace(E.T * B * E) + Trace(E * R * E.T),
    "error_deep": Syx - Above * Upper * Lower * Below * Sxx,
    "flow_lower": Upper.T * Above.T * E_deep * Below.T,
    "flow_upper": Above.T * E_deep * Below.T * Lower.T,
    "conserved_deep": Upper.T * Upper - Lower * Lower.T,
}

SIZES = [
    {m: 1, h: 1, d: 1, n: 1},
    {m: 1, h: 2, d: 3, n: 2},
    {m: 2, h: 1, d: 3, n: 2},
    {m: 3, h: 2, d: 2, n: 1},
    {m: 2, h: 3, d: 2, n: 2},
]


def _over_data(expression):
    """Write the covariances as what they are: W* fits best, and Sxx = X X' is symmetric."""
    covariance = X * X.T
    return expression.xreplace({Syx: W_star * covariance, Sxx: covariance})


def _loss_by_size(gap, loss_over_samples, loss):
    for sizes in SIZES:
        yield _loss_at(sizes, gap, loss_over_samples, loss)


def _loss_at(sizes, gap, loss_over_samples, loss):
    # The right-hand sides by loops over the entries, to lean on no matrix identity.
    first, second, best, inputs = (entries(w, sizes) for w in (W1, W2, W_star, X))
    outputs, hidden, sources, samples = (sizes[s] for s in (m, h, d, n))
    missing = sp.Matrix(
        outputs,
        sources,
        lambda o, i: best[o, i] - sum(second[o, j] * first[j, i] for j in range(hidden)),
    )
    misses = (
        sum(missing[o, i] * inputs[i, a] for i in range(sources))
        for o in range(outputs)
        for a in range(samples)
    )
    half_square = sum(miss**2 for miss in misses) / 2
    meaning = dict(zip(entries(G, sizes), missing, strict=True))
    return [
        entries(gap, sizes) - missing,
        entries(loss_over_samples, sizes).xreplace(meaning) - half_square,
        entries(_over_data(loss), sizes).xreplace(meaning) - half_square,
    ]


def _differential(closed, gap, loss, error, differential):
    moved = rate_of_change(closed(loss), {W1: dW1, W2: dW2})
    return [_over_data(error - gap * Sxx), _over_data(moved - closed(differential))]


def _gradient(closed, differential, flow_1, flow_2):
    pairing = Trace(dW1.T * closed(flow_1)) + Trace(dW2.T * closed(flow_2))
    return closed(differential) + pairing


def _gradient_by_size(closed, loss, flow_1, flow_2):
    for sizes in SIZES:
        scalar = entries(_over_data(closed(loss)), sizes)
        for weights, flow in ((W1, flow_1), (W2, flow_2)):
            rate = entries(_over_data(closed(flow)), sizes)
            gradient = entries(weights, sizes).applyfunc(lambda w, loss=scalar: sp.diff(loss, w))
            yield rate + gradient


def _conserved(closed, conserved, flow_1, flow_2):
    rates = {W1: closed(flow_1), W2: closed(flow_2)}
    return [
        rate_of_change(conserved, rates),
        conserved.xreplace({W1: ZeroMatrix(h, d)}) - W2.T * W2,
        conserved.xreplace({W2: ZeroMatrix(m, h)}) + W1 * W1.T,
    ]


def _second_moments(representation, readout):
    error_change, input_change = MatrixSymbol("e", m, 1), MatrixSymbol("x", d, 1)
    return [
        Trace(input_change.T * (representation * input_change))
        - Trace((W1 * input_change) * (W1 * input_change).T),
        Trace(error_change.T * (readout * error_change))
        - Trace((W2.T * error_change) * (W2.T * error_change).T),
    ]


def _path_speed(closed, path_speed_squared, loss, flow_1, flow_2):
    rate_1, rate_2 = closed(flow_1), closed(flow_2)
    speed = closed(path_speed_squared)
    return [
        speed - Trace(rate_1.T * rate_1) - Trace(rate_2.T * rate_2),
        _over_data(speed + rate_of_change(closed(loss), {W1: rate_1, W2: rate_2})),
    ]


def _gradient_deep(closed, error_deep, flow_lower, flow_upper):
    gap = W_star - Above * Upper * Lower * Below
    moved = rate_of_change(Trace(gap * Sxx * gap.T) / 2, {Lower: dLower, Upper: dUpper})
    pairing = Trace(dLower.T * closed(flow_lower)) + Trace(dUpper.T * closed(flow_upper))
    return [_over_data(error_deep - gap * Sxx), _over_data(moved + pairing)]


def _conserved_deep(closed, conserved_deep, flow_lower, flow_upper):
    rates = {Lower: closed(flow_lower), Upper: closed(flow_upper)}
    return [
        rate_of_change(conserved_deep, rates),
        conserved_deep.xreplace({Lower: ZeroMatrix(h, inner)}) - Upper.T * Upper,
        conserved_deep.xreplace({Upper: ZeroMatrix(outer, h)}) + Lower * Lower.T,
    ]


def _two_layers(closed, flow_1, flow_2, error_deep, flow_lower, flow_upper):
    shallow = {inner: d, outer: m}
    only_two = {
        Lower.subs(shallow): W1,
        Upper.subs(shallow): W2,
        Above.subs(shallow): Identity(m),
        Below.subs(shallow): Identity(d),
    }
    return [
        closed(flow).subs(shallow).xreplace(only_two) - closed(two_layer)
        for flow, two_layer in ((flow_lower, flow_1), (flow_upper, flow_2), (error_deep, E))
    ]


STEPS = (
    Step(
        ("gap", "loss_over_samples", "loss"),
        "The excess loss is half the mean squared miss over the samples (the columns of X, "
        "divided by the root of their number). A squared norm is the trace of a matrix times "
        "its transpose, and X X' is Sxx. Written out for several rectangular sizes.",
        Zero(_loss_by_size),
    ),
    Step(
        ("error", "differential"),
        "Move W1 and W2 by dW1 and dW2 and keep the first order. The best map satisfies "
        "Syx = W* Sxx, so the loss sees the weights through E alone. Traces of words, any size.",
        Zero(_differential),
    ),
    Step(
        ("flow_1", "flow_2"),
        "The flow is minus the gradient, and the gradient is what pairs with dW1 and dW2 under "
        "the trace to give the differential. Any size.",
        Zero(_gradient),
    ),
    Step(
        ("flow_1", "flow_2"),
        "The same, entry by entry: minus the partial derivatives of the loss, for several "
        "rectangular sizes.",
        Zero(_gradient_by_size),
    ),
    Step(
        ("conserved",),
        "Differentiated along the flow, the four words cancel in pairs. At W1 = 0 and at W2 = 0 "
        "it is the Gram matrix of the other layer, with its sign. Any size.",
        Zero(_conserved),
    ),
    Step(
        ("representation", "readout"),
        "The second moments: x'Rx is the squared length of the hidden activity of an input x, "
        "e'Be that of an output error e sent back through the readout.",
        Zero(_second_moments),
    ),
    Step(
        ("path_speed_squared",),
        "The squared speed of the weights is the rate at which the loss falls, and needs only "
        "R, B and E.",
        Zero(_path_speed),
    ),
    Step(
        ("error_deep", "flow_lower", "flow_upper"),
        "Two neighbouring layers of a network of any depth: A is the product of the layers above "
        "them, C of those below. The same differential, the same pairing.",
        Zero(_gradient_deep),
    ),
    Step(
        ("flow_lower", "flow_upper", "error_deep"),
        "With nothing above and nothing below it is the two-layer flow again.",
        Zero(_two_layers),
    ),
    Step(
        ("conserved_deep",),
        "Differentiated along the flow, the words again cancel in pairs, for every neighbouring "
        "pair of layers and so for any depth.",
        Zero(_conserved_deep),
    ),
)

DERIVATION = Derivation(
    id="T1",
    title="Gradient flow and its conservation law",
    assumptions=(
        "Linear network f(x) = W2 W1 x, or a product of any number of layers.",
        "Squared error, full batch, the limit of small steps: time = learning rate x steps.",
        "Sxx and Syx are moments over the data; W* is a least-squares map, Syx = W* Sxx.",
    ),
    notation={
        d: "number of inputs",
        h: "number of hidden units (width between the two neighbouring layers)",
        m: "number of outputs",
        n: "number of samples",
        i: "an input",
        o: "an output",
        a: "a sample",
        W1: "first weights",
        W2: "second weights (the readout)",
        W_star: "least-squares map",
        X: "inputs, one sample a column, divided by the root of the number of samples",
        Sxx: "input covariance X X'",
        Syx: "input-output covariance",
        dW1: "a small change of W1",
        dW2: "a small change of W2",
        inner: "width below the two neighbouring layers",
        outer: "width above the two neighbouring layers",
        Lower: "the lower of two neighbouring layers",
        Upper: "the upper of two neighbouring layers",
        Above: "product of the layers above them",
        Below: "product of the layers below them",
    },
    shorthand={G: "gap", E: "error", R: "representation", B: "readout", E_deep: "error_deep"},
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Fukumizu, Effect of batch learning in multilayer neural networks, 1998.",
        "Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in "
        "deep linear neural networks, arXiv:1312.6120, 2014.",
        "Arora, Cohen and Hazan, On the optimization of deep networks: implicit acceleration by "
        "overparameterization, arXiv:1802.06509, 2018.",
    ),
)
