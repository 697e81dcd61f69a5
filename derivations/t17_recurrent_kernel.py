"""T17: the tangent kernel of a linear recurrent network from small Gram matrices."""

from __future__ import annotations

import random

import sympy as sp
from sympy import Identity, KroneckerProduct, MatrixSymbol, Sum, Trace

from derivations.checks import Zero
from derivations.frame import Derivation, Step
from derivations.lag_sums import MatrixSum, Member, T, explicit, k, l, unrolled
from derivations.matrix_words import coefficients, entries, expand_traces, rate_of_change
from derivations.t16_recurrent_flow import DERIVATION as T16
from derivations.t16_symbols import NOTATION, STEPS_TRIED, C, E, N, O, U, V, W, i, j, m, n, w
from derivations.t16_variants import Sigma

__all__ = ["DERIVATION", "SIZES"]

a, b = sp.symbols("a b", integer=True, nonnegative=True)

_driven, _read = MatrixSymbol("G^c", n, n), MatrixSymbol("G^o", m, m)
_driven_0, _read_0 = MatrixSymbol("G^c0", n, n), MatrixSymbol("G^o0", m, m)
_kernel, _kernel_0 = MatrixSymbol("K", m * n, m * n), MatrixSymbol("K^0", m * n, m * n)


def Gc(first, second):
    return Member(_driven, first, second)


def Go(first, second):
    return Member(_read, first, second)


def K(first, second):
    return Member(_kernel, first, second)


def K0(first, second):
    return Member(_kernel_0, first, second)


def _start(expression):
    """The same at the start."""
    return expression.xreplace({_driven: _driven_0, _read: _read_0})


_PLACES = ((j, 0, k - 1), (i, 0, l - 1))
_LAGS = ((k, 0, T - 1), (l, 0, T - 1))
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
    "loss_rate": -Sum(Trace(E(k).T * E(l) * Gc(l, k)) + Trace(E(k).T * Go(k, l) * E(l)), *_LAGS)
    - Sum(Trace(E(k).T * Go(j, i) * E(l) * Gc(l - 1 - i, k - 1 - j)), *_PLACES, *_LAGS),
    "kernel_inner_product": Sum(w(k) * w(l) * Trace(K0(k, l) * K(k, l).T), *_LAGS),
    "kernel_inner_product_VU": Sum(
        w(k)
        * w(l)
        * (
            m * Trace(Member(_driven_0, k, l) * Gc(k, l).T)
            + Trace(Member(_driven_0, k, l)) * Trace(Go(k, l))
            + Trace(Gc(k, l)) * Trace(Member(_read_0, k, l))
            + n * Trace(Member(_read_0, k, l) * Go(k, l).T)
        ),
        *_LAGS,
    ),
    "representation_inner_product": Sum(Trace(Member(_driven_0, k, l) * Gc(k, l).T), *_LAGS),
    "kernel_inner_product_correlated": Sum(
        Trace(
            K0(k, l)
            * KroneckerProduct(Identity(m), Sigma(l, a))
            * K(a, b)
            * KroneckerProduct(Identity(m), Sigma(b, k))
        ),
        *_LAGS,
        (a, 0, T - 1),
        (b, 0, T - 1),
    ),
}

SIZES = ({N: 1, n: 1, m: 1}, {N: 2, n: 1, m: 1}, {N: 2, n: 1, m: 2}, {N: 2, n: 2, m: 1})
_SPELLED = {C.family: T16.claims["driven"], O.family: T16.claims["read"]}


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
    grams = {_driven: driven_gram, _read: read_gram}  # G_kl is the transpose of G_lk
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
    errors = {E.family: T16.claims["error"]}
    for steps in STEPS_TRIED[:3]:
        moved = rate_of_change(unrolled(T16.claims["loss"], {T: steps}), _flows(steps, errors))
        claimed = closed(loss_rate).xreplace(_SPELLED).xreplace(errors)
        yield moved - unrolled(claimed, {T: steps})


def _written(expression, sizes, given=None):
    """A sum of traces, entry by entry, for given matrices."""
    letters = {letter.subs(sizes): x for letter, x in (given or {}).items()}
    expression = expression.subs(sizes).xreplace(letters)
    traced = expression.replace(sp.Trace, lambda x: explicit(x, sizes).trace())
    return sp.expand(traced.subs(sizes))


def _whole_numbers(family, sizes, seed):
    """A symmetric matrix of random whole numbers over (lag, output, channel), and its blocks."""
    block = sizes[m] * sizes[n]
    generator = random.Random(seed)
    half = sp.Matrix(2 * block, 2 * block, lambda *_: generator.randint(-9, 9))
    whole = sp.ImmutableMatrix(half + half.T)
    return whole, {
        unrolled(family(x, y), {}): whole[x * block : (x + 1) * block, y * block : (y + 1) * block]
        for x in range(2)
        for y in range(2)
    }


def _inner_product(kernel_inner_product):
    # On the residuals sqrt(w_k) (S_k - F_k) of the loss the blocks are sqrt(w_k w_l) K_kl.
    for sizes in ({m: 1, n: 2}, {m: 2, n: 2}):
        block = sizes[m] * sizes[n]
        start, now = (_whole_numbers(family, sizes, seed) for seed, family in enumerate((K0, K)))
        weights = sp.diag(*(unrolled(w(x), {}) for x in range(2) for _ in range(block)))
        claimed = unrolled(kernel_inner_product, {T: 2})
        yield (
            _written(claimed, sizes, start[1] | now[1])
            - sp.expand((weights * start[0] * weights * now[0]).trace())
        )


def _without_recurrent(kernel_inner_product, kernel_inner_product_VU, kernel_V, kernel_U):
    parts = kernel_V + kernel_U
    for sizes in ({m: 1, n: 1}, {m: 2, n: 1}, {m: 1, n: 2}, {m: 2, n: 2}):
        at = {T: 2}
        meaning = {_kernel: parts, _kernel_0: _start(parts)}
        whole = _written(unrolled(kernel_inner_product.xreplace(meaning), at), sizes)
        yield whole - _written(unrolled(kernel_inner_product_VU, at), sizes)


def _last_state(closed, driven_gram, representation_inner_product):
    samples = sp.Symbol("samples", integer=True, positive=True)
    steps = 3
    inputs = [MatrixSymbol(f"X_{x}", n, samples) for x in range(steps)]
    start = MatrixSymbol("C^0", N, n)
    white = {((x, False), (y, True)): int(x == y) for x in inputs for y in inputs}
    before, now = (
        sp.MatAdd(*(unrolled(family(x), {}) * inputs[x] for x in range(steps)))
        for family in (lambda x: Member(start, x), C)
    )
    meaning = {_driven_0: driven_gram.xreplace({C.family: start})}
    claimed = unrolled(closed(representation_inner_product).xreplace(meaning), {T: steps})
    defined = Trace(before.T * before * now.T * now)
    return expand_traces(defined, white) - expand_traces(claimed, white)


def _at_covariance(expression, sizes, moment, given):
    """A sum over two lags of traces, for these covariances and kernels."""
    moments = {unrolled(Sigma(x, y), {}): moment(x, y) for x in range(2) for y in range(2)}
    return _written(unrolled(expression, {T: 2}), sizes, moments | given)


def _over_samples(kernel_inner_product_correlated):
    for sizes in ({m: 1, n: 2}, {m: 2, n: 1}, {m: 2, n: 2}):
        start, now = (_whole_numbers(family, sizes, seed) for seed, family in enumerate((K0, K)))
        generator = random.Random(2)
        data = [
            sp.ImmutableMatrix(sizes[n], 3, lambda *_, g=generator: g.randint(-9, 9))
            for _ in range(2)
        ]
        # How output o of sample s depends on the responses (lag, output, channel).
        slopes = sp.Matrix(
            [
                [
                    int(o == q) * data[lag][channel, s]
                    for lag in range(2)
                    for q in range(sizes[m])
                    for channel in range(sizes[n])
                ]
                for s in range(3)
                for o in range(sizes[m])
            ]
        )
        over = [slopes * whole * slopes.T for whole, _ in (start, now)]

        def moment(x, y, data=data):
            return data[x] * data[y].T

        claimed = kernel_inner_product_correlated
        yield (
            _at_covariance(claimed, sizes, moment, start[1] | now[1]) - (over[0] * over[1]).trace()
        )


def _white(kernel_inner_product_correlated, kernel_inner_product):
    for sizes in ({m: 2, n: 1}, {m: 1, n: 2}):
        given = _whole_numbers(K0, sizes, 0)[1] | _whole_numbers(K, sizes, 1)[1]
        one = sp.ImmutableMatrix(sp.eye(sizes[n]))

        def moment(x, y, one=one):
            return int(x == y) * unrolled(w(x), {}) * one

        plain = _written(unrolled(kernel_inner_product, {T: 2}), sizes, given)
        yield _at_covariance(kernel_inner_product_correlated, sizes, moment, given) - plain


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
    Step(
        ("kernel_inner_product",),
        "The loss is half the square of the residuals sqrt(w_k) (S_k - F_k), on which the kernel "
        "is sqrt(w_k w_l) K_kl: lags count by w_k w_l. Then KA is tr(K_0 K_t)/(|K_0||K_t|). "
        "Symmetric matrices of random whole numbers, two lags.",
        Zero(_inner_product),
    ),
    Step(
        ("kernel_inner_product", "kernel_inner_product_VU", "kernel_V", "kernel_U"),
        "With W at rest it is T11's, lag by lag: tr (A x B)(C x D)' = tr AC' tr BD'.",
        Zero(_without_recurrent),
    ),
    Step(
        ("driven_gram", "representation_inner_product"),
        "The Gram matrices H'H of the last state H = sum C_k X_k over white inputs "
        "(X_k X_l' = 1 for k = l, else 0). RA is this over the norms. Any sizes, T = 3.",
        Zero(_last_state),
    ),
    Step(
        ("kernel_inner_product_correlated",),
        "Inputs with any covariance: the kernel of the outputs over the samples, with "
        "Sigma_kl = X_k X_l'. The last state alike: tr(G_0 Sigma G_t Sigma). Symmetric matrices "
        "and inputs of random whole numbers, two lags.",
        Zero(_over_samples),
    ),
    Step(
        ("kernel_inner_product_correlated", "kernel_inner_product"),
        "White inputs with lag weights are Sigma_kk = w_k, and nothing else.",
        Zero(_white),
    ),
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
        a: "a lag",
        b: "a lag",
        C.family: "C_k = W^k U (T16)",
        O.family: "O_k = V W^k (T16)",
        E.family: "E_k, the error at lag k (T16)",
        _driven_0: "G^c_kl at the start",
        _read_0: "G^o_kl at the start",
        _kernel_0: "K_kl at the start",
        Sigma(k, l).args[0]: "Sigma_kl = E[x_(T-k) x_(T-l)']",
    },
    shorthand={_driven: "driven_gram", _read: "read_gram", _kernel: "kernel"},
    formulas=FORMULAS,
    steps=STEPS,
    sources=(
        "Jacot, Gabriel and Hongler, Neural tangent kernel, arXiv:1806.07572, 2018.",
        "The recurrent kernel from Gram matrices: this project.",
    ),
)
