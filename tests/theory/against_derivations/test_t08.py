"""The rich limit of the library against the claims of T8 at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import limits

SEEDS = range(40)


@pytest.fixture(scope="module")
def t8():
    return load("T8")


def spectrum(seed):
    """Sums over a spectrum and over strengths, from nearly rank one to flat."""
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 400)), int(rng.integers(1, 9))
    eigenvalues = np.arange(1, d + 1.0) ** -rng.choice([0.0, 0.3, 1.0, 4.0]) * 10.0 ** rng.uniform(
        -6, 6
    )
    strengths = 10.0 ** rng.uniform(-4, 1, m)
    with mpmath.workdps(50):
        exact = {
            "T": mpmath.fsum(map(mpmath.mpf, eigenvalues)),
            "Q": mpmath.fsum(mpmath.mpf(x) ** 2 for x in eigenvalues),
            "p": mpmath.fsum(map(mpmath.mpf, strengths)),
            "q": mpmath.fsum(mpmath.mpf(x) ** 2 for x in strengths),
            "d": d,
            "m": m,
        }
    return d, strengths, exact


def relative(found, claim):
    return float(abs(mpmath.mpf(float(found)) - claim) / abs(claim))


@pytest.mark.parametrize("seed", SEEDS)
def test_means_over_tasks(t8, agreement, seed):
    d, strengths, exact = spectrum(seed)
    ratio = float(t8.evaluate("participation_ratio", **exact))
    several = limits.rich_limit_mean(ratio, d, strengths)
    single = limits.rich_limit_mean(ratio, d)
    for claim, found in (("mean_kernel_alignment", several), ("mean_kernel_alignment_one", single)):
        error = relative(found, t8.evaluate(claim, **exact))
        assert agreement(f"T8 {claim}", error) < 1e-14


@pytest.mark.parametrize("seed", SEEDS)
def test_one_task(t8, agreement, seed):
    d, _, exact = spectrum(seed)
    ratio = float(t8.evaluate("participation_ratio", **exact))
    for share in (1e-9, 0.37, 1.0):
        with mpmath.workdps(50):
            mu_1 = mpmath.mpf(share) * exact["T"]
        claim = t8.evaluate("kernel_alignment_one", mu_1=mu_1, **exact)
        error = relative(limits.rich_limit(ratio, share, d), claim)
        assert agreement("T8 kernel_alignment_one", error) < 1e-14


@pytest.mark.parametrize("seed", SEEDS)
def test_first_corrections(t8, agreement, seed):
    """Relative to the sum of the sizes of their terms: they change sign."""
    rng = np.random.default_rng(seed)
    n, more = int(rng.integers(1, 12)), int(rng.integers(1, 300))
    s = 10.0 ** rng.uniform(-3, 3) * rng.uniform(0.05, 1.0, n) ** rng.choice([0.0, 1.0, 4.0])
    shares, g = rng.dirichlet(np.ones(n + 1))[:n], 10.0 ** rng.uniform(-3, 3)
    with mpmath.workdps(50):
        powers = [mpmath.mpf(x) ** 2 for x in s]
        exact = {
            f"mu_{k}": mpmath.fsum(
                mpmath.mpf(c) * x**k for c, x in zip(shares, powers, strict=True)
            )
            for k in (1, 2, 3)
        }
        exact |= {"T": mpmath.fsum(powers), "Q": mpmath.fsum(x**2 for x in powers)}
    exact |= {"d": n + more, "g": g}
    found = limits.rich_correction(s, shares, n + more, strength=g)
    claim = t8.evaluate("representation_correction", **exact)
    size = exact["Q"] / (g * exact["mu_1"])
    error = abs(found.representation_alignment - claim) / size
    assert agreement("T8 representation_correction", error) < 1e-14
    claim = t8.evaluate("kernel_correction", **exact)
    error = abs(found.kernel_alignment - claim) / (exact["T"] / g)
    assert agreement("T8 kernel_correction", error) < 1e-14


@pytest.mark.parametrize("seed", SEEDS)
def test_rich_limits_of_representations(t8, agreement, seed):
    d, _, exact = spectrum(seed)
    ratio = float(t8.evaluate("participation_ratio", **exact))
    mean = t8.evaluate("mean_representation_alignment_one", **exact)
    error = relative(limits.representation_rich_limit(ratio, 1 / d), mean)
    assert agreement("T8 mean_representation_alignment_one", error) < 1e-14
    for share in (1e-9, 0.37, 1.0):
        with mpmath.workdps(50):
            mu_1 = mpmath.mpf(share) * exact["T"]
        claim = t8.evaluate("representation_alignment_one", mu_1=mu_1, **exact)
        error = relative(limits.representation_rich_limit(ratio, share), claim)
        assert agreement("T8 representation_alignment_one", error) < 1e-14
