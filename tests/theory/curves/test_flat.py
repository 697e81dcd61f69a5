"""Curves are the closed forms along one axis, and say all that is needed to make them again."""

from __future__ import annotations

import csv
import io
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import richlazy
from richlazy import boundary_curves, curves, depth, limits, low_rank, recurrent_curves
from richlazy.curves import AXES, MAKERS, PARAMETERS, Curve
from richlazy.errors import FileError, KindError
from richlazy.laziness import Measures

X = {
    "rank": [1, 2.5, 7, 12],
    "alignment": [0, 0.2, 1],
    "scale": [0.01, 1, 30],
    "strength": [0.1, 1, 5],
    "time": [0, 0.5, 3, np.inf],
}
NAMES = {
    "rank": "ranks",
    "alignment": "alignments",
    "scale": "norms",
    "strength": "strengths",
    "time": "ts",
}
FLAT = sorted(X)  # the axes of a flat start; depth is another network's
FIXED = {"rank": 3.5, "inputs": 20, "norm": 0.7, "strength": 1.3, "alignment": 0.4, "t": 2.0}

DEEP = ["weight_change", "relative_kernel_change", "loss"]

NUMBERS = st.floats(allow_nan=False, allow_subnormal=True)
WORDS = st.from_regex(r"[a-z_]{1,20}", fullmatch=True)
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text()


@st.composite
def any_curve(draw):
    n = draw(st.integers(1, 6))
    column = st.lists(NUMBERS, min_size=n, max_size=n).map(np.array)
    names = WORDS.filter(lambda name: name not in (*AXES, "provenance"))
    return Curve(
        draw(st.sampled_from(sorted(AXES))),
        draw(column),
        draw(st.dictionaries(names, column, max_size=4)),
        draw(st.dictionaries(WORDS, PLAIN, max_size=4)),
    )


def made(axis, **changed):
    """A curve along an axis at the points of X, every other parameter as in FIXED."""
    given = {**FIXED, **changed}
    given.pop(PARAMETERS[axis])
    return MAKERS[axis](**given, **{NAMES[axis]: X[axis]})


def same(a, b):
    assert (a.axis, a.provenance) == (b.axis, b.provenance)
    assert list(a.columns) == list(b.columns)
    for name, values in ((None, a.x), *a.columns.items()):
        other = b.x if name is None else b.columns[name]
        assert other.dtype == np.float64
        np.testing.assert_array_equal(other, values)


@pytest.mark.parametrize("axis", FLAT)
def test_a_task_of_one_alignment_is_t6_point_by_point(axis):
    curve = made(axis)
    assert curve.axis == axis
    np.testing.assert_array_equal(curve.x, X[axis])
    assert list(curve.columns) == list(Measures._fields)
    for index, x in enumerate(X[axis]):
        point = low_rank.measures(**{**FIXED, PARAMETERS[axis]: x})
        for name in Measures._fields:
            assert curve.columns[name][index] == pytest.approx(getattr(point, name), rel=1e-13)


@pytest.mark.parametrize("axis", sorted(set(FLAT) - {"alignment"}))
def test_random_tasks_are_t7_point_by_point(axis):
    curve = made(axis, alignment=None)
    expected = [m + part for m in Measures._fields for part in ("", "_sd")]
    assert list(curve.columns) == expected
    fixed = {k: v for k, v in FIXED.items() if k != "alignment"}
    for index, x in enumerate(X[axis]):
        point = low_rank.expected(**{**fixed, PARAMETERS[axis]: x})
        for name in Measures._fields:
            for part, suffix in ((point.mean, ""), (point.sd, "_sd")):
                found = curve.columns[name + suffix][index]
                assert found == pytest.approx(getattr(part, name), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("axis", FLAT)
@pytest.mark.parametrize("alignment", [None, 0.25])
def test_the_provenance_is_enough_to_make_the_curve_again(axis, alignment):
    if axis == "alignment" and alignment is None:
        return
    curve = curves.from_json(made(axis, alignment=alignment).to_json())
    assert set(curve.provenance) == {"formula", "setting", "parameters", "version"}
    assert curve.provenance["formula"] == ("T7" if alignment is None else "T6")
    assert curve.provenance["version"] == version("richlazy")
    stated = dict(curve.provenance["parameters"])
    assert set(stated) == set(FIXED) - {PARAMETERS[axis]}
    if stated.get("alignment") == "random tasks":
        stated["alignment"] = None
    if "t" in stated:
        stated["t"] = float(stated["t"])
    same(MAKERS[axis](**stated, **{NAMES[axis]: curve.x}), curve)


def test_depth_is_t4_point_by_point():
    layers = [1, 2.5, 40]
    curve = curves.depth(0.02, strength=1.3, layers=layers, t=2.0)
    assert list(curve.columns) == ["mode_strength", *DEEP]
    for index, n in enumerate(layers):
        point = depth.state(0.02, 1.3, 2.0, n)
        assert curve.columns["mode_strength"][index] == pytest.approx(point.strength, rel=1e-13)
        for name in DEEP:
            assert curve.columns[name][index] == pytest.approx(getattr(point, name), rel=1e-13)
    provenance = curve.provenance
    assert provenance["formula"] == "T4"
    same(curves.depth(**provenance["parameters"], layers=curve.x), curve)
    same(curves.from_csv(curve.to_csv()), curve)
    same(curves.from_json(curve.to_json()), curve)
    assert curve.title == "balanced mode, start 0.02, strength 1.3, t 2 (T4)"
    np.testing.assert_allclose(curves.depth(0.1).x, np.geomspace(1, 100, 81))


def test_a_fully_trained_mode_changes_least_at_great_depth():
    """sqrt(L) |s^(1/L) - u0^(1/L)| falls like |log(s/u0)|/sqrt(L), while the kernel grows."""
    curve = curves.depth(0.5, layers=[1e2, 1e4, 1e6])
    change = curve.columns["weight_change"] * np.sqrt(curve.x)
    shortfall = (1 - change / np.log(2)) * curve.x
    np.testing.assert_allclose(shortfall, np.log(2) / 2, rtol=5e-3)
    growth = curve.columns["relative_kernel_change"]
    np.testing.assert_allclose((1 - growth / 3) * curve.x, 8 * np.log(2) / 3, rtol=1e-2)


def test_every_axis_has_a_maker_a_parameter_and_a_unit():
    assert set(MAKERS) == set(PARAMETERS)
    assert set(AXES) == set(MAKERS) | set(recurrent_curves.MAKERS) | {"updates"}
    assert all(label and unit for label, unit in AXES.values())
    assert richlazy.curves.rank(3).axis == "rank"


# ---------------------------------------------------------------- defaults


@pytest.mark.parametrize("most", [1, 2, 37, 1000])
def test_every_rank_by_default(most):
    np.testing.assert_array_equal(curves.default_ranks(most), range(1, most + 1))


@pytest.mark.parametrize("most", [1001, 50_000, 10**9])
def test_many_ranks_are_spaced_in_the_logarithm(most):
    ranks = curves.default_ranks(most)
    assert (ranks[0], ranks[-1]) == (1, most)
    assert ranks.size <= 81
    assert np.all(np.diff(ranks) > 0)
    assert np.all(ranks == np.rint(ranks))
    assert np.max(ranks[40:] / ranks[39:-1]) < 1.01 * most ** (1 / 80)


def test_full_rank_is_left_out_where_no_direction_lies_outside():
    np.testing.assert_array_equal(curves.rank(4).x, [1, 2, 3, 4])
    np.testing.assert_array_equal(curves.rank(4, alignment=1.0).x, [1, 2, 3, 4])
    np.testing.assert_array_equal(curves.rank(4, alignment=0.5).x, [1, 2, 3])


def test_default_alignments():
    x = curves.alignment(rank=3, inputs=10).x
    assert (x[0], x[-1], x.size) == (1e-3, 1.0, 81)
    assert np.all(np.diff(x) > 0)
    full = curves.alignment(rank=10, inputs=10)
    np.testing.assert_array_equal(full.x, [1.0])
    assert (
        full.columns["kernel_alignment"] == low_rank.measures(10, 10, alignment=1).kernel_alignment
    )


def test_default_scales_strengths_and_times_follow_the_other_parameters():
    wide = np.geomspace(0.01, 100, 81)
    np.testing.assert_allclose(curves.scale(2, 9, strength=4.0).x, 2 * wide, rtol=1e-14)
    np.testing.assert_allclose(curves.strength(2, 9, norm=3.0).x, 9 * wide, rtol=1e-14)
    np.testing.assert_allclose(curves.time(2, 9, strength=4.0).x, wide / 4, rtol=1e-14)


def test_a_curve_ends_at_its_limits():
    """T8 and T9 are the ends of the scale curve; the time curve starts at rest."""
    ends = curves.scale(5, 40, norms=[1e-5, 1e5]).columns["kernel_alignment"]
    lazy, _ = low_rank.lazy_limit(5, 5 / 40)
    np.testing.assert_allclose(ends, [limits.rich_limit_mean(5, 40), lazy], rtol=1e-8)
    rest = curves.time(5, 40, ts=[0.0])
    at_rest = [float(rest.columns[m][0]) for m in Measures._fields]
    np.testing.assert_allclose(at_rest, [0, 0, 0, 1, 1, 5**0.5 / 40, 0.5], rtol=1e-15)


def test_representation_alignment_peaks_at_rank_four():
    """T9's example of a measure that is not monotone in the rank."""
    curve = curves.rank(inputs=100, norm=1.0)
    assert curve.x[np.argmax(curve.columns["representation_alignment"])] == 4


# ---------------------------------------------------------------- files


@given(curve=any_curve())
def test_csv_and_json_give_back_every_bit(curve):
    same(curves.from_csv(curve.to_csv()), curve)
    same(curves.from_json(curve.to_json()), curve)


@pytest.mark.parametrize("axis", FLAT)
def test_what_is_made_comes_back_from_both_formats(axis):
    curve = made(axis)
    same(curves.from_csv(curve.to_csv()), curve)
    same(curves.from_json(curve.to_json()), curve)


def test_not_a_number_survives_both_formats():
    curve = Curve("time", np.array([1.0, 2.0]), {"loss": np.array([np.nan, -np.inf])})
    same(curves.from_csv(curve.to_csv()), curve)
    same(curves.from_json(curve.to_json()), curve)


def test_files_of_earlier_versions_are_read():
    """Provenance in a comment, which came first."""
    curve = made("time")
    about = json.dumps({"axis": "time", "label": "", "unit": "", **curve.provenance})
    rows = [line.split(",")[: 1 + len(curve.columns)] for line in curve.to_csv().splitlines()]
    table = "\n".join(map(",".join, rows))
    same(curves.from_csv(f"# richlazy curve {about}\n{table}\n"), curve)


@pytest.mark.parametrize("alignment", [None, 0.4])
def test_pandas_reads_a_curve_and_a_map_as_they_are(tmp_path, alignment):
    pandas = pytest.importorskip("pandas")
    curve = made("time", alignment=alignment)
    over = curves.map("rank", "time", inputs=9, alignment=alignment)
    for one, axes in ((curve, ["time"]), (over, ["rank", "time"])):
        one.to_csv(tmp_path / "one.csv", force=True)
        frame = pandas.read_csv(tmp_path / "one.csv")
        assert list(frame.columns) == [*axes, *one.columns, "provenance"]
        assert {str(kind) for kind in frame.dtypes[:-1]} == {"float64"}
        for name, values in one.columns.items():
            np.testing.assert_allclose(frame[name], values.ravel(), rtol=1e-14)
        assert json.loads(frame["provenance"][0])["formula"] == one.provenance["formula"]
    frame = curve.to_frame()
    assert list(frame.columns) == ["time", *curve.columns]
    for name in frame.columns:
        assert frame[name].dtype == np.float64
        np.testing.assert_array_equal(frame[name], curve[name])


def test_a_frame_without_pandas_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"pandas; .*pip install pandas"):
        made("rank").to_frame()


def test_a_column_by_its_name():
    curve = made("rank")
    assert curve["kernel_alignment"] is curve.columns["kernel_alignment"]
    assert curve["rank"] is curve.x
    assert "loss" in curve
    assert "rank" in curve
    assert "loss_sd" not in curve
    assert list(curve) == ["rank", *curve.columns]
    with pytest.raises(KeyError, match=r"no column 'ka'; there are rank, weight_change, .*loss"):
        curve["ka"]
    for name in ("provenance", "rank"):
        with pytest.raises(ValueError, match=f"a column must not be named '{name}'"):
            Curve("rank", np.ones(1), {name: np.ones(1)})


@pytest.mark.parametrize("as_path", [Path, str])
def test_files_are_read_by_their_paths(tmp_path, monkeypatch, as_path):
    monkeypatch.chdir(tmp_path)
    curve, over = made("rank"), curves.map("rank", "time", inputs=4)
    for name, read, read_map in (
        ("to_csv", curves.from_csv, curves.map_from_csv),
        ("to_json", curves.from_json, curves.map_from_json),
    ):
        getattr(curve, name)(f"größe {name}")
        same(read(as_path(f"größe {name}")), curve)
        getattr(over, name)(f"{name} map")
        assert read_map(as_path(tmp_path / f"{name} map")).to_csv() == over.to_csv()
        for wrong in (read, read_map):
            with pytest.raises(FileError, match=r"^none\.csv: cannot be read \(No such file"):
                wrong(as_path("none.csv"))
            (tmp_path / "bad").write_bytes(b"\xff")
            with pytest.raises(FileError, match=r"^bad: is no text in UTF-8"):
                wrong(as_path("bad"))
            (tmp_path / "bad").write_text("rank,a")
            with pytest.raises(FileError, match=r"^bad: not a (curve|map) in (CSV|JSON): "):
                wrong(as_path("bad"))
            with pytest.raises(FileError, match="cannot be read"):
                wrong(as_path("x" * 5000))
            with pytest.raises(FileError, match="is neither a path nor the text of a file"):
                wrong("a\0b")
            with pytest.raises(KindError, match="source must be a path, or text; it is of type"):
                wrong(5)


def test_the_files_name_axis_unit_and_columns():
    curve = made("time")
    names, first, *rows = csv.reader(io.StringIO(curve.to_csv()))
    about = json.loads(first[-1])
    assert (about["axis"], about["unit"]) == ("time", "learning rate x steps")
    assert names == ["time", *Measures._fields, "provenance"]
    assert all(len(row) == len(names) and row[-1] == "" for row in rows)
    stored = json.loads(curve.to_json())
    assert (stored["axis"], stored["label"], stored["unit"]) == ("time", *AXES["time"])
    assert stored["x"][-1] == "inf"


@pytest.mark.parametrize("write", [Curve.to_csv, Curve.to_json])
def test_an_existing_file_stays_without_force(tmp_path, write):
    path, curve = tmp_path / "curve.txt", made("rank")
    text = write(curve, path)
    assert path.read_text() == text == write(curve)
    path.write_text("mine")
    with pytest.raises(FileError, match="exists; choose another name, or force to replace it"):
        write(curve, path)
    assert path.read_text() == "mine"
    write(curve, str(path), force=True)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[1]\n", "list indices"),
        ("7\n", "not subscriptable"),
        ("{}", "columns is missing"),
        ('{"columns": []}', "no attribute 'items'"),
        ('{"columns": {"a": ["x"]}, "x": [1]}', "could not convert string to float: 'x'"),
        (
            '{"columns": {}, "x": [1%s], "axis": "rank", "provenance": {}}' % ("0" * 400),
            "too large",
        ),
        ('{"columns": {}, "x": [1], "axis": "speed", "provenance": {}}', "axis must be one of"),
        ('{"columns": {}, "x": [1], "axis": ["rank"], "provenance": {}}', "unhashable"),
        ('{"columns": {"a": [1]}, "x": [1, 2], "axis": "rank", "provenance": {}}', "one length"),
        ('{"columns": {}, "x": 1, "axis": "rank", "provenance": {}}', "not iterable"),
        ('{"columns": {}, "x": [[1]], "axis": "rank", "provenance": {}}', "must be a string or"),
    ],
)
def test_json_that_is_no_curve(text, reason):
    with pytest.raises(FileError, match=r"^not a curve in JSON: ") as caught:
        curves.from_json(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1 must name the columns, the last one 'provenance'"),
        ("rank,a\n1,2\n", "line 1 must name the columns, the last one 'provenance'"),
        ("# richlazy curve", "line 1 must name the columns"),
        ("rank,a,provenance\n", "it holds no values"),
        ("rank,a,provenance\n1,2,\n", "Expecting value"),
        ("rank,a,provenance\n1,2,{\n", "Expecting property name"),
        ("rank,a,provenance\n1,2,5\n", "no attribute 'pop'"),
        ("rank,a,provenance\n1,2,{}\n", "axis is missing"),
        ('rank,a,provenance\n1,x,"{}"\n', "could not convert string to float: 'x'"),
        ("rank,a,provenance\n1,2,{}\n3,\n", "inhomogeneous"),
        ("# richlazy curve {}\nrank,a\n", "it holds no values"),
        ("# richlazy curve {\nrank,a\n1,2\n", "Expecting property name"),
        ("# richlazy curve 5\nrank,a\n1,2\n", "no attribute 'pop'"),
        ("# richlazy curve {}\nrank,a\n1,2\n", "axis is missing"),
        ('# richlazy curve {"axis": "rank"}\nrank,a\n1,2\n', "label is missing"),
        (
            '# richlazy curve {"axis": "q", "label": 0, "unit": 0}\nq,a\n1,2\n',
            "axis must be one of",
        ),
        ('# richlazy curve {"axis": "rank", "label": 0, "unit": 0}\nrank,a\n1,x\n', "could not"),
        ('# richlazy curve {"axis": "rank", "label": 0, "unit": 0}\nrank,a\n1,2\n3\n', "inhomog"),
        ('# richlazy curve {"axis": "rank", "label": 0, "unit": 0}\nrank\n1,2\n', "zip()"),
    ],
)
def test_csv_that_is_no_curve(text, reason):
    with pytest.raises(FileError, match=r"^not a curve in CSV: ") as caught:
        curves.from_csv(text)
    assert reason in str(caught.value)


# ---------------------------------------------------------------- errors


def test_a_curve_has_a_known_axis_and_columns_of_its_length():
    with pytest.raises(ValueError, match=r"^axis must be one of rank, .*; it is 'speed'$"):
        Curve("speed", np.ones(2), {})
    with pytest.raises(ValueError, match=r"one length; they are \(2,\) and \[\(3,\)\]$"):
        Curve("rank", np.ones(2), {"loss": np.ones(3)})
    with pytest.raises(ValueError, match=r"they are \(1, 2\) and \[\(1, 2\)\]$"):
        Curve("rank", np.ones((1, 2)), {"loss": np.ones((1, 2))})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: curves.rank(0), "inputs must be at least 1; it is 0"),
        (lambda: curves.rank(2.5), "inputs must be an integer; it is 2.5"),
        (lambda: curves.rank(5, ranks=[]), r"ranks must not be empty"),
        (lambda: curves.rank(5, ranks=[[1]]), r"ranks must have 1 dimensions"),
        (lambda: curves.rank(5, ranks=[0.5]), "rank must be >= 1; its smallest value is 0.5"),
        (lambda: curves.rank(5, ranks=[6]), "rank must be at most inputs; it is up to 6 of 5"),
        (lambda: curves.rank(5, ranks=[5], alignment=0.5), "alignment must be 1 where rank = inp"),
        (lambda: curves.rank(1, alignment=0.5), "alignment must be 1 where rank = inputs"),
        (lambda: curves.rank(5, norm=0), "norm must be > 0"),
        (lambda: curves.rank(5, norm=[1, 2]), r"norm must be one number; its shape is \(2,\)"),
        (lambda: curves.rank(5, strength=-1), "strength must be > 0"),
        (lambda: curves.rank(5, alignment=1.5), r"alignment must lie in \[0, 1\]; it is 1.5"),
        (lambda: curves.rank(5, t=-1), "t must be >= 0 and not NaN"),
        (lambda: curves.rank(5, t=[1, 2]), r"t must be one number; its shape is \(2,\)"),
        (lambda: curves.alignment([2, 3], 5), r"rank must be one number; its shape is \(2,\)"),
        (
            lambda: curves.alignment(2, 5, alignments=[2]),
            r"alignment must lie in \[0, 1\]; it is 2",
        ),
        (lambda: curves.alignment(2, 5, alignments=0.5), "alignments must have 1 dimensions"),
        (lambda: curves.scale(2, 5, norms=[0]), "norm must be > 0; its smallest value is 0"),
        (lambda: curves.scale(2, 5, strength=0), "strength must be > 0"),
        (lambda: curves.scale(2, 5, strength=[1, 1]), "strength must be one number"),
        (lambda: curves.strength(2, 5, norm=np.nan), "norm must be finite"),
        (lambda: curves.strength(2, 5, norm=1e200), "strengths must be finite"),
        (lambda: curves.strength(2, 5, strengths=[-1]), "strength must be > 0"),
        (lambda: curves.time(2, 5, ts=[-1]), "ts must be >= 0 and not NaN"),
        (lambda: curves.time(2, 5, ts=1.0), r"time must be a vector; its shape is \(\)"),
        (lambda: curves.time(2, 5, strength=np.inf), "strength must be finite"),
        (lambda: curves.depth(0.0), "start must be > 0"),
        (lambda: curves.depth([0.1, 0.2]), r"start must be one number; its shape is \(2,\)"),
        (lambda: curves.depth(0.1, strength=-1), "strength must be > 0"),
        (lambda: curves.depth(0.1, layers=[0.5]), "layers must be >= 1"),
        (lambda: curves.depth(0.1, layers=3), "layers must have 1 dimensions"),
        (lambda: curves.depth(0.1, t=[1, 2]), "t must be one number"),
    ],
)
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_title_says_what_was_held_fixed():
    assert made("rank").title == (
        "flat start, inputs 20, norm 0.7, strength 1.3, alignment 0.4, t 2 (T6)"
    )
    assert "alignment random tasks, t inf (T7)" in curves.rank(3).title


@pytest.mark.parametrize("most", [np.nan, np.inf, 0, 2.5, None, True, 1e308, 10**400])
def test_default_ranks_are_of_a_whole_number(most):
    with pytest.raises(ValueError, match="most must be"):
        curves.default_ranks(most)


def test_default_ranks():
    assert curves.default_ranks(3).tolist() == [1.0, 2.0, 3.0]
    assert curves.default_ranks(1000).size == 1000
    many = curves.default_ranks(10**12)
    assert (many[0], many[-1]) == (1.0, 1e12)
    assert np.all(np.diff(many) > 0)


def test_the_norm_along_strength_is_1():
    # E KA of T7 at rank 5, norm and strength 1: 0.2584
    found = curves.strength(5, 100, strengths=[1.0]).columns["kernel_alignment"]
    wanted = low_rank.expected(5, 100, norm=1.0, strength=1.0).mean.kernel_alignment
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
    assert found[0] == pytest.approx(0.2584, abs=5e-5)


@pytest.mark.parametrize("make", [*MAKERS.values(), *boundary_curves.MAKERS.values()])
def test_norms_and_strengths_are_one_where_nothing_is_said(make):
    """And tasks are random and learned to the end, as the provenance says."""
    first = {
        "alignment": (3, 9),
        "scale": (3, 9),
        "strength": (3, 9),
        "time": (3, 9),
        "depth": (0.1,),
    }
    curve = make(*first.get(make.__name__, (9,)))
    stated = curve.provenance["parameters"]
    wanted = {"norm": 1.0, "strength": 1.0, "t": "inf", "alignment": "random tasks"}
    left_out = {name: wanted[name] for name in stated if name in wanted}
    assert {name: stated[name] for name in left_out} == left_out
    assert left_out
