"""T12: sequences of tasks against plain integration, one long flow and simple limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from richlazy import laziness, spectrum
from richlazy.start.matrices import Thin
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.sequences import path_length, sequence
from richlazy.two_layer.solve import solve


def tasks_like(task, count, rng, white=True):
    """Other tasks of the same sizes."""
    made = []
    for _ in range(count):
        x = rng.standard_normal((3 * task.inputs, task.inputs))
        cov = None if white else x.T @ x / len(x)
        made.append(Task.teacher(0.5 * rng.standard_normal(task.cov_yx.shape), cov))
    return made


def dense(network, outputs):
    first = network.first.toarray() if isinstance(network.first, Thin) else network.first
    return first, np.zeros((outputs, network.hidden)) if network.silent else network.readout


def integrated(w1, w2, task, t):
    """Weights and path length at t, straight from T1."""
    cov = np.eye(task.inputs) if task.white else task.cov_xx

    def velocity(_, y):
        v1, v2 = y[: w1.size].reshape(w1.shape), y[w1.size : -1].reshape(w2.shape)
        error = task.cov_yx - v2 @ v1 @ cov
        moves = np.concatenate([(v2.T @ error).ravel(), (error @ v1.T).ravel()])
        return np.append(moves, np.linalg.norm(moves))

    y = np.concatenate([w1.ravel(), w2.ravel(), [0.0]])
    end = solve_ivp(velocity, (0.0, t), y, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    return end[: w1.size].reshape(w1.shape), end[w1.size : -1].reshape(w2.shape), end[-1]


def loss(task, w1, w2):
    root = np.eye(task.inputs) if task.white else task.root
    return 0.5 * np.sum((task.whitened - w2 @ w1 @ root) ** 2)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
@pytest.mark.parametrize(("white", "silent"), [(True, True), (True, False), (False, False)])
def test_three_stages_against_scipy(scale, white, silent, random_case, dense_measures):
    rng = np.random.default_rng([int(10 * scale), white, silent])
    start, _ = random_case(rng, scale, silent=silent, outputs=2)
    shape = Task(np.ones((2, start.inputs)))
    tasks, until = tasks_like(shape, 3, rng, white), [0.7, 4.0, 2.0]
    run = sequence(start, tasks, until)
    w1, w2 = dense(start, 2)
    assert run.initial_losses == pytest.approx([loss(task, w1, w2) for task in tasks])
    losses = []
    for stage, task, t in zip(run.stages, tasks, until, strict=True):
        before = Network(w1, w2)
        w1, w2, length = integrated(w1, w2, task, t)
        losses.append([loss(each, w1, w2) for each in tasks])
        assert stage.path_length == pytest.approx(length, rel=1e-7)
        for record, origin in ((stage.laziness, before), (stage.since_start, start)):
            wanted = dense_measures(origin, task, w1, w2)
            for name, value in wanted._asdict().items():
                assert getattr(record, name) == pytest.approx(value, rel=1e-7, abs=1e-12), name
        assert (stage.time, stage.laziness.time) == (t, t)
        np.testing.assert_allclose(dense(stage.end, 2)[0], w1, atol=1e-8)
        np.testing.assert_allclose(dense(stage.end, 2)[1], w2, atol=1e-8)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-6, atol=1e-12)
    right_after = np.diag(losses)
    np.testing.assert_allclose(run.forgetting[-1], losses[-1] - right_after, atol=1e-8)
    assert run.forgetting[1, 0] == pytest.approx(losses[1][0] - losses[0][0], abs=1e-8)
    assert np.all(run.forgetting[np.triu_indices(3)] == 0.0)
    assert run.stages[-1].since_start.time == pytest.approx(sum(until))


@pytest.mark.parametrize("name", ["closed form", "krylov", "krylov, outputs", "flow, not white"])
@pytest.mark.parametrize("last", [2.5, np.inf])
def test_the_same_task_in_two_stages_is_one_flow(name, last, route):
    start, task = route(name, np.random.default_rng(0))
    run, whole = sequence(start, [task, task], [0.8, last]), solve(start, task)
    direct = whole.laziness(0.8 + last)
    now = run.stages[1].since_start
    for field in ("weight_change", "weight_change_input", "weight_change_readout"):
        assert getattr(now, field) == pytest.approx(getattr(direct, field), rel=1e-8)
    for field in ("relative_weight_change", "relative_weight_change_input", "kernel_alignment"):
        assert getattr(now, field) == pytest.approx(getattr(direct, field), rel=1e-8)
    assert now.representation_alignment == pytest.approx(direct.representation_alignment, rel=1e-8)
    assert now.loss == pytest.approx(direct.loss, rel=1e-6, abs=1e-16)
    assert run.path_length.sum() == pytest.approx(path_length(whole, 0.8 + last), rel=1e-8)
    state = whole.at(0.8 + last)
    np.testing.assert_allclose(dense(run.stages[1].end, task.outputs)[0], state.first(), atol=1e-8)


@pytest.mark.parametrize("name", ["closed form", "krylov", "krylov, outputs", "flow, not white"])
def test_a_learned_task_costs_nothing_and_is_not_forgotten(name, route):
    start, task = route(name, np.random.default_rng(1))
    run = sequence(start, [task, task])
    assert run.weight_change[0] > 0.1
    np.testing.assert_allclose(run.weight_change[1], 0.0, atol=1e-9)
    np.testing.assert_allclose(run.path_length[1], 0.0, atol=1e-9)
    np.testing.assert_allclose(run.forgetting, 0.0, atol=1e-15)
    assert run.stages[1].laziness.kernel_alignment == pytest.approx(1.0, rel=1e-12)


def apart(outputs):
    """Two tasks whose inputs carry no variance in the other, on outputs of their own or not."""
    covs = np.diag([1.0, 2.0, 0.0, 0.0]), np.diag([0.0, 0.0, 2.0, 1.0])
    teachers = np.zeros((2, outputs, 4))
    teachers[0, 0, :2], teachers[1, -1, 2:] = [1.0, 0.5], [0.5, 1.0]
    return [Task.teacher(w, cov) for w, cov in zip(teachers, covs, strict=True)]


@pytest.mark.parametrize("left", [0.0, 1e-15, 1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize("white", [True, False])
def test_what_is_left_to_learn_may_be_as_small_as_rounding(left, white, random_case):
    # the change is then the shortest that corrects the function, to the digits the error has
    start, task = random_case(np.random.default_rng(3), 2.0, white=white, silent=False, outputs=2)
    w1, w2 = start.first, start.readout
    cov = np.eye(task.inputs) if white else task.cov_xx
    wrong = left * np.random.default_rng(0).standard_normal((2, task.inputs)) @ cov
    solution = solve(start, Task(w2 @ w1 @ cov + wrong, task.cov_xx), "flow")
    root = np.eye(task.inputs) if white else task.root
    kernel = np.kron(w2 @ w2.T, root @ root) + np.kron(np.eye(2), root @ w1.T @ w1 @ root)
    error = (wrong @ np.linalg.inv(root)).ravel()
    shortest = np.sqrt(error @ np.linalg.solve(kernel, error))
    accuracy = 1e-13 + (1e-4 + 100.0 * left) * shortest
    assert solution.weight_change() == pytest.approx(shortest, rel=0.0, abs=accuracy)


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_tasks_on_weights_of_their_own_are_not_forgotten(scale):
    # however rich: inputs, hidden units and outputs apart
    first, readout = np.zeros((2, 4)), np.zeros((2, 2))
    first[0, :2], first[1, 2:] = [0.3 * scale, 0.1 * scale], [0.2 * scale, -0.1 * scale]
    readout[0, 0], readout[1, 1] = 0.1 * scale, 0.2 * scale
    run = sequence(Network(first, readout), apart(2))
    np.testing.assert_allclose(run.forgetting, 0.0, atol=1e-15)
    np.testing.assert_allclose(run.losses[-1], 0.0, atol=1e-15)
    assert run.weight_change.min() > 0.1


def test_a_lazy_network_does_not_forget_what_its_kernel_keeps_apart(rotation):
    # inputs and, in W1'W1, their representations apart; output and hidden units shared
    first = rotation(5, np.random.default_rng(2))[:, :4]
    lost = [sequence(Network(s * first), apart(1)).forgetting[-1, 0] for s in (0.1, 3.0, 30.0)]
    assert lost[0] > 0.01
    # interference is of the order of the change of the kernel, 1/scale^2, and the loss its square
    assert lost[2] / lost[1] == pytest.approx(1e-8, rel=0.2)


def test_a_straight_way_is_as_long_as_the_weight_change():
    # one balanced hidden unit moves along the diagonal
    run = sequence(Network([[0.1]], [[0.1]]), [Task([2.0]), Task([0.5])], [np.inf, 3.0])
    np.testing.assert_allclose(run.path_length, run.weight_change, rtol=1e-9)
    # there and back: the way adds up, the change does not
    assert run.stages[1].since_start.weight_change < 0.7 * run.path_length.sum()


@pytest.mark.parametrize("name", ["closed form", "krylov", "krylov, outputs", "flow, not white"])
@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_no_way_is_shorter_than_the_weight_change(name, scale, route):
    solution = solve(*route(name, np.random.default_rng(3), scale))
    for t in (0.0, 0.01, 1.0, np.inf):
        change = float(solution.weight_change(t))
        assert change * (1.0 - 1e-8) <= path_length(solution, t) <= 3.0 * change


def test_a_thin_start_stays_thin():
    rng = np.random.default_rng(4)
    d, h = 30_000, 20_000
    thin = Network.from_factors(rng.standard_normal((h, 3)) / h, rng.standard_normal((d, 3)))
    tasks = [Task.random(d, 2, rng=rng) for _ in range(2)]
    run = sequence(thin, tasks)
    assert all(isinstance(stage.end.first, Thin) for stage in run.stages)
    assert run.stages[-1].end.factors.values.size <= 3 + 4
    assert np.all(np.isfinite(run.losses))


def test_thin_and_dense_starts_agree():
    rng = np.random.default_rng(5)
    thin = Network.from_factors(rng.standard_normal((6, 2)), rng.standard_normal((7, 2)))
    tasks = [Task.random(7, 2, rng=rng) for _ in range(3)]
    one, two = (sequence(n, tasks, 5.0) for n in (thin, Network(thin.first.toarray())))
    np.testing.assert_allclose(one.losses, two.losses, rtol=1e-8, atol=1e-15)
    np.testing.assert_allclose(one.path_length, two.path_length, rtol=1e-8)
    for a, b in zip(one.stages, two.stages, strict=True):
        assert a.since_start.kernel_alignment == pytest.approx(b.since_start.kernel_alignment)


def test_exact_stages_follow_exact_stages():
    # lambda-balance survives training: no stage has to be integrated
    rng = np.random.default_rng(10)
    tasks = [Task.random(9, 2, rng=rng) for _ in range(3)]
    start = Network.from_spectrum(spectrum.flat(4), task=tasks[0], hidden=6, rng=rng)
    run = sequence(start, tasks, [2.0, np.inf, 5.0])
    assert "flow" not in run.method
    w1, w2 = dense(start, 2)
    for stage, task, t in zip(run.stages, tasks, [2.0, 200.0, 5.0], strict=True):
        w1, w2, length = integrated(w1, w2, task, t)
        assert stage.path_length == pytest.approx(length, rel=1e-7)
        np.testing.assert_allclose(dense(stage.end, 2)[0], w1, atol=1e-7)


def test_what_is_said_of_each_stage():
    rng = np.random.default_rng(6)
    a, b = Task.random(5, 1, rng=rng), Task.random(5, 1, rng=rng)
    start = Network.from_spectrum(spectrum.flat(2), task=a, hidden=5, alignment=0.5, rng=rng)
    run = sequence(start, [a, b], [1.0, 2.0])
    methods = [stage.solution.method for stage in run.stages]
    assert methods[0] == "closed form (T6)"
    assert methods[1] != methods[0]  # the readout is no longer silent
    assert run.method == " then ".join([methods[0] + ",", methods[1]])
    assert run.stages[1].since_start.method == run.method
    assert run.stages[0].since_start.method == methods[0]
    assert {text.split(":")[0] for text in run.assumptions} == {"stage 1", "stage 2"}
    assert "stage 1: white inputs" in run.assumptions


def test_a_zero_start_rests_through_every_stage():
    rng = np.random.default_rng(7)
    tasks = [Task.random(4, 2, rng=rng) for _ in range(2)]
    run = sequence(Network(np.zeros((3, 4))), tasks)
    np.testing.assert_array_equal(run.weight_change, 0.0)
    np.testing.assert_array_equal(run.path_length, 0.0)
    np.testing.assert_array_equal(run.losses, np.tile(run.initial_losses, (2, 1)))
    assert run.stages[1].since_start.kernel_alignment is None
    assert run.stages[1].since_start.relative_weight_change is None


def test_alignment_since_the_start_is_what_a_user_would_compute():
    rng = np.random.default_rng(8)
    start = Network(rng.standard_normal((5, 6)), rng.standard_normal((2, 5)))
    run = sequence(start, [Task.random(6, 2, rng=rng) for _ in range(2)], 3.0)
    w1, w2 = dense(run.stages[1].end, 2)
    found = run.stages[1].since_start
    own = laziness.representation_alignment(start.first.T, w1.T)
    assert found.representation_alignment == pytest.approx(own, rel=1e-12)
    change = laziness.weight_change([start.first, start.readout], [w1, w2])
    assert found.weight_change == pytest.approx(change, rel=1e-12)


def test_flat_starts_are_chained_from_their_own_spectrum():
    rng = np.random.default_rng(9)
    a, b = Task.random(40, 1, rng=rng), Task.random(40, 1, rng=rng)
    start = Network.from_spectrum(spectrum.flat(4), task=a, hidden=10, alignment=0.5, rng=rng)
    run = sequence(start, [a, b])
    np.testing.assert_allclose(np.diag(run.losses), 0.0, atol=1e-15)
    overlap = (a.cov_yx @ b.cov_yx.T).item()
    # the network ends at B's task vector: what is lost of A is the distance between the two
    assert run.forgetting[-1, 0] == pytest.approx(1.0 - overlap, rel=1e-8)


def test_what_is_refused():
    task, other = Task(np.ones((2, 3))), Task(np.ones((1, 3)))
    start = Network(np.eye(3))
    with pytest.raises(ValueError, match="tasks must hold at least one task; it is empty"):
        sequence(start, [])
    with pytest.raises(ValueError, match=r"tasks\[0\] has 3 and 2, tasks\[1\] 3 and 1"):
        sequence(start, [task, other])
    with pytest.raises(ValueError, match=r"tasks\[1\] must be a Task; it is ndarray"):
        sequence(start, [task, np.ones((2, 3))])
    with pytest.raises(ValueError, match="times must be >= 0"):
        sequence(start, [task, task], [1.0, -1.0])
    with pytest.raises(ValueError, match="one for each of 2 tasks; its shape is \\(3,\\)"):
        sequence(start, [task, task], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="the network has 3 inputs, the task 4"):
        sequence(start, [Task(np.ones(4))])
