"""Pages of the docs site: one for each derivation, and the list of them, in MyST Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ClassVar

import sympy as sp
from sympy.printing.latex import LatexPrinter

from derivations import MODULES, load
from derivations.frame.derivation import Derivation, Step
from derivations.frame.table import ROWS, Row

__all__ = ["cells", "index", "latex", "linked", "page", "write"]

ROOT = Path(__file__).resolve().parents[2]
_DOCS = "../"  # from the pages written here

INTRODUCTION = """\
# Derivations

Every formula that richlazy evaluates is derived in SymPy, apart from the library, in steps that a
machine checks: the difference of both sides simplifies to zero, or a solution put back into its
equation leaves zero, or, where SymPy cannot decide, values at 50 digits agree and the page says
that this is no proof. These pages are written from the same objects, and are not written if a
check fails. The ids are those in the library's docstrings and in the tests.
[One table](../architecture.md#formulas) has every function that evaluates one of them, its file,
and the tests and studies that hold it.
"""


def write(folder: Path) -> None:
    """Write all pages into a folder of their own, two below the root of the clone.

    Raises
    ------
    CheckError
        If a step of a derivation does not hold.
    """
    folder.mkdir(exist_ok=True)
    with ProcessPoolExecutor() as pool:
        pages = dict(zip(MODULES, pool.map(_checked_page, MODULES), strict=True))
    pages["index"] = index({name: load(name).title for name in MODULES})
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # Sphinx goes by dates
            path.write_text(text, encoding="utf-8")


def _checked_page(name: str) -> str:
    derivation = load(name)
    derivation.check()
    return page(derivation)


def page(derivation: Derivation) -> str:
    """Write out one derivation whose checks hold, and what evaluates and tests it."""
    lines = [f"# {derivation.id}. {_escaped(derivation.title)}", "", *_held(derivation.id)]
    lines += ["", "## Assumptions", ""]
    lines += [f"- {_escaped(line)}" for line in derivation.assumptions]
    lines += ["", "## Notation", "", "| symbol | meaning |", "|---|---|"]
    for symbol, meaning in derivation.notation.items():
        lines.append(f"| ${latex(symbol)}$ | {_shape(symbol)}{_escaped(meaning)} |")
    lines += ["", "## Steps"]
    for number, step in enumerate(derivation.steps, 1):
        lines += _step(derivation, number, step)
    lines += ["", "## Sources", ""]
    lines += [f"- {_escaped(source)}" for source in derivation.sources]
    return "\n".join([*lines, ""])


def index(titles: Mapping[str, str]) -> str:
    """Write the front page of the derivations with these titles by id."""
    lines = [INTRODUCTION, "| id | what is derived |", "|---|---|"]
    lines += [f"| [{name}]({name}.md) | {_escaped(title)} |" for name, title in titles.items()]
    lines += ["", "```{toctree}", ":hidden:", ""]
    return "\n".join([*lines, *titles, "```", ""])


class _Printer(LatexPrinter):
    """LaTeX in which a symbol's name is typeset as the sign it stands for, and words upright."""

    signs: ClassVar[dict[str, str]] = {
        "Sxx": r"\Sigma_{xx}",
        "Syx": r"\Sigma_{yx}",
        "eta": r"\eta",
        "oo": r"\infty",
        "par": r"\parallel",
        "perp": r"\perp",
    }

    def _deal_with_super_sub(self, string: str, style: str = "plain") -> str:
        text = super()._deal_with_super_sub(string.replace("~", "tilde"), style)
        text = re.sub(r"(?<![\\A-Za-z])[A-Za-z]{2,}", self._word, text)
        return text.replace("*", "^{*}")

    def _print_expm1(self, expression: sp.Expr) -> str:
        return rf"\operatorname{{expm1}}{{\left({self._print(expression.args[0])} \right)}}"

    def _word(self, found: re.Match[str]) -> str:
        return self.signs.get(found[0], rf"\mathrm{{{found[0]}}}")


def latex(expression: sp.Basic) -> str:
    """Typeset an expression as the pages do."""
    return _Printer().doprint(expression)


def _held(name: str) -> Iterator[str]:
    """Yield the files of a derivation, and the table of what evaluates and tests it."""
    number = f"t{int(name[1:]):02d}"
    written = sorted((ROOT / "derivations").glob(f"{number}_*/**/*.py"))
    written += sorted((ROOT / "derivations").glob(f"{number}_*.py"))
    tried = sorted((ROOT / "tests" / "derivations").glob(f"test_{number}*.py"))
    tried.append(ROOT / "tests" / "derivations" / "test_damage.py")
    yield f"Derived in {_files(written)}; that its checks can fail is tested in {_files(tried)}."
    meeting = ROOT / "tests" / "theory" / "against_derivations"
    if met := sorted(meeting.glob(f"test_{number}*.py")):
        yield f"The library is held against its claims, at 50 digits, in {_files(met)}."
    yield from ("", "| evaluated by | tests | studies |", "|---|---|---|")
    yield from (f"| {' | '.join(cells(row, _DOCS))} |" for row in ROWS if row.id == name)


def cells(row: Row, docs: str) -> tuple[str, str, str]:
    """Function, tests and studies of a formula, on a page from which `docs` leads to docs/."""
    tests = ", ".join(
        linked(ROOT / "tests" / "theory" / f"{name}.py", f"{name}.py", docs) for name in row.tests
    )
    studies = ", ".join(f"[{name}]({docs}validation.md#{name})" for name in row.studies)
    return f"{{py:obj}}`richlazy.{row.function}`", tests, studies


def linked(path: Path, shown: str, docs: str) -> str:
    """Link a copy of a file, which is there wherever the site is."""
    return f"{{download}}`{shown} <{docs}../{path.relative_to(ROOT).as_posix()}>`"


def _files(paths: Iterable[Path]) -> str:
    """Links, each called by the path below derivations/ or by its name."""
    below = ROOT / "derivations"
    return ", ".join(
        linked(p, p.relative_to(below).as_posix() if below in p.parents else p.name, _DOCS)
        for p in paths
    )


def _step(derivation: Derivation, number: int, step: Step) -> Iterator[str]:
    symbols = {claim: symbol for symbol, claim in derivation.shorthand.items()}
    yield from ("", f"### {number}. {_escaped(step.name)}", "", _escaped(step.because))
    for claim in step.claims:
        written = f", ${latex(symbols[claim])}$" if claim in symbols else ""
        formula = latex(derivation.formulas[claim])
        yield from ("", f"`{claim}`{written} =", "", "```{math}", formula, "```")
    yield from ("", f"Check: {_escaped(str(step.check))}: **passed**")


def _shape(symbol: sp.Basic) -> str:
    if not isinstance(symbol, sp.MatrixSymbol):
        return ""
    rows, columns = (f"({latex(n)})" if n.is_Add else latex(n) for n in symbol.shape)
    return rf"${rows} \times {columns}$, "


def _escaped(text: str) -> str:
    """Plain words, in which no sign is Markdown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
