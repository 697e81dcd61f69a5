"""The invariant subspace of a start of low rank: as small as it can be, and with the same flow."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.start import matrices
from richlazy.start.matrices import Thin
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.subspace import invariant_subspace
from richlazy.two_layer.solve import solve


@pytest.mark.parametrize(("silent", "hidden", "inputs"), [(True, 3, 5), (False, 5, 5)])
def test_the_invariant_subspace_is_as_small_as_it_can_be(silent, hidden, inputs):
    # d = 3000, h = 2000: rank 3, two outputs; nothing of size d x d or h x d is made
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2000, 3)), rng.standard_normal((3000, 3))
    readout = None if silent else rng.standard_normal((2, 2000)) / 40.0
    start = Network.from_factors(left / 50.0, right / 50.0, readout)
    task = Task.random(3000, 2, rng=rng)
    reduced = invariant_subspace(start, task)
    assert reduced.problem.first.shape == (1, hidden, inputs)
    # the same network in coordinates of its own
    q_left = np.linalg.qr(np.hstack([left] + ([] if silent else [readout.T])))[0]
    q_right = np.linalg.qr(np.hstack([right, task.cov_yx.T]))[0]
    small = Network(
        (q_left.T @ left / 50.0) @ (q_right.T @ right / 50.0).T,
        None if silent else readout @ q_left,
    )
    found, wanted = solve(start, task), solve(small, Task(task.cov_yx @ q_right))
    for name in ("weight_change", "representation_alignment", "loss"):
        one, other = getattr(found, name)([0.5, 3.0]), getattr(wanted, name)([0.5, 3.0])
        np.testing.assert_allclose(one, other, rtol=1e-8)
    state = found.at(1.0)
    assert (state.left.shape, state.right.shape) == ((2000, inputs), (3000, inputs))


def test_a_readout_inside_the_range_of_w1_adds_no_direction():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((8, 2)) @ rng.standard_normal((2, 6))
    readout = rng.standard_normal((1, 6)) @ first.T
    reduced = invariant_subspace(Network(first, readout), Task(np.ones(6)))
    assert reduced.problem.first.shape == (1, 2, 3)
    inside = Task(first[0])
    assert invariant_subspace(Network(first, readout), inside).problem.first.shape == (1, 2, 2)


def test_thin_and_dense_starts_reduce_alike():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((24, 4)) @ rng.standard_normal((4, 30))
    readout = rng.standard_normal((2, 24))
    task = Task.random(30, 2, rng=rng)
    thin = matrices.svd(first)
    assert isinstance(thin, Thin)
    for t in (0.1, np.inf):
        one, other = (solve(Network(w, readout), task).measures(t) for w in (first, thin))
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)
