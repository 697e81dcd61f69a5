"""Seeded faults: does some test fail for every small change of the library?

    python -m validation.faults formulas laziness start --each 5 --seed 0 --out faults.jsonl

One change at a time is made in one module: a comparison or an operator turned, a constant moved, a
`not` dropped, two arguments swapped, a statement deleted, a default changed. The tests that run the
changed block are then run, in a child of a process that has already collected them. Which they are,
`validation.reach` measures first, once for a file of results. One line of JSON a fault says how it
ended: 'killed', 'survived', or 'slow' where a test takes many times what it did unchanged.

A run that is started again goes on where it was: take the line of a survivor out of the file to try
it against new tests. A fault is named by its line, so a file belongs to one state of the library.
What survives either changes nothing that anyone could see, or shows a missing test.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from validation.reach import PROCESS, block_of, marked

ROOT = Path(__file__).parent.parent
LIBRARY = Path("theory/richlazy")
_COPIED = (
    "theory",
    "tests",
    "derivations",
    "validation",
    "conftest.py",
    "pyproject.toml",
    "README.md",
)
_TESTS = ("tests/theory", "theory")
_OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "--tb=no")
_MEMORY = 6 << 30  # bytes: a fault may ask for more than there is
_STUCK = 900  # seconds until a child that only waits is given up
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

Reached = dict[str, tuple[float, list[str]]]  # of each test its seconds and the blocks it runs
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
        if isinstance(node, ast.keyword) and node.arg == "strict":  # of zip: it always holds
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
    either = ("hypot", "maximum", "minimum", "logaddexp", "max", "min", "clip")
    return ast.unparse(call.func).split(".")[-1] not in either


def _statements(node: ast.AST) -> Iterator[Fault]:
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if not isinstance(block, list) or isinstance(node, ast.ClassDef):
            continue
        for i, statement in enumerate(block):
            # an assert says what always holds, for those who read and check types
            kept = isinstance(
                statement, (ast.FunctionDef, ast.Import, ast.ImportFrom, ast.Pass, ast.Assert)
            )
            text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not kept and not text:
                yield statement.lineno, "delete a statement", _put(block, i, ast.Pass())


def _set(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _put(items: list[ast.AST], i: int, value: ast.AST) -> Callable[[], None]:
    return lambda: items.__setitem__(i, value)


def chosen(source: str, count: int, seed: str) -> list[tuple[int, str, str]]:
    """(line, what, new source) of faults picked at random, each on a fresh tree.

    What is done to a line more than once is counted: "compare Lt->LtE (2)".

    Examples
    --------
    >>> [(line, what) for line, what, _ in chosen("x = 1 + y", 9, "seed")]
    [(1, 'operator Add->Sub'), (1, 'constant 1->2')]
    """
    tree = ast.parse(source)
    names = [(line, what) for line, what, _ in faults(tree)]
    picked = random.Random(seed).sample(range(len(names)), min(count, len(names)))
    found = []
    for k in sorted(picked):
        fresh = copy.deepcopy(tree)
        (line, what, change), before = list(faults(fresh))[k], names[:k].count(names[k])
        change()
        name = f"{what} ({before + 1})" if before else what
        found.append((line, name, ast.unparse(ast.fix_missing_locations(fresh))))
    return found


def tests_of(module: Path, block: int | None, reach: Reached, users: set[str]) -> list[str]:
    """Tests that run a block of a module: its own first, then its room's, then all others.

    Outside of functions: those that run anything of the module or of its users. Tests that start a
    process of their own count for all that their room is about.
    """
    name = str(module.relative_to(LIBRARY))
    room = "tests/theory" / module.parent.relative_to(LIBRARY)
    own = (str(module), str(room / f"test_{module.stem}.py"))

    def runs(path: str, reached: list[str]) -> bool:
        if PROCESS in reached and Path(path).parent == room:
            return True
        if block is not None:
            return f"{name}:{block}" in reached
        return any(mark.split(":")[0] in {name, *users} for mark in reached)

    def far(test: str) -> tuple[bool, bool, float]:
        path = test.split("::")[0]
        return path not in own, Path(path).parent != room, reach[test][0]

    found = [test for test, (_, reached) in reach.items() if runs(test.split("::")[0], reached)]
    return sorted(found, key=far)


def users_of(module: Path) -> set[str]:
    """Modules of the library that import a module's names."""
    library = ROOT / LIBRARY
    return {
        str(path.relative_to(library))
        for path in library.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("." + module.stem)
    }


@dataclass(frozen=True)
class Trial:
    """One fault, the source that has it, and the tests that might see it."""

    fault: str
    module: Path
    line: int
    changed: str
    tests: list[str]


class Trials:
    """Plugin of pytest that tries faults, each in a child with the changed function put in."""

    def __init__(self, trials: list[Trial], reach: Reached, copied: Path, out: Path) -> None:
        self.trials, self.reach, self.copied, self.out = trials, reach, copied, out

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for trial in self.trials:
            put_in, end = _function(trial), "survived"
            if put_in is None:
                rest = trial.tests
            else:
                rest = [test for test in trial.tests if PROCESS in self.reach[test][1]]
                seen = [test for test in trial.tests if test in items and test not in rest]
                session.items = [items[test] for test in seen]
                end = self._in_child(session, put_in)
            if end == "survived" and rest:
                end = end_of(self.copied, trial, rest, self.reach)
            with self.out.open("a") as out:
                out.write(json.dumps({"fault": trial.fault, "end": end}) + "\n")
            session.config.get_terminal_writer().line(f"{end} {trial.fault}", flush=True)
        return True

    def _in_child(self, session: pytest.Session, put_in: Callable[[], None]) -> str:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
                session.config.pluginmanager.unregister(name="terminalreporter")
                signal.alarm(_STUCK)
                put_in()
                self._tested(session)
                status = int(session.testsfailed > 0)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGVTALRM, signal.SIGALRM)
        return "slow" if late else "killed" if status else "survived"

    def _tested(self, session: pytest.Session) -> None:
        for item, after in zip(session.items, [*session.items[1:], None], strict=True):
            signal.setitimer(signal.ITIMER_VIRTUAL, 10 + 5 * self.reach[item.nodeid][0])
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.testsfailed:
                return


def _function(trial: Trial) -> Callable[[], None] | None:
    """What puts the fault into the function that has it, None where there is no such function."""
    path = str(ROOT / trial.module)
    tree = ast.parse(Path(path).read_text())
    held = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.body[0].lineno <= trial.line <= (node.end_lineno or 0)
    ]  # fmt: skip
    if not held:
        return None
    first = min([held[0].lineno, *(d.lineno for d in held[0].decorator_list)])
    loaded = [
        f for f in gc.get_objects()
        if isinstance(f, FunctionType) and f.__code__.co_filename == path
        and f.__code__.co_firstlineno == first and f.__name__ == held[0].name
    ]  # fmt: skip
    if not loaded:
        return None
    old = _codes(compile(tree, path, "exec"), loaded[0].__code__.co_qualname)
    new = _codes(compile(trial.changed, path, "exec"), loaded[0].__code__.co_qualname)
    code = new[[c.co_firstlineno for c in old].index(first)]
    if any(f.__code__.co_freevars != code.co_freevars for f in loaded):
        return None

    def put_in() -> None:
        for function in loaded:
            function.__code__ = code

    return put_in


def _codes(code: CodeType, name: str) -> list[CodeType]:
    inside = [c for c in code.co_consts if isinstance(c, CodeType)]
    deeper = [found for c in inside for found in _codes(c, name)]
    return [c for c in inside if c.co_qualname == name] + deeper


def end_of(copied: Path, trial: Trial, tests: list[str], reach: Reached) -> str:
    """The end of a fault in a copy of the repository, in processes of their own."""
    source = (copied / trial.module).read_text()
    (copied / trial.module).write_text(trial.changed)
    (copied / "tests.json").write_text(json.dumps(tests))
    files = dict.fromkeys(test.split("::")[0] for test in tests)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *_OPTIONS, "-p", "validation.reach", *files],
            cwd=copied, env=environment(copied) | {"ONLY": str(copied / "tests.json")},
            timeout=60 + 5 * sum(reach[test][0] for test in tests),
            capture_output=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "slow"
    finally:
        (copied / trial.module).write_text(source)
    return "survived" if done.returncode in (0, 5) else "killed"


def environment(copied: Path) -> dict[str, str]:
    """What a process needs to see the copy of the repository instead of the repository."""
    paths = f"{copied / 'theory'}{os.pathsep}{copied}"
    return {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}


def reach_of(copied: Path, kept: Path) -> Reached:
    """What each test of the library reaches, as kept in a file or measured on marked modules."""
    if not kept.exists():
        sources = {copied / module: (copied / module).read_text() for module in _modules(["."])}
        for path, source in sources.items():
            path.write_text(marked(source, str(path.relative_to(copied / LIBRARY))))
        command = [sys.executable, "-m", "validation.reach", str(kept), *_TESTS]
        subprocess.run(command, cwd=copied, env=environment(copied), check=False)
        for path, source in sources.items():
            path.write_text(source)
    found: Reached = json.loads(kept.read_text())
    return found


def ends_in(out: Path) -> dict[str, str]:
    """How the faults of a file of results ended."""
    records = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return {record["fault"]: record["end"] for record in records}


def main(arguments: list[str] | None = None) -> None:
    """Run the faults that are not in the results yet, and say how many were killed."""
    parser = argparse.ArgumentParser(prog="python -m validation.faults", description=__doc__)
    parser.add_argument("parts", nargs="+", help="rooms or modules below theory/richlazy")
    parser.add_argument("--each", type=int, default=5, help="faults a module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("faults.jsonl"))
    given = parser.parse_args(arguments)
    out, known = given.out.absolute(), ends_in(given.out)
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder)
        for name in _COPIED:
            take = shutil.copytree if Path(name).is_dir() else shutil.copy2
            take(name, copied / name)
        reach = reach_of(copied, out.with_suffix(".reach.json"))
        trials = []
        for module in _modules(given.parts):
            source, users = module.read_text(), users_of(module)
            for line, what, changed in chosen(source, given.each, f"{given.seed} {module}"):
                fault = f"{module.relative_to(LIBRARY)}:{line} {what}"
                if fault not in known:
                    tests = tests_of(module, block_of(ast.parse(source), line), reach, users)
                    trials.append(Trial(fault, module, line, changed, tests))
        pytest.main([*_OPTIONS, *_TESTS], plugins=[Trials(trials, reach, copied, out)])
    ends = list(ends_in(out).values())
    print(", ".join(f"{ends.count(end)} {end}" for end in ("killed", "slow", "survived")))
    print(*(fault for fault, end in ends_in(out).items() if end == "survived"), sep="\n")


def _modules(parts: list[str]) -> list[Path]:
    found = []
    for part in parts:
        path = ROOT / LIBRARY / part
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        found += [f.relative_to(ROOT) for f in files if f.name != "__init__.py"]
    return found


if __name__ == "__main__":
    main()
