"""T20: the chain against a dense bidiagonalisation, the tree against word moments of matrices."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from richlazy.recurrent import typical
from tests.theory.recurrent import cases

LAW = np.array([0.0, 0.4, 1.0, 1.7]), np.array([0.2, 0.3, 0.4, 0.1])


def determinant(moments, size, shift):
    """Of the Hankel matrix of exact moments, by elimination (they are positive definite)."""
    rows = [[moments[i + j + shift] for j in range(size)] for i in range(size)]
    value = Fraction(1)
    for i in range(size):
        value *= rows[i][i]
        for k in range(i + 1, size):
            ratio = rows[k][i] / rows[i][i]
            rows[k] = [a - ratio * b for a, b in zip(rows[k], rows[i], strict=True)]
    return value


def stieltjes(values, shares, pairs):
    """a_1, b_1, a_2, ... of the law of s^2, by the ratios of Hankel determinants (Stieltjes)."""
    squares, weights = [Fraction(s) ** 2 for s in values], [Fraction(w) for w in shares]
    total = sum(weights)
    moments = [
        sum(w * s**k for s, w in zip(squares, weights, strict=True)) / total
        for k in range(2 * pairs + 2)
    ]
    even = [determinant(moments, k, 0) for k in range(pairs + 2)]
    odd = [determinant(moments, k, 1) for k in range(pairs + 2)]
    found = []
    for k in range(pairs):
        found.append(odd[k + 1] * even[k] / (even[k + 1] * odd[k]))
        found.append(even[k + 2] * odd[k] / (odd[k + 1] * even[k + 1]))
    return np.sqrt(np.array([float(x) for x in found]))


def test_a_chain_has_the_couplings_of_its_moments():
    found = typical.chain(*LAW, 4)
    np.testing.assert_allclose(found, stieltjes(*LAW, 2)[:4], rtol=1e-12)


def test_a_chain_is_the_bidiagonalisation_of_a_large_diagonal():
    values, shares = LAW
    diagonal = np.repeat(values, (10 * shares).astype(int))
    found = typical.chain(*LAW, 6)
    right = np.full(10, 10**-0.5)
    left, previous, couplings = None, 0.0, []
    for k in range(3):
        step = diagonal * right - (0.0 if k == 0 else previous * left)
        couplings.append(np.linalg.norm(step))
        left = step / couplings[-1]
        step = diagonal * left - couplings[-1] * right
        couplings.append(np.linalg.norm(step))
        previous, right = couplings[-1], step / couplings[-1]
    np.testing.assert_allclose(found, couplings, rtol=1e-10)


def test_chains_end_where_their_law_does():
    assert typical.chain(*LAW, 50).size == 6  # four right vectors, and three left ones
    assert typical.chain([2.0], [1.0], 9).tolist() == [2.0]
    assert typical.chain([0.0], [1.0], 9).size == 0


def marchenko(count):
    """Singular values of a large Gaussian matrix: the quarter circle on (0, 2), by quantiles."""
    angle = (np.arange(count) + 0.5) / count * np.pi / 2
    weight = np.cos(angle) ** 2
    return 2.0 * np.sin(angle), weight / weight.sum()


def test_the_chain_of_gaussian_matrices_has_couplings_of_one():
    np.testing.assert_allclose(typical.chain(*marchenko(4000), 8), 1.0, rtol=1e-10)


def test_a_tree_has_the_nodes_of_its_words():
    full = typical.tree(np.ones(9), 2, 4)
    assert full.shape == (2 * (2**5 - 1), 2 * (2**5 - 1))
    two = typical.network([1.0, 0.0], [0.5, 0.5], channels=1, outputs=1,
                          input_norm=0.5, readout_norm=2.0, words=6)  # fmt: skip
    assert np.linalg.norm(two.inputs) == 0.5
    assert np.linalg.norm(two.readout) == 2.0


def word(matrix, letters, x):
    for letter in letters:
        x = matrix @ x if letter == "W" else matrix.T @ x
    return x


WORDS = ["".join(w) for n in range(1, 7) for w in product("Wt", repeat=n)]


def test_the_tree_has_the_word_moments_of_a_rotation_invariant_matrix():
    """<x, word x> and <x, word y> of all words up to six letters, at N = 500."""
    values, shares = LAW
    units, draws = 500, 6
    rng = np.random.default_rng(0)
    diagonal = np.repeat(values, (units * shares).astype(int))
    w = typical.tree(typical.chain(*LAW, 6), 2, 6)
    roots = np.eye(w.shape[0], 2)
    sampled = np.zeros((draws, len(WORDS), 2))
    for d in range(draws):
        left, right = (np.linalg.qr(rng.standard_normal((units, units)))[0] for _ in range(2))
        matrix = (left * diagonal) @ right.T
        x, y = np.linalg.qr(rng.standard_normal((units, 2)))[0].T
        for k, letters in enumerate(WORDS):
            image = word(matrix, letters, x)
            sampled[d, k] = x @ image, y @ image
    for k, letters in enumerate(WORDS):
        image = word(w, letters, roots[:, 0])
        typical_size = np.mean(diagonal**2) ** (len(letters) / 2)
        for which in range(2):
            gap = sampled[:, k, which].mean() - roots[:, which] @ image
            assert abs(gap) < 6.0 * typical_size * 4 / np.sqrt(units * draws), letters


@pytest.mark.parametrize("seed", range(3))
def test_words_with_free_moments(seed):
    """R-diagonal: <x, W'W W W' x> = m1^2, <x, W W x> = 0, <x, W'W W'W x> = m2, exactly."""
    rng = np.random.default_rng(seed)
    values, shares = rng.uniform(0, 2, 4), rng.uniform(0.1, 1, 4)
    shares /= shares.sum()
    w = typical.tree(typical.chain(values, shares, 6), 1, 6)
    x = np.eye(w.shape[0], 1)[:, 0]
    m1, m2 = shares @ values**2, shares @ values**4
    moments = {"Wt": m1, "tW": m1, "WW": 0.0, "WtWt": m2, "WtWtWt": shares @ values**6,
               "tWWt": m1**2, "WWtt": m1**2, "WtWW": 0.0}  # fmt: skip
    for letters, wanted in moments.items():
        assert x @ word(w, letters, x) == pytest.approx(wanted, abs=1e-12)


def test_a_root_on_its_own_is_a_network_of_nothing():
    net = typical.network([0.0], [1.0], channels=2, outputs=1, input_norm=1.0, readout_norm=1.0,
                          words=3)  # fmt: skip
    assert net.units == 3
    assert cases.weights(net).w.tolist() == np.zeros((3, 3)).tolist()
