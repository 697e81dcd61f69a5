"""T7 holds, and its claims are averages of T6 over the law of c."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load

T6, T7 = load("T6"), load("T7")


def test_every_step_holds():
    T7.check()


def average(function, r, d):
    """Mean over c ~ Beta(r/2, (d - r)/2) by quadrature in the angle, c = sin(x)^2."""
    with mpmath.workdps(30):
        weight = lambda x: mpmath.sin(x) ** (r - 1) * mpmath.cos(x) ** (d - r - 1)  # noqa: E731
        ends = [0, mpmath.pi / 4, mpmath.pi / 2]
        total = mpmath.quad(weight, ends)
        return mpmath.quad(lambda x: weight(x) * function(mpmath.sin(x) ** 2), ends) / total


CASES = [(1, 2), (1, 9), (2, 3), (4, 11), (7, 8)]


@pytest.mark.parametrize(("r", "d"), CASES)
def test_moments_against_quadrature(r, d):
    mean = T7.evaluate("mean", r=r, d=d)
    pairs = {
        "mean": average(lambda c: c, r, d),
        "mean_square": average(lambda c: c**2, r, d),
        "variance": average(lambda c: (c - mean) ** 2, r, d),
        "mean_cosine": average(mpmath.sqrt, r, d),
    }
    for name, expected in pairs.items():
        assert abs(T7.evaluate(name, r=r, d=d) - expected) < mpmath.mpf("1e-25"), name
    for order in (0.5, 1, 2, 3.7):
        expected = average(lambda c, order=order: c**order, r, d)
        assert abs(T7.evaluate("moment", r=r, d=d, p=order) - expected) < mpmath.mpf("1e-25")


@pytest.mark.parametrize(("r", "d"), CASES)
@pytest.mark.parametrize("sigma", [0.1, 3.0])
def test_measures_against_quadrature(r, d, sigma):
    values = {"r": r, "d": d, "sigma": sigma, "g": 1.3}

    def measure(name):
        # linear in c or in sqrt(c): two values give all
        low, high = (T6.evaluate(f"{name}_final", c=c, **values) for c in (0, 1))
        root = name.startswith("weight")
        return lambda c: low + (high - low) * (mpmath.sqrt(c) if root else c)

    with mpmath.workdps(40):
        for name in ("representation_alignment", "kernel_alignment", "weight_change_squared"):
            straight = measure(name)
            between = T6.evaluate(f"{name}_final", c=0.3, **values)
            assert abs(straight(mpmath.mpf(0.3)) - between) < mpmath.mpf("1e-30")
            mean = average(straight, r, d)
            variance = average(lambda c, f=straight, m=mean: (f(c) - m) ** 2, r, d)
            assert abs(T7.evaluate(f"mean_{name}", **values) - mean) < mpmath.mpf("1e-20")
            if name.startswith("weight"):
                claim = T7.evaluate(f"variance_{name}", **values)
            else:
                claim = T7.evaluate(f"sd_{name}", **values) ** 2
            assert abs(claim - variance) < mpmath.mpf("1e-20")


def test_covariance_and_weighted_variance_by_sampling_bases():
    r, d, samples = 3, 7, 20_000
    rng = np.random.default_rng(0)
    bases = np.linalg.qr(rng.standard_normal((samples, d, d)))[0]
    share = np.sum(bases[:, :r, :] ** 2, axis=1)
    assert np.allclose(share.sum(axis=1), r)
    found = np.cov(share[:, :2].T)
    values = {"r": r, "d": d}
    assert found[0, 0] == pytest.approx(float(T7.evaluate("variance", **values)), rel=0.03)
    assert found[0, 1] == pytest.approx(float(T7.evaluate("covariance", **values)), rel=0.12)
    weights = np.array([1.0, 0.3, 2.0])
    sums = {"P_1": weights.sum(), "P_2": np.sum(weights**2)}
    claim = float(T7.evaluate("weighted_variance", **values, **sums))
    assert np.var(share[:, :3] @ weights) == pytest.approx(claim, rel=0.05)


def test_nothing_is_left_to_chance_at_full_rank():
    values = {"r": 6, "d": 6, "sigma": 1.7, "g": 0.8}
    for name in ("variance", "sd_representation_alignment", "sd_kernel_alignment"):
        assert T7.evaluate(name, **values) == 0
    assert abs(T7.evaluate("variance_weight_change_squared", **values)) < mpmath.mpf("1e-40")
