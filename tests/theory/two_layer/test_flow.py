"""T11: the integrator against SciPy, closed forms, its own generator and its limits."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from richlazy import low_rank, spectrum
from richlazy.errors import AssumptionError, ConvergenceError
from richlazy.integration import march
from richlazy.start.matrices import forward
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer import flow
from richlazy.two_layer.flow import Problem, integrate
from richlazy.two_layer.solve import solve

SCALES = [1e-3, 0.1, 1.0, 10.0]


def by_flow(start, task):
    return solve(start, task, method="flow")


def saddle_note(solution):
    return any("comes to rest with excess loss" in a for a in solution.assumptions)


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("scale", SCALES)
def test_measures_and_weights_agree_with_scipy(
    scale, white, silent, random_case, reference_weights, dense_measures, largest_error
):
    rng = np.random.default_rng([SCALES.index(scale), white, silent])
    for _ in range(2):
        start, task = random_case(rng, scale, white=white, silent=silent)
        times = np.array([0.02, 0.3, 2.0, 8.0, 20.0])
        solution = by_flow(start, task)
        found = solution.measures(times)
        weights = reference_weights(start, task, times)
        exact = [dense_measures(start, task, *w) for w in weights]
        wanted = type(found)(*np.array(exact).T)
        assert largest_error(found, wanted, loss=solution.loss(0.0)) < 1e-8
        state, (w1, w2) = solution.at(2.0), weights[2]
        change = wanted.weight_change[2]
        assert np.linalg.norm(state.first() - w1) < 1e-8 * change
        assert np.linalg.norm(state.readout - w2) < 1e-8 * change


@pytest.mark.parametrize("white", [True, False])
def test_many_times_at_once_are_the_same_as_one_by_one(white, random_case):
    start, task = random_case(np.random.default_rng(3), 1.0, white=white, silent=False)
    # hundreds of times share a step, so that they are evaluated in several parts
    times = np.r_[0.0, np.geomspace(1e-3, 50.0, 300), np.linspace(2.0, 2.001, 200), np.inf]
    times = np.random.default_rng(0).permutation(times).reshape(2, -1)
    together = by_flow(start, task).measures(times)
    for place in [(0, 0), (0, 7), (1, 30), (1, 250)]:
        alone = by_flow(start, task).measures(times[place])
        for one, many in zip(alone, together, strict=True):
            assert many.shape == times.shape
            assert many[place] == pytest.approx(one, rel=1e-12, abs=1e-25)


@pytest.mark.parametrize(("inputs", "rank", "alignment"), [(40, 5, 0.3), (40, 20, 0.5), (10, 2, 1)])
def test_a_stiff_start_against_the_closed_form(inputs, rank, alignment, largest_error):
    rng = np.random.default_rng(rank)
    task = Task.random(inputs, 1, rng=rng)
    start = Network.from_spectrum(
        spectrum.flat(rank, 100.0), task=task, hidden=inputs, alignment=alignment, rng=rng
    )
    # lazy learning is over at 1e-3; the rotation that follows takes until 1e4
    times = np.r_[np.geomspace(1e-6, 1e5, 12), np.inf]
    found, exact = by_flow(start, task).measures(times), solve(start, task).measures(times)
    assert largest_error(found, exact, loss=0.5) < 1e-8


def test_a_stiff_start_with_a_readout_against_radau(
    random_case, reference_weights, dense_measures, largest_error
):
    start, task = random_case(
        np.random.default_rng(1), 30.0, white=False, silent=False, inputs=4, hidden=5, outputs=2
    )
    times = np.array([1e-4, 1e-2, 1.0])
    weights = reference_weights(start, task, times, method="Radau")
    found = by_flow(start, task).measures(times)
    wanted = type(found)(*np.array([dense_measures(start, task, *w) for w in weights]).T)
    assert largest_error(found, wanted) < 1e-8


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("white", [True, False])
def test_infinity_is_where_the_flow_no_longer_moves(scale, white, random_case, largest_error):
    rng = np.random.default_rng([int(1e3 * scale), white])
    for silent in (True, False):
        start, task = random_case(rng, scale, white=white, silent=silent)
        solution = by_flow(start, task)
        late = np.array([1e9 * max(scale, 1.0) ** 2, np.inf])
        found = solution.measures(late)
        assert largest_error([v[0] for v in found], [v[1] for v in found]) < 1e-9
        assert found.loss[1] < 1e-16 * solution.loss(0.0)
        assert not saddle_note(solution)
        state = solution.at(np.inf)
        error = task.cov_yx - state.readout @ state.first() @ _covariance(task)
        speed = np.linalg.norm(state.readout.T @ error) + np.linalg.norm(error @ state.first().T)
        assert speed < 1e-7 * max(scale, 1.0) * task.strength


def _covariance(task):
    return np.eye(task.inputs) if task.cov_xx is None else task.cov_xx


def test_infinity_waits_for_the_slow_rotation_of_a_large_misaligned_start(largest_error):
    # after the fast, lazy phase 0.2 % of the error decays at rate (strength / norm)^2 = 1e-6
    rng = np.random.default_rng(0)
    task = Task.random(6, 2, rng=rng)
    start = Network.from_spectrum(spectrum.flat(3, 1e3), task=task, hidden=5, rng=rng)
    solution = by_flow(start, task)
    found = solution.measures(np.array([1e9, np.inf]))
    assert largest_error([v[0] for v in found], [v[1] for v in found]) < 1e-9
    assert found.loss[1] < 1e-16


@pytest.mark.parametrize("weak", [1e-3, 1e-6, 1e-10])
def test_infinity_waits_for_the_weaker_mode_of_a_tiny_start(weak):
    # between the two modes the flow all but rests; each of them is one neuron of T6
    start, task = Network(np.diag([0.1, weak])), Task(np.diag([2.0, 0.3]))
    solution = by_flow(start, task)
    leaves = np.log(1.0 / weak) / 0.3
    times = np.array([0.5 * leaves, leaves, leaves + 5.0, np.inf])
    each = [
        low_rank.measures(1, 1, alignment=1.0, norm=norm, strength=strength, t=times)
        for norm, strength in ((0.1, 2.0), (weak, 0.3))
    ]
    change = solution.weight_change(times)
    wanted = np.sqrt(sum(one.weight_change**2 for one in each))
    assert change[-1] == pytest.approx(wanted[-1], rel=1e-9)
    assert solution.loss() < 1e-16
    assert not saddle_note(solution)
    # errors made on the plateau grow with the mode: fewer digits, and accuracy says how many
    stated = float(re.search(r"agree to ([\d.e+-]+) relative", solution.accuracy)[1])
    assert np.max(np.abs(change / wanted - 1.0)) < stated < 1e-10 / weak * 100.0


def test_weights_near_rounding_that_would_grow_are_waited_for():
    # the error left is out of reach of the Gauss-Newton step, but this is no minimum
    first, task = np.diag([0.1, 1e-16])[None], np.diag([2.0, 0.3])[None]
    problem = Problem(first, np.zeros((1, 2, 2)), task, None)
    ((_, change),) = integrate(problem, np.array([np.inf]), 1e-10)
    np.testing.assert_allclose(change.readout[0] @ (first + change.first)[0], task[0], atol=1e-9)


@pytest.mark.parametrize("shape", ["flat", "power law"])
def test_a_start_orthogonal_to_the_task_rests_at_the_saddle(shape):
    rng = np.random.default_rng(0)
    task = Task.random(12, 1, rng=rng)
    s = spectrum.flat(3) if shape == "flat" else spectrum.power_law(3, 1.0)
    start = Network.from_spectrum(s, task=task, hidden=8, alignment=0.0, rng=rng)
    for method in (None, "krylov", "closed form", "flow"):
        solution = solve(start, task, method)
        found = solution.measures(np.array([1.0, 1e6, np.inf]))
        np.testing.assert_array_equal(found.weight_change, 0.0)
        np.testing.assert_allclose(found.kernel_alignment, 1.0, rtol=1e-14)
        np.testing.assert_allclose(found.loss, 0.5, rtol=1e-14)
        assert any("at a saddle" in a for a in solution.assumptions)


@pytest.mark.parametrize("strengths", [(2.0, 1.0), (3.0, 0.1), (1.0, 1.0)])
def test_a_start_orthogonal_to_the_strongest_mode_never_learns_it(strengths, rotation):
    # rounding must not wake the mode either, however long the wait
    rng = np.random.default_rng(1)
    left, right = rotation(2, rng), rotation(10, rng)[:, :2]
    task = Task((left * strengths) @ right.T)
    alone = Task(strengths[1] * np.outer(left[:, 1], right[:, 1]))
    first = rng.standard_normal((8, 10))
    first -= np.outer(first @ right[:, 0], right[:, 0])
    times = np.array([1.0, 30.0, 1e4, np.inf])
    solution, other = solve(Network(first), task), solve(Network(first), alone)
    found, wanted = solution.measures(times), other.measures(times)
    lost = 0.5 * strengths[0] ** 2
    np.testing.assert_allclose(found.weight_change, wanted.weight_change, rtol=1e-9)
    np.testing.assert_allclose(found.kernel_alignment, wanted.kernel_alignment, rtol=1e-9)
    np.testing.assert_allclose(found.loss, wanted.loss + lost, rtol=1e-9)
    assert saddle_note(solution)
    assert not saddle_note(other)


def test_a_mode_that_only_the_readout_touches_is_learned(rotation):
    rng = np.random.default_rng(2)
    left, right = rotation(2, rng), rotation(6, rng)[:, :2]
    task = Task((left * [2.0, 1.0]) @ right.T)
    first = rng.standard_normal((5, 6))
    first -= np.outer(first @ right[:, 0], right[:, 0])
    solution = solve(Network(first, rng.standard_normal((2, 5))), task)
    assert solution.loss() < 1e-16


@pytest.mark.parametrize("hidden", [1, 2])
def test_too_few_hidden_units_rest_at_the_strongest_modes(hidden, rotation):
    # the rest is a minimum with error left in it, not a saddle: the answer is Eckart-Young
    rng = np.random.default_rng(hidden)
    strengths = np.array([2.0, 1.0, 0.4])
    task = Task((rotation(3, rng) * strengths) @ rotation(7, rng)[:, :3].T)
    start = Network(0.3 * rng.standard_normal((hidden, 7)), rng.standard_normal((3, hidden)))
    solution = solve(start, task)
    left, values, right = (v[..., :hidden] for v in (task.modes.left, strengths, task.modes.right))
    assert solution.loss() == pytest.approx(0.5 * np.sum(strengths[hidden:] ** 2), rel=1e-9)
    np.testing.assert_allclose(solution.function(np.inf), (left * values) @ right.T, atol=1e-8)
    assert saddle_note(solution)
    assert solution.weight_change(1e6) == pytest.approx(float(solution.weight_change()), rel=1e-9)


def test_a_zero_start_rests():
    task = Task.random(5, 2, rng=np.random.default_rng(0))
    solution = solve(Network(np.zeros((3, 5))), task)
    np.testing.assert_array_equal(solution.weight_change([1.0, np.inf]), 0.0)
    assert solution.loss() == pytest.approx(0.5)
    record = solution.laziness()
    assert record.kernel_alignment is None
    assert record.relative_weight_change is None


def test_a_start_that_has_learned_the_task_rests(random_case):
    start, _ = random_case(np.random.default_rng(0), 1.0, silent=False, outputs=2)
    solution = solve(start, Task(start.readout @ start.first))
    np.testing.assert_allclose(solution.weight_change([1.0, np.inf]), 0.0, atol=1e-14)
    np.testing.assert_allclose(solution.kernel_alignment([1.0, np.inf]), 1.0, rtol=1e-13)


@pytest.mark.parametrize("white", [True, False])
def test_the_solution_moves_as_the_gradient_says(white, random_case):
    start, task = random_case(np.random.default_rng(4), 1.0, white=white, silent=False, outputs=2)
    solution, h = by_flow(start, task), 2e-3
    for t in (0.1, 1.0, 3.0):
        states = [solution.at(t + k * h) for k in (-2, -1, 0, 1, 2)]
        stencil = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / (12.0 * h)
        w1, w2 = states[2].first(), states[2].readout
        error = task.cov_yx - w2 @ w1 @ _covariance(task)
        moved1 = sum(k * s.first() for k, s in zip(stencil, states, strict=True))
        moved2 = sum(k * s.readout for k, s in zip(stencil, states, strict=True))
        size = np.linalg.norm(error @ w1.T)
        np.testing.assert_allclose(moved1, w2.T @ error, atol=1e-7 * size)
        np.testing.assert_allclose(moved2, error @ w1.T, atol=1e-7 * size)


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_restarting_is_going_on(scale, white, random_case):
    start, task = random_case(
        np.random.default_rng([6, white]), scale, white=white, outputs=2, inputs=6, hidden=5
    )
    solution = by_flow(start, task)
    half = solution.at(1.5)
    rest = by_flow(Network(half.first(), half.readout), task)
    for t in (0.5, 4.0, np.inf):
        end, direct = rest.at(t), solution.at(1.5 + t)
        size = solution.weight_change(1.5 + t)
        assert np.linalg.norm(end.first() - direct.first()) < 1e-8 * size
        assert np.linalg.norm(end.readout - direct.readout) < 1e-8 * size


@pytest.mark.parametrize("scale", SCALES)
def test_d_hardly_drifts(scale, random_case):
    for white in (True, False):
        start, task = random_case(np.random.default_rng(8), scale, white=white, silent=False)
        solution = by_flow(start, task)
        assert all(solution.drift(t) < 1e-9 for t in (0.5, 5.0, np.inf))


def test_drift_is_the_relative_change_of_d(random_case, monkeypatch):
    # of weights that are no solution, told apart in the small network and in the large one
    start, task = random_case(np.random.default_rng(8), 1.0, silent=False)
    solution = by_flow(start, task)
    (change,) = solution._route.changes(np.array([1.0]))
    wrong = change._replace(first=2.0 * change.first, readout=0.5 * change.readout)
    monkeypatch.setattr(solution._route, "changes", lambda at: [wrong])
    state = solution.at(1.0)
    w1, w2 = state.first(), state.readout
    moved = w2.T @ w2 - w1 @ w1.T - start.conserved
    expected = np.linalg.norm(moved) / (np.sum(w1**2) + np.sum(w2**2))
    assert expected > 0.01
    assert solution.drift(1.0) == pytest.approx(expected, rel=1e-10)


def test_inputs_without_variance_in_some_directions(
    reference_weights, dense_measures, largest_error
):
    rng = np.random.default_rng(0)
    for d in (5, 30):
        task = Task.from_data(rng.standard_normal((d // 2, d)), rng.standard_normal((d // 2, 2)))
        start = Network(rng.standard_normal((6, d)) / d)
        solution = solve(start, task)
        (weights,) = reference_weights(start, task, [2.0])
        wanted = dense_measures(start, task, *weights)
        found = solution.measures(2.0)
        assert largest_error(found, wanted, loss=solution.loss(0.0)) < 1e-8
        assert solution.loss() < 1e-16


def stacked(problems):
    return Problem(
        *(np.concatenate(parts) for parts in list(zip(*problems, strict=True))[:3]), None
    )


def test_a_stack_of_networks_is_each_of_them():
    # a network at rest waits for the others
    rng = np.random.default_rng(0)
    problems = [
        Problem(
            scale * rng.standard_normal((1, 3, 4)),
            scale * rng.standard_normal((1, 2, 3)),
            strength * rng.standard_normal((1, 2, 4)),
            None,
        )
        for scale, strength in ((1.0, 1.0), (0.01, 0.2), (5.0, 1.0))
    ]
    times = np.array([0.5, 20.0, np.inf])
    together = [change for _, change in integrate(stacked(problems), times, 1e-10)]
    for n, problem in enumerate(problems):
        for (_, alone), all_of_them in zip(integrate(problem, times, 1e-10), together, strict=True):
            size = np.linalg.norm(alone.first)
            np.testing.assert_allclose(all_of_them.first[n], alone.first[0], atol=1e-8 * size)
    assert together[-1].stationary.all()
    assert not together[0].stationary.any()


@pytest.mark.parametrize("rtol", [1e-6, 1e-8])
def test_the_error_follows_the_tolerance(rtol, random_case, reference_weights):
    start, task = random_case(np.random.default_rng(5), 1.0, silent=False, outputs=2)
    problem = Problem(start.first[None], start.readout[None], task.cov_yx[None], None)
    ((w1, _),) = reference_weights(start, task, [3.0])
    ((_, change),) = integrate(problem, np.array([3.0]), rtol)
    size = np.linalg.norm(w1 - start.first)
    assert np.linalg.norm(start.first + change.first[0] - w1) < 10.0 * rtol * size


def test_a_flow_that_does_not_settle_is_an_error_and_says_where(monkeypatch, random_case):
    start, task = random_case(np.random.default_rng(0), 1.0)
    monkeypatch.setattr(flow, "_ENOUGH", 5)
    with pytest.raises(ConvergenceError, match=r"did not settle in 5 steps \(t = [\d.e-]+\)"):
        by_flow(start, task).loss()


@pytest.mark.parametrize("norm", [1e6, 1e17])
def test_a_start_too_lazy_for_float64_is_an_error_and_not_an_early_rest(norm, random_case):
    # at norm^2/strength = 1e12 what is left after the lazy phase decays at rate 1e-12
    start, task = random_case(np.random.default_rng(0), norm, inputs=6, hidden=4, outputs=2)
    solution = by_flow(start, task)
    assert solution.loss(10.0 / norm**2) > 1e-3
    with pytest.raises(AssumptionError, match="lazy limit"):
        solution.loss()


@pytest.mark.parametrize("scale", [1e-74, 1e-30, 1e-8, 1e4])
@pytest.mark.parametrize("strength", [1e-30, 1.0, 1e30])
def test_nothing_but_finite_numbers_comes_out(scale, strength, monkeypatch):
    monkeypatch.setattr(march, "_MAX_STEPS", 500)
    rng = np.random.default_rng(0)
    first, readout = rng.standard_normal((4, 5)), rng.standard_normal((2, 4))
    for m, start in ((1, Network(scale * first)), (2, Network(scale * first, scale * readout))):
        task = Task(strength * rng.standard_normal((m, 5)))
        for t in (1e-3 / strength, 10.0 / strength):
            try:
                assert np.all(np.isfinite(by_flow(start, task).measures(t)))
            except ConvergenceError:  # norm^2 / strength of 1e38, and t far from its first moves
                assert scale**2 / strength > 1e30
                assert t > 1.0 / scale**2


@pytest.mark.parametrize(
    ("first", "readout", "task"), [(1e40, 0.0, 1.0), (1.0, 1e40, 1.0), (1.0, 1.0, 1e74 + 1e75 / 2)]
)
def test_weights_whose_powers_overflow_are_refused(first, readout, task):
    start = Network([[0.0, first, 0.0]], [[readout]])
    largest = max(first, readout, np.sqrt(task))
    with pytest.raises(AssumptionError, match=r"must be below 1e\+37.*rescale both") as caught:
        by_flow(start, Task([0.0, task, 0.0])).loss(1.0)
    assert f"they reach {largest:g}:" in str(caught.value)


def test_products_beyond_the_first_step_use_the_start_as_given():
    # linear in time at the very first instant: dW2 = t cov_yx W1', dW1 of second order
    rng = np.random.default_rng(0)
    start, task = Network(rng.standard_normal((4, 6))), Task(rng.standard_normal((2, 6)))
    t = 1e-9
    found = by_flow(start, task).measures(t)
    speed = np.linalg.norm(task.cov_yx @ forward(start.first, np.eye(6)).T)
    assert found.weight_change_readout == pytest.approx(t * speed, rel=1e-7)
    second = 0.5 * np.linalg.norm(start.first @ task.cov_yx.T @ task.cov_yx)
    assert found.weight_change_input == pytest.approx(t**2 * second, rel=1e-6)


def least_of_rank(task, rank):
    """Excess loss of the best map of this rank: what is left of the whitened task's strengths."""
    strengths = np.linalg.svd(task.whitened, compute_uv=False)
    return 0.5 * float(np.sum(strengths[rank:] ** 2))


def learned_to_the_end(start, task, steps):
    """The flow to t = infinity, in few steps, with what it conserves (T1) kept."""
    solution = by_flow(start, task)
    reached = solution.at(np.inf)
    first, readout = reached.first(), reached.readout
    size = np.linalg.norm(first) ** 2 + np.linalg.norm(readout) ** 2
    kept = readout.T @ readout - first @ first.T - start.conserved
    assert np.linalg.norm(kept) < 1e-8 * size
    small, points = solution._route.reduced.problem, []
    frozen = flow._Frozen
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "_Frozen", lambda *a: points.append(a) or frozen(*a))
        list(integrate(small, np.array([np.inf]), 1e-9))
    assert len(points) < steps
    return solution


@pytest.mark.parametrize("third", [0.7, 0.79992])
def test_two_hidden_units_for_three_modes_take_few_steps(third):
    first, readout = [[0.5, 0.3, 0.1], [0.2, -0.4, 0.6]], [[0.4, 0.1], [0.2, -0.3], [0.3, 0.2]]
    task = Task(np.diag([1.0, 0.8, third]))
    solution = learned_to_the_end(Network(first, readout), task, 300)
    assert float(solution.loss(np.inf)) == pytest.approx(least_of_rank(task, 2), rel=1e-9)


def test_one_hidden_unit_and_inputs_far_from_white_take_few_steps():
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    cov = (turn * np.geomspace(1.0, 1e-6, 6)) @ turn.T
    start = Network(0.3 * rng.standard_normal((1, 6)), 0.3 * rng.standard_normal((2, 1)))
    task = Task(rng.standard_normal((2, 6)) @ cov, cov)
    solution = learned_to_the_end(start, task, 200)
    assert float(solution.loss(np.inf)) == pytest.approx(least_of_rank(task, 1), rel=1e-9)


@pytest.mark.parametrize("scale", [10.0, 1e3])
def test_what_a_strong_start_is_blind_to_is_learned_in_few_steps(scale):
    rng = np.random.default_rng(0)
    start, task = Network(scale * rng.standard_normal((5, 6))), Task(rng.standard_normal((1, 6)))
    solution = learned_to_the_end(start, task, 300)
    assert float(solution.loss(np.inf)) < 1e-12 * task.strength**2


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("length", [1e-12, 0.1, 30.0, 1e3])
def test_the_error_that_a_step_begins_with_is_integrated_as_it_fades(white, length):
    """Were the kernel not to change, any number of substeps would have the integral exactly."""
    rng = np.random.default_rng(3)
    root = None
    if not white:
        turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
        root = (turn * [2.0, 1.0, 0.7, 0.3]) @ turn.T
    # one hidden unit: most inputs are out of reach of W1, and one output of W2
    first, readout = rng.standard_normal((1, 1, 4)), np.array([[[0.5], [0.0]]])
    problem = Problem(first, readout, rng.standard_normal((1, 2, 4)), root)
    known = flow._known(problem)
    point = flow._Frozen(problem, known, [np.zeros_like(first), np.zeros_like(readout)])
    cov = np.eye(4) if white else root @ root
    rates = np.kron(np.eye(2), (first[0].T @ first[0] @ cov).T)
    rates += np.kron(readout[0] @ readout[0].T, cov.T)
    assert np.linalg.matrix_rank(rates) < 8
    whole, error = np.zeros(8), point.error[0].ravel()
    augmented = expm(np.block([[-rates * length, np.eye(8)], [np.zeros((8, 16))]]))
    for substep in range(3):
        now = expm(-rates * length * substep) @ error
        wanted = length * augmented[:8, 8:] @ now
        lanes = now.reshape(1, 1, 2, 4), np.array([length]), substep
        found = point.integral(*lanes)[0, 0].ravel()
        scale = length * np.linalg.norm(now)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * scale)
        whole += found
    left = expm(-3.0 * length * rates) @ error
    np.testing.assert_allclose(error - rates @ whole, left, rtol=0, atol=1e-11 * (1 + scale))


def test_the_lazy_limit_takes_few_steps_and_agrees_with_radau(monkeypatch):
    """Rates over six decades, from a strong start to what it is blind to, and a task of 1."""
    rng = np.random.default_rng(0)
    s = 30.0 * np.geomspace(1.0, 1e-3, 6)
    first = np.hstack([np.diag(s), np.zeros((6, 1))])
    task = rng.standard_normal(7)
    problem = Problem(first[None], np.zeros((1, 1, 6)), task[None, None], None)
    points, frozen = [], flow._Frozen
    monkeypatch.setattr(flow, "_Frozen", lambda *a: points.append(a) or frozen(*a))
    monkeypatch.setattr(flow, "_HELD_UP", np.inf)
    changes = list(integrate(problem, np.array([1e-2, 1.0, 20.0]), 1e-8))
    assert len(points) < 36  # 44 where implicit Euler has all of the error

    def slope(t, x):
        w1, w2 = first + x[:42].reshape(6, 7), x[None, 42:]
        error = task - w2 @ w1
        return np.r_[(w2.T @ error).ravel(), (error @ w1.T).ravel()]

    exact = solve_ivp(
        slope, (0.0, 20.0), np.zeros(48), "Radau", [1e-2, 1.0, 20.0], rtol=1e-10, atol=1e-14
    )
    for (_, change), wanted in zip(changes, exact.y.T, strict=True):
        found = np.r_[change.first.ravel(), change.readout.ravel()]
        assert np.linalg.norm(found - wanted) < 2e-8 * np.linalg.norm(wanted)
