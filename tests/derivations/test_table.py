"""The table of formulas has no hole: derivations, public functions, tests and studies are there."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pytest

import richlazy as rl
from derivations import MODULES
from derivations.table import ROWS
from validation import STUDIES

ROOT = Path(__file__).resolve().parents[2]
IDS = {row.id for row in ROWS}

T_ID = re.compile(r"\bT\d+\b")


def public(name):
    """What stands behind a dotted name in richlazy, and nothing private on the way."""
    module, *rest = name.split(".")
    thing = getattr(rl, module, None) or import_module(f"richlazy.{module}")
    for part in rest:
        if inspect.ismodule(thing):
            assert part in thing.__all__
        assert not part.startswith("_")
        thing = getattr(thing, part)
    return thing


def functions():
    """Every public function, property and method by dotted name, with its docstring's opening."""
    modules = [name for name in rl.__all__ if inspect.ismodule(getattr(rl, name))]
    names = [name for name in rl.__all__ if name not in modules]
    for module in [*modules, "descent"]:
        names += [f"{module}.{name}" for name in import_module(f"richlazy.{module}").__all__]
    for name in names:
        thing = public(name)
        if inspect.isclass(thing):
            parts = {f"{name}.{k}": v for k, v in vars(thing).items() if not k.startswith("_")}
        else:
            parts = {name: thing}
        for dotted, part in parts.items():
            yield dotted, (getattr(part, "__doc__", None) or "").split("\n\n")[0]


def mentioned():
    """Every id in a docstring of the library."""
    for path in (ROOT / "theory" / "richlazy").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield from T_ID.findall(ast.get_docstring(node) or "")


def test_every_statement_has_a_derivation():
    assert set(MODULES) >= IDS


def test_every_derivation_is_evaluated():
    assert set(MODULES) <= IDS


def test_every_statement_that_the_library_names_has_a_row():
    found = set(mentioned())
    assert {"T1", "T6", "T15"} <= found
    assert found <= IDS


def test_every_function_that_opens_with_a_statement_has_a_row():
    found = {(id_, name) for name, opening in functions() for id_ in T_ID.findall(opening)}
    assert {("T6", "low_rank.measures"), ("T1", "Network.conserved")} <= found
    assert found - {(row.id, row.function) for row in ROWS} == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id}-{row.function}")
def test_a_row_names_a_public_function_and_files_that_use_it(row):
    thing = public(row.function)
    assert callable(thing) or isinstance(thing, property | cached_property)
    assert row.tests
    for name in row.tests:
        text = (ROOT / "tests" / "theory" / f"{name}.py").read_text(encoding="utf-8")
        assert "def test_" in text
        assert re.search(rf"\b{row.function.split('.')[-1]}\b", text), name
    assert set(row.studies) <= set(STUDIES)


def test_rows_are_in_order_and_not_repeated():
    keys = [(int(row.id[1:]), row.function) for row in ROWS]
    assert keys == sorted(set(keys))
