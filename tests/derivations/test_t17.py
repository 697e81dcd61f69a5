"""T17 holds, and its kernel is that of finite differences, over lags and over samples."""

from __future__ import annotations

import numpy as np
import pytest

from derivations import load
from derivations.frame.lag_sums import T, k, l
from tests.derivations.recurrent_flow import (
    Weights,
    numbers,
    packed,
    random_weights,
    rates,
    responses,
    unpacked,
)

T17 = load("T17")
SHAPES = [(4, 1, 1, 5), (5, 2, 3, 3), (1, 1, 1, 6), (3, 1, 2, 1)]


def test_every_step_holds():
    T17.check()


def grams(weights, steps, name=""):
    """The letters C_k, O_k and the Gram matrices at the start."""
    driven, read = [weights.U], [weights.V]
    for _ in range(steps):
        driven.append(weights.W @ driven[-1])
        read.append(read[-1] @ weights.W)
    if not name:
        return {f"C_{x}": y for x, y in enumerate(driven)} | {
            f"O_{x}": y for x, y in enumerate(read)
        }
    return {
        f"G^{letter}{name}_{x}_{y}": product(x, y)
        for letter, product in (
            ("c", lambda x, y: driven[x].T @ driven[y]),
            ("o", lambda x, y: read[x] @ read[y].T),
        )
        for x in range(steps)
        for y in range(steps)
    }


def jacobians(weights, steps):
    """Slopes of the responses (lag, output, channel) in V, U and W by central differences."""
    start, step = packed(weights), 1e-6

    def at(state):
        return responses(unpacked(state, weights), steps).ravel()

    moves = step * np.eye(start.size)
    columns = [(at(start + x) - at(start - x)) / (2 * step) for x in moves]
    whole = np.array(columns).T
    cuts = np.cumsum([x.size for x in weights])[:-1]
    return dict(zip("UWV", np.split(whole, cuts, axis=1), strict=True))


def claimed(name, weights, steps):
    values = grams(weights, steps) | {"n": weights.U.shape[1], "m": weights.V.shape[0]}
    return np.block(
        [[numbers(T17, name, values, {k: x, l: y}) for y in range(steps)] for x in range(steps)]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_by_matrix_against_finite_differences(shape):
    *sizes, steps = shape
    weights = random_weights(*sizes, 1.1, seed=1)
    slopes = jacobians(weights, steps)
    for x in "UVW":
        expected = slopes[x] @ slopes[x].T
        np.testing.assert_allclose(claimed(f"kernel_{x}", weights, steps), expected, atol=1e-8)
    whole = np.concatenate(list(slopes.values()), axis=1)
    np.testing.assert_allclose(claimed("kernel", weights, steps), whole @ whole.T, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_responses_move_and_the_loss_falls_as_claimed(shape):
    *sizes, steps = shape
    weights = random_weights(*sizes, 0.8, seed=2)
    errors = np.random.default_rng(3).standard_normal((steps, sizes[2], sizes[1]))
    values = grams(weights, steps) | {f"E_{x}": y for x, y in enumerate(errors)}
    values |= {"m": sizes[2], "n": sizes[1]}
    moved = rates(weights, errors)
    step = 1e-6
    total = 0
    for x in "UVW":
        only = Weights(*(y * (name == x) for name, y in zip("UWV", moved, strict=True)))
        ends = [
            responses(unpacked(packed(weights) + sign * packed(only), weights), steps)
            for sign in (step, -step)
        ]
        name = f"response_rate_{x}"
        found = np.array([numbers(T17, name, values, {T: steps, k: lag}) for lag in range(steps)])
        np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), atol=1e-7)
        total -= np.sum(errors * found)
    assert numbers(T17, "loss_rate", values, {T: steps}) == pytest.approx(total, rel=1e-12)


def two_networks(sizes, steps):
    start, now = (random_weights(*sizes, 0.9, seed=x) for x in (4, 5))
    values = grams(now, steps) | grams(start, steps, "0")
    kernel = claimed("kernel", start, steps)
    block = sizes[1] * sizes[2]
    for x in range(steps):
        for y in range(steps):
            part = kernel[x * block : (x + 1) * block, y * block : (y + 1) * block]
            values[f"K^0_{x}_{y}"] = part
    return start, now, values | {"m": sizes[2], "n": sizes[1]}


def test_inner_products_against_whole_matrices():
    sizes, steps = (4, 2, 2), 3
    counts = np.array([3.0, 1.0, 2.0])
    start, now, values = two_networks(sizes, steps)
    values |= {f"w_{x}": y for x, y in enumerate(counts)}
    scale = np.sqrt(np.repeat(counts, 4))
    whole = [scale[:, None] * claimed("kernel", x, steps) * scale for x in (start, now)]
    found = numbers(T17, "kernel_inner_product", values, {T: steps})
    assert found == pytest.approx(np.sum(whole[0] * whole[1]), rel=1e-12)

    at_rest = [
        scale[:, None] * (claimed("kernel_V", x, steps) + claimed("kernel_U", x, steps)) * scale
        for x in (start, now)
    ]
    found = numbers(T17, "kernel_inner_product_VU", values, {T: steps})
    assert found == pytest.approx(np.sum(at_rest[0] * at_rest[1]), rel=1e-12)

    # Gram matrices of the last state over the basis of all inputs.
    states = [np.concatenate([np.linalg.matrix_power(x.W, y) @ x.U for y in range(3)], axis=1)
              for x in (start, now)]  # fmt: skip
    gram = [x.T @ x for x in states]
    found = numbers(T17, "representation_inner_product", values, {T: steps})
    assert found == pytest.approx(np.sum(gram[0] * gram[1]), rel=1e-12)


def test_inner_product_over_samples_of_correlated_inputs():
    sizes, steps = (4, 2, 2), 3
    start, now, values = two_networks(sizes, steps)
    data = np.random.default_rng(6).standard_normal((steps, 2, 5))
    for x in range(steps):
        for y in range(steps):
            values[f"Sigma_{x}_{y}"] = data[x] @ data[y].T
    # Output o of sample s is the sum over lags and channels of F_k x_k(s).
    slopes = np.einsum("kcs,oq->sokqc", data, np.eye(2)).reshape(10, -1)
    over = []
    for weights in (start, now):
        moved = slopes @ np.concatenate(list(jacobians(weights, steps).values()), axis=1)
        over.append(moved @ moved.T)
    found = numbers(T17, "kernel_inner_product_correlated", values, {T: steps})
    assert found == pytest.approx(np.sum(over[0] * over[1]), rel=1e-7)
    # The last state over the same samples.
    gram = []
    for weights in (start, now):
        states = sum(np.linalg.matrix_power(weights.W, x) @ weights.U @ data[x] for x in range(3))
        gram.append(states.T @ states)
    found = numbers(T17, "representation_inner_product_correlated", values, {T: steps})
    assert found == pytest.approx(np.sum(gram[0] * gram[1]), rel=1e-12)
