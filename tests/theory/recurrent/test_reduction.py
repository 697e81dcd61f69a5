"""T18: the dimension of exact reductions, the error that the leak states, every kind of matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

from richlazy.recurrent import Network, Task, reduction, solve
from richlazy.recurrent.measures import Measures
from richlazy.recurrent.reduction import Training
from richlazy.start.matrices import Thin
from tests.theory.recurrent import cases

ALL = Training(True, True, True)
TIMES = np.array([0.3, 2.0, np.inf])


def gaps(one, other, t, task):
    """Largest difference at each time."""
    mine, theirs = (np.array(solution.measures(t)).T for solution in (one, other))
    return [cases.gap(Measures(*a), Measures(*b), task) for a, b in zip(mine, theirs, strict=True)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rank", [0, 1, 4])
def test_a_start_of_low_rank_needs_no_more_than_its_dimensions(rank, channels):
    rng = np.random.default_rng(rank)
    w = cases.random_recurrent(rng, 40, 0.8, "low rank", rank)
    net = Network.random(w, channels=channels, outputs=2, rng=rng)
    task = Task.random(4, channels, 2, rng=rng)
    found = solve(net, task, "reduced")
    assert found.method == f"reduced (T18), {channels + 2 + 2 * rank} directions"
    assert max(gaps(found, solve(net, task, "flow"), TIMES, task)) < 1e-8
    state, other = found.at(1.0), solve(net, task, "flow").at(1.0)
    np.testing.assert_allclose(state.recurrent(), other.recurrent(), atol=1e-9)
    np.testing.assert_allclose(state.readout, other.readout, atol=1e-9)


def test_a_plane_that_is_never_left_is_found():
    rng = np.random.default_rng(0)
    w = cases.random_recurrent(rng, 20, 0.7, "symmetric")
    plane = np.linalg.eigh(w)[1][:, :2]
    net = Network(plane @ rng.standard_normal((2, 1)), w, rng.standard_normal((1, 2)) @ plane.T)
    task = Task.random(3, rng=rng)
    assert reduction.closed(net, task, ALL).units == 2
    assert reduction.closed(Network.random(w, rng=rng), task, ALL) is None


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_the_stated_error_holds(seed):
    rng = np.random.default_rng(seed)
    units, gain = int(rng.integers(60, 121)), rng.uniform(0.3, 1.1)
    net = Network.random(
        cases.random_recurrent(rng, units, gain), rng=rng, leak=float(rng.choice([1.0, 0.5]))
    )
    task = Task.random(int(rng.integers(2, 7)), strength=rng.uniform(0.3, 2.0), rng=rng)
    end = float(rng.choice([1.0, np.inf]))
    found = solve(net, task, "reduced", tolerance=10.0 ** rng.uniform(-7, -2))
    exact = solve(net, task, "flow")
    true = cases.gap(found.measures(end), exact.measures(end), task)
    assert true < 10.0 * found.error + 1e-8


def test_a_finer_tolerance_takes_more_directions_and_is_nearer():
    rng = np.random.default_rng(5)
    net = Network.random(cases.random_recurrent(rng, 150, 0.8), rng=rng)
    task = Task.random(5, rng=rng)
    exact = solve(net, task, "flow").measures(np.inf)
    rough, fine = (solve(net, task, "reduced", tolerance=x) for x in (1e-2, 1e-7))
    errors = [cases.gap(s.measures(np.inf), exact, task) for s in (rough, fine)]
    assert errors[1] < 1e-2 * errors[0]
    assert errors[1] < 1e-6
    sizes = [int(s.method.split(", ")[1].split()[0]) for s in (rough, fine)]
    assert sizes[0] < sizes[1] < 150


def test_a_space_that_may_not_grow_further_is_still_one_network(monkeypatch):
    monkeypatch.setattr(reduction, "_ROUNDS", 2)
    rng = np.random.default_rng(5)
    net = Network.random(cases.random_recurrent(rng, 100, 0.9), rng=rng)
    found = solve(net, Task.random(5, rng=rng), "reduced", tolerance=1e-12)
    assert found.at(1.0).left.shape == (100, found._found(np.array([1.0])).reduced.units)
    assert found.error > 1e-12


@pytest.mark.parametrize("leak", [1.0, 0.4])
def test_dense_sparse_thin_and_operator_are_one_start(leak):
    rng = np.random.default_rng(2)
    dense = cases.random_recurrent(rng, 30, 0.7, "low rank", 3)
    left, right = np.linalg.qr(dense)
    kinds = [dense, csr_array(dense), Thin.from_factors(left, right.T), aslinearoperator(dense)]
    task = Task.random(4, 2, 1, rng=7)
    nets = [Network.random(w, channels=2, leak=leak, rng=9) for w in kinds]
    wanted = solve(nets[0], task, "flow")
    for net in nets:
        for method in (None, "reduced", "flow"):
            assert max(gaps(solve(net, task, method), wanted, TIMES, task)) < 1e-6
        repr(net)


def test_training_with_a_leak_moves_what_the_leak_scales_by_its_square():
    assert Training(True, True, True).rates(0.5) == (0.25, 0.25, 1.0)
    assert Training(False, True, False).rates(1.0) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("share", [0.9, 0.3, 0.01])
def test_leading_directions_leave_the_share_asked_for_and_no_direction_less_would(share):
    from richlazy.recurrent.reduction import _leading

    rng = np.random.default_rng(0)
    outside = 1e-6 * (rng.standard_normal((80, 30)) * np.geomspace(1.0, 1e-5, 30))
    found = _leading(outside, share)
    values = np.linalg.svd(outside, compute_uv=False)
    rest = np.linalg.norm(outside - found @ (found.T @ outside))
    np.testing.assert_allclose(found.T @ found, np.eye(found.shape[1]), atol=1e-10)
    assert rest <= share * np.linalg.norm(outside) * (1.0 + 1e-12)
    assert np.linalg.norm(values[found.shape[1] - 1 :]) > share * np.linalg.norm(values)


@pytest.mark.parametrize(("tolerance", "rounds"), [(1e-5, 6), (1e-7, 9)])
def test_a_start_of_a_few_large_weights_takes_few_rounds(tolerance, rounds, monkeypatch):
    """Where W brings new directions as fast as they are taken in, each round takes in many."""
    rng, units = np.random.default_rng(0), 1500
    places = rng.integers(0, units, (2, 40 * units))
    w = csr_array((rng.pareto(1.5, 40 * units) + 0.1, tuple(places)), shape=(units, units))
    w *= 0.625 * np.sqrt(units) / np.sqrt(w.multiply(w).sum())
    net, task = Network.random(w, rng=rng), Task.random(5, rng=rng)
    asked, whole = [], reduction._leaks

    def counting(*given):
        asked.append(given)
        return whole(*given)

    monkeypatch.setattr(reduction, "_leaks", counting)
    found = solve(net, task, tolerance=tolerance)
    measures = found.measures(TIMES)
    assert found.error < tolerance
    assert len(asked) <= rounds
    finer = solve(net, task, tolerance=1e-2 * tolerance).measures(TIMES)
    for mine, theirs in zip(np.array(measures).T, np.array(finer).T, strict=True):
        assert cases.gap(Measures(*mine), Measures(*theirs), task) < 3.0 * tolerance
