"""The reference has every public name once, with words, and nothing of the inside."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cached_property
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest

import richlazy as rl

ROOT = Path(__file__).resolve().parents[2]
TEXT = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/api").glob("*.md"))
DIRECTIVE = re.compile(r"\.\. auto(module|class|function):: richlazy\.(\S+)((?:\n   :.*)*)")
ENTRIES = [(kind, name, options) for kind, name, options in DIRECTIVE.findall(TEXT)]
PUBLIC = {name: getattr(rl, name) for name in rl.__all__}
MODULES = {name: thing for name, thing in PUBLIC.items() if inspect.ismodule(thing)} | {
    f"recurrent.{name}": getattr(rl.recurrent, name) for name in ("limits", "modes", "typical")
}


def written(thing):
    """Whether it is a function or a class: constants and tables are no part of the reference."""
    return inspect.isclass(thing) or inspect.isroutine(thing)


def parts(name):
    """What `automodule` with `:members:` shows of a module, by its public name."""
    module = MODULES.get(name) or import_module(f"richlazy.{name}")
    return {one for one in module.__all__ if written(getattr(module, one))}


def shown():
    """Every name that has an entry, with what it is."""
    found = []
    for kind, name, options in ENTRIES:
        found.append(name)
        if kind == "module" and (members := re.search(r":members:(.*)", options)):
            chosen = members[1].replace(",", " ").split() or parts_of_elsewhere(name)
            found += [f"{name}.{one}" for one in chosen]
    return found


def parts_of_elsewhere(name):
    if name.startswith("runs."):  # PyTorch and JAX may be missing
        path = ROOT / "theory/richlazy" / f"{name.replace('.', '/')}.py"
        lists = [
            ast.literal_eval(node.value)
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ]
        return lists[0]
    return sorted(parts(name))


def test_every_public_name_has_one_entry():
    names = shown()
    assert len(names) == len(set(names))
    expected = set(PUBLIC)
    for module in MODULES:
        if module != "errors":
            expected |= {f"{module}.{one}" for one in parts(module)}
    raised = {one for one in parts("errors") if inspect.isclass(getattr(rl.errors, one))}
    expected |= {f"errors.{one}" for one in raised}
    assert sorted(expected - set(names)) == []
    assert {one for one in names if one.startswith("errors.")} == {f"errors.{e}" for e in raised}


@pytest.mark.parametrize("inside", ["MAKERS", "PARAMETERS", "AXES", "LIMIT", "_"])
def test_nothing_of_the_inside_has_an_entry(inside):
    for name in shown():
        assert not name.rpartition(".")[2].startswith(inside)


def found(name):
    """What an entry is of: a name of the library, or of a module that users do not import."""
    try:
        return resolve_name(f"richlazy.{name}")
    except (ImportError, AttributeError):
        return MODULES[".".join(name.split(".")[:-1])].__dict__[name.rpartition(".")[2]]


def things():
    elsewhere = ("runs.torch", "runs.jax")
    return [pytest.param(found(n), id=n) for n in shown() if not n.startswith(elsewhere)]


@pytest.mark.parametrize("thing", things())
def test_every_entry_and_each_of_its_public_parts_has_words(thing):
    assert inspect.getdoc(thing)
    if inspect.isclass(thing) and not issubclass(thing, BaseException):
        for name, part in vars(thing).items():
            if name.startswith("_") or not (
                inspect.isroutine(part)
                or isinstance(part, property | cached_property | classmethod)
            ):
                continue
            assert inspect.getdoc(getattr(part, "func", part)), f"{thing.__name__}.{name}"
