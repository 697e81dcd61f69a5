"""Rational Krylov spaces of starts far above the task, against the whole flow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from richlazy import connectomes
from richlazy.averages.expect import expect
from richlazy.averages.random_tasks import block_chain, block_tasks, chain_of, grouped
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.krylov import Bidiagonal
from richlazy.two_layer.reduction.rational import Rational
from richlazy.two_layer.reduction.subspace import invariant_subspace
from richlazy.two_layer.routes.certificate import integrated, measured, spread_over_orders

INPUTS = 80
SPECTRA = {
    "power law 1": (np.arange(1.0, 71.0) ** -1.0, INPUTS),
    "power law 0.3, full rank": (np.arange(1.0, 81.0) ** -0.3, INPUTS),
    "Gaussian": (np.linalg.svd(np.random.default_rng(0).standard_normal((90, 80)))[1], INPUTS),
}


def made(name, norm, tasks=2, strength=1.0):
    """A grouped spectrum of this norm, and task vectors along its right singular vectors."""
    s, d = SPECTRA[name]
    found = grouped(s * norm / np.linalg.norm(s), d)
    rng = np.random.default_rng(1)
    shares = np.sqrt(rng.chisquare(found.counts, size=(tasks, found.counts.size)))
    return found, strength * shares / np.linalg.norm(shares, axis=1, keepdims=True)


def rational(found, tasks, order):
    chain = Rational(found.values, tasks[:, None], found.moments, found.inputs)
    chain.grow(order)
    return chain


def whole(found, task, times):
    """Measures of the network of all directions, d x d."""
    weights = np.zeros((INPUTS, INPUTS))
    values = np.repeat(found.values, found.counts.astype(int))
    weights[range(INPUTS), range(INPUTS)] = values
    # of equal values only the direction of the task matters
    first = np.concatenate([[0], np.cumsum(found.counts.astype(int))[:-1]])
    vector = np.zeros(INPUTS)
    vector[first] = task
    reduced = invariant_subspace(Network(weights), Task(vector[None]))
    return measured(reduced, integrated(reduced, times, 1e-10))


@pytest.mark.parametrize("norm", [15.0, 150.0, 1500.0])
@pytest.mark.parametrize("name", SPECTRA)
def test_a_few_dozen_units_learn_like_all(name, norm):
    found, tasks = made(name, norm, tasks=1)
    times = np.array([0.1 / norm**2, 100.0 / norm**2, 1.0, np.inf])
    wanted = whole(found, tasks[0], times)
    last = np.inf
    for order, most in ((16, 1e-1), (24, 2e-3), (36, 1e-6)):
        reduced = rational(found, tasks, order).reduced()
        assert reduced.problem.first.shape == (1, order, order + 1)
        mine = measured(reduced, integrated(reduced, times, 1e-10))
        change = np.max(np.abs(mine.weight_change / wanted.weight_change - 1.0))
        assert change < min(most, max(last, 1e-8))
        for measure in ("kernel_alignment", "representation_alignment"):
            gap = np.abs(getattr(mine, measure) - getattr(wanted, measure))
            assert np.max(gap) < max(most * 1e-2, 1e-11)
        last = change


@pytest.mark.parametrize("norm", [2.0, 15.0, 150.0])
def test_what_leads_out_of_the_space_is_one_direction(norm):
    """`Reduced` asks that W1(0)'U lies in V: U U'W1(0) = U B V', with V from its own rows."""
    found, tasks = made("power law 1", norm)
    chain = rational(found, tasks, 20)
    reduced, v = chain.reduced(), chain._right
    u, _ = np.linalg.qr(found.values[:, None] * v)
    for k in range(2):
        back = found.values[:, None] * u[k]
        beyond = back - v[k] @ (v[k].T @ back)
        sizes = np.linalg.svd(beyond, compute_uv=False)
        assert sizes[1] < 1e-9 * sizes[0]
        # B from U'W1(0): its own singular values, whatever the bases are
        values = np.linalg.svd(back, compute_uv=False)
        mine = np.linalg.svd(reduced.problem.first[k], compute_uv=False)
        np.testing.assert_allclose(mine, values, rtol=1e-9, atol=1e-12 * values[0])
        # rho: what W1(0) takes of the last direction out of U
        last = np.linalg.svd(beyond)[0][:, 0]
        image = found.values * last
        out = image - u[k] @ (u[k].T @ image)
        assert reduced.coupling[k] == pytest.approx(out @ out, rel=1e-6, abs=1e-12 * norm**2)


def test_spaces_grow_as_they_would_at_once():
    found, tasks = made("Gaussian", 100.0)
    one, slow = rational(found, tasks, 30), rational(found, tasks, 3)
    for order in (3, 7, 30):
        slow.grow(order)
        assert slow.order == order
    np.testing.assert_array_equal(one._right, slow._right)
    np.testing.assert_array_equal(one.reduced(7).problem.first, slow.reduced(7).problem.first)
    small = rational(found, tasks, 7).reduced()
    np.testing.assert_array_equal(one.reduced(7).problem.first, small.problem.first)


def test_at_its_end_it_is_exact():
    found, tasks = made("power law 1", 10.0, tasks=1)
    chain = rational(found, tasks, 10**6)
    assert chain.complete
    assert chain.order == found.values.size - 1
    times = np.array([0.1, 1.0, np.inf])
    reduced, wanted = chain.reduced(), whole(found, tasks[0], times)
    assert reduced.complete
    mine = measured(reduced, integrated(reduced, times, 1e-10))
    for one, other in zip(mine[:5], wanted[:5], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)


def test_a_task_along_few_directions_ends_early():
    """Two directions: no third vector, and no unit made of rounding."""
    found, _ = made("power law 0.3, full rank", 100.0)
    task = np.zeros((1, found.values.size))
    task[0, [3, 40]] = 0.6, 0.8
    reduced = rational(found, task, 12).reduced()
    assert np.linalg.matrix_rank(reduced.problem.first[0], tol=1e-9) == 2
    assert np.all(np.abs(reduced.coupling) < 1e-18)
    times = np.array([1e-3, 1.0, np.inf])
    wanted = whole(found, task[0], times)
    mine = measured(reduced, integrated(reduced, times, 1e-10))
    for one, other in zip(mine[:5], wanted[:5], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)


def test_poles_are_taken_where_chains_without_would_be_long():
    found, tasks = made("power law 1", 1.0)
    assert isinstance(chain_of(found, 1.0, tasks)[0], Bidiagonal)
    strong, tasks = made("power law 1", 100.0)
    chain, begin = chain_of(strong, 1.0, tasks)
    assert isinstance(chain, Rational)
    assert begin == 36
    assert isinstance(chain_of(strong, 1e4, tasks)[0], Bidiagonal)  # a task as strong
    assert not made("power law 1", 1e5)[0].far_above(1.0)  # rounding would tell the end
    np.testing.assert_array_equal(chain.lengths, np.linalg.norm(tasks, axis=1))


@pytest.mark.parametrize("poles", [True, False])
@pytest.mark.parametrize("outputs", [2, 3])
def test_several_outputs_grow_blocks(outputs, poles):
    """Against the flow of all directions, and the very same once the blocks fill the space."""
    s = grouped(np.arange(1.0, 61.0) ** -0.5 * 2.0, 70)
    whole = block_tasks(s, outputs, 1.5, 2, np.random.default_rng(0))
    values, tasks = np.diagonal(whole.problem.first[0]), whole.problem.cov_yx
    values = np.r_[values, np.zeros(tasks.shape[2] - values.size)]
    times = np.array([0.1, 1.0, 10.0, np.inf])
    wanted = measured(whole, integrated(whole, times, 1e-10))
    chain = Rational(values, tasks, s.moments, s.inputs, poles=poles)
    np.testing.assert_allclose(chain.lengths, 1.5, rtol=1e-12)
    for order, most in ((8, 1e-2), (14, 1e-5), (10**6, 1e-8)):
        chain.grow(order)
        reduced = chain.reduced()
        assert reduced.problem.first.shape[1] == outputs * chain.order
        assert reduced.complete == (order == 10**6)
        mine = measured(reduced, integrated(reduced, times, 1e-10))
        for name in ("kernel_alignment", "representation_alignment", "weight_change"):
            np.testing.assert_allclose(getattr(mine, name), getattr(wanted, name), rtol=most)
        np.testing.assert_allclose(mine.loss[:2], wanted.loss[:2], rtol=10 * most)


@pytest.mark.parametrize(("norm", "poles"), [(2.0, False), (100.0, True)])
def test_averages_over_tasks_of_several_outputs(norm, poles):
    """The same draws, whichever way: chains for a large spectrum, all directions for a small."""
    s = grouped(np.arange(1.0, 171.0) ** -0.5, 180)
    s = replace(s, values=s.values * norm / np.sqrt(s.moments.trace.value))
    chain, begin = block_chain(s, 2, 1.0, 3, np.random.default_rng(0))
    assert (chain._poles, begin == 24) == (poles, poles)
    at = np.array([1.0, np.inf])
    found, _, gap = spread_over_orders(chain, at, 1e-8, begin)
    whole = block_tasks(s, 2, 1.0, 3, np.random.default_rng(0))
    wanted = measured(whole, integrated(whole, at, 1e-9))
    for name in ("kernel_alignment", "representation_alignment", "weight_change"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-5)
    assert gap.relative < 1e-5
    small = grouped(np.arange(1.0, 61.0) ** -0.5, 60)
    assert block_chain(small, 2, 1.0, 3, np.random.default_rng(0))[1] is None


@pytest.mark.parametrize("t", [1e-3, np.inf])
def test_averages_with_poles_are_those_of_the_flow(t):
    """Of a turned matrix too: `expect` knows its singular values alone."""
    s, d = SPECTRA["power law 1"]
    s = np.r_[s, np.zeros(10)] * 60.0 / np.linalg.norm(s)
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (INPUTS, d))
    weights = left * s @ right.T
    found = expect(weights, t=t, tasks=40)
    assert found.method.startswith("sample of 40 tasks by krylov (T15), k=")
    for name in ("kernel_alignment", "weight_change"):
        values = []
        for _ in range(6):
            task = rng.standard_normal(d)
            one = invariant_subspace(Network(np.diag(s)), Task(task[None] / np.linalg.norm(task)))
            values.append(measured(one, integrated(one, np.array([t]), 1e-8))._asdict()[name][0, 0])
        mine = getattr(found, name)
        spread = np.hypot(mine.standard_error, mine.sd / np.sqrt(len(values)))
        assert abs(np.mean(values) - mine.mean) < 5 * spread


def test_c_elegans_at_the_norm_of_its_synapses_is_lazy():
    weights = connectomes.load("celegans").weights
    found = expect(weights, tasks=4)
    assert "k=36" in found.method or "k=54" in found.method
    assert 1e-9 < 1.0 - found.kernel_alignment.mean < 1e-6
