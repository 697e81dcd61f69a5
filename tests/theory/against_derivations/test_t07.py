"""The averages of the library against the claims of T7 at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import low_rank, several_outputs

MEASURES = ("representation_alignment", "kernel_alignment")


@pytest.fixture(scope="module")
def t7():
    return load("T7")


def relative(found, claim):
    return float(abs(mpmath.mpf(float(found)) - claim) / abs(claim))


def points(count=30):
    rng = np.random.default_rng(7)
    for _ in range(count):
        d = int(10 ** rng.uniform(0.5, 4))
        r = int(rng.integers(1, d))
        yield r, d, 10.0 ** rng.uniform(-3, 3), 10.0 ** rng.uniform(-2, 2)
    yield 1, 2, 1e-3, 1.0
    yield 1, 100_000, 1.0, 1.0
    yield 99, 100, 1e3, 2.0


@pytest.mark.parametrize("point", list(points()))
def test_one_output(t7, agreement, point):
    r, d, sigma, g = point
    found = low_rank.expected(r, d, norm=sigma, strength=g)
    values = {"r": r, "d": d, "sigma": sigma, "g": g}
    for measure in MEASURES:
        for kind in ("mean", "sd"):
            name = f"{kind}_{measure}"
            claim = t7.evaluate(name, digits=100, **values)
            error = relative(getattr(getattr(found, kind), measure), claim)
            assert agreement(f"T7 {name}", error) < 1e-13
    second = found.mean.weight_change**2 + found.sd.weight_change**2
    claim = t7.evaluate("mean_weight_change_squared", digits=100, **values)
    assert agreement("T7 mean_weight_change_squared", relative(second, claim)) < 1e-13
    first = found.mean.weight_change_input**2 + found.sd.weight_change_input**2
    claim = t7.evaluate("mean_weight_change_1_squared", digits=100, **values)
    assert agreement("T7 mean_weight_change_1_squared", relative(first, claim)) < 1e-13


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 7), (5, 1_000_000), (999_999, 1_000_000)])
def test_mean_cosine(t7, agreement, size):
    r, d = size
    error = relative(low_rank.mean_cosine(r, d), t7.evaluate("mean_cosine", r=r, d=d))
    assert agreement("T7 mean_cosine", error) < 1e-14


def sums(strengths, learned, sigma, r):
    """Sums over the learned modes, from the strengths, at 100 digits."""
    with mpmath.workdps(100):
        start = mpmath.mpf(sigma) ** 2 / r
        modes = sorted(map(mpmath.mpf, strengths), reverse=True)[:learned]
        mu = [(start + mpmath.sqrt(start**2 + 4 * x**2)) / 2 for x in modes]
        alpha = [x - start for x in mu]
        return {
            "P_1": sum(mu),
            "P_2": sum(x**2 for x in mu),
            "A_1": sum(alpha),
            "A_2": sum(x**2 for x in alpha),
        }


@pytest.mark.parametrize("seed", range(25))
def test_several_outputs(t7, agreement, seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(10, 300))
    r, m = int(rng.integers(1, d)), int(rng.integers(1, 10))
    sigma = 10.0 ** rng.uniform(-2, 2)
    strengths = 10.0 ** rng.uniform(-2, 1, m)
    learned = min(r, m)
    found = several_outputs.expected(r, d, strengths=strengths, norm=sigma)
    values = {"r": r, "d": d, "m": m, "n": learned, "sigma": sigma}
    values |= sums(strengths, learned, sigma, r)
    for measure in MEASURES:
        for kind in ("mean", "sd"):
            name = f"{kind}_{measure}_outputs"
            claim = t7.evaluate(name, digits=100, **values)
            error = relative(getattr(getattr(found, kind), measure), claim)
            assert agreement(f"T7 {name}", error) < 1e-12
