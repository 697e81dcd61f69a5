"""T15 in blocks: several outputs, any readout, any inputs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

from richlazy.start import matrices
from richlazy.start.matrices import Thin
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.flow import integrate
from richlazy.two_layer.reduction.block_krylov import BlockChain
from richlazy.two_layer.reduction.krylov import Bidiagonal
from richlazy.two_layer.routes.certificate import certified, integrated, spread_over_orders
from richlazy.two_layer.solve import solve
from tests.theory.two_layer.reduction.blocks import (
    HIDDEN,
    INPUTS,
    TIMES,
    gaussian,
    grown,
    low_rank,
    made,
    power_law,
    single,
    unit,
    wishart,
    with_eigenvalues,
)

# each: outputs, silent readout, norm
CASES = [(1, False, 0.3), (2, True, 1.0), (2, False, 3.0), (3, True, 10.0), (5, False, 1.0)]


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("draw", [gaussian, power_law, low_rank])
@pytest.mark.parametrize(("outputs", "silent", "norm"), CASES)
def test_the_reduction_is_the_full_flow(outputs, silent, norm, draw, white, largest_error):
    rng = np.random.default_rng([outputs, silent, int(10 * norm)])
    cov = None if white else wishart(rng)
    start, task = made(rng, draw, norm, outputs, silent, cov)
    found, _, doubt = spread_over_orders(BlockChain(start, task), TIMES)
    wanted = solve(start, task, "flow").measures(TIMES)
    assert largest_error(single(found), wanted, loss=0.5) < min(doubt.relative, 1e-8)


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("white", [True, False])
def test_the_small_network_against_an_independent_integration(
    white, silent, reference_weights, dense_measures, largest_error
):
    rng = np.random.default_rng(3)

    def small(rng):
        return rng.standard_normal((5, 6))

    cov = None if white else wishart(rng, 6)
    start, task = made(rng, small, 1.0, 2, silent, cov)
    chain = grown(start, task)
    assert chain.complete
    times = np.array([0.3, 4.0])
    each = [chain.reduced().measures(c) for c in integrated(chain.reduced(), times)]
    for weights, found in zip(reference_weights(start, task, times), each, strict=True):
        wanted = dense_measures(start, task, *weights)
        assert largest_error([v[0] for v in found], wanted, loss=0.5) < 1e-8


FACES = {
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "operator": aslinearoperator,
    "thin": matrices.svd,
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("white", [True, False])
def test_every_kind_of_matrix_is_the_dense_one(face, white, largest_error):
    rng = np.random.default_rng(0)
    cov = None if white else wishart(rng)
    start, task = made(rng, low_rank if face == "thin" else gaussian, 1.0, 3, False, cov)
    other = Network(FACES[face](start.first), start.readout)
    one, two = (grown(s, task, 2).reduced() for s in (start, other))
    assert one.problem.first.shape == two.problem.first.shape
    a, b = (single(certified(r, TIMES)[0]) for r in (one, two))
    assert largest_error(a, b, loss=0.5) < 1e-9


@pytest.mark.parametrize("norm", [0.3, 3.0])
def test_one_output_and_a_silent_readout_are_the_bidiagonal_chain(norm):
    rng = np.random.default_rng(0)
    start, task = made(rng, norm=norm, outputs=1, silent=True)
    pair = Bidiagonal(start.first, task.cov_yx, matrices.second_moments(start.first))
    pair.grow(9)
    blocks = grown(start, task, 9)
    assert blocks.order == pair.order
    for order in (1, 4, 9):
        a, b = blocks.reduced(order), pair.reduced(order)
        size = np.abs(b.problem.first).max()
        np.testing.assert_allclose(
            np.abs(a.problem.first), np.abs(b.problem.first), atol=1e-13 * size
        )
        np.testing.assert_allclose(np.ravel(a.coupling), b.coupling, rtol=1e-11)
        found, wanted = (certified(r, TIMES)[0] for r in (a, b))
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13)


def test_the_chain_is_a_block_bidiagonalisation():
    rng = np.random.default_rng(0)
    start, task = made(rng, outputs=3)
    chain = grown(start, task, 3)
    reduced = chain.reduced()
    small, left, right = reduced.problem.first[0], reduced.left, reduced.right
    assert small.shape == (18, 21)
    np.testing.assert_allclose(left.T @ left, np.eye(18), atol=1e-14)
    np.testing.assert_allclose(right.T @ right, np.eye(21), atol=1e-14)
    np.testing.assert_allclose(left.T @ start.first, small @ right.T, atol=1e-14)
    beyond = start.first @ right - left @ small
    assert np.abs(beyond[:, :15]).max() < 1e-14
    np.testing.assert_allclose(beyond[:, 15:].T @ beyond[:, 15:], reduced.coupling[0], atol=1e-14)
    np.testing.assert_allclose(left @ left.T @ start.readout.T, start.readout.T, atol=1e-14)
    np.testing.assert_allclose(right @ right.T @ task.cov_yx.T, task.cov_yx.T, atol=1e-14)


@pytest.mark.parametrize("rank", [None, 25])
def test_the_space_is_closed_under_the_covariance(rank):
    rng = np.random.default_rng(0)
    cov = wishart(rng)
    if rank is not None:  # inputs without variance
        cov, _ = with_eigenvalues(np.r_[np.linspace(2.0, 1.0, rank), np.zeros(INPUTS - rank)], rng)
    start, task = made(rng, low_rank, silent=False, cov=cov)
    chain = grown(start, task)
    assert chain.complete
    reduced = chain.reduced()
    assert reduced.problem.first.shape[2] <= (rank or INPUTS)
    right = reduced.right
    moved = cov @ right
    np.testing.assert_allclose(right @ (right.T @ moved), moved, atol=1e-12)
    np.testing.assert_allclose(
        reduced.problem.root @ reduced.problem.root, right.T @ moved, atol=1e-12
    )


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("white", [True, False])
def test_the_traces_are_those_of_the_large_matrices(white, silent, order, dense_measures):
    # of any order: the lifted change is put beside the small network's measures
    rng = np.random.default_rng(order)
    cov = None if white else wishart(rng)
    start, task = made(rng, outputs=2, silent=silent, cov=cov)
    chain = grown(start, task, 3)
    reduced = chain.reduced(order)
    assert not reduced.complete
    assert np.linalg.eigvalsh(reduced.coupling[0])[-1] > 1e-3
    for _, change in integrate(reduced.problem, np.array([0.7, np.inf]), 1e-10):
        w1 = start.first + reduced.left @ change.first[0] @ reduced.right.T
        w2 = (reduced.problem.readout + change.readout)[0] @ reduced.left.T
        wanted = dense_measures(start, task, w1, w2)
        found = reduced.measures(change)
        np.testing.assert_allclose(np.ravel(found[:5]), wanted[:5], rtol=1e-12)
        assert found.loss[0] == pytest.approx(wanted.loss, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("white", [True, False])
def test_the_seen_moments_are_those_of_the_dense_matrices(white):
    rng = np.random.default_rng(0)
    first, cov = low_rank(rng), np.eye(INPUTS) if white else wishart(rng)
    representation = first.T @ first @ cov
    for face in (np.asarray, *FACES.values()):
        moments = matrices.seen_moments(face(first), cov)
        assert moments.exact
        assert moments.trace.value == pytest.approx(np.trace(representation @ cov), rel=1e-13)
        square = np.trace(representation @ representation)
        assert moments.trace_square.value == pytest.approx(square, rel=1e-13)
        if white:
            plain = matrices.second_moments(face(first))
            assert moments.trace_square.value == pytest.approx(plain.trace_square.value)


def test_a_lower_order_is_the_beginning_of_a_higher_one():
    rng = np.random.default_rng(0)
    start, task = made(rng, outputs=2)
    a, b = grown(start, task, 5).reduced(2), grown(start, task, 2).reduced()
    np.testing.assert_array_equal(a.problem.first, b.problem.first)
    np.testing.assert_array_equal(a.coupling, b.coupling)
    np.testing.assert_array_equal(a.left, b.left)
    np.testing.assert_array_equal(a.right, b.right)


def test_the_weights_are_those_of_the_full_flow():
    rng = np.random.default_rng(0)
    start, task = made(rng, outputs=2)
    reduced = grown(start, task, 5).reduced()
    (change,) = integrated(reduced, np.array([2.0]), 1e-12)
    state = solve(start, task, "flow").at(2.0)
    first = start.first + reduced.left @ change.first[0] @ reduced.right.T
    readout = (reduced.problem.readout + change.readout)[0] @ reduced.left.T
    np.testing.assert_allclose(first, state.first(), atol=1e-9)
    np.testing.assert_allclose(readout, state.readout, atol=1e-9)


@pytest.mark.parametrize("silent", [True, False])
def test_nothing_depends_on_the_axes(silent, rotation, largest_error):
    rng = np.random.default_rng(0)
    start, task = made(rng, outputs=2, silent=silent, cov=wishart(rng))
    p, q, o = (rotation(n, rng) for n in (HIDDEN, INPUTS, 2))
    readout = None if silent else o @ start.readout @ p.T
    turned = Network(p @ start.first @ q.T, readout)
    other = Task(o @ task.cov_yx @ q.T, q @ task.cov_xx @ q.T)
    chains = grown(start, task, 2), grown(turned, other, 2)
    found, wanted = (single(certified(c.reduced(), TIMES)[0]) for c in chains)
    assert largest_error(found, wanted, loss=0.5) < 1e-9


def test_orders_are_added_until_two_agree(largest_error):
    rng = np.random.default_rng(0)

    def large(rng):
        return rng.standard_normal((90, 100))

    sizes = []
    for norm in (0.1, 3.0, 10.0):
        start, task = made(rng, large, norm, 2, True)
        found, reduced, doubt = spread_over_orders(BlockChain(start, task), TIMES)
        assert doubt.relative < 2e-7
        sizes.append(reduced.problem.first.shape[1])
        wanted = solve(start, task, "flow").measures(TIMES)
        assert largest_error(single(found), wanted) < doubt.relative
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] < 90


def test_orders_are_added_until_two_agree_at_early_times(largest_error):
    rng = np.random.default_rng(0)

    def large(rng):
        return rng.standard_normal((150, 200))

    start, task = made(rng, large, 1.0, 1, True, wishart(rng, 200))
    times = np.array([0.1, 0.5])
    found, reduced, doubt = spread_over_orders(BlockChain(start, task), times)
    assert not reduced.complete
    assert reduced.problem.first.shape[1] < 100
    wanted = solve(start, task, "flow").measures(times)
    assert largest_error(single(found), wanted, loss=0.5) < doubt.relative < 1e-8


def test_moments_of_a_large_operator_are_estimates(monkeypatch):
    rng = np.random.default_rng(0)
    start, task = made(rng, outputs=2)
    exact = BlockChain(start, task)
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 40)
    chain = BlockChain(Network(aslinearoperator(start.first), start.readout), task)
    assert exact.moments.exact
    assert not chain.moments.exact


def test_a_large_sparse_start_needs_only_products():
    rng = np.random.default_rng(0)
    n = 20_000
    entries, columns = rng.standard_normal(5 * n), rng.integers(0, n, 5 * n)
    first = sp.csr_array((entries, columns, np.arange(0, 5 * n + 1, 5)), shape=(n, n))
    start = Network(matrices.rescaled(first, 1.0), unit(rng.standard_normal((3, n))))
    chain = BlockChain(start, Task.random(n, 3, rng=rng))
    _, reduced, doubt = spread_over_orders(chain, np.array([np.inf]))
    assert doubt.relative < 1e-8
    assert reduced.left.shape == (n, 6 * chain.order)
    assert reduced.right.shape == (n, 6 * chain.order + 3)


def test_a_thin_start_of_any_size_ends():
    rng = np.random.default_rng(0)
    n = 3000
    thin = Thin.from_factors(rng.standard_normal((n, 2)), rng.standard_normal((n, 2)) / n)
    chain = grown(Network(thin, unit(rng.standard_normal((2, n)))), Task.random(n, 2, rng=rng))
    assert chain.complete
    assert chain.reduced().problem.first.shape == (1, 4, 4)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-8, 1e-3, 1.0, 30.0]),
    white=st.booleans(),
    silent=st.booleans(),
    rank=st.integers(0, 3),
    order=st.integers(1, 4),
)
def test_no_start_gives_nan_or_a_warning(seed, scale, white, silent, rank, order, random_case):
    rng = np.random.default_rng(seed)
    start, task = random_case(rng, scale, white=white, silent=silent)
    if rank < min(start.hidden, start.inputs):
        u, s, vt = np.linalg.svd(start.first)
        start = Network((u[:, :rank] * s[:rank]) @ vt[:rank], start.readout)
    chain = BlockChain(start, task)
    chain.grow(order)
    reduced = chain.reduced()
    assert np.all(np.isfinite(reduced.problem.first))
    found = certified(reduced, np.array([0.5, 3.0]))[0]
    for values in found[:3]:
        assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(found.loss))
    if rank > 0:
        assert np.all(np.abs(found.kernel_alignment) <= 1.0)
        assert np.all(np.abs(found.representation_alignment) <= 1.0)
