"""The curves of the results beyond the papers: what they hold, and what they look like."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from richlazy import (
    Network,
    Task,
    boundaries,
    boundary_curves,
    curves,
    laziest,
    limits,
    low_rank,
    solve,
)
from richlazy.cli import main
from richlazy.curves import boundaries as maker
from richlazy.curves import figure as figures

norms = st.floats(-1.0, 1.5).map(lambda x: 10.0**x)
inputs = st.integers(2, 300)


@settings(max_examples=40)
@given(inputs, norms, norms)
def test_the_boundary_is_where_measures_meet(d, norm, strength):
    ranks = np.unique(np.geomspace(1, d, 5).round())
    curve = boundary_curves.boundary(d, norm=norm, strength=strength, ranks=ranks)
    full = low_rank.measures(d, d, alignment=1.0, norm=norm, strength=strength)
    for column, measure in (
        ("representation_boundary", "representation_alignment"),
        ("kernel_boundary", "kernel_alignment"),
        ("weight_change_boundary", "weight_change"),
    ):
        c = curve.columns[column]
        inside = (c > 0) & (c < 1) & (ranks < d)
        if np.any(inside):
            found = low_rank.measures(
                ranks[inside], d, alignment=c[inside], norm=norm, strength=strength
            )
            np.testing.assert_allclose(getattr(found, measure), getattr(full, measure), rtol=1e-9)
    assert curve.columns["kernel_boundary"][-1] == pytest.approx(1.0)


@settings(max_examples=40)
@given(st.integers(4, 300), norms)
def test_the_slope_says_where_the_mean_rises(d, norm):
    ranks = np.linspace(1, d, 9)
    curve = boundary_curves.slopes(d, norm=norm, ranks=ranks)
    step = 1e-5 * ranks
    inner = slice(1, -1)
    low, high = (low_rank.expected((ranks + s * step)[inner], d, norm=norm).mean for s in (-1, 1))
    for column, measure in (
        ("representation_slope", "representation_alignment"),
        ("kernel_slope", "kernel_alignment"),
    ):
        rise = np.log(getattr(high, measure) / getattr(low, measure)) / (2.0 * step[inner])
        np.testing.assert_allclose(curve.columns[column][inner], rise, rtol=1e-4, atol=1e-7)


@settings(max_examples=30)
@given(st.integers(13, 400), norms)
def test_the_peak_is_above_its_neighbours(d, norm):
    curve = boundary_curves.peak(d, norms=[norm])
    peak = float(curve.columns["representation_peak"][0])
    near = np.clip(peak * np.array([0.98, 1.0, 1.02]), 1, d)
    mean = low_rank.expected(near, d, norm=norm).mean.representation_alignment
    assert mean[1] >= max(mean[0], mean[2]) * (1.0 - 1e-14)
    top, bottom = curve.columns["kernel_peak"][0], curve.columns["kernel_trough"][0]
    window = boundaries.kernel_window(d)
    turns = window is not None and window[0] < norm**2 < window[1]
    assert turns == np.isfinite(top) == np.isfinite(bottom)
    if turns:
        slope = boundaries.slope(np.array([0.5 * (1 + top), 0.5 * (top + bottom)]), d, norm=norm)
        assert slope.kernel_alignment[0] >= 0 > slope.kernel_alignment[1] or top == 1.0


@settings(max_examples=20)
@given(st.integers(3, 12), st.integers(0, 1000), norms)
def test_the_correction_leaves_a_higher_power_of_the_norm(d, seed, strength):
    rng = np.random.default_rng(seed)
    s, c = rng.uniform(0.5, 1.0, d), rng.uniform(0.1, 1.0, d)
    x = np.sqrt(strength) * np.array([0.04, 0.02])
    curve = boundary_curves.rich_correction(s, c / c.sum(), d, strength=strength, norms=x)
    for name in ("representation_alignment", "kernel_alignment"):
        exact, limit = curve.columns[name], curve.columns[f"{name}_limit"]
        corrected = curve.columns[f"{name}_corrected"]
        left, first = np.abs(exact - corrected), np.abs(limit - corrected)
        np.testing.assert_allclose(first[0] / first[1], 4.0, rtol=1e-6)
        assert np.all(left < 10.0 * (x / np.sqrt(strength)) ** 3)


@settings(max_examples=20)
@given(st.integers(3, 200), norms, st.floats(0.0, 1.0))
def test_the_laziest_rank_is_no_richer_than_the_full_one(d, norm, weaker):
    curve = boundary_curves.laziest(d, strengths=[1.0, weaker], norms=[norm])
    best, full = curve.columns["kernel_alignment"], curve.columns["kernel_alignment_full"]
    assert best >= full
    assert (curve.columns["laziest_rank"] == d) == (best == full)
    window = laziest.window(d, strengths=[1.0, weaker])
    if window is None or not window.lowest_norm < norm < window.highest_norm:
        assert curve.columns["laziest_rank"] == d


DRAWN = {
    "boundary": lambda: boundary_curves.boundary(50, norm=3.0),
    "slopes": lambda: boundary_curves.slopes(300, norm=3.0),
    "peak": lambda: boundary_curves.peak(300),
    "laziest": lambda: boundary_curves.laziest(150, strengths=[1.0, 0.05]),
    "rich_correction": lambda: boundary_curves.rich_correction([1, 0.5], [0.2, 0.3], 20),
}


@cache
def drawn(name):
    return DRAWN[name]()


@pytest.mark.parametrize("name", DRAWN)
def test_a_curve_is_drawn_stored_and_read_again(name):
    curve = drawn(name)
    figure = curve.plot()
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    for values in curve.columns.values():
        assert any(np.array_equal(line.get_ydata(), values, equal_nan=True) for line in lines), (
            curve.columns.keys()
        )
    for again in (curves.from_csv(curve.to_csv()), curves.from_json(curve.to_json())):
        assert again.axis == curve.axis
        assert again.provenance == curve.provenance
        for key, values in curve.columns.items():
            np.testing.assert_array_equal(again.columns[key], values)
    assert curve.provenance["formula"] in ("T8", "T9")


def test_defaults_reach_beyond_what_there_is_to_see():
    peak, lazy = drawn("peak"), drawn("laziest")
    turns = np.isfinite(peak.columns["kernel_peak"])
    assert np.any(turns)
    assert not turns[0]
    assert not turns[-1]
    below = lazy.columns["laziest_rank"] < 150
    assert np.any(below)
    assert not below[0]
    assert not below[-1]


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("peak", 0.1 + 300**-0.5, 2.0 * 300**0.625),
        ("laziest", 0.3, 3.0 * 150**0.625),
        ("rich_correction", 0.02, 2.0),
    ],
)
def test_default_scales(name, least, most):
    x = drawn(name).x
    assert (x[0], x[-1]) == (pytest.approx(least), pytest.approx(most))
    np.testing.assert_allclose(np.diff(np.log(x)), np.log(most / least) / (x.size - 1))


@pytest.mark.parametrize(
    ("name", "what", "scale"),
    [
        ("boundary", "task alignment needed", "linear"),
        ("slopes", "d log E / d rank", "symlog"),
        ("peak", "rank", "log"),
        ("laziest", "rank", "log"),
    ],
)
def test_columns_of_one_kind_share_a_panel_with_its_name(name, what, scale):
    (axes,) = (x for x in drawn(name).plot().axes if x.get_ylabel() == what)
    assert axes.get_yscale() == scale
    if name == "boundary":
        assert axes.get_ylim() == (-0.05, 1.25)
    assert axes.get_legend() is not None
    marked = [line for line in axes.get_lines() if len(set(line.get_ydata())) == 1]
    level = {"boundary": 1.0, "slopes": 0.0}.get(name)
    assert level is None or level in [line.get_ydata()[0] for line in marked]


def test_a_spectrum_need_not_be_sorted():
    one = boundary_curves.rich_correction([1, 0.5], [0.2, 0.3], 20, norms=[0.1])
    two = boundary_curves.rich_correction([0.5, 1], [0.3, 0.2], 20, norms=[0.1])
    for name, values in one.columns.items():
        np.testing.assert_allclose(two.columns[name], values, rtol=1e-10)
    whole = limits.rich_correction([1 / 1.25**0.5, 0.5 / 1.25**0.5], [0.2, 0.3], 20)
    gap = one.columns["kernel_alignment_corrected"] / one.columns["kernel_alignment_limit"] - 1
    assert gap[0] == pytest.approx(0.01 * whole.kernel_alignment, rel=1e-10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: boundary_curves.boundary(10, norm=-1.0), "norm"),
        (lambda: boundary_curves.slopes(10, ranks=[11.0]), "rank must lie between 1 and inputs"),
        (lambda: boundary_curves.peak(10, norms=[0.0]), "norm"),
        (lambda: boundary_curves.laziest(2, strengths=[1.0, 1.0, 1.0]), "strengths"),
        (lambda: boundary_curves.rich_correction([1.0], [1.5], 3), "shares"),
        (lambda: boundary_curves.rich_correction([0.0], [0.5], 3), "some singular value above 0"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("kind", ["boundary", "slopes", "peak"])
def test_the_command_prints_and_draws_them(kind, tmp_path):
    from click.testing import CliRunner

    done = CliRunner().invoke(main, ["curve", kind, "--inputs", "40"])
    assert done.exit_code == 0, done.output
    assert "nan" not in done.output
    assert "T9" in done.output.splitlines()[-1]
    path = tmp_path / "curve.png"
    done = CliRunner().invoke(main, ["curve", kind, "--inputs", "40", "--out", str(path)])
    assert done.exit_code == 0, done.output
    assert path.read_bytes().startswith(b"\x89PNG")
    done = CliRunner().invoke(main, ["curve", kind, "--inputs", "40", "--rank", "3"])
    assert done.exit_code == 2


def test_a_curve_of_nothing_known_is_refused():
    curve = drawn("slopes")
    other = type(curve)("rank", curve.x, {"something": curve.x}, {})
    with pytest.raises(ValueError, match="kernel_slope"):
        figures.draw_curve(other)


def test_curves_of_more_inputs_than_integers_square():
    curve = boundary_curves.peak(10**10, norms=[3.0])
    turns = boundaries.turning_ranks(10**10, norm=3.0)
    assert curve.columns["representation_peak"][0] == turns.representation_alignment[0]
    assert np.all(np.isfinite(boundary_curves.slopes(10**12).columns["kernel_slope"]))
    for make in (boundary_curves.peak, boundary_curves.slopes, boundary_curves.boundary):
        with pytest.raises(ValueError, match="inputs must be at most 9007199254740992"):
            make(10**16)


@pytest.mark.parametrize("inputs", ["10000000000", "1" + "0" * 30])
def test_the_command_takes_or_refuses_any_number_of_inputs(inputs, tmp_path):
    out = tmp_path / "peak.csv"
    found = CliRunner().invoke(
        main, ["curve", "peak", "--inputs", inputs, "--out", str(out)], prog_name="richlazy"
    )
    if len(inputs) < 16:
        assert found.exit_code == 0, found.output
        assert out.exists()
    else:
        assert found.exit_code == 2
        assert "inputs must be at most" in found.output
        assert "Traceback" not in found.output


@pytest.mark.parametrize("make", [boundary_curves.boundary, boundary_curves.slopes])
@pytest.mark.parametrize("d", [1, 7, 90])
def test_default_ranks_are_real_ones_from_one_to_all(make, d):
    x = make(d).x
    assert (x[0], x[-1]) == (1.0, d)
    if d > 1:
        np.testing.assert_allclose(x, np.geomspace(1, d, 161), rtol=1e-12)


def test_default_scales_follow_the_root_of_the_strength(monkeypatch):
    """Of several outputs of the strongest, and then nothing else changes."""
    monkeypatch.setattr(maker, "solve", lambda *_: Unsolved)  # its end is not looked at here
    for make in (
        lambda g: boundary_curves.peak(20, strength=g),
        lambda g: boundary_curves.laziest(20, strengths=g * np.array([1.0, 0.05])),
        lambda g: boundary_curves.rich_correction([1, 0.5], [0.2, 0.3], 20, strength=g),
    ):
        plain, weak = make(1.0), make(0.04)
        np.testing.assert_allclose(weak.x, 0.2 * plain.x, rtol=1e-12)
        for name, values in plain.columns.items():
            np.testing.assert_allclose(weak.columns[name], values, rtol=1e-6)


class Unsolved:
    """A solution that knows nothing."""

    representation_alignment = kernel_alignment = staticmethod(lambda: 1.0)


def test_the_points_of_default_scales_are_as_many_as_is_said():
    assert [drawn(name).x.size for name in ("peak", "laziest", "rich_correction")] == [121, 121, 41]


def test_a_correction_is_that_of_one_network():
    """Whatever the norm of the values given, and with or without directions outside."""
    for s, shares, d in (([3.0, 1.0], [0.2, 0.3], 5), ([3.0, 1.0], [0.6, 0.4], 2)):
        curve = boundary_curves.rich_correction(s, shares, d, strength=2.0, norms=[0.3, 4.0])
        first = np.zeros((2, d))
        np.fill_diagonal(first, np.array(s) / np.sqrt(10.0))
        outside = np.full(d - 2, (1.0 - sum(shares)) / max(d - 2, 1))
        beta = np.sqrt(np.r_[shares, outside])
        for k, norm in enumerate(curve.x):
            exact = solve(Network(norm * first), Task(2.0 * beta))
            for name in ("representation_alignment", "kernel_alignment"):
                value = float(getattr(exact, name)())
                assert curve.columns[name][k] == pytest.approx(value, rel=1e-7)
        assert curve.provenance["parameters"]["singular_values"] == pytest.approx(
            [3 / 10**0.5, 1 / 10**0.5]
        )
