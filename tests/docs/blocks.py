"""The fenced blocks of README.md and of docs/, and what each of them is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "PAGES",
    "ROOT",
    "Block",
    "blocks",
    "commands",
    "file_name",
    "kind",
    "of_module",
    "spans",
]

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "api").glob("*.md")),
]

_FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)\s*$", re.M | re.S
)
#: Lines of an installation or of a worker's own shell: known by how they begin, and not run here.
_SET_UP = re.compile(
    r"(PYTHONPATH=\. )?((\.venv/bin/)?(pip3? install|pytest|ruff|mypy|lint-imports)|python3 -m venv"
    r"|git clone|cd|\.venv/bin/richlazy|python -m sphinx|dask (scheduler|worker)|\.ci/run"
    r"|apt-get install)\b.*"
)
_COMPLETION = re.compile(r"echo '.*_RICHLAZY_COMPLETE=(?P<shell>\w+)_source richlazy.*' >>? \S+")


class Block(NamedTuple):
    """A fenced block: the word behind its fence, its text, and the line before it."""

    info: str
    text: str
    before: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """Yield every fenced block of a page."""
    for found in _FENCE.finditer(text):
        ahead = text[: found.start()]
        before = (ahead.rstrip().splitlines() or [""])[-1]
        yield Block(found["info"].strip(), found["text"], before, ahead.count("\n") + 1)


def file_name(block: Block) -> str | None:
    """Name of the file that a block is, if the line before it is that name and a colon."""
    named = re.fullmatch(r"`([^`/]+)`:", block.before)
    return named and named[1]


def kind(block: Block) -> str:
    """What a block is, by which the tests know what to do with it.

    Raises
    ------
    ValueError
        If it is of no kind that is run or checked.
    """
    info = block.info
    if info.startswith("{"):
        return "directive"  # Sphinx does what it says, or warns
    if info == "python":
        return "doctest" if ">>>" in block.text else "python"
    if info == "text" and file_name(block):
        return "file"
    if info in ("sh", "console"):
        for line in commands(block):
            shell_kind(line)
        return info
    raise ValueError(f"a block {info!r} after {block.before!r} is neither run nor checked")


def commands(block: Block) -> list[str]:
    """The commands of a block of a shell, without comments."""
    lines = block.text.splitlines()
    if block.info == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    stripped = (re.sub(r"(^|\s+)#.*", "", line).strip() for line in lines)
    return [command for line in stripped if line for command in line.split(" && ")]


def shell_kind(line: str) -> str:
    """Whether a command is ours to run, one to parse, one of an installation, or a completion.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    words = shlex.split(line)
    if words[0] == "richlazy":
        return "richlazy"
    if words[:2] == ["python", "-m"] and words[2] in ("validation", "derivations"):
        return words[2]
    if _COMPLETION.fullmatch(line):
        return "completion"
    if _SET_UP.fullmatch(line):
        return "set up"
    raise ValueError(f"{line!r} is neither run nor checked")


def spans(text: str) -> list[str]:
    """Commands of ours inside sentences: `richlazy …` and `python -m …` in backticks."""
    prose = _FENCE.sub("", text)
    found = re.findall(r"`((?:richlazy|python -m (?:validation|derivations)) [^`]+)`", prose)
    return [" ".join(one.split()) for one in found]


def of_module(name: str) -> list[Block]:
    """Blocks of Python that take something from a module."""
    every = (block for page in PAGES for block in blocks(page.read_text(encoding="utf-8")))
    return [one for one in every if one.info == "python" and f"from {name} import" in one.text]
