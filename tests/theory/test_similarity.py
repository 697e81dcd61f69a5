"""Further measures of one's own runs, against naive references, invariances and known figures."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import richlazy as rl
from richlazy.errors import UndefinedError
from richlazy.similarity import ChangeRank

seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)
powers = st.floats(-150, 150)


def kernel_of(rng, n, features):
    h = rng.standard_normal((n, features))
    return h @ h.T


def rotation(rng, n):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


# -- kernel distance and speed ---------------------------------------------------------------


def exact_distance(a, b):
    """1 - KA in rational numbers up to the root, which is taken of 1 - KA^2 = (1 - KA)(1 + KA)."""
    a, b = ([Fraction(x) for x in k.ravel().tolist()] for k in (a, b))
    inner = sum(x * y for x, y in zip(a, b, strict=True))
    square = inner**2 / (sum(x * x for x in a) * sum(y * y for y in b))
    return float(1 - square) / (1 + np.sqrt(float(square)))


@pytest.mark.parametrize("moved", [1.0, 1e-3, 1e-6, 1e-9, 1e-12])
def test_a_small_kernel_distance_keeps_its_digits(moved):
    rng = np.random.default_rng(0)
    k0, change = kernel_of(rng, 6, 4), kernel_of(rng, 6, 3)
    kt = k0 + moved * change
    found = rl.kernel_distance(k0, kt)
    assert found == pytest.approx(exact_distance(k0, kt), rel=1e-15 / moved + 1e-13, abs=0)
    assert found == pytest.approx(1 - rl.kernel_alignment(k0, kt), abs=1e-15)


def test_kernel_distance_at_its_ends():
    k = kernel_of(np.random.default_rng(1), 5, 3)
    assert rl.kernel_distance(k, k) == 0
    assert rl.kernel_distance(k, 2 * k) == 0
    assert rl.kernel_distance(k, 3 * k) < 1e-31
    assert rl.kernel_distance(np.diag([1.0, 0.0]), np.diag([0.0, 1.0])) == pytest.approx(1)
    assert rl.kernel_distance(k, -k) == pytest.approx(2)
    single = rl.kernel_distance(k, k.astype(np.float32))
    assert 0 < single < 7e-15


@given(seeds, powers, powers)
def test_kernel_distance_knows_no_scale_or_rotation(rng, x, y):
    k0, kt, turn = kernel_of(rng, 5, 3), kernel_of(rng, 5, 4), rotation(rng, 5)
    found = rl.kernel_distance(k0, kt)
    assert 0 <= found <= 1
    assert rl.kernel_distance(10.0**x * k0, 10.0**y * kt) == pytest.approx(found, rel=1e-12)
    turned = [turn @ k @ turn.T for k in (kt, k0)]
    assert rl.kernel_distance(*turned) == pytest.approx(found, rel=1e-10, abs=1e-28)


def test_kernel_speed_is_distance_over_spacing():
    rng = np.random.default_rng(2)
    snapshots = [kernel_of(rng, 4, 3) for _ in range(4)]
    steps = [0, 10, 12, 112.5]
    wanted = [
        rl.kernel_distance(snapshots[i], snapshots[i + 1]) / (steps[i + 1] - steps[i])
        for i in range(3)
    ]
    np.testing.assert_allclose(rl.kernel_speed(steps, snapshots), wanted, rtol=1e-15)
    np.testing.assert_allclose(rl.kernel_speed(steps, np.array(snapshots)), wanted, rtol=1e-15)
    in_thousands = rl.kernel_speed(np.array(steps) / 1000, (k for k in snapshots))
    np.testing.assert_allclose(in_thousands, 1000 * np.array(wanted), rtol=1e-12)


def test_kernel_speed_falls_with_the_spacing_as_its_docstring_says():
    rng = np.random.default_rng(3)
    k, change = kernel_of(rng, 5, 5), kernel_of(rng, 5, 2)
    slow, fast = (rl.kernel_speed([0, dt], [k, k + dt * change])[0] for dt in (1e-5, 1e-4))
    assert fast / slow == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize(
    ("steps", "kernels", "why"),
    [
        ([0], [np.eye(2)], "two or more; they are 1 and 1"),
        ([0, 1, 2], [np.eye(2)] * 2, "they are 3 and 2"),
        ([0, 0], [np.eye(2)] * 2, "steps must increase"),
        ([1, 0], [np.eye(2)] * 2, "steps must increase"),
        ([-1.7e308, 1.7e308], [np.eye(2)] * 2, "by less than the largest float64"),
        ([0, np.inf], [np.eye(2)] * 2, "steps must be finite"),
        ([0, 1], [np.eye(2), np.eye(3)], r"one size; they are \[\(2, 2\), \(3, 3\)\]"),
        ([0, 1], [np.eye(2), np.zeros((2, 2))], r"0/0: kernels\[1\] is all zero"),
        ([0, 1], [np.eye(2), np.full((2, 2), np.nan)], r"kernels\[1\] must be finite"),
        ([0, 1], [np.ones((2, 3))] * 2, r"kernels\[0\] must be a square kernel"),
        ([0, 1], 3, "kernels must be a list"),
    ],
)
def test_snapshots_that_have_no_speed(steps, kernels, why):
    with pytest.raises(ValueError, match=why):
        rl.kernel_speed(steps, kernels)


def test_kernels_that_have_no_distance():
    with pytest.raises(UndefinedError, match="0/0: final is all zero"):
        rl.kernel_distance(np.eye(2), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="square and of one size"):
        rl.kernel_distance(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match="not activations"):
        rl.kernel_distance(np.arange(4.0).reshape(2, 2), np.eye(2))


# -- target alignment ------------------------------------------------------------------------


def test_target_alignment_is_its_definition():
    rng = np.random.default_rng(4)
    n, m = 6, 3
    s, per_output, full = (
        rng.standard_normal((n, m)),
        kernel_of(rng, n, 4),
        kernel_of(rng, n * m, 20),
    )
    inner = sum(s[:, o] @ per_output @ s[:, o] for o in range(m))
    wanted = inner / (np.linalg.norm(per_output) * np.sum(s**2))
    assert rl.target_alignment(per_output, s) == pytest.approx(wanted, rel=1e-14)
    inner = sum(
        s[i, o] * full[i * m + o, j * m + p] * s[j, p]
        for i in range(n)
        for o in range(m)
        for j in range(n)
        for p in range(m)
    )
    wanted = inner / (np.linalg.norm(full) * np.sum(s**2))
    assert rl.target_alignment(full, s) == pytest.approx(wanted, rel=1e-14)
    as_full = rl.target_alignment(np.kron(per_output, np.eye(m)), s)
    assert as_full == pytest.approx(rl.target_alignment(per_output, s) / np.sqrt(m), rel=1e-14)
    one = rl.target_alignment(per_output, s[:, 0])
    assert rl.target_alignment(per_output, s[:, :1]) == one


@given(seeds, powers, powers)
def test_target_alignment_knows_no_scale_rotation_or_order(rng, x, y):
    n, m = 5, 2
    k, s, turn = kernel_of(rng, n, 3), rng.standard_normal((n, m)), rotation(rng, n)
    found = rl.target_alignment(k, s)
    assert 0 <= found <= 1
    assert rl.target_alignment(10.0**x * k, 10.0**y * s) == pytest.approx(found, rel=1e-12)
    turned = rl.target_alignment(turn @ k @ turn.T, turn @ s @ rotation(rng, m))
    assert turned == pytest.approx(found, rel=1e-10)
    order = rng.permutation(n)
    assert rl.target_alignment(k[np.ix_(order, order)], s[order]) == pytest.approx(found)
    assert rl.target_alignment(np.outer(s[:, 0], s[:, 0]), s[:, 0]) == pytest.approx(1, abs=1e-14)
    assert rl.target_alignment(np.outer(s[:, 0], s[:, 0]), s[:, 0]) <= 1


def test_targets_that_do_not_belong_to_a_kernel():
    with pytest.raises(ValueError, match=r"the shapes are \(4, 4\) and \(3, 2\)"):
        rl.target_alignment(np.eye(4), np.ones((3, 2)))
    with pytest.raises(UndefinedError, match="target alignment is 0/0"):
        rl.target_alignment(np.eye(3), np.zeros(3))
    with pytest.raises(UndefinedError, match="target alignment is 0/0"):
        rl.target_alignment(np.zeros((3, 3)), np.ones(3))
    with pytest.raises(ValueError, match="1 or 2 dimensions"):
        rl.target_alignment(np.eye(8), np.ones((2, 2, 2)))


# -- CKA ---------------------------------------------------------------------------------------


def naive_cka(x, y):
    n = len(x)
    centre = np.eye(n) - 1 / n
    k, l = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return np.sum(k * l) / (np.linalg.norm(k) * np.linalg.norm(l))


def unbiased_hsic(k, l):
    """Equation 5 of Song et al. 2012, Gram matrices not centred."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    total = np.trace(k @ l) + k.sum() * l.sum() / ((n - 1) * (n - 2))
    return (total - np.sum(k @ l) * 2 / (n - 2)) / (n * (n - 3))


def naive_debiased(x, y):
    k, l = x @ x.T, y @ y.T
    return unbiased_hsic(k, l) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(l, l))


SHAPES = [(6, 3, 2), (6, 3, 9), (6, 9, 8), (40, 5, 7), (40, 60, 3), (8, 1, 1)]


def pair(rng, n, p, q):
    x = rng.standard_normal((n, p)) + 2.0
    return x, x @ rng.standard_normal((p, q)) + rng.standard_normal((n, q))


@pytest.mark.parametrize(("n", "p", "q"), SHAPES)
def test_cka_is_its_definition(n, p, q):
    """More samples than features go through products of features, fewer through Gram matrices."""
    x, y = pair(np.random.default_rng(5), n, p, q)
    assert rl.cka(x, y) == pytest.approx(naive_cka(x, y), rel=1e-12)
    assert rl.cka(x, y, debiased=True) == pytest.approx(naive_debiased(x, y), rel=1e-11)


@pytest.mark.parametrize(("n", "p", "q"), SHAPES)
def test_the_standard_error_is_that_of_n_recomputations(n, p, q):
    x, y = pair(np.random.default_rng(6), n, p, q)
    without = [naive_debiased(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(n)]
    wanted = np.sqrt((n - 1) * np.var(without))
    found = rl.cka_estimate(x, y)
    assert found.value == rl.cka(x, y, debiased=True)
    assert found.standard_error == pytest.approx(wanted, rel=1e-9)


@given(seeds, powers, powers, st.sampled_from(SHAPES))
def test_cka_knows_no_scale_rotation_shift_or_order(rng, a, b, shape):
    n, p, q = shape
    x, y = pair(rng, n, p, q)
    order = rng.permutation(n)
    shifted = (x @ rotation(rng, p) + rng.standard_normal(p))[order]
    for debiased in (False, True):
        found = rl.cka(x, y, debiased=debiased)
        assert -1 <= found <= 1
        assert rl.cka(y, x, debiased=debiased) == pytest.approx(found, abs=1e-12)
        scaled = rl.cka(10.0**a * x, 10.0**b * y, debiased=debiased)
        assert scaled == pytest.approx(found, abs=1e-9)
        assert rl.cka(shifted, y[order], debiased=debiased) == pytest.approx(found, abs=1e-9)
        same = rl.cka(x, x, debiased=debiased)
        assert same == pytest.approx(1, abs=1e-12)
        assert same <= 1
    assert rl.cka_estimate(x, x).standard_error < 1e-9


def test_a_large_mean_or_a_small_feature_costs_no_digits():
    x, y = pair(np.random.default_rng(7), 30, 4, 4)
    exact = x + 2.0**30 - 2.0**30  # what is left of x beside the mean
    for debiased in (False, True):
        wanted = rl.cka(exact, y, debiased=debiased)
        assert rl.cka(x + 2.0**30, y, debiased=debiased) == pytest.approx(wanted, rel=1e-13)
    beside = np.column_stack([1e-170 * x, np.full(30, 0.3)])
    assert rl.cka(beside, y) == pytest.approx(rl.cka(x, y), rel=1e-13)


def test_what_varies_by_rounding_alone_is_constant():
    rng = np.random.default_rng(8)
    x, y = pair(rng, 12, 3, 3)
    rounded = np.float32(0.1) * (1 + np.float32(1e-7) * rng.integers(-1, 2, (12, 3)))
    rounded = rounded.astype(np.float32)
    for constant in (np.full((12, 3), 0.1), rounded):
        with pytest.raises(UndefinedError, match="activations of initial are the same for every"):
            rl.cka(constant, y)
        with pytest.raises(UndefinedError, match="activations of final are the same for every"):
            rl.cka(y, constant, debiased=True)
        with pytest.raises(UndefinedError, match="the same for every sample"):
            rl.cka_estimate(constant, y)
    assert rl.cka(rounded.astype(float), y) > 0  # as float64 they are known better
    single = x.astype(np.float32)
    assert rl.cka(np.column_stack([single, rounded]).astype(np.float32), y) == rl.cka(single, y)
    assert rl.cka(single, y) == pytest.approx(rl.cka(x, y), rel=1e-6)


@pytest.mark.parametrize("features", [2, 30])
def test_one_sample_alone_has_no_debiased_alignment(features):
    rng = np.random.default_rng(9)
    alone = np.full((10, features), 0.3)
    alone[4] += rng.standard_normal(features)
    y = rng.standard_normal((10, features))
    assert 0 < rl.cka(alone, y) < 1
    with pytest.raises(
        UndefinedError, match="but for rounding, the activations of initial differ in one sample"
    ):
        rl.cka(alone, y, debiased=True)
    two = np.array(alone)
    two[5] += rng.standard_normal(features)
    assert -1 <= rl.cka(y, two, debiased=True) <= 1
    with pytest.raises(UndefinedError, match="final differ in one sample alone, or would without"):
        rl.cka_estimate(y, two)


@pytest.mark.parametrize("features", [3, 20])
@pytest.mark.parametrize("far", [1e2, 1e3, 1e4])
def test_a_sample_far_from_the_others_costs_few_digits(features, far):
    rng = np.random.default_rng(18)
    x = rng.standard_normal((12, features)).round(6)
    y = (x + rng.standard_normal((12, features))).round(6)
    x[2] *= far
    y[2] *= far
    exact = [np.vectorize(Fraction, otypes=[object])(h) for h in (x, y)]
    k, l = (h.dot(h.T) for h in exact)
    cross, own0, own1 = (float(unbiased_hsic(*two)) for two in ((k, l), (k, k), (l, l)))
    wanted = cross / np.sqrt(own0) / np.sqrt(own1)
    assert rl.cka(x, y, debiased=True) == pytest.approx(wanted, rel=1e-15 * far**2 + 1e-13)


def test_activations_that_have_no_cka():
    x = np.random.default_rng(10).standard_normal((5, 2))
    with pytest.raises(ValueError, match="one row per sample each; they have 5 and 4"):
        rl.cka(x, x[:4])
    with pytest.raises(ValueError, match="needs 4 samples or more here; there are 3"):
        rl.cka(x[:3], x[:3], debiased=True)
    with pytest.raises(ValueError, match="needs 5 samples or more here; there are 4"):
        rl.cka_estimate(x[:4], x[:4])
    with pytest.raises(ValueError, match="2 dimensions"):
        rl.cka(x[:, 0], x)
    with pytest.raises(UndefinedError, match="same for every sample"):
        rl.cka(x[:1], x[:1])
    assert rl.cka(x[:2], x[:2]) == 1
    assert -1 <= rl.cka(x[:4], x[:4, :1], debiased=True) <= 1


def test_few_samples_look_alike_unless_debiased():
    """32 samples of 64 independent Gaussian features: biased 0.67, debiased 0."""
    rng = np.random.default_rng(11)
    draws = [rng.standard_normal((2, 32, 64)) for _ in range(300)]
    debiased = [rl.cka(x, y, debiased=True) for x, y in draws]
    assert abs(np.mean(debiased)) < 3 * np.std(debiased, ddof=1) / np.sqrt(300)
    assert np.std(debiased) == pytest.approx(0.045, rel=0.15)
    assert np.mean([rl.cka(x, y) for x, y in draws]) == pytest.approx(0.667, abs=0.005)
    assert min(debiased) < 0


@pytest.mark.parametrize(("n", "p", "ratio"), [(200, 10, 1.05), (100, 10, 1.09), (64, 64, 1.32)])
def test_the_standard_error_is_the_spread_over_draws(n, p, ratio):
    """Within 15 % where samples are several times the features; on the safe side elsewhere."""
    rng = np.random.default_rng(12)
    found = []
    for _ in range(1500):
        x = rng.standard_normal((n, p))
        found.append(rl.cka_estimate(x, x + rng.standard_normal((n, p))))
    spread = np.std([one.value for one in found], ddof=1)  # known to 1.8 %
    told = np.mean([one.standard_error for one in found]) / spread
    assert told == pytest.approx(ratio, rel=0.055)


def test_many_samples_or_many_features_need_no_square_of_them():
    rng = np.random.default_rng(13)
    many, wide = rng.standard_normal((20_000, 3)), rng.standard_normal((20, 20_000))
    cases = [(rl.cka, many), (rl.cka_estimate, many), (rl.cka, wide), (rl.cka_estimate, wide)]
    for measure, x in cases:
        for y in (x, x[:, :2]):  # one narrow, one wide too
            tracemalloc.start()
            measure(x, y)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 1e8  # the square would be 3.2e9 bytes


# -- rank of a change --------------------------------------------------------------------------


def test_the_ranks_of_a_change_are_those_of_its_singular_values():
    rng = np.random.default_rng(14)
    before, change = rng.standard_normal((7, 5)), rng.standard_normal((7, 5))
    found = rl.change_rank(before, before + change)
    for kind in ChangeRank._fields:
        wanted = rl.spectrum.effective_rank(change, kind)
        assert getattr(found, kind) == pytest.approx(wanted, rel=1e-12)
    assert found.numerical == 5
    assert isinstance(found.numerical, int)


@given(seeds, powers, st.integers(1, 4))
def test_the_rank_of_a_change_knows_no_scale_or_rotation(rng, x, rank):
    before = rng.standard_normal((6, 5))
    change = rng.standard_normal((6, rank)) @ rng.standard_normal((rank, 5))
    found = rl.change_rank(before, before + change)
    assert found.numerical == rank
    assert 1 <= found.stable <= found.participation * (1 + 1e-12) <= rank * (1 + 1e-9)
    left, right, size = rotation(rng, 6), rotation(rng, 5), 10.0**x
    turned = [size * (left @ w @ right) for w in (before, before + change)]
    np.testing.assert_allclose(rl.change_rank(*turned), found, rtol=1e-8)


@pytest.mark.parametrize("moved", [1.0, 1e-3, 1e-6])
def test_what_rounding_of_the_weights_adds_is_no_rank(moved):
    """A change of rank 2 in float32: its other singular values are the rounding of the weights."""
    rng = np.random.default_rng(15)
    before = rng.standard_normal((60, 40)).astype(np.float32)
    change = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 40))
    after = (before + moved * change).astype(np.float32)
    assert rl.change_rank(before, after).numerical == 2
    as_double = [w.astype(float) for w in (before, after)]
    assert rl.change_rank(*as_double).numerical == 40
    assert rl.change_rank(*as_double, precision="float32").numerical == 2
    assert rl.change_rank(before, as_double[1]).numerical == 2


def test_a_change_within_rounding_has_numerical_rank_0():
    before = np.random.default_rng(16).standard_normal((8, 8))
    after = np.array(before)
    after[2, 3] = np.nextafter(after[2, 3], np.inf)
    assert rl.change_rank(before, after) == (1, 1, 1, 0)


def test_a_small_unit_beside_large_ones_is_counted():
    rng = np.random.default_rng(17)
    before, change = rng.standard_normal((2, 5, 5))
    units = np.array([1.0, 1.0, 1.0, 1e-9, 0.0])[:, None]
    before, change = (units * before).astype(np.float32), units * change
    after = (before + 0.1 * change).astype(np.float32)
    assert rl.change_rank(before, after).numerical == 4


def test_changes_that_have_no_rank():
    w = np.ones((2, 3))
    with pytest.raises(UndefinedError, match="0/0: the weights have not changed"):
        rl.change_rank(w, w)
    with pytest.raises(UndefinedError, match="0/0: the weights have not changed"):
        rl.change_rank(0 * w, 0 * w)
    with pytest.raises(ValueError, match=r"same shape; they are \(2, 3\) and \(3, 2\)"):
        rl.change_rank(w, w.T)
    with pytest.raises(ValueError, match="2 dimensions"):
        rl.change_rank(w[0], w[0])
    assert rl.change_rank(0 * w, w) == pytest.approx((1, 1, 1, 1))
