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
def test_means_over_tasks(t8, seed):
    d, strengths, exact = spectrum(seed)
    ratio = float(t8.evaluate("participation_ratio", **exact))
    several = limits.rich_limit_mean(ratio, d, strengths)
    single = limits.rich_limit_mean(ratio, d)
    assert relative(several, t8.evaluate("mean_kernel_alignment", **exact)) < 1e-14
    assert relative(single, t8.evaluate("mean_kernel_alignment_one", **exact)) < 1e-14


@pytest.mark.parametrize("seed", SEEDS)
def test_one_task(t8, seed):
    d, _, exact = spectrum(seed)
    ratio = float(t8.evaluate("participation_ratio", **exact))
    for share in (1e-9, 0.37, 1.0):
        with mpmath.workdps(50):
            mu_1 = mpmath.mpf(share) * exact["T"]
        claim = t8.evaluate("kernel_alignment_one", mu_1=mu_1, **exact)
        assert relative(limits.rich_limit(ratio, share, d), claim) < 1e-14
