"""`solve` by T5: against the flow, and what it says of itself."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import Network, Task, solve, spectrum
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.two_layer import flow

TIMES = np.array([0.0, 1e-4, 0.05, 0.5, 2.0, 10.0, 50.0, np.inf])


def flat(d, h, m, rank, norm, seed, strengths=None):
    rng = np.random.default_rng(seed)
    task = Task.random(d, m, rng=rng)
    if strengths is not None:
        modes = task.modes
        task = Task((modes.left * strengths) @ modes.right.T)
    start = Network.from_spectrum(spectrum.flat(rank, norm=norm), task=task, hidden=h, rng=rng)
    return start, task


CASES = {
    "equal strengths": flat(20, 10, 3, 5, 1.3, 0),
    "unequal strengths": flat(20, 10, 3, 5, 1.3, 1, (1.0, 0.7, 0.3)),
    "too low a rank": flat(20, 10, 3, 2, 1.3, 2, (1.0, 0.7, 0.3)),
    "full rank": flat(10, 10, 10, 10, 2.0, 3),
    "one direction": flat(30, 30, 5, 1, 1.0, 4, (2.0, 1.0, 0.5, 0.4, 0.3)),
    "small": flat(8, 6, 2, 4, 0.01, 5, (1.0, 0.5)),
    "large": flat(8, 6, 2, 4, 10.0, 6, (1.0, 0.5)),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_flow(name):
    start, task = CASES[name]
    exact, flow = solve(start, task, "riccati"), solve(start, task, "flow")
    assert solve(start, task).method in ("riccati (T5)", "closed modes (T3)")
    for field, got, want in zip(
        exact.measures(0.0)._fields, exact.measures(TIMES), flow.measures(TIMES), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=2e-9, atol=1e-12, err_msg=field)
    for t in (0.5, 10.0):
        got, want = exact.at(t), flow.at(t)
        np.testing.assert_allclose(got.first(), want.first(), atol=1e-9)
        np.testing.assert_allclose(got.readout, want.readout, atol=1e-9)
        np.testing.assert_allclose(exact.function(t), flow.function(t), atol=1e-9)


@pytest.mark.parametrize("name", ["unequal strengths", "too low a rank", "large"])
def test_many_times_are_those_asked_for_one_by_one(name):
    start, task = CASES[name]
    many = np.concatenate([[0.0], np.geomspace(1e-3, 200.0, 700), [np.inf]])
    solution = solve(start, task)
    got = (
        solution.loss(many),
        solution.kernel_alignment(many),
        solution.representation_alignment(many),
    )
    few = many[::50]
    want = (
        solution.loss(few),
        solution.kernel_alignment(few),
        solution.representation_alignment(few),
    )
    noise = 1e-11 + 1e-13 * task.strength / np.sqrt(np.maximum(want[0], 1e-26))
    assert np.all(np.abs(got[0][::50] - want[0]) <= noise * want[0] + 1e-26)
    for a, b in zip(got[1:], want[1:], strict=True):
        np.testing.assert_allclose(a[::50], b, rtol=0, atol=1e-11)


def test_tiny_changes_keep_their_digits():
    """To first order W2 moves by t E W1'; a difference of weights would know five digits of it."""
    start, task = CASES["unequal strengths"]
    t = 1e-11
    moved = solve(start, task).measures(t).weight_change_readout
    want = t * np.linalg.norm(task.cov_yx @ start.factors.right * start.factors.values)
    np.testing.assert_allclose(moved, want, rtol=1e-9)


def test_it_says_what_it_needed_and_what_it_will_not_learn():
    start, task = CASES["too low a rank"]
    solution = solve(start, task)
    words = " ".join(solution.assumptions)
    assert "white inputs" in words
    assert f"= {-(1.3**2) / 2:.6g} I on 2 hidden directions" in words
    assert "comes to rest with excess loss 0.045" in words
    np.testing.assert_allclose(solution.loss(), 0.5 * 0.3**2, rtol=1e-12)
    solution.weight_change(3.0)
    assert "weights by transport, estimated error" in solution.accuracy


def test_a_readout_that_speaks():
    """lambda-balanced at random angles, any sign of lambda; W2 first of all rows."""
    rng = np.random.default_rng(7)
    turn, right, left = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (5, 7, 4))
    task = Task(rng.standard_normal((4, 7)))
    for level in (-0.8, 0.0, 0.6):
        small = rng.uniform(0.2, 1.0, 4)
        large = np.sqrt(small**2 + abs(level))
        a, b = (small, large) if level >= 0 else (large, small)
        start = Network((turn[:, :4] * a) @ right[:, :4].T, (left * b) @ turn[:, :4].T)
        exact, flow = solve(start, task), solve(start, task, "flow")
        assert exact.method == "riccati (T5)"
        for got, want in zip(exact.measures(TIMES), flow.measures(TIMES), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-9, atol=1e-12)


def test_unbalanced_and_coloured_starts_are_refused_and_solve_goes_on():
    rng = np.random.default_rng(8)
    start, task = Network(rng.standard_normal((3, 4)), np.ones((2, 3))), Task(np.ones((2, 4)))
    with pytest.raises(AssumptionError, match="not lambda-balanced"):
        solve(start, task, "riccati")
    assert solve(start, task).method != "riccati (T5)"
    coloured = Task(np.ones((2, 4)), np.diag([1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(AssumptionError, match="needs white inputs"):
        solve(Network(np.eye(4)), coloured, "riccati")


def test_rotations_change_no_measure():
    start, task = CASES["unequal strengths"]
    rng = np.random.default_rng(9)
    turn_in, turn_hidden, turn_out = (
        np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (20, 10, 3)
    )
    first = matrices_of(start)
    turned = Network(turn_hidden @ first @ turn_in.T)
    there = Task(turn_out @ task.cov_yx @ turn_in.T)
    for got, want in zip(
        solve(turned, there).measures(TIMES), solve(start, task).measures(TIMES), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def matrices_of(start):
    thin = start.factors
    return (thin.left * thin.values) @ thin.right.T


@pytest.mark.parametrize("scale", [1e-4, 1e-8, 1e-20])
def test_small_starts_learn_their_modes_one_after_another(scale):
    """Weights that wait for others turn as rounding lets them: then the flow has them."""
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    start, task = Network(scale * np.eye(3), scale * turn), Task(np.diag([3.0, 2.0, 1.0]))
    solution = solve(start, task, "riccati")
    np.testing.assert_allclose(solution.readout(np.inf), np.diag([3.0, 2.0, 1.0]), atol=1e-12)
    assert solution.weight_change() == pytest.approx(np.sqrt(12.0), rel=3.0 * scale + 1e-9)
    why = "weights by the flow (the weights are known to" if scale < 1e-6 else "by transport"
    assert why in solution.accuracy


def test_a_few_weights_of_a_start_too_small_are_said_to_be_unknown():
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    start, task = Network(1e-40 * np.eye(3), 1e-40 * turn), Task(np.diag([3.0, 2.0, 1.0]))
    solution = solve(start, task, "riccati")
    assert solution.weight_change() == pytest.approx(np.sqrt(12.0), rel=1e-9)
    assert float(solution.accuracy.split("estimated error ")[1].split()[0]) > 1e-5


def test_a_start_too_small_for_its_weights_to_be_known(monkeypatch):
    monkeypatch.setattr(flow, "_FEW", 0)  # as of more weights
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    start, task = Network(1e-50 * np.eye(3), 1e-50 * turn), Task(np.diag([3.0, 2.0, 1.0]))
    solution = solve(start, task, "riccati")
    np.testing.assert_allclose(solution.loss(np.inf), 0.0, atol=1e-24)
    with pytest.raises(ConvergenceError, match="ask for them"):
        solution.weight_change()


def test_the_loss_is_known_where_it_is_large_though_rounding_has_it_in_the_end():
    solution = solve(Network([[1e-6]], [[1e-6]]), Task([[2.0]]), "riccati")
    times = np.linspace(0.0, 30.0, 1000)
    early = times[:400]
    alone = np.array([float(solution.loss(t)) for t in early])
    known = alone > 1e-3
    np.testing.assert_allclose(solution.loss(times)[:400][known], alone[known], rtol=1e-10)
