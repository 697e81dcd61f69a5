"""Lists of networks: the numbers that each has alone, wherever they are worked out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from richlazy import Network, Task, predict, predict_each
from richlazy.errors import AssumptionError, KindError


def some(count):
    """Networks of different sizes and kinds, each with a task."""
    rng = np.random.default_rng(0)
    for k in range(count):
        h, d, m = (int(n) for n in rng.integers([2, 3, 1], [5, 7, 4]))
        readout = rng.standard_normal((m, h)) if k % 2 else None
        yield Network(rng.standard_normal((h, d)), readout), Task(rng.standard_normal((m, d)))


def test_each_is_what_it_is_alone_here_and_by_an_executor():
    starts, tasks = zip(*some(6), strict=True)
    expected = [predict(start, task, 2.0) for start, task in zip(starts, tasks, strict=True)]
    assert predict_each(starts, tasks, 2.0) == expected
    with ThreadPoolExecutor(3) as executor:
        assert predict_each(starts, tasks, 2.0, executor=executor) == expected


def test_one_task_is_for_all():
    starts, task = [np.eye(3), 2.0 * np.eye(3)], Task(np.eye(3)[:1])
    assert predict_each(starts, task) == [predict(start, task) for start in starts]


def test_the_start_without_an_answer_is_named():
    tasks = Task(np.eye(3)[:1])
    with pytest.raises(ValueError, match=r"^start 1: the network has 2 inputs, the task 3"):
        predict_each([np.eye(3), np.eye(2)], tasks)
    with pytest.raises(KindError, match=r"^start 0:"):
        predict_each([[[1.0, 2.0, 3.0]]], tasks)
    far = np.random.default_rng(0).standard_normal((2, 3)) * 1e12
    with pytest.raises(AssumptionError, match=r"^start 2: "):
        predict_each([np.eye(3), np.eye(3), far], tasks)


def test_as_many_tasks_as_starts():
    with pytest.raises(ValueError, match="one for each of 3 starts; there are 2"):
        predict_each([np.eye(2)] * 3, [Task(np.eye(2))] * 2)
