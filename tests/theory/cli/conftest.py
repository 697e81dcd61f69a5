"""Where every test of the command works, and on how little."""

from __future__ import annotations

import pytest

from tests.theory.cli.commands import quick_reports, work_in


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with every file of `commands`, to work in."""
    return work_in(tmp_path, monkeypatch)


@pytest.fixture
def few(monkeypatch):
    """Reports on little, and no picture."""
    quick_reports(monkeypatch)
