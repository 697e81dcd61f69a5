"""T10 holds, and its means are what random tasks and integrals give."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load

T10 = load("T10")


def test_every_step_holds():
    T10.check()


def mean_by_quadrature(kappa, n):
    """E c over x ~ Beta(n/4, n/4), in the angle with x = sin^2, where no end is singular."""
    a = mpmath.mpf(n) / 4

    def integrand(angle, weight):
        top, rest = mpmath.sin(angle) ** 2, mpmath.cos(angle) ** 2
        density = (4 * top * rest) ** (a - 0.5)
        return density * (kappa**2 * top / (kappa**2 * top + rest) if weight else 1)

    nodes = [j * mpmath.pi / 16 for j in range(9)]
    upper, lower = (mpmath.quad(lambda v, i=i: integrand(v, i), nodes) for i in (1, 0))
    return upper / lower


@pytest.mark.parametrize("kappa", ["0.2", "0.9", "1", "1.5", "4"])
@pytest.mark.parametrize("n", [2, 6, 40])
def test_the_mean_is_an_integral_over_the_beta_law(kappa, n):
    with mpmath.workdps(25):
        kappa = mpmath.mpf(kappa)
        expected = mean_by_quadrature(kappa, n)
        for name in ("mean_step_alignment", "mean_step_alignment_mirrored"):
            assert abs(T10.evaluate(name, digits=40, kappa=kappa, n=n) - expected) < 1e-15, name


@pytest.mark.parametrize(("kappa", "n"), [(3.0, 4), (0.5, 10), (1.7, 24)])
def test_the_mean_over_sampled_features_and_weights(kappa, n):
    rng = np.random.default_rng(n)
    d, samples = n + 3, 4000
    left = np.linalg.qr(rng.standard_normal((n, n)))[0]
    right = np.linalg.qr(rng.standard_normal((d, n)))[0]
    size = np.repeat([kappa, 1.0], n // 2)
    features = left @ np.diag(size) @ right.T
    task = features.T @ rng.standard_normal((n, samples))
    inside = right[:, : n // 2].T @ task
    alignment = np.sum(inside**2, axis=0) / np.sum(task**2, axis=0)
    expected = float(T10.evaluate("mean_step_alignment", kappa=kappa, n=n))
    spread = np.std(alignment) / np.sqrt(samples)
    assert abs(np.mean(alignment) - expected) < 4 * spread


@pytest.mark.parametrize("kappa", ["1.001", "2", "30"])
def test_the_mean_lies_below_the_typical_value_by_no_more_than_the_bound(kappa):
    gaps = []
    for n in (2, 10, 100, 10000):
        values = {"kappa": mpmath.mpf(kappa), "n": n}
        typical, mean = (
            T10.evaluate(name, **values) for name in ("typical_alignment", "mean_step_alignment")
        )
        gaps.append(typical - mean)
        assert 0 < gaps[-1] <= T10.evaluate("mean_gap_bound", **values)
    assert gaps == sorted(gaps, reverse=True)


def test_the_mean_grows_from_a_half_to_one():
    means = [
        T10.evaluate("mean_step_alignment", kappa=mpmath.mpf(kappa), n=8)
        for kappa in ("1", "1.1", "2", "10", "1e4", "1e10")
    ]
    assert means == sorted(means)
    assert means[0] == T10.evaluate("mean_isotropic")
    assert 0 < T10.evaluate("mean_of_strong_anisotropy") - means[-1] < mpmath.mpf("1e-18")


@pytest.mark.parametrize("n", [8, 12])
def test_the_density_has_the_moments_claimed(n):
    def mean(function):
        def integrand(x):
            return T10.evaluate("share_density", digits=20, n=n, x=x) * function(x)

        return mpmath.quad(integrand, [0, 0.5, 1])

    assert abs(mean(lambda _: 1) - 1) < 1e-14
    variance = T10.evaluate("share_variance", n=n)
    assert abs(mean(lambda x: (x - 0.5) ** 2) - variance) < 1e-14
    for k in (0, 1, 4):
        moment = T10.evaluate("share_moment", n=n, k=k)
        assert abs(mean(lambda x, k=k: x * (1 - x) ** k) - moment) < 1e-14


@pytest.mark.parametrize("seed", range(3))
def test_a_shared_basis_is_a_flow_on_white_inputs_with_scaled_layers(seed):
    """The flow of T1 on matrices, once with Sxx and once, white, with the layers scaled."""
    rng = np.random.default_rng(seed)
    d, h, m = 5, 4, 3
    inputs, outputs, hidden = (np.linalg.qr(rng.standard_normal((n, m)))[0] for n in (d, m, h))
    q, g = rng.uniform(0.3, 3, m), rng.uniform(0.5, 2, m)
    a, b = rng.standard_normal((2, m))
    cov_xx = inputs @ np.diag(q) @ inputs.T
    cov_yx = outputs @ np.diag(q * g) @ inputs.T
    first, readout = hidden @ np.diag(a) @ inputs.T, outputs @ np.diag(b) @ hidden.T
    error = cov_yx - readout @ first @ cov_xx
    for matrix, name, left, right in (
        (readout.T @ error, "rate_first", hidden, inputs),
        (error @ first.T, "rate_second", outputs, hidden),
    ):
        rates = [float(T10.evaluate(name, a=a[i], b=b[i], q=q[i], g=g[i])) for i in range(m)]
        np.testing.assert_allclose(matrix, left @ np.diag(rates) @ right.T, atol=1e-13)
        scaled = [
            float(T10.evaluate(f"scaled_{name}", a=a[i], b=b[i], q=q[i], g=g[i])) for i in range(m)
        ]
        np.testing.assert_allclose(scaled, np.sqrt(q) * rates, rtol=1e-13)
