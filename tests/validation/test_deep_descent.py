"""Gradient descent at any depth: what it measures, held against definitions and two layers."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import descent, laziness
from richlazy.errors import ConvergenceError
from richlazy.laziness import Measures
from validation.simulation.deep import descend, halved, squares, stable_step

RUNS, INPUTS, OUTPUTS = 3, 5, 2


def covariance(rng):
    root = rng.standard_normal((INPUTS, INPUTS))
    return root @ root.T / INPUTS + 0.3 * np.eye(INPUTS)


def drawn(depth, white, seed=0):
    rng = np.random.default_rng([seed, depth, int(white)])
    sizes = [*[INPUTS, 6, 4, 7][:depth], OUTPUTS]
    weights = [0.5 * rng.standard_normal((RUNS, sizes[l + 1], sizes[l])) for l in range(depth)]
    return weights, rng.standard_normal((RUNS, OUTPUTS, INPUTS)), None if white else covariance(rng)


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("silent", [True, False])
def test_two_layers_are_those_of_the_library(white, silent):
    (first, readout), cov_yx, cov_xx = drawn(2, white)
    readout = 0.0 * readout if silent else readout
    record = [0, 1, 40, 150]
    mine = descend([first, readout], cov_yx, step=0.02, record=record, cov_xx=cov_xx)
    other = descent.descend(
        first, readout, cov_yx, step=0.02, steps=150, record=record, cov_xx=cov_xx
    )
    np.testing.assert_array_equal(mine.times, other.times)
    for name, a, b in zip(Measures._fields, mine.measures, other.measures, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14, err_msg=name)
    np.testing.assert_allclose(mine.weights[0][:, -1], other.first, rtol=0, atol=1e-13)
    np.testing.assert_allclose(mine.weights[1][:, -1], other.readout, rtol=0, atol=1e-13)


@pytest.mark.parametrize("white", [True, False])
def test_one_layer_is_linear_regression(white):
    (w,), cov_yx, cov_xx = drawn(1, white)
    variance = np.eye(INPUTS) if white else cov_xx
    run = descend([w], cov_yx, step=0.05, record=[0, 30], cov_xx=cov_xx)
    best = cov_yx @ np.linalg.inv(variance)
    left = np.linalg.matrix_power(np.eye(INPUTS) - 0.05 * variance, 30)
    np.testing.assert_allclose(run.weights[0][:, 1], best + (w - best) @ left, atol=1e-12)
    np.testing.assert_allclose(run.measures.kernel_alignment, 1.0, atol=1e-14)
    off = run.weights[0][:, 1] - best
    loss = 0.5 * np.einsum("nij,jk,nik->n", off, variance, off)
    np.testing.assert_allclose(run.measures.loss[:, 1], loss, rtol=1e-11)


def kernel(weights, root):
    """The tangent kernel from the Jacobian, column by column."""
    columns = []
    for l, w in enumerate(weights):
        for place in np.ndindex(w.shape):
            moved = [v.copy() for v in weights]
            moved[l] = np.zeros_like(w)
            moved[l][place] = 1.0
            product = root
            for v in moved:
                product = v @ product
            columns.append(product.T.ravel())
    jacobian = np.array(columns)
    return jacobian.T @ jacobian


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("depth", [1, 3, 4])
def test_measures_are_their_definitions(depth, white):
    weights, cov_yx, cov_xx = drawn(depth, white)
    values, vectors = np.linalg.eigh(np.eye(INPUTS) if white else cov_xx)
    root = (vectors * np.sqrt(values)) @ vectors.T
    run = descend(weights, cov_yx, step=0.01, record=[0, 60], cov_xx=cov_xx)
    for n in range(RUNS):
        before = [w[n] for w in weights]
        after = [w[n, 1] for w in run.weights]
        expected = (
            laziness.weight_change(before, after),
            laziness.weight_change(before[:1], after[:1]),
            laziness.weight_change(before[-1:], after[-1:]),
            laziness.representation_alignment((before[0] @ root).T, (after[0] @ root).T),
            laziness.kernel_alignment(kernel(before, root), kernel(after, root)),
        )
        found = [values[n, 1] for values in run.measures]
        np.testing.assert_allclose(found[:5], expected, rtol=1e-11)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_step_goes_down_the_slope_of_the_loss(depth):
    weights, cov_yx, cov_xx = drawn(depth, white=False)
    step, small = 1e-3, 1e-5
    run = descend(weights, cov_yx, step=step, record=[0, 1], cov_xx=cov_xx)
    moves = [(w[:, 1] - w[:, 0]) / step for w in run.weights]

    def loss(layer, change):
        shifted = [w + change if l == layer else w for l, w in enumerate(weights)]
        return descend(shifted, cov_yx, step=step, record=[0], cov_xx=cov_xx).measures.loss[:, 0]

    rng = np.random.default_rng(depth)
    for layer, w in enumerate(weights):
        change = small * rng.standard_normal(w.shape)
        slope = (loss(layer, change) - loss(layer, -change)) / 2.0
        np.testing.assert_allclose(slope, -np.sum(moves[layer] * change, axis=(1, 2)), rtol=1e-6)


def test_halved_runs_end_at_the_same_times_and_approach_each_other():
    weights, cov_yx, _ = drawn(3, white=True)
    measures, layers = halved(weights, cov_yx, step=0.02, record=[10, 50])
    assert measures.shape == (3, 7, RUNS, 2)
    assert [w.shape for w in layers] == [(3, RUNS, 2, *w.shape[1:]) for w in weights]
    apart = [np.sqrt(sum(squares(w[i + 1] - w[i]) for w in layers)) for i in range(2)]
    np.testing.assert_allclose(apart[0] / apart[1], 2.0, atol=0.2)
    direct = descend(weights, cov_yx, step=0.01, record=[20, 100])
    np.testing.assert_array_equal(measures[1], np.stack(direct.measures))


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("white", [True, False])
def test_a_step_at_half_the_stable_one_settles_and_a_large_one_is_named(depth, white):
    weights, cov_yx, cov_xx = drawn(depth, white)
    step = stable_step(weights, cov_yx, cov_xx)
    run = descend(weights, cov_yx, step=0.5 * step, record=[0, 300], cov_xx=cov_xx)
    assert np.all(run.measures.loss[:, 1] < 0.2 * run.measures.loss[:, 0])
    with pytest.raises(ConvergenceError, match="gradient descent diverges"):
        descend(weights, cov_yx, step=40.0 * step, record=[5000], cov_xx=cov_xx)


def test_two_layers_have_the_stable_step_of_the_library():
    (first, readout), cov_yx, _ = drawn(2, white=True)
    mine = stable_step([first, readout], cov_yx)
    assert mine == pytest.approx(descent.stable_step(first, readout, cov_yx), rel=1e-12)


def test_what_does_not_fit_is_refused():
    weights, cov_yx, _ = drawn(3, white=True)
    with pytest.raises(ValueError, match="must chain"):
        descend(weights[::-1], cov_yx, step=0.1, record=[1])
    with pytest.raises(ValueError, match="must chain"):
        descend([w[:1] for w in weights], cov_yx, step=0.1, record=[1])
    with pytest.raises(ValueError, match="at least one layer"):
        descend([], cov_yx, step=0.1, record=[1])
    for record in ([], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="rising"):
            descend(weights, cov_yx, step=0.1, record=record)
    with pytest.raises(ValueError, match="step"):
        descend(weights, cov_yx, step=0.0, record=[1])
