"""Seeded faults: does some test fail for every small change of the library?

    python -m validation.faults formulas laziness start --each 5 --seed 0 --out faults.jsonl

A copy of the repository gets one change at a time in one module (a comparison or an operator
turned, a constant moved, a `not` dropped, two arguments swapped, a statement deleted, a default
changed), and the tests of that module's room are run on it with a time limit. One line of JSON a
fault says how it ended. A run that is started again goes on where it was: take the line of a
survivor out of the file to try it against new tests. A fault is named by its line, so a file
belongs to one state of the library. What survives either changes nothing that anyone could see,
or shows a missing test.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARY = Path("theory/richlazy")
_COPIED = ("theory", "tests", "derivations", "validation", "conftest.py", "pyproject.toml")
_TURNED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}

Fault = tuple[int, str, Callable[[], None]]  # line, what it does, and the doing of it


def faults(tree: ast.Module) -> Iterator[Fault]:
    """Every small change of a module; each is made in place, on a tree of its own."""
    for node in _code(tree):
        yield from _operators(node)
        yield from _values(node)
        yield from _statements(node)


def _code(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that run: no annotations, no texts of messages, no lists of names."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Assign) and "__all__" in ast.unparse(node.targets[0]):
            continue
        yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "msg"):
                continue
            parts = value if isinstance(value, list) else [value]
            waiting += [part for part in parts if isinstance(part, ast.AST)]


def _operators(node: ast.AST) -> Iterator[Fault]:
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in _TURNED:
                new = _TURNED[type(op)]
                yield (
                    node.lineno,
                    f"compare {type(op).__name__}->{new.__name__}",
                    _put(node.ops, i, new()),
                )
    elif isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in _TURNED:
        new = _TURNED[type(node.op)]
        what = f"operator {type(node.op).__name__}->{new.__name__}"
        yield node.lineno, what, _set(node, "op", new())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.lineno, "drop a sign", _set(node, "op", ast.UAdd())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.lineno, "drop a not", _set(node, "operand", ast.UnaryOp(ast.Not(), node.operand))


def _values(node: ast.AST) -> Iterator[Fault]:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield node.lineno, f"constant {value}->{not value}", _set(node, "value", not value)
        elif isinstance(value, int):
            yield node.lineno, f"constant {value}->{value + 1}", _set(node, "value", value + 1)
        elif isinstance(value, float):
            new = value * 1.5 if value else 1.0
            yield node.lineno, f"constant {value}->{new}", _set(node, "value", new)
    elif isinstance(node, ast.Call) and len(node.args) > 1 and _ordered(node):
        swapped = [node.args[1], node.args[0], *node.args[2:]]
        same = ast.dump(node.args[0]) == ast.dump(node.args[1])
        if not same and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
            yield node.lineno, "swap two arguments", _set(node, "args", swapped)


def _ordered(call: ast.Call) -> bool:
    """Whether it matters which argument comes first."""
    either = ("hypot", "maximum", "minimum", "logaddexp", "max", "min")
    return ast.unparse(call.func).split(".")[-1] not in either


def _statements(node: ast.AST) -> Iterator[Fault]:
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if not isinstance(block, list) or isinstance(node, ast.ClassDef):
            continue
        for i, statement in enumerate(block):
            kept = isinstance(statement, (ast.FunctionDef, ast.Import, ast.ImportFrom, ast.Pass))
            text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not kept and not text:
                yield statement.lineno, "delete a statement", _put(block, i, ast.Pass())


def _set(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _put(items: list[ast.AST], i: int, value: ast.AST) -> Callable[[], None]:
    return lambda: items.__setitem__(i, value)


def chosen(source: str, count: int, seed: str) -> list[tuple[int, str, str]]:
    """(line, what, new source) of faults picked at random, each on a fresh tree.

    Examples
    --------
    >>> [(line, what) for line, what, _ in chosen("x = 1 + y", 9, "seed")]
    [(1, 'operator Add->Sub'), (1, 'constant 1->2')]
    """
    tree = ast.parse(source)
    total = len(list(faults(tree)))
    picked = random.Random(seed).sample(range(total), min(count, total))
    found = []
    for k in sorted(picked):
        fresh = copy.deepcopy(tree)
        line, what, change = list(faults(fresh))[k]
        change()
        found.append((line, what, ast.unparse(ast.fix_missing_locations(fresh))))
    return found


def tests_of(module: Path, root: Path) -> list[list[str]]:
    """Tests of a module: its doctests and its own file first, then its room and who imports it."""
    tests = root / "tests" / "theory"
    room = tests / module.parent.relative_to(LIBRARY)
    own = room / f"test_{module.stem}.py"
    others = [
        path
        for path in sorted(tests.rglob("test_*.py"))
        if path != own and (path.parent == room != tests or module.stem in _imported(path))
    ]
    first = [str(module), *([str(own.relative_to(root))] if own.exists() else [])]
    return [first, [str(path.relative_to(root)) for path in others]]


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("richlazy"):
            names |= {*(alias.name for alias in node.names), (node.module or "").split(".")[-1]}
    return names


def end_of(copied: Path, module: Path, limit: float) -> str:
    """'killed', 'survived', or 'slow' where the tests do not end in time."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(copied / "theory"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for tests in filter(None, tests_of(module, copied)):
        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=copied, env=environment, timeout=limit, capture_output=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "slow"
        if done.returncode != 0:
            return "killed"
    return "survived"


def main(arguments: list[str] | None = None) -> None:
    """Run the faults that are not in the results yet, and say how many were killed."""
    parser = argparse.ArgumentParser(prog="python -m validation.faults", description=__doc__)
    parser.add_argument("parts", nargs="+", help="rooms or modules below theory/richlazy")
    parser.add_argument("--each", type=int, default=5, help="faults a module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for the tests of one")
    parser.add_argument("--out", type=Path, default=Path("faults.jsonl"))
    given = parser.parse_args(arguments)
    known = {}
    if given.out.exists():
        for line in given.out.read_text().splitlines():
            record = json.loads(line)
            known[record["fault"]] = record["end"]
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder)
        for name in _COPIED:
            take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            take(ROOT / name, copied / name)
        for module in _modules(given.parts):
            source = (copied / module).read_text()
            for line, what, changed in chosen(source, given.each, f"{given.seed} {module}"):
                fault = f"{module.relative_to(LIBRARY)}:{line} {what}"
                if fault in known:
                    continue
                (copied / module).write_text(changed)
                known[fault] = end_of(copied, module, given.limit)
                (copied / module).write_text(source)
                with given.out.open("a") as out:
                    out.write(json.dumps({"fault": fault, "end": known[fault]}) + "\n")
                print(known[fault], fault, flush=True)
    ends = list(known.values())
    print(", ".join(f"{ends.count(end)} {end}" for end in ("killed", "slow", "survived")))
    print(*(fault for fault, end in known.items() if end == "survived"), sep="\n")


def _modules(parts: list[str]) -> list[Path]:
    found = []
    for part in parts:
        path = ROOT / LIBRARY / part
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        found += [f.relative_to(ROOT) for f in files if f.name != "__init__.py"]
    return found


if __name__ == "__main__":
    main()
