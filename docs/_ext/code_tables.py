"""Tables that pages of docs/ include: rooms and their files, formulas, and where they are from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import richlazy
from derivations import MODULES, load
from derivations.frame.derivation import Derivation
from derivations.frame.pages import ROOT, cells, linked
from derivations.frame.table import ROWS, Row

if TYPE_CHECKING:
    from rooms import House

__all__ = ["citations", "formulas", "of_rooms", "papers", "source", "write"]

_LIBRARY = ROOT / "theory" / "richlazy"


def write(house: House, folder: Path) -> None:
    """Write all tables into a folder, to be included by pages of docs/."""
    _write(folder / "rooms.md", of_rooms(house))
    _write(folder / "formulas.md", formulas(ROWS))
    _write(folder / "papers.md", papers(map(load, MODULES)))
    _write(folder / "citations.md", citations(ROOT / "CITATION.cff"))


def _write(path: Path, lines: Iterable[str]) -> None:
    text = "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # Sphinx goes by dates
        path.write_text(text, encoding="utf-8")


def of_rooms(house: House) -> Iterator[str]:
    """Yield a row for every room, from the top: how its docstring opens, and its files."""
    yield from ("| room | what it holds | files |", "|---|---|---|")
    for room in reversed(house.rooms):
        opening = inspect.getdoc(import_module(f"richlazy.{room}")).partition("\n\n")[0]
        files = ", ".join(_file(room, module) for module in house.files[room])
        yield f"| `{room}` | {' '.join(opening.split())} | {files} |"


def _file(room: str, module: str) -> str:
    path = _LIBRARY.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return linked(path, path.relative_to(_LIBRARY).as_posix().removeprefix(f"{room}/"), "")


def formulas(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a row for every formula and function that evaluates it."""
    yield from ("| id | function | its file | tests | studies |", "|---|---|---|---|---|")
    for row in rows:
        path = source(row.function)
        file = linked(path, path.relative_to(_LIBRARY).as_posix(), "")
        function, tests, studies = cells(row, "")
        yield f"| [{row.id}](derivations/{row.id}.md) | {function} | {file} | {tests} | {studies} |"


def papers(derivations: Iterable[Derivation]) -> Iterator[str]:
    """Yield an entry for every derivation: what evaluates it, and its sources by whose they are."""
    for one in derivations:
        functions = ", ".join(cells(row, "")[0] for row in ROWS if row.id == one.id)
        ours = [text for text in one.sources if "this project" in text.lower()]
        theirs = [text for text in one.sources if text not in ours]
        yield f"- [{one.id}](derivations/{one.id}.md). **{_plain(one.title)}**: {functions}"
        for whose, texts in (("Papers", theirs), ("This project", ours)):
            if texts:
                yield f"  - *{whose}.* {_plain(' '.join(texts))}"


def citations(path: Path) -> Iterator[str]:
    """Yield a line for every reference of a citation file."""
    import yaml

    for one in yaml.safe_load(path.read_text(encoding="utf-8"))["references"]:
        names = [author["family-names"] for author in one["authors"]]
        who = ", ".join(names[:4]) + (" et al." if len(names) > 4 else "")
        where = one.get("journal") or one.get("collection-title") or ""
        found = [one.get("doi"), *(each["value"] for each in one.get("identifiers", ()))]
        parts = [f"{who} ({one['year']})", one["title"], where, *filter(None, found)]
        yield f"- {_plain('. '.join(filter(None, parts)))}"


def _plain(text: str) -> str:
    """Words in which no sign is Markdown."""
    return re.sub(r"([\\`*_\[\]<>|$#])", r"\\\1", text)


def source(function: str) -> Path:
    """The file in which a public function, class or property is written."""
    thing: Any = richlazy
    for name in function.split("."):
        thing = getattr(thing, name)
    if isinstance(thing, property):
        thing = thing.fget
    elif isinstance(thing, cached_property):
        thing = thing.func
    package = Path(inspect.getfile(richlazy)).parent
    return _LIBRARY / Path(inspect.getfile(thing)).relative_to(package)
