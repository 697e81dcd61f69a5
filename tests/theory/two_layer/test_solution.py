"""Solution: every answer is about the large network, whichever route found it."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

from richlazy.errors import UndefinedError
from richlazy.laziness import (
    Measures,
    kernel_alignment,
    representation_alignment,
    weight_change,
)
from richlazy.start.matrices import Thin, rescaled
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.solve import solve
from tests.theory.two_layer.route_names import ROUTES, answered_by

# What a Solution says about the large network


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_measures_are_those_of_the_dense_weights(name, scale, route, dense_measures, largest_error):
    start, task = route(name, np.random.default_rng(1), scale)
    solution = solve(start, task)
    assert answered_by(solution, name)
    for t in (0.4, 3.0, np.inf):
        state = solution.at(t)
        wanted = dense_measures(start, task, state.first(), state.readout)
        assert largest_error(solution.measures(t), wanted, loss=solution.loss(0.0)) < 1e-9


@pytest.mark.parametrize("name", ROUTES)
def test_measures_are_those_a_user_would_compute(name, route):
    # the public functions for arrays of one's own; white inputs: activations are W1'
    start, task = route(name, np.random.default_rng(2))
    solution, t = solve(start, task), 1.3
    first, state = solution.at(0.0), solution.at(t)
    w1, w2 = state.first(), state.readout
    layers = [first.first(), first.readout]
    assert solution.weight_change(t) == pytest.approx(weight_change(layers, [w1, w2]), rel=1e-9)
    root = np.eye(task.inputs) if task.white else task.root
    own = representation_alignment((first.first() @ root).T, (w1 @ root).T)
    assert solution.representation_alignment(t) == pytest.approx(own, rel=1e-10)
    kernels = [
        np.kron(root @ w.T @ w @ root, np.eye(task.outputs)) + np.kron(root @ root, v @ v.T)
        for w, v in ((first.first(), first.readout), (w1, w2))
    ]
    assert solution.kernel_alignment(t) == pytest.approx(kernel_alignment(*kernels), rel=1e-10)


@pytest.mark.parametrize("name", ROUTES)
def test_dense_views_agree_with_the_factors(name, route):
    start, task = route(name, np.random.default_rng(3))
    solution = solve(start, task)
    for t in (0.0, 0.8, np.inf):
        state = solution.at(t)
        w1, w2 = state.first(), state.readout
        assert (state.time, state.start) == (t, start)
        np.testing.assert_allclose(solution.representation(t), w1.T @ w1, atol=1e-14)
        np.testing.assert_allclose(solution.readout(t), w2 @ w2.T, atol=1e-14)
        np.testing.assert_allclose(solution.function(t), w2 @ w1, atol=1e-14)
    learned = task.cov_yx if task.white else task.cov_yx @ np.linalg.inv(task.cov_xx)
    np.testing.assert_allclose(solution.function(np.inf), learned, atol=1e-8)


@pytest.mark.parametrize("name", ROUTES)
def test_the_start_is_the_start(name, route):
    start, task = route(name, np.random.default_rng(4))
    solution = solve(start, task)
    state, found = solution.at(0.0), solution.measures(0.0)
    first = start.first.toarray() if isinstance(start.first, Thin) else start.first
    readout = np.zeros((task.outputs, start.hidden)) if start.silent else start.readout
    np.testing.assert_allclose(state.first(), first, atol=1e-15)
    np.testing.assert_allclose(state.readout, readout, atol=1e-14)
    assert found.weight_change == 0.0
    np.testing.assert_allclose([found.representation_alignment, found.kernel_alignment], 1.0)
    root = np.eye(task.inputs) if task.white else task.root
    gap = task.whitened - readout @ first @ root
    assert found.loss == pytest.approx(0.5 * np.sum(gap**2), rel=1e-10)


@pytest.mark.parametrize("name", ROUTES)
def test_times_broadcast_and_repeat(name, route):
    solution = solve(*route(name, np.random.default_rng(5)))
    times = np.array([[np.inf, 0.5, 0.0], [2.0, 0.5, np.inf]])
    for measure in ("loss", "weight_change", "representation_alignment", "kernel_alignment"):
        together = getattr(solution, measure)(times)
        assert together.shape == times.shape
        for place in np.ndindex(times.shape):
            alone = getattr(solution, measure)(times[place])
            assert np.ndim(alone) == 0
            assert together[place] == pytest.approx(float(alone), rel=1e-9, abs=1e-18)


def test_many_questions_are_each_answered():
    # more sets of times than are remembered
    rng = np.random.default_rng(0)
    task = Task.random(6, 1, rng=rng)
    start = Network(rng.standard_normal((5, 6)))
    solution = solve(start, task)
    times = np.linspace(0.1, 3.0, 40)
    asked = [float(solution.weight_change(t)) for t in times]
    np.testing.assert_allclose(asked, solution.weight_change(times), rtol=1e-9)
    # same numbers in another shape are not the same question
    assert solution.loss(times.reshape(4, 10)).shape == (4, 10)


@pytest.mark.parametrize(("name", "then"), [("closed form", "riccati"), ("krylov", "krylov")])
@pytest.mark.parametrize("t1", [0.3, 2.0])
def test_restarting_goes_on_as_one_flow(name, then, t1, route):
    start, task = route(name, np.random.default_rng(6))
    solution = solve(start, task)
    half = solution.at(t1)
    rest = solve(Network(half.first(), half.readout), task)
    assert answered_by(rest, then)
    for t in (0.7, np.inf):
        end, direct = rest.at(t), solution.at(t1 + t)
        size = float(solution.weight_change(t1 + t))
        np.testing.assert_allclose(end.first(), direct.first(), atol=1e-8 * size)
        np.testing.assert_allclose(end.readout, direct.readout, atol=1e-8 * size)


@pytest.mark.parametrize("name", ["closed form", "krylov"])
def test_the_solution_moves_as_the_gradient_says(name, route):
    start, task = route(name, np.random.default_rng(7))
    solution, h = solve(start, task), 2e-3
    for t in (0.1, 2.0):
        states = [solution.at(t + k * h) for k in (-2, -1, 0, 1, 2)]
        stencil = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / (12.0 * h)
        w1, w2 = states[2].first(), states[2].readout
        error = task.cov_yx - w2 @ w1
        moved1 = sum(k * s.first() for k, s in zip(stencil, states, strict=True))
        moved2 = sum(k * s.readout for k, s in zip(stencil, states, strict=True))
        np.testing.assert_allclose(moved1, w2.T @ error, atol=1e-8)
        np.testing.assert_allclose(moved2, error @ w1.T, atol=1e-8)


@pytest.mark.parametrize("name", ROUTES)
def test_d_hardly_drifts(name, route):
    solution = solve(*route(name, np.random.default_rng(8)))
    assert all(solution.drift(t) < 1e-9 for t in (0.3, 4.0, np.inf))


@pytest.mark.parametrize("name", ROUTES)
@settings(max_examples=8)
@given(seed=st.integers(0, 1000), log_scale=st.floats(-3, 1), t=st.floats(0, 50))
def test_d_hardly_drifts_whatever_the_start(name, seed, log_scale, t, route):
    start, task = route(name, np.random.default_rng(seed), 10.0**log_scale)
    solution = solve(start, task)
    assert solution.drift(0.0) == 0.0
    assert solution.drift(t) < 1e-9
    # what is reported is what the weights that are handed out say
    before, after = solution.at(0.0), solution.at(t)
    w1, w2 = after.first(), after.readout
    gap = (w2.T @ w2 - w1 @ w1.T) - (before.readout.T @ before.readout
                                     - before.first() @ before.first().T)  # fmt: skip
    assert np.linalg.norm(gap) < 1e-9 * (np.sum(w1**2) + np.sum(w2**2))


# Symmetries


@pytest.mark.parametrize("name", ROUTES)
def test_rotations_change_no_measure(name, route, rotation, largest_error):
    rng = np.random.default_rng(9)
    start, task = route(name, rng)
    first = start.first.toarray() if isinstance(start.first, Thin) else start.first
    turn, hidden, out = (rotation(n, rng) for n in (task.inputs, start.hidden, task.outputs))
    cov = None if task.white else turn @ task.cov_xx @ turn.T
    turned = Network(
        hidden @ first @ turn.T, None if start.silent else out @ start.readout @ hidden.T
    )
    other = Task(out @ task.cov_yx @ turn.T, cov)
    times = np.array([0.5, 4.0, np.inf])
    one, two = solve(start, task), solve(turned, other)
    assert one.method == two.method
    assert largest_error(two.measures(times), one.measures(times), loss=one.loss(0.0)) < 1e-9
    np.testing.assert_allclose(two.function(0.5), out @ one.function(0.5) @ turn.T, atol=1e-9)


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("s", [0.01, 1e3])
def test_weights_scale_as_the_root_of_the_task(name, s, route):
    start, task = route(name, np.random.default_rng(10))
    readout = None if start.silent else s * start.readout
    larger = Network(rescaled(start.first, s * np.linalg.norm(_dense(start))), readout)
    other = Task(s**2 * task.cov_yx, task.cov_xx)
    times = np.array([0.5, 4.0, np.inf])
    found, wanted = solve(larger, other).measures(times / s**2), solve(start, task).measures(times)
    powers = Measures(s, s, s, 1.0, 1.0, 1.0, s**4)
    for one, two, factor in zip(found[:-1], wanted[:-1], powers[:-1], strict=True):
        np.testing.assert_allclose(one, factor * two, rtol=2e-9)
    np.testing.assert_allclose(found.loss, s**4 * wanted.loss, rtol=1e-7, atol=1e-16 * s**4)


def _dense(start):
    return start.first.toarray() if isinstance(start.first, Thin) else start.first


def test_every_face_of_a_matrix_has_the_same_solution():
    rng = np.random.default_rng(11)
    dense = rng.standard_normal((7, 9)) * (rng.random((7, 9)) < 0.5)
    task = Task.random(9, 1, rng=rng)
    times = np.array([0.5, np.inf])
    wanted = solve(Network(dense), task)
    for face in (sp.csr_array, sp.coo_matrix, aslinearoperator, np.ndarray.tolist):
        found = solve(Network(face(dense)), task)
        np.testing.assert_allclose(
            found.measures(times), wanted.measures(times), rtol=1e-9, atol=1e-18
        )
        np.testing.assert_allclose(
            found.representation(1.0), wanted.representation(1.0), atol=1e-12
        )
        np.testing.assert_allclose(found.function(1.0), wanted.function(1.0), atol=1e-12)


# The loss


@pytest.mark.parametrize("samples", [40, 4])
def test_the_loss_is_half_the_mean_square_above_the_least_squares_fit(samples):
    # with fewer samples than inputs too
    rng = np.random.default_rng(samples)
    x = rng.standard_normal((samples, 6)) @ rng.standard_normal((6, 6))
    y = x @ rng.standard_normal((6, 2)) + rng.standard_normal((samples, 2))
    task = Task.from_data(x, y)
    solution = solve(Network(0.3 * rng.standard_normal((5, 6))), task)
    fit = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    irreducible = 0.5 * np.mean(np.sum((y - fit) ** 2, axis=1))
    scale = 0.5 * np.mean(np.sum(y**2, axis=1))
    for t in (0.0, 0.01, 0.3):
        error = y - x @ solution.function(t).T
        whole = 0.5 * np.mean(np.sum(error**2, axis=1))
        assert solution.loss(t) == pytest.approx(whole - irreducible, rel=1e-9, abs=1e-12 * scale)


def test_white_data_take_a_closed_form():
    rng = np.random.default_rng(0)
    x = np.sqrt(50.0) * np.linalg.qr(rng.standard_normal((50, 4)))[0]
    y = x @ rng.standard_normal(4) + rng.standard_normal(50)
    solution = solve(Network(np.eye(4)), Task.from_data(x, y))
    assert solution.method == "closed modes (T3)"
    error = y - x @ solution.function(0.7)[0]
    fit = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    expected = 0.5 * (np.mean(error**2) - np.mean(fit**2))
    assert solution.loss(0.7) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ROUTES)
def test_the_loss_never_rises(name, route):
    solution = solve(*route(name, np.random.default_rng(12)))
    loss = solution.loss(np.r_[0.0, np.geomspace(1e-3, 1e3, 60), np.inf])
    assert np.all(np.diff(loss) <= 1e-12 * loss[0])


# Records, and what a Solution refuses


@pytest.mark.parametrize("name", ROUTES)
def test_the_record(name, route):
    start, task = route(name, np.random.default_rng(13))
    solution = solve(start, task)
    record, found = solution.laziness(2.0), solution.measures(2.0)
    for field, value in found._asdict().items():
        assert getattr(record, field) == pytest.approx(float(value), rel=1e-12)
    size1 = np.sum(_dense(start) ** 2)
    size = size1 + (0.0 if start.silent else np.sum(start.readout**2))
    assert record.relative_weight_change == pytest.approx(found.weight_change / np.sqrt(size))
    assert record.relative_weight_change_input == pytest.approx(
        found.weight_change_input / np.sqrt(size1)
    )
    assert (record.time, record.method) == (2.0, solution.method)
    assert (record.assumptions, record.accuracy) == (solution.assumptions, solution.accuracy)
    assert record.sign_similarity is None
    assert solution.laziness().time == np.inf


def test_what_is_undefined_is_none_in_a_record_and_an_error_when_asked_for():
    task = Task.random(4, 1, rng=np.random.default_rng(0))
    solution = solve(Network(np.zeros((3, 4))), task)
    record = solution.laziness()
    assert record.representation_alignment is None
    assert record.kernel_alignment is None
    assert record.relative_weight_change is None
    assert record.relative_weight_change_input is None
    assert record.weight_change == 0.0
    with pytest.raises(UndefinedError, match="representation alignment is 0/0"):
        solution.representation_alignment()
    with pytest.raises(UndefinedError, match="kernel alignment is 0/0"):
        solution.kernel_alignment([0.0, 1.0])


def test_a_zero_first_layer_under_a_readout_has_a_kernel_but_no_representation():
    solution = solve(Network(np.zeros((2, 3)), np.ones((1, 2))), Task([1.0, 0.0, 0.0]))
    record = solution.laziness()
    assert record.representation_alignment is None
    assert record.relative_weight_change_input is None
    assert 0.0 < record.kernel_alignment < 1.0
    assert record.relative_weight_change > 0.0
    assert record.loss < 1e-16


@pytest.mark.parametrize("t", [-1.0, np.nan, "1", [], [1.0, -2.0]])
def test_times_that_are_refused(t):
    solution = solve(Network(np.eye(2)), Task([1.0, 2.0]))
    for ask in (solution.loss, solution.measures, solution.at, solution.drift, solution.laziness):
        with pytest.raises(ValueError, match=r"^t must|^at takes one time"):
            ask(t)


def test_one_time_at_a_time():
    solution = solve(Network(np.eye(2)), Task([1.0, 2.0]))
    with pytest.raises(ValueError, match="at takes one time; call it once for each"):
        solution.at([1.0, 2.0])
    for ask in (solution.drift, solution.laziness):
        with pytest.raises(ValueError, match=r"t must be one number; its shape is \(2,\)"):
            ask([1.0, 2.0])


def test_large_dense_results_are_refused():
    rng = np.random.default_rng(0)
    start = Network.from_factors(rng.standard_normal((6000, 1)), rng.standard_normal((7, 1)))
    solution = solve(start, Task(np.ones(7)))
    with pytest.raises(ValueError, match=r"a dense 6000 x 7 result is refused \(over 5000\); use"):
        solution.representation(1.0)
    assert solution.function(1.0).shape == (1, 7)
    assert solution.at(1.0).left.shape[0] == 6000


@pytest.mark.parametrize("largest", [5, 4])
def test_what_is_dense_is_no_larger_than_said(largest, monkeypatch):
    monkeypatch.setattr("richlazy.two_layer.solution._DENSE_SIZE", largest)
    for shape in ((5, 3), (3, 5)):
        state = solve(np.ones(shape) / 7.0, Task(np.ones(shape[1]))).at(1.0)
        if largest == 5:
            assert state.first().shape == shape
        else:
            with pytest.raises(ValueError, match=r"result is refused \(over 4\)"):
                state.first()


def test_a_large_thin_start_costs_its_rank():
    rng = np.random.default_rng(0)
    d = 20_000
    left, right, readout = (rng.standard_normal(shape) for shape in ((d, 5), (d, 5), (1, d)))
    start, task = Network.from_factors(left / d, right, readout / d), Task.random(d, 1, rng=rng)
    tracemalloc.start()
    record = solve(start, task).laziness()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert record.loss < 1e-16
    assert peak < 100 * 8 * d  # vectors of d numbers, nothing d x d


def test_no_warnings_at_degenerate_points():
    rng = np.random.default_rng(0)
    starts = [np.eye(1), np.eye(3), np.zeros((2, 3)), np.outer([1.0, 0.0], [1.0, 1.0, 0.0])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for first in starts:
            for m in range(1, first.shape[1] + 1):
                task = Task.random(first.shape[1], m, rng=rng)
                found = solve(Network(first), task).measures([0.0, 1.0, np.inf])
                assert np.all(np.isfinite(found.weight_change))
                assert np.all(np.isfinite(found.loss))


@pytest.mark.parametrize("name", ["closed form", "krylov"])
def test_representation_readout_and_function_take_the_shape_of_t(name, route):
    start, task = route(name, np.random.default_rng(11))
    solution = solve(start, task)
    t = np.array([[2.0, 0.0], [np.inf, 0.3]])
    d, m = task.inputs, task.outputs
    for question, shape in (("representation", (d, d)), ("readout", (m, m)), ("function", (m, d))):
        many = getattr(solution, question)(t)
        assert many.shape == (2, 2, *shape)
        for place in np.ndindex(t.shape):
            alone = getattr(solution, question)(t[place])
            assert alone.shape == shape
            np.testing.assert_allclose(many[place], alone, rtol=1e-7, atol=1e-9)
