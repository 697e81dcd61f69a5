"""Small closed forms over random arguments (T1, T7 to T10, T15): bounds, order, symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from richlazy import (
    boundaries,
    features,
    laziest,
    limits,
    low_rank,
    modes,
    recurrent_limits,
    riccati,
    several_outputs,
    spectrum,
)
from richlazy.laziness import Measures

NAMES = Measures._fields
ranks, more, logs = st.integers(1, 40), st.integers(1, 200), st.floats(-2, 2)
shares = st.floats(0.0, 1.0)
seeds = st.integers(0, 10**6)
thousandths = st.integers(0, 1000).map(lambda i: i / 1000)


def matrix(seed, shape, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal(shape)


def turn(seed, size):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


# T1


@given(seeds, st.tuples(*[st.integers(1, 5)] * 3), logs)
def test_imbalance_is_what_is_left_of_a_multiple_of_the_identity(seed, sizes, x):
    d, h, m = sizes
    first, readout = matrix(seed, (h, d)), matrix(seed + 1, (m, h), 10.0**x)
    level, rest = riccati.imbalance(first, readout)
    conserved = readout.T @ readout - first @ first.T
    size = np.sum(first**2) + np.sum(readout**2)
    # the nearest multiple of I: what is left is orthogonal to it
    assert level == pytest.approx(np.trace(conserved) / h, abs=1e-14 * size)
    assert rest**2 + h * level**2 == pytest.approx(np.sum(conserved**2), rel=1e-10)
    # rotations change neither; exchanging the layers changes the sign
    hidden, inputs = turn(seed, h), turn(seed, d)
    turned = riccati.imbalance(hidden @ first @ inputs, readout @ hidden.T)
    assert turned == pytest.approx((level, rest), abs=1e-12 * size)
    mirrored = riccati.imbalance(readout.T, first.T)
    assert mirrored == pytest.approx((-level, rest), abs=1e-12 * size)


@given(seeds, st.integers(1, 4), st.integers(0, 3), st.floats(-6, 1), st.booleans())
def test_a_balanced_start_stays_so_in_its_second_moment(seed, h, further, x, first_larger):
    """D = lambda I at 0 is lambda I for ever: on tr Q Q' = tr W1'W1 + tr W2 W2' (T1, T5)."""
    d = m = h + further
    hidden, left, right = turn(seed, h), turn(seed + 1, m)[:, :h], turn(seed + 2, d)[:, :h]
    level = -(10.0**x) if first_larger else 10.0**x
    sizes = np.abs(matrix(seed, h)) + 0.1
    larger = np.sqrt(sizes**2 + abs(level))
    a, b = (larger, sizes) if first_larger else (sizes, larger)
    first, readout = (hidden * a) @ right.T, (left * b) @ hidden.T
    found, rest = riccati.imbalance(first, readout)
    scale = np.sum(a**2 + b**2)
    assert found == pytest.approx(level, abs=1e-13 * scale)
    assert rest < 1e-13 * scale
    balanced = riccati.Balanced(first, readout, matrix(seed + 3, (m, d)))
    for moment in balanced.second_moment(np.array([0.0, 0.3, 5.0, np.inf])):
        layers = np.trace(moment[:d, :d]), np.trace(moment[d:, d:])
        assert layers[1] - layers[0] == pytest.approx(h * level, abs=1e-10 * max(1.0, sum(layers)))
        assert np.linalg.eigvalsh(moment)[0] > -1e-11 * sum(layers)


# T7


@given(ranks, more)
def test_mean_cosine_is_a_mean_of_roots(r, extra):
    """E sqrt(c) <= sqrt(E c) = sqrt(r/d) by Jensen; E c <= E sqrt(c), as c <= 1."""
    d = r + extra
    found = float(low_rank.mean_cosine(r, d))
    assert r / d < found < np.sqrt(r / d)
    assert low_rank.mean_cosine(d, d) == 1.0
    # Gamma(x + 1) = x Gamma(x): two steps of the rank
    product = low_rank.mean_cosine(r, d) * low_rank.mean_cosine(r + 1, d + 1)
    assert product == pytest.approx(r / d, rel=1e-13)
    # through a space between: cosines of nested random spaces multiply
    between = low_rank.mean_cosine(r, r + 1) * low_rank.mean_cosine(r + 1, d)
    assert between == pytest.approx(found, rel=1e-13)
    assert found < low_rank.mean_cosine(r + 1, d) <= 1.0
    assert low_rank.mean_cosine(r, d + 1) < found


@given(ranks, more, logs, st.sampled_from([np.inf, 0.3, 4.0]), st.lists(thousandths, min_size=2))
def test_quantiles_are_ordered_and_in_other_units_the_same(r, extra, x, t, q):
    q, norm, k = np.sort(q), 10.0**x, 7.0
    found = low_rank.quantile(q, r, r + extra, norm=norm, t=t)
    other = low_rank.quantile(
        q, r, r + extra, norm=np.sqrt(k) * norm, strength=k, t=t / k
    )  # fmt: skip
    units = (np.sqrt(k), np.sqrt(k), np.sqrt(k), 1.0, 1.0, 1.0, k * k)
    ends = low_rank.quantile([0.0, 1.0], r, r + extra, norm=norm, t=t)
    for name, unit in zip(NAMES, units, strict=True):
        values = getattr(found, name)
        low, high = getattr(ends, name)
        slack = 1e-12 * (1.0 + abs(high))
        assert np.all(np.diff(values) >= -slack), name
        assert np.all((values >= low - slack) & (values <= high + slack)), name
        np.testing.assert_allclose(
            getattr(other, name), unit * values, rtol=1e-8, atol=1e-12 * unit, err_msg=name
        )


@settings(max_examples=40)
@given(ranks, more, logs)
def test_quantiles_average_to_the_mean(r, extra, x):
    d, norm = r + extra, 10.0**x
    q = (np.arange(4000) + 0.5) / 4000
    found = low_rank.quantile(q, r, d, norm=norm)
    wanted = low_rank.expected(r, d, norm=norm)
    for name in NAMES[:5]:
        mean, sd = (float(getattr(part, name)) for part in (wanted.mean, wanted.sd))
        values = getattr(found, name)
        # the midpoint rule: the last of 4000 parts holds up to a few sd
        assert np.mean(values) == pytest.approx(mean, rel=1e-12, abs=1e-3 * sd)
        assert np.std(values) == pytest.approx(sd, rel=0.02, abs=1e-9 * abs(mean))


# T8, T9


@given(st.floats(1.0, 40.0), st.integers(0, 200), shares, shares)
def test_the_rich_limit_rises_with_rank_and_share(pr, extra, one, other):
    d = int(np.ceil(pr)) + extra
    low, high = sorted((one, other))
    found = limits.rich_limit(pr, [low, high], d)
    assert found[0] <= found[1]
    assert (low == high) or found[1] / found[0] == pytest.approx((1 + high) / (1 + low), rel=1e-13)
    # the share's own largest value is 1, for a start of rank one
    bound = limits.rich_limit(1.0, 1.0, d)
    assert bound <= 1.0 + 1e-15
    assert np.all(found <= np.sqrt(pr) * bound * (1.0 + 1e-14))
    # the mean over tasks is the value at the mean share 1/d
    mean = limits.rich_limit_mean(pr, d)
    assert limits.rich_limit(pr, 1.0 / d, d) == pytest.approx(float(mean), rel=1e-13)


@given(seeds, st.tuples(st.integers(1, 7), st.integers(1, 7)), st.floats(-60, 60))
def test_participation_ratio_of_a_turned_scaled_and_repeated_matrix(seed, shape, x):
    w = matrix(seed, shape)
    found = spectrum.participation_ratio(w)
    assert found.standard_error == 0.0
    assert 1.0 - 1e-13 <= found.value <= min(shape) * (1.0 + 1e-13)
    turned = turn(seed, shape[0]) @ w @ turn(seed + 1, shape[1])
    twice = np.kron(np.eye(2), w)  # every singular value once more
    for other, factor in ((turned, 1.0), (10.0**x * w, 1.0), (w.T, 1.0), (twice, 2.0)):
        value = spectrum.participation_ratio(other).value
        assert value == pytest.approx(factor * found.value, rel=1e-11)


@given(st.floats(1.0, 1e6), shares, shares)
def test_the_lazy_limit_rises_with_alignment(r, one, other):
    low, high = sorted((one, other))
    alignment, change = low_rank.lazy_limit(r, [low, high])
    assert alignment[0] <= alignment[1] <= 1.0
    assert change[0] >= change[1] >= 0.0
    assert np.all(alignment >= 1.0 - 1.0 / r - 1e-15)
    # |dW|^2/s^2 = 2 (1 - sqrt(c)): away from the whole of what lies outside, 1 - c, as c -> 1
    outside = r * (1.0 - alignment)
    np.testing.assert_allclose(outside, 1.0 - np.array([low, high]), atol=1e-14 * r)
    np.testing.assert_array_less(outside - 1e-9, change**2 + 1e-14 * r)
    assert change**2 == pytest.approx(2.0 * (1.0 - np.sqrt([low, high])), abs=1e-14)


# T10


@given(seeds, st.tuples(st.integers(1, 5), st.integers(1, 6)), logs)
def test_alignment_of_features_in_other_coordinates(seed, shape, x):
    f, w = matrix(seed, shape), matrix(seed + 1, shape[0])
    size = np.linalg.svd(f)[1]
    assume(size[-1] > 1e-3 * size[0])
    assume(np.all(np.diff(size) < -1e-3 * size[0]))
    left, right = turn(seed + 2, shape[0]), turn(seed + 3, shape[1])
    found = np.array([features.alignment(f, w, rank)[0] for rank in range(1, size.size + 1)])
    assert np.all(np.diff(found) >= -1e-13)
    assert found[-1] == pytest.approx(1.0, rel=1e-12)
    for rank, wanted in enumerate(found, 1):
        (turned,) = features.alignment(10.0**x * left @ f @ right, left @ w, rank)
        assert turned == pytest.approx(wanted, abs=1e-9)
    # a narrower start sees at least the part that the levels give it at equal weights
    components = (np.linalg.svd(f)[0].T @ w)[: size.size] ** 2
    for rank in range(1, size.size):
        share = np.sum(components[:rank]) / np.sum(components)
        step = features.step_alignment(size[rank - 1] / size[rank], share)
        assert found[rank - 1] >= float(step) - 1e-12


# T15


@given(st.floats(1.0, 40.0), st.integers(0, 200), logs, st.sampled_from([np.inf, 0.3, 4.0]))
def test_the_law_between_the_ranks_it_lies_between(pr, extra, x, t):
    """`law` is T7 at a real rank; at t = oo its mean RA is that of E c = PR/d."""
    d, norm = int(np.ceil(pr)) + extra, 10.0**x
    law = limits.law(pr, d, norm=norm, t=t)
    for name in ("representation_alignment", "kernel_alignment"):
        assert 0.0 < getattr(law.mean, name) <= 1.0 + 1e-14
        if np.isinf(t):
            at_mean = low_rank.measures(pr, d, alignment=pr / d, norm=norm)
            value = float(getattr(at_mean, name))
            assert getattr(law.mean, name) == pytest.approx(value, rel=1e-12)
    k = 5.0
    other = limits.law(pr, d, norm=np.sqrt(k) * norm, strength=k, t=t / k)
    for name, unit in zip(NAMES, (*[np.sqrt(k)] * 3, 1.0, 1.0, 1.0, k * k), strict=True):
        mean = float(getattr(law.mean, name))
        assert getattr(other.mean, name) == pytest.approx(unit * mean, rel=1e-9, abs=1e-13)
        assert getattr(other.sd, name) >= 0.0


# What is left out


RECURRENT = {"input_norm": 1.0, "readout_norm": 1.0}
SIZES = {"norm": 1.0, "strength": 1.0}
SEVERAL = {"norm": 1.0, "strengths": 1.0}
DEFAULTS = [
    (boundaries.alignment, (5.0, 20), {}, SIZES),
    (boundaries.slope, (5.0, 20), {}, SIZES),
    (boundaries.turning_ranks, (300,), {}, SIZES),
    (boundaries.peak_rank, (300,), {}, SIZES),
    (laziest.rank, (20,), {}, SEVERAL),
    (limits.rich_correction, ([1.0, 0.5], [0.1, 0.2], 10), {}, {"strength": 1.0}),
    (limits.law, (3.0, 20), {}, {**SIZES, "t": np.inf}),
    (low_rank.measures, (3.0, 20), {"alignment": 0.3}, {**SIZES, "t": np.inf}),
    (low_rank.expected, (3.0, 20), {}, {**SIZES, "t": np.inf}),
    (low_rank.quantile, ([0.2, 0.7], 3.0, 20), {}, {**SIZES, "t": np.inf}),
    (modes.trajectory, (0.1, 0.2, 2.0, [0.5, 3.0]), {}, {"q": 1.0}),
    (modes.state, (0.1, 0.2, 2.0, [0.5, 3.0]), {}, {"q": 1.0}),
    (recurrent_limits.lazy, ([0.2, 0.1],), {"gain": 0.6}, RECURRENT),
    (recurrent_limits.lazy_mean, (3,), {"gain": 0.6}, {**RECURRENT, "strength": 1.0}),
    (recurrent_limits.second, ([0.2, 0.1],), {"gain": 0.6, "concentration": 2.0}, RECURRENT),
    (
        recurrent_limits.second_mean, (3,), {"gain": 0.6, "concentration": 2.0},
        {**RECURRENT, "strength": 1.0},
    ),
    (recurrent_limits.turn_strength, (200,), {"gain": 0.6}, RECURRENT),
    (several_outputs.alignments, (3, 20), {"alignment": [[0.3, 0.1]]}, SEVERAL),
    (several_outputs.measures, (3, 20), {"alignment": [[0.3, 0.1]]}, SEVERAL),
    (several_outputs.expected, (3, 20), {}, SEVERAL),
]  # fmt: skip


def numbers(found):
    """Every number of a result, however its records are nested."""
    if isinstance(found, low_rank.Expectation):
        found = (found.mean, found.sd)
    if isinstance(found, tuple):
        return np.concatenate([np.empty(0), *map(numbers, found)])
    return np.empty(0) if found is None else np.ravel(np.asarray(found, dtype=np.float64))


@pytest.mark.parametrize(("call", "args", "given_", "left_out"), DEFAULTS)
def test_norms_and_strengths_are_one_where_nothing_is_said(call, args, given_, left_out):
    """And time has no end; each of them matters: another default would be another number."""
    plain = numbers(call(*args, **given_))
    np.testing.assert_array_equal(plain, numbers(call(*args, **given_, **left_out)))
    for name in left_out:
        other = numbers(call(*args, **given_, **{name: 1.5}))
        assert not np.array_equal(plain, other, equal_nan=True), name
