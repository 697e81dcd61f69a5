"""Averages over random recurrent starts: typical against sampled, the law's flag, what is said."""

from __future__ import annotations

import re

import numpy as np
import pytest

from richlazy import spectrum
from richlazy.errors import AssumptionError
from richlazy.recurrent import Network, Task, expect, solve
from richlazy.recurrent.measures import Measures

UNITS = 120
FLAT = spectrum.flat(UNITS // 2, 0.6 * np.sqrt(UNITS))
HEAVY = spectrum.check(np.sqrt(UNITS) * 0.6 * np.r_[0.999, np.full(60, 0.005)])


def z(one, other):
    """Difference of means in units of its standard error, and of the typical start's O(1/N)."""
    error = np.hypot(one.standard_error, other.standard_error)
    return (one.mean - other.mean) / np.hypot(error, 0.5 / UNITS * abs(one.mean))


@pytest.mark.parametrize("t", [1.0, np.inf])
def test_the_typical_start_learns_as_sampled_ones(t):
    asked = {"steps": 3, "units": UNITS, "strength": 2.0, "t": t}
    typical = expect(FLAT, **asked, tasks=150, rng=1)
    sampled = expect(FLAT, **asked, tasks=60, method="sample", rng=2)
    for name in Measures._fields[:-1] + (("loss",) if t < 2 else ()):
        assert abs(z(getattr(typical, name), getattr(sampled, name))) < 4.0, name


def test_the_law_is_the_typical_start_of_its_two_values():
    one = expect(FLAT, 4, units=UNITS, tasks=5, method="law")
    other = expect(FLAT, 4, units=UNITS, tasks=5)
    assert one.kernel_alignment.mean == pytest.approx(other.kernel_alignment.mean, rel=1e-4)
    assert "inside the law's domain" in one.accuracy
    assert "PR = 60" in " ".join(one.assumptions)


@pytest.mark.parametrize("start", [FLAT, HEAVY, spectrum.power_law(UNITS, 0.5, norm=6.0)])
def test_the_law_says_where_it_holds(start):
    law, whole = (expect(start, 4, units=UNITS, tasks=20, method=m) for m in ("law", "typical"))
    off = max(
        abs(getattr(law, name).mean / getattr(whole, name).mean - 1.0)
        for name in ("kernel_alignment", "weight_change")
    )
    if "inside the law's domain" in law.accuracy:
        assert off < 0.02
    else:
        assert "OUTSIDE the law's domain" in law.accuracy
        assert off > 0.01


def test_a_matrix_is_sampled_over_what_meets_it():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((20, 20)) / 8
    found = expect(w, 3, 2, 1, tasks=4, rng=5)
    chance = np.random.default_rng(5)
    each = []
    for _ in range(4):
        net = Network.random(w, channels=2, rng=chance)
        each.append(float(solve(net, Task.random(3, 2, rng=chance)).kernel_alignment()))
    assert found.kernel_alignment.mean == pytest.approx(np.mean(each), rel=1e-6)
    assert found.kernel_alignment.sd == pytest.approx(np.std(each, ddof=1), rel=1e-4)
    assert "the worst:" in found.accuracy


def test_of_a_matrix_the_typical_start_sees_the_singular_values():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((20, 20)) / 8
    values = np.linalg.svd(w, compute_uv=False)
    one, other = expect(w, 3, tasks=4, method="typical"), expect(values, 3, units=20, tasks=4)
    assert one.kernel_alignment.mean == pytest.approx(other.kernel_alignment.mean, rel=1e-9)


def test_the_error_of_a_tree_that_is_cut_is_said():
    """Long horizons need words that the tree does not hold; a two-valued law ends by itself."""

    def stated(start, steps):
        said = expect(start, steps, units=60, tasks=2).accuracy
        return float(re.search(r"error of the tree (\S+);", said)[1])

    gaussian = spectrum.gaussian(60, 60, norm=0.7 * np.sqrt(60), rng=0)
    assert stated(gaussian, 2) < 0.01
    assert stated(gaussian, 13) > 3.0 * stated(gaussian, 2)


def test_what_is_nothing_over_nothing_in_a_draw_is_none():
    found = expect([1.0, 1.0], 3, units=10, tasks=3, input_norm=0.0)
    assert found.representation_alignment is None
    assert found.kernel_alignment.mean > 0
    assert found.to_dict()["representation_alignment"] is None
    assert "representation_alignment=None" in repr(found)


def test_the_same_seed_repeats_and_another_does_not():
    asked = {"start": [1.0, 1.0], "steps": 3, "units": 10, "tasks": 3}
    one, same, other = expect(**asked), expect(**asked, rng=0), expect(**asked, rng=1)
    assert one.to_dict() == same.to_dict()
    assert one.kernel_alignment.mean != other.kernel_alignment.mean


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"start": [0.0, 0.0]}, "^spectrum must have a non-zero singular value"),
        ({"start": np.ones((3, 2))}, "^start must be square"),
        ({"units": None}, "^units is needed with singular values"),
        ({"units": 1}, "^units must be at least the rank 2"),
        ({"start": np.eye(4), "units": 5}, "^units is 5, but the matrix has 4"),
        ({"channels": 9, "outputs": 9}, r"^channels \+ outputs must be at most the units 10"),
        ({"steps": 0}, "^steps must be at least 1"),
        ({"channels": 0}, "^channels must be at least 1"),
        ({"outputs": 0.5}, "^outputs must be an integer"),
        ({"strength": 0.0}, "^strength must be > 0"),
        ({"input_norm": -1.0}, "^input_norm must be >= 0"),
        ({"readout_norm": np.nan}, "^readout_norm must be finite"),
        ({"t": -1.0}, "^t must be >= 0"),
        ({"method": "krylov"}, "^method must be 'typical', 'law' or 'sample'; it is 'krylov'"),
        ({"method": ["law"]}, "^method must be"),
        ({"tasks": 1}, "^tasks must be at least 2"),
        ({"rng": "0"}, "^rng must be a seed"),
    ],
)
def test_what_is_wrong_is_said(wrong, words):
    with pytest.raises(ValueError, match=words):
        expect(**{"start": [1.0, 0.5], "steps": 3, "units": 10, **wrong})


def test_the_law_of_nothing_is_refused():
    with pytest.raises(AssumptionError, match="needs a non-zero start"):
        expect(np.zeros((5, 5)), 3, method="law")
