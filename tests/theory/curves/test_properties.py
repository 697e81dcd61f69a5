"""Curves over random parameters (T4, T6 to T9): scaling, order and their two ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy import boundaries, curves, limits, low_rank

CHANGES = ("weight_change", "weight_change_input", "weight_change_readout")
ALIGNMENTS = ("representation_alignment", "kernel_alignment")

logs = st.floats(-2, 2)
times = st.sampled_from([np.inf, 0.1, 3.0])
ranks, more = st.integers(1, 30), st.integers(1, 100)
aligned = st.one_of(st.none(), st.floats(0.01, 0.99))  # None: over random tasks


def close(curve, other, units, rtol=1e-9):
    """Columns of one curve against the other's in other units, a deviation as its measure."""
    assert list(curve.columns) == list(other.columns)
    for name, values in curve.columns.items():
        measure = name.removesuffix("_sd")
        unit = units if np.isscalar(units) else units.get(measure, 1.0)
        # a deviation is known to the digits of its mean
        slack = 1e-11 * np.abs(unit * other.columns[measure])
        assert np.all(np.abs(values - unit * other.columns[name])
                      <= rtol * np.abs(values) + slack), name  # fmt: skip


@given(more, logs, logs, aligned, times)
def test_the_rank_curve_knows_only_norm_squared_over_strength(d, x, y, alignment, t):
    norm, k = 10.0**x, 10.0**y
    at = np.unique(np.linspace(1, d, 5).round())
    if alignment is not None:
        at = at[at < d]
        if not at.size:
            return
    one, other = (
        curves.rank(d, norm=norm * np.sqrt(f), strength=f, ranks=at, alignment=alignment, t=t / f)
        for f in (k, 1.0)
    )
    close(one, other, {**dict.fromkeys(CHANGES, np.sqrt(k)), "loss": k * k})


@given(st.floats(1.0, 60.0), more, st.floats(-2, 1))
def test_the_rank_curve_of_means_has_the_slope_that_t9_says(r, extra, x):
    """Of any real rank; negative on the stretch where a higher rank learns more richly."""
    d, norm = int(np.ceil(r)) + extra, 10.0**x
    step = 1e-4 * r
    at = r + step * np.arange(5.0)
    curve = curves.rank(d, norm=norm, ranks=at)
    wanted = boundaries.slope(at[2], d, norm=norm)
    for name in ALIGNMENTS:
        values = curve.columns[name]
        assert np.all((values > 0.0) & (values <= 1.0 + 1e-14))
        rise = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) @ np.log(values) / (12.0 * step)
        assert rise == pytest.approx(float(getattr(wanted, name)), rel=1e-6, abs=1e-8 / r)


@given(more, logs)
def test_a_start_of_full_rank_sees_all_of_every_task(d, x):
    curve = curves.rank(d, norm=10.0**x, ranks=[d])
    single = curves.rank(d, norm=10.0**x, ranks=[d], alignment=1.0)
    for name, (value,) in single.columns.items():
        assert curve.columns[name][0] == pytest.approx(value, rel=1e-10, abs=1e-15)
        assert curve.columns[f"{name}_sd"][0] <= 1e-7 * value + 1e-15


@given(ranks, more, logs)
def test_the_alignment_curve_is_straight_at_the_end(r, extra, x):
    """At t = oo RA and KA are linear in c, and |dW|^2 in sqrt(c) (T6)."""
    at = np.linspace(0.01, 1.0, 9)
    curve = curves.alignment(r, r + extra, norm=10.0**x, alignments=at)
    for name in ALIGNMENTS:
        values = curve.columns[name]
        line = values[0] + (values[-1] - values[0]) * (at - at[0]) / (at[-1] - at[0])
        np.testing.assert_allclose(values, line, rtol=1e-10)
        assert np.all(np.diff(values) >= -1e-14)
    squares = curve.columns["weight_change"] ** 2
    root = np.sqrt(at)
    line = squares[0] + (squares[-1] - squares[0]) * (root - root[0]) / (root[-1] - root[0])
    np.testing.assert_allclose(squares, line, rtol=1e-9, atol=1e-9 * squares[0])
    assert np.all(np.diff(squares) <= 1e-14 * squares[0])
    np.testing.assert_allclose(curve.columns["loss"], 0.0, atol=1e-15)


@given(ranks, more, logs, aligned)
def test_the_time_curve_rises_from_nothing_to_the_end(r, extra, x, alignment):
    at = np.r_[0.0, np.geomspace(1e-3, 30.0, 8), np.inf]
    curve = curves.time(r, r + extra, norm=10.0**x, ts=at, alignment=alignment)
    loss = curve.columns["loss"]
    assert loss[0] == pytest.approx(0.5, rel=1e-12)
    assert np.all(np.diff(loss) <= 1e-12)
    assert loss[-1] < 1e-14
    for name in CHANGES:
        assert curve.columns[name][0] == pytest.approx(0.0, abs=1e-15)
    for name in ALIGNMENTS:
        assert curve.columns[name][0] == pytest.approx(1.0, abs=1e-14)
    # the readout of a silent start only grows
    assert np.all(np.diff(curve.columns["weight_change_readout"]) >= -1e-10)
    # |dW|^2 <= t (L_0 - L_t), for every task and so on average (T12)
    sd = curve.columns.get("weight_change_sd", 0.0)
    squares = (curve.columns["weight_change"] ** 2 + sd**2)[1:-1]
    assert np.all(squares <= at[1:-1] * (loss[0] - loss[1:-1]) * (1.0 + 1e-9) + 1e-15)


@given(ranks, more, st.floats(0.02, 1.0), times, logs)
def test_time_and_scale_curves_meet_where_they_cross(r, extra, alignment, t, x):
    """One network is one point of every curve through it."""
    d, norm = r + extra, 10.0**x
    given_ = {"norm": norm, "alignment": alignment, "t": t}
    points = (
        curves.rank(d, ranks=[r], **given_),
        curves.alignment(r, d, norm=norm, alignments=[alignment], t=t),
        curves.scale(r, d, norms=[norm], alignment=alignment, t=t),
        curves.strength(r, d, strengths=[1.0], **given_),
        curves.time(r, d, norm=norm, ts=[t], alignment=alignment),
    )
    for other in points[1:]:
        close(other, points[0], 1.0, rtol=1e-13)


@given(ranks, more, st.floats(0.01, 0.99), logs)
def test_the_scale_curve_ends_in_t8_and_t9(r, extra, c, y):
    d, strength = r + extra, 10.0**y
    norms = np.sqrt(strength) * np.array([1e-7, 1e7 * np.sqrt(r)])
    curve = curves.scale(r, d, norms=norms, strength=strength, alignment=c)
    ka, ra = curve.columns["kernel_alignment"], curve.columns["representation_alignment"]
    assert ka[0] == pytest.approx(float(limits.rich_limit(r, c / r, d)), rel=1e-9)
    lazy, change = low_rank.lazy_limit(r, c)
    np.testing.assert_allclose([ka[1], ra[1]], lazy, rtol=1e-9)
    away = curve.columns["weight_change"][1] * np.sqrt(r) / norms[1]
    assert away == pytest.approx(float(change), rel=1e-9)
    over_tasks = curves.scale(r, d, norms=norms[:1], strength=strength)
    mean = float(limits.rich_limit_mean(r, d))
    assert over_tasks.columns["kernel_alignment"][0] == pytest.approx(mean, rel=1e-9)


@given(st.floats(-6, 2), st.floats(-2, 2), times, st.sampled_from([0.1, 7.0]))
def test_the_depth_curve_in_other_units(x, y, t, k):
    """u and s k-fold at a time over k^(2 - 2/L): the mode is k-fold, its weights k^(1/L)."""
    start, strength, layers = 10.0**x, 10.0**y, np.array([1.0, 1.5, 2.0, 3.0, 10.0])
    for depth in layers:
        power = k ** (1.0 / depth)
        one = curves.depth(start, strength=strength, layers=[depth], t=t)
        other = curves.depth(
            k * start, strength=k * strength, layers=[depth], t=t * power * power / (k * k)
        )
        units = {"mode_strength": k, "weight_change": power, "loss": k * k}
        for name, values in other.columns.items():
            scale = max(start, strength) * units.get(name, 1.0)
            np.testing.assert_allclose(
                values, units.get(name, 1.0) * one.columns[name], rtol=1e-7, atol=1e-9 * scale
            )


@given(st.floats(-6, 2), st.floats(-2, 2), st.floats(0.0, 20.0))
def test_the_depth_curve_stays_between_start_and_task(x, y, t):
    start, strength = 10.0**x, 10.0**y
    curve = curves.depth(start, strength=strength, layers=[1.0, 2.0, 3.5, 8.0], t=t)
    now = curve.columns["mode_strength"]
    low, high = sorted((start, strength))
    assert np.all((now >= low * (1.0 - 1e-12)) & (now <= high * (1.0 + 1e-12)))
    np.testing.assert_allclose(curve.columns["loss"], 0.5 * (strength - now) ** 2,
                               rtol=1e-6, atol=1e-12 * strength**2)  # fmt: skip
    assert curve.columns["relative_kernel_change"][0] == 0.0  # one layer: the kernel is fixed
    wanted = np.sqrt(curve.x) * np.abs(now ** (1.0 / curve.x) - start ** (1.0 / curve.x))
    np.testing.assert_allclose(curve.columns["weight_change"], wanted, rtol=1e-6, atol=1e-9 * high)
