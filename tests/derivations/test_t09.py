"""T9 holds, and its claims are what the averages of T6 and T7 do along a rank curve."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest

from derivations import load

T6, T7, T9 = load("T6"), load("T7"), load("T9")
FINAL = ("representation_alignment", "kernel_alignment", "weight_change_squared")


def test_every_step_holds():
    T9.check()


@pytest.mark.parametrize("c", [1e-3, 0.4, 1.0])
@pytest.mark.parametrize("sigma", [1e-2, 1.0, 30.0])
def test_measures_by_the_share_are_those_of_t6(sigma, c):
    values = {"sigma": sigma, "r": 4, "d": 30, "c": c, "g": 0.7}
    for name in FINAL:
        wanted = T6.evaluate(f"{name}_final", digits=80, **values)
        assert abs(T9.evaluate(name, digits=80, **values) / wanted - 1) < 1e-15


@pytest.mark.parametrize("c", [0.0, 0.3, 1.0])
def test_the_next_order_of_the_lazy_limit(c):
    r, d = 3, 12
    for sigma in (mpmath.mpf(100), mpmath.mpf(1000)):
        values = {"sigma": sigma, "r": r, "d": d, "c": c, "g": 1.0}
        with mpmath.workdps(60):
            share = T9.evaluate("readout_share", digits=60, **values)
            squared = T9.evaluate("weight_change_squared", digits=60, **values) * r / sigma**2
            gap = squared - T9.evaluate("weight_change_lazy_squared", digits=60, **values)
            assert abs(gap / share - T9.evaluate("weight_change_slope", **values)) < d * share
            for name in ("representation", "kernel"):
                found = T9.evaluate(f"{name}_alignment", digits=60, **values)
                gap = found - T9.evaluate("alignment_lazy", digits=60, **values)
                if c < 1:
                    slope = T9.evaluate(f"{name}_slope", digits=60, **values)
                    assert abs(gap / share - slope) < d * share
                else:
                    deficit = T9.evaluate(f"{name}_deficit_aligned", digits=60, **values)
                    assert abs(-gap / share**2 - deficit) < d * share


def mean(name, r, d, scale):
    """E RA or E KA of T7 at a real rank; scale = sigma^2/g."""
    return T7.evaluate(f"mean_{name}_alignment", r=r, d=d, sigma=mpmath.sqrt(scale), g=1)


def slope(name, r, d, scale):
    with mpmath.workdps(40):
        step = mpmath.mpf("1e-12") * r
        high, low = (mean(name, r + e, d, scale) for e in (step, -step))
        return (high - low) / (2 * step * mean(name, r, d, scale))


@pytest.mark.parametrize("name", ["kernel", "representation"])
def test_the_turn_is_the_slope_of_the_rank_curve(name):
    rng = np.random.default_rng(2)
    signs = set()
    for _ in range(40):
        d = int(10 ** rng.uniform(0.5, 5))
        r, scale = d ** rng.random(), 10.0 ** rng.uniform(-2, 2)
        values = {"r": r, "d": d, "sigma": mpmath.sqrt(scale), "g": 1}
        turn = T9.evaluate(f"{name}_turn", **values)
        claim = turn * T9.evaluate(f"{name}_log_slope_factor", **values)
        assert T9.evaluate(f"{name}_log_slope_factor", **values) > 0
        found = slope(name, mpmath.mpf(r), d, mpmath.mpf(scale))
        assert abs(found - claim) < 1e-9 * (1 + abs(claim))
        signs.add(int(mpmath.sign(turn)))
    assert signs == {-1, 1}


LARGE = mpmath.mpf(10) ** 14


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.59])
def test_kernel_turns_where_the_large_d_curve_says(share):
    rank, scale = (T9.evaluate(f"kernel_turning_{x}", w=share) for x in ("rank", "scale"))
    relative = {e: slope("kernel", rank * (1 + e), LARGE, scale) for e in (-1e-3, 1e-3)}
    critical = T9.evaluate("critical_share")
    # a peak below the critical share, a trough above
    assert (relative[-1e-3] > 0 > relative[1e-3]) == (share < critical)
    assert (relative[-1e-3] < 0 < relative[1e-3]) == (share > critical)


def ranks(d, count=400):
    return [mpmath.mpf(x) for x in np.geomspace(1, d, count)]


@pytest.mark.parametrize("above", [False, True])
def test_the_critical_scale_separates_monotone_rank_curves_from_others(above):
    critical = T9.evaluate("critical_scale")
    assert abs(critical - mpmath.mpf("3.0469")) < mpmath.mpf("1e-3")
    scale = critical * (1.05 if above else 0.95)
    curve = [mean("kernel", r, LARGE, scale) for r in ranks(100)]
    falls = any(b < a for a, b in pairwise(curve))
    assert falls == above


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_the_top_of_the_window_of_scales_with_a_falling_rank_curve(factor):
    d = mpmath.mpf(10) ** 18
    scale = T9.evaluate("kernel_window_top", d=d) * factor
    near = [slope("kernel", d * x / 100, d, scale) for x in range(20, 100)]
    assert any(x < 0 for x in near) == (factor < 1)


@pytest.mark.parametrize("scale", [200, 1000])
def test_the_trough_of_a_large_scale(scale):
    expected = T9.evaluate("kernel_trough_rank_per_scale") * scale
    low, high = (slope("kernel", expected * (1 + e), LARGE, scale) for e in (-0.1, 0.1))
    assert low < 0 < high


@pytest.mark.parametrize("share", [0.48, 0.6, 0.9, 0.999])
def test_representation_peaks_where_the_large_d_curve_says(share):
    rank, scale = (T9.evaluate(f"representation_peak_{x}", w=share) for x in ("rank", "scale"))
    low, high = (slope("representation", rank * (1 + e), LARGE, scale) for e in (-1e-3, 1e-3))
    assert low > 0 > high


def test_the_peak_of_a_large_scale():
    share = T9.evaluate("representation_peak_share_lazy")
    per_scale = mpmath.sqrt(share) / (1 - share)
    assert abs(per_scale - mpmath.mpf("1.296")) < mpmath.mpf("1e-3")
    low, high = (
        slope("representation", per_scale * 1000 * (1 + e), LARGE, 1000) for e in (-0.05, 0.05)
    )
    assert low > 0 > high


@pytest.mark.parametrize("reach", [12.5, 20, 200])
def test_peak_and_trough_of_representation_at_small_scales(reach):
    scale = mpmath.mpf("1e-9")
    d = reach / scale
    for name, sign in (("peak", 1), ("trough", -1)):
        rank = T9.evaluate(f"representation_{name}_rank_rich", D=reach)
        low, high = (slope("representation", rank * (1 + e), d, scale) for e in (-1e-3, 1e-3))
        assert sign * low > 0 > sign * high


def test_representation_grows_with_the_rank_below_the_small_scale_threshold():
    scale = mpmath.mpf("1e-6")
    curve = [mean("representation", r, 11.9 / scale, scale) for r in ranks(1000)]
    assert all(a < b for a, b in pairwise(curve))


@pytest.mark.parametrize(("r", "d"), [(1, 8), (3, 8), (8, 8), (40, 1000)])
def test_the_first_correction_to_the_rich_limit(r, d):
    values = {"r": r, "d": d}
    for scale in (mpmath.mpf("1e-8"), mpmath.mpf("1e-10")):
        with mpmath.workdps(50):
            limit = T9.evaluate("mean_kernel_rich", **values)
            claim = T9.evaluate("mean_kernel_rich_slope", **values)
            found = (mean("kernel", r, d, scale) / limit - 1) / scale
            assert abs(found - claim) < 100 * scale


@pytest.mark.parametrize("sigma", [0.1, 1.0, 4.0, 100.0])
@pytest.mark.parametrize(("r", "d"), [(1, 6), (3, 40), (35, 40)])
def test_at_the_boundary_low_and_full_rank_are_alike(sigma, r, d):
    common = {"sigma": sigma, "d": d, "g": 1.2}
    for name in FINAL:
        short = name.split("_", maxsplit=1)[0]
        if short == "weight":
            edge = T9.evaluate("weight_change_boundary_cosine", digits=100, r=r, **common)
        else:
            edge = T9.evaluate(f"{short}_boundary", digits=100, r=r, **common)
        if not 0 < edge < 1:
            continue
        with mpmath.workdps(100):
            edge = edge**2 if short == "weight" else edge
            low = T6.evaluate(f"{name}_final", digits=100, r=r, c=edge, **common)
            full = T6.evaluate(f"{name}_final", digits=100, r=d, c=1, **common)
            assert abs(low / full - 1) < mpmath.mpf("1e-80"), name


@pytest.mark.parametrize(("r", "d"), [(1, 6), (3, 40), (35, 40)])
def test_the_boundaries_at_large_scales(r, d):
    values = {"sigma": mpmath.mpf("1e5"), "r": r, "d": d, "g": 1.0}
    with mpmath.workdps(100):
        edges = {
            name: T9.evaluate(f"{name}_boundary", digits=100, **values)
            for name in ("representation", "kernel")
        }
        cosine = T9.evaluate("weight_change_boundary_cosine", digits=100, **values)
        for name, edge in (edges | {"weight_change": cosine**2}).items():
            claim = T9.evaluate(f"{name}_boundary_gap_lazy", digits=100, **values)
            assert abs((1 - edge) / claim - 1) < mpmath.mpf("1e-6"), name
