"""Parts of a deep network that never meet, each at its own scale: T4 is the reference."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from richlazy import deep
from richlazy.deep.flow import Small
from richlazy.deep.parts import parts_of
from richlazy.formulas import depth
from richlazy.start.task import Task
from tests.theory.deep.cases import reference


def t4(sizes, strengths, t, layers):
    """Weight change of independent balanced modes."""
    modes = depth.state(np.array(sizes) ** layers, strengths, t, layers)
    return float(np.linalg.norm(modes.weight_change))


@pytest.mark.parametrize(
    ("layers", "weak", "t"),
    [
        (5, 1e-4, np.inf),
        (4, 1e-3, 1e6),
        (4, 1e-3, 1e5),
        (3, 1e-7, np.inf),
        (3, 1e-12, 1e11),
        (2, 1e-17, np.inf),
        (2, 1e-17, 70.0),
        (2, 1e-29, np.inf),
    ],
)
def test_a_plateau_is_not_rest(layers, weak, t):
    sol = deep.solve([np.diag([0.5, weak])] * layers, Task(np.diag([1.0, 0.5])))
    wanted = t4([0.5, weak], [1.0, 0.5], t, layers)
    assert float(sol.weight_change(t)) == pytest.approx(wanted, rel=1e-12)
    assert sol.method == "closed form (T4, balanced modes)"
    assert "closed form, to" in sol.accuracy


def test_the_accuracy_of_a_mode_is_that_of_its_plateau():
    # at the cliff, t = 1/(2 s a^2), a change of rounding size of a moves it visibly
    sol = deep.solve([np.diag([0.5, 1e-3])] * 4, Task(np.diag([1.0, 0.5])))
    sol.measures(1e6)
    stated = float(sol.accuracy.split("to ")[1].split(" ")[0])
    moved = t4([0.5, 1e-3 * (1 + 1e-12)], [1.0, 0.5], 1e6, 4)
    off = abs(moved / t4([0.5, 1e-3], [1.0, 0.5], 1e6, 4) - 1.0)
    assert off < stated < 100 * off


@pytest.mark.parametrize("layers", [3, 4])
@pytest.mark.parametrize("weak", [1e-2, 1e-4])
def test_turned_modes_are_found_again(layers, weak, rotation):
    rng = np.random.default_rng(layers)
    q = [rotation(2, rng) for _ in range(layers + 1)]
    weights = [b @ np.diag([0.5, weak]) @ a.T for a, b in pairwise(q)]
    sol = deep.solve(weights, Task(q[-1] @ np.diag([1.0, 0.5]) @ q[0].T))
    wanted = t4([0.5, weak], [1.0, 0.5], np.inf, layers)
    assert float(sol.weight_change()) == pytest.approx(wanted, rel=1e-9)
    assert "parts are apart to" in sol.accuracy


def test_the_modes_come_back_where_they_were(rotation):
    # negative weights, one mode shrinking, layers of several widths, turned
    rng = np.random.default_rng(1)
    q = [rotation(n, rng) for n in (4, 3, 5, 2)]
    cores = [np.zeros(s) for s in ((3, 4), (5, 3), (2, 5))]
    for w, sign in zip(cores, (1.0, -1.0, -1.0), strict=True):
        w[0, 0], w[1, 1] = 0.5 * sign, 1.3
    task = np.zeros((2, 4))
    task[0, 0], task[1, 1] = 1.0, 0.6
    weights = [b @ w @ a.T for w, a, b in zip(cores, q, q[1:], strict=False)]
    turned = Task(q[-1] @ task @ q[0].T)
    sol = deep.solve(weights, turned)
    (wanted,) = reference(weights, turned, np.array([1.5]))
    for found, right in zip(sol.weights(1.5), wanted, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-9)
    assert len(parts_of(sol._small)) == 2


def test_unequal_layers_grow_each_at_its_own_scale():
    # not balanced, weak beside strong: every mode against SciPy in logarithms
    sizes = np.array([[0.5, 1e-5], [0.4, 2e-5], [0.7, 5e-6], [0.6, 3e-5]])
    strengths, t = np.array([1.0, 0.5]), 4e9
    sol = deep.solve([np.diag(s) for s in sizes], Task(np.diag(strengths)))
    total = 0.0
    for start, s in zip(sizes.T, strengths, strict=True):

        def grows(_, y, s=s):
            u = np.exp(np.sum(y))
            return (s - u) * u * np.exp(-2.0 * y)

        end = solve_ivp(grows, (0.0, t), np.log(start), "Radau", rtol=1e-11, atol=1e-13).y[:, -1]
        total += float(np.sum((np.exp(end) - start) ** 2))
    assert 0.5 < np.sqrt(total) < 1.0  # the weak mode has not been learned yet ...
    assert float(sol.weight_change(t)) == pytest.approx(np.sqrt(total), rel=1e-8)
    # ... and is at t = infinity: sizes obey w_l^2 - w_1^2 = const and their product is s
    total = 0.0
    for start, s in zip(sizes.T, strengths, strict=True):
        squares = start**2 - start.min() ** 2
        low, high = 0.0, 10.0
        for _ in range(200):
            x = 0.5 * (low + high)
            low, high = (x, high) if np.sqrt(np.prod(squares + x)) < s else (low, x)
        total += float(np.sum((np.sqrt(squares + low) - start) ** 2))
    assert float(sol.weight_change()) == pytest.approx(np.sqrt(total), rel=1e-8)


@pytest.mark.parametrize("colour", [None, np.diag([2.0, 0.3])])
def test_parts_hold_with_inputs_that_are_not_white(colour):
    layers = [np.diag([0.5, 0.02])] * 3
    task = Task(np.diag([1.0, 0.5]), colour)
    sol = deep.solve(layers, task)
    assert len(parts_of(sol._small)) == 2
    times = np.array([1.0, 40.0])
    for i, later in enumerate(reference(layers, task, times)):
        for found, right in zip(sol.weights(times[i]), later, strict=True):
            np.testing.assert_allclose(found, right, atol=1e-9)


def test_a_block_beside_a_mode_keeps_its_couplings():
    rng = np.random.default_rng(3)
    weights, target = [], np.zeros((3, 3))
    for _ in range(3):
        w = np.zeros((3, 3))
        w[0, 0], w[1:, 1:] = 0.5, 0.3 * rng.standard_normal((2, 2))
        weights.append(w)
    target[0, 0], target[1:, 1:] = 1.0, rng.standard_normal((2, 2))
    sol = deep.solve(weights, Task(target))
    sides = sorted(part.small.target.size for part in parts_of(sol._small))
    assert sides == [1, 4]
    (wanted,) = reference(weights, Task(target), np.array([3.0]))
    for found, right in zip(sol.weights(3.0), wanted, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-9)


def test_a_task_beside_the_network_stays_unlearned():
    # inputs and outputs of a mode that no hidden unit joins
    weights = [np.diag([0.5, 0.0])] * 3
    sol = deep.solve(weights, Task(np.diag([1.0, 0.5])))
    assert float(sol.loss()) == pytest.approx(0.125, rel=1e-12)
    assert float(sol.loss(0.0)) == pytest.approx(0.125 + 0.5 * 0.875**2, rel=1e-12)


def test_coupled_networks_are_one_part():
    rng = np.random.default_rng(0)
    small = Small(
        [rng.standard_normal((3, 3)) for _ in range(3)],
        np.ones(3),
        rng.standard_normal((3, 3)),
        3.0,
        3.0,
    )
    (part,) = parts_of(small)
    assert part.small is small
    assert part.gap == 0.0


def test_what_is_dropped_is_rounding():
    # a coupling of 1e-9 of the layers is no rounding; nor is one that nothing but it would carry
    weights = [np.diag([0.5, 0.3]) for _ in range(3)]
    weights[1][0, 1] = 1e-9
    assert len(parts_of(Small(weights, np.ones(2), np.diag([1.0, 0.5]), 2.0, 2.0))) == 1
    weights = [np.diag([0.5, 0.0]) + 1e-16 for _ in range(3)]
    assert len(parts_of(Small(weights, np.ones(2), np.diag([1.0, 0.5]), 2.0, 2.0))) == 1
