"""T17: the library's tangent kernel, by matrix, and its alignments against the claims."""

from __future__ import annotations

from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivations import load
from derivations.frame.lag_sums import T, k, l
from richlazy.recurrent import solve
from richlazy.recurrent.kernel import tangent_kernel
from richlazy.recurrent.reduction import Training, whole
from richlazy.recurrent.responses import controls, reads
from tests.theory.against_derivations.recurrent_claims import (
    CASES,
    claimed,
    distance,
    errors,
    exact,
    lag_letters,
    made,
    point_of,
    random_case,
    unleaked,
    weight_letters,
)

T16, T17 = load("T16"), load("T17")


@pytest.fixture(autouse=True, scope="module")
def fifty_digits():
    with mpmath.workdps(50):
        yield


def started(net):
    return unleaked(weight_letters(net.inputs, net.recurrent, net.readout), net.leak)


def driven_and_read(letters, steps):
    """C_k and O_k, and the sizes."""
    found = {"n": letters["U"].shape[1], "m": letters["V"].shape[0]}
    for lag in range(steps):
        found[f"C_{lag}"] = claimed(T16, "driven", letters, {k: lag})
        found[f"O_{lag}"] = claimed(T16, "read", letters, {k: lag})
    return found


def blocks(name, letters, steps):
    """K_kl over (k, l)."""
    grams = driven_and_read(letters, steps)
    return {
        (x, y): claimed(T17, name, grams, {k: x, l: y}) for x in range(steps) for y in range(steps)
    }


def in_the_order_of_the_library(found, steps, outputs, channels):
    """(lag, output, channel) to (output, lag, channel), rows and columns."""
    size = outputs * channels
    both = np.array([[found[x, y] for y in range(steps)] for x in range(steps)])
    both = both.reshape(steps, steps, outputs, channels, outputs, channels)
    return both.transpose(2, 0, 3, 4, 1, 5).reshape(steps * size, steps * size)


@pytest.mark.parametrize("case", CASES)
def test_kernel_by_matrix(agreement, case):
    net, task = made(case)
    letters, steps = started(net), task.steps
    problem = whole(net, task, Training(True, True, True)).problem
    found = tangent_kernel(
        controls(problem.recurrent[0], problem.inputs[0], steps),
        reads(problem.recurrent[0], problem.readout[0], steps),
    )
    parts = {"U": found.inputs, "W": found.recurrent, "V": found.readout}
    for x, part in parts.items():
        wanted = in_the_order_of_the_library(
            blocks(f"kernel_{x}", letters, steps), steps, net.outputs, net.channels
        )
        assert agreement(f"T17 kernel_{x}", distance(part, wanted)) < 1e-14
    wanted = in_the_order_of_the_library(
        blocks("kernel", letters, steps), steps, net.outputs, net.channels
    )
    total = found.total((1.0, 1.0, 1.0))
    assert agreement("T17 kernel", distance(total, wanted)) < 1e-14
    wide = [claimed(T16, "driven", letters, {k: lag}) for lag in range(steps)]
    wide = np.concatenate(wide, axis=1)
    assert agreement("T17 driven_gram", distance(found.gram, wide.T @ wide)) < 1e-14


@pytest.mark.parametrize("case", [x for x in CASES if x not in ("leaky", "coloured")])
def test_how_fast_responses_and_loss_move(agreement, case):
    """J times the flow, and E'K E from the modes that the integrator keeps in place of K."""
    net, task = made(case)
    steps, letters = task.steps, started(net) | lag_letters(task)
    grams = driven_and_read(letters, steps)
    grams |= {f"E_{lag}": x for lag, x in enumerate(errors(letters, task))}
    point = point_of(whole(net, task, Training(True, True, True)).problem)
    du, back, dv = point.forces(point.error[:, None])
    past = point.wide_controls[:, None, :, : back.shape[-1]]
    found = point.gain(du, back, past, dv)[0, 0].reshape(net.outputs, steps, net.channels)
    rates = [
        sum(claimed(T17, f"response_rate_{x}", grams, {T: steps, k: lag}) for x in "UWV")
        for lag in range(steps)
    ]
    roots = [mpmath.sqrt(letters[f"w_{lag}"]) for lag in range(steps)]
    wanted = np.array([root * x for root, x in zip(roots, rates, strict=True)])
    error = distance(found.transpose(1, 0, 2), wanted)
    assert agreement("T17 response_rate_U, response_rate_W, response_rate_V", error) < 1e-13
    falling = claimed(T17, "loss_rate", grams, {T: steps})
    found = -np.sum(point.modes(point.error) ** 2 * point.rates)
    assert agreement("T17 loss_rate", distance(found, falling)) < 1e-13


def as_letters(weights, task, leak, mark):
    """K_kl, G^c_kl and G^o_kl; the leak scales what U and W, which it multiplies, move."""
    steps, grams = task.steps, driven_and_read(weights, task.steps)
    found = {"n": grams["n"], "m": grams["m"]}
    start = "^0" if mark else ""
    for x in range(steps):
        for y in range(steps):
            at = {k: x, l: y}
            for name, claim in (("G^c", "driven_gram"), ("G^o", "read_gram")):
                found[f"{name}{mark}_{x}_{y}"] = claimed(T17, claim, grams, at)
            by_u, by_w, by_v = (claimed(T17, f"kernel_{z}", grams, at) for z in "UWV")
            found[f"K{start}_{x}_{y}"] = mpmath.mpf(leak) ** 2 * (by_u + by_w) + by_v
    return found


def cosine(name, start, now, task, leak):
    """A claimed inner product of the start and a later time, over the lengths of both."""
    as_written = SimpleNamespace(claims=T17.formulas, notation=T17.notation)
    letters = lag_letters(task)
    if name == "representation_inner_product_correlated" and task.weights is not None:
        # lags that count more are inputs of another size
        one = exact(np.eye(task.channels))
        for x in range(task.steps):
            for y in range(task.steps):
                letters[f"Sigma_{x}_{y}"] = letters[f"w_{x}"] * int(x == y) * one

    def product(first, second):
        grams = as_letters(first, task, leak, "0") | as_letters(second, task, leak, "")
        return claimed(as_written, name, grams | letters, {T: task.steps})

    return product(start, now) / mpmath.sqrt(product(start, start) * product(now, now))


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), t=st.sampled_from([0.05, 3.0]))
def test_alignments_of_later_weights(agreement, seed, t):
    net, task = random_case(seed)
    solution = solve(net, task)
    white = "" if task.cov is None else "_correlated"
    unweighted = "" if task.cov is None and task.weights is None else "_correlated"
    state = solution.at(t)
    now = weight_letters(state.inputs, state.recurrent(), state.readout)
    now = unleaked(now, net.leak)
    for found, name in (
        (solution.kernel_alignment(t), f"kernel_inner_product{white}"),
        (solution.representation_alignment(t), f"representation_inner_product{unweighted}"),
    ):
        error = distance(found, cosine(name, started(net), now, task, net.leak))
        assert agreement(f"T17 {name}", error) < 1e-13


@pytest.mark.parametrize("case", ["white", "weighted"])
def test_kernel_alignment_with_the_recurrent_weights_at_rest(agreement, case):
    net, task = made(case)
    solution = solve(net, task, trained=("inputs", "readout"))
    state, name = solution.at(0.5), "kernel_inner_product_VU"
    now = weight_letters(state.inputs, net.recurrent, state.readout)
    wanted = cosine(name, started(net), now, task, net.leak)
    error = distance(solution.kernel_alignment(0.5), wanted)
    assert agreement(f"T17 {name}", error) < 1e-13
