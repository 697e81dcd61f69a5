"""Which blocks of the library's functions each test runs, and how many seconds of CPU it takes.

``python -m validation.reach OUT PATH...`` runs the tests of these paths once, on marked modules: in
these each block of a function begins by saying so.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

#: What a test that starts a process of its own runs is not seen.
PROCESS = "a process"
# Results that one test has made and another looks at: each test runs what any of them runs.
_SHARED = ("scope=", "@cache")
_MARKS = "__import__('sys').__dict__.setdefault('reached', set())"


def blocks(tree: ast.Module) -> Iterator[tuple[int, int, list[ast.stmt]]]:
    """(first line, last line, statements) of every block inside functions, outer ones first."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, inside = waiting.pop(0)
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        inside = (inside or function) and not isinstance(node, ast.ClassDef)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if inside and isinstance(block, list) and block:
                first = node.lineno if function else block[0].lineno  # type: ignore[attr-defined]
                yield first, block[-1].end_lineno or first, block
        waiting += [(child, inside) for child in ast.iter_child_nodes(node)]


def block_of(tree: ast.Module, line: int) -> int | None:
    """First line of the innermost block that a line stands in, None outside of functions."""
    found = [first for first, last, _ in blocks(tree) if first <= line <= last]
    return found[-1] if found else None


def marked(source: str, name: str) -> str:
    """The same module, whose blocks put "name:first line" into ``sys.reached`` as they begin.

    Examples
    --------
    >>> print(marked("def f(x):\\n    if x:\\n        return 1", "f.py"))
    _reached = __import__('sys').__dict__.setdefault('reached', set()).add
    <BLANKLINE>
    def f(x):
        _reached('f.py:1')
        if x:
            _reached('f.py:3')
            return 1
    """
    tree = ast.parse(source)
    for first, _, block in list(blocks(tree)):
        block.insert(_opening(block), ast.parse(f"_reached('{name}:{first}')").body[0])
    where = _opening(tree.body)
    tree.body[where:where] = ast.parse(f"_reached = {_MARKS}.add").body
    return ast.unparse(ast.fix_missing_locations(tree))


def _opening(block: list[ast.stmt]) -> int:
    """How many statements have to stay first: the docstring and what comes from the future."""
    for i, statement in enumerate(block):
        text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if not (future or (text and i == 0)):
            return i
    return len(block)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """As a plugin, ``-p validation.reach``: only the tests that the file ``$ONLY`` lists."""
    only = set(json.loads(Path(os.environ["ONLY"]).read_text()))
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in only])
    items[:] = [item for item in items if item.nodeid in only]


class Reach:
    """Plugin of pytest that writes down, for each test, its seconds and what it reaches."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.reached: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self._now: set[str] = sys.__dict__.setdefault("reached", set())
        sys.addaudithook(self._audit)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[Any]:
        self._now.clear()
        report = yield
        self.reached[collector.nodeid.split("::")[0]] |= self._now
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self._now.clear()
        start = sum(os.times()[:4])
        done = yield
        self.reached[item.nodeid] |= self._now
        self.seconds[item.nodeid] = sum(os.times()[:4]) - start
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def _audit(self, event: str, arguments: object) -> None:
        if event == "subprocess.Popen":
            self._now.add(PROCESS)

    def pytest_sessionfinish(self) -> None:
        self.out.write_text(json.dumps(self.tests()))

    def tests(self) -> dict[str, tuple[float, list[str]]]:
        """Of each test that passes its seconds and what it reaches, alone or by its file."""
        shared: dict[str, set[str]] = defaultdict(set)
        for name, reached in self.reached.items():
            path = name.split("::")[0]
            text = Path(path).read_text() if Path(path).is_file() else ""
            if name == path or any(mark in text for mark in _SHARED):
                shared[path] |= reached
        return {
            name: (round(seconds, 3), sorted(self.reached[name] | shared[name.split("::")[0]]))
            for name, seconds in self.seconds.items()
            if name not in self.failed
        }


def main(out: str, *paths: str) -> None:
    """Run the tests of these paths and write down what they reach."""
    options = ["-q", "-p", "no:cacheprovider", "--tb=short", "--no-header"]
    pytest.main([*options, *paths], plugins=[Reach(Path(out).absolute())])


if __name__ == "__main__":
    main(*sys.argv[1:])
