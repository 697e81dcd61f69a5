"""Whatever a name holds, each medium only shows it."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from richlazy import names

texts = st.text(st.characters() | st.sampled_from("\x1b\n\r\t\0\x7f\x85\u202e\udcff|<>&\"'`$=_*\\"))


@given(texts)
def test_a_plain_name_steers_nothing(text):
    shown = names.plain(text)
    shown.encode()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    assert names.plain(shown) == shown


@pytest.mark.parametrize("text", ["größe κ.csv", "日本 שלום", "a b|c", "می‌خواهم", "1 − 2 ‖ΔW‖", ""])
def test_what_can_be_shown_is_left_alone(text):
    assert names.plain(text) == text
    assert html.unescape(names.html(text)) == text
    assert names.drawn(text) == text


def test_every_byte_that_is_no_utf8_is_shown_and_nothing_beside_them():
    for byte in range(0x80, 0x100):
        name = bytes([byte]).decode("utf-8", "surrogateescape")
        assert names.plain(f"a{name}b") == f"a\\x{byte:02x}b"
    for other in (0xDC7F, 0xDD00):  # surrogates that stand for no byte
        assert names.plain(chr(other)) == f"\\u{other:04x}"


@given(texts)
def test_a_cell_of_csv_comes_back_and_is_no_formula(text):
    row = f"{names.csv_cell(text)},{names.csv_cell('next')}\n"
    ((cell, other),) = csv.reader(io.StringIO(row))
    assert other == "next"
    assert cell in (names.plain(text), "'" + names.plain(text))
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('a"b', '"a""b"'),
        ('""', '""""""'),
        ("=1", '"\'=1"'),
        (" +1", '"\' +1"'),
        ('-"', '"\'-"""'),
        ("@", '"\'@"'),
        ("1=1", '"1=1"'),
    ],
)
def test_quotes_are_doubled_and_formulas_marked(text, cell):
    assert names.csv_cell(text) == cell


@given(texts)
def test_html_is_text(text):
    assert not re.search("[<>\"']", names.html(text))
    assert html.unescape(names.html(text)) == names.plain(text)


@given(texts)
def test_markdown_is_text(text):
    """Its escapes undone, it is the name; nothing that opens a tag or ends a cell is bare."""
    shown = names.markdown(text)
    assert re.sub(r"\\([\\`*_\[\]|~$<&])", r"\1", shown) == names.plain(text)
    bare = re.sub(r"\\.", "", shown)
    assert not re.search(r"[`*_\[\]|~$\\]|<[A-Za-z/!?]|&#?\w+;", bare)
