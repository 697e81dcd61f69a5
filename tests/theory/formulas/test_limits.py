"""T8, T9 and the law of T15 as the limits and approximations that they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import richlazy as rl
from richlazy import boundaries, limits, low_rank, several_outputs, spectrum


def kernel(representation, readout):
    """K = R (x) I + I (x) B, index (input, output), as a matrix."""
    d, m = len(representation), len(readout)
    return np.kron(representation, np.eye(m)) + np.kron(np.eye(d), readout)


def start_of(values, hidden, inputs, rng):
    u = np.linalg.qr(rng.standard_normal((hidden, len(values))))[0]
    v = np.linalg.qr(rng.standard_normal((inputs, len(values))))[0]
    return u * values @ v.T


# -- T8 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("r", "d", "c"), [(1, 1, 1.0), (1, 5, 0.4), (4, 5, 1e-6), (30, 200, 0.9)])
@pytest.mark.parametrize("strength", [0.01, 1.0, 50.0])
def test_t8_is_the_small_norm_limit_of_t6(r, d, c, strength):
    limit = limits.rich_limit(r, c / r, d)
    norms = np.sqrt(strength) * np.array([0.04, 0.02, 1e-7])
    found = low_rank.measures(r, d, alignment=c, norm=norms, strength=strength).kernel_alignment
    gap = np.abs(found - limit)
    assert gap[2] < 1e-13
    if gap[0] > 1e-12:  # at d = 1 KA is 1 at every norm
        assert gap[0] / gap[1] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("values", [[1.0, 0.5, 0.2, 0.1], [3.0, 2.9, 0.3, 0.0]])
def test_t8_is_the_small_norm_limit_of_the_flow_for_any_spectrum(values):
    rng = np.random.default_rng(4)
    w1 = start_of(np.array(values) / np.linalg.norm(values), 6, 7, rng)
    beta = rng.standard_normal(7)
    unit = beta / np.linalg.norm(beta)
    share = np.sum((w1 @ unit) ** 2) / np.sum(w1**2)
    limit = limits.rich_limit(spectrum.effective_rank(values), share, 7)
    task = rl.Task.teacher(beta)
    gap = [
        abs(float(rl.solve(rl.Network(norm * w1), task).kernel_alignment(np.inf)) - float(limit))
        for norm in (0.08, 0.04, 0.02)
    ]
    assert gap[2] < 1e-3
    assert gap[0] / gap[1] == pytest.approx(4, rel=0.05)
    assert gap[1] / gap[2] == pytest.approx(4, rel=0.05)


def test_the_mean_rich_limit_is_the_rich_limit_at_the_mean_share():
    """T8 is linear in the share beta' R_0 beta / tr R_0, whose mean over directions is 1/d."""
    pr, d = np.array([1.0, 3.7, 20.0]), 20
    np.testing.assert_allclose(
        limits.rich_limit_mean(pr, d), limits.rich_limit(pr, 1 / d, d), rtol=1e-15
    )
    flat = low_rank.expected([1, 4, 20], 20, norm=1e-7).mean.kernel_alignment
    np.testing.assert_allclose(limits.rich_limit_mean([1, 4, 20], 20), flat, rtol=1e-13)


@pytest.mark.parametrize("strengths", [[1.0], [1.0, 1.0], [3.0, 1.0, 0.1]])
def test_t8_for_several_outputs_is_the_mean_over_tasks(strengths):
    """R and B at the end are those of the task alone; K_0 and K_t are written out."""
    rng = np.random.default_rng(8)
    d, m, s = 6, len(strengths), np.array(strengths)
    values = np.array([1.0, 0.7, 0.5, 0.2])
    w1 = start_of(values, 5, d, rng)
    k0 = kernel(w1.T @ w1, np.zeros((m, m)))
    found = []
    for _ in range(3000):
        v = np.linalg.qr(rng.standard_normal((d, m)))[0]
        u = np.linalg.qr(rng.standard_normal((m, m)))[0]
        found.append(rl.kernel_alignment(k0, kernel(v * s @ v.T, u * s @ u.T)))
    exact = limits.rich_limit_mean(spectrum.effective_rank(values), d, strengths)
    assert abs(np.mean(found) - exact) < 4 * np.std(found) / np.sqrt(len(found))


def test_the_flow_of_several_outputs_ends_where_t8_says():
    rng = np.random.default_rng(9)
    task = rl.Task.teacher(rng.standard_normal((2, 5)))
    modes = task.modes
    end = kernel(
        modes.right * modes.strengths @ modes.right.T, modes.left * modes.strengths @ modes.left.T
    )
    w1 = start_of(np.array([1.0, 0.6, 0.3]), 4, 5, rng)
    limit = rl.kernel_alignment(kernel(w1.T @ w1, np.zeros((2, 2))), end)
    gap = [
        abs(float(rl.solve(rl.Network(norm * w1), task).kernel_alignment(np.inf)) - limit)
        for norm in (0.04, 0.02)
    ]
    assert gap[1] < 2e-3
    assert gap[0] / gap[1] == pytest.approx(4, rel=0.1)


spectra = st.lists(st.floats(1e-3, 1), min_size=1, max_size=12).map(
    lambda s: np.sort(np.array(s))[::-1]
)


@given(spectra, st.integers(0, 20))
def test_a_flat_full_rank_start_is_the_laziest_by_cauchy_schwarz(s, more):
    d = s.size + more
    pr = spectrum.effective_rank(s)
    mine, best = limits.rich_limit_mean([min(pr, d), float(d)], d)
    assert mine <= best
    if more or np.ptp(s) > 1e-3:
        assert mine < best
    # and the order of two starts is the order of their participation ratios
    other = limits.rich_limit_mean(max(1.0, pr / 2), d)
    assert (other < mine) == (max(1.0, pr / 2) < min(pr, d))


@given(st.floats(-200, 200), st.lists(st.floats(0.01, 10), min_size=1, max_size=5))
def test_only_ratios_of_strengths_matter(x, strengths):
    s = np.array(strengths)
    found = limits.rich_limit_mean(3.0, 10, s * 10.0**x)
    assert found == pytest.approx(float(limits.rich_limit_mean(3.0, 10, s)), rel=1e-13)


# -- T9 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("r", "c"), [(1, 0.25), (2, 0.5), (7, 0.01), (7, 1.0), (60, 0.9)])
def test_t9_is_the_large_norm_limit_of_t6(r, c):
    alignment, change = low_rank.lazy_limit(r, c)
    norms = np.array([20.0, 40.0, 1e6]) * np.sqrt(r)
    found = low_rank.measures(r, 80, alignment=c, norm=norms)
    for name in ("representation_alignment", "kernel_alignment"):
        gaps = np.abs(getattr(found, name) - alignment)
        assert gaps[-1] < 1e-14
        if c < 1 and (r > 1 or name == "kernel_alignment"):  # RA of rank 1 is c at every norm
            assert gaps[0] / gaps[1] == pytest.approx(16, rel=0.1)  # corrections of order s^-4
    if c < 1:
        assert found.weight_change[-1] / 1e6 == pytest.approx(float(change), rel=1e-12)
    else:
        assert change == 0
        assert found.weight_change[-1] == pytest.approx(1e-6, rel=1e-12)  # |beta| / s


def test_t9_means_over_tasks():
    r = np.array([1.0, 2.0, 10.0, 50.0])
    mean = low_rank.expected(r, 50, norm=1e5 * np.sqrt(r)).mean
    np.testing.assert_allclose(mean.kernel_alignment, 1 - 1 / r + 1 / 50, rtol=1e-13)
    np.testing.assert_allclose(mean.representation_alignment, 1 - 1 / r + 1 / 50, rtol=1e-13)


def test_lazy_limit_broadcasts():
    alignment, change = low_rank.lazy_limit([[1.0], [4.0]], [0.0, 0.25, 1.0])
    np.testing.assert_allclose(alignment, [[0, 0.25, 1], [0.75, 0.8125, 1]])
    np.testing.assert_allclose(change, np.sqrt([[2, 1, 0], [2, 1, 0]]))


def test_lazy_limit_refuses_bad_values():
    with pytest.raises(ValueError, match=r"^rank must be >= 1; its smallest value is 0.5$"):
        low_rank.lazy_limit([1, 0.5], 0.5)
    with pytest.raises(ValueError, match=r"^alignment must lie in \[0, 1\]; it is -0.1$"):
        low_rank.lazy_limit(2, -0.1)


# -- the law of T15 ------------------------------------------------------------------------


@pytest.mark.parametrize("t", [1.5, np.inf])
def test_the_law_is_exact_for_flat_starts(t):
    law = limits.law([1, 5, 40], 40, norm=1.3, strength=0.7, t=t)
    flat = low_rank.expected([1, 5, 40], 40, norm=1.3, strength=0.7, t=t)
    for a, b in zip((*law.mean, *law.sd), (*flat.mean, *flat.sd), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("pr", [40 * (1 + 1e-13), 1 - 1e-13])
def test_the_law_takes_a_participation_ratio_with_its_rounding(pr):
    exact = limits.law(round(pr), 40).mean
    for a, b in zip(limits.law(pr, 40).mean, exact, strict=True):
        assert a == b


def test_the_law_holds_where_theory_says_and_fails_where_it_says():
    """T15's own numbers: weight change, RA and KA of the law and of sampled tasks."""
    s = spectrum.power_law(64, exponent=0.5)
    pr = spectrum.effective_rank(s)
    law = limits.law(pr, 64).mean
    sampled = rl.expect(s, inputs=64, method="sample")
    at_mean = low_rank.measures(pr, 64, alignment=pr / 64).weight_change
    assert at_mean == pytest.approx(1.349, abs=5e-4)  # the page quotes T6 at c = PR/d
    assert law.representation_alignment == pytest.approx(0.290, abs=5e-4)
    assert law.kernel_alignment == pytest.approx(0.485, abs=5e-4)
    for name, quoted in (
        ("weight_change", 1.340),
        ("representation_alignment", 0.291),
        ("kernel_alignment", 0.485),
    ):
        found = getattr(sampled, name)
        assert abs(found.mean - quoted) < 4 * found.standard_error + 5e-4, name
        assert getattr(law, name) == pytest.approx(found.mean, rel=0.01), name

    steep = spectrum.power_law(64, exponent=2.0, norm=3.0)
    law = limits.law(spectrum.effective_rank(steep), 64, norm=3.0).mean.kernel_alignment
    truth = rl.expect(steep, inputs=64, method="sample").kernel_alignment.mean
    np.testing.assert_allclose([law, truth], [0.17, 0.78], atol=0.02)


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda pr, d: limits.rich_limit(pr, 0.5, d),
        limits.rich_limit_mean,
        limits.law,
    ],
)
def test_ratios_outside_their_range_are_refused(call):
    with pytest.raises(
        ValueError, match=r"^participation_ratio must lie in \[1, inputs\]; it is 5"
    ):
        call([2.0, 5.0], 4)
    with pytest.raises(ValueError, match=r"^participation_ratio must lie .* it is 0.5$"):
        call([2.0, 0.5], 4)
    with pytest.raises(ValueError, match=r"^inputs must be whole numbers; one is 4.5$"):
        call(2.0, [4.0, 4.5])
    with pytest.raises(ValueError, match=r"^participation_ratio must be finite"):
        call(np.nan, 4)
    with pytest.raises(ValueError, match=r"^inputs must not be empty; its shape is \(0,\)$"):
        call(2.0, [])


def test_other_bad_values_are_refused():
    with pytest.raises(ValueError, match=r"^share must lie in \[0, 1\]; it is 2$"):
        limits.rich_limit(2.0, 2.0, 4)
    with pytest.raises(ValueError, match=r"^participation_ratio must be >= 1; its smallest value"):
        limits.representation_rich_limit([2.0, 0.5], 0.5)
    for strengths in ([0.0, 0.0], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match=r"^strengths must be a vector with a non-zero entry$"):
            limits.rich_limit_mean(2.0, 4, strengths)
    with pytest.raises(ValueError, match=r"^strengths must be >= 0; its smallest value is -1$"):
        limits.rich_limit_mean(2.0, 4, [1.0, -1.0])
    with pytest.raises(ValueError, match=r"^norm must be > 0; its smallest value is 0$"):
        limits.law(2.0, 4, norm=0.0)
    with pytest.raises(ValueError, match=r"^strength must be > 0; its smallest value is -1$"):
        limits.law(2.0, 4, strength=-1.0)
    with pytest.raises(ValueError, match=r"^t must be >= 0 and not NaN"):
        limits.law(2.0, 4, t=-1.0)


def test_an_output_with_nothing_to_learn():
    # m = 2 outputs, one mode: sqrt(2) (1 + 2/10) / sqrt(2 ((2 + 10) 1 + 2))
    wanted = np.sqrt(2.0) * 1.2 / np.sqrt(2.0 * 14.0)
    assert limits.rich_limit_mean(2.0, 10, [1.0, 0.0]) == pytest.approx(wanted, rel=1e-14)
    assert wanted == pytest.approx(0.3207, abs=5e-5)


def test_the_norm_of_the_law_is_1():
    one = limits.law(4.5, 30, norm=1.0).mean
    assert limits.law(4.5, 30).mean.kernel_alignment == one.kernel_alignment
    assert limits.law(4.5, 30, norm=1.1).mean.kernel_alignment != one.kernel_alignment


@pytest.mark.parametrize("inputs", [1e16, 1e308])
def test_inputs_beyond_counting_are_refused(inputs):
    for ask in (
        lambda: limits.rich_limit_mean(2.0, inputs),
        lambda: limits.law(2.0, inputs),
        lambda: low_rank.expected(5, inputs),
        lambda: several_outputs.expected(3, inputs, strengths=[1.0, 0.5]),
        lambda: boundaries.alignment(5, inputs),
    ):
        with pytest.raises(ValueError, match=r"inputs must be at most 2\*\*53"):
            ask()
