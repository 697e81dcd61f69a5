"""The tables of "A map of the code": the rooms with their files, and every formula."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import richlazy
from derivations.pages import ROOT, cells, linked
from derivations.table import ROWS, Row

if TYPE_CHECKING:
    from rooms import House

__all__ = ["formulas", "of_rooms", "source", "write"]

_LIBRARY = ROOT / "theory" / "richlazy"


def write(house: House, folder: Path) -> None:
    """Write both tables into a folder, to be included by a page of docs/."""
    _write(folder / "rooms.md", of_rooms(house))
    _write(folder / "formulas.md", formulas(ROWS))


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
