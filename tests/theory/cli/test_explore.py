"""`richlazy explore`: what it writes, and what it refuses before it computes anything."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from richlazy.explore import page, table
from tests.theory.cli.commands import contents, fail, succeed


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few cells in a recurrent table."""
    for name, value in (("STEPS", (2,)), ("GAINS", (0.5,)), ("TIMES", (1.0, np.inf))):
        monkeypatch.setattr(table, name, value)


def data(path):
    found = re.search(r'id="richlazy-data">(.*?)</script>', path.read_text(encoding="utf-8"))
    return json.loads(found[1])


def test_it_writes_a_page_and_replaces_it_only_when_told(folder):
    assert succeed("explore", "--out", "page.html") == "wrote page.html\n"
    first = (folder / "page.html").read_bytes()
    assert len(first) < 3e6
    before = contents(folder)
    assert fail("explore", "--out", "page.html") == (
        "page.html: exists; choose another name, or force to replace it"
    )
    assert contents(folder) == before
    succeed("explore", "w.csv", "--out", "page.html", "--force")
    assert (folder / "page.html").read_bytes() != first


def test_an_input_is_the_first_preset(folder):
    succeed("explore", "w.csv", "--out", "page.html")
    found = data(folder / "page.html")
    own = found["presets"][0]
    assert (own["name"], own["label"], own["inputs"], own["units"]) == ("input", "w", 6, None)
    assert found["own"] is None
    assert found["presets"][1]["name"] == "celegans"


@pytest.mark.parametrize(
    ("arguments", "units"), [(("edges.csv",), 3), (("s.csv", "--units", "12"), 12)]
)
def test_a_square_start_has_a_recurrent_table_of_its_own(folder, arguments, units):
    succeed("explore", *arguments, "--out", "page.html")
    found = data(folder / "page.html")
    assert found["presets"][0]["units"] == found["own"]["units"] == units
    assert len(found["own"]["columns"]["kernel_alignment"]) == 2
    assert found["own"]["ratios"] == [pytest.approx(found["presets"][0]["rank"] / units)]


def test_how_a_file_is_read_is_handed_on(folder):
    succeed("explore", "w.csv", "--transpose", "--header", "no", "--out", "page.html")
    own = data(folder / "page.html")["presets"][0]
    assert own["inputs"] == 4
    assert own["command"] == "richlazy explore w.csv --header no --transpose --out page.html"
    assert own["values"] == (
        "rl.spectrum.of(rl.files.read('w.csv', header=False, transpose=True).values)"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "page.png"), "--out must end in .html; it is 'page.png'"),
        (("--inputs", "4"), "--inputs is for an INPUT; leave it out"),
        (("--transpose",), "--transpose is for an INPUT; leave it out"),
        (("--header", "no"), "--header is for an INPUT; leave it out"),
        (("missing.csv",), "missing.csv: no such file"),
        (("s.csv",), "--inputs or --units is needed with a spectrum"),
        (("w.csv", "--units", "4"), "--units is 4, but w is 4 x 6"),
        (("zeros.csv",), "zero"),
        (("--out", "none/page.html"), "the folder none does not exist"),
    ],
)
def test_what_it_refuses(folder, arguments, words):
    before = contents(folder)
    assert words in fail("explore", *arguments)
    assert contents(folder) == before


def test_without_bokeh_it_names_the_extra(folder, monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    assert "pip install 'richlazy[explore]'" in fail("explore")
