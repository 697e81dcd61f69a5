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
from derivations.frame.table import ROWS
from validation import STUDIES

ROOT = Path(__file__).resolve().parents[2]
IDS = {row.id for row in ROWS}

T_ID = re.compile(r"\bT\d+\b")


def public(name):
    """What stands behind a dotted name in richlazy, and nothing private on the way."""
    module, *rest = name.split(".")
    thing = getattr(rl, module)
    for part in rest:
        if inspect.ismodule(thing):
            assert part in thing.__all__
        assert not part.startswith("_")
        thing = getattr(thing, part)
    return thing


def names_of(module, before=""):
    """Every public name of a module that is no module itself, dotted; a package holds modules."""
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            yield from names_of(thing, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def functions():
    """Every public function, property and method by dotted name, with its docstring's opening."""
    for name in names_of(rl):
        thing = public(name)
        if inspect.isclass(thing):
            parts = {f"{name}.{k}": v for k, v in vars(thing).items() if not k.startswith("_")}
        else:
            parts = {name: thing}
        for dotted, part in parts.items():
            yield dotted, (getattr(part, "__doc__", None) or "").split("\n\n")[0]


def mentioned():
    """Every id in a docstring of the library."""
    for path in (ROOT / "theory" / "richlazy").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield from T_ID.findall(ast.get_docstring(node) or "")


def written_out(node, aliases):
    """The dotted name of an expression, through the imports of its file; None if it has none."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        start = written_out(node.value, aliases)
        return f"{start or ''}.{node.attr}"
    return None


def is_given(decorator):
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "id", None) == "given"


def given_names(tree):
    """Dotted names in the Hypothesis tests of a file and in the helpers that these call."""
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {name.asname: name.name for name in node.names if name.asname}
        elif isinstance(node, ast.ImportFrom):
            aliases |= {n.asname or n.name: f"{node.module}.{n.name}" for n in node.names}
    assert aliases.get("given", "hypothesis.given") == "hypothesis.given"
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    left = [
        name
        for name, node in functions.items()
        if name.startswith("test_") and any(map(is_given, node.decorator_list))
    ]
    found = set()
    while left:
        names = {written_out(node, aliases) for node in ast.walk(functions[left.pop()])}
        left += [name for name in names - found if name in functions]
        found |= names - {None}
    return found


def is_used(dotted, names):
    """Whether one of these names of a test file is this function, property or method."""
    thing, (owner, _, last) = public(dotted), dotted.rpartition(".")
    if owner and inspect.isclass(public(owner)):
        return any(name.endswith(f".{last}") for name in names)
    return any(
        name.startswith("richlazy.") and name.endswith(last) and found_at(name) is thing
        for name in names
    )


def found_at(name):
    """What a test file calls by this name, which may be a public one or where the file lives."""
    module, _, last = name.rpartition(".")
    known = rl
    for part in module.split(".")[1:]:
        known = getattr(known, part, None)
    try:
        return getattr(known or import_module(module), last, None)
    except ModuleNotFoundError:
        return None


def parsed(name):
    text = (ROOT / "tests" / "theory" / f"{name}.py").read_text(encoding="utf-8")
    return ast.parse(text)


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
    assert row.studies
    assert set(row.studies) <= set(STUDIES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id}-{row.function}")
def test_a_row_has_a_test_over_random_cases(row):
    assert any(is_used(row.function, given_names(parsed(name))) for name in row.tests)


SAMPLE = """
import richlazy as rl
from hypothesis import given
from richlazy import low_rank
from richlazy.deep.solution import solve as deep_solve

def helper(x):
    return low_rank.quantile(x)

@given(x)
def test_something(x):
    rl.solve(x).drift(helper(x))

def test_an_example():
    low_rank.measures(1), deep_solve(1), low_rank.mean_cosine
"""


def test_random_cases_are_recognised():
    names = given_names(ast.parse(SAMPLE))
    for used in ("solve", "low_rank.quantile", "Solution.drift"):
        assert is_used(used, names), used
    for unused in ("deep.solve", "low_rank.measures", "low_rank.mean_cosine", "sequence"):
        assert not is_used(unused, names), unused


def test_every_statement_is_compared_with_the_library_at_many_digits():
    """By `agreement("T1 ...", error)` in tests/theory/against_derivations, which reports it."""
    compared = set()
    for path in (ROOT / "tests" / "theory" / "against_derivations").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "agreement":
                compared |= set(T_ID.findall(ast.unparse(node.args[0])))
    assert compared == IDS


def test_rows_are_in_order_and_not_repeated():
    keys = [(int(row.id[1:]), row.function) for row in ROWS]
    assert keys == sorted(set(keys))
