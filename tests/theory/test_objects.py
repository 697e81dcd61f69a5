"""What every object has in common: how it prints, that it survives a copy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

import richlazy as rl
from richlazy.summary import number, summary
from tests.theory.objects import (
    AVERAGES,
    COLOURED,
    COPIES,
    DEEP,
    FLAT,
    OBJECTS,
    PROBLEMS,
    TASK,
    W1,
    average,
    same,
    solution,
)

# How objects print


@pytest.mark.parametrize("name", [n for n in OBJECTS if n not in ("Expectation", "Moments")])
def test_every_object_prints_within_a_few_lines(name, tmp_path):
    thing = OBJECTS[name](tmp_path)
    text = repr(thing)
    assert text.startswith(f"{type(thing).__name__}(")
    assert text.endswith(")")
    lines = text.splitlines()
    assert len(lines) <= (4 if name.startswith(("Curriculum", "Expected")) else 3)
    assert max(map(len, lines)) <= 100
    assert not any(word in text for word in ("0x", "array(", "[", "lambda", "object at", "np."))


def test_what_objects_say():
    assert repr(TASK) == "Task(inputs=9, outputs=2, strength=1, cov_xx=white)"
    assert repr(COLOURED).endswith("cov_xx=9 x 9)")
    assert repr(FLAT.first) == "Thin(hidden=6, inputs=9, rank=3, norm=1)"
    found = solution("closed form")
    laziness = repr(found.laziness())
    assert "method='closed form (T6)', time=inf, " in laziness
    assert f"kernel_alignment={number(float(found.kernel_alignment()))}" in laziness
    expected = average("flat")
    ka = expected.kernel_alignment
    assert f"kernel_alignment={ka.mean:.4g} ± {ka.sd:.1g}" in repr(expected)
    assert f"mean={ka.mean:.4g}, sd={ka.sd:.4g}, standard_error=0)" in repr(ka)
    state = found.at(2.0)
    moved = number(float(found.measures(2.0).weight_change_input))
    assert f"weight_change_input={moved}" in repr(state)
    deep = repr(rl.deep.solve(DEEP, TASK))
    assert "layers=3, widths=9 -> 6 -> 6 -> 2" in deep


def test_an_operator_is_not_multiplied_with_to_be_printed():
    class Silent(type(aslinearoperator(W1))):
        def _matmat(self, x):
            raise AssertionError

    assert "norm=not measured" in repr(rl.Network(Silent(W1)))


def test_long_texts_are_cut_and_quoted():
    text = summary(object(), short="silent", note="a, " * 80, other="b" * 300)
    assert max(map(len, text.splitlines())) <= 100
    assert "short=silent," in text
    assert "...'," in text
    assert text.endswith("...)")


# Copies


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_survives_a_copy(name, way, tmp_path):
    thing = OBJECTS[name](tmp_path)
    again = COPIES[way](thing)
    assert type(again) is type(thing)
    if "operator" not in name:
        assert repr(again) == repr(thing)
        same(again, thing)


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_can_be_compared(name, tmp_path):
    """Those that hold arrays are equal to themselves alone: NumPy has no one answer for them."""
    thing = OBJECTS[name](tmp_path)
    again = pickle.loads(pickle.dumps(thing))  # noqa: S301
    assert thing == thing
    assert isinstance(thing == again, bool)
    assert {thing: 1}[thing] == 1


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_copied_solution_answers_as_before_and_at_new_times(name, way):
    found, twin = solution(name), solution(name)
    for asked in (found, twin):
        asked.measures([0.3, 1.0])
        asked.at(0.4)
    again = COPIES[way](found)
    for t in (0.3, [0.3, 1.0], [0.0, 0.7, np.inf]):
        same(tuple(again.measures(t)), tuple(twin.measures(t)))
    assert (again.method, again.accuracy) == (twin.method, twin.accuracy)
    assert again.assumptions == twin.assumptions
    same(again.at(0.9).function(), twin.at(0.9).function())
    same(rl.path_length(again, 0.5), rl.path_length(twin, 0.5))


@pytest.mark.parametrize("way", COPIES)
def test_a_copied_deep_solution_answers_as_before(way):
    found, twin = (rl.deep.solve(DEEP, TASK) for _ in range(2))
    found.measures(0.3)
    twin.measures(0.3)
    again = COPIES[way](found)
    same(tuple(again.measures([0.3, 0.7])), tuple(twin.measures([0.3, 0.7])))
    assert again.accuracy == twin.accuracy


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", [n for n in AVERAGES if n != "typical"])
def test_copied_averages_keep_their_quantiles(name, way):
    found = average(name)
    again, q = COPIES[way](found), [[0.0, 0.1], [0.5, 1.0]]
    assert again == found
    for measure in ("kernel_alignment", "weight_change", "loss"):
        before, after = (getattr(x, measure).quantile(q) for x in (found, again))
        assert after.shape == (2, 2)
        same(after, before)
