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


def test_every_derivation_has_an_entry_with_all_its_sources_under_whose_they_are():
    text = "\n".join(papers(map(load, MODULES))).replace("\\", "")
    entries = re.split(r"^- (?=\[)", text, flags=re.MULTILINE)[1:]
    for name, entry in zip(MODULES, entries, strict=True):
        first, *told = entry.strip().split("\n")
        assert first.startswith(f"[{name}](derivations/{name}.md). ")
        assert "{py:obj}`richlazy." in first
        assert len(told) in (1, 2)
        for source in load(name).sources:
            whose = "This project" if "this project" in source.lower() else "Papers"
            (line,) = (line for line in told if f"*{whose}.*" in line)
            assert source in line


def test_equation_numbers_are_those_of_the_sources():
    assert "ICML 2025, eqs 5-8" in "\n".join(papers([load("T19")]))


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
