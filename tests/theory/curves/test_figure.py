"""Every figure draws without a warning, shows the numbers it was given, and repeats to the byte."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
import scipy.sparse
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from richlazy import boundary_curves, curves, names
from richlazy.curves import AXES, Curve
from richlazy.curves import figure as figures
from richlazy.report import figure as report_figure
from richlazy.report import first_layer as report
from richlazy.sources.source import Source
from richlazy.start import matrices
from tests.theory.report.reports import alone, of, sparse_weights

CURVES = {
    "rank": lambda c: curves.rank(12, alignment=c),
    "alignment": lambda _: curves.alignment(4, 12),
    "scale": lambda c: curves.scale(4, 12, alignment=c),
    "strength": lambda c: curves.strength(4, 12, alignment=c),
    "time": lambda c: curves.time(4, 12, alignment=c),
}
START = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF"}
SHOWN = ["kernel_alignment", "representation_alignment", "weight_change"]


def line(axes, index=0):
    return np.array(axes.get_lines()[index].get_data())


# ---------------------------------------------------------------- curves


@pytest.mark.parametrize("axis", sorted(CURVES))
@pytest.mark.parametrize("alignment", [None, 0.3])
def test_a_curve_is_drawn_as_it_is(axis, alignment):
    curve = CURVES[axis](alignment)
    figure = curve.plot()
    panels = figure.get_axes()
    measures = [*SHOWN, "target_alignment", *(["loss"] if axis == "time" else [])]
    assert [p.get_ylabel() for p in panels] == [figures.LABELS[m] for m in measures]
    for panel, measure in zip(panels, measures, strict=True):
        np.testing.assert_array_equal(line(panel), [curve.x, curve.columns[measure]])
        assert panel.get_xlabel() == "{} ({})".format(*AXES[axis])
        assert panel.get_xscale() == ("linear" if axis == "alignment" else "log")
        assert len(panel.collections) == (f"{measure}_sd" in curve.columns)
    assert figure.get_suptitle() == curve.title
    figure.draw_without_rendering()


def test_a_depth_curve_shows_weights_and_kernel():
    curve = curves.depth(0.01, t=3.0)
    panels = curve.plot().get_axes()
    for panel, name in zip(panels, ["weight_change", "relative_kernel_change"], strict=True):
        assert panel.get_ylabel() == figures.LABELS[name]
        assert panel.get_xscale() == "log"
        np.testing.assert_array_equal(line(panel), [curve.x, curve.columns[name]])


def test_the_band_is_one_standard_deviation_over_tasks():
    curve = curves.rank(12)
    band = curve.plot().get_axes()[0].collections[0].get_paths()[0].vertices
    mean, sd = curve.columns["kernel_alignment"], curve.columns["kernel_alignment_sd"]
    assert band[:, 1].max() == np.max(mean + sd)
    assert band[:, 1].min() == np.min(mean - sd)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_curve_is_the_same_file(suffix):
    figure = curves.rank(12).plot()
    first = figures.render(figure, suffix)
    assert first.startswith(START[suffix])
    assert figures.render(figure, f".{suffix.upper()}") == first
    assert figures.render(curves.rank(12).plot(), suffix) == first
    if suffix == "svg":
        ElementTree.fromstring(first)


def test_two_processes_draw_the_same_file(tmp_path):
    code = (
        "import sys; from pathlib import Path; from richlazy import curves;"
        "from richlazy.curves import figure;"
        "Path(sys.argv[1]).write_bytes(figure.render(curves.rank(5).plot(), 'svg'))"
    )
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "curve",
    [
        curves.rank(1),
        curves.alignment(4, 4),
        curves.time(4, 12, ts=[0.0, 1.0, np.inf]),
        curves.time(4, 12, ts=[0.0]),
        curves.scale(4, 12, alignment=0.0),
        curves.scale(4, 12, norms=[1e-60, 1e60]),
        curves.depth(1e-60, layers=[1.0, 2.0, 1e6]),
        curves.depth(0.1, layers=[3.0], t=1.0),
    ],
)
def test_degenerate_curves_draw_without_warnings(curve):
    figure = curve.plot()
    figure.draw_without_rendering()
    single = curve.x.size == 1
    assert all((p.get_lines()[0].get_marker() == "o") == single for p in figure.get_axes())


def test_a_curve_read_from_elsewhere_shows_the_measures_it_has():
    curve = Curve("rank", np.array([1.0, 2.0]), {"weight_change": np.array([2.0, 1.0])})
    (panel,) = curve.plot().get_axes()
    np.testing.assert_array_equal(line(panel), [[1, 2], [2, 1]])
    with pytest.raises(ValueError, match=r"^the curve must have one of kernel_alignment, .* none"):
        Curve("rank", np.ones(1), {"speed": np.ones(1)}).plot()


def test_drawing_leaves_no_trace():
    before = dict(mpl.rcParams)
    figures.render(curves.rank(3).plot(), "png")
    assert dict(mpl.rcParams) == before
    code = (
        "import sys; from richlazy import curves; from richlazy.curves import figure;"
        "curves.rank(3); assert 'matplotlib' not in sys.modules;"
        "curves.rank(3).plot(); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_colours_and_markers_tell_every_start_apart():
    assert len(set(figures.COLOURS)) == len(figures.COLOURS)
    assert len(set(figures.MARKERS)) == len(figures.MARKERS) >= 5


# ---------------------------------------------------------------- several in one


def test_measures_pick_the_panels():
    curve = curves.rank(12)
    for asked in ("loss", ["weight_change_input", "kernel_alignment"]):
        wanted = [asked] if isinstance(asked, str) else asked
        panels = curve.plot(measures=asked, label="mine").get_axes()
        assert len(panels) == len(wanted)
        for axes, measure in zip(panels, wanted, strict=True):
            np.testing.assert_array_equal(line(axes), [curve.x, curve[measure]])
            assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mine"]
    assert panels[0].get_ylabel() == "weight change input"
    (panel,) = parts_of_the_weight_change().plot(label="mine").get_axes()
    assert panel.get_legend().get_texts()[0].get_text() == "mine"
    with pytest.raises(ValueError, match=r"^measures must be of weight_change, .* one is 'ka'$"):
        curve.plot(measures="ka")
    with pytest.raises(ValueError, match="measures must name at least one column"):
        curve.plot(measures=[])


def test_curves_share_axes_of_the_callers():
    """Each with the next colour and its name; labels, scale and limits are set once."""
    figure = Figure()
    ax = figure.subplots()
    made_ = {f"norm {norm}": curves.rank(12, norm=norm) for norm in np.linspace(0.2, 3.0, 9)}
    before = dict(mpl.rcParams)
    for name, curve in made_.items():
        assert curve.plot(ax, label=name) is figure
    assert dict(mpl.rcParams) == before
    lines = ax.get_lines()
    for drawn, band, curve in zip(lines, ax.collections, made_.values(), strict=True):
        np.testing.assert_array_equal(drawn.get_data(), [curve.x, curve["kernel_alignment"]])
        assert to_rgb(band.get_facecolor()[0]) == to_rgb(drawn.get_color())
    taken = [drawn.get_color() for drawn in lines]
    assert taken[:7] == list(figures.COLOURS)
    assert taken[7] != taken[8]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(made_)
    assert ax.get_xlabel() == "{} ({})".format(*AXES["rank"])
    assert ax.get_ylabel() == figures.LABELS["kernel_alignment"]
    assert (ax.get_xscale(), ax.get_ylim()) == ("log", (-0.02, 1.05))
    figure.draw_without_rendering()


def test_a_colour_that_another_line_has_is_left_out():
    ax = Figure().subplots()
    ax.plot([1, 2], [0, 1], color=figures.COLOURS[0].lower())
    curves.rank(12).plot(ax)
    assert ax.get_lines()[1].get_color() == figures.COLOURS[1]
    assert ax.get_legend() is None


def test_several_measures_in_one_axes_are_named():
    ax, curve = Figure().subplots(), curves.alignment(4, 12)
    both = ["kernel_alignment", "representation_alignment"]
    curve.plot(ax, measures=both)
    curves.alignment(2, 12).plot(ax, measures=both, label="rank 2")
    labels = [figures.LABELS[m] for m in both]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [*labels, *(f"rank 2, {label}" for label in labels)]
    assert ax.get_ylabel() == ", ".join(labels)


def test_what_the_caller_set_stays():
    ax = Figure().subplots()
    ax.plot([1.0, 5.0], [0.0, 2.0])
    ax.set(xlabel="my ranks", ylabel="KA", ylim=(0.0, 2.0))
    curves.rank(12).plot(ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("my ranks", "KA")
    assert (ax.get_xscale(), ax.get_ylim()) == ("linear", (0.0, 2.0))


def test_axes_of_another_quantity_are_refused():
    ax = Figure().subplots()
    curves.time(4, 12).plot(ax)
    with pytest.raises(ValueError, match=r"^ax runs along 'time t .*, and this curve along 'rank"):
        curves.rank(12).plot(ax)
    with pytest.raises(ValueError, match=r"^ax shows 'kernel alignment KA', and this would be"):
        curves.time(4, 12).plot(ax, measures="loss")
    assert len(ax.get_lines()) == 1
    with pytest.raises(TypeError, match="ax must be a Axes; it is ndarray"):
        curves.rank(12).plot(Figure().subplots(1, 2))
    with pytest.raises(ValueError, match=r"measures must be named for this curve: .*kernel"):
        boundary_curves.slopes(30).plot(Figure().subplots())
    slopes = boundary_curves.slopes(30)
    name = next(iter(slopes.columns))
    ax = slopes.plot(Figure().subplots(), measures=name).axes[0]
    np.testing.assert_array_equal(line(ax), [slopes.x, slopes[name]])


# ---------------------------------------------------------------- how it looks


def parts_of_the_weight_change():
    """A curve of a recurrent start, as far as its panel of weight changes needs it."""
    x = np.linspace(0.1, 1.2, 12)
    names_ = ("", "_recurrent", "_inputs", "_readout")
    columns = {f"weight_change{name}": k - 0.3 * x for k, name in enumerate(names_, 1)}
    return Curve("gain", x, columns)


def test_the_legend_of_several_lines_lies_above_them():
    figure = parts_of_the_weight_change().plot()
    (panel,) = figure.get_axes()
    figure.draw_without_rendering()
    highest = max(panel.transData.transform(x.get_xydata())[:, 1].max() for x in panel.get_lines())
    assert panel.get_legend().get_window_extent().y0 > highest
    box = panel.get_window_extent()
    lowest = min(panel.transData.transform(x.get_xydata())[:, 1].min() for x in panel.get_lines())
    assert highest - lowest > 2.0 / 3.0 * box.height  # and leaves them most of the panel


def test_lines_of_one_panel_are_told_apart_and_named():
    (panel,) = parts_of_the_weight_change().plot().get_axes()
    lines = panel.get_lines()
    looks = {(to_rgb(x.get_color()), x.get_linestyle()) for x in lines}
    assert len(looks) == len({to_rgb(x.get_color()) for x in lines}) == 4
    assert [x.get_label() for x in lines] == ["all", *figures._PARTS.values()]
    # that of the readout often lies over that of the inputs
    assert [x.get_linestyle() for x in lines] == ["-", "--", "--", ":"]
    assert lines[0].get_linewidth() > max(x.get_linewidth() for x in lines[1:])


@pytest.mark.parametrize(
    "curve",
    [
        curves.rank(12),
        curves.depth(0.1),
        boundary_curves.slopes(30),
        boundary_curves.peak(13, norms=[0.5, 1.0, 2.0]),
        parts_of_the_weight_change(),
    ],
)
def test_panels_are_nearly_square_and_the_title_fits(curve):
    figure = curve.plot()
    figure.draw_without_rendering()
    for panel in figure.get_axes():
        box = panel.get_window_extent()
        assert 0.8 < box.width / box.height < (2.2 if len(figure.get_axes()) == 1 else 1.6)
        assert not panel.spines["top"].get_visible()
        assert not panel.spines["right"].get_visible()
        assert all(x.get_visible() for x in panel.get_xgridlines())
        assert panel.get_legend() is None or not panel.get_legend().get_frame_on()
    title = figure._suptitle.get_window_extent()
    assert figure.bbox.x0 < title.x0 < title.x1 < figure.bbox.x1


def test_an_alignment_has_the_whole_of_its_range_in_view():
    for panel in curves.rank(12).plot().get_axes()[:2]:
        low, high = panel.get_ylim()
        assert -0.1 < low < 0.0
        assert 1.0 < high < 1.1
    low, high = boundary_curves.boundary(30).plot().get_axes()[0].get_ylim()
    assert low < 0.0 < 1.0 < high < 1.5


@pytest.mark.parametrize(
    ("curve", "scale"),
    [
        (curves.rank(12), "log"),
        (curves.rank(1), "linear"),
        (curves.rank(12, ranks=[3.0]), "linear"),
        (curves.time(3, 12, ts=[0.0, 1.0]), "linear"),
        (curves.time(3, 12, ts=[0.1, 1.0]), "log"),
        (curves.alignment(3, 12), "linear"),
        (curves.strength(3, 12), "log"),
        (boundary_curves.slopes(30, ranks=[2.0, 4.0]), "log"),
        (boundary_curves.slopes(30, ranks=[2.0]), "linear"),
    ],
)
def test_what_spans_orders_of_magnitude_runs_along_a_logarithm(curve, scale):
    assert {panel.get_xscale() for panel in curve.plot().get_axes()} == {scale}


def test_a_single_point_is_marked_and_a_band_has_the_colour_of_its_line():
    one, two = (boundary_curves.slopes(30, ranks=at) for at in ([2.0], [2.0, 4.0]))
    for curve, marked in ((one, True), (two, False)):
        (panel,) = curve.plot().get_axes()
        markers = [x.get_marker() for x in panel.get_lines() if x.get_label()[0] != "_"]
        assert len(markers) == 2
        assert (len(set(markers) - {"None"}) == 2) == marked
    panel = curves.rank(12).plot().get_axes()[0]
    (band,) = panel.collections
    assert to_rgb(band.get_facecolor()[0]) == to_rgb(panel.get_lines()[0].get_color())
    assert 0.1 < band.get_alpha() < 0.5  # the line and the grid are seen through it


def test_a_loss_is_drawn_along_time_alone():
    label = figures.LABELS["loss"]
    for make, shown in ((curves.time, True), (curves.scale, False)):
        panels = make(3, 12).plot().get_axes()
        assert (label in [panel.get_ylabel() for panel in panels]) == shown


# ---------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def made():
    """A report on 8 x 10 weights with two replicates of each control."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "REPLICATES", 2)
        return of(sparse_weights((8, 10)))


@pytest.fixture(scope="module")
def picture(made):
    """The figure of that report and its panels, rows x columns."""
    figure = report_figure.draw(alone(made))
    return figure, np.array(figure.get_axes()).reshape(3, 4)


def test_the_panels_of_a_report(picture):
    figure, panels = picture
    labels = [figures.LABELS[m] for m in SHOWN]
    assert "w: 8 x 10 first-layer weights of norm 1" in figure.get_suptitle()
    assert panels[0, 0].get_ylabel() == "singular value"
    for row in panels:
        assert [p.get_ylabel() for p in row[1:]] == labels
    assert panels[2, 0].get_ylabel() == figures.LABELS["loss"]
    assert {p.get_xlabel() for p in panels[0, 1:]} == {"rank (markers: participation ratio)"}
    assert {p.get_xlabel() for p in panels[1, 1:]} == {"task alignment c (squared share)"}
    assert {p.get_xlabel() for p in panels[2]} == {"time, learning rate x steps"}


def test_the_spectrum_panel_marks_every_effective_rank(made, picture):
    panel = picture[1][0, 0]
    np.testing.assert_array_equal(line(panel), [np.arange(1, 9), made.singular_values])
    marked = {float(drawn.get_xdata()[0]) for drawn in panel.get_lines()[1:]}
    assert marked == set(made.entries[0].ranks.values())
    assert len(panel.get_legend().get_texts()) == 4


@pytest.mark.parametrize("column", [1, 2, 3])
def test_on_the_rank_axis_every_start_sits_at_its_participation_ratio(made, picture, column):
    panel, measure = picture[1][0, column], SHOWN[column - 1]
    np.testing.assert_array_equal(line(panel), [made.by_rank.x, made.by_rank.columns[measure]])
    markers = panel.get_lines()[1:]
    assert len(markers) == len(made.starts) == 5
    for drawn, name in zip(markers, made.starts, strict=True):
        group = made.group(name)
        np.testing.assert_array_equal(
            np.array(drawn.get_data()),
            [[e.ranks["participation"] for e in group], [e.mean(measure) for e in group]],
        )
        assert drawn.get_linestyle() == "None"
    looks = {(drawn.get_marker(), to_rgb(drawn.get_color())) for drawn in markers}
    assert len(looks) == 5
    assert markers[0].get_zorder() > max(drawn.get_zorder() for drawn in markers[1:])


def test_the_alignment_and_time_panels(made, picture):
    panels = picture[1]
    for panel, measure in zip(panels[1, 1:], SHOWN, strict=True):
        curve = made.by_alignment
        np.testing.assert_array_equal(line(panel), [curve.x, curve.columns[measure]])
        np.testing.assert_array_equal(line(panel, 1)[0], 2 * [made.ratio / made.inputs])
    for panel, measure in zip(panels[2], ["loss", *SHOWN], strict=True):
        course = made.course
        np.testing.assert_array_equal(line(panel), [course.times, getattr(course.theory, measure)])
        np.testing.assert_array_equal(
            line(panel, 1), [course.descent_times, getattr(course.descent, measure)]
        )


def test_the_legend_names_what_is_drawn(made, picture):
    legend = picture[1][1, 0].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[1:6] == made.starts
    assert texts[-1] == f"gradient descent, step {made.course.step:.2g}"


def test_the_same_report_is_the_same_picture(made):
    """Drawn again, the layout of so many panels would move by rounding."""
    figure = report_figure.draw(alone(made))
    first = figures.render(figure, "svg")
    assert figures.render(figure, "svg") == first


@pytest.mark.parametrize("name", ["_hidden", r"$\frac{$", "a$b$c", "größe κ [b] %", "日本"])
def test_any_name_is_drawn_as_it_is_written(made, name):
    """Matplotlib reads dollars as mathematics and leaves labels with _ out of its legends."""
    source = Source(name, made.source.values)
    entries = tuple(
        report.Entry(name if e.start == "w" else e.start, e.replicate, e.ranks, e.expected)
        for e in made.entries
    )
    renamed = report.FirstLayer(**{**vars(made), "source": source, "entries": entries})
    figure = report_figure.draw(alone(renamed))
    texts = [text.get_text() for text in figure.get_axes()[4].get_legend().get_texts()]
    assert texts[1] == name.replace("$", r"\$")
    figures.render(figure, "png")  # without a warning of letters that the font lacks


@pytest.mark.parametrize("name", ["e\x1b[31m<b>&--", "x\udcff", "two\nlines", "\x00"])
def test_any_name_leaves_svg_whole(name, made):
    source = Source(name, made.source.values)
    figure = report_figure.draw(alone(report.FirstLayer(**{**vars(made), "source": source})))
    assert figure.get_suptitle().startswith(names.drawn(name) + ": 8 x 10 first-layer weights")
    ElementTree.fromstring(figures.render(figure, "svg"))


def test_the_title_of_a_curve_is_text():
    curve = Curve("rank", np.ones(1), {"loss": np.ones(1), "kernel_alignment": np.ones(1)})
    curve.provenance["setting"] = "$x\x1b"
    figure = curve.plot()
    assert figure.get_suptitle().startswith(r"\$x\x1b")
    ElementTree.fromstring(figures.render(figure, "svg"))


@pytest.mark.parametrize("name", ["=cmd()", "a,b", "two\nlines", "<b>", ""])
def test_columns_are_named_as_variables_are(name):
    with pytest.raises(ValueError, match=r"^a column must be named as a variable is; it is "):
        Curve("rank", np.ones(1), {name: np.ones(1)})


@pytest.mark.parametrize(
    "settings",
    [
        {"text.usetex": True},
        {"font.family": ["NoSuchFont"]},
        {"savefig.dpi": 10, "savefig.bbox": "tight", "savefig.transparent": True},
        {"axes.formatter.use_locale": True, "axes.unicode_minus": False},
        {"svg.fonttype": "none", "lines.linewidth": 40.0},
    ],
)
def test_settings_of_the_user_s_do_not_reach_our_figures(settings):
    plain = figures.render(curves.rank(12).plot(), "svg")
    with mpl.rc_context(settings):
        before = dict(mpl.rcParams)
        assert figures.render(curves.rank(12).plot(), "svg") == plain
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    "values",
    [
        np.ones((1, 1)),
        np.eye(3),
        np.array([1.0, 1e-12, 0.0]),
    ],
)
def test_degenerate_reports_draw_without_warnings(values, monkeypatch):
    monkeypatch.setattr(report, "REPLICATES", 1)
    report_figure.draw(alone(of(values))).draw_without_rendering()


def test_a_report_without_spectrum_or_descent(monkeypatch):
    monkeypatch.setattr(matrices, "DENSE_LIMIT", 5)
    monkeypatch.setattr(report, "_DESCENT_WORK", 0.0)
    weights = scipy.sparse.csr_array(sparse_weights((8, 10)))
    made = report.make(Source("w", weights), 1.0, lambda _: None)
    panels = report_figure.draw(alone(made)).get_axes()
    assert "too large" in panels[0].texts[0].get_text()
    assert not panels[0].axison
    assert len(panels[1].get_lines()) == 1 + 2
    assert len(panels[8].get_lines()) == 1
    texts = [text.get_text() for text in panels[4].get_legend().get_texts()]
    assert not any("descent" in text for text in texts)
