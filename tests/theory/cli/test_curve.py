"""`richlazy curve`: what it prints and writes."""

from __future__ import annotations

import pytest

from richlazy import curves
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
