"""T19: aligned modes and complex pairs against T16, what is refused, and infinitely many steps."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.errors import AssumptionError
from richlazy.recurrent import Network, Task, modes, solve
from richlazy.recurrent.routes.beside import growth
from richlazy.recurrent.routes.blocks import along_blocks

TIMES = np.array([0.0, 0.4, 3.0])


def aligned(rng, units=6, count=2, steps=5, weights=None, *, leak=1.0):
    """W = Q diag(w) Q', U = Q diag(u) L', V = O diag(v) Q', S_k = O diag(s_k) L'."""
    q, l, o = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (units, count, count))
    w = (q * rng.uniform(-0.9, 0.9, units)) @ q.T
    u, v = q[:, :count] * rng.uniform(0.2, 1, count), q[:, :count] * rng.uniform(0.2, 1, count)
    s = np.stack([(o * rng.standard_normal(count)) @ l.T for _ in range(steps)])
    return Network(u @ l.T, w, o @ v.T, leak), Task(s, weights)


def pair(rng, steps=5):
    """A rotation and scaling of a plane, that the inputs drive and the readout reads."""
    q = np.linalg.qr(rng.standard_normal((6, 6)))[0]

    def spin(a, b):
        return np.array([[a, -b], [b, a]])

    w = np.zeros((6, 6))
    w[:2, :2], w[2:, 2:] = spin(0.3, 0.7), np.diag([0.5, -0.5, 0.2, 0.1])
    s = np.stack([spin(*rng.standard_normal(2)) for _ in range(steps)])
    u, v = q[:, :2] @ spin(0.4, 0.1), spin(0.3, -0.5) @ q[:, :2].T
    return Network(u, q @ w @ q.T, v), Task(s)


def agree(net, task, t=TIMES, *, method="modes"):
    found = solve(net, task)
    assert found.method.startswith(method)
    by_flow = solve(net, task, "flow")
    for x, y in zip(found.measures(t), by_flow.measures(t), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-12)
    for time in np.ravel(t):
        one, other = found.at(time), by_flow.at(time)
        np.testing.assert_allclose(one.recurrent(), other.recurrent(), atol=1e-8)
        np.testing.assert_allclose(one.inputs, other.inputs, atol=1e-8)
        np.testing.assert_allclose(one.readout, other.readout, atol=1e-8)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("leak", [1.0, 0.5])
def test_real_modes_are_the_flow(seed, leak):
    found = agree(*aligned(np.random.default_rng(seed), leak=leak))
    assert found.method == "modes (T19), 2 real"


@pytest.mark.parametrize("seed", range(3))
def test_lags_may_be_weighted(seed):
    agree(*aligned(np.random.default_rng(seed), weights=[1.0, 0.5, 0.0, 2.0, 0.3]))


@pytest.mark.parametrize("seed", range(3))
def test_a_complex_pair_is_the_flow(seed):
    found = agree(*pair(np.random.default_rng(seed)))
    assert found.method == "modes (T19), 0 real, 1 complex pairs"


def test_the_equations_of_one_mode():
    """u, w, v by the three scalar equations, integrated as they stand."""
    from scipy.integrate import solve_ivp

    s, k = np.array([0.3, 1.0, -0.4, 0.2]), np.arange(4)

    def rate(_, y):
        u, w, v = y
        missed = s - u * v * w**k
        return [
            v * np.sum(missed * w**k),
            u * v * np.sum(missed[1:] * k[1:] * w ** (k[1:] - 1)),
            u * np.sum(missed * w**k),
        ]

    wanted = solve_ivp(rate, (0, 2.0), [0.5, 0.4, 0.3], "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    at = solve(Network([[0.5]], [[0.4]], [[0.3]]), Task(s), "modes").at(2.0)
    found = [at.inputs[0, 0], at.recurrent()[0, 0], at.readout[0, 0]]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_a_mode_that_nothing_drives_stays_at_rest_and_it_is_said():
    net, task = aligned(np.random.default_rng(0))
    silent = net.readout.copy()
    silent[:] = 0.0
    still = Network(0.0 * net.inputs, net.recurrent, silent)
    found = solve(still, task)
    assert found.weight_change(np.inf) == 0.0
    assert any("rest with excess loss" in words for words in found.assumptions)


def test_a_wanted_mode_at_its_saddle_stays_there():
    """One of two modes has u = v = 0: exactly aligned, it is never learned."""
    rng = np.random.default_rng(1)
    q, l, o = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (6, 2, 2))
    w = (q * np.r_[0.5, -0.4, 0.3, 0.2, 0.1, 0.6]) @ q.T
    keep = np.array([1.0, 0.0])
    net = Network((q[:, :2] * 0.5 * keep) @ l.T, w, (o * 0.4 * keep) @ q[:, :2].T)
    s = np.stack([(o * [1.0, 0.7 / (k + 1)]) @ l.T for k in range(3)])
    found = solve(net, Task(s), "modes")
    unlearned = 0.5 * sum((0.7 / (k + 1)) ** 2 for k in range(3))
    np.testing.assert_allclose(found.loss(np.inf), unlearned, rtol=1e-9)
    assert "1 modes of the task start at zero, and stay there" in found.assumptions
    assert any("rest with excess loss" in words for words in found.assumptions)


REFUSED = {
    "needs inputs white": lambda net, task: (net, Task(task.response, cov=np.eye(10) + 0.3)),
    "W takes the directions": lambda net, task: (
        Network(net.inputs, net.recurrent + 0.1 * np.eye(6, k=1), net.readout), task),
    "S does not share the modes of the task": lambda net, task: (
        net, Task(task.response + 0.1 * np.eye(2)[::-1] * [[1, 2]])),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_has_no_modes_is_told_why(words):
    net, task = REFUSED[words](*aligned(np.random.default_rng(2)))
    with pytest.raises(AssumptionError, match=r"^modes does not apply: "):
        solve(net, task, "modes")
    assert not solve(net, task).method.startswith("modes")
    if words != "S does not share the modes of the task":  # then nothing of the network does
        with pytest.raises(AssumptionError, match=words):
            solve(net, task, "modes")


def test_geometric_tasks_are_those_of_many_steps():
    start = {"inputs": 0.6, "recurrent": 0.3, "readout": 0.4}
    found = modes.geometric(**start, strength=1.2, decay=0.6, t=[0.0, 0.5, 5.0, np.inf])
    task = Task(1.2 * 0.6 ** np.arange(60))
    many = solve(Network([[0.6]], [[0.3]], [[0.4]]), task, "modes")
    for k, t in enumerate([0.0, 0.5, 5.0, np.inf]):
        at = many.at(t)
        np.testing.assert_allclose(found.inputs[k], at.inputs[0, 0], rtol=1e-8)
        np.testing.assert_allclose(found.recurrent[k], at.recurrent()[0, 0], rtol=1e-8)
        np.testing.assert_allclose(found.readout[k], at.readout[0, 0], rtol=1e-8)
        np.testing.assert_allclose(found.loss[k], many.loss(t), rtol=1e-7, atol=1e-12)
    assert found.loss[-1] < 1e-18


def test_the_geometric_loss_is_its_series():
    found = modes.geometric(0.6, -0.7, 0.4, strength=0.8, decay=0.9, t=0.0)
    k = np.arange(600)
    series = 0.5 * np.sum((0.8 * 0.9**k - 0.24 * (-0.7) ** k) ** 2)
    np.testing.assert_allclose(found.loss, series, rtol=1e-13)


@pytest.mark.parametrize("size", [1e-3, 1e-8, 1e-13])
def test_small_starts_leave_the_saddle_at_the_time_of_their_logarithm(size):
    """While u v is small, w rests and u = v grows as exp(s t / (1 - d w))."""
    decay, w = 0.5, 0.2
    rate = 1.0 / (1 - decay * w)
    t = np.log(1e-2) / rate - np.log(size) / rate if size < 1e-2 else 0.1
    found = modes.geometric(size, w, size, strength=1.0, decay=decay, t=t)
    np.testing.assert_allclose(found.inputs, 1e-2, rtol=2e-3)
    np.testing.assert_allclose(found.inputs, found.readout, rtol=1e-9)


@pytest.mark.parametrize("strength", [1e-3, 50.0])
@pytest.mark.parametrize("size", [0.1, 1e-16])
def test_a_geometric_task_of_any_strength_is_learned_in_the_end(strength, size):
    """However late a small start leaves its saddle."""
    at = size * np.sqrt(strength)
    found = modes.geometric(at, 0.2, at, strength=strength, decay=0.5, t=np.inf)
    np.testing.assert_allclose(found.inputs * found.readout, strength, rtol=1e-6)
    np.testing.assert_allclose(found.recurrent, 0.5, rtol=1e-6)
    assert found.loss < 1e-12 * strength**2


def test_a_mode_at_its_saddle_stays():
    found = modes.geometric(0.0, 0.2, 0.0, strength=1.0, decay=0.5, t=np.inf)
    assert (found.inputs, found.recurrent, found.readout) == (0.0, 0.2, 0.0)
    np.testing.assert_allclose(found.loss, 0.5 / 0.75)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"recurrent": 1.0}, "^recurrent must be between -1 and 1 .* it is 1"),
        ({"decay": -1.0}, "^decay must be between"),
        ({"strength": 0.0}, "^strength must be > 0"),
        ({"inputs": np.nan}, "^inputs must be finite"),
        ({"readout": [1.0]}, "^readout must be one number"),
        ({"t": -1.0}, "^t must be >= 0"),
    ],
)
def test_bad_geometric_arguments_are_refused(wrong, words):
    good = {
        "inputs": 0.1,
        "recurrent": 0.2,
        "readout": 0.1,
        "strength": 1.0,
        "decay": 0.5,
        "t": 1.0,
    }
    with pytest.raises(ValueError, match=words):
        modes.geometric(**{**good, **wrong})


def plateau():
    """One mode that cannot learn all lags, and five units beside it that could."""
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    w = (q * np.r_[0.3, -0.8, 0.5, -0.2, 0.7, 0.1]) @ q.T
    return q, Network(0.5 * q[:, :1], w, 0.4 * q[:, :1].T), Task([0.2, 1.0, -0.6, 0.3])


def test_rounding_that_grows_beside_the_modes_is_said():
    _, net, task = plateau()
    found = solve(net, task, "modes")
    found.loss(1.0)
    assert not any("beside" in words for words in found.assumptions)
    learned = solve(*aligned(np.random.default_rng(0), count=1, steps=1), "modes")
    assert learned.loss(np.inf) < 1e-20
    assert not any("beside" in words for words in learned.assumptions)
    found.loss(300.0)
    assert any("beside them rounding grows about e^" in words for words in found.assumptions)
    found.loss(np.inf)
    assert any("beside them rounding grows without end" in words for words in found.assumptions)


def test_units_beside_the_modes_grow_at_the_rate_that_is_said():
    """A little on all units beside the modes, followed by the whole flow."""
    q, net, task = plateau()
    route = solve(net, task, "modes")._route
    at = np.array([6.0, 9.0])
    changes = along_blocks(route.reduced.problem, route.blocks, at, 1e-11)
    _, rate = growth(net, route.reduced.problem, route.basis, at, changes)
    small = q[:, 1:] @ np.full((5, 1), 1e-12)
    moved = Network(net.inputs + small, net.recurrent, net.readout + small.T)
    sizes = [np.linalg.norm(q[:, 1:].T @ solve(moved, task, "flow").at(t).inputs) for t in at]
    assert sizes[-1] < 1e-3  # still where it is linear
    np.testing.assert_allclose(rate, np.log(sizes[1] / sizes[0]) / 3.0, rtol=0.01)


def test_rounding_has_grown_by_its_rate_from_the_beginning_on():
    """Weights that do not move have one rate, and the logarithm grows by it and by the time."""
    _, net, task = plateau()
    route = solve(net, task, "modes")._route
    problem = route.reduced.problem
    still = tuple(np.zeros_like(x) for x in problem[:3])
    for at in (np.array([0.5]), np.array([0.5, 2.0, 7.0])):
        grown, rate = growth(net, problem, route.basis, at, [still] * at.size)
        assert rate > 0.1
        # the direction that grows fastest is found from one time to the next
        assert grown == pytest.approx(rate * at[-1], rel=0.05)
    whole = np.eye(net.units)
    assert growth(net, problem, whole, np.array([1.0]), [still]) == (0.0, 0.0)
