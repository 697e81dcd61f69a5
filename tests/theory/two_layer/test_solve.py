"""solve and Solution: which route answers, and that every answer is about the large network."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy import low_rank, spectrum
from richlazy.errors import AssumptionError
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from tests.theory.two_layer.route_names import ROUTES, answered_by

# Which route


@pytest.mark.parametrize("name", ROUTES)
def test_the_route_says_what_it_is(name, route):
    solution = solve(*route(name, np.random.default_rng(0)))
    solution.loss()
    assert answered_by(solution, name)
    assert solution.assumptions
    if name == "closed form":
        assert solution.method == "closed form (T6)"
        assert "relative error below 1e-12" in solution.accuracy
    elif name not in ("closed modes", "riccati"):
        agreed = float(re.search(r"agree to ([\d.e+-]+) relative", solution.accuracy)[1])
        assert 0.0 < agreed < 1e-7


def test_the_order_of_preference():
    rng = np.random.default_rng(0)
    task = Task.random(9, 1, rng=rng)

    def method(s, **keywords):
        start = Network.from_spectrum(s, task=task, hidden=7, rng=rng)
        return solve(start, task, **keywords).method

    assert method(spectrum.flat(3)) == "closed form (T6)"
    assert method(spectrum.flat(7)) == "closed form (T6)"
    assert method(spectrum.power_law(5, 1.0)) == "krylov (T15), k=5"
    assert solve(Network(0.5 * task.cov_yx), task).method == "closed modes (T3)"
    assert method(spectrum.flat(3), method="krylov") == "krylov (T15), k=1"
    assert method(spectrum.flat(3), method="flow") == "flow (T11)"


def test_an_exact_reduction_does_not_report_the_error_of_a_lower_order():
    rng = np.random.default_rng(0)
    task = Task.random(20, 1, rng=rng)
    s = spectrum.power_law(2, 1.0)
    solution = solve(Network.from_spectrum(s, task=task, hidden=8, rng=rng), task)
    exact = solve(solution.start, task, "flow").weight_change()
    assert solution.weight_change() == pytest.approx(float(exact), rel=1e-9)
    assert "Krylov space complete" in solution.assumptions
    agreed = re.match(r"two tolerances agree to ([\d.e+-]+) relative, the loss", solution.accuracy)
    assert float(agreed[1]) < 1e-7


REFUSED = {
    "the network has 3 inputs, the task 2": lambda: solve(Network(np.eye(3)), Task([1.0, 2.0])),
    "W2 has 2 outputs, the task 1: they must agree": (
        lambda: solve(Network(np.eye(2), np.ones((2, 2))), Task([1.0, 2.0]))
    ),
    "method must be one of modes, closed form, riccati, krylov, flow; it is 'exact'": (
        lambda: solve(Network(np.eye(2)), Task([1.0, 2.0]), "exact")
    ),
    "closed form does not apply: it needs one output; the task has 2": (
        lambda: solve(Network(np.eye(2)), Task(np.eye(2)), "closed form")
    ),
    "modes does not apply: W1, W2 and the task do not share their modes": (
        lambda: solve(Network(np.diag([2.0, 1.0])), Task([1.0, 2.0]), "modes")
    ),
    "riccati does not apply: the start is not lambda-balanced": (
        lambda: solve(Network(np.diag([2.0, 1.0])), Task([1.0, 2.0]), "riccati")
    ),
    "closed form does not apply: it needs a silent readout; ||W2(0)|| = 5": (
        lambda: solve(Network(np.eye(2), [[3.0, 4.0]]), Task([1.0, 2.0]), "closed form")
    ),
    "riccati does not apply: it needs white inputs; cov_xx differs from the identity by 1": (
        lambda: solve(Network(np.eye(2)), Task([1.0, 2.0], np.diag([2.0, 1.0])), "riccati")
    ),
    "closed form does not apply: the Krylov chain goes on past k = 1": (
        lambda: solve(Network(np.diag([2.0, 1.0])), Task([1.0, 2.0]), "closed form")
    ),
    "||W1||^2/||cov_yx|| must lie in [1e-140, 1e+140]; it is 1e+200": (
        lambda: solve(Network([[1e70, 0.0]]), Task([1e-60, 0.0]), "closed form")
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_solve_refuses(message):
    kind = AssumptionError if "apply" in message or "||W1" in message else ValueError
    with pytest.raises(kind, match=re.escape(message)):
        REFUSED[message]()


# T6 against the flow, and against the elementwise closed form


@pytest.mark.parametrize("seed", range(30))
def test_t6_is_the_flow(seed, largest_error):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 25))
    h = int(rng.integers(1, 25))
    r = int(rng.integers(1, min(d, h) + 1))
    c = 1.0 if r == d else rng.choice([rng.uniform(), 1e-3, 1.0])
    norm, strength = 10.0 ** rng.uniform(-2, 1.3), 10.0 ** rng.uniform(-1, 1)
    task = Task.random(d, 1, strength, rng=rng)
    s = spectrum.flat(r, norm)
    start = Network.from_spectrum(s, task=task, hidden=h, alignment=c, rng=rng)
    times = np.r_[np.array([0.01, 0.3, 2.0, 15.0]) / strength, np.inf]
    exact, found = solve(start, task, "closed form"), solve(start, task, "flow")
    assert solve(start, task).method in ("closed form (T6)", "closed modes (T3)")
    loss = 0.5 * strength**2
    assert largest_error(found.measures(times), exact.measures(times), loss=loss) < 1e-8


@given(
    st.integers(1, 30),
    st.floats(0.0, 1.0),
    st.floats(-3.0, 3.0),
    st.floats(-3.0, 3.0),
    st.sampled_from([1e-3, 1.0, 30.0, np.inf]),
    st.integers(0, 2**32 - 1),
)
def test_a_flat_start_is_the_elementwise_closed_form(r, c, norm, strength, t, seed):
    rng = np.random.default_rng(seed)
    d, norm, strength = 31, 10.0**norm, 10.0**strength
    task = Task.random(d, 1, strength, rng=rng)
    s = spectrum.flat(r, norm)
    start = Network.from_spectrum(s, task=task, hidden=r, alignment=c, rng=rng)
    c = float(start.alignment(task)[0])
    if c < 1e-20:  # the row space is known to rounding
        return
    found = solve(start, task).measures(t)
    wanted = low_rank.measures(r, d, alignment=c, norm=norm, strength=strength, t=t)
    # sqrt(c) and sqrt(1 - c) are known to 1e-16 from the weights, as everything after them
    known = 1e-10 if min(c, 1.0 - c) > 1e-6 else 1e-5
    for one, other in zip(found[:5], wanted[:5], strict=True):
        assert one == pytest.approx(float(other), rel=known, abs=1e-14 * norm)
    assert found.loss == pytest.approx(float(wanted.loss), rel=1e-6, abs=1e-14 * strength**2)
