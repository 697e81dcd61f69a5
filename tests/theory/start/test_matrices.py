"""Dense, sparse, thin and operator forms of one matrix give the same answers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from richlazy.start import matrices
from richlazy.start.matrices import Thin


def low_rank_matrix(hidden, inputs, rank, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((hidden, rank)) @ rng.standard_normal((rank, inputs))


def forms(dense):
    """The same matrix in every form that the library takes."""
    left, values, right_t = np.linalg.svd(dense, full_matrices=False)
    return {
        "dense": dense,
        "csr": sp.csr_array(dense),
        "csc": sp.csc_array(dense),
        "coo": sp.coo_array(dense),
        "lil matrix": sp.lil_matrix(dense),
        "thin": Thin.from_factors(left * values, right_t.T),
        "operator": aslinearoperator(dense),
    }


FORMS = list(forms(np.eye(2)))
SHAPES = [(4, 7), (7, 4), (1, 5), (5, 1), (6, 6)]


def form(name, dense):
    return matrices.as_matrix(forms(dense)[name], "W1")


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_products_singular_values_and_moments_do_not_depend_on_the_form(name, shape):
    dense = low_rank_matrix(*shape, rank=min(3, *shape))
    matrix = form(name, dense)
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((shape[1], 3)), rng.standard_normal((shape[0], 2))
    assert matrix.shape == shape
    np.testing.assert_allclose(matrices.forward(matrix, x), dense @ x, atol=1e-13)
    np.testing.assert_allclose(matrices.adjoint(matrix, y), dense.T @ y, atol=1e-13)

    exact = np.linalg.svd(dense, compute_uv=False)
    found = matrices.singular_values(matrix)
    assert found.shape == (min(shape),)
    np.testing.assert_allclose(found, exact, atol=1e-13)
    thin = matrices.svd(matrix)
    assert thin.values.size == min(3, *shape)
    np.testing.assert_allclose(thin.toarray(), dense, atol=1e-12)
    for basis in (thin.left, thin.right):
        np.testing.assert_allclose(basis.T @ basis, np.eye(thin.values.size), atol=1e-13)

    gram = dense.T @ dense
    moments = matrices.second_moments(matrix)
    assert moments.exact
    assert float(moments.trace) == pytest.approx(np.trace(gram), rel=1e-13)
    assert float(moments.trace_square) == pytest.approx(np.sum(gram**2), rel=1e-13)
    assert matrices.second_moments_trace(matrix) == pytest.approx(np.sum(dense**2), rel=1e-13)


@pytest.mark.parametrize("name", FORMS)
def test_rescaling_sets_the_norm_and_keeps_the_directions(name):
    dense = low_rank_matrix(5, 4, rank=2)
    found = matrices.rescaled(form(name, dense), 0.3)
    product = matrices.forward(found, np.eye(4))
    np.testing.assert_allclose(product, dense * (0.3 / np.linalg.norm(dense)), atol=1e-15)


@pytest.mark.parametrize("name", FORMS)
def test_the_kind_stays_and_the_dtype_is_float64(name):
    given = forms(np.array([[1.0, 2.0], [0.0, 3.0]]))[name]
    found = matrices.as_matrix(given, "W1")
    assert isinstance(found, type(given)) or sp.issparse(given)
    assert sp.issparse(found) == sp.issparse(given)
    if hasattr(found, "dtype"):
        assert found.dtype == np.float64


@pytest.mark.parametrize("dtype", [bool, np.int16, np.float32])
@pytest.mark.parametrize("make", [np.array, sp.csr_array, sp.coo_matrix])
def test_other_real_numbers_become_float64(make, dtype):
    found = matrices.as_matrix(make(np.array([[1, 0], [1, 1]], dtype=dtype)), "W1")
    assert found.dtype == np.float64
    assert float(matrices.second_moments(found).trace) == 3


@pytest.mark.parametrize("where", ["csr", "coo"])
def test_entries_stored_in_parts_are_added_first(where):
    rows, columns, data = [0, 0, 1], [1, 1, 0], [1.0, 2.0, 5.0]
    given = sp.coo_array((data, (rows, columns)), shape=(2, 2))
    if where == "csr":
        given = sp.csr_array((np.array(data), np.array(columns), np.array([0, 2, 3])), shape=(2, 2))
    found = matrices.as_matrix(given, "W1")
    assert float(matrices.second_moments(found).trace) == 9 + 25
    assert float(matrices.second_moments(found).trace_square) == 81 + 625
    assert given.nnz == 3  # the caller's own matrix is as it was


def test_an_operator_of_no_dtype_is_taken_as_real():
    operator = LinearOperator(
        shape=(2, 3), matvec=lambda x: x.ravel()[:2], rmatvec=lambda y: np.r_[y.ravel(), 0.0]
    )
    found = matrices.as_matrix(operator, "W1")
    np.testing.assert_array_equal(matrices.singular_values(found), [1, 1])


# -- thin factors --------------------------------------------------------------------------


def test_thin_factors_are_a_singular_value_decomposition():
    rng = np.random.default_rng(2)
    left, right = rng.standard_normal((6, 3)), rng.standard_normal((8, 3))
    thin = Thin.from_factors(left, right)
    assert thin.shape == (6, 8)
    np.testing.assert_allclose(thin.toarray(), left @ right.T, atol=1e-13)
    np.testing.assert_allclose(
        thin.values, np.linalg.svd(left @ right.T, compute_uv=False)[:3], rtol=1e-13
    )


def test_the_singular_values_of_thin_factors_are_their_own_whatever_the_size():
    many = Thin(np.eye(50_000, 2), np.array([3.0, 2.0]), np.eye(60_000, 2))
    found = matrices.singular_values(many)
    assert found.shape == (50_000,)
    assert found[:2].tolist() == [3.0, 2.0]
    assert not found[2:].any()


@pytest.mark.parametrize("name", FORMS)
def test_a_matrix_is_told_by_its_kind(name):
    assert matrices.is_matrix(forms(np.eye(3, 2))[name])


@pytest.mark.parametrize("value", [np.ones(3), np.ones((2, 2, 2)), sp.coo_array([1.0, 2.0]), 1.0])
def test_what_has_other_dimensions_is_no_matrix(value):
    assert not matrices.is_matrix(value)


def test_thin_factors_of_lower_rank_lose_their_zeros():
    left = np.array([[1.0, 2.0, 3.0]]).T @ np.ones((1, 4))  # rank 1 in four columns
    thin = Thin.from_factors(left, np.random.default_rng(3).standard_normal((5, 4)))
    assert thin.values.size == 1
    assert Thin.from_factors(np.zeros((3, 2)), np.ones((4, 2))).values.size == 0
    wide = Thin.from_factors(np.ones((2, 5)), np.eye(4, 5))  # more columns than rows
    np.testing.assert_allclose(wide.toarray(), np.ones((2, 4)), atol=1e-15)
    np.testing.assert_allclose(matrices.singular_values(wide), [np.sqrt(8), 0], atol=1e-15)


# -- moments of large matrices -------------------------------------------------------------


def sparse_matrix(hidden, inputs, density, seed=0):
    rng = np.random.default_rng(seed)
    return sp.random_array(
        (hidden, inputs),
        density=density,
        rng=rng,
        data_sampler=lambda size: rng.standard_normal(size),
        format="csr",
    )


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (1, 50), (50, 1)])
@pytest.mark.parametrize("blocks", [1, 3, 7, 10_000])
def test_the_blocks_of_a_sparse_product_cover_it_once(shape, blocks):
    w = sparse_matrix(*shape, density=0.2)
    exact = np.sum((w.T @ w).toarray() ** 2)
    found = matrices._gram_norm_squared(w.T.tocsr(), work=1e7 * blocks)
    assert found == pytest.approx(exact, rel=1e-13)


def test_the_product_of_a_sparse_matrix_never_sits_in_memory_whole():
    """W'W would be full: 3000 x 3000 x (8 + 4) bytes = 108 MB."""
    w = sparse_matrix(6000, 3000, density=0.02)
    work = np.sum(np.diff(w.indptr).astype(float) ** 2)
    a = w.T.tocsr()
    tracemalloc.start()
    found = matrices._gram_norm_squared(a, work=16 * 1e7)  # as eight times the work would do
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert work < 2.5e7
    assert found == pytest.approx(float(np.sum((w.T @ w).data ** 2)), rel=1e-13)
    assert peak < 108e6 / 3


@pytest.mark.parametrize("shape", [(1300, 1400), (1400, 1300)])
def test_probes_are_within_their_standard_error(shape):
    sparse = sparse_matrix(*shape, density=0.01, seed=1)
    exact = matrices.second_moments(sparse)
    assert exact.exact
    operator = matrices.as_matrix(aslinearoperator(sparse), "W1")
    scores = []
    for seed in range(8):
        found = matrices.second_moments(operator, np.random.default_rng(seed))
        assert not found.exact
        for estimate, truth in (
            (found.trace, exact.trace),
            (found.trace_square, exact.trace_square),
        ):
            assert 0 < estimate.standard_error < 0.05 * truth.value
            scores.append((estimate.value - truth.value) / estimate.standard_error)
    assert np.max(np.abs(scores)) < 5
    assert 0.3 < np.std(scores) < 2  # the stated errors are neither vain nor idle
    again, and_again = (matrices.second_moments(operator) for _ in range(2))
    assert again.trace == and_again.trace  # a fixed seed unless the caller gives one


def test_a_sparse_matrix_with_too_costly_a_product_is_probed(monkeypatch):
    sparse = sparse_matrix(400, 500, density=0.05)
    exact = matrices.second_moments(sparse)
    monkeypatch.setattr(matrices, "_EXACT_PRODUCT_LIMIT", 0.0)
    found = matrices.second_moments(sparse)
    assert found.trace == exact.trace
    assert found.trace_square.standard_error > 0
    error = found.trace_square.value - exact.trace_square.value
    assert abs(error) < 5 * found.trace_square.standard_error


def test_both_orders_of_the_sparse_product_agree():
    """A few full rows make W W' cheaper, a few full columns W'W: both are ||W'W||_F^2."""
    w = sparse_matrix(60, 80, density=0.05).tolil()
    w[3, :] = 1.0
    w = w.tocsr()
    for one in (w, w.T.tocsr()):
        found = matrices.second_moments(one).trace_square.value
        assert found == pytest.approx(float(np.sum((w.T @ w).toarray() ** 2)), rel=1e-13)


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([1.0, 2.0], r"^W1 must have 2 dimensions; its shape is \(2,\)$"),
        ([[1.0, np.nan]], r"^W1 must be finite; it has 1 of 2 values NaN or infinite$"),
        ([[1j]], r"^W1 must hold real numbers; its dtype is complex128$"),
        ([[1e80, 1.0]], r"^W1 has entries up to 1e\+80, whose fourth powers leave .*; rescale it$"),
        ([[1e-80, 0.0]], r"^W1 has entries up to 1e-80, whose fourth powers leave the range of f"),
        (sp.csr_array([[np.inf, 1.0]]), r"^W1 must be finite; it has 1 of 2 values NaN or infin"),
        (sp.csr_array([[1j]]), r"^W1 must hold real numbers; its dtype is complex128$"),
        (sp.csr_array((2, 2), dtype=complex), r"^W1 must hold real numbers; its dtype is complex"),
        (sp.csr_array([[1e80]]), r"^W1 has entries up to 1e\+80, whose fourth powers"),
        (sp.csr_array((0, 3)), r"^W1 must be a non-empty matrix; its shape is \(0, 3\)$"),
        (sp.coo_array([1.0, 2.0]), r"^W1 must be a non-empty matrix; its shape is \(2,\)$"),
        (aslinearoperator(np.array([[1j]])), r"^W1 must be real; its dtype is complex128$"),
    ],
)
def test_bad_matrices_are_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        matrices.as_matrix(matrix, "W1")


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (
            np.ones((3, 2)),
            np.ones((4, 3)),
            r"^left \(h, r\) and right \(d, r\) must share r; they are \(3, 2\) and \(4, 3\)$",
        ),
        (np.ones(3), np.ones((4, 3)), r"^left must have 2 dimensions; its shape is \(3,\)$"),
        (np.ones((3, 1)), [[np.nan]], r"^right must be finite; it has 1 of 1 values NaN or inf"),
        (np.full((3, 1), 1e80), np.ones((4, 1)), r"^left has entries up to 1e\+80, whose fourth"),
        (np.ones((3, 1)), np.full((4, 1), 1e-80), r"^right has entries up to 1e-80, whose fourth"),
        (
            np.full((3, 1), 1e70),
            np.full((4, 1), 1e70),
            r"^left @ right.T has entries up to .*e\+140, whose fourth powers leave the range",
        ),
    ],
)
def test_bad_factors_are_refused(left, right, message):
    with pytest.raises(ValueError, match=message):
        Thin.from_factors(left, right)


def test_what_is_too_large_is_not_made_dense():
    size = matrices.DENSE_LIMIT + 1
    large = sp.eye_array(size, format="csr")
    message = (
        rf"^the matrix of shape \({size}, {size}\) is too large to make dense \(smaller dimension "
        rf"over {matrices.DENSE_LIMIT}\); use the participation ratio or the stable rank, which "
        r"need products only$"
    )
    for matrix in (large, aslinearoperator(large)):
        for call in (matrices.singular_values, matrices.svd):
            with pytest.raises(ValueError, match=message):
                call(matrices.as_matrix(matrix, "W1"))


def test_rescaling_refuses_what_cannot_be_done():
    for zero in (
        np.zeros((2, 3)),
        sp.csr_array((2, 3)),
        Thin.from_factors(np.zeros((2, 1)), [[1]]),
    ):
        with pytest.raises(
            ValueError, match=r"^a zero matrix cannot be rescaled to a norm; give i"
        ):
            matrices.rescaled(zero, 1.0)
    for norm, message in (
        (0.0, r"^norm must be > 0; its smallest value is 0$"),
        (-1.0, r"^norm must be > 0; its smallest value is -1$"),
        ([1.0, 2.0], r"^norm must be one number; its shape is \(2,\)$"),
    ):
        with pytest.raises(ValueError, match=message):
            matrices.rescaled(np.eye(2), norm)


def test_an_estimate_is_a_number_with_its_error():
    assert float(matrices.Estimate(2.5, 0.1)) == 2.5
    assert matrices.Estimate(2.5).standard_error == 0


def test_an_operator_must_know_its_transpose():
    one_way = LinearOperator((3, 3), matvec=lambda x: x, dtype=np.float64)
    with pytest.raises(ValueError, match="W1 has no product with its transpose"):
        matrices.as_matrix(one_way, "W1")
