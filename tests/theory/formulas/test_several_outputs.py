"""T6, T7 with several outputs at t = infinity: against the flow, mpmath and sampled tasks."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy import low_rank
from richlazy.errors import AssumptionError
from richlazy.formulas.several_outputs import alignments, expected, measures
from richlazy.start.network import Network
from richlazy.start.task import Task, random_directions
from richlazy.two_layer.solve import solve

DECIDED = ("representation_alignment", "kernel_alignment", "weight_change_readout", "loss")


def case(rank, inputs, strengths, norm, seed, aligned=False):
    """A flat start, a task of these strengths, and V_r'V."""
    rng = np.random.default_rng(seed)
    m = len(strengths)
    rows = random_directions(inputs, rank, rng)
    modes = random_directions(inputs, m, rng)
    if aligned:  # orthogonal cosines: one mode inside, one half inside, the rest outside
        basis = random_directions(inputs, inputs, rng)
        rows, modes = basis[:, :rank], basis[:, rank : rank + m].copy()
        modes[:, 0] = rows[:, 0]
        modes[:, 1] = np.sqrt(0.5) * (rows[:, 1] + modes[:, 1])
    task = Task((random_directions(m, m, rng) * strengths) @ modes.T)
    left = random_directions(rank + 1, rank, rng)
    return Network.from_factors(left * norm / np.sqrt(rank), rows), task, rows.T @ modes


CASES = {
    "r > m": (5, 8, [1.5, 0.9, 0.4], 1.0),
    "r = m": (3, 7, [1.5, 0.9, 0.4], 0.3),
    "r < m": (2, 7, [1.5, 0.9, 0.4, 0.2], 1.0),
    "r = 1": (1, 5, [1.0, 0.5], 2.0),
    "one output": (3, 6, [0.7], 1.0),
    "full rank": (5, 5, [1.5, 0.9, 0.4], 2.0),
    "whole basis": (3, 4, [1.5, 0.9, 0.4, 0.3], 1.0),
    "equal": (4, 8, [0.8, 0.8, 0.8], 1.5),
    "equal, r < m": (2, 7, [0.8, 0.8, 0.8], 1.0),
    "equal, r = m": (3, 7, [0.8, 0.8, 0.8], 0.3),
}


@pytest.mark.parametrize("name", CASES)
def test_alignments_are_where_the_flow_ends(name):
    rank, inputs, strengths, norm = CASES[name]
    start, task, cosines = case(rank, inputs, strengths, norm, seed=list(CASES).index(name))
    wanted = solve(start, task, "flow").measures()
    c = np.minimum(np.sum(cosines**2, axis=0), 1.0)
    found = alignments(rank, inputs, alignment=c, strengths=strengths, norm=norm)
    for field in DECIDED:
        gap = getattr(found, field) - getattr(wanted, field)
        assert abs(float(gap)) < 1e-9, field
    if len(set(strengths)) == 1:
        angles = np.zeros(len(strengths))
        sizes = np.linalg.svd(cosines, compute_uv=False)
        angles[: sizes.size] = np.minimum(sizes**2, 1.0)
        whole = measures(rank, inputs, alignment=angles, strengths=strengths, norm=norm)
        for a, b in zip(whole, wanted, strict=True):
            assert float(a) == pytest.approx(float(b), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("norm", [0.2, 3.0])
def test_the_weight_change_of_orthogonal_cosines(norm):
    # modes inside, half inside and outside the row space: the last is never learned
    strengths = [0.9, 1.5, 0.4]
    start, task, cosines = case(3, 8, strengths, norm, seed=5, aligned=True)
    c = np.round(np.sum(cosines**2, axis=0), 14)
    np.testing.assert_array_equal(c, [1.0, 0.5, 0.0])
    wanted = solve(start, task, "flow").measures()
    found = measures(3, 8, alignment=c, strengths=strengths, norm=norm)
    for a, b in zip(found, wanted, strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-9, abs=1e-12)
    assert float(found.loss) == pytest.approx(0.5 * 0.4**2)


def test_one_output_is_the_closed_form_of_one_output():
    r, c, norm = np.array([1.0, 3.0, 10.0]), np.array([0.2, 1e-9, 1.0]), np.array([0.1, 1.0, 50.0])
    found = measures(r, 20.0, alignment=c[:, None], strengths=[2.0], norm=norm)
    wanted = low_rank.measures(r, 20.0, alignment=c, norm=norm, strength=2.0)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-25)


@pytest.mark.parametrize("norm", [1e-3, 1.0, 100.0, 1e6])
@pytest.mark.parametrize(("rank", "c"), [(4, [0.3, 1.0, 1e-12]), (3, [1.0, 1.0, 1.0])])
def test_every_digit_against_mpmath(norm, rank, c):
    # the plain formulas, in 80 digits; at norm 1e6 doubles would leave nothing of mu - s
    d, g = 9, [2.0, 0.5, 0.01]
    with mpmath.workdps(80):
        square = mpmath.mpf(norm) ** 2 / rank
        mu2 = [(square + mpmath.sqrt(square**2 + 4 * mpmath.mpf(x) ** 2)) / 2 for x in g]
        share = [mpmath.mpf(x) for x in c]
        a2 = [x - square for x in mu2]
        cosine = [mpmath.sqrt(mpmath.mpf(square) * x * y) for x, y in zip(mu2, share, strict=True)]
        total = mpmath.sqrt(sum(2 * (x - y) for x, y in zip(mu2, cosine, strict=True)))
        first = mpmath.sqrt(sum(x + square - 2 * y for x, y in zip(mu2, cosine, strict=True)))
        rest = rank - 3
        overlap = square * (sum(x * y for x, y in zip(mu2, share, strict=True)) + square * rest)
        r_square = sum(x**2 for x in mu2) + square**2 * rest
        trace, b = sum(mu2) + square * rest, sum(a2)
        k_square = 3 * r_square + 2 * trace * b + d * sum(x**2 for x in a2)
        ra = overlap / (mpmath.sqrt(rank) * square * mpmath.sqrt(r_square))
        ka = (3 * overlap + rank * square * b) / (
            mpmath.sqrt(3 * rank) * square * mpmath.sqrt(k_square)
        )
        wanted = [float(x) for x in (total, first, mpmath.sqrt(b), ra, ka)]
    found = measures(rank, d, alignment=c, strengths=g, norm=norm)
    np.testing.assert_allclose([float(v) for v in found[:5]], wanted, rtol=1e-14)
    assert float(found.loss) == 0.0


def test_a_start_of_low_rank_can_be_the_lazier_one():
    # T9: what equal strengths do not do, unequal ones do
    for d, low, weak, square in ((150, 28, 0.05, 56.2), (600, 37, 0.1, 126.0)):
        ranks = np.arange(1, d + 1)
        found = expected(ranks, d, strengths=[1.0, weak], norm=np.sqrt(square)).mean
        assert ranks[np.argmax(found.kernel_alignment)] < d
        assert found.kernel_alignment[low - 1] > found.kernel_alignment[-1] + 0.01
        even = expected(ranks, d, strengths=[1.0, 1.0], norm=np.sqrt(square)).mean
        assert ranks[np.argmax(even.kernel_alignment)] == d
    pairs = [
        expected([28, 150], 150, strengths=[1.0, 0.05], norm=np.sqrt(56.2)),
        expected([37, 600], 600, strengths=[1.0, 0.1], norm=np.sqrt(126.0)),
    ]
    found = [pair.mean.kernel_alignment.round(3).tolist() for pair in pairs]
    assert found == [[0.905, 0.886], [0.928, 0.845]]


@pytest.mark.parametrize(
    ("rank", "inputs", "strengths"),
    [
        (4, 9, [1.0, 1.0]),
        (4, 9, [1.0, 0.3, 0.1]),
        (2, 6, [1.0, 0.5, 0.2]),
        (2, 6, [0.7, 0.7, 0.7]),
        (3, 4, [1.0, 0.6, 0.3, 0.2]),
        (1, 3, [1.0]),
    ],
)
def test_moments_over_random_tasks(rank, inputs, strengths):
    rng = np.random.default_rng(0)
    count, m = 20_000, len(strengths)
    rows, _ = np.linalg.qr(rng.standard_normal((count, inputs, m)))
    c = np.minimum(np.sum(rows[:, :rank] ** 2, axis=1), 1.0)
    each = alignments(rank, inputs, alignment=c, strengths=strengths, norm=1.3)
    exact = expected(rank, inputs, strengths=strengths, norm=1.3)
    for values, mean, sd in zip(each, exact.mean, exact.sd, strict=True):
        assert abs(np.mean(values) - mean) < 4.0 * sd / np.sqrt(count) + 1e-12
        # the sd of count draws of kurtosis below 9 is known to sqrt(2/count)
        assert np.std(values) == pytest.approx(sd, rel=4.0 * np.sqrt(2.0 / count), abs=1e-12)


def test_nothing_varies_where_the_row_space_or_the_task_is_everything():
    assert float(expected(5, 5, strengths=[1.0, 0.2]).sd.kernel_alignment) == 0.0
    assert float(expected(2, 4, strengths=[0.5] * 4).sd.kernel_alignment) == 0.0
    assert float(expected(1, 1, strengths=[0.5]).sd.kernel_alignment) == 0.0
    assert float(expected(3, 4, strengths=[0.5, 0.5, 0.4, 0.3]).sd.kernel_alignment) > 0.0


def test_leading_axes_broadcast():
    c, g = np.full((2, 1, 3), 0.4), np.array([1.0, 0.6, 0.3])
    norm = np.array([0.1, 1.0, 10.0, 100.0])
    found = measures(5, 10, alignment=c, strengths=g, norm=norm)
    assert {v.shape for v in found} == {(2, 4)}
    alone = measures(5, 10, alignment=[0.4] * 3, strengths=g, norm=10.0)
    for a, b in zip(found, alone, strict=True):
        assert float(a[1, 2]) == float(b)
    # an output that carries no mode still has its share of the kernel
    three = alignments(5, 10, alignment=[0.4, 0.4, 0.7], strengths=[1.0, 0.6, 0.0])
    start, task, _ = case(5, 10, [1.0, 0.6], 1.0, seed=1)
    wide = Task(np.vstack([task.cov_yx, np.zeros(10)]))
    c2 = start.alignment(task)
    wanted = solve(start, wide, "flow").measures()
    found2 = alignments(5, 10, alignment=[*c2, 0.0], strengths=[1.0, 0.6, 0.0])
    assert float(found2.kernel_alignment) == pytest.approx(float(wanted.kernel_alignment), rel=1e-9)
    two = alignments(5, 10, alignment=[0.4, 0.4], strengths=[1.0, 0.6])
    assert float(three.representation_alignment) == float(two.representation_alignment)
    assert float(three.kernel_alignment) != float(two.kernel_alignment)


@given(
    rank=st.integers(1, 6),
    inputs=st.integers(6, 40),
    exponents=st.lists(st.floats(-60.0, 60.0), min_size=1, max_size=5),
    norm=st.floats(-30.0, 30.0),
    share=st.floats(0.0, 1.0),
)
def test_no_nan_and_no_warning(rank, inputs, exponents, norm, share):
    # no tie, of any size
    strengths = np.cumsum(10.0 ** np.array(sorted(exponents)))
    if np.any(np.diff(strengths) == 0.0):
        return
    m = strengths.size
    low, high = max(0, rank + m - inputs) / m, min(rank, m) / m
    c = np.full(m, low + share * (high - low))
    keywords = {"strengths": strengths, "norm": 10.0**norm}
    found = [*alignments(rank, inputs, alignment=c, **keywords)]
    moments = expected(rank, inputs, **keywords)
    whole = (
        measures(rank, inputs, alignment=np.where(np.arange(m) < rank, c, 0.0), **keywords)
        if (inputs >= rank + m)
        else ()
    )
    for value in (*found, *moments.mean, *moments.sd, *whole):
        assert np.isfinite(value)
        assert value >= 0.0


REFUSED = [
    ("rank must be at most inputs", (5, 4), {"alignment": 0.5}),
    ("rank must be whole numbers; one is 2.5", (2.5, 4), {"alignment": 0.5}),
    ("inputs must be whole numbers", (2, 4.5), {"alignment": 0.5}),
    ("alignment must lie in [0, 1]; it is 2", (2, 4), {"alignment": [2.0]}),
    ("strengths must be >= 0", (2, 4), {"alignment": [0.1], "strengths": [-1.0]}),
    ("strengths must have a non-zero entry", (2, 4), {"alignment": [0.1], "strengths": [0.0]}),
    ("their shapes are (2,) and (3,)", (2, 4), {"alignment": [0.1] * 2, "strengths": [1, 2, 3]}),
    (
        "with rank 2, 3 task modes and 4 inputs its sum must lie in [1, 2]; it is 2.7",
        (2, 4),
        {"alignment": [0.9] * 3, "strengths": [3, 2, 1]},
    ),
    ("its sum must lie in [3, 3]; it is 1.5", (4, 4), {"alignment": [0.5] * 3}),
    ("at most inputs non-zero entries; 5 of 4", (2, 4), {"alignment": [0.2] * 5}),
    ("norm must be > 0", (2, 4), {"alignment": [0.5], "norm": 0.0}),
    ("norm^2 / (rank * strength) must lie in", (2, 4), {"alignment": [0.5], "norm": 1e100}),
]


@pytest.mark.parametrize(("message", "arguments", "keywords"), REFUSED)
def test_what_is_refused(message, arguments, keywords):
    for function in (alignments, measures):
        with pytest.raises(ValueError, match=re.escape(message)):
            function(*arguments, **keywords)


def test_ties_and_columns_that_cannot_be_orthogonal_are_refused():
    tied = {"alignment": [0.3] * 3, "strengths": [1.0, 0.5, 0.5]}
    with pytest.raises(AssumptionError, match=r"rank 2 cuts through modes of equal strength 0\.5"):
        alignments(2, 9, **tied)
    with pytest.raises(AssumptionError, match="cuts through"):
        expected(2, 9, strengths=[1.0, 0.5, 0.5])
    alignments(1, 9, **tied)  # cuts elsewhere
    alignments(3, 9, **tied)
    with pytest.raises(ValueError, match="of which at most rank are not zero; 3 are"):
        measures(2, 9, alignment=[0.3] * 3, strengths=[1.0, 0.6, 0.5])


def test_strengths_of_several_cases_are_those_of_each():
    together = expected(3, 10, strengths=[[1, 0], [2, 0]])
    for k, one in enumerate(([1, 0], [2, 0])):
        single = expected(3, 10, strengths=one)
        for all_of, found in zip(together, single, strict=True):
            for many, value in zip(all_of, found, strict=True):
                np.testing.assert_allclose(many[k], value, rtol=1e-14)
    with pytest.raises(ValueError, match="strengths must have a non-zero entry"):
        expected(3, 10, strengths=[[1, 1], [0, 0]])


def test_the_norm_is_1_unless_given():
    given = {"alignment": [0.3, 0.4], "strengths": [1.0, 0.5]}
    one = measures(6, 20, norm=1.0, **given)
    assert measures(6, 20, **given) == one
    assert measures(6, 20, norm=1.1, **given).kernel_alignment != one.kernel_alignment
