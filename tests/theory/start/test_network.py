"""Networks: what they are made of, and starts built to an exact alignment."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

from richlazy import spectrum
from richlazy.start.matrices import Thin, forward
from richlazy.start.network import Network
from richlazy.start.task import Task

seeds = st.integers(0, 2**32 - 1)


def dense(start):
    return forward(start.first, np.eye(start.inputs))


def test_kinds_of_first_layer():
    matrix = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    factors = np.array([[1.0, 0.0], [0.0, 1.0]]), matrix.T
    for first in (matrix, matrix.tolist(), sp.csr_array(matrix), aslinearoperator(matrix)):
        start = Network(first)
        assert (start.hidden, start.inputs, start.silent) == (2, 3, True)
        np.testing.assert_allclose(dense(start), matrix)
        np.testing.assert_allclose(start.factors.toarray(), matrix, atol=1e-14)
        np.testing.assert_allclose(start.conserved, -matrix @ matrix.T)
    np.testing.assert_allclose(dense(Network.from_factors(*factors)), matrix, atol=1e-14)


def test_thin_factors_stay_thin():
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((1000, 2)), rng.standard_normal((5000, 2))
    start = Network.from_factors(left, right)
    assert isinstance(start.first, Thin)
    assert (start.hidden, start.inputs) == (1000, 5000)
    probe = rng.standard_normal((5000, 1))
    np.testing.assert_allclose(forward(start.first, probe), left @ (right.T @ probe), rtol=1e-10)


def test_a_zero_readout_is_silent():
    assert Network(np.eye(2), np.zeros((3, 2))).silent
    start = Network(np.eye(2), [[0, 0], [1, 0], [0, 0]])
    assert not start.silent
    assert start.readout.shape == (3, 2)


def test_conserved_is_d_of_t1():
    rng = np.random.default_rng(0)
    w1, w2 = rng.standard_normal((3, 5)), rng.standard_normal((2, 3))
    np.testing.assert_allclose(Network(w1, w2).conserved, w2.T @ w2 - w1 @ w1.T, rtol=1e-12)


def test_repr():
    assert repr(Network(np.eye(2, 3))) == "Network(inputs=3, hidden=2, norm=1.414, readout=silent)"
    assert repr(Network(np.eye(2, 3), np.ones((4, 2)))).endswith("readout=4 outputs of norm 2.828)")


@st.composite
def aligned_starts(draw):
    """Any d, m modes, rank r and a possible c: often at the ends of what is possible."""
    d = draw(st.integers(1, 8))
    m, r = draw(st.integers(1, min(4, d))), draw(st.integers(1, d))
    share = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.0, 1.0))
    c = np.array([draw(share) for _ in range(m)])
    low, high = max(0, r + m - d), min(r, m)
    if c.sum() > high:
        c *= high / c.sum()
    elif c.sum() < low:  # more room for the row space than the inputs outside the modes have
        c = 1.0 - (1.0 - c) * (m - low) / np.sum(1.0 - c)
    hidden = r + draw(st.integers(0, 2))
    return d, r, hidden, np.clip(c, 0.0, 1.0), draw(seeds)


@given(aligned_starts())
def test_alignment_is_exact_to_rounding(case):
    d, r, hidden, c, seed = case
    rng = np.random.default_rng(seed)
    modes = Task.random(d, c.size, rng=rng).modes
    strengths = np.linspace(2.0, 1.0, c.size)
    task = Task((modes.left * strengths) @ modes.right.T)
    s = np.sort(rng.uniform(0.5, 2.0, r))[::-1]
    start = Network.from_spectrum(s, task=task, hidden=hidden, alignment=c, rng=rng)
    np.testing.assert_allclose(start.alignment(task), c, atol=1e-14)
    first = dense(start)
    assert first.shape == (hidden, d)
    assert start.silent
    np.testing.assert_allclose(np.linalg.svd(first, compute_uv=False)[:r], s, rtol=1e-13)
    assert np.linalg.matrix_rank(first) == r


@given(seeds, st.sampled_from([0.0, 1e-12, 0.3, 0.999999, 1.0]))
def test_one_number_is_for_all_modes(seed, c):
    rng = np.random.default_rng(seed)
    task = Task.random(9, 3, rng=rng)
    start = Network.from_spectrum([2.0, 1.0, 1.0], task=task, hidden=4, alignment=c, rng=rng)
    np.testing.assert_allclose(start.alignment(task), c, atol=1e-15 if c < 1e-6 else 2e-15)


def test_zero_singular_values_are_dropped():
    rng = np.random.default_rng(0)
    task = Task.random(5, 1, rng=rng)
    start = Network.from_spectrum([2.0, 1.0, 0.0, 0.0, 0.0, 0.0], task=task, hidden=2, rng=rng)
    np.testing.assert_array_equal(start.first.values, [2.0, 1.0])


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("alignment", [0.4, 1.0])
def test_the_direction_inside_the_row_space_is_uniform(outputs, alignment):
    # its components on the right singular vectors, each moment within 4 standard errors
    rng = np.random.default_rng(outputs)
    task, r, n = Task.random(7, outputs, rng=rng), 3, 4000
    inside = np.empty((n, r, outputs))
    for k in range(n):
        start = Network.from_spectrum(
            [3.0, 2.0, 1.0], task=task, hidden=4, alignment=alignment, rng=rng
        )
        inside[k] = start.first.right.T @ task.modes.right / np.sqrt(alignment)
    np.testing.assert_allclose(np.linalg.norm(inside, axis=1), 1.0, rtol=1e-13)
    for component in inside.reshape(n, -1).T:
        for power, mean in ((1, 0.0), (2, 1.0 / r), (4, 3.0 / (r * (r + 2.0)))):
            sample = component**power
            assert abs(sample.mean() - mean) < 4.0 * sample.std() / np.sqrt(n)


def test_the_row_space_around_an_aligned_mode_is_uniform():
    # the rest of the row space prefers no direction: its projector has the mean of a random one
    rng = np.random.default_rng(0)
    d, r, c, n = 6, 3, 0.4, 3000
    task = Task([1.0, 0, 0, 0, 0, 0])
    diagonal = np.empty((n, d))
    for k in range(n):
        start = Network.from_spectrum(spectrum.flat(r), task=task, hidden=r, alignment=c, rng=rng)
        diagonal[k] = np.sum(start.first.right**2, axis=1)
    for entry in diagonal[:, 1:].T:
        assert abs(entry.mean() - (r - c) / (d - 1)) < 4.0 * entry.std() / np.sqrt(n)


def test_without_alignment_the_row_space_is_uniform():
    # c ~ Beta(r/2, (d - r)/2)
    rng = np.random.default_rng(0)
    d, r, n = 6, 2, 4000
    task = Task.random(d, 1, rng=rng)
    c = np.array(
        [
            Network.from_spectrum([2.0, 1.0], task=task, hidden=3, rng=rng).alignment(task)[0]
            for _ in range(n)
        ]
    )
    variance = 2.0 * r * (d - r) / (d**2 * (d + 2.0))
    assert abs(c.mean() - r / d) < 4.0 * np.sqrt(variance / n)
    assert c.var() == pytest.approx(variance, rel=0.1)


def test_the_seed_decides():
    task = Task.random(5, 1, rng=np.random.default_rng(0))
    a, b, c = (
        dense(Network.from_spectrum([1.0], task=task, hidden=2, rng=np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


@pytest.mark.parametrize(
    ("rank", "outputs", "inputs", "alignment", "interval"),
    [
        (2, 1, 2, 0.5, "[1, 1]"),  # a full row space holds every mode
        (5, 3, 6, 0.5, "[2, 3]"),
        (1, 2, 6, 0.6, "[0, 1]"),
        (2, 3, 6, [1.0, 1.0, 0.5], "[0, 2]"),
    ],
)
def test_impossible_alignments_are_refused(rank, outputs, inputs, alignment, interval):
    rng = np.random.default_rng(0)
    task = Task.random(inputs, outputs, rng=rng)
    total = np.sum(np.broadcast_to(alignment, outputs))
    message = (
        f"alignment is impossible: with rank {rank}, {outputs} task modes and {inputs} inputs its "
        f"sum must lie in {interval}; it is {total:g}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        Network.from_spectrum(
            spectrum.flat(rank), task=task, hidden=rank, alignment=alignment, rng=rng
        )


def build(**changed):
    rng = np.random.default_rng(0)
    keywords = {"task": Task.random(4, 2, rng=rng), "hidden": 3, "alignment": 0.5, "rng": rng}
    s = changed.pop("s", [2.0, 1.0])
    return lambda: Network.from_spectrum(s, **{**keywords, **changed})


REFUSED = {
    "W2 (outputs, hidden) must have 2 columns, the rows of W1; its shape is (1, 3)": (
        lambda: Network(np.eye(2), np.ones((1, 3)))
    ),
    "W2 must have 2 dimensions or more; its shape is (2,)": lambda: Network(np.eye(2), np.ones(2)),
    "W2 must be finite; it has 1 of 2": lambda: Network(np.eye(2), [[np.inf, 0.0]]),
    "W1 must be finite; it has 1 of 2": lambda: Network([[np.nan, 0.0]]),
    "W1 must have 2 dimensions or more; its shape is (2,)": lambda: Network([1.0, 2.0]),
    "W1 has entries up to 1e+80, whose fourth powers leave": lambda: Network([[1e80, 0.0]]),
    "left (h, r) and right (d, r) must share r; they are (2, 2) and (3, 3)": (
        lambda: Network.from_factors(np.eye(2), np.eye(3))
    ),
    "rank 2 is above min(hidden, inputs) = 1; lower the rank": build(hidden=1),
    "rank 5 is above min(hidden, inputs) = 4; lower the rank": build(s=np.ones(5), hidden=9),
    "singular_values must be in descending order; it rises at index 1": build(s=[1.0, 2.0]),
    "singular_values must be >= 0; its smallest value is -1": build(s=[1.0, -1.0]),
    "singular_values must have a non-zero singular value; all are zero": build(s=[0.0, 0.0]),
    "singular_values must not be empty": build(s=[]),
    "hidden must be an integer; it is 2.5": build(hidden=2.5),
    "alignment must lie in [0, 1]; it is 1.5": build(alignment=1.5),
    "alignment must lie in [0, 1]; it is -0.1": build(alignment=[0.5, -0.1]),
    "alignment must be one number or one for each of 2 modes; its shape is (3,)": (
        build(alignment=[0.1, 0.2, 0.3])
    ),
    "the task has 4 inputs, the network 3": (
        lambda: Network(np.eye(3)).alignment(Task([1.0, 2.0, 3.0, 4.0]))
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        REFUSED[message]()
