"""The picture of a report: rows and columns, several inputs, and looks that tell starts apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from richlazy.report import contents, figure, recurrent_figure
from richlazy.report import first_layer as first_layers
from richlazy.report.recurrent import MEASURES, Recurrent, Setting, Start
from richlazy.sources.source import Source
from tests.theory.report.reports import alone, of, sparse_weights


@pytest.fixture(scope="module")
def first():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_layers, "REPLICATES", 2)
        return of(sparse_weights((5, 7)))


@pytest.fixture(scope="module")
def circuit():
    draws = {m: 0.3 + 0.05 * k + np.linspace(0.0, 0.1, 5) for k, m in enumerate(MEASURES)}
    mine = Start("w", draws, 3.0, 0.6, 0.5, "", "")
    values = np.array([0.2 + 0.3j, 0.2 - 0.3j, -0.4])
    return Recurrent(Source("$w", np.eye(3)), Setting(4, 2, 1), 1.5, values, (mine,), (), ())


def test_a_row_for_the_circuit_and_three_for_the_first_layer(first, circuit):
    both = contents.Report(circuit.source, circuit, first)
    only = contents.Report(circuit.source, circuit, None)
    heights = []
    for report, rows in ((only, 1), (alone(first), 3), (both, 4)):
        drawn = figure.draw(report)
        panels = drawn.get_axes()
        assert len(panels) == 4 * rows
        width, height = drawn.get_size_inches()
        assert 0.7 < (width / 4) / (height / rows) < 1.3  # panels nearly square
        heights.append(height)
        if report.recurrent is not None:
            assert panels[0].get_title() == "eigenvalues of W"
            labels = [recurrent_figure.label(m) for m in figure._RECURRENT]
            assert [p.get_xlabel() for p in panels[1:4]] == [f"{x}, recurrent" for x in labels]
        if report.first_layer is not None:
            assert panels[-12].get_title() == "spectrum and effective ranks"
            assert panels[-4].get_title() == "one random task"
    assert heights == sorted(heights)


def test_the_title_says_how_the_input_is_read(first, circuit):
    mine = "recurrent at gain 1, 4 steps, 2 in, 1 out"
    other = "5 x 7 first-layer weights of norm 1, silent readout"
    end = "; random tasks of strength 1"
    for report, said in (
        (contents.Report(circuit.source, circuit, None), rf"\$w: {mine}"),
        (alone(first), f"w: {other}"),
        (contents.Report(circuit.source, circuit, first), rf"\$w: {mine}; {other}"),
    ):
        assert figure.draw(report).get_suptitle() == said + end


def test_inputs_stand_side_by_side_in_the_order_they_were_given(first, circuit):
    reports = [
        contents.Report(circuit.source, circuit, None),
        alone(first),
        contents.Report(circuit.source, circuit, first),
    ]
    drawn = figure.draw_side_by_side(reports)
    *recurrent, last = drawn.get_axes()
    assert len(recurrent) == len(figure._RECURRENT)
    for axes, measure in zip(recurrent, figure._RECURRENT, strict=True):
        assert axes.get_xlabel() == f"{recurrent_figure.label(measure)}, recurrent"
        dots = [x for x in axes.get_lines() if len(x.get_xdata()) == 5]
        assert [set(x.get_ydata()) for x in dots] == [{2}, {0}]
        for x in dots:
            np.testing.assert_array_equal(x.get_xdata(), circuit.starts[0].draws[measure])
            assert to_rgb(x.get_color()) == to_rgb(figure.COLOURS[0])
    assert last.get_xlabel() == "KA, first layer"
    points = [(float(x.get_xdata()[0]), float(x.get_ydata()[0])) for x in last.get_lines()]
    ka = first.entries[0].mean("kernel_alignment")
    assert points == [(ka, 1.0), (ka, 0.0)]
    names = [text.get_text() for text in recurrent[0].get_yticklabels()]
    assert names == [r"\$w", "w", r"\$w"]
    for axes in drawn.get_axes():
        assert axes.get_ylim() == (-0.5, 2.5)
        np.testing.assert_array_equal(axes.get_yticks(), [2, 1, 0])
        assert axes is recurrent[0] or not any(x.get_text() for x in axes.get_yticklabels())
    more = figure.draw_side_by_side(4 * reports)
    assert more.get_size_inches()[1] > 1.5 * drawn.get_size_inches()[1]


def test_weak_singular_values_are_not_drawn(first):
    s = np.array([2.0, 1.0, 3e-6, 1e-6, 0.0])
    panel = figure.draw(alone(replace(first, singular_values=s))).get_axes()[0]
    np.testing.assert_array_equal(panel.get_lines()[0].get_xdata(), [1, 2, 3])
    assert panel.get_yscale() == "log"
    assert panel.get_lines()[0].get_marker() == "None"
    (single,) = (
        figure.draw(alone(replace(first, singular_values=np.ones(1)))).get_axes()[0].get_lines()[:1]
    )
    assert single.get_marker() == "o"
    assert panel.get_xlabel() == "index"
    legend = panel.get_legend()
    ranks = first.entries[0].ranks
    assert [x.get_text() for x in legend.get_texts()] == [f"{k} {v:.4g}" for k, v in ranks.items()]
    assert legend.get_frame_on()
    colours = [to_rgb(x.get_color()) for x in panel.get_lines()]
    assert len(set(colours)) == len(colours) == 5


def test_the_start_reported_on_lies_large_and_full_over_its_controls(first):
    looks = list(figure._looks(first).values())
    mine, *others = looks
    assert len(others) == 4
    for other in others:
        assert mine["ms"] > other["ms"]
        assert mine["alpha"] == 1.0 > other["alpha"] > 0.5
        assert mine["zorder"] > other["zorder"] > 2  # and all over the lines
    assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == 5


def test_the_mean_alignment_and_the_axes_of_time(first):
    panels = np.array(figure.draw(alone(first)).get_axes()).reshape(3, 4)
    for axes in panels[1, 1:]:
        (level,) = axes.get_lines()[1:]
        assert level.get_xdata()[0] == pytest.approx(first.ratio / 7)
        assert level.get_linestyle() == ":"
        assert axes.get_title() == f"flat start of rank PR = {first.ratio:.1f}"
    for axes in panels[2, 1:3]:
        low, high = axes.get_ylim()
        assert -0.1 < low < 0.0
        assert 1.0 < high < 1.1
    theory, descent = panels[2, 0].get_lines()
    assert (theory.get_linestyle(), theory.get_marker()) == ("-", "None")
    assert (descent.get_linestyle(), descent.get_marker()) == ("None", "o")
    assert descent.get_markerfacecolor() == "none"  # the theory is seen through it
    assert not panels[1, 0].axison
    legend = panels[1, 0].get_legend()
    handles = legend.legend_handles
    assert [text.get_text() for text in legend.get_texts()] == [
        "flat starts (T7), ± sd over tasks",
        *first.starts,
        "flat start of rank PR (T6); theory in time",
        "mean alignment of random tasks",
        f"gradient descent, step {first.course.step:.2g}",
    ]
    unrun = replace(first, course=replace(first.course, step=None, descent=None))
    texts = figure.draw(alone(unrun)).get_axes()[4].get_legend().get_texts()
    assert [text.get_text() for text in texts] == [x.get_text() for x in legend.get_texts()][:-1]
    assert [h.get_linestyle() for h in handles[1:6]] == ["None"] * 5
    shown = [to_rgb(h.get_color()) for h in handles[1:6]]
    assert shown == [to_rgb(x.get_color()) for x in panels[0, 1].get_lines()[1:]]
