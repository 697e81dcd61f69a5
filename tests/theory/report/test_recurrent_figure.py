"""The panels of the recurrent reading show its draws, means and errors, the circuit first."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from richlazy.report import recurrent_figure
from richlazy.report.comparison import compared
from richlazy.report.recurrent import MEASURES, Recurrent, Setting, Start
from richlazy.sources.source import Source

SHOWN = ("kernel_alignment", "weight_change")


def drawn_from(seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return {name: 0.3 + shift + 0.1 * rng.random(6) for name in MEASURES}


def reading():
    """A circuit beside a control that differs, one that does not, and one that is undefined."""
    mine = drawn_from(0)
    near = {name: values + 1e-3 * (-1.0) ** np.arange(6) for name, values in mine.items()}
    all_ = {"w": mine, "far": drawn_from(1, 0.5), "near": near}
    all_["none"] = {name: np.full(6, np.nan) for name in MEASURES}
    starts = tuple(Start(name, draws, 3.0, 0.6, 0.5, "", "") for name, draws in all_.items())
    comparisons = compared(mine, {name: draws for name, draws in all_.items() if name != "w"})
    values = np.array([0.2 + 0.3j, 0.2 - 0.3j, -0.4])
    return Recurrent(Source("w", np.eye(3)), Setting(), 1.0, values, starts, comparisons, ())


@pytest.fixture
def panels():
    found = reading()
    row = list(Figure().subplots(1, 2))
    recurrent_figure.starts(row, found, SHOWN)
    return found, row


def test_every_draw_lies_in_the_row_of_its_start(panels):
    found, row = panels
    for axes, measure in zip(row, SHOWN, strict=True):
        dots = [line for line in axes.get_lines() if len(line.get_xdata()) == 6]
        for place, line, start in zip((3, 2, 1), dots, found.starts[:3], strict=True):
            np.testing.assert_array_equal(line.get_xdata(), start.draws[measure])
            assert set(line.get_ydata()) == {place}
        colours = [to_rgb(line.get_color()) for line in dots]
        assert colours[0] != colours[1] == colours[2]
        assert axes.get_xlabel() == f"{recurrent_figure.label(measure)}, recurrent"


def test_a_mean_has_its_standard_error(panels):
    found, row = panels
    for axes, measure in zip(row, SHOWN, strict=True):
        for bar, start in zip(axes.containers, found.starts[:3], strict=True):
            middle, _, (whiskers,) = bar
            values = start.draws[measure]
            error = values.std(ddof=1) / np.sqrt(6.0)
            assert middle.get_xdata()[0] == pytest.approx(values.mean())
            (ends,) = whiskers.get_segments()
            np.testing.assert_allclose(ends[:, 0], values.mean() + error * np.array([-1.0, 1.0]))
        level = [line for line in axes.get_lines() if line.get_linestyle() == ":"]
        assert level[0].get_xdata()[0] == pytest.approx(found.starts[0].draws[measure].mean())


def test_a_star_marks_whose_kernel_moves_otherwise(panels):
    _, row = panels
    assert [text.get_text() for text in row[0].get_yticklabels()] == ["w", "far *", "near", "none"]
    np.testing.assert_array_equal(row[0].get_yticks(), [3, 2, 1, 0])
    assert not any(text.get_text() for text in row[1].get_yticklabels())
    np.testing.assert_array_equal(row[1].get_yticks(), row[0].get_yticks())


def test_an_alignment_has_the_whole_of_its_range_in_view(panels):
    _, (alignment, change) = panels
    low, high = alignment.get_xlim()
    assert -0.1 < low < 0.0
    assert 1.0 < high < 1.1
    assert change.get_xlim()[0] > 0.0


def test_undefined_draws_are_left_out():
    axes = Figure().subplots()
    holes = drawn_from(0)
    values = holes["kernel_alignment"]
    values[[1, 4]] = np.nan
    start = Start("w", holes, 3.0, 0.6, 0.5, "", "")
    recurrent_figure.draws(axes, 2, start, "kernel_alignment", first=False)
    kept = values[~np.isnan(values)]
    np.testing.assert_array_equal(axes.get_lines()[0].get_xdata(), kept)
    (ends,) = axes.containers[0][2][0].get_segments()
    assert np.ptp(ends[:, 0]) == pytest.approx(2.0 * kept.std(ddof=1) / 2.0)
    single = Start("w", {"kernel_alignment": np.array([0.4])}, 3.0, 0.6, 0.5, "", "")
    axes = Figure().subplots()
    recurrent_figure.draws(axes, 0, single, "kernel_alignment", first=True)
    assert axes.get_lines()[0].get_xdata().tolist() == [0.4]
    (ends,) = axes.containers[0][2][0].get_segments()
    assert np.ptp(ends[:, 0]) == 0.0


def test_circles_are_closed_and_smooth_and_the_plane_is_labelled():
    axes = Figure().subplots()
    recurrent_figure.eigenvalues(axes, reading())
    for circle in axes.get_lines()[:2]:
        x = circle.get_xydata()
        np.testing.assert_allclose(x[0], x[-1], atol=1e-12)
        assert np.abs(x).max() == pytest.approx(np.hypot(*x[0]))
        turn = np.linalg.norm(np.diff(x, axis=0), axis=1) / np.hypot(*x[0])
        assert turn.max() < 0.05
        assert turn.sum() == pytest.approx(2.0 * np.pi, rel=1e-3)
    one, gain, values = axes.get_lines()
    assert one.get_linestyle() != gain.get_linestyle()
    assert (values.get_linestyle(), values.get_marker()) == ("None", "o")
    assert to_rgb(values.get_color()) != to_rgb(one.get_color()) == to_rgb(gain.get_color())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("real part", "imaginary part")
    assert axes.get_title() == "eigenvalues of W"
    assert axes.get_legend().get_frame_on()  # readable over eigenvalues


def test_eigenvalues_that_are_not_known_are_said_to_be_so():
    from dataclasses import replace

    axes = Figure().subplots()
    recurrent_figure.eigenvalues(axes, replace(reading(), eigenvalues=None))
    (text,) = axes.texts
    assert "the matrix is too large" in text.get_text()
    assert text.get_position() == (0.5, 0.5)
    assert text.get_horizontalalignment() == "center"
    assert not axes.axison
