"""The lazy limit and the end of training in the library against the claims of T9."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from richlazy import low_rank


@pytest.fixture(scope="module")
def t9():
    return load("T9")


def relative(found, claim):
    return float(abs(mpmath.mpf(float(found)) - claim) / abs(claim))


@pytest.mark.parametrize("r", [1, 2.5, 40, 1e6])
@pytest.mark.parametrize("c", [1e-12, 0.3, 0.999, 1 - 1e-12])
def test_lazy_limit(t9, r, c):
    alignment, change = low_rank.lazy_limit(r, c)
    wanted = mpmath.sqrt(t9.evaluate("weight_change_lazy_squared", c=c))
    assert relative(alignment, t9.evaluate("alignment_lazy", r=r, c=c)) < 1e-14
    assert relative(change, wanted) < 1e-14


@pytest.mark.parametrize("sigma", [1e-4, 1e-2, 1.0, 1e2, 1e4])
@pytest.mark.parametrize(("r", "d"), [(1, 2), (3, 50), (400, 10_000)])
def test_measures_by_the_share_of_the_readout(t9, sigma, r, d):
    values = {"sigma": sigma, "r": r, "d": d, "c": 0.37, "g": 1.9}
    found = low_rank.measures(r, d, alignment=0.37, norm=sigma, strength=1.9)
    for name in ("representation_alignment", "kernel_alignment"):
        assert relative(getattr(found, name), t9.evaluate(name, digits=100, **values)) < 1e-13
    for name, claim in (
        ("weight_change", "weight_change_squared"),
        ("weight_change_readout", "weight_change_2_squared"),
    ):
        wanted = mpmath.sqrt(t9.evaluate(claim, digits=100, **values))
        assert relative(getattr(found, name), wanted) < 1e-13


@pytest.mark.parametrize("sigma", [1e-2, 0.7, 3.0, 300.0])
@pytest.mark.parametrize(("r", "d"), [(1.0, 9), (17.3, 300), (2999, 3000)])
def test_means_over_tasks(t9, sigma, r, d):
    values = {"sigma": sigma, "r": r, "d": d, "g": 1.9}
    found = low_rank.expected(r, d, norm=sigma, strength=1.9).mean
    for name in ("representation_alignment", "kernel_alignment"):
        wanted = t9.evaluate(f"mean_{name}", digits=100, **values)
        assert relative(getattr(found, name), wanted) < 1e-13


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
