"""`richlazy curve`: what it prints and writes."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import curves, recurrent_curves, spectrum
from richlazy.averages import question
from richlazy.cli.curve import _KINDS
from richlazy.curves import setting, values
from tests.theory.cli.commands import W, contents, fail, succeed

RANK = ("--inputs", "12", "--rank", "4")
CURVES = {
    "rank": ("--inputs", "12"),
    "alignment": RANK,
    "scale": (*RANK, "--alignment", "0.3", "--strength", "2", "--time", "5"),
    "strength": (*RANK, "--norm", "2"),
    "depth": ("--start", "0.01", "--strength", "2", "--time", "3"),
    "time": RANK,
}
MADE = {
    "rank": lambda: curves.rank(12),
    "alignment": lambda: curves.alignment(4, 12),
    "scale": lambda: curves.scale(4, 12, alignment=0.3, strength=2.0, t=5.0),
    "strength": lambda: curves.strength(4, 12, norm=2.0),
    "depth": lambda: curves.depth(0.01, strength=2.0, t=3.0),
    "time": lambda: curves.time(4, 12),
}


@pytest.fixture
def small(monkeypatch):
    """Few points and draws, of what the command makes as of what it is held against."""
    monkeypatch.setattr(values, "_FEW", 4)
    monkeypatch.setattr(values, "gains", lambda _: np.array([0.3, 0.6, 0.9]))
    monkeypatch.setattr(question, "_TASKS", 10)
    monkeypatch.setitem(setting.DEFAULTS, "tasks", 5)


def test_every_axis_there_is_can_be_asked_for():
    assert set(_KINDS) == set(curves.MAKERS) == set(MADE)


@pytest.mark.parametrize("axis", sorted(MADE))
def test_a_curve_in_every_format(axis, folder):
    made = MADE[axis]()
    for suffix, read in ((".csv", curves.from_csv), (".json", curves.from_json)):
        out = f"curve{suffix}"
        assert succeed("curve", axis, *CURVES[axis], "--out", out) == f"wrote {out}\n"
        assert read((folder / out).read_text()).to_csv() == made.to_csv()
    table = succeed("curve", axis, *CURVES[axis]).splitlines()
    assert table[0].split()[0] == axis
    assert len(table) == made.x.size + 2
    assert table[-1] == made.title
    last = table[-2].split()
    assert float(last[0]) == pytest.approx(made.x[-1], rel=1e-5)
    assert float(last[-1]) == pytest.approx(made.columns["loss"][-1], rel=1e-5)


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".SVG", b"<?xml"), (".pdf", b"%PDF")]
)
def test_a_curve_as_a_picture(suffix, start, folder):
    out = f"größe{suffix}"
    assert succeed("curve", "time", *RANK, "--out", out) == f"wrote {out}\n"
    assert (folder / out).read_bytes().startswith(start)


def test_a_file_is_replaced_by_force_only(folder):
    old = contents(folder)
    line = fail("curve", "rank", "--inputs", "3", "--out", "exists.json")
    assert line == "exists.json: exists; choose another name, or force to replace it"
    assert contents(folder) == old
    succeed("curve", "rank", "--inputs", "3", "--out", "exists.json", "--force")
    assert curves.from_json((folder / "exists.json").read_text()).axis == "rank"


# ---------------------------------------------------------------- recurrent networks

SMALL = ("--as", "recurrent", "--units", "60")
RECURRENT = {
    "rank": ((*SMALL, "--steps", "2"), lambda: recurrent_curves.rank(60, 2, gain=0.625)),
    "gain": (
        ("--units", "60", "--rank", "40", "--steps", "2", "--channels", "2"),
        lambda: recurrent_curves.gain(spectrum.flat(40, 1.0), 2, units=60, channels=2),
    ),
    "strength": (
        (*SMALL, "--rank", "60", "--steps", "2", "--gain", "0.4", "--time", "3"),
        lambda: recurrent_curves.strength(spectrum.flat(60, 0.4 * 60**0.5), 2, units=60, t=3.0),
    ),
}


@pytest.mark.parametrize("axis", RECURRENT)
def test_a_curve_of_recurrent_networks(axis, folder, small):
    options, make = RECURRENT[axis]
    made = make()
    succeed("curve", axis, *options, "--out", "curve.csv")
    found = curves.from_csv((folder / "curve.csv").read_text())
    for name in ("kernel_alignment", "weight_change_recurrent"):
        np.testing.assert_allclose(found.columns[name], made.columns[name], rtol=1e-6)
    if axis == "gain":
        table = succeed("curve", axis, *options).splitlines()
        assert "||dW_h||" in table[0]
        assert len(table) == made.x.size + 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("rank --inputs 9 --units 9", "--units is for recurrent networks; leave it out"),
        ("steps --as first-layer --inputs 9", "a curve along steps is for recurrent networks"),
        ("alignment --as recurrent --units 9", "goes along rank, gain, steps, strength, time"),
        ("gain --units 9 --rank 4 --gain 1", "--gain is the axis of this curve; leave it out"),
        ("gain --units 9 --rank 4 --inputs 9", "--inputs has no meaning for recurrent networks"),
        ("gain --rank 4", "Missing option '--units'"),
        ("gain --units 9", "Missing option '--rank'"),
        ("gain --units 9 --rank 10", "--rank must be at most --units 9; it is 10"),
        ("time --as recurrent --units 9 --rank 4 --time 3", "--time is the axis of this curve"),
    ],
)
def test_options_of_recurrent_curves(arguments, expected):
    assert expected in fail("curve", *arguments.split())


# ---------------------------------------------------------------- a start of the caller's own


GIVEN = {
    "scale w.csv --strength 2 --time 3": lambda: curves.of(W, "scale", strength=2.0, t=3.0),
    "time w.csv --norm keep --outputs 2": lambda: curves.of(W, "time", outputs=2),
    "strength w.csv --norm 0.5": lambda: curves.of(W, "strength", norm=0.5),
    "alignment s.csv --inputs 8": lambda: curves.of([3, 2, 1], "alignment", norm=1.0, inputs=8),
    "time w.csv --transpose": lambda: curves.of(W.T, "time", norm=1.0),
    "strength flat:rank=3,norm=2 --inputs 9": lambda: curves.of(
        spectrum.flat(3, 2.0), "strength", inputs=9
    ),
}


@pytest.mark.parametrize("arguments", GIVEN)
def test_a_curve_of_given_weights(arguments, folder, small):
    axis, name, *options = arguments.split()
    wanted = GIVEN[arguments]()
    succeed("curve", axis, name, *options, "--out", "curve.csv")
    found = curves.from_csv(folder / "curve.csv")
    np.testing.assert_allclose(found.x, wanted.x, rtol=1e-12)
    for measure in ("kernel_alignment", "weight_change", "kernel_alignment_sd"):
        np.testing.assert_allclose(found[measure], wanted[measure], rtol=1e-6, atol=1e-8)
    if axis == "alignment":
        assert succeed("curve", axis, name, *options).splitlines()[-1] == found.title
    assert f"start {name.removesuffix('.csv')}" in found.title


def test_a_recurrent_curve_of_given_weights(folder, small):
    """At the gain that predict takes, or as the axis says."""
    square = np.random.default_rng(2).standard_normal((30, 30))
    np.save("square.npy", square)
    start = square * (0.625 * 30**0.5 / np.linalg.norm(square))
    for arguments, wanted in (
        ("gain square.npy --steps 2", recurrent_curves.gain(square, 2)),
        ("strength square.npy --as recurrent --steps 2", recurrent_curves.strength(start, 2)),
        (
            "time s.csv --as recurrent --units 12 --steps 2 --norm 1",
            recurrent_curves.time(spectrum.rescaled([3.0, 2, 1], 1.0), 2, units=12),
        ),
    ):
        succeed("curve", *arguments.split(), "--out", "c.json", "--force")
        found = curves.from_json("c.json")
        for measure in ("kernel_alignment", "weight_change_recurrent"):
            np.testing.assert_allclose(found[measure], wanted[measure], rtol=1e-6)
        assert found.provenance["parameters"]["start"] in ("square", "s")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("rank w.csv", "a curve of a given start goes along alignment, scale, strength, time; it"),
        ("rank w.csv --as recurrent", "a curve of a given start goes along gain, steps, strength"),
        ("scale w.csv --norm 2", "--norm is the axis of this curve; leave it out"),
        ("time w.csv --time 2", "--time is the axis of this curve; leave it out"),
        ("time w.csv --rank 2", "--rank has no meaning for a given start; leave it out"),
        ("time w.csv --time -1", "--time is the axis"),
        ("scale w.csv --time -1", "--time must be >= 0"),
        ("gain w.csv --inputs 2", "--inputs has no meaning for a given start"),
        ("gain w.csv", "start must be square"),
        ("gain s.csv", "--units is needed with a spectrum"),
        ("time s.csv", "inputs is needed with singular values"),
        ("time none.csv", "none.csv: no such file"),
        ("time w.csv --norm big", "--norm must be a number > 0 or 'keep'; it is 'big'"),
        (
            "rank --inputs 5 --norm keep",
            "--norm must be a number where no file is given",
        ),
        ("rank --inputs 5 --transpose", "--transpose is for a file; leave it out"),
    ],
)
def test_a_given_start_that_is_refused(arguments, expected):
    assert expected in fail("curve", *arguments.split())
