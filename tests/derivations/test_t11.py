"""T11 holds, and its small flows are the large ones: integrated, with closed subspaces found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from derivations import load
from derivations.frame.matrix_words import entries
from derivations.t01_gradient_flow import d, m
from derivations.t11_reduced_flow import B0, R0, Bt, C, Rt, S

T11 = load("T11")


def test_every_step_holds():
    T11.check()


def flowed(first, readout, cov_yx, cov_xx, t):
    """The flow of T1."""
    cut, shapes = first.size, (first.shape, readout.shape)

    def layers(state):
        return state[:cut].reshape(shapes[0]), state[cut:].reshape(shapes[1])

    def flow(_, state):
        w1, w2 = layers(state)
        error = cov_yx - w2 @ w1 @ cov_xx
        return np.concatenate([(w2.T @ error).ravel(), (error @ w1.T).ravel()])

    start = np.concatenate([first.ravel(), readout.ravel()])
    solved = solve_ivp(flow, (0, t), start, method="DOP853", rtol=1e-12, atol=1e-14)
    return layers(solved.y[:, -1])


@pytest.mark.parametrize("t", [0.3, 2.0])
def test_error_and_representation_are_a_flow_of_their_own(t):
    rng = np.random.default_rng(0)
    first, readout = rng.standard_normal((4, 5)) / 2, rng.standard_normal((1, 4))
    task = rng.standard_normal(5)
    start = first.T @ first
    kept = np.sum(readout**2) - np.trace(start)

    def flow(_, state):
        error, second = state[:5], state[5:].reshape(5, 5)
        squared = kept + np.trace(second)
        across = np.outer(error, task)
        grown = across + across.T - 2 * np.outer(error, error)
        return np.concatenate([-second @ error - squared * error, grown.ravel()])

    begin = np.concatenate([task - (readout @ first)[0], start.ravel()])
    end = solve_ivp(flow, (0, t), begin, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    w1, w2 = flowed(first, readout, task[None], np.eye(5), t)
    np.testing.assert_allclose(end[:5], task - (w2 @ w1)[0], atol=1e-9)
    np.testing.assert_allclose(end[5:].reshape(5, 5), w1.T @ w1, atol=1e-9)
    squared = T11.evaluate(
        "readout_squared_now",
        a_0=np.linalg.norm(readout),
        trR_0=np.trace(start),
        trR_t=np.trace(w1.T @ w1),
    )
    assert float(squared) == pytest.approx(np.sum(w2**2), rel=1e-9)


def span(*blocks):
    """Orthonormal basis of the columns of all blocks."""
    left, values, _ = np.linalg.svd(np.concatenate(blocks, axis=1), full_matrices=False)
    return left[:, values > 1e-9 * values[0]]


def closed_subspaces(first, readout, cov_yx, cov_xx):
    """The smallest hidden and input spaces with the properties the derivation assumes."""
    hidden = span(readout.T) if np.any(readout) else np.zeros((len(first), 0))
    inputs = span(cov_yx.T)
    for _ in range(20):
        hidden = span(hidden, first @ inputs)
        inputs = span(inputs, first.T @ hidden, cov_xx @ inputs)
    return hidden, inputs


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("outputs", [1, 2])
def test_nothing_outside_the_closed_subspaces_moves(silent, outputs):
    """Low rank, with two kinds of input: the closure is a proper part of both spaces."""
    rng = np.random.default_rng(outputs)
    h, n, rank = 12, 14, 2
    axes = np.linalg.qr(rng.standard_normal((n, n)))[0]
    cov_xx = axes @ np.diag([0.5] * 7 + [1.5] * 7) @ axes.T
    first = rng.standard_normal((h, rank)) @ rng.standard_normal((rank, n)) / 4
    readout = np.zeros((outputs, h)) if silent else rng.standard_normal((outputs, h)) / 3
    cov_yx = rng.standard_normal((outputs, n))
    left, right = closed_subspaces(first, readout, cov_yx, cov_xx)
    assert left.shape[1] < h
    assert right.shape[1] < n
    w1, w2 = flowed(first, readout, cov_yx, cov_xx, 1.5)
    small = left.T @ first @ right
    x1, x2 = flowed(small, readout @ left, cov_yx @ right, right.T @ cov_xx @ right, 1.5)
    assert np.linalg.norm(x1 - small) > 0.1
    np.testing.assert_allclose(w1 - first, left @ (x1 - small) @ right.T, atol=1e-9)
    np.testing.assert_allclose(w2, x2 @ left.T, atol=1e-9)


def test_kernel_over_samples_has_the_inner_product_of_the_claim():
    """The tangent kernel of every output at every sample, from its gradients."""
    rng = np.random.default_rng(5)
    sizes = {d: 2, m: 2}
    data = rng.standard_normal((2, 6))
    cov = data @ data.T
    values, axes = np.linalg.eigh(cov)
    networks = [(rng.standard_normal((3, 2)), rng.standard_normal((2, 3))) for _ in range(2)]
    kernels = [
        np.kron(data.T @ w1.T @ w1 @ data, np.eye(2)) + np.kron(data.T @ data, w2 @ w2.T)
        for w1, w2 in networks
    ]
    given = {S: cov, C: axes @ np.diag(np.sqrt(values)) @ axes.T}
    for second, out, (w1, w2) in zip((R0, Rt), (B0, Bt), networks, strict=True):
        given |= {second: w1.T @ w1, out: w2 @ w2.T}
    table = {
        f"{symbol}[{i},{j}]": float(x)
        for symbol, array in given.items()
        for (i, j), x in np.ndenumerate(array)
    }
    claimed = entries(T11.claims["kernel_inner_product"], sizes).subs(table)
    assert float(claimed) == pytest.approx(np.sum(kernels[0] * kernels[1]), rel=1e-12)
    written = np.array(entries(T11.claims["kernel_over_data"], sizes).subs(table), dtype=float)
    spectra = [np.linalg.eigvalsh(x)[-4:] for x in (written, kernels[1])]
    np.testing.assert_allclose(*spectra, rtol=1e-10)
