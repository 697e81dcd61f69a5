"""T17, second part: inner products of kernels and of Gram matrices."""

from __future__ import annotations

import random

import sympy as sp
from sympy import Identity, KroneckerProduct, MatrixSymbol, Sum, Trace

from derivations.frame.checks import Zero
from derivations.frame.derivation import Step
from derivations.frame.lag_sums import Member, T, explicit, k, l, unrolled
from derivations.frame.matrix_words import expand_traces
from derivations.t16_recurrent_flow.symbols import C, N, m, n, w
from derivations.t16_recurrent_flow.variants import Sigma
from derivations.t17_recurrent_kernel.symbols import K0, LAGS, Gc, Gc0, Go, Go0, K

__all__ = ["FORMULAS", "NOTATION", "STEPS"]

a, b = sp.symbols("a b", integer=True, nonnegative=True)

FORMULAS = {
    "kernel_inner_product": Sum(w(k) * w(l) * Trace(K0(k, l) * K(k, l).T), *LAGS),
    "kernel_inner_product_VU": Sum(
        w(k)
        * w(l)
        * (
            m * Trace(Gc0(k, l) * Gc(k, l).T)
            + Trace(Gc0(k, l)) * Trace(Go(k, l))
            + Trace(Gc(k, l)) * Trace(Go0(k, l))
            + n * Trace(Go0(k, l) * Go(k, l).T)
        ),
        *LAGS,
    ),
    "representation_inner_product": Sum(Trace(Gc0(k, l) * Gc(k, l).T), *LAGS),
    "kernel_inner_product_correlated": Sum(
        Trace(
            K0(k, l)
            * KroneckerProduct(Identity(m), Sigma(l, a))
            * K(a, b)
            * KroneckerProduct(Identity(m), Sigma(b, k))
        ),
        *LAGS,
        (a, 0, T - 1),
        (b, 0, T - 1),
    ),
    "representation_inner_product_correlated": Sum(
        Trace(Gc0(k, l) * Sigma(l, a) * Gc(a, b) * Sigma(b, k)),
        *LAGS,
        (a, 0, T - 1),
        (b, 0, T - 1),
    ),
}

NOTATION = {
    a: "a lag",
    b: "a lag",
    Gc0.symbol: "G^c_kl at the start",
    Go0.symbol: "G^o_kl at the start",
    K0.symbol: "K_kl at the start",
    Sigma.symbol: "Sigma_kl = E[x_(T-k) x_(T-l)']",
}


def _start(expression):
    """The same at the start."""
    return expression.xreplace({Gc.symbol: Gc0.symbol, Go.symbol: Go0.symbol})


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
        meaning = {K.symbol: parts, K0.symbol: _start(parts)}
        whole = _written(unrolled(kernel_inner_product.xreplace(meaning), at), sizes)
        yield whole - _written(unrolled(kernel_inner_product_VU, at), sizes)


def _last_state(
    closed, driven_gram, representation_inner_product, representation_inner_product_correlated
):
    """Over samples: H = sum C_k X_k, whose Gram matrices are H'H."""
    steps = 3
    samples = sp.Symbol("samples", integer=True, positive=True)
    inputs = [MatrixSymbol(f"X_{x}", n, samples) for x in range(steps)]
    start = MatrixSymbol("C^0", N, n)
    before, now = (
        sp.MatAdd(*(unrolled(family(x), {}) * inputs[x] for x in range(steps)))
        for family in (lambda x: Member(start, x), C)
    )
    defined = Trace(before.T * before * now.T * now)
    grams = {Gc0.symbol: driven_gram.xreplace({C.symbol: start})}
    moments = {
        unrolled(Sigma(x, y), {}): inputs[x] * inputs[y].T
        for x in range(steps)
        for y in range(steps)
    }
    white = {((x, False), (y, True)): int(x == y) for x in inputs for y in inputs}
    for claim, relations in (
        (representation_inner_product_correlated, None),
        (representation_inner_product, white),
    ):
        claimed = unrolled(closed(claim).xreplace(grams), {T: steps}).xreplace(moments)
        yield expand_traces(defined, relations) - expand_traces(claimed, relations)


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
        ("driven_gram", "representation_inner_product", "representation_inner_product_correlated"),
        "The Gram matrices H'H of the last state H = sum C_k X_k over any inputs, with "
        "Sigma_kl = X_k X_l', and over white ones (1 for k = l, else 0). RA is this over the "
        "norms. Any sizes, T = 3.",
        Zero(_last_state),
    ),
    Step(
        ("kernel_inner_product_correlated",),
        "Inputs with any covariance: the kernel of the outputs over the samples, with "
        "Sigma_kl = X_k X_l'. Symmetric matrices "
        "and inputs of random whole numbers, two lags.",
        Zero(_over_samples),
    ),
    Step(
        ("kernel_inner_product_correlated", "kernel_inner_product"),
        "White inputs with lag weights are Sigma_kk = w_k, and nothing else.",
        Zero(_white),
    ),
)
