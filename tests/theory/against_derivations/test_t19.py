"""T19: the library's aligned modes and pairs, and its geometric mode, against the claims."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivations import load
from derivations.frame.lag_sums import T, k
from richlazy.recurrent import Network, Task, modes, solve
from tests.theory.against_derivations.recurrent_claims import (
    SLOPES,
    STEP,
    claimed,
    distance,
    exact,
    forces,
    moving,
)

T19 = load("T19")
STEPS = 4


@pytest.fixture(autouse=True, scope="module")
def fifty_digits():
    with mpmath.workdps(50):
        yield


def orthonormal(rows, columns, rng):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def aligned(weighted, seed=0, units=6, channels=4, outputs=3, count=3):
    """A network and a task that share their modes, their axes Q, L, O and the modes."""
    rng = np.random.default_rng([weighted, seed])
    axes = tuple(orthonormal(rows, count, rng) for rows in (units, channels, outputs))
    start = dict(zip("uav", rng.uniform(0.2, 0.9, (3, count)), strict=True))
    strengths = rng.standard_normal((STEPS, count))
    q, left, right = axes
    net = Network(q * start["u"] @ left.T, q * start["a"] @ q.T, right * start["v"] @ q.T)
    weights = rng.uniform(0.5, 2.0, STEPS) if weighted else None
    return net, Task([right * s @ left.T for s in strengths], weights), axes, start, strengths


def of_lags(strengths, task, name="s"):
    """s_k and w_k of one mode."""
    weights = np.ones(STEPS) if task.weights is None else task.weights
    letters = {f"w_{lag}": mpmath.mpf(x) for lag, x in enumerate(weights)}
    return letters | {f"{name}_{lag}": x for lag, x in enumerate(strengths)}


@pytest.mark.parametrize("weighted", [False, True])
def test_the_form_of_an_aligned_network(agreement, weighted):
    net, task, (q, left, right), start, strengths = aligned(weighted)
    letters = {"Q": exact(q), "L": exact(left), "O": exact(right)}
    letters |= {f"D{x}": exact(np.diag(y)) for x, y in start.items()}
    letters |= {f"Ds_{lag}": exact(np.diag(x)) for lag, x in enumerate(strengths)}
    # it is what the library takes for one
    assert solve(net, task).method == "modes (T19), 3 real"
    for name, whole, lag in (
        ("aligned_U", net.inputs, 0),
        ("aligned_W", net.recurrent, 0),
        ("aligned_V", net.readout, 0),
        ("aligned_S", task.response[2], 2),
    ):
        error = distance(whole, claimed(T19, name, letters, {k: lag}))
        assert agreement(f"T19 {name}", error) < 1e-14


@settings(max_examples=20)
@given(weighted=st.booleans(), seed=st.integers(0, 10**6), t=st.sampled_from([0.0, 0.4, 2.0]))
def test_rates_loss_and_law_of_real_modes(agreement, weighted, seed, t):
    """Of the weights that the modes give, between their axes."""
    net, task, (q, left, right), start, strengths = aligned(weighted, seed)
    solution = solve(net, task, "modes")
    state = solution.at(t)
    now = Network(state.inputs, state.recurrent(), state.readout)
    found = {
        "u": (q.T, now.inputs, left),
        "a": (q.T, now.recurrent, q),
        "v": (right.T, now.readout, q),
    }
    rates = dict(zip("uav", forces(now, task).values(), strict=True))
    inner, moved, scales = {}, {}, {}
    for x, (before, weights, after) in found.items():
        inner[x], moved[x] = before @ weights @ after, before @ rates[x] @ after
        # a rate is a sum of terms as large as the task, which cancel as it is learned
        size = np.abs(weights).max()
        scales[x] = max(np.abs(rates[x]).max(), task.strength * size)
        for part, whole, scale in (
            (inner[x], weights, size), (moved[x], rates[x], scales[x]),
        ):  # fmt: skip
            error = distance(part - np.diag(np.diag(part)), 0, scale)
            assert agreement("T19 aligned_U, aligned_W, aligned_V, later", error) < 1e-13
            np.testing.assert_allclose(
                np.linalg.norm(part), np.linalg.norm(whole), rtol=1e-13, atol=1e-13 * scale
            )
    total = mpmath.mpf(0)
    for mode in range(3):
        letters = {x: mpmath.mpf(y[mode, mode]) for x, y in inner.items()}
        letters |= of_lags(exact(strengths[:, mode]), task)
        for x, rate in moved.items():
            wanted = claimed(T19, f"mode_rate_{x}", letters, {T: STEPS})
            error = distance(rate[mode, mode], wanted, scales[x])
            assert agreement(f"T19 mode_rate_{x}", error) < 1e-13
        kept = claimed(T19, "mode_conserved", letters, {})
        before = {x: mpmath.mpf(y[mode]) for x, y in start.items()}
        error = distance(kept, claimed(T19, "mode_conserved", before, {}), 1)
        assert agreement("T19 mode_conserved", error) < 1e-9
        total += claimed(T19, "mode_loss", letters, {T: STEPS})
    error = distance(solution.loss(t), total, 0.5 * task.strength**2)
    assert agreement("T19 mode_loss", error) < 1e-13


def turning(number):
    return np.array([[number.real, -number.imag], [number.imag, number.real]])


def a_pair():
    """A network and a task of one complex pair, with its axes and numbers."""
    rng = np.random.default_rng(5)
    q = orthonormal(5, 2, rng)
    start = rng.uniform(0.3, 0.9, 3) * np.exp(1j * rng.uniform(-2.0, 2.0, 3))
    strengths = rng.standard_normal(STEPS) + 1j * rng.standard_normal(STEPS)
    x, z, y = start
    net = Network(q @ turning(x), q @ turning(z) @ q.T, turning(y) @ q.T)
    task = Task([turning(s) for s in strengths], weights=rng.uniform(0.5, 2.0, STEPS))
    return net, task, q, start, strengths


@pytest.mark.parametrize("weighted", [False, True])
def test_how_fast_the_weights_handed_out_move(agreement, weighted):
    """Real modes and a pair; 1e-10 of the integrator over the step."""
    net, task, (q, left, right), _, strengths = aligned(weighted)
    state, (u, w, v) = moving(solve(net, task, "modes"), 0.4)
    now = [q.T @ state.inputs @ left, q.T @ state.recurrent() @ q, right.T @ state.readout @ q]
    moved = {"u": q.T @ u @ left, "a": q.T @ w @ q, "v": right.T @ v @ q}
    for mode in range(3):
        letters = {x: mpmath.mpf(y[mode, mode]) for x, y in zip("uav", now, strict=True)}
        letters |= of_lags(exact(strengths[:, mode]), task)
        for x, rate in moved.items():
            wanted = claimed(T19, f"mode_rate_{x}", letters, {T: STEPS})
            error = distance(rate[mode, mode], wanted, np.abs(rate).max())
            assert agreement(f"T19 mode_rate_{x}, by differences", error) < 1e-7


def test_how_fast_the_pair_handed_out_moves(agreement):
    net, task, q, _, strengths = a_pair()
    state, (u, w, v) = moving(solve(net, task, "modes"), 0.4)
    now = {"x": q.T @ state.inputs, "z": q.T @ state.recurrent() @ q, "y": state.readout @ q}
    letters = {name: mpmath.mpc(block[0, 0], block[1, 0]) for name, block in now.items()}
    letters |= of_lags([mpmath.mpc(s) for s in strengths], task, "s^c")
    for name, rate in {"x": q.T @ u, "z": q.T @ w @ q, "y": v @ q}.items():
        wanted = claimed(T19, f"pair_rate_{name}", letters, {T: STEPS})
        turned = np.array([[wanted.real, -wanted.imag], [wanted.imag, wanted.real]])
        error = distance(rate, turned)
        assert agreement(f"T19 pair_rate_{name}, by differences", error) < 1e-7


@pytest.mark.parametrize("t", [0.0, 0.4, 2.0])
def test_rates_and_law_of_a_complex_pair(agreement, t):
    net, task, q, (x, z, y), strengths = a_pair()
    solution = solve(net, task, "modes")
    assert solution.method == "modes (T19), 0 real, 1 complex pairs"
    state = solution.at(t)

    def between(u, w, v):
        return {"x": q.T @ u, "z": q.T @ w @ q, "y": v @ q}

    inner = between(state.inputs, state.recurrent(), state.readout)
    later = {name: complex(block[0, 0], block[1, 0]) for name, block in inner.items()}
    for name, block in inner.items():  # it still rotates and scales
        error = distance(block, exact(turning(later[name])))
        assert agreement("T19 a pair, later", error) < 1e-12
    now = Network(q @ turning(later["x"]), q @ turning(later["z"]) @ q.T, turning(later["y"]) @ q.T)
    rates = forces(now, task)
    moved = between(rates["U"], rates["W"], rates["V"])
    letters = {name: mpmath.mpc(value) for name, value in later.items()}
    letters |= of_lags([mpmath.mpc(s) for s in strengths], task, "s^c")
    size = max(np.abs(block).max() for block in moved.values())
    for name, block in moved.items():
        wanted = claimed(T19, f"pair_rate_{name}", letters, {T: STEPS})
        turned = np.array([[wanted.real, -wanted.imag], [wanted.imag, wanted.real]])
        assert agreement(f"T19 pair_rate_{name}", distance(block, turned, size)) < 1e-13
    kept = claimed(T19, "pair_conserved", letters, {}).real
    before = {name: mpmath.mpc(value) for name, value in zip("xzy", (x, z, y), strict=True)}
    error = distance(kept, claimed(T19, "pair_conserved", before, {}).real, 1)
    assert agreement("T19 pair_conserved", error) < 1e-9
    # both lengths turn alike, in the rates that the library has
    turns = [
        mpmath.conj(letters[name]) * mpmath.mpc(*map(float, moved[name][:, 0])) for name in "xy"
    ]
    error = float(abs(turns[0] - turns[1]) / max(map(abs, turns)))
    assert agreement("T19 pair_balance", error) < 1e-13


GEOMETRIC = [
    # u, w, v, s, lambda
    (0.1, 0.2, 0.1, 1.0, 0.8),
    (0.6, -0.5, 0.3, 1.4, 0.7),
    (1.2, 0.9, -0.4, 0.5, -0.3),
    (0.8, 0.0, 0.7, 2.0, 0.0),
]


def geometric(point, t):
    u, w, v, s, decay = point
    return modes.geometric(u, w, v, strength=s, decay=decay, t=t)


def at_state(found, index, point):
    """The letters of a mode at one time."""
    letters = {"u": found.inputs, "a": found.recurrent, "v": found.readout}
    letters = {x: mpmath.mpf(float(y[index])) for x, y in letters.items()}
    return letters | {"s": mpmath.mpf(point[3]), "lambda": mpmath.mpf(point[4])}


_share = st.floats(-0.9, 0.9)
_size = st.floats(0.1, 1.5)


@settings(max_examples=30)
@given(point=st.tuples(_size, _share, _size | _size.map(float.__neg__), _size, _share))
def test_loss_of_a_geometric_mode(agreement, point):
    u, w, v, s, decay = point
    found = modes.geometric(u, w, v, strength=s, decay=decay, t=[0.0, 0.3, 2.0])
    for index, loss in enumerate(found.loss):
        letters = at_state(found, index, point)
        wanted = T19.evaluate("geometric_loss", digits=80, **letters)
        # down to the rounding of the product of input and readout
        square = letters["s"] ** 2 / (1 - letters["lambda"] ** 2)
        floor = 0.1 * mpmath.sqrt(wanted * square)
        error = distance(loss, wanted, max(wanted, floor))
        assert agreement("T19 geometric_loss", error) < 1e-13


@pytest.mark.parametrize("point", GEOMETRIC)
@pytest.mark.parametrize("t", [0.5, 2.0])
def test_rates_of_a_geometric_mode(agreement, point, t):
    """Differences of order eight along the trajectory: its velocity is not handed out."""
    found = geometric(point, t + STEP * np.arange(-4, 5))
    letters = at_state(found, 4, point)
    rates = {x: T19.evaluate(f"geometric_rate_{x}", **letters) for x in "uav"}
    size = max(1, *(abs(x) for x in rates.values()))
    for x, values in (("u", found.inputs), ("a", found.recurrent), ("v", found.readout)):
        error = distance(SLOPES @ values, rates[x], size)
        # 1e-11 of the integrator over the step
        assert agreement(f"T19 geometric_rate_{x}", error) < 1e-7


@pytest.mark.parametrize("point", GEOMETRIC)
def test_a_geometric_mode_ends_at_its_best_strength_without_loss(agreement, point):
    found = geometric(point, [0.0, np.inf])
    letters = at_state(found, 1, point)
    at = {x: letters[x] for x in ("a", "s", "lambda")}
    product = letters["u"] * letters["v"]
    error = distance(product, T19.evaluate("best_strength", **at), letters["s"])
    assert agreement("T19 best_strength", error) < 1e-9
    assert distance(letters["a"], letters["lambda"], 1) < 1e-9
    wanted = T19.evaluate("best_loss", **at)
    assert agreement("T19 best_loss", distance(found.loss[1], wanted, 1)) < 1e-18
