"""T15: the small network has the flow of the large one, and its traces."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from richlazy import connectomes, low_rank, spectrum
from richlazy.laziness import Measures
from richlazy.start import matrices
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer import flow
from richlazy.two_layer.reduction.krylov import Bidiagonal
from richlazy.two_layer.reduction.subspace import invariant_subspace
from richlazy.two_layer.routes import certificate as routes
from richlazy.two_layer.routes.certificate import certified, integrated, spread_over_orders
from richlazy.two_layer.solve import solve

HIDDEN, INPUTS = 24, 30
TIMES = np.array([0.5, 2.0, np.inf])


def unit(matrix):
    return matrix / np.linalg.norm(matrix)


def with_spectrum(s, rng, hidden=HIDDEN, inputs=INPUTS):
    task = Task.random(inputs, 1, rng=rng)
    return Network.from_spectrum(s, task=task, hidden=hidden, rng=rng).first.toarray()


def gaussian(rng):
    return rng.standard_normal((HIDDEN, INPUTS))


def low_rank_matrix(rng):
    return rng.standard_normal((HIDDEN, 4)) @ rng.standard_normal((4, INPUTS))


def sparse(rng):
    return sp.random_array((HIDDEN, INPUTS), density=0.15, rng=rng).toarray()


# each: how to draw a dense matrix, and the face it is handed over with
KINDS = {
    "dense": (gaussian, np.asarray),
    "power law 1": (lambda rng: with_spectrum(spectrum.power_law(24, 1.0), rng), np.asarray),
    "power law 2": (lambda rng: with_spectrum(spectrum.power_law(24, 2.0), rng), np.asarray),
    "low rank": (low_rank_matrix, np.asarray),
    "csr": (sparse, sp.csr_array),
    "csc matrix": (sparse, sp.csc_matrix),
    "operator": (gaussian, aslinearoperator),
    "thin": (low_rank_matrix, matrices.svd),
}


def chain_of(first, task):
    return Bidiagonal(first, task.cov_yx, matrices.second_moments(first))


def measured(reduced, times=TIMES, rtol=1e-12):
    """Measures at times, of the first network of the stack."""
    each = [reduced.measures(change) for change in integrated(reduced, times, rtol)]
    return Measures(*(np.array(column)[:, 0] for column in zip(*each, strict=True)))


@pytest.mark.parametrize("norm", [0.1, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_reduction_is_the_full_flow(kind, norm, largest_error):
    draw, face = KINDS[kind]
    rng = np.random.default_rng([list(KINDS).index(kind), int(10 * norm)])
    dense = norm * unit(draw(rng))
    task = Task.random(INPUTS, 1, rng=rng)
    reduced, full = solve(Network(face(dense)), task), solve(Network(dense), task, "flow")
    assert reduced.method.startswith("krylov (T15), k=")
    found, wanted = reduced.measures(TIMES), full.measures(TIMES)
    assert largest_error(found, wanted, loss=0.5) < 1e-8
    state, exact = reduced.at(2.0), full.at(2.0)
    change = float(full.weight_change(2.0))
    np.testing.assert_allclose(state.first(), exact.first(), atol=1e-8 * change)
    np.testing.assert_allclose(state.readout, exact.readout, atol=1e-8 * change)
    np.testing.assert_allclose(reduced.function(2.0), full.function(2.0), atol=1e-8)


def test_the_connectome_to_nine_digits(largest_error):
    weights = unit(connectomes.load("celegans").weights)
    task = Task.random(279, 1, rng=np.random.default_rng(0))
    start = Network(sp.csr_array(weights))
    found = solve(start, task).measures(TIMES)
    assert largest_error(found, solve(start, task, "flow").measures(TIMES), loss=0.5) < 1e-9
    chain = chain_of(weights, task)
    chain.grow(4)
    assert largest_error(measured(chain.reduced()), found) < 1e-9


def test_the_chain_is_a_bidiagonalisation():
    rng = np.random.default_rng(0)
    first, task = gaussian(rng), Task.random(INPUTS, 1, rng=rng)
    chain = chain_of(first, task)
    chain.grow(HIDDEN - 4)
    reduced = chain.reduced()
    small, left, right = reduced.problem.first[0], reduced.left, reduced.right
    k = chain.order
    assert small.shape == (k, k + 1)
    assert np.count_nonzero(small) == 2 * k
    np.testing.assert_allclose(left.T @ left, np.eye(k), atol=1e-14)
    np.testing.assert_allclose(right.T @ right, np.eye(k + 1), atol=1e-14)
    np.testing.assert_allclose(left.T @ first, small @ right.T, atol=1e-13 * np.linalg.norm(first))
    np.testing.assert_allclose(right[:, 0] * task.strength, task.cov_yx[0], rtol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("norm", [0.3, 3.0])
def test_the_traces_are_those_of_the_large_matrices(order, norm, dense_measures):
    # of any order: the lifted change W1 + U (W - B) V' is put beside the small network's measures
    rng = np.random.default_rng(order)
    first, task = norm * unit(gaussian(rng)), Task.random(INPUTS, 1, rng=rng)
    chain = chain_of(first, task)
    chain.grow(order)
    reduced = chain.reduced()
    assert not reduced.complete
    assert reduced.coupling[0] > 0.0
    for _, change in flow.integrate(reduced.problem, np.array([0.7, np.inf]), 1e-10):
        w1 = first + reduced.left @ change.first[0] @ reduced.right.T
        w2 = change.readout[0] @ reduced.left.T
        wanted = dense_measures(Network(first), task, w1, w2)
        found = reduced.measures(change)
        np.testing.assert_allclose(np.ravel(found[:5]), wanted[:5], rtol=1e-12)
        assert found.loss[0] == pytest.approx(wanted.loss, rel=1e-9, abs=1e-14)


def test_a_lower_order_is_the_beginning_of_a_higher_one():
    rng = np.random.default_rng(0)
    first, task = gaussian(rng), Task.random(INPUTS, 1, rng=rng)
    long, short = chain_of(first, task), chain_of(first, task)
    long.grow(8)
    short.grow(3)
    a, b = long.reduced(3), short.reduced()
    np.testing.assert_array_equal(a.problem.first, b.problem.first)
    np.testing.assert_array_equal(a.coupling, b.coupling)
    np.testing.assert_array_equal(a.left, b.left)
    np.testing.assert_array_equal(a.right, b.right)


@pytest.mark.parametrize("exponent", [None, 0.5, 1.0])
def test_the_error_falls_faster_than_exponentially(exponent, largest_error):
    # the gain of three orders is above that of the three before, until rounding
    rng = np.random.default_rng(0)
    if exponent is None:
        first = rng.standard_normal((30, 30))
    else:
        first = with_spectrum(spectrum.power_law(30, exponent), rng, hidden=30)
    chain = chain_of(3.0 * unit(first), Task.random(30, 1, rng=rng))
    chain.grow(16)
    best = measured(chain.reduced())
    errors = [largest_error(measured(chain.reduced(k)), best) for k in (2, 5, 8)]
    assert errors[0] / errors[1] > 10.0
    assert errors[1] / errors[2] > 1.3 * errors[0] / errors[1]
    assert errors[2] < 1e-8


def test_orders_are_added_until_two_agree(largest_error):
    rng = np.random.default_rng(0)
    task = Task.random(INPUTS, 1, rng=rng)
    orders = []
    for norm in (0.1, 3.0, 10.0):
        first = norm * unit(gaussian(rng))
        found, reduced, doubt = spread_over_orders(chain_of(first, task), TIMES)
        assert doubt.relative < 1e-8
        orders.append(reduced.problem.first.shape[1])
        wanted = solve(Network(first), task, "flow").measures(TIMES)
        assert largest_error([v[:, 0] for v in found], wanted) < doubt.relative
    assert orders == sorted(orders)
    assert orders[-1] > orders[0]


def test_orders_go_up_finely_for_tasks_to_come(monkeypatch):
    rng = np.random.default_rng(0)
    first = 10.0 * unit(rng.standard_normal((120, 150)))

    def asked(finely):
        orders, chain = [], chain_of(first, Task.random(150, 1, rng=np.random.default_rng(1)))
        reduced = chain.reduced
        monkeypatch.setattr(chain, "reduced", lambda k=None: orders.append(k) or reduced(k))
        _, small, doubt = spread_over_orders(chain, TIMES, 1e-8, 8, finely)
        assert doubt.relative < 1e-6
        return orders, small.problem.first.shape[1]

    # each against two thirds of it
    assert asked(False) == ([5, 8, 12, 18], 18)
    assert asked(True) == ([5, 8, 7, 11, 9, 14], 14)


def test_orders_do_not_chase_the_tolerance(monkeypatch):
    # the rarest of many tasks may miss the goal by the integration alone, at every order
    monkeypatch.setattr(routes, "_LOOSER", 1.1)
    rng = np.random.default_rng(0)
    first = unit(gaussian(rng))
    chain = Bidiagonal(first, rng.standard_normal((50, INPUTS)), matrices.second_moments(first))
    _, reduced, doubt = spread_over_orders(chain, TIMES)
    assert 1e-12 < doubt.relative < 1e-8
    assert reduced.problem.first.shape[1] < 16


def ends_at(first, task, order):
    """The chain breaks down at `order`; the small network is then exact."""
    chain = chain_of(first, task)
    chain.grow(50)
    assert chain.complete
    assert chain.order == order
    reduced = chain.reduced()
    assert reduced.complete
    dense = first if isinstance(first, np.ndarray) else matrices.forward(first, np.eye(task.inputs))
    exact = certified(invariant_subspace(Network(dense), task), TIMES)[0]
    found = measured(reduced, rtol=1e-10)
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one, other[:, 0], rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("norm", [0.3, 10.0])
def test_a_flat_start_ends_at_one(norm):
    rng = np.random.default_rng(0)
    task = Task.random(INPUTS, 1, rng=rng)
    first = norm * with_spectrum(spectrum.flat(5), rng)
    ends_at(first, task, 1)


@pytest.mark.parametrize("values", [2, 3, 4])
def test_a_start_ends_at_its_number_of_distinct_values(values):
    rng = np.random.default_rng(0)
    s = np.repeat(np.linspace(2.0, 1.0, values), 2)
    ends_at(unit(with_spectrum(s, rng)), Task.random(INPUTS, 1, rng=rng), values)


def test_rank_one_ends_at_one():
    rng = np.random.default_rng(0)
    first = np.outer(rng.standard_normal(HIDDEN), rng.standard_normal(INPUTS))
    ends_at(unit(first), Task.random(INPUTS, 1, rng=rng), 1)


@pytest.mark.parametrize("rows", [1, 3])
def test_fewer_rows_than_orders(rows):
    rng = np.random.default_rng(0)
    first = rng.standard_normal((rows, INPUTS))
    ends_at(unit(first), Task.random(INPUTS, 1, rng=rng), rows)


def test_fewer_columns_than_orders():
    rng = np.random.default_rng(0)
    ends_at(unit(rng.standard_normal((HIDDEN, 3))), Task.random(3, 1, rng=rng), 3)


@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_a_task_that_is_an_eigenvector_ends_at_one(scale):
    rng = np.random.default_rng(0)
    first = scale * gaussian(rng)
    right = np.linalg.svd(first)[2][3]
    chain = chain_of(first, Task(right))
    chain.grow(4)
    assert chain.complete
    assert chain.order == 1
    assert chain.reduced().problem.first[0, 0, 1] == 0.0
    if scale == 1.0:
        ends_at(unit(first), Task(right), 1)


def test_a_task_in_two_eigenvectors_and_the_null_space():
    # the part in the null space is one more direction, with singular value zero
    rng = np.random.default_rng(0)
    first = unit(with_spectrum(np.linspace(2.0, 1.0, 10), rng))
    right = np.linalg.svd(first)[2]
    ends_at(first, Task(right[2] + 0.5 * right[7] + 0.8 * right[20]), 2)
    ends_at(first, Task(0.01 * right[2] + right[20]), 1)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("face", [np.asarray, sp.csr_array, matrices.svd])
def test_a_task_outside_the_row_space_ends_before_it_begins(scale, face):
    # to rounding: W1 v is 1e-17 and not zero
    rng = np.random.default_rng(0)
    first = scale * with_spectrum(np.linspace(2.0, 1.0, 10), rng)
    outside = np.linalg.svd(first)[2][10:]
    task = Task(rng.standard_normal(20) @ outside)
    chain = chain_of(face(first), task)
    assert chain.complete
    chain.grow(5)
    assert chain.order == 1
    assert not np.any(chain.reduced().problem.first)
    assert np.all(measured(chain.reduced()).weight_change == 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_what_rounding_adds_to_the_chain_does_not_grow(seed, largest_error):
    # rank 4; a large start relaxes long enough for a hidden unit of weight 1e-16 to reach 1
    rng = np.random.default_rng([7, 100 + seed])
    first = 10.0 * unit(low_rank_matrix(rng))
    task = Task.random(INPUTS, 1, rng=rng)
    chain = chain_of(first, task)
    chain.grow(20)
    rows = np.linalg.norm(chain.reduced().problem.first[0], axis=1)
    assert np.count_nonzero(rows) == 4
    assert rows[:4].min() > 0.01
    found, wanted = (solve(Network(first), task, m).measures(TIMES) for m in (None, "flow"))
    assert largest_error(found, wanted, loss=0.5) < 1e-8


def test_a_small_but_real_alignment_is_not_mistaken_for_rounding():
    rng = np.random.default_rng(0)
    task = Task.random(INPUTS, 1, rng=rng)
    start = Network.from_spectrum(
        spectrum.flat(4), task=task, hidden=HIDDEN, alignment=1e-20, rng=rng
    )
    solution = solve(start, task)
    wanted = low_rank.measures(4, INPUTS, alignment=1e-20)
    assert solution.weight_change() == pytest.approx(float(wanted.weight_change), rel=1e-9)
    assert solution.loss() < 1e-25


def test_a_stack_of_chains_is_each_of_them():
    # they end at different orders, one before it begins
    rng = np.random.default_rng(0)
    first = unit(with_spectrum(np.linspace(2.0, 1.0, 10), rng))
    right = np.linalg.svd(first)[2]
    three = right[0] - right[4] + right[9]
    tasks = np.stack([right[0], three, right[15], three + right[6] + right[15]])
    stack = Bidiagonal(first, tasks, matrices.second_moments(first))
    stack.grow(12)
    assert stack.complete
    together = [stack.reduced().measures(c) for c in integrated(stack.reduced(), TIMES)]
    for n, vector in enumerate(tasks):
        alone = Bidiagonal(first, vector[None], matrices.second_moments(first))
        alone.grow(12)
        assert alone.order == (1, 3, 1, 4)[n]
        for k, one in enumerate(measured(alone.reduced(), rtol=1e-10)):
            many = [each[k][n] for each in together]
            np.testing.assert_allclose(one, many, rtol=1e-8, atol=1e-12)


def test_a_diagonal_stands_for_merged_directions():
    # singular values 2 (three times), 1 (twice) and 0 (five times) are three directions
    rng = np.random.default_rng(0)
    s = 0.3 * np.array([2.0, 2.0, 2.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    vector = rng.standard_normal(10)
    full = np.diag(s)
    groups = [slice(0, 3), slice(3, 5), slice(5, 10)]
    merged = np.array([[np.linalg.norm(vector[g]) for g in groups]])
    chain = Bidiagonal(0.3 * np.array([2.0, 1.0, 0.0]), merged, matrices.second_moments(full), 10)
    chain.grow(5)
    wanted = solve(Network(full), Task(vector), "flow").measures(TIMES)
    for one, other in zip(measured(chain.reduced()), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-15)


def test_moments_may_be_estimates_and_are_said_to_be(monkeypatch):
    rng = np.random.default_rng(0)
    dense = unit(rng.standard_normal((60, 70)))
    task = Task.random(70, 1, rng=rng)
    exact = solve(Network(dense), task)
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 40)
    found = solve(Network(aslinearoperator(dense)), task)
    assert any("stochastic estimate" in a for a in found.assumptions)
    assert not any("stochastic estimate" in a for a in exact.assumptions)
    assert found.weight_change() == pytest.approx(float(exact.weight_change()), rel=1e-9)
    # KA depends on tr R_0^2, here known to about 3 %
    assert found.kernel_alignment() == pytest.approx(float(exact.kernel_alignment()), rel=0.1)
    assert found.kernel_alignment() != pytest.approx(float(exact.kernel_alignment()), rel=1e-9)


def test_the_flow_module_knows_no_large_network():
    assert not any(hasattr(flow, name) for name in ("Network", "Task", "Bidiagonal"))


# -- cost ----------------------------------------------------------------------------------


@pytest.mark.parametrize("face", [np.asarray, sp.csr_array, matrices.svd])
def test_an_answer_takes_the_products_of_its_chain_and_no_basis(face, monkeypatch):
    rng = np.random.default_rng(4)
    start = Network(face(rng.standard_normal((140, 150)) / 150.0))
    taken = {"forward": 0, "adjoint": 0, "second_moments": 0}

    def counting(name):
        whole = getattr(matrices, name)

        def product(matrix, x=None):
            if matrix is start.first:
                taken[name] += 1 if x is None else x.shape[1]
            return whole(matrix, *([] if x is None else [x]))

        monkeypatch.setattr(matrices, name, product)

    for name in taken:
        counting(name)
    for _ in range(2):  # whatever is known of the start is known to the second task
        taken.update(forward=0, adjoint=0)
        solution = solve(start, Task.random(150, 1, rng=rng))
        k = int(solution.laziness().method.rpartition("k=")[2])
        assert (taken["forward"], taken["adjoint"]) == (k + 1, k)
        assert not {"left", "right"} & set(vars(solution._route.reduced))
    assert taken["second_moments"] == 1
    solution.at(1.0)
    assert solution._route.reduced.left.shape == (140, k)


def test_the_chain_stays_orthonormal_where_steps_lose_most_of_what_they_were():
    rng = np.random.default_rng(0)
    values = np.geomspace(1.0, 1e-5, 40)
    first = (np.linalg.qr(rng.standard_normal((40, 40)))[0] * values) @ np.linalg.qr(
        rng.standard_normal((40, 40))
    )[0]
    chain = chain_of(first, Task.random(40, 1, rng=rng))
    chain.grow(25)
    for basis in (chain.left, chain.right):
        vectors = np.concatenate(basis)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(vectors)), atol=1e-14)


def test_an_operator_keeps_the_vectors_that_it_hands_out():
    class Same(sp.linalg.LinearOperator):
        """Hands out one array for all products, as operators with a buffer do."""

        def _matmat(self, x):
            kept = buffer[x.shape[1]]
            kept[:] = dense @ x
            return kept

        def _rmatmat(self, x):
            return dense.T @ x

    dense = np.random.default_rng(1).standard_normal((20, 20)) / 20.0
    buffer = {n: np.empty((20, n)) for n in (1, 20)}
    task = Task.random(20, 1, rng=2)
    found = chain_of(Same(float, (20, 20)), task)
    wanted = chain_of(dense, task)
    for chain in (found, wanted):
        chain.grow(5)
    np.testing.assert_allclose(found.reduced().left, wanted.reduced().left, atol=1e-12)
