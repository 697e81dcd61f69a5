"""The page "Formulas and papers": every source of every derivation, and what docstrings cite."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from pkgutil import resolve_name

from derivations import MODULES, load
from docs._ext.code_tables import citations, papers

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")


def test_every_derivation_has_a_row_with_all_its_sources_under_whose_they_are():
    rows = list(papers(map(load, MODULES)))[2:]
    assert len(rows) == len(MODULES)
    for name, row in zip(MODULES, rows, strict=True):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        theirs, ours = (cell.replace("\\", "") for cell in cells[3:])
        assert row.startswith(f"| [{name}](derivations/{name}.md) | ")
        assert "{py:obj}`richlazy." in cells[2]
        assert theirs or ours
        for source in load(name).sources:
            assert source.rstrip(".") in (ours if "this project" in source.lower() else theirs)


def test_equation_numbers_are_those_of_the_sources():
    (row,) = (row for row in papers([load("T19")]) if "T19" in row)
    assert "ICML 2025, eqs 5-8" in row


def test_every_reference_of_the_citation_file_is_listed():
    lines = list(citations(ROOT / "CITATION.cff"))
    titles = re.findall(
        r'^    title: "?(.*?)"?$', (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(lines) == len(titles)
    for title, line in zip(titles, lines, strict=True):
        assert title in line.replace("\\", "")


def test_measures_are_from_the_papers_that_their_modules_cite():
    rows = re.findall(r"^\| [^|]+ \| ((?:\{py:obj\}[^|]+)) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 5
    for functions, cited in rows:
        for name in re.findall(r"`(richlazy\.[\w.]+)`", functions):
            module = inspect.getmodule(resolve_name(name))
            text = " ".join(inspect.getsource(module).split())
            for paper in cited.split("; "):
                assert paper.split()[0] in text, (name, paper)
                assert paper.split()[-1] in text, (name, paper)
