"""Samples of `recurrent.expect`: drawn alike for every spectrum, and followed together or alone."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import recurrent, spectrum
from richlazy.recurrent.averages import sampling, stack
from richlazy.recurrent.averages.question import asked
from richlazy.recurrent.averages.sampling import drawn
from richlazy.recurrent.measures import Measures


def draws(s, units, count=3, seed=4, steps=3):
    """What a sample draws for singular values, one network and task after another."""
    case = asked(s, steps, 2, 1, units, 1.5, 0.8, 1.2, 2.0, count, seed)
    return [(drawn(case), task) for task in case.draw_tasks(count)]


@pytest.mark.parametrize("rank", [2, 20])
def test_together_is_one_by_one(rank):
    s, units = spectrum.flat(rank, 2.0), 20
    found = recurrent.expect(
        s, 3, 2, 1, units=units, strength=1.5, input_norm=0.8, readout_norm=1.2, t=2.0,
        method="sample", tasks=3, rng=4,
    )  # fmt: skip
    directions = 2 + 1 + 2 * rank
    how = f"reduced (T18), {directions} directions" if directions < units else "flow (T16)"
    assert found.method == f"sample of 3 networks by {how}"
    alone = [recurrent.solve(net, task).measures(2.0) for net, task in draws(s, units)]
    for name in Measures._fields:
        values = np.array([getattr(m, name) for m in alone])
        statistic = getattr(found, name)
        assert statistic.mean == pytest.approx(values.mean(), rel=1e-4), name
        assert statistic.sd == pytest.approx(values.std(ddof=1), rel=1e-2, abs=1e-5), name
    assert "numerical error" in found.accuracy


def test_every_spectrum_meets_the_same_tasks_inputs_and_readouts():
    for (low, task), (high, other) in zip(
        draws(spectrum.flat(3, 2.0), 15), draws(spectrum.flat(7, 2.0), 15), strict=True
    ):
        np.testing.assert_array_equal(task.response, other.response)
        np.testing.assert_array_equal(low.inputs, high.inputs)
        np.testing.assert_array_equal(low.readout, high.readout)
        for side in ("left", "right"):
            few, more = (getattr(net.recurrent, side) for net in (low, high))
            np.testing.assert_allclose(more[:, :3], few, atol=1e-14)
            np.testing.assert_allclose(more.T @ more, np.eye(7), atol=1e-13)
        assert np.abs(low.recurrent.left.T @ low.recurrent.right).max() > 0.01  # independent


def test_large_networks_of_high_rank_are_reduced():
    s = spectrum.flat(420, 0.6 * 420**0.5)
    found = recurrent.expect(s, 2, units=420, method="sample", tasks=2)
    directions = int(found.method.split("reduced (T18), ")[1].split()[0])
    assert directions < 60
    assert "by what leaks and comes back" in found.accuracy


def test_the_accuracy_of_large_networks_is_that_of_the_worst(monkeypatch):
    known = iter([3e-6, 1e-5, None, 2e-6])

    class Solved:
        method = "followed alone"

        def __init__(self, net, task, **_):
            self.net, self.task, self.error = net, task, next(known)
            self.accuracy = f"to {self.error}"

        def measures(self, t):
            return recurrent.solve(self.net, self.task).measures(t)

    monkeypatch.setattr(sampling, "_SMALL", 0)
    monkeypatch.setattr(sampling, "solve", Solved)
    nets, tasks = zip(*draws(np.array([0.5, 0.4]), 5, count=4, steps=2), strict=True)
    found, how, accuracy = sampling.learned(nets, tasks, 2.0)
    assert (how, accuracy) == ("followed alone", "the worst: to 1e-05")
    for k, (net, task) in enumerate(zip(nets, tasks, strict=True)):
        one = recurrent.solve(net, task).measures(2.0)
        for name in Measures._fields:
            np.testing.assert_array_equal(getattr(found, name)[k], getattr(one, name))


def test_a_sample_in_stacks_is_the_sample_at_once(monkeypatch):
    options = {"units": 8, "t": 1.0, "method": "sample", "tasks": 7}
    whole = recurrent.expect(spectrum.flat(8, 2.0), 2, **options)
    monkeypatch.setattr(stack, "_STACK", 3 * 8 * 64)
    seen = []

    def counted(some, *rest):
        seen.append(len(some.target))
        return integrate(some, *rest)

    integrate = stack.integrate
    monkeypatch.setattr(stack, "integrate", counted)
    some = recurrent.expect(spectrum.flat(8, 2.0), 2, **options)
    assert seen == [3, 3, 1, 3, 1]  # and the pilot, of four
    for name in Measures._fields:
        one, other = getattr(whole, name), getattr(some, name)
        assert other.mean == pytest.approx(one.mean, rel=1e-4)
        assert other.sd == pytest.approx(one.sd, rel=1e-3, abs=1e-6)
