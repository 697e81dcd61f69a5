"""Averages over random tasks (T7, T14, T15) over random spectra: bounds, symmetries, order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy import expect, low_rank, spectrum
from richlazy.laziness import Measures

NAMES = Measures._fields
TIMES = st.sampled_from([np.inf, 0.3, 5.0])
UNITS = (0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 2.0)  # powers of k where norm^2, strength and 1/t are k-fold

ranks = st.integers(1, 8)
spectra = st.builds(
    lambda rank, exponent, x: spectrum.power_law(rank, exponent, norm=10.0**x),
    ranks, st.sampled_from([0.0, 0.3, 1.0, 2.0]), st.floats(-1.5, 0.6),
)  # fmt: skip
methods = st.sampled_from(["law", "typical", "sample"])


def found(s, more, **keywords):
    keywords.setdefault("tasks", 15)
    return expect(s, s.size + more, **keywords)


def same(one, other, rtol=1e-9, units=(1.0,) * 7):
    for name, unit in zip(NAMES, units, strict=True):
        a, b = getattr(one, name), getattr(other, name)
        floor = 1e-10 * unit
        assert a.mean == pytest.approx(unit * b.mean, rel=rtol, abs=floor), name
        assert (a.sd is None) == (b.sd is None)
        if a.sd is not None:
            # a spread far below the mean is known to the digits of the mean
            slack = floor + rtol * unit * abs(b.mean)
            assert a.sd == pytest.approx(unit * b.sd, rel=10 * rtol, abs=slack), name


@settings(max_examples=60)
@given(spectra, st.integers(0, 6), methods, TIMES)
def test_bounds_whatever_the_method(s, more, method, t):
    some = found(s, more, method=method, t=t)
    for name in ("representation_alignment", "kernel_alignment"):
        assert -1e-12 <= getattr(some, name).mean <= 1.0 + 1e-12, name
    assert 0.0 <= some.loss.mean <= 0.5 * (1.0 + 1e-12)  # that of a silent readout
    for name in NAMES:
        statistic = getattr(some, name)
        assert statistic.mean >= 0.0
        if statistic.sd is None:
            continue
        assert statistic.sd >= 0.0
        low, middle, high = statistic.quantile([0.05, 0.5, 0.95])
        slack = 1e-12 * (1.0 + high)
        assert low <= middle + slack <= high + 2.0 * slack
        least, most = statistic.quantile([0.0, 1.0])
        assert least - slack <= statistic.mean <= most + slack
        # no spread without a range (Popoviciu), n/(n - 1) for that of a sample
        factor = np.sqrt(15 / 14) if method == "sample" else 1.0
        assert statistic.sd <= factor * 0.5 * (most - least) * (1.0 + 1e-6) + slack
    if some.weight_change.sd is not None:
        squares = [v.mean**2 + v.sd**2 * (14 / 15 if method == "sample" else 1.0)
                   for v in (some.weight_change, some.weight_change_input,
                             some.weight_change_readout)]  # fmt: skip
        assert squares[0] == pytest.approx(squares[1] + squares[2], rel=1e-7)


@settings(max_examples=30)
@given(spectra, st.integers(0, 6), methods, TIMES, st.sampled_from([1e-4, 0.3, 200.0]))
def test_only_norm_squared_over_strength_matters(s, more, method, t, k):
    one = found(s, more, method=method, t=t)
    other = found(np.sqrt(k) * s, more, method=method, t=t / k, strength=k)
    same(other, one, 1e-6, [k**power for power in UNITS])


@settings(max_examples=30)
@given(ranks, st.integers(0, 8), st.floats(-2, 1), TIMES)
def test_on_a_flat_spectrum_the_law_is_the_closed_form(rank, more, x, t):
    """PR of a flat spectrum is its rank, so that T15's law is T7."""
    s = spectrum.flat(rank, 10.0**x)
    law, closed = (found(s, more, method=m, t=t) for m in ("law", "closed form"))
    same(law, closed)
    wanted = low_rank.expected(rank, rank + more, norm=10.0**x, t=t)
    for name in NAMES:
        mean = float(getattr(wanted.mean, name))
        assert getattr(closed, name).mean == pytest.approx(mean, rel=1e-10, abs=1e-12)
        q = [0.1, 0.5, 0.9]
        np.testing.assert_allclose(
            getattr(law, name).quantile(q), getattr(closed, name).quantile(q),
            rtol=1e-9, atol=1e-12,
        )  # fmt: skip
    if more == 0:  # every task lies in the row space: all tasks are alike
        assert closed.kernel_alignment.sd < 1e-12


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.floats(-1.5, 0.6))
def test_at_the_end_a_wider_input_space_is_learned_more_richly(rank, more, further, x):
    """At t = oo, RA is linear in E c = r/d and rises with it (T7)."""
    s = spectrum.flat(rank, 10.0**x)
    near, far = found(s, more), found(s, more + further)
    assert far.representation_alignment.mean <= near.representation_alignment.mean * (1 + 1e-14)
    assert far.weight_change.mean >= near.weight_change.mean * (1 - 1e-14)
    d = rank + more
    # both alignments are linear in c: a deviation is the slope times that of c
    c = low_rank.measures(rank, d, alignment=np.array([1e-9, 1.0 - 1e-9]), norm=10.0**x)
    spread = np.sqrt(2.0 * rank * more / (d * d * (d + 2.0)))
    for name in ("representation_alignment", "kernel_alignment"):
        slope = np.diff(getattr(c, name))[0]
        assert getattr(near, name).sd == pytest.approx(slope * spread, rel=1e-7, abs=1e-12)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(0, 4), st.floats(-1.5, 0.6), TIMES)
def test_one_task_of_equal_shares_is_what_the_typical_task_of_a_flat_start_is(rank, more, x, t):
    """Equal shares put r/d of the task into the row space (T14): T6 at that alignment."""
    typical = found(spectrum.flat(rank, 10.0**x), more, method="typical", t=t)
    d = rank + more
    wanted = low_rank.measures(rank, d, alignment=rank / d, norm=10.0**x, t=t)
    for name in NAMES:
        value = float(getattr(wanted, name))
        assert getattr(typical, name).mean == pytest.approx(value, rel=1e-7, abs=1e-9), name


@settings(max_examples=20)
@given(spectra, st.integers(1, 6), TIMES)
def test_what_the_start_does_not_see_is_never_learned(s, more, t):
    blind = found(s, more, t=t, method="sample", alignment=0.0)
    assert blind.weight_change.mean < 1e-10
    assert blind.loss.mean == pytest.approx(0.5, rel=1e-9)
    assert blind.kernel_alignment.mean == pytest.approx(1.0, rel=1e-9)


@settings(max_examples=8)
@given(ranks, st.integers(0, 5), st.floats(-1, 0.5), st.integers(1, 3), st.integers(0, 100))
def test_a_turned_matrix_has_the_same_averages(rank, more, x, extra, seed):
    rng = np.random.default_rng(seed)
    d, h = rank + more, rank + extra
    u, v = (np.linalg.qr(rng.standard_normal((n, rank)))[0] for n in (h, d))
    s = spectrum.power_law(rank, 1.0, norm=10.0**x)
    for method in ("law", "typical"):
        same(expect((u * s) @ v.T, method=method), expect(s, d, method=method), 1e-7)
