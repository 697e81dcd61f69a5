"""`richlazy curve`: what it prints and writes."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy import curves, recurrent_curves, spectrum
from richlazy.cli.curve import _KINDS
from tests.theory.cli.commands import contents, fail, succeed

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
def test_a_curve_of_recurrent_networks(axis, folder):
    options, make = RECURRENT[axis]
    made = make()
    succeed("curve", axis, *options, "--out", "curve.csv")
    found = curves.from_csv((folder / "curve.csv").read_text())
    for name in ("kernel_alignment", "weight_change_recurrent"):
        np.testing.assert_allclose(found.columns[name], made.columns[name], rtol=1e-6)
    if axis == "rank":
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
