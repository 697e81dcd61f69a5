"""Curves of recurrent starts: `expect` at every point, the same draws, and what the axes do."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from richlazy import curves, recurrent, recurrent_curves, spectrum
from richlazy.curves import AXES
from richlazy.curves import figure as figures
from richlazy.curves import recurrent as makers
from richlazy.recurrent.averages.stack import SAMPLING
from richlazy.recurrent.measures import Measures
from richlazy.start.matrices import Thin

UNITS = 32  # a participation ratio from which `expect` takes the typical start
FEW = {"tasks": 6, "rng": 3}
FULL = 0.6 * np.ones(UNITS)
MATRIX = np.random.default_rng(0).standard_normal((UNITS, UNITS)) * 0.6 / np.sqrt(UNITS)
GIVEN = {
    "rank": ((UNITS, 3), {"ranks": [1, 5, 24]}),
    "gain": ((FULL, 3), {"units": UNITS, "gains": [0.3, 0.9]}),
    "steps": ((FULL,), {"units": UNITS, "lengths": [1, 2, 4]}),
    "strength": ((FULL, 3), {"units": UNITS, "strengths": [0.1, 1.0, 10.0]}),
    "time": ((FULL, 3), {"units": UNITS, "ts": [0.0, 0.5, np.inf]}),
}


@cache
def made(axis):
    args, keywords = GIVEN[axis]
    return getattr(recurrent_curves, axis)(*args, **keywords, **FEW)


def point(axis, x):
    """The same point from `expect` itself."""
    if axis == "rank":
        flat = spectrum.flat(int(x), 0.6 * np.sqrt(UNITS))
        return recurrent.expect(flat, 3, units=UNITS, method="sample", **FEW)
    if axis == "gain":
        return recurrent.expect(np.full(UNITS, x), 3, units=UNITS, **FEW)
    if axis == "steps":
        return recurrent.expect(FULL, int(x), units=UNITS, **FEW)
    name = "t" if axis == "time" else axis
    return recurrent.expect(FULL, 3, units=UNITS, **{name: x}, **FEW)


@pytest.mark.parametrize("axis", GIVEN)
def test_every_point_is_the_expectation_there(axis):
    curve = made(axis)
    assert curve.axis == axis
    # one flow for all times has a space of its own: draws are the same to the tolerance of flows,
    # their loss beside that of zero weights
    within = SAMPLING if axis == "time" else 0.0
    for index, x in enumerate(curve.x):
        record = point(axis, x)
        for name in Measures._fields:
            found = getattr(record, name)
            size = 0.5 if name == "loss" else abs(found.mean)
            for suffix, value in (
                ("", found.mean), ("_sd", found.sd), ("_standard_error", found.standard_error),
            ):  # fmt: skip
                assert curve.columns[name + suffix][index] == pytest.approx(
                    value, rel=1e-9, abs=max(1e-12, within * size)
                )
        assert curve.provenance["accuracy"][index].startswith("standard errors from 6 draws")
        assert curve.provenance["method"][index] == record.method


@pytest.mark.parametrize("axis", GIVEN)
def test_a_curve_is_drawn_stored_and_read_again(axis):
    curve = made(axis)
    for again in (curves.from_csv(curve.to_csv()), curves.from_json(curve.to_json())):
        assert again.provenance == curve.provenance
        for key, values in curve.columns.items():
            np.testing.assert_array_equal(again.columns[key], values)
    panels = curve.plot().get_axes()
    shown = [label.get_ylabel() for label in panels]
    wanted = ["kernel_alignment", "representation_alignment", "weight_change", "target_alignment"]
    wanted += ["loss"] if axis == "time" else []
    assert shown == [figures.LABELS[name] for name in wanted]
    parts = panels[2].get_lines()
    names = ("", "_recurrent", "_inputs", "_readout")
    for line, name in zip(parts, names, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve.columns[f"weight_change{name}"])
    labels = [text.get_text() for text in panels[2].get_legend().get_texts()]
    assert labels[0] == "all"
    assert ["Delta W" in x for x in labels] == [False, True, False, False]
    assert panels[0].get_xlabel() == "{} ({})".format(*AXES[axis])
    assert panels[0].get_xscale() == (
        "log" if axis in ("rank", "strength") else "linear"
    )  # a time of 0 is not on a logarithmic axis


def test_what_is_said_makes_the_curve_again():
    curve = made("gain")
    given = curve.provenance["parameters"]
    assert {k: given[k] for k in ("units", "steps", "tasks", "rng")} == {
        "units": UNITS, "steps": 3, "tasks": 6, "rng": 3,
    }  # fmt: skip
    assert curve.provenance["formula"] == "T20"
    assert curve.title.startswith("typical recurrent start, 32 singular values, units 32, steps 3,")
    assert made("rank").title.startswith("sampled recurrent start, units 32, steps 3, gain 0.6")
    assert "standard_error" not in repr(curve)
    keywords = {k: v for k, v in given.items() if k != "singular_values"}
    keywords["t"] = float(keywords["t"])
    again = recurrent_curves.gain(np.array(given["singular_values"]), gains=curve.x, **keywords)
    assert again.to_json() == curve.to_json()


def test_the_same_draws_make_ranks_comparable():
    """Neighbouring ranks share tasks, U, V and all but one direction of W: differences are sharp.

    With draws of their own the difference of two means would scatter like their standard errors.
    """
    curve = recurrent_curves.rank(UNITS, 3, ranks=[10, 11, 12], tasks=12, rng=0)
    steps = np.abs(np.diff(curve.columns["kernel_alignment"]))
    assert steps.max() < 0.5 * curve.columns["kernel_alignment_standard_error"].min()


def test_a_generator_moves_on_and_a_seed_is_its_generator():
    def first(rng):
        curve = recurrent_curves.strength(
            FULL, 2, units=UNITS, strengths=[1.0, 2.0], tasks=3, rng=rng
        )
        return curve.columns["kernel_alignment"]

    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(first(rng), first(3))
    assert not np.array_equal(first(rng), first(3))


def test_what_ranks_gains_and_steps_do():
    """KA rises with rank; the weight change falls, then rises (T20); both fall with gain."""
    curve = recurrent_curves.rank(200, 5, ranks=[1, 3, 100], tasks=30)
    assert np.all(np.diff(curve.columns["kernel_alignment"]) > 0)
    change = curve.columns["weight_change_recurrent"]
    error = curve.columns["weight_change_recurrent_standard_error"]
    assert change[0] - change[1] > 2.0 * error[:2].max()
    assert change[2] - change[1] > 2.0 * error[1:].max()
    gains = made("gain").columns
    assert np.all(np.diff(gains["kernel_alignment"]) > 0)
    assert np.all(np.diff(gains["weight_change"]) < 0)
    lengths = made("steps").columns
    assert np.all(np.diff(lengths["kernel_alignment"]) < 0)
    assert np.all(np.diff(lengths["weight_change_recurrent"]) > 0)
    assert lengths["weight_change_recurrent"][0] == 0.0


def test_the_two_ends_of_time_and_strength():
    at = made("time").columns
    for name in ("kernel_alignment", "representation_alignment"):
        assert at[name][0] == pytest.approx(1.0, rel=1e-12)
    assert at["weight_change"][0] == 0.0
    assert at["loss"][-1] < 1e-6 < at["loss"][0]
    weak = recurrent_curves.strength(
        FULL, 3, units=UNITS, strengths=[1e-3], input_norm=2.0, readout_norm=2.0, **FEW
    )
    assert weak.columns["kernel_alignment"][0] > 0.9999


def test_weights_as_a_matrix_are_sampled_unless_told_otherwise():
    curve = recurrent_curves.gain(MATRIX, 3, gains=[0.6], **FEW)
    assert curve.provenance["method"][0].startswith("sample of 6 inputs, readouts and tasks")
    assert curve.title.startswith(f"sampled recurrent start, start {UNITS} x {UNITS} matrix")
    thin = recurrent_curves.gain(
        Thin(np.eye(UNITS, 3), np.ones(3), np.eye(UNITS, 3)), 3, gains=[0.6], **FEW
    )
    assert thin.x.size == 1
    typical = recurrent_curves.gain(MATRIX, 3, gains=[0.6], method="typical", **FEW)
    assert typical.provenance["method"][0].startswith("typical start (T20)")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: recurrent_curves.rank(10, 3, gain=0.0), "gain must be > 0"),
        (lambda: recurrent_curves.rank(10, 3, ranks=[2.5]), "ranks must be an integer"),
        (lambda: recurrent_curves.rank(10, 3, ranks=[11]), "units must be at least the rank 11"),
        (lambda: recurrent_curves.gain([1.0], 3), "units is needed with singular values"),
        (lambda: recurrent_curves.gain([0.0], 3, units=4), "must have a non-zero singular value"),
        (lambda: recurrent_curves.gain([1.0], 3, units=4, gains=[-1.0]), "gains must be > 0"),
        (lambda: recurrent_curves.steps([1.0], units=4, lengths=[0]), "lengths must be at least"),
        (lambda: recurrent_curves.time([1.0], 3, units=4, ts=[-1.0]), "ts must be >= 0"),
        (lambda: recurrent_curves.rank(10, 3, speed=1.0), "speed is no setting; they are channels"),
        (lambda: recurrent_curves.strength([1.0], 3, units=4, strengths=[0.0]), "strength must be"),
        (lambda: recurrent_curves.time([1.0], 3, units=4, t=1.0), "t is the axis"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


@pytest.fixture
def asked(monkeypatch):
    """What `expect_over` is asked at every point; its answers are those of one cheap point."""
    answer = recurrent.expect(np.ones(2), 1, units=2, tasks=2)
    seen = []

    def record(**keywords):
        seen.append(keywords)
        return [answer] * np.size(keywords["t"])

    monkeypatch.setattr(makers, "expect_over", record)
    return seen


@pytest.mark.parametrize(
    ("make", "x", "options"),
    [
        (recurrent_curves.gain, np.linspace(0.1, 1.2, 12), {}),
        (recurrent_curves.steps, np.arange(1, 9), {}),
        (recurrent_curves.strength, np.geomspace(0.1, 10.0, 13), {}),
        (recurrent_curves.time, np.geomspace(0.01, 100.0, 13), {}),
        (recurrent_curves.time, np.geomspace(0.01, 100.0, 13) / 4.0, {"strength": 4.0}),
    ],
)
def test_default_points(asked, make, x, options):
    args = () if make is recurrent_curves.steps else (3,)
    curve = make(FULL, *args, units=UNITS, **options)
    np.testing.assert_allclose(curve.x, x, rtol=1e-12)
    assert len(asked) == (1 if make is recurrent_curves.time else x.size)  # one flow for all times


@pytest.mark.parametrize("units", [1, 5, 700])
def test_default_ranks_are_a_dozen_whole_ones_up_to_all(asked, units):
    x = recurrent_curves.rank(units, 3).x
    assert (x[0], x[-1]) == (1, units)
    assert np.all(x == np.rint(x))
    assert np.all(np.diff(x) > 0)
    assert x.size == (12 if units == 700 else units)
    if units == 700:
        np.testing.assert_allclose(np.log(x[6:]), np.log(700) * np.arange(6, 12) / 11, atol=0.02)


def test_what_is_asked_where_nothing_is_said(asked):
    recurrent_curves.rank(16, 3, ranks=[4])
    recurrent_curves.gain(FULL, 3, units=UNITS, gains=[0.5])
    recurrent_curves.time(MATRIX, 3, ts=[1.0])
    of_rank, of_gain, of_time = asked
    defaults = {
        "channels": 1, "outputs": 1, "strength": 1.0, "input_norm": 1.0, "readout_norm": 1.0,
        "tasks": 50,
    }  # fmt: skip
    for one in asked:
        assert {name: one[name] for name in defaults} == defaults
    assert (of_rank["method"], of_gain["method"]) == ("sample", None)
    assert (of_gain["t"], of_time["t"]) == (np.inf, 1.0)
    assert (of_rank["units"], of_time["units"]) == (16, len(MATRIX))
    assert np.linalg.norm(of_rank["start"]) == pytest.approx(0.6 * 4.0)
    assert np.linalg.norm(of_gain["start"]) == pytest.approx(0.5 * np.sqrt(UNITS))
    seed = np.random.default_rng(0).bit_generator.state
    assert {one["rng"].bit_generator.state["state"]["state"] for one in asked} == {
        seed["state"]["state"]
    }


@pytest.mark.parametrize("norm", [1.0, 3.0])
def test_a_matrix_is_brought_to_every_gain(asked, norm):
    recurrent_curves.gain(norm * MATRIX, 3, gains=[0.3, 0.9])
    for one, gain in zip(asked, (0.3, 0.9), strict=True):
        wanted = MATRIX * gain * np.sqrt(UNITS) / np.linalg.norm(MATRIX)
        np.testing.assert_allclose(one["start"], wanted, rtol=1e-12)
