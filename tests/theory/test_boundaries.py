"""T9: the boundaries and slopes against the claims, and against the measures they speak of."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivations import load
from richlazy import boundaries, low_rank


@pytest.fixture(scope="module")
def t9():
    return load("T9")


CASES = [(1, 9, 0.3, 1.0), (3.5, 60, 1.0, 2.0), (17, 300, 3.0, 0.7), (290, 300, 10.0, 1.0)]


@pytest.mark.parametrize(("r", "d", "sigma", "g"), CASES)
def test_boundaries_are_the_claims(t9, r, d, sigma, g):
    found = boundaries.alignment(r, d, norm=sigma, strength=g)
    values = {"sigma": sigma, "r": r, "d": d, "g": g}
    for name in ("representation", "kernel"):
        wanted = t9.evaluate(f"{name}_boundary", digits=60, **values)
        assert abs(float(getattr(found, f"{name}_alignment") - wanted)) < 1e-13 * (r + abs(wanted))
    cosine = t9.evaluate("weight_change_boundary_cosine", digits=60, **values)
    assert float(found.weight_change) == pytest.approx(float(cosine * abs(cosine)), rel=1e-12)


@pytest.mark.parametrize(("r", "d", "sigma", "g"), CASES)
def test_slopes_are_the_claims(t9, r, d, sigma, g):
    found = boundaries.slope(r, d, norm=sigma, strength=g)
    values = {"sigma": sigma, "r": r, "d": d, "g": g}
    for name in ("representation", "kernel"):
        with mpmath.workdps(60):
            wanted = t9.evaluate(f"{name}_turn", digits=60, **values) * t9.evaluate(
                f"{name}_log_slope_factor", digits=60, **values
            )
        assert float(getattr(found, f"{name}_alignment")) == pytest.approx(float(wanted), rel=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    r=st.integers(1, 40),
    more=st.integers(1, 200),
    log_norm=st.floats(-1.0, 0.8),
    strength=st.floats(0.3, 3.0),
)
def test_at_the_boundary_both_ranks_are_equally_lazy(r, more, log_norm, strength):
    d, norm = r + more, 10.0**log_norm
    keywords = {"norm": norm, "strength": strength}
    full = low_rank.measures(d, d, alignment=1.0, **keywords)
    for name, c in boundaries.alignment(r, d, **keywords)._asdict().items():
        if not 0.0 < c < 1.0:
            inside = low_rank.measures(r, d, alignment=[1e-9, 1.0], **keywords)
            lazier = getattr(inside, name) > getattr(full, name)
            lazier = ~lazier if name == "weight_change" else lazier
            assert np.all(lazier == (c <= 0.0))
            continue
        at = low_rank.measures(r, d, alignment=c, **keywords)
        assert float(getattr(at, name)) == pytest.approx(float(getattr(full, name)), rel=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(r=st.floats(1.1, 40), more=st.floats(1.0, 500), log_norm=st.floats(-1.0, 1.0))
def test_slopes_are_those_of_the_means(r, more, log_norm):
    d, norm, step = r + more, 10.0**log_norm, 1e-4
    found = boundaries.slope(r, d, norm=norm)
    around = low_rank.expected([r * (1 - step), r * (1 + step)], d, norm=norm).mean
    for name in found._fields:
        low, high = np.log(getattr(around, name))
        assert float(getattr(found, name)) == pytest.approx(
            (high - low) / (2 * step * r), rel=1e-4, abs=1e-7
        )


def test_kernel_alignment_falls_with_rank_above_the_critical_scale(t9):
    critical = float(t9.evaluate("critical_scale"))
    ranks = np.geomspace(1.0, 1e4, 500)
    for factor, falls in ((0.97, False), (1.03, True)):
        found = boundaries.slope(ranks, 1e8, norm=np.sqrt(factor * critical)).kernel_alignment
        assert bool(np.any(found < 0)) is falls


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="rank must lie between 1 and inputs"):
        boundaries.alignment(0.5, 10)
    with pytest.raises(ValueError, match="rank must lie between 1 and inputs"):
        boundaries.slope(11, 10)
    with pytest.raises(ValueError, match="norm must be > 0"):
        boundaries.slope(2, 10, norm=0.0)
