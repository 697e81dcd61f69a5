"""What is asked again, to know how far the first answer can be trusted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.subspace import invariant_subspace
from richlazy.two_layer.routes.doubt import with_other_traces


@pytest.fixture
def reduced():
    rng = np.random.default_rng(0)
    return invariant_subspace(Network(rng.standard_normal((4, 5))), Task.random(5, 1, rng=rng))


def test_exact_traces_are_asked_of_once(reduced):
    assert with_other_traces(reduced) is None


def test_sampled_traces_move_apart(reduced):
    """KA and RA know them as tr R_0^2 over squares of tr R_0: moved alike, they would hide it."""
    other = with_other_traces(replace(reduced, trace_error=0.5, trace_square_error=0.25))
    assert other.trace == reduced.trace + 0.5
    assert other.trace_square == reduced.trace_square - 0.25
    far = with_other_traces(replace(reduced, trace_square_error=1e9))
    assert (far.trace, far.trace_square) == (reduced.trace, 0.0)
