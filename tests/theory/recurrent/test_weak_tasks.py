"""Typical starts of weak tasks: 1 - KA and 1 - RA, which have no power below the fourth (T20)."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import spectrum
from richlazy.formulas import recurrent_limits
from richlazy.recurrent import expect
from richlazy.recurrent.averages import trees
from richlazy.recurrent.averages.question import asked

GAPS = {"kernel_alignment": "kernel_gap", "representation_alignment": "representation_gap"}


def off(steps, concentration, strength, tasks=12):
    """Mean 1 - KA and 1 - RA over those in closed form, less 1, and the error that is stated."""
    units, gain = 400, 0.6
    s = spectrum.flat(rank=units // concentration, norm=gain * units**0.5)
    case = asked(s, steps, 1, 1, units, strength, 1.0, 1.0, np.inf, tasks, 0)
    drawn = case.draw_tasks(tasks)
    error, found, _ = trees.learned(case, *case.spectrum, drawn)
    closed = [
        recurrent_limits.second(task.response.ravel(), gain=gain, concentration=concentration)
        for task in drawn
    ]
    ratios = [
        np.mean(1.0 - getattr(found, one)) / np.mean([getattr(x, other) for x in closed])
        for one, other in GAPS.items()
    ]
    return np.array(ratios) - 1.0, error


@pytest.mark.parametrize(("steps", "concentration"), [(3, 1), (4, 2), (4, 4)])
def test_the_gaps_are_those_of_the_closed_form_within_what_is_stated(steps, concentration):
    (fine, error), (coarse, _) = (off(steps, concentration, size) for size in (0.01, 0.02))
    assert error < 0.02
    # what is left at 0 once the next order, the square of the strength, is taken off
    assert np.abs((4.0 * fine - coarse) / 3.0).max() < max(error, 1e-4)
    assert np.all(np.abs(fine) < np.abs(coarse))


def test_at_a_strength_of_005_the_gap_is_no_less_than_its_order():
    """A leak that is small against KA alone made it 18 % low."""
    found, error = off(4, 2, 0.05)
    assert np.all((found > -0.06) & (found < 0.0))
    assert error < 0.01


def test_what_the_error_is_relative_to_is_said():
    s = spectrum.flat(60, 0.6 * 60**0.5)
    found = expect(s, 3, units=60, strength=0.05, tasks=4)
    assert "relative, RA and KA to what they are below 1" in found.accuracy
