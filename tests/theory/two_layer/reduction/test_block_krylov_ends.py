"""Where block chains end, exactly, and T11's invariant subspace for any cov_xx."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from richlazy import spectrum
from richlazy.start import matrices
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.krylov import without_rounding
from richlazy.two_layer.reduction.subspace import invariant_subspace
from richlazy.two_layer.routes.certificate import certified
from richlazy.two_layer.solve import solve
from tests.theory.two_layer.reduction.blocks import (
    HIDDEN,
    INPUTS,
    TIMES,
    gaussian,
    grown,
    low_rank,
    single,
    unit,
    with_eigenvalues,
)


def ends_at(start, task, hidden, inputs, order=None):
    """The chain is complete with this small network, and its flow is the full one."""
    chain = grown(start, task)
    assert chain.complete
    reduced = chain.reduced()
    assert reduced.complete
    assert reduced.problem.first.shape == (1, hidden, inputs)
    if order is not None:
        assert chain.order == order
    full = solve(start, task, "flow").measures(TIMES)
    for one, other in zip(single(certified(reduced, TIMES)[0]), full, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-14)
    return reduced


def test_a_task_inside_an_eigenspace_ends_at_once():
    rng = np.random.default_rng(0)
    first = unit(gaussian(rng))
    right = np.linalg.svd(first)[2]
    ends_at(Network(first), Task(rng.standard_normal((2, 2)) @ right[[2, 5]]), 2, 2, order=1)


@pytest.mark.parametrize("silent", [True, False])
def test_a_rank_one_start(silent):
    rng = np.random.default_rng(0)
    first = unit(np.outer(rng.standard_normal(HIDDEN), rng.standard_normal(INPUTS)))
    readout = None if silent else unit(rng.standard_normal((2, HIDDEN)))
    start, task = Network(first, readout), Task.teacher(unit(rng.standard_normal((2, INPUTS))))
    ends_at(start, task, 1 if silent else 3, 3, order=1)


@pytest.mark.parametrize("white", [True, False])
def test_a_readout_alone(white):
    rng = np.random.default_rng(0)
    values = np.repeat([2.0, 1.0], INPUTS // 2)
    cov = None if white else with_eigenvalues(values, rng)[0]
    readout = unit(rng.standard_normal((2, HIDDEN)))
    task = Task.teacher(unit(rng.standard_normal((2, INPUTS))), cov)
    ends_at(Network(np.zeros((HIDDEN, INPUTS)), readout), task, 2, 2 if white else 4)


def test_nothing_at_all_stays_nothing():
    task = Task.random(INPUTS, 2, rng=np.random.default_rng(0))
    reduced = ends_at(Network(np.zeros((HIDDEN, INPUTS))), task, 0, 2)
    found = single(certified(reduced, TIMES)[0])
    assert np.all(found.weight_change == 0.0)
    assert np.all(np.isnan(found.kernel_alignment))


def test_repeated_singular_values_merge():
    # three values, two outputs: two directions each, and two for the null space
    rng = np.random.default_rng(0)
    s = np.repeat([2.0, 1.0, 0.5], [5, 4, 3]) / 5.0
    task = Task.random(INPUTS, 2, rng=rng)
    start = Network.from_spectrum(s, task=task, hidden=HIDDEN, rng=rng)
    ends_at(start, task, 6, 8, order=3)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("face", [np.asarray, sp.csr_array, matrices.svd])
def test_a_start_orthogonal_to_the_task_rests(scale, face):
    # to rounding: W1 v is 1e-17 and not zero
    rng = np.random.default_rng(0)
    first = scale * low_rank(rng)
    outside = np.linalg.svd(first)[2][4:]
    task = Task(rng.standard_normal((2, len(outside))) @ outside)
    chain = grown(Network(face(first)), task)
    assert chain.complete
    found = single(certified(chain.reduced(), TIMES)[0])
    assert np.all(found.weight_change == 0.0)
    np.testing.assert_allclose(found.kernel_alignment, 1.0, rtol=1e-13)
    np.testing.assert_allclose(found.loss, 0.5 * task.strength**2, rtol=1e-13)


def test_a_mode_that_the_start_is_orthogonal_to_is_never_learned():
    rng = np.random.default_rng(0)
    first = unit(low_rank(rng))
    inside, outside = np.linalg.svd(first)[2][[1, 20]]
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    task = Task(turn @ np.stack([inside, 2.0 * outside]))
    reduced = ends_at(Network(first), task, 1, 2)
    assert reduced.out_of_reach == pytest.approx(2.0, rel=1e-13)


def test_a_small_but_real_alignment_is_not_mistaken_for_rounding():
    rng = np.random.default_rng(0)
    task = Task.random(INPUTS, 2, rng=rng)
    start = Network.from_spectrum(
        spectrum.flat(4), task=task, hidden=HIDDEN, alignment=[0.3, 1e-20], rng=rng
    )
    found = single(certified(grown(start, task).reduced(), TIMES)[0])
    assert found.loss[-1] < 1e-20


def test_fewer_hidden_units_than_outputs_rest_at_a_saddle(largest_error):
    # rank 2, three outputs: spare hidden units are exactly silent, and stay so
    rng = np.random.default_rng(0)
    first = 5.0 * unit(rng.standard_normal((HIDDEN, 2)) @ rng.standard_normal((2, INPUTS)))
    strengths = np.diag([1.0, 0.8, 0.3])
    modes = np.linalg.qr(rng.standard_normal((INPUTS, 3)))[0]
    task = Task(strengths @ modes.T)
    found = single(certified(grown(Network(first), task).reduced(), TIMES)[0])
    assert found.loss[-1] == pytest.approx(0.5 * 0.3**2, rel=1e-9)


LOW = 40  # inputs of the next tests
VALUES = np.repeat([2.0, 1.0, 0.5], [20, 15, 5])


@pytest.mark.parametrize("silent", [True, False])
def test_few_distinct_eigenvalues_keep_a_start_of_low_rank_small(silent, largest_error):
    # each of three eigenspaces sees rank + outputs directions
    rng = np.random.default_rng(0)
    cov, _ = with_eigenvalues(VALUES, rng)
    first = unit(rng.standard_normal((20, 2)) @ rng.standard_normal((2, LOW)))
    readout = None if silent else unit(rng.standard_normal((2, 20)))
    start, task = Network(first, readout), Task.teacher(unit(rng.standard_normal((2, LOW))), cov)
    hidden = 2 if silent else 4
    subspace = invariant_subspace(start, task)
    assert subspace.problem.first.shape == (1, hidden, 12)
    ends_at(start, task, hidden, 12)
    # the same flow on all the inputs, the covariance a hair away from merging
    apart = cov + 1e-10 * np.diag(np.linspace(0.0, 1.0, LOW))
    whole = invariant_subspace(start, Task.teacher(task.cov_yx @ np.linalg.inv(cov), apart))
    assert whole.problem.first.shape == (1, hidden, LOW)
    found, wanted = (single(certified(r, TIMES)[0]) for r in (subspace, whole))
    assert largest_error(found, wanted, loss=0.5) < 1e-8


@pytest.mark.parametrize("silent", [True, False])
def test_modes_out_of_reach_are_left_out_for_inputs_that_are_not_white(silent):
    # W1 sees eigenvectors 0-3, outputs 0 and 1 ask for 0-11 and 25-39: the second is never heard
    rng = np.random.default_rng(0)
    cov, q = with_eigenvalues(VALUES, rng)
    first = unit(rng.standard_normal((20, 4)) @ q[:, :4].T)
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    asked = [q[:, :12] @ rng.standard_normal(12), q[:, 25:] @ rng.standard_normal(15)]
    teacher = turn @ np.stack(asked) / 5.0
    readout = None if silent else turn[:, :1] @ rng.standard_normal((1, 20)) / 5.0
    start, task = Network(first, readout), Task.teacher(teacher, cov)
    lost = 0.5 * float(asked[1] @ cov @ asked[1]) / 25.0
    subspace, chain = invariant_subspace(start, task), grown(start, task).reduced()
    for reduced in (subspace, chain):
        assert reduced.out_of_reach == pytest.approx(lost, rel=1e-12)
        assert certified(reduced, TIMES)[0].loss[-1, 0] == pytest.approx(lost, rel=1e-9)
    # a readout that drives the second output wakes it
    awake = Network(first, turn @ rng.standard_normal((2, 20)))
    assert invariant_subspace(awake, task).out_of_reach == 0.0


def test_a_covariance_seen_through_other_outputs_brings_a_mode_into_reach():
    # W1 v = 0 and W2'u = 0 for the second mode, but cov_xx mixes its input with the first's
    cov = np.array([[1.0, 0.3, 0.0], [0.3, 1.0, 0.0], [0.0, 0.0, 2.0]])
    start, task = Network([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), Task([[1.0, 0, 0], [0, 1.0, 0]], cov)
    for reduced in (invariant_subspace(start, task), grown(start, task).reduced()):
        assert reduced.out_of_reach == 0.0


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_what_is_dropped_as_rounding_is_told_beside_the_largest(scale):
    small = scale * np.array([np.diag([2.0, 1e-17]), np.diag([2.0, 1.0])])
    kept, turn, dropped = without_rounding(small, (10, 10), 2.0**-52)
    assert dropped == pytest.approx(5e-18, rel=1e-12)
    np.testing.assert_allclose(np.abs(kept[0]), scale * np.diag([2.0, 0.0]), rtol=1e-15)
    np.testing.assert_array_equal(kept[1], small[1])
    np.testing.assert_array_equal(turn[1], np.eye(2))
    assert without_rounding(small[1:], (10, 10), 2.0**-52)[2] == 0.0
