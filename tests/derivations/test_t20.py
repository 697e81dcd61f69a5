"""T20 holds: word moments, tree and law say what matrices say."""

from __future__ import annotations

import numpy as np
import pytest

from derivations import load
from tests.derivations.recurrent_flow import Weights, flowed
from tests.derivations.typical_tree import tree, typical

T20 = load("T20")


def test_every_step_holds():
    T20.check()


def value(name, **given):
    return float(T20.evaluate(name, **given))


# Words.

SPECTRUM = np.array([2.0, 1.5, 1.0, 1.0, 0.5, 0.3, 0.0, 0.0])


def moments(spectrum):
    return {f"m_{power}": np.mean(spectrum ** (2 * power)) for power in (1, 2, 3)}


def cumulants(spectrum):
    return {f"kappa_{i}": value(f"cumulant_{i}", **moments(spectrum)) for i in (1, 2, 3)}


@pytest.fixture(scope="module")
def starts():
    """Large matrices of one spectrum with random singular vectors."""
    rng = np.random.default_rng(0)
    size = 400
    values = np.repeat(SPECTRUM, size // SPECTRUM.size)
    axes = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(6))
    return [left * values @ right for left, right in zip(axes, axes, strict=True)]


@pytest.mark.parametrize(
    ("name", "word", "given"),
    [
        ("moment_2", "TWTW", {}),
        ("moment_3", "WTWTWT", {}),
        ("word_2_2", "WWTT", {}),
        ("word_3_3", "WWWTTT", {}),
        ("word_2_1_1_2", "WWTWTT", {}),
        ("word_2_2_1_1", "WWTTWT", {}),
        ("two_runs", "TTTTWWWW", {"k": 4}),
        ("four_runs", "WWWTTWTT", {"L": 4, "d": 1}),
        ("four_runs", "WWTTWWTT", {"L": 4, "d": 2}),
    ],
)
def test_word_moments_of_large_matrices(starts, name, word, given):
    found = []
    for start in starts:
        total = np.eye(len(start))
        for letter in word:
            total = total @ (start if letter == "W" else start.T)
        found.append(np.trace(total) / len(start))
    expected = value(name, **cumulants(SPECTRUM), **given)
    assert np.mean(found) == pytest.approx(expected, rel=0.02)


def test_words_of_unequal_numbers_vanish_in_large_matrices(starts):
    for start in starts:
        assert abs(np.trace(start @ start.T @ start)) / len(start) < 0.03
        assert abs(np.trace(start @ start @ start.T)) / len(start) < 0.03


def couplings(spectrum, length):
    """Golub-Kahan coefficients of diag(s) from the uniform vector."""
    vector = np.ones(spectrum.size) / np.sqrt(spectrum.size)
    known, found = {1: [vector], -1: []}, []
    for place in range(length):
        side = (-1) ** (place + 1)
        image = spectrum * vector
        for basis in known[side] + known[side]:
            image = image - basis * (basis @ image)
        found.append(np.linalg.norm(image))
        vector = image / found[-1]
        known[side].append(vector)
    return found


def test_couplings_are_the_golub_kahan_coefficients():
    claimed = [value(f"coupling_{i}_squared", **moments(SPECTRUM)) for i in (1, 2, 3)]
    np.testing.assert_allclose(claimed, np.square(couplings(SPECTRUM, 3)), rtol=1e-10)


def test_the_tree_has_the_moments_and_the_size_of_the_claims():
    chain = couplings(SPECTRUM, 6)
    given = cumulants(SPECTRUM)
    one = tree(chain, 4)
    assert 2 * len(one) == value("tree_size", n=1, m=1, ell=4)
    root = np.eye(len(one))[0]
    for name, word in (("moment_3", "TWTWTW"), ("word_2_1_1_2", "WWTWTT"), ("word_3_3", "TTTWWW")):
        vector = root
        for letter in reversed(word):
            vector = (one if letter == "W" else one.T) @ vector
        assert vector[0] == pytest.approx(value(name, **given), rel=1e-10)


def test_a_network_on_the_tree_is_the_mean_of_large_ones():
    """|W - W(0)| of networks of 240 units and half rank against their typical start."""
    size, gain, task = 240, 0.6, np.array([0.5, 1.0, -0.8]).reshape(3, 1, 1)
    law = [value(f"law_coupling_{i}", g=gain, nu=2) for i in (1, 2)]
    small = typical(law, 4)
    expected = np.linalg.norm(flowed(small, task, 4.0).W - small.W)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(4):
        left, right = (np.linalg.qr(rng.standard_normal((size, size // 2)))[0] for _ in range(2))
        ends = rng.standard_normal((2, size))
        ends /= np.linalg.norm(ends, axis=1)[:, None]
        start = Weights(ends[:1].T, gain * np.sqrt(2) * left @ right.T, ends[1:])
        found.append(np.linalg.norm(flowed(start, task, 4.0).W - start.W))
    assert np.mean(found) == pytest.approx(expected, rel=0.05)


# The law.


@pytest.mark.parametrize("spectrum", [SPECTRUM, np.ones(5), np.array([3.0, 1, 0, 0, 0, 0])])
def test_the_law_keeps_two_cumulants_and_misses_the_third_by_the_gap(spectrum):
    sums = {f"p_{power}": np.sum(spectrum ** (2 * power)) for power in (1, 2, 3)}
    sums["N"] = spectrum.size
    gain, rank = value("gain", **sums), value("participation_ratio", **sums)
    assert rank == pytest.approx(np.sum(spectrum**2) ** 2 / np.sum(spectrum**4))
    given = {"g": gain, "nu": value("concentration", N=spectrum.size, PR=rank)}
    known = cumulants(spectrum)
    assert value("spectrum_cumulant_1", **given) == pytest.approx(known["kappa_1"])
    assert value("spectrum_cumulant_2", **given) == pytest.approx(known["kappa_2"], abs=1e-12)
    gap = value("law_gap", **sums)
    assert gap >= -1e-12
    assert known["kappa_3"] - value("law_cumulant_3", **given) == pytest.approx(gap, abs=1e-12)
    # A flat spectrum of that participation ratio, if there is one, is the law.
    if rank == round(rank):
        flat = np.zeros(spectrum.size)
        flat[: round(rank)] = gain * np.sqrt(spectrum.size / rank)
        for power in (1, 2, 3, 4):
            expected = np.mean(flat ** (2 * power))
            assert value("law_moment", k=power, **given) == pytest.approx(expected)
    four = value("spectrum_four_runs", L=3, d=1, **given)
    assert four == pytest.approx(value("four_runs", L=3, d=1, **known))
