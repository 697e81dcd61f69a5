"""Where every test of the command works, and on how little."""

from __future__ import annotations

import pytest

from richlazy.report import first_layer as report
from richlazy.report import output as report_output
from richlazy.report import recurrent
from tests.theory.cli.commands import work_in


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with every file of `commands`, to work in."""
    return work_in(tmp_path, monkeypatch)


@pytest.fixture
def few(monkeypatch):
    """One replicate of each control, three draws of recurrent networks, and no picture."""
    monkeypatch.setattr(report, "REPLICATES", 1)
    monkeypatch.setattr(recurrent, "DRAWS", 3)
    monkeypatch.setattr(report_output, "render", lambda *_: b"")
