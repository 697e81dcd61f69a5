"""T8: the rich limits of one task, and the first correction to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import richlazy as rl
from richlazy import limits, low_rank, spectrum


@st.composite
def one_task(draw):
    """Singular values of norm 1, the squared shares of a unit task, and the number of inputs."""
    n = draw(st.integers(1, 6))
    s = np.array(draw(st.lists(st.floats(0.1, 1), min_size=n, max_size=n)))
    more = draw(st.integers(0, 6))
    parts = np.array(draw(st.lists(st.floats(0.05, 1), min_size=n + 1, max_size=n + 1)))
    parts = parts[:n] / (parts.sum() if more else parts[:n].sum())
    return s / np.linalg.norm(s), parts, n + more


def limits_of(s, shares):
    """PR and beta' R_0 beta / tr R_0."""
    return spectrum.effective_rank(np.sort(s)[::-1]), min(float(shares @ s**2 / np.sum(s**2)), 1.0)


def solved(s, shares, d, strength=1.0):
    """RA and KA of the flow at t = infinity."""
    w1, beta = np.zeros((s.size, d)), np.zeros(d)
    np.fill_diagonal(w1, s)
    beta[: s.size] = np.sqrt(shares)
    if d > s.size:
        beta[s.size] = np.sqrt(1 - shares.sum())
    sol = rl.solve(rl.Network(w1), rl.Task.teacher(strength * beta))
    return np.array([float(sol.representation_alignment()), float(sol.kernel_alignment())])


def rest(s, shares, d, strength=1.0):
    """What the first correction leaves of RA and KA over their rich limits."""
    ratio, share = limits_of(s, shares)
    limit = [limits.representation_rich_limit(ratio, share), limits.rich_limit(ratio, share, d)]
    correction = limits.rich_correction(s, shares, d, strength=strength)
    return solved(s, shares, d, strength) / np.array(limit) - 1 - np.array(correction)


@settings(max_examples=40)
@given(one_task())
def test_the_rich_limits_of_a_task_are_those_of_the_flow(case):
    s, shares, d = case
    ratio, share = limits_of(s, shares)
    wanted = [
        float(limits.representation_rich_limit(ratio, share)),
        float(limits.rich_limit(ratio, share, d)),
    ]
    assert 0 < wanted[0] <= wanted[1] * np.sqrt(d + 3) / 2 * (1 + 1e-14)
    assert max(wanted) <= 1 + 1e-14
    np.testing.assert_allclose(solved(1e-6 * s, shares, d), wanted, rtol=1e-9)


@given(st.floats(1.0, 1e6), st.integers(1, 10**6))
def test_the_mean_rich_limit_of_representations(ratio, d):
    found = float(limits.representation_rich_limit(ratio, 1 / d))
    assert found == pytest.approx(np.sqrt(ratio) / d, rel=1e-14)


@settings(max_examples=40)
@given(one_task())
def test_the_correction_leaves_a_rest_of_third_order(case):
    """At sigma^2/g = x^2 v'R_0 v/tr R_0 what is left is below x^3 by far; the correction is not."""
    s, shares, d = case
    x = 0.03
    scale = x * np.sqrt(float(shares @ s**2))
    assert np.all(np.abs(rest(scale * s, shares, d)) < 0.3 * x**3)


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_the_rest_by_a_fit(seed):
    rng = np.random.default_rng(seed)
    n = 2 + seed % 3
    s = rng.uniform(0.4, 1.0, n)
    s, shares = s / np.linalg.norm(s), rng.dirichlet(np.ones(n + 2) * 4)[:n]
    norms = np.geomspace(0.005, 0.02, 5)
    gaps = np.abs([rest(norm * s, shares, 12, strength=1.7) for norm in norms])
    orders = np.polyfit(np.log(norms), np.log(gaps), 1)[0]
    np.testing.assert_allclose(orders, 3.0, atol=0.25)


@pytest.mark.parametrize(("r", "d", "c"), [(1, 1, 1.0), (1, 5, 0.4), (4, 5, 0.1), (30, 200, 0.9)])
def test_for_flat_starts_the_rest_is_of_fourth_order(r, d, c):
    """T6 is exact, at norms at which its difference to the limit is well above rounding."""
    s, shares = np.full(r, 1 / np.sqrt(r)), np.full(r, c / r)
    correction = np.array(limits.rich_correction(s, shares, d, strength=2.0))
    limit = [
        float(limits.representation_rich_limit(r, c / r)),
        float(limits.rich_limit(r, c / r, d)),
    ]
    gaps = []
    for norm in (0.08, 0.04):
        found = low_rank.measures(r, d, alignment=c, norm=norm, strength=2.0)
        pair = np.array([float(found.representation_alignment), float(found.kernel_alignment)])
        gaps.append(np.abs(pair / limit - 1 - norm**2 * correction))
    for coarse, fine in zip(*gaps, strict=True):
        assert fine < 1e-14 or coarse / fine == pytest.approx(16, rel=0.05)


@given(one_task(), st.integers(-30, 30), st.randoms(use_true_random=False))
def test_properties_of_the_correction(case, power, random):
    s, shares, d = case
    found = np.array(limits.rich_correction(s, shares, d))
    assert -1e-13 <= found[0] <= np.sum(s**4) / (shares @ s**2) * (1 + 1e-13)  # as Q >= mu_3/mu_1
    scaled = limits.rich_correction(s * 2.0**power, shares, d, strength=4.0**power)
    np.testing.assert_array_equal(scaled, found)
    np.testing.assert_allclose(
        limits.rich_correction(s, shares, d, strength=3.0), found / 3, rtol=1e-14
    )
    order = random.sample(range(s.size), s.size)
    turned = limits.rich_correction(s[order], shares[order], d)
    np.testing.assert_allclose(turned, found, rtol=1e-12, atol=1e-13)
    if s.size < d:  # a direction that the start does not have, named or not
        longer = limits.rich_correction(np.r_[s, 0.0], np.r_[shares, 1 - shares.sum()], d)
        np.testing.assert_allclose(longer, found, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("s", "shares", "d", "message"),
    [
        (
            [1.0],
            [0.5, 0.1],
            4,
            r"vectors of one length, at most inputs; they are \(1,\) and \(2,\)",
        ),
        ([[1.0]], [[0.5]], 4, r"singular_values and shares must be vectors of one length"),
        ([1.0, 0.5], [0.5, 0.5], 1, r"at most inputs; they are .* and inputs is 1$"),
        ([1.0, -0.5], [0.5, 0.5], 2, r"^singular_values must be >= 0; its smallest value is -0.5$"),
        ([1.0, 0.5], [0.5, 1.5], 2, r"^shares must lie in \[0, 1\]; it is 1.5$"),
        ([1.0, 0.5], [0.7, 0.4], 2, r"^shares must have a sum of at most 1; it is 1.1$"),
        ([1.0, 0.5], [0.7, 0.2], 2, r"^shares must have the sum 1 where there are as many"),
        ([1.0, 0.0], [0.0, 0.2], 3, r"^shares must be above 0 for some singular value above 0"),
        ([1.0], [0.2], 2.5, r"^inputs must be an integer; it is 2.5$"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(s, shares, d, message):
    with pytest.raises(ValueError, match=message):
        limits.rich_correction(s, shares, d)


def test_the_strength_of_a_correction_is_one_positive_number():
    with pytest.raises(ValueError, match=r"^strength must be > 0"):
        limits.rich_correction([1.0], [0.2], 2, strength=0.0)
