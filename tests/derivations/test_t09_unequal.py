"""The claims of T9 on unequal outputs, against its exact mean and against sums over modes."""

from __future__ import annotations

import mpmath
import pytest

from derivations import load

T6, T9 = load("T6"), load("T9")
STRENGTHS = [(1.0, 0.05), (1.0, 0.8, 0.3), (2.0, 1.0, 0.0, 0.0), (1.0, 0.9, 0.9)]
LARGE = mpmath.mpf(10) ** 40


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(100):
        yield


def sums(strengths, r, scale):
    """Everything the claims take but d: scale = sigma^2."""
    g = [mpmath.mpf(x) for x in strengths]
    sigma = mpmath.sqrt(scale)
    b = [T6.evaluate("alpha", digits=100, sigma=sigma, r=r, g=x) ** 2 for x in g if x]
    return {
        "m": len(g),
        "n": len(b),
        "b_1": mpmath.fsum(b),
        "b_2": mpmath.fsum(x**2 for x in b),
        "G_1": mpmath.fsum(g),
        "G_2": mpmath.fsum(x**2 for x in g),
        "G_4": mpmath.fsum(x**4 for x in g),
        "sigma": sigma,
        "r": r,
    }


def exact(strengths, r, d, scale):
    """1 - (E KA)^2."""
    values = sums(strengths, r, scale)
    return T9.evaluate("mean_kernel_deficit_outputs", digits=100, d=d, **values)


def deficit(strengths, r, d, scale):
    """1 - E KA."""
    square = exact(strengths, r, d, scale)
    return square / (1 + mpmath.sqrt(1 - square))


def close(found, claim, small):
    return abs(found / claim - 1) < small


@pytest.mark.parametrize("strengths", STRENGTHS)
def test_many_inputs(strengths):
    d = LARGE
    for share in (mpmath.mpf("0.01"), mpmath.mpf("0.6"), mpmath.mpf(1)):
        values = sums(strengths, share * d, 2 * d)
        claim = T9.evaluate("kernel_deficit_many_inputs", rho=share, **values)
        # the next order is about n/(rho d), of a claim that falls like rho^3
        assert abs(exact(strengths, share * d, d, 2 * d) - claim) < 10 * values["n"] / (share * d)


@pytest.mark.parametrize("strengths", STRENGTHS)
def test_the_lower_end(strengths):
    d = LARGE
    values = sums(strengths, 1, 1)
    scale = T9.evaluate("window_low_scale", d=d, **values)
    rank = T9.evaluate("window_low_rank", **values)
    full = 1 - T9.evaluate("kernel_full_rich_outputs", **values)
    small = d ** mpmath.mpf("-0.5") * 100
    values |= {"sigma": mpmath.sqrt(scale), "d": d}
    assert rank > 5 * values["n"] / mpmath.mpf(3)
    assert close(deficit(strengths, d, d, scale), full, small)
    assert close(deficit(strengths, rank, d, scale), full, small)
    assert close(deficit(strengths, rank, d, scale * (1 + small)), full, 10 * small)
    for other in (rank * mpmath.mpf("0.99"), rank * mpmath.mpf("1.01")):
        claim = T9.evaluate("mean_kernel_fixed_rank", **(values | {"r": other}))
        assert close(1 - deficit(strengths, other, d, scale), claim, small)
        assert deficit(strengths, other, d, scale) > full * (1 + mpmath.mpf("1e-6"))
    pull = T9.evaluate("kernel_pull", **values)
    assert close(T9.evaluate("best_rank_pull", **(values | {"r": rank})), pull, 1e-30)
    best = T9.evaluate("mean_kernel_best_squared", **(values | {"r": rank}))
    assert close(best, (1 - full) ** 2, 1e-30)


@pytest.mark.parametrize("strengths", STRENGTHS)
def test_between(strengths):
    d = LARGE
    scale = d ** mpmath.mpf("0.75")
    values = sums(strengths, 1, scale) | {"d": d}
    rank = T9.evaluate("best_rank_between", **values)
    claim = T9.evaluate("kernel_deficit_best_between", **values)
    found = deficit(strengths, rank, d, scale)
    assert close(found, claim, 1e-8)
    assert close(T9.evaluate("kernel_deficit_between", **(values | {"r": rank})), claim, 1e-30)
    assert all(deficit(strengths, rank * x, d, scale) > found for x in (0.999, 1.001))


@pytest.mark.parametrize("strengths", STRENGTHS)
def test_the_upper_end(strengths):
    d = LARGE
    values = sums(strengths, 1, 1) | {"d": d}
    even = T9.evaluate("strength_evenness", **values)
    inside = even > mpmath.mpf("0.6")
    share = T9.evaluate("window_high_share", **values) if inside else mpmath.mpf(1)
    name = "window_high_scale" if inside else "window_high_scale_uneven"
    scale = T9.evaluate(name, **values)
    tau = scale / d ** mpmath.mpf("1.25")
    for low in (share * mpmath.mpf("0.9"), share * mpmath.mpf("0.999")):
        claim = T9.evaluate("kernel_deficit_high", tau=tau, rho=low, **values)
        assert close(d * deficit(strengths, low * d, d, scale), claim, 1e-15)
        reach = {x: T9.evaluate("window_high_reach", rho=x, **values) for x in (low, share)}
        assert reach[low] < reach[share]
    low = share if inside else mpmath.mpf("0.9999999")
    for factor, lazier in ((0.999, True), (1.001, False)):
        full = deficit(strengths, d, d, scale * factor)
        assert (deficit(strengths, low * d, d, scale * factor) < full) == lazier
    assert (0 < share < 1) == inside


def test_the_share_of_the_upper_end_reaches_one_at_an_evenness_of_three_fifths():
    values = {"m": 5, "G_2": mpmath.sqrt(3), "G_4": 1, "n": 5, "d": 1}
    assert close(T9.evaluate("window_high_share", **values), 1, 1e-40)
    even, uneven = (T9.evaluate(f"window_high_scale{end}", **values) for end in ("", "_uneven"))
    assert close(even, uneven, 1e-40)


def test_nearly_equal_strengths_close_the_window():
    d = mpmath.mpf(10) ** 60
    values = {"d": d, "m": 3, "g": 1}
    variance = T9.evaluate("closing_variance", **values)
    per_share = variance * (d / 3) ** mpmath.mpf("0.75")
    assert abs(mpmath.sqrt(per_share) - mpmath.mpf("3.055")) < mpmath.mpf("1e-3")
    scale = T9.evaluate("closing_scale", **values)
    assert abs(scale / d - mpmath.mpf("0.787")) < mpmath.mpf("1e-3")
    share = T9.evaluate("closing_share", **values)
    assert T9.evaluate("window_edge_variance", w=share, **values) == variance
    assert all(T9.evaluate("window_edge_variance", w=share + x, **values) > variance
               for x in (-0.01, 0.01))  # fmt: skip
    side = mpmath.sqrt(variance * 3 / 2)
    strengths = (1 + side, 1, 1 - side)
    full = deficit(strengths, d, d, scale)
    assert close(full, T9.evaluate("kernel_deficit_nearly_equal", v=variance, w=share), 1e-12)
    rank = T9.evaluate("best_rank_between", **(values | sums(strengths, 1, scale)))
    assert close(deficit(strengths, rank, d, scale), full, 1e-12)


@pytest.mark.parametrize("strengths", STRENGTHS)
@pytest.mark.parametrize("scale", [0.01, 3.0, 1e4])
def test_exact_forms_are_one(strengths, scale):
    for r, d in ((4, 9), (9, 9)):
        values = sums(strengths, r, scale) | {"d": d}
        mean = T9.evaluate("mean_kernel_alignment_outputs", **values)
        gap = T9.evaluate("mean_kernel_deficit_outputs", **values)
        assert abs(1 - mean**2 - gap) < mpmath.mpf("1e-14")
    full = T9.evaluate("mean_kernel_deficit_outputs_full", **values)
    assert close(gap, full, 1e-14)
    found = mpmath.fsum((x - y) ** 2 for x, y in readouts(strengths, 9, scale)) / 2
    assert abs(T9.evaluate("strength_gap", **values) - found) < 1e-12 * (1 + values["b_2"])


def readouts(strengths, r, scale):
    """All ordered pairs of alpha_i^2, of 0 for a strength of 0."""
    sigma = mpmath.sqrt(scale)
    b = [T6.evaluate("alpha", sigma=sigma, r=r, g=x) ** 2 if x else 0 for x in strengths]
    return [(x, y) for x in b for y in b]


@pytest.mark.parametrize("strengths", STRENGTHS)
def test_readout_sums_of_large_starts(strengths):
    values = sums(strengths, 3, 1e12)
    assert close(values["b_1"], T9.evaluate("readout_sum_lazy", **values), 1e-20)
    assert close(values["b_2"], T9.evaluate("readout_square_sum_lazy", **values), 1e-20)
