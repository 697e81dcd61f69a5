"""T18: the library's small networks against the claims: exact ones, and how they leak."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivations import load
from derivations.frame.lag_sums import T, k
from richlazy import Thin
from richlazy.recurrent import Network, Task, solve
from richlazy.recurrent.flow import Problem
from richlazy.recurrent.reduction import Training, _leaks
from richlazy.recurrent.reduction import exact as exactly_reduced
from richlazy.start import matrices
from tests.theory.against_derivations.recurrent_claims import (
    claimed,
    distance,
    exact,
    lag_letters,
    problem_forces,
)

T16, T18 = load("T16"), load("T18")
UNITS, STEPS = 14, 4
SHAPES = [(1, 1, 1), (2, 1, 3), (1, 2, 2), (2, 2, 4)]  # channels, outputs, rank
ALL = Training(True, True, True)


@pytest.fixture(autouse=True, scope="module")
def fifty_digits():
    with mpmath.workdps(50):
        yield


def low_rank(channels, outputs, rank, scale=0.8):
    """A start of a rank, its factors, and a task."""
    rng = np.random.default_rng([channels, outputs, rank])
    left, right = (np.linalg.qr(rng.standard_normal((UNITS, rank)))[0] for _ in range(2))
    factors = Thin(left, scale * np.sort(rng.uniform(0.5, 2.0, rank))[::-1], right)
    net = Network.random(factors, channels=channels, outputs=outputs, rng=rng)
    return net, Task.random(STEPS, channels, outputs, 1.5, rng=rng), factors


def small_letters(reduced, net):
    """P, B, A, G and the rest R of W."""
    basis = exact(reduced.basis)
    w = exact(matrices.forward(net.recurrent, np.eye(net.units)))
    problem = reduced.problem
    letters = {"P": basis, "B": problem.inputs[0], "A": problem.recurrent[0]}
    letters = {x: exact(y) for x, y in letters.items()} | {"G": exact(problem.readout[0])}
    return letters | {"R": w - basis @ (basis.T @ w)}


@pytest.mark.parametrize("shape", SHAPES)
def test_dimension_and_form(agreement, shape):
    net, task, factors = low_rank(*shape)
    reduced = exactly_reduced(net, task, ALL, factors)
    wanted = T18.evaluate("dimension", **dict(zip("nmr", shape, strict=True)))
    assert agreement("T18 dimension", abs(reduced.units - wanted)) == 0
    values = np.diag(exact(factors.values))
    letters = {"L": exact(factors.left) @ values, "M": exact(factors.right)}
    dense = matrices.forward(net.recurrent, np.eye(net.units))
    wanted = claimed(T18, "low_rank", letters, {})
    assert agreement("T18 low_rank", distance(dense, wanted)) < 1e-14
    letters = small_letters(reduced, net)
    assert distance(letters["P"].T @ letters["P"], exact(np.eye(reduced.units))) < 1e-14
    for name, whole in (("input", net.inputs), ("recurrent", dense), ("readout", net.readout)):
        error = distance(whole, claimed(T18, name, letters, {}))
        assert agreement(f"T18 {name}", error) < 1e-14
    # and nothing of W is left beyond the space
    assert distance(letters["R"], 0, np.abs(dense).max()) < 1e-14


@pytest.mark.parametrize("shape", SHAPES)
def test_small_flow(agreement, shape):
    net, task, factors = low_rank(*shape)
    reduced = exactly_reduced(net, task, ALL, factors)
    letters = small_letters(reduced, net) | lag_letters(task)
    found = problem_forces(reduced.problem)
    for ours, theirs in zip("UWV", "BAG", strict=True):
        wanted = claimed(T18, f"small_flow_{theirs}", letters, {T: STEPS})
        error = distance(found[ours], wanted)
        assert agreement(f"T18 small_flow_{theirs}", error) < 1e-13


@settings(max_examples=12)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 4)),
    t=st.sampled_from([0.5, np.inf]),
)
def test_response_and_weight_change_of_the_large_network(agreement, shape, t):
    """The weights handed out are large ones; what is said of them comes from the small network."""
    net, task, factors = low_rank(*shape)
    solution = solve(net, task, "reduced")
    assert solution.method == f"reduced (T18), {sum(shape) + shape[-1]} directions"
    state = solution.at(t)
    reduced = exactly_reduced(net, task, ALL, factors)
    basis = exact(reduced.basis)
    start = small_letters(reduced, net)
    change = basis.T @ (exact(state.left) @ exact(state.right).T) @ basis
    small = {"B": basis.T @ exact(state.inputs), "A": start["A"] + change}
    small["G"] = exact(state.readout) @ basis
    dense = exact(state.recurrent())
    large = {"U": exact(state.inputs), "W": dense, "V": exact(state.readout)}
    found = solution.response(t)
    for name, claims, letters in (
        ("small_response", T18, small),
        ("response of the large network", T16, large),
    ):
        claim = name.split(" of ")[0]
        wanted = np.array([claimed(claims, claim, letters, {k: lag}) for lag in range(STEPS)])
        assert agreement(f"T18 {name}", distance(found, wanted)) < 1e-13
    letters = {"A": small["A"], "A0": start["A"]}
    wanted = mpmath.sqrt(claimed(T18, "weight_change_squared", letters, {}))
    error = distance(solution.weight_change_recurrent(t), wanted)
    assert agreement("T18 weight_change_squared", error) < 1e-13
    moved = dense - exact(matrices.forward(net.recurrent, np.eye(net.units)))
    assert distance(mpmath.sqrt(np.sum(moved**2)), wanted) < 1e-13


def test_what_leaks(agreement):
    """C_k and O_k beyond a space that is not closed; the claims leave out size^2 of them."""
    size = 1e-5
    rng = np.random.default_rng(8)
    units, inside, channels, outputs = 8, 3, 2, 1
    axes = np.linalg.qr(rng.standard_normal((units, units)))[0]
    space, rest = axes[:, :inside], axes[:, inside:]
    beyond = rest.shape[1]
    letters = {
        "P": space,
        "B": rng.standard_normal((inside, channels)),
        "A": rng.standard_normal((inside, inside)) / 2,
        "G": rng.standard_normal((outputs, inside)),
        "R": rest @ rng.standard_normal((beyond, beyond)) @ rest.T / 3,
        "X": rest @ rng.standard_normal((beyond, inside)) / 3,
        "Y": rest @ rng.standard_normal((beyond, inside)) / 3,
        "X_U": np.zeros((units, channels)),
        "X_V": np.zeros((outputs, units)),
    }
    letters = {x: exact(y) for x, y in letters.items()} | {"epsilon": mpmath.mpf(size)}
    names = ("leaky_input", "leaky_recurrent", "leaky_readout")
    net = Network(*(claimed(T18, name, letters, {}).astype(float) for name in names))
    task = Task.random(STEPS, channels, outputs, rng=rng)
    u, w, v = (letters[x].astype(float)[None] for x in "BAG")
    small = Problem(u, w, v, task.seen[None], None, (1.0, 1.0, 1.0))
    # at the start alone: a time of 0
    images = matrices.forward(net.recurrent, space), matrices.adjoint(net.recurrent, space)
    found, leak, _ = _leaks(net, small, space, images, 0.0)
    for name, kept, turned in (
        ("leak_driven", "small_driven", False),
        ("leak_read", "small_read", True),
    ):
        out = [claimed(T18, name, letters, {k: lag}) for lag in range(1, STEPS)]
        held = [claimed(T18, kept, letters, {k: lag}) for lag in range(STEPS)]
        total = mpmath.sqrt(sum(np.sum(x**2) for x in held))
        wanted = np.concatenate([x.T if turned else x for x in out], axis=1) * size / total
        columns = wanted.shape[1]
        block, found = found[:, :columns], found[:, columns:]
        assert agreement(f"T18 {name}", distance(block, wanted)) < 10 * size**2
        assert leak >= np.linalg.norm(block) * (1 - 1e-12)
    assert found.size == 0
