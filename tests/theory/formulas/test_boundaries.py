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


# -- turns ---------------------------------------------------------------------------------

inputs = st.one_of(st.integers(1, 400), st.floats(2.6, 6.0).map(lambda x: int(10.0**x)))
#: log(norm^2/strength)/log(d), over everything that the means do
exponents = st.floats(-1.5, 1.6)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(d=inputs, exponent=exponents)
def test_the_turns_are_all_there_are(d, exponent):
    """The slopes change sign at the turns, from + to - and back, and nowhere else."""
    norm = float(d + 1) ** (exponent / 2)
    ranks = np.geomspace(1.0, d, 400)
    slopes = boundaries.slope(ranks, d, norm=norm)
    for slope, turns in zip(slopes, boundaries.turning_ranks(d, norm=norm), strict=True):
        assert list(turns) == sorted(turns)
        assert all(1 < turn < d for turn in turns)
        near = np.any([np.abs(ranks / turn - 1) < 1e-9 for turn in turns or (0.5,)], axis=0)
        falls = np.searchsorted(turns, ranks) % 2 == 1
        assert np.all((slope < 0) == falls, where=~near)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(d=inputs, exponent=exponents, power=st.integers(-20, 20))
def test_only_the_squared_norm_per_strength_matters(d, exponent, power):
    norm, factor = float(d + 1) ** (exponent / 2), 2.0**power
    one = boundaries.turning_ranks(d, norm=norm)
    other = boundaries.turning_ranks(d, norm=norm * factor, strength=factor**2)
    assert one == other
    peaks = [
        boundaries.peak_rank(d, norm=norm),
        boundaries.peak_rank(d, norm=norm * factor, strength=factor**2),
    ]
    assert peaks[0] == peaks[1]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(d=st.integers(1, 2000), exponent=exponents)
def test_the_peak_is_the_largest_mean_and_beside_the_best_whole_rank(d, exponent):
    norm = float(d + 1) ** (exponent / 2)
    peak = boundaries.peak_rank(d, norm=norm)
    whole = np.arange(1.0, d + 1)
    mean = low_rank.expected([peak, *whole], d, norm=norm).mean.representation_alignment
    assert 1 <= peak <= d
    assert mean[0] >= mean[1:].max() * (1 - 1e-12)
    best = whole[np.argmax(mean[1:])]
    ends = mean[-1] >= mean[1:].max() * (1 - 1e-6)  # the full rank is about as good
    assert abs(best - peak) < 1 or ends


def test_the_peak_jumps_to_the_full_rank_at_small_and_large_scales():
    assert boundaries.peak_rank(300, norm=0.1) == boundaries.peak_rank(300, norm=30.0) == 300.0
    assert 3 < boundaries.peak_rank(300, norm=0.5) < boundaries.peak_rank(300, norm=5.0) < 100


@settings(max_examples=40, deadline=None, derandomize=True)
@given(d=st.one_of(st.integers(46, 400), st.floats(2.6, 6.0).map(lambda x: int(10.0**x))))
def test_the_window_is_where_kernel_alignment_turns(d):
    window = boundaries.kernel_window(d)
    assert window is not None
    assert 3.0468 < window.lowest < window.highest < 2 * (0.3 * d) ** 1.25
    inside = window.lowest ** np.array([1 - 1e-6, 0.5, 1e-6])
    inside *= window.highest ** np.array([1e-6, 0.5, 1 - 1e-6])
    for scale in inside:
        assert len(boundaries.turning_ranks(d, norm=np.sqrt(scale)).kernel_alignment) == 2
    for scale in (window.lowest * (1 - 1e-6), window.highest * (1 + 1e-6)):
        assert boundaries.turning_ranks(d, norm=np.sqrt(scale)).kernel_alignment == ()


@pytest.mark.parametrize("d", [*range(1, 46)])
def test_few_inputs_leave_no_window(d):
    assert boundaries.kernel_window(d) is None
    ranks, scales = np.geomspace(1.0, d, 200), np.geomspace(0.1, 40.0 * d**1.25, 400)[:, None]
    assert np.all(boundaries.slope(ranks, d, norm=np.sqrt(scales)).kernel_alignment > 0)


def test_wider_layers_have_wider_windows():
    found = np.array([boundaries.kernel_window(d) for d in (46, 47, 60, 300, 5000, 10**6)])
    assert np.all(np.diff(found[:, 0]) < 0)
    assert np.all(np.diff(found[:, 1]) > 0)


@pytest.mark.parametrize("call", [boundaries.turning_ranks, boundaries.peak_rank])
def test_bad_cases_are_refused(call):
    with pytest.raises(ValueError, match=r"^inputs must be an integer; it is 2.5$"):
        call(2.5)
    with pytest.raises(ValueError, match=r"^norm must be > 0"):
        call(5, norm=0.0)
    with pytest.raises(ValueError, match=r"^norm must be one number"):
        call(5, norm=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"^strength must be > 0"):
        call(5, strength=-1.0)
    with pytest.raises(ValueError, match="must lie in"):
        call(5, norm=1e120)
    with pytest.raises(ValueError, match=r"^inputs must be at least 1; it is 0$"):
        boundaries.kernel_window(0)


@pytest.mark.parametrize("d", [10**10, 10**12, 2**53])
def test_inputs_beyond_integer_powers(d):
    # d^2 leaves int64; the window has reached its limits, and slopes turn at the turning ranks
    window = boundaries.kernel_window(d)
    assert window.lowest == pytest.approx(3.0469, abs=2e-5)
    assert window.highest == pytest.approx(2.0 * (0.3 * d) ** 1.25, rel=1e-4)
    turns = boundaries.turning_ranks(d, norm=3.0)
    assert boundaries.peak_rank(d, norm=3.0) == turns.representation_alignment[0]
    for name, signs in (("representation_alignment", [1, -1]), ("kernel_alignment", [1, -1, 1])):
        points = getattr(turns, name)
        beside = [points[0] * 0.99, *(np.array(points) * 1.01)]
        slopes = getattr(boundaries.slope(beside, d, norm=3.0), name)
        assert np.sign(slopes).tolist() == signs
