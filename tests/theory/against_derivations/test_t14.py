"""T14: grouped spectra, the typical chain and sampled chains against the claims."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy.averages.random_tasks import direction_chain, grouped, typical_chain
from richlazy.two_layer import flow
from richlazy.two_layer.reduction.krylov import Bidiagonal

T14 = load("T14")
SPECTRA = {
    "one": (np.array([2.0]), 5),
    "flat": (np.full(6, 0.7), 20),
    "full rank": (np.full(8, 1.3), 8),
    "power law": (np.arange(1, 31) ** -1.0, 40),
    "steep": (np.arange(1, 31) ** -3.0, 200),
    "repeated": (np.array([3.0, 1.0, 1.0, 1.0, 0.2, 0.2]), 9),
    "tiny": (1e-9 * np.array([3.0, 2.0, 1.0]), 4),
}


def sums(s, inputs):
    """F1 = tr R_0, F2 = tr R_0^2 and PR, with 50 digits."""
    with mpmath.workdps(50):
        squares = [mpmath.mpf(float(x)) ** 2 for x in s]
        found = {"F1": mpmath.fsum(squares), "F2": mpmath.fsum(x * x for x in squares)}
        return found | {"PR": found["F1"] ** 2 / found["F2"], "d": inputs}


def relative(found, claim):
    return float(abs(mpmath.mpf(float(found)) / claim - 1))


@pytest.mark.parametrize("name", SPECTRA)
def test_typical_chain(agreement, name):
    s, d = SPECTRA[name]
    spectrum, known = grouped(s, d), sums(s, d)
    for value, exact in (
        (spectrum.participation_ratio, "PR"),
        (spectrum.moments.trace.value, "F1"),
        (spectrum.moments.trace_square.value, "F2"),
    ):
        assert agreement(f"T14 {exact}", relative(value, known[exact])) < 1e-13
    chain = typical_chain(spectrum, 1.7)
    error = relative(chain.alpha[0][0] ** 2, T14.evaluate("mean_weighted", **known))
    assert agreement("T14 mean_weighted", error) < 1e-13
    assert relative(chain.lengths[0], mpmath.mpf(1.7)) < 1e-13


@pytest.mark.parametrize("name", SPECTRA)
def test_groups_are_modes(name):
    """The chain on distinct singular values is the one on all of them, and so is its flow."""
    s, d = SPECTRA[name]
    spectrum = grouped(s, d)
    small = typical_chain(spectrum, 1.0)
    every = np.zeros(d)
    every[: s.size] = s
    large = Bidiagonal(every, np.full((1, d), d**-0.5), spectrum.moments)
    order = min(4, spectrum.values.size)
    for chain in (small, large):
        chain.grow(order)
    scale = s[0]
    for ours, theirs in ((small.alpha, large.alpha), (small.beta, large.beta)):
        np.testing.assert_allclose(
            np.ravel(ours[:order]), np.ravel(theirs[:order]), rtol=0, atol=1e-13 * scale
        )
    times = np.array([0.5, 3.0])
    networks = [chain.reduced(order) for chain in (small, large)]
    paths = [
        [network.measures(x) for _, x in flow.integrate(network.problem, times, 1e-10)]
        for network in networks
    ]
    for ours, theirs in zip(*paths, strict=True):
        np.testing.assert_allclose(np.ravel(ours), np.ravel(theirs), rtol=1e-10)


@pytest.mark.parametrize("name", SPECTRA)
def test_sampled_chains_scatter_as_claimed(name):
    """Mean and variance of the first coefficient squared over random directions, at 5 sigma."""
    s, d = SPECTRA[name]
    number = 40_000
    chain, _ = direction_chain(grouped(s, d), 1.0, number, np.random.default_rng(1))
    found, known = chain.alpha[0] ** 2, sums(s, d)
    mean = float(T14.evaluate("mean_weighted", **known))
    variance = float(T14.evaluate("variance_weighted", **known))
    if s.size == d and np.ptp(s) == 0:
        np.testing.assert_allclose(found, mean, rtol=1e-13)
        assert variance < 1e-30
        return
    assert abs(found.mean() - mean) < 5 * np.sqrt(variance / number)
    squares = (found - mean) ** 2
    assert abs(squares.mean() - variance) < 5 * squares.std() / np.sqrt(number)
    assert variance / mean**2 == pytest.approx(
        float(T14.evaluate("relative_variance", **known)), rel=1e-12
    )
