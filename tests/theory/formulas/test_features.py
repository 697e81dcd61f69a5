"""T10: the alignment that anisotropic features give."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy import features
from richlazy.start.network import Network
from richlazy.start.task import random_directions


def step_features(kappa, size, rng):
    """A matrix with the upper half of its singular values at kappa and the rest at 1."""
    values = np.where(np.arange(size) < size // 2, kappa, 1.0)
    left, right = random_directions(size, size, rng), random_directions(size + 3, size, rng)
    return (left * values) @ right.T, left


def test_the_task_is_that_of_the_composed_map():
    rng = np.random.default_rng(0)
    f, w = rng.standard_normal((4, 6)), rng.standard_normal((2, 4))
    np.testing.assert_array_equal(features.task(f, w).cov_yx, w @ f)
    np.testing.assert_array_equal(features.task(f, w[0]).cov_yx, [w[0] @ f])


@pytest.mark.parametrize("kappa", [1.5, 3.0, 20.0])
def test_alignment_of_a_start_with_the_truncated_features(kappa):
    rng = np.random.default_rng(1)
    f, left = step_features(kappa, 8, rng)
    w = rng.standard_normal(8)
    found = features.alignment(f, w, rank=4)
    s, vt = np.linalg.svd(f, full_matrices=False)[1:]
    start = Network.from_factors(random_directions(5, 4, rng) * s[:4], vt[:4].T)
    np.testing.assert_allclose(found, start.alignment(features.task(f, w)), rtol=1e-12)
    share = np.sum((left[:, :4].T @ w) ** 2) / np.sum(w**2)
    np.testing.assert_allclose(found, features.step_alignment(kappa, share), rtol=1e-12)
    full = features.alignment(f, rng.standard_normal((3, 8)), rank=8)
    np.testing.assert_allclose(full, 1.0, rtol=1e-12)


def test_limits():
    x = np.linspace(0.0, 1.0, 11)
    np.testing.assert_allclose(features.step_alignment(1.0, x), x, rtol=1e-15)
    for extreme, end in ((1e200, 1.0), (1e-200, 0.0)):
        np.testing.assert_allclose(features.step_alignment(extreme, x[1:-1]), end, atol=1e-300)
        assert features.step_alignment(extreme, [0.0, 1.0]).tolist() == [0.0, 1.0]
    sizes = np.array([2.0, 4.0, 10.0, 1e6])
    np.testing.assert_allclose(features.mean_step_alignment(1.0, sizes), 0.5, rtol=1e-14)
    np.testing.assert_allclose(features.mean_step_alignment(1e12, sizes), 1.0, rtol=2e-12)
    # near kappa^2/(1 + kappa^2), the nearer the larger the size
    gaps = features.mean_step_alignment(2.0, [10.0, 100.0, 1e3, 1e6]) - 0.8
    assert np.all(np.diff(np.abs(gaps)) < 0.0)
    assert abs(gaps[-1]) < 1e-6


@pytest.mark.parametrize("size", [2, 4, 6, 20, 60, 100, 500])
def test_the_mean_is_the_hypergeometric_one(size):
    kappas = [1e-3, 0.2, 0.9, 1.0, 1.1, 3.0, 50.0, 1e4]
    found = [features.mean_step_alignment(kappa, size) for kappa in kappas]  # each by itself
    for kappa, value in zip(kappas, found, strict=True):
        with mpmath.workdps(40):
            a, k = mpmath.mpf(size) / 4, mpmath.mpf(kappa)
            if kappa < 1:
                wanted = k**2 / 2 * mpmath.hyp2f1(1, a + 1, 2 * a + 1, 1 - k**2)
            else:
                wanted = mpmath.hyp2f1(1, a, 2 * a + 1, 1 - 1 / k**2) / 2
        assert value == pytest.approx(float(wanted), rel=2e-14)


def test_the_mean_is_that_of_random_weights():
    rng = np.random.default_rng(2)
    w = rng.standard_normal((40_000, 6))
    share = np.sum(w[:, :3] ** 2, axis=1) / np.sum(w**2, axis=1)
    each = features.step_alignment(3.0, share)
    error = np.std(each) / np.sqrt(len(each))
    assert abs(np.mean(each) - float(features.mean_step_alignment(3.0, 6))) < 4.0 * error


@given(kappa=st.floats(-300.0, 300.0), half=st.integers(1, 10**6), share=st.floats(0.0, 1.0))
def test_no_nan_and_the_reflection(kappa, half, share):
    k = 10.0**kappa
    mean, other = features.mean_step_alignment([k, 10.0**-kappa], 2 * half)
    assert mean + other == pytest.approx(1.0, rel=1e-12)
    assert 0.0 <= float(features.step_alignment(k, share)) <= 1.0


REFUSED = [
    ("weights must have one entry for each of 2 features", features.task, (np.eye(2), [1.0])),
    ("features must have 2 dimensions", features.task, ([1.0], [1.0])),
    ("rank must be at most that of the features, 1; it is 2", features.alignment,
     ([[1.0, 1.0], [1.0, 1.0]], [1.0, 1.0], 2)),
    ("rank 1 cuts through equal singular values 1", features.alignment,
     (np.eye(2), [1.0, 1.0], 1)),
    ("anisotropy must be > 0", features.step_alignment, (0.0, 0.5)),
    ("share must lie in [0, 1]; it is 1.5", features.step_alignment, (2.0, 1.5)),
    ("size must be an even number", features.mean_step_alignment, (2.0, 3)),
    ("size must be an even number", features.mean_step_alignment, (2.0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("message", "function", "arguments"), REFUSED)
def test_what_is_refused(message, function, arguments):
    with pytest.raises(ValueError, match=re.escape(message)):
        function(*arguments)


def test_singular_values_that_drop_just_there():
    # 3, 2, 2: rank 1 ends where they drop, rank 2 cuts through equal ones, rank 3 takes all
    f, w = np.diag([3.0, 2.0, 2.0]), np.ones(3)
    assert features.alignment(f, w, 1)[0] == pytest.approx(9.0 / 17.0, rel=1e-14)
    with pytest.raises(ValueError, match="rank 2 cuts through equal singular values 2 of"):
        features.alignment(f, w, 2)
    assert features.alignment(f, w, 3)[0] == pytest.approx(1.0, rel=1e-14)
    f = np.diag([3.0, 3.0, 2.0])
    with pytest.raises(ValueError, match="rank 1 cuts through equal singular values 3 of"):
        features.alignment(f, w, 1)
    assert features.alignment(f, w, 2)[0] == pytest.approx(18.0 / 22.0, rel=1e-14)
