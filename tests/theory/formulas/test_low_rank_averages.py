"""T7: means, deviations and quantiles over random tasks, against sampling and quadrature."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from richlazy import low_rank
from richlazy.laziness import Measures

NAMES = Measures._fields
SAMPLES = 40_000


def sampled_alignments(r, d, rng):
    """Share of a uniformly random direction inside a space of dimension r of d."""
    inside, outside = rng.chisquare(r, SAMPLES), rng.chisquare(d - r, SAMPLES)
    return inside / (inside + outside)


def by_quadrature(r, d, f):
    """Mean of f(c) over Beta(r/2, (d-r)/2), c = cos^2(angle): cos^(r-1) sin^(d-r-1) in angle."""
    singular = min(d - r - 1, 0.0)  # a power of the angle below 0 is QUADPACK's weight
    middle = np.arccos(np.sqrt(r / d))

    def integral(g):
        def density(x):
            ratio = np.sin(x) / x if x > 0 else 1.0
            power = (np.sin(x) / np.sin(middle)) ** (d - r - 1 - singular)
            return g(x) * ratio**singular * power * (np.cos(x) / np.cos(middle)) ** (r - 1)

        options = {"epsabs": 1e-30, "epsrel": 1e-13, "limit": 200}
        options["full_output"] = 1  # so that it does not warn when rounding is the limit
        weight = {"weight": "alg", "wvar": (singular, 0)} if singular else {}
        left = quad(density, 0, middle, **weight, **options)
        right = quad(lambda x: density(x) * x**singular, middle, np.pi / 2, **options)
        return left[0] + right[0]

    return integral(lambda x: f(np.cos(x) ** 2)) / integral(lambda x: 1.0)


CASES = [
    (1, 2, 1.0, 1.0, np.inf),
    (1, 2, 0.1, 1.0, 5.0),
    (5, 100, 1.0, 1.0, 3.0),
    (5, 100, 1.0, 1.0, np.inf),
    (2, 10, 10.0, 1.0, 150.0),
    (30, 40, 3.0, 0.5, 7.0),
    (4, 5, 0.01, 2.0, 4.0),
    (29, 30, 30.0, 1.0, np.inf),
]


#: The same for every task at t = infinity.
SAME = ("weight_change_readout", "target_alignment", "loss")


@pytest.mark.parametrize(("r", "d", "sigma", "g", "t"), CASES)
def test_moments_agree_with_sampling(r, d, sigma, g, t):
    c = sampled_alignments(r, d, np.random.default_rng(r * d))
    sample = low_rank.measures(r, d, alignment=c, norm=sigma, strength=g, t=t)
    found = low_rank.expected(r, d, norm=sigma, strength=g, t=t)
    for name in NAMES:
        values, mean, sd = (getattr(x, name) for x in (sample, found.mean, found.sd))
        assert abs(values.mean() - mean) <= 4 * values.std() / np.sqrt(SAMPLES) + 1e-14 * mean, name
        squares = (values - values.mean()) ** 2
        spread = 4 * squares.std() / np.sqrt(SAMPLES)
        # near its end target alignment differs for rare tasks alone, which a sample may miss
        rare = 1e-12 if name == "target_alignment" else 1e-14
        assert abs(squares.mean() - sd**2) <= spread + rare * mean**2, name


@pytest.mark.parametrize(
    ("r", "d", "sigma", "g", "t"),
    [*CASES, (1.5, 2, 1.0, 1.0, 2.0), (2.7, 3, 0.3, 1.0, np.inf), (29.1, 279, 1.0, 1.0, 4.0)],
)
def test_moments_agree_with_quadrature(r, d, sigma, g, t):
    found = low_rank.expected(r, d, norm=sigma, strength=g, t=t)
    for name in NAMES:

        def value(c, name=name):
            return float(
                getattr(low_rank.measures(r, d, alignment=c, norm=sigma, strength=g, t=t), name)
            )

        exact = by_quadrature(r, d, value)
        variance = by_quadrature(r, d, lambda c, f=value, mean=exact: (f(c) - mean) ** 2)
        assert getattr(found.mean, name) == pytest.approx(exact, rel=1e-12, abs=1e-300), name
        sd = float(getattr(found.sd, name))
        assert sd == pytest.approx(np.sqrt(variance), rel=1e-10, abs=1e-14 * exact), name


def test_means_agree_with_a_brute_rule_over_random_cases():
    """A fine trapezoidal rule in log(c/(1-c)) that reaches c = e^-700: late losses hang there."""
    rng = np.random.default_rng(3)
    u = np.linspace(-700, 140, 30_001)
    c = np.exp(-np.logaddexp(0, -u))
    for _ in range(40):
        d = int(10 ** rng.uniform(0.5, 2.5))
        r = rng.choice([1, int(rng.integers(1, d)), rng.uniform(1, d - 0.6)])
        sigma, g, t = 10 ** rng.uniform(-3, 2), 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-1, 3)
        logs = -r / 2 * np.logaddexp(0, -u) - (d - r) / 2 * np.logaddexp(0, u)
        weight = np.exp(logs - logs.max())
        weight /= weight.sum()
        every = low_rank.measures(r, d, alignment=c, norm=sigma, strength=g, t=t)
        found = low_rank.expected(r, d, norm=sigma, strength=g, t=t)
        for name in NAMES:
            exact = np.sum(weight * getattr(every, name))
            # the documented limit of a mean loss: it cannot be seen below rounding of its start
            slack = 1e-16 * g**2 / 2 if name == "loss" else 0.0
            value = float(getattr(found.mean, name))
            assert value == pytest.approx(exact, rel=1e-12, abs=slack), (name, r, d, sigma, g, t)


@pytest.mark.parametrize("r", [1, 2, 3.3, 40, 279, 500, 999, 999.9])
@pytest.mark.parametrize("sigma", [1e-3, 1.0, 50.0])
def test_the_second_moment_of_the_weight_change_is_exact(r, sigma):
    """E ||dW||^2 = 2 mu (mu - s E sqrt(c)), and ||dW1||^2 = mu^2 + s^2 - 2 mu s sqrt(c)."""
    found = low_rank.expected(r, 1000, norm=sigma)
    cosine = low_rank.mean_cosine(r, 1000)
    s = sigma / np.sqrt(r)
    mu = np.sqrt((s**2 + np.sqrt(s**4 + 4)) / 2)
    total = found.mean.weight_change**2 + found.sd.weight_change**2
    first = found.mean.weight_change_input**2 + found.sd.weight_change_input**2
    rounding = 1e-12 * (1 + s**2)  # of mu - s sqrt(c) here; the library does not subtract
    assert total == pytest.approx(2 * mu * (mu - s * cosine), rel=1e-12, abs=rounding)
    assert first == pytest.approx(mu**2 + s**2 - 2 * mu * s * cosine, rel=1e-12, abs=rounding)


@pytest.mark.parametrize("d", [3, 100, 1_000_000])
def test_final_alignments_have_the_exact_moments_of_a_linear_function(d):
    for r in (1.0, 2.0, d / 2, d - 0.5):
        found = low_rank.expected(r, d, norm=2.0)
        at_mean = low_rank.measures(r, d, alignment=r / d, norm=2.0)
        ends = low_rank.measures(r, d, alignment=[0.25, 0.75], norm=2.0)
        spread = np.sqrt(2 * r * (d - r) / (d**2 * (d + 2)))
        for name in ("representation_alignment", "kernel_alignment"):
            low, high = getattr(ends, name)
            assert getattr(found.mean, name) == pytest.approx(float(getattr(at_mean, name)))
            # the ends differ by little at large r: what is left of float64 there
            rounding = 1e-15 * spread
            slope = 2 * (high - low)
            assert getattr(found.sd, name) == pytest.approx(slope * spread, rel=1e-9, abs=rounding)


@pytest.mark.parametrize("d", [1, 2, 17, 1000])
@pytest.mark.parametrize("t", [2.0, np.inf])
def test_at_full_rank_nothing_is_random(d, t):
    found = low_rank.expected(d, d, norm=1.5, t=t)
    exact = low_rank.measures(d, d, alignment=1.0, norm=1.5, t=t)
    for name in NAMES:
        assert getattr(found.mean, name) == pytest.approx(
            float(getattr(exact, name)), rel=1e-14, abs=0
        )
        assert getattr(found.sd, name) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("t", [2.0, np.inf])
def test_nearly_full_rank_is_nearly_full_rank(t):
    """c is then nearly always 1, with a heavy left tail."""
    full, nearly = (low_rank.expected(r, 5, t=t).mean for r in (5, 5 - 1e-9))
    for name in NAMES:
        assert getattr(nearly, name) == pytest.approx(float(getattr(full, name)), abs=1e-8)


@pytest.mark.parametrize("r", [500_000, 999_999, 1])
def test_a_million_inputs(r):
    """The law is as narrow as 1e-3 of c or as wide as a power: the mean squares are known."""
    found = low_rank.expected(r, 1_000_000, norm=np.sqrt(r))  # s = 1
    mu = np.sqrt((1 + np.sqrt(5)) / 2)
    total = found.mean.weight_change**2 + found.sd.weight_change**2
    exact = 2 * mu * (mu - low_rank.mean_cosine(r, 1_000_000))
    assert total == pytest.approx(float(exact), rel=1e-12)


def test_expectations_broadcast():
    r, sigma = np.array([[1], [4], [50]]), np.array([0.1, 1.0, 10.0, 100.0])
    t = np.array([np.inf, 1.0, np.inf, 3.0])
    found = low_rank.expected(r, 50, norm=sigma, t=t)
    for i in range(3):
        for j in range(4):
            one = low_rank.expected(r[i, 0], 50, norm=sigma[j], t=t[j])
            for a, b in ((found.mean, one.mean), (found.sd, one.sd)):
                for x, y in zip(a, b, strict=True):
                    assert x.shape == (3, 4)
                    assert x[i, j] == pytest.approx(float(y), rel=1e-12, abs=1e-14)


@given(
    st.integers(1, 40),
    st.integers(1, 300),
    st.floats(-2, 2),
    st.floats(-4, 4),
    st.sampled_from([np.inf, 0.5, 20.0]),
)
def test_only_norm_squared_over_strength_and_strength_times_t_matter(r, more, x, y, t):
    sigma, b = 10.0**x, 10.0**y
    one = low_rank.expected(r, r + more, norm=sigma, t=t)
    other = low_rank.expected(r, r + more, norm=sigma * np.sqrt(b), strength=b, t=t / b)
    for name, unit in zip(NAMES, [np.sqrt(b)] * 3 + [1.0, 1.0, 1.0, b * b], strict=True):
        for moment in ("mean", "sd"):
            value = getattr(getattr(one, moment), name) * unit
            scale = getattr(one.mean, name) * unit
            assert getattr(getattr(other, moment), name) == pytest.approx(
                float(value), rel=1e-10, abs=1e-11 * float(scale)
            )


# -- the numbers that THEORY.md quotes -----------------------------------------------------


def test_t7_the_mean_at_finite_time_is_not_the_measure_at_the_mean():
    mean = low_rank.expected(5, 100, t=3.0).mean.kernel_alignment
    at_mean = low_rank.measures(5, 100, alignment=5 / 100, t=3.0).kernel_alignment
    assert (round(float(mean), 3), round(float(at_mean), 3)) == (0.369, 0.336)


def test_t9_the_mean_kernel_alignment_is_not_monotone_in_rank_but_largest_at_full_rank():
    ka = low_rank.expected([2, 10, 300], 300, norm=3.0).mean.kernel_alignment
    np.testing.assert_allclose(ka, [0.453, 0.381, 0.998], atol=5e-4)
    for d in (3, 30, 300):
        for sigma in (0.1, 1.0, 3.0, 30.0):
            curve = low_rank.expected(np.arange(1, d + 1), d, norm=sigma).mean.kernel_alignment
            assert np.argmax(curve) == d - 1


def test_t9_the_mean_representation_alignment_peaks_at_low_rank():
    ranks = np.arange(1, 101)
    curve = low_rank.expected(ranks, 100).mean.representation_alignment
    assert ranks[np.argmax(curve)] == 4
    assert curve.max() == pytest.approx(0.328, abs=5e-4)
    assert curve[-1] == pytest.approx(curve[3:].min(), rel=1e-3)
    strong = low_rank.expected(ranks, 100, strength=5.0).mean.representation_alignment
    assert ranks[np.argmax(strong)] == 100


def test_t9_one_output_breaks_the_rule_at_finite_time():
    ka = low_rank.expected([1, 100], 100, norm=3.0, t=2.0).mean.kernel_alignment
    np.testing.assert_allclose(ka, [0.9995, 0.9965], atol=5e-5)


# -- mean cosine and quantiles -------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3, 50, 279.5, 1e4, 1e6])
def test_mean_cosine_agrees_with_mpmath(d):
    r = np.unique(np.clip([1, 1.5, 2, 7, 29.1, d / 2, d - 1, d], 1, d))
    found = low_rank.mean_cosine(r, d)
    with mpmath.workdps(40):
        for one, value in zip(r, found, strict=True):
            x, y = mpmath.mpf(one) / 2, mpmath.mpf(d) / 2
            logs = [mpmath.loggamma(z) for z in (x + 0.5, y, x, y + 0.5)]
            exact = mpmath.exp(logs[0] + logs[1] - logs[2] - logs[3])
            assert abs(value / exact - 1) < 1e-14
    assert found[-1] == 1


@pytest.mark.parametrize("r", [1, 5, 29.1])
@pytest.mark.parametrize(("sigma", "t"), [(1.0, np.inf), (10.0, np.inf), (1.0, 3.0), (10.0, 5.0)])
def test_quantiles_agree_with_sampling(r, sigma, t):
    c = sampled_alignments(r, 60, np.random.default_rng(11))
    sample = low_rank.measures(r, 60, alignment=c, norm=sigma, t=t)
    q = np.array([0.02, 0.1, 0.5, 0.9, 0.98])
    found = low_rank.quantile(q, r, 60, norm=sigma, t=t)
    slack = 4 * np.sqrt(q * (1 - q) / SAMPLES) + 1 / 4001
    for name in NAMES:
        values, cuts = getattr(sample, name), getattr(found, name)
        if np.isinf(t) and name in SAME:
            np.testing.assert_allclose(cuts, values[0], rtol=1e-14)
            continue
        assert np.all(np.diff(cuts) > 0), name
        np.testing.assert_array_less(np.abs(np.mean(values[:, None] < cuts, axis=0) - q), slack)


@pytest.mark.parametrize("t", [3.0, np.inf])
def test_quantiles_do_not_depend_on_what_else_is_asked(t):
    q = np.array([[0.9, 0.1], [0.5, 0.5]])
    found = low_rank.quantile(q, 5, 100, t=t)
    for name, value in zip(NAMES, found, strict=True):
        assert value.shape == q.shape
        for index in np.ndindex(q.shape):
            one = getattr(low_rank.quantile(q[index], 5, 100, t=t), name)
            assert value[index] == pytest.approx(float(one), rel=1e-13), name


def test_the_extreme_quantiles_are_the_extremes():
    found = low_rank.quantile([0.0, 1.0], 5, 100)
    rising = low_rank.measures(5, 100, alignment=[1e-300, 1.0])
    for name in ("weight_change", "weight_change_input"):
        np.testing.assert_allclose(getattr(found, name), getattr(rising, name)[::-1], rtol=1e-13)
    for name in ("representation_alignment", "kernel_alignment"):
        np.testing.assert_allclose(getattr(found, name), getattr(rising, name), rtol=1e-13)


def test_quantiles_at_full_rank_are_all_one_value():
    found = low_rank.quantile([0.0, 0.3, 1.0], 7, 7, norm=2.0)
    exact = low_rank.measures(7, 7, alignment=1.0, norm=2.0)
    for value, one in zip(found, exact, strict=True):
        np.testing.assert_array_equal(value, np.full(3, one))


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 0}, r"^rank must be >= 1; its smallest value is 0$"),
        ({"rank": 11}, r"^rank must be at most inputs; it is up to 11 of 10$"),
        ({"inputs": np.inf}, r"^inputs must be finite; "),
        ({"norm": -1}, r"^norm must be > 0; its smallest value is -1$"),
        ({"strength": 0}, r"^strength must be > 0; its smallest value is 0$"),
        ({"t": -1}, r"^t must be >= 0 and not NaN"),
    ],
)
def test_bad_values_are_refused(change, message):
    good = {"rank": 3, "inputs": 10, "norm": 1.0, "strength": 1.0, "t": 1.0}
    with pytest.raises(ValueError, match=message):
        low_rank.expected(**{**good, **change})
    with pytest.raises(ValueError, match=message):
        low_rank.quantile(0.5, **{**good, **change})


@pytest.mark.parametrize("name", ["rank", "inputs", "norm", "strength", "t"])
def test_quantiles_are_of_one_law(name):
    good = {"rank": 3, "inputs": 10, "norm": 1.0, "strength": 1.0, "t": 1.0}
    with pytest.raises(ValueError, match=rf"^{name} must be one number; its shape is \(2,\)$"):
        low_rank.quantile(0.5, **{**good, name: [4.0, 5.0]})


def test_levels_outside_0_and_1_are_refused():
    with pytest.raises(ValueError, match=r"^q must lie in \[0, 1\]; it is 1.5$"):
        low_rank.quantile([0.5, 1.5], 3, 10)


def test_mean_cosine_refuses_more_ranks_than_inputs():
    with pytest.raises(ValueError, match=r"^rank must be at most inputs; it is up to 4 of 3$"):
        low_rank.mean_cosine(4, 3)


@pytest.mark.parametrize("q", [0.0, 5e-324, 9e-285, 1e-200, 1e-100, 1.0])
@pytest.mark.parametrize(("r", "d"), [(1, 2), (3, 11), (80, 86), (1, 1000)])
def test_quantiles_at_the_very_ends(q, r, d):
    found = low_rank.quantile([q, 1.0 - q], r, d)
    low, high = low_rank.measures(r, d, alignment=[np.finfo(float).tiny, 1.0])[3]
    for name, values in zip(found._fields, found, strict=True):
        assert np.all(np.isfinite(values)), name
    assert low <= np.min(found.representation_alignment)
    assert np.max(found.representation_alignment) <= high
