"""The tree of Golub-Kahan chains: its couplings, its size, its moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy.recurrent import typical

LAWS = {
    "orthogonal": ([0.7], [1.0]),
    "half rank": ([0.9, 0.0], [0.5, 0.5]),
    "three values": ([1.0, 0.5, 0.2], [0.2, 0.3, 0.5]),
}


def bidiagonal(s, share, length):
    """Couplings by Lanczos on [[0, W], [W', 0]] with W = diag(s), from the right vector."""
    n = len(s)
    both = np.block([[np.zeros((n, n)), np.diag(s)], [np.diag(s), np.zeros((n, n))]])
    vectors = [np.concatenate([np.zeros(n), np.sqrt(share)])]
    found = []
    while len(found) < length:
        step = both @ vectors[-1]
        for v in vectors * 2:
            step = step - v * (v @ step)
        if np.linalg.norm(step) < 1e-12:
            break
        found.append(np.linalg.norm(step))
        vectors.append(step / found[-1])
    return found


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_couplings_are_those_of_lanczos(law):
    found = typical.chain(*law, 8)
    assert found == pytest.approx(bidiagonal(*law, 8), rel=1e-12)


@given(st.lists(st.floats(0.05, 3.0), min_size=1, max_size=6, unique=True))
def test_the_first_couplings_are_moments(values):
    share = np.full(len(values), 1.0 / len(values))
    s = np.array(values)
    couplings = typical.chain(s, share, 3)
    m1, m2 = np.mean(s**2), np.mean(s**4)
    assert couplings[0] ** 2 == pytest.approx(m1, rel=1e-12)
    if couplings.size > 1:  # E s^4 = a_1^2 (a_1^2 + b_1^2)
        assert couplings[0] ** 2 * (couplings[0] ** 2 + couplings[1] ** 2) == pytest.approx(m2)


@pytest.mark.parametrize(("roots", "words"), [(2, 1), (2, 4), (5, 3)])
def test_a_full_tree_has_so_many_nodes(roots, words):
    couplings = typical.chain([1.0, 0.7, 0.4, 0.2, 0.1], np.full(5, 0.2), words)
    assert typical.tree(couplings, roots, words).shape == (roots * (2 ** (words + 1) - 1),) * 2


def moment(w, word, node=0):
    """<node| word |node>, W for + and W' for -."""
    x = np.zeros(w.shape[0])
    x[node] = 1.0
    for letter in reversed(word):
        x = w @ x if letter == "+" else w.T @ x
    return x[node]


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_words_have_the_moments_of_large_random_matrices(law):
    """By free cumulants: k1 = m1, k2 = m2 - 2 m1^2 of the law of s^2 (R-diagonal)."""
    s, share = (np.asarray(x) for x in law)
    m1, m2 = share @ s**2, share @ s**4
    w = typical.tree(typical.chain(s, share, 6), 1, 6)
    expected = {
        "+": 0.0,
        "++": 0.0,
        "+-": m1,
        "-+": m1,
        "+-+-": m2,
        "++--": m1**2,
        "--++": m1**2,
        "+--+": m1**2,
        "+-++": 0.0,
        "+++---": m1**3,
        "++-+--": m1 * m2,
    }
    for word, value in expected.items():
        assert moment(w, word) == pytest.approx(value, abs=1e-12), word


def test_moments_against_sampled_matrices():
    rng, n = np.random.default_rng(0), 400
    s = np.repeat([1.0, 0.3], n // 2)
    q = [np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2)]
    w = (q[0] * s) @ q[1].T
    tree = typical.tree(typical.chain([1.0, 0.3], [0.5, 0.5], 6), 1, 6)
    for word in ("+-+-", "++--", "+-+-+-", "++-+--", "+--++-"):
        product = np.eye(n)
        for letter in word:
            product = product @ (w if letter == "+" else w.T)
        assert np.trace(product) / n == pytest.approx(moment(tree, word), abs=0.01), word


def test_a_network_has_its_norms_on_the_roots():
    net = typical.network(
        [1.0], [1.0], channels=2, outputs=1, input_norm=0.5, readout_norm=2.0, words=3
    )
    assert np.linalg.norm(net.inputs, axis=0) == pytest.approx([0.5, 0.5])
    assert np.linalg.norm(net.readout, axis=1) == pytest.approx([2.0])
    assert np.abs(net.readout @ net.inputs).max() == 0.0
