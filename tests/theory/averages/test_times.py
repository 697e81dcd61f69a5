"""Expectations at several times: one flow for all, and the numbers of each time asked alone."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import curves, spectrum
from richlazy.averages import sampling
from richlazy.averages.expect import expect, expect_over
from richlazy.laziness import Measures

TIMES = [np.inf, 0.5, 3.0, 3.0, 0.0]
MATRIX = np.random.default_rng(3).standard_normal((5, 7)) / 3.0


@pytest.mark.parametrize(
    "asked",
    [
        {"start": spectrum.power_law(12, 0.5), "inputs": 15, "tasks": 6},
        {"start": MATRIX, "tasks": 6, "rng": 4},
        {"start": MATRIX, "outputs": 2, "tasks": 4},
        {"start": MATRIX, "alignment": 0.4, "tasks": 5},
        {"start": MATRIX, "method": "typical"},
        {"start": MATRIX, "method": "law"},
        {"start": spectrum.flat(3), "inputs": 8},
        {"start": spectrum.flat(3), "inputs": 8, "outputs": 2, "tasks": 200},  # exact at the end
    ],
    ids=lambda asked: " ".join(name for name in asked if name not in ("start", "inputs")),
)
def test_each_time_is_what_it_is_alone(asked):
    together = expect_over(**asked, t=TIMES)
    for t, found in zip(TIMES, together, strict=True):
        alone = expect(**asked, t=t)
        assert (found.time, found.method.split(",")[0]) == (t, alone.method.split(",")[0])
        assert found.assumptions == alone.assumptions
        for name in Measures._fields:
            one, other = getattr(found, name), getattr(alone, name)
            assert one.mean == pytest.approx(other.mean, rel=1e-7, abs=1e-9)
            if alone.tasks is not None:
                assert one.quantile(0.3) == pytest.approx(other.quantile(0.3), rel=1e-6, abs=1e-9)


def test_the_error_of_all_is_that_of_the_worst():
    def error(found):
        return float(found.accuracy.rpartition(" ")[2])

    together = expect_over(MATRIX, tasks=5, t=[0.01, 10.0])
    alone = [expect(MATRIX, tasks=5, t=t) for t in (0.01, 10.0)]
    assert len({error(found) for found in together}) == 1
    assert error(together[0]) >= 0.9 * max(map(error, alone))


@pytest.mark.parametrize("axes", [("time",), ("scale", "time"), ("time", "scale")])
def test_a_line_of_times_is_one_sample(axes, monkeypatch):
    times, norms, asked = [0.1, 1.0, 10.0], [0.5, 2.0], []
    real = sampling.sampled

    def counted(parts, at, *rest):
        asked.append(len(at))
        return real(parts, at, *rest)

    monkeypatch.setattr(sampling, "sampled", counted)
    if axes == ("time",):
        found = curves.of(MATRIX, "time", times, tasks=4)["kernel_alignment"]
        assert asked == [3]
        wanted = [expect(MATRIX, tasks=4, t=t).kernel_alignment.mean for t in times]
    else:
        made = curves.map(*axes, start=MATRIX, tasks=4, ts=times, norms=norms)
        assert asked == [3, 3]
        found = made.columns["kernel_alignment"]
        wanted = np.array(
            [
                [expect(MATRIX, norm=norm, tasks=4, t=t).kernel_alignment.mean for norm in norms]
                for t in times
            ]
        )
        wanted = wanted if axes[1] == "time" else wanted.T
    assert np.asarray(found) == pytest.approx(np.asarray(wanted), rel=1e-7)
