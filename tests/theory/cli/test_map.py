"""`richlazy map`: what it prints and writes, and how it goes on after an end."""

from __future__ import annotations

import json

import numpy as np
import pytest

from richlazy import curves, spectrum
from richlazy.cli.map import _AXES
from richlazy.curves import closed_maps, recurrent_maps
from tests.theory.cli.commands import W, contents, fail, run, succeed

FLAT = ("map", "rank", "scale", "--inputs", "12", "--x", "1,4,12", "--y", "0.1:10:3")
SMALL = ["--units", "12", "--rank", "12", "--tasks", "2", "--steps", "2"]
CELLS = ("map", "strength", "gain", *SMALL, "--x", "0.5,1", "--y", "0.4,0.5")


def small():
    values = {"strengths": [0.5, 1], "gains": [0.4, 0.5]}
    start = spectrum.flat(12, 0.625 * 12**0.5)
    return curves.map("strength", "gain", start=start, units=12, steps=2, tasks=2, **values)


def flat():
    return curves.map("rank", "scale", inputs=12, ranks=[1, 4, 12], norms=np.geomspace(0.1, 10, 3))


def test_every_axis_there_is_can_be_asked_for():
    assert {*_AXES, "updates"} == set(curves.AXES)  # which runs of one's own go along


def test_a_map_in_every_format(folder):
    made = flat()
    assert succeed(*FLAT, "--csv") == made.to_csv()
    assert succeed(*FLAT, "--json") == made.to_json()
    for suffix, text in ((".csv", made.to_csv()), (".json", made.to_json())):
        assert succeed(*FLAT, "--out", f"m{suffix}") == f"wrote m{suffix}\n"
        assert (folder / f"m{suffix}").read_text() == text
    title, header, top, *_, last = succeed(*FLAT, "--measure", "weight_change").splitlines()
    assert title == "weight change, rank across, scale down"
    assert header.split() == ["1", "4", "12"]
    assert float(top.split()[-1]) == pytest.approx(made.columns["weight_change"][2, 2], rel=1e-5)
    assert last == made.title
    thinned = succeed("map", "rank", "scale", "--inputs", "30").splitlines()
    assert thinned[-2] == "12 x 24 of 30 x 81; --csv has all"


def test_a_map_as_a_picture(folder):
    options = ("--measure", "weight_change", "--point", "a=b=4,1", "--out", "m.svg")
    assert succeed(*FLAT, *options) == "wrote m.svg\n"
    assert (folder / "m.svg").read_bytes().startswith(b"<?xml")
    assert not (folder / "m.svg.cases").exists()


def test_recurrent_cells_and_processes(folder):
    made = small()
    assert succeed(*CELLS, "--json") == made.to_json()
    assert succeed(*CELLS, "--out", "m.csv", "--jobs", "2") == "wrote m.csv\n"
    assert (folder / "m.csv").read_text() == made.to_csv()
    assert not (folder / "m.csv.cases").exists()


def test_an_ended_run_goes_on_from_its_cells(folder, monkeypatch):
    expect, seen = recurrent_maps.expect_over, []

    def ends(*args, **given):
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return expect(*args, **given)

    monkeypatch.setattr(recurrent_maps, "expect_over", ends)
    result = run(*CELLS, "--out", "m.csv")
    kept = "finished cells are kept in m.csv.cases, --resume goes on"
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == f"richlazy: interrupted; {kept}\n"
    old = contents(folder)
    line = fail(*CELLS, "--out", "m.csv")
    assert line == (
        "m.csv.cases: holds cells of an ended run; --resume goes on, --force begins anew"
    )
    assert "holds cases of another map" in fail(*CELLS, "--seed", "1", "--out", "m.csv", "--resume")
    assert contents(folder) == old
    assert succeed(*CELLS, "--out", "m.csv", "--resume") == "wrote m.csv\n"
    assert len(seen) == 3 + 2  # two of four were there
    assert (folder / "m.csv").read_text() == small().to_csv()
    assert not (folder / "m.csv.cases").exists()


def test_means_at_finite_times_are_kept_and_gone_on_with(folder, monkeypatch):
    command = ("map", "rank", "time", "--inputs", "12", "--x", "1,4,12", "--y", "0.5,2")
    starts, seen = closed_maps.flat_starts, []

    def ends(**given):
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return starts(**given)

    monkeypatch.setattr(closed_maps, "flat_starts", ends)
    result = run(*command, "--out", "m.csv")
    assert result.exit_code == 130
    assert "finished cells are kept in m.csv.cases, --resume goes on" in result.stderr
    assert succeed(*command, "--out", "m.csv", "--resume") == "wrote m.csv\n"
    assert len(seen) == 2 + 2  # one of three was there
    made = curves.map("rank", "time", inputs=12, ranks=[1, 4, 12], ts=[0.5, 2])
    assert (folder / "m.csv").read_text() == made.to_csv()


def test_a_map_of_a_given_start(folder):
    options = ("--x", "0.5,1", "--y", "1,2", "--tasks", "5", "--seed", "3")
    record = json.loads(succeed("map", "scale", "time", "w.csv", *options, "--json"))
    made = curves.map("scale", "time", start=W, norms=[0.5, 1], ts=[1, 2], tasks=5, rng=3)
    for name, values in made.columns.items():
        np.testing.assert_allclose(record["columns"][name], values, rtol=1e-6, atol=1e-8)
    assert record["provenance"]["parameters"]["start"] == "w"
    options = ("--x", "0.1,0.9", "--y", "1,2", "--norm", "keep", "--tasks", "5", "--jobs", "2")
    assert succeed("map", "alignment", "time", "w.csv", *options, "--out", "m.csv")
    found = curves.map_from_csv(folder / "m.csv")
    made = curves.map("alignment", "time", start=W, alignments=[0.1, 0.9], ts=[1, 2], tasks=5)
    np.testing.assert_allclose(found.columns["loss"], made.columns["loss"], rtol=1e-6)
    assert not (folder / "m.csv.cases").exists()


def test_a_map_of_a_given_recurrent_start(folder):
    options = ("--units", "6", "--steps", "2", "--tasks", "2", "--x", "0.3,0.6", "--y", "1,2")
    record = json.loads(succeed("map", "gain", "time", "s.csv", *options, "--json"))
    given = {"start": [3.0, 2.0, 1.0], "units": 6, "steps": 2, "tasks": 2}
    made = curves.map("gain", "time", gains=[0.3, 0.6], ts=[1, 2], **given)
    np.testing.assert_allclose(record["columns"]["loss"], made.columns["loss"], rtol=1e-9)
    assert record["provenance"]["parameters"]["start"] == "s"


def test_force_begins_anew(folder):
    older = folder / "m.csv.cases"
    curves.map("rank", "steps", units=12, gain=0.5, ranks=[1], lengths=[1], tasks=2,
               folder=older)  # fmt: skip
    assert succeed(*CELLS, "--out", "m.csv", "--force") == "wrote m.csv\n"
    assert not older.exists()
    record = json.loads(succeed(*CELLS, "--json"))
    assert (folder / "m.csv").read_text().count("\n") == 1 + len(record["x"]) * len(record["y"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("rank", "Missing argument 'AXIS'"),
        ("rank speed", "Invalid value for 'AXIS'"),
        ("rank depth", "no theory has rank and depth together; the axes must be any two of"),
        ("rank scale", "--inputs is needed for a map of rank and scale"),
        ("rank time --inputs 9 --time 1", "--time is said by an axis of this map; leave it out"),
        ("rank scale --inputs 9 --start 1", "--start has no meaning for a map of rank and scale"),
        ("rank scale --inputs 9 --units 9", "--units is for recurrent networks; leave it out"),
        ("rank scale --inputs 9 --jobs 2", "--jobs has no meaning for a closed form, which is one"),
        ("rank scale --inputs 9 --resume", "--resume has no meaning for a closed form"),
        ("rank scale --inputs 9 --x a", "--x must be 1,2,5 or LOW:HIGH:COUNT; it is 'a'"),
        ("rank scale --inputs 9 --y 1:2:0", "COUNT of --y must be at least 1"),
        ("rank scale --inputs 9 --measure speed", "--measure must be one of weight_change"),
        ("rank scale --inputs 9 --point a=1,1", "--point is for pictures; add --out FILE.png"),
        ("rank scale --inputs 9 --out a.png --point a", "--point must be NAME=X,Y; it is 'a'"),
        ("rank scale --inputs 9 --out a.gif", "--out must end in .png, .svg, .pdf, .csv or .json"),
        ("rank scale --inputs 9 --json --csv", "--json and --csv exclude each other"),
        ("rank scale --inputs 9 --out a.csv --csv", "--out writes by its ending (.json, .csv)"),
        ("rank scale --inputs 9 --out exists.json", "exists.json: exists; choose another name"),
        ("gain steps --units 9", "--rank is needed for a map of gain and steps"),
        ("gain steps --units 9 --rank 10", "--rank must be at most --units 9; it is 10"),
        ("gain steps --units 9 --rank 1 --gain 1", "--gain is said by an axis of this map"),
        ("gain steps --inputs 9", "--inputs is for a first layer; leave it out"),
        ("gain steps --as first-layer", "a map along gain or steps is for recurrent networks"),
        ("gain steps --units 9 --rank 9 --resume", "--resume needs --out"),
        ("rank time w.csv", "a map of a given start goes along alignment, scale, strength, time"),
        ("rank gain w.csv", "a map of a given start goes along gain, steps, strength, time; it is"),
        ("scale time w.csv --norm 2", "--norm is an axis of this map; leave it out"),
        ("scale time w.csv --rank 2", "--rank has no meaning for a given start; leave it out"),
        ("scale time w.csv --start 2", "--start has no meaning for a given start; leave it out"),
        ("rank scale --inputs 9 --limit 1", "--limit is for a file; leave it out"),
        ("rank time --inputs 9 --norm keep", "--norm must be a number where no file is given"),
        ("steps time s.csv", "--units is needed with a spectrum: the number of neurons N"),
    ],
)
def test_options_that_are_refused(arguments, expected, folder):
    old = contents(folder)
    assert expected in fail("map", *arguments.split())
    assert contents(folder) == old
