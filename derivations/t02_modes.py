"""T2: weights that share their singular vectors with the task fall apart into modes."""

from __future__ import annotations

import sympy as sp
from sympy import MatrixSymbol, sqrt

from derivations.frame.checks import Substitution, Zero
from derivations.frame.derivation import Derivation, Step
from derivations.frame.matrix_words import orthonormal, words
from derivations.t01_gradient_flow import DERIVATION as T1
from derivations.t01_gradient_flow import W1, W2, Sxx, Syx, W_star, d, h, m

__all__ = ["DERIVATION"]

k, d_rest, m_rest = sp.symbols("k e l", integer=True, positive=True)
n_first, n_readout = sp.symbols("i j", integer=True, positive=True)
U, U_rest = MatrixSymbol("U", m, k), MatrixSymbol("O", m, m_rest)
V, V_rest = MatrixSymbol("V", d, k), MatrixSymbol("N", d, d_rest)
H = MatrixSymbol("H", h, k)
H_first, H_readout = MatrixSymbol("K", h, n_first), MatrixSymbol("J", h, n_readout)
A, B, S, Q = (MatrixSymbol(name, k, k) for name in "ABSQ")
T, A0, B0 = (MatrixSymbol(name, k, k) for name in ("S/Q", "A_0", "B_0"))
first_rest = MatrixSymbol("F", n_first, d_rest)
readout_rest = MatrixSymbol("L", m_rest, n_readout)
variance_rest = MatrixSymbol("C", d_rest, d_rest)

a, b, a0, b0 = sp.symbols("a b a_0 b_0", real=True)
s = sp.Symbol("s", nonnegative=True)
q = sp.Symbol("q", positive=True)
p, lam, x, y = sp.symbols("p lambda x y", real=True)
G = sp.Symbol("G", nonnegative=True)

FRAME = orthonormal(U, U_rest) | orthonormal(V, V_rest) | orthonormal(H, H_first, H_readout)
ENTRY = {A: a, B: b, S: s, Q: q, T: s / q, A0: a0, B0: b0}

FORMULAS = {
    "first_layer": H * A * V.T + H_first * first_rest * V_rest.T,
    "readout_layer": U * B * H.T + U_rest * readout_rest * H_readout.T,
    "task": U * S * V.T,
    "input_covariance": V * Q * V.T + V_rest * variance_rest * V_rest.T,
    "error": s - q * a * b,
    "rate_first": b * (s - q * a * b),
    "rate_readout": a * (s - q * a * b),
    "weight_change_first_squared": (a - a0) ** 2,
    "weight_change_readout_squared": (b - b0) ** 2,
    "imbalance": b**2 - a**2,
    "product": a * b,
    "layer_strength": a**2 + b**2,
    "layer_strength_conserved": sqrt(lam**2 + 4 * p**2),
    "product_rate": sqrt(lam**2 + 4 * p**2) * (s - q * p),
    "loss": (s - q * a * b) ** 2 / (2 * q),
    "kernel": q * G,
    "error_rate": -q * G * (s - q * p),
    "loss_rate": -G * (s - q * p) ** 2,
    "scaled_first": sqrt(q) * a,
    "scaled_readout": sqrt(q) * b,
    "scaled_rate_first": y * (s - x * y),
    "scaled_rate_readout": x * (s - x * y),
    "scaled_imbalance": q * lam,
    "scaled_product": q * p,
    "scaled_change_first": (x - sqrt(q) * a0) / sqrt(q),
    "scaled_change_readout": (y - sqrt(q) * b0) / sqrt(q),
    "scaled_loss": (s - x * y) ** 2 / (2 * q),
    "scaled_kernel": x**2 + y**2,
}


def _in_modes(left, expression, right):
    """The entries of D in an expression left D right' with D diagonal, any sizes.

    Products of diagonal matrices are diagonal with the products of the entries, so a word in
    them is a monomial. A word of any other form is returned as a symbol: it is not zero.
    """
    total = sp.S.Zero
    for word, coefficient in words(expression, FRAME).items():
        inside = [matrix for matrix, _ in word[1:-1]]
        ends = (word[0], word[-1]) if len(word) > 1 else ()
        if ends == ((left, False), (right, True)) and ENTRY.keys() >= set(inside):
            total += coefficient * sp.Mul(*(ENTRY[matrix] for matrix in inside))
        else:
            total += coefficient * sp.Dummy(" ".join(map(str, word)) or "1")
    return total


def _meaning(first_layer, readout_layer, task, input_covariance):
    return {W1: first_layer, W2: readout_layer, Syx: task, Sxx: input_covariance}


def _components(first_layer, readout_layer, task, input_covariance):
    """Every component of the four matrices in the frames."""
    outputs, inputs, hidden = (U, U_rest), (V, V_rest), (H, H_first, H_readout)
    parts = {
        (first_layer, hidden, inputs): {(H, V): A, (H_first, V_rest): first_rest},
        (readout_layer, outputs, hidden): {(U, H): B, (U_rest, H_readout): readout_rest},
        (task, outputs, inputs): {(U, V): S},
        (input_covariance, inputs, inputs): {(V, V): Q, (V_rest, V_rest): variance_rest},
    }
    for (whole, lefts, rights), expected in parts.items():
        rebuilt = sp.ZeroMatrix(*whole.shape)
        for left in lefts:
            for right in rights:
                part = expected.get((left, right), sp.ZeroMatrix(left.cols, right.cols))
                difference = left.T * whole * right - part
                yield list(words(difference, FRAME).values())
                rebuilt = rebuilt + left * part * right.T
        yield list(words(whole - rebuilt, FRAME).values())


def _rates(first_layer, readout_layer, task, input_covariance, error, rate_first, rate_readout):
    meaning = _meaning(first_layer, readout_layer, task, input_covariance)
    error_now, flow_1, flow_2 = (
        T1.claims[claim].xreplace(meaning) for claim in ("error", "flow_1", "flow_2")
    )
    return [
        _in_modes(U, error_now, V) - error,
        _in_modes(H, flow_1, V) - rate_first,
        _in_modes(U, flow_2, H) - rate_readout,
    ]


def _weight_changes(
    first_layer, readout_layer, weight_change_first_squared, weight_change_readout_squared
):
    first = first_layer - first_layer.xreplace({A: A0})
    readout = readout_layer - readout_layer.xreplace({B: B0})
    return [
        sp.expand(weight_change_first_squared) - _in_modes(H, first * first.T, H),
        sp.expand(weight_change_readout_squared) - _in_modes(U, readout * readout.T, U),
    ]


def _along(expression, rate_first, rate_readout):
    return expression.diff(a) * rate_first + expression.diff(b) * rate_readout


def _imbalance(first_layer, readout_layer, imbalance, rate_first, rate_readout):
    meaning = {W1: first_layer, W2: readout_layer}
    matrix = H.T * T1.claims["conserved"].xreplace(meaning) * H
    return [
        _along(imbalance, rate_first, rate_readout),
        _in_modes(H, H * matrix * H.T, H) - imbalance,
    ]


def _product(first_layer, readout_layer, product):
    return _in_modes(U, readout_layer * first_layer * V * V.T, V) - product


def _strength(closed, first_layer, readout_layer, layer_strength, layer_strength_conserved):
    moments = first_layer.T * first_layer, readout_layer * readout_layer.T
    squares = _in_modes(V, V * V.T * moments[0] * V * V.T, V) + _in_modes(
        U, U * U.T * moments[1] * U * U.T, U
    )
    return [layer_strength - squares, layer_strength - _rooted(closed(layer_strength_conserved))]


def _rooted(expression):
    """With the base of every square root factored."""
    return expression.replace(
        lambda e: e.is_Pow and e.exp == sp.S.Half, lambda e: sqrt(sp.factor(e.base))
    )


def _product_rate(closed, product, product_rate, rate_first, rate_readout):
    return _rooted(closed(product_rate)) - _along(product, rate_first, rate_readout)


def _loss(first_layer, readout_layer, task, input_covariance, loss):
    best = U * T * V.T
    meaning = _meaning(first_layer, readout_layer, task, input_covariance) | {W_star: best}
    twice = 2 * T1.claims["loss"].xreplace(meaning)
    return [
        _in_modes(U, best * input_covariance - task, V),
        2 * loss - _in_modes(U, twice.arg, U),
    ]


def _error_and_loss_rates(
    closed, error, kernel, loss, error_rate, loss_rate, rate_first, rate_readout
):
    return [
        closed(error_rate) - _along(error, rate_first, rate_readout),
        closed(loss_rate) - _along(loss, rate_first, rate_readout),
        closed(loss_rate) + rate_first**2 + rate_readout**2,
        closed(error_rate + kernel * error),
    ]


def _scaled(
    closed,
    scaled_first,
    scaled_readout,
    scaled_rate_first,
    scaled_rate_readout,
    rate_first,
    rate_readout,
):
    unscaled = {a: x, b: y, q: sp.S.One}
    return [
        closed(scaled_rate_first) - _along(scaled_first, rate_first, rate_readout),
        closed(scaled_rate_readout) - _along(scaled_readout, rate_first, rate_readout),
        scaled_rate_first - rate_first.subs(unscaled, simultaneous=True),
        scaled_rate_readout - rate_readout.subs(unscaled, simultaneous=True),
        scaled_first**2 - q * a**2,
        scaled_first.subs(a, 1) - sqrt(q),
        scaled_readout.subs(b, 1) - sqrt(q),
    ]


def _mapped_back(
    closed,
    scaled_imbalance,
    scaled_product,
    scaled_change_first,
    scaled_change_readout,
    scaled_loss,
    scaled_kernel,
    loss,
    kernel,
):
    return [
        closed(scaled_imbalance - (y**2 - x**2)),
        closed(scaled_product - x * y),
        closed(scaled_change_first) - (a - a0),
        closed(scaled_change_readout) - (b - b0),
        closed(scaled_loss) - loss,
        closed(scaled_kernel - kernel),
    ]


STEPS = (
    Step(
        ("first_layer", "readout_layer", "task", "input_covariance"),
        "The start, the task and the inputs in frames of orthonormal columns: outputs (U, O), "
        "inputs (V, N), hidden units (H, K, J and any others). A, B, S, Q are diagonal; F and L "
        "are what the weights hold beside the modes, C the covariance of the other inputs.",
        Zero(_components),
    ),
    Step(
        ("error", "rate_first", "rate_readout"),
        "Put into the flow of T1, W1 changes by H dA V' and W2 by U dB H' with diagonal dA and "
        "dB, and nothing else: the form is kept, the rest F, L never moves, and each mode obeys "
        "two equations of its own. Words in diagonal matrices are diagonal with the products of "
        "the entries, for any number of modes and any sizes.",
        Substitution(_rates, equation="the flow of T1"),
    ),
    Step(
        ("weight_change_first_squared", "weight_change_readout_squared"),
        "The frames are orthonormal: |W1 - W1(0)|^2 and |W2 - W2(0)|^2 are sums of these over "
        "the modes.",
        Zero(_weight_changes),
    ),
    Step(
        ("imbalance",),
        "T1's conserved matrix in the mode, and it does not change.",
        Zero(_imbalance),
    ),
    Step(("product",), "The mode of the map W2 W1.", Zero(_product)),
    Step(
        ("layer_strength", "layer_strength_conserved"),
        "The squares of both layers; (a^2 + b^2)^2 = (b^2 - a^2)^2 + 4 a^2 b^2, and both sides "
        "of the root are nonnegative.",
        Zero(_strength),
    ),
    Step(
        ("product_rate",),
        "p' = (a^2 + b^2)(s - qp), by conservation an equation of p alone.",
        Substitution(_product_rate, equation="p' = a'b + ab' with the rates of the mode"),
    ),
    Step(
        ("loss",),
        "T1's loss with W* = U (S/Q) V', as Syx = W* Sxx demands, is the sum of these.",
        Zero(_loss),
    ),
    Step(
        ("kernel", "error_rate", "loss_rate"),
        "The error of a mode decays at the rate of its kernel, and its loss falls by the squared "
        "speed of its weights.",
        Zero(_error_and_loss_rates),
    ),
    Step(
        ("scaled_first", "scaled_readout", "scaled_rate_first", "scaled_rate_readout"),
        "In x = sqrt(q) a and y = sqrt(q) b the mode is one of q = 1.",
        Substitution(_scaled, equation="the rates of the mode"),
    ),
    Step(
        (
            "scaled_imbalance",
            "scaled_product",
            "scaled_change_first",
            "scaled_change_readout",
            "scaled_loss",
            "scaled_kernel",
        ),
        "The imbalance and the product of x and y are q times those of a and b; the changes of "
        "the weights, the loss and the kernel are mapped back from x and y.",
        Zero(_mapped_back),
    ),
)

DERIVATION = Derivation(
    id="T2",
    title="Modes: weights that share their singular vectors with the task",
    assumptions=(
        "The flow of T1, and at the start W1 = H A V' + K F N', W2 = U B H' + O L J'.",
        "Syx = U S V' and Sxx = V Q V' + N C N': the inputs share the modes' basis.",
        "A, B, S, Q are diagonal with entries a, b of either sign, s >= 0 and q > 0.",
        "(U, O), (V, N) and (H, K, J) have orthonormal columns; F and L are any matrices, C any "
        "covariance.",
    ),
    notation={
        d: "number of inputs",
        h: "number of hidden units",
        m: "number of outputs",
        k: "number of modes",
        d_rest: "number of other input directions, d - k",
        m_rest: "number of other output directions, m - k",
        n_first: "number of hidden directions that only W1 holds",
        n_readout: "number of hidden directions that only W2 holds",
        U: "output directions of the modes",
        U_rest: "the other output directions",
        V: "input directions of the modes",
        V_rest: "the other input directions",
        H: "hidden directions of the modes",
        H_first: "hidden directions that only W1 holds",
        H_readout: "hidden directions that only W2 holds",
        A: "modes of W1",
        B: "modes of W2",
        S: "modes of the task",
        Q: "input variances of the modes",
        first_rest: "what W1 holds beside the modes",
        readout_rest: "what W2 holds beside the modes",
        variance_rest: "input covariance beside the modes",
        a: "strength of one mode in W1, an entry of A",
        b: "its strength in W2, an entry of B",
        a0: "a at the start",
        b0: "b at the start",
        s: "its strength in the task, an entry of S",
        q: "the input variance along it, an entry of Q",
    },
    shorthand={
        lam: "imbalance",
        p: "product",
        G: "layer_strength",
        x: "scaled_first",
        y: "scaled_readout",
    },
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in "
        "deep linear neural networks, arXiv:1312.6120, 2014: the modes with white inputs.",
        "The rest beside the modes and inputs that are not white: this project, from T1.",
    ),
)
