"""Tasks: covariances, modes, alignment, random directions, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy.start.task import Task, random_directions

seeds = st.integers(0, 2**32 - 1)


def covariance(d, rng, rank=None):
    x = rng.standard_normal((3 * d if rank is None else rank, d))
    return x.T @ x / len(x)


def test_a_vector_is_one_output():
    task = Task([1, 2, 3])
    assert (task.inputs, task.outputs, task.white) == (3, 1, True)
    assert task.cov_yx.dtype == np.float64
    assert task.strength == pytest.approx(np.sqrt(14.0))


def test_a_teacher_on_correlated_inputs():
    rng = np.random.default_rng(0)
    weights, cov = rng.standard_normal((2, 4)), covariance(4, rng)
    task = Task.teacher(weights, cov)
    np.testing.assert_allclose(task.cov_yx, weights @ cov, rtol=1e-14)
    # the least-squares map is the teacher
    np.testing.assert_allclose(task.whitened, weights @ task.root, rtol=1e-10)


def test_from_data_is_the_covariance_of_the_samples():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 3)) + 1.0, rng.standard_normal((50, 2))
    task = Task.from_data(x, y)
    np.testing.assert_allclose(task.cov_xx, np.mean([np.outer(a, a) for a in x], 0), rtol=1e-13)
    wanted = np.mean([np.outer(b, a) for a, b in zip(x, y, strict=True)], 0)
    np.testing.assert_allclose(task.cov_yx, wanted, rtol=1e-12)
    one = Task.from_data(x, y[:, 0])
    np.testing.assert_allclose(one.cov_yx, task.cov_yx[:1], rtol=1e-14)


def test_inputs_white_to_rounding_are_white():
    rng = np.random.default_rng(0)
    x = np.sqrt(40.0) * np.linalg.qr(rng.standard_normal((40, 5)))[0]
    task = Task.from_data(x, x @ np.arange(1.0, 6.0))
    assert task.white
    assert task.root is None
    np.testing.assert_allclose(task.whitened, [np.arange(1.0, 6.0)], rtol=1e-12)
    assert not Task.from_data(x * (1.0 + 1e-9), x[:, 0]).white


@given(seeds, st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
def test_modes_are_the_singular_value_decomposition(seed, d, m, rank):
    rng = np.random.default_rng(seed)
    rank = min(rank, d, m)
    cov = rng.standard_normal((m, rank)) @ rng.standard_normal((rank, d))
    modes = Task(cov).modes
    assert modes.strengths.shape == (rank,)
    assert np.all(np.diff(modes.strengths) <= 0)
    np.testing.assert_allclose((modes.left * modes.strengths) @ modes.right.T, cov, atol=1e-12)
    np.testing.assert_allclose(modes.left.T @ modes.left, np.eye(rank), atol=1e-13)
    np.testing.assert_allclose(modes.right.T @ modes.right, np.eye(rank), atol=1e-13)


@pytest.mark.parametrize(("inputs", "outputs", "strength"), [(7, 1, 2.0), (7, 3, 0.5), (4, 4, 1.0)])
def test_a_random_task_has_equal_modes(inputs, outputs, strength):
    task = Task.random(inputs, outputs, strength, rng=np.random.default_rng(0))
    assert task.white
    assert task.strength == pytest.approx(strength, rel=1e-14)
    np.testing.assert_allclose(
        np.linalg.svd(task.cov_yx, compute_uv=False), strength / np.sqrt(outputs), rtol=1e-13
    )
    left, strengths, right = task.modes
    np.testing.assert_allclose((left * strengths) @ right.T, task.cov_yx, atol=1e-15)


def test_random_directions_are_uniform():
    # moments of an entry of a uniform orthonormal matrix, each within 4 standard errors
    rng = np.random.default_rng(0)
    d, count, n = 5, 3, 20_000
    q = np.array([random_directions(d, count, rng) for _ in range(n)])
    np.testing.assert_allclose(np.swapaxes(q, 1, 2) @ q, [np.eye(count)] * n, atol=1e-13)
    for entry in (q[:, 0, 0], q[:, 2, 2], q[:, 4, 1]):
        for power, mean in ((1, 0.0), (2, 1.0 / d), (3, 0.0), (4, 3.0 / (d * (d + 2.0)))):
            sample = entry**power
            assert abs(sample.mean() - mean) < 4.0 * sample.std() / np.sqrt(n)
    # two columns: E q_11^2 q_12^2 = 1/(d (d + 2)) for rotations, and no sign is preferred
    pair = q[:, 0, 0] * q[:, 0, 1]
    assert abs(pair.mean()) < 4.0 * pair.std() / np.sqrt(n)
    square = pair**2
    assert abs(square.mean() - 1.0 / (d * (d + 2.0))) < 4.0 * square.std() / np.sqrt(n)


@given(seeds, st.integers(1, 8), st.integers(1, 8))
def test_alignment_is_the_share_inside_the_span(seed, d, rank):
    rng = np.random.default_rng(seed)
    rank = min(rank, d)
    basis = random_directions(d, rank, rng)
    task = Task(rng.standard_normal((min(2, d), d)))
    projected = basis @ (basis.T @ task.modes.right)
    found = task.alignment(basis)
    np.testing.assert_allclose(found, np.linalg.norm(projected, axis=0) ** 2, atol=1e-14)
    assert np.all(found <= 1.0)
    # any basis of the span will do
    np.testing.assert_allclose(
        task.alignment(basis @ random_directions(rank, rank, rng)), found, atol=1e-14
    )


def test_alignment_ends():
    task = Task([0.6, 0.8, 0.0])
    np.testing.assert_array_equal(task.alignment(np.eye(3)), [1.0])
    np.testing.assert_array_equal(task.alignment(np.eye(3)[:, 2:]), [0.0])


@pytest.mark.parametrize("rank", [None, 3])
def test_root_and_whitened(rank):
    rng = np.random.default_rng(1)
    cov = covariance(6, rng, rank)
    task = Task.teacher(rng.standard_normal((2, 6)), cov)
    np.testing.assert_allclose(task.root, task.root.T, atol=1e-15)
    np.testing.assert_allclose(task.root @ task.root, cov, atol=1e-13)
    np.testing.assert_allclose(task.whitened @ task.root, task.cov_yx, atol=1e-12)
    if rank is not None:  # nothing outside the inputs there are
        outside = np.linalg.svd(cov)[2][rank:]
        np.testing.assert_allclose(task.whitened @ outside.T, 0.0, atol=1e-7)


def refused(message, build, *arguments, **keywords):
    return pytest.param(message, build, arguments, keywords, id=message[:40])


X, Y = np.arange(6.0).reshape(3, 2) + 1.0, [1.0, 2.0, 3.0]
RNG = np.random.default_rng(0)

REFUSED = [
    refused("cov_yx is zero: there is nothing to learn; give a non-zero task", Task, [0.0, 0.0]),
    refused("cov_yx has entries up to 1e+80, whose fourth powers leave", Task, [1e80, 0.0]),
    refused("cov_yx has entries up to 1e-80, whose fourth powers leave", Task, [1e-80, 0.0]),
    refused("cov_yx must have 1 dimension or more; it is one number", Task, 1.0),
    refused("cov_yx[1] is zero: there is nothing to learn", Task, [[[1.0, 2.0]], [[0.0, 0.0]]]),
    refused(
        "leading axes must agree: cov_yx (2,) and cov_xx (3,)",
        Task,
        np.ones((2, 1, 2)),
        np.tile(np.eye(2), (3, 1, 1)),
    ),
    refused("task (0,) of the stack: cov_xx must be (2, 2)", Task, np.ones((2, 1, 2)), np.eye(3)),
    refused("cov_yx must be finite; it has 1 of 2 values NaN or infinite", Task, [np.nan, 1.0]),
    refused("cov_yx must hold real numbers; its dtype is complex128", Task, [1j, 1.0]),
    refused("cov_yx must not be empty; its shape is (0,)", Task, []),
    refused("cov_xx must be (2, 2); its shape is (3, 3)", Task, [1.0, 2.0], np.eye(3)),
    refused("cov_xx must have 2 dimensions; its shape is (2,)", Task, [1.0, 2.0], [1.0, 1.0]),
    refused(
        "cov_xx must be symmetric; pass 0.5 * (cov_xx + cov_xx.T)",
        Task,
        [1.0, 2.0],
        [[1.0, 0.5], [0.0, 1.0]],
    ),
    refused(
        "cov_xx must be a non-zero positive semidefinite matrix; scaled to unit variances "
        "it has eigenvalue -1",
        Task,
        [1.0, 2.0],
        np.diag([1.0, -1.0]),
    ),
    refused(
        "cov_xx must be a non-zero positive semidefinite matrix; scaled to unit variances "
        "it has eigenvalue 0",
        Task,
        [1.0, 2.0],
        np.zeros((2, 2)),
    ),
    refused(
        "cov_yx has a component in directions where cov_xx is zero to rounding; check",
        Task,
        [1.0, 2.0],
        np.diag([2.0, 0.0]),
    ),
    refused("weights must have 1 or 2 dimensions; its shape is ()", Task.teacher, 1.0),
    refused("cov_xx must be (2, 2); its shape is (3, 3)", Task.teacher, [1.0, 2.0], np.eye(3)),
    refused("x must have 2 dimensions; its shape is (3,)", Task.from_data, [1.0, 2.0, 3.0], Y),
    refused("y must have 1 or 2 dimensions; its shape is ()", Task.from_data, X, 1.0),
    refused("one row per sample; they have 3 and 2", Task.from_data, X, Y[:2]),
    refused("cov_yx is zero", Task.from_data, X, [0.0, 0.0, 0.0]),
    refused(
        "outputs must be at most inputs, or modes cannot be equal; they are 4 and 3",
        Task.random,
        3,
        4,
        rng=RNG,
    ),
    refused("inputs must be at least 1; it is 0", Task.random, 0, rng=RNG),
    refused("outputs must be an integer; it is 1.5", Task.random, 3, 1.5, rng=RNG),
    refused("strength must be > 0; its smallest value is -1", Task.random, 3, 1, -1.0, rng=RNG),
    refused("strength must be one number; its shape is (2,)", Task.random, 3, 1, [1, 2], rng=RNG),
    refused("basis must have 2 rows; its shape is (3, 3)", Task([1, 2]).alignment, np.eye(3)),
    refused(
        "basis must have orthonormal columns; take np.linalg.qr(basis)[0]",
        Task([1, 2]).alignment,
        2.0 * np.eye(2),
    ),
    refused("basis must have 2 dimensions; its shape is (2,)", Task([1, 2]).alignment, [1.0, 0.0]),
]


@pytest.mark.parametrize(("message", "build", "arguments", "keywords"), REFUSED)
def test_what_is_refused(message, build, arguments, keywords):
    with pytest.raises(ValueError, match=re.escape(message)):
        build(*arguments, **keywords)


def test_a_random_task_has_one_output_of_strength_one_unless_told():
    task = Task.random(7, rng=0)
    assert task.cov_yx.shape == (1, 7)
    assert np.linalg.norm(task.cov_yx) == pytest.approx(1.0, rel=1e-14)
