"""Every fenced block of the pages is run or checked: commands, files, Python; none is of no kind.

Blocks with >>> are doctests, which pytest collects of itself. What needs PyTorch or JAX is run in
the environments that have them (tests/theory/runs), and held against the signatures here.
"""

from __future__ import annotations

import ast
import doctest
import re
import shlex
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from richlazy.cli import main
from tests.docs.blocks import (
    PAGES,
    ROOT,
    Block,
    blocks,
    commands,
    file_name,
    kind,
    shell_kind,
    spans,
)
from tests.theory.cli.commands import W, csv_text, quick_reports

#: Rooms of the library and studies that need an environment of their own.
ELSEWHERE = ("richlazy.runs.torch", "richlazy.runs.jax", "validation.rnn")
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
LINES = {
    page: [line for one in blocks(text) if one.info == "sh" for line in commands(one)]
    for page, text in TEXTS.items()
}


def own(block):
    """Modules imported by a block that needs an environment of its own."""
    names = [
        node.module for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.ImportFrom)
    ]
    return [name for name in names if name and name.startswith(ELSEWHERE)]


@pytest.mark.parametrize("page", TEXTS)
def test_every_block_is_run_or_checked(page):
    for block in blocks(TEXTS[page]):
        kind(block)


@pytest.mark.parametrize(
    "block",
    [
        "```\ntext\n```\n",
        "```text\nno name before it\n```\n",
        "```sh\nrichlazy doctor\nrm -r everything\n```\n",
        "```sh\npip install x && curl y\n```\n",
        "```yaml\na: 1\n```\n",
        "~~~sh\nls\n~~~\n",
    ],
)
def test_a_block_of_no_known_kind_is_refused(block):
    (found,) = blocks(f"Words.\n\n{block}\nMore.\n")
    with pytest.raises(ValueError, match="neither run nor checked"):
        kind(found)


def prepared(folder):
    """The files that pages speak of as the reader's own."""
    rng = np.random.default_rng(1)
    circuit = np.random.default_rng(0).standard_normal((40, 40))
    np.save(folder / "weights.npy", W)
    (folder / "weights.csv").write_text(csv_text(W))
    (folder / "circuit.csv").write_text(csv_text(circuit))
    for weights, activations in (("before", "h0"), ("after", "h1")):
        layers = {"w1": rng.standard_normal((3, 4)), "b1": rng.standard_normal(3)}
        np.savez(folder / f"{weights}.npz", **layers)
        np.savez(folder / f"{activations}.npz", h1=rng.standard_normal((20, 3)))
    np.save(folder / "X.npy", circuit[:, :6])
    np.save(folder / "Y.npy", circuit[:, 6])


def invoked(line):
    """A command of ours with what it reads from standard input."""
    command, _, read = line.partition(" < ")
    given = Path(read.strip()).read_bytes() if read else None
    return CliRunner().invoke(main, shlex.split(command)[1:], input=given, prog_name="richlazy")


def run_sh(page, block):
    for line in commands(block):
        if page != "README.md" and line in LINES["README.md"]:
            continue  # once is enough
        if shell_kind(line) == "richlazy":
            result = invoked(line)
            assert (result.exit_code, result.stderr) == (0, ""), line
        elif shell_kind(line) in ("validation", "derivations"):
            parsed(line)
        elif shell_kind(line) == "completion":
            shell = line.partition("_COMPLETE=")[2].partition("_source")[0]
            script = CliRunner().invoke(
                main, env={"_RICHLAZY_COMPLETE": f"{shell}_source"}, prog_name="richlazy"
            )
            assert script.exit_code == 0
            assert "_RICHLAZY_COMPLETE" in script.stdout
            assert "complete" in script.stdout


def run_console(block):
    """Run each command, and hold what it prints against the lines below it."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for part in block.text.split("$ ")[1:]:
        line, _, wanted = part.partition("\n")
        got = invoked(line).output
        assert doctest.OutputChecker().check_output(wanted, got, flags), f"{line}\n{got}"


def runs(block):
    return (kind(block) in ("sh", "console", "file")) or (
        kind(block) == "python" and not own(block)
    )


@pytest.mark.parametrize("page", [page for page in TEXTS if any(map(runs, blocks(TEXTS[page])))])
def test_the_blocks_of_a_page_work_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick_reports(monkeypatch)
    prepared(tmp_path)
    names: dict[str, object] = {}
    for block in filter(runs, blocks(TEXTS[page])):
        match kind(block):
            case "file":
                Path(file_name(block)).write_text(block.text)
            case "python":
                exec(compile(block.text, f"{page}:{block.line}", "exec"), names)  # noqa: S102
            case "sh":
                run_sh(page, block)
            case "console":
                run_console(block)
    written = {word for line in LINES[page] for word in re.findall(r"--out (\S+)", line)}
    assert all(Path(name).exists() for name in written)


def parsed(line):
    """A command as its parser takes it, up to the values that words in capitals stand for."""
    words = shlex.split(line)
    if words[0] == "richlazy":
        group, words = main, words[1:]
    elif words[2] == "validation":
        from validation.cli import cli as group

        words = words[3:]
    else:
        from derivations import MODULES

        assert set(words[3:]) <= {*MODULES, "--latex", "javascript"}, line
        return
    if words[0] in ("COMMAND", "--help"):
        return
    command = group.commands[words[0]]
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    unknown = {word for word in words[1:] if word.startswith("--")} - known - {"--help"}
    assert not unknown, f"{line}: {unknown}"
    if not any(word.isupper() or word.startswith("[") for word in words[1:]) and len(words) > 1:
        # --help, or a sentence on an option alone
        with suppress(click.exceptions.Exit, click.MissingParameter):
            command.make_context(words[0], words[1:])


@pytest.mark.parametrize("page", [page for page in TEXTS if spans(TEXTS[page])])
def test_commands_inside_sentences_are_those_of_the_parsers(page):
    for line in spans(TEXTS[page]):
        parsed(line)


@pytest.mark.parametrize("line", ["richlazy predict FILE --no-such", "richlazy curve nowhere"])
def test_a_command_that_the_parser_does_not_know_is_found(line):
    with pytest.raises((AssertionError, click.UsageError)):
        parsed(line)


def signatures(module):
    """Parameters of the functions that a module writes, without importing it."""
    path = (
        Path(find_spec(module.rpartition(".")[0]).origin).parent / f"{module.rpartition('.')[2]}.py"
    )
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: [
            one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        ]
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def check_calls(block: Block):
    """Every name that a block takes from such a module is there, and called with names it has."""
    tree = ast.parse(block.text)
    known = {
        alias.name: signatures(node.module)[alias.name]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith(ELSEWHERE)
        for alias in node.names
    }
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in known
    ]
    assert calls
    for call in calls:
        assert {one.arg for one in call.keywords} <= set(known[call.func.id]), ast.unparse(call)
        assert len(call.args) <= len(known[call.func.id])


ASIDE = [
    pytest.param(block, id=f"{page}:{block.line}")
    for page, text in TEXTS.items()
    for block in blocks(text)
    if kind(block) == "python" and own(block)
]


@pytest.mark.parametrize("block", ASIDE)
def test_blocks_for_other_environments_call_what_is_there(block):
    check_calls(block)


@pytest.mark.parametrize(
    "text",
    ["from richlazy.runs.torch import gone\ngone(1)\n",
     "from richlazy.runs.torch import track\ntrack(model, probe, no_such=1)\n"],
)  # fmt: skip
def test_a_call_of_what_is_not_there_is_found(text):
    with pytest.raises((KeyError, AssertionError)):
        check_calls(Block("python", text, "", 1))
