"""Tables and numbers as every command prints them."""

from __future__ import annotations

import pytest

from richlazy.cli.tables import number
from tests.theory.cli.commands import succeed


@pytest.mark.parametrize(
    ("value", "measure", "wanted"),
    [
        (0.0, "weight_change", "0"),
        (1.23456789, "weight_change", "1.23457"),
        (0.9999999, "weight_change", "1"),
        (1 - 2.0**-20, "kernel_alignment", "1 - 9.54e-07"),
        (0.99, "kernel_alignment", "0.99"),
        (1.0, "kernel_alignment", "1"),
        (None, "kernel_alignment", "-"),
    ],
)
def test_an_alignment_close_to_one_is_shown_by_its_distance(value, measure, wanted):
    assert number(value, measure) == wanted


def test_a_table_is_never_cut_to_the_width_of_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    head = succeed("curve", "rank", "--inputs", "3").splitlines()[0]
    assert head.split("  ")[-1] == "excess loss"
    assert "kernel alignment KA" in head
