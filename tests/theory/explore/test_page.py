"""The page is one file that asks for nothing, and says what it needs."""

from __future__ import annotations

import builtins
import importlib.util
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from richlazy.explore import page, presets
from richlazy.sources import source as sources

HOSTILE = "</script><script>alert(1)</script><img src=x>.csv"


class Parsed(HTMLParser):
    """Loads of a page, its ids and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.ids, self.tags, self.scripts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        if tag != "a":
            self.loads += [given[name] for name in ("src", "href", "data") if name in given]

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script":
            self.scripts.append(data)


@pytest.fixture(scope="module")
def text():
    return page.html()


def test_it_loads_nothing_from_anywhere(text):
    parsed = Parsed(text)
    assert parsed.loads == ["data:,"]
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\(\s*[\"']?(https?:)?//", text)


def test_it_is_under_three_megabytes(text):
    assert len(text.encode()) < 3e6


def test_ids_are_unique_and_the_page_is_titled(text):
    ids = Parsed(text).ids
    assert len(ids) == len(set(ids))
    assert "<title>Rich or lazy" in text
    assert 'lang="en"' in text


def test_a_name_is_data_wherever_it_stands():
    own = presets.Preset("input", HOSTILE, 10, 3.0, None, HOSTILE, HOSTILE, HOSTILE)
    parsed = Parsed(page.html(own))
    assert len(parsed.scripts) == len(Parsed(page.html()).scripts)
    assert "img" not in parsed.tags
    (data,) = (json.loads(s) for s in parsed.scripts if s.startswith('{"version"'))
    assert data["presets"][0]["label"] == HOSTILE


def test_without_bokeh_it_names_the_extra(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(page, "find_spec", lambda name: None if name == "bokeh" else real(name))
    with pytest.raises(ValueError, match=r"needs Bokeh: pip install 'richlazy\[explore\]'"):
        page.html()


def test_bokeh_is_asked_for_by_the_page_alone(monkeypatch):
    """The command and the tables do without until a page is made."""
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        assert not name.startswith("bokeh"), name
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for module in ("richlazy.cli.explore", "richlazy.explore.page", "richlazy.explore.table"):
        spec = importlib.util.find_spec(module)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_circuits_are_presets():
    found = presets.circuits()
    assert [one.name for one in found][:2] == ["celegans", "mushroom_body_left"]
    assert found[0].inputs == found[0].units == 279
    assert found[0].rank == pytest.approx(29.1122, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "options", "wanted"),
    [
        ("flat:rank=5", {"inputs": 20}, (20, 5.0, None)),
        ("flat:rank=5,norm=3", {"units": 20}, (20, 5.0, 20)),
        ("flat:rank=20", {"inputs": 20, "units": 20}, (20, 20.0, 20)),
        ("celegans", {}, (279, None, 279)),
    ],
)
def test_an_input_is_a_preset(text, options, wanted):
    source = sources.find(text)
    own = presets.of(source, text, **options)
    inputs, rank, units = wanted
    assert (own.inputs, own.units) == (inputs, units)
    assert rank is None or own.rank == pytest.approx(rank, rel=1e-12)
    import richlazy as rl

    values = eval(own.values, {"rl": rl})  # noqa: S307 what the page hands out
    known = source.values if source.is_spectrum else rl.spectrum.of(source.values)
    np.testing.assert_allclose(values, known)
    assert own.command.startswith(f"richlazy explore {text} ")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("flat:rank=5", {}, "--inputs or --units is needed with a spectrum"),
        ("flat:rank=5", {"inputs": 4}, "--inputs must be at least the rank 5; it is 4"),
        ("flat:rank=5", {"inputs": 9, "units": 4}, "--units must be at least the rank 5"),
        ("celegans", {"inputs": 4}, "--inputs is 4, but celegans is 279 x 279"),
        ("celegans", {"units": 4}, "--units is 4, but celegans is 279 x 279"),
        ("flat:rank=1", {"inputs": 1}, "the page goes from 2 to 10000 inputs"),
        ("flat:rank=1", {"inputs": 10_001}, "the page goes from 2 to 10000 inputs"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(text, options, words):
    with pytest.raises(ValueError, match=words):
        presets.of(sources.find(text), text, **options)
