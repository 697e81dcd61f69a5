"""Where every test of the command works, and on how little."""

from __future__ import annotations

import pytest

from richlazy.report import contents as report
from richlazy.report import output as report_output
from tests.theory.cli.commands import work_in


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with every file of `commands`, to work in."""
    return work_in(tmp_path, monkeypatch)


@pytest.fixture
def few(monkeypatch):
    """One replicate of each control, and no picture."""
    monkeypatch.setattr(report, "REPLICATES", 1)
    monkeypatch.setattr(report_output, "render", lambda *_: b"")
