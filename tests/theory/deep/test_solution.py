"""T11 at any depth: against SciPy, two layers, one layer, single modes and explicit kernels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from richlazy import deep
from richlazy.deep import flow as deep_flow
from richlazy.deep import integrate as deep_integrate
from richlazy.errors import AssumptionError, UndefinedError
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from tests.theory.deep.cases import (
    SHAPES,
    case,
    dense_measures,
    function,
    gap,
    reference,
    velocity,
)
from tests.theory.deep.cases import (
    layers as as_layers,
)


@pytest.mark.parametrize("sizes", SHAPES)
@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_weights_and_measures_agree_with_scipy(sizes, scale, white):
    weights, task = case(sizes, scale, [len(sizes), white], white)
    solution, times = deep.solve(weights, task), np.array([0.05, 0.7, 3.0])
    found, at = solution.measures(times), solution.weights(times)
    assert [w.shape for w in at] == [(3, *w.shape) for w in weights]
    for i, later in enumerate(reference(weights, task, times)):
        assert gap([w[i] for w in at], later, weights) < 1e-8
        change, ra, ka, ta, loss = dense_measures(weights, task, later)
        assert found.weight_change[i] == pytest.approx(change, rel=1e-8)
        assert found.representation_alignment[i] == pytest.approx(ra, rel=1e-8)
        assert found.kernel_alignment[i] == pytest.approx(ka, rel=1e-8)
        assert found.target_alignment[i] == pytest.approx(ta, rel=1e-8)
        assert solution.target_alignment(times)[i] == found.target_alignment[i]
        assert found.loss[i] == pytest.approx(loss, rel=1e-6, abs=1e-12)
        ends = np.linalg.norm(later[0] - weights[0]), np.linalg.norm(later[-1] - weights[-1])
        assert found.weight_change_input[i] == pytest.approx(ends[0], rel=1e-8)
        assert found.weight_change_readout[i] == pytest.approx(ends[1], rel=1e-8)


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_two_layers_are_the_flow_of_two_layers(scale, silent, white, random_case, largest_error):
    rng = np.random.default_rng([int(1e3 * scale), silent, white])
    start, task = random_case(rng, scale, white=white, silent=silent)
    readout = np.zeros((task.outputs, start.hidden)) if silent else start.readout
    times = np.array([1e-3, 0.5, 20.0, np.inf])
    found = deep.solve([start.first, readout], task).measures(times)
    wanted = solve(start, task, "flow")
    assert largest_error(found, wanted.measures(times), loss=wanted.loss(0.0)) < 1e-8


@pytest.mark.parametrize("white", [True, False])
def test_one_layer_relaxes_exponentially(white):
    (w,), task = case([5, 3], 2.0, 0, white)
    cov = np.eye(5) if white else task.cov_xx
    solution = deep.solve([w], task)
    best = task.cov_yx @ np.linalg.inv(cov)
    for t in (0.0, 1e-12, 0.3, 4.0, 1e3):
        wanted = (best - w) @ (np.eye(5) - expm(-cov * t))
        np.testing.assert_allclose(solution.weights(t)[0] - w, wanted, atol=1e-14)
    assert solution.weight_change(1e-12) == pytest.approx(
        1e-12 * np.linalg.norm(velocity([w], task)), rel=1e-11
    )
    np.testing.assert_allclose(solution.weights(np.inf)[0], best, atol=1e-13)
    assert solution.loss() < 1e-28
    assert solution.kernel_alignment(1.0) == pytest.approx(1.0, rel=1e-14)
    assert solution.drift() == 0.0
    assert solution.method.startswith("closed form")


@pytest.mark.parametrize("depth", [2, 3, 4, 7])
@pytest.mark.parametrize("sizes", [(0.3, 2.0), (0.01, 1.0), (3.0, 0.5)])
def test_a_balanced_aligned_mode_follows_its_own_equation(depth, sizes, rotation):
    # u' = L u^(2 - 2/L) (s - u), whatever basis each layer has (T4)
    u0, s = sizes
    rng = np.random.default_rng(depth)
    turns = [rotation(4, rng) for _ in range(depth + 1)]
    root = u0 ** (1.0 / depth)
    weights = [root * np.outer(b[:, 0], a[:, 0]) for a, b in pairwise(turns)]
    task = Task(s * np.outer(turns[-1][:, 0], turns[0][:, 0]))
    solution, times = deep.solve(weights, task), np.array([0.1, 1.0, 5.0, 20.0])
    mode = solve_ivp(
        lambda _, u: depth * u ** (2.0 - 2.0 / depth) * (s - u),
        (0.0, 20.0), [u0], "DOP853", times, rtol=1e-12, atol=1e-14,
    ).y[0]  # fmt: skip
    change = np.sqrt(depth) * np.abs(mode ** (1.0 / depth) - root)
    np.testing.assert_allclose(solution.weight_change(times), change, rtol=1e-8)
    np.testing.assert_allclose(solution.loss(times), 0.5 * (s - mode) ** 2, atol=1e-9)
    final = np.sqrt(depth) * abs(s ** (1.0 / depth) - root)
    assert solution.weight_change() == pytest.approx(final, rel=1e-9)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_stiff_start_at_depth_three(scale):
    weights, task = case([3, 4, 3, 2], 3.0 * scale, 5)
    times = np.array([1e-6, 1e-3, 0.1])
    found = deep.solve(weights, task).weights(times)
    method, rtol = ("DOP853", 1e-12) if scale == 1.0 else ("Radau", 1e-11)
    for i, later in enumerate(reference(weights, task, times, method, rtol)):
        assert gap([w[i] for w in found], later, weights) < 1e-8


@pytest.mark.parametrize(
    ("sizes", "scale"),
    [(s, scale) for s in SHAPES[1:] for scale in (0.3, 10.0) if len(s) < 6 or scale < 1.0],
)
@pytest.mark.parametrize("white", [True, False])
def test_infinity_is_where_the_flow_no_longer_moves(sizes, scale, white):
    weights, task = case(sizes, scale, [len(sizes), white, 7], white)
    solution = deep.solve(weights, task)
    assert solution.loss() < 1e-15
    assert len(solution.assumptions) == 1
    assert solution.drift() < 1e-8
    late = 1e8 * max(1.0, scale ** (2 * len(sizes)))
    assert solution.weight_change(late) == pytest.approx(float(solution.weight_change()), rel=1e-8)
    speed = [np.linalg.norm(v) for v in velocity(solution.weights(np.inf), task)]
    assert max(speed) < 1e-6 * max(scale, 1.0) ** (len(sizes) - 2)


@pytest.mark.parametrize("narrow", [1, 2])
def test_a_bottleneck_learns_the_strongest_modes(narrow, rotation):
    rng = np.random.default_rng(narrow)
    strengths = np.array([2.0, 1.0, 0.4])
    task = Task((rotation(3, rng) * strengths) @ rotation(5, rng)[:, :3].T)
    sizes = [5, 4, narrow, 3]
    weights = [0.5 * rng.standard_normal((b, a)) for a, b in pairwise(sizes)]
    solution = deep.solve(weights, task)
    assert solution.loss() == pytest.approx(0.5 * np.sum(strengths[narrow:] ** 2), rel=1e-9)
    best = (task.modes.left * strengths)[:, :narrow] @ task.modes.right[:, :narrow].T
    np.testing.assert_allclose(function(solution.weights(np.inf)), best, atol=1e-8)
    assert any("comes to rest with excess loss" in a for a in solution.assumptions)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_zero_weights_rest(depth):
    sizes = [4, *[3] * (depth - 1), 2]
    weights = [np.zeros((b, a)) for a, b in pairwise(sizes)]
    task = Task(np.ones((2, 4)))
    solution = deep.solve(weights, task)
    np.testing.assert_array_equal(solution.weight_change([0.0, 1.0, np.inf]), 0.0)
    assert solution.loss() == pytest.approx(4.0)
    assert solution.drift() == 0.0
    assert any("at a saddle" in a for a in solution.assumptions)
    with pytest.raises(UndefinedError, match="kernel alignment is 0/0"):
        solution.kernel_alignment()
    with pytest.raises(UndefinedError, match="representation alignment is 0/0"):
        solution.representation_alignment(1.0)


@pytest.mark.parametrize("zero", [0, 1, 2])
def test_one_zero_layer_learns_and_two_rest(zero):
    weights, task = case([4, 3, 3, 2], 1.5, 3)
    weights[zero] = np.zeros_like(weights[zero])
    solution = deep.solve(weights, task)
    assert solution.loss() < 1e-15
    (later,) = reference(weights, task, [2.0])
    assert gap(solution.weights(2.0), later, weights) < 1e-8
    weights[zero - 1] = np.zeros_like(weights[zero - 1])
    solution = deep.solve(weights, task)
    assert solution.weight_change() == 0.0
    assert solution.loss() == pytest.approx(0.5 * np.sum(task.cov_yx**2))


@pytest.mark.parametrize("white", [True, False])
def test_layers_of_rank_one(white):
    weights, task = case([6, 5, 4, 2], 1.0, 4, white)
    rng = np.random.default_rng(0)
    weights = [np.outer(*(rng.standard_normal(n) for n in w.shape)) for w in weights]
    solution = deep.solve(weights, task)
    # range of one layer and row space of the next: two directions
    assert "2, 2" in solution.assumptions[0]
    (later,) = reference(weights, task, [1.5])
    assert gap(solution.weights(1.5), later, weights) < 1e-8
    found = solution.measures(1.5)
    got = found.weight_change, *found.alignments
    np.testing.assert_allclose(got, dense_measures(weights, task, later), rtol=1e-8)


def test_a_mode_the_start_is_orthogonal_to_is_never_learned(rotation):
    rng = np.random.default_rng(1)
    left, right = rotation(2, rng), rotation(6, rng)[:, :2]
    task = Task((left * [2.0, 1.0]) @ right.T)
    first, middle = rng.standard_normal((4, 6)), rng.standard_normal((4, 4))
    first -= np.outer(first @ right[:, 0], right[:, 0])
    solution = deep.solve([first, middle, np.zeros((2, 4))], task)
    assert solution.loss([1e5, np.inf]) == pytest.approx(2.0, rel=1e-9)


def test_wide_inputs_cost_their_rank():
    rng = np.random.default_rng(0)
    d = 2000
    first = rng.standard_normal((50, 3)) @ rng.standard_normal((3, d)) / np.sqrt(150 * d)
    task = Task.random(d, 2, rng=rng)
    solution = deep.solve([first, np.eye(50), rng.standard_normal((2, 50)) / 7.0], task)
    assert solution.loss() < 1e-15
    # three directions of W1 and two of the task
    assert "layers of [5, 50, 50, 2]" in solution.assumptions[0]
    assert solution.weights(np.inf)[0].shape == (50, d)


@pytest.mark.parametrize("white", [True, False])
def test_restarting_is_going_on(white):
    weights, task = case([5, 4, 3, 2], 1.5, 6, white)
    solution = deep.solve(weights, task)
    rest = deep.solve(solution.weights(0.7), task)
    for t in (0.4, 5.0, np.inf):
        assert gap(rest.weights(t), solution.weights(0.7 + t), weights) < 1e-8


@pytest.mark.parametrize("white", [True, False])
def test_the_solution_moves_as_the_gradient_says(white):
    weights, task = case([5, 4, 3, 2], 1.5, 8, white)
    solution, h = deep.solve(weights, task), 2e-3
    stencil = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / (12.0 * h)
    for t in (0.1, 1.0):
        around = solution.weights(t + h * np.arange(-2.0, 3.0))
        moved = [np.tensordot(stencil, w, axes=1) for w in around]
        for found, wanted in zip(moved, velocity([w[2] for w in around], task), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-8)


def test_curvature_is_that_of_the_loss():
    # the product with the Hessian against central differences of the gradient
    weights, task = case([4, 3, 3, 2], 1.0, 9, white=False)
    small = deep.solve(weights, task)._small
    rng = np.random.default_rng(0)
    moves = [rng.standard_normal(w.shape) for w in small.weights]

    def gradient(size):
        at = deep_flow.Products(
            small, [w + size * v for w, v in zip(small.weights, moves, strict=True)]
        )
        return [-x for x in at.pulled(at.error)]

    point = deep_flow.Point(small, [np.zeros((1, *w.shape)) for w in small.weights])
    found = point._curvature([v[None] for v in moves], point.at.error)
    for curved, up, down in zip(found, gradient(1e-4), gradient(-1e-4), strict=True):
        np.testing.assert_allclose(curved[0], (up - down) / 2e-4, atol=1e-6)


@pytest.mark.parametrize("white", [True, False])
def test_explicit_and_implicit_steps_agree(white, monkeypatch):
    weights, task = case([5, 4, 3, 2], 1.0, 10, white)
    times = np.array([0.0, 1e-6, 0.5, 8.0])
    found = []
    for most in (0.0, np.inf):
        monkeypatch.setattr(deep_integrate, "_NOT_STIFF", most)
        found.append(deep.solve(weights, task).measures(times))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-14)


def test_too_large_a_kernel_is_for_finite_times(monkeypatch):
    weights, task = case([5, 4, 3, 2], 1.0, 10)
    wanted = deep.solve(weights, task).measures([50.0, np.inf])
    monkeypatch.setattr(deep_integrate, "KERNEL", 9)
    solution = deep.solve(weights, task)
    assert solution.weight_change(50.0) == pytest.approx(wanted.weight_change[0], rel=1e-8)
    with pytest.raises(AssumptionError, match="the tangent kernel has 10 rows, over 9"):
        solution.loss()


def test_times_broadcast_and_repeat():
    weights, task = case([4, 3, 2], 1.0, 11)
    solution = deep.solve(weights, task)
    times = np.array([[np.inf, 0.5, 0.0], [2.0, 0.5, np.inf]])
    for ask in (solution.loss, solution.weight_change, solution.kernel_alignment):
        together = ask(times)
        assert together.shape == times.shape
        for place in np.ndindex(times.shape):
            assert together[place] == pytest.approx(float(ask(times[place])), rel=1e-9, abs=1e-18)
    assert solution.weights(times)[0].shape == (2, 3, 3, 4)
    assert solution.weights(0.5)[0].shape == (3, 4)
    assert solution.weight_change(0.0) == 0.0
    many = np.linspace(0.1, 3.0, 30)
    assert [float(solution.loss(t)) for t in many] == pytest.approx(list(solution.loss(many)))


def test_rotations_change_no_measure(rotation, largest_error):
    weights, task = case([5, 4, 3, 2], 1.0, 12, white=False)
    rng = np.random.default_rng(0)
    turns = [rotation(n, rng) for n in (5, 4, 3, 2)]
    turned = [b @ w @ a.T for a, w, b in zip(turns, weights, turns[1:], strict=False)]
    other = Task(turns[-1] @ task.cov_yx @ turns[0].T, turns[0] @ task.cov_xx @ turns[0].T)
    times = np.array([0.5, 4.0, np.inf])
    one, two = deep.solve(weights, task), deep.solve(turned, other)
    assert largest_error(two.measures(times), one.measures(times), loss=one.loss(0.0)) < 1e-8


def test_inputs_without_variance_stay():
    rng = np.random.default_rng(0)
    task = Task.from_data(rng.standard_normal((3, 6)), rng.standard_normal((3, 2)))
    weights = [rng.standard_normal(s) for s in ((4, 6), (4, 4), (2, 4))]
    solution = deep.solve(weights, task)
    assert solution.loss() < 1e-15
    (later,) = reference(weights, task, [0.5])
    assert gap(solution.weights(0.5), later, weights) < 1e-8
    still = np.linalg.svd(task.cov_xx)[2][3:]
    moved = solution.weights(np.inf)[0] - weights[0]
    np.testing.assert_allclose(moved @ still.T, 0.0, atol=1e-12)


def test_what_is_refused():
    task = Task(np.ones((2, 3)))
    with pytest.raises(ValueError, match="weights must hold at least one layer"):
        deep.solve([], task)
    with pytest.raises(ValueError, match=r"weights\[0\] must have 3 columns, the inputs of"):
        deep.solve([np.ones((2, 4))], task)
    with pytest.raises(ValueError, match=r"weights\[1\] must have 5 columns, the rows of weights"):
        deep.solve([np.ones((5, 3)), np.ones((2, 4))], task)
    with pytest.raises(ValueError, match="the last layer must have 2 rows, the outputs of the"):
        deep.solve([np.ones((5, 3)), np.ones((1, 5))], task)
    with pytest.raises(ValueError, match=r"weights\[1\] must be finite"):
        deep.solve([np.ones((5, 3)), np.full((2, 5), np.nan)], task)
    solution = deep.solve([np.ones((2, 3))], task)
    for ask in (solution.loss, solution.weights, solution.drift):
        with pytest.raises(ValueError, match="t must be >= 0"):
            ask(-1.0)
    with pytest.raises(ValueError, match="t must be one number"):
        solution.drift([1.0, 2.0])


def test_a_network_object_and_its_layers_agree(random_case, largest_error):
    start, task = random_case(np.random.default_rng(3), 1.0, silent=False, outputs=2)
    found = deep.solve([start.first, start.readout], task).measures([0.5, np.inf])
    wanted = solve(Network(start.first, start.readout), task).measures([0.5, np.inf])
    assert largest_error(found, wanted) < 1e-8


@pytest.mark.parametrize("layers", [2, 3])
def test_tiny_weights_leave_zero_as_the_gradient_says(layers):
    # far from every saddle's rest: weights of 1e-8 against SciPy at a tolerance far below them
    rng = np.random.default_rng(layers)
    sizes = [3, *[3] * (layers - 1), 2]
    weights = [1e-8 * rng.standard_normal((b, a)) for a, b in pairwise(sizes)]
    task = Task(rng.standard_normal((2, 3)))
    t = 6.0 if layers == 2 else 1e7

    def right(_, y):
        return np.concatenate([x.ravel() for x in velocity(as_layers(y, weights), task)])

    start = np.concatenate([w.ravel() for w in weights])
    end = solve_ivp(right, (0.0, t), start, "DOP853", rtol=1e-12, atol=1e-24).y[:, -1]
    wanted = as_layers(end, weights)
    moved = np.linalg.norm(end - start)
    assert moved > 1e-9
    off = [a - b for a, b in zip(deep.solve(weights, task).weights(t), wanted, strict=True)]
    assert np.linalg.norm(np.concatenate([x.ravel() for x in off])) < 1e-8 * moved
