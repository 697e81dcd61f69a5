"""What a solution shares between threads, its records and its states."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from richlazy.recurrent import Network, Task, solve
from richlazy.recurrent.measures import Measures
from tests.theory.recurrent import cases

W = cases.random_recurrent(np.random.default_rng(0), 40, 0.8)
NET = Network.random(W, rng=1)
TASK = Task.random(4, rng=2)


@pytest.mark.parametrize("method", ["flow", "reduced"])
def test_eight_threads_get_what_one_does(method):
    times = [0.1, 0.4, 1.0, 3.0] * 6
    shared = solve(NET, TASK, method)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(shared.laziness, times))
    alone = {t: solve(NET, TASK, method).laziness(t) for t in set(times)}
    for t, found in zip(times, together, strict=True):
        wanted = alone[t]
        assert (found.time, found.accuracy, found.assumptions) == (
            t, wanted.accuracy, wanted.assumptions,
        )  # fmt: skip
        for name in Measures._fields:
            assert getattr(found, name) == getattr(wanted, name)


def test_nothing_is_said_before_anything_is_computed():
    found = solve(NET, TASK)
    assert (found.assumptions, found.error) == ((), None)
    assert found.accuracy == "nothing has been computed yet"
    found.loss(1.0)
    assert "trained: inputs, recurrent, readout" in found.assumptions
    assert f"agree to {found.error:.1e}" in found.accuracy


def test_every_method_is_its_measure():
    found = solve(NET, TASK)
    at = np.array([0.3, 2.0])
    for name, values in zip(Measures._fields, found.measures(at), strict=True):
        np.testing.assert_array_equal(getattr(found, name)(at), values)
        assert getattr(found.laziness(0.3), name) == pytest.approx(float(values[0]))


def test_the_record_gives_changes_relative_to_the_start():
    record = solve(NET, TASK).laziness(1.0)
    size = np.sqrt(np.sum(W**2))
    assert record.relative_weight_change_recurrent == pytest.approx(
        record.weight_change_recurrent / size
    )
    assert record.relative_weight_change == pytest.approx(
        record.weight_change / np.sqrt(size**2 + 2.0)
    )
    silent = solve(Network.random(0.0 * W, rng=1), TASK).laziness(1.0)
    assert silent.relative_weight_change_recurrent is None
    plain = solve(NET, TASK).laziness().to_dict()
    assert plain["time"] == "inf"
    assert plain["loss"] == float(plain["loss"])
    assert isinstance(plain["assumptions"], list)


def test_a_state_is_thin_where_the_network_was_reduced():
    state = solve(NET, TASK, "reduced", tolerance=0.1).at(1.0)
    assert state.left.shape[0] == 40
    assert state.left.shape[1] < 40
    np.testing.assert_allclose(state.recurrent() - W, state.left @ state.right.T, atol=1e-14)


def test_weights_are_known_to_what_leaks_where_measures_are_to_its_square():
    wanted = solve(NET, TASK, "flow").at(1.0)
    for tolerance in (3e-2, 1e-3):
        found = solve(NET, TASK, "reduced", tolerance=tolerance)
        state, leak = found.at(1.0), found._found(np.array([1.0])).reduced.leak
        assert state.left.shape[1] < 40
        wrong = max(
            np.linalg.norm(state.inputs - wanted.inputs),
            np.linalg.norm(state.recurrent() - wanted.recurrent()),
            np.linalg.norm(state.readout - wanted.readout),
        )
        assert found.error < leak
        assert 0.01 * leak < wrong < 10.0 * leak
        assert f"weights themselves: {leak:.1e}, what leaks" in found.accuracy


@pytest.mark.parametrize("method", ["flow", "reduced"])
def test_what_a_caller_does_to_a_state_reaches_no_other(method):
    found = solve(NET, TASK, method)
    wanted = found.at(1.0).recurrent()
    state = found.at(1.0)
    for values in (state.inputs, state.left, state.right, state.readout):
        values[:] = 7.0
    np.testing.assert_array_equal(found.at(1.0).recurrent(), wanted)
    assert not np.any(NET.inputs == 7.0)


def test_a_large_state_is_not_made_dense():
    from scipy.sparse import csr_array

    net = Network.random(csr_array((6000, 6000)), rng=0)
    state = solve(net, Task([1.0, 0.5])).at(0.5)
    with pytest.raises(ValueError, match="dense 6000 x 6000 result is refused"):
        state.recurrent()


@pytest.mark.parametrize("largest", [40, 39])
def test_what_is_dense_is_no_larger_than_said(largest, monkeypatch):
    monkeypatch.setattr("richlazy.recurrent.solution._DENSE_SIZE", largest)
    state = solve(NET, TASK).at(0.1)
    if largest == 40:
        assert state.recurrent().shape == (40, 40)
    else:
        with pytest.raises(ValueError, match=r"a dense 40 x 40 result is refused \(over 39\)"):
            state.recurrent()
