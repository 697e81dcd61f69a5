"""The lazy limit and the end of training in the library against the claims of T9."""

from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import boundaries, low_rank


@pytest.fixture(scope="module")
def t9():
    return load("T9")


def relative(found, claim):
    return float(abs(mpmath.mpf(float(found)) - claim) / abs(claim))


@pytest.mark.parametrize("r", [1, 2.5, 40, 1e6])
@pytest.mark.parametrize("c", [1e-12, 0.3, 0.999, 1 - 1e-12])
def test_lazy_limit(t9, agreement, r, c):
    alignment, change = low_rank.lazy_limit(r, c)
    wanted = mpmath.sqrt(t9.evaluate("weight_change_lazy_squared", c=c))
    error = relative(alignment, t9.evaluate("alignment_lazy", r=r, c=c))
    assert agreement("T9 alignment_lazy", error) < 1e-14
    assert agreement("T9 weight_change_lazy_squared", relative(change, wanted)) < 1e-14


@pytest.mark.parametrize("sigma", [1e-4, 1e-2, 1.0, 1e2, 1e4])
@pytest.mark.parametrize(("r", "d"), [(1, 2), (3, 50), (400, 10_000)])
def test_measures_by_the_share_of_the_readout(t9, agreement, sigma, r, d):
    values = {"sigma": sigma, "r": r, "d": d, "c": 0.37, "g": 1.9}
    found = low_rank.measures(r, d, alignment=0.37, norm=sigma, strength=1.9)
    for name in ("representation_alignment", "kernel_alignment"):
        error = relative(getattr(found, name), t9.evaluate(name, digits=100, **values))
        assert agreement(f"T9 {name}", error) < 1e-13
    for name, claim in (
        ("weight_change", "weight_change_squared"),
        ("weight_change_readout", "weight_change_2_squared"),
    ):
        wanted = mpmath.sqrt(t9.evaluate(claim, digits=100, **values))
        assert agreement(f"T9 {claim}", relative(getattr(found, name), wanted)) < 1e-13


@pytest.mark.parametrize("sigma", [1e-2, 0.7, 3.0, 300.0])
@pytest.mark.parametrize(("r", "d"), [(1.0, 9), (17.3, 300), (2999, 3000)])
def test_means_over_tasks(t9, agreement, sigma, r, d):
    values = {"sigma": sigma, "r": r, "d": d, "g": 1.9}
    found = low_rank.expected(r, d, norm=sigma, strength=1.9).mean
    for name in ("representation_alignment", "kernel_alignment"):
        wanted = t9.evaluate(f"mean_{name}", digits=100, **values)
        error = relative(getattr(found, name), wanted)
        assert agreement(f"T9 mean_{name}", error) < 1e-13


def test_the_critical_scale_of_the_rank_curve_of_kernel_alignment(t9):
    critical = float(t9.evaluate("critical_scale"))
    rank = np.geomspace(1, 1e4, 4000)
    for factor, falls in ((0.98, False), (1.05, True)):
        mean = low_rank.expected(rank, 1e9, norm=np.sqrt(factor * critical)).mean
        assert np.any(np.diff(mean.kernel_alignment) < 0) == falls


@pytest.mark.parametrize("share", [0.55, 0.7, 0.95])
def test_the_rank_at_which_representation_alignment_peaks(t9, share):
    wanted = float(t9.evaluate("representation_peak_rank", w=share))
    scale = float(t9.evaluate("representation_peak_scale", w=share))
    rank = wanted * np.linspace(0.9, 1.1, 2001)
    mean = low_rank.expected(rank, 1e12, norm=np.sqrt(scale)).mean
    assert rank[np.argmax(mean.representation_alignment)] == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0])
@pytest.mark.parametrize(("r", "d"), [(1, 6), (3, 40), (30, 40)])
def test_both_sides_of_the_boundary_to_full_rank(t9, sigma, r, d):
    values = {"sigma": sigma, "r": r, "d": d, "g": 1.0}
    full = low_rank.measures(d, d, alignment=1.0, norm=sigma)
    edges = {
        "representation_alignment": float(t9.evaluate("representation_boundary", **values)),
        "kernel_alignment": float(t9.evaluate("kernel_boundary", **values)),
        "weight_change": float(t9.evaluate("weight_change_boundary_cosine", **values)) ** 2,
    }
    for name, edge in edges.items():
        for c in (edge * (1 - 1e-6), edge * (1 + 1e-6)):
            if not 0 < c < 1:
                continue
            low = low_rank.measures(r, d, alignment=c, norm=sigma)
            lazier = getattr(low, name) > getattr(full, name)
            if name == "weight_change":
                lazier = not lazier
            assert lazier == (c > edge), name


def turn_at(t9, claim, rank, **values):
    return t9.evaluate(claim, digits=60, r=rank, **values)


@pytest.mark.parametrize("y", [0.07, 1.0, 4.0, 30.0, 300.0])
@pytest.mark.parametrize("d", [20, 46, 300, 10**6])
def test_turning_ranks(t9, agreement, y, d):
    """The claimed polynomials change sign within the error allowed around each."""
    sigma = float(np.sqrt(y))
    values = {"sigma": sigma, "d": d, "g": 1.0}
    for name, turns in boundaries.turning_ranks(d, norm=sigma)._asdict().items():
        claim = f"{name.removesuffix('_alignment')}_turn"
        turn = partial(turn_at, t9, claim, **values)
        for index, rank in enumerate(turns):
            with mpmath.workdps(60):
                low, high = mpmath.mpf(rank) * (1 - 1e-6), mpmath.mpf(rank) * (1 + 1e-6)
                assert mpmath.sign(turn(low)) == -mpmath.sign(turn(high)) == (-1) ** index
                exact = mpmath.findroot(turn, (low, high), solver="anderson", tol=1e-60)
                assert agreement(f"T9 {claim}", relative(rank, exact)) < 1e-12


@pytest.mark.parametrize("sigma", [1.0, 2.0, 5.0])
def test_the_peak_of_many_inputs(t9, sigma):
    """As d grows the peak is the claimed one of this scale."""
    peak = boundaries.peak_rank(10**8, norm=sigma)
    share = t9.evaluate("readout_share", sigma=sigma, r=peak, g=1.0)
    assert relative(peak, t9.evaluate("representation_peak_rank", w=share)) < 1e-5


@pytest.mark.parametrize("d", [46, 300, 10**4, 10**6])
def test_the_window_of_kernel_alignment(t9, d):
    """At its ends the polynomial touches zero: within 1e-6 of them it does and does not cross."""
    for edge, into in zip(boundaries.kernel_window(d), (1e-6, -1e-6), strict=True):
        turns = boundaries.turning_ranks(d, norm=np.sqrt(edge * (1 + into))).kernel_alignment
        values = {"d": d, "g": 1.0, "r": np.sqrt(turns[0] * turns[1])}
        inside = mpmath.sqrt(edge * (1 + into))
        assert t9.evaluate("kernel_turn", digits=60, sigma=inside, **values) < 0
        for rank in np.geomspace(turns[0], turns[1], 9):
            values["r"] = rank
            outside = mpmath.sqrt(edge * (1 - into))
            assert t9.evaluate("kernel_turn", digits=60, sigma=outside, **values) > 0


def test_the_window_of_many_inputs(t9):
    """Its ends tend to the critical scale like 1/d, and to its claimed top like 1/sqrt(d)."""
    inputs = np.array([10**5, 10**6, 10**7])
    windows = np.array([boundaries.kernel_window(int(d)) for d in inputs])
    critical = float(t9.evaluate("critical_scale"))
    top = np.array([float(t9.evaluate("kernel_window_top", d=int(d))) for d in inputs])
    above, below = windows[:, 0] / critical - 1, 1 - windows[:, 1] / top
    assert np.all(above > 0)
    assert np.all(below > 0)
    np.testing.assert_allclose(np.diff(np.log10(above)), -1.0, atol=0.02)
    np.testing.assert_allclose(np.diff(np.log10(below)), -0.5, atol=0.02)
