"""Every cell of a map is the library's own answer there, however it is run, drawn or stored."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest

from richlazy import boundaries, boundary_curves, curves, depth, low_rank, recurrent, spectrum
from richlazy.averages.expect import expect
from richlazy.curves import AXES, PARAMETERS, Map, cases, map_figure, maps, overlays
from richlazy.curves.axes import VALUES
from richlazy.errors import FileError
from richlazy.laziness import Measures as Laziness
from richlazy.recurrent.averages import stack
from richlazy.recurrent.measures import Measures

VALUE = {
    "rank": [1.0, 2.5, 9.0],
    "alignment": [0.01, 0.4],
    "scale": [0.1, 1.0, 20.0],
    "strength": [0.3, 4.0],
    "time": [0.0, 0.7, np.inf],
}
FIXED = {"rank": 3.5, "inputs": 20, "norm": 0.7, "strength": 1.3, "alignment": 0.4, "t": 2.0}
FLAT = [(x, y) for x in VALUE for y in VALUE if x != y]
DEEP = {"depth": [1.0, 2.5, 6.0], "scale": [0.5, 1.5], "strength": [0.5, 2.0], "time": [0.5, 9.0]}
UNITS = 12
RECURRENT = {
    "rank": [1, 12],
    "gain": [0.3, 0.6],
    "steps": [1, 2],
    "strength": [0.5, 1.0],
    "time": [0.4, 1.0],
}
FEW = {"tasks": 2, "rng": 3}


def cells(made, seed=0, count=4):
    """Some cells: the values of the axes there, and the place in the columns."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        i, j = int(rng.integers(made.x.size)), int(rng.integers(made.y.size))
        yield {made.x_axis: made.x[i], made.y_axis: made.y[j]}, (j, i)


def flat(x, y, **changed):
    given = {**FIXED, **changed}
    for axis in (x, y):
        given.pop(PARAMETERS[axis])
    return curves.map(x, y, **given, **{VALUES[axis]: VALUE[axis] for axis in (x, y)})


@pytest.mark.parametrize(("x", "y"), FLAT)
@pytest.mark.parametrize("alignment", [None, 0.4])
def test_cells_of_flat_starts(x, y, alignment):
    if "alignment" in (x, y) and alignment is None:
        return
    made = flat(x, y, alignment=alignment) if "alignment" not in (x, y) else flat(x, y)
    assert made.columns["loss"].shape == (made.y.size, made.x.size)
    for at, place in cells(made):
        point = {**FIXED, **{PARAMETERS[axis]: value for axis, value in at.items()}}
        if alignment is None:
            del point["alignment"]
            found = low_rank.expected(**point)
            wanted = found.mean._asdict() | {f"{k}_sd": v for k, v in found.sd._asdict().items()}
        else:
            wanted = low_rank.measures(**point)._asdict()
        assert set(made.columns) == set(wanted)
        for name, value in wanted.items():
            assert made.columns[name][place] == pytest.approx(float(value), rel=1e-11, abs=1e-14)


def test_a_row_of_a_map_is_the_curve():
    made = curves.map("rank", "scale", inputs=30, strength=2.0)
    row = curves.rank(30, norm=made.y[50], strength=2.0)
    np.testing.assert_array_equal(made.x, row.x)
    np.testing.assert_array_equal(made.y, curves.scale(3, 30, strength=2.0).x)
    for name, values in row.columns.items():
        np.testing.assert_allclose(made.columns[name][50], values, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("other", ["scale", "strength", "time"])
@pytest.mark.parametrize("turned", [False, True])
def test_cells_of_deep_modes(other, turned):
    axes = (other, "depth") if turned else ("depth", other)
    fixed = {"start": 0.02, "strength": 1.3, "t": 2.0}
    for gone in {"scale": ["start"], "strength": ["strength"], "time": ["t"]}[other]:
        fixed.pop(gone)
    made = curves.map(*axes, **fixed, **{VALUES[axis]: DEEP[axis] for axis in axes})
    for at, place in cells(made):
        layers, value = at["depth"], at[other]
        point = {"start": 0.02, "strength": 1.3, "t": 2.0}
        point[{"scale": "start", "strength": "strength", "time": "t"}[other]] = (
            value**layers if other == "scale" else value
        )
        found = depth.state(point["start"], point["strength"], point["t"], layers)
        assert made.columns["mode_strength"][place] == pytest.approx(found.strength, rel=1e-12)
        for name in ("weight_change", "relative_kernel_change", "loss"):
            wanted = float(getattr(found, name))
            assert made.columns[name][place] == pytest.approx(wanted, rel=1e-10, abs=1e-14)
    assert made.provenance["method"] == "closed form (T4)"


@cache
def recurrent_map(x, y, executor=None):
    given = {VALUES[axis]: RECURRENT[axis] for axis in (x, y)} | FEW
    if "rank" in (x, y):
        given["units"] = UNITS
        given |= {} if "gain" in (x, y) else {"gain": 0.5}
    else:
        given |= {"units": UNITS, "start": spectrum.flat(UNITS, 0.5 * np.sqrt(UNITS))}
    if "steps" not in (x, y):
        given["steps"] = 2
    return curves.map(x, y, executor=executor, **given)


def numerical(accuracy):
    return float(accuracy.rpartition(" ")[2])


PAIRS = [(x, y) for i, x in enumerate(RECURRENT) for y in list(RECURRENT)[i + 1 :]]


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_cells_of_recurrent_starts(x, y):
    made = recurrent_map(x, y)
    for at, place in cells(made, count=2):
        start = spectrum.flat(int(at.get("rank", UNITS)), at.get("gain", 0.5) * np.sqrt(UNITS))
        steps, method = int(at.get("steps", 2)), "sample" if "rank" in at else None
        rest = {"strength": at.get("strength", 1.0), "t": at.get("time", np.inf)}
        found = recurrent.expect(start, steps, units=UNITS, method=method, **rest, **FEW)
        for name in Measures._fields:
            wanted, column = getattr(found, name), made.columns[name][place]
            if wanted is None:
                assert np.isnan(column)
                continue
            assert column == pytest.approx(wanted.mean, rel=1e-9, abs=1e-12)
            assert made.columns[f"{name}_sd"][place] == pytest.approx(
                wanted.sd, rel=1e-9, abs=1e-12
            )
        assert made.provenance["method"][place[0]][place[1]] == found.method
        accuracy = made.provenance["accuracy"][place[0]][place[1]]
        if "time" in (x, y):  # that of the worst time of a line
            assert numerical(accuracy) >= numerical(found.accuracy)
        else:
            assert accuracy == found.accuracy
        assert set(found.assumptions) <= set(made.provenance["assumptions"])


def test_an_executor_gives_the_same_numbers():
    here = recurrent_map("gain", "steps")
    with ThreadPoolExecutor(2) as executor:
        there = recurrent_map("gain", "steps", executor)
    assert there.to_json() == here.to_json()


@pytest.mark.parametrize("axes", [("time", "strength"), ("strength", "time")])
@pytest.mark.parametrize("method", ["typical", "sample", "law"])
def test_a_line_of_times_is_one_flow(axes, method, monkeypatch):
    """Its numbers are those of each time by itself, whatever their order, to the accuracy said."""
    flows, march = [], stack.integrate
    monkeypatch.setattr(stack, "integrate", lambda *a, **k: flows.append(1) or march(*a, **k))
    ts, given = [3.0, 0.2, np.inf], {"start": 0.6 * np.ones(32), "units": 32, "steps": 3, **FEW}
    made = curves.map(*axes, ts=ts, strengths=[0.5, 1.0], method=method, **given)
    whole, flows[:] = len(flows), []
    table = made.columns if axes[0] == "time" else {k: v.T for k, v in made.columns.items()}
    for j, strength in enumerate([0.5, 1.0]):
        for i, t in enumerate(ts):
            one = recurrent.expect(t=t, strength=strength, method=method, **given)
            for name in ("weight_change", "kernel_alignment", "loss"):
                wanted = getattr(one, name)
                assert table[name][j, i] == pytest.approx(wanted.mean, rel=1e-3, abs=1e-4)
                assert table[f"{name}_sd"][j, i] == pytest.approx(wanted.sd, rel=1e-2, abs=1e-4)
    assert whole * len(ts) <= len(flows)


# ---------------------------------------------------------------- starts of one's own

OWN = np.random.default_rng(3).standard_normal((6, 9))
AT = {"alignment": [0.1, 0.8], "scale": [0.2, 3.0], "strength": [0.3, 7.0], "time": [0.4, np.inf]}
HELD = {"strength": 1.3, "norm": 1.2, "t": 2.0, "tasks": 7, "rng": 4}
OWN_PAIRS = [(x, y) for x in AT for y in AT if x != y]


@pytest.mark.parametrize(("x", "y"), OWN_PAIRS)
def test_cells_of_a_given_start(x, y):
    own = {PARAMETERS[axis] for axis in (x, y)}
    held = {name: value for name, value in HELD.items() if name not in own}
    made = curves.map(x, y, start=OWN, **held, **{VALUES[axis]: AT[axis] for axis in (x, y)})
    for at, (j, i) in cells(made):
        one = expect(OWN, **held, **{PARAMETERS[axis]: value for axis, value in at.items()})
        for name in Laziness._fields:
            for part, end in (("mean", ""), ("sd", "_sd"), ("standard_error", "_standard_error")):
                wanted = getattr(getattr(one, name), part)
                assert made.columns[name + end][j, i] == pytest.approx(wanted, rel=1e-6, abs=1e-8)
        assert made.provenance["method"][j][i] == one.method
    said = made.provenance["parameters"]
    assert (said["matrix"], said["rng"]) == ("6 x 9", 4)
    assert not own & set(said)
    assert "silent readout" in made.provenance["assumptions"]


def test_a_row_of_a_given_start_is_its_curve():
    given = {"start": [2.0, 1.0, 0.5], "inputs": 9, "tasks": 7}
    made = curves.map("scale", "strength", strengths=[0.5, 2.0], norms=[0.3, 1.0, 4.0], **given)
    row = curves.of(axis="scale", values=[0.3, 1.0, 4.0], strength=2.0, **given)
    for name, values in row.columns.items():
        np.testing.assert_array_equal(made.columns[name][1], values)
    assert made.provenance["accuracy"][1] == row.provenance["accuracy"]
    again = curves.map_from_csv(made.to_csv())
    assert again.provenance == made.provenance
    made.plot("kernel_alignment").draw_without_rendering()


def test_a_flat_given_start_has_the_closed_form():
    closed = curves.map("scale", "strength", start=np.eye(3, 9), alignment=0.4)
    wanted = curves.map("scale", "strength", rank=3, inputs=9, alignment=0.4, strengths=closed.y)
    assert closed.to_csv() == wanted.to_csv()
    values = {"strengths": [0.5, 2.0], "ts": [0.5, 3.0]}
    scaled = curves.map("strength", "time", start=np.full(3, 2.0), inputs=9, **values)
    wanted = curves.map("strength", "time", rank=3, inputs=9, norm=np.sqrt(12.0), **values)
    assert scaled.provenance["method"] == "closed form (T7)"
    for name, column in wanted.columns.items():
        np.testing.assert_allclose(scaled.columns[name], column, rtol=1e-9, atol=1e-12)
    sampled = curves.map("strength", "time", start=np.full(3, 2.0), inputs=9, method="sample",
                         tasks=3, strengths=[1.0], ts=[1.0])  # fmt: skip
    assert sampled.provenance["method"][0][0].startswith("sample of 3 tasks")


def test_lines_of_a_given_start_go_through_an_executor_and_on_from_a_folder(tmp_path):
    given = {"start": OWN, "norms": [0.3, 1.0], "ts": [0.5, 2.0], "tasks": 5}
    here = curves.map("scale", "time", **given)
    with ThreadPoolExecutor(2) as executor:
        there = curves.map("scale", "time", executor=executor, folder=tmp_path / "k", **given)
    assert there.to_json() == here.to_json()
    assert len(list((tmp_path / "k").glob("*.case.json"))) == 2
    assert curves.map("scale", "time", folder=tmp_path / "k", **given).to_json() == here.to_json()


# ---------------------------------------------------------------- flat starts at finite times


@pytest.mark.parametrize("axes", [("rank", "time"), ("time", "rank"), ("scale", "strength")])
def test_means_at_finite_times_go_line_by_line(axes, tmp_path):
    own = {"alignment", *(PARAMETERS[axis] for axis in axes)}
    held = {name: value for name, value in FIXED.items() if name not in own}
    values = {VALUES[axis]: VALUE[axis] for axis in axes}
    question = maps.asked(*axes, {**held, **values})
    assert question.cases == len(VALUE["rank"] if "rank" in axes else VALUE[axes[1]])
    steps, kept = [], question.keep(tmp_path / "k")
    made = question.make(None, kept, lambda: steps.append(1))
    assert len(steps) == question.cases
    assert question.make(None, kept).to_json() == made.to_json()
    with ThreadPoolExecutor(2) as executor:
        assert question.make(executor).to_json() == made.to_json()


def test_means_at_the_end_are_one_call():
    given = {"inputs": 9, "rank": 2}
    assert maps.asked("scale", "strength", {**given, "t": np.inf}).cases == 0
    assert maps.asked("scale", "time", {**given, "ts": [np.inf]}).cases == 0


def test_a_generator_moves_on_and_its_seed_is_said():
    rng, given = np.random.default_rng(3), {"units": UNITS, "gain": 0.5, "tasks": 2, "steps": 1}
    one, other = (
        curves.map("rank", "strength", ranks=[1, 2], strengths=[1.0], rng=rng, **given)
        for _ in range(2)
    )
    assert not np.array_equal(one.columns["loss"], other.columns["loss"])
    seed = one.provenance["parameters"]["rng"]
    again = curves.map("rank", "strength", ranks=[1, 2], strengths=[1.0], rng=seed, **given)
    assert again.to_csv() == one.to_csv()


# ---------------------------------------------------------------- cases on disk


def test_finished_cells_are_not_computed_again(tmp_path):
    seen = []

    def find(case):
        if case == "c" and "c" not in seen:
            seen.append("c")
            raise KeyboardInterrupt
        seen.append(case)
        return {"value": case}

    kept = cases.Kept(tmp_path / "k", {"a": 1}, list("abcd"))
    with pytest.raises(KeyboardInterrupt):
        cases.run(find, list("abcd"), kept=kept)
    again = cases.Kept(tmp_path / "k", {"a": 1}, list("abcd"))
    steps = []
    found = cases.run(find, list("abcd"), kept=again, advance=lambda: steps.append(1))
    assert [record["value"] for record in found] == list("abcd")
    assert (seen, len(steps)) == (["a", "b", "c", "c", "d"], 4)
    again.clear()
    assert not (tmp_path / "k").exists()


def test_a_folder_belongs_to_one_map(tmp_path):
    given = {"units": UNITS, "gain": 0.5, "ranks": [1, 2], "lengths": [1], "tasks": 2}
    first = curves.map("rank", "steps", folder=tmp_path / "k", **given)
    assert curves.map("rank", "steps", folder=tmp_path / "k", **given).to_csv() == first.to_csv()
    with pytest.raises(FileError, match="holds cases of another map; remove it, or name another"):
        curves.map("rank", "steps", folder=tmp_path / "k", **{**given, "rng": 1})
    (tmp_path / "k" / "000001.case.json").write_text("{")
    with pytest.raises(FileError, match=r"000001.case.json: cannot be used .*; remove it"):
        curves.map("rank", "steps", folder=tmp_path / "k", **given)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(FileError, match="is not empty and holds no map; name another folder"):
        curves.map("rank", "steps", folder=tmp_path / "mine", **given)


def test_a_failing_case_ends_the_run_and_cancels_the_others():
    def find(case):
        raise ValueError(f"case {case}")

    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="case"):
        cases.run(find, list(range(50)), executor=executor)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    "make", [lambda: flat("rank", "time"), lambda: recurrent_map("rank", "gain")]
)
def test_what_is_made_comes_back_from_both_formats(make):
    made = make()
    for again in (curves.map_from_csv(made.to_csv()), curves.map_from_json(made.to_json())):
        assert (again.x_axis, again.y_axis) == (made.x_axis, made.y_axis)
        assert json.dumps(again.provenance) == json.dumps(made.provenance)
        assert list(again.columns) == list(made.columns)
        for one, other in ((again.x, made.x), (again.y, made.y)):
            np.testing.assert_array_equal(one, other)
        for name, values in made.columns.items():
            np.testing.assert_array_equal(again.columns[name], values)


def test_the_files_name_axes_units_and_method(tmp_path):
    made = flat("rank", "scale")
    stored = json.loads(made.to_json(tmp_path / "m.json"))
    assert stored["axes"] == ["rank", "scale"]
    assert stored["units"] == [AXES["rank"][1], AXES["scale"][1]]
    assert stored["provenance"]["method"] == "closed form (T6)"
    assert stored["provenance"]["accuracy"] == "exact"
    assert "white inputs" in stored["provenance"]["assumptions"]
    lines = made.to_csv().splitlines()
    assert lines[0].startswith("rank,scale,weight_change,")
    assert lines[2].startswith("2.5,0.1,")
    with pytest.raises(FileError, match="exists; choose another name"):
        made.to_csv(tmp_path / "m.json")


def test_a_map_whose_provenance_is_long_comes_back():
    """Longer than the csv module takes a cell to be: a method and an accuracy for each cell."""
    made = flat("rank", "scale")
    long = curves.Map("rank", "scale", made.x, made.y, made.columns, {"method": ["x"] * 10**5})
    assert curves.map_from_csv(long.to_csv()).provenance == long.provenance


@pytest.mark.parametrize(
    "text", ["", "{}\n", "[1]\n", '{"axes": ["rank"]}\n', "# richlazy map {}\na\n1"]
)
def test_texts_that_are_no_map(text):
    for read in (curves.map_from_json, curves.map_from_csv):
        with pytest.raises(FileError, match=r"^not a map in (JSON|CSV): "):
            read(text)


def test_lines_out_of_order_are_no_map():
    lines = flat("rank", "scale").to_csv().splitlines()
    lines[2], lines[3] = lines[3], lines[2]  # the first one holds the provenance
    with pytest.raises(FileError, match="its lines are not the cells of a grid"):
        curves.map_from_csv("\n".join(lines))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("axes", "given", "words"),
    [
        ("rank depth", {}, "no theory has rank and depth together; the axes must be any two of"),
        ("alignment gain", {}, "no theory has alignment and gain together"),
        ("rank rank", {}, "y_axis must be another axis than x_axis; both are rank"),
        ("speed rank", {}, "x_axis must be one of rank, .*; it is 'speed'"),
        ("rank scale", {}, "inputs is needed for a map of rank and scale"),
        ("scale time", {"inputs": 9}, "rank is needed for a map of scale and time"),
        ("rank scale", {"inputs": 9, "norm": 1.0}, "norm is said by an axis of this map; leave it"),
        ("rank scale", {"inputs": 9, "gains": [1]}, "gains has no meaning for a map of rank and"),
        ("rank scale", {"inputs": 9, "ranks": [10]}, "rank must be at most inputs; it is up to 10"),
        ("rank scale", {"inputs": 9, "norms": [0.0]}, "norm must be > 0"),
        ("rank scale", {"inputs": 9, "strength": [1, 2]}, "strength must be one number; its shape"),
        ("rank scale", {"inputs": 9, "ranks": np.ones(9000), "norms": np.ones(9000)}, "give fewer"),
        ("depth time", {}, "start is needed for a map of depth and time"),
        ("depth time", {"start": 0.1, "inputs": 9}, "inputs has no meaning for a map of depth"),
        ("depth scale", {"start": 0.1}, "start is said by an axis of this map"),
        ("depth scale", {"norms": [1e-3, 1.0]}, r"norms\*\*layers must lie in .* nearer to 1, or"),
        ("gain steps", {"units": 9}, "start is needed for a map of gain and steps"),
        ("rank gain", {"units": 9}, "steps is needed for a map of rank and gain"),
        ("rank gain", {"units": 9, "steps": 2, "start": [1.0]}, "start has no meaning along rank"),
        ("rank steps", {"units": 9, "ranks": [1.5]}, "ranks must be an integer; it is "),
        ("steps time", {"units": 9, "start": [1.0], "gain": 1.0}, "gain is that of start; leave"),
        ("steps time", {"start": [1.0]}, "units is needed with singular values"),
        ("rank time", {"units": 9, "steps": 2, "inputs": 9}, "inputs has no meaning for a map of"),
        ("rank scale", {"inputs": 9, "start": [1.0]}, "start has no meaning for a map of rank and"),
        ("scale time", {"start": [1.0]}, "inputs is needed with singular values"),
        ("scale time", {"start": [1.0], "inputs": 9, "norm": 2.0}, "norm is said by an axis of"),
        ("scale time", {"start": [1.0], "inputs": 9, "rank": 2}, "rank has no meaning for a map"),
        ("time scale", {"start": [2, 1], "inputs": 9, "norms": []}, "norms must not be empty"),
        ("time steps", {"units": 9, "start": [1.0], "ts": []}, "ts must not be empty"),
    ],
)  # fmt: skip
def test_bad_input_is_named(axes, given, words):
    with pytest.raises(ValueError, match=words):
        curves.map(*axes.split(), **given)


def test_a_map_has_two_known_axes_and_columns_of_their_size():
    x, y = np.ones(2), np.ones(3)
    with pytest.raises(ValueError, match=r"^x_axis must be one of rank, "):
        Map("speed", "rank", x, y, {})
    with pytest.raises(ValueError, match=r"^y_axis must be another axis"):
        Map("rank", "rank", x, y, {})
    with pytest.raises(ValueError, match=r"shape \(y.size, x.size\); they are \(2,\), \(3,\) and"):
        Map("rank", "scale", x, y, {"loss": np.ones((2, 3))})
    with pytest.raises(ValueError, match=r"^a column must be named as a variable is"):
        Map("rank", "scale", x, y, {"=a": np.ones((3, 2))})


# ---------------------------------------------------------------- pictures


def test_a_map_is_drawn_with_contours_points_and_what_holds_there(monkeypatch):
    monkeypatch.setattr(overlays, "_POINTS", 6)
    made = curves.map("rank", "scale", inputs=60, ranks=[1, 5, 20, 60], norms=[0.3, 1, 3, 10])
    figure = made.plot("kernel_alignment", points={"mine": (5, 1.0), "_other": (20, 3.0)})
    panel, bar = figure.get_axes()
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
    assert panel.get_xlabel() == "{} ({})".format(*AXES["rank"])
    assert bar.get_ylabel() == "kernel alignment KA"
    labels = [text.get_text() for text in panel.get_legend().get_texts()]
    assert labels == ["peak of the mean KA", "trough of the mean KA", "mine", "_other"]
    assert figure.get_suptitle() == made.title
    figure.draw_without_rendering()


def test_the_turning_ranks_are_those_of_the_peak_curve(monkeypatch):
    monkeypatch.setattr(overlays, "_POINTS", 3)
    made = curves.map("strength", "rank", inputs=60, norm=3.0, strengths=[0.5, 2.0], ranks=[1, 9])
    (line,) = overlays.lines(made, ["representation_alignment"])["representation_alignment"]
    for strength, found in zip(line.x, line.y, strict=True):
        peak = boundary_curves.peak(60, strength=strength, norms=[3.0])
        assert found == pytest.approx(peak.columns["representation_peak"][0], rel=1e-9)


def test_the_boundary_of_one_alignment_is_zero_where_starts_are_as_lazy_as_full_rank():
    made = curves.map("rank", "alignment", inputs=20, norm=2.0, ranks=[1, 19])
    over = overlays.lines(made, ["weight_change"])
    (line,) = over["weight_change"]
    wanted = boundaries.alignment(line.x, 20, norm=2.0).weight_change
    np.testing.assert_allclose(line.level[7], line.y[7] - wanted, rtol=1e-12)
    fixed = curves.map("scale", "strength", inputs=20, rank=3, alignment=0.4)
    (line,) = overlays.lines(fixed, [])["kernel_alignment"]
    wanted = boundaries.alignment(3, 20, norm=line.x[5], strength=line.y[9]).kernel_alignment
    assert line.level[9, 5] == pytest.approx(0.4 - float(wanted), rel=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: flat("rank", "time"),
        lambda: flat("rank", "scale", alignment=None),
        lambda: curves.map("depth", "scale", layers=[1, 2], norms=[0.5, 2.0]),
        lambda: recurrent_map("gain", "steps"),
    ],
)
def test_no_boundary_is_laid_over_a_map_it_does_not_hold_on(make):
    assert overlays.lines(make(), ["kernel_alignment"]) == {}


@pytest.mark.parametrize(
    ("make", "measure"),
    [
        (lambda: curves.map("depth", "scale", layers=[1, 2, 90], norms=[0.3, 1, 3]),
         "relative_kernel_change"),
        (lambda: flat("scale", "time"), "loss"),
        (lambda: flat("alignment", "scale", t=np.inf), "loss"),  # zero all over
        (lambda: recurrent_map("gain", "steps"), "kernel_alignment"),
    ],
)  # fmt: skip
def test_degenerate_maps_draw_without_warnings(make, measure):
    make().plot(measure).draw_without_rendering()


def test_levels_hold_what_is_shown():
    for values, measure in (
        (np.array([0.16, 0.998]), "kernel_alignment"),
        (np.array([1e-3, 1.0, 400.0]), "weight_change"),
        (np.array([0.0, 1e-40, 1.0]), "loss"),
        (np.array([3.0, 3.0]), "weight_change"),
    ):  # fmt: skip
        levels, wide = map_figure._levels(values, measure)
        assert np.all(np.diff(levels) > 0)
        assert levels[-1] >= values.max()
        assert wide == (values.max() > 30 * values.min() and measure != "kernel_alignment")
        assert levels[-1] <= 1.0 or measure != "kernel_alignment"
    assert levels.size == 2


@pytest.mark.parametrize(
    ("measure", "points", "words"),
    [
        ("speed", None, "measure must be one of weight_change, .*; it is 'speed'"),
        ([], None, "measure must name at least one column"),
        (None, {"a": (1.0, 1e9)}, r"points\['a'\] must lie on the map: its scale is 1e\+09"),
        (None, {"a": 1.0}, r"points\['a'\] must be \(x, y\); its shape is \(\)"),
        (None, [1.0], "points must be a dict"),
    ],
)
def test_what_cannot_be_drawn_is_named(measure, points, words):
    with pytest.raises(ValueError, match=words):
        flat("rank", "scale").plot(measure, points=points)


def test_one_value_along_an_axis_is_a_curve():
    made = curves.map("rank", "scale", inputs=9, norms=[1.0])
    with pytest.raises(ValueError, match=r"at least two finite values of scale .* draw the curve"):
        made.plot()
