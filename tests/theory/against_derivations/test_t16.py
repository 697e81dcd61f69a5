"""T16: the library's flow, responses, losses and conservation law against the claims."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from derivations import load
from derivations.frame.lag_sums import T, k
from richlazy.recurrent import solve
from tests.theory.against_derivations.recurrent_claims import (
    CASES,
    claimed,
    distance,
    exact,
    for_these_errors,
    forces,
    lag_letters,
    made,
    moving,
    unleaked,
    weight_letters,
)

T16 = load("T16")
TRAINED = {
    "all": (True, True, True),
    "inputs at rest": (False, True, True),
    "recurrent at rest": (True, False, True),
    "readout at rest": (True, True, False),
}
PARTS = ("inputs", "recurrent", "readout")


@pytest.fixture(autouse=True, scope="module")
def fifty_digits():
    with mpmath.workdps(50):
        yield


def started(net):
    return weight_letters(net.inputs, net.recurrent, net.readout)


def now(solution, t):
    state = solution.at(t)
    return weight_letters(state.inputs, state.recurrent(), state.readout)


def names(trained):
    return [part for part, on in zip(PARTS, trained, strict=True) if on]


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("case", CASES)
def test_flow(agreement, case, trained):
    net, task = made(case)
    on = dict(zip("UWV", TRAINED[trained], strict=True))
    found = forces(net, task, TRAINED[trained])
    letters = for_these_errors(unleaked(started(net), net.leak) | lag_letters(task), task)
    flow = {x: claimed(T16, f"flow_{x}", letters, {T: task.steps}) for x in "UWV"}
    given = {"a": mpmath.mpf(net.leak), "gU": flow["U"], "gW": flow["W"]}
    # the library moves the weights of the network without leak
    wanted = {x: claimed(T16, f"leaky_rate_{x}", given, {}) for x in "UW"} | {"V": flow["V"]}
    size = max(np.abs(x).max() for x in wanted.values())
    for x, rate in wanted.items():
        if not on[x]:
            assert not np.any(found[x])
            continue
        error = distance(found[x], rate, np.abs(rate).max() or size)
        assert agreement(f"T16 flow_{x}", error) < 1e-13


@pytest.mark.parametrize("case", ["one step", "white", "weighted", "leaky", "coloured"])
def test_how_fast_the_weights_handed_out_move(agreement, case):
    """By differences: 1e-10 of the integrator over the step."""
    net, task = made(case)
    state, moved = moving(solve(net, task, "flow"), 0.2)
    letters = weight_letters(state.inputs, state.recurrent(), state.readout)
    letters = for_these_errors(unleaked(letters, net.leak) | lag_letters(task), task)
    flow = {x: claimed(T16, f"flow_{x}", letters, {T: task.steps}) for x in "UWV"}
    known = {"a": mpmath.mpf(net.leak), "gU": flow["U"], "gW": flow["W"]}
    wanted = {x: claimed(T16, f"leaky_flow_{x}", known, {}) for x in "UW"} | {"V": flow["V"]}
    size = max(np.abs(x).max() for x in wanted.values())
    for (x, rate), found in zip(wanted.items(), moved, strict=True):
        error = distance(found, rate, size)
        assert agreement(f"T16 flow_{x}, by differences", error) < 1e-7


@pytest.mark.parametrize("case", CASES)
def test_response_and_loss_of_the_weights_handed_out(agreement, case):
    net, task = made(case)
    solution = solve(net, task)
    name = "loss" if task.cov is None else "loss_correlated"
    for t in (0.0, 0.3):
        letters = unleaked(now(solution, t), net.leak) | lag_letters(task)
        wanted = np.array([claimed(T16, "response", letters, {k: x}) for x in range(task.steps)])
        # known to the rounding of what is multiplied, which the learned response is far below
        u, w, v = (np.linalg.norm(letters[x].astype(float)) for x in "UWV")
        size = v * u * max(1.0, w ** (task.steps - 1))
        assert agreement("T16 response", distance(solution.response(t), wanted, size)) < 1e-13
        loss = claimed(T16, name, letters, {T: task.steps})
        error = distance(solution.loss(t), loss, max(loss, 0.5 * task.strength**2))
        assert agreement(f"T16 {name}", error) < 1e-13


@pytest.mark.parametrize("case", CASES)
def test_conserved(agreement, case):
    net, task = made(case)
    wanted = claimed(T16, "conserved", started(net), {})
    size = max(np.abs(x).max() ** 2 for x in started(net).values())
    assert agreement("T16 conserved", distance(net.conserved(), wanted, size)) < 1e-14
    # and it is, leak and colour and all, along what the integrator hands out
    solution = solve(net, task)
    for t in (0.3, 3.0):
        letters = now(solution, t)
        size = max(np.abs(x).max() ** 2 for x in letters.values())
        gap = claimed(T16, "conserved", letters, {}) - wanted
        assert agreement("T16 conserved along the flow", distance(gap, 0, size)) < 1e-9


@pytest.mark.parametrize("trained", [x for x in TRAINED if x != "all"])
@pytest.mark.parametrize("case", ["white", "weighted", "leaky", "coloured"])
def test_drift(agreement, case, trained):
    net, task = made(case)
    on = TRAINED[trained]
    # what has moved by then, of the weights handed out
    solution = solve(net, task, "flow", trained=names(on))
    after = now(solution, 0.5)
    gap = claimed(T16, "conserved", after, {}) - claimed(T16, "conserved", started(net), {})
    squares = mpmath.fsum(np.sum(x**2) for x in after.values())
    wanted = mpmath.sqrt(np.sum(gap**2)) / squares
    assert wanted > 1e-3
    error = distance(solution.drift(0.5), wanted)
    assert agreement("T16 conserved, drift at rest", error) < 1e-12
    if net.leak < 1.0:
        return
    # how fast it drifts at the start
    moved = {x: exact(rate) for x, rate in forces(net, task, on).items()}
    letters = started(net)
    u, w, v = (moved[x] @ letters[x].T for x in "UWV")
    rate = u + u.T + w + w.T - letters["W"].T @ moved["W"] - moved["W"].T @ letters["W"]
    v = letters["V"].T @ moved["V"]
    given = (
        letters | lag_letters(task) | dict(zip(("a_U", "a_W", "a_V"), map(int, on), strict=True))
    )
    wanted = claimed(T16, "drift", for_these_errors(given, task), {T: task.steps})
    assert agreement("T16 drift", distance(rate - v - v.T, wanted)) < 1e-13
