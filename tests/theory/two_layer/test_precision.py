"""Weights far below the largest, near ties and near misses: right, or said, by every route."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from richlazy import Task, solve
from richlazy.errors import AssumptionError
from richlazy.start.network import Network
from richlazy.two_layer.sequences import sequence
from tests.theory.two_layer.exact_flow import exact
from tests.theory.two_layer.stated import stated, worst

EVERY = ("modes", "closed form", "riccati", "krylov", "flow", None)


def answers(start, task, routes=EVERY):
    found = {}
    for method in routes:
        try:
            found[method] = solve(start, task, method)
        except AssumptionError:
            continue
    return found


# Hidden units far below the largest


@pytest.mark.parametrize("weak", [5e-13, 5e-14, 1e-15])
def test_a_weak_unit_learns_the_task_in_the_end(weak):
    """W1 = diag(1, w), silent, cov_yx = (1e-13, 1): unit 2 learns, ||dW||^2 = 2, KA = 1/sqrt 2.

    By T6 of the weak unit alone, as w -> 0: both its layers grow to 1, so ||dW||^2 = 2,
    tr K_0 K = R_11^2 + tr R_0 tr B = 1 + 1, ||K_0|| = 1 and ||K||^2 = 2 + 2*2 + 2.
    """
    start, task = Network(np.diag([1.0, weak])), Task([[1e-13, 1.0]])
    found = answers(start, task)
    assert {"krylov", "flow", None} <= set(found)
    for method, solution in found.items():
        assert float(solution.weight_change()) == pytest.approx(np.sqrt(2.0), rel=1e-7), method
        assert float(solution.kernel_alignment()) == pytest.approx(np.sqrt(0.5), rel=1e-7), method
        assert float(solution.loss()) < 1e-16, method


@pytest.mark.parametrize("weak", [5e-13, 5e-14, 1e-15, 5e-17, 1e-30])
def test_a_weak_unit_alone_with_its_task(weak):
    start, task = Network(np.diag([1.0, weak])), Task([[0.0, 1.0]])
    times = np.array([1.0, 20.0, 45.0])
    wanted = exact(start.first, np.zeros((1, 2)), task.cov_yx, times)
    found = answers(start, task)
    assert {"modes", "closed form", "krylov", "flow"} <= set(found)
    for method, solution in found.items():
        ratio, which = worst(solution, times, wanted)
        assert ratio <= 10.0, (method, which)
        assert stated(solution.accuracy)[0] < 1e-6
        assert float(solution.kernel_alignment()) == pytest.approx(np.sqrt(0.5), rel=1e-9)
    if weak < 1e-16:
        words = " ".join(found["flow"].assumptions)
        assert f"directions of W1 down to {weak:.0e} of its largest are taken as given" in words


def test_what_a_rotation_hides_of_a_weak_unit_is_said():
    """The chain from the task (1e-13, 1) mixes the units; of 5e-17 beside 1 nothing is left."""
    start, task = Network(np.diag([1.0, 5e-17])), Task([[1e-13, 1.0]])
    krylov = solve(start, task, "krylov")
    krylov.loss()
    words = " ".join(krylov.assumptions)
    lost = re.search(r"what lies beyond is at most ([\d.e-]+) of W1, taken for rounding", words)
    assert 1e-17 < float(lost[1]) < 1e-15
    # nothing is rotated where all units and inputs move: that is what `solve` prefers
    chosen = solve(start, task)
    assert chosen.method == "flow (T11)"
    times = np.array([1.0, 10.0, 30.0])
    ratio, which = worst(chosen, times, exact(start.first, np.zeros((1, 2)), task.cov_yx, times))
    assert ratio <= 10.0, which


@pytest.mark.parametrize("weak", [1e-7, 1e-10])
def test_balance_is_judged_beside_the_units_that_it_couples(weak):
    """A silent weak unit beside a balanced one: 1e-13 ||W||^2 would have taken it for balanced."""
    start = Network(np.diag([1.0, weak]), np.diag([1.0, 0.0]))
    task = Task([[2.0, 0.3], [0.4, 1.7]])
    times = np.array([2.0, 8.0, 16.0])
    wanted = exact(start.first, start.readout, task.cov_yx, times)
    for method, solution in answers(start, task).items():
        ratio, which = worst(solution, times, wanted)
        assert ratio <= 10.0, (method, which)
    # coupled to the strong unit by as much as itself: not balanced, whatever ||W|| is
    with pytest.raises(AssumptionError, match="not lambda-balanced"):
        solve(Network([[1.0, 0.0], [1e-9, 1e-9]], [[1.0, 0.0], [0.0, 0.0]]), task, "riccati")


def test_weak_modes_that_the_closed_form_blurs_are_left_to_the_flow():
    """Balanced units of 1, 1e-4, 1e-10: rotated, an overlap of 1e-11 is neither one nor none."""
    rng = np.random.default_rng(0)
    weights = np.diag([1.0, 1e-4, 1e-10])
    start = Network(weights, weights)
    task = Task(np.diag([1.0, 0.9, 0.5]) @ np.linalg.qr(rng.standard_normal((3, 3)))[0])
    with pytest.raises(AssumptionError, match="which rounding in the closed form cannot tell"):
        solve(start, task, "riccati")
    times = np.array([5.0, 40.0])
    ratio, which = worst(solve(start, task), times, exact(weights, weights, task.cov_yx, times))
    assert ratio <= 10.0, which


def test_opposite_layers_are_on_the_way_to_a_saddle_only_to_their_own_rounding():
    a = 3e-9
    for gap, kept in ((1e-7, False), (0.0, True)):
        start = Network(np.diag([1.0, a]), np.diag([0.5, -a * (1.0 - gap)]))
        task = Task(np.diag([2.0, 1.0]))
        found = answers(start, task)
        words = " ".join(found["modes"].assumptions)
        assert ("on the path into a saddle" in words) == kept
        if not kept:
            times = np.array([1.0, 20.0, 45.0])
            wanted = exact(start.first, start.readout, task.cov_yx, times)
            for method, solution in found.items():
                ratio, which = worst(solution, times, wanted)
                assert ratio <= 10.0, (method, which)
                assert float(solution.loss()) < 1e-16


def test_a_silent_start_is_not_called_at_a_saddle():
    for start in (np.diag([0.5, 0.3]), np.diag([0.5, 1e-13]), np.diag([1.0, 1e-30])):
        found = solve(Network(start), Task(np.diag([2.0, 1.0])))
        assert found.method == "closed modes (T3)"
        assert "silent readout" in found.assumptions
        assert not any("saddle" in words for words in found.assumptions)
    asleep = solve(Network(np.diag([0.5, 0.0])), Task(np.diag([2.0, 1.0])))
    assert "task modes at a saddle, without weight in either layer: 1" in asleep.assumptions


def test_weights_of_a_mode_that_are_taken_for_rounding_are_said():
    rng = np.random.default_rng(0)
    r, v = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
    start = Network((r * [1.0, 0.5, 1e-17]) @ v.T)
    found = solve(start, Task((r * [2.0, 1.0, 0.5]) @ v.T), "modes")
    words = " ".join(found.assumptions)
    assert "without weight in either layer: 1" in words
    told = re.search(r"weights of up to ([\d.e-]+) of their layer's norm in such modes", words)
    assert float(told[1]) < 1e-14


def test_modes_that_the_start_hardly_touches_are_said_at_every_time():
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (2, 5))
    rows = rng.standard_normal((4, 3)) @ v[:, 1:4].T  # the second mode lies in v[:, 4]
    task = Task((u * [2.0, 1.0]) @ v[:, [1, 4]].T)
    for method in ("flow", "krylov"):
        found = solve(Network(rows), task, method)
        assert float(found.loss(1.0)) > 0.5
        words = " ".join(found.assumptions)
        assert re.search(
            r"by no more than rounding, [\d.e-]+ of its weights, .*: 1$", words[:400]
        ) or ("by no more than rounding" in words), method
        assert float(found.loss()) == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize("tie", [1e-11, 1e-9, 1e-7, 1e-5])
def test_near_ties_stay_closed_modes(tie):
    rng = np.random.default_rng(2)
    turns = [np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(3)]
    v, r, u = turns
    ladder = 1.0 + tie * np.arange(4)
    for a, b, s in ((ladder, 0.3 * ladder, ladder), (ladder, 0.3, 1.0), (0.7, 0.2 * ladder, 1.0)):
        a, b, s = (np.broadcast_to(x, 4) for x in (a, b, s))
        start = Network((r * a) @ v.T, (u * b) @ r.T)
        found = solve(start, Task((u * s) @ v.T))
        assert found.method == "closed modes (T3)"
        wanted = solve(start, Task((u * s) @ v.T), "flow").measures(1.5)
        np.testing.assert_allclose(found.measures(1.5), wanted, rtol=1e-8)


# Starts that are nearly orthogonal to the task


@pytest.mark.parametrize("overlap", [1e-4, 1e-8, 1e-10])
@pytest.mark.parametrize("turned", [False, True])
def test_near_orthogonal_starts_know_what_rounding_leaves_of_the_overlap(overlap, turned):
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0] if turned else np.eye(4)
    first = 0.8 * turn[:1]
    start, task = Network(first), Task(overlap * turn[0] + turn[1])
    times = np.array([1.0, 10.0, 30.0])
    wanted = exact(first, np.zeros((1, 1)), task.cov_yx, times)
    found = answers(start, task)
    assert {"riccati", "krylov", "flow", None} <= set(found)
    for method, solution in found.items():
        ratio, which = worst(solution, times, wanted)
        assert ratio <= 10.0, (method, which)
        told = stated(solution.accuracy)[0]
        assert told < 1e-13 / overlap + 1e-5
        if turned and method in ("krylov", "riccati"):
            assert told > 1e-16 / overlap
    if not turned:  # entries are known to their own digits
        assert stated(found["closed form"].accuracy)[0] <= 1e-11


# What else a solution hands out


def test_the_loss_is_told_on_its_own_scale():
    rng = np.random.default_rng(4)
    start = Network(rng.standard_normal((3, 3)) / 2.0, rng.standard_normal((2, 3)) / 2.0)
    task, times = Task(rng.standard_normal((2, 3))), np.array([0.5, 4.0, 12.0, 30.0])
    wanted = exact(start.first, start.readout, task.cov_yx, times)
    assert wanted.loss[-1] < 1e-12 * wanted.loss[0]
    for method in answers(start, task):
        for at, want in zip(times, wanted.loss, strict=True):
            one = solve(start, task, method)
            value, (_, relative, floor) = float(one.loss(at)), stated(one.accuracy)
            assert abs(value - want) <= 10.0 * max(relative * want, floor), (method, at)
            assert max(relative * want, floor) < 1e-2 * want + 1e-18, (method, at)


def test_each_layers_change_is_told_on_its_own_scale():
    """Early on, through a silent readout, W1 moves by t^2 and W2 by t."""
    rng = np.random.default_rng(5)
    start, task = Network(rng.standard_normal((3, 3))), Task(rng.standard_normal((2, 3)))
    times = np.array([1e-9, 1e-5])
    wanted = exact(start.first, np.zeros((2, 3)), task.cov_yx, times)
    assert wanted.weight_change_input[0] < 1e-8 * wanted.weight_change_readout[0]
    for method, solution in answers(start, task).items():
        ratio, which = worst(solution, times, wanted)
        assert ratio <= 10.0, (method, which)
        assert stated(solution.accuracy)[0] < 1e-6, method
    rows = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    balanced = answers(Network(rows), task)
    wanted = exact(rows, np.zeros((2, 3)), task.cov_yx, np.array([1e-3, 1.0]))
    ratio, which = worst(balanced["riccati"], np.array([1e-3, 1.0]), wanted)
    assert ratio <= 10.0, which


@pytest.mark.parametrize("outputs", [1, 2])
def test_what_is_estimated_of_an_operator_is_in_the_accuracy(outputs):
    n, rng = 2500, np.random.default_rng(6)
    sparse = sp.random_array((n, n), density=4.0 / n, rng=rng).tocsr()
    task = Task.random(n, outputs, rng=rng)
    exactly = solve(Network(sparse), task).laziness(1.0)
    told = solve(Network(aslinearoperator(sparse)), task).laziness(1.0)
    off = abs(told.kernel_alignment - exactly.kernel_alignment) / exactly.kernel_alignment
    relative = stated(told.accuracy)[0]
    assert off > 1e-6  # the traces are guesses
    assert off < 10.0 * relative < 0.1
    size = exactly.relative_weight_change
    assert abs(told.relative_weight_change - size) / size < 10.0 * relative
    assert stated(exactly.accuracy)[0] < 1e-7
    words = " ".join(told.assumptions)
    for name in ("tr R_0 ", "tr R_0^2 "):
        assert re.search(
            re.escape(name) + r"is a stochastic estimate, standard error [\d.e-]+", words
        )
    assert "stochastic" not in " ".join(exactly.assumptions)


def test_precision_survives_training():
    """What rank 2 cannot learn of the first task it cannot learn of the second either."""
    rng = np.random.default_rng(7)
    stored = (rng.standard_normal((6, 2)) @ rng.standard_normal((2, 5))).astype(np.float32)
    tasks = [
        Task(np.diag([1.0, 0.9, 0.8]) @ np.eye(3, 5)),
        Task(np.diag([0.8, 1.0, 0.9]) @ np.eye(3, 5)),
    ]
    run = sequence(Network(stored / np.linalg.norm(stored)), tasks)
    assert run.stages[0].end.precision == np.finfo(np.float32).eps
    np.testing.assert_allclose(np.diag(run.losses)[0], 0.32, rtol=1e-6)
