"""Alignments from random projections: right on average, with an error that covers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from richlazy.errors import UndefinedError
from richlazy.runs.kernels import afforded, sketched_alignment, sketched_target_alignment

DIRECTIONS, TRIALS = 256, 1000


def kernels(mix, decay, seed=0, rows=20, parameters=120):
    rng = np.random.default_rng(seed)
    size = np.arange(1, parameters + 1) ** (-decay / 2.0)
    start, other = rng.standard_normal((2, rows, parameters)) * size
    end = (1.0 - mix) * start + mix * other
    return start, end, rng.standard_normal(rows)


def cosine(a, b):
    return float(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize(("mix", "decay"), [(0.05, 1.0), (0.3, 2.0), (0.7, 1.0)])
def test_intervals_cover(mix, decay):
    """95 % intervals cover in 93 to 97 % of the sketches."""
    start, end, targets = kernels(mix, decay)
    k0, kt = start @ start.T, end @ end.T
    alignment, along = cosine(k0, kt), float(targets @ kt @ targets)
    target = along / np.linalg.norm(kt) / float(targets @ targets)
    rng, width = np.random.default_rng(1), student.ppf(0.975, DIRECTIONS - 1)
    covered, values = np.zeros(2), []
    for _ in range(TRIALS):
        v = rng.standard_normal((DIRECTIONS, start.shape[1]))
        found = (
            sketched_alignment(v @ start.T, v @ end.T),
            sketched_target_alignment(along, v @ end.T, targets),
        )
        for i, (one, true) in enumerate(zip(found, (alignment, target), strict=True)):
            covered[i] += abs(one.value - true) <= width * one.standard_error
        values.append(found[0].value)
    assert np.all((covered / TRIALS >= 0.93) & (covered / TRIALS <= 0.97)), covered / TRIALS
    spread = np.std(values)
    assert abs(np.mean(values) - alignment) < 4.0 * spread / np.sqrt(TRIALS) + 0.1 * spread


def test_a_kernel_summed_over_outputs():
    rng = np.random.default_rng(3)
    start, end = rng.standard_normal((2, 3, 10, 40))  # outputs, samples, parameters
    end = 0.6 * start + 0.4 * end
    k0, kt = (np.einsum("oip,ojp->ij", j, j) for j in (start, end))
    v = rng.standard_normal((1000, 40))
    found = sketched_alignment(*(np.einsum("kp,oip->koi", v, j) for j in (start, end)))
    assert abs(found.value - cosine(k0, kt)) < 4.0 * found.standard_error < 0.1


def test_the_same_kernel_is_aligned_with_itself():
    v = np.random.default_rng(0).standard_normal((20, 7))
    found = sketched_alignment(v, 3.0 * v)
    assert found.value == pytest.approx(1.0)
    assert found.standard_error < 1e-12


def test_what_is_refused():
    zero, some = np.zeros((20, 3)), np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(UndefinedError, match="kernel alignment is 0/0"):
        sketched_alignment(zero, some)
    with pytest.raises(UndefinedError, match="target alignment is 0/0"):
        sketched_target_alignment(0.0, zero, np.ones(3))
    with pytest.raises(ValueError, match="directions must be at least 8; there are 7"):
        sketched_alignment(some[:7], some[:7])


def test_blocks_under_a_limit():
    assert afforded(100, 10, 8, 1e9) == 100
    assert afforded(100, 1000, 8, 160_000.0) == 10
    with pytest.raises(ValueError, match="gradients of 1000 parameters for two samples are above"):
        afforded(100, 1000, 8, 15_000.0)
