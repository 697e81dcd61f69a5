"""Minibatch descent: against full batches, against a naive twin, and its two kinds of batches."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from richlazy import descent
from richlazy.errors import ConvergenceError
from validation.simulation import minibatch


def networks(n, h, d, m, seed=0):
    rng = np.random.default_rng(seed)
    first, readout = 0.5 * rng.standard_normal((n, h, d)), 0.5 * rng.standard_normal((n, m, h))
    return first, readout, rng.standard_normal((n, m, d)) / np.sqrt(d)


def data(n, samples, d, m, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, d)) * np.linspace(0.5, 1.5, d)
    y = rng.standard_normal((n, samples, m))
    return x, y, y.swapaxes(1, 2) @ x / samples, x.T @ x / samples


@pytest.mark.parametrize("m", [1, 2])
def test_all_samples_in_a_batch_are_full_batch_descent(m):
    first, readout, _ = networks(3, 4, 5, m)
    x, y, cov_yx, cov_xx = data(3, 24, 5, m)
    options = {"step": 0.05, "steps": 60, "record": [0, 7, 60], "cov_xx": cov_xx}
    batches = minibatch.reshuffled(x, y, 24, np.random.default_rng(0))
    found = minibatch.descend(first, readout, cov_yx, batches, **options)
    full = descent.descend(first, readout, cov_yx, **options)
    for name in ("times", "first", "readout"):
        np.testing.assert_allclose(getattr(found, name), getattr(full, name), rtol=1e-11)
    for one, other in zip(found.measures, full.measures, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-14)
    assert found.noise.shape == (3, 3)
    assert np.max(found.noise) < 1e-25


def test_agrees_with_the_naive_loop():
    first, readout, teacher = networks(2, 4, 3, 2)
    rng = np.random.default_rng(5)
    batches = [(rng.standard_normal((2, 6, 3)), rng.standard_normal((2, 6, 2))) for _ in range(9)]
    found = minibatch.descend(
        first, readout, teacher, iter(batches), step=0.1, steps=8, record=[3, 8]
    )
    gauge = descent.Gauge(first, readout, teacher)
    w1, w2, noise = list(first), list(readout), {}
    kept = {}
    for index, (x, y) in enumerate(batches):
        kept[index] = np.array(w1), np.array(w2)
        for i in range(2):
            samples = zip(x[i], y[i], strict=True)
            moment = sum(np.outer(b - w2[i] @ w1[i] @ a, a) for a, b in samples) / 6
            noise[i, index] = np.linalg.norm(moment - (teacher[i] - w2[i] @ w1[i])) ** 2
            w1[i], w2[i] = w1[i] + 0.1 * w2[i].T @ moment, w2[i] + 0.1 * moment @ w1[i].T
    for place, index in enumerate((3, 8)):
        for one, other in zip(found.measures, gauge.measures(*kept[index]), strict=True):
            np.testing.assert_allclose(one[:, place], other, rtol=1e-12)
        np.testing.assert_allclose(found.noise[:, place], [noise[0, index], noise[1, index]])
    np.testing.assert_allclose(found.first, kept[8][0], rtol=1e-12)
    np.testing.assert_allclose(found.readout, kept[8][1], rtol=1e-12)


def test_an_epoch_holds_every_sample_once_in_an_order_of_each_run():
    x = np.arange(12.0)[:, None]
    y = np.arange(24.0).reshape(2, 12, 1)
    batches = minibatch.reshuffled(x, y, 4, np.random.default_rng(0))
    epochs = []
    for _ in range(2):
        parts = list(islice(batches, 3))
        seen = np.concatenate([part[0] for part in parts], axis=1)[..., 0]
        np.testing.assert_array_equal(np.sort(seen, axis=1), [np.arange(12.0)] * 2)
        targets = np.concatenate([part[1] for part in parts], axis=1)[..., 0]
        np.testing.assert_array_equal(targets - seen, [[0.0] * 12, [12.0] * 12])
        epochs.append(seen)
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0][0], epochs[0][1])


@pytest.mark.parametrize("batch", [0, 5, 24])
def test_a_batch_that_does_not_divide_the_samples_is_refused(batch):
    x, y, _, _ = data(1, 12, 3, 1)
    with pytest.raises(ValueError, match=f"batch must divide the 12 samples; it is {batch}"):
        next(minibatch.reshuffled(x, y, batch, np.random.default_rng(0)))


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("label_noise", [0.0, 0.7])
def test_fresh_samples_have_the_covariances_and_the_label_noise(white, label_noise):
    _, _, teacher = networks(2, 1, 3, 2)
    cov_xx = None if white else data(1, 9, 3, 1)[3]
    expected = np.eye(3) if white else cov_xx
    count = 200_000
    batches = minibatch.fresh(
        teacher, count, np.random.default_rng(2), cov_xx=cov_xx, label_noise=label_noise
    )
    x, y = next(batches)
    again = next(batches)[0]
    assert np.all(again[:, 0] != x[:, 0])
    size = np.linalg.norm(expected)
    for i in range(2):
        np.testing.assert_allclose(x[i].T @ x[i] / count, expected, atol=5 * size / count**0.5)
        left = y[i] - x[i] @ teacher[i].T
        wanted = label_noise**2 * np.eye(2)
        atol = 8 * label_noise**2 / count**0.5 + 1e-25
        np.testing.assert_allclose(left.T @ left / count, wanted, atol=atol)
    assert abs(np.mean(x[0] * x[1])) < 5 * size / count**0.5


def test_runs_that_diverge_are_named_with_the_remedy():
    first, readout, teacher = networks(2, 4, 3, 1)
    batches = minibatch.fresh(teacher, 1, np.random.default_rng(0))
    with pytest.raises(ConvergenceError, match="diverged at step 200 of size 3; take a smaller"):
        minibatch.descend(first, readout, teacher, batches, step=3.0, steps=200, record=[200])


def test_arguments_are_left_alone():
    first, readout, teacher = networks(2, 4, 3, 1)
    before = first.copy(), readout.copy(), teacher.copy()
    batches = minibatch.fresh(teacher, 2, np.random.default_rng(0))
    minibatch.descend(first, readout, teacher, batches, step=0.1, steps=5, record=[5])
    for now, was in zip((first, readout, teacher), before, strict=True):
        np.testing.assert_array_equal(now, was)
