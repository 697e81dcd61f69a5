"""Blocks that never meet are flows of their own, however weak one is beside the others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag

from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from tests.theory.two_layer.stated import stated


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("strong", [0.1, 1.0])
@pytest.mark.parametrize("weak", [1e-13, 1e-17, 1e-30])
def test_a_weak_mode_leaves_the_plateau_of_a_strong_one_when_t2_says(
    weak, strong, strength, balanced
):
    # at strength 1 a rotation might mix the modes; nothing here does
    first = np.diag([strong, weak])
    start = Network(first, first if balanced else None)
    task = Task(np.diag([1.0, strength]))
    leaves = np.log(1.0 / weak) / strength
    times = np.array([0.5 * leaves, 0.95 * leaves, leaves, leaves + 5.0, np.inf])
    solution = solve(start, task, "flow")
    found, wanted = solution.measures(times), solve(start, task, "modes").measures(times)
    np.testing.assert_allclose(found.weight_change, wanted.weight_change, rtol=1e-8)
    np.testing.assert_allclose(found.kernel_alignment, wanted.kernel_alignment, rtol=1e-8)
    np.testing.assert_allclose(found.loss, wanted.loss, rtol=1e-6, atol=1e-16)
    assert not any("comes to rest" in words for words in solution.assumptions)


@pytest.mark.parametrize("white", [True, False])
def test_blocks_are_those_alone(white):
    rng = np.random.default_rng(0)
    sizes = [(2, 2, 2), (2, 3, 1)]  # units, inputs, outputs
    scales = [1.0, 1e-18]
    firsts = [s * rng.standard_normal((h, d)) for s, (h, d, _) in zip(scales, sizes, strict=True)]
    readouts = [s * rng.standard_normal((m, h)) for s, (h, _, m) in zip(scales, sizes, strict=True)]
    tasks = [np.diag([1.0, 0.7]), rng.standard_normal((1, 3))]
    covs = []
    for _, d, _ in sizes:
        x = rng.standard_normal((9, d))
        covs.append(x.T @ x / 9)
    times = np.array([3.0, 60.0, np.inf])
    solution = solve(
        Network(block_diag(*firsts), block_diag(*readouts)),
        Task(block_diag(*tasks), None if white else block_diag(*covs)),
        "flow",
    )
    alone = [
        solve(Network(f, r), Task(t, None if white else c), "flow").measures(times)
        for f, r, t, c in zip(firsts, readouts, tasks, covs, strict=True)
    ]
    together = solution.measures(times)
    relative, _, floor = stated(solution.accuracy)
    assert relative < 1e-5
    assert floor < 1e-10
    change = np.sqrt(sum(one.weight_change**2 for one in alone))
    np.testing.assert_allclose(together.weight_change, change, rtol=relative)
    np.testing.assert_allclose(together.loss, sum(one.loss for one in alone), rtol=1e-7, atol=floor)


def test_a_block_without_units_stays():
    first = np.zeros((2, 3))
    first[0, 0] = 0.3
    solution = solve(Network(first), Task(np.diag([1.0, 0.5, 0.2])), "flow")
    assert solution.loss() == pytest.approx(0.5 * (0.25 + 0.04), rel=1e-12)
    state = solution.at(np.inf)
    assert np.all(state.first()[1] == 0.0)
    assert np.all(state.first()[:, 1:] == 0.0)


@pytest.mark.parametrize("along", ["units", "inputs"])
def test_krylov_knows_that_what_it_takes_for_rounding_may_grow(along):
    rng = np.random.default_rng(0)
    weak = 10.0 ** np.array([0.0, -5.0, -10.0, -16.0])
    first = rng.standard_normal((4, 4)) * (weak[:, None] if along == "units" else weak)
    start, task = Network(first), Task(rng.standard_normal((4, 4)))
    early = solve(start, task, "krylov")
    wanted = solve(start, task, "flow").measures([1.0, np.inf])
    np.testing.assert_allclose(early.weight_change(1.0), wanted.weight_change[0], rtol=1e-7)
    assert stated(early.accuracy)[0] < 1e-5
    late = solve(start, task, "krylov")
    assert late.loss() > 1e10 * wanted.loss[1]  # the weakest has not learned
    assert late.accuracy.startswith("unknown, since what lies beyond may have grown")
