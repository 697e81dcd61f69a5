"""Minibatch descent: against full batches, against a naive twin, and its batches."""

from __future__ import annotations

from itertools import repeat

import numpy as np
import pytest

from richlazy import descent
from richlazy.errors import ConvergenceError
from validation.simulation import minibatch


def networks(n, h, d, m, seed=0):
    rng = np.random.default_rng(seed)
    first, readout = 0.5 * rng.standard_normal((n, h, d)), 0.5 * rng.standard_normal((n, m, h))
    return first, readout, rng.standard_normal((n, m, d)) / np.sqrt(d)


@pytest.mark.parametrize("m", [1, 2])
def test_all_samples_in_a_batch_are_full_batch_descent(m):
    first, readout, _ = networks(3, 4, 5, m)
    rng, samples = np.random.default_rng(1), 24
    x = np.sqrt(samples) * np.linalg.qr(rng.standard_normal((3, samples, 5)))[0]  # white as a set
    y = rng.standard_normal((3, samples, m))
    cov_yx = y.swapaxes(1, 2) @ x / samples
    options = {"step": 0.05, "steps": 60, "record": [0, 7, 60]}
    batches = repeat((x, y))
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


@pytest.mark.parametrize("label_noise", [0.0, 0.7])
def test_fresh_samples_have_the_covariances_and_the_label_noise(label_noise):
    _, _, teacher = networks(2, 1, 3, 2)
    count = 200_000
    batches = minibatch.fresh(teacher, count, np.random.default_rng(2), label_noise=label_noise)
    x, y = next(batches)
    again = next(batches)[0]
    assert np.all(again[:, 0] != x[:, 0])
    size = 3**0.5
    for i in range(2):
        np.testing.assert_allclose(x[i].T @ x[i] / count, np.eye(3), atol=5 * size / count**0.5)
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
