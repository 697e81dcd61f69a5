"""Samples of `recurrent.expect`: drawn alike for every spectrum, and followed together or alone."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import recurrent, spectrum
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
