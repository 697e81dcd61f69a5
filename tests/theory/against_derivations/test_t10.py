"""Where library and derivations meet: T10's alignments against its claims at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import features


@pytest.fixture(scope="module")
def t10():
    return load("T10")


def relative(found, wanted):
    return float(abs(mpmath.mpf(float(found)) - wanted) / abs(wanted))


def test_step_alignment(t10, agreement):
    rng = np.random.default_rng(0)
    kappas = np.concatenate([[1e-6, 1.0, 1e6], 10 ** rng.uniform(-3, 3, 30)])
    shares = np.concatenate([[0.0, 1e-12, 1 - 1e-12, 1.0], rng.uniform(0, 1, 20)])
    found = features.step_alignment(kappas[:, None], shares)
    worst = 0.0
    for i, kappa in enumerate(kappas):
        assert found[i, 0] == 0
        for j, share in enumerate(shares[1:], 1):
            exact = t10.evaluate("step_alignment", kappa=float(kappa), x=float(share))
            worst = max(worst, relative(found[i, j], exact))
    assert agreement("T10 step_alignment", worst) < 1e-14


def test_mean_step_alignment(t10, agreement):
    rng = np.random.default_rng(1)
    wide = [1e-4, 0.3, 1 - 1e-9, 1.0, 1 + 1e-9, 1e4, *10 ** rng.uniform(-2, 2, 8)]
    narrow = [0.5, 1 - 1e-9, 1 + 1e-9, 2.9, *rng.uniform(0.5, 2.9, 4)]
    cases = [(n, wide) for n in (2, 4, 6, 10, 38)]
    # mpmath itself needs arguments well below 1 there
    cases += [(n, narrow) for n in (100, 1000, *2 * rng.integers(1, 500, 4))]
    worst = 0.0
    for n, kappas in cases:
        found = features.mean_step_alignment(kappas, int(n))
        for kappa, value in zip(kappas, found, strict=True):
            form = "" if kappa >= 1 else "_mirrored"
            exact = t10.evaluate(f"mean_step_alignment{form}", kappa=float(kappa), n=int(n))
            worst = max(worst, relative(value, exact))
    assert agreement("T10 mean_step_alignment", worst) < 3e-14


@pytest.mark.parametrize("seed", range(4))
def test_alignment_of_any_features(t10, agreement, seed):
    """The block claim for two levels is `alignment` on matrices with those levels."""
    rng = np.random.default_rng(seed)
    half, d = 3, 8
    kappa = rng.uniform(1.5, 20)
    left = np.linalg.qr(rng.standard_normal((2 * half, 2 * half)))[0]
    right = np.linalg.qr(rng.standard_normal((d, 2 * half)))[0]
    w = rng.standard_normal(2 * half)
    share = np.sum((left[:, :half].T @ w) ** 2) / np.sum(w**2)
    matrix = left @ np.diag(np.repeat([kappa, 1.0], half)) @ right.T
    found = features.alignment(matrix, w, rank=half)
    exact = t10.evaluate("step_alignment", kappa=float(kappa), x=float(share))
    assert agreement("T10 step_alignment of matrices", relative(found[0], exact)) < 1e-13
    np.testing.assert_allclose(features.task(matrix, w).cov_yx, [matrix.T @ w], rtol=1e-12)
