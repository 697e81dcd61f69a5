"""T18 holds: nothing leaves the closed space, and a leaky one errs by the square of its leak."""

from __future__ import annotations

import numpy as np
import pytest

from derivations import load
from derivations.frame.lag_sums import T, k
from tests.derivations.recurrent_flow import (
    Weights,
    flowed,
    numbers,
    random_weights,
    rates,
    responses,
)

T18 = load("T18")


def test_every_step_holds():
    T18.check()


def span(*blocks):
    left, values, _ = np.linalg.svd(np.concatenate(blocks, axis=1), full_matrices=False)
    return left[:, values > 1e-9 * values[0]]


def closed_space(weights):
    """The smallest space that holds range U and range V' and is closed under W and W'."""
    space = span(weights.U, weights.V.T)
    while True:
        larger = span(space, weights.W @ space, weights.W.T @ space)
        if larger.shape[1] == space.shape[1]:
            return space
        space = larger


def within(weights, space):
    return Weights(
        space.T @ weights.U, space.T @ weights.W @ space, weights.V @ space
    )  # fmt: skip


def low_rank(size, channels, outputs, rank, symmetric=False, seed=0):
    rng = np.random.default_rng(seed + 100)
    weights = random_weights(size, channels, outputs, 0.8, seed)
    left, right = rng.standard_normal((2, size, rank)) / np.sqrt(rank)
    return weights._replace(W=left @ (left if symmetric else right).T / np.sqrt(size))


@pytest.mark.parametrize(
    ("channels", "outputs", "rank", "symmetric"),
    [(1, 1, 1, False), (2, 1, 3, False), (1, 2, 2, True), (2, 2, 4, False)],
)
def test_the_flow_of_a_low_rank_start_is_that_of_a_small_network(
    channels, outputs, rank, symmetric
):
    weights = low_rank(30, channels, outputs, rank, symmetric)
    space = closed_space(weights)
    bound = T18.evaluate("dimension", n=channels, m=outputs, r=rank)
    # Random ranges meet in nothing; a symmetric start has its two in one.
    assert space.shape[1] == bound - rank * symmetric
    task = np.random.default_rng(1).standard_normal((4, outputs, channels))
    after, small = (flowed(x, task, 1.0) for x in (weights, within(weights, space)))
    assert np.linalg.norm(after.W - weights.W) > 0.1
    moved = small.W - within(weights, space).W
    np.testing.assert_allclose(after.U, space @ small.U, atol=1e-9)
    np.testing.assert_allclose(after.V, small.V @ space.T, atol=1e-9)
    np.testing.assert_allclose(after.W - weights.W, space @ moved @ space.T, atol=1e-9)
    np.testing.assert_allclose(responses(after, 6), responses(small, 6), atol=1e-9)


def leaky(size, dimension, channels, outputs, seed=0):
    """A network by leak, and the letters of the claims."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((size, size)))[0]
    space, rest = axes[:, :dimension], axes[:, dimension:]
    small = random_weights(dimension, channels, outputs, 0.8, seed)
    values = {
        "P": space,
        "B": small.U,
        "A": small.W,
        "G": small.V,
        "R": rest @ rng.standard_normal((rest.shape[1],) * 2) @ rest.T / 3,
        "X": rest @ rng.standard_normal((rest.shape[1], dimension)) / 3,
        "Y": rest @ rng.standard_normal((rest.shape[1], dimension)) / 3,
        "X_U": rest @ rng.standard_normal((rest.shape[1], channels)) / 3,
        "X_V": rng.standard_normal((outputs, rest.shape[1])) @ rest.T / 3,
    }

    def network(size_of_leak):
        given = values | {"epsilon": size_of_leak}
        names = ("leaky_input", "leaky_recurrent", "leaky_readout")
        return Weights(*(numbers(T18, name, given, {}) for name in names))

    return network, small, values


def test_the_leak_is_first_order_and_the_gap_of_the_responses_second():
    network, small, values = leaky(7, 3, 2, 1)
    size = 1e-3
    large, plain = network(size), responses(small, 5)
    gap = (responses(large, 5) - plain) / size**2
    out = np.eye(7) - values["P"] @ values["P"].T
    driven, read = large.U, large.V
    for lag in range(5):
        np.testing.assert_allclose(
            numbers(T18, "response_gap", values, {k: lag}), gap[lag], atol=1e-2 * np.max(abs(gap))
        )
        for name, leak in (("leak_driven", out @ driven), ("leak_read", read @ out)):
            np.testing.assert_allclose(
                numbers(T18, name, values, {k: lag}), leak / size, atol=1e-5
            )  # fmt: skip
        driven, read = large.W @ driven, read @ large.W
    assert np.max(abs(gap)) > 0.01


def test_the_flow_in_the_space_errs_by_the_square_of_the_leak():
    network, small, values = leaky(8, 4, 1, 1, seed=3)
    task = np.random.default_rng(4).standard_normal((4, 1, 1))
    alone = flowed(small, task, 1.0)
    gaps = [
        np.linalg.norm(within(flowed(network(size), task, 1.0), values["P"]).W - alone.W)
        for size in (0.02, 0.01)
    ]
    assert gaps[0] > 1e-6
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.02)


def test_what_leaves_the_space_at_first_order():
    network, _, values = leaky(7, 3, 2, 1, seed=5)
    errors = np.random.default_rng(6).standard_normal((4, 1, 2))
    size = 1e-4
    given = values | {f"E_{lag}": x for lag, x in enumerate(errors)}
    moved = rates(network(size), errors)
    out = np.eye(7) - values["P"] @ values["P"].T
    for name, leaving in (
        ("escape_U", out @ moved.U),
        ("escape_V", moved.V @ out),
        ("escape_X", out @ moved.W @ values["P"]),
        ("escape_Y", out @ moved.W.T @ values["P"]),
    ):
        found = numbers(T18, name, given, {T: 4})
        assert np.linalg.norm(found) > 0.01
        np.testing.assert_allclose(found, leaving / size, atol=1e-5)
    assert np.linalg.norm(out @ moved.W @ out) < 100 * size**2
