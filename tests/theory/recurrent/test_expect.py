"""Averages over random tasks: the typical start, the law, samples."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from richlazy import spectrum
from richlazy.errors import AssumptionError
from richlazy.recurrent import expect
from richlazy.recurrent.measures import Measures

FLAT = spectrum.flat(60, 0.6 * np.sqrt(60))


@pytest.mark.parametrize(
    "s", [FLAT, spectrum.gaussian(60, 60, 0.6 * np.sqrt(60))], ids=["flat", "g"]
)
def test_the_typical_start_is_what_samples_learn_like(s):
    options = {"steps": 3, "units": 60, "strength": 1.0}
    whole = expect(s, method="typical", tasks=100, rng=1, **options)
    some = expect(s, method="sample", tasks=100, rng=2, **options)
    for name in Measures._fields[:-1]:
        one, other = getattr(whole, name), getattr(some, name)
        error = np.hypot(one.standard_error, other.standard_error)
        finite = 1.5 / 60 * abs(one.mean)  # O(1/N)
        assert abs(one.mean - other.mean) < 4 * error + finite, name


def test_of_a_half_rank_spectrum_the_law_is_the_typical_start():
    s = spectrum.flat(30, 0.6 * np.sqrt(60))
    options = {"steps": 3, "units": 60, "tasks": 8, "rng": 3}
    law, whole = (expect(s, method=m, **options) for m in ("law", "typical"))
    assert law.kernel_alignment.mean == pytest.approx(whole.kernel_alignment.mean, rel=1e-5)
    assert "inside the law's domain" in law.accuracy


def test_the_law_says_where_it_does_not_hold(monkeypatch):
    s = spectrum.gaussian(60, 60, 0.6 * np.sqrt(60))
    options = {"steps": 3, "units": 60, "method": "law", "tasks": 20}
    assert "inside the law's domain" in expect(s, **options).accuracy
    monkeypatch.setattr(sys.modules["richlazy.recurrent.averages.trees"], "_DOMAIN", 1e-6)
    assert "OUTSIDE the law's domain" in expect(s, **options).accuracy


def test_a_low_participation_ratio_is_sampled_or_said():
    low = spectrum.flat(5, 0.6 * np.sqrt(60))
    assert expect(low, 3, units=60, tasks=2).method.startswith("sample of 2 networks")
    assert "UNLIKE" in expect(low, 3, units=60, tasks=2, method="typical").accuracy
    assert "UNLIKE" not in expect(FLAT, 3, units=60, tasks=2).accuracy
    assert expect(FLAT, 3, units=60, tasks=2).method == "typical start (T20) with 2 tasks"


def test_a_matrix_is_sampled_with_its_own_singular_vectors():
    w = 0.6 * np.linalg.qr(np.random.default_rng(0).standard_normal((40, 40)))[0]
    found = expect(w, 3, tasks=3)
    assert found.method.startswith("sample of 3 inputs, readouts and tasks")
    assert expect(w, 3, tasks=3).kernel_alignment == found.kernel_alignment  # a fixed seed
    whole = expect(w, 3, tasks=3, method="typical")
    assert "typical start" in whole.method


def test_a_record_tells_everything():
    found = expect(FLAT, 3, units=60, tasks=4)
    record = found.to_dict()
    assert (record["tasks"], record["time"]) == (4, "inf")
    for name in Measures._fields:
        said = record[name]
        assert said["sd"] > 0
        assert said["standard_error"] == pytest.approx(said["sd"] / 2.0)
    assert "standard errors from 4 draws" in found.accuracy
    assert "kernel_alignment=" in repr(found)


@pytest.mark.parametrize(
    ("words", "arguments", "keywords"),
    [
        ("units is needed with singular values", (FLAT, 3), {}),
        ("units must be at least the rank 60", (FLAT, 3), {"units": 50}),
        ("channels \\+ outputs must be at most the units 60", (FLAT, 3, 60), {"units": 60}),
        ("steps must be at least 1", (FLAT, 0), {"units": 60}),
        ("start must be square", (np.ones((3, 4)), 3), {}),
        ("units is 5, but the matrix has 4", (np.eye(4), 3), {"units": 5}),
        ("strength must be > 0", (FLAT, 3), {"units": 60, "strength": 0.0}),
        ("input_norm must be >= 0", (FLAT, 3), {"units": 60, "input_norm": -1.0}),
        ("tasks must be at least 2", (FLAT, 3), {"units": 60, "tasks": 1}),
        ("t must be >= 0", (FLAT, 3), {"units": 60, "t": -1.0}),
        (
            "method must be 'typical', 'law' or 'sample'",
            (FLAT, 3),
            {"units": 60, "method": "exact"},
        ),
    ],
)
def test_what_is_refused(words, arguments, keywords):
    with pytest.raises(ValueError, match=words):
        expect(*arguments, **keywords)


def test_a_zero_start_has_a_typical_one():
    found = expect(np.zeros((4, 4)), 2, method="typical", tasks=3)
    assert "PR = 0, below 30" in found.accuracy


def test_a_zero_start_has_no_law():
    with pytest.raises(AssumptionError, match="non-zero start"):
        expect(np.zeros((4, 4)), 2, method="law")


@pytest.mark.parametrize(("start", "method"), [(FLAT, "typical"), (FLAT[:3], "sample")])
def test_what_is_left_out_is_the_default(start, method):
    """One channel and output, all norms 1, trained to the end, a fixed seed; 20 draws."""
    few = {"tasks": 3} if method == "typical" else {}
    plain = expect(start, 2, units=60, **few)
    said = expect(
        start, 2, 1, 1, units=60, strength=1.0, input_norm=1.0, readout_norm=1.0, t=np.inf,
        method=method, rng=0, **{"tasks": 20, **few},
    )  # fmt: skip
    assert plain.to_dict() == said.to_dict()
