"""A Solution shared by threads gives each of them what it would get alone; so do its copies."""

from __future__ import annotations

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from richlazy import Network, Task, deep, path_length, solve
from richlazy.start import matrices
from tests.theory.two_layer.route_names import ROUTES

THREADS = 8
TIMES = (0.05, 2.0, np.inf)
QUESTIONS = (
    "loss",
    "weight_change",
    "representation_alignment",
    "kernel_alignment",
    "function",
    "first",
    "drift",
)


def ask(solution, what, t):
    """One answer as an array."""
    if what == "first":
        if isinstance(solution, deep.DeepSolution):
            return solution.weights(t)[0]
        return solution.at(t).first()
    if what == "function" and isinstance(solution, deep.DeepSolution):
        return np.linalg.multi_dot(solution.weights(t)[::-1])
    return np.asarray(getattr(solution, what)(t))


@pytest.fixture
def quick_switching():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def stiff(outputs=1):
    """A start whose chain has to grow: the later the time, the further."""
    rng = np.random.default_rng(3)
    task = Task.random(18, outputs, rng=rng)
    return Network(0.5 * rng.standard_normal((16, 18))), task


def made(name, route):
    """What makes a fresh solution of one kind."""
    if name == "deep":
        rng = np.random.default_rng(0)
        weights = [0.5 * rng.standard_normal(shape) for shape in ((4, 5), (4, 4), (2, 4))]
        task = Task.random(5, 2, rng=rng)
        return lambda: deep.solve(weights, task)
    if name.startswith("stiff"):
        start, task = stiff(2 if name.endswith("s") else 1)
        return lambda: solve(start, task, "krylov")
    start, task = route(name, np.random.default_rng(1))
    return lambda: solve(start, task)


KINDS = [*ROUTES, "stiff, output", "stiff, outputs", "deep"]


@pytest.mark.parametrize("name", KINDS)
def test_threads_get_what_each_would_get_alone(name, route, quick_switching):
    fresh = made(name, route)
    questions = [(what, t) for what in QUESTIONS for t in TIMES]
    alone = {question: ask(fresh(), *question) for question in questions}
    shared = fresh()

    def work(seed):
        order = np.random.default_rng(seed).permutation(len(questions))
        return [(questions[i], ask(shared, *questions[i])) for i in order]

    with ThreadPoolExecutor(THREADS) as pool:
        for answers in pool.map(work, range(THREADS)):
            for question, answer in answers:
                np.testing.assert_array_equal(answer, alone[question], err_msg=str(question))


@pytest.mark.parametrize("name", KINDS)
def test_what_was_asked_before_changes_no_answer(name, route):
    """Nor does what a caller does to the arrays that were handed out."""
    fresh = made(name, route)
    times = np.array([0.3, 1.0])
    alone = fresh().measures(times)
    solution = fresh()
    solution.measures(np.inf)
    ask(solution, "first", 3.0)
    for values in solution.measures(times):
        values += 1.0
    np.testing.assert_array_equal(solution.measures(times), alone)
    np.testing.assert_array_equal(solution.measures(times[::-1]), np.array(alone)[:, ::-1])


@pytest.mark.parametrize("name", ["stiff, output", "stiff, outputs"])
def test_the_record_speaks_of_the_largest_network_needed(name, route):
    solution = made(name, route)()
    solution.measures(np.inf)
    said = solution.method, solution.accuracy
    solution.measures(0.01)
    assert (solution.method, solution.accuracy) == said
    assert said[0] != made(name, route)().method


def pickled(solution):
    return pickle.loads(pickle.dumps(solution))  # noqa: S301


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_copies_and_pickles_go_on(name, again, route):
    fresh = made(name, route)
    solution = fresh()
    solution.measures(0.3)
    other = again(solution)
    wanted = fresh().measures(np.inf)
    np.testing.assert_array_equal(other.measures(np.inf), wanted)
    np.testing.assert_array_equal(solution.measures(np.inf), wanted)
    assert other.method == solution.method


def test_a_pickle_made_while_another_thread_asks_is_whole(route, quick_switching):
    start, task = stiff()
    wanted = solve(start, task, "krylov").loss(np.inf)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            solution = solve(start, task, "krylov")
            asked = pool.submit(solution.loss, np.inf)
            while not asked.done():
                other = pickled(solution)
            np.testing.assert_array_equal(other.loss(np.inf), wanted)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("product", ["forward", "adjoint"])
def test_an_interrupted_question_leaves_the_solution_as_it_was(outputs, product, monkeypatch):
    """A chain that is caught in the middle of a step would go on wrong."""
    start, task = stiff(outputs)
    wanted = solve(start, task, "krylov").measures(np.inf)
    solution = solve(start, task, "krylov")
    multiplied, count = getattr(matrices, product), iter(range(100))

    def interrupted(*arguments):
        if next(count) == 1:
            raise KeyboardInterrupt
        return multiplied(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(matrices, product, interrupted)
        with pytest.raises(KeyboardInterrupt):
            solution.measures(np.inf)
    np.testing.assert_array_equal(solution.measures(np.inf), wanted)


def test_paths_are_as_long_as_alone(quick_switching):
    start, task = stiff()
    times = (0.5, 2.0)
    alone = [path_length(solve(start, task, "krylov"), t) for t in times]
    shared = solve(start, task, "krylov")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda t: path_length(shared, t), times)) == alone
