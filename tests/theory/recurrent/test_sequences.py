"""T12 for recurrent networks: against plain integration, one long flow, and other kinds of W."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from richlazy import recurrent
from richlazy.recurrent import Network, Task, path_length, sequence, solve
from richlazy.start import matrices
from richlazy.start.matrices import Thin
from tests.theory.recurrent import cases

SUBSETS = [("inputs", "recurrent", "readout"), ("recurrent",), ("inputs", "readout")]


def drawn(rng, units=8, channels=2, outputs=2, gain=0.7, leak=1.0, rank=None):
    """A dense network with random weights of any rank."""
    w = rng.standard_normal((units, units))
    if rank is not None:
        w = rng.standard_normal((units, rank)) @ rng.standard_normal((rank, units))
    w *= gain * np.sqrt(units) / np.linalg.norm(w)
    return Network.random(w, channels=channels, outputs=outputs, leak=leak, rng=rng)


def three_tasks(rng, channels=2, outputs=2):
    """Tasks of different steps: white, with weighted lags, and with coloured inputs."""
    x = rng.standard_normal((40, 2 * channels))
    return [
        Task(0.4 * rng.standard_normal((3, outputs, channels))),
        Task(0.4 * rng.standard_normal((4, outputs, channels)), weights=[3.0, 2.0, 1.0, 1.0]),
        Task(0.4 * rng.standard_normal((2, outputs, channels)), cov=x.T @ x / 40),
    ]


def responses(u, w, v, steps, leak):
    a = (1.0 - leak) * np.eye(len(w)) + leak * w
    return np.stack([v @ np.linalg.matrix_power(a, k) @ (leak * u) for k in range(steps)])


def root_of(task):
    return np.eye(task.steps * task.channels) if task.root is None else task.root


def loss(task, u, w, v, leak=1.0):
    gap = task.response - responses(u, w, v, task.steps, leak)
    wide = gap.transpose(1, 0, 2).reshape(task.outputs, -1)
    return 0.5 * np.sum((wide @ root_of(task)) ** 2)


def integrated(net, task, t, trained=SUBSETS[0]):
    """Weights and path length at t, by products of matrices and DOP853."""
    u0, w0, v0, leak, k = net.inputs, net.recurrent, net.readout, net.leak, task.steps
    on = [name in trained for name in SUBSETS[0]]
    sizes = np.cumsum([u0.size, w0.size, v0.size])
    metric = root_of(task) @ root_of(task)

    def unpack(y):
        u, w, v = np.split(y[: sizes[-1]], sizes[:-1])
        return u.reshape(u0.shape), w.reshape(w0.shape), v.reshape(v0.shape)

    def velocity(_, y):
        u, w, v = unpack(y)
        a = (1.0 - leak) * np.eye(len(w)) + leak * w
        powers = [np.linalg.matrix_power(a, i) for i in range(k)]
        gap = task.response - responses(u, w, v, k, leak)
        wide = gap.transpose(1, 0, 2).reshape(task.outputs, -1) @ metric
        e = wide.reshape(task.outputs, k, -1).transpose(1, 0, 2)
        du = sum(leak * powers[i].T @ v.T @ e[i] for i in range(k))
        dv = sum(e[i] @ (powers[i] @ u * leak).T for i in range(k))
        dw = np.zeros_like(w)
        for i in range(k):
            for j in range(k - 1 - i):
                dw += leak * (v @ powers[j]).T @ e[i + j + 1] @ (powers[i] @ u * leak).T
        moves = np.concatenate([s * x.ravel() for s, x in zip(on, (du, dw, dv), strict=True)])
        return np.append(moves, np.linalg.norm(moves))

    y = np.concatenate([u0.ravel(), w0.ravel(), v0.ravel(), [0.0]])
    end = solve_ivp(velocity, (0.0, t), y, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    u, w, v = unpack(end)
    return Network(u, w, v, leak), float(end[-1])


def of(net):
    return net.inputs, matrices.forward(net.recurrent, np.eye(net.units)), net.readout


def close(one, other, **tolerance):
    for a, b in zip(of(one), of(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def moved(one, other):
    return [float(np.linalg.norm(a - b)) for a, b in zip(of(one), of(other), strict=True)]


@pytest.mark.parametrize("trained", SUBSETS)
@pytest.mark.parametrize("leak", [1.0, 0.4])
def test_three_stages_against_scipy(leak, trained):
    rng = np.random.default_rng(3)
    start, tasks, until = drawn(rng, leak=leak), three_tasks(rng), [0.9, 3.0, 2.0]
    run = sequence(start, tasks, until, trained=trained)
    assert run.initial_losses == pytest.approx([loss(task, *of(start), leak) for task in tasks])
    net, losses = start, []
    for stage, task, t in zip(run.stages, tasks, until, strict=True):
        before = net
        net, length = integrated(before, task, t, trained)
        losses.append([loss(each, *of(net), leak) for each in tasks])
        close(stage.end, net, atol=1e-8)
        assert stage.path_length == pytest.approx(length, rel=1e-7)
        for record, origin in ((stage.laziness, before), (stage.since_start, start)):
            du, dw, dv = moved(net, origin)
            assert record.weight_change_inputs == pytest.approx(du, rel=1e-7)
            assert record.weight_change_recurrent == pytest.approx(dw, rel=1e-7)
            assert record.weight_change_readout == pytest.approx(dv, rel=1e-7)
            assert record.weight_change == pytest.approx(np.hypot(np.hypot(du, dw), dv), rel=1e-7)
            size = np.linalg.norm(of(origin)[1])
            assert record.relative_weight_change_recurrent == pytest.approx(dw / size, rel=1e-7)
            assert record.loss == pytest.approx(losses[-1][tasks.index(task)], rel=1e-6)
        assert (stage.time, stage.laziness.time) == (t, t)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-6)
    np.testing.assert_allclose(
        run.forgetting[-1], np.array(losses[-1]) - np.diag(losses), atol=1e-8
    )
    assert run.stages[-1].since_start.time == pytest.approx(sum(until))


KINDS = {
    "flow": lambda rng: drawn(rng),
    "thin": lambda rng: drawn(rng, units=20, rank=2),
    "leak": lambda rng: drawn(rng, leak=0.5),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last", [2.5, np.inf])
def test_the_same_task_in_two_stages_is_one_flow(kind, last):
    rng = np.random.default_rng(1)
    start, task = KINDS[kind](rng), Task.random(3, 2, 2, 1.5, rng=rng)
    run, whole = sequence(start, [task, task], [0.8, last]), solve(start, task)
    direct, now = whole.laziness(0.8 + last), run.stages[1].since_start
    for name in (
        *(x for x in recurrent.record.Measures._fields if x != "loss"),
        "relative_weight_change", "relative_weight_change_recurrent", "time",
    ):  # fmt: skip
        assert getattr(now, name) == pytest.approx(getattr(direct, name), rel=1e-7), name
    assert run.path_length.sum() == pytest.approx(path_length(whole, 0.8 + last), rel=1e-7)


def test_a_learned_task_costs_nothing_and_is_not_forgotten():
    rng = np.random.default_rng(2)
    task = Task.random(3, 2, 2, rng=rng)
    run = sequence(drawn(rng), [task, task])
    assert run.weight_change[0] > 0.1
    np.testing.assert_allclose(run.weight_change[1], 0.0, atol=1e-8)
    np.testing.assert_allclose(run.path_length[1], 0.0, atol=1e-8)
    np.testing.assert_allclose(run.forgetting, 0.0, atol=1e-14)


def test_tasks_on_channels_and_outputs_of_their_own_are_not_forgotten():
    u, v = np.array([[0.5, 0.0], [0.0, 0.4]]), np.array([[0.3, 0.0], [0.0, 0.6]])
    tasks = [Task([np.diag(x), np.diag(y)]) for x, y in (((1, 0), (0.5, 0)), ((0, 1), (0, -0.5)))]
    covs = [np.diag(np.tile(x, 2)) for x in ([1.0, 0.0], [0.0, 1.0])]
    apart = [Task(task.response, cov=cov) for task, cov in zip(tasks, covs, strict=True)]
    run = sequence(Network(u, 0.3 * np.eye(2), v), apart)
    assert run.weight_change.min() > 0.1
    np.testing.assert_allclose(run.forgetting, 0.0, atol=1e-14)
    np.testing.assert_allclose(np.diag(run.losses), 0.0, atol=1e-14)
    # an input of the other channel would have been forgotten
    assert sequence(Network(u, 0.3 * np.eye(2), v), tasks).forgetting[-1, 0] > 0.1


def test_every_kind_of_weights_gives_the_same_and_keeps_its_kind():
    rng = np.random.default_rng(4)
    dense = drawn(rng, units=30, rank=3)
    tasks = [Task.random(steps, 2, 2, rng=rng) for steps in (3, 4, 3)]
    kinds = {
        Thin: matrices.svd(dense.recurrent),
        LinearOperator: csr_array(dense.recurrent),
    }
    run = sequence(dense, tasks, 5.0)
    assert all(isinstance(stage.end.recurrent, np.ndarray) for stage in run.stages)
    for kind, w in kinds.items():
        other = sequence(Network(dense.inputs, w, dense.readout), tasks, 5.0)
        assert all(isinstance(stage.end.recurrent, kind) for stage in other.stages)
        np.testing.assert_allclose(other.losses, run.losses, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(other.path_length, run.path_length, rtol=1e-7)
        for a, b in zip(other.stages, run.stages, strict=True):
            close(a.end, b.end, atol=1e-8)
            for one, two in ((a.laziness, b.laziness), (a.since_start, b.since_start)):
                wanted = two.relative_weight_change_recurrent
                assert one.relative_weight_change_recurrent == pytest.approx(wanted, rel=1e-7)
                assert one.kernel_alignment == pytest.approx(two.kernel_alignment, rel=1e-7)


def test_a_large_thin_start_stays_in_the_space_of_its_first_stage():
    rng = np.random.default_rng(5)
    n, r = 20_000, 3
    w = Thin.from_factors(*(rng.standard_normal((n, r)) / np.sqrt(n) for _ in range(2)))
    tasks = [Task.random(3, 1, 1, rng=rng) for _ in range(3)]
    run = sequence(Network.random(w, rng=rng), tasks)
    for stage in run.stages:
        assert stage.end.recurrent.values.size <= 2 + 2 * r
        assert stage.solution.method == f"reduced (T18), {2 + 2 * r} directions"
    np.testing.assert_allclose(np.diag(run.losses), 0.0, atol=1e-12)


def test_a_large_sparse_start_is_never_dense():
    rng = np.random.default_rng(6)
    n = 6000
    places = rng.integers(0, n, (2, 10 * n))
    w = csr_array((rng.standard_normal(10 * n) * 0.15, tuple(places)), shape=(n, n))
    tasks = [Task.random(3, rng=rng) for _ in range(2)]
    start = Network.random(w, rng=rng)
    run = sequence(start, tasks, 3.0)
    end = run.stages[-1].end
    assert isinstance(end.recurrent, LinearOperator)
    # products of both sides belong to one matrix, and its norm is not an estimate
    x, y = rng.standard_normal((2, n))
    assert y @ (end.recurrent @ x) == pytest.approx(x @ end.recurrent.rmatvec(y), rel=1e-10)
    first = run.stages[0]
    change = first.laziness.weight_change_recurrent
    assert change / first.laziness.relative_weight_change_recurrent == pytest.approx(
        np.linalg.norm(w.data)
        if w.has_canonical_format
        else np.sqrt(np.sum(start.recurrent.data**2))
    )
    second = run.stages[1].laziness
    before = second.weight_change_recurrent / second.relative_weight_change_recurrent
    state = first.solution.at(3.0)
    exact = np.sum(start.recurrent.data**2) + 2 * np.sum(state.left * (w @ state.right))
    exact += np.sum((state.left.T @ state.left) * (state.right.T @ state.right))
    assert before == pytest.approx(np.sqrt(exact), rel=1e-12)
    assert np.all(np.diag(run.losses) < run.initial_losses)


def test_an_operator_goes_through_as_its_matrix():
    rng = np.random.default_rng(7)
    dense = drawn(rng, units=12)
    operator = Network(dense.inputs, aslinearoperator(dense.recurrent), dense.readout)
    tasks = [Task.random(3, 2, 2, rng=rng) for _ in range(2)]
    one, two = sequence(operator, tasks), sequence(dense, tasks)
    np.testing.assert_allclose(one.losses, two.losses, rtol=1e-6, atol=1e-12)
    close(one.stages[-1].end, two.stages[-1].end, atol=1e-8)


def test_alignments_since_the_start_are_those_of_the_kernels():
    rng = np.random.default_rng(8)
    start, tasks = drawn(rng, units=5), three_tasks(rng)
    run = sequence(start, tasks, 1.5)
    for stage, task in zip(run.stages, tasks, strict=True):
        jacobians = [jacobian(net, task) for net in (start, stage.end)]
        k0, kt = (j @ j.T for j in jacobians)
        assert stage.since_start.kernel_alignment == pytest.approx(cosine(k0, kt), rel=1e-6)
        grams = [gram(net, task) for net in (start, stage.end)]
        found = stage.since_start.representation_alignment
        assert found == pytest.approx(cosine(*grams), rel=1e-10)
        wanted = task.seen.ravel()
        along = wanted @ kt @ wanted / np.linalg.norm(kt) / np.sum(wanted**2)
        assert stage.since_start.target_alignment == pytest.approx(along, rel=1e-6)


def cosine(a, b):
    return np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)


def gram(net, task):
    last = responses(*of(net)[:2], np.eye(net.units), task.steps, net.leak)
    wide = last.transpose(1, 0, 2).reshape(net.units, -1) @ root_of(task)
    return wide.T @ wide


def jacobian(net, task):
    """Of the responses as the loss sees them, by central differences."""
    weights = of(net)
    sizes = np.cumsum([x.size for x in weights])

    def seen(y):
        u, w, v = (
            p.reshape(x.shape) for p, x in zip(np.split(y, sizes[:-1]), weights, strict=True)
        )
        f = responses(u, w, v, task.steps, net.leak).transpose(1, 0, 2)
        return (f.reshape(task.outputs, -1) @ root_of(task)).ravel()

    at, h = np.concatenate([x.ravel() for x in weights]), 1e-5
    unit = np.eye(at.size)
    return np.stack([(seen(at + h * e) - seen(at - h * e)) / (2.0 * h) for e in unit], axis=1)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 1.2), st.floats(0.05, 3.0), st.floats(0.05, 3.0))
def test_lengths_obey_the_triangle_and_the_loss_that_was_lost(seed, gain, first, then):
    """|dW| <= length, length^2 <= t (L_0 - L_t), and lengths of stages add up to no less."""
    rng = np.random.default_rng(seed)
    start = drawn(rng, units=4, channels=1, outputs=1, gain=gain)
    run = sequence(start, [Task.random(3, rng=rng) for _ in range(2)], [first, then])
    before = [run.initial_losses[0], run.losses[0, 1]]
    for stage, loss0, now in zip(run.stages, before, np.diag(run.losses), strict=True):
        assert stage.laziness.weight_change <= stage.path_length * (1.0 + 1e-7)
        assert stage.path_length == path_length(stage.solution, stage.time)
        assert stage.path_length**2 <= stage.time * (loss0 - now) * (1.0 + 1e-6) + 1e-14
    assert run.stages[1].since_start.weight_change <= run.path_length.sum() * (1.0 + 1e-7)


@pytest.mark.parametrize("t", [0.0, 0.3, np.inf])
def test_the_way_is_no_shorter_than_the_change_and_nothing_at_once(t):
    rng = np.random.default_rng(9)
    w = csr_array(np.diag(np.full(599, 0.7), 1) * rng.uniform(0.5, 1.5, (600, 600)))
    grown = solve(Network.random(w, rng=rng), Task.random(3, rng=rng), "reduced")
    change, length = float(grown.weight_change(t)), path_length(grown, t)
    assert change * (1.0 - 1e-6) <= length <= 2.0 * change
    assert (length == 0.0) == (t == 0.0)


def test_what_is_said_of_each_stage():
    rng = np.random.default_rng(10)
    run = sequence(drawn(rng), [Task.random(2, 2, 2, rng=rng) for _ in range(2)], [1.0, 2.0])
    assert run.method == "flow (T16), then flow (T16)" == run.stages[1].since_start.method
    assert {text.split(":")[0] for text in run.assumptions} == {"stage 1", "stage 2"}
    assert "tasks=2" in repr(run)
    assert repr(run.stages[0]).startswith("Stage(method='flow (T16)', time=1")


def test_what_is_refused():
    net = Network(np.eye(3, 1), np.eye(3), np.eye(1, 3))
    task, other = Task([1.0, 0.5]), Task(np.ones((2, 2, 1)))
    with pytest.raises(ValueError, match="tasks must hold at least one task; it is empty"):
        sequence(net, [])
    with pytest.raises(
        ValueError, match=r"channels and outputs: tasks\[0\] has 1 and 1, tasks\[1\] 1 and 2"
    ):
        sequence(net, [task, other])
    with pytest.raises(ValueError, match=r"tasks\[1\] must be a Task; it is ndarray"):
        sequence(net, [task, np.ones((2, 3))])
    with pytest.raises(ValueError, match="times must be >= 0"):
        sequence(net, [task, task], [1.0, -1.0])
    with pytest.raises(ValueError, match="one for each of 2 tasks; its shape is \\(3,\\)"):
        sequence(net, [task, task], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="the network has 1 outputs, the task 2"):
        sequence(net, [other])
    with pytest.raises(ValueError, match="net must be a Network; it is ndarray"):
        sequence(np.eye(3), [task])
    with pytest.raises(ValueError, match="solution must be a Solution"):
        path_length(net)
    with pytest.raises(ValueError, match="trained must name one or more"):
        sequence(net, [task], trained=("memory",))


def test_what_is_since_the_start_is_known_no_better_than_what_came_before():
    """A stage of no length is exact; the changes that it adds to are not."""
    rng = np.random.default_rng(3)
    net, task = cases.random_case(rng, largest=6, steps=3, coloured="white")
    first, second = sequence(net, [task, task], [1.0, 0.0]).stages
    assert second.solution.error == 0.0
    assert second.since_start.weight_change == pytest.approx(first.laziness.weight_change)
    assert second.since_start.accuracy.startswith(f"{first.laziness.accuracy}, then ")
    assert set(first.laziness.assumptions) <= set(second.since_start.assumptions)
