"""What the studies found, on one page: for the terminal, as HTML in one file, and as Markdown."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any

from rich.table import Table

from richlazy import names
from richlazy.errors import FileError
from richlazy.writing import write_text
from validation import RECURRENT, STUDIES
from validation.study import Check

__all__ = ["checks_table", "write"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; margin: 0.8rem 0; }
td, th { border-bottom: 1px solid #ccc; padding: 0.2rem 0.8rem 0.2rem 0; text-align: left;
         vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
img { max-width: 100%; }
code { background: #f2f2f2; padding: 0.1rem 0.3rem; }
.failed { color: #b00020; font-weight: bold; }
section { margin-top: 3rem; }
"""


def checks_table(checks: Sequence[Check]) -> Table:
    """The checks, for the terminal."""
    shown = Table("check", "test")
    for heading in ("worst", "limit", "values"):
        shown.add_column(heading, justify="right")
    shown.add_column("")
    for check in checks:
        outcome = "passed" if check.passed else "[bold red]FAILED"
        numbers = f"{check.worst:.3g}", f"{check.limit:g}", str(check.count)
        shown.add_row(check.name, check.test, *numbers, outcome)
    return shown


def write(folder: Path) -> tuple[list[Path], list[str]]:
    """Write report.html and report.md from the studies in a folder.

    Returns what was written, and the names of the studies that have no result there.

    Raises
    ------
    FileError
        If there is no result at all, or one cannot be read.
    """
    known = (*STUDIES, *RECURRENT)
    found = {name: folder / name for name in known if (folder / name / "result.json").exists()}
    if not found:
        raise FileError(f"{folder}: holds no results; python -m validation run all makes them")
    records = [_record(path) for path in found.values()]
    pages = {"report.html": _page(folder, records), "report.md": _markdown(records)}
    for name, text in pages.items():
        write_text(folder / name, text)
    return [folder / name for name in pages], [name for name in known if name not in found]


#: What a result says, each with its type.
_RESULT: dict[str, Any] = {
    "study": str,
    "question": str,
    "verdict": str,
    "passed": bool,
    "quick": bool,
    "checks": list,
    "command": str,
    "versions": dict,
}
_CHECK: dict[str, Any] = {
    "name": str,
    "test": str,
    "worst": (int, float, NoneType),
    "limit": (int, float),
    "values": int,
}


def _record(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((path / "result.json").read_text(encoding="utf-8"))
        if not _typed(record, _RESULT) or record["study"] != path.name:
            raise ValueError
        findings = record.setdefault("findings", [])
        texts = [*record["versions"].values(), *findings]
        if not (isinstance(findings, list) and all(isinstance(text, str) for text in texts)):
            raise ValueError
        for check in record["checks"]:
            if not _typed(check, _CHECK):
                raise ValueError
            float(check["worst"] or 0.0), float(check["limit"])  # integers may be too large
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        raise FileError(f"{path / 'result.json'}: is no result of a study; run it again") from None
    record["verdict"] += " on the quick grid" if record["quick"] else ""
    return record


def _typed(record: Any, types: dict[str, Any]) -> bool:
    """Whether it has all these keys, with values of these types; true is no number here."""
    return isinstance(record, dict) and all(
        isinstance(record.get(key), kind)
        and (kind is bool or not isinstance(record.get(key), bool))
        for key, kind in types.items()
    )


def _worst(check: dict[str, Any]) -> str:
    return "not finite" if check["worst"] is None else f"{check['worst']:.3g}"


def _page(folder: Path, records: Sequence[dict[str, Any]]) -> str:
    """One file: the figures are in it, and nothing is fetched."""
    title = "Gradient descent against the theory"
    parts = [f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>']
    parts.append(f"<style>{_STYLE}</style></head><body><h1>{title}</h1><table>")
    for record in records:
        name = names.html(record["study"])
        parts.append(f'<tr><td><a href="#{name}">{name}</a></td><td>{_verdict(record)}</td></tr>')
    parts.append("</table>")
    for record in records:
        parts.append(_section(folder, record))
    used = dict.fromkeys(
        ", ".join(f"{k} {v}" for k, v in record["versions"].items()) for record in records
    )
    parts += [f"<p>{names.html(versions)}</p>" for versions in used]
    parts.append("</body></html>")
    return "\n".join(parts) + "\n"


def _verdict(record: dict[str, Any]) -> str:
    kind = "passed" if record["passed"] else "failed"
    return f'<span class="{kind}">{names.html(record["verdict"])}</span>'


def _section(folder: Path, record: dict[str, Any]) -> str:
    name = names.html(record["study"])
    parts = [f'<section id="{name}"><h2>{name}</h2><p>{names.html(record["question"])}</p>']
    parts.append(f"<p>{_verdict(record)}</p>")
    if record["checks"]:
        head = "<tr><th>check</th><th>test</th><th>worst</th><th>limit</th><th>values</th></tr>"
        parts.append(f"<table>{head}")
        for check in record["checks"]:
            words = "".join(f"<td>{names.html(check[key])}</td>" for key in ("name", "test"))
            numbers = _worst(check), f"{check['limit']:g}", str(check["values"])
            parts.append(
                f"<tr>{words}{''.join(f'<td class=number>{n}</td>' for n in numbers)}</tr>"
            )
        parts.append("</table>")
    if record["findings"]:
        items = "".join(f"<li>{names.html(line)}</li>" for line in record["findings"])
        parts.append(f"<ul>{items}</ul>")
    figure = folder / record["study"] / "figure.png"
    if figure.is_file():
        data = base64.b64encode(figure.read_bytes()).decode()
        parts.append(f'<img alt="Figure of the study {name}" src="data:image/png;base64,{data}">')
    parts.append(f"<p><code>{names.html(record['command'])}</code></p></section>")
    return "\n".join(parts)


def _markdown(records: Sequence[dict[str, Any]]) -> str:
    lines = ["# Gradient descent against the theory", "", "| study | verdict |", "|---|---|"]
    lines += [
        f"| [{r['study']}](#{r['study']}) | {names.markdown(r['verdict'])} |" for r in records
    ]
    for record in records:
        name = record["study"]
        lines += ["", f"## {name}", "", names.markdown(record["question"]), ""]
        lines += [f"**{names.markdown(record['verdict'])}**", ""]
        if record["checks"]:
            lines += ["| check | test | worst | limit | values |", "|---|---|---:|---:|---:|"]
        for check in record["checks"]:
            words = " | ".join(names.markdown(check[key]) for key in ("name", "test"))
            numbers = f"{_worst(check)} | {check['limit']:g} | {check['values']}"
            lines.append(f"| {words} | {numbers} |")
        if record["findings"]:
            lines += ["", *(f"- {names.markdown(line)}" for line in record["findings"])]
        if record["checks"]:
            lines += ["", f"![Figure of the study {name}]({name}/figure.png)"]
        lines += ["", f"`{names.plain(record['command']).replace('`', '')}`"]
    return "\n".join(lines) + "\n"
