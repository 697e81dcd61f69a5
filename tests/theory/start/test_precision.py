"""What is rounding of stored numbers: ranks, cut-offs, graded decompositions."""

from __future__ import annotations

import re

import mpmath as mp
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from richlazy import expect, predict, solve
from richlazy.formulas import features
from richlazy.start import matrices, precision, spectrum
from richlazy.start.network import Network
from richlazy.start.task import Task

SINGLE = float(np.finfo(np.float32).eps)


def low_rank(values, shape, rng):
    left, right = (np.linalg.qr(rng.standard_normal((n, len(values))))[0] for n in shape)
    return (left * values) @ right.T


@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-60, 1.0, 2.0**60, 2.0**900])
def test_the_cutoff_goes_with_the_matrix(scale):
    """max(n eps s_1, u ||W||_F), each of the two the larger once, at any scale."""
    values = np.array([4.0, 3.0])
    assert precision.cutoff(scale * values, (7, 2)) == 28.0 * precision.EPS * scale
    assert precision.cutoff(scale * values, (2, 7), 1e-3) == pytest.approx(5e-3 * scale, rel=1e-15)
    assert precision.cutoff(np.zeros(2), (2, 2), 1e-3) == 0.0
    assert precision.cutoff(np.zeros(0), (2, 2), 1e-3) == 0.0


def test_rounding_units():
    for kind in (np.float16, np.float32, np.float64):
        assert precision.of(np.ones(2, dtype=kind)) == np.finfo(kind).eps
    for exact in (
        np.ones(2, dtype=int),
        np.ones(2, dtype=bool),
        [1.0],
        3,
        np.ones(2, np.longdouble),
    ):
        assert precision.of(exact) == precision.EPS
    assert precision.of(np.ones(2), "float32") == SINGLE
    assert precision.of(np.ones(2, np.float32), 1e-2) == 1e-2
    assert precision.of(sp.csr_array(np.eye(2, dtype=np.float32))) == SINGLE
    assert precision.of(aslinearoperator(np.eye(2, dtype=np.float32))) == SINGLE


@pytest.mark.parametrize("wrong", [-1e-3, 1.0, np.nan, "int32", "nonsense", True])
def test_precisions_that_are_none(wrong):
    with pytest.raises(ValueError, match="precision must be a "):
        Network(np.eye(2), precision=wrong)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_the_rank_of_a_stored_matrix_is_that_of_what_was_stored(kind):
    rng = np.random.default_rng(0)
    values = np.array([0.6, 0.5, 0.5, 0.4])
    stored = low_rank(values, (30, 60), rng).astype(kind)
    assert spectrum.effective_rank(stored, "numerical") == 4.0
    start = Network(stored)
    np.testing.assert_allclose(start.factors.values, values, rtol=2.0 * precision.of(stored))
    # the numbers alone do not tell, unless one says how well they are known
    blind = Network(stored.astype(float))
    assert (blind.factors.values.size == 4) == (kind is np.float64)
    assert Network(stored.astype(float), precision=kind).factors.values.size == 4
    if kind is not np.float16:  # SciPy has no sparse halves
        assert Network(sp.csr_array(stored)).factors.values.size == 4


def test_a_full_rank_is_not_cut_for_being_stored_in_half_precision():
    full = np.random.default_rng(0).standard_normal((60, 60)).astype(np.float16)
    # one value in a hundred may be below what half precision knows; not one in three
    assert spectrum.effective_rank(full, "numerical") >= 59


def test_stored_spectra():
    values = np.array([1.0, 0.5, 1e-9], dtype=np.float32)
    assert spectrum.effective_rank(values, "numerical") == 2.0
    assert spectrum.effective_rank(values.astype(float), "numerical") == 3.0
    assert spectrum.effective_rank(values.astype(float), "numerical", precision="float32") == 2.0


def test_numerical_rank_of_nothing():
    with pytest.raises(ValueError, match="no effective rank"):
        spectrum.effective_rank(np.zeros((2, 3)), "numerical")


CONDITIONED = {
    "rows": lambda x, r: x * 10.0 ** r.uniform(-16, 0, (4, 1)),
    "columns": lambda x, r: x * 10.0 ** r.uniform(-16, 0, (1, 4)),
    "both": lambda x, r: x * 10.0 ** r.uniform(-12, 0, (4, 1)) * 10.0 ** r.uniform(-12, 0, (1, 4)),
}


@pytest.mark.parametrize("kind", CONDITIONED)
def test_graded_singular_values_to_their_own_digits(kind):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        matrix = CONDITIONED[kind](rng.standard_normal((4, 4)), rng)
        with mp.workdps(60):
            exact = [float(v) for v in mp.svd_r(mp.matrix(matrix.tolist()), compute_uv=False)]
        for turned in (matrix, matrix.T):
            found = matrices.svd(turned)
            np.testing.assert_allclose(found.values, exact, rtol=1e-10)
            np.testing.assert_allclose(found.toarray(), turned, atol=1e-14 * exact[0])


def test_weak_rows_are_no_rounding_and_dependent_ones_are():
    weak = matrices.svd(np.diag([1.0, 5e-17, 0.0])).values
    np.testing.assert_allclose(weak, [1.0, 5e-17], rtol=1e-15)
    outer = np.outer([1.0, 1e-12, 0.0], [1.0, 1e-9, 1e-3])
    assert matrices.svd(outer).values.size == 1
    assert matrices.svd(np.zeros((2, 3))).values.size == 0


def test_equal_values_are_equal_at_the_precision_of_the_data():
    rng = np.random.default_rng(0)
    flat = low_rank(np.full(5, 0.4), (20, 30), rng)
    for kind in (np.float32, np.float64):
        found = expect(flat.astype(kind))
        assert found.method == "closed form (T7)", kind
        assert found.kernel_alignment.mean == pytest.approx(
            expect(spectrum.flat(5, 0.4 * np.sqrt(5)), 30).kernel_alignment.mean, rel=1e-6
        )
    assert expect(flat.astype(np.float32).astype(float)).method != "closed form (T7)"
    told = expect(flat.astype(np.float32).astype(float), precision="float32")
    assert told.method == "closed form (T7)"
    values = np.array([0.4, 0.4 * (1 + 2e-8)], dtype=np.float32)
    assert expect(np.sort(values)[::-1], 5).method == "closed form (T7)"


def test_expect_asks_about_the_rank_that_was_stored():
    """As in float64: RA 0.407, KA 0.3061 (also 0.413 +- 0.006, 0.3067 +- 0.0004 by descent)."""
    rng = np.random.default_rng(1)
    whole = low_rank(np.array([0.6, 0.5, 0.5, 0.4]) / np.sqrt(1.02), (30, 60), rng)
    want = expect(np.array([0.6, 0.5, 0.5, 0.4]) / np.sqrt(1.02), 60, alignment=0.2)
    for stored in (whole.astype(np.float32), Network(whole.astype(np.float32))):
        found = expect(stored, alignment=0.2)
        for name in ("representation_alignment", "kernel_alignment", "loss"):
            one, other = getattr(found, name).mean, getattr(want, name).mean
            assert one == pytest.approx(other, rel=1e-6), name
        assert found.kernel_alignment.mean == pytest.approx(0.3061, abs=3e-4)
        words = " ".join(found.assumptions)
        assert "known to 1.2e-07 of themselves" in words
        assert "W1 has rank 4 then" in words
    assert "known to" not in " ".join(want.assumptions)


@pytest.mark.parametrize("method", ["krylov", "flow", None])
def test_several_outputs_do_not_learn_what_the_stored_rank_cannot(method):
    rng = np.random.default_rng(3)
    stored = (rng.standard_normal((8, 2)) @ rng.standard_normal((2, 10))).astype(np.float32)
    stored /= np.linalg.norm(stored)
    task = Task(np.diag([1.0, 0.9, 0.8]) @ np.eye(3, 10))
    found = solve(Network(stored), task, method)
    # two hidden directions learn the two strongest modes (T6)
    assert float(found.loss()) == pytest.approx(0.5 * 0.8**2, rel=1e-9)
    words = " ".join(found.assumptions)
    assert "rank, row space and balance are judged at that; W1 has rank 2 then" in words
    blind = solve(Network(stored.astype(float)), task, method)
    assert float(blind.loss()) < 1e-12


def test_balance_is_judged_at_the_precision_of_the_data():
    rng = np.random.default_rng(0)
    rows = np.linalg.qr(rng.standard_normal((6, 3)))[0].T.astype(np.float32)
    task = Task(rng.standard_normal((2, 6)))
    found = solve(Network(rows), task)
    assert found.method == "riccati (T5)"
    assert solve(Network(rows.astype(float)), task).method != "riccati (T5)"
    times = [0.5, 3.0]
    other = solve(Network(rows.astype(float)), task, "flow").measures(times)
    told = float(re.search(r"function to ([\d.e+-]+) relative", _asked(found, times).accuracy)[1])
    assert 1e-8 < told < 1e-4
    for one, two in zip(found.measures(times)[:-1], other[:-1], strict=True):
        np.testing.assert_allclose(one, two, rtol=told)


def _asked(solution, times):
    solution.measures(times)
    return solution


def test_shared_modes_of_single_precision():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    first, task = (
        (turn * [0.5, 0.2, 0.7, 0.3]).astype(np.float32),
        Task(np.diag([2.0, 1, 0.5, 0.3])),
    )
    found = solve(Network(first), task)
    assert found.method == "closed modes (T3)"
    wanted = solve(Network(first.astype(float)), task, "flow")
    one, two = found.measures(2.0), wanted.measures(2.0)
    told = float(re.search(r"to ([\d.e+-]+) relative", found.accuracy)[1])
    assert 1e-8 < told < 1e-5
    np.testing.assert_allclose(one[:-1], two[:-1], rtol=10.0 * told)


def test_features_of_single_precision():
    rng = np.random.default_rng(0)
    stored = low_rank([3.0, 1.0, 1.0], (5, 6), rng)
    weights = rng.standard_normal(5)
    assert features.alignment(stored, weights, 1).shape == (1,)
    for some in (stored, stored.astype(np.float32)):
        with pytest.raises(ValueError, match="rank 2 cuts through equal singular values 1 "):
            features.alignment(some, weights, 2)
        with pytest.raises(ValueError, match="at most that of the features, 3; it is 4"):
            features.alignment(some, weights, 4)


def test_a_wide_sparse_start_is_not_too_large():
    rng = np.random.default_rng(0)
    sparse = sp.random_array((50, 5000), density=0.01, rng=rng)
    assert spectrum.of(sparse).size == 50
    assert spectrum.effective_rank(sparse, "entropy") > 30
    flat = sp.csr_array((np.ones(50), (np.arange(50), np.arange(50) * 7)), shape=(50, 5000))
    assert predict(Network(flat), Task.random(5000, 2, rng=rng)).method == "riccati (T5)"


def test_an_alignment_that_is_one_to_rounding():
    almost = 1.0 - 1e-14
    found = expect(np.ones(3), 3, alignment=almost)
    assert found.kernel_alignment.mean == expect(np.ones(3), 3, alignment=1.0).kernel_alignment.mean
    with pytest.raises(ValueError, match="alignment must be 1 where rank = inputs"):
        expect(np.ones(3), 3, alignment=1.0 - 1e-9)
    rng = np.random.default_rng(0)
    task = Task.random(3, 1, rng=rng)
    start = Network.from_spectrum(np.ones(3), task=task, hidden=4, alignment=almost, rng=rng)
    np.testing.assert_allclose(start.alignment(task), 1.0, rtol=1e-12)


def test_fractional_alignments_where_dimensions_are_tight():
    """Rank 3 and 3 modes in 4 inputs: two directions in common at least, c sums to 2.3."""
    rng = np.random.default_rng(0)
    task = Task(np.diag([3.0, 2.0, 1.0]) @ np.linalg.qr(rng.standard_normal((4, 3)))[0].T)
    wanted = [0.9, 0.8, 0.6]
    start = Network.from_spectrum(spectrum.flat(3), task=task, hidden=5, alignment=wanted, rng=rng)
    np.testing.assert_allclose(start.alignment(task), wanted, rtol=1e-12)
    np.testing.assert_allclose(spectrum.of(start.first)[:3], spectrum.flat(3), rtol=1e-12)
    np.testing.assert_allclose(start.factors.right.T @ start.factors.right, np.eye(3), atol=1e-13)


def test_rows_and_columns_are_brought_to_one_size_by_powers_of_two():
    rng = np.random.default_rng(0)
    rows, columns = 2.0 ** rng.integers(-300, 300, 6), 2.0 ** rng.integers(-300, 300, 5)
    matrix = rng.uniform(0.5, 1.0, (6, 5)) * rng.choice([-1.0, 1.0], (6, 5))
    matrix[2] = matrix[:, 3] = 0.0
    scaled = precision.equilibrated(rows[:, None] * matrix * columns)
    known = matrix != 0.0
    np.testing.assert_array_equal(scaled == 0.0, ~known)
    factor = np.log2(scaled[known] / matrix[known])
    np.testing.assert_array_equal(factor, np.rint(factor))
    for axis in (0, 1):
        size = np.abs(scaled).max(axis=axis)
        assert np.all((size == 0.0) | ((size >= 0.25) & (size <= 1.0)))
    assert precision.equilibrated(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("axis", [0, 1])
def test_graded_is_what_differs_by_a_millionfold_from_row_to_row(axis):
    sizes = np.array([1.0, 1.1e-6, 0.0])
    for small, found in ((1.1e-6, False), (0.9e-6, True)):
        sizes[1] = small
        matrix = np.multiply.outer(sizes, [1.0, -0.5])
        for unit in (1e-200, 1.0, 1e200):
            assert precision.graded(unit * (matrix if axis else matrix.T)) == found
    assert not precision.graded(np.zeros((2, 3)))
