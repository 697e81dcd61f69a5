"""Which flows of a stack share their steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy.errors import ConvergenceError
from richlazy.integration.groups import Groups, alike, in_front

SIZES = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(SIZES, SIZES), max_size=80))
def test_every_flow_is_in_one_group_of_its_like(flows):
    scales, stiffness = (list(x) for x in zip(*flows, strict=True)) if flows else ([], [])
    groups = list(alike(scales, stiffness))
    assert sorted(i for group in groups for i in group) == list(range(len(flows)))
    for group in groups:
        assert 0 < len(group) <= 32
        for of in (scales, stiffness):
            values = [of[i] for i in group]
            assert max(values) <= 4.0 * min(values)


def test_flows_of_one_scale_are_together():
    assert [len(group) for group in alike([1.0] * 70, [2.0] * 70)] == [32, 32, 6]


def test_axes_of_the_stack_come_first():
    (found,) = in_front([np.arange(24).reshape(2, 2, 6)], (2, 3))
    assert found.shape == (2, 3, 2, 2)
    assert found[1, 2, 0, 1] == 11


class Some:
    def __init__(self, where, method="one", said=(("white",),), refusal=None):
        self.where, self.refusal = np.array(where), refusal
        self.methods = [method] * len(where)
        self.assumptions = list(said) * len(where)


def answer(group):
    if group.refusal:
        raise ConvergenceError(group.refusal)
    return (np.tile(10.0 * group.where, (2, 1)),)


def test_answers_are_put_into_their_places_and_counted():
    groups = Groups((3,), [Some([2]), Some([0, 1], "two", [("white", "grown")])])
    assert np.array_equal(groups.answers(answer)[0], [[0.0, 10.0, 20.0]] * 2)
    assert groups.method == "two: 2; one: 1"
    assert groups.assumptions == ("white", "grown (2 of 3 networks)")
    assert Groups((1,), [Some([0])]).method == "one"


def test_a_refusal_names_the_place():
    with pytest.raises(ConvergenceError, match=r"^network \(1, 0\) of the stack: no rest"):
        Groups((2, 2), [Some([0, 1, 3]), Some([2], refusal="no rest")]).answers(answer)
    with pytest.raises(ConvergenceError, match=r"^networks like \(0,\) of the stack: no rest"):
        Groups((2,), [Some([0, 1], refusal="no rest")]).answers(answer)
