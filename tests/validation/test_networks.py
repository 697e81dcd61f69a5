"""Nonlinear networks: gradients, tangent kernels and measures against what defines them."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import laziness
from richlazy.errors import ConvergenceError
from richlazy.two_layer.descent import descend
from validation.simulation.networks import ACTIVATIONS, gradients, kernel, train, white_samples

VALUES = {"linear": lambda z: z, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0)}


def network(seed=0, runs=3, samples=9, hidden=5, inputs=4, own=False):
    rng = np.random.default_rng(seed)
    w1 = rng.standard_normal((runs, hidden, inputs))
    w2 = rng.standard_normal((runs, hidden))
    x = rng.standard_normal((runs, samples, inputs) if own else (samples, inputs))
    return w1, w2, x, rng.standard_normal((runs, samples))


def outputs(w1, w2, x, activation):
    """f of one network, entry by entry."""
    return np.array([w2 @ VALUES[activation](w1 @ sample) for sample in x])


def derivative(function, weights, step=1e-5):
    """Central differences of a function of one array, (values, *shape)."""
    found = []
    for index in np.ndindex(weights.shape):
        moved = np.zeros_like(weights)
        moved[index] = step
        found.append((function(weights + moved) - function(weights - moved)) / (2 * step))
    return np.moveaxis(np.reshape(found, (*weights.shape, -1)), -1, 0)


def jacobian(w1, w2, x, activation):
    first = derivative(lambda w: outputs(w, w2, x, activation), w1)
    second = derivative(lambda w: outputs(w1, w, x, activation), w2)
    return np.hstack([first.reshape(len(x), -1), second.reshape(len(x), -1)])


def test_every_activation_has_a_value_here():
    assert set(ACTIVATIONS) == set(VALUES)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_finite_differences(activation, own):
    w1, w2, x, y = network(own=own)
    found1, found2 = gradients(w1, w2, x, y, activation)
    for run in range(len(w1)):
        mine = x[run] if own else x

        def loss(a, b, samples=mine, targets=y[run]):
            return np.array([0.5 * np.mean((targets - outputs(a, b, samples, activation)) ** 2)])

        wanted1 = derivative(lambda w, r=run: loss(w, w2[r]), w1[run])[0]
        wanted2 = derivative(lambda w, r=run: loss(w1[r], w), w2[run])[0]
        np.testing.assert_allclose(found1[run], wanted1, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(found2[run], wanted2, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_kernel_is_the_gram_matrix_of_the_jacobian(activation, own):
    w1, w2, x, _ = network(1, own=own)
    found = kernel(w1, w2, x, activation)
    for run in range(len(w1)):
        j = jacobian(w1[run], w2[run], x[run] if own else x, activation)
        np.testing.assert_allclose(found[run], j @ j.T, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_measures_are_those_of_the_definitions_run_by_run(activation):
    """Repeats a few steps by hand, one network at a time."""
    w1, w2, x, y = network(2, runs=2)
    step, steps = 0.05, 7
    found = train(w1, w2, x, y, activation, step=step, steps=steps, record=[0, steps])
    np.testing.assert_allclose(found.kernel_alignment[:, 0], 1.0, rtol=1e-12)
    assert np.all(found.weight_change[:, 0] == 0.0)
    assert np.all(found.sign_similarity[:, 0] == 1.0)
    for run in range(2):
        a, b = w1[run].copy(), w2[run].copy()
        for _ in range(steps):
            one, two = gradients(a[None], b[None], x, y[run][None], activation)
            a, b = a - step * one[0], b - step * two[0]
        k0 = kernel(w1[run][None], w2[run][None], x, activation)[0]
        kt = kernel(a[None], b[None], x, activation)[0]
        z0, zt = x @ w1[run].T, x @ a.T
        wanted = {
            "weight_change": laziness.weight_change([w1[run], w2[run][None]], [a, b[None]]),
            "representation_alignment": laziness.representation_alignment(
                VALUES[activation](z0), VALUES[activation](zt)
            ),
            "kernel_alignment": laziness.kernel_alignment(k0, kt),
            "sign_similarity": laziness.sign_similarity(z0, zt),
            "loss": 0.5 * np.mean((y[run] - outputs(a, b, x, activation)) ** 2),
        }
        for name, value in wanted.items():
            assert getattr(found, name)[run, 1] == pytest.approx(value, rel=1e-10), name
    assert np.all(found.kernel_alignment[:, 1] < 0.9999)


def test_samples_are_white_and_random():
    x = white_samples(30, 6, np.random.default_rng(0))
    np.testing.assert_allclose(x.T @ x / 30, np.eye(6), atol=1e-14)
    drawn = np.stack([white_samples(8, 3, np.random.default_rng([1, i])) for i in range(400)])
    assert abs(np.mean(drawn[:, 0, 0])) < 4 / np.sqrt(400)  # a QR alone has signs of its own


def test_linear_units_are_linear_descent():
    w1, w2, x, _ = network(3)
    beta = np.array([1.0, -0.5, 0.25, 2.0])
    cov = x.T @ x / len(x)
    options = {"step": 0.01, "steps": 60, "record": [20, 60]}
    y, yx = np.tile(x @ beta, (3, 1)), np.tile(beta @ cov, (3, 1, 1))
    mine = train(w1, w2, x, y, "linear", **options)
    other = descend(w1, w2[:, None], yx, cov_xx=cov, **options).measures
    for name in ("weight_change", "representation_alignment", "kernel_alignment", "loss"):
        np.testing.assert_allclose(getattr(mine, name), getattr(other, name), rtol=1e-10)


def test_relu_networks_know_no_size():
    """Weights times s, targets times s^2 and time over s^2 are the same run."""
    w1, w2, x, y = network(4)
    a = train(w1, w2, x, y, "relu", step=0.01, steps=50, record=[50])
    b = train(3 * w1, 3 * w2, x, 9 * y, "relu", step=0.01 / 9, steps=50, record=[50])
    np.testing.assert_allclose(3 * a.weight_change, b.weight_change, rtol=1e-10)
    np.testing.assert_allclose(a.kernel_alignment, b.kernel_alignment, rtol=1e-10)


def test_a_zero_kernel_has_no_alignment():
    _, w2, x, y = network(5)
    nothing = np.zeros((3, 5, 4))
    found = train(nothing, 0 * w2, x, y, "tanh", step=0.01, steps=1, record=[1])
    assert np.all(np.isnan(found.kernel_alignment))


def test_a_diverging_run_says_so():
    w1, w2, x, y = network(6)
    with pytest.raises(ConvergenceError, match="take a smaller step"):
        train(w1, w2, x, y, "relu", step=5.0, steps=200, record=[200])
