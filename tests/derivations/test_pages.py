"""The pages of the site: what stands on them, and that a failing check writes none."""

from __future__ import annotations

import re

import pytest
import sympy as sp

from derivations import load, pages
from derivations.checks import Zero
from derivations.frame import CheckError, Derivation, Step
from derivations.table import ROWS

x = sp.Symbol("x", positive=True)
A = sp.MatrixSymbol("A", sp.Symbol("n", integer=True), sp.Symbol("p", integer=True) - 1)


def small():
    return Derivation(
        id="T0",
        title="W* and |x|",
        assumptions=("x_0 < 1, `x` > 0 and _all_ $x$.",),
        notation={x: "a | b", A: "matrix"},
        shorthand={sp.Symbol("y"): "square"},
        formulas={"square": x**2},
        steps=(Step(("square",), "Plainly, *x x*.", Zero(lambda square: square - x * x)),),
        sources=("[A book](none).",),
    )


def test_a_page_has_everything_of_its_derivation():
    derivation = load("T6")
    text = pages.page(derivation)
    assert text.startswith("# T6. ")
    assert text.count("\nCheck: ") == text.count("**passed**") == len(derivation.steps)
    for claim, formula in derivation.formulas.items():
        assert f"`{claim}`" in text
        assert f"```{{math}}\n{pages.latex(formula)}\n```" in text
    for symbol in derivation.notation:
        assert f"| ${pages.latex(symbol)}$ |" in text
    for row in ROWS:
        named = f"{{py:obj}}`richlazy.{row.function}`" in text
        assert named or row.id != "T6"
    assert "<../../tests/theory/formulas/test_low_rank.py>" in text
    assert "<../../derivations/t06_flat_low_rank.py>" in text


def test_words_stay_words():
    text = pages.page(small())
    assert r"# T0. W\* and \|x\|" in text
    assert r"- x\_0 \< 1\, \`x\` \> 0 and \_all\_ \$x\$\." in text
    assert r"| $x$ | a \| b |" in text
    assert r"| $A$ | $n \times (p - 1)$, matrix |" in text
    assert "`square`, $y$ =\n\n```{math}\nx^{2}\n```" in text
    assert r"Plainly\, \*x x\*\." in text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Syx", r"\Sigma_{yx}"),
        ("w_perp", r"w_{\perp}"),
        ("a_oo", r"a_{\infty}"),
        ("alpha~", r"\tilde{\alpha}"),
        ("W*", "W^{*}"),
        ("reach", r"\mathrm{reach}"),
        ("B_out", r"B_{\mathrm{out}}"),
        ("lambda_1", r"\lambda_{1}"),
        ("W1", "W_{1}"),
        ("x", "x"),
    ],
)
def test_names_are_typeset_as_what_they_stand_for(name, written):
    assert pages.latex(sp.Symbol(name)) == written
    assert pages.latex(sp.MatrixSymbol(name, 2, 2)) == written


def test_every_linked_file_is_there():
    for text in (pages.page(load("T1")), pages.page(load("T6"))):
        linked = re.findall(r"<\.\./\.\./([^>]*)>", text)
        assert linked
        assert all((pages.ROOT / name).is_file() for name in linked)


def test_the_index_lists_every_page_by_its_title():
    text = pages.index({"T6": "Flat W*", "T7": "Random"})
    assert "| [T6](T6.md) | Flat W\\* |\n| [T7](T7.md) | Random |\n" in text
    assert text.endswith("```{toctree}\n:hidden:\n\nT6\nT7\n```\n")


def test_pages_are_written_once_and_only_when_they_change(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "MODULES", {"T1": "t01_gradient_flow"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "T99.md").write_text("of a derivation that is gone", encoding="utf-8")
    pages.write(tmp_path / "out")
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert set(first) == {"T1.md", "index.md"}
    pages.write(tmp_path / "out")
    assert first == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}


def test_a_failing_check_gives_no_page(monkeypatch):
    damaged = load("T1").with_claim("flow_1", 2 * load("T1").formulas["flow_1"])
    monkeypatch.setattr(pages, "load", lambda name: damaged)
    with pytest.raises(CheckError, match=r"T1, step"):
        pages._checked_page("T1")
