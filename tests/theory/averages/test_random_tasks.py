"""Spectra in groups of equal singular values, and the tasks drawn on them."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.averages.random_tasks import block_chain, block_tasks, direction_chain, grouped
from richlazy.two_layer.reduction.krylov import Reduced
from richlazy.two_layer.reduction.rational import Rational


@pytest.mark.parametrize(
    ("s", "unit", "counts"),
    [
        ([1.0, 1.0 - 0.9e-12], 0.0, [2]),
        ([1.0, 1.0 - 1.2e-12], 0.0, [1, 1]),
        ([1e-200, 1e-200 * (1 - 0.9e-12)], 0.0, [2]),  # of the largest, not of 1
        ([1.0, 2e-13, 1e-13], 0.0, [1, 1, 1]),  # the weak ones differ, and by far
        ([1.0, 0.9999, 0.999], 1e-3, [3]),  # 1e-3 of the norm, 1.7
        ([1.0, 0.9999, 0.998], 1e-3, [2, 1]),
        ([1.0, 2e-4, 1e-4], 1e-3, [1, 1, 1]),
    ],
)
@pytest.mark.parametrize("more", [0, 2])
def test_singular_values_are_equal_to_the_precision_of_the_largest(s, unit, counts, more):
    found = grouped(np.array(s), len(s) + more, unit)
    np.testing.assert_array_equal(found.counts, counts + [2] * (more > 0))
    assert found.counts.sum() == found.inputs == len(s) + more
    assert found.rank == len(s)
    assert found.flat == (len(counts) == 1)
    assert found.values[-1] == (0.0 if more else s[-counts[-1]])


@pytest.mark.parametrize("alignment", [None, 0.0, 0.3, 1.0])
def test_directions_of_an_alignment_have_that_share_inside(alignment):
    """Of a flat start the first coefficient of the chain is the alignment times its square."""
    s = grouped(np.full(3, 2.0), 7)
    chain, _ = direction_chain(s, 1.5, 400, np.random.default_rng(0), alignment)
    np.testing.assert_allclose(chain.lengths, 1.5, rtol=1e-12)
    share = chain.alpha[0] ** 2 / 4.0
    if alignment is None:
        assert np.ptp(share) > 0.5
        assert share.mean() == pytest.approx(3 / 7, abs=4 * share.std() / 20)
    else:
        np.testing.assert_allclose(share, alignment, atol=1e-12)


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_blocks_are_modes_of_one_strength_in_all_directions(outputs):
    s = grouped(np.array([3.0, 2.0, 2.0, 2.0, 1.0]), 9)
    drawn = block_tasks(s, outputs, 1.5, 300, np.random.default_rng(0))
    tasks, first = drawn.problem.cov_yx, drawn.problem.first
    rows = np.minimum(s.counts, outputs).astype(int)  # of each group no more directions matter
    assert tasks.shape == (300, outputs, rows.sum())
    assert first.shape == (300, rows[:-1].sum(), rows.sum())
    square = tasks @ np.swapaxes(tasks, 1, 2)
    np.testing.assert_allclose(
        square, np.broadcast_to(1.5**2 / outputs * np.eye(outputs), square.shape), atol=1e-12
    )
    values = np.repeat(s.values, rows)
    np.testing.assert_array_equal(np.diagonal(first[7]), values[values > 0])
    assert not drawn.problem.readout.any()
    assert (drawn.inputs, drawn.trace) == (9, s.moments.trace.value)
    assert drawn.trace_square == s.moments.trace_square.value
    # each group has its share of the inputs
    ends = np.r_[0, np.cumsum(rows)]
    for a, b, count in zip(ends, ends[1:], s.counts, strict=False):
        share = np.sum(tasks[:, :, a:b] ** 2, axis=(1, 2)) / 1.5**2
        assert share.mean() == pytest.approx(count / 9, abs=4 * share.std() / np.sqrt(300))


def test_blocks_are_chains_where_they_are_long_and_the_start_is_not_too_far_above():
    def chain(count, norm, strength=1.0):
        s = np.arange(1.0, count + 1.0) ** -0.5
        s = grouped(norm * s / np.linalg.norm(s), count)
        return block_chain(s, 2, strength, 1, np.random.default_rng(0))

    assert isinstance(chain(144, 1.0)[0], Reduced)
    near, order = chain(146, 1.0)
    assert not isinstance(near, Reduced)
    assert order < 36
    far, begin = chain(146, 100.0)
    assert not isinstance(far, Reduced)
    assert begin == 24
    assert chain(146, 100.0, 1e4)[1] == order  # a task as strong
    assert isinstance(chain(146, 1e5)[0], Reduced)
    assert not isinstance(chain(146, 1e5, 1e4)[0], Reduced)


def test_one_output_has_poles_where_chains_would_be_long_without():
    s = np.arange(1.0, 71.0) ** -1.0
    for norm, strength, poles in ((1.0, 1.0, False), (100.0, 1.0, True), (100.0, 1e4, False)):
        spectrum = grouped(norm * s / np.linalg.norm(s), 80)
        chain, begin = direction_chain(spectrum, strength, 2, np.random.default_rng(0))
        assert isinstance(chain, Rational) == spectrum.far_above(strength) == poles
        assert (begin is not None) == poles
        np.testing.assert_allclose(chain.lengths, strength, rtol=1e-12)
