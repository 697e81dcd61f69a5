"""Target alignment (T21) of every route against the explicit kernel, and its symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import Network, Task, predict, solve, spectrum
from richlazy.errors import UndefinedError
from richlazy.two_layer.sequences import sequence
from tests.theory.two_layer.route_names import ROUTES

TIMES = np.array([0.0, 0.4, 3.0, np.inf])


def towards(state, task):
    """<S, K S> / (||K|| ||S||^2) from the dense kernel over (input, output), seen whitened."""
    root = np.eye(task.inputs) if task.root is None else task.root
    w1, w2 = state.first() @ root, state.readout
    k = np.kron(w1.T @ w1, np.eye(task.outputs)) + np.kron(root @ root, w2 @ w2.T)
    s = task.whitened.T.ravel()
    return s @ k @ s / (np.linalg.norm(k) * (s @ s))


def dense(solution):
    return np.array([towards(solution.at(t), solution.task) for t in TIMES])


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_route_has_that_of_the_dense_kernel(route, name, seed):
    start, task = route(name, np.random.default_rng(seed))
    solution = solve(start, task)
    found = solution.target_alignment(TIMES)
    np.testing.assert_allclose(found, dense(solution), rtol=1e-9)
    np.testing.assert_array_equal(solution.measures(TIMES).target_alignment, found)
    by_flow = solve(start, task, method="flow").target_alignment(TIMES)
    np.testing.assert_allclose(by_flow, found, rtol=1e-8)
    assert np.all((found >= 0) & (found <= 1))
    assert predict(start, task).target_alignment == pytest.approx(found[-1], rel=1e-12)


@pytest.mark.parametrize("white", [True, False])
def test_any_start(random_case, white):
    for seed in range(6):
        start, task = random_case(np.random.default_rng(seed), white=white, silent=bool(seed % 2))
        solution = solve(start, task)
        np.testing.assert_allclose(solution.target_alignment(TIMES), dense(solution), rtol=1e-8)


def test_many_times_of_a_balanced_network():
    """Between nodes: as asked for one by one."""
    rng = np.random.default_rng(3)
    task = Task.random(6, 2, rng=rng)
    start = Network.from_spectrum(spectrum.flat(3), task=task, hidden=5, alignment=0.3, rng=rng)
    solution = solve(start, task, method="riccati")
    at = np.geomspace(1e-3, 30.0, 500)
    found = solution.target_alignment(at)
    one = [solve(start, task, method="riccati").target_alignment(t) for t in at[::50]]
    np.testing.assert_allclose(found[::50], one, rtol=1e-10)


def test_a_stack_has_that_of_each():
    rng = np.random.default_rng(4)
    first = np.stack([np.linalg.qr(rng.standard_normal((5, 4)))[0], rng.standard_normal((5, 4))])
    task = Task(rng.standard_normal((2, 3, 4)))
    stack = solve(Network(first), task)
    found = stack.target_alignment(TIMES)
    for k in range(2):
        alone = solve(Network(first[k]), task[k]).target_alignment(TIMES)
        np.testing.assert_allclose(found[k], alone, rtol=1e-8)
    assert stack.laziness().target_alignment.shape == (2,)


@pytest.mark.parametrize("t", [0.7, np.inf])
def test_it_is_the_same_in_any_frame_and_units(rotation, t):
    rng = np.random.default_rng(5)
    w1, w2, yx = (rng.standard_normal(s) for s in ((4, 5), (2, 4), (2, 5)))
    wanted = solve(Network(w1, w2), Task(yx)).target_alignment(t)
    q, u, v = (rotation(n, rng) for n in (4, 2, 5))
    turned = solve(Network(q @ w1 @ v.T, u @ w2 @ q.T), Task(u @ yx @ v.T))
    assert turned.target_alignment(t) == pytest.approx(wanted, rel=1e-8)
    larger = solve(Network(3.0 * w1, 3.0 * w2), Task(9.0 * yx))
    assert larger.target_alignment(t / 9.0) == pytest.approx(wanted, rel=1e-8)


def test_what_the_start_cannot_learn_is_part_of_the_task():
    """A mode orthogonal to the start: ||S|| counts it, K does not see it."""
    start, task = Network(np.diag([0.5, 0.0])), Task(np.diag([1.0, 2.0]))
    solution = solve(start, task)
    np.testing.assert_allclose(solution.target_alignment(TIMES), dense(solution), rtol=1e-9)
    lost = solve(Network([[0.0, 1.0]]), Task.teacher([1.0, 0.0]))
    assert lost.target_alignment() == 0.0
    assert lost.measures(TIMES).target_alignment.tolist() == [0.0] * 4


def test_an_orthogonal_start_to_rounding_does_not_spoil_the_accuracy(rotation):
    v = rotation(6, np.random.default_rng(6))
    start = Network(np.diag([1.0, 0.7, 0.4]) @ v[:3])
    solution = solve(start, Task(v[3]))
    assert np.all(solution.target_alignment(TIMES) < 1e-12)
    assert solution._route.doubt.relative < 1e-9


def test_nothing_to_align():
    zero = solve(Network(np.zeros((2, 2))), Task.teacher([1.0, 0.0]))
    with pytest.raises(UndefinedError, match="target alignment is 0/0"):
        zero.target_alignment()
    assert zero.laziness().target_alignment is None


def test_of_a_sequence_it_is_that_of_the_latest_task():
    rng = np.random.default_rng(7)
    tasks = [Task(rng.standard_normal((2, 4))) for _ in range(2)]
    found = sequence(Network(rng.standard_normal((3, 4))), tasks, [1.0, 2.0])
    stage = found.stages[1]
    assert stage.since_start.target_alignment == pytest.approx(
        stage.laziness.target_alignment, rel=1e-9
    )
