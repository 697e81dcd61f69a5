"""What is asked of an input reaches every reading of it, and what fails is said."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.errors import ConvergenceError
from richlazy.report import contents, first_layer, recurrent
from richlazy.report.recurrent import Setting
from richlazy.sources.source import Source

SQUARE = Source("w", np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 2.0], [0.0, 4.0, 0.0]]))  # norm 5
WIDE = Source("w", np.ones((2, 3)))


@pytest.fixture
def readings(monkeypatch):
    """Readings that keep what they are given, and say so instead of being computed."""
    seen = []

    def of_recurrent(source, given_gain, setting, advance):
        seen.append((source, given_gain, setting))
        advance("recurrent")
        return "the recurrent reading"

    def of_first_layer(source, given_norm, advance):
        seen.append((source, given_norm))
        advance("first layer")
        return "the first layer"

    monkeypatch.setattr(recurrent, "make", of_recurrent)
    monkeypatch.setattr(first_layer, "make", of_first_layer)
    return seen


def test_both_readings_are_made_of_the_input_at_their_norms(readings):
    setting, steps = Setting(2, 3, 1), []
    asked = contents.asked(SQUARE, norm=2.0, gain=0.5, setting=setting)
    made = contents.make(asked, steps.append)
    assert (made.recurrent, made.first_layer) == ("the recurrent reading", "the first layer")
    assert (made.source, made.notes) == (SQUARE, ())
    assert steps == ["recurrent", "first layer"]
    (w, given_gain, told), (first, given_norm) = readings
    assert told is setting
    assert given_norm == 5.0
    assert given_gain == pytest.approx(5.0 / np.sqrt(3.0))
    assert np.linalg.norm(w.values) == pytest.approx(0.5 * np.sqrt(3.0))
    assert np.linalg.norm(first.values) == pytest.approx(2.0)


def test_what_is_left_out_is_the_default(readings):
    contents.make(contents.asked(SQUARE), lambda _: None)
    (w, _, told), (first, _) = readings
    assert told == Setting()
    assert np.linalg.norm(w.values) == pytest.approx(recurrent.GAIN * np.sqrt(3.0))
    assert np.linalg.norm(first.values) == pytest.approx(1.0)
    kept = contents.asked(SQUARE, norm=None).first_layer
    np.testing.assert_array_equal(kept.values, SQUARE.values)


@pytest.mark.parametrize("reading", [None, "recurrent", "first-layer", "both"])
def test_steps_are_those_of_the_readings(reading):
    asked = contents.asked(SQUARE, reading)
    mine = 0 if reading == "first-layer" else 1 + len(recurrent.CONTROLS)
    first = 0 if reading == "recurrent" else first_layer.STEPS
    assert asked.steps == mine + first


@pytest.mark.parametrize("source", [WIDE, Source("s", np.array([2.0, 1.0, 0.5]))])
def test_only_a_square_matrix_is_a_circuit(source):
    for reading in ("recurrent", "both"):
        with pytest.raises(ValueError, match="recurrent weights are a square matrix") as caught:
            contents.asked(source, reading)
    kind = "a spectrum" if source.is_spectrum else "2 x 3 weights"
    assert str(caught.value).startswith(f"{source.name} is {kind}, ")
    assert contents.asked(source, "first-layer").recurrent is None


def test_a_flow_that_does_not_end_is_said_where_another_reading_is_left(readings, monkeypatch):
    def never(*_):
        raise ConvergenceError("it does not end")

    monkeypatch.setattr(recurrent, "make", never)
    made = contents.make(contents.asked(SQUARE), lambda _: None)
    assert (made.recurrent, made.first_layer) == (None, "the first layer")
    (note,) = made.notes
    assert note.startswith("not read as recurrent network: it does not end; ")
    with pytest.raises(ConvergenceError, match="it does not end"):
        contents.make(contents.asked(SQUARE, "recurrent"), lambda _: None)
