"""Where the lines of a summary break, and what its parts look like."""

from __future__ import annotations

import numpy as np
import pytest

from richlazy.summary import number, summary


def test_a_line_is_filled_to_100_characters_and_no_further():
    full = summary(object(), a="x" * 43, b="y" * 43, c="z")
    assert full == f"object(a={'x' * 43}, b={'y' * 43},\n    c=z)"
    assert [len(line) for line in full.splitlines()] == [100, 8]
    over = summary(object(), a="x" * 43, b="y" * 44, c="z")
    assert over == f"object(a={'x' * 43},\n    b={'y' * 44}, c=z)"
    assert summary(object(), a="x" * 90) == f"object(a={'x' * 90})"


@pytest.mark.parametrize("name", ["a", "a_long_name"])
def test_a_text_is_cut_to_a_line_of_its_own_and_keeps_its_quotes(name):
    room = 100 - 4 - len(name) - 2
    for text, shown in (
        ("x" * room, "x" * room),
        ("x" * (room + 1), "x" * (room - 3) + "..."),
        ("," * (room - 2), f"'{',' * (room - 2)}'"),
        ("," * (room - 1), f"'{',' * (room - 5)}...'"),
    ):
        line = summary(object(), **{name: text}).splitlines()[1]
        assert line == f"    {name}={shown})"
        assert len(line) == 100


def test_each_kind_of_value():
    said = summary(
        object(),
        none=None,
        count=np.int64(3),
        true=True,
        value=0.123456,
        one=np.array(1.0),
        vector=np.ones(4),
        matrix=np.ones((2, 3)),
        empty=np.ones((0, 2)),
        several=(1, 2.5),
        method="SVD",
    )
    wanted = (
        "object(none=None, count=3, true=True, value=0.1235, one=1, vector=4 values, "
        "matrix=2 x 3, empty=0 x 2, several=(1, 2.5), method=SVD)"
    )
    assert " ".join(said.split()) == wanted


def test_a_rounded_number_does_not_look_whole():
    assert [number(x) for x in (1 - 1e-16, 1 - 1e-11, -3.0 - 4e-16)] == ["1", "1.000", "-3"]
    found = [number(x) for x in (0.99996, 12.0001, 999.96, 9999.7, -1.00001, 1e-20, 0.0, np.nan)]
    assert found == ["1.000", "12.00", "1000.", "1.000e+04", "-1.000", "1e-20", "0", "nan"]
